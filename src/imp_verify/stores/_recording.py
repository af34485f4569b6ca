"""How every ready-made store records a payment and answers a `hold`, sync and async: lock and read,
ask the shop, decide, write, call the hooks. No database."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from .._core.reading import is_merchant_uid
from ..errors import ConfigurationError, StoreError
from ..models import (
    ExpectedPayment,
    Outcome,
    Reason,
    Receipt,
    Settled,
    Verdict,
    read_expected,
)
from ._advance import Change, OrderState, advance, refuse
from ._dues import Claim, claim_due, closed_due, is_being_given_back, is_found_due
from ._hooks import Functions, Refused, run_afterwards, run_afterwards_async
from ._ledger import Due, Run
from ._open import hold_limits, outside_transactions
from ._protocol import AsyncOrderStore, OrderStore
from ._rows import Loaded, Recorded, Rows, details_as_text, rows_of_due, to_write

__all__ = ["AsyncReadyStore", "ReadyStore", "check_lock_timeout", "seconds_to_wait"]

T = TypeVar("T")
U = TypeVar("U")
_log = logging.getLogger("imp_verify")

ALREADY_PAID = "already_paid"
"""A store's own refusal of a `hold`: a key, which the table of answers turns into words."""
_REVIEW = "on_review"
_GIVEN_BACK = "on_paid gave %s back, for order %.100r: %.200r"
_LOST = "a settled outcome left nothing to keep"
_LONGEST = 3600


