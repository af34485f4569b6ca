"""Giving back what pays nothing: what the shop consented to and nothing else, once, whatever is
lost in between. The sandbox is the gateway, over sockets."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from imp_verify import (
    AsyncVerifier,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    GatewayRefused,
    GatewayUnavailable,
    GiveBack,
    InvalidRequest,
    OrderStore,
    Outcome,
    Reason,
    Refund,
    Settled,
    Verdict,
    Verifier,
)
from imp_verify._core import giving_back
from imp_verify.sandbox import Account, Attempt, Fault, SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.drivers.driving import Driver
from tests.support.relay import Relay

ORDER, PRICE = "ORD1001", 39000
ACCOUNT = Account()
ALL = ("forgery", "duplicate", "late")
REFUSAL = '{"code": 1, "message": "PG 점검 중입니다", "response": null}'


class Shop:
    def __init__(
        self, driver: Driver, gateway: SandboxServer, url: str | None = None, **arguments: Any
    ) -> None:
        self.driver, self.gateway = driver, gateway
        self.told: list[str] = []
        self.open = True
        self.amount = PRICE
        self.sold_out = False
        self.broken = False
        hooks = ("paid", "cancelled", "duplicate", "late", "forgery", "review")
        self.store: Any = MemoryStore(
            expected=lambda number, _: ExpectedPayment(number, self.amount, open=self.open),
            **{f"on_{name}": self.hook(name) for name in hooks},
        )
        kind: Any = AsyncVerifier if driver.is_async else Verifier
        self.verifier = kind(
            self.store,
            credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
            base_url=url or gateway.url,
            test_mode=True,
            **arguments,
        )

    def hook(self, name: str) -> Any:
        def hook(outcome: Outcome, _: None) -> None:
            if self.broken:
                raise LookupError("the shop's own fault")
            if name == "paid" and self.sold_out:
                raise GiveBack("sold out")
            self.told.append(name)

        return hook

    def pay(self, amount: int = PRICE, **fields: object) -> Attempt:
        return self.gateway.sandbox.gateway.make(
            **{"merchant_uid": ORDER, "amount": amount, "status": "paid", **fields}
        )

    def call(self, method: str, *arguments: object, **named: object) -> Any:
        return self.driver.call(self.verifier, method, *arguments, **named)

    def deliver(self, attempt: Attempt, number: str = ORDER) -> Outcome:
        outcome: Outcome = self.call("verify", attempt.imp_uid, number)
        return outcome

    def back(self, attempt: Attempt) -> int:
        """How much the gateway has given back."""
        return int(self.gateway.sandbox.gateway.attempt(attempt.imp_uid).cancel_amount)

    def due(self, attempt: Attempt) -> Any:
        return self.store.due(attempt.imp_uid)

    def wait(self, attempt: Attempt) -> None:
        """Let the time of the row's next try come."""
        row = self.due(attempt)
        past = datetime.now(UTC) - timedelta(seconds=1)
        self.store._dues[attempt.imp_uid] = replace(row, next_try=past)

    def twice(self) -> Attempt:
        """Pay the order, and then once more; gives the second payment."""
        assert self.deliver(self.pay()).paid
        return self.pay()


@pytest.fixture
def gateway() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


def make(driver: Driver, gateway: SandboxServer, *kinds: str, **arguments: Any) -> Shop:
    return Shop(driver, gateway, give_back=kinds, **arguments)


def reconciled(shop: Shop, kinds: list[str]) -> list[Any]:
    kind: Any = AsyncVerifier if shop.driver.is_async else Verifier
    verifier = kind(
        shop.store,
        credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
        base_url=shop.gateway.url,
        test_mode=True,
        give_back=kinds,
    )

    async def collect() -> list[Any]:
        return [each async for each in verifier.reconcile()]

    try:
        return shop.driver.finish(collect()) if shop.driver.is_async else list(verifier.reconcile())
    finally:
        shop.driver.call(verifier, "close")


def test_what_the_policy_names_is_given_back_and_the_answer_stays(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL)
    second = shop.twice()
    assert shop.deliver(second).verdict is Verdict.DUPLICATE
    forged = shop.pay(100, merchant_uid="ORD2")
    assert shop.deliver(forged, "ORD2").verdict is Verdict.FORGERY
    shop.open = False
    late = shop.pay(merchant_uid="ORD3")
    assert shop.deliver(late, "ORD3").verdict is Verdict.LATE
    for each, amount in ((second, PRICE), (forged, 100), (late, PRICE)):
        assert shop.back(each) == amount
        assert shop.due(each).done is not None
    assert shop.told == ["paid", "duplicate", "forgery", "late"]
    shop.call("close")


