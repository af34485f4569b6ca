"""An answer that is compressed though nobody asked for it: decoded, and never beyond the limit."""

from __future__ import annotations

import asyncio
import gzip
import io
import tracemalloc
import zlib
from functools import cache
from typing import Any

import httpx
import httpx2
import pytest
import requests

from imp_verify.errors import GatewayProtocolError
from imp_verify.transports import MAX_ANSWER
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from tests.transports.conftest import PATH, Call, tell
from tests.transports.gateway import BODY, Behaviour, Gateway, answering
from tests.transports.test_shop import Canned


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@cache
def bomb(size: int) -> bytes:
    """Many zeros, and little of them on the wire."""
    packer = zlib.compressobj(9, wbits=31)
    piece = bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()


def encoded(coding: str, body: bytes) -> Behaviour:
    lines = "".join(f"Content-Encoding: {each}\r\n" for each in coding.split(";"))
    head = f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return answering(head.encode() + body)


GZIP = gzip.compress(BODY)
HALVES = gzip.compress(BODY[:20]) + gzip.compress(BODY[20:])
TOO_LARGE = f"the answer of 127.0.0.1 exceeds {MAX_ANSWER} bytes"
UNREADABLE = "the answer of 127.0.0.1 cannot be decoded"
UNKNOWN = "the answer of 127.0.0.1 is encoded, which was not asked for, and not by gzip or deflate"


GOOD = {
    "gzip": ("gzip", GZIP),
    "gzip in capitals": ("GZip", GZIP),
    "gzip's old name": ("x-gzip", GZIP),
    "identity and gzip": ("identity, gzip", GZIP),
    "an empty name": ("gzip,", GZIP),
    "gzip in two members": ("gzip", HALVES),
    "gzip with empty members": ("gzip", gzip.compress(b"") + GZIP + gzip.compress(b"")),
    "gzip twice": ("gzip, gzip", gzip.compress(GZIP)),
    "gzip twice on two lines": ("gzip;gzip", gzip.compress(GZIP)),
    "deflate": ("deflate", zlib.compress(BODY)),
    "deflate without its wrapping": ("deflate", raw_deflate(BODY)),
    "gzip around deflate": ("deflate, gzip", gzip.compress(zlib.compress(BODY))),
    "deflate around gzip": ("gzip, deflate", raw_deflate(GZIP)),
    "four": (", ".join(["gzip"] * 4), gzip.compress(gzip.compress(gzip.compress(GZIP)))),
    "identity": ("identity", BODY),
    "an empty header": ("", BODY),
}


@pytest.mark.parametrize("what", GOOD)
def test_n07_gzip_and_deflate_are_decoded(client: str, what: str, gateway: Gateway) -> None:
    gateway.behave = encoded(*GOOD[what])
    (told,) = tell(client, Call(gateway.url + PATH))
    assert told.error is None
    assert told.response is not None
    assert told.response.body == BODY


def test_n07_a_body_that_is_not_there_is_not_decoded(client: str, gateway: Gateway) -> None:
    gateway.behave = encoded("gzip", b"")
    (told,) = tell(client, Call(gateway.url + PATH))
    assert told.response is not None
    assert told.response.body == b""


