"""How every ready-made store records a payment and answers a `hold`, sync and async: lock and read,
ask the shop, decide, write, call the hooks. No database."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar

from .._core.reading import is_merchant_uid
from ..errors import ConfigurationError, StoreError
from ..models import (
    ExpectedPayment,
    Outcome,
    Reason,
    Receipt,
    ReceiptState,
    Settled,
    Verdict,
    read_expected,
)
from ._advance import Change, OrderState, advance, amount_of
from ._hooks import Functions
from ._open import hold_limits
from ._protocol import AsyncOrderStore, OrderStore

__all__ = [
    "AsyncReadyStore",
    "Loaded",
    "OrderRow",
    "ReadyStore",
    "Recorded",
    "Rows",
    "check_lock_timeout",
    "details_as_text",
    "read_receipt",
    "seconds_to_wait",
    "storable",
]

T = TypeVar("T")

ALREADY_PAID = "already_paid"
"""A store's own refusal of a `hold`: a key, which the table of answers turns into words."""
_LOST = "a settled outcome left nothing to keep"
_LONGEST = 3600


# None of these is frozen: they are made for every payment, under the order's lock, and a frozen one
# takes four times as long to make.
@dataclass(slots=True)
class Loaded:
    """What a store read under its lock: an `OrderState` but for what the shop says.

    Attributes:
        order: The number of the order that is locked; None where none may be touched.
        details: What the receipt's row has beyond the receipt, from the store's `_details`.
    """

    order: str | None
    receipt: Receipt | None = None
    paid_by: str | None = None
    was_paid: bool = False
    others_wait: bool = False
    known: Mapping[str, Decimal] | None = None
    details: Sequence[object] = ()

    def is_taken(self, merchant_uid: str) -> bool:
        """Whether the order was paid, now or ever, by another payment than the one that was
        loaded. What that one paid elsewhere does not count."""
        receipt = self.receipt
        here = receipt is not None and receipt.merchant_uid == merchant_uid
        return self.was_paid and not (here and str(Verdict.PAID) in (self.known or {}))


class OrderRow(Enum):
    """What becomes of an order's row. A missing row is made, except by the last."""

    PAID = "paid"
    """`paid_by` is this imp_uid, `was_paid` is true."""
    UNPAID = "unpaid"
    """`paid_by` is nobody; `was_paid` stays."""
    SEEN = "seen"
    """As it is."""
    FORGOTTEN = "forgotten"
    """Where the lock made it, it goes: a forgery would leave one for every number."""


@dataclass(slots=True)
class Rows:
    """What to write, in this order.

    Attributes:
        imp_uid, merchant_uid: The payment and its order, whatever is written.
        receipt: The receipt afterwards; None where its row stays as it is.
        is_new: Whether the receipt has no row yet.
        details: What its row gets beyond the receipt.
        order: What becomes of the order's row; None where nothing does.
        changes: One row for each change that is handed on, with its amount.
    """

    imp_uid: str
    merchant_uid: str
    receipt: Receipt | None
    is_new: bool
    details: Sequence[object]
    order: OrderRow | None
    changes: Sequence[tuple[Outcome, Decimal]]


@dataclass(slots=True)
class Recorded:
    """What became of an outcome.

    Attributes:
        keep: Whether anything was written that is to be committed.
        afterwards: What the hooks want called after the commit.
        has_receipt: Whether there is a receipt of the payment now.
    """

    settled: Settled | None
    keep: bool
    afterwards: Sequence[object] = ()
    has_receipt: bool = False