def test_by_default_nothing_is_given_back_but_what_a_person_names(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    for _ in range(2):
        assert shop.deliver(second).verdict is Verdict.DUPLICATE
    assert shop.back(second) == 0
    assert [each.kind for each in shop.store.dues(None, 10)] == ["duplicate"]
    outcome = shop.call("give_back", second.imp_uid)
    assert (outcome.verdict, outcome.endpoint) == (Verdict.CANCELLED, "give_back")
    assert shop.back(second) == PRICE
    with pytest.raises(InvalidRequest, match="due no more"):
        shop.call("give_back", second.imp_uid)
    with pytest.raises(InvalidRequest, match="nothing is due"):
        shop.call("give_back", "imp_000000000000")
    shop.call("close")


def test_what_on_paid_gave_back_goes_back_at_once_and_another_payment_may_pay(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    shop.sold_out = True
    first = shop.pay()
    outcome = shop.deliver(first)
    assert (outcome.verdict, outcome.reason) == (Verdict.LATE, Reason.REFUSED)
    assert shop.back(first) == PRICE
    assert shop.told == ["late"]
    shop.sold_out = False
    assert shop.deliver(shop.pay()).paid
    shop.call("close")


def test_X03_who_names_another_order_has_nothing_cancelled(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL)
    victim = shop.pay()
    assert shop.deliver(victim).paid
    outcome = shop.deliver(victim, "ORD9999")
    assert (outcome.verdict, outcome.reason) == (Verdict.FORGERY, Reason.ORDER)
    assert shop.back(victim) == 0
    shop.call("close")


def test_R18_nothing_is_cancelled_that_is_not_recorded(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL)
    second = shop.twice()
    shop.broken = True
    with pytest.raises(LookupError):
        shop.deliver(second)
    assert (shop.back(second), shop.due(second)) == (0, None)
    shop.broken = False
    shop.deliver(second)
    assert shop.back(second) == PRICE
    shop.call("close")


def test_a_late_order_that_is_opened_is_paid_and_no_longer_due(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    shop.open = False
    late = shop.pay()
    assert shop.deliver(late).verdict is Verdict.LATE
    shop.open = True
    assert shop.call("give_back", late.imp_uid).paid
    with pytest.raises(InvalidRequest, match="due no more"):
        shop.call("give_back", late.imp_uid)
    assert shop.back(late) == 0
    assert shop.due(late).done is not None
    assert shop.told == ["late", "paid"]
    shop.call("close")


def test_a_virtual_account_is_not_tried_without_the_buyers_own(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL)
    assert shop.deliver(shop.pay()).paid
    second = shop.pay(pay_method="vbank")
    assert shop.deliver(second).verdict is Verdict.DUPLICATE
    assert (shop.due(second).error, shop.due(second).begun) == ("needs_account", None)
    with pytest.raises(InvalidRequest, match="refund_to"):
        shop.call("give_back", second.imp_uid)
    with pytest.raises(InvalidRequest, match="Refund"):
        shop.call("give_back", second.imp_uid, refund_to="110-123")
    refund = Refund("홍길동", "88", "110123456789", "01000000000")
    outcome = shop.call("give_back", second.imp_uid, refund_to=refund)
    assert outcome.verdict is Verdict.CANCELLED
    assert shop.back(second) == PRICE
    shop.call("close")


def test_a_pg_that_cancels_later_is_asked_once_until_a_person_says_so(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL)
    assert shop.deliver(shop.pay()).paid
    second = shop.pay(pg_provider="paypal_v2", pay_method="paypal", currency="KRW")
    for _ in range(3):
        assert shop.deliver(second).verdict is Verdict.DUPLICATE
    row = shop.due(second)
    assert (row.error, row.tries, row.done) == ("asked", 1, None)
    with pytest.raises(InvalidRequest, match="being given back"):
        shop.call("give_back", second.imp_uid)
    assert shop.back(second) == 0
    gateway.sandbox.clock.advance(7200)
    assert shop.deliver(second).verdict is Verdict.CANCELLED
    assert shop.back(second) == PRICE
    assert shop.due(second).done is not None
    shop.call("close")


@pytest.mark.parametrize("lost", [False, True])
def test_what_a_clerk_had_cancelled_at_a_pg_that_cancels_later_is_asked_for_no_second_time(
    driver: Driver, gateway: SandboxServer, lost: bool
) -> None:
    shop = make(driver, gateway)
    assert shop.deliver(shop.pay()).paid
    second = shop.pay(pg_provider="paypal_v2", currency="KRW")
    shop.deliver(second)
    if lost:
        gateway.sandbox.faults.add(Fault("cancel", lost=True))
        with pytest.raises(GatewayUnavailable):
            shop.call("cancel", second.imp_uid, reason="고객 요청")
    else:
        assert shop.call("cancel", second.imp_uid, reason="고객 요청").money
    assert shop.due(second).error == "asked"
    gateway.sandbox.clock.advance(24 * 3600)
    assert shop.back(second) == PRICE
    assert shop.deliver(second).verdict is Verdict.CANCELLED
    assert shop.due(second).done is not None
    shop.call("close")


def test_what_a_clerk_had_cancelled_is_left_to_a_person_also_once_the_pg_refused_a_second_cancel(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, "duplicate", timeout=2.9)  # too short for a try of its own
    assert shop.deliver(shop.pay()).paid
    second = shop.pay(pg_provider="paypal_v2", currency="KRW")
    shop.deliver(second)
    assert shop.call("cancel", second.imp_uid, reason="고객 요청").money
    gateway.sandbox.faults.add(Fault("cancel", status=200, body=REFUSAL))
    with pytest.raises(GatewayRefused):
        shop.call("give_back", second.imp_uid)
    row = shop.due(second)
    assert (row.error, row.tries) == ("asked", 1)
    assert not giving_back.is_tried(shop.verifier.settings, row)
    shop.call("close")


@pytest.mark.parametrize("lost", [False, True])
def test_what_a_clerk_had_cancelled_is_left_to_a_person_also_where_it_could_not_be_looked_up(
    driver: Driver, gateway: SandboxServer, lost: bool
) -> None:
    shop = make(driver, gateway, "duplicate", timeout=2.9)  # too short for a try of its own
    assert shop.deliver(shop.pay()).paid
    second = shop.pay(pg_provider="paypal_v2", currency="KRW")
    shop.deliver(second)
    gateway.sandbox.faults.add(Fault("payment", status=503, times=2))
    if lost:
        gateway.sandbox.faults.add(Fault("cancel", lost=True))
    with pytest.raises(GatewayUnavailable):
        shop.call("cancel", second.imp_uid, reason="고객 요청")
    assert shop.due(second).error == "asked"
    assert not giving_back.is_tried(shop.verifier.settings, shop.due(second))
    shop.call("close")


def test_what_a_clerk_had_cancelled_and_the_pg_cancels_later_pays_no_order_meanwhile(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    shop.open = False
    late = shop.pay(pg_provider="paypal_v2", currency="KRW")
    assert shop.deliver(late).verdict is Verdict.LATE
    assert shop.call("cancel", late.imp_uid, reason="마감").money
    shop.open = True  # so that the buyer can pay again
    assert shop.deliver(late).verdict is Verdict.LATE
    again = shop.pay()
    assert shop.deliver(again).paid
    gateway.sandbox.clock.advance(24 * 3600)
    assert shop.deliver(late).verdict is Verdict.CANCELLED
    assert shop.told == ["late", "paid"]
    shop.call("close")


def test_what_was_accepted_and_could_not_be_looked_up_leaves_word_of_that(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    shop.deliver(second)
    gateway.sandbox.faults.add(Fault("payment", status=503, times=2, skip=1))
    with pytest.raises(GatewayUnavailable) as error:
        shop.call("give_back", second.imp_uid)
    assert shop.back(second) == PRICE
    assert error.value.__notes__ == [f"the gateway has accepted the cancel of {second.imp_uid}"]
    shop.call("close")


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_an_answer_that_is_lost_gives_back_once(
    driver: Driver, gateway: SandboxServer, cut: int
) -> None:
    with Relay(urlsplit(gateway.url).port or 0, "/payments/cancel") as relay:
        shop = make(driver, gateway, *ALL, url=relay.url)
        second = shop.twice()
        relay.cut = cut
        assert shop.deliver(second).verdict is Verdict.DUPLICATE
        assert shop.back(second) == PRICE
        assert shop.due(second).done is not None, "it was looked up at once"
        assert relay.calls == 1
        assert shop.deliver(second).verdict is Verdict.CANCELLED
        assert relay.calls == 1
        shop.call("close")


def test_where_even_the_look_up_is_lost_the_next_try_looks_first(
    driver: Driver, gateway: SandboxServer
) -> None:
    with Relay(urlsplit(gateway.url).port or 0, "/payments/") as relay:
        shop = make(driver, gateway, url=relay.url)
        second = shop.twice()
        shop.deliver(second)
        gateway.sandbox.faults.add(Fault("cancel", lost=True))
        with pytest.raises(GatewayUnavailable) as lost:
            shop.call("give_back", second.imp_uid)
        assert lost.value.uncertain
        assert shop.back(second) == PRICE
        with pytest.raises(InvalidRequest, match="due no more"):
            shop.call("give_back", second.imp_uid)
        shop.call("close")


def test_a_refusal_is_noted_and_tried_again_later_and_no_answer_changes(
    driver: Driver, gateway: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make(driver, gateway, *ALL)
    second = shop.twice()
    gateway.sandbox.faults.add(Fault("cancel", status=200, body=REFUSAL, times=2))
    caplog.clear()
    for _ in range(2):
        assert shop.deliver(second).verdict is Verdict.DUPLICATE
    row = shop.due(second)
    assert (row.error, row.tries) == ("PG 점검 중입니다", 1)
    assert row.next_try > datetime.now(UTC)
    (line,) = (each.message for each in caplog.records if "giving back" in each.message)
    assert "PG 점검 중입니다" in line
    with pytest.raises(GatewayRefused):
        shop.call("give_back", second.imp_uid)
    shop.wait(second)
    shop.deliver(second)
    assert shop.back(second) == PRICE
    shop.call("close")


def test_without_three_seconds_left_it_waits_for_the_next_delivery(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL, timeout=2.9)
    second = shop.twice()
    shop.deliver(second)
    assert (shop.back(second), shop.due(second).tries) == (0, 0)
    assert [each.kind for each in shop.store.dues(None, 5)] == ["duplicate"]
    shop.call("close")


def test_what_a_clerk_gave_back_meanwhile_is_not_given_back_again(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    shop.deliver(second)
    gateway.sandbox.cancel(second.imp_uid)
    outcome = shop.call("give_back", second.imp_uid)
    assert outcome.verdict is Verdict.CANCELLED
    assert shop.back(second) == PRICE
    assert shop.due(second).done is not None
    shop.call("close")


@pytest.mark.parametrize("told", ["by the verifier", "by no notice"])
def test_where_a_clerk_cancelled_the_orders_own_payment_a_person_decides(
    driver: Driver, gateway: SandboxServer, told: str
) -> None:
    shop = make(driver, gateway, "late")
    first = shop.pay()
    assert shop.deliver(first).paid
    second = shop.pay()
    shop.deliver(second)
    if told == "by no notice":
        gateway.sandbox.cancel(first.imp_uid)
    else:
        shop.call("cancel", first.imp_uid, reason="고객 요청")
    with pytest.raises(InvalidRequest, match="look again"):
        shop.call("give_back", second.imp_uid)
    assert shop.due(second).error == "order_refunded"
    assert (shop.told.count("review"), shop.told.count("cancelled")) == (1, 1)
    assert shop.back(second) == 0
    shop.call("give_back", second.imp_uid)  # a person has looked
    assert shop.back(second) == PRICE
    shop.call("close")


def test_the_policy_gives_no_duplicate_back_once_the_orders_own_payment_went_without_a_notice(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, "duplicate")
    first = shop.pay()
    assert shop.deliver(first).paid
    second = shop.pay()
    gateway.sandbox.cancel(first.imp_uid)
    assert shop.deliver(second).verdict is Verdict.DUPLICATE
    assert shop.back(second) == 0
    assert shop.due(second).error == "order_refunded"
    assert shop.told == ["paid", "duplicate", "cancelled", "review"]
    shop.call("close")


def test_a_part_that_was_cancelled_of_the_orders_own_payment_keeps_no_duplicate_from_going_back(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, "duplicate")
    first = shop.pay()
    assert shop.deliver(first).paid
    second = shop.pay()
    gateway.sandbox.cancel(first.imp_uid, Decimal(1000))
    shop.deliver(second)
    assert (shop.back(first), shop.back(second)) == (1000, PRICE)
    shop.call("close")


def test_a_payment_of_the_order_that_nobody_can_read_keeps_no_money_from_going_back(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, "duplicate")
    second = shop.twice()
    row = {"imp_uid": "imp_1", "merchant_uid": ORDER, "status": "failed", "amount": None}
    page = {"total": 1, "previous": 0, "next": 0, "list": [row]}
    body = json.dumps({"code": 0, "message": None, "response": page})
    gateway.sandbox.faults.add(Fault("find_all", status=200, body=body))
    shop.deliver(second)
    assert shop.back(second) == PRICE
    shop.call("close")


def test_deliveries_at_once_send_one_cancel(driver: Driver, gateway: SandboxServer) -> None:
    with Relay(urlsplit(gateway.url).port or 0, "/payments/cancel") as relay:
        shop = make(driver, gateway, *ALL, url=relay.url)
        second = shop.twice()
        begun = [driver.begin(shop.verifier, "verify", second.imp_uid, ORDER) for _ in range(8)]
        verdicts = {each.result(30).verdict for each in begun}
        assert verdicts <= {Verdict.DUPLICATE, Verdict.CANCELLED}
        assert (relay.calls, shop.back(second)) == (1, PRICE)
        shop.call("close")


def test_a_payment_that_the_gateway_forgot_is_left_to_a_person(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    shop.deliver(second)
    unknown = '{"code": 1, "message": "존재하지 않는 결제정보입니다.", "response": null}'
    gateway.sandbox.faults.add(Fault("payment", status=404, body=unknown))
    assert shop.call("give_back", second.imp_uid).verdict is Verdict.UNKNOWN_PAYMENT
    assert shop.due(second).error == "unknown_payment"
    shop.call("close")


def test_reconcile_tries_what_the_policy_names_and_tells_the_rest(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    shop.deliver(second)
    shop.call("close")
    found = reconciled(shop, ["duplicate"])
    assert [(each.kind, each.outcome.verdict) for each in found] == [("due", Verdict.CANCELLED)]
    assert shop.back(second) == PRICE


def test_the_policy_leaves_it_to_a_person_where_a_clerk_cancelled_the_other_payment(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, *ALL)
    first = shop.pay()
    assert shop.deliver(first).paid
    second = shop.pay()
    gateway.sandbox.cancel(first.imp_uid)
    assert shop.deliver(first).verdict is Verdict.CANCELLED
    for _ in range(2):
        assert shop.deliver(second).verdict is Verdict.DUPLICATE
    assert (shop.due(second).error, shop.due(second).begun) == ("order_refunded", None)
    assert shop.told.count("review") == 1
    assert shop.back(second) == 0
    shop.call("close")


@pytest.mark.parametrize("how", ["total", "closed"])
def test_what_was_begun_goes_back_once_though_the_order_would_take_it_by_now(
    driver: Driver, gateway: SandboxServer, how: str
) -> None:
    """Its cancel was refused; meanwhile the total is changed back, or the order opened."""
    shop = make(driver, gateway, *ALL)
    shop.open, shop.amount = how != "closed", PRICE + (how == "total")
    gateway.sandbox.faults.add(Fault("cancel", status=200, body=REFUSAL))
    payment = shop.pay()
    assert not shop.deliver(payment).paid
    shop.open, shop.amount = True, PRICE
    assert shop.deliver(payment).verdict is Verdict.LATE
    assert (shop.back(payment), shop.due(payment).tries) == (0, 1)
    shop.wait(payment)
    shop.deliver(payment)
    assert shop.back(payment) == PRICE
    assert shop.due(payment).done is not None
    another = shop.pay()
    assert shop.deliver(another).paid
    assert shop.deliver(payment).verdict is Verdict.CANCELLED
    assert (shop.told.count("paid"), shop.back(another)) == (1, 0)
    shop.call("close")


@pytest.mark.parametrize("how", ["total", "closed"])
def test_what_was_not_begun_pays_where_the_order_takes_it_by_now(
    driver: Driver, gateway: SandboxServer, how: str
) -> None:
    shop = make(driver, gateway, "duplicate")
    shop.open, shop.amount = how != "closed", PRICE + (how == "total")
    payment = shop.pay()
    assert not shop.deliver(payment).paid
    assert shop.due(payment).done is None
    shop.open, shop.amount = True, PRICE
    assert shop.deliver(payment).paid
    assert shop.due(payment).done is not None
    second = shop.pay()
    assert shop.deliver(second).verdict is Verdict.DUPLICATE
    assert (shop.back(payment), shop.back(second)) == (0, PRICE)
    shop.call("close")


def test_who_comes_back_to_an_old_link_keeps_what_was_bought_there(
    driver: Driver, gateway: SandboxServer
) -> None:
    """The shop served those orders before it had this store, or days ago by another way."""
    shop = make(driver, gateway, *ALL)
    began = datetime.now(UTC) - timedelta(days=10)
    shop.store._runs[""] = replace(shop.store.run(""), began=began)
    shop.open = False
    before, since = (int((began + timedelta(days=days)).timestamp()) for days in (-1, 5))
    old = shop.pay(merchant_uid="OLD", paid_at=before, started_at=before)
    newer = shop.pay(merchant_uid="NEWER", paid_at=since, started_at=since)
    for _ in range(2):
        for each in (old, newer):
            assert shop.deliver(each, each.merchant_uid).verdict is Verdict.LATE
    assert (shop.back(old), shop.back(newer)) == (0, 0)
    assert shop.due(old) is None
    assert (shop.due(newer).kind, shop.due(newer).next_try) == ("late", None)
    shop.call("give_back", newer.imp_uid)  # a person has looked
    assert shop.back(newer) == PRICE
    shop.call("close")


class ByHand(OrderStore):
    def expected(self, merchant_uid: str) -> int:
        return PRICE

    def settle(self, outcome: Outcome) -> Settled:
        return Settled.NEW


@pytest.mark.parametrize("kinds", ["duplicate", ["refused"], ["all"], 5, [None]])
def test_a_policy_that_is_none_is_refused(kinds: Any) -> None:
    keys = Credentials("key", "secret")
    store = MemoryStore(expected=lambda number, _: PRICE)
    with pytest.raises(ConfigurationError, match="give_back"):
        Verifier(store, credentials=keys, test_mode=True, give_back=kinds)


def test_a_store_by_hand_remembers_nothing_that_is_due() -> None:
    keys = Credentials("key", "secret")
    with pytest.raises(ConfigurationError, match="ByHand"):
        Verifier(ByHand(), credentials=keys, test_mode=True, give_back=["late"])
    verifier = Verifier(ByHand(), credentials=keys, test_mode=True)
    with pytest.raises(ConfigurationError, match="give_back"):
        verifier.give_back("imp_1")


def test_without_a_token_the_cancel_is_not_sent_and_is_tried_again_later(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, "duplicate")
    second = shop.twice()
    faults = gateway.sandbox.faults
    refused = '{"code": -1, "message": "Unauthorized", "response": null}'
    faults.add(Fault("cancel", status=401, body=refused))
    faults.add(Fault("token", status=503, times=2))
    assert shop.deliver(second).verdict is Verdict.DUPLICATE
    row = shop.due(second)
    assert (shop.back(second), row.tries, row.done) == (0, 1, None)
    assert "503" in row.error
    assert row.next_try > datetime.now(UTC)
    shop.wait(second)
    _ = shop.deliver(second)
    assert shop.back(second) == PRICE
    shop.call("close")


def test_a_number_that_no_address_can_hold_goes_back_too(
    driver: Driver, gateway: SandboxServer
) -> None:
    shop = make(driver, gateway, "duplicate")
    first, second = (shop.pay(merchant_uid=".") for _ in range(2))
    assert shop.deliver(first, ".").paid
    assert shop.deliver(second, ".").verdict is Verdict.DUPLICATE
    assert (shop.back(first), shop.back(second)) == (0, PRICE)
    shop.call("close")


def test_a_hook_that_fails_while_reconcile_gives_back_is_told_and_nothing_is_lost(
    driver: Driver, gateway: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    shop.deliver(second)
    shop.broken = True  # of the order's other payment, which a clerk cancelled meanwhile
    gateway.sandbox.gateway.cancel(
        next(iter(shop.store._receipts)), amount=Decimal(PRICE), reason="by a clerk"
    )
    found = reconciled(shop, ["duplicate"])
    assert ("due", "LookupError") in [(each.kind, each.error) for each in found]
    assert shop.back(second) == 0
    assert "the store or a hook failed" in caplog.text
    shop.broken = False
    shop.call("close")


def test_more_is_due_than_one_reading_of_the_ledger(driver: Driver, gateway: SandboxServer) -> None:
    shop = make(driver, gateway)
    second = shop.twice()
    shop.deliver(second)
    row = shop.due(second)
    for number in range(600):
        imp_uid = f"imp_{number:012}"
        shop.store._dues[imp_uid] = replace(row, imp_uid=imp_uid)
    found = reconciled(shop, [])
    assert len({each.imp_uid for each in found if each.kind == "due"}) == 601
    shop.call("close")
