"""A gateway in trouble, and answers that are none: never success or forgery, nothing written."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from contextlib import closing
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    GatewayError,
    GatewayProtocolError,
    GatewayRefused,
    GatewayUnavailable,
)
from imp_verify.errors import GatewayReset
from imp_verify.sandbox import Account
from imp_verify.testing import FakeGateway
from tests.support.gateway import (
    I1,
    NOT_FOUND,
    ORDER,
    PRICE,
    RESET,
    Reply,
    ScriptedGateway,
    act,
    envelope,
    payment,
    reset_in_body,
    silence,
    start,
)
from tests.support.markers import KEY, PROXY_PASSWORD, SECRET
from tests.support.shop import MakeShop, Shop

SUCCESS = (200, "success")
TROUBLE = (503, "unavailable")


def nobody_listens() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("trouble", [act(silence), RESET, act(reset_in_body)])
def test_G01_a_gateway_that_breaks_off_changes_nothing(
    make_shop: MakeShop, gateway: ScriptedGateway, trouble: Reply
) -> None:
    shop = make_shop(timeout=0.5)
    gateway.has()
    for ask in (shop.complete, shop.webhook):
        gateway.lookups.extend([trouble] * 2)
        assert ask().told == TROUBLE
        gateway.lookups.clear()
    assert shop.redirect().lands.startswith("/thanks")
    shop.assert_paid_once()


def test_G01_one_broken_connection_is_made_again(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    gateway.lookups.append(RESET)
    assert shop.complete().told == SUCCESS
    gateway.lookups.append(Reply(503))
    assert shop.complete().told == SUCCESS
    gateway.lookups.append(Reply(429))
    assert shop.complete().told == TROUBLE
    assert len(gateway.looked) == 5


@pytest.mark.parametrize("trouble", ["refused", "dns", "tls"])
def test_G01_a_gateway_that_cannot_be_reached_changes_nothing(
    make_shop: MakeShop,
    gateway: ScriptedGateway,
    trouble: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo

    def no_such_host(host: Any, *args: Any, **options: Any) -> Any:
        if host in ("gateway.invalid", b"gateway.invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    addresses = {
        "refused": f"http://127.0.0.1:{nobody_listens()}",
        "dns": "https://gateway.invalid",
        "tls": gateway.address.replace("http:", "https:"),
    }
    shop = make_shop(base_url=addresses[trouble], timeout=2.0)
    assert shop.complete().told == TROUBLE
    assert shop.webhook().told == TROUBLE
    assert shop.redirect().lands == "/wait"
    shop.assert_nothing_recorded()


@pytest.mark.parametrize(
    "answer",
    [
        Reply(502, b"<html><h1>Bad Gateway</h1>"),
        Reply(200, b"<html>leak-me"),
        Reply(200, b'{"code":0,"resp'),
        Reply(200),
        Reply(204),
        Reply(200, envelope(payment()), (("Content-Encoding", "gzip"),)),
        Reply(302, b"", (("Location", "/payments/imp_2"),)),
        Reply(200, b"[" * 100000),
        Reply(200, b"x" * (2 << 20)),
        Reply(200, b"\xff\xfe"),
        Reply(500, envelope(payment())),
        Reply(404, b"<html>not found"),
        Reply(403, envelope(None, -1)),
    ],
)
def test_G02_what_is_no_answer_is_trouble(
    shop: Shop, gateway: ScriptedGateway, answer: Reply
) -> None:
    gateway.lookups.extend([answer] * 2)
    told = shop.complete()
    assert told.told == TROUBLE
    assert b"html" not in told.body
    shop.assert_nothing_recorded()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Reply(200, envelope(None, -1, "x")), TROUBLE),
        (Reply(200, envelope(payment(), 1)), TROUBLE),
        (Reply(200, envelope(None)), TROUBLE),
        (Reply(200, envelope([payment()])), TROUBLE),
        (Reply(200, payment()), TROUBLE),
        (Reply(200, {"code": "0", "response": payment()}), TROUBLE),
        (Reply(200, {"code": False, "response": payment()}), TROUBLE),
        (Reply(207, envelope(payment())), TROUBLE),
        (Reply(404, envelope(payment())), TROUBLE),
        (Reply(404, envelope(payment(), 1)), TROUBLE),
        (NOT_FOUND, (400, "forgery")),
    ],
)
def test_G04_http_200_is_not_yet_a_payment(
    shop: Shop, gateway: ScriptedGateway, answer: Reply, told: tuple[int, str]
) -> None:
    gateway.always = answer
    assert shop.complete().told == told
    shop.assert_nothing_recorded()


@pytest.mark.parametrize("price", [None, 0, "", -1, float("nan")])
def test_G06_missing_is_not_equal_to_missing(
    shop: Shop, gateway: ScriptedGateway, price: object
) -> None:
    shop.orders[ORDER] = price
    gateway.has(amount=..., status=...)
    assert shop.complete().told == TROUBLE
    gateway.has(amount=0)
    answer = shop.complete()
    assert answer.status in (400, 503)
    assert answer.word in ("forgery", "unavailable")
    gateway.payments[I1] = Reply(200, json.dumps({"amount": 39000, "status": "paid"}).encode())
    assert shop.complete().told == TROUBLE
    shop.assert_not_paid()


@pytest.mark.parametrize("slow", ["head", "body", "token"])
@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
def test_G07_a_gateway_that_drips_holds_nobody_longer_than_the_time_out(
    make_shop: MakeShop, gateway: ScriptedGateway, slow: str, endpoint: str
) -> None:
    shop = make_shop(timeout=0.5)
    gateway.has()
    text = json.dumps(envelope(payment())).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text)

    def drip(line: Any) -> None:
        if slow != "head":
            line.write(head)
        line.drip(head + text if slow == "head" else text, 0.05)

    script = gateway.tokens if slow == "token" else gateway.lookups
    script.append(act(drip))
    ask = {"complete": shop.complete, "webhook": shop.webhook, "confirm": shop.confirm}
    began = time.monotonic()
    assert ask[endpoint]().told == TROUBLE
    assert time.monotonic() - began < 3.0
    shop.assert_nothing_recorded()
    assert ask[endpoint]().status == 200


def test_G07_token_and_look_up_share_one_time_out(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=1.0)
    gateway.has()
    gateway.before = lambda asked: void(gateway.over.wait(0.7))
    began = time.monotonic()
    assert shop.complete().told == TROUBLE
    assert time.monotonic() - began < 1.35
    shop.assert_nothing_recorded()


def void(value: object) -> None:
    """Throw an answer away."""


@pytest.mark.parametrize("base", ["/api", "/api/", "", "/"])
def test_G10_every_call_goes_to_the_address_that_was_given(
    make_shop: MakeShop, gateway: ScriptedGateway, base: str
) -> None:
    shop = make_shop(base_url=gateway.address + base)
    gateway.has()
    assert shop.complete().told == SUCCESS
    prefix = base.rstrip("/")
    assert [asked.path.partition("?")[0] for asked in gateway.asked] == [
        f"{prefix}/users/getToken",
        f"{prefix}/payments/{I1}",
    ]


def test_G11_a_proxy_and_a_host_with_a_fixed_address_need_no_code(
    make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    proxy, stop = start()
    address = proxy.address.replace("//", f"//user:{PROXY_PASSWORD}@")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy.always = Reply(502)
    proxy.before = lambda asked: proxy.lookups.append(Reply(502))
    shop = make_shop(base_url="https://static-api.iamport.kr", timeout=2.0)
    answer = shop.complete()
    stop()
    assert answer.told == TROUBLE
    assert {(asked.method, asked.path) for asked in proxy.asked} == {
        ("CONNECT", "static-api.iamport.kr:443")
    }
    assert PROXY_PASSWORD not in caplog.text
    shop.assert_nothing_recorded()


def test_c20_a_gateway_on_this_machine_is_asked_through_no_proxy(
    make_shop: MakeShop, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, stop = start()
    proxy.has(amount=PRICE + 1)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.address)
        monkeypatch.setenv(name.lower(), proxy.address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    gateway.has()
    shop = make_shop(base_url=gateway.address.replace("127.0.0.1", "localhost"))
    assert shop.complete().told == SUCCESS
    stop()
    assert proxy.asked == []


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_n07_an_answer_that_comes_compressed_all_the_same_is_read(
    shop: Shop, gateway: ScriptedGateway, coding: str
) -> None:
    pack = gzip.compress if coding == "gzip" else zlib.compress
    headers = (("Content-Encoding", coding),)
    gateway.payments[I1] = Reply(200, pack(json.dumps(envelope(payment())).encode()), headers)
    assert shop.complete().told == SUCCESS
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()
    assert {asked.headers["Accept-Encoding"] for asked in gateway.asked} == {"identity"}


def test_n07_an_encoding_that_nobody_knows_stays_trouble(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.payments[I1] = Reply(200, b"packed", (("Content-Encoding", "br"),))
    assert shop.complete().told == TROUBLE
    assert shop.webhook().told == TROUBLE
    shop.assert_nothing_recorded()


def ask(shop: Shop) -> object:
    """Ask by the public client API, and give what it raises."""
    verifier: Any = shop.driver.verifier
    driver: Any = shop.driver

    def call(name: str, *arguments: str) -> None:
        answer = getattr(verifier, name)(*arguments)
        if isinstance(verifier, AsyncVerifier):
            driver.run(answer).result(20)

    errors = []
    for arguments in (("verify", I1, ORDER), ("payment", I1)):
        with pytest.raises(GatewayError) as raised:
            call(*arguments)
        error = raised.value
        errors.append((type(error), error.http_status, error.code, error.message))
        assert str(error)
    assert errors[0] == errors[1]
    return errors[0]


WORDS = "점검 중입니다"
FAILURES: dict[str, tuple[list[Reply], list[Reply], object]] = {
    # G01
    "silence": ([], [act(silence)], (GatewayUnavailable, None, None, None)),
    "reset": ([], [RESET] * 2, (GatewayReset, None, None, None)),
    "reset in the body": ([], [act(reset_in_body)] * 2, (GatewayReset, None, None, None)),
    "getToken reset": ([RESET] * 2, [], (GatewayReset, None, None, None)),
    # G02
    "502": ([], [Reply(502, b"<html>")] * 2, (GatewayUnavailable, 502, None, None)),
    "html": ([], [Reply(200, b"<html>")], (GatewayProtocolError, 200, None, None)),
    "cut": ([], [Reply(200, b'{"code":0,"resp')], (GatewayProtocolError, 200, None, None)),
    "204": ([], [Reply(204)], (GatewayProtocolError, 204, None, None)),
    "a number": ([], [Reply(404, b"7")], (GatewayProtocolError, 404, None, None)),
    # G04
    "code -1": (
        [],
        [Reply(200, envelope(None, -1, WORDS))],
        (GatewayProtocolError, 200, -1, WORDS),
    ),
    "code 1": ([], [Reply(200, envelope(payment(), 1))], (GatewayProtocolError, 200, 1, None)),
    "nothing": ([], [Reply(200, envelope(None))], (GatewayProtocolError, 200, 0, None)),
    "no payment": (
        [],
        [Reply(200, envelope(payment(amount="x")))],
        (GatewayProtocolError, 200, 0, None),
    ),
    "another's": (
        [],
        [Reply(200, envelope(payment(imp_uid="imp_2")))],
        (GatewayProtocolError, 200, 0, None),
    ),
    "403": ([], [Reply(403, envelope(None, -2, WORDS))], (GatewayRefused, 403, -2, WORDS)),
    "429": ([], [Reply(429, envelope(None, -3, WORDS))], (GatewayUnavailable, 429, -3, WORDS)),
    "500": ([], [Reply(500, envelope(None, -4, WORDS))], (GatewayUnavailable, 500, -4, WORDS)),
    "503": ([], [Reply(503, envelope(None, -5, WORDS))] * 2, (GatewayUnavailable, 503, -5, WORDS)),
    # T06
    "getToken 401": (
        [Reply(401, envelope(None, -1, WORDS))],
        [],
        (GatewayRefused, 401, -1, WORDS),
    ),
    "getToken 401 html": ([Reply(401, b"<html>")], [], (GatewayRefused, 401, None, None)),
    "getToken 429": (
        [Reply(429, envelope(None, -1, WORDS))],
        [],
        (GatewayUnavailable, 429, -1, WORDS),
    ),
    "getToken 500": (
        [Reply(500, envelope(None, -1, WORDS))],
        [],
        (GatewayUnavailable, 500, -1, WORDS),
    ),
    "getToken no": (
        [Reply(200, envelope(None, -1, WORDS))],
        [],
        (GatewayProtocolError, 200, -1, WORDS),
    ),
    "token refused": (
        [],
        [Reply(401, envelope(None, -1, WORDS))] * 2,
        (GatewayRefused, 401, -1, WORDS),
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_g03_every_failure_is_a_typed_error_with_the_gateways_words(
    make_shop: MakeShop, gateway: ScriptedGateway, kind: str, what: str
) -> None:
    shop = make_shop(timeout=0.5)
    tokens, lookups, told = FAILURES[what]
    gateway.has()
    gateway.tokens.extend(tokens * 2)
    gateway.lookups.extend(lookups * 2)
    assert ask(shop) == told
    shop.assert_nothing_recorded()


def test_g03_what_the_gateway_says_is_clipped_and_shows_no_secret(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    said = f"{KEY} and {SECRET} are wrong" + "x" * 900
    gateway.tokens.append(Reply(401, envelope(None, -1, said)))
    concealed = ("... and ... are wrong" + "x" * 900)[:500]
    assert ask(shop) == (GatewayRefused, 401, -1, concealed)  # the second time without a call
    assert gateway.token_calls == 1


@pytest.mark.parametrize("data", [None, '{"a":1}', "{broken", {"a": 1}])
def test_G12_custom_data_is_handed_on_as_it_came(
    shop: Shop, gateway: ScriptedGateway, data: object
) -> None:
    gateway.has(custom_data=data)
    assert shop.complete().told == SUCCESS
    paid = shop.told[0][1].payment
    assert paid is not None
    assert paid.custom_data == data


def test_G15_test_payments_are_asked_for_in_test_mode_only(
    make_shop: MakeShop, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "imp_verify")
    gateway = FakeGateway(accounts=[Account(KEY, SECRET)])
    paid = gateway.make(ORDER, PRICE, sandbox=True).imp_uid

    def looked() -> list[tuple[object, object]]:
        calls = [each.what for each in gateway.calls if each.what["call"] != "token"]
        return [(each["path"], each["query"]) for each in calls]

    with gateway.serve() as url:
        if kind.endswith("sqlite"):
            live = make_shop(test_mode=False, base_url=url, timeout=30)
            assert live.complete(imp_uid=paid).told == (400, "forgery")
            assert live.webhook(imp_uid=paid).told == (400, "unknownPayment")
            assert looked() == [(f"/payments/{paid}", "")] * 2
            assert "test channel" in caplog.text
            live.assert_nothing_recorded()
        gateway.journal.clear()
        shop = make_shop(test_mode=True, base_url=url, timeout=30)
        assert shop.complete(imp_uid=paid).told == SUCCESS
        assert looked() == [(f"/payments/{paid}", "include_sandbox=true")]


def test_an_answer_about_another_payment_is_trouble(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.payments[I1] = payment(imp_uid="imp_2")
    assert shop.complete().told == TROUBLE
    gateway.payments[I1] = payment(cancel_amount=39001)
    assert shop.complete().told == TROUBLE
    gateway.payments[I1] = payment(status="ready", pay_method="vbank", vbank_num=12345)
    assert shop.complete().told == TROUBLE
    shop.assert_nothing_recorded()
