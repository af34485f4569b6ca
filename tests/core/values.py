"""Payments, orders, receipts and outcomes to begin with, so that a test names only what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from imp_verify import (
    ExpectedPayment,
    Outcome,
    Payment,
    Reason,
    Receipt,
    ReceiptState,
    Verdict,
)
from imp_verify.stores._advance import amount_of

I1 = "imp_100000000001"
I2 = "imp_100000000002"
ORDER = "ORD-1001"
PRICE = Decimal(39000)

_EXPECTED = ExpectedPayment(ORDER, PRICE)
_PAYMENT = Payment(I1, ORDER, "paid", PRICE, pay_method="card", pg_provider="html5_inicis")
_RECEIPT = Receipt(I1, ORDER, ReceiptState.PAYING, PRICE)
ACCOUNT = {"pay_method": "vbank", "vbank_num": "123-456"}


def order(amount: Decimal | int | str = PRICE, **fields: Any) -> ExpectedPayment:
    """Return what the shop asks for the order."""
    return ExpectedPayment(fields.pop("merchant_uid", ORDER), amount, **fields)


def payment(status: str = "paid", cancelled: int | str | Decimal = 0, **fields: Any) -> Payment:
    """Return a payment by card of the whole price; any other keys of the wire go to `raw`."""
    known = {name: fields.pop(name) for name in list(fields) if name in _PAYMENT.__dict__}
    if "amount" in known:
        known["amount"] = Decimal(known["amount"])
    raw = {**known.pop("raw", {}), **fields}
    return replace(_PAYMENT, status=status, cancel_amount=Decimal(cancelled), raw=raw, **known)


def account(status: str = "ready", cancelled: int | str | Decimal = 0, **fields: Any) -> Payment:
    """Return a payment by virtual account, issued where nothing else is said."""
    return payment(status, cancelled, **{**ACCOUNT, **fields})


def part(
    amount: int | str | Decimal, name: str | None = None, at: int = 1735700000, **fields: Any
) -> dict[str, object]:
    """Return one entry of `cancel_history`."""
    entry: dict[str, object] = {
        "pg_tid": "t",
        "amount": Decimal(amount),
        "cancelled_at": at,
        "reason": "changed my mind",
    }
    if name is not None:
        entry["cancellation_id"] = name
    return {**entry, **fields}


def receipt(state: ReceiptState = ReceiptState.PAYING, **fields: Any) -> Receipt:
    """Return what is recorded of the payment."""
    return replace(_RECEIPT, state=state, **fields)


def outcome(verdict: Verdict, of: Payment, reason: Reason | None = None, **fields: Any) -> Outcome:
    """Return what the flow hands to the store; the order is as asked unless `expected` says
    else."""
    return Outcome(
        verdict,
        reason,
        imp_uid=of.imp_uid,
        merchant_uid=of.merchant_uid,
        payment=of,
        expected=fields.pop("expected", _EXPECTED),
        endpoint="webhook",
        **fields,
    )


def handed_on(hooks: Iterable[tuple[str, Outcome]]) -> dict[str, Decimal]:
    """Return what a store knows of these changes later, each with its amount."""
    return {told.change: amount_of(told) for _, told in hooks}
