"""The CPU of one verification against a handler written by hand, and of the import: the ratios.

"By hand" is one handler that asks for a token and for the payment with the same client, as a shop
would write it, without any check. Both sides take turns in one process, the gateway is another
process, and what is compared is this process's CPU time: medians over the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import flask
import httpx2
import requests
import urllib3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from imp_verify import AsyncVerifier, Credentials, Verifier
from imp_verify.contrib import flask as flask_adapter
from imp_verify.contrib import starlette as starlette_adapter
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.urllib3 import Urllib3Transport

KEYS = {"imp_key": "key", "imp_secret": "secret"}
Turn = Callable[[int, int], float]
"""Runs the requests numbered from the first to the second argument, and gives the CPU seconds of
one."""


@contextmanager
def gateway() -> Iterator[str]:
    """Start the gateway in a process of its own and give its address."""
    command = [sys.executable, str(Path(__file__).with_name("gateway.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


def body(number: int) -> bytes:
    """Give what the browser posts."""
    return json.dumps({"imp_uid": f"imp_{number}", "merchant_uid": f"ORD-{number}"}).encode()


def wsgi_turn(app: flask.Flask, path: str) -> Turn:
    """Call a WSGI app as a server would, without one."""

    def request(number: int) -> None:
        content = body(number)
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(content)),
            "SERVER_NAME": "shop.test",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(content),
            "wsgi.errors": sys.stderr,
        }
        statuses: list[str] = []
        answer = app.wsgi_app(environ, lambda status, headers, error=None: statuses.append(status))
        content = b"".join(answer)
        assert statuses == ["200 OK"], (statuses, content)
        assert b'"success"' in content

    def turn(first: int, last: int) -> float:
        began = time.process_time()
        for number in range(first, last):
            request(number)
        return (time.process_time() - began) / (last - first)

    return turn


def asgi_turn(loop: asyncio.AbstractEventLoop, app: Starlette, path: str) -> Turn:
    """Call an ASGI app as a server would, without one."""

    async def request(number: int) -> None:
        content = body(number)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"host", b"shop.test")],
            "client": ("127.0.0.1", 1),
            "server": ("shop.test", 443),
        }
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await app(scope, receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 200, sent
        assert b'"success"' in sent[1]["body"]  # type: ignore[operator]

    async def all_of(first: int, last: int) -> float:
        began = time.process_time()
        for number in range(first, last):
            await request(number)
        return (time.process_time() - began) / (last - first)

    return lambda first, last: loop.run_until_complete(all_of(first, last))


def plain(base: str, transport: object) -> Turn:
    """Give turns of our verification in Flask."""
    verifier = Verifier(
        MemoryStore(expected=lambda number, _: 39000),
        credentials=Credentials("key", "secret"),
        base_url=base,
        test_mode=True,
        transport=transport,  # type: ignore[arg-type]
    )
    app = flask.Flask(__name__)
    app.register_blueprint(flask_adapter.payments(verifier), url_prefix="/payments")
    return wsgi_turn(app, "/payments/complete")


def asynchronous(loop: asyncio.AbstractEventLoop, base: str, transport: object) -> Turn:
    """Give turns of our verification in Starlette."""
    verifier = AsyncVerifier(
        MemoryStore(expected=lambda number, _: 39000),
        credentials=Credentials("key", "secret"),
        base_url=base,
        test_mode=True,
        transport=transport,  # type: ignore[arg-type]
    )
    app = Starlette(routes=[Mount("/payments", starlette_adapter.payments(verifier))])
    return asgi_turn(loop, app, "/payments/complete")


def flask_with_requests(base: str) -> Turn:
    """By hand: Flask and a requests session."""
    app = flask.Flask(__name__)
    session = requests.Session()

    @app.post("/payments/complete")
    def complete() -> dict[str, str]:
        claimed = flask.request.get_json()
        token = session.post(f"{base}/users/getToken", json=KEYS).json()["response"]
        payment = session.get(
            f"{base}/payments/{claimed['imp_uid']}",
            headers={"Authorization": token["access_token"]},
        ).json()["response"]
        return {"status": "success", "order": payment["merchant_uid"]}

    return wsgi_turn(app, "/payments/complete")


def flask_with_urllib3(base: str) -> Turn:
    """By hand: Flask and a urllib3 pool."""
    app = flask.Flask(__name__)
    pool = urllib3.PoolManager()

    @app.post("/payments/complete")
    def complete() -> dict[str, str]:
        claimed = flask.request.get_json()
        answer = pool.request(
            "POST",
            f"{base}/users/getToken",
            body=json.dumps(KEYS),
            headers={"Content-Type": "application/json"},
        )
        token = json.loads(answer.data)["response"]
        answer = pool.request(
            "GET",
            f"{base}/payments/{claimed['imp_uid']}",
            headers={"Authorization": token["access_token"]},
        )
        payment = json.loads(answer.data)["response"]
        return {"status": "success", "order": payment["merchant_uid"]}

    return wsgi_turn(app, "/payments/complete")


def starlette_with_httpx2(
    loop: asyncio.AbstractEventLoop, base: str, client: httpx2.AsyncClient
) -> Turn:
    """By hand: Starlette and an httpx2 client."""

    async def complete(request: Request) -> JSONResponse:
        claimed = await request.json()
        answer = await client.post(f"{base}/users/getToken", json=KEYS)
        token = answer.json()["response"]
        answer = await client.get(
            f"{base}/payments/{claimed['imp_uid']}",
            headers={"Authorization": token["access_token"]},
        )
        payment = answer.json()["response"]
        return JSONResponse({"status": "success", "order": payment["merchant_uid"]})

    app = Starlette(routes=[Route("/payments/complete", complete, methods=["POST"])])
    return asgi_turn(loop, app, "/payments/complete")


def starlette_with_aiohttp(
    loop: asyncio.AbstractEventLoop, base: str, session: aiohttp.ClientSession
) -> Turn:
    """By hand: Starlette and an aiohttp session."""

    async def complete(request: Request) -> JSONResponse:
        claimed = await request.json()
        async with session.post(f"{base}/users/getToken", json=KEYS) as answer:
            token = (await answer.json())["response"]
        async with session.get(
            f"{base}/payments/{claimed['imp_uid']}",
            headers={"Authorization": token["access_token"]},
        ) as answer:
            payment = (await answer.json())["response"]
        return JSONResponse({"status": "success", "order": payment["merchant_uid"]})

    app = Starlette(routes=[Route("/payments/complete", complete, methods=["POST"])])
    return asgi_turn(loop, app, "/payments/complete")


def import_turn(statement: str) -> Turn:
    """Give turns that import something in a fresh interpreter, less what an empty one takes."""

    def once(code: str) -> float:
        script = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        output = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        return float(output.stdout)

    return lambda first, last: min(once(statement) for _ in range(3))


def compare(name: str, ours: Turn, by_hand: Turn, budget: float, turns: int, size: int) -> bool:
    """Print one row, and say whether its budget is met."""
    mine: list[float] = []
    theirs: list[float] = []
    number = 1
    for turn in range(turns + 2):  # the first two are for warming up
        pairs = [(ours, mine), (by_hand, theirs)]
        for run, figures in pairs if turn % 2 else reversed(pairs):
            figure = run(number, number + size)
            number += size
            if turn >= 2:
                figures.append(figure)
    one, other = statistics.median(mine), statistics.median(theirs)
    ratio = one / other
    met = ratio <= budget
    print(
        f"{name:30} {one * 1e6:8.0f} us {other * 1e6:8.0f} us   "
        f"{ratio:5.2f}   {budget:5.2f}   {'met' if met else 'NOT MET'}",
        flush=True,
    )
    return met


def main() -> int:
    """Measure every row; 1 where a budget is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--size", type=int, default=150, help="requests in a turn")
    arguments = parser.parse_args()
    logging.getLogger("imp_verify").setLevel(logging.ERROR)
    print(f"Python {sys.version.split()[0]}, {arguments.turns} turns of {arguments.size}, medians")
    print(f"{'':30} {'ours':>11} {'by hand':>11}   ratio  budget")
    with gateway() as base, asyncio.Runner() as runner:
        loop = runner.get_loop()
        good = measure(runner, loop, base, arguments.turns, arguments.size)
    return 0 if good else 1


