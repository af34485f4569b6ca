"""How an answer of the API leaves: in one write, or as far as the way it has lets it.

What an answer's `Way` asks of the connection is done here and nowhere else.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from imp_verify.sandbox.wire import ApiAnswer

CONNECTION = "imp_verify.connection"
"""The extension of an ASGI scope with its connection, a `Joined`."""


class Joined:
    """A transport that writes at once what is written in one turn of the loop.

    A head and its body leave as one, as they do from the real gateway: there are clients that take
    the first piece for the whole.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Keep it until this turn of the loop is over."""
        if not self._held:
            asyncio.get_running_loop().call_soon(self._leave)
        self._held += data

    def close(self) -> None:
        """End the connection, once what was written is on its way."""
        self._leave()
        self._transport.close()

    def _leave(self) -> None:
        if self._held:
            held, self._held = bytes(self._held), bytearray()
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)


class Protocol(H11Protocol):
    """A connection that an answer can reach."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give it to every request's scope."""
        joined = Joined(transport)
        super().connection_made(cast("asyncio.Transport", joined))
        app = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**scope.get("extensions", {}), CONNECTION: joined}
            await app({**scope, "extensions": extensions}, receive, send)

        self.app = with_connection


async def leave(answer: ApiAnswer, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer as far as it goes, and return when that has been done.

    Raises:
        ConnectionAbortedError: It is to be lost, and the server is not `SandboxServer`.
    """
    way = answer.way
    if not way.lost and way.truncate is None:
        await _head(answer, send)
        await send({"type": "http.response.body", "body": answer.body})
        return
    connection = scope.get("extensions", {}).get(CONNECTION)
    if connection is None:
        raise ConnectionAbortedError("an answer is lost by SandboxServer alone")
    if not way.lost:
        await _head(answer, send)
        part = answer.body[: way.truncate]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    connection.close()
    # A server that sees an answer end too early before it sees the connection gone logs that.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _head(answer: ApiAnswer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    length = (b"content-length", str(len(answer.body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [length, *headers],
        }
    )
