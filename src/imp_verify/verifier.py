"""`Verifier` and `AsyncVerifier`: join the core to a transport and a store, one arm per effect in
each."""

from __future__ import annotations

import os
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any
from weakref import WeakSet

from ._configuration import read_settings
from ._core.accounts import Accounts
from ._core.calls import fetch_payment, find_payments
from ._core.cancelling import Cancel, cancel
from ._core.flow import (
    Alone,
    Consult,
    Expect,
    Flow,
    Hold,
    Observe,
    Recall,
    Send,
    Settle,
    Step,
    Tell,
    Wait,
    each,
    each_async,
    run,
    run_async,
)
from ._core.giving_back import deliver, give_back
from ._core.health import Examination, tells_facts
from ._core.preparing import prepare, prepared
from ._core.reading import check_imp_uid, check_merchant_uid, read_amount
from ._core.reconciling import reconcile, sweep
from ._core.runs import read_range
from ._core.verification import Refusal, approve, fetch_and_judge, verify
from ._observing import Harmless, watched, watched_async
from ._threads import within
from ._web.answers import Wording, reason_words
from ._web.endpoints import serve, too_late
from ._web.http import Request, Response
from ._web.webhook_sources import Senders
from .errors import ConfigurationError, GatewayUnavailable, InvalidRequest
from .models import ADOPT, Finding, Health, Notice, Outcome, Payment, Refund
from .observers import Observer
from .settings import Checkout, Credentials, Landing, Settings
from .stores import AsyncOrderStore, OrderStore
from .stores._bridge import as_async, as_given, is_ledger
from .stores._open import holding, outside_transactions
from .stores._protocol import is_async_callable, store_is_async
from .transports import AsyncTransport, GatewayRequest, GatewayResponse, Transport

__all__ = ["AsyncVerifier", "Verifier", "observe"]


