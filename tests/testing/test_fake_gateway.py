"""`FakeGateway`: the gateway in a shop's test, in process and over HTTP."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
import requests
from flask import Flask
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from imp_verify import (
    AsyncVerifier,
    Credentials,
    GatewayProtocolError,
    GatewayUnavailable,
    Verdict,
    Verifier,
)
from imp_verify.contrib.flask import payments
from imp_verify.contrib.starlette import payments as async_payments
from imp_verify.sandbox import (
    Account,
    ApiAnswer,
    ApiRequest,
    Attempt,
    Refused,
    SandboxServer,
    Settings,
)
from imp_verify.sandbox.deliveries import Outgoing, Reply
from imp_verify.sandbox.seeding import record
from imp_verify.stores.memory import MemoryStore
from imp_verify.testing import FakeGateway
from imp_verify.transports import GatewayRequest

NOON = 1_785_400_000


def shop(gateway: FakeGateway, told: list[str] | None = None) -> Verifier:
    """A shop all of whose orders ask for 39,000 won."""
    note = [] if told is None else told
    store = MemoryStore(
        expected=lambda order, _: 39000,
        on_paid=lambda outcome, _: note.append(f"paid {outcome.merchant_uid}"),
        on_cancelled=lambda outcome, _: note.append(f"cancelled {outcome.merchant_uid}"),
    )
    return Verifier(
        store, transport=gateway.transport, credentials=gateway.credentials, test_mode=True
    )


def served_by_flask(gateway: FakeGateway, told: list[str]) -> Flask:
    app = Flask("shop")
    app.register_blueprint(payments(shop(gateway, told)), url_prefix="/payments")
    return app


def test_a_shop_judges_what_the_fake_gateway_says() -> None:
    gateway = FakeGateway()
    verifier = shop(gateway)
    good = gateway.pay("ORD-1", 39000)
    assert verifier.verify(good.imp_uid, "ORD-1").verdict == Verdict.PAID
    forged = gateway.pay("ORD-2", 100)
    assert verifier.verify(forged.imp_uid, "ORD-2").verdict == Verdict.FORGERY
    assert verifier.verify("imp_000000000000", "ORD-3").verdict == Verdict.UNKNOWN_PAYMENT
    assert [call.what["call"] for call in gateway.calls] == ["token", *["payment"] * 3]


def test_an_async_shop_judges_the_same() -> None:
    gateway = FakeGateway()
    store = MemoryStore(expected=lambda order, _: 39000)

    async def run() -> list[Verdict]:
        verifier = AsyncVerifier(
            store,
            transport=gateway.async_transport,
            credentials=gateway.credentials,
            test_mode=True,
        )
        numbers = [gateway.pay("ORD-1", 39000).imp_uid, gateway.pay("ORD-1b", 100).imp_uid]
        verdicts = [(await verifier.verify(uid, None)).verdict for uid in numbers]
        cancelled = await verifier.cancel(numbers[0], reason="sold out", refundable=39000)
        await gateway.async_transport.close()
        return [*verdicts, cancelled.verdict]

    assert asyncio.run(run()) == [Verdict.PAID, Verdict.FORGERY, Verdict.CANCELLED]
    gateway.transport.close()


def test_every_step_gives_the_payment_as_it_is_then() -> None:
    gateway = FakeGateway(accounts=[Account("k", "long_secret")], account_expired="failed")
    gateway.clock.stop_at(NOON)
    assert gateway.credentials == Credentials("k", "long_secret")
    assert gateway.approve(gateway.open("A", 100)).status == "paid"
    assert gateway.decline(gateway.open("B", 100)).fail_reason == "한도초과"
    assert gateway.close(gateway.open("C", 100).imp_uid).status == "failed"
    account = gateway.issue(gateway.open("D", 100, pay_method="vbank"))
    assert account.waits_for_deposit
    assert gateway.deposit(account).status == "paid"
    waiting = gateway.issue(gateway.open("E", 100, pay_method="vbank"))
    assert gateway.expire(waiting).status == "failed"
    assert gateway.pay("F", 100, pay_method="vbank", tier="T1").status == "paid"
    part = gateway.cancel(gateway.pay("G", 100), 30, "broken")
    assert (part.cancel_amount, part.remaining) == (Decimal(30), Decimal(70))
    assert gateway.cancel(part).remaining == 0
    late = gateway.approve_later(gateway.open("H", 100), 60)
    gateway.clock.advance(60)
    assert gateway.payment(late).paid_at == NOON + 60
    assert gateway.edit(late, amount=7, status="failed").amount == Decimal(7)
    assert gateway.edit(late, name="a new name").name == "a new name"
    assert gateway.make("I", Decimal("10.99"), status="cancelled").cancel_amount == Decimal("10.99")
    with pytest.raises(Refused):
        _ = gateway.open("G", 100)


def test_what_a_shop_refuses_in_confirm_is_no_payment() -> None:
    def refuse(sent: Outgoing) -> tuple[int, str] | None:
        return (500, '{"reason":"sold out"}') if "/confirm" in sent.url else None

    gateway = FakeGateway(receiver=refuse)
    window = gateway.open("A", 100, confirm_url="http://shop/confirm")
    assert "sold out" in (gateway.approve(window).fail_reason or "")
    window = gateway.open("B", 100, confirm_url="http://shop/confirm", pay_method="vbank")
    assert gateway.issue(window).status == "failed"
    refused = gateway.pay("C", 100, confirm_url="http://shop/confirm", pay_method="vbank")
    assert refused.status == "failed"


def test_the_same_bytes_come_by_socket_and_in_process() -> None:
    gateway = FakeGateway(seed={"ids": "bytes", "clock": {"stop_at": NOON}})
    uid = gateway.pay("ORD-1", 39000, custom_data={"한글": [1]}).imp_uid
    keys = b"imp_key=sandbox_key&imp_secret=sandbox_secret"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = [
        ("POST", "/users/getToken", form, keys),
        ("GET", f"/payments/{uid}", {}, None),
        ("GET", "/payments/imp_none", {}, None),
        ("GET", "/payments/status/paid?limit=5&page=1", {}, None),
        ("GET", f"/payments?imp_uid[]={uid}&imp_uid[]=imp_none", {}, None),
        ("GET", "/payments/find/ORD-1", {}, None),
        ("GET", "/certifications/x", {}, None),
        ("DELETE", f"/payments/{uid}", {}, None),
        ("POST", "/payments/prepare", form, b"merchant_uid=P&amount=10"),
        ("POST", "/payments/prepare", {"Content-Type": "application/json"}, b"[" * 20000),
    ]
    auth: dict[str, str] = {}
    with gateway.serve() as url, requests.Session() as http:
        for method, path, headers, body in asked:
            given = {**headers, **auth}
            there = http.request(method, url + path, data=body, headers=given)
            request = GatewayRequest(method, "https://api.iamport.kr" + path, given, body, 0)
            here = gateway.transport(request)
            if "prepare" not in path or there.status_code != 200:  # a second one is refused
                assert (here.status, here.body) == (there.status_code, there.content), path
            if not auth:
                auth = {"Authorization": there.json()["response"]["access_token"]}
        gateway.reset()  # and the server answers from the new state
        assert gateway.calls == []
        assert http.get(f"{url}/payments/{uid}", headers=auth).status_code == 401
        assert len(gateway.calls) == 1
    with gateway.serve() as url:  # a second time: it is not closed down
        assert requests.get(f"{url}/payments/x", timeout=5).status_code == 401
    with pytest.raises(requests.ConnectionError):
        _ = requests.get(f"{url}/payments/x", timeout=5)


# Receivers


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An application that begins late and writes in the old way too."""
    length = int(environ["CONTENT_LENGTH"])
    body = environ["wsgi.input"].read(length)
    write = start_response("200 OK", [])
    write(f"{environ['HTTP_HOST']} {environ['PATH_INFO']}?{environ['QUERY_STRING']} ".encode())
    yield body
    yield threading.current_thread().name.encode()


