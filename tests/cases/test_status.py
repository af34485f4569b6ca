"""What state a payment is in: only what was fetched counts, and every state has an answer."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

from decimal import Decimal

import pytest

from imp_verify import ExpectedPayment
from tests.support.fixtures import kind_or_postgresql  # noqa: F401  # `kind` of this module
from tests.support.gateway import I1, I2, I3, ORDER, PRICE, VBANK, ScriptedGateway
from tests.support.shop import Shop

SUCCESS = (200, "success")
ISSUED = (200, "vbankIssued")
READY: dict[str, object] = {"status": "ready", "paid_at": 0}


def test_S01_the_client_cannot_call_a_failed_payment_paid(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(status="failed")
    assert shop.complete(success=True, status="paid").told == (400, "failed")
    assert shop.webhook(status="paid").told == (200, "failed")
    assert shop.redirect().lands == "/cart?why="
    shop.assert_not_paid()


@pytest.mark.parametrize("pay_method", ["card", None, ..., "vbank"])
def test_S02_an_abandoned_window_is_neither_success_nor_an_account(
    shop: Shop, gateway: ScriptedGateway, pay_method: object
) -> None:
    gateway.has(**READY, pay_method=pay_method, vbank_num=None)
    assert shop.complete().told == (409, "pending")
    shop.assert_nothing_recorded()
    gateway.has(imp_uid=I2)
    assert shop.complete(imp_uid=I2).told == SUCCESS


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "cancelled", "cancel_amount": PRICE}, (409, "cancelled")),
        ({"status": "cancelled"}, (409, "cancelled")),
        ({"status": "failed"}, (400, "failed")),
        ({"status": ""}, (409, "pending")),
    ],
)
def test_S03_every_state_has_an_answer(
    shop: Shop, gateway: ScriptedGateway, changes: dict[str, object], told: tuple[int, str]
) -> None:
    gateway.has(**changes)
    assert shop.complete().told == told
    assert shop.webhook().told == (200, told[1])
    shop.assert_not_paid()


def test_S04_an_approval_after_the_window_was_closed_counts(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(**READY, pay_method="alipayplus")
    assert shop.complete().told == (409, "pending")
    shop.assert_nothing_recorded()
    gateway.has(pay_method="alipayplus")
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


@pytest.mark.parametrize("word", ["pending", "authorized", "PAID", "Paid ", "결제완료"])
def test_S06_an_unknown_word_is_not_final(shop: Shop, gateway: ScriptedGateway, word: str) -> None:
    gateway.has(status=word)
    assert shop.complete().told == (409, "pending")
    assert shop.webhook().told == (200, "pending")
    assert shop.redirect().lands == "/wait"
    shop.assert_nothing_recorded()
    gateway.has()
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


def test_S07_a_partial_refund_leaves_the_order_paid(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    shop.complete()
    part = {"cancellation_id": "c1", "amount": 9000, "cancelled_at": 1735710000, "reason": "r"}
    gateway.has(status="cancelled", cancel_amount=9000, cancel_history=[part])
    for _ in range(2):
        assert shop.webhook(status="cancelled", cancellation_id="c1").told == SUCCESS
        assert shop.complete().told == SUCCESS
    assert shop.hooks == ["on_paid", "on_partly_cancelled"]
    (refund,) = shop.told[-1][1].cancellations
    assert (refund.id, refund.amount) == ("c1", Decimal(9000))
    paid = shop.told[-1][1].payment
    assert paid is not None
    assert paid.remaining == 30000
    shop.assert_paid_once()
    gateway.has(status="cancelled", cancel_amount=PRICE, cancel_history=[part])
    assert shop.webhook(status="cancelled").told == (200, "cancelled")
    assert shop.hooks[-1] == "on_cancelled"
    assert shop.state() == "cancelled"


def test_S09_what_was_cancelled_before_the_buyer_came_back_pays_nothing(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(status="cancelled", cancel_amount=PRICE)
    assert shop.complete().told == (409, "cancelled")
    shop.assert_not_paid()
    assert shop.hooks == []


def test_S10_going_back_never_lowers_a_state(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    shop.complete()
    answer = shop.redirect(imp_success="false", error_msg="cancel")
    assert answer.lands == "/thanks?o=ORD-1001&s=success"
    assert shop.hooks == ["on_paid"]
    shop.assert_paid_once()


def test_S11_an_account_waits_and_its_deposit_pays(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(**VBANK)
    assert shop.complete().told == ISSUED
    assert shop.state() == "waiting"
    assert shop.hooks == ["on_virtual_account"]
    assert shop.redirect().lands == "/thanks?o=ORD-1001&s=vbankIssued"
    gateway.has(pay_method="vbank")
    assert shop.webhook().told == SUCCESS
    assert shop.hooks == ["on_virtual_account", "on_paid"]
    shop.assert_paid_once()


def test_S12_a_notice_older_than_the_truth_is_no_truth(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(pay_method="vbank")
    assert shop.webhook(status="ready").told == SUCCESS
    shop.assert_paid_once()


def test_S12_a_notice_newer_than_the_truth_is_no_truth_either(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(**VBANK)
    assert shop.webhook(status="paid").told == ISSUED
    assert shop.state() == "waiting"
    assert shop.paid == 0


def test_S13_an_account_is_handed_on_as_it_came(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(**{**VBANK, "vbank_holder": None, "vbank_num": "023-4567-890", "vbank_date": 0})
    assert shop.complete().told == ISSUED
    issued = shop.told[-1][1].payment
    assert issued is not None
    assert (issued.vbank_num, issued.vbank_holder, issued.vbank_date) == (
        "023-4567-890",
        None,
        None,
    )


def test_S16_money_for_a_closed_order_is_late_not_forged_and_not_success(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders[ORDER] = ExpectedPayment(ORDER, PRICE, open=False)
    gateway.has(pay_method="vbank")
    assert shop.webhook().told == (200, "latePayment")
    assert shop.complete().told == (409, "latePayment")
    assert shop.hooks == ["on_late"]
    assert shop.state() == "late"
    shop.orders[ORDER] = PRICE  # the shop opens it again and so accepts the money
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


def test_S16_a_late_hook_that_fails_is_delivered_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders[ORDER] = ExpectedPayment(ORDER, PRICE, open=False)
    gateway.has()
    failures = iter([RuntimeError("mail table is locked")])

    def fail_once(*_: object) -> None:
        for error in failures:
            raise error

    shop.on_hook = fail_once
    assert shop.webhook().told == (503, "unavailable")
    assert shop.webhook().told == (200, "latePayment")
    assert shop.hooks == ["on_late"]


@pytest.mark.parametrize("usage", [None, "issue"])
def test_S17_registering_a_card_pays_no_order(
    shop: Shop, gateway: ScriptedGateway, usage: str | None
) -> None:
    gateway.has(
        imp_uid=I2,
        merchant_uid="BILL-1",
        amount=0,
        customer_uid="cu1",
        customer_uid_usage=usage,
    )
    notice: dict[str, object] = {"imp_uid": I2, "merchant_uid": "BILL-1"}
    assert shop.webhook(**notice).told == (503, "unavailable")
    shop.assert_nothing_recorded()
    shop.orders["BILL-1"] = PRICE
    assert shop.webhook(**notice).told == (400, "forgery")
    shop.assert_not_paid()


def test_S17_a_registration_that_shows_the_right_amount_pays_no_order(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(customer_uid="cu1", customer_uid_usage="issue")
    assert shop.webhook().told == (400, "forgery")
    assert shop.told[0][1].reason == "card_registration"
    shop.assert_not_paid()


def test_S18_method_and_status_that_a_browser_posts_are_ignored(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(**{**VBANK, "vbank_num": "1"})
    assert shop.complete(pay_method="vbank", status="paid").told == ISSUED
    assert shop.state() == "waiting"
    assert shop.paid == 0


def test_S21_a_scheduled_charge_that_fails_is_a_failure_and_its_retry_pays(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders["SUB-2"] = 9900
    fields: dict[str, object] = {"merchant_uid": "SUB-2", "amount": 9900}
    gateway.has(imp_uid=I2, status="failed", fail_reason="limit", **fields)
    gateway.has(imp_uid=I3, **fields)
    for _ in range(2):
        answer = shop.webhook(imp_uid=I2, merchant_uid="SUB-2", status="failed")
        assert answer.told == (200, "failed")
    assert shop.hooks == ["on_failed"]
    assert shop.webhook(imp_uid=I3, merchant_uid="SUB-2").told == SUCCESS
    assert shop.hooks == ["on_failed", "on_paid"]
    assert shop.state(I1) is None
    shop.assert_paid_once(I3)
