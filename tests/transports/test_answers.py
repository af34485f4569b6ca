"""What is sent, what is taken for an answer, and which error everything else becomes."""

from __future__ import annotations

import socket
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import urllib3

from imp_verify.errors import GatewayError, GatewayProtocolError, GatewayReset, GatewayUnavailable
from imp_verify.transports import MAX_ANSWER
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.conftest import (
    CLIENTS,
    FOLLOWING_THE_ENVIRONMENT,
    OURS,
    PATH,
    SYNC,
    Call,
    Told,
    tell,
)
from tests.transports.gateway import BODY, OK, Behaviour, Gateway, Line, answering, tunnelling, well

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PASSWORD = "pass-word"


def sized(size: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % size


def taken(told: Told) -> bytes:
    if told.error is not None:
        raise told.error
    assert told.response is not None
    return told.response.body


def resets(line: Line) -> None:
    line.request()
    line.reset()


def resets_in_the_head(line: Line) -> None:
    line.request()
    line.send(HEAD)
    line.stop.wait(0.05)
    line.reset()


def resets_in_the_body(line: Line) -> None:
    line.request()
    line.send(sized(100) + b"x" * 50)
    line.stop.wait(0.05)
    line.reset()


def pours(head: bytes, piece: bytes) -> Behaviour:
    def behave(line: Line) -> None:
        line.request()
        line.send(head)
        while not line.stop.is_set():
            line.send(piece)

    return behave


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/payments/find/%2E%2E/paid",
        "/payments/find/%EC%A3%BC%EB%AC%B8",
        "/payments/a%2Fb%3Fc%23d%25%20",
        "/payments/%41%7E%2D%5F?include_sandbox=true&a=%2C%26+b&a=",
        "/api//payments//status/all?page=1",
        "/payments/~.-_!$&'()*+,;=:@",
    ],
)
def test_the_address_arrives_as_it_stands(client: str, path: str, gateway: Gateway) -> None:
    (told,) = tell(client, Call(gateway.url + path))
    assert taken(told) == BODY
    assert gateway.asked[0].split(b"\r\n")[0] == b"GET %b HTTP/1.1" % path.encode()


def test_the_request_arrives_whole_and_asks_for_no_encoding(client: str, gateway: Gateway) -> None:
    headers = {"Authorization": "the-token", "Content-Type": "application/json"}
    (told,) = tell(
        client, Call(gateway.url + PATH, method="POST", body=b'{"a":1}', headers=headers)
    )
    assert taken(told) == BODY
    head, _, body = gateway.asked[0].partition(b"\r\n\r\n")
    lines = sorted(head.lower().split(b"\r\n"))
    assert body == b'{"a":1}'
    assert b"post /payments/imp_1 http/1.1" in lines
    assert [line for line in lines if line.startswith(b"accept-encoding")] == [
        b"accept-encoding: identity"
    ]
    assert {
        b"authorization: the-token",
        b"content-length: 7",
        b"content-type: application/json",
        b"host: " + gateway.address.encode(),
    } <= set(lines)


def test_netrc_does_not_replace_the_token(
    client: str, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    (told,) = tell(client, Call(gateway.url + PATH))
    assert taken(told) == BODY
    assert b"authorization: the-token" in gateway.asked[0].lower()


@pytest.mark.parametrize("client", OURS)
def test_cookies_are_neither_kept_nor_sent(client: str, gateway: Gateway) -> None:
    gateway.behave = answering(OK.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\n", 1), OK)
    for told in tell(client, Call(gateway.url + PATH), Call(gateway.url + PATH)):
        assert taken(told) == BODY
    assert b"cookie" not in gateway.asked[1].lower()


# --- what is taken --------------------------------------------------------------------------------


def test_a_connection_is_kept(client: str, gateway: Gateway) -> None:
    for told in tell(client, *[Call(gateway.url + PATH)] * 3):
        assert taken(told) == BODY
    assert len(gateway.lines) == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(
    client: str, gateway: Gateway
) -> None:
    gateway.behave = answering(OK)

    def until_it_is_closed() -> None:
        while gateway.lines[-1].sock.fileno() != -1:
            pass

    calls = [Call(gateway.url + PATH)] * 3
    assert [taken(told) for told in tell(client, *calls, between=until_it_is_closed)] == [BODY] * 3


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b"14\r\n" + BODY[:20] + b"\r\n15\r\n" + BODY[20:] + b"\r\n0\r\n\r\n",
        CHUNKED + b"29;a=b\r\n" + BODY + b"\r\n0\r\nX-A: b\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        HEAD + b"Content-Encoding: identity\r\nContent-Length: 41\r\n\r\n" + BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + OK,
    ],
)
def test_every_way_to_send_a_body_is_understood(
    client: str, answer: bytes, gateway: Gateway
) -> None:
    gateway.behave = answering(answer)
    (told,) = tell(client, Call(gateway.url + PATH))
    assert taken(told) == BODY