class _Base(ABC):
    """What both share: settings, the flows of their methods, and what a forked child begins
    anew."""

    def __init__(self, store: Any, transport: Any, settings: Settings, *, plain: bool) -> None:
        self._settings = settings
        self._senders = Senders(settings.webhook_sources, settings.trusted_proxies)
        self._accounts = Accounts.from_settings(settings, time.monotonic)
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
        if settings.give_back and not is_ledger(store):
            raise ConfigurationError(
                "give_back needs a store that remembers what is due (a Ledger), which "
                f"{type(as_given(store)).__name__} is not"
            )
        self._store = store
        self._given_transport = transport
        self._begin_process()
        _verifiers.add(self)

    @property
    def settings(self) -> Settings:
        """The settings as they hold, defaults and the environment's included; read-only."""
        return self._settings

    def _begin_process(self) -> None:
        """Make what belongs to one process; called again in a forked child, before anything else
        runs there."""
        self._accounts.forget()
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

    def _verification(
        self, imp_uid: str, merchant_uid: str | None, *, record: bool = True
    ) -> Flow[Outcome]:
        """Make the flow of `verify`. Without `record` it ends where the store would be told: the
        command's `--dry-run`."""
        outside_transactions()
        claimed = None if merchant_uid is None else check_merchant_uid(merchant_uid)
        notice = Notice(check_imp_uid(imp_uid), claimed)
        if not record:
            deadline = self._accounts.deadline(self._settings.timeout)
            return fetch_and_judge(self._settings, self._accounts, notice, "call", deadline)
        return deliver(self._settings, self._accounts, notice, "call")

    def _approval(self, imp_uid: str, merchant_uid: str, amount: object) -> Flow[Refusal | None]:
        outside_transactions()
        exact = read_amount(amount)
        if exact is None:
            raise InvalidRequest("amount must be an int, a Decimal or plain decimal text")
        notice = Notice(check_imp_uid(imp_uid), check_merchant_uid(merchant_uid), amount=exact)
        return approve(self._settings, self._accounts, notice, time.monotonic())

    def _answer(self, endpoint: str, request: Request, began: float) -> Flow[Response]:
        outside_transactions()
        return serve(self._settings, self._accounts, self._senders, endpoint, request, began)

    def _words(self, refusal: Refusal | None) -> str | None:
        if refusal is None:
            return None
        return reason_words(refusal.key, refusal.text, Wording.of(self._settings.language, []))

    def _cancelling(self, wanted: Cancel, account: str | None) -> Flow[Outcome]:
        outside_transactions()
        ledger = is_ledger(self._store)
        return cancel(self._settings, self._accounts, wanted, account, ledger=ledger)

    def _giving_back(
        self, imp_uid: str, refund_to: Refund | None, *, by_policy: bool = False
    ) -> Flow[Outcome]:
        """Make the flow of `give_back`; `by_policy` for the command's `--policy`."""
        outside_transactions()
        if not is_ledger(self._store):
            raise ConfigurationError("give_back needs a ready-made store, or another Ledger")
        if not isinstance(refund_to, Refund | None):
            raise InvalidRequest("refund_to must be a Refund")
        return give_back(
            self._settings,
            self._accounts,
            check_imp_uid(imp_uid),
            refund_to,
            by_policy=by_policy,
        )

    def _adopting(self, imp_uid: str, merchant_uid: str) -> Flow[Outcome]:
        outside_transactions()
        if not getattr(as_given(self._store), "adopts", False):
            raise ConfigurationError(
                "adopt needs a ready-made store, or one that decides by `advance` and says so with "
                "`adopts = True`: any other would ship the order again"
            )
        notice = Notice(check_imp_uid(imp_uid), check_merchant_uid(merchant_uid))
        return verify(self._settings, self._accounts, notice, ADOPT)

    def _examination(self) -> Examination:
        outside_transactions()
        has_facts = tells_facts(as_given(self._store))
        return Examination(self._accounts, has_facts, self._settings.timeout)

    def _preparing(self, merchant_uid: str) -> Flow[None]:
        outside_transactions()
        number, ledger = check_merchant_uid(merchant_uid), is_ledger(self._store)
        return prepare(self._settings, self._accounts, number, ledger=ledger)

    def _prepared(self, merchant_uid: str) -> Flow[Decimal | None]:
        outside_transactions()
        return prepared(self._settings, self._accounts, _segment(merchant_uid))

    def _reconciling(
        self,
        since: object,
        until: object,
        account: str | None,
        dry_run: object,
        before: object,
        *,
        progress: bool = False,
    ) -> Flow[None]:
        """Make the flow of `reconcile`. With `progress` it tells that too: the command's bar."""
        outside_transactions()
        wanted = read_range(datetime.now(UTC), since, until, before, dry_run)
        chosen, ledger = self._accounts.chosen(account), is_ledger(self._store)
        return reconcile(
            self._settings, self._accounts, chosen, wanted, ledger=ledger, progress=progress
        )

    def _sweeping(self, merchant_uids: Iterable[str]) -> Flow[None]:
        outside_transactions()
        if isinstance(merchant_uids, str):
            raise InvalidRequest("merchant_uids must be a list of order numbers, not one text")
        return sweep(self._settings, self._accounts, merchant_uids)

    def _look_up(self, imp_uid: str, account: str | None) -> Flow[Payment | None]:
        outside_transactions()
        asked = self._accounts.select(account)
        return fetch_payment(
            asked, check_imp_uid(imp_uid), self._accounts.deadline(self._settings.timeout)
        )

    def _gateway_time(self, account: str | None) -> Flow[int]:
        """For the command `doctor`."""
        asked = self._accounts.select(account)
        return asked.time(self._accounts.deadline(self._settings.timeout))

    def _look_up_all(self, merchant_uid: str, account: str | None) -> Flow[tuple[Payment, ...]]:
        outside_transactions()
        asked = self._accounts.select(account)
        deadline = self._accounts.deadline(self._settings.timeout)
        return find_payments(asked, _segment(merchant_uid), deadline)


