"""The gateway asks before it approves: yes, or no with a reason, in time and without a record."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from imp_verify import ExpectedPayment
from tests.support.gateway import (
    I2,
    NOT_FOUND,
    ORDER,
    PRICE,
    RESET,
    ScriptedGateway,
    act,
    silence,
)
from tests.support.shop import Answer, MakeShop, Shop

READY: dict[str, object] = {"status": "ready", "paid_at": 0}


def refused(answer: Answer, reason: str | None = None) -> bool:
    content = answer.json
    assert answer.status == 409
    assert content["status"] == "refused"
    assert content["reason"]
    return reason is None or content["reason"] == reason


def test_K01_a_right_payment_is_approved_and_nothing_is_recorded(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(**READY)
    for amount in (PRICE, "39000", "39000.00", 39000.0):
        assert shop.confirm(amount=amount).told == (200, "approved")
    shop.assert_nothing_recorded()


def test_K01_each_refusal_gives_its_reason(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(**READY)
    assert refused(shop.confirm(amount=1000))
    gateway.has(**READY, merchant_uid="ORD-7")
    assert refused(shop.confirm(merchant_uid="ORD-7"), "존재하지 않는 주문입니다")
    gateway.has(**READY)
    shop.hold = lambda expected, imp_uid: "재고 부족"
    answer = shop.confirm()
    assert refused(answer, "재고 부족")
    assert "재고 부족".encode() in answer.body
    shop.hold = None
    shop.orders[ORDER] = ExpectedPayment(ORDER, PRICE, open=False)
    assert refused(shop.confirm(), "마감된 주문입니다")
    shop.assert_nothing_recorded()


def test_K01_an_order_that_another_payment_paid_is_refused_now_and_ever_after(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(imp_uid=I2)
    shop.complete(imp_uid=I2)
    gateway.has(**READY)
    assert refused(shop.confirm(), "이미 결제된 주문입니다")
    gateway.has(imp_uid=I2, status="cancelled", cancel_amount=PRICE)
    shop.webhook(imp_uid=I2)
    assert refused(shop.confirm(), "이미 결제된 주문입니다")
    assert shop.hooks == ["on_paid", "on_cancelled"]


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 1000},
        {"currency": "USD"},
        {"merchant_uid": "ORD-2"},
        {"customer_uid_usage": "issue"},
    ],
)
def test_K01_what_was_fetched_must_fit_the_order_too(
    shop: Shop, gateway: ScriptedGateway, changes: dict[str, object]
) -> None:
    gateway.has(**READY, **changes)
    assert refused(shop.confirm(), "주문과 결제 정보가 일치하지 않습니다")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": ...},
        {"merchant_uid": ...},
        {"imp_uid": ...},
        {"amount": None},
        {"amount": True},
        {"amount": "39,000"},
        {"amount": -1},
        {"amount": [39000]},
    ],
)
def test_K01_an_incomplete_question_is_malformed(
    shop: Shop, gateway: ScriptedGateway, changes: dict[str, object]
) -> None:
    answer = shop.confirm(**changes)
    assert answer.told == (400, "invalid")
    assert answer.json["reason"]
    assert gateway.asked == []


@pytest.mark.parametrize("status", ["ready", "paid", "failed", "cancelled", "new-word", ""])
def test_K02_the_status_is_not_judged(shop: Shop, gateway: ScriptedGateway, status: str) -> None:
    gateway.has(status=status)
    assert shop.confirm().told == (200, "approved")


def test_K02_a_payment_that_the_gateway_does_not_know_is_refused_with_a_hint_in_the_log(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.always = NOT_FOUND
    with caplog.at_level("INFO", "imp_verify"):
        assert refused(shop.confirm(), "확인할 수 없는 결제입니다")
    assert "confirm_lookup=False" in caplog.text


def test_K02_without_a_look_up_the_order_alone_decides(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(confirm_lookup=False)
    assert shop.confirm().told == (200, "approved")
    assert refused(shop.confirm(amount=1000))
    assert gateway.asked == []


@pytest.mark.parametrize("trouble", [act(silence), RESET])
def test_K02_trouble_is_no(make_shop: MakeShop, gateway: ScriptedGateway, trouble: Any) -> None:
    shop = make_shop(timeout=0.4)
    gateway.has(**READY)
    gateway.lookups.extend([trouble, trouble])
    began = time.monotonic()
    answer = shop.confirm()
    assert answer.told == (503, "unavailable")
    assert answer.json["reason"]
    assert time.monotonic() - began < 8
    shop.assert_nothing_recorded()


def test_K02_a_look_up_may_take_half_of_four_seconds_at_most(
    make_shop: MakeShop, gateway: ScriptedGateway, kind: str
) -> None:
    if kind != "flask-sqlite":
        return  # two seconds are long; the core decides about them
    shop = make_shop(timeout=60.0)
    gateway.lookups.append(act(silence))
    began = time.monotonic()
    assert shop.confirm().told == (503, "unavailable")
    assert 1.9 < time.monotonic() - began < 4


def test_K02_a_hold_that_hangs_does_not_keep_the_answer_and_what_it_did_is_undone(
    make_shop: MakeShop, gateway: ScriptedGateway, kind: str
) -> None:
    if kind not in ("flask-sqlite", "starlette-sqlite"):
        return
    shop = make_shop()
    gateway.has(**READY)
    go_on = threading.Event()
    shop.hold = lambda expected, imp_uid: (go_on.wait(20), None)[1]
    began = time.monotonic()
    assert shop.confirm().told == (503, "unavailable")
    assert 3.9 < time.monotonic() - began < 5
    go_on.set()
    shop.hold = None
    assert shop.confirm().told == (200, "approved")
