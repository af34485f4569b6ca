"""What the store reads and writes inside its transaction, on a plain connection, for sync and async
callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    and_,
    bindparam,
    delete,
    insert,
    literal,
    or_,
    select,
    update,
)

from ...models import Outcome, Reason, Receipt, ReceiptState
from .._dues import LONGEST_ERROR, may_be_due, now_in_ms, whole_second
from .._ledger import Due, Run
from .._rows import Loaded, OrderRow, Rows, storable
from ._dialects import add_run, lock_order
from ._tables import changes, dues, orders, receipts, runs

__all__ = [
    "Collision",
    "begin_run",
    "details",
    "load",
    "read_awaits",
    "read_due",
    "read_dues",
    "read_receipts",
    "read_waiting",
    "read_was_paid",
    "save",
    "save_run",
]

_MANY = 500
_imp_uid: BindParameter[str] = bindparam("key")
_merchant_uid: BindParameter[str] = bindparam("number")
_COLUMNS = [
    *(receipts.c[name] for name in ("imp_uid", "merchant_uid", "state", "amount")),
    *(receipts.c[name] for name in ("cancel_amount", "currency", "account", "test", "reason")),
]
_DETAILS = [
    *(receipts.c[name] for name in ("pay_method", "vbank_name", "vbank_num")),
    *(receipts.c[name] for name in ("vbank_due", "paid_at")),
]
_RECEIPT = select(*_COLUMNS)
_LOAD = _RECEIPT.add_columns(*_DETAILS).where(receipts.c.imp_uid == _imp_uid)
_SEVERAL = _RECEIPT.where(receipts.c.imp_uid.in_(bindparam("keys", expanding=True)))
_WAITING = (
    _RECEIPT.where(receipts.c.state == ReceiptState.WAITING.value)
    .where(
        receipts.c.vbank_due >= bindparam("due_from"), receipts.c.vbank_due < bindparam("due_to")
    )
    .where(receipts.c.imp_uid > bindparam("after"))
    .order_by(receipts.c.imp_uid)
    .limit(bindparam("limit"))
)
_AWAITS = (
    select(literal(1))
    .where(receipts.c.merchant_uid == _merchant_uid)
    .where(receipts.c.state == ReceiptState.WAITING.value)
    .where(or_(receipts.c.vbank_due.is_(None), receipts.c.vbank_due > bindparam("now")))
    .limit(1)
)
_WAS_PAID = select(orders.c.was_paid).where(orders.c.merchant_uid == _merchant_uid)
_KNOWN = select(changes.c.change, changes.c.amount).where(changes.c.imp_uid == _imp_uid)
_other = receipts.alias()
_others = (
    select(literal(1))
    .where(_other.c.merchant_uid == _merchant_uid)
    .where(_other.c.state == ReceiptState.WAITING.value)
    .where(_other.c.imp_uid != _imp_uid)
    .exists()
)
# Everything at once, a row for each change; it is read after the lock, by a statement of its own,
# because one that waits for a lock goes on with what it saw of other tables before.
_READ = (
    select(orders.c.paid_by, orders.c.was_paid, _others, *_COLUMNS, *_DETAILS)
    .add_columns(changes.c.change, changes.c.amount)
    .select_from(
        orders.outerjoin(receipts, receipts.c.imp_uid == _imp_uid).outerjoin(
            changes,
            and_(
                changes.c.imp_uid == _imp_uid,
                # Always so; without it SQLAlchemy takes the join for a forgotten one on MySQL.
                or_(receipts.c.imp_uid.is_(None), receipts.c.imp_uid == changes.c.imp_uid),
            ),
        )
    )
    .where(orders.c.merchant_uid == _merchant_uid)
)
_PUT = insert(receipts)
_SET = update(receipts).where(receipts.c.imp_uid == _imp_uid)
_TOLD = insert(changes)
_PAID = (  # whatever became of the lock, an order is paid once
    update(orders)
    .where(orders.c.merchant_uid == _merchant_uid, orders.c.paid_by.is_(None))
    .where(orders.c.was_paid.is_(False))
    .values(was_paid=True)
)
_UNPAID = (
    update(orders)
    .where(orders.c.merchant_uid == _merchant_uid, orders.c.paid_by == _imp_uid)
    .values(paid_by=None)
)
_UNSEEN = (
    delete(orders)
    .where(orders.c.merchant_uid == _merchant_uid, orders.c.paid_by.is_(None))
    .where(orders.c.was_paid.is_(False))
    .where(~select(receipts.c.imp_uid).where(receipts.c.merchant_uid == _merchant_uid).exists())
)
_DUE = select(dues).where(dues.c.imp_uid == _imp_uid)
_DUES = (
    select(dues)
    .where(dues.c.done.is_(None), dues.c.imp_uid > bindparam("after"))
    .order_by(dues.c.imp_uid)
    .limit(bindparam("limit"))
)
_PUT_DUE = insert(dues)
_SET_DUE = update(dues).where(dues.c.imp_uid == _imp_uid)
_RUN = select(runs).where(runs.c.account == bindparam("name"))
_SET_RUN = update(runs).where(runs.c.account == bindparam("name"))


class Collision(Exception):
    """The receipt, the change or the order was recorded by another transaction meanwhile."""


def load(connection: Connection, imp_uid: str, merchant_uid: str | None) -> Loaded:
    """Lock the order's row, which is made if there is none, and read what is recorded; no order's
    where `merchant_uid` is None."""
    key = {"key": imp_uid}
    before = Loaded(merchant_uid)
    if merchant_uid is None:
        found: Sequence[Any] | None = connection.execute(_LOAD, key).first()
        before.known = {row[0]: row[1] for row in connection.execute(_KNOWN, key)}
        receipt = () if found is None else found
    else:
        lock_order(connection, merchant_uid)
        rows: Sequence[Any] = connection.execute(_READ, {**key, "number": merchant_uid}).all()
        paid_by, was_paid, others_wait, *receipt = rows[0][:-2]
        before.known = {row[-2]: row[-1] for row in rows if row[-2] is not None}
        before.paid_by = paid_by
        before.was_paid, before.others_wait = bool(was_paid), bool(others_wait)
    if receipt and receipt[0] is not None:
        before.receipt, before.details = _read(receipt[:9]), receipt[9:]
    if merchant_uid is not None and before.known and may_be_due(before.receipt, before.known):
        before.due = read_due(connection, imp_uid)
    return before


def read_receipts(connection: Connection, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Read what is recorded of these payments."""
    found: dict[str, Receipt] = {}
    for start in range(0, len(imp_uids), _MANY):
        rows = connection.execute(_SEVERAL, {"keys": list(imp_uids[start : start + _MANY])})
        found.update((row.imp_uid, _read(row)) for row in rows)
    return found