BAD = {
    "br": ("br", b"\x0f\x14\x80", UNKNOWN),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd", UNKNOWN),
    "compress": ("compress", b"\x1f\x9d", UNKNOWN),
    "gzip and br": ("gzip, br", GZIP, UNKNOWN),
    "five": (", ".join(["gzip"] * 5), GZIP, UNKNOWN),
    "plain bytes called gzip": ("gzip", BODY, UNREADABLE),
    "gzip that is cut": ("gzip", GZIP[:-1], UNREADABLE),
    "gzip of another length": ("gzip", GZIP[:-4] + b"\0\0\0\0", UNREADABLE),
    "gzip and more": ("gzip", GZIP + b"more", UNREADABLE),
    "deflate called gzip": ("gzip", zlib.compress(BODY), UNREADABLE),
    "gzip once called twice": ("gzip, gzip", GZIP, UNREADABLE),
    "gzip in too many members": ("gzip", gzip.compress(b"") * 101, UNREADABLE),
    "plain bytes called deflate": ("deflate", BODY, UNREADABLE),
    "deflate that is cut": ("deflate", zlib.compress(BODY)[:-1], UNREADABLE),
    "bare deflate that is cut": ("deflate", raw_deflate(BODY)[:-1], UNREADABLE),
    "deflate twice over": ("deflate", zlib.compress(BODY) * 2, UNREADABLE),
    "gzip called deflate": ("deflate", GZIP, UNREADABLE),
}


@pytest.mark.parametrize("what", BAD)
def test_n07_what_cannot_be_decoded_is_trouble(client: str, what: str, gateway: Gateway) -> None:
    coding, body, words = BAD[what]
    gateway.behave = encoded(coding, body)
    (told,) = tell(client, Call(gateway.url + PATH))
    assert isinstance(told.error, GatewayProtocolError)
    assert str(told.error) == words


@pytest.mark.parametrize("layers", [1, 2])
def test_n07_a_bomb_is_given_up_at_the_limit(client: str, layers: int, gateway: Gateway) -> None:
    body = bomb(100 << 20)
    if layers == 2:
        body = gzip.compress(body)
    assert len(body) < MAX_ANSWER
    gateway.behave = encoded(", ".join(["gzip"] * layers), body)
    tracemalloc.start()
    (told,) = tell(client, Call(gateway.url + PATH))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(told.error, GatewayProtocolError)
    assert str(told.error) == TOO_LARGE
    assert most < 20 << 20


def test_n07_the_limit_is_that_of_a_plain_answer(client: str, gateway: Gateway) -> None:
    for size, words in ((MAX_ANSWER, None), (MAX_ANSWER + 1, TOO_LARGE)):
        gateway.behave = encoded("gzip", gzip.compress(b"x" * size))
        (told,) = tell(client, Call(gateway.url + PATH))
        assert (told.error and str(told.error)) == words
    assert told.response is None


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_n07_what_a_hook_of_the_session_had_decoded_is_not_decoded_again(
    coding: str, gateway: Gateway
) -> None:
    gateway.behave = encoded(coding, GZIP if coding == "gzip" else zlib.compress(BODY))
    seen: list[bytes] = []
    with requests.Session() as session:
        session.hooks["response"] = [lambda answer, *_, **__: seen.append(answer.content)]
        answer = RequestsTransport(session)(Call(gateway.url + PATH).request())
    assert seen == [answer.body] == [BODY]


def test_n07_an_adapter_of_another_kind_is_decoded_too() -> None:
    class Packed(Canned):
        def send(self, *args: Any, **options: Any) -> Any:
            answer = super().send(*args, **options)
            answer.headers["Content-Encoding"] = "gzip"
            return answer

    with requests.Session() as session:
        session.mount("https://gateway.test", Packed(io.BytesIO(GZIP)))
        answer = RequestsTransport(session)(Call("https://gateway.test" + PATH).request())
    assert answer.body == BODY


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("reads", [False, True])
def test_n07_what_a_hook_of_the_client_had_decoded_is_not_decoded_again(
    library: Any, reads: bool, gateway: Gateway
) -> None:
    gateway.behave = encoded("gzip", GZIP)
    seen: list[bytes] = []

    async def hook(answer: Any) -> None:
        if reads:
            seen.append(await answer.aread())

    async def ask() -> bytes:
        async with library.AsyncClient(event_hooks={"response": [hook]}) as client:
            return (await HttpxTransport(client)(Call(gateway.url + PATH).request())).body

    assert asyncio.run(ask()) == BODY
    assert seen == ([BODY] if reads else [])
