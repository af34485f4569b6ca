"""What a shop may have done to the session or pool that it hands over."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

import pytest
import requests
import urllib3

from imp_verify.errors import GatewayProtocolError, GatewayUnavailable
from imp_verify.transports import MAX_ANSWER
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.conftest import LATEST, PATH, SHORT, Call
from tests.transports.gateway import BODY, Gateway, Line


class Canned(requests.adapters.BaseAdapter):
    """An adapter without urllib3."""

    def __init__(self, body: io.RawIOBase | io.BytesIO) -> None:
        super().__init__()
        self.body = body

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        answer = requests.Response()
        answer.status_code, answer.raw = 200, self.body
        answer.request, answer.url = request, str(request.url)
        return answer

    def close(self) -> None:
        pass


class Dripping(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        threading.Event().wait(0.05)  # as a slow server; nothing here waits on a socket
        return b"x"


def canned(body: io.RawIOBase | io.BytesIO) -> RequestsTransport:
    session = requests.Session()
    session.mount("https://gateway.test", Canned(body))
    return RequestsTransport(session)


def test_an_adapter_of_another_kind_is_read_under_the_same_limits() -> None:
    call = Call("https://gateway.test" + PATH, SHORT)
    assert canned(io.BytesIO(BODY))(call.request()).body == BODY
    with pytest.raises(GatewayProtocolError):
        canned(io.BytesIO(b"x" * (MAX_ANSWER + 1)))(call.request())
    begun = time.monotonic()
    with pytest.raises(GatewayUnavailable):
        canned(Dripping())(call.request())
    assert time.monotonic() - begun < LATEST


def test_a_hook_may_have_read_the_answer(gateway: Gateway) -> None:
    seen: list[bytes] = []
    with requests.Session() as session:
        session.hooks["response"] = [lambda answer, *_, **__: seen.append(answer.content)]
        answer = RequestsTransport(session)(Call(gateway.url + PATH).request())
    assert (answer.status, answer.body) == (200, BODY)
    assert seen == [BODY]


def test_a_connection_from_before_keeps_the_deadline_too(gateway: Gateway) -> None:
    pool = urllib3.PoolManager()
    assert pool.request("GET", gateway.url).status == 200

    def drips(line: Line) -> None:
        line.request()
        line.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 99)

    gateway.behave = drips
    begun = time.monotonic()
    with pytest.raises(GatewayUnavailable):
        Urllib3Transport(pool)(Call(gateway.url + PATH, SHORT).request())
    assert time.monotonic() - begun < LATEST
    pool.clear()


def test_an_adapters_own_retries_do_not_sleep_away_the_time(gateway: Gateway) -> None:
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"

    def busy(line: Line) -> None:
        while line.request():
            line.send(head)

    gateway.behave = busy
    with requests.Session() as session:
        retries = urllib3.Retry(3, status_forcelist=[503], backoff_factor=60)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
        begun = time.monotonic()
        answer = RequestsTransport(session)(Call(gateway.url + PATH, SHORT).request())
    assert answer.status == 503
    assert time.monotonic() - begun < LATEST
