"""The values that everything speaks in: what they refuse, what they show, and what a payment's odd
fields become."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import (
    Cancellation,
    ExpectedPayment,
    Outcome,
    Payment,
    PaymentStatus,
    Reason,
    Receipt,
    ReceiptState,
    Settled,
    StoreError,
    Verdict,
)
from imp_verify.models import read_expected, read_time

from .values import I1, ORDER, PRICE, account, order, outcome, payment

# --- words ---------------------------------------------------------------------------------------


def test_the_words_of_verdicts_reasons_and_states_are_their_names_in_lower_case() -> None:
    for words in (Verdict, Reason, Settled, ReceiptState, PaymentStatus):
        for word in words:
            assert str(word) == word.name.lower()


# --- ExpectedPayment -----------------------------------------------------------------------------


def test_an_order_asks_for_won_of_anybody_and_is_open_unless_it_says_else() -> None:
    asked = ExpectedPayment(ORDER, 39000)
    assert (asked.amount, asked.currency, asked.account, asked.open) == (PRICE, "KRW", None, True)
    assert (asked.pay_methods, asked.pg_providers, asked.metadata) == (None, None, None)


LETTERS = "three letters, as ISO 4217 has them"
NAMES = "a set or list of names"


def test_a_currency_is_upper_cased_and_names_become_a_set() -> None:
    asked = ExpectedPayment(ORDER, "10.99", "usd", pay_methods=["card", "card"], open=0)  # type: ignore[arg-type]
    assert (asked.currency, asked.pay_methods, asked.open) == ("USD", frozenset({"card"}), False)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"merchant_uid": None}, "ExpectedPayment.merchant_uid must be text, not NoneType"),
        ({"merchant_uid": 1001}, "ExpectedPayment.merchant_uid must be text, not int"),
        ({"currency": None}, f"ExpectedPayment.currency must be {LETTERS}, not NoneType"),
        ({"currency": 410}, f"ExpectedPayment.currency must be {LETTERS}, not int"),
        ({"currency": "KRW "}, f"ExpectedPayment.currency must be {LETTERS}, not 'KRW '"),
        ({"account": 1}, "ExpectedPayment.account must be text or None, not int"),
        ({"open": None}, "ExpectedPayment.open must be True or False, not NoneType"),
        ({"open": "no"}, "ExpectedPayment.open must be True or False, not str"),
        ({"pay_methods": "card"}, f"ExpectedPayment.pay_methods must be {NAMES}, not str"),
        ({"pay_methods": b"card"}, f"ExpectedPayment.pay_methods must be {NAMES}, not bytes"),
        ({"pay_methods": 1}, f"ExpectedPayment.pay_methods must be {NAMES}, not int"),
        (
            {"pay_methods": ["card", 1]},
            f"ExpectedPayment.pay_methods must be {NAMES}, all text, not int",
        ),
        (
            {"pg_providers": iter(["kcp"])},
            f"ExpectedPayment.pg_providers must be {NAMES}, not list_iterator",
        ),
    ],
)
def test_what_an_order_may_not_be_is_named_by_its_type(
    fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(StoreError) as caught:
        ExpectedPayment(**{"merchant_uid": ORDER, "amount": 39000, **fields})
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    "currency", ["", "KRW ", "KRW       ", " KRW", "₩", "원", "410", "KR", "KRW\n"]
)
def test_a_currency_that_no_payment_has_is_the_shops_mistake_and_no_forgery(currency: str) -> None:
    with pytest.raises(StoreError, match=r"currency must be three letters"):
        ExpectedPayment(ORDER, 39000, currency)


@pytest.mark.parametrize("names", [["card "], ["\tcard"], [""], ["card", " "]])
@pytest.mark.parametrize("field", ["pay_methods", "pg_providers"])
def test_names_that_no_payment_has_are_the_shops_mistake_and_no_forgery(
    field: str, names: Any
) -> None:
    with pytest.raises(StoreError, match=f"{field} must be names without white space"):
        ExpectedPayment(ORDER, 39000, **{field: names})


@pytest.mark.parametrize("amount", [39000.0, True, "39,000", None, float("nan"), 0, -1, [39000]])
def test_an_amount_that_is_none_is_named_by_its_type(amount: Any) -> None:
    with pytest.raises(StoreError, match=f"not {type(amount).__name__}"):
        ExpectedPayment(ORDER, amount)


def test_no_value_of_text_is_repeated_in_an_error() -> None:
    fields: dict[str, Any]
    for fields in (
        {"amount": "Kim"},
        {"amount": 1, "open": "Kim"},
        {"amount": 1, "pay_methods": "Kim"},
    ):
        with pytest.raises(StoreError) as caught:
            ExpectedPayment(ORDER, **fields)
        assert "Kim" not in str(caught.value)


def test_what_the_shop_hands_on_to_itself_is_neither_shown_nor_compared() -> None:
    asked = order(metadata={"name": "Kim"})
    assert "Kim" not in repr(asked)
    assert asked == order()
    assert hash(asked) == hash(order())
    assert asked != order(open=False)


def test_an_order_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        order().amount = Decimal(1)  # type: ignore[misc]


# --- what a shop's `expected` may give -----------------------------------------------------------


@pytest.mark.parametrize("given", [39000, "39000", Decimal("39000.00"), order(), order(open=False)])
def test_an_amount_or_an_order_is_an_order(given: object) -> None:
    asked = read_expected(ORDER, given)
    assert asked is not None
    assert (asked.merchant_uid, asked.amount) == (ORDER, PRICE)


def test_none_and_an_order_of_another_number_are_no_such_order() -> None:
    assert read_expected(ORDER, None) is None
    for other in ("ord-1001", "ORD-1001 ", "ORD-100", ""):
        assert read_expected(ORDER, order(merchant_uid=other)) is None


async def _coroutine() -> int:
    return 39000


@pytest.mark.parametrize(
    "make",
    [
        lambda: 39000.0,
        lambda: True,
        lambda: False,
        lambda: (39000,),
        lambda: {"amount": 39000},
        lambda: payment(),
        lambda: b"39000",
        lambda: _coroutine(),
        lambda: 0,
        lambda: "",
    ],
)
def test_anything_else_is_a_store_error_that_names_the_order(make: Callable[[], object]) -> None:
    with pytest.raises(StoreError, match=r"^order 'ORD-1001': an expected amount must be"):
        read_expected(ORDER, make())


# --- Outcome -------------------------------------------------------------------------------------


@pytest.mark.parametrize("settled", [None, *Settled])
@pytest.mark.parametrize("verdict", Verdict)
def test_only_money_that_the_store_took_is_paid(verdict: Verdict, settled: Settled | None) -> None:
    money = verdict in (Verdict.PAID, Verdict.PARTLY_CANCELLED)
    taken = settled in (Settled.NEW, Settled.REPEATED)
    assert outcome(verdict, payment(), settled=settled).paid is (money and taken)


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (outcome(Verdict.PAID, payment()), f"{I1}:paid"),
        (outcome(Verdict.FORGERY, payment(), Reason.AMOUNT), f"{I1}:forgery:amount:money"),
        (outcome(Verdict.FORGERY, account(), Reason.AMOUNT), f"{I1}:forgery:amount"),
        (outcome(Verdict.FORGERY, payment(), None), f"{I1}:forgery:money"),
        (
            outcome(Verdict.PARTLY_CANCELLED, payment(), part="c1"),
            f"{I1}:partly_cancelled:c1",
        ),
        (
            outcome(Verdict.PENDING, payment(), Reason.UNLIMITED_ACCOUNT, part="d1-1"),
            f"{I1}:pending:unlimited_account:d1-1",
        ),
        (Outcome(Verdict.UNKNOWN_PAYMENT, imp_uid=I1), f"{I1}:unknown_payment"),
    ],
)
def test_the_key_is_the_payment_the_verdict_and_what_tells_it_from_its_like(
    told: Outcome, key: str
) -> None:
    assert told.key == key
    assert told.key == f"{I1}:{told.change}"


@pytest.mark.parametrize(
    ("of", "reason", "money"),
    [
        (payment(), None, True),
        (payment("paid", 9000), None, True),
        (payment("cancelled", 9000), None, True),
        (payment("paid", PRICE), None, False),
        (payment("cancelled", PRICE), None, False),
        (payment("cancelled"), None, False),
        (payment("ready"), None, False),
        (payment("failed"), None, False),
        (payment("settled", 9000), None, False),
        (payment(amount=0), None, False),
        (payment(), Reason.AMOUNT, True),
        (payment(), Reason.ORDER, True),
        (payment(), Reason.CARD_REGISTRATION, False),
        (payment(customer_uid_usage="issue"), Reason.TEST_PAYMENT, False),
    ],
)
def test_money_is_what_was_paid_and_not_given_back(
    of: Payment, reason: Reason | None, money: bool
) -> None:
    assert outcome(Verdict.FORGERY, of, reason).money is money


def test_an_unknown_payment_holds_no_money() -> None:
    assert not Outcome(Verdict.UNKNOWN_PAYMENT, imp_uid=I1).money


def test_the_key_is_the_same_whoever_delivers_and_whatever_the_store_did() -> None:
    told = outcome(Verdict.PAID, payment())
    for other in (
        replace(told, endpoint="complete"),
        replace(told, settled=Settled.REPEATED, refetched=True),
        replace(told, expected=None),
        replace(told, payment=payment(cancelled=9000)),
    ):
        assert other.key == told.key


def test_an_outcome_is_printed_without_a_buyers_data() -> None:
    paid = payment(
        buyer_name="Kim",
        buyer_email="kim@example.com",
        card_number="1234****",
        vbank_num="110-222",
        custom_data={"name": "Kim"},
    )
    told = outcome(
        Verdict.PAID,
        paid,
        cancellations=(Cancellation("c1", PRICE, reason="Kim"),),
        expected=order(metadata="Kim"),
    )
    for private in ("Kim", "kim@", "1234", "110-222"):
        assert private not in repr(told)
        assert private not in repr(paid)
    assert I1 in repr(told)


# --- Payment -------------------------------------------------------------------------------------

TEXTS = ("fail_reason", "receipt_url", "buyer_name", "vbank_holder", "pg_tid", "customer_uid")
TIMES = ("paid_at", "started_at", "cancelled_at", "failed_at", "vbank_date", "vbank_issued_at")
ANYTHING = ("custom_data", "cancel_history", "deposit_history", "escrow", "promotion", "card_quota")


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_no_rule_reads_is_its_text_or_none(name: str) -> None:
    assert getattr(payment(), name) is None
    assert getattr(payment(raw={name: "x"}), name) == "x"
    assert getattr(payment(raw={name: ""}), name) == ""
    odd_texts: tuple[object, ...] = (None, 5, True, [], {}, Decimal(1))
    for odd in odd_texts:
        assert getattr(payment(raw={name: odd}), name) is None


@pytest.mark.parametrize("name", TIMES)
def test_a_moment_is_an_aware_time_in_utc_or_none(name: str) -> None:
    assert getattr(payment(), name) is None
    moment = getattr(payment(raw={name: 1735700000}), name)
    assert moment == datetime(2025, 1, 1, 2, 53, 20, tzinfo=UTC)
    assert moment.tzinfo is UTC
    odd_moments: tuple[object, ...] = (
        0,
        -1,
        None,
        "1735700000.5",
        "-1",
        "1e9",
        "",
        "9" * 13,
        True,
        [],
        {},
        2**40,
        10**400,
        Decimal("1E+30"),
        1.5,
    )
    for odd in odd_moments:
        assert getattr(payment(raw={name: odd}), name) is None


@pytest.mark.parametrize("name", ANYTHING)
def test_a_field_without_a_rule_is_handed_on_as_it_came(name: str) -> None:
    assert getattr(payment(), name) is None
    for value in ("{broken", '{"a":1}', {"a": 1}, [1], 0, False, None):
        assert getattr(payment(raw={name: value}), name) == value


def test_a_fraction_of_a_second_is_a_moment_too() -> None:
    assert read_time(Decimal("1735700000.5")) == datetime(2025, 1, 1, 2, 53, 20, 500000, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Seoul", "UTC"])
def test_s14_a_moment_is_the_same_whatever_the_server_s_zone_and_however_it_is_written(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for given in (1735700000, "1735700000", Decimal(1735700000)):
            moment = payment(paid_at=given).paid_at
            assert moment == datetime(2025, 1, 1, 2, 53, 20, tzinfo=UTC)
            assert moment is not None
            assert moment.isoformat() == "2025-01-01T02:53:20+00:00"
        for nothing in (0, "0", None, ""):
            assert payment(paid_at=nothing).paid_at is None
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", [253402214400, 253402300799, 2**40, Decimal("1e20"), -1, 0, True])
def test_a_moment_that_some_time_zone_does_not_have_is_none(value: object) -> None:
    assert read_time(value) is None
    assert read_time(253402214399) == datetime(9999, 12, 30, 23, 59, 59, tzinfo=UTC)


@given(st.integers() | st.decimals(allow_nan=False) | st.floats() | st.text() | st.booleans())
def test_reading_a_moment_never_fails(value: object) -> None:
    moment = read_time(value)
    assert moment is None or moment.tzinfo is UTC


def test_what_is_left_is_the_amount_less_what_was_cancelled_whatever_a_shop_rounds_to() -> None:
    with localcontext() as context:
        context.prec = 2
        assert payment("cancelled", "0.01").remaining == Decimal("38999.99")
    assert payment().remaining == PRICE


def test_a_payment_can_be_hashed_and_is_frozen() -> None:
    paid = payment(custom_data={"a": 1})
    assert hash(paid) == hash(payment())
    assert paid != payment()
    with pytest.raises(FrozenInstanceError):
        paid.amount = Decimal(1)  # type: ignore[misc]


def test_a_payment_of_the_shops_own_making_needs_the_rules_fields_only() -> None:
    paid = Payment(I1, ORDER, "paid", PRICE)
    assert (paid.cancel_amount, paid.currency, paid.sandbox, paid.pay_method) == (
        Decimal(0),
        "KRW",
        False,
        None,
    )
    assert paid.raw == {}


def test_a_receipt_begins_with_nothing_cancelled_in_won_and_no_test() -> None:
    kept = Receipt(I1, ORDER, ReceiptState.PAYING, PRICE)
    assert kept.cancel_amount == 0
    assert (kept.currency, kept.account, kept.test) == ("KRW", None, False)