def measure(
    runner: asyncio.Runner, loop: asyncio.AbstractEventLoop, base: str, turns: int, size: int
) -> bool:
    """Measure the four verifications and the import."""

    async def clients() -> tuple[httpx2.AsyncClient, aiohttp.ClientSession]:
        return httpx2.AsyncClient(), aiohttp.ClientSession()

    client, session = runner.run(clients())
    aiohttp_transport = AiohttpTransport()
    good = [
        compare("Flask, requests", plain(base, None), flask_with_requests(base), 0.6, turns, size),
        compare(
            "Flask, urllib3",
            plain(base, Urllib3Transport()),
            flask_with_urllib3(base),
            *(0.9, turns, size),
        ),
        compare(
            "Starlette, httpx2",
            asynchronous(loop, base, None),
            starlette_with_httpx2(loop, base, client),
            *(0.75, turns, size),
        ),
        compare(
            "Starlette, aiohttp",
            asynchronous(loop, base, aiohttp_transport),
            starlette_with_aiohttp(loop, base, session),
            *(1.0, turns, size),
        ),
        compare(
            "import imp_verify",
            import_turn("import imp_verify"),
            import_turn("import requests"),
            *(0.6, turns, 1),
        ),
    ]

    async def close() -> None:
        await client.aclose()
        await session.close()
        await aiohttp_transport.close()

    runner.run(close())
    return all(good)


if __name__ == "__main__":
    sys.exit(main())