def test_a_wsgi_shop_is_told_in_the_tests_own_thread() -> None:
    gateway = FakeGateway(receiver=wsgi, webhook_url="https://shop.test:8443/a%20b?c=d")
    uid = gateway.pay("ORD-1", 100).imp_uid
    (told,) = gateway.deliveries
    assert told.status == 200
    assert told.answer.startswith("shop.test:8443 /a b?c=d {")
    assert uid in told.answer
    assert told.answer.endswith(threading.current_thread().name)


def test_a_flask_shop_is_paid_and_cancelled_without_a_server() -> None:
    told: list[str] = []
    gateway = FakeGateway()
    gateway.receiver = served_by_flask(gateway, told)
    payment = gateway.pay("ORD-1", 39000)
    assert [each.status for each in gateway.deliveries] == [200]
    assert gateway.resend().ok
    _ = gateway.cancel(payment)
    assert told == ["paid ORD-1", "cancelled ORD-1"]
    first = gateway.deliveries[0]
    assert gateway.resend(first).body == first.body
    assert len(gateway.deliveries) == 4


def starlette_shop(seen: list[object]) -> Starlette:
    async def webhook(request: Request) -> PlainTextResponse:
        seen.append(asyncio.get_running_loop())
        content = await request.json()
        if content["merchant_uid"] == "BROKEN":
            raise RuntimeError("out of order")
        return PlainTextResponse(content["status"])

    return Starlette(routes=[Route("/payments/webhook", webhook, methods=["POST"])])


