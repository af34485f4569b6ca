"""What a shop may have done to the session or pool that it hands over."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from traceback import walk_tb
from typing import Any, ClassVar, cast

import pytest
import requests
import urllib3

from imp_verify.errors import GatewayProtocolError, GatewayUnavailable
from imp_verify.transports import MAX_ANSWER, GatewayRequest
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.conftest import HTTPX, LATEST, PATH, SHORT, Call
from tests.transports.gateway import BODY, Gateway, Line, answering


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


def test_a_hook_may_have_read_the_answer_in_a_thread_of_its_own(gateway: Gateway) -> None:
    """The thread knows of no deadline: it reads as the shop's other calls do."""
    long = b"x" * (1 << 16)  # more than was read together with the head
    gateway.behave = answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(long) + long)
    seen: list[object] = []

    def read(answer: requests.Response, *_: object, **__: object) -> None:
        seen.append(stat.S_ISSOCK(os.fstat(answer.raw.fileno()).st_mode))
        thread = threading.Thread(target=lambda: seen.append(answer.content))
        thread.start()
        thread.join()

    with requests.Session() as session:
        session.hooks["response"] = [read]
        answer = RequestsTransport(session)(Call(gateway.url + PATH).request())
    assert (answer.status, answer.body) == (200, long)
    assert seen == [True, long]


class Lent:
    """A connection of the shop's own kind, not urllib3's, though it asks one of those."""

    made = 0
    is_verified = proxy_is_verified = False

    def __init__(self, **options: Any) -> None:
        self.__dict__["_inner"] = urllib3.connection.HTTPConnection(**options)
        Lent.made += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_inner"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["_inner"], name, value)


class LendingPool(urllib3.HTTPConnectionPool):
    ConnectionCls: Any = Lent


def manager_of(kind: type[urllib3.HTTPConnectionPool]) -> urllib3.PoolManager:
    manager = urllib3.PoolManager()
    manager.pool_classes_by_scheme = {"http": kind}
    return manager


def test_connections_of_the_shops_own_kind_are_used_as_they_are(gateway: Gateway) -> None:
    manager = manager_of(LendingPool)
    transport = Urllib3Transport(manager)
    for _ in range(2):
        assert transport(Call(gateway.url + PATH).request()).body == BODY
    assert Lent.made == len(gateway.lines) == 1
    manager.clear()


class Detour(urllib3.connection.HTTPConnection):
    """Connects in a way of its own, as one does that goes through a Unix socket or SOCKS."""

    where = ("127.0.0.1", 0)

    def _new_conn(self) -> socket.socket:
        return socket.create_connection(self.where, cast("float", self.timeout))


class DetouringPool(urllib3.HTTPConnectionPool):
    ConnectionCls = Detour


def test_a_connection_that_is_made_another_way_keeps_the_deadline_too(gateway: Gateway) -> None:
    host, _, port = gateway.address.partition(":")
    Detour.where = (host, int(port))
    manager = manager_of(DetouringPool)
    transport = Urllib3Transport(manager)
    # The name stands for nothing here: only the detour leads to the gateway.
    assert transport(Call("http://gateway.invalid" + PATH).request()).body == BODY
    manager.clear()
    gateway.behave = lambda line: line.hang()
    begun = time.monotonic()
    with pytest.raises(GatewayUnavailable, match="within its time"):
        transport(Call("http://gateway.invalid" + PATH, SHORT).request())
    assert time.monotonic() - begun < LATEST
    manager.clear()


class SlowlyTaught(urllib3.HTTPConnectionPool):
    """While the first call teaches it the deadline, a second one comes and is answered."""

    others: ClassVar[list[Callable[[], object]]] = []

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        while name == "ConnectionCls" and self.others:
            thread = threading.Thread(target=self.others.pop())
            thread.start()
            thread.join()


def test_two_first_calls_at_once_teach_a_pool_the_deadline_once(gateway: Gateway) -> None:
    manager = manager_of(SlowlyTaught)
    transport = Urllib3Transport(manager)
    bodies: list[bytes | None] = []

    def ask() -> None:
        bodies.append(transport(Call(gateway.url + PATH).request()).body)

    SlowlyTaught.others.append(ask)
    ask()
    assert bodies == [BODY, BODY]
    manager.clear()


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


class BrokenConnection:
    """One that lacks an argument, as SOCKS connections do in a pool of another manager's."""

    def __init__(self, **_: object) -> None:
        raise TypeError("broken")


class BrokenPool(urllib3.HTTPConnectionPool):
    ConnectionCls: Any = BrokenConnection


def broken_session() -> RequestsTransport:
    session = requests.Session()
    adapter: Any = session.get_adapter("http://")
    adapter.poolmanager.pool_classes_by_scheme = {"http": BrokenPool}
    return RequestsTransport(session)


def broken_client() -> Callable[[GatewayRequest], object]:
    def fail(request: Any) -> Any:
        raise TypeError("broken")

    transport = HttpxTransport(HTTPX.AsyncClient(transport=HTTPX.MockTransport(fail)))
    return lambda request: asyncio.run(transport(request))


BROKEN: dict[str, Callable[[], Callable[[GatewayRequest], object]]] = {
    "requests": broken_session,
    "urllib3": lambda: Urllib3Transport(manager_of(BrokenPool)),
    "httpx": broken_client,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_error_of_the_shops_own_client_leaves_without_the_frames_that_hold_the_secret(
    kind: str,
) -> None:
    call = Call("http://gateway.test" + PATH, body=b"imp_secret=hidden")
    transport = BROKEN[kind]()
    with pytest.raises(TypeError, match="broken") as caught:
        transport(call.request())
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__)]
    held = [frame.f_locals for frame in frames if "/tests/" not in frame.f_code.co_filename]
    assert held
    assert "hidden" not in repr(held)
    assert caught.value.__context__ is None
