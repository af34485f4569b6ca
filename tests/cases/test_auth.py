"""The token: one for all, renewed in time, never sent empty; and keys that are wrong."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from tests.support.gateway import (
    I1,
    ORDER,
    PRICE,
    UNAUTHORIZED,
    Asked,
    Reply,
    ScriptedGateway,
    envelope,
)
from tests.support.markers import SECRET, TOKEN
from tests.support.shop import MakeShop, Shop, body

SUCCESS = (200, "success")
TROUBLE = (503, "unavailable")
WAIT = 20.0


def test_T01_a_token_that_is_refused_is_replaced_once(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    assert shop.complete().told == SUCCESS
    gateway.revoke()
    gateway.asked.clear()
    assert shop.complete().told == SUCCESS
    assert (gateway.token_calls, len(gateway.looked)) == (1, 2)
    used = [asked.headers["Authorization"] for asked in gateway.asked if not asked.is_token]
    assert used == [f"Bearer {TOKEN}-1", f"Bearer {TOKEN}-2"]


def test_T01_a_gateway_that_refuses_every_token_is_not_asked_for_ever(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    gateway.lookups.extend([UNAUTHORIZED] * 10)
    assert shop.complete().told == TROUBLE
    assert (gateway.token_calls, len(gateway.looked)) == (2, 2)
    shop.assert_nothing_recorded()


@pytest.mark.parametrize("now", [1, 1735700000, 2**34])
def test_T02_a_clock_that_is_wrong_renews_no_token(
    shop: Shop, gateway: ScriptedGateway, now: int
) -> None:
    gateway.now = now
    gateway.has()
    for _ in range(3):
        assert shop.complete().told == SUCCESS
    assert gateway.token_calls == 1


def test_T02_a_token_in_its_last_seconds_is_not_asked_for_in_a_loop(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.life = -600
    gateway.has()
    assert shop.complete().told == SUCCESS
    assert gateway.token_calls == 1


def test_T03_one_token_serves_many_look_ups(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    assert {shop.complete().told for _ in range(20)} == {SUCCESS}
    assert (gateway.token_calls, len(gateway.looked)) == (1, 20)


@pytest.mark.parametrize(
    "broken",
    [
        Reply(500, b"<html>"),
        Reply(200, envelope({"access_token": "", "now": 1, "expired_at": 1801})),
        Reply(200, envelope({"access_token": None, "now": 1, "expired_at": 1801})),
        Reply(200, envelope({"access_token": "a\r\nX-Evil: 1", "now": 1, "expired_at": 1801})),
        Reply(200, envelope({"access_token": "t", "now": "1", "expired_at": 1801})),
        Reply(200, envelope(None, 1, "no")),
        Reply(200, b"{"),
    ],
)
def test_T03_without_a_token_nothing_is_looked_up_and_the_next_request_asks_again(
    shop: Shop, gateway: ScriptedGateway, broken: Reply
) -> None:
    gateway.has()
    gateway.tokens.append(broken)
    assert shop.complete().told == TROUBLE
    assert gateway.looked == []
    assert shop.complete().told == SUCCESS
    assert gateway.token_calls == 2


def test_T06_wrong_keys_are_the_shops_trouble_and_tried_rarely(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.has()
    gateway.tokens.extend([UNAUTHORIZED] * 100)
    assert {shop.complete().told for _ in range(100)} == {TROUBLE}
    assert gateway.token_calls == 1
    assert gateway.looked == []
    lines = [record.getMessage() for record in caplog.records]
    assert sum("IMP_KEY and IMP_SECRET" in line for line in lines) == 1
    assert SECRET not in caplog.text
    shop.assert_nothing_recorded()


def slow_token(gateway: ScriptedGateway) -> threading.Event:
    """Let getToken take 300 ms; the event says that it was asked for."""
    asked_for = threading.Event()

    def before(asked: Asked) -> None:
        if asked.is_token:
            asked_for.set()
            gateway.over.wait(0.3)

    gateway.before = before
    return asked_for


def fifty_orders(shop: Shop, gateway: ScriptedGateway) -> list[dict[str, object]]:
    bodies = []
    for n in range(50):
        uid, order = f"imp_{n}", f"ORD-{n}"
        shop.orders[order] = PRICE
        gateway.has(imp_uid=uid, merchant_uid=order)
        bodies.append(body(imp_uid=uid, merchant_uid=order))
    return bodies


def test_T07_fifty_cold_requests_ask_for_one_token(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=20.0)
    bodies = fifty_orders(shop, gateway)
    slow_token(gateway)
    requests = [shop.start("POST", "/complete", each) for each in bodies]
    assert {request.result(WAIT).told for request in requests} == {SUCCESS}
    assert gateway.token_calls == 1
    assert len(gateway.looked) == shop.paid == 50


def test_T07_a_first_token_call_that_fails_poisons_nobody_else(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=20.0)
    bodies = fifty_orders(shop, gateway)
    slow_token(gateway)
    gateway.tokens.append(Reply(500))
    requests = [shop.start("POST", "/complete", each) for each in bodies]
    told = [request.result(WAIT).told for request in requests]
    assert (told.count(TROUBLE), told.count(SUCCESS)) == (1, 49)
    assert gateway.token_calls == 2


def test_T07_a_first_request_that_is_cancelled_leaves_no_lock_behind(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=20.0)
    if shop.framework == "flask":
        return  # nobody can cancel a thread
    bodies = fifty_orders(shop, gateway)
    asked_for = slow_token(gateway)
    first = shop.start("POST", "/complete", bodies[0])
    assert asked_for.wait(WAIT)
    others = [shop.start("POST", "/complete", each) for each in bodies[1:]]
    assert first.cancel()
    wait(others, WAIT)
    assert {other.result(WAIT).told for other in others} == {SUCCESS}
    assert gateway.token_calls == 2
    assert shop.state("imp_0") is None


def test_X14_a_token_goes_in_a_header_and_the_secret_in_a_body_never_in_an_address(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    shop.complete()
    token, look_up = gateway.asked
    assert SECRET.encode() in token.body
    assert token.headers["Content-Type"] == "application/json"
    assert look_up.headers["Authorization"] == f"Bearer {TOKEN}-1"
    assert look_up.path == f"/payments/{I1}" + ("?include_sandbox=true" if shop.test_mode else "")
    assert ORDER not in look_up.path
