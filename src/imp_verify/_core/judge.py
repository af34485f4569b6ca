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

__all__ = [
    "Comparison",
    "Judgement",
    "compare",
    "judge",
    "judge_claim",
    "judge_money",
    "needs_receipt",
    "stands_for_order",
    "what_counts",
]


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
    asked = expected if receipt is None else _with_account(receipt, expected)
    if asked is None:
        return Judgement(Verdict.UNKNOWN_ORDER)
    reason = judge_money(payment, asked, account)
    if reason is not None:
        return Judgement(Verdict.FORGERY, reason)
    return Judgement(_judge_status(payment))


def _with_account(receipt: Receipt, expected: ExpectedPayment | None) -> Receipt:
    """Give a receipt from before there were several accounts that of its order."""
    if receipt.account is None and expected is not None:
        return replace(receipt, account=expected.account)
    return receipt


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


class Comparison(NamedTuple):
    """One rule about what was paid, for a person to read; the verdict is not made of these.

    Attributes:
        rule: order, test_payment, card_registration, account, currency, amount, pay_method or
            pg_provider.
        found: What the gateway said.
        asked: What the order asks, None where it asks nothing.
        fits: None where there is nothing to compare.
    """

    rule: str
    found: object
    asked: object
    fits: bool | None


def what_counts(
    payment: Payment,
    expected: ExpectedPayment | None,
    receipt: Receipt | None,
    account: str | None = None,
) -> ExpectedPayment | Receipt | None:
    """Return what a payment is compared with: the order, or the receipt that stands for it.

    Raises:
        GatewayProtocolError: Status and amounts contradict each other.
    """
    if receipt is None or not stands_for_order(receipt, payment):
        return expected
    refused = needs_receipt(judge(payment, expected, None, account))
    return _with_account(receipt, expected) if refused else expected


def compare(
    payment: Payment,
    asked: ExpectedPayment | Receipt | None,
    claimed: str | None,
    account: str | None = None,
    *,
    test_mode: bool,
) -> tuple[Comparison, ...]:
    """Compare a payment with what is asked rule by rule, in the order in which the rules refuse.

    Args:
        asked: What counts (`what_counts`), None where no such order is known.
        claimed: The order that was asked about, None where none was named.
        account: The account that was asked, None where there is only one.
    """
    issued = payment.customer_uid_usage == "issue"
    row = Comparison
    return (
        row("order", payment.merchant_uid, claimed, _same(payment.merchant_uid, claimed)),
        row("test_payment", payment.sandbox, test_mode, test_mode or not payment.sandbox),
        row("card_registration", issued, False, not issued),
        *_compare_money(payment, asked, account),
        *_compare_choices(payment, asked),
    )


def _same(found: object, asked: object) -> bool | None:
    return None if asked is None else found == asked


def _compare_money(
    payment: Payment, asked: ExpectedPayment | Receipt | None, account: str | None
) -> tuple[Comparison, ...]:
    if asked is None:
        pairs = ("account", account), ("currency", payment.currency), ("amount", payment.amount)
        return tuple(Comparison(rule, found, None, None) for rule, found in pairs)
    theirs = None if account is None else asked.account
    owner = None if account is None else account == asked.account
    amount = payment.amount == asked.amount and payment.amount != 0
    return (
        Comparison("account", account, theirs, owner),
        Comparison(
            "currency", payment.currency, asked.currency, payment.currency == asked.currency
        ),
        Comparison("amount", payment.amount, asked.amount, amount),
    )


def _compare_choices(
    payment: Payment, asked: ExpectedPayment | Receipt | None
) -> tuple[Comparison, ...]:
    methods = asked.pay_methods if isinstance(asked, ExpectedPayment) else None
    providers = asked.pg_providers if isinstance(asked, ExpectedPayment) else None
    return tuple(
        Comparison(rule, found, allowed, None if allowed is None else found in allowed)
        for rule, found, allowed in (
            ("pay_method", payment.pay_method, methods),
            ("pg_provider", payment.pg_provider, providers),
        )
    )
