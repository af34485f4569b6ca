"""One ASGI request in, one answer out: what every ASGI adapter shares. It translates and decides
nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from .. import MAX_BODY, AsyncVerifier, Request
from .._web.http import Problem
from ._bodies import form_body

__all__ = [
    "Message",
    "Receive",
    "Scope",
    "Send",
    "TooLarge",
    "answer",
    "form_again",
    "header_pairs",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_BODY_TIME = 10.0
"""Seconds that a body may take to arrive."""


class TooLarge(Exception):
    """Raised by a `receive` of ours: the body is over a limit of the shop's own."""


async def answer(
    verifier: AsyncVerifier, name: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve one HTTP request by the endpoint `name`; a client that leaves early gets no answer."""
    began = time.monotonic()
    come = await _read(receive)
    if come is None:
        return
    body, problem = come
    client = scope.get("client")
    response = await verifier.serve(
        name,
        Request(
            method=scope["method"],
            query=scope["query_string"].decode("latin-1"),
            headers=header_pairs(scope),
            body=body,
            client=client[0] if client else None,
            began=began,
            problem=problem,
        ),
    )
    headers = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in response.headers]
    length = response.length(scope["method"])
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def header_pairs(scope: Scope) -> list[tuple[str, str]]:
    """Return the headers under the names that came: one with an underscore is not taken for another
    with a hyphen."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


async def _read(receive: Receive) -> tuple[bytes, Problem | None] | None:
    """Read the body, one byte over the limit at most; None where the client left."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_TIME):
            while size <= MAX_BODY:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunk = message.get("body", b"")
                size += len(chunk)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        return b"", "too slow"
    except TooLarge:
        return b"", "too large"
    return b"".join(chunks)[: MAX_BODY + 1], None


def form_again(scope: Scope, fields: Iterable[tuple[str, object]]) -> Message:
    """Return a form that the shop's own code has had parsed as a body once more; it is form text by
    now, whatever the scope's headers said."""
    scope["headers"] = [pair for pair in scope["headers"] if pair[0].lower() != b"content-type"]
    text = [(name, value) for name, value in fields if isinstance(value, str)]
    return {"type": "http.request", "body": form_body(text)}