@pytest.mark.parametrize(
    "status", [200, 201, 301, 302, 304, 307, 308, 400, 401, 404, 429, 500, 503]
)
def test_every_final_status_is_given_as_it_is(client: str, status: int, gateway: Gateway) -> None:
    where = gateway.url.encode() + b"/elsewhere"
    answer = b"HTTP/1.1 %d Any\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, where)
    gateway.behave = answering(answer, OK)
    told, again = tell(client, Call(gateway.url + PATH), Call(gateway.url + PATH))
    assert told.response is not None
    assert told.response.status == status
    assert taken(again) == BODY
    assert len(gateway.asked) == 2


def test_no_body_at_all_is_an_answer(client: str, gateway: Gateway) -> None:
    gateway.behave = answering(b"HTTP/1.1 204 No Content\r\n\r\n")
    (told,) = tell(client, Call(gateway.url + PATH))
    assert taken(told) == b""


def test_the_largest_body_is_taken(client: str, gateway: Gateway) -> None:
    gateway.behave = answering(sized(MAX_ANSWER) + b"x" * MAX_ANSWER)
    (told,) = tell(client, Call(gateway.url + PATH))
    assert taken(told) == b"x" * MAX_ANSWER


def test_a_call_may_allow_a_larger_one_and_no_larger(client: str, gateway: Gateway) -> None:
    most = 3 * MAX_ANSWER
    for size in (most, most + 1):
        gateway.behave = answering(sized(size) + b"x" * size)
        (told,) = tell(client, Call(gateway.url + PATH, most=most))
        if size == most:
            assert taken(told) == b"x" * size
        else:
            assert str(told.error) == f"the answer of 127.0.0.1 exceeds {most} bytes"


def test_when_to_come_again_is_handed_on(client: str, gateway: Gateway) -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n"
    gateway.behave = answering(head + b"Retry-After: 120\r\n\r\n{}")
    (told,) = tell(client, Call(gateway.url + PATH))
    assert told.response is not None
    assert (told.response.status, told.response.retry_after) == (503, "120")


# --- what is not ----------------------------------------------------------------------------------

HUGE = {
    "a length": pours(sized(MAX_ANSWER + 1), b""),
    "no length": pours(HEAD + b"Connection: close\r\n\r\n", b"x" * 65536),
    "chunks": pours(CHUNKED, b"ffff\r\n" + b"x" * 65535 + b"\r\n"),
    "one chunk": pours(CHUNKED + b"fffffffffff\r\n", b"x" * 65536),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_huge_body_is_refused_and_its_connection_dropped(
    client: str, what: str, gateway: Gateway
) -> None:
    gateway.behave = HUGE[what]

    def behave_well() -> None:
        gateway.behave = well

    calls = [Call(gateway.url + PATH)] * 2
    told, again = tell(client, *calls, between=behave_well)
    assert isinstance(told.error, GatewayProtocolError)
    assert str(told.error) == f"the answer of 127.0.0.1 exceeds {MAX_ANSWER} bytes"
    assert taken(again) == BODY
    assert len(gateway.lines) == 2


@pytest.mark.parametrize("client", SYNC)
def test_chunks_that_say_much_and_hold_little_are_too_large_all_the_same(
    client: str, gateway: Gateway
) -> None:
    gateway.behave = pours(CHUNKED, b"1;%b\r\nx\r\n" % (b"a" * 5000))
    (told,) = tell(client, Call(gateway.url + PATH))
    assert isinstance(told.error, GatewayProtocolError)
    assert str(told.error) == f"the answer of 127.0.0.1 exceeds {MAX_ANSWER} bytes"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16" + b"\r\n" * 9,
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        HEAD + b"X-A: " + b"x" * 200_000 + b"\r\n\r\n",
        CHUNKED + b"zz\r\n\r\n",
        CHUNKED + b"-5\r\nabcde\r\n",
    ],
)
def test_what_is_no_http_is_a_protocol_error(client: str, answer: bytes, gateway: Gateway) -> None:
    def behave(line: Line) -> None:
        line.request()
        line.send(answer)
        line.hang()

    gateway.behave = behave
    (told,) = tell(client, Call(gateway.url + PATH, 2))
    assert isinstance(told.error, GatewayProtocolError)
    assert "the-token" not in "".join(traceback.format_exception(told.error))


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b'2\r\n{"\r\n"buyer_name":"closed Hong"}\r\n0\r\n\r\n',
        CHUNKED + b'2\r\n{"buyer_name":"closed Hong"}\r\n0\r\n\r\n',
        HEAD + b"buyer closed Hong\r\n\r\n",
        b"HTTP/1.1 buyer closed Hong\r\n\r\n",
        b"buyer closed Hong\r\n\r\n",
        HEAD + b"Content-Length: closed Hong\r\n\r\n",
    ],
)
def test_an_error_quotes_nothing_of_an_answer(client: str, answer: bytes, gateway: Gateway) -> None:
    gateway.behave = answering(answer)
    (told,) = tell(client, Call(gateway.url + PATH, 2))
    if told.error is not None:  # Python's own reader lets some of them pass
        assert isinstance(told.error, GatewayProtocolError)
        assert "Hong" not in "".join(traceback.format_exception(told.error))


