"""Pre-registered amounts: what a payment window may ask for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from imp_verify.sandbox.errors import ALREADY_PREPARED, NOT_PREPARED, Refused


@dataclass(frozen=True, slots=True)
class Registration:
    """A pre-registered amount; a currency of None is not compared."""

    merchant_uid: str
    amount: Decimal
    currency: str | None = None

    def wire(self) -> dict[str, object]:
        """Return it as the prepare calls answer it."""
        return {
            "merchant_uid": self.merchant_uid,
            "amount": self.amount,
            "currency": self.currency,
        }


class Registrations:
    """The registrations of all accounts, under the gateway's own lock."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._known: dict[tuple[str, str], Registration] = {}

    def add(self, account: str, registration: Registration) -> Registration:
        """Register an amount; a second time for the same number is Refused."""
        with self._lock:
            if (account, registration.merchant_uid) in self._known:
                raise Refused(ALREADY_PREPARED)
            return self._put(account, registration)

    def change(self, account: str, registration: Registration) -> Registration:
        """Change what is registered; Refused where nothing is."""
        with self._lock:
            if (account, registration.merchant_uid) not in self._known:
                raise Refused(NOT_PREPARED, code=-1, status=404)
            return self._put(account, registration)

    def get(self, account: str, merchant_uid: str) -> Registration:
        """Return what is registered; Refused where nothing is, by 404: the schema has none, and
        the real one answers so."""
        with self._lock:
            if (account, merchant_uid) not in self._known:
                raise Refused(NOT_PREPARED, code=-1, status=404)
            return self._known[account, merchant_uid]

    def put(self, account: str, registration: Registration) -> Registration:
        """Register an amount, whether or not one is."""
        with self._lock:
            return self._put(account, registration)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._known.clear()

    def all(self) -> list[tuple[str, Registration]]:
        """Return all, each with the key of its account, in the order of their numbers' first."""
        with self._lock:
            return [(account, each) for (account, _), each in self._known.items()]

    def check(self, account: str, fields: Mapping[str, Any]) -> None:
        """Raise Refused where a window asks for something else than what is registered."""
        known = self._known.get((account, fields["merchant_uid"]))
        if known is None:
            return
        if known.amount != fields["amount"] or known.currency not in (None, fields["currency"]):
            raise Refused("사전등록된 결제금액과 결제요청 금액이 일치하지 않습니다.")

    def _put(self, account: str, registration: Registration) -> Registration:
        self._known[account, registration.merchant_uid] = registration
        return registration
