"""What a receipt's row says beyond the receipt: the method, the account to pay into, the times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.utils.timezone import get_default_timezone, make_naive

from ... import Outcome, Verdict
from ...stores import ready
from .models import Receipt

__all__ = ["details", "details_changed", "moment"]

_NAMES = ("pay_method", "vbank_name", "vbank_num", "vbank_due", "paid_at")


def details(outcome: Outcome) -> dict[str, object]:
    payment = outcome.payment
    assert payment is not None  # `advance` gives no receipt without one
    moments = (each and moment(each) for each in (payment.vbank_date, payment.paid_at))
    values = (*ready.details(outcome)[:3], *moments)
    return dict(zip(_NAMES, values, strict=True))


def details_changed(using: str, outcome: Outcome, new: Mapping[str, object]) -> bool:
    """A virtual account's deadline can be moved while it waits; nothing else of a repeat is worth
    a write."""
    if outcome.verdict is not Verdict.VIRTUAL_ACCOUNT:
        return False
    rows = Receipt._base_manager.using(using).filter(imp_uid=outcome.imp_uid)
    return list(rows.values(*_NAMES)) != [dict(new)]


def moment(value: datetime) -> datetime:
    """Give a moment as the project keeps it: without time zones, in its own local time."""
    if settings.USE_TZ:
        return value
    return make_naive(value, get_default_timezone())  # type: ignore[no-any-return]
