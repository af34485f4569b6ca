"""The five tables, read and written inside a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connections
from django.db.models import F, Q
from django.utils.timezone import get_default_timezone, is_naive, make_aware, make_naive

from ... import ConfigurationError, Outcome, Receipt
from ...stores import Due, Run
from ...stores._dues import LONGEST_ERROR, may_be_due, whole_second
from ...stores._rows import Loaded, OrderRow, Rows, details_as_text, read_receipt, storable
from . import models
from ._transactions import Collision

__all__ = [
    "awaits_deposit",
    "details",
    "due",
    "dues",
    "load",
    "receipts",
    "run",
    "save",
    "save_run",
    "waiting",
    "was_paid",
]

_FIELDS = [
    "imp_uid",
    "merchant_uid",
    "state",
    "amount",
    "cancel_amount",
    "currency",
    "account",
    "test",
    "reason",
]
_DETAILS = ["pay_method", "vbank_name", "vbank_num", "vbank_due", "paid_at"]
_DUE = [each.name for each in fields(Due)]
_RUN = [each.name for each in fields(Run)]
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
        found.update((row[0], read_receipt(row)) for row in rows)
    return found


def was_paid(using: str, merchant_uid: str) -> bool:
    """Return whether this order was ever paid."""
    return bool(_rows(models.Order, using, merchant_uid=merchant_uid, was_paid=True).exists())


def awaits_deposit(using: str, merchant_uid: str, now: datetime) -> bool:
    """Return whether an account of this order waits for its deposit still."""
    waiting = _rows(models.Receipt, using, merchant_uid=merchant_uid, state="waiting")
    open_still = Q(vbank_due=None) | Q(vbank_due__gt=_as_project_time(now))
    return bool(waiting.filter(open_still).exists())


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
        before.receipt, before.details = read_receipt(row[:9]), row[9:]
    if order is not None:
        before.paid_by, before.was_paid = order[0], bool(order[1])
        waiting = read(models.Receipt, "imp_uid", merchant_uid=merchant_uid, state="waiting")
        before.others_wait = bool(list(waiting.exclude(imp_uid=imp_uid)[:1]))
        if before.known and may_be_due(before.receipt, before.known):
            dues = read(models.Due, *_DUE, imp_uid=imp_uid)
            before.due = next((_read_due(row) for row in dues), None)
    return before


def due(using: str, imp_uid: str) -> Due | None:
    """Return a payment's row among the money to give back."""
    rows = _rows(models.Due, using, imp_uid=imp_uid).values_list(*_DUE)
    return next((_read_due(row) for row in rows), None)


def dues(using: str, after: str | None, limit: int) -> Sequence[Due]:
    """Return the open rows of the money to give back, by the page."""
    rows = _rows(models.Due, using, done=None, imp_uid__gt=after or "")
    return [_read_due(row) for row in rows.order_by("imp_uid").values_list(*_DUE)[:limit]]


def _read_due(row: Sequence[Any]) -> Due:
    return Due(*map(_as_utc, row))


def waiting(
    using: str, due_from: datetime, due_to: datetime, after: str | None, limit: int
) -> Sequence[Receipt]:
    """Return the receipts that wait for a deposit until a time in this window, by the page."""
    window = {
        "vbank_due__gte": _as_project_time(due_from),
        "vbank_due__lt": _as_project_time(due_to),
    }
    rows = _rows(models.Receipt, using, state="waiting", imp_uid__gt=after or "", **window)
    found = rows.order_by("imp_uid").values_list(*_FIELDS)[:limit]
    return [read_receipt(row) for row in found]


def run(using: str, account: str, *, owned: bool) -> Run:
    """Return an account's row, which is made where there is none, as is the store's beginning."""
    found = _add_run(using, "", whole_second(), owned=owned)
    return _add_run(using, account, found.began, owned=owned) if account else found


def _add_run(using: str, account: str, began: datetime, *, owned: bool) -> Run:
    """Read a row, which is made where there is none. On SQLite it is written first, as in `_lock`;
    elsewhere read first, so that nobody is kept from it by one who stands still."""
    vendor = connections[using].vendor
    rows = _rows(models.Run, using, account=account).values_list(*_RUN)
    found = None if vendor == "sqlite" else rows.first()
    if found is None:
        row = models.Run(account=account, began=_as_project_time(began))
        _rows(models.Run, using).bulk_create([row], ignore_conflicts=True)
        if not owned and vendor == "mysql":
            rows = rows.select_for_update()  # a plain read might not see what another has made
        [found] = rows
    return Run(*map(_as_utc, found))


def save_run(using: str, run: Run) -> None:
    """Write an account's row, but for its beginning."""
    times = {name: getattr(run, name) for name in ("since", "until", "finished")}
    values = {name: time and _as_project_time(time) for name, time in times.items()}
    _rows(models.Run, using, account=run.account).update(page=run.page, **values)


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
    if rows.due is not None:
        _save_due(using, rows.due, is_new=rows.due_is_new)


def _save_due(using: str, due: Due, *, is_new: bool) -> None:
    values = {
        name: _as_project_time(value) if isinstance(value, datetime) else value
        for name, value in asdict(due).items()
    }
    values["currency"], values["error"] = storable(due.currency), storable(due.error, LONGEST_ERROR)
    if is_new:
        _rows(models.Due, using).bulk_create([models.Due(**values)])
    else:
        _rows(models.Due, using, imp_uid=values.pop("imp_uid")).update(**values)


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
        "reason": None if receipt.reason is None else str(receipt.reason),
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


def _as_utc(value: Any) -> Any:
    """Return a moment of the project's as every store gives it; anything else as it is."""
    if not isinstance(value, datetime):
        return value
    aware = make_aware(value, get_default_timezone()) if is_naive(value) else value
    return aware.astimezone(UTC)
