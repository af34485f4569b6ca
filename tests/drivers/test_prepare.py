"""Registering an order's amount before its window opens: the sandbox is the gateway, over
sockets."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    Checkout,
    Credentials,
    ExpectedPayment,
    GatewayError,
    GatewayRefused,
    InvalidRequest,
    StoreError,
    Verifier,
)
from imp_verify.sandbox import Account, Fault, Refused, SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.drivers.driving import Driver

ORDER = "ORD1001"
ACCOUNT = Account()


class Shop:
    def __init__(self, driver: Driver, gateway: SandboxServer, **arguments: Any) -> None:
        self.driver, self.gateway = driver, gateway
        self.expects: object = 39000
        kind: Any = AsyncVerifier if driver.is_async else Verifier
        arguments.setdefault("credentials", Credentials(ACCOUNT.key, ACCOUNT.secret))
        store = MemoryStore(expected=lambda number, _: self.expects)  # type: ignore[arg-type, return-value]
        self.verifier = kind(store, base_url=gateway.url, test_mode=True, **arguments)

    def prepare(self, number: str = ORDER) -> None:
        self.driver.call(self.verifier, "prepare", number)

    def prepared(self, number: str = ORDER) -> object:
        return self.driver.call(self.verifier, "prepared", number)

    def window(self, amount: object, currency: str = "KRW") -> object:
        """Open the window as a page would; gives what the gateway says where it does not open."""
        asked = {"merchant_uid": ORDER, "amount": amount, "currency": currency}
        try:
            return self.gateway.sandbox.gateway.open(asked).amount
        except Refused as error:
            return error.message


@pytest.fixture
def gateway() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def shop(driver: Driver, gateway: SandboxServer) -> Iterator[Shop]:
    made = Shop(driver, gateway)
    yield made
    driver.call(made.verifier, "close")


def test_the_window_opens_for_what_the_store_expects_and_for_nothing_else(shop: Shop) -> None:
    assert shop.prepared() is None
    shop.prepare()
    assert shop.prepared() == 39000
    assert "일치하지 않습니다" in str(shop.window(100))
    assert "일치하지 않습니다" in str(shop.window(39000, "USD"))
    assert shop.window(39000) == 39000


def test_it_is_repeatable_and_another_amount_takes_the_place(shop: Shop) -> None:
    shop.prepare()
    shop.prepare()
    shop.expects = ExpectedPayment(ORDER, "19.99", "USD")
    shop.prepare()
    assert str(shop.prepared()) == "19.99"
    assert "일치하지 않습니다" in str(shop.window(Decimal("19.99"), "KRW"))
    shop.expects = ExpectedPayment(ORDER, 20, "KRW")
    shop.prepare()
    assert shop.window(20) == 20


@pytest.mark.parametrize(
    ("number", "expects", "what"),
    [
        (ORDER, None, "there is no order"),
        (ORDER, ExpectedPayment(ORDER, 39000, open=False), "closed"),
        ("A" * 41, 39000, "at most 40"),
        ("", 39000, "merchant_uid"),
        (" ORD", 39000, "merchant_uid"),
    ],
)
def test_what_cannot_be_prepared_is_said_before_any_call(
    shop: Shop, number: str, expects: object, what: str
) -> None:
    shop.expects = expects
    shop.gateway.sandbox.faults.add(Fault("token", status=418))
    with pytest.raises(InvalidRequest, match=what):
        shop.prepare(number)
    assert shop.gateway.sandbox.faults.take("token"), "it was sent"


def test_an_order_that_was_paid_is_refused_whatever_the_shop_says_of_it(shop: Shop) -> None:
    shop.prepare()
    made = shop.gateway.sandbox.gateway.make(merchant_uid=ORDER, amount=39000, status="paid")
    assert shop.driver.call(shop.verifier, "verify", made.imp_uid, ORDER).paid
    shop.gateway.sandbox.faults.add(Fault("prepare", status=418))
    with pytest.raises(InvalidRequest, match="was paid"):
        shop.prepare()
    assert shop.gateway.sandbox.faults.take("prepare"), "it was sent"


def test_a_number_that_the_chosen_pg_cuts_is_refused(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = Shop(driver, gateway, checkout=Checkout("imp00000000", pg="smartro_v2.mid"))
    with pytest.raises(InvalidRequest, match="letters and digits"):
        shop.prepare("ORD-1001")
    driver.call(shop.verifier, "close")


def test_a_price_that_is_none_is_the_shops_to_mend(shop: Shop) -> None:
    shop.expects = 39000.0
    with pytest.raises(StoreError):
        shop.prepare()


def test_what_the_gateway_refuses_comes_in_its_own_words(shop: Shop) -> None:
    refusal = '{"code": 1, "message": "이미 결제된 주문번호입니다.", "response": null}'
    shop.gateway.sandbox.faults.add(Fault("prepare", status=200, body=refusal))
    with pytest.raises(GatewayRefused) as refused:
        shop.prepare()
    assert refused.value.message == "이미 결제된 주문번호입니다."


@pytest.mark.parametrize("status", [500, 503])
def test_trouble_is_told_and_not_tried_again(shop: Shop, status: int) -> None:
    shop.gateway.sandbox.faults.add(Fault("prepare", status=status, times=1))
    with pytest.raises(GatewayError):
        shop.prepare()
    assert shop.prepared() is None


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        '{"code": 0, "message": null, "response": []}',
        '{"code": 0, "message": null, "response": {"merchant_uid": "ORD1001"}}',
        '{"code": 0, "message": null, "response": {"merchant_uid": "ORD1001", "amount": "x"}}',
        '{"code": 0, "message": null, "response": {"merchant_uid": 1, "amount": 1}}',
        '{"code": 0, "response": {"merchant_uid": "ORD1001", "amount": 1, "currency": 5}}',
    ],
)
def test_an_answer_that_is_none_is_trouble(shop: Shop, body: str) -> None:
    shop.gateway.sandbox.faults.add(Fault("prepare", status=200, body=body))
    with pytest.raises(GatewayError):
        shop.prepared()


def test_nothing_is_registered_where_the_gateway_says_404_or_names_another(shop: Shop) -> None:
    unknown = (
        '{"code": -1, "message": "사전등록된 결제정보가 존재하지 않습니다.", "response": null}'
    )
    shop.gateway.sandbox.faults.add(Fault("prepare", status=404, body=unknown))
    assert shop.prepared() is None
    other = '{"code": 0, "message": null, "response": {"merchant_uid": "X", "amount": 1}}'
    shop.gateway.sandbox.faults.add(Fault("prepare", status=200, body=other))
    assert shop.prepared() is None
    with pytest.raises(InvalidRequest):
        shop.prepared("..")


def test_each_order_is_registered_with_its_own_account(
    driver: Driver, gateway: SandboxServer
) -> None:
    keys = Credentials(ACCOUNT.key, ACCOUNT.secret)
    shop = Shop(driver, gateway, credentials=None, accounts={"kr": keys})
    shop.expects = ExpectedPayment(ORDER, 39000, account="us")
    with pytest.raises(StoreError, match="'kr'"):
        shop.prepare()
    shop.expects = ExpectedPayment(ORDER, 39000, account="kr")
    shop.prepare()
    assert shop.prepared() == 39000
    driver.call(shop.verifier, "close")
