"""What the middlewares cost a request that is not theirs, over the bare application: microseconds.

Both sides take turns in one process; medians of the turns.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from imp_verify import AsyncVerifier, Credentials, Verifier
from imp_verify.contrib import asgi, wsgi
from imp_verify.stores.memory import MemoryStore

BUDGET = 0.5
TURNS, SIZE = 31, 20_000
KEYS = Credentials("key", "secret")


def plain() -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Give turns of a bare WSGI application and of the same behind the middleware."""
    body = [b""]
    environ = {"PATH_INFO": "/products/42", "REQUEST_METHOD": "GET"}

    def bare(environ: Any, start_response: Any) -> Any:
        return body

    store = MemoryStore(expected=lambda *_: 1)
    wrapped = wsgi.PaymentsMiddleware(bare, Verifier(store, credentials=KEYS, test_mode=True))

    def turn(app: Any) -> Callable[[int], float]:
        def run(size: int) -> float:
            began = time.perf_counter()
            for _ in range(size):
                app(environ, None)
            return (time.perf_counter() - began) / size

        return run

    return turn(bare), turn(wrapped)


def asynchronous() -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Give turns of a bare ASGI application and of the same behind the middleware."""
    scope = {"type": "http", "path": "/products/42", "root_path": "", "method": "GET"}

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        return None

    store = MemoryStore(expected=lambda *_: 1)
    verifier = AsyncVerifier(store, credentials=KEYS, test_mode=True)
    wrapped = asgi.PaymentsMiddleware(bare, verifier)

    def turn(app: Any) -> Callable[[int], float]:
        async def run(size: int) -> float:
            began = time.perf_counter()
            for _ in range(size):
                await app(scope, None, None)
            return (time.perf_counter() - began) / size

        return lambda size: asyncio.run(run(size))

    return turn(bare), turn(wrapped)


def main() -> int:
    """Measure both; 1 where the budget is not met."""
    good = True
    for name, (bare, wrapped) in {"WSGI": plain(), "ASGI": asynchronous()}.items():
        pairs = [(bare(SIZE), wrapped(SIZE)) for _ in range(TURNS)][1:]
        one, other = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
        met = other - one <= BUDGET
        good &= met
        print(
            f"outside the prefix, {name}: bare {one:.3f} us, behind the middleware {other:.3f} us, "
            f"{other - one:.3f} us more, budget {BUDGET}: {'met' if met else 'NOT MET'}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