class ReadyStore(OrderStore, Generic[T]):
    """What the ready-made plain stores share. `T` is a store's open transaction, as it is handed
    from one of its methods to the next."""

    _functions: Functions[Any]
    adopts = True

    def settle(self, outcome: Outcome) -> Settled:
        """See `OrderStore.settle`."""
        settled = self._record(outcome)
        if settled is None:
            raise StoreError(_LOST)
        return settled

    def observe(self, outcome: Outcome) -> Settled | None:
        """See `OrderStore.observe`. The parts of a refund were handed on by `settle`."""
        return outcome.settled if outcome.settled is not None else self._record(outcome)

    @abstractmethod
    def paid(self, merchant_uid: str) -> bool:
        """Return whether a payment has paid this order, now or ever: a plain read, for pages."""

    @abstractmethod
    def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """Return whether an account of this order waits for its deposit still, for pages."""

    @abstractmethod
    def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""

    @abstractmethod
    def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""

    @abstractmethod
    def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""

    def claim(self, imp_uid: str, until: datetime, *, by_hand: bool = False) -> Due | None:
        """See `Ledger.claim`."""
        outside_transactions()
        found = self.due(imp_uid)
        if found is None or found.done is not None:
            return None
        number = found.merchant_uid

        def work(transaction: T) -> tuple[bool, tuple[Claim, object]]:
            before = self._load(transaction, imp_uid, number)
            known = before.known or {}
            claim = claim_due(before.due, before.paid_by, known, until, by_hand=by_hand)
            rows = rows_of_due(before, claim.write, claim.told)
            answer = None
            if rows is not None:
                self._save(transaction, rows)
            if claim.told is not None and self._functions.has(_REVIEW):
                self._will_run_hook(transaction)
                call = self._functions.call_hook
                answer = self._run(transaction, call, _REVIEW, claim.told)
            return rows is not None, (claim, answer)

        claim, answer = self._transact(work)
        if claim.told is not None:
            run_afterwards([answer], claim.told)
        return claim.due

    def close_due(self, imp_uid: str, error: str | None) -> None:
        """See `Ledger.close_due`."""
        outside_transactions()
        found = self.due(imp_uid)
        if found is None or found.done is not None:
            return
        number = found.merchant_uid

        def work(transaction: T) -> tuple[bool, None]:
            before = self._load(transaction, imp_uid, number)
            rows = rows_of_due(before, closed_due(before.due, error))
            if rows is not None:
                self._save(transaction, rows)
            return rows is not None, None

        self._transact(work)

    def run(self, account: str) -> Run:
        """See `Ledger.run`."""
        return self._transact(lambda transaction: (True, self._load_run(transaction, account)))

    def save_run(self, run: Run) -> None:
        """See `Ledger.save_run`."""

        def work(transaction: T) -> tuple[bool, None]:
            self._load_run(transaction, run.account)
            self._save_run(transaction, run)
            return True, None

        self._transact(work)

    def _record(self, outcome: Outcome) -> Settled | None:
        """Record an outcome; where `on_paid` gives the payment back, in a second transaction, for
        the first undoes all that the hook wrote."""
        try:
            return self._record_once(outcome)
        except Refused as refusal:
            reason = str(refusal)
        # Not in there: the error would keep the first transaction's results alive.
        settled = self._record_once(outcome, refused=True)
        _log_refusal(outcome, reason)
        return settled

    @abstractmethod
    def _record_once(self, outcome: Outcome, /, *, refused: bool = False) -> Settled | None:
        """Do `_record_in` in a transaction, and `run_afterwards` after its commit."""

    @abstractmethod
    def _transact(self, work: Callable[[T], tuple[bool, U]], /) -> U:
        """Do this in a transaction, which is committed where it says so; return its answer."""

    @abstractmethod
    def _load_run(self, transaction: T, account: str, /) -> Run:
        """Read an account's row. Where there is none it is made, with the store's beginning, which
        is in the row of the account ""."""

    @abstractmethod
    def _save_run(self, transaction: T, run: Run, /) -> None:
        """Write an account's row, which is there, but for `began`."""

    @abstractmethod
    def _load(self, transaction: T, imp_uid: str, merchant_uid: str | None, /) -> Loaded:
        """Lock the order and read what is recorded; None: nothing of any order may be touched."""

    @abstractmethod
    def _save(self, transaction: T, rows: Rows, /) -> None:
        """Write these rows."""

    @abstractmethod
    def _run(self, transaction: T, function: Callable[..., Any], /, *arguments: object) -> Any:
        """Call a shop's function with these arguments and what it knows the transaction by; it
        cannot end the transaction."""

    def _will_run_hook(self, transaction: T, /) -> None:
        """Note that a hook or a `hold` runs next. What it does outside the database cannot be
        rolled back, so the transaction must not be begun again from here on."""

    def _details(self, outcome: Outcome) -> Sequence[object]:
        return details_as_text(outcome)

    def _record_in(self, transaction: T, outcome: Outcome, *, refused: bool = False) -> Recorded:
        """Record an outcome inside an open transaction.

        Args:
            refused: `on_paid` gave this payment back.

        Raises:
            StoreError: This imp_uid is recorded for another order, or the outcome names no payment.
        """
        functions = self._functions
        imp_uid, merchant_uid, of_order = _subject(outcome)
        before = self._load(transaction, imp_uid, merchant_uid if of_order else None)
        _check_order(before, imp_uid, merchant_uid)
        said = self._run(transaction, functions.expected, merchant_uid) if of_order else None
        change = _decide(before, merchant_uid, said, outcome, refused)
        if change.settled is Settled.STALE:
            return Recorded(Settled.STALE, False)
        began = None
        if is_found_due(before.due, before.receipt, change, outcome):
            began = self._load_run(transaction, "").began
        rows = to_write(before, change, outcome, self._details, began)
        if rows is not None:
            self._save(transaction, rows)
        afterwards: list[object] = []
        for name, told in change.hooks:
            if functions.has(name):
                self._will_run_hook(transaction)
                afterwards.append(self._run(transaction, functions.call_hook, name, told))
        return Recorded(change.settled, rows is not None, afterwards, change.receipt is not None)

    def _hold_in(
        self, transaction: T, expected: ExpectedPayment, imp_uid: str
    ) -> tuple[bool, str | None]:
        """Ask the shop's `hold` under the order's lock; return whether to keep what it did, and its
        reason against an approval.

        Raises:
            StoreError: It is too late to ask, or the gateway no longer waits for the answer.
        """
        before = self._load(transaction, imp_uid, expected.merchant_uid)
        if before.is_taken(expected.merchant_uid):
            return False, ALREADY_PAID
        if self._functions.hold is None:
            return False, None
        _check_time_to_begin()
        self._will_run_hook(transaction)
        reason = self._run(transaction, self._functions.hold, expected, imp_uid)
        _check_time_to_hold()
        return reason is None, reason


