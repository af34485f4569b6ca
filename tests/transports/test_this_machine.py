"""A gateway on this machine is never asked through a proxy, whoever named one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from imp_verify.settings import is_loopback
from imp_verify.transports import GatewayResponse
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.conftest import OURS, PATH, Call, tell
from tests.transports.gateway import BODY, OK, Gateway, Line

FORGED = b'{"code":0,"message":null,"response":{"status":"paid"}}'
VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
SPELLINGS = ("127.0.0.1", "localhost", "LOCALHOST")


def forging(line: Line) -> None:
    """Be a proxy that calls everything paid."""
    while line.request():
        line.send(OK.replace(b"%d" % len(BODY), b"%d" % len(FORGED)).replace(BODY, FORGED))


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A proxy that the environment names for everything."""
    with Gateway(forging) as proxy:
        for name in VARIABLES:
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        yield proxy


def at(host: str, gateway: Gateway) -> str:
    return gateway.url.replace("127.0.0.1", host) + PATH


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost.", "127.0.0.1", "127.0.0.1.", "127.255.255.254"),
        *("::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"),
    ],
)
def test_c20_this_machine_has_many_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("api.iamport.kr", "localhost.evil.test", "127.0.0.1.evil.test", "evil-localhost", ""),
        *("10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1", "0.0.0.0", "127.0.0.1 "),
    ],
)
def test_c20_and_others_have_none_of_them(host: str) -> None:
    assert not is_loopback(host)


def session_of(proxy: Gateway | None) -> requests.Session:
    session = requests.Session()
    if proxy is not None:
        session.proxies = {"http": proxy.url, "https": proxy.url, "all": proxy.url}
    return session


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("client", OURS)
def test_c20_the_environments_proxy_is_not_asked(
    client: str, host: str, gateway: Gateway, proxy: Gateway
) -> None:
    (told,) = tell(client, Call(at(host, gateway)))
    assert told.response == GatewayResponse(200, BODY)
    assert proxy.lines == []


@pytest.mark.parametrize("explicit", [False, True])
def test_c20_nor_is_that_of_a_requests_session(
    explicit: bool, gateway: Gateway, proxy: Gateway
) -> None:
    with session_of(proxy if explicit else None) as session:
        answer = RequestsTransport(session)(Call(gateway.url + PATH).request())
        assert answer.body == BODY
        assert proxy.lines == []
        assert session.get(gateway.url).content == FORGED  # its other calls go where they went


def test_c20_nor_is_that_of_a_proxy_manager(gateway: Gateway, proxy: Gateway) -> None:
    manager = urllib3.ProxyManager(proxy.url, headers={"X-Shop": "1"}, maxsize=3)
    transport = Urllib3Transport(manager)
    for _ in range(2):
        assert transport(Call(gateway.url + PATH).request()).body == BODY
    assert proxy.lines == []
    assert len(gateway.lines) == 1
    assert b"x-shop: 1" in gateway.asked[0].lower()
    assert manager.request("GET", gateway.url).data == FORGED
    transport.close()
    manager.clear()


def test_c20_the_shops_certificates_hold_without_its_proxy_too(
    secure: Gateway, proxy: Gateway, ca: str
) -> None:
    manager = urllib3.ProxyManager(proxy.url, ca_certs=ca)
    transport = Urllib3Transport(manager)
    assert transport(Call(secure.url + PATH).request()).body == BODY
    assert proxy.lines == []
    transport.close()
    manager.clear()


def test_c20_a_manager_with_a_proxy_still_uses_it_for_others(
    gateway: Gateway, proxy: Gateway
) -> None:
    manager = urllib3.ProxyManager(proxy.url)
    answer = Urllib3Transport(manager)(Call("http://gateway.test" + PATH).request())
    assert answer.body == FORGED
    manager.clear()


def asynchronously(
    make: Callable[[], tuple[Any, Callable[[], Awaitable[object]]]], url: str
) -> GatewayResponse:
    async def ask() -> GatewayResponse:
        transport, close = make()
        answer: GatewayResponse = await transport(Call(url).request())
        await close()
        return answer

    return asyncio.run(ask())


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("explicit", [False, True])
def test_c20_nor_is_that_of_an_httpx_client(
    library: Any, explicit: bool, gateway: Gateway, proxy: Gateway
) -> None:
    def make() -> tuple[Any, Callable[[], Awaitable[object]]]:
        given = {"proxy": proxy.url} if explicit else {}
        client = library.AsyncClient(headers={"X-Shop": "1"}, **given)
        return HttpxTransport(client), client.aclose

    assert asynchronously(make, gateway.url + PATH).body == BODY
    assert proxy.lines == []
    assert b"x-shop: 1" in gateway.asked[0].lower()
    assert asynchronously(make, "http://gateway.test" + PATH).body == FORGED


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_c20_an_httpx_client_without_a_proxy_is_used_as_it_is(
    library: Any, gateway: Gateway
) -> None:
    def make() -> tuple[Any, Callable[[], Awaitable[object]]]:
        canned = library.MockTransport(lambda request: library.Response(200, content=b"canned"))
        client = library.AsyncClient(transport=canned, trust_env=False)
        return HttpxTransport(client), client.aclose

    assert asynchronously(make, gateway.url + PATH).body == b"canned"
    assert gateway.lines == []


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_c20_nor_is_that_of_an_httpx_clients_own_transport(
    library: Any, gateway: Gateway, proxy: Gateway
) -> None:
    def make() -> tuple[Any, Callable[[], Awaitable[object]]]:
        own = library.AsyncHTTPTransport(proxy=proxy.url)
        client = library.AsyncClient(transport=own, headers={"X-Shop": "1"}, trust_env=False)
        return HttpxTransport(client), client.aclose

    assert asynchronously(make, gateway.url + PATH).body == BODY
    assert proxy.lines == []
    assert b"x-shop: 1" in gateway.asked[0].lower()
    assert asynchronously(make, "http://gateway.test" + PATH).body == FORGED


@pytest.mark.parametrize("explicit", [False, True])
def test_c20_nor_is_that_of_an_aiohttp_session(
    explicit: bool, gateway: Gateway, proxy: Gateway
) -> None:
    def make() -> tuple[Any, Callable[[], Awaitable[object]]]:
        given: dict[str, Any] = {"proxy": proxy.url} if explicit else {"trust_env": True}
        session = aiohttp.ClientSession(**given)
        return AiohttpTransport(session), session.close

    assert asynchronously(make, gateway.url + PATH).body == BODY
    assert proxy.lines == []
    assert asynchronously(make, "http://gateway.test" + PATH).body == FORGED


@pytest.mark.parametrize("client", OURS)
def test_c20_https_to_this_machine_makes_no_tunnel_either(
    client: str, secure: Gateway, proxy: Gateway, ca: str
) -> None:
    (told,) = tell(client, Call(secure.url + PATH), ca=ca)
    assert told.response == GatewayResponse(200, BODY)
    assert proxy.lines == []
