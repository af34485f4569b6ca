"""When a webhook is sent, how often and where to, whatever the shop answers; and the question
before an approval, which has its time as a whole. Counts and times are read from the journal."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import trustme

from imp_verify.sandbox import (
    Api,
    ApiRequest,
    Attempt,
    Fault,
    Refused,
    Sandbox,
    SandboxServer,
    Settings,
)
from imp_verify.sandbox.deliveries import LOST, Outgoing, Reply, Times
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.outgoing import Http
from tests.sandbox.conftest import NOON, Rest
from tests.transports.gateway import Behaviour, Gateway, Line

MINUTE = 60
PROMPT = 1.0
SHORT = 0.3
"""Seconds that a shop gets in these tests; one that hangs or drips lasts longer."""


def answer(status: int, body: bytes = b"ok", kind: bytes = b"text/plain") -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (status, kind, len(body)) + body


def answers(*all_of_them: bytes) -> Behaviour:
    """Answer one request after the other, each on its connection, the last one for ever."""
    left = list(all_of_them)

    def behave(line: Line) -> None:
        line.request()
        line.send(left.pop(0) if len(left) > 1 else left[0])

    return behave


def nothing(line: Line) -> None:
    line.request()


def drips(line: Line) -> None:
    line.request()
    line.drip(answer(200, b"x" * 1000))


def drips_behind_its_head(line: Line) -> None:
    line.request()
    line.send(answer(200, b"x" * 1000)[:-1000])
    line.drip(b"x" * 1000)


def hangs(line: Line) -> None:
    line.request()
    line.hang()


SHOPS: dict[str, Callable[[], Behaviour]] = {
    "200": lambda: answers(answer(200)),
    "HTML": lambda: answers(answer(200, b"<html>ok</html>", b"text/html")),
    "400": lambda: answers(answer(400)),
    "500": lambda: answers(answer(500)),
    "nothing": lambda: nothing,
    "drips": lambda: drips,
    "drips behind its head": lambda: drips_behind_its_head,
    "hangs": lambda: hangs,
}
SLOW = ("drips", "drips behind its head", "hangs")
TOLD = {"200": 200, "HTML": 200, "400": 400, "500": 500}


@pytest.fixture
def shop() -> Iterator[Gateway]:
    with Gateway(answers(answer(200))) as made:
        yield made


@pytest.fixture
def sandbox(shop: Gateway) -> Iterator[Sandbox]:
    made = Sandbox(settings=Settings(webhook_url=shop.url + "/hook"))
    made.settings.change({"webhook_seconds": SHORT, "resend_seconds": SHORT})
    made.clock.stop_at(NOON)
    yield made
    made.close_down()


def opened(sandbox: Sandbox, **params: object) -> Attempt:
    return sandbox.open({"merchant_uid": "ORD-1001", "amount": 39000, **params})


def paid(sandbox: Sandbox, **params: object) -> Attempt:
    return sandbox.approve(opened(sandbox, **params).imp_uid)


def entries(sandbox: Sandbox, kind: str = "delivery") -> list[dict[str, Any]]:
    return [each.wire() for each in sandbox.journal if each.kind == kind]


def times(sandbox: Sandbox) -> list[tuple[int, int]]:
    """Of each send: how long after the payment, and which try it was."""
    return [(each["at"] - NOON, each["attempt"]) for each in entries(sandbox)]


def bodies(shop: Gateway) -> list[dict[str, Any]]:
    return [json.loads(asked.partition(b"\r\n\r\n")[2]) for asked in shop.asked]


def paths(shop: Gateway) -> list[str]:
    return [asked.split(b" ")[1].decode() for asked in shop.asked]


# Sent once, or again


@pytest.mark.parametrize("resends", ["off", "5xx", "not-200"])
@pytest.mark.parametrize("kind", SHOPS)
def test_a_webhook_is_sent_once_and_where_so_set_again_a_minute_apart(
    sandbox: Sandbox, shop: Gateway, kind: str, resends: str
) -> None:
    shop.behave = SHOPS[kind]()
    sandbox.settings.change({"webhook_resends": resends})
    begun = time.monotonic()
    assert paid(sandbox).status == "paid"
    sandbox.clock.advance(3600)
    taken = {"off": {*SHOPS}, "5xx": {"200", "HTML", "400"}, "not-200": {"200", "HTML"}}
    sends = 1 if kind in taken[resends] else 6
    assert times(sandbox) == [(n * MINUTE, n + 1) for n in range(sends)]
    assert len(shop.asked) == sends
    assert {each["status"] for each in entries(sandbox)} == {TOLD.get(kind)}
    assert len({json.dumps(each) for each in bodies(shop)}) == 1
    if kind in SLOW:
        assert {each["error"] for each in entries(sandbox)} == {
            f"TimeoutError: no whole answer within {SHORT} s"
        }
        assert SHORT * sends <= time.monotonic() - begun < SHORT * sends + 5


def test_y04_a_shop_that_does_not_answer_in_time_can_be_seen(
    sandbox: Sandbox, shop: Gateway
) -> None:
    shop.behave = hangs
    assert paid(sandbox).status == "paid"
    (delivery,) = sandbox.webhooks.deliveries
    assert (delivery.ok, delivery.status) == (False, None)
    assert delivery.error == f"TimeoutError: no whole answer within {SHORT} s"


def test_the_first_200_ends_it(sandbox: Sandbox, shop: Gateway) -> None:
    shop.behave = answers(answer(500), answer(503), answer(200))
    sandbox.settings.change({"webhook_resends": "5xx"})
    paid(sandbox)
    sandbox.clock.advance(MINUTE - 1)
    assert times(sandbox) == [(0, 1)]
    sandbox.clock.advance(1)
    assert times(sandbox) == [(0, 1), (MINUTE, 2)]
    sandbox.clock.advance(3600)
    assert [each["status"] for each in entries(sandbox)] == [500, 503, 200]
    assert times(sandbox)[-1] == (2 * MINUTE, 3)


def test_a_resend_has_its_own_time_as_a_whole(sandbox: Sandbox, shop: Gateway) -> None:
    sandbox.settings.change({"webhook_resends": "5xx", "webhook_seconds": 0.05})
    shop.behave = hangs
    paid(sandbox)
    sandbox.clock.advance(MINUTE)
    first, second = (each["error"] for each in entries(sandbox))
    assert "0.05 s" in first
    assert f"{SHORT} s" in second


def test_the_times_are_those_of_the_documents_where_nothing_is_set() -> None:
    carried: list[Outgoing] = []

    def send(sent: Outgoing) -> Reply:
        carried.append(sent)
        return Reply(None if len(carried) > 1 else 200, "")

    sandbox = Sandbox(send=send, settings=Settings(webhook_url="shop:", webhook_resends="5xx"))
    paid(sandbox, confirm_url="shop:confirm")
    sandbox.clock.advance(MINUTE)
    confirm, first, second = carried[:3]
    assert confirm.times == Times(10, 10, 10)
    assert first.times == Times(10, 30, 40)
    assert second.times == Times(15, 15, 15)
    sandbox.close_down()


def test_a_call_of_the_shop_does_not_wait_for_what_the_shop_is_to_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, goes_on = threading.Semaphore(0), threading.Event()

    def send(sent: Outgoing) -> Reply:
        asked.release()
        answered = goes_on.wait(30) if sent.url == "shop:busy" else False
        return Reply(200 if answered else 500, "")

    sandbox = Sandbox(send=send, settings=Settings(webhook_url="shop:busy"))

    def call() -> int:
        return Api(sandbox).answer(ApiRequest("GET", "/payments/imp_0")).status

    sandbox.approve_later(opened(sandbox).imp_uid, 0)
    assert call() == 401
    assert asked.acquire(timeout=30)
    assert sandbox.webhooks.deliveries == [], "it is under way"
    goes_on.set()
    assert [each.ok for each in sandbox.webhooks.deliver()] == [True]
    goes_on.clear()
    sandbox.settings.change({"webhook_url": "http://idle", "webhook_resends": "5xx"})
    paid(sandbox, merchant_uid="B")
    assert asked.acquire(timeout=30)
    later = time.time() + MINUTE
    monkeypatch.setattr(time, "time", lambda: later)
    assert call() == 401
    assert asked.acquire(timeout=30)
    assert [each.attempt for each in sandbox.webhooks.deliver()] == [1, 1, 2]
    sandbox.close_down()


# What and where


def test_json_or_a_form_with_or_without_a_charset_and_an_agent(
    sandbox: Sandbox, shop: Gateway
) -> None:
    attempt = paid(sandbox)
    sandbox.settings.change({"webhook_format": "form", "webhook_charset": True})
    sandbox.settings.change({"webhook_agent": "Gateway/1"})
    sandbox.cancel(attempt.imp_uid)
    plain, form = shop.asked
    assert b"Content-Type: application/json\r\n" in plain
    assert b"User-Agent" not in plain
    assert b"Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n" in form
    assert b"User-Agent: Gateway/1\r\n" in form
    fields = dict(parse_qsl(form.partition(b"\r\n\r\n")[2].decode()))
    assert fields["status"] == "cancelled"
    assert fields["cancellation_id"]


def test_test_payments_have_an_address_and_a_format_of_their_own(shop: Gateway) -> None:
    channels = {"test": ("tosspayments", True), "live": ("tosspayments", False)}
    sandbox = Sandbox(channels=channels, settings=Settings(webhook_url=shop.url + "/live"))
    paid(sandbox, merchant_uid="A", channelKey="test")
    sandbox.settings.change({"webhook_test_url": shop.url + "/test", "webhook_test_format": "form"})
    paid(sandbox, merchant_uid="B", channelKey="test")
    paid(sandbox, merchant_uid="C", channelKey="live")
    paid(sandbox, merchant_uid="D", channelKey="test", notice_url=shop.url + "/mine")
    assert paths(shop) == ["/live", "/test", "/live", "/mine"]
    kinds = [b"www-form-urlencoded" in asked for asked in shop.asked]
    assert kinds == [False, True, False, True]
    sandbox.close_down()


def test_each_of_several_addresses_is_sent_to_until_it_answers(
    sandbox: Sandbox, shop: Gateway
) -> None:
    sandbox.settings.change({"webhook_resends": "5xx"})
    with Gateway(answers(answer(500))) as broken:
        paid(sandbox, notice_url=[broken.url + "/one", shop.url + "/two?a=1&b=%20"])
        sandbox.clock.advance(3600)
        assert (paths(broken), paths(shop)) == (["/one"] * 6, ["/two?a=1&b=%20"])


@pytest.mark.parametrize(("setting", "path"), [("payment", "/mine"), ("settings", "/hook")])
def test_an_api_cancel_is_told_where_the_setting_says(
    sandbox: Sandbox, shop: Gateway, setting: str, path: str
) -> None:
    sandbox.settings.change({"cancel_webhook_to": setting})
    attempt = paid(sandbox, notice_url=shop.url + "/mine")
    sandbox.refund(attempt.imp_uid, amount=Decimal(1000), webhook=True)
    assert paths(shop) == ["/mine", path]
    sandbox.cancel(attempt.imp_uid)
    assert paths(shop)[2:] == ["/mine"], "the console's goes to the payment's own"


def test_redirects_are_followed_where_so_set(sandbox: Sandbox, shop: Gateway) -> None:
    moved = answer(307).replace(b"\r\n\r\n", b"\r\nLocation: /there\r\n\r\n", 1)
    found = answer(302).replace(b"\r\n\r\n", b"\r\nLocation: /page\r\n\r\n", 1)
    shop.behave = answers(moved, moved, found, answer(200))
    attempt = paid(sandbox)
    assert entries(sandbox)[0]["status"] == 307
    sandbox.settings.change({"webhook_follows": True})
    sandbox.cancel(attempt.imp_uid)
    assert entries(sandbox)[1]["status"] == 200
    methods = [asked.split(b" HTTP")[0] for asked in shop.asked]
    assert methods == [b"POST /hook", b"POST /hook", b"POST /there", b"GET /page"]
    shop.behave = answers(moved)
    sandbox.webhooks.send({})
    assert (len(shop.asked), entries(sandbox)[2]["status"]) == (10, 307)


# In which order, and what faults do


@pytest.mark.parametrize("order", ["webhook-first", "browser-first", "both"])
def test_the_shop_hears_first_or_the_browser_or_both_at_once(
    sandbox: Sandbox, shop: Gateway, order: str
) -> None:
    sandbox.settings.change({"webhook_order": order, "webhook_seconds": 30})
    asked, goes_on = threading.Event(), threading.Event()

    def waits(line: Line) -> None:
        line.request()
        asked.set()
        goes_on.wait(30)
        line.send(answer(200))

    shop.behave = waits
    if order == "webhook-first":
        buyer = threading.Thread(target=paid, args=(sandbox,))
        buyer.start()
        assert asked.wait(30)
        assert buyer.is_alive(), "the buyer waits for the shop's answer"
        goes_on.set()
        buyer.join()
    else:
        paid(sandbox)
        assert asked.wait(30) if order == "both" else not asked.is_set()
        assert entries(sandbox) == []
        goes_on.set()
        sandbox.webhooks.deliver()
    assert times(sandbox) == [(0, 1)]


def test_a_webhook_is_withheld_until_it_is_released(sandbox: Sandbox, shop: Gateway) -> None:
    sandbox.faults.add(Fault("webhook", withhold=True, times=3))
    ids = [paid(sandbox, merchant_uid=each).imp_uid for each in "ABC"]
    sandbox.webhooks.deliver()
    sandbox.clock.advance(3600)
    assert shop.asked == []
    assert [event.imp_uid for event in sandbox.webhooks.withheld] == ids
    assert sandbox.webhooks.release(ids[1]) == 1
    assert sandbox.webhooks.release(ids[1]) == 0
    assert sandbox.webhooks.release(newest_first=True) == 2
    assert [body["merchant_uid"] for body in bodies(shop)] == ["B", "C", "A"]
    assert [each["fault"] for each in entries(sandbox)] == [
        {"call": "webhook", "withhold": True}
    ] * 3


def test_what_is_kept_for_the_browser_can_be_released_out_of_order(
    sandbox: Sandbox, shop: Gateway
) -> None:
    sandbox.settings.change({"webhook_order": "browser-first"})
    imp_uid = opened(sandbox, pay_method="vbank").imp_uid
    sandbox.issue_account(imp_uid)
    sandbox.deposit(imp_uid)
    assert sandbox.webhooks.release(newest_first=True) == 2
    assert [body["status"] for body in bodies(shop)] == ["paid", "ready"]
    assert sandbox.webhooks.pending == []


def test_what_was_recorded_is_taken_up_and_an_event_sent_at_once(
    sandbox: Sandbox, shop: Gateway
) -> None:
    event = Event("imp_1", "A", "paid")
    sandbox.webhooks.restore(["imp_9"], [event])
    assert (sandbox.webhooks.untold, sandbox.webhooks.pending) == (["imp_9"], [event])
    assert not sandbox.webhooks.told_of("imp_9")
    (sent,) = sandbox.webhooks.tell(Event("imp_2", "B", "cancelled", "C1"))
    assert (sent.ok, json.loads(sent.body)["cancellation_id"]) == (True, "C1")
    sandbox.webhooks.deliver()
    assert [body["merchant_uid"] for body in bodies(shop)] == ["B", "A"]


def test_a_webhook_is_sent_twice_although_it_was_taken(sandbox: Sandbox, shop: Gateway) -> None:
    sandbox.faults.add(Fault("webhook", twice=True, merchant_uid="ORD-1001"))
    paid(sandbox, merchant_uid="ANOTHER")
    paid(sandbox)
    numbers = [body["merchant_uid"] for body in bodies(shop)]
    assert numbers == ["ANOTHER", "ORD-1001", "ORD-1001"]


def test_a_resend_meets_no_fault_that_says_when(sandbox: Sandbox, shop: Gateway) -> None:
    shop.behave = answers(answer(500), answer(200))
    sandbox.settings.change({"webhook_resends": "5xx"})
    paid(sandbox)
    sandbox.faults.add(Fault("webhook", twice=True))
    sandbox.clock.advance(MINUTE)
    assert len(shop.asked) == 2
    assert sandbox.faults


def test_a_late_one_is_overtaken_and_sent_at_its_time(sandbox: Sandbox, shop: Gateway) -> None:
    sandbox.faults.add(Fault("webhook", late=100))
    attempt = paid(sandbox)
    sandbox.clock.advance(99)
    sandbox.cancel(attempt.imp_uid)
    sandbox.clock.advance(500)
    assert [body["status"] for body in bodies(shop)] == ["cancelled", "paid"]
    assert times(sandbox) == [(99, 1), (100, 1)]


def test_a_lost_answer_brings_the_webhook_again(sandbox: Sandbox, shop: Gateway) -> None:
    sandbox.settings.change({"webhook_resends": "5xx"})
    sandbox.faults.add(Fault("webhook", lost=True, times=2))
    paid(sandbox)
    sandbox.clock.advance(3600)
    assert [(each["status"], each["error"]) for each in entries(sandbox)] == [
        *((None, LOST), (None, LOST)),
        (200, None),
    ]
    assert len(shop.asked) == 3


def test_body_and_headers_are_patched_as_a_forger_does(sandbox: Sandbox, shop: Gateway) -> None:
    patch = {"imp_uid": "imp_000000000000", "amount": 1}
    headers = {"x-forwarded-for": "52.78.100.19", "content-type": "text/plain"}
    sandbox.faults.add(Fault("webhook", patch=patch, remove=("status",), headers=headers))
    paid(sandbox)
    assert bodies(shop) == [
        {"imp_uid": "imp_000000000000", "merchant_uid": "ORD-1001", "amount": 1}
    ]
    assert b"X-Forwarded-For: 52.78.100.19\r\n" in shop.asked[0]
    assert b"Content-Type: text/plain\r\n" in shop.asked[0]
    assert entries(sandbox)[0]["headers"] == [["X-Forwarded-For", "52.78.100.19"]]


# By hand


def test_any_delivery_is_sent_again_to_the_address_that_it_had(
    sandbox: Sandbox, shop: Gateway
) -> None:
    shop.behave = answers(answer(500), answer(500), answer(200))
    first, second = paid(sandbox, merchant_uid="A"), paid(sandbox, merchant_uid="B")
    sandbox.settings.change({"webhook_url": "http://127.0.0.1:1/moved"})
    sandbox.clock.advance(1000)
    one = sandbox.webhooks.deliveries[0]
    again = sandbox.webhooks.resend(one.number)
    assert again is not None
    assert (again.ok, again.attempt, again.url, again.body) == (True, 2, one.url, one.body)
    assert (again.at, again.imp_uid) == (NOON + 1000, first.imp_uid)
    every = sandbox.webhooks.resend_all()
    assert [each.imp_uid for each in every] == [first.imp_uid, second.imp_uid]
    (alone,) = sandbox.webhooks.resend_all(second.imp_uid)
    assert (alone.imp_uid, alone.attempt) == (second.imp_uid, 3)
    assert paths(shop) == ["/hook"] * 6
    assert [each["delivery"] for each in entries(sandbox)] == [1, 2, 3, 4, 5, 6]
    assert sandbox.webhooks.resend(99) is None


def test_the_consoles_test_call_goes_to_the_address_that_is_set(
    sandbox: Sandbox, shop: Gateway
) -> None:
    sandbox.settings.change({"webhook_test_url": shop.url + "/test"})
    assert sandbox.webhooks.test_call().ok
    sandbox.settings.change({"test_call_body": "empty"})
    assert sandbox.webhooks.test_call(test=True).ok
    sample = {"imp_uid": "imp_1234567890", "merchant_uid": "order_id_8237352", "status": "paid"}
    assert (paths(shop), bodies(shop)) == (["/hook", "/test"], [sample, {}])
    sandbox.settings.change({"webhook_url": None, "webhook_test_url": None})
    with pytest.raises(ValueError, match="webhook_url is not set"):
        sandbox.webhooks.test_call()


def test_anything_can_be_sent_as_a_webhook(sandbox: Sandbox, shop: Gateway) -> None:
    fields = {"imp_uid": "imp_9", "status": 5}
    delivery = sandbox.webhooks.send(
        fields, to=shop.url + "/there?a=b", form=True, headers={"X-Forwarded-For": "1.2.3.4"}
    )
    assert (delivery.imp_uid, delivery.merchant_uid, delivery.ok) == ("imp_9", None, True)
    assert paths(shop) == ["/there?a=b"]
    assert shop.asked[0].endswith(b"\r\n\r\nimp_uid=imp_9&status=5")
    sandbox.webhooks.send(fields, form=False)
    assert shop.asked[1].endswith(b'\r\n\r\n{"imp_uid":"imp_9","status":5}')


def test_goods_under_escrow_are_told_with_a_body_of_their_own(
    sandbox: Sandbox, shop: Gateway
) -> None:
    attempt = paid(sandbox)
    sandbox.clock.advance(60)
    sandbox.escrow(attempt.imp_uid, 4, "파손")
    assert bodies(shop)[1] == {
        "imp_uid": attempt.imp_uid,
        "merchant_uid": "ORD-1001",
        "status": "paid",
        "event": "Inicis.Escrow.Changed",
        "extra": {"escrow_status": 4, "changed_at": NOON + 60, "denied_reason": "파손"},
    }
    sandbox.settings.change({"webhook_format": "form"})
    sandbox.escrow(attempt.imp_uid, 2)
    fields = dict(parse_qsl(shop.asked[2].partition(b"\r\n\r\n")[2].decode()))
    assert json.loads(fields["extra"])["escrow_status"] == 2
    with pytest.raises(ValueError, match="escrow_status is one of 2, 3"):
        sandbox.escrow(attempt.imp_uid, 5)
    for other in (opened(sandbox, merchant_uid="B"), paid(sandbox, merchant_uid="C", pg="kcp")):
        with pytest.raises(Refused):
            sandbox.escrow(other.imp_uid, 2)


def test_each_deposit_into_an_unlimited_account_is_told(sandbox: Sandbox, shop: Gateway) -> None:
    imp_uid = opened(sandbox, amount=0, pg="settle", pay_method="vbank").imp_uid
    sandbox.issue_account(imp_uid)
    for amount in (1000, 2000):
        sandbox.deposit(imp_uid, Decimal(amount), "홍길동")
    assert [body["status"] for body in bodies(shop)] == ["ready", "paid", "paid"]


# The question before an approval


def timed(seconds: float, status: int = 200) -> Behaviour:
    def behave(line: Line) -> None:
        line.request()
        line.stop.wait(seconds)
        line.send(answer(status))

    return behave


def dripped(seconds: float) -> Behaviour:
    def behave(line: Line) -> None:
        line.request()
        whole = answer(200, b"x" * 20)
        line.drip(whole, seconds / len(whole))

    return behave


@pytest.mark.parametrize("kind", [timed, dripped])
def test_a_slow_yes_within_its_time_counts_and_one_past_it_does_not(
    sandbox: Sandbox, shop: Gateway, kind: Callable[[float], Behaviour]
) -> None:
    for number, takes, may_take, status in (("A", 0.2, 30, "paid"), ("B", 10, SHORT, "failed")):
        sandbox.settings.change({"confirm_seconds": may_take})
        shop.behave = kind(takes)
        made = paid(sandbox, merchant_uid=number, confirm_url=shop.url + "/confirm")
        assert made.status == status
    within, past = entries(sandbox, "confirm")
    assert (within["status"], within["error"]) == (200, None)
    assert (past["status"], past["error"]) == (None, "TimeoutError: no whole answer within 0.3 s")
    assert past["milliseconds"] >= 1000 * SHORT
    assert [each["merchant_uid"] for each in (within, past)] == ["A", "B"]


@pytest.mark.parametrize("kind", SHOPS)
def test_200_alone_and_whole_is_a_yes(sandbox: Sandbox, shop: Gateway, kind: str) -> None:
    sandbox.settings.change({"confirm_seconds": SHORT})
    shop.behave = SHOPS[kind]()
    made = paid(sandbox, confirm_url=shop.url + "/confirm")
    good = kind in ("200", "HTML")
    assert made.status == ("paid" if good else "failed")
    assert paths(shop) == ["/confirm", "/hook"] if good else ["/confirm"]
    (entry,) = entries(sandbox, "confirm")
    assert entry["status"] == TOLD.get(kind)
    assert json.loads(entry["body"])["amount"] == 39000
    assert (entry["attempt"], entry["merchant_uid"]) == (1, "ORD-1001")


@pytest.mark.parametrize(
    ("pg", "method", "asks"),
    [
        *((each, "card", False) for each in ("eximbay", "naverco", "daou")),
        *((each, "cultureland", False) for each in ("danal", "mobilians_v2")),
        ("danal", "card", True),
        ("tosspayments", "cultureland", True),
    ],
)
def test_some_pgs_do_not_ask_and_some_not_for_vouchers(
    sandbox: Sandbox, shop: Gateway, pg: str, method: str, asks: bool
) -> None:
    paid(sandbox, pg=pg, pay_method=method, confirm_url=shop.url + "/confirm")
    assert paths(shop) == ["/confirm", "/hook"] if asks else ["/hook"]


def test_it_may_be_asked_twice_and_as_a_form(sandbox: Sandbox, shop: Gateway) -> None:
    sandbox.settings.change({"confirm_twice": True, "confirm_format": "form"})
    shop.behave = answers(answer(200), answer(409, '{"reason":"품절"}'.encode()))
    made = paid(sandbox, confirm_url=shop.url + "/confirm")
    assert made.fail_reason == "고객사 요청에 의해 결제를 중단합니다. (상세사유 : 품절)"
    assert [each["attempt"] for each in entries(sandbox, "confirm")] == [1, 2]
    assert all(asked.endswith(b"&amount=39000") for asked in shop.asked)


# Its end


@pytest.mark.parametrize("order", ["webhook-first", "both"])
@pytest.mark.parametrize("end", ["clear", "close_down"])
def test_what_is_under_way_ends_at_once(
    sandbox: Sandbox, shop: Gateway, order: str, end: str
) -> None:
    asked = threading.Event()

    def waits(line: Line) -> None:
        line.request()
        asked.set()
        line.hang()

    shop.behave = waits
    sandbox.settings.change({"webhook_order": order, "webhook_seconds": 3600})
    sandbox.settings.change({"webhook_resends": "5xx"})
    buyer = threading.Thread(target=paid, args=(sandbox,))
    buyer.start()
    assert asked.wait(30)
    begun = time.monotonic()
    if end == "clear":
        sandbox.webhooks.clear()
    else:
        sandbox.close_down()
    buyer.join()
    assert time.monotonic() - begun < PROMPT
    shop.behave = answers(answer(200))
    if end == "clear":
        sandbox.clock.advance(3600)
        paid(sandbox, merchant_uid="B")
        sandbox.webhooks.deliver()
        assert [each.merchant_uid for each in sandbox.webhooks.deliveries] == ["B"]
    else:
        entry = entries(sandbox)[-1]
        assert (entry["status"], entry["error"]) == (None, "the sandbox was stopped")
        sandbox.webhooks.send({})
        assert entries(sandbox)[-1]["error"] == "the sandbox was stopped"


def test_what_ended_is_not_sent_on_to_its_other_addresses(sandbox: Sandbox, shop: Gateway) -> None:
    asked = threading.Event()

    def waits(line: Line) -> None:
        line.request()
        asked.set()
        line.hang()

    shop.behave = waits
    sandbox.settings.change({"webhook_seconds": 3600})
    urls = {"notice_url": [shop.url + "/one", shop.url + "/two"]}
    buyer = threading.Thread(target=paid, args=(sandbox,), kwargs=urls)
    buyer.start()
    assert asked.wait(30)
    sandbox.webhooks.clear()
    buyer.join()
    assert paths(shop) == ["/one"]


def test_what_was_kept_late_or_withheld_is_forgotten_with_the_rest(
    sandbox: Sandbox, shop: Gateway
) -> None:
    sandbox.faults.add(Fault("webhook", late=100))
    sandbox.faults.add(Fault("webhook", withhold=True))
    for number in "AB":
        paid(sandbox, merchant_uid=number)
    sandbox.settings.change({"webhook_order": "browser-first"})
    paid(sandbox, merchant_uid="C")
    sandbox.webhooks.clear()
    sandbox.clock.advance(3600)
    sandbox.webhooks.deliver()
    assert (sandbox.webhooks.release(), shop.asked) == (0, [])


def test_a_server_stops_at_once_with_a_delivery_and_a_question_under_way(rest: Rest) -> None:
    asked = threading.Semaphore(0)

    def waits(line: Line) -> None:
        line.request()
        asked.release()
        line.hang()

    with Gateway(waits) as shop, SandboxServer(webhook_url=shop.url) as server:
        sandbox = server.sandbox
        wanted = [
            opened(sandbox, merchant_uid="A"),
            opened(sandbox, merchant_uid="B", confirm_url=shop.url),
        ]
        buyers = [threading.Thread(target=sandbox.approve, args=(each.imp_uid,)) for each in wanted]
        for each in buyers:
            each.start()
        for _ in buyers:
            assert asked.acquire(timeout=30)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < PROMPT
        for each in buyers:
            each.join()
        states = [sandbox.gateway.attempt(each.imp_uid).status for each in wanted]
        assert states == ["paid", "failed"]


# How it travels


def carry(url: str, seconds: float = 5.0) -> Reply:
    return Http()(Outgoing(url, "application/json", "{}", Times.in_all(seconds)))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("shop:hook", "not http"),
        ("http://", "not http"),
        ("http://127.0.0.1:99999/", "ValueError"),
        ("http://name.invalid/", "gaierror"),
        ("http://[::1", "ValueError"),
    ],
)
def test_an_address_that_is_none_is_a_failure_that_can_be_seen(url: str, error: str) -> None:
    reply = carry(url)
    assert reply.status is None
    assert error in str(reply.error)


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with Gateway(answers(answer(200))) as shop, socket.create_server(("127.0.0.1", 0)) as closed:
        good = ("127.0.0.1", int(shop.url.rpartition(":")[2]))
        bad = closed.getsockname()
        closed.close()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (bad, good)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert carry("http://shop.test/").status == 200
        assert b"Host: shop.test\r\n" in shop.asked[0]


def test_an_answer_is_read_as_far_as_it_is_kept_and_in_its_charset() -> None:
    korean = "결제".encode("euc-kr")
    kept = answer(200, b"x" * 100_000)
    behave = answers(
        kept,
        answer(200, korean, b"text/plain;charset=euc-kr"),
        answer(200, "결제".encode(), b"text/plain;charset=nonsense"),
        answer(200, b"12345")[:-2],
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    )
    with Gateway(behave) as shop:
        assert len(carry(shop.url).answer) == 64 * 1024 + 1
        assert carry(shop.url + "?q=결제").answer == "결제"
        assert carry(shop.url).answer == "결제"
        assert "cut" in str(carry(shop.url).error)
        assert carry(shop.url).answer == "until the end"
        assert b"POST /?q=%EA%B2%B0%EC%A0%9C HTTP" in shop.asked[1]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    made, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return context


def test_a_shop_behind_tls_is_reached_and_timed_too(authority: ssl.SSLContext) -> None:
    with Gateway(answers(answer(200)), authority) as shop:
        assert carry(shop.url).status == 200
        shop.behave = drips
        assert "within 0.3 s" in str(carry(shop.url, SHORT).error)
        shop.bare, shop.behave = True, hangs  # no handshake ever comes
        reply = carry(shop.url, SHORT)
        assert (reply.status, "TimeoutError" in str(reply.error)) == (None, True)
        assert reply.milliseconds < 1000 * (SHORT + PROMPT)