class AsyncReadyStore(AsyncOrderStore, Generic[T]):
    """The same as `ReadyStore` in coroutines."""

    _functions: Functions[Any]
    adopts = True

    async def settle(self, outcome: Outcome) -> Settled:
        """See `OrderStore.settle`."""
        settled = await self._record(outcome)
        if settled is None:
            raise StoreError(_LOST)
        return settled

    async def observe(self, outcome: Outcome) -> Settled | None:
        """See `OrderStore.observe`. The parts of a refund were handed on by `settle`."""
        return outcome.settled if outcome.settled is not None else await self._record(outcome)

    @abstractmethod
    async def paid(self, merchant_uid: str) -> bool:
        """See `ReadyStore.paid`."""

    @abstractmethod
    async def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """See `ReadyStore.awaits_deposit`."""

    @abstractmethod
    async def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""

    @abstractmethod
    async def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""

    @abstractmethod
    async def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""

    async def claim(self, imp_uid: str, until: datetime, *, by_hand: bool = False) -> Due | None:
        """See `Ledger.claim`."""
        outside_transactions()
        found = await self.due(imp_uid)
        if found is None or found.done is not None:
            return None
        number = found.merchant_uid

        async def work(transaction: T) -> tuple[bool, tuple[Claim, object]]:
            before = await self._load(transaction, imp_uid, number)
            known = before.known or {}
            claim = claim_due(before.due, before.paid_by, known, until, by_hand=by_hand)
            rows = rows_of_due(before, claim.write, claim.told)
            answer = None
            if rows is not None:
                await self._save(transaction, rows)
            if claim.told is not None and self._functions.has(_REVIEW):
                self._will_run_hook(transaction)
                call = self._functions.call_hook_async
                answer = await self._run(transaction, call, _REVIEW, claim.told)
            return rows is not None, (claim, answer)

        claim, answer = await self._transact(work)
        if claim.told is not None:
            await run_afterwards_async([answer], claim.told)
        return claim.due

    async def close_due(self, imp_uid: str, error: str | None) -> None:
        """See `Ledger.close_due`."""
        outside_transactions()
        found = await self.due(imp_uid)
        if found is None or found.done is not None:
            return
        number = found.merchant_uid

        async def work(transaction: T) -> tuple[bool, None]:
            before = await self._load(transaction, imp_uid, number)
            rows = rows_of_due(before, closed_due(before.due, error))
            if rows is not None:
                await self._save(transaction, rows)
            return rows is not None, None

        await self._transact(work)

    async def run(self, account: str) -> Run:
        """See `Ledger.run`."""

        async def work(transaction: T) -> tuple[bool, Run]:
            return True, await self._load_run(transaction, account)

        return await self._transact(work)

    async def save_run(self, run: Run) -> None:
        """See `Ledger.save_run`."""

        async def work(transaction: T) -> tuple[bool, None]:
            await self._load_run(transaction, run.account)
            await self._save_run(transaction, run)
            return True, None

        await self._transact(work)

    async def _record(self, outcome: Outcome) -> Settled | None:
        """See `ReadyStore._record`."""
        try:
            return await self._record_once(outcome)
        except Refused as refusal:
            reason = str(refusal)
        settled = await self._record_once(outcome, refused=True)
        _log_refusal(outcome, reason)
        return settled

    @abstractmethod
    async def _record_once(self, outcome: Outcome, /, *, refused: bool = False) -> Settled | None:
        """See `ReadyStore._record_once`."""

    @abstractmethod
    async def _transact(self, work: Callable[[T], Awaitable[tuple[bool, U]]], /) -> U:
        """See `ReadyStore._transact`."""

    @abstractmethod
    async def _load_run(self, transaction: T, account: str, /) -> Run:
        """See `ReadyStore._load_run`."""

    @abstractmethod
    async def _save_run(self, transaction: T, run: Run, /) -> None:
        """See `ReadyStore._save_run`."""

    @abstractmethod
    async def _load(self, transaction: T, imp_uid: str, merchant_uid: str | None, /) -> Loaded:
        """See `ReadyStore._load`."""

    @abstractmethod
    async def _save(self, transaction: T, rows: Rows, /) -> None:
        """See `ReadyStore._save`."""

    @abstractmethod
    async def _run(
        self, transaction: T, function: Callable[..., Awaitable[Any]], /, *arguments: object
    ) -> Any:
        """See `ReadyStore._run`."""

    @abstractmethod
    def _will_run_hook(self, transaction: T, /) -> None:
        """See `ReadyStore._will_run_hook`."""

    @abstractmethod
    def _details(self, outcome: Outcome) -> Sequence[object]:
        """See `ReadyStore._details`."""

    async def _record_in(
        self, transaction: T, outcome: Outcome, *, refused: bool = False
    ) -> Recorded:
        """See `ReadyStore._record_in`."""
        functions = self._functions
        imp_uid, merchant_uid, of_order = _subject(outcome)
        before = await self._load(transaction, imp_uid, merchant_uid if of_order else None)
        _check_order(before, imp_uid, merchant_uid)
        said = await self._run(transaction, functions.expected, merchant_uid) if of_order else None
        change = _decide(before, merchant_uid, said, outcome, refused)
        if change.settled is Settled.STALE:
            return Recorded(Settled.STALE, False)
        began = None
        if is_found_due(before.due, before.receipt, change, outcome):
            began = (await self._load_run(transaction, "")).began
        rows = to_write(before, change, outcome, self._details, began)
        if rows is not None:
            await self._save(transaction, rows)
        afterwards: list[object] = []
        for name, told in change.hooks:
            if functions.has(name):
                self._will_run_hook(transaction)
                afterwards.append(
                    await self._run(transaction, functions.call_hook_async, name, told)
                )
        return Recorded(change.settled, rows is not None, afterwards, change.receipt is not None)

    async def _hold_in(
        self, transaction: T, expected: ExpectedPayment, imp_uid: str
    ) -> tuple[bool, str | None]:
        """See `ReadyStore._hold_in`."""
        before = await self._load(transaction, imp_uid, expected.merchant_uid)
        if before.is_taken(expected.merchant_uid):
            return False, ALREADY_PAID
        if self._functions.hold is None:
            return False, None
        _check_time_to_begin()
        self._will_run_hook(transaction)
        reason = await self._run(transaction, self._functions.hold, expected, imp_uid)
        _check_time_to_hold()
        return reason is None, reason