def test_an_asgi_shop_is_told_with_and_without_a_loop() -> None:
    seen: list[object] = []
    gateway = FakeGateway(receiver=starlette_shop(seen))
    _ = gateway.pay("A", 100)

    async def inside() -> None:
        _ = gateway.pay("B", 100)  # in the loop's own thread: a loop of its own
        gateway.receiver = starlette_shop(seen)  # now it knows this loop
        _ = await asyncio.to_thread(gateway.pay, "C", 100)
        assert seen[-1] is asyncio.get_running_loop()
        assert seen[-2] is not seen[-1]

    asyncio.run(inside())
    _ = gateway.pay("D", 100)  # that loop has ended
    assert [each.answer for each in gateway.deliveries] == ["paid"] * 4


def test_a_loop_that_waits_for_the_gateway_is_not_waited_for_for_ever() -> None:
    async def inside() -> FakeGateway:
        soon = Decimal("0.01")
        shop = starlette_shop([])
        gateway = FakeGateway(receiver=shop, webhook_order="both", webhook_seconds=soon)
        _ = gateway.pay("A", 100)
        _ = gateway.deliver()  # the loop stands here until the shop that runs in it has answered
        return gateway

    (told,) = asyncio.run(inside()).deliveries
    assert told.error == "no answer within 0.01 s"


def test_a_shop_that_waits_for_the_loop_that_waits_for_it_is_not_waited_for_for_ever() -> None:
    free, ended = threading.Event(), threading.Event()

    async def shop(_: object, __: object, ___: object) -> None:
        await asyncio.to_thread(free.wait)
        ended.set()

    async def inside() -> FakeGateway:
        gateway = FakeGateway(receiver=shop, webhook_seconds=Decimal("0.01"))
        _ = gateway.pay("A", 100)
        free.set()
        return gateway

    (told,) = asyncio.run(inside()).deliveries
    assert told.error == "no answer within 0.01 s"
    assert ended.wait(10)


