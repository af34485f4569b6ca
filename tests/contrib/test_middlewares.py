"""What the middlewares do with requests that are not theirs: nothing, and without looking."""

# ruff: noqa: N802 - a case's id stands in the name as it is

from __future__ import annotations

import asyncio
import inspect
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request as StarletteRequest
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from imp_verify import (
    AsyncVerifier,
    ConfigurationError,
    Credentials,
    Request,
    Response,
    Verifier,
)
from imp_verify.contrib import _asgi, asgi, starlette, wsgi
from imp_verify.stores.memory import MemoryStore
from tests.support.apps import Apps
from tests.support.gateway import I1, ORDER, PRICE, ScriptedGateway
from tests.support.shop import ASYNC, TIMEOUT, WsgiDriver

KEYS = Credentials("key", "secret")


def plain() -> Verifier:
    return Verifier(MemoryStore(expected=lambda *_: 1), credentials=KEYS, test_mode=True)


def asynchronous() -> AsyncVerifier:
    return AsyncVerifier(MemoryStore(expected=lambda *_: 1), credentials=KEYS, test_mode=True)


@pytest.mark.parametrize(
    "path", ["/", "/payments", "/payments/", "/payments/complete/x", "/paymentscomplete", ""]
)
def test_F06_a_wsgi_request_outside_goes_on_untouched_and_unread(path: str) -> None:
    environ: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": io.BytesIO(b"x" * 100_000)}
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        seen.extend((environ, start_response, environ["wsgi.input"].tell()))
        return body

    body = iter([b"a", b"b"])
    start = object()
    answer = wsgi.PaymentsMiddleware(app, plain())(environ, start)  # type: ignore[arg-type]
    assert answer is body
    assert seen[0] is environ
    assert seen[1:] == [start, 0]


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan", "webtransport"])
def test_F06_whatever_asgi_scope_is_not_ours_goes_on_untouched(kind: str) -> None:
    scope: dict[str, Any] = {"type": kind, "path": "/payments/other", "root_path": ""}
    seen: list[object] = []

    async def app(*arguments: object) -> None:
        seen.extend(arguments)

    async def receive() -> Any:
        raise AssertionError("nothing of it is read")

    async def send(message: Any) -> None:
        raise AssertionError("nothing is answered")

    asyncio.run(asgi.PaymentsMiddleware(app, asynchronous())(scope, receive, send))
    assert [id(one) for one in seen] == [id(one) for one in (scope, receive, send)]


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "webtransport", "http2"])
def test_f07_what_is_no_http_request_is_not_ours_even_at_an_endpoints_path(kind: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    scope = {"type": kind, "path": "/payments/complete"}
    asyncio.run(asgi.PaymentsMiddleware(app, asynchronous())(scope, None, None))  # type: ignore[arg-type]
    assert seen == [kind]


def fastapi(verifier: AsyncVerifier) -> Any:
    """A FastAPI application with a state of its life span, and web sockets."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        yield {"own": "the shop's own"}

    app = FastAPI(lifespan=life)

    @app.get("/other", response_class=PlainTextResponse)
    async def other(request: StarletteRequest) -> str:
        return str(request.state.own)

    @app.websocket("/pay/webhook")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.state.own)
        await socket.close()

    return asgi.PaymentsMiddleware(app, verifier, prefix="/pay")


def test_n01_f07_the_outermost_middleware_works_in_starlettes_own_client(apps: Apps) -> None:
    claim = {"imp_uid": I1, "merchant_uid": ORDER, "amount": PRICE}
    with TestClient(fastapi(apps.verifier)) as client:
        assert client.get("/other").text == "the shop's own"
        for endpoint, word in (
            ("complete", "success"),
            ("webhook", "success"),
            ("confirm", "approved"),
        ):
            answer = client.post(f"/pay/{endpoint}", json=claim)
            assert (answer.status_code, answer.json()["status"]) == (200, word)
        with client.websocket_connect("/pay/webhook") as socket:
            assert socket.receive_text() == "the shop's own"


def test_n01_what_servers_look_at_is_a_coroutine_function(apps: Apps) -> None:
    for make in (ASYNC["asgi"], starlette.payments, fastapi):
        app = make(apps.verifier)
        routes = getattr(app, "routes", [])
        for each in (app, *(route.app for route in routes)):
            assert inspect.iscoroutinefunction(each.__call__)


@pytest.mark.parametrize("prefix", ["payments", "//payments", "", "/pay?x", "/pay#x", "https://x"])
def test_a_prefix_that_is_no_path_is_refused_at_once(prefix: str) -> None:
    async def app(*_: object) -> None: ...

    with pytest.raises(ConfigurationError, match="prefix"):
        wsgi.PaymentsMiddleware(lambda *_: [], plain(), prefix=prefix)
    with pytest.raises(ConfigurationError, match="prefix"):
        asgi.PaymentsMiddleware(app, asynchronous(), prefix=prefix)


def test_a_prefix_may_end_in_a_slash_or_have_several_parts() -> None:
    answered: list[str] = []
    app = wsgi.PaymentsMiddleware(lambda *_: [], plain(), prefix="/shop/pay/")
    environ = {"PATH_INFO": "/shop/pay/confirm", "REQUEST_METHOD": "OPTIONS"}
    environ["wsgi.input"] = io.BytesIO()  # type: ignore[assignment]
    app(environ, lambda status, headers, error=None: answered.append(status))  # type: ignore[arg-type]
    assert answered == ["204 No Content"]


def test_a_prefix_may_be_in_korean_though_wsgi_spells_its_bytes() -> None:
    answered: list[str] = []
    app = wsgi.PaymentsMiddleware(lambda *_: [], plain(), prefix="/결제")
    path = "/결제/confirm".encode().decode("latin-1")
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "OPTIONS"}
    environ["wsgi.input"] = io.BytesIO()  # type: ignore[assignment]
    app(environ, lambda status, headers, error=None: answered.append(status))  # type: ignore[arg-type]
    assert answered == ["204 No Content"]


@pytest.mark.parametrize(
    ("prefix", "root", "path", "ours"),
    [
        ("/payments", "", "/payments/complete", True),
        ("/payments", "/shop", "/shop/payments/complete", True),
        ("/payments", "/shop", "/payments/complete", True),
        ("/payments", "/shop/", "/shop/payments/complete", True),
        ("/payments", "/pay", "/payments/complete", True),
        ("/payments", "/payment", "/payments/complete", True),
        ("/pay", "/pa", "/pay/complete", True),
        ("/결제", "/가게", "/가게/결제/complete", True),
        ("/payments", "/shop", "/shoppayments/complete", False),
        ("/payments", "/shop", "/shop/shop/payments/complete", False),
    ],
)
def test_F04_a_root_path_is_taken_off_as_whole_parts_of_a_path(
    prefix: str, root: str, path: str, ours: bool
) -> None:
    seen: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        seen.append(message.get("status"))

    scope: dict[str, Any] = {"type": "http", "path": path, "root_path": root, "method": "OPTIONS"}
    scope |= {"query_string": b"", "headers": [], "client": None}
    middleware = asgi.PaymentsMiddleware(app, asynchronous(), prefix=prefix)
    asyncio.run(middleware(scope, receive, send))
    assert seen == ([204, None] if ours else [path])


CLAIM = f"imp_uid={I1}&merchant_uid={ORDER}".encode()
OUTER = [(True, (200, "success")), (False, (400, "invalid"))]


@pytest.mark.parametrize(("replays", "told"), OUTER)
def test_F06_what_an_outer_wsgi_middleware_has_read_is_read_where_it_replays_it(
    gateway: ScriptedGateway, replays: bool, told: tuple[int, str]
) -> None:
    gateway.has()
    apps = Apps(gateway)
    verifier = apps.plain()
    inner = wsgi.PaymentsMiddleware(lambda *_: [], verifier)

    def outer(environ: Any, start_response: Any) -> Any:
        read = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        if replays:
            environ["wsgi.input"] = io.BytesIO(read)
        return inner(environ, start_response)

    driver = WsgiDriver(verifier, outer)
    assert driver.start("POST", "/payments/complete", "", [], CLAIM).result(TIMEOUT).told == told
    driver.close()
    apps.close()


@pytest.mark.parametrize(("replays", "told"), OUTER)
def test_F06_what_an_outer_asgi_middleware_has_read_is_read_where_it_replays_it(
    gateway: ScriptedGateway,
    monkeypatch: pytest.MonkeyPatch,
    replays: bool,
    told: tuple[int, str],
) -> None:
    gateway.has()
    if not replays:
        monkeypatch.setattr("imp_verify.contrib._asgi._BODY_TIME", 0.01)
    else:
        assert _asgi._BODY_TIME == 10.0  # what is fixed, and shortened wherever it is waited for
    apps = Apps(gateway)

    async def nothing(*_: object) -> None: ...

    inner = asgi.PaymentsMiddleware(nothing, apps.verifier)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        read = [message] if replays else []

        async def again() -> Any:
            return read.pop() if read else await receive()

        await inner(scope, again, send)

    assert apps.ask(outer, "POST", "/payments/complete", CLAIM).told == told
    apps.close()


@pytest.mark.parametrize("length", ["100", "x", "-1", ""])
def test_a_length_that_lies_is_no_crash(length: str) -> None:
    statuses: list[str] = []
    environ: dict[str, Any] = {
        "PATH_INFO": "/payments/complete",
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": length,
        "wsgi.input": io.BytesIO(b'{"imp_uid":"imp_1"'),
    }
    app = wsgi.PaymentsMiddleware(lambda *_: [], plain())
    body = app(environ, lambda status, headers, error=None: statuses.append(status))  # type: ignore[arg-type]
    assert statuses == ["400 Bad Request"]
    assert b'"invalid"' in b"".join(body)


class Timed(io.BytesIO):
    """A body that says when it was first read."""

    read_at: float | None = None

    def read(self, size: int | None = -1) -> bytes:
        self.read_at = self.read_at or time.monotonic()
        return super().read(size)


class Broken(io.BytesIO):
    """A body in chunks that breaks off, as CherryPy's server says it."""

    def read(self, size: int | None = -1) -> bytes:
        raise ValueError("Bad chunked transfer size")

    def readinto(self, buffer: Any) -> int:
        return len(self.read(len(buffer)))


def ask_wsgi(verifier: Verifier, endpoint: str, body: io.BytesIO, **more: Any) -> tuple[str, Any]:
    statuses: list[str] = []
    environ: dict[str, Any] = {
        "PATH_INFO": f"/payments/{endpoint}",
        "REQUEST_METHOD": "POST",
        "wsgi.input": body,
        **more,
    }

    def start(status: str, headers: Any, error: Any = None) -> Any:
        statuses.append(status)

    answer = wsgi.PaymentsMiddleware(lambda *_: [], verifier)(environ, start)
    return statuses[0][:3], json.loads(b"".join(answer))["status"]


def test_the_time_that_a_wsgi_body_takes_counts_for_confirm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gateway waits for the answer from when it began to ask, not from when we have read it."""
    seen: list[Request] = []
    verifier = plain()
    serve = verifier.serve

    def noted(endpoint: str, request: Request) -> Response:
        seen.append(request)
        return serve(endpoint, request)

    monkeypatch.setattr(verifier, "serve", noted)
    body = Timed(b"amount=1")
    told = ask_wsgi(verifier, "confirm", body, **{"wsgi.input_terminated": True})
    assert told == ("400", "invalid")
    [request] = seen
    assert request.began is not None
    assert body.read_at is not None
    assert request.began <= body.read_at


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
def test_a_wsgi_body_that_breaks_off_in_the_servers_own_words_is_malformed(endpoint: str) -> None:
    told = ask_wsgi(plain(), endpoint, Broken(), **{"wsgi.input_terminated": True})
    assert told == ("400", "invalid")