def read_waiting(
    connection: Connection, due_from: datetime, due_to: datetime, after: str | None, limit: int
) -> Sequence[Receipt]:
    """Read what waits for a deposit until a time in this window."""
    window = {"due_from": due_from, "due_to": due_to, "after": after or "", "limit": limit}
    return [_read(row) for row in connection.execute(_WAITING, window)]


def read_due(connection: Connection, imp_uid: str) -> Due | None:
    """Read a payment's row among the money to give back."""
    row = connection.execute(_DUE, {"key": imp_uid}).first()
    return None if row is None else Due(*row)


def read_dues(connection: Connection, after: str | None, limit: int) -> Sequence[Due]:
    """Read the open rows of the money to give back, by the page."""
    rows = connection.execute(_DUES, {"after": after or "", "limit": limit})
    return [Due(*row) for row in rows]


def begin_run(connection: Connection, account: str) -> Run:
    """Read an account's row, which is made where there is none, as is the store's beginning."""
    run = _add_run(connection, "", whole_second())
    return _add_run(connection, account, run.began) if account else run


def _add_run(connection: Connection, account: str, began: datetime) -> Run:
    """Read a row, by a plain read where it is there: an insert would lock it on MySQL, and one
    process that stands still would keep all others from it."""
    found = connection.execute(_RUN, {"name": account}).first()
    if found is None:
        add_run(connection, account, began)
        found = connection.execute(_RUN, {"name": account}).one()
    return Run(*found)


