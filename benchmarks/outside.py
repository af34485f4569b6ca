"""What the middlewares cost a request that is not theirs: microseconds over the bare application.

Both sides take turns in one process, in either order; what is compared are medians over the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from imp_verify import AsyncVerifier, Credentials, Verifier
from imp_verify.contrib import asgi, wsgi
from imp_verify.stores.memory import MemoryStore

BUDGET = 0.5
"""Microseconds over the bare application."""
KEYS = Credentials("key", "secret")
Turn = Callable[[int], float]
"""Makes so many requests, and gives the seconds of one."""


def plain() -> tuple[Turn, Turn]:
    """Give turns of a bare WSGI application and of the same behind the middleware."""
    body = [b""]
    environ = {"PATH_INFO": "/products/42", "REQUEST_METHOD": "GET"}

    def bare(environ: Any, start_response: Any) -> Any:
        return body

    store = MemoryStore(expected=lambda *_: 1)
    wrapped = wsgi.PaymentsMiddleware(bare, Verifier(store, credentials=KEYS, test_mode=True))

    def turn(app: Any) -> Turn:
        def run(size: int) -> float:
            began = time.process_time()
            for _ in range(size):
                app(environ, None)
            return (time.process_time() - began) / size

        return run

    return turn(bare), turn(wrapped)


def asynchronous() -> tuple[Turn, Turn]:
    """Give turns of a bare ASGI application and of the same behind the middleware."""
    scope = {"type": "http", "path": "/products/42", "root_path": "", "method": "GET"}

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        return None

    store = MemoryStore(expected=lambda *_: 1)
    verifier = AsyncVerifier(store, credentials=KEYS, test_mode=True)
    wrapped = asgi.PaymentsMiddleware(bare, verifier)

    def turn(app: Any) -> Turn:
        async def run(size: int) -> float:
            began = time.process_time()
            for _ in range(size):
                await app(scope, None, None)
            return (time.process_time() - began) / size

        return lambda size: asyncio.run(run(size))

    return turn(bare), turn(wrapped)


def compare(name: str, bare: Turn, wrapped: Turn, turns: int, size: int) -> bool:
    """Print one row, and say whether its budget is met."""
    pairs: list[tuple[float, float]] = []
    for turn in range(turns + 2):  # the first two are for warming up
        both = [bare, wrapped] if turn % 2 else [wrapped, bare]
        figures = {run: run(size) for run in both}
        if turn >= 2:
            pairs.append((figures[bare], figures[wrapped]))
    one, other = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    met = other - one <= BUDGET
    print(
        f"{name:30} {other:8.2f} us {one:8.2f} us   "
        f"{other - one:5.2f}   {BUDGET:5.2f}   {'met' if met else 'NOT MET'}",
        flush=True,
    )
    return met


def main() -> int:
    """Measure both; 1 where a budget is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=31)
    parser.add_argument("--size", type=int, default=20_000, help="requests in a turn")
    arguments = parser.parse_args()
    logging.getLogger("imp_verify").setLevel(logging.ERROR)
    print(f"Python {sys.version.split()[0]}, {arguments.turns} turns of {arguments.size}, medians")
    print(f"{'requests outside the prefix':30} {'behind':>11} {'bare':>11}    more  budget")
    rows = {"WSGI middleware": plain(), "ASGI middleware": asynchronous()}
    good = [compare(name, *sides, arguments.turns, arguments.size) for name, sides in rows.items()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