BROKEN: dict[str, Behaviour] = {
    "closed": lambda line: line.request(),
    "closed in the head": answering(HEAD + b"Content-"),
    "closed in the body": answering(sized(100) + b"x" * 50),
    "closed before the body": answering(sized(100)),
    "closed in a chunk": answering(CHUNKED + b"64\r\n" + b"x" * 50),
    "closed between chunks": answering(CHUNKED + b"3\r\nabc\r\n"),
    "reset": resets,
    "reset in the head": resets_in_the_head,
    "reset in the body": resets_in_the_body,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_connection_is_a_reset(client: str, what: str, gateway: Gateway) -> None:
    gateway.behave = BROKEN[what]
    (told,) = tell(client, Call(gateway.url + PATH))
    assert isinstance(told.error, GatewayReset)
    assert told.error.__cause__ is not None or "body" in what
    if client != "aiohttp+session":  # which asks again of itself
        assert len(gateway.asked) == 1


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_connection_over_tls_is_a_reset(
    client: str, what: str, secure: Gateway, ca: str
) -> None:
    secure.behave = BROKEN[what]
    (told,) = tell(client, Call(secure.url + PATH), ca=ca)
    assert isinstance(told.error, GatewayReset)


def test_nobody_there_is_no_connection(client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
    (told,) = tell(client, Call(f"http://127.0.0.1:{port}{PATH}"))
    assert isinstance(told.error, GatewayUnavailable)
    assert not isinstance(told.error, GatewayReset)
    assert str(told.error).startswith("no connection to 127.0.0.1 (")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".invalid"])
def test_an_unknown_name_is_no_connection(client: str, host: str) -> None:
    (told,) = tell(client, Call(f"http://{host}{PATH}"))
    assert isinstance(told.error, GatewayUnavailable)
    assert not isinstance(told.error, GatewayReset)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a resolver of the shop's own says of gateway.test, such as one that remembers names."""
    found: list[str] = []
    system = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> list[Any]:
        if host != "gateway.test":
            return system(host, port, *rest, **more)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return found


@pytest.mark.parametrize("client", SYNC)
def test_an_address_that_does_not_answer_is_followed_by_the_next(
    client: str, gateway: Gateway, addresses: list[str]
) -> None:
    addresses += ["127.0.0.2", "127.0.0.1"]  # the gateway listens at the second alone
    port = gateway.address.partition(":")[2]
    (told,) = tell(client, Call(f"http://gateway.test:{port}{PATH}"))
    assert taken(told) == BODY
    assert f"host: gateway.test:{port}".encode() in gateway.asked[0].lower()


@pytest.mark.parametrize("client", SYNC)
@pytest.mark.parametrize("some", [[], ["127.0.0.2"], ["127.0.0.2", "127.0.0.3"]])
def test_a_name_without_an_address_that_answers_is_no_connection(
    client: str, some: list[str], gateway: Gateway, addresses: list[str]
) -> None:
    addresses += some
    port = gateway.address.partition(":")[2]
    (told,) = tell(client, Call(f"http://gateway.test:{port}{PATH}"))
    assert isinstance(told.error, GatewayUnavailable)
    assert not isinstance(told.error, GatewayReset)
    assert str(told.error) == "no connection to gateway.test (NewConnectionError)"


