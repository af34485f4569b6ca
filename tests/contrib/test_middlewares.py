"""What the middlewares do with requests that are not theirs: nothing, and without looking."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from imp_verify import AsyncVerifier, ConfigurationError, Credentials, Verifier
from imp_verify.contrib import asgi, wsgi
from imp_verify.stores.memory import MemoryStore

KEYS = Credentials("key", "secret")


def plain() -> Verifier:
    return Verifier(MemoryStore(expected=lambda *_: 1), credentials=KEYS, test_mode=True)


def asynchronous() -> AsyncVerifier:
    return AsyncVerifier(MemoryStore(expected=lambda *_: 1), credentials=KEYS, test_mode=True)


@pytest.mark.parametrize(
    "path", ["/", "/payments", "/payments/", "/payments/complete/x", "/paymentscomplete", ""]
)
def test_f06_a_wsgi_request_outside_goes_on_untouched_and_unread(path: str) -> None:
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


@pytest.mark.parametrize("kind", ["http", "websocket", "lifespan"])
def test_f06_whatever_asgi_scope_is_not_ours_goes_on_untouched(kind: str) -> None:
    scope: dict[str, Any] = {"type": kind, "path": "/payments/other", "root_path": ""}
    seen: list[object] = []

    async def app(*arguments: object) -> None:
        seen.extend(arguments)

    async def receive() -> Any:
        raise AssertionError("nothing of it is read")

    async def send(message: Any) -> None:
        raise AssertionError("nothing is answered")

    asyncio.run(asgi.PaymentsMiddleware(app, asynchronous())(scope, receive, send))  # type: ignore[arg-type]
    assert [id(one) for one in seen] == [id(one) for one in (scope, receive, send)]


def test_a_web_socket_at_an_endpoints_path_is_not_ours() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    scope = {"type": "websocket", "path": "/payments/complete"}
    asyncio.run(asgi.PaymentsMiddleware(app, asynchronous())(scope, None, None))  # type: ignore[arg-type]
    assert seen == ["websocket"]


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
