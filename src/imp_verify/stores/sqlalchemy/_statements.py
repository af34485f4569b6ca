"""What the store reads and writes inside its transaction, on a plain connection, for sync and async
callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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

from ...models import Outcome, Receipt, ReceiptState
from .._rows import Loaded, OrderRow, Rows, storable
from ._dialects import lock_order
from ._tables import changes, orders, receipts

__all__ = ["Collision", "details", "load", "read_receipts", "read_was_paid", "save"]

_MANY = 500
_imp_uid: BindParameter[str] = bindparam("key")
_merchant_uid: BindParameter[str] = bindparam("number")
_COLUMNS = [
    *(receipts.c[name] for name in ("imp_uid", "merchant_uid", "state", "amount")),
    *(receipts.c[name] for name in ("cancel_amount", "currency", "account", "test")),
]
_DETAILS = [
    *(receipts.c[name] for name in ("pay_method", "vbank_name", "vbank_num")),
    *(receipts.c[name] for name in ("vbank_due", "paid_at")),
]
_RECEIPT = select(*_COLUMNS)
_LOAD = _RECEIPT.add_columns(*_DETAILS).where(receipts.c.imp_uid == _imp_uid)
_SEVERAL = _RECEIPT.where(receipts.c.imp_uid.in_(bindparam("keys", expanding=True)))
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
        before.receipt, before.details = _read(receipt[:8]), receipt[8:]
    return before


def read_receipts(connection: Connection, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Read what is recorded of these payments."""
    found: dict[str, Receipt] = {}
    for start in range(0, len(imp_uids), _MANY):
        rows = connection.execute(_SEVERAL, {"keys": list(imp_uids[start : start + _MANY])})
        found.update((row.imp_uid, _read(row)) for row in rows)
    return found


def read_was_paid(connection: Connection, merchant_uid: str) -> bool:
    """Read whether this order was ever paid; one without a row was not."""
    return bool(connection.execute(_WAS_PAID, {"number": merchant_uid}).scalar())


def _read(row: Sequence[Any]) -> Receipt:
    imp_uid, merchant_uid, state, amount, cancelled, currency, account, test = row
    return Receipt(
        imp_uid, merchant_uid, ReceiptState(state), amount, cancelled, currency, account, test
    )


def save(connection: Connection, rows: Rows) -> None:
    """Write.

    Raises:
        Collision: The order was paid meanwhile.
    """
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
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