def test_a_certificate_of_strangers_is_no_connection(client: str, secure: Gateway) -> None:
    (told,) = tell(client, Call(secure.url + PATH))
    assert isinstance(told.error, GatewayUnavailable)
    assert not isinstance(told.error, GatewayReset)
    assert secure.asked == []


def test_a_certificate_for_another_name_is_no_connection(
    client: str, authority: trustme.CA, ca: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    with Gateway(tls=context) as gateway:
        (told,) = tell(client, Call(gateway.url + PATH), ca=ca)
        assert isinstance(told.error, GatewayUnavailable)
        assert gateway.asked == []


def test_an_answer_over_tls_is_taken(client: str, secure: Gateway, ca: str) -> None:
    for told in tell(client, *[Call(secure.url + PATH)] * 2, ca=ca):
        assert taken(told) == BODY
    assert len(secure.lines) == 1


# --- proxies --------------------------------------------------------------------------------------


def proxied(gateway: Gateway) -> str:
    return gateway.url.replace("http://", f"http://me:{PASSWORD}@")


@pytest.mark.parametrize("client", FOLLOWING_THE_ENVIRONMENT)
def test_the_environments_proxy_forwards_plain_http(
    client: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxied(gateway))
    url = "http://gateway.test/payments/%2E%2E/a"
    (told,) = tell(client, Call(url))
    assert taken(told) == BODY
    asked = gateway.asked[0]
    assert asked.startswith(f"GET {url} HTTP/1.1\r\n".encode())
    assert b"proxy-authorization: basic bwu6cgfzcy13b3jk" in asked.lower()


@pytest.mark.parametrize("client", FOLLOWING_THE_ENVIRONMENT)
def test_the_environments_proxy_makes_tunnels(
    client: str, secure: Gateway, gateway: Gateway, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.behave = tunnelling(secure)
    monkeypatch.setenv("https_proxy", proxied(gateway))
    for told in tell(client, *[Call(secure.far + PATH)] * 2, ca=ca):
        assert taken(told) == BODY
    assert len(gateway.asked) == 1
    assert gateway.asked[0].startswith(b"CONNECT gateway.test:")
    assert b"the-token" not in gateway.asked[0]


def test_no_proxy_is_heeded(client: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", gateway.url)
    monkeypatch.setenv("no_proxy", "gateway.test")
    (told,) = tell(client, Call("http://gateway.test:1" + PATH))
    assert isinstance(told.error, GatewayUnavailable)
    assert gateway.asked == []


@pytest.mark.parametrize("client", FOLLOWING_THE_ENVIRONMENT)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"SSH-2.0\r\n",
    ],
)
def test_a_proxy_that_refuses_is_an_error_and_its_password_is_not_told(
    client: str, answer: bytes, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.behave = answering(answer)
    monkeypatch.setenv("https_proxy", proxied(gateway))
    (told,) = tell(client, Call("https://gateway.test" + PATH))
    assert isinstance(told.error, GatewayError)
    assert_discreet(told.error)


@pytest.mark.parametrize("client", FOLLOWING_THE_ENVIRONMENT)
@pytest.mark.parametrize("where", ["127.0.0.1:1", "[::1", "no-such-host.invalid:3128", "a b:9"])
def test_a_proxy_that_is_not_there_is_no_connection_and_its_password_is_not_told(
    client: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@{where}")
    (told,) = tell(client, Call("https://gateway.test" + PATH))
    assert isinstance(told.error, GatewayUnavailable)
    assert_discreet(told.error)


def assert_discreet(error: GatewayError) -> None:
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)
    assert PASSWORD not in text
    assert "the-token" not in text


# --- the shop's own clients -----------------------------------------------------------------------


def test_the_shops_clients_are_never_closed(gateway: Gateway) -> None:
    with requests.Session() as session:
        RequestsTransport(session).close()
        pool = urllib3.PoolManager()
        transport = Urllib3Transport(pool)
        assert transport(Call(gateway.url + PATH).request()).body == BODY
        transport.close()
        assert pool.request("GET", gateway.url).status == 200
        assert len(gateway.lines) == 1
        pool.clear()


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "httpx+client"])
def test_segments_of_dots_are_not_resolved(client: str, gateway: Gateway) -> None:
    (told,) = tell(client, Call(gateway.url + "/a/./b/../c"))
    assert taken(told) == BODY
    assert gateway.asked[0].startswith(b"GET /a/./b/../c HTTP/1.1\r\n")