def _log_refusal(outcome: Outcome, reason: str) -> None:
    """Say that the shop gave a payment back, and why."""
    _log.info(_GIVEN_BACK, outcome.imp_uid, outcome.merchant_uid, reason)


def _subject(outcome: Outcome) -> tuple[str, str, bool]:
    """Return the payment, its order, and whether the order's own row is touched: not for a false
    claim, nor for a number that no order can have."""
    imp_uid, merchant_uid = outcome.imp_uid, outcome.merchant_uid
    if imp_uid is None or merchant_uid is None:
        raise StoreError("an outcome without a payment cannot be recorded")
    claim = outcome.verdict is Verdict.FORGERY and outcome.reason is Reason.ORDER
    return imp_uid, merchant_uid, not claim and is_merchant_uid(merchant_uid)


def _check_order(before: Loaded, imp_uid: str, merchant_uid: str) -> None:
    if before.receipt is not None and before.receipt.merchant_uid != merchant_uid:
        raise StoreError(f"{imp_uid} is recorded for another order than {merchant_uid!r}")


def _decide(
    before: Loaded, merchant_uid: str, said: object, outcome: Outcome, refused: bool
) -> Change:
    expected = None if said is None else read_expected(merchant_uid, said)
    known = before.known or {}
    order = OrderState(
        before.receipt, expected, before.paid_by, before.was_paid, before.others_wait, known
    )
    order.giving_back = is_being_given_back(before.due)
    return refuse(order, outcome) if refused else advance(order, outcome)


def _check_time_to_begin() -> None:
    """Raise a StoreError where it is too late to ask the shop, after waiting for a lock."""
    begin_by, _ = hold_limits()
    if time.monotonic() > begin_by:
        raise StoreError("the store was busy for too long to ask for an approval")


def _check_time_to_hold() -> None:
    """Raise a StoreError where the gateway would no longer hear the answer: what `hold` did must
    not be kept."""
    _, until = hold_limits()
    if time.monotonic() > until:
        raise StoreError("hold took too long: the gateway no longer waits for the answer")


def seconds_to_wait(lock_timeout: float) -> float:
    """Return how long to wait for a lock: no longer than the gateway waits for an approval."""
    _, until = hold_limits()
    return min(lock_timeout, max(0.0, until - time.monotonic()))


def check_lock_timeout(lock_timeout: object) -> float:
    """Return a store's `lock_timeout` in seconds.

    Raises:
        ConfigurationError: It is no number of seconds above zero.
    """
    number = isinstance(lock_timeout, int | float) and not isinstance(lock_timeout, bool)
    if not number or not 0 < lock_timeout <= _LONGEST:  # type: ignore[operator]
        raise ConfigurationError(
            f"lock_timeout must be seconds above 0, at most {_LONGEST}, not {lock_timeout!r}"
        )
    return float(lock_timeout)  # type: ignore[arg-type]
