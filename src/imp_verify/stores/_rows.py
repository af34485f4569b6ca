"""What a ready-made store reads and writes in one transaction, as values, and which rows a change
writes. No database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from ..models import Outcome, Reason, Receipt, ReceiptState, Settled, Verdict
from ._advance import Change, amount_of
from ._dues import due_after
from ._ledger import Due

__all__ = [
    "Loaded",
    "OrderRow",
    "Recorded",
    "Rows",
    "details_as_text",
    "read_receipt",
    "rows_of_due",
    "storable",
    "to_write",
]


# None of these is frozen: they are made for every payment, under the order's lock, and a frozen one
# takes four times as long to make.
@dataclass(slots=True)
class Loaded:
    """What a store read under its lock: an `OrderState` but for what the shop says.

    Attributes:
        order: The number of the order that is locked; None where none may be touched.
        details: What the receipt's row has beyond the receipt, from the store's `_details`.
        due: The payment's row among the money to give back, read where `may_be_due` only.
    """

    order: str | None
    receipt: Receipt | None = None
    paid_by: str | None = None
    was_paid: bool = False
    others_wait: bool = False
    known: Mapping[str, Decimal] | None = None
    details: Sequence[object] = ()
    due: Due | None = None

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
        due: The row among the money to give back; None where it stays as it is, or there is none.
        due_is_new: Whether it has no row yet.
    """

    imp_uid: str
    merchant_uid: str
    receipt: Receipt | None = None
    is_new: bool = False
    details: Sequence[object] = ()
    order: OrderRow | None = None
    changes: Sequence[tuple[Outcome, Decimal]] = ()
    due: Due | None = None
    due_is_new: bool = False


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


def to_write(
    before: Loaded,
    change: Change,
    outcome: Outcome,
    details: Callable[[Outcome], Sequence[object]],
    began: datetime | None = None,
) -> Rows | None:
    """Return which rows a change writes; None where all stays as it is.

    Args:
        details: What the receipt's row gets beyond the receipt. A virtual account's deadline can be
            moved while it waits; nothing else of a repeat is worth a write.
        began: When the store began, where `is_found_due`.
    """
    receipt: Receipt | None = change.receipt
    order: OrderRow | None = None
    values: Sequence[object] = ()
    changes = [(told, amount_of(told)) for _, told in change.hooks]
    if change.untold:
        changes += [(told, amount_of(told)) for told in change.untold]
    due: Due | None = None
    if before.due is not None or began is not None:
        due = due_after(before.due, before.receipt, change, outcome, began)
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
    elif not changes and due is None:
        return None
    imp_uid, merchant_uid = outcome.imp_uid or "", outcome.merchant_uid or ""
    rows = Rows(imp_uid, merchant_uid, receipt, before.receipt is None, values, order, changes)
    rows.due, rows.due_is_new = due, before.due is None
    return rows


def rows_of_due(before: Loaded, due: Due | None, told: Outcome | None = None) -> Rows | None:
    """Return what to write where a row of the money to give back changes by itself."""
    if due is None:
        return None
    order = None if before.receipt is not None or before.was_paid else OrderRow.FORGOTTEN
    changes = [] if told is None else [(told, due.amount)]
    return Rows(due.imp_uid, due.merchant_uid, order=order, changes=changes, due=due)


def _order_row(before: Loaded, receipt: Receipt) -> OrderRow | None:
    pays = before.paid_by == receipt.imp_uid
    if receipt.state is ReceiptState.PAYING:
        return None if pays else OrderRow.PAID
    if pays:
        return OrderRow.UNPAID
    return OrderRow.SEEN if before.receipt is None else None


def storable(value: str | None, longest: int = 64) -> str | None:
    """Return text that a database can hold, whatever the gateway sent."""
    if value is None or (value.isascii() and value.isprintable() and len(value) <= longest):
        return value  # nearly all are like this
    return value[:longest].replace("\0", "?").encode("utf-8", "replace").decode()


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
    imp_uid, merchant_uid, state, amount, cancelled, currency, account, test, reason = row
    return Receipt(
        imp_uid=str(imp_uid),
        merchant_uid=str(merchant_uid),
        state=ReceiptState(str(state)),
        amount=Decimal(str(amount)),
        cancel_amount=Decimal(str(cancelled)),
        currency=str(currency),
        account=None if account is None else str(account),
        test=bool(test),
        reason=None if reason is None else Reason(str(reason)),
    )