@pytest.mark.parametrize("within", [True, False])
def test_an_asgi_shop_that_raises_answers_500_as_on_a_server(
    within: bool, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = FakeGateway(receiver=starlette_shop([]))

    async def inside() -> Attempt:
        return gateway.pay("BROKEN", 100)

    payment = asyncio.run(inside()) if within else gateway.pay("BROKEN", 100)
    assert payment.status == "paid"
    (told,) = gateway.deliveries
    assert (told.status, "RuntimeError" in told.answer) == (500, True)
    assert "out of order" in caplog.text


def test_an_asgi_shop_of_the_product_is_paid() -> None:
    gateway = FakeGateway()
    store = MemoryStore(expected=lambda order, _: 39000)
    verifier = AsyncVerifier(
        store,
        transport=gateway.async_transport,
        credentials=gateway.credentials,
        test_mode=True,
    )
    app = Starlette()
    app.mount("/payments", async_payments(verifier))
    gateway.receiver = app
    _ = gateway.pay("ORD-1", 39000)
    assert [each.status for each in gateway.deliveries] == [200]
    assert store.paid("ORD-1")


def quart_shop() -> Any:
    app = Quart("shop")

    @app.post("/payments/webhook")
    async def webhook() -> str:
        await asyncio.sleep(0)
        return "paid"

    return app


async def app_that_listens(scope: Any, receive: Any, send: Any) -> None:
    """As Django's ASGI handler and Starlette's streams do: who goes before the answer is there gets
    none."""
    assert (await receive())["type"] == "http.request"
    gone = asyncio.ensure_future(receive())
    await asyncio.sleep(0.01)
    if not gone.done():
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"pa", "more_body": True})
        await send({"type": "http.response.body", "body": b"id"})
    assert (await gone)["type"] == "http.disconnect"


@pytest.mark.parametrize("app", [quart_shop(), app_that_listens], ids=["quart", "listens"])
def test_an_asgi_shop_is_not_left_before_it_has_answered(app: Any) -> None:
    gateway = FakeGateway(receiver=app)
    _ = gateway.pay("A", 100)

    async def inside() -> None:
        _ = gateway.pay("B", 100)
        gateway.receiver = app
        _ = await asyncio.to_thread(gateway.pay, "C", 100)

    asyncio.run(inside())
    told = [(each.status, each.answer) for each in gateway.deliveries]
    assert told == [(200, "paid")] * 3


def test_a_function_is_a_receiver_and_what_it_raises_comes_out() -> None:
    got: list[Outgoing] = []
    answers: list[object] = [None, 400, (503, "later"), Reply(None, "", "no route")]

    def take(sent: Outgoing) -> object:
        got.append(sent)
        return answers.pop(0)

    gateway = FakeGateway(receiver=take)
    for order in "ABCD":
        _ = gateway.pay(order, 100)
    assert [each.status for each in gateway.deliveries] == [200, 400, 503, None]
    assert json.loads(got[0].body)["merchant_uid"] == "A"

    def check(sent: Outgoing) -> None:
        assert "failed" in sent.body

    gateway.receiver = check
    with pytest.raises(AssertionError):
        _ = gateway.pay("E", 100)


def test_an_address_is_a_receiver_and_none_is_told_nothing() -> None:
    gateway = FakeGateway(receiver="http://127.0.0.1:9/webhook")
    _ = gateway.pay("A", 100)
    assert gateway.deliveries[0].error
    gateway.receiver = None
    _ = gateway.pay("B", 100)
    assert len(gateway.deliveries) == 1
    kept = FakeGateway(webhook_url="http://127.0.0.1:9/kept")
    kept.receiver = wsgi
    _ = kept.pay("A", 100)
    assert kept.deliveries[0].url == "http://127.0.0.1:9/kept"
    seeded = FakeGateway(seed={"settings": {"webhook_url": "http://x/y"}})
    seeded.receiver = wsgi
    assert seeded.sandbox.settings.webhook_url == "http://x/y"
    with pytest.raises(ValueError, match="nothing was sent yet"):
        _ = gateway_of_nobody().resend()


