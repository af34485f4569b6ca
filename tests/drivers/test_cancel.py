"""Giving money back at the gateway: what goes out, what is recorded, and that no answer that is
lost gives anything back twice. The sandbox is the gateway, over sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from imp_verify import (
    AsyncVerifier,
    Credentials,
    GatewayRefused,
    GatewayUnavailable,
    InvalidRequest,
    Outcome,
    Refund,
    Verdict,
    Verifier,
)
from imp_verify.sandbox import Account, Attempt, Fault, SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.drivers.driving import Driver
from tests.support.relay import Relay

ORDER, PRICE = "ORD1001", 39000
ALL = os.environ.get("IMP_VERIFY_ALL_STEPS") == "1"
ACCOUNT = Account()


class Shop:
    """A shop that can give back, and what its hooks were told."""

    def __init__(self, driver: Driver, gateway: SandboxServer, url: str) -> None:
        self.driver, self.gateway = driver, gateway
        self.told: list[tuple[Verdict, object]] = []
        self.expects: Callable[[str], object] = lambda number: PRICE
        self.store = MemoryStore(
            expected=lambda number, _: self.expects(number),  # type: ignore[arg-type, return-value]
            on_paid=self.note,
            on_cancelled=self.note,
            on_partly_cancelled=self.note,
        )
        kind: Any = AsyncVerifier if driver.is_async else Verifier
        self.verifier = kind(
            self.store,
            credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
            base_url=url,
            test_mode=True,
        )

    def note(self, outcome: Outcome, _: None) -> None:
        self.told.append(
            (outcome.verdict, sum((c.amount for c in outcome.cancellations), Decimal(0)))
        )

    def pay(self, amount: int = PRICE, number: str = ORDER, **params: object) -> str:
        opened = self.gateway.sandbox.gateway.open(
            {"merchant_uid": number, "amount": amount, **params}
        )
        self.gateway.sandbox.approve(opened.imp_uid)
        return opened.imp_uid

    def buy(self, **params: object) -> str:
        imp_uid = self.pay(**params)  # type: ignore[arg-type]
        assert self.call("verify", imp_uid, ORDER).paid
        return imp_uid

    def call(self, method: str, *arguments: object, **named: object) -> Any:
        return self.driver.call(self.verifier, method, *arguments, **named)

    def cancel(self, imp_uid: str, **named: object) -> Outcome:
        outcome: Outcome = self.call("cancel", imp_uid, **{"reason": "고객 요청", **named})
        return outcome

    def at(self, imp_uid: str) -> Attempt:
        """The payment as the gateway has it."""
        return self.gateway.sandbox.gateway.attempt(imp_uid)

    def recorded(self, imp_uid: str) -> tuple[str, object]:
        receipt = self.store.receipts([imp_uid])[imp_uid]
        return receipt.state, receipt.cancel_amount


@pytest.fixture
def gateway() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def shop(driver: Driver, gateway: SandboxServer) -> Iterator[Shop]:
    made = Shop(driver, gateway, gateway.url)
    yield made
    made.call("close")


def test_all_is_given_back_and_recorded_and_the_notice_is_a_repeat(shop: Shop) -> None:
    imp_uid = shop.buy()
    outcome = shop.cancel(imp_uid)
    assert (outcome.verdict, outcome.endpoint) == (Verdict.CANCELLED, "cancel")
    assert shop.at(imp_uid).cancel_amount == PRICE
    assert shop.recorded(imp_uid) == ("cancelled", PRICE)
    assert shop.call("verify", imp_uid, ORDER).verdict is Verdict.CANCELLED
    assert [verdict for verdict, _ in shop.told] == [Verdict.PAID, Verdict.CANCELLED]


def test_a_part_needs_what_is_believed_to_be_left_and_is_handed_on_once(shop: Shop) -> None:
    imp_uid = shop.buy()
    with pytest.raises(InvalidRequest, match="refundable"):
        shop.cancel(imp_uid, amount=9000)
    outcome = shop.cancel(imp_uid, amount=9000, refundable=PRICE)
    assert (outcome.verdict, outcome.paid) == (Verdict.PARTLY_CANCELLED, True)
    second = shop.cancel(imp_uid, amount="10000", refundable=Decimal(30000))
    assert second.payment is not None
    assert second.payment.remaining == 20000
    assert shop.recorded(imp_uid) == ("paying", 19000)
    shop.call("verify", imp_uid, ORDER)
    told = [(verdict, amount) for verdict, amount in shop.told if amount]
    assert told == [(Verdict.PARTLY_CANCELLED, 9000), (Verdict.PARTLY_CANCELLED, 10000)]
    shop.cancel(imp_uid)  # the rest, as the receipt has it
    assert shop.recorded(imp_uid) == ("cancelled", PRICE)


def test_a_second_click_gives_back_nothing(shop: Shop) -> None:
    imp_uid = shop.buy()
    shop.cancel(imp_uid, amount=9000, refundable=PRICE)
    with pytest.raises(InvalidRequest, match="more than what the receipt says is left, 30000"):
        shop.cancel(imp_uid, amount=9000, refundable=PRICE)
    # In another process, whose store has not heard of the first.
    other = Shop(shop.driver, shop.gateway, shop.gateway.url)
    with pytest.raises(GatewayRefused) as refused:
        other.cancel(imp_uid, amount=9000, refundable=PRICE)
    assert refused.value.message
    assert shop.at(imp_uid).cancel_amount == 9000
    # What is there was looked up and recorded all the same.
    assert other.recorded(imp_uid) == ("paying", 9000)
    other.call("close")


def test_two_clerks_at_once_give_back_once(shop: Shop) -> None:
    imp_uid = shop.buy()
    named = {"reason": "고객 요청", "amount": 30000, "refundable": PRICE}
    begun = [shop.driver.begin(shop.verifier, "cancel", imp_uid, **named) for _ in range(6)]
    answers = [each.exception(30) or each.result() for each in begun]
    done = [each for each in answers if isinstance(each, Outcome)]
    assert len(done) == 1
    assert all(isinstance(each, GatewayRefused | InvalidRequest | Outcome) for each in answers)
    assert shop.at(imp_uid).cancel_amount == 30000


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ({"amount": 0, "refundable": PRICE}, "amount"),
        ({"amount": 100.0, "refundable": PRICE}, "amount"),
        ({"amount": True, "refundable": PRICE}, "amount"),
        ({"amount": "1,000", "refundable": PRICE}, "amount"),
        ({"amount": -1, "refundable": PRICE}, "amount"),
        ({"amount": 40000, "refundable": PRICE}, "more than refundable"),
        ({"amount": 1000, "refundable": 0}, "refundable"),
        ({"refundable": 39001}, "what the receipt says is left"),
        ({"amount": 1000, "refundable": PRICE, "tax_free": 1001}, "tax_free"),
        ({"vat_amount": 39001}, "vat_amount"),
        ({"reason": ""}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "x" * 257}, "reason"),
        ({"reason": "one\ntwo"}, "reason"),
        ({"refund_to": {"holder": "a"}}, "refund_to"),
        ({"extra": "customer"}, "extra"),
        ({"extra": {"requester": object()}}, "extra must hold what JSON can hold"),
        ({"extra": {"requester": float("nan")}}, "extra must hold what JSON can hold"),
        ({"enable_webhook": 1}, "enable_webhook"),
        ({"account": "kr"}, "account"),
    ],
)
def test_bad_input_names_the_field_and_sends_nothing(
    shop: Shop, named: dict[str, object], what: str
) -> None:
    imp_uid = shop.buy()
    shop.gateway.sandbox.faults.add(Fault("cancel", status=418))
    with pytest.raises(InvalidRequest, match=what):
        shop.cancel(imp_uid, **named)
    assert shop.gateway.sandbox.faults.take("cancel"), "it was sent"
    assert shop.at(imp_uid).cancel_amount == 0


def test_an_imp_uid_that_is_none_is_refused_at_once(shop: Shop) -> None:
    for wrong in ("", "../1", None, 5):
        with pytest.raises(InvalidRequest, match="imp_uid"):
            shop.cancel(wrong)  # type: ignore[arg-type]


def test_without_a_receipt_the_caller_says_what_is_left(shop: Shop) -> None:
    imp_uid = shop.pay()
    with pytest.raises(InvalidRequest, match="no receipt"):
        shop.cancel(imp_uid)
    outcome = shop.cancel(imp_uid, refundable=PRICE)
    assert outcome.verdict is Verdict.CANCELLED
    assert shop.recorded(imp_uid) == ("cancelled", PRICE)
    assert shop.told == [], "it never paid"


def test_what_was_given_back_is_said_to_be_gone_before_the_call(shop: Shop) -> None:
    imp_uid = shop.buy()
    shop.cancel(imp_uid)
    for named in ({}, {"refundable": 1}):
        with pytest.raises(InvalidRequest, match="nothing is left"):
            shop.cancel(imp_uid, **named)


def test_a_payment_that_the_gateway_does_not_know_is_refused_by_it(shop: Shop) -> None:
    with pytest.raises(GatewayRefused) as refused:
        shop.cancel("imp_000000000000", refundable=1)
    assert refused.value.code != 0


def test_a_virtual_account_needs_the_buyers_own_and_no_error_shows_it(shop: Shop) -> None:
    opened = shop.gateway.sandbox.gateway.open(
        {"merchant_uid": ORDER, "amount": PRICE, "pay_method": "vbank"}
    )
    shop.gateway.sandbox.issue_account(opened.imp_uid)
    shop.gateway.sandbox.deposit(opened.imp_uid)
    assert shop.call("verify", opened.imp_uid, ORDER).paid
    with pytest.raises(GatewayRefused):
        shop.cancel(opened.imp_uid)
    refund = Refund("홍길동", "88", "110123456789", "01012345678")
    for secret in ("홍길동", "110123456789", "01012345678"):
        assert secret not in repr(refund)
    assert shop.cancel(opened.imp_uid, refund_to=refund).verdict is Verdict.CANCELLED


@pytest.mark.parametrize("field", ["holder", "bank", "account", "tel"])
def test_a_refund_account_is_text(field: str) -> None:
    good = {"holder": "홍길동", "bank": "88", "account": "1101"}
    for wrong in ("", " ", 88):
        with pytest.raises(InvalidRequest, match=field) as error:
            Refund(**{**good, field: wrong})  # type: ignore[arg-type]
        assert "1101" not in str(error.value)


def test_the_hook_of_a_cancel_that_fails_leaves_word_that_the_money_went(shop: Shop) -> None:
    imp_uid = shop.buy()

    def expects(number: str) -> object:
        raise LookupError("the shop's own database is away")

    shop.expects = expects
    with pytest.raises(LookupError) as error:
        shop.cancel(imp_uid)
    assert error.value.__notes__ == [f"the gateway has accepted the cancel of {imp_uid}"]
    shop.expects = lambda number: PRICE
    assert shop.call("verify", imp_uid, ORDER).verdict is Verdict.CANCELLED
    assert shop.recorded(imp_uid) == ("cancelled", PRICE)


def test_an_answer_cut_at_any_byte_refunds_once_and_is_called_uncertain(
    driver: Driver, gateway: SandboxServer
) -> None:
    """Nothing of the answer arrives, its head, its body but for the last; `make test-all`: at every
    byte."""
    with Relay(urlsplit(gateway.url).port or 0, "/payments/cancel") as relay:
        shop = Shop(driver, gateway, relay.url)
        first = shop.buy()
        shop.cancel(first, amount=1, refundable=PRICE)
        whole = relay.whole
        assert whole > 400
        for cut in range(0, whole, 1 if ALL else 41):
            imp_uid = shop.pay(number=f"CUT{cut}")
            shop.call("verify", imp_uid, f"CUT{cut}")
            relay.cut = cut
            with pytest.raises(GatewayUnavailable) as lost:
                shop.cancel(imp_uid, amount=1000, refundable=PRICE)
            assert lost.value.uncertain
            # It was looked up at once, so that the shop knows.
            assert shop.recorded(imp_uid) == ("paying", 1000)
            before = relay.calls
            with pytest.raises(InvalidRequest, match="what the receipt says is left"):
                shop.cancel(imp_uid, amount=1000, refundable=PRICE)  # the second click
            assert relay.calls == before
            relay.cut = None
            assert shop.at(imp_uid).cancel_amount == 1000
        shop.call("close")


def test_where_even_the_look_up_is_lost_the_second_click_is_the_gateways_to_refuse(
    driver: Driver, gateway: SandboxServer
) -> None:
    with Relay(urlsplit(gateway.url).port or 0, "/payments/") as relay:
        shop = Shop(driver, gateway, relay.url)
        imp_uid = shop.buy()
        relay.cut = 0
        with pytest.raises(GatewayUnavailable) as lost:
            shop.cancel(imp_uid, amount=1000, refundable=PRICE)
        assert lost.value.uncertain
        assert len(lost.value.__notes__) == 1
        assert shop.recorded(imp_uid) == ("paying", 0)
        relay.cut = None
        with pytest.raises(GatewayRefused):
            shop.cancel(imp_uid, amount=1000, refundable=PRICE)
        assert shop.at(imp_uid).cancel_amount == 1000
        assert shop.recorded(imp_uid) == ("paying", 1000)
        shop.call("close")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_at_the_gateway_is_uncertain_and_nothing_is_tried_again(
    shop: Shop, status: int
) -> None:
    imp_uid = shop.buy()
    shop.gateway.sandbox.faults.add(Fault("cancel", status=status, times=1))
    with pytest.raises(GatewayUnavailable) as trouble:
        shop.cancel(imp_uid)
    assert (trouble.value.uncertain, trouble.value.http_status) == (True, status)
    assert shop.at(imp_uid).cancel_amount == 0
    shop.cancel(imp_uid)


def test_a_token_that_was_taken_back_is_replaced_and_the_cancel_goes_out_once(shop: Shop) -> None:
    imp_uid = shop.buy()
    body = '{"code": -1, "message": "Unauthorized", "response": null}'
    shop.gateway.sandbox.faults.add(Fault("cancel", status=401, body=body))
    assert shop.cancel(imp_uid).verdict is Verdict.CANCELLED
    assert shop.at(imp_uid).cancel_amount == PRICE


def test_without_a_token_nothing_is_sent_and_it_is_certain(shop: Shop) -> None:
    imp_uid = shop.pay()
    shop.gateway.sandbox.faults.add(Fault("token", status=503, times=2))
    with pytest.raises(GatewayUnavailable) as trouble:
        shop.cancel(imp_uid, refundable=PRICE)
    assert not trouble.value.uncertain
