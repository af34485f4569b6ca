"""What the store reads and writes inside its transaction, on a plain connection in both colours."""

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

from ...models import Outcome, Receipt, ReceiptState, Verdict
from ..changes import handed_on
from ..ready import Load, Loaded, Save, text
from ._dialects import lock_order
from ._tables import changes, orders, receipts

__all__ = ["Taken", "load", "read_receipts", "save"]

_MANY = 500
_imp_uid: BindParameter[str] = bindparam("key")
_merchant_uid: BindParameter[str] = bindparam("number")
_COLUMNS = [
    *(receipts.c[name] for name in ("imp_uid", "merchant_uid", "state", "amount")),
    *(receipts.c[name] for name in ("cancel_amount", "currency", "account", "test")),
]
_RECEIPT = select(*_COLUMNS)
_LOAD = _RECEIPT.where(receipts.c.imp_uid == _imp_uid)
_SEVERAL = _RECEIPT.where(receipts.c.imp_uid.in_(bindparam("keys", expanding=True)))
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
    select(orders.c.paid_by, orders.c.was_paid, _others, *_COLUMNS)
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
_DETAILS = select(
    *(receipts.c[name] for name in ("pay_method", "vbank_name", "vbank_num")),
    *(receipts.c[name] for name in ("vbank_due", "paid_at")),
).where(receipts.c.imp_uid == _imp_uid)
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


class Taken(Exception):
    """The receipt, the change or the order was recorded by another transaction meanwhile."""


def load(connection: Connection, step: Load) -> Loaded:
    """Lock the order's row, which is made if there is none, and read what is recorded."""
    key = {"key": step.imp_uid}
    if not step.order:
        found = connection.execute(_LOAD, key).first()
        known = {row[0]: row[1] for row in connection.execute(_KNOWN, key)}
        return Loaded(None if found is None else _read(found), known=known)
    lock_order(connection, step.merchant_uid)
    rows: Sequence[Any] = connection.execute(_READ, {**key, "number": step.merchant_uid}).all()
    paid_by, was_paid, others, *receipt = rows[0][:-2]
    known = {row[-2]: row[-1] for row in rows if row[-2] is not None}
    recorded = None if receipt[0] is None else _read(receipt)
    return Loaded(recorded, paid_by, bool(was_paid), bool(others), known)


def read_receipts(connection: Connection, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Read what is recorded of these payments."""
    found: dict[str, Receipt] = {}
    for start in range(0, len(imp_uids), _MANY):
        rows = connection.execute(_SEVERAL, {"keys": list(imp_uids[start : start + _MANY])})
        found.update((row.imp_uid, _read(row)) for row in rows)
    return found


def _read(row: Sequence[Any]) -> Receipt:
    imp_uid, merchant_uid, state, amount, cancelled, currency, account, test = row
    return Receipt(
        imp_uid, merchant_uid, ReceiptState(state), amount, cancelled, currency, account, test
    )


def save(connection: Connection, step: Save) -> bool:
    """Write the receipt, the order, and a row for each change that is handed on; tell whether there
    was anything to write.

    Raises:
        Taken: The order was paid meanwhile.
    """
    receipt, now = step.change.receipt, datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    moved = receipt is not None and (
        receipt != step.before.receipt or _details_changed(connection, step.outcome)
    )
    if moved and receipt is not None:
        _save_receipt(connection, step, receipt, now)
        _save_order(connection, step, receipt)
    amounts = handed_on(step.change.hooks)
    for _, told in step.change.hooks:
        _ = connection.execute(_TOLD, _row(told, amounts[told.change], now))
    if not step.seen:
        _ = connection.execute(_UNSEEN, {"number": step.outcome.merchant_uid})
    return moved or bool(amounts)


def _row(told: Outcome, amount: Decimal, now: datetime) -> dict[str, Any]:
    return {
        "imp_uid": told.imp_uid,
        "change": told.change,
        "merchant_uid": text(told.merchant_uid),
        "verdict": told.verdict.value,
        "reason": None if told.reason is None else told.reason.value,
        "amount": amount,
        "endpoint": told.endpoint,
        "at": now,
    }


def _save_receipt(connection: Connection, step: Save, receipt: Receipt, now: datetime) -> None:
    values = {
        "merchant_uid": receipt.merchant_uid,
        "state": receipt.state.value,
        "amount": receipt.amount,
        "cancel_amount": receipt.cancel_amount,
        "currency": text(receipt.currency),
        "account": receipt.account,
        "test": receipt.test,
        **_details(step.outcome),
        "updated_at": now,
    }
    if step.before.receipt is None:
        _ = connection.execute(_PUT, {**values, "imp_uid": receipt.imp_uid, "created_at": now})
    else:
        _ = connection.execute(_SET, {**values, "key": receipt.imp_uid})


def _save_order(connection: Connection, step: Save, receipt: Receipt) -> None:
    row = {"number": receipt.merchant_uid}
    if receipt.state is ReceiptState.PAYING:
        if step.before.paid_by != receipt.imp_uid:
            paid = connection.execute(_PAID, {**row, "paid_by": receipt.imp_uid})
            if paid.rowcount != 1:
                raise Taken
    elif step.before.paid_by == receipt.imp_uid:
        _ = connection.execute(_UNPAID, {**row, "key": receipt.imp_uid})


def _details(outcome: Outcome) -> dict[str, Any]:
    payment = outcome.payment
    assert payment is not None  # `advance` gives no receipt without one
    return {
        "pay_method": text(payment.pay_method),
        "vbank_name": text(payment.vbank_name),
        "vbank_num": text(payment.vbank_num),
        "vbank_due": payment.vbank_date,
        "paid_at": payment.paid_at,
    }


def _details_changed(connection: Connection, outcome: Outcome) -> bool:
    """A virtual account's deadline can be moved while it waits; nothing else of a repeat is worth
    a write."""
    if outcome.verdict is not Verdict.VIRTUAL_ACCOUNT:
        return False
    row = connection.execute(_DETAILS, {"key": outcome.imp_uid}).first()
    return row is None or tuple(row) != tuple(_details(outcome).values())
