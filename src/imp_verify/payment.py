"""A payment as the gateway reports it. The fields that rules read are real; the rest is read when
asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from .amounts import EXACT

__all__ = ["Cancellation", "Payment", "PaymentStatus", "read_time"]


class PaymentStatus(StrEnum):
    """The words that the gateway is known to use; the set is open, `status` is plain text."""

    READY = "ready"
    PAID = "paid"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One refund, whole or part.

    Attributes:
        id: The gateway's `cancellation_id`, None where it names none.
        amount: In the currency's main unit.
        at: When, None where the gateway does not say.
        reason: The text given with the refund; it may hold a buyer's words: not in the repr.
        key: Tells it from every other refund of its payment: the id, or what stands in for one.
    """

    id: str | None
    amount: Decimal
    at: datetime | None = None
    reason: str | None = field(default=None, repr=False)
    key: str = field(default="", repr=False)


class _Text:
    """A field of the gateway's answer that no rule reads: its text, or None for anything else."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, payment: Payment, owner: type[Payment]) -> str | None:
        value = payment.raw.get(self._name)
        return value if isinstance(value, str) else None


class _Time:
    """A moment in the gateway's answer (Unix seconds, 0 for "not happened"): aware UTC, or None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, payment: Payment, owner: type[Payment]) -> datetime | None:
        value = payment.raw.get(self._name)
        return None if value is None else read_time(value)


class _Any:
    """A field of the gateway's answer handed on exactly as it came."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, payment: Payment, owner: type[Payment]) -> object:
        return payment.raw.get(self._name)


_DIGITS = re.compile("[0-9]{1,12}")
_LAST_DAY = 253402214400
"""9999-12-31T00:00Z."""


def read_time(value: object) -> datetime | None:
    """Turn Unix seconds, a number or its digits, into an aware UTC datetime; 0, absent and anything
    that is no moment give None, and so does the last day that a datetime knows: it has no hour in
    Seoul."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not 0 < value < _LAST_DAY:
        return None
    return datetime.fromtimestamp(float(value), UTC)


@dataclass(frozen=True)
class Payment:
    """One payment as the gateway reported it. The fields that rules read are checked; the rest may
    be anything.

    Amounts are in the currency's main unit (won, dollars), times are aware UTC. `raw` is the
    gateway's whole object, buyer's data included: the repr shows ids, status and amounts only.

    Source: V1 REST API, GET /payments/{imp_uid}.
    """

    imp_uid: str
    merchant_uid: str
    status: str
    amount: Decimal
    cancel_amount: Decimal = Decimal(0)
    currency: str = "KRW"
    sandbox: bool = False
    pay_method: str | None = None
    pg_provider: str | None = None
    vbank_num: str | None = field(default=None, repr=False)
    customer_uid_usage: str | None = field(default=None, repr=False)
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, hash=False)

    channel = _Text()
    emb_pg_provider = _Text()
    pg_tid = _Text()
    pg_id = _Text()
    escrow = _Any()
    apply_num = _Text()
    bank_code = _Text()
    bank_name = _Text()
    card_code = _Text()
    card_name = _Text()
    card_issuer_code = _Text()
    card_issuer_name = _Text()
    card_publisher_code = _Text()
    card_publisher_name = _Text()
    card_quota = _Any()
    card_number = _Text()
    card_type = _Any()
    vbank_code = _Text()
    vbank_name = _Text()
    vbank_holder = _Text()
    vbank_date = _Time()
    vbank_issued_at = _Time()
    name = _Text()
    buyer_name = _Text()
    buyer_email = _Text()
    buyer_tel = _Text()
    buyer_addr = _Text()
    buyer_postcode = _Text()
    custom_data = _Any()
    user_agent = _Text()
    started_at = _Time()
    paid_at = _Time()
    failed_at = _Time()
    cancelled_at = _Time()
    fail_reason = _Text()
    cancel_reason = _Text()
    receipt_url = _Text()
    cancel_history = _Any()
    deposit_history = _Any()
    cancel_receipt_urls = _Any()
    cash_receipt_issued = _Any()
    customer_uid = _Text()
    promotion = _Any()
    extension = _Any()

    @property
    def holds_money(self) -> bool:
        """Whether it was paid, and not given back in full."""
        paid = self.status == PaymentStatus.PAID
        partly = self.status == PaymentStatus.CANCELLED and self.cancel_amount > 0
        charged = self.customer_uid_usage != "issue"  # a card's registration charges nothing
        return charged and (paid or partly) and self.cancel_amount < self.amount

    @property
    def remaining(self) -> Decimal:
        """The amount less what has been cancelled."""
        return EXACT.subtract(self.amount, self.cancel_amount)