def save_run(connection: Connection, run: Run) -> None:
    """Write an account's row, but for its beginning."""
    values = {"since": run.since, "until": run.until, "page": run.page, "finished": run.finished}
    connection.execute(_SET_RUN, {**values, "name": run.account})


def read_was_paid(connection: Connection, merchant_uid: str) -> bool:
    """Read whether this order was ever paid; one without a row was not."""
    return bool(connection.execute(_WAS_PAID, {"number": merchant_uid}).scalar())


def read_awaits(connection: Connection, merchant_uid: str, now: datetime) -> bool:
    """Read whether an account of this order waits for its deposit still."""
    found = connection.execute(_AWAITS, {"number": merchant_uid, "now": now})
    return found.first() is not None


def _read(row: Sequence[Any]) -> Receipt:
    imp_uid, merchant_uid, state, amount, cancelled, currency, account, test, reason = row
    return Receipt(
        imp_uid,
        merchant_uid,
        ReceiptState(state),
        amount,
        cancelled,
        currency,
        account,
        test,
        None if reason is None else Reason(reason),
    )


def save(connection: Connection, rows: Rows) -> None:
    """Write.

    Raises:
        Collision: The order was paid meanwhile.
    """
    now = now_in_ms()
    if rows.receipt is not None:
        _save_receipt(connection, rows, rows.receipt, now)
    order = {"number": rows.merchant_uid}
    match rows.order:  # the lock has made its row
        case OrderRow.PAID:
            if connection.execute(_PAID, {**order, "paid_by": rows.imp_uid}).rowcount != 1:
                raise Collision
        case OrderRow.UNPAID:
            connection.execute(_UNPAID, {**order, "key": rows.imp_uid})
        case OrderRow.SEEN | OrderRow.FORGOTTEN | None:
            pass
    for told, amount in rows.changes:
        connection.execute(_TOLD, _change(told, amount, now))
    if rows.order is OrderRow.FORGOTTEN:
        connection.execute(_UNSEEN, order)
    if rows.due is not None:
        _save_due(connection, rows.due, is_new=rows.due_is_new)


def _save_due(connection: Connection, due: Due, *, is_new: bool) -> None:
    values = asdict(due)
    values["currency"], values["error"] = storable(due.currency), storable(due.error, LONGEST_ERROR)
    if is_new:
        connection.execute(_PUT_DUE, values)
    else:
        connection.execute(_SET_DUE, {**values, "key": values.pop("imp_uid")})


def _change(told: Outcome, amount: Decimal, now: datetime) -> dict[str, Any]:
    return {
        "imp_uid": told.imp_uid,
        "change": told.change,
        "merchant_uid": storable(told.merchant_uid),
        "verdict": told.verdict.value,
        "reason": None if told.reason is None else told.reason.value,
        "amount": amount,
        "endpoint": told.endpoint,
        "at": now,
    }


def _save_receipt(connection: Connection, rows: Rows, receipt: Receipt, now: datetime) -> None:
    values = {
        "merchant_uid": receipt.merchant_uid,
        "state": receipt.state.value,
        "amount": receipt.amount,
        "cancel_amount": receipt.cancel_amount,
        "currency": storable(receipt.currency),
        "account": receipt.account,
        "test": receipt.test,
        "reason": None if receipt.reason is None else receipt.reason.value,
        **{column.name: value for column, value in zip(_DETAILS, rows.details, strict=True)},
        "updated_at": now,
    }
    if rows.is_new:
        connection.execute(_PUT, {**values, "imp_uid": receipt.imp_uid, "created_at": now})
    else:
        connection.execute(_SET, {**values, "key": receipt.imp_uid})


def details(outcome: Outcome) -> tuple[object, ...]:
    """Return what a receipt's row gets beyond the receipt, in the order of its columns."""
    payment = outcome.payment
    assert payment is not None  # `advance` returns no receipt without one
    return (
        storable(payment.pay_method),
        storable(payment.vbank_name),
        storable(payment.vbank_num),
        payment.vbank_date,
        payment.paid_at,
    )
