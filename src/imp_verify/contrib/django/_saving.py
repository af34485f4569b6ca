"""Writing the three tables inside a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, connections

from ... import Receipt, ReceiptState
from ...stores.changes import handed_on
from ...stores.ready import Save, text
from . import models
from ._details import details, details_changed, moment
from ._transactions import Collision

__all__ = ["save"]


def save(using: str, step: Save) -> None:
    """Write the receipt, the order, and one row per change that is handed on.

    Raises:
        Collision: Another transaction has just written one of them.
    """
    try:
        _save(using, step)
    except IntegrityError as error:
        raise Collision from error


def _rows(model: Any, using: str, **conditions: object) -> Any:
    return model._base_manager.using(using).filter(**conditions)


def _save(using: str, step: Save) -> None:
    receipt, now = step.change.receipt, moment(datetime.now(UTC))
    if receipt is not None:
        new = details(step.outcome)
        if receipt != step.before.receipt or details_changed(using, step.outcome, new):
            values = _values(receipt, new)
            if step.before.receipt is None:
                row = models.Receipt(created_at=now, updated_at=now, **values)
                _rows(models.Receipt, using).bulk_create([row])
            else:
                row = _rows(models.Receipt, using, imp_uid=receipt.imp_uid)
                row.update(updated_at=now, **values)
            _save_order(using, step, receipt)
    _save_changes(using, step, now)
    if not step.seen:
        _forget_order(using, step.outcome.merchant_uid)


def _save_changes(using: str, step: Save, now: datetime) -> None:
    amounts = handed_on(step.change.hooks)
    told = [
        models.Change(
            imp_uid=each.imp_uid,
            change=each.change,
            merchant_uid=text(each.merchant_uid),
            verdict=str(each.verdict),
            reason=None if each.reason is None else str(each.reason),
            amount=amounts[each.change],
            endpoint=each.endpoint,
            at=now,
        )
        for _, each in step.change.hooks
    ]
    if told:
        _rows(models.Change, using).bulk_create(told)


def _forget_order(using: str, merchant_uid: str | None) -> None:
    """Delete the row that was made to be locked, unless it says something."""
    if not _rows(models.Receipt, using, merchant_uid=merchant_uid).exists():
        _rows(models.Order, using, merchant_uid=merchant_uid, was_paid=False).delete()


def _values(receipt: Receipt, new: Mapping[str, object]) -> dict[str, object]:
    return {
        "imp_uid": receipt.imp_uid,
        "merchant_uid": receipt.merchant_uid,
        "state": str(receipt.state),
        "amount": receipt.amount,
        "cancel_amount": receipt.cancel_amount,
        "currency": text(receipt.currency),
        "account": receipt.account,
        "test": receipt.test,
        **new,
    }


def _save_order(using: str, step: Save, receipt: Receipt) -> None:
    imp_uid = receipt.imp_uid
    orders = _rows(models.Order, using, merchant_uid=receipt.merchant_uid)
    if step.before.receipt is None and connections[using].vendor == "sqlite":
        # Elsewhere the row was made when it was locked.
        orders.bulk_create([models.Order(receipt.merchant_uid)], ignore_conflicts=True)
    if receipt.state is ReceiptState.PAYING:
        if step.before.paid_by != imp_uid:
            orders.update(paid_by=imp_uid, was_paid=True)
    elif step.before.paid_by == imp_uid:
        orders.update(paid_by=None)
