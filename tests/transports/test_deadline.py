"""The deadline holds for the whole call, whatever the gateway does and whoever made the client."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import urllib3

from imp_verify.errors import GatewayReset, GatewayUnavailable
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.conftest import FOLLOWING_THE_ENVIRONMENT, LATEST, PATH, SHORT, Call, tell
from tests.transports.gateway import Behaviour, Gateway, Line, answering, tunnelling

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def after(begin: bytes, drops: bytes) -> Behaviour:
    def behave(line: Line) -> None:
        line.request()
        line.send(begin)
        line.drip(drops)

    return behave


def hangs(line: Line) -> None:
    line.request()
    line.hang()


def floods(line: Line) -> None:
    line.request()
    while not line.stop.is_set():
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
        line.stop.wait(0.001)


SLOW: dict[str, Behaviour] = {
    "nothing": hangs,
    "a status line that drips": after(b"", HEAD + b"X-A: 1\r\n" * 100),
    "headers that drip": after(HEAD, b"X-A: 1\r\n" * 100),
    "a body that drips": after(HEAD + b"Content-Length: 9999\r\n\r\n", b"x" * 999),
    "a body without length that drips": after(HEAD + b"Connection: close\r\n\r\n", b"x" * 999),
    "chunks that drip": after(CHUNKED, b"1\r\nx\r\n" * 200),
    "one chunk that drips": after(CHUNKED + b"999\r\n", b"x" * 999),
    "trailers that drip": after(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: 1\r\n" * 100),
    "interim answers that drip": after(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 99),
}


def assert_late(
    name: str, gateway: Gateway, ca: str | None = None, *, proxied: bool = False
) -> None:
    url = gateway.far if proxied else gateway.url
    (told,) = tell(name, Call(url + PATH, SHORT), ca=ca, between=gateway.hang_up)
    assert isinstance(told.error, GatewayUnavailable)
    assert not isinstance(told.error, GatewayReset)
    host = "gateway.test" if proxied else "127.0.0.1"
    assert str(told.error) == f"no answer from {host} within its time"
    assert SHORT * 0.85 < told.seconds < LATEST


def assert_each_late(client: str, ca: str | None = None, tls: ssl.SSLContext | None = None) -> None:
    """Let every gateway be slow at once: the waits are most of the time."""

    def wait(what: str) -> None:
        with Gateway(SLOW[what], tls) as gateway:
            try:
                assert_late(client, gateway, ca)
            except AssertionError as error:
                error.add_note(what)
                raise

    with ThreadPoolExecutor(len(SLOW)) as pool:
        for _ in pool.map(wait, SLOW):
            pass


def test_a_slow_answer_is_given_up_in_time(client: str) -> None:
    assert_each_late(client)


def test_a_slow_answer_over_tls_is_given_up_in_time(
    client: str, tls: ssl.SSLContext, ca: str
) -> None:
    assert_each_late(client, ca, tls)


def test_a_handshake_that_drips_is_given_up_in_time(client: str, secure: Gateway, ca: str) -> None:
    secure.bare = True
    secure.behave = lambda line: line.drip(b"\x16\x03\x03\x3e\x80" + b"x" * 999)
    assert_late(client, secure, ca)


def test_a_flood_of_interim_answers_does_not_outlast_the_deadline(
    client: str, gateway: Gateway
) -> None:
    gateway.behave = floods
    (told,) = tell(client, Call(gateway.url + PATH, SHORT))
    assert told.error is not None
    assert told.seconds < LATEST


def test_a_drained_time_asks_nobody(client: str, gateway: Gateway) -> None:
    (told,) = tell(client, Call(gateway.url + PATH, 0))
    assert isinstance(told.error, GatewayUnavailable)
    assert gateway.lines == []


@pytest.mark.parametrize("client", FOLLOWING_THE_ENVIRONMENT)
@pytest.mark.parametrize("what", ["nothing", "a drip"])
def test_a_slow_proxy_is_given_up_in_time(
    client: str, what: str, secure: Gateway, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.behave = hangs if what == "nothing" else after(b"", b"HTTP/1.1 200 OK\r\n" * 99)
    monkeypatch.setenv("https_proxy", gateway.url)
    assert_late(client, secure, proxied=True)


@pytest.mark.parametrize("session", [False, True])
def test_time_spent_in_the_tunnel_is_not_given_to_the_handshake(
    session: bool, secure: Gateway, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_tunnel(line: Line) -> None:
        line.stop.wait(0.3)
        tunnelling(secure)(line)

    gateway.behave = slow_tunnel
    secure.bare = True
    secure.behave = lambda line: line.hang()
    monkeypatch.setenv("https_proxy", gateway.url)
    assert_late("requests+session" if session else "urllib3", secure, proxied=True)


@pytest.mark.parametrize("name", ["requests", "urllib3"])
def test_waiting_for_a_place_in_the_shops_pool_counts(name: str, gateway: Gateway) -> None:
    gateway.behave = hangs
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True))
        pool = urllib3.PoolManager(maxsize=1, block=True)
        transport = RequestsTransport(session) if name == "requests" else Urllib3Transport(pool)
        ends: list[float] = []

        def ask(seconds: float) -> None:
            call = Call(gateway.url + PATH, seconds)
            with pytest.raises(GatewayUnavailable):
                transport(call.request())
            ends.append(seconds)

        threads = [threading.Thread(target=ask, args=(seconds,)) for seconds in (1.5, SHORT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pool.clear()
    assert ends == [SHORT, 1.5]


def test_the_shops_own_calls_are_left_alone(gateway: Gateway) -> None:
    with requests.Session() as session:
        assert session.get(gateway.url).status_code == 200
        transport = RequestsTransport(session)
        assert transport(Call(gateway.url + PATH, SHORT).request()).status == 200
        gateway.behave = after(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        gateway.lines[-1].sock.shutdown(2)
        assert session.get(gateway.url, timeout=0.5).status_code == 200


def test_a_flood_of_tiny_chunks_leaves_the_loop_to_others() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def ask(gateway: Gateway) -> bytes:
        transport, others = HttpxTransport(), asyncio.create_task(count())
        try:
            before, answer = turns, await transport(Call(gateway.url + PATH).request())
            assert turns - before > 3000
            return answer.body
        finally:
            others.cancel()
            await transport.close()

    with Gateway(answering(CHUNKED + b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n")) as gateway:
        assert asyncio.run(ask(gateway)) == b"x" * 3000