def gateway_of_nobody() -> FakeGateway:
    return FakeGateway()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Request({"type": "http"}), "not Request"),  # an object, as a test client gives
        ("ok", "not str"),
        (True, "not True"),
        ((200, "ok", {}), "not tuple"),
        (("200", "ok"), "not str"),
        (99999, "not 99999"),
    ],
)
def test_what_is_no_answer_of_a_receiver_is_refused_in_words(answer: object, said: str) -> None:
    gateway = FakeGateway(receiver=lambda _: answer)
    with pytest.raises(ValueError, match=f"a status and a text, a Reply or None; {said}"):
        _ = gateway.pay("A", 100)


async def coroutine(_: object) -> int:
    return 200


@pytest.mark.parametrize("wrong", [5, lambda: 200, lambda a, b, c, d: 200, coroutine])
def test_what_is_no_receiver_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(ValueError, match="receiver is an address, a WSGI or ASGI application"):
        _ = FakeGateway(receiver=wrong)


def test_a_receiver_of_unknown_arguments_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise ValueError

    monkeypatch.setattr(inspect, "signature", unknown)
    with pytest.raises(ValueError, match="it is not known what it takes"):
        _ = FakeGateway(receiver=wsgi)


# What goes wrong


def test_a_fault_lasts_for_its_times_or_as_long_as_a_block() -> None:
    gateway = FakeGateway()
    verifier = shop(gateway)
    uid = gateway.pay("A", 39000).imp_uid
    _ = gateway.fail("payment", status=429, times=2)
    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            _ = verifier.verify(uid, "A")
    assert verifier.verify(uid, "A").verdict == Verdict.PAID
    with gateway.fail("payment", status=503):
        for _ in range(3):
            with pytest.raises(GatewayUnavailable):
                _ = verifier.verify(uid, "A")
    assert verifier.verify(uid, "A").verdict == Verdict.PAID
    with gateway.fail("payment", status=429, times=1) as failing:
        failing.end()
        assert verifier.verify(uid, "A").verdict == Verdict.PAID


@pytest.mark.parametrize("slow", [{"delay": 30}, {"drip": 1}])
def test_an_answer_that_comes_too_late_is_trouble_at_once(slow: dict[str, Any]) -> None:
    gateway = FakeGateway()
    verifier = Verifier(
        MemoryStore(expected=lambda number, _: 100),
        credentials=gateway.credentials,
        transport=gateway.transport,
        test_mode=True,
    )
    paid = gateway.pay("ORD-1", 100)
    with gateway.fail("payment", **slow), pytest.raises(GatewayUnavailable):
        _ = verifier.verify(paid.imp_uid, "ORD-1")
    assert verifier.verify(paid.imp_uid, "ORD-1").paid


def test_an_answer_that_is_cut_behind_its_end_is_whole_as_over_http() -> None:
    gateway = FakeGateway()
    verifier = shop(gateway)
    uid = gateway.pay("A", 39000).imp_uid
    _ = gateway.fail("payment", truncate=10**6)
    assert verifier.verify(uid, "A").verdict == Verdict.PAID


def test_an_answer_that_is_lost_cut_or_too_large_is_what_a_transport_says_of_it() -> None:
    gateway = FakeGateway()
    verifier = shop(gateway)
    uid = gateway.pay("A", 39000).imp_uid
    assert verifier.verify(uid, "A").verdict == Verdict.PAID
    _ = gateway.fail("cancel", lost=True)
    with pytest.raises(GatewayUnavailable) as caught:
        _ = verifier.cancel(uid, reason="twice?", refundable=39000)
    assert caught.value.uncertain
    assert gateway.payment(uid).status == "cancelled"
    with gateway.fail("payment", truncate=5), pytest.raises(GatewayUnavailable):
        _ = verifier.verify(uid, "A")
    _ = gateway.fail("payment", status=200, body=" " * (1 << 21))
    with pytest.raises(GatewayProtocolError, match="exceeds"):
        _ = verifier.verify(uid, "A")


