"""The callers of load.py: HTTP/1.1 as it is needed there, on kept connections, for as little of the
processor as Python allows, since the shop's servers share it."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

PATIENCE = 180
"""Seconds for a server to start, and to answer all that it was asked."""


class Caller(asyncio.Protocol):
    """One connection, kept open, with one request on it at a time."""

    def __init__(self, answered: Callable[[Caller, int, bytes], None]) -> None:
        self.answered = answered
        self.asked = False
        self.began = 0.0
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what one writes to."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def ask(self, request: bytes) -> None:
        """Send a request; its answer goes to `answered`."""
        self.asked, self.began = True, time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read until an answer is whole."""
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        assert length is not None, head
        if len(body) < int(length[1]):
            return
        self.asked, self._read = False, b""
        self.answered(self, int(head.split(b" ", 2)[1]), body)

    def connection_lost(self, error: Exception | None) -> None:
        """Count a request that gets no answer."""
        if self.asked:
            self.asked = False
            self.answered(self, 0, b"")

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def connect(port: int, processes: int, number: int) -> list[Caller]:
    """Open connections, as many to each process: the kernel may give all of a burst to one."""
    loop = asyncio.get_running_loop()
    most, held, callers = -(-number // processes), dict[bytes, int](), list[Caller]()
    for _ in range(50 * number):
        told: asyncio.Future[bytes] = loop.create_future()

        def answered(caller: Caller, status: int, body: bytes, told: Any = told) -> None:
            if not told.done():
                told.set_result(body if status == 200 else b"")

        made = await loop.create_connection(lambda: Caller(answered), "127.0.0.1", port)
        caller = made[1]
        caller.ask(b"GET /process HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            process = await told
        if not process:
            raise SystemExit("the server does not start")
        if held.get(process, 0) < most:
            held[process] = held.get(process, 0) + 1
            callers.append(caller)
        else:
            caller.close()
        if len(callers) == number:
            return callers
    raise SystemExit(f"{processes} processes, and only {len(held)} answer")


class Load:
    """So many callers on one server, which ask as fast as they are answered.

    Attributes:
        successes, unavailable, wrong: Answers so far, those before the measuring too: 200 success,
            503 (the gateway or the database took too long), and anything else.
        seconds: What each answer took since `take` was last called.
    """

    def __init__(self, callers: list[Caller], orders: Iterator[int]) -> None:
        self.successes = self.unavailable = self.wrong = 0
        self.seconds: list[float] = []
        self._callers, self._orders = callers, orders
        self._ended = False
        self._left = len(callers)
        self._over = asyncio.Event()
        for caller in callers:
            caller.answered = self._answered
            self._ask(caller)

    def _ask(self, caller: Caller) -> None:
        number = next(self._orders)
        body = b'{"imp_uid":"imp_%d","merchant_uid":"ORD-%d"}' % (number, number)
        path = b"webhook" if number % 2 else b"complete"
        caller.ask(
            b"POST /payments/%s HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (path, len(body), body)
        )

    def _answered(self, caller: Caller, status: int, body: bytes) -> None:
        self.seconds.append(time.perf_counter() - caller.began)
        if status == 200 and json.loads(body)["status"] == "success":
            self.successes += 1
        elif status == 503:
            self.unavailable += 1
        else:
            self.wrong += 1
        if status and not self._ended:
            self._ask(caller)
        else:
            self._left -= 1
            if not self._left:
                self._over.set()

    def take(self) -> list[float]:
        """Return what was measured since the last time."""
        taken, self.seconds = self.seconds, []
        return taken

    async def end(self) -> None:
        """Wait until all that was asked is answered, and hang up."""
        self._ended = True
        async with asyncio.timeout(PATIENCE):
            _ = await self._over.wait()
        for caller in self._callers:
            caller.close()


@dataclass(frozen=True)
class Measured:
    """What one load gave, its last seconds."""

    rate: float
    p50: float
    p99: float


def percentiles(took: list[float], seconds: float) -> Measured:
    """Give the rate, and the latencies in milliseconds."""
    if len(took) < 2:
        return Measured(len(took) / seconds, 0, 0)
    cuts = statistics.quantiles(took, n=100)
    return Measured(len(took) / seconds, cuts[49] * 1e3, cuts[98] * 1e3)
