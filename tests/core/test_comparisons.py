"""The comparisons that the command shows say what the judge said."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import ExpectedPayment, Payment, Reason, Receipt, ReceiptState, Verdict
from imp_verify._core.judge import (
    compare,
    judge,
    judge_claim,
    needs_receipt,
    stands_for_order,
    what_counts,
)

from .values import ORDER, PRICE, order, payment, receipt

REASONS = {
    "order": Reason.ORDER,
    "test_payment": Reason.TEST_PAYMENT,
    "card_registration": Reason.CARD_REGISTRATION,
    "account": Reason.ACCOUNT,
    "currency": Reason.CURRENCY,
    "amount": Reason.AMOUNT,
    "pay_method": Reason.METHOD,
    "pg_provider": Reason.METHOD,
}

payments = st.builds(
    lambda **fields: payment("paid", **fields),
    merchant_uid=st.sampled_from([ORDER, "ORD-2"]),
    amount=st.sampled_from([0, 39000, 390]),
    currency=st.sampled_from(["KRW", "USD"]),
    sandbox=st.booleans(),
    customer_uid_usage=st.sampled_from([None, "issue", "payment"]),
    pay_method=st.sampled_from(["card", "point", None]),
    pg_provider=st.sampled_from(["html5_inicis", "kakaopay"]),
)
orders = st.none() | st.builds(
    order,
    st.sampled_from([39000, 390]),
    currency=st.sampled_from(["KRW", "USD"]),
    account=st.sampled_from([None, "kr"]),
    pay_methods=st.sampled_from([None, {"card"}]),
    pg_providers=st.sampled_from([None, {"html5_inicis"}]),
)
receipts = st.none() | st.builds(
    receipt,
    st.sampled_from([ReceiptState.PAYING, ReceiptState.WAITING, ReceiptState.FAILED]),
    amount=st.sampled_from([Decimal(39000), Decimal(390)]),
    account=st.sampled_from([None, "kr", "us"]),
)


@given(
    paid=payments,
    asked=orders,
    recorded=receipts,
    claimed=st.sampled_from([None, ORDER]),
    account=st.sampled_from([None, "kr"]),
    test_mode=st.booleans(),
)
def test_the_first_that_does_not_fit_is_why_the_judge_refused(
    paid: Payment,
    asked: ExpectedPayment | None,
    recorded: Receipt | None,
    claimed: str | None,
    account: str | None,
    test_mode: bool,
) -> None:
    judged = judge_claim(paid, claimed, test_mode=test_mode)
    if judged is None:
        judged = judge(paid, asked, None, account)
        if needs_receipt(judged) and stands_for_order(recorded, paid):
            judged = judge(paid, asked, recorded, account)
    counts = what_counts(paid, asked, recorded, account)
    rows = compare(paid, counts, claimed, account, test_mode=test_mode)
    assert [each.rule for each in rows] == list(REASONS)
    refused = next((REASONS[each.rule] for each in rows if each.fits is False), None)
    if judged.verdict is Verdict.UNKNOWN_ORDER:
        assert counts is None
        assert refused in (None, Reason.CARD_REGISTRATION)
    else:
        assert judged.reason == refused


@pytest.mark.parametrize("state", [ReceiptState.PAYING, ReceiptState.FAILED])
def test_a_receipt_counts_only_where_it_stands_for_the_order(state: ReceiptState) -> None:
    paid, recorded, cheaper = payment(), receipt(state), order(390)
    counts = what_counts(paid, cheaper, recorded)
    assert counts == (recorded if state is ReceiptState.PAYING else cheaper)
    assert what_counts(paid, order(), recorded) == order()
    amount = compare(paid, counts, ORDER, test_mode=False)[5]
    assert (amount.found, amount.asked) == (PRICE, getattr(counts, "amount", None))