def _segment(merchant_uid: str) -> str:
    """Return a number that a path may hold.

    Raises:
        InvalidRequest: It is malformed, or one that clients and servers take away.
    """
    number = check_merchant_uid(merchant_uid)
    if number in (".", ".."):
        raise InvalidRequest("a number that is a path segment of its own cannot be looked up")
    return number


_verifiers: WeakSet[_Base] = WeakSet()


def _begin_child() -> None:
    for verifier in list(_verifiers):
        verifier._begin_process()


_ = getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_begin_child)


class Verifier(_Base):
    """Verifies payments for plain (WSGI) shops; every method may be called from any thread.

    Nothing touches the network until the first call.

    Args:
        store: Where orders and receipts are: a ready-made store, or a subclass of `OrderStore`.
        credentials: The account; from IMP_KEY, IMP_SECRET and IMP_TIER where left out.
        accounts: Several by name instead; each order names its own (`ExpectedPayment.account`).
        base_url: The gateway's address, https, or http to this machine; else IMP_API_URL.
        test_mode: Whether payments of test channels count as money; else IMP_TEST_MODE.
        timeout: Seconds for all gateway calls of one verification together, 5 where left out.
        max_lookups: How many gateway calls may run at once in this process, 64 where left out.
        transport: What sends the calls, for example `RequestsTransport(session)`; requests where
            left out.
        landing: Where a redirect sends the buyer; the built-in page where left out.
        checkout: What the payment window is told, by the button; or one for each of `accounts`.
        public_url: The address under which buyers reach this application; else IMP_PUBLIC_URL.
        language: "ko" (where left out), "en", or "auto" for what the browser prefers of the two.
        confirm_lookup: Whether confirm looks the payment up before it asks the shop; True where
            left out.
        confirm_timeout: Seconds within which confirm answers, 4 where left out: the gateway waits
            for 5 or for 10, as its own pages say. The look-up gets half of them.
        cancel_timeout: Seconds for `cancel`, 30 where left out: it goes through to the PG.
        give_back: Which money that pays nothing the verifier gives back by itself: any of forgery,
            duplicate and late; none where left out. Needs a ready-made store. What `on_paid` gave
            back (`GiveBack`) always is.
        webhook_sources: The only networks that may send webhooks; everybody where left out.
        trusted_proxies: The networks whose X-Forwarded-For is believed about who sent a webhook;
            "unix" is a peer without an address (a Unix socket). Under WSGI X_Forwarded_For cannot
            be told from it: the server (gunicorn, waitress) or the proxy (nginx) must drop names
            with an underscore; uWSGI, Granian's WSGI and wsgiref hand them on.

    Raises:
        ConfigurationError: A setting or the store is missing or unusable; the text names which.
    """

    _store: OrderStore

    def __init__(
        self,
        store: OrderStore,
        *,
        credentials: Credentials | None = None,
        accounts: Mapping[str, Credentials] | None = None,
        base_url: str | None = None,
        test_mode: bool | None = None,
        timeout: float = Settings.timeout,
        max_lookups: int = Settings.max_lookups,
        transport: Transport | None = None,
        landing: Landing | None = None,
        checkout: Checkout | Mapping[str, Checkout] | None = None,
        public_url: str | None = None,
        language: str = Settings.language,
        confirm_lookup: bool = Settings.confirm_lookup,
        confirm_timeout: float = Settings.confirm_timeout,
        cancel_timeout: float = Settings.cancel_timeout,
        give_back: Iterable[str] = (),
        webhook_sources: Iterable[str] | None = None,
        trusted_proxies: Iterable[str] | None = None,
    ) -> None:
        if store_is_async(store):
            raise ConfigurationError("Verifier needs a plain store; AsyncVerifier takes both")
        try:
            settings = read_settings(
                credentials=credentials,
                accounts=accounts,
                base_url=base_url,
                test_mode=test_mode,
                timeout=timeout,
                max_lookups=max_lookups,
                landing=landing,
                checkout=checkout,
                public_url=public_url,
                language=language,
                confirm_lookup=confirm_lookup,
                confirm_timeout=confirm_timeout,
                cancel_timeout=cancel_timeout,
                give_back=give_back,
                webhook_sources=webhook_sources,
                trusted_proxies=trusted_proxies,
            )
        except ConfigurationError as error:
            del credentials, accounts  # what is no Credentials shows what it holds
            raise error.with_traceback(None) from None
        super().__init__(store, transport, settings, plain=True)

    @property
    def store(self) -> OrderStore:
        """The shop's store, as it was given."""
        return self._store

    def _begin_process(self) -> None:
        super()._begin_process()
        self._slots = threading.BoundedSemaphore(self._settings.max_lookups)
        self._locks: dict[object, threading.Lock] = {}

    def verify(self, imp_uid: str, merchant_uid: str | None) -> Outcome:
        """Ask the gateway about a payment, judge it, and have the store record it.

        Args:
            merchant_uid: The order it should be for. None must be written out, by callers that
                then use `outcome.merchant_uid`, the number of the gateway; not with `accounts`.

        Raises:
            InvalidRequest: A malformed id, or none with `accounts`. Nothing was asked.
            GatewayError: No usable answer in time.
            StoreError: The store broke its protocol, or this is a hook. What store or hook
                raise comes as it is.
        """
        return run(self._verification(imp_uid, merchant_uid), self._perform)

    def confirm(self, imp_uid: str, merchant_uid: str, amount: Decimal | int | str) -> str | None:
        """Say why a payment may not be approved, None where it may. Raises like `verify`."""
        return self._words(run(self._approval(imp_uid, merchant_uid, amount), self._perform))

    def cancel(
        self,
        imp_uid: str,
        *,
        reason: str,
        amount: Decimal | int | str | None = None,
        refundable: Decimal | int | str | None = None,
        refund_to: Refund | None = None,
        tax_free: Decimal | int | str | None = None,
        vat_amount: Decimal | int | str | None = None,
        extra: Mapping[str, object] | None = None,
        enable_webhook: bool = True,
        account: str | None = None,
    ) -> Outcome:
        """Give money back at the gateway, and record what it says of the payment then.

        PGs that cancel later (PayPal, WeChat, virtual accounts at Smartro) go on calling it paid:
        the outcome says so, and the notice that comes once it is done records the rest. Nothing
        guards those against a second cancel: look before you repeat one.

        Args:
            reason: At most 256 characters; the gateway keeps it, and some PGs ask for it.
            amount: A part, in the currency's main unit; all that is left where left out.
            refundable: What you believe is left: what the clerk's screen showed. Needed for a part,
                and where no receipt says it. The gateway refuses the cancel where it differs, so
                that a second click, after an answer that was lost, gives nothing back twice.
            refund_to: The bank account that a virtual account's money goes to.
            tax_free, vat_amount: Of this cancel, where the sale had them.
            extra: Handed on; for NaverPay `{"requester": "customer"}`.
            enable_webhook: Whether the gateway sends a notice of this cancel.
            account: With `accounts`, for a payment without a receipt.

        Raises:
            InvalidRequest: A value is unusable, or what is recorded shows it to be a mistake; the
                text names it. Nothing was sent.
            GatewayRefused: The gateway or the PG said no, in `message`. Nothing was done, and the
                payment was looked up and recorded.
            GatewayUnavailable: With `uncertain`: no answer came, it may have been done; the
                payment was looked up and recorded, if it could be. Look before you repeat it.
            GatewayError: Nothing was done; but for one with a note that the gateway accepted it.
            StoreError: As for `verify`. What store or hook raise comes as it is.
        """
        wanted = Cancel.of(
            imp_uid,
            reason=reason,
            amount=amount,
            refundable=refundable,
            refund_to=refund_to,
            tax_free=tax_free,
            vat_amount=vat_amount,
            extra=extra,
            enable_webhook=enable_webhook,
        )
        return run(self._cancelling(wanted, account), self._perform)

    def give_back(self, imp_uid: str, *, refund_to: Refund | None = None) -> Outcome:
        """Give back a payment that pays nothing, because a person says so: a forgery, a second or
        a late payment, or one that `on_paid` gave back, as the store remembers them.

        It is looked up first, and nothing is sent where it is due no more. See `cancel` for PGs
        that cancel later.

        Args:
            refund_to: The buyer's bank account, for what was paid to a virtual account.

        Raises:
            InvalidRequest: Nothing is due of it, it was given back, it needs a bank account, or it
                is being given back now. Nothing was sent.
            GatewayRefused, GatewayUnavailable: As `cancel`.
            ConfigurationError: The store is no `Ledger`.
        """
        return run(self._giving_back(imp_uid, refund_to), self._perform)

    def adopt(self, imp_uid: str, merchant_uid: str) -> Outcome:
        """Record an old payment of this very order as the one that pays it, for a shop that begins
        with a past: `outcome.paid` says whether it does. The order may be closed, and no hook is
        called, now or later, for what had happened by now.

        Where it is not adopted the outcome says why, and nothing is kept: a verdict other than PAID
        or PARTLY_CANCELLED (a refunded payment, another order's, an amount that is not the
        order's); DUPLICATE for an order that was ever paid by another; LATE for a payment that is
        being given back, or that `on_paid` gave back. To repeat it is harmless.

        Raises like `verify`.

        Raises:
            ConfigurationError: A store by hand that does not say that it adopts.
        """
        return run(self._adopting(imp_uid, merchant_uid), self._perform)

    def health(self) -> Health:
        """Say whether payments can be verified now: the store is read, and the gateway asked about
        a payment that is not there, one call for each account. Trouble is said and not raised, and
        all of it takes no longer than `timeout`."""
        look = self._examination()
        within(look.deadline, look.flow(), self._perform, self._store)
        return look.result

    def prepare(self, merchant_uid: str) -> None:
        """Register with the gateway what the store expects for an order, before its window opens:
        it then opens for no other amount or currency. Repeatable; another amount takes the place of
        the one before.

        Raises:
            InvalidRequest: There is no such order, it is closed or was paid, or its number is one
                that the gateway or a PG refuses or cuts. Nothing was sent.
            GatewayRefused: The gateway said no, in `message`.
            GatewayError: No usable answer in time.
            StoreError: The shop's answer is no price, or names none of several accounts.
        """
        run(self._preparing(merchant_uid), self._perform)

    def prepared(self, merchant_uid: str) -> Decimal | None:
        """Return the amount that the gateway has registered for an order, in its currency's main
        unit; None where it has none, or the shop knows no such order. Raises like `verify`."""
        return run(self._prepared(merchant_uid), self._perform)

    def reconcile(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        account: str | None = None,
        dry_run: bool = False,
        orders_before: datetime | None = None,
    ) -> Iterator[Finding]:
        """Compare what the gateway lists with what is recorded, repair what differs, and give each
        payment that was not right: notices that were lost, refunds made elsewhere, accounts that
        ran out, money that is due back. A repair is an ordinary `verify`, fetched anew.

        The run keeps its place (but one in a window that you name, or a dry run): one that was
        stopped is taken up by the next, and one that ended begins where the last one did, less an
        hour. A second run right after repairs nothing.

        Args:
            since, until: The window, with time zones; by default from the end of the last run until
                a minute ago. A store by hand that is no `Ledger` must be given `since`, which then
                counts as its beginning.
            account: With `accounts`, only this one.
            dry_run: Only tell: nothing is looked up, recorded or kept.
            orders_before: Payments from before the store began are `too_old`, and not recorded:
                their orders might ship again. Those paid from this time on are, after all.

        Raises:
            InvalidRequest: A time is naive or in the future, or there is no `since` where one is
                needed.
            GatewayError: The gateway can no longer be asked, or says 429 or 503 again and again;
                what was done stays, and the place is kept.
            StoreError: As `verify`, for the store itself; where a hook fails over one payment, the
                finding's `error` says so and the run goes on.
        """
        flow = self._reconciling(since, until, account, dry_run, orders_before)
        return each(flow, self._perform)

    def sweep(self, merchant_uids: Iterable[str]) -> Iterator[Outcome]:
        """Look at orders of yours that are still open, two calls for each, and give the outcomes:
        what a cron job runs every ten minutes for notices that never came. Raises like `verify`."""
        return each(self._sweeping(merchant_uids), self._perform)

    def payment(self, imp_uid: str, *, account: str | None = None) -> Payment | None:
        """Fetch one payment, None where there is none. With `accounts` one must be named.
        Records nothing, raises like `verify`."""
        return run(self._look_up(imp_uid, account), self._perform)

    def payments_of(self, merchant_uid: str, *, account: str | None = None) -> tuple[Payment, ...]:
        """Fetch all payments of an order, newest first. Otherwise like `payment`."""
        return run(self._look_up_all(merchant_uid, account), self._perform)

    def serve(self, endpoint: str, request: Request) -> Response:
        """Answer a request to complete, redirect, webhook or confirm. Raises nothing that a
        request could cause."""
        began = time.monotonic() if request.began is None else request.began
        flow = self._answer(endpoint, request, began)
        if endpoint != "confirm" or request.method != "POST":
            return run(flow, self._perform)
        until = began + self._settings.confirm_timeout
        answer = within(until, flow, self._perform, self._store)
        return answer or too_late(self._settings, self._accounts, request, began)

    def close(self) -> None:
        """Close idle connections to the gateway. Optional and repeatable; the verifier can be used
        again."""
        close = getattr(self._transport, "close", None)  # a plain function will do as a transport
        if close is not None:
            close()

    def _make_transport(self) -> Transport:
        from .transports.requests import RequestsTransport

        return RequestsTransport()

    def _perform(self, step: Step) -> object:
        match step:
            case Send(request):
                return self._send(request)
            case Expect(merchant_uid):
                return self._store.expected(merchant_uid)
            case Recall(imp_uids):
                return self._store.receipts(imp_uids)
            case Settle(outcome):
                return self._store.settle(outcome)
            case Observe(outcome):
                return self._store.observe(outcome)
            case Hold(expected, imp_uid, until, begin_by):
                with holding(until, begin_by):
                    return self._store.hold(expected, imp_uid)
            case Consult(method, arguments, named):
                return getattr(self._store, method)(*arguments, **named)
            case Wait(seconds):
                time.sleep(seconds)
                return None
            case Tell():
                raise TypeError("only an iterator tells")
            case _:  # Alone, or the type checkers refuse it
                return self._alone(step)

    def _send(self, request: GatewayRequest) -> GatewayResponse:
        transport: Transport = self._transport or self._open_transport()
        if not self._slots.acquire(timeout=max(0.0, request.deadline - time.monotonic())):
            raise GatewayUnavailable("too many look-ups are under way")
        try:
            return transport(request)
        finally:
            self._slots.release()

    def _alone(self, step: Alone[Any]) -> object:
        lock = self._locks.setdefault(step.key, threading.Lock())
        if not lock.acquire(timeout=max(0.0, step.deadline - time.monotonic())):
            raise GatewayUnavailable("another call did not bring a token in time")
        try:
            return run(step.flow, self._perform)
        finally:
            lock.release()


