"""How much was paid, in what currency: exactly what the order asks for, or nothing is kept."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from imp_verify import ExpectedPayment, Reason
from tests.support.gateway import I1, ORDER, PRICE, Reply, ScriptedGateway, payment
from tests.support.shop import Shop

SUCCESS = (200, "success")
FORGERY = (400, "forgery")
TROUBLE = (503, "unavailable")


def literal(amount: str, **changes: object) -> Reply:
    """P{...} whose amount is written into the body exactly so."""
    text = json.dumps({"code": 0, "message": None, "response": payment(amount="@", **changes)})
    return Reply(200, text.replace('"@"', amount).encode())


def usd(amount: Decimal | int | str) -> ExpectedPayment:
    return ExpectedPayment(ORDER, amount, "USD")


@pytest.mark.parametrize("endpoint", ["complete", "webhook"])
def test_A01_an_amount_that_the_client_sends_is_ignored(
    shop: Shop, gateway: ScriptedGateway, endpoint: str
) -> None:
    gateway.has(amount=1000)
    claims = {"amount": 1000, "paid_amount": 1000}
    answer = shop.complete(**claims) if endpoint == "complete" else shop.webhook(**claims)
    assert answer.told == FORGERY
    shop.assert_not_paid()
    assert shop.state() is None
    assert shop.hooks == ["on_forgery"]


@pytest.mark.parametrize(("paid", "told"), [(10, FORGERY), (10.99, SUCCESS), (10.9, FORGERY)])
def test_A02_nothing_is_cut_or_rounded(
    shop: Shop, gateway: ScriptedGateway, paid: float, told: tuple[int, str]
) -> None:
    shop.orders[ORDER] = usd(Decimal("10.99"))
    gateway.has(amount=paid, currency="USD")
    assert shop.complete().told == told
    assert shop.paid == (told == SUCCESS)


@pytest.mark.parametrize("amount", ["19.99", "1.10", "0.07", "4503599627370497.5"])
def test_A03_amounts_are_read_as_written_not_through_binary_floats(
    shop: Shop, gateway: ScriptedGateway, amount: str
) -> None:
    shop.orders[ORDER] = usd(Decimal(amount))
    gateway.payments[I1] = literal(amount, currency="USD")
    assert shop.complete().told == SUCCESS
    receipt = shop.receipt()
    assert receipt is not None
    assert receipt.amount == Decimal(amount)


def test_A03_a_cent_more_than_a_large_amount_is_another_amount(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders[ORDER] = usd(Decimal("4503599627370497.51"))
    gateway.payments[I1] = literal("4503599627370497.5", currency="USD")
    assert shop.complete().told == FORGERY


@pytest.mark.parametrize("amount", ['"39000"', "39000.0", "39000.00", '"39000.0"', "3.9e4"])
def test_A04_one_number_may_be_written_in_many_ways(
    shop: Shop, gateway: ScriptedGateway, amount: str
) -> None:
    gateway.payments[I1] = literal(amount)
    assert shop.complete().told == SUCCESS
    shop.assert_paid_once()


@pytest.mark.parametrize("amount", ["39,000", "39000원", "", " 39000 ", "+39000", "３９０００"])
def test_A04_what_is_no_plain_number_is_trouble(
    shop: Shop, gateway: ScriptedGateway, amount: str
) -> None:
    gateway.has(amount=amount)
    assert shop.complete().told == TROUBLE
    assert shop.webhook().told == TROUBLE
    shop.assert_nothing_recorded()


@pytest.mark.parametrize(("amount", "told"), [(..., TROUBLE), (None, TROUBLE), (0, FORGERY)])
def test_A06_a_missing_amount_is_never_a_default(
    shop: Shop, gateway: ScriptedGateway, amount: object, told: tuple[int, str]
) -> None:
    gateway.has(amount=amount)
    assert shop.complete().told == told
    shop.assert_not_paid()
    assert shop.state() is None


@pytest.mark.parametrize(
    ("currency", "told"),
    [
        ("KRW", FORGERY),
        ("JPY", FORGERY),
        ("", FORGERY),
        (None, FORGERY),
        (..., FORGERY),
        ("usd", SUCCESS),
        ("USD", SUCCESS),
    ],
)
def test_A08_equal_numbers_in_another_currency_are_no_payment(
    shop: Shop, gateway: ScriptedGateway, currency: object, told: tuple[int, str]
) -> None:
    shop.orders[ORDER] = usd(100)
    gateway.has(amount=100, currency=currency)
    assert shop.complete().told == told
    assert shop.paid == (told == SUCCESS)


def test_A08_a_bare_number_means_won(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(currency="USD")
    assert shop.complete().told == FORGERY
    gateway.has(currency="krw")
    assert shop.complete().told == SUCCESS


@pytest.mark.parametrize("amount", ["true", "NaN", "Infinity", "-Infinity", "1e400", "-1", "[1]"])
def test_A10_what_only_a_language_takes_for_a_number_is_trouble(
    shop: Shop, gateway: ScriptedGateway, amount: str
) -> None:
    shop.orders[ORDER] = 1
    gateway.payments[I1] = literal(amount)
    answer = shop.complete()
    assert answer.told == TROUBLE
    assert "Error" not in answer.body.decode()
    shop.assert_nothing_recorded()


@pytest.mark.parametrize("amount", ["-0", "-0.0"])
def test_A10_minus_nothing_is_nothing(shop: Shop, gateway: ScriptedGateway, amount: str) -> None:
    gateway.payments[I1] = literal(amount)
    assert shop.complete().told == FORGERY
    shop.assert_not_paid()


def test_A12_sums_of_decimals_are_exact(shop: Shop, gateway: ScriptedGateway) -> None:
    shop.orders[ORDER] = usd(Decimal("0.1") + Decimal("0.2"))
    gateway.payments[I1] = literal("0.3", currency="USD")
    assert shop.complete().told == SUCCESS


def test_A12_a_float_is_refused_by_its_name(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    shop.orders[ORDER] = 0.1 + 0.2
    gateway.payments[I1] = literal("0.3")
    assert shop.complete().told == TROUBLE
    assert "float" in caplog.text
    assert "float" not in shop.complete().body.decode()
    shop.assert_nothing_recorded()


def test_A12_there_is_no_tolerance(shop: Shop, gateway: ScriptedGateway) -> None:
    shop.orders[ORDER] = 1000
    gateway.payments[I1] = literal("1000.004")
    assert shop.complete().told == FORGERY
    gateway.payments[I1] = literal("1000.00000001")
    assert shop.complete().told == FORGERY
    shop.assert_not_paid()


def test_n12_a_wallet_that_is_reported_as_point_is_forgery_unless_the_order_allows_it(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(pay_method="point", pg_provider="kakaopay")
    shop.expecting = lambda number: ExpectedPayment(number, PRICE, pay_methods={"card"})
    assert shop.complete().told == (400, "forgery")
    assert shop.webhook().told == (400, "forgery")
    [(name, outcome)] = shop.told
    assert (name, outcome.reason, outcome.money) == ("on_forgery", Reason.METHOD, True)
    shop.expecting = lambda number: ExpectedPayment(number, PRICE, pay_methods={"card", "point"})
    assert shop.complete().told == (200, "success")
    shop.assert_paid_once()
