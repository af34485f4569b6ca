"""Every transport behind one function, with clients of its own and with the shop's."""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import trustme
import urllib3

from imp_verify.errors import GatewayError
from imp_verify.transports import MAX_ANSWER, GatewayRequest, GatewayResponse
from imp_verify.transports import aiohttp as aiohttp_transport
from imp_verify.transports import httpx as httpx_transport
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.gateway import Gateway

HTTPX: Any = vars(httpx_transport)["httpx"]  # whichever of the two is installed
SHORT = 0.5
LATEST = SHORT + 0.1 + 0.4
"""A call of SHORT is over by then: a tenth of a second is promised, the rest is for a busy one."""

PATH = "/payments/imp_1"
SYNC = ("requests", "requests+session", "urllib3", "urllib3+pool")
ASYNC = ("httpx", "httpx+client", "aiohttp", "aiohttp+session")
CLIENTS = SYNC + ASYNC
OURS = ("requests", "urllib3", "httpx", "aiohttp")
FOLLOWING_THE_ENVIRONMENT = (*OURS, "requests+session")
"""The shop's other clients have the proxy that the shop gave them."""


@dataclass
class Told:
    """What a transport made of a call, and after how long."""

    response: GatewayResponse | None
    error: GatewayError | None
    seconds: float


@dataclass
class Call:
    url: str
    seconds: float = 10.0
    method: str = "GET"
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": "the-token"})
    most: int = MAX_ANSWER

    def request(self) -> GatewayRequest:
        deadline = time.monotonic() + self.seconds
        return GatewayRequest(self.method, self.url, self.headers, self.body, deadline, self.most)


def sync_transport(name: str, ca: str | None) -> tuple[Any, Callable[[], object]]:
    if name == "requests+session":
        session = requests.Session()
        session.verify = ca or True
        return RequestsTransport(session), session.close
    if name == "urllib3+pool":
        pool = urllib3.PoolManager(ca_certs=ca)
        return Urllib3Transport(pool), pool.clear
    transport = RequestsTransport() if name == "requests" else Urllib3Transport()
    return transport, transport.close


def async_transport(name: str, ca: str | None) -> tuple[Any, Callable[[], Awaitable[object]]]:
    context = ssl.create_default_context(cafile=ca)
    if name == "httpx+client":
        client = HTTPX.AsyncClient(verify=context)
        return HttpxTransport(client), client.aclose
    if name == "aiohttp+session":
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        return AiohttpTransport(session), session.close
    transport = HttpxTransport() if name == "httpx" else AiohttpTransport()
    return transport, transport.close


def tell(
    name: str, *calls: Call, ca: str | None = None, between: Callable[[], object] | None = None
) -> list[Told]:
    """Make calls one after another through one transport, and close what was made."""

    def judge(begun: float, error: GatewayError | None, response: Any = None) -> Told:
        return Told(response, error, time.monotonic() - begun)

    async def run_async() -> list[Told]:
        transport, close = async_transport(name, ca)
        told = []
        for call in calls:
            begun = time.monotonic()
            try:
                told.append(judge(begun, None, await transport(call.request())))
            except GatewayError as error:
                told.append(judge(begun, error))
            if between is not None:
                await asyncio.to_thread(between)
        await close()
        return told

    def run() -> list[Told]:
        transport, close = sync_transport(name, ca)
        told = []
        for call in calls:
            begun = time.monotonic()
            try:
                told.append(judge(begun, None, transport(call.request())))
            except GatewayError as error:
                told.append(judge(begun, error))
            if between is not None:
                between()
        close()
        return told

    try:
        return run() if name in SYNC else asyncio.run(run_async())
    finally:
        gc.collect()  # what was left open says so here, not in another test


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def _only_ours_is_collected() -> None:
    """Let `tell` look at what its calls left, not at all that a thousand tests have loaded: each
    look took a second in a whole run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", *certificates):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the file of an authority that the environment names as well."""
    path = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
    monkeypatch.setenv("SSL_CERT_FILE", path)
    forget_certificates()
    yield path
    forget_certificates()


def forget_certificates() -> None:
    aiohttp_transport._verification.cache_clear()
    httpx_transport._verification.cache_clear()


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "gateway.test").configure_cert(context)
    return context


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def secure(tls: ssl.SSLContext) -> Iterator[Gateway]:
    with Gateway(tls=tls) as gateway:
        yield gateway