class AsyncVerifier(_Base):
    """Verifies payments for async (ASGI) shops: takes what `Verifier` takes, and its methods are
    coroutines.

    A plain store with plain hooks will do too: each of its calls then runs in a thread.
    """

    _store: AsyncOrderStore

    def __init__(
        self,
        store: AsyncOrderStore | OrderStore,
        *,
        credentials: Credentials | None = None,
        accounts: Mapping[str, Credentials] | None = None,
        base_url: str | None = None,
        test_mode: bool | None = None,
        timeout: float = Settings.timeout,
        max_lookups: int = Settings.max_lookups,
        transport: AsyncTransport | None = None,
        landing: Landing | None = None,
        checkout: Checkout | Mapping[str, Checkout] | None = None,
        public_url: str | None = None,
        language: str = Settings.language,
        confirm_lookup: bool = Settings.confirm_lookup,
        confirm_timeout: float = Settings.confirm_timeout,
        cancel_timeout: float = Settings.cancel_timeout,
        give_back: Iterable[str] = (),
        webhook_sources: Iterable[str] | None = None,
        trusted_proxies: Iterable[str] | None = None,
    ) -> None:
        if transport is None and not any(map(find_spec, ("httpx2", "httpx"))):
            raise ConfigurationError(
                'AsyncVerifier needs an async client: pip install "imp-verify[async]", '
                "or give it a transport"
            )
        try:
            settings = read_settings(
                credentials=credentials,
                accounts=accounts,
                base_url=base_url,
                test_mode=test_mode,
                timeout=timeout,
                max_lookups=max_lookups,
                landing=landing,
                checkout=checkout,
                public_url=public_url,
                language=language,
                confirm_lookup=confirm_lookup,
                confirm_timeout=confirm_timeout,
                cancel_timeout=cancel_timeout,
                give_back=give_back,
                webhook_sources=webhook_sources,
                trusted_proxies=trusted_proxies,
            )
        except ConfigurationError as error:
            del credentials, accounts  # what is no Credentials shows what it holds
            raise error.with_traceback(None) from None
        super().__init__(as_async(store), transport, settings, plain=False)

    @property
    def store(self) -> AsyncOrderStore:
        """The shop's store, for `await`: the one that was given, or for a plain one what calls it
        in a thread."""
        return self._store

    def _begin_process(self) -> None:
        from ._loops import Loops  # here, because of asyncio, which a plain shop need not pay for

        super()._begin_process()
        self._loops = Loops(self._settings.max_lookups)

    async def verify(self, imp_uid: str, merchant_uid: str | None) -> Outcome:
        """See `Verifier.verify`."""
        return await run_async(self._verification(imp_uid, merchant_uid), self._perform)

    async def confirm(
        self, imp_uid: str, merchant_uid: str, amount: Decimal | int | str
    ) -> str | None:
        """See `Verifier.confirm`."""
        refusal = await run_async(self._approval(imp_uid, merchant_uid, amount), self._perform)
        return self._words(refusal)

    async def cancel(
        self,
        imp_uid: str,
        *,
        reason: str,
        amount: Decimal | int | str | None = None,
        refundable: Decimal | int | str | None = None,
        refund_to: Refund | None = None,
        tax_free: Decimal | int | str | None = None,
        vat_amount: Decimal | int | str | None = None,
        extra: Mapping[str, object] | None = None,
        enable_webhook: bool = True,
        account: str | None = None,
    ) -> Outcome:
        """See `Verifier.cancel`."""
        wanted = Cancel.of(
            imp_uid,
            reason=reason,
            amount=amount,
            refundable=refundable,
            refund_to=refund_to,
            tax_free=tax_free,
            vat_amount=vat_amount,
            extra=extra,
            enable_webhook=enable_webhook,
        )
        return await run_async(self._cancelling(wanted, account), self._perform)

    async def give_back(self, imp_uid: str, *, refund_to: Refund | None = None) -> Outcome:
        """See `Verifier.give_back`."""
        return await run_async(self._giving_back(imp_uid, refund_to), self._perform)

    async def adopt(self, imp_uid: str, merchant_uid: str) -> Outcome:
        """See `Verifier.adopt`."""
        return await run_async(self._adopting(imp_uid, merchant_uid), self._perform)

    async def health(self) -> Health:
        """See `Verifier.health`."""
        look = self._examination()
        await self._loops.within(look.deadline, run_async(look.flow(), self._perform))
        return look.result

    async def prepare(self, merchant_uid: str) -> None:
        """See `Verifier.prepare`."""
        await run_async(self._preparing(merchant_uid), self._perform)

    async def prepared(self, merchant_uid: str) -> Decimal | None:
        """See `Verifier.prepared`."""
        return await run_async(self._prepared(merchant_uid), self._perform)

    def reconcile(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        account: str | None = None,
        dry_run: bool = False,
        orders_before: datetime | None = None,
    ) -> AsyncIterator[Finding]:
        """See `Verifier.reconcile`; for `async for`."""
        flow = self._reconciling(since, until, account, dry_run, orders_before)
        return each_async(flow, self._perform)

    def sweep(self, merchant_uids: Iterable[str]) -> AsyncIterator[Outcome]:
        """See `Verifier.sweep`; for `async for`."""
        return each_async(self._sweeping(merchant_uids), self._perform)

    async def payment(self, imp_uid: str, *, account: str | None = None) -> Payment | None:
        """See `Verifier.payment`."""
        return await run_async(self._look_up(imp_uid, account), self._perform)

    async def payments_of(
        self, merchant_uid: str, *, account: str | None = None
    ) -> tuple[Payment, ...]:
        """See `Verifier.payments_of`."""
        return await run_async(self._look_up_all(merchant_uid, account), self._perform)

    async def serve(self, endpoint: str, request: Request) -> Response:
        """See `Verifier.serve`."""
        began = time.monotonic() if request.began is None else request.began
        answering = run_async(self._answer(endpoint, request, began), self._perform)
        if endpoint != "confirm" or request.method != "POST":
            return await answering
        answer = await self._loops.within(began + self._settings.confirm_timeout, answering)
        return answer or too_late(self._settings, self._accounts, request, began)

    async def close(self) -> None:
        """See `Verifier.close`; for the running loop."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            await close()

    def _make_transport(self) -> AsyncTransport:
        from .transports.httpx import HttpxTransport

        return HttpxTransport()

    async def _perform(self, step: Step) -> object:
        match step:
            case Send(request):
                return await self._send(request)
            case Expect(merchant_uid):
                return await self._store.expected(merchant_uid)
            case Recall(imp_uids):
                return await self._store.receipts(imp_uids)
            case Settle(outcome):
                return await self._store.settle(outcome)
            case Observe(outcome):
                return await self._store.observe(outcome)
            case Hold(expected, imp_uid, until, begin_by):
                with holding(until, begin_by):
                    return await self._store.hold(expected, imp_uid)
            case Consult(method, arguments, named):
                return await getattr(self._store, method)(*arguments, **named)
            case Wait(seconds):
                await self._loops.pause(seconds)
                return None
            case Tell():
                raise TypeError("only an iterator tells")
            case _:  # Alone, or the type checkers refuse it
                return await self._alone(step)

    async def _send(self, request: GatewayRequest) -> GatewayResponse:
        transport: AsyncTransport = self._transport or self._open_transport()
        async with self._loops.slot(request.deadline):
            return await transport(request)

    async def _alone(self, step: Alone[Any]) -> object:
        async with self._loops.alone(step.key, step.deadline):
            return await run_async(step.flow, self._perform)


def observe(verifier: Verifier | AsyncVerifier, observer: Observer | None) -> None:
    """Have an observer watch a verifier from now on, in place of the one that does; None for
    nobody. What is under way then is not watched.

    A verifier that nobody watches executes nothing of it: the one that performs its effects is put
    over the class's own.
    """
    if observer is not None:
        observer = Harmless(observer)
    verifier._accounts = replace(verifier._accounts, observer=observer)
    _ = vars(verifier).pop("_perform", None)
    if observer is None:
        return
    if isinstance(verifier, Verifier):
        vars(verifier)["_perform"] = watched(observer, verifier._perform)
    else:
        vars(verifier)["_perform"] = watched_async(observer, verifier._perform)
