"""What verifiers of both colours share: settings, the flows of their methods, and what a forked
child begins anew."""

from __future__ import annotations

import os
import threading
import time
import warnings
from abc import ABC, abstractmethod
from typing import Any
from weakref import WeakSet

from ._answers import Voice, reason_words
from ._configuration import Settings
from ._endpoints import serve
from ._flow import Flow
from ._gateway import fetch_payment, find_payments
from ._verification import Refusal, approve, verify
from .amounts import read_amount
from .errors import ConfigurationError, InvalidRequest
from .messages import Request, Response, check_imp_uid, check_merchant_uid
from .models import Notice, Outcome, Payment
from .stores import is_async_callable, outside_transactions

__all__ = ["Base"]


class Base(ABC):
    """Settings and flows; a subclass has the driver of one colour."""

    def __init__(self, store: Any, transport: Any, settings: Settings, *, plain: bool) -> None:
        self._settings = settings
        self._desk = settings.desk
        self._rules = settings.desk.rules
        if transport is not None and is_async_callable(transport) is plain:
            raise ConfigurationError(
                "Verifier needs a plain transport, such as RequestsTransport or Urllib3Transport; "
                "AsyncVerifier an async one, such as HttpxTransport or AiohttpTransport"
            )
        if getattr(store, "for_tests_only", False) and not settings.test_mode:
            warnings.warn(
                "a store in memory forgets what was paid: use it in test mode only",
                RuntimeWarning,
                stacklevel=3,
            )
        self._store = store
        self._given_transport = transport
        self._begin_process()
        _verifiers.add(self)

    @property
    def _order_is_required(self) -> bool:
        """Whether every request must name its order, because there are several accounts."""
        return self._rules.accounts.only is None

    def _begin_process(self) -> None:
        """Make what belongs to one process; called again in a forked child, before anything else
        runs there."""
        self._rules.accounts.forget()
        self._transport = self._given_transport
        self._making = threading.Lock()

    @abstractmethod
    def _make_transport(self) -> Any:
        """Make the transport for a shop that gave none."""

    def _open_transport(self) -> Any:
        with self._making:
            if self._transport is None:
                self._transport = self._make_transport()
            return self._transport

    def _verification(self, imp_uid: str, merchant_uid: str | None) -> Flow[Outcome]:
        outside_transactions()
        claimed = None if merchant_uid is None else check_merchant_uid(merchant_uid)
        return verify(self._rules, Notice(check_imp_uid(imp_uid), claimed), "call")

    def _approval(self, imp_uid: str, merchant_uid: str, amount: object) -> Flow[Refusal | None]:
        outside_transactions()
        exact = read_amount(amount)
        if exact is None:
            raise InvalidRequest("amount must be an int, a Decimal or plain decimal text")
        notice = Notice(check_imp_uid(imp_uid), check_merchant_uid(merchant_uid), amount=exact)
        return approve(self._rules, notice, time.monotonic())

    def _answer(self, endpoint: str, request: Request, began: float) -> Flow[Response]:
        outside_transactions()
        return serve(self._desk, endpoint, request, began)

    def _words(self, refusal: Refusal | None) -> str | None:
        if refusal is None:
            return None
        return reason_words(refusal.key, refusal.text, Voice.of(self._desk.language, []))

    def _look_up(self, imp_uid: str, account: str | None) -> Flow[Payment | None]:
        outside_transactions()
        asked = self._rules.accounts.select(account)
        return fetch_payment(asked, check_imp_uid(imp_uid), self._rules.deadline())

    def _look_up_all(self, merchant_uid: str, account: str | None) -> Flow[tuple[Payment, ...]]:
        outside_transactions()
        asked = self._rules.accounts.select(account)
        number = check_merchant_uid(merchant_uid)
        if number in (".", ".."):
            raise InvalidRequest("a number that is a path segment of its own cannot be looked up")
        return find_payments(asked, number, self._rules.deadline())


_verifiers: WeakSet[Base] = WeakSet()


def _begin_child() -> None:
    for verifier in list(_verifiers):
        verifier._begin_process()


_ = getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_begin_child)