NO_ACCOUNTS: Any = [("key", "secret")]
NO_PAIRS: Any = [{"k": "kakaopay"}, {"k": {"pg": "kakaopay", "test": True}}]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda g: g.fail("payment", state=5), "no such field: state; there are call, status"),
        (lambda g: g.fail("nonsense"), "call is one of token, "),
        (lambda g: g.edit(g.pay("A", 1), imp_uid="imp_1"), "no such field: imp_uid; there are"),
        (lambda g: g.edit(g.pay("A", 1), paid_at="now"), "paid_at is int, no str"),
        (lambda g: g.edit(g.pay("A", 1), notice_urls="http://a"), "notice_urls is tuple"),
        (lambda g: g.edit(g.pay("A", 1), amount=None), "amount is Decimal, no NoneType"),
        (lambda g: g.open("A", 9.99), "amount is an int or a Decimal of at most 18 digits"),
        (lambda g: g.cancel(g.pay("A", 9), 4.99), "amount is an int or a Decimal"),
        (lambda g: g.cancel(g.pay("A", 9), "4"), "amount is an int or a Decimal"),
        (lambda g: g.deposit(g.pay("A", 9), Decimal("nan")), "amount is an int or a Decimal"),
        (lambda g: FakeGateway(channels=NO_PAIRS[0]), "channels: k is a pair of its PG's code"),
        (lambda g: FakeGateway(channels=NO_PAIRS[1]), "channels: k is a pair of its PG's code"),
        (lambda g: FakeGateway(accounts=NO_ACCOUNTS), "accounts are of imp_verify.sandbox.Acc"),
        (lambda g: FakeGateway(receiver="localhost:5000"), "webhook_url is an address that begins"),
        (lambda g: FakeGateway(webhook_orders="both"), "no such setting: webhook_orders"),
        (lambda g: FakeGateway(webhook_order="none"), "webhook_order is one of webhook-first"),
        (lambda g: FakeGateway(seed={"payment": []}), "no such section: payment; there are ids"),
    ],
)
def test_a_wrong_name_or_value_is_said_with_what_is_allowed(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wrong(FakeGateway())


def test_an_edit_that_is_refused_leaves_the_payment_in_its_lists() -> None:
    gateway = FakeGateway()
    payment = gateway.pay("A", 100)
    with pytest.raises(ValueError, match="cancelled_at"):
        _ = gateway.edit(payment, cancelled_at="now")
    assert gateway.payment(payment) == payment
    assert gateway.edit(payment, amount=90, status="authorized", card=None).amount == 90


def test_what_is_asked_for_wrongly_changes_nothing_and_asks_no_shop() -> None:
    asked: list[Outgoing] = []
    gateway = FakeGateway(receiver=lambda sent: asked.append(sent))
    account = gateway.open("A", 100, pay_method="vbank", confirm_url="http://testserver/confirm")
    card = gateway.open("B", 100, confirm_url="http://testserver/confirm")
    approve, issue = gateway.sandbox.approve, gateway.sandbox.issue_account
    with pytest.raises(Refused):
        _ = approve(account.imp_uid, amount=Decimal(1))
    with pytest.raises(Refused):
        _ = approve(card.imp_uid, amount=Decimal(1), balance=True)
    with pytest.raises(Refused):
        _ = issue(card.imp_uid, amount=Decimal(1))
    assert [gateway.payment(each) for each in (account, card)] == [account, card]
    assert asked == []


def test_what_is_approved_later_is_until_then_as_the_settings_say() -> None:
    gateway = FakeGateway()
    states = []
    for value, pg in (("by-pg", "kcp"), ("by-pg", "paypal"), ("pending", "kcp")):
        gateway.sandbox.settings.change({"pending_is": value})
        payment = gateway.open(f"{value}-{pg}", 100, pg=pg)
        states.append(gateway.approve_later(payment, 60).status)
    assert states == ["ready", "failed", "pending"]
    payment = gateway.open("A", 100)
    assert gateway.approve_later(payment, 60, meanwhile="failed").status == "failed"


def test_what_has_ended_is_neither_closed_nor_left() -> None:
    gateway = FakeGateway(closed_becomes="ready")
    paid = gateway.pay("A", 100)
    for move in (gateway.sandbox.close, gateway.sandbox.leave):
        with pytest.raises(Refused):
            _ = move(paid.imp_uid)
    assert gateway.close(gateway.open("B", 100)).status == "ready"


def test_what_waits_because_of_a_fault_goes_on_when_its_block_ends() -> None:
    gateway = FakeGateway()
    with gateway.fail("payment", delay=3600) as failing:
        way = failing.fault.afterwards(ApiAnswer(200, b"")).way
        assert not way.waits.wait(0)
    assert way.waits.wait(0)


@pytest.mark.parametrize("ends", ["reset", "end"])
def test_a_call_that_waits_over_http_goes_on_after_a_reset_and_at_the_end(ends: str) -> None:
    gateway = FakeGateway()
    _ = gateway.fail("token", delay=20)
    with ThreadPoolExecutor() as threads, gateway.serve() as url:
        waiting = threads.submit(requests.post, f"{url}/users/getToken", json={})
        (entry,) = gateway.journal.after(0, wait=30)
        begun = time.monotonic()
        if ends == "reset":
            gateway.reset()
            assert waiting.result().status_code == 400
    assert time.monotonic() - begun < 4
    assert (waiting.result().status_code, entry.what["status"]) == (400, 400)


def test_who_waits_is_let_go_and_whoever_comes_then_waits_again() -> None:
    gateway = FakeGateway()
    fault, begun = gateway.fail("token", delay=3600).fault, time.monotonic()
    before, answer = fault.afterwards(ApiAnswer(200, b"")).way.waits, ApiAnswer(200, b"")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(gateway.journal.after, 99, 30)
        while not waiting.done():
            gateway.sandbox.let_go()
    assert (waiting.result(), before.wait(0)) == ([], True)
    assert not fault.afterwards(answer).way.waits.wait(0)
    assert time.monotonic() - begun < 20


def test_webhooks_that_are_kept_back_are_delivered_by_hand() -> None:
    gateway = FakeGateway(receiver=wsgi, webhook_order="browser-first")
    _ = gateway.pay("A", 100)
    assert gateway.deliveries == []
    assert [each.status for each in gateway.deliver()] == [200]


def test_a_webhook_that_a_fault_withholds_is_delivered_by_hand_too() -> None:
    gateway = FakeGateway(receiver=wsgi)
    _ = gateway.fail("webhook", withhold=True)
    _ = gateway.pay("A", 100)
    assert gateway.deliveries == []
    assert [each.status for each in gateway.deliver()] == [200]
    assert [each.status for each in gateway.deliver()] == [200], "once"


def test_a_reset_is_the_start_and_nothing_is_shared_by_two() -> None:
    seed = {"payments": [{"merchant_uid": "OLD", "amount": 1}], "clock": {"stop_at": NOON}}
    gateway, other = (FakeGateway(seed=seed, cancel_seconds=5) for _ in range(2))
    start, untouched = gateway.sandbox.gateway.attempts(), record(other.sandbox)
    gateway.receiver = wsgi
    gateway.sandbox.settings.change({"cancel_seconds": 9})
    _ = gateway.fail("payment", times=9)
    _ = gateway.pay("NEW", 100)
    gateway.clock.advance(50)
    assert [each.merchant_uid for each in other.sandbox.gateway.attempts()] == ["OLD"]
    assert (other.deliveries, list(other.journal), other.clock()) == ([], [], NOON)
    assert record(other.sandbox) == untouched
    gateway.reset()
    now = gateway.sandbox
    assert [each.merchant_uid for each in now.gateway.attempts()] == ["OLD"]
    assert now.gateway.attempts()[0].paid_at == start[0].paid_at
    assert (gateway.deliveries, list(gateway.journal), gateway.clock()) == ([], [], NOON)
    assert now.settings.cancel_seconds == 5
    assert now.faults.all() == []
    _ = gateway.pay("NEW", 100)  # and it is still told
    assert [each.status for each in gateway.deliveries] == [200]


def test_a_verifier_goes_on_after_a_reset() -> None:
    gateway = FakeGateway()
    verifier = shop(gateway)
    assert verifier.verify(gateway.pay("A", 39000).imp_uid, "A").verdict == Verdict.PAID
    gateway.reset()
    assert verifier.verify(gateway.pay("B", 39000).imp_uid, "B").verdict == Verdict.PAID


def test_eight_threads_cancel_one_payment_and_one_wins() -> None:
    gateway = FakeGateway()
    uid = gateway.pay("A", 100).imp_uid
    together = threading.Barrier(8)
    api = gateway.transport
    keys = b'{"imp_key":"sandbox_key","imp_secret":"sandbox_secret"}'
    kind = {"Content-Type": "application/json"}
    url = "https://api.iamport.kr"
    token = json.loads(api(GatewayRequest("POST", f"{url}/users/getToken", kind, keys, 0)).body)
    headers = {**kind, "Authorization": token["response"]["access_token"]}
    codes: list[int] = []

    def cancel() -> None:
        body = json.dumps({"imp_uid": uid, "checksum": 100}).encode()
        request = GatewayRequest("POST", f"{url}/payments/cancel", headers, body, 0)
        together.wait()
        codes.append(json.loads(api(request).body)["code"])

    threads = [threading.Thread(target=cancel) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(code == 0 for code in codes) == [False] * 7 + [True]
    assert gateway.payment(uid).cancel_amount == 100
    assert len(gateway.payment(uid).cancellations) == 1


def test_settings_are_those_of_the_sandbox() -> None:
    gateway = FakeGateway(webhook_format="form", closed_becomes="ready")
    assert gateway.sandbox.settings == Settings(webhook_format="form", closed_becomes="ready")
    assert gateway.close(gateway.open("A", 1)).status == "ready"
    answer = gateway._api.answer(ApiRequest("GET", "/payments/x"))
    assert answer.status == 401


def test_custom_data_is_kept_as_json_and_what_is_none_is_an_error_of_the_test() -> None:
    gateway = FakeGateway()
    payment = gateway.open("A", 100, custom_data=MappingProxyType({"a": [1]}))
    assert payment.custom_data == '{"a":[1]}'
    with pytest.raises(TypeError, match="set is no JSON"):
        _ = gateway.open("B", 100, custom_data={"a"})


def test_a_deadline_before_all_times_opens_no_window() -> None:
    with pytest.raises(Refused):
        _ = FakeGateway().open("A", 100, pay_method="vbank", vbank_due="1969-12-31")


def test_a_card_that_is_registered_under_no_name_is_not_stored() -> None:
    gateway = FakeGateway()
    assert gateway.make("A", 100, customer_uid_usage="issue").customer_uid is None
    assert gateway.sandbox.gateway.customers.all() == []


def test_a_payment_with_parts_given_back_becomes_cancelled_with_the_same_parts() -> None:
    gateway = FakeGateway()
    parts = gateway.make("A", 100, cancelled=[10, 20]).cancellations
    change = gateway.sandbox.gateway.change
    (payment,) = gateway.sandbox.gateway.attempts()
    changed = change(payment.imp_uid, status="cancelled")
    assert [each.amount for each in changed.cancellations] == [each.amount for each in parts]


def test_a_sandbox_that_is_there_already_takes_no_settings_of_a_server() -> None:
    with pytest.raises(ValueError, match="there already"):
        _ = SandboxServer(sandbox=FakeGateway().sandbox, language="en")


def test_a_window_of_no_payment_and_a_form_that_is_no_text_do_nothing() -> None:
    gateway = FakeGateway()
    payment = gateway.open("A", 100)
    with gateway.serve() as url:
        assert requests.post(f"{url}/window/imp_0/approve").status_code == 404
        odd = requests.post(f"{url}/window/{payment.imp_uid}/approve", data=b"\xff")
        assert (odd.status_code, odd.text) == (400, "byte 0 is not UTF-8")
    assert gateway.payment(payment).status == "ready"
