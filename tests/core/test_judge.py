"""The rules of a verdict, one by one, and which comes first where two would speak."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import (
    ExpectedPayment,
    GatewayProtocolError,
    Payment,
    Reason,
    Receipt,
    ReceiptState,
    Verdict,
)
from imp_verify._core.judge import (
    Judgement,
    judge,
    judge_claim,
    judge_money,
    needs_receipt,
    stands_for_order,
)

from .values import I2, ORDER, PRICE, account, order, payment, receipt

FORGERY = Verdict.FORGERY
PENDING = Judgement(Verdict.PENDING)
UNLIMITED = Judgement(Verdict.PENDING, Reason.UNLIMITED_ACCOUNT)
ISSUE: dict[str, Any] = {"customer_uid_usage": "issue"}


def look(
    paid: Payment,
    asked: ExpectedPayment | None,
    recorded: Receipt | None = None,
    *,
    claimed: str | None = None,
    test_mode: bool = False,
) -> Judgement:
    """Judge as the flow does: the claim, the order, and where that refuses, the receipt."""
    claim = judge_claim(paid, claimed, test_mode=test_mode)
    if claim is not None:
        return claim
    judgement = judge(paid, asked, None)
    if needs_receipt(judgement) and stands_for_order(recorded, paid):
        return judge(paid, asked, recorded)
    return judgement


# --- rule 4 and 5: the claim ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "claimed",
    ["ORD-1002", "ord-1001", "ORD-1001 ", " ORD-1001", "ORD-100", "ORD-10011", "ＯRD-1001"],
)
def test_a_request_that_names_another_order_by_one_byte_is_forgery(claimed: str) -> None:
    assert look(payment(), order(), claimed=claimed) == (FORGERY, Reason.ORDER)


def test_the_decomposed_form_of_the_same_name_is_another_order() -> None:
    paid = payment(merchant_uid="\uac00")
    assert look(paid, order(), claimed="\u1100\u1161") == (FORGERY, Reason.ORDER)


def test_a_request_that_names_no_order_or_the_same_claims_nothing_false() -> None:
    assert judge_claim(payment(), None, test_mode=False) is None
    assert judge_claim(payment(), ORDER, test_mode=False) is None


def test_a_test_payment_counts_in_test_mode_only() -> None:
    paid = payment(sandbox=True)
    assert look(paid, order()) == (FORGERY, Reason.TEST_PAYMENT)
    assert look(paid, order(), test_mode=True) == (Verdict.PAID, None)
    assert look(payment(), order(), test_mode=True) == (Verdict.PAID, None)


@pytest.mark.parametrize("state", ReceiptState)
def test_a_test_payment_is_forgery_also_when_it_was_recorded_in_test_mode(
    state: ReceiptState,
) -> None:
    recorded = receipt(state, test=True)
    assert look(payment(sandbox=True), order(), recorded) == (FORGERY, Reason.TEST_PAYMENT)


# --- which rule comes first ----------------------------------------------------------------------

EVERYTHING_WRONG = account("paid", sandbox=True, amount=1, currency="USD", **ISSUE)
PRECEDENCE: list[tuple[str, Payment, ExpectedPayment | None, str | None, Judgement]] = [
    (
        "4 before 5: a false claim before a test payment",
        EVERYTHING_WRONG,
        order(),
        "ORD-2",
        Judgement(FORGERY, Reason.ORDER),
    ),
    (
        "4 before 6: a false claim before a failed payment",
        payment("failed"),
        order(),
        "ORD-2",
        Judgement(FORGERY, Reason.ORDER),
    ),
    (
        "4 before 7: a false claim before an unknown order",
        payment(),
        None,
        "ORD-2",
        Judgement(FORGERY, Reason.ORDER),
    ),
    (
        "5 before 6: a test payment before a failed one",
        payment("failed", sandbox=True),
        order(),
        None,
        Judgement(FORGERY, Reason.TEST_PAYMENT),
    ),
    (
        "5 before 6: a test payment before an unlimited account",
        account("paid", sandbox=True, amount=0),
        order(),
        None,
        Judgement(FORGERY, Reason.TEST_PAYMENT),
    ),
    (
        "5 before 7: a test payment before an unknown order",
        payment(sandbox=True),
        None,
        None,
        Judgement(FORGERY, Reason.TEST_PAYMENT),
    ),
    (
        "6 before 7: failed before an unknown order",
        payment("failed", amount=1),
        None,
        None,
        Judgement(Verdict.FAILED),
    ),
    ("6 before 7: pending before an unknown order", payment("ready"), None, None, PENDING),
    ("6 before 7: unlimited before an unknown order", account(amount=0), None, None, UNLIMITED),
    (
        "6 before 9: unlimited before card registration",
        account(amount=0, **ISSUE),
        order(),
        None,
        UNLIMITED,
    ),
    (
        "6 before 9: failed before card registration",
        payment("failed", **ISSUE),
        order(),
        None,
        Judgement(Verdict.FAILED),
    ),
    (
        "6 before 11: failed before a wrong amount",
        payment("failed", amount=1, currency="USD"),
        order(),
        None,
        Judgement(Verdict.FAILED),
    ),
    (
        "within 6: an unlimited account before failed",
        account("failed", amount=0),
        order(),
        None,
        UNLIMITED,
    ),
    (
        "7 before 9: an unknown order before card registration",
        payment(**ISSUE),
        None,
        None,
        Judgement(Verdict.UNKNOWN_ORDER),
    ),
    (
        "7 before 12: an unknown order before a contradiction",
        account(cancelled=1),
        None,
        None,
        Judgement(Verdict.UNKNOWN_ORDER),
    ),
    (
        "9 before 11: card registration before a wrong currency and amount",
        payment(amount=0, currency="USD", **ISSUE),
        order(),
        None,
        Judgement(FORGERY, Reason.CARD_REGISTRATION),
    ),
    (
        "9 before 12: card registration before cancelled",
        payment("cancelled", 39000, **ISSUE),
        order(),
        None,
        Judgement(FORGERY, Reason.CARD_REGISTRATION),
    ),
    (
        "11 before 12: a wrong amount before cancelled",
        payment("cancelled", 1000, amount=1000),
        order(),
        None,
        Judgement(FORGERY, Reason.AMOUNT),
    ),
    (
        "11 before 12: a wrong amount before a contradiction",
        account(cancelled=1, amount=1000),
        order(),
        None,
        Judgement(FORGERY, Reason.AMOUNT),
    ),
    (
        "within 11: currency before amount",
        payment(amount=1, currency="USD"),
        order(),
        None,
        Judgement(FORGERY, Reason.CURRENCY),
    ),
    (
        "within 11: amount before method",
        payment(amount=1),
        order(pay_methods=["trans"]),
        None,
        Judgement(FORGERY, Reason.AMOUNT),
    ),
]


@pytest.mark.parametrize(
    ("paid", "asked", "claimed", "judgement"),
    [pytest.param(*row[1:], id=row[0]) for row in PRECEDENCE],
)
def test_the_first_rule_that_speaks_decides(
    paid: Payment, asked: ExpectedPayment | None, claimed: str | None, judgement: Judgement
) -> None:
    assert look(paid, asked, claimed=claimed) == judgement


# --- rule 6: no money, nothing to forge ----------------------------------------------------------


@pytest.mark.parametrize("status", ["ready", "paid", "cancelled", "failed", "pending", ""])
def test_an_account_without_an_amount_is_for_a_person_to_look_at(status: str) -> None:
    assert look(account(status, amount=0), order()) == UNLIMITED
    assert look(account(status, amount="0.00"), order()) == UNLIMITED


def test_an_amount_of_nothing_by_card_is_no_unlimited_account() -> None:
    assert look(payment(amount=0), order()) == (FORGERY, Reason.AMOUNT)


@pytest.mark.parametrize(
    "paid",
    [
        payment("ready"),
        payment("ready", pay_method=None),
        payment("ready", pay_method="VBANK", vbank_num="1"),
        payment("ready", pay_method="trans", vbank_num="1"),
        account(vbank_num=None),
        account(vbank_num=""),
        account(vbank_num="  "),
    ],
)
def test_ready_without_an_account_and_its_number_is_pending(paid: Payment) -> None:
    assert look(paid, order()) == PENDING
    assert look(paid, None) == PENDING


@pytest.mark.parametrize("number", ["1", "unknown", "0012-3456", "123 456"])
def test_any_account_number_makes_an_issued_account(number: str) -> None:
    assert look(account(vbank_num=number), order()) == (Verdict.VIRTUAL_ACCOUNT, None)


@pytest.mark.parametrize(
    "status", ["", "pending", "authorized", "PAID", "Paid", "paid ", "payed", "cancelled\n", "결제"]
)
def test_a_word_that_is_not_known_is_pending_however_it_looks(status: str) -> None:
    assert look(payment(status), order()) == PENDING
    assert look(payment(status, amount=1), order()) == PENDING


# --- rule 7 to 11 --------------------------------------------------------------------------------


@pytest.mark.parametrize("usage", [None, "", "payment", "payment.scheduled", "ISSUE"])
def test_any_other_use_of_a_stored_card_is_a_payment(usage: str | None) -> None:
    assert look(payment(customer_uid_usage=usage), order()) == (Verdict.PAID, None)


@pytest.mark.parametrize(
    "paid",
    [
        payment(amount="38999.99999999"),
        payment(amount="39000.00000001"),
        payment(amount=38999),
        payment(amount=39001),
        payment(amount=0),
        payment(amount=390),
        payment("paid", 1000, amount=40000),  # what is left fits, what was paid does not
        payment("cancelled", 1000, amount=40000),
        account(amount=1000),
    ],
)
def test_any_other_amount_is_forgery_also_where_the_rest_would_fit(paid: Payment) -> None:
    assert look(paid, order()) == (FORGERY, Reason.AMOUNT)


@pytest.mark.parametrize("amount", ["39000", "39000.0", "39000.00000000", "3.9E+4"])
def test_amounts_are_compared_as_numbers(amount: str) -> None:
    assert look(payment(amount=amount), order()) == (Verdict.PAID, None)


@pytest.mark.parametrize("currency", ["USD", "JPY", "KRX", "krw", ""])
def test_the_same_number_in_another_currency_is_forgery(currency: str) -> None:
    assert look(payment(currency=currency), order()) == (FORGERY, Reason.CURRENCY)


def test_a_hundred_won_do_not_pay_a_hundred_dollars() -> None:
    assert look(payment(amount=100), order(100, currency="USD")) == (FORGERY, Reason.CURRENCY)
    assert look(payment(amount=100, currency="USD"), order(100, currency="usd")).verdict == "paid"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (order(), None),
        (order(pay_methods=["card"]), None),
        (order(pg_providers=["html5_inicis", "kcp"]), None),
        (order(pay_methods=["trans"]), Reason.METHOD),
        (order(pay_methods=[]), Reason.METHOD),
        (order(pg_providers=["kcp"]), Reason.METHOD),
        (order(pay_methods=["card"], pg_providers=["kcp"]), Reason.METHOD),
        (order(pay_methods=["trans"], pg_providers=["html5_inicis"]), Reason.METHOD),
    ],
)
def test_method_and_pg_are_among_those_the_order_allows(
    asked: ExpectedPayment, reason: Reason | None
) -> None:
    assert look(payment(), asked) == ((FORGERY, reason) if reason else (Verdict.PAID, None))


def test_a_payment_that_names_no_method_is_not_one_of_those_allowed() -> None:
    paid = payment(pay_method=None, pg_provider=None)
    assert look(paid, order(pay_methods=["card"])) == (FORGERY, Reason.METHOD)
    assert look(paid, order(pg_providers=["kcp"])) == (FORGERY, Reason.METHOD)
    assert look(paid, order()) == (Verdict.PAID, None)


def test_a_closed_order_is_judged_like_an_open_one() -> None:
    assert look(payment(), order(open=False)) == (Verdict.PAID, None)
    assert look(payment(amount=1), order(open=False)) == (FORGERY, Reason.AMOUNT)


# --- rule 8: what a receipt can stand for --------------------------------------------------------

STANDS = {
    ReceiptState.PAYING: True,
    ReceiptState.LATE: True,
    ReceiptState.DUPLICATE: True,
    ReceiptState.CANCELLED: True,
    ReceiptState.FAILED: False,
}
PAYMENTS: dict[str, tuple[Payment, Verdict, bool]] = {  # the payment, its verdict, no money there
    "paid": (payment(), Verdict.PAID, False),
    "paid, cancelled in part": (payment("paid", 9000), Verdict.PARTLY_CANCELLED, False),
    "paid, cancelled in full": (payment("paid", 39000), Verdict.CANCELLED, False),
    "cancelled in part": (payment("cancelled", 9000), Verdict.PARTLY_CANCELLED, False),
    "cancelled by a little": (payment("cancelled", "0.01"), Verdict.PARTLY_CANCELLED, False),
    "cancelled in full": (payment("cancelled", 39000), Verdict.CANCELLED, True),
    "given up": (payment("cancelled", 0), Verdict.CANCELLED, True),
    "issued": (account(), Verdict.VIRTUAL_ACCOUNT, True),
}
CHANGED: dict[str, tuple[ExpectedPayment | None, Judgement]] = {
    "gone": (None, Judgement(Verdict.UNKNOWN_ORDER)),
    "dearer": (order(50000), Judgement(FORGERY, Reason.AMOUNT)),
    "in dollars": (order(currency="USD"), Judgement(FORGERY, Reason.CURRENCY)),
    "by other methods": (order(pay_methods=["phone"]), Judgement(FORGERY, Reason.METHOD)),
    "by other PGs": (order(pg_providers=["kcp"]), Judgement(FORGERY, Reason.METHOD)),
}


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("kind", PAYMENTS)
@pytest.mark.parametrize("state", ReceiptState)
def test_what_was_taken_for_this_order_before_stands_for_a_changed_or_deleted_order(
    state: ReceiptState, kind: str, change: str
) -> None:
    paid, verdict, no_money = PAYMENTS[kind]
    asked, refusal = CHANGED[change]
    stands = STANDS.get(
        state, no_money
    )  # an account that waited proves nothing once money is there
    assert look(paid, asked, receipt(state)) == (Judgement(verdict) if stands else refusal)


@pytest.mark.parametrize("kind", PAYMENTS)
def test_without_a_receipt_the_order_decides(kind: str) -> None:
    paid, verdict, _ = PAYMENTS[kind]
    assert look(paid, order()) == (verdict, None)
    for asked, refusal in CHANGED.values():
        assert look(paid, asked) == refusal


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (receipt(imp_uid=I2), Reason.AMOUNT),
        (receipt(merchant_uid="ORD-2"), Reason.AMOUNT),
        (receipt(amount=Decimal(1)), Reason.AMOUNT),
        (receipt(currency="USD"), Reason.CURRENCY),
    ],
)
def test_a_receipt_of_another_payment_order_amount_or_currency_helps_nobody(
    recorded: Receipt, reason: Reason
) -> None:
    assert look(payment(), order(50000), recorded) == (FORGERY, reason)


def test_a_contradiction_is_trouble_also_where_a_receipt_stands_for_the_order() -> None:
    with pytest.raises(GatewayProtocolError):
        look(account(cancelled=1), order(50000), receipt(ReceiptState.WAITING))


def test_a_receipt_may_help_where_account_amount_currency_or_method_are_refused() -> None:
    helped = {reason for reason in Reason if needs_receipt(Judgement(FORGERY, reason))}
    assert helped == {Reason.ACCOUNT, Reason.AMOUNT, Reason.CURRENCY, Reason.METHOD}


def test_a_receipt_never_stands_in_for_card_registration() -> None:
    registration = payment(**ISSUE)
    assert look(registration, order(), receipt()) == (FORGERY, Reason.CARD_REGISTRATION)
    assert look(registration, None, receipt()) == (FORGERY, Reason.CARD_REGISTRATION)
    assert look(registration, order(1), receipt()) == (FORGERY, Reason.CARD_REGISTRATION)


def test_a_receipt_is_not_asked_for_where_the_order_says_enough() -> None:
    for paid, _, _ in PAYMENTS.values():
        assert not needs_receipt(judge(paid, order(), None))
    for paid in (payment("failed"), payment("ready"), account(amount=0), payment(**ISSUE)):
        assert not needs_receipt(judge(paid, order(), None))
    for asked, refusal in CHANGED.values():
        assert needs_receipt(judge(payment(), asked, None)), refusal


def test_money_is_compared_without_asking_for_a_status() -> None:
    assert judge_money(payment("whatever", amount=39000), order()) is None
    assert judge_money(payment("ready", amount=1), order()) is Reason.AMOUNT


# --- rule 10: the account that was asked ---------------------------------------------------------

PAID, WRONG = Judgement(Verdict.PAID), Judgement(FORGERY, Reason.ACCOUNT)
BY_ACCOUNT: list[tuple[str | None, str | None, str | None, Judgement]] = [
    # asked, the order's, the receipt's where there is one, and what comes of it
    ("kr", "kr", "none", PAID),
    ("us", "kr", "none", WRONG),
    ("kr", "KR", "none", WRONG),
    ("kr", None, "none", WRONG),
    ("kr", "us", "kr", PAID),
    ("us", "us", "kr", WRONG),
    ("kr", None, "kr", PAID),
    ("us", "us", None, PAID),
    ("kr", "us", None, WRONG),
    (None, None, "none", PAID),
    (None, "kr", "none", PAID),
    (None, "kr", "us", PAID),
]


@pytest.mark.parametrize(("asked", "ordered", "recorded", "judgement"), BY_ACCOUNT)
def test_the_account_asked_must_be_the_orders_or_the_one_recorded(
    asked: str | None, ordered: str | None, recorded: str | None, judgement: Judgement
) -> None:
    kept = None if recorded == "none" else receipt(account=recorded)
    assert judge(payment(), order(account=ordered), kept, asked) == judgement


@pytest.mark.parametrize(("recorded", "judgement"), [("kr", PAID), ("us", WRONG), (None, WRONG)])
def test_a_receipt_alone_says_which_account_it_was(
    recorded: str | None, judgement: Judgement
) -> None:
    assert judge(payment(), None, receipt(account=recorded), "kr") == judgement


def test_the_account_comes_after_card_registration_and_before_the_money() -> None:
    other = order(50000, currency="USD", account="us")
    assert judge(payment(**ISSUE), other, None, "kr") == (FORGERY, Reason.CARD_REGISTRATION)
    assert judge(payment(), other, None, "kr") == WRONG
    assert judge(payment(), other, None, "us") == (FORGERY, Reason.CURRENCY)
    assert judge(payment("failed"), other, None, "kr") == Judgement(Verdict.FAILED)
    assert judge(payment(), None, None, "kr") == Judgement(Verdict.UNKNOWN_ORDER)


# --- rule 12: status and amounts -----------------------------------------------------------------

BY_STATUS: list[tuple[str, str, Verdict | None]] = [
    ("ready", "0", Verdict.VIRTUAL_ACCOUNT),
    ("ready", "1", None),
    ("ready", "39000", None),
    ("paid", "0", Verdict.PAID),
    ("paid", "0.00", Verdict.PAID),
    ("paid", "0.00000001", Verdict.PARTLY_CANCELLED),
    ("paid", "38999.99999999", Verdict.PARTLY_CANCELLED),
    ("paid", "39000.00", Verdict.CANCELLED),
    ("cancelled", "0", Verdict.CANCELLED),
    ("cancelled", "0.00000001", Verdict.PARTLY_CANCELLED),
    ("cancelled", "38999.99999999", Verdict.PARTLY_CANCELLED),
    ("cancelled", "39000", Verdict.CANCELLED),
]


@pytest.mark.parametrize(("status", "cancelled", "verdict"), BY_STATUS)
def test_status_and_cancelled_amount_make_the_verdict_or_trouble(
    status: str, cancelled: str, verdict: Verdict | None
) -> None:
    paid = (account if status == "ready" else payment)(status, cancelled)
    if verdict is None:
        with pytest.raises(GatewayProtocolError, match=r"imp_100000000001 is ready"):
            look(paid, order())
    else:
        assert look(paid, order()) == (verdict, None)


# --- by chance -----------------------------------------------------------------------------------

AMOUNTS = st.sampled_from([Decimal(0), Decimal(1), Decimal("38999.99"), PRICE, Decimal(39001)])
ANY_PAYMENT = st.builds(
    payment,
    st.sampled_from(["ready", "paid", "cancelled", "failed", "", "pending", "PAID"]),
    AMOUNTS,
    amount=AMOUNTS,
    currency=st.sampled_from(["KRW", "USD"]),
    sandbox=st.booleans(),
    pay_method=st.sampled_from(["card", "vbank", None]),
    pg_provider=st.sampled_from(["html5_inicis", "kcp", None]),
    vbank_num=st.sampled_from([None, "", "1"]),
    customer_uid_usage=st.sampled_from([None, "issue", "payment"]),
    merchant_uid=st.sampled_from([ORDER, "ORD-2"]),
)
ANY_ORDER = st.none() | st.builds(
    order,
    st.sampled_from([PRICE, Decimal(1)]),
    currency=st.sampled_from(["KRW", "USD"]),
    open=st.booleans(),
    pay_methods=st.sampled_from([None, ["card"], ["vbank"]]),
)
ANY_RECEIPT = st.none() | st.builds(
    receipt,
    st.sampled_from(ReceiptState),
    amount=AMOUNTS,
    currency=st.sampled_from(["KRW", "USD"]),
    merchant_uid=st.sampled_from([ORDER, "ORD-2"]),
    imp_uid=st.sampled_from([payment().imp_uid, I2]),
)


@given(paid=ANY_PAYMENT, asked=ANY_ORDER, recorded=ANY_RECEIPT, test_mode=st.booleans())
def test_money_is_never_there_unless_the_gateway_says_so_in_amount_currency_and_kind(
    paid: Payment, asked: ExpectedPayment | None, recorded: Receipt | None, test_mode: bool
) -> None:
    try:
        judgement = look(paid, asked, recorded, test_mode=test_mode)
    except GatewayProtocolError:
        return
    if judgement.verdict not in (Verdict.PAID, Verdict.PARTLY_CANCELLED):
        return
    assert paid.status in ("paid", "cancelled")
    assert paid.cancel_amount < paid.amount
    assert test_mode or not paid.sandbox
    assert paid.customer_uid_usage != "issue"
    by_order = (
        asked is not None
        and (asked.amount, asked.currency) == (paid.amount, paid.currency)
        and asked.allows(paid)
    )
    by_receipt = (
        recorded is not None
        and (recorded.amount, recorded.currency) == (paid.amount, paid.currency)
        and (recorded.imp_uid, recorded.merchant_uid) == (paid.imp_uid, paid.merchant_uid)
        and recorded.state not in (ReceiptState.WAITING, ReceiptState.FAILED)
    )
    assert by_order or by_receipt
