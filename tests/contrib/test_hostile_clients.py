"""Clients that lie, stall and leave, on every adapter under a real server: no hang, nothing left
behind, and the next request is answered as ever."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from threading import Event

import pytest

from tests.contrib.conftest import SERVED
from tests.support.gateway import I1, I2, I3, ORDER, ScriptedGateway
from tests.support.remote import Remote
from tests.support.servers import head, read, until
from tests.support.shop import TIMEOUT, Answer

pytestmark = pytest.mark.parametrize("place", SERVED, indirect=True, scope="session")

CLAIM = {"imp_uid": I1, "merchant_uid": ORDER}
SENT = json.dumps(CLAIM).encode()
UNREAD = json.dumps({**CLAIM, "imp_uid": I3}).encode()
"""Of clients that are gone before their answer; it may be asked for in the next test still."""
CLOSES = {"Host": "shop.test", "Connection": "close"}
CHUNKED = {**CLOSES, "Transfer-Encoding": "chunked"}
SUCCESS = (200, "success")
INVALID = (400, "invalid")
TOO_LARGE = (413, "invalid")


@pytest.fixture(autouse=True)
def and_the_server_goes_on(remote: Remote, gateway: ScriptedGateway) -> Iterator[None]:
    gateway.has()
    yield
    gateway.before = None
    assert remote.post("/webhook", CLAIM).told == SUCCESS
    assert remote.shipped == [I1]
    assert remote.tracebacks == []


def post(fields: dict[str, str], path: str = "/pay/webhook") -> bytes:
    return head("POST", path, fields)


def of_length(length: object, **fields: str) -> dict[str, str]:
    return {**CLOSES, "Content-Length": str(length), **fields}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def reads_all_itself(remote: Remote) -> bool:
    """Django takes an ASGI request's whole body, however long and slow, before any view."""
    return remote.framework == "django_async"


def nobody_asked(gateway: ScriptedGateway) -> bool:
    """Whether no claim of a client that is still there was believed."""
    return not [path for path in gateway.looked if I3 not in path]


def refused(answer: Answer) -> None:
    """Refused by the server or by the core, with no more than a word about it."""
    assert 400 <= answer.status < 500
    assert b"Traceback" not in answer.body
    assert len(answer.body) < 1000


def test_64_kib_are_read_and_not_one_byte_more(remote: Remote, gateway: ScriptedGateway) -> None:
    assert remote.post("/webhook", SENT.ljust(65536)).told == SUCCESS
    gateway.asked.clear()
    assert remote.post("/webhook", SENT.ljust(65537)).told == TOO_LARGE
    assert nobody_asked(gateway)


def test_X17_a_huge_length_is_answered_after_the_limit_not_after_the_body(  # noqa: N802
    remote: Remote, gateway: ScriptedGateway
) -> None:
    leaves = reads_all_itself(remote)
    pieces = (post(of_length(52428800)), b"x" * 65537)
    answer = remote.raw(*pieces, half_close=leaves)
    assert answer.status == 0 if leaves else answer.told == TOO_LARGE
    assert nobody_asked(gateway)


def test_a_chunked_body_is_read_to_its_end(remote: Remote) -> None:
    pieces = [chunk(SENT[n : n + 7]) for n in range(0, len(SENT), 7)]
    assert remote.raw(post(CHUNKED), *pieces, b"0\r\n\r\n").told == SUCCESS


def test_a_chunked_form_is_read_too(remote: Remote) -> None:
    fields = {**CHUNKED, "Content-Type": "application/x-www-form-urlencoded"}
    form = chunk(f"imp_uid={I1}&merchant_uid={ORDER}".encode())
    assert remote.raw(post(fields), form, b"0\r\n\r\n").told == SUCCESS


def test_64_kib_of_chunks_are_read_and_not_one_byte_more(
    remote: Remote, gateway: ScriptedGateway
) -> None:
    for length, told in ((65536, SUCCESS), (65537, TOO_LARGE)):
        pieces = [chunk(SENT.ljust(length)[n : n + 8192]) for n in range(0, length, 8192)]
        gateway.asked.clear()
        assert remote.raw(post(CHUNKED), *pieces, b"0\r\n\r\n").told == told
    assert nobody_asked(gateway)


def test_X17_an_endless_chunked_body_is_answered_after_the_limit(  # noqa: N802
    remote: Remote, gateway: ScriptedGateway
) -> None:
    leaves = reads_all_itself(remote)
    answer = remote.raw(post(CHUNKED), *[chunk(b"x" * 1024)] * 65, half_close=leaves)
    assert answer.status == 0 if leaves else answer.told == TOO_LARGE
    assert nobody_asked(gateway)


@pytest.mark.parametrize("rest", [b"zz\r\n", b"-1\r\n", b"5\r\nabc", b""])
def test_a_broken_chunk_reaches_nobody(
    remote: Remote, gateway: ScriptedGateway, rest: bytes
) -> None:
    answer = remote.raw(post(CHUNKED), chunk(SENT) + rest, half_close=True)
    assert answer.status in (0, 400)
    assert b"Traceback" not in answer.body
    assert nobody_asked(gateway)