class ReadyStore(OrderStore, Generic[T]):
    """What the ready-made plain stores share. `T` is a store's open transaction, as it is handed
    from one of its methods to the next."""

    _functions: Functions[Any]

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
    def _record(self, outcome: Outcome) -> Settled | None:
        """Do `_record_in` in a transaction, and `run_afterwards` after its commit."""

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

    def _record_in(self, transaction: T, outcome: Outcome) -> Recorded:
        """Record an outcome inside an open transaction.

        Raises:
            StoreError: This imp_uid is recorded for another order, or the outcome names no payment.
        """
        functions = self._functions
        imp_uid, merchant_uid, of_order = _subject(outcome)
        before = self._load(transaction, imp_uid, merchant_uid if of_order else None)
        _check_order(before, imp_uid, merchant_uid)
        said = self._run(transaction, functions.expected, merchant_uid) if of_order else None
        change = _decide(before, merchant_uid, said, outcome)
        if change.settled is Settled.STALE:
            return Recorded(Settled.STALE, False)
        rows = to_write(before, change, outcome, self._details)
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
    async def _record(self, outcome: Outcome) -> Settled | None:
        """See `ReadyStore._record`."""

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

    async def _record_in(self, transaction: T, outcome: Outcome) -> Recorded:
        """See `ReadyStore._record_in`."""
        functions = self._functions
        imp_uid, merchant_uid, of_order = _subject(outcome)
        before = await self._load(transaction, imp_uid, merchant_uid if of_order else None)
        _check_order(before, imp_uid, merchant_uid)
        said = await self._run(transaction, functions.expected, merchant_uid) if of_order else None
        change = _decide(before, merchant_uid, said, outcome)
        if change.settled is Settled.STALE:
            return Recorded(Settled.STALE, False)
        rows = to_write(before, change, outcome, self._details)
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


def _decide(before: Loaded, merchant_uid: str, said: object, outcome: Outcome) -> Change:
    expected = None if said is None else read_expected(merchant_uid, said)
    known = before.known or {}
    order = OrderState(
        before.receipt, expected, before.paid_by, before.was_paid, before.others_wait, known
    )
    return advance(order, outcome)


def to_write(
    before: Loaded,
    change: Change,
    outcome: Outcome,
    details: Callable[[Outcome], Sequence[object]],
) -> Rows | None:
    """Return which rows a change writes; None where all stays as it is.

    Args:
        details: What the receipt's row gets beyond the receipt. A virtual account's deadline can be
            moved while it waits; nothing else of a repeat is worth a write.
    """
    receipt: Receipt | None = change.receipt
    order: OrderRow | None = None
    values: Sequence[object] = ()
    changes = [(told, amount_of(told)) for _, told in change.hooks]
    if receipt is None:
        if before.order is not None and not before.was_paid:
            order = OrderRow.FORGOTTEN
    elif receipt == before.receipt and outcome.verdict is not Verdict.VIRTUAL_ACCOUNT:
        receipt = None
    else:
        values = tuple(details(outcome))
        if receipt == before.receipt and values == tuple(before.details):
            receipt = None
    if receipt is not None:
        order = _order_row(before, receipt)
    elif not changes:
        return None
    imp_uid, merchant_uid = outcome.imp_uid or "", outcome.merchant_uid or ""
    return Rows(imp_uid, merchant_uid, receipt, before.receipt is None, values, order, changes)


def _order_row(before: Loaded, receipt: Receipt) -> OrderRow | None:
    pays = before.paid_by == receipt.imp_uid
    if receipt.state is ReceiptState.PAYING:
        return None if pays else OrderRow.PAID
    if pays:
        return OrderRow.UNPAID
    return OrderRow.SEEN if before.receipt is None else None


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


def storable(value: str | None) -> str | None:
    """Return text that a database can hold, whatever the gateway sent."""
    if value is None or (value.isascii() and value.isprintable() and len(value) <= 64):
        return value  # nearly all are like this
    return value[:64].replace("\0", "?").encode("utf-8", "replace").decode()


def details_as_text(outcome: Outcome) -> tuple[str | None, ...]:
    """Return what the payment says beyond its receipt: the method, bank, number and due time of the
    account to pay into, and when it was paid."""
    payment = outcome.payment
    assert payment is not None  # `advance` returns no receipt without one
    due, paid_at = payment.vbank_date, payment.paid_at
    return (
        storable(payment.pay_method),
        storable(payment.vbank_name),
        storable(payment.vbank_num),
        None if due is None else due.isoformat(),
        None if paid_at is None else paid_at.isoformat(),
    )


def read_receipt(row: Sequence[object]) -> Receipt:
    """Read a receipt from a row of text columns, in the order of its fields."""
    imp_uid, merchant_uid, state, amount, cancelled, currency, account, test = row
    return Receipt(
        imp_uid=str(imp_uid),
        merchant_uid=str(merchant_uid),
        state=ReceiptState(str(state)),
        amount=Decimal(str(amount)),
        cancel_amount=Decimal(str(cancelled)),
        currency=str(currency),
        account=None if account is None else str(account),
        test=bool(test),
    )
