"""One deadline for a whole call through urllib3, which of itself only times each read.

The deadline is a context variable. Classes put in front of those of a pool and its connections look
at it before whatever can wait: a free connection, each address, the TLS handshake, the sending and
each `recv_into`. (Python itself bounds a handshake and a TLS read as a whole by the time-out of the
socket.) A call for which none is set goes on as before, so the pools may be the shop's own.
"""

from __future__ import annotations

import io
import socket
import time
from contextvars import ContextVar
from functools import cache
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any, cast

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Retry
from urllib3.util.connection import allowed_gai_family

from imp_verify.transports import MAX_ANSWER

DEADLINE: ContextVar[float | None] = ContextVar("imp_verify_deadline", default=None)
"""When the calling thread's call must be complete, in seconds of `time.monotonic()`."""

NEVER = Retry(False, redirect=False)
"""The core alone decides what is tried again."""

MOST: ContextVar[int] = ContextVar("imp_verify_most", default=MAX_ANSWER)
"""How many bytes the body of the calling thread's answer may have."""

_ON_THE_WIRE = 2  # times as many, heads, chunk sizes and trailers as well

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection as _Connection
    from urllib3.connectionpool import HTTPConnectionPool as _Pool
else:
    _Connection = _Pool = object


class Overflow(OSError):
    """An answer has more bytes on the wire than any that we could use."""


def keep_deadline(pool: object) -> HTTPConnectionPool:
    """Make a pool keep `DEADLINE`; one that does already is left as it is."""
    if isinstance(pool, HTTPConnectionPool) and not isinstance(pool, _TimedPool):
        made: Any = pool.ConnectionCls
        if issubclass(made, HTTPConnection):
            pool.ConnectionCls = _timed(made, _TimedConnection)
        pool.__class__ = _timed(cast("Any", type(pool)), _TimedPool)
    return cast("HTTPConnectionPool", pool)


@cache
def _timed(kind: Any, timing: Any) -> Any:
    if issubclass(kind, timing):
        return kind
    return type(kind.__name__, (timing, kind), {"__module__": kind.__module__})


def seconds_left() -> float | None:
    deadline = DEADLINE.get()
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


class _TimedPool(_Pool):
    def urlopen(self, *arguments: Any, **options: Any) -> Any:
        """Ask once: what a session's adapter would try again, it would also sleep before, for as
        long as an answer's Retry-After says."""
        if DEADLINE.get() is not None and "retries" in options:
            options["retries"] = NEVER
        try:
            return super().urlopen(*arguments, **options)
        finally:
            del arguments, options  # the token is in them, and an error shows them to its readers

    def _get_conn(self, timeout: float | None = None) -> Any:
        left = seconds_left()
        if left is None:
            return super()._get_conn(timeout)
        connection = super()._get_conn(left if timeout is None else min(left, timeout))
        if isinstance(connection, HTTPConnection) and not isinstance(connection, _TimedConnection):
            connection.close()  # made before the pool was ours to time
            connection = self._new_conn()
        return connection


class _TimedConnection(_Connection):
    @property
    def response_class(self) -> type[HTTPResponse]:  # type: ignore[override]
        return super().response_class if DEADLINE.get() is None else TimedResponse

    def _new_conn(self) -> socket.socket:
        left = seconds_left()
        if left is None:
            return super()._new_conn()
        if getattr(super()._new_conn, "__func__", None) is HTTPConnection._new_conn:
            sock = self._first_that_answers()
        else:  # SOCKS: the proxy resolves the name
            self.timeout = left
            sock = super()._new_conn()
        sock.settimeout(seconds_left())
        return sock

    def _first_that_answers(self) -> socket.socket:
        """Try each address of the host, none of them for longer than its share of the time."""
        name = self._dns_host
        addresses = self._addresses(name)
        try:
            for n, address in enumerate(addresses, 1 - len(addresses)):
                self._dns_host, self.timeout = address, cast("float", seconds_left()) / (1 - n)
                try:
                    return super()._new_conn()
                except HTTPError:
                    if n == 0:
                        raise
        finally:
            self._dns_host = name
        raise NewConnectionError(self, "the name has no address")

    def _addresses(self, name: str) -> list[str]:
        try:
            found = socket.getaddrinfo(
                name.strip("[]"), self.port, allowed_gai_family(), socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "the name was not resolved") from error
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def _tunnel(self) -> None:
        super()._tunnel()
        self._time()

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        """Time what is sent from here on: a few hundred bytes, which wait for nobody twice."""
        self._time()
        super().putrequest(*arguments, **options)

    def _time(self) -> None:
        sock: socket.socket | None = self.sock
        left = seconds_left()
        if left is not None and sock is not None:
            sock.settimeout(left)


class TimedResponse(HTTPResponse):
    """An answer read under `DEADLINE`, never more of it than we could use."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.wire = _Wire(sock, self.fp.detach())
        self.fp = io.BufferedReader(self.wire)

    def begin(self) -> None:
        super().begin()
        # http.client takes 103 for the end, and the next answer for its own.
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        if self.wire.ended:  # http.client takes a head that is cut for a whole one
            raise IncompleteRead(b"")

    def _read_next_chunk_size(self) -> int:
        try:
            size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        except ValueError as error:
            if self.wire.ended:
                raise  # http.client makes an IncompleteRead of it, which it is
            raise HTTPException("a chunk's size is no number") from error
        if size < 0:
            raise HTTPException("a chunk's size is negative")
        return size


class _Wire(io.RawIOBase):
    """A socket's file that gives its socket the time that is left before each read."""

    def __init__(self, sock: socket.socket, file: io.RawIOBase) -> None:
        self._sock = sock
        self._file = file
        self._room = _ON_THE_WIRE * MOST.get()
        self.ended = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = seconds_left()
        if left is not None:
            self._sock.settimeout(left)
        count = self._file.readinto(buffer)
        self.ended = count == 0
        self._room -= count or 0
        if self._room < 0:
            raise Overflow("too many bytes")
        return count

    def close(self) -> None:
        super().close()
        self._file.close()
