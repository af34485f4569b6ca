"""How an answer of the API leaves: in one write, or as far as the way it has lets it.

What an answer's `Way` asks of the connection is done here and nowhere else.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from dataclasses import replace
from http import HTTPStatus
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.waits import Waits
from imp_verify.sandbox.wire import WHOLE, ApiAnswer

_PIECES = 50
"""In a second at most, of an answer that drips."""
_STATUSES = frozenset(HTTPStatus)

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

    def reset(self) -> None:
        """End the connection by RST, whatever was written."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

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
        ConnectionAbortedError: It does not go as a whole, and the server is not `SandboxServer`.
    """
    if answer.way is WHOLE:
        await _send_whole(answer, send)
        return
    connection = scope.get("extensions", {}).get(CONNECTION)
    if not answer.way.is_whole and connection is None:
        raise ConnectionAbortedError("an answer is lost, cut or slow by SandboxServer alone")
    listener = _Listener(receive, answer.way.waits)
    try:
        await listener.wait(answer.way.delay)
        if answer.way.is_whole:
            await _send_whole(answer, send)
            return
        await _send_part(answer, connection, listener)
        # A server that sees an answer end too early before it sees the connection gone logs that.
        await listener.gone
    finally:
        listener.close()


class Faulty(Response):
    """An answer of the sandbox's own pages, as a fault leaves it."""

    def __init__(self, whole: Response, fault: Fault) -> None:
        super().__init__()
        headers = tuple(
            (name, value) for name, value in whole.headers.items() if name != "content-length"
        )
        answer = fault.instead()
        if answer is None:
            self._answer = fault.afterwards(
                ApiAnswer(whole.status_code, bytes(whole.body), headers)
            )
            return
        kept = tuple(pair for pair in headers if pair[0] != "content-type")
        self._answer = replace(answer, headers=(*answer.headers, *kept))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await leave(self._answer, scope, receive, send)


async def _send_whole(answer: ApiAnswer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    length = (b"content-length", str(len(answer.body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [length, *headers],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


async def _send_part(answer: ApiAnswer, connection: Joined, listener: _Listener) -> None:
    """Write past the server, which would see to it that an answer is whole."""
    way = answer.way
    if way.reset:
        connection.reset()
        return
    if not way.lost:
        head, body = _head(answer), answer.body[: way.truncate]
        if way.drip is None:
            connection.write(head + body)
        else:
            begin = 0 if way.drip_headers else len(head)
            await _drip(head + body, begin, way.drip, connection, listener)
    connection.close()


async def _drip(
    data: bytes, begin: int, speed: float, connection: Joined, listener: _Listener
) -> None:
    connection.write(data[:begin])
    size = math.ceil(speed / _PIECES)
    for at in range(begin, len(data), size):
        await listener.wait(size / speed)
        if listener.gone.done():
            return
        if listener.over.done():
            connection.write(data[at:])
            return
        connection.write(data[at : at + size])


def _head(answer: ApiAnswer) -> bytes:
    reason = HTTPStatus(answer.status).phrase if answer.status in _STATUSES else ""
    length = ("Content-Length", str(len(answer.body)))
    lines = [f"{name}: {value}" for name, value in (length, *answer.headers)]
    head = [f"HTTP/1.1 {answer.status} {reason}", *lines, "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1")


class _Listener:
    """Waits on the way of an answer, no longer than somebody waits for that.

    Attributes:
        gone: Done once the connection is.
        over: Done once nothing waits any longer.
    """

    def __init__(self, receive: Receive, waits: Waits) -> None:
        self.gone = asyncio.ensure_future(_until_gone(receive))
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        self._undo = waits.when_over(lambda: loop.call_soon_threadsafe(self._end))

    async def wait(self, seconds: float) -> None:
        if seconds:
            ends = asyncio.FIRST_COMPLETED
            await asyncio.wait((self.gone, self.over), timeout=seconds, return_when=ends)

    def close(self) -> None:
        self._undo()
        self.over.cancel()
        self.gone.cancel()

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
