"""The rules of a verdict, in order. Pure: a payment, an order and perhaps a receipt in, a verdict
out."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ..errors import GatewayProtocolError
from ..models import (
    ExpectedPayment,
    Payment,
    PaymentStatus,
    Reason,
    Receipt,
    ReceiptState,
    Verdict,
)

__all__ = ["Judgement", "judge", "judge_claim", "judge_money", "needs_receipt", "stands_for_order"]


class Judgement(NamedTuple):
    """A verdict, and the reason where it has one."""

    verdict: Verdict
    reason: Reason | None = None


_MONEY_HAS_MOVED = (
    ReceiptState.PAYING,
    ReceiptState.LATE,
    ReceiptState.DUPLICATE,
    ReceiptState.CANCELLED,
)
_RECEIPT_MAY_HELP = (Reason.ACCOUNT, Reason.AMOUNT, Reason.CURRENCY, Reason.METHOD)


def judge_claim(payment: Payment, merchant_uid: str | None, *, test_mode: bool) -> Judgement | None:
    """Apply the rules that need no order: the request names another order, or no money moved at
    all."""
    if merchant_uid is not None and merchant_uid != payment.merchant_uid:
        return Judgement(Verdict.FORGERY, Reason.ORDER)
    if payment.sandbox and not test_mode:
        return Judgement(Verdict.FORGERY, Reason.TEST_PAYMENT)
    return None


def judge(
    payment: Payment,
    expected: ExpectedPayment | None,
    receipt: Receipt | None,
    account: str | None = None,
) -> Judgement:
    """Judge a payment that passed `judge_claim`.

    Args:
        expected: What the shop asks for the order that the payment names, None where it knows none.
        receipt: What stands for the order where `stands_for_order` says so, else None.
        account: The account that was asked, None where there is only one.

    Raises:
        GatewayProtocolError: Status and amounts contradict each other.
    """
    unpaid = _judge_unpaid(payment)
    if unpaid is not None:
        return unpaid
    if receipt is not None and receipt.account is None and expected is not None:
        receipt = replace(receipt, account=expected.account)  # from before there were several
    asked = receipt or expected
    if asked is None:
        return Judgement(Verdict.UNKNOWN_ORDER)
    reason = judge_money(payment, asked, account)
    if reason is not None:
        return Judgement(Verdict.FORGERY, reason)
    return Judgement(_judge_status(payment))


def needs_receipt(judgement: Judgement) -> bool:
    """Whether a receipt, where one is recorded, could stand for the order and change this
    judgement."""
    return judgement.verdict is Verdict.UNKNOWN_ORDER or judgement.reason in _RECEIPT_MAY_HELP


def stands_for_order(receipt: Receipt | None, payment: Payment) -> bool:
    """Whether this payment was taken for this order before, so that its refunds must still arrive.

    An account that only waited is no such proof once money is there: the order may ask for more
        by now.
    """
    if receipt is None or receipt.merchant_uid != payment.merchant_uid:
        return False
    if receipt.imp_uid != payment.imp_uid:
        return False
    if receipt.state in _MONEY_HAS_MOVED:
        return True
    partly = (
        payment.status == PaymentStatus.CANCELLED and 0 < payment.cancel_amount < payment.amount
    )
    return receipt.state is ReceiptState.WAITING and not (
        payment.status == PaymentStatus.PAID or partly
    )


def judge_money(
    payment: Payment, asked: ExpectedPayment | Receipt, account: str | None = None
) -> Reason | None:
    """Compare what was paid with what is asked; None where all is equal. Needs no status.

    Args:
        account: The account that was asked, None where there is only one: whose it is says nothing
            then.
    """
    if payment.customer_uid_usage == "issue":
        return Reason.CARD_REGISTRATION
    if account is not None and account != asked.account:
        return Reason.ACCOUNT
    if payment.currency != asked.currency:
        return Reason.CURRENCY
    if payment.amount != asked.amount or payment.amount == 0:  # nothing was paid with nothing
        return Reason.AMOUNT
    if isinstance(asked, ExpectedPayment) and not asked.allows(payment):
        return Reason.METHOD
    return None


def _judge_unpaid(payment: Payment) -> Judgement | None:
    """No money, nothing to forge: failed, pending, or an account without an amount of its own."""
    if payment.pay_method == "vbank" and payment.amount == 0:
        return Judgement(Verdict.PENDING, Reason.UNLIMITED_ACCOUNT)
    if payment.status == PaymentStatus.FAILED:
        return Judgement(Verdict.FAILED)
    if payment.status == PaymentStatus.READY:
        account = payment.pay_method == "vbank" and (payment.vbank_num or "").strip()
        return None if account else Judgement(Verdict.PENDING)
    if payment.status in (PaymentStatus.PAID, PaymentStatus.CANCELLED):
        return None
    return Judgement(Verdict.PENDING)


def _judge_status(payment: Payment) -> Verdict:
    cancelled = payment.cancel_amount
    if payment.status == PaymentStatus.READY and cancelled == 0:
        return Verdict.VIRTUAL_ACCOUNT
    if payment.status in (PaymentStatus.PAID, PaymentStatus.CANCELLED):
        if cancelled == 0:
            return Verdict.PAID if payment.status == PaymentStatus.PAID else Verdict.CANCELLED
        return Verdict.PARTLY_CANCELLED if cancelled < payment.amount else Verdict.CANCELLED
    raise GatewayProtocolError(
        f"payment {payment.imp_uid} is {payment.status}, {cancelled} of {payment.amount} cancelled"
    )
