"""Reading the three tables inside a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections
from django.db.models import F

from ... import ConfigurationError, Receipt
from ...stores.ready import Load, Loaded, read_receipt
from . import models

__all__ = ["load", "receipts"]

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
    """Give the receipts of these payments, by imp_uid."""
    found: dict[str, Receipt] = {}
    for start in range(0, len(imp_uids), _MANY):
        some = imp_uids[start : start + _MANY]
        rows = _rows(models.Receipt, using).filter(imp_uid__in=some).values_list(*_FIELDS)
        found.update((row[0], read_receipt(row)) for row in rows)
    return found


def load(using: str, step: Load, *, owned: bool) -> Loaded:
    """Read under the order's lock. In a transaction of the shop's own the reads lock on MySQL and
    MariaDB: plain ones might see what was there when it began."""
    order = _lock(using, step.merchant_uid if step.order else None)
    newest = not owned and connections[using].vendor == "mysql"

    def read(model: Any, *fields: str, **conditions: str) -> Any:
        rows = _rows(model, using).filter(**conditions).values_list(*fields)
        return rows.select_for_update() if newest else rows

    row = next(iter(read(models.Receipt, *_FIELDS, imp_uid=step.imp_uid)), None)
    known = dict(read(models.Change, "change", "amount", imp_uid=step.imp_uid))
    receipt = None if row is None else read_receipt(row)
    if order is None:
        return Loaded(receipt, known=known)
    waiting = read(models.Receipt, "imp_uid", merchant_uid=step.merchant_uid, state="waiting")
    others = waiting.exclude(imp_uid=step.imp_uid)[:1]
    return Loaded(receipt, order[0], bool(order[1]), bool(list(others)), known)


def _rows(model: Any, using: str) -> Any:
    return model._base_manager.using(using)


def _lock(using: str, merchant_uid: str | None) -> tuple[str | None, bool] | None:
    """Lock an order and read it; None for none. On SQLite the write lock is taken for either, by a
    statement that writes: one that read first could not write once somebody else has."""
    connection = connections[using]
    orders = _rows(models.Order, using).filter(merchant_uid=merchant_uid or "")
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
