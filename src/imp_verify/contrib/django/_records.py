"""The three tables, read and written inside a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connections
from django.db.models import F
from django.utils.timezone import get_default_timezone, make_naive

from ... import ConfigurationError, Outcome, Receipt
from ...stores._rows import Loaded, OrderRow, Rows, details_as_text, read_receipt, storable
from . import models
from ._transactions import Collision

__all__ = ["details", "load", "receipts", "save", "was_paid"]

_FIELDS = [
    "imp_uid",
    "merchant_uid",
    "state",
    "amount",
    "cancel_amount",
    "currency",
    "account",
    "test",
]
_DETAILS = ["pay_method", "vbank_name", "vbank_num", "vbank_due", "paid_at"]
_MANY = 500
_ADD = "INSERT INTO imp_orders (merchant_uid, was_paid) VALUES (%s, "
_INSERT = {
    # It locks a row that is there, and writes no new version of it. To lock that row by a second
    # statement would be too late: a forgery deletes the row that says nothing of its order, and who
    # waited for it would go on without a row or a lock.
    "postgresql": _ADD + "false) ON CONFLICT (merchant_uid) "
    "DO UPDATE SET merchant_uid = imp_orders.merchant_uid WHERE false",
    # INSERT IGNORE would take a shared lock, and two that hold it wait for each other.
    "mysql": _ADD + "0) ON DUPLICATE KEY UPDATE merchant_uid = imp_orders.merchant_uid",
}


def receipts(using: str, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Return the receipts of these payments, by imp_uid."""
    found: dict[str, Receipt] = {}
    for start in range(0, len(imp_uids), _MANY):
        some = imp_uids[start : start + _MANY]
        rows = _rows(models.Receipt, using, imp_uid__in=some).values_list(*_FIELDS)
        found.update((row[0], read_receipt((*row, None))) for row in rows)
    return found


def was_paid(using: str, merchant_uid: str) -> bool:
    """Return whether this order was ever paid."""
    return bool(_rows(models.Order, using, merchant_uid=merchant_uid, was_paid=True).exists())


def load(using: str, imp_uid: str, merchant_uid: str | None, *, owned: bool) -> Loaded:
    """Read under the order's lock; no order's where `merchant_uid` is None. In a transaction of the
    shop's own the reads lock on MySQL and MariaDB: plain ones might see what was there when it
    began."""
    order = _lock(using, merchant_uid)
    newest = not owned and connections[using].vendor == "mysql"

    def read(model: Any, *fields: str, **conditions: str | None) -> Any:
        rows = _rows(model, using, **conditions).values_list(*fields)
        return rows.select_for_update() if newest else rows

    row = next(iter(read(models.Receipt, *_FIELDS, *_DETAILS, imp_uid=imp_uid)), None)
    before = Loaded(
        merchant_uid, known=dict(read(models.Change, "change", "amount", imp_uid=imp_uid))
    )
    if row is not None:
        before.receipt, before.details = read_receipt((*row[:8], None)), row[8:]
    if order is not None:
        before.paid_by, before.was_paid = order[0], bool(order[1])
        waiting = read(models.Receipt, "imp_uid", merchant_uid=merchant_uid, state="waiting")
        before.others_wait = bool(list(waiting.exclude(imp_uid=imp_uid)[:1]))
    return before


def _rows(model: Any, using: str, **conditions: object) -> Any:
    return model._base_manager.using(using).filter(**conditions)


def _lock(using: str, merchant_uid: str | None) -> tuple[str | None, bool] | None:
    """Lock an order and read it; None for none. On SQLite the write lock is taken for either, by a
    statement that writes: one that read first could not write once somebody else has."""
    connection = connections[using]
    orders = _rows(models.Order, using, merchant_uid=merchant_uid or "")
    if connection.vendor == "sqlite":
        orders.update(was_paid=F("was_paid"))
    elif connection.vendor not in _INSERT:
        raise ConfigurationError("DjangoStore needs PostgreSQL, MySQL, MariaDB or SQLite")
    if merchant_uid is None:
        return None
    if connection.vendor != "sqlite":
        field = models.Order._meta.pk
        with connection.cursor() as cursor:
            value = field.get_db_prep_value(merchant_uid, connection)
            cursor.execute(_INSERT[connection.vendor], [value])
        orders = orders.select_for_update()
    return next(iter(orders.values_list("paid_by", "was_paid")), (None, False))


def save(using: str, rows: Rows) -> None:
    """Write.

    Raises:
        Collision: Another transaction has just written one of them.
    """
    try:
        _save(using, rows)
    except IntegrityError as error:
        raise Collision from error


def _save(using: str, rows: Rows) -> None:
    now = _as_project_time(datetime.now(UTC))
    if rows.receipt is not None:
        _save_receipt(using, rows, rows.receipt, now)
    _save_order(using, rows)
    if rows.changes:
        told = [_change(told, amount, now) for told, amount in rows.changes]
        _rows(models.Change, using).bulk_create(told)


def _save_receipt(using: str, rows: Rows, receipt: Receipt, now: datetime) -> None:
    values = {
        "imp_uid": receipt.imp_uid,
        "merchant_uid": receipt.merchant_uid,
        "state": str(receipt.state),
        "amount": receipt.amount,
        "cancel_amount": receipt.cancel_amount,
        "currency": storable(receipt.currency),
        "account": receipt.account,
        "test": receipt.test,
        **dict(zip(_DETAILS, rows.details, strict=True)),
        "updated_at": now,
    }
    if rows.is_new:
        row = models.Receipt(created_at=now, **values)
        _rows(models.Receipt, using).bulk_create([row])
    else:
        _rows(models.Receipt, using, imp_uid=receipt.imp_uid).update(**values)


def _save_order(using: str, rows: Rows) -> None:
    orders = _rows(models.Order, using, merchant_uid=rows.merchant_uid)
    if rows.receipt is not None and rows.is_new and connections[using].vendor == "sqlite":
        # Elsewhere the row was made when it was locked.
        orders.bulk_create([models.Order(rows.merchant_uid)], ignore_conflicts=True)
    match rows.order:
        case OrderRow.PAID:
            orders.update(paid_by=rows.imp_uid, was_paid=True)
        case OrderRow.UNPAID:
            orders.update(paid_by=None)
        case OrderRow.FORGOTTEN:
            if not _rows(models.Receipt, using, merchant_uid=rows.merchant_uid).exists():
                orders.filter(was_paid=False).delete()
        case OrderRow.SEEN | None:
            pass


def _change(told: Outcome, amount: Decimal, now: datetime) -> Any:
    return models.Change(
        imp_uid=told.imp_uid,
        change=told.change,
        merchant_uid=storable(told.merchant_uid),
        verdict=str(told.verdict),
        reason=None if told.reason is None else str(told.reason),
        amount=amount,
        endpoint=told.endpoint,
        at=now,
    )


def details(outcome: Outcome) -> tuple[object, ...]:
    """Return what a receipt's row gets beyond the receipt, in the order of its fields."""
    payment = outcome.payment
    assert payment is not None  # `advance` gives no receipt without one
    moments = (payment.vbank_date, payment.paid_at)
    return (
        *details_as_text(outcome)[:3],
        *(None if each is None else _as_project_time(each) for each in moments),
    )


def _as_project_time(value: datetime) -> datetime:
    """Return a moment as the project keeps it: without time zones, in its own local time."""
    if settings.USE_TZ:
        return value
    return make_naive(value, get_default_timezone())  # type: ignore[no-any-return]
