"""What the sandbox's calls cost with 1,000, 10,000 and, with --all, 100,000 payments held.

The calls are made in process, on the ASGI application, by hand, and one on the API as a function:
what a socket costs is the same for any number. Each figure is the median of its turns, in
microseconds, or milliseconds for a page, of processor time: nothing here waits, and what else the
machine does is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from starlette.types import Message

from imp_verify.sandbox import Api, ApiRequest, Attempt, Sandbox, application

HELD = (1_000, 10_000)
TURNS = 200
PAGES = 11
NOON = 1_785_400_000


class Caller:
    """Makes calls of one account on an application."""

    def __init__(self, sandbox: Sandbox, loop: asyncio.Runner) -> None:
        self._app = application(sandbox)
        self._loop = loop
        token = sandbox.gateway.issue_token("sandbox_key", "sandbox_secret").access_token
        self._headers = [(b"host", b"127.0.0.1:1"), (b"authorization", token.encode())]

    def get(self, path: str, query: str = "") -> bytes:
        """Return the body of an answer, which is to be 200."""
        sent: list[Message] = []
        self._loop.run(self._call(path, query, sent))
        assert sent[0]["status"] == 200, sent
        return b"".join(part["body"] for part in sent[1:])

    def page(self, path: str, query: str, turn: int) -> None:
        """Make a call whose answer nobody reads, in whichever turn."""
        self.get(path, query)

    async def _call(self, path: str, query: str, sent: list[Message]) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": self._headers,
            "server": ("127.0.0.1", 1),
        }
        await self._app(scope, receive, send)


def fill(sandbox: Sandbox, held: int) -> list[Attempt]:
    """Make paid payments, one every ten seconds of the last days."""
    sandbox.clock.stop_at(NOON)
    return sandbox.gateway.make_all(
        {"merchant_uid": f"ORD-{number}", "amount": 39000, "paid_at": NOON - 10 * (held - number)}
        for number in range(held)
    )


def median(turns: int, run: Callable[[int], object]) -> float:
    """Return what one turn takes, in seconds."""
    took = []
    for turn in range(turns):
        start = time.process_time()
        run(turn)
        took.append(time.process_time() - start)
    return statistics.median(took)


def measure(held: int, loop: asyncio.Runner) -> dict[str, float]:
    """Return each call's cost with so many payments held."""
    sandbox = Sandbox()
    started = time.process_time()
    made = fill(sandbox, held)
    filled = time.process_time() - started
    gateway, caller = sandbox.gateway, Caller(sandbox, loop)
    opened: list[str] = []

    def open_one(turn: int) -> None:
        wanted = {"merchant_uid": f"NEW-{turn}", "amount": 39000}
        opened.append(gateway.open(wanted).imp_uid)

    def cancel_one(turn: int) -> None:
        gateway.cancel(made[turn].imp_uid)

    def ask(_: int) -> None:
        assert api.answer(request).status == 200

    middle, order = made[held // 2], f"/payments/find/ORD-{held // 2}"
    last = held // 1000
    token = gateway.issue_token("sandbox_key", "sandbox_secret").access_token
    api = Api(sandbox)
    request = ApiRequest("GET", f"/payments/{middle.imp_uid}", headers=(("Authorization", token),))
    cuts = f"from={NOON - 5 * held}&to={NOON - 10}&limit=1000"
    costs = {
        "open, us": 1e6 * median(TURNS, open_one),
        "approve, us": 1e6 * median(TURNS, lambda turn: gateway.approve(opened[turn])),
        "cancel an old one, us": 1e6 * median(TURNS, cancel_one),
        "look-up, us": 1e6 * median(TURNS, lambda _: caller.get(f"/payments/{middle.imp_uid}")),
        "look-up as a function, us": 1e6 * median(TURNS, ask),
        "find, us": 1e6 * median(TURNS, lambda _: caller.get(order)),
        "findAll, us": 1e6 * median(TURNS, lambda _: caller.get(order.replace("find", "findAll"))),
    }
    pages = {
        "first page of all, ms": ("all", "limit=1000"),
        "last page of all, ms": ("all", f"limit=1000&page={last}"),
        "page of paid, half the time, by start, ms": ("paid", cuts + "&sorting=started"),
        "page of cancelled by last change, ms": ("cancelled", "limit=1000&sorting=-updated"),
    }
    for name, (status, query) in pages.items():
        path = f"/payments/status/{status}"
        costs[name] = 1e3 * median(PAGES, partial(caller.page, path, query))
    return {"made in one call, s": filled, **costs}


def main() -> None:
    """Print one row for each cost and one column for each number of payments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="100,000 payments too")
    numbers = (*HELD, *([100_000] if parser.parse_args().all else []))
    with asyncio.Runner() as loop:
        columns = [measure(held, loop) for held in numbers]
    print(f"{'payments held':>44}" + "".join(f"{held:>12,}" for held in numbers))
    for name in columns[0]:
        print(f"{name:>44}" + "".join(f"{column[name]:>12,.1f}" for column in columns))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory: {peak / (2**20 if sys.platform == 'darwin' else 2**10):,.0f} MiB")


if __name__ == "__main__":
    main()