def test_a_body_shorter_than_it_says_reaches_nobody(
    remote: Remote, gateway: ScriptedGateway
) -> None:
    answer = remote.raw(post(of_length(len(SENT) + 10)), SENT, half_close=True)
    assert answer.status == 0 or answer.told == INVALID
    assert nobody_asked(gateway)


def test_a_body_longer_than_it_says_is_read_as_long_as_it_says(
    remote: Remote, gateway: ScriptedGateway
) -> None:
    assert remote.raw(post(of_length(len(SENT))), SENT + b"garbage\r\n\r\n").told == SUCCESS
    gateway.asked.clear()
    assert remote.raw(post(of_length(len(SENT) - 9)), SENT).told == INVALID
    assert nobody_asked(gateway)


@pytest.mark.parametrize("length", ["-1", "abc", "1, 2", "+5", "1_0", "0x10"])
def test_a_length_that_is_none_reaches_nobody(
    remote: Remote, gateway: ScriptedGateway, length: str
) -> None:
    refused(remote.raw(post(of_length(length)), SENT))
    assert nobody_asked(gateway)


def test_a_length_and_chunks_together_are_no_second_request(
    remote: Remote, gateway: ScriptedGateway
) -> None:
    fields = {**CHUNKED, "Content-Length": "4"}
    smuggled = post(of_length(len(SENT)), "/pay/complete") + SENT
    refused(remote.raw(post(fields), b"0\r\n\r\n" + smuggled))
    assert nobody_asked(gateway)


def test_a_body_that_stalls_is_not_waited_for_for_ever_and_is_in_nobodys_way(
    remote: Remote, gateway: ScriptedGateway
) -> None:
    ours = remote.is_asgi and not reads_all_itself(remote)  # elsewhere the server's limit holds
    with closing(remote.server.connect()) as sock:
        sock.sendall(post(of_length(len(SENT))) + SENT[:-1])
        assert remote.post("/confirm", {}).told == INVALID
        if ours:
            wire = read(sock)
            assert (wire.status, wire.word) == INVALID
    assert nobody_asked(gateway)


def test_a_body_in_single_bytes_is_put_together(remote: Remote) -> None:
    pause = Event()
    with closing(remote.server.connect()) as sock:
        sock.sendall(post(of_length(len(SENT)), "/pay/complete"))
        for n in range(len(SENT)):
            sock.sendall(SENT[n : n + 1])
            pause.wait(0.001)
        wire = read(sock)
    assert (wire.status, wire.word) == SUCCESS


def test_several_requests_on_one_connection_stay_apart(remote: Remote) -> None:
    other = {"imp_uid": I2, "merchant_uid": ORDER}
    with closing(remote.server.connect()) as sock:
        for content, status in ((CLAIM, 200), (other, 400), (CLAIM, 200)):
            sent = json.dumps(content).encode()
            sock.sendall(post({"Host": "shop.test", "Content-Length": str(len(sent))}) + sent)
            assert read(sock).status == status


def reset(sock: socket.socket) -> None:
    """End a connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_a_client_that_leaves_while_the_gateway_is_asked_does_no_harm(
    remote: Remote, gateway: ScriptedGateway, leave: Callable[[socket.socket], None]
) -> None:
    gone = Event()

    def wait(_: object) -> None:
        gone.wait(TIMEOUT)

    gateway.before = wait
    sock = remote.server.connect()
    sock.sendall(post(of_length(len(UNREAD))) + UNREAD)
    assert until(lambda: gateway.asked != [])
    leave(sock)
    gone.set()


TIMES = 15
"""How often two clients do it: what is lost each time is told from a pool that fills up."""
LEAVES: dict[str, tuple[bytes, ...]] = {
    "at once": (),
    "in the head": (post(of_length(9))[:-10],),
    "before the body": (post(of_length(len(UNREAD))),),
    "in the body": (post(of_length(len(UNREAD))), UNREAD[:-5]),
    "in a chunk": (post(CHUNKED), b"20\r\n{"),
    "between chunks": (post(CHUNKED), chunk(UNREAD)),
    "before the answer": (post(of_length(len(UNREAD))), UNREAD),
    "in a long body": (post(of_length(52428800)), b"x" * 70000),
    "with a false length": (post(of_length("abc")), UNREAD),
    "with no request": (b"\x16\x03\x01\x00\x00\r\n\r\n",),
}


@pytest.mark.parametrize("when", LEAVES)
def test_clients_that_leave_leave_nothing_behind(
    remote: Remote, gateway: ScriptedGateway, when: str
) -> None:
    def come_and_go(leave: Callable[[socket.socket], None]) -> None:
        with closing(remote.server.connect()) as sock, suppress(ConnectionError):
            for piece in LEAVES[when]:
                sock.sendall(piece)
            leave(sock)

    def all_come_and_go() -> dict[str, int]:
        for _ in range(TIMES):
            come_and_go(socket.socket.close)
            come_and_go(reset)
            # One after the other: so many at once would fill pools of threads and connections.
            assert remote.post("/complete", CLAIM).told == SUCCESS
        return remote.held()

    before = all_come_and_go()
    all_come_and_go()
    assert until(lambda: all(n < before[what] + TIMES for what, n in remote.held().items()))
