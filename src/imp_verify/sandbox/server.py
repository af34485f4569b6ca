"""The sandbox over HTTP: the whole application, and a server on loopback to run it in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from imp_verify.sandbox._http.connection import Protocol
from imp_verify.sandbox._http.control import Control
from imp_verify.sandbox._http.log import Log
from imp_verify.sandbox._http.rest import Rest, is_own
from imp_verify.sandbox._http.sdk import Sdk
from imp_verify.sandbox._http.window import Window
from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.browser import Visit
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.guard import Guard
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.settings import Settings

LOOPBACK = "127.0.0.1"


def application(sandbox: Sandbox) -> ASGIApp:
    """Make the ASGI application of one sandbox."""
    visits: dict[str, Visit] = {}
    sandbox.when_reset.append(visits.clear)
    meets = (Sdk(sandbox, visits), Window(sandbox, visits), Log(sandbox), Control(sandbox))
    pages = Starlette(routes=[route for each in meets for route in each.routes()])
    pages.router.redirect_slashes = False
    app = _Sorted(_OnTime(pages, sandbox.clock), Rest(sandbox))
    return Guard(app, sandbox.settings)


class _OnTime:
    """Runs what a clock that is not stopped has come to, before it answers what can see that."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._clock.has_due:
            await run_in_threadpool(self._clock.run_due)
        await self._app(scope, receive, send)


class _Sorted:
    """Gives the API what is not for the sandbox's own pages."""

    def __init__(self, pages: ASGIApp, rest: ASGIApp) -> None:
        self._pages = pages
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] != "http" or is_own(scope["path"])
        await (self._pages if own else self._rest)(scope, receive, send)


class _Shown:
    """The application of the sandbox that is shown just now."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.show(sandbox)

    def show(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._app = application(sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Uvicorn(uvicorn.Server):
    """A server that tells when it has started, and stops when it is told instead of looking."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        try:
            await super().startup(sockets)
        finally:
            self.has_started.set()  # also where it failed: whoever waits must not wait for ever

    async def main_loop(self) -> None:
        ticks = asyncio.create_task(super().main_loop())
        await self._stopped.wait()
        self.should_exit = True
        ticks.cancel()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)


class SandboxServer:
    """A sandbox that answers on 127.0.0.1 while its `with` block runs.

    Everything of the sandbox is at hand as `server.sandbox`; `server.url` is its address.

    Args:
        port: 0 takes a free one.
        host: Another address of this machine, on which it answers too: whoever can reach that can
            pay and cancel there. `server.public_url` is then its address for browsers.
        accounts: The gateway's customers; one with made-up keys where left out.
        channels: For a channelKey, its PG's code and whether it is a test channel.
        sandbox: One that is there already, in place of the arguments that make one; it is used by
            others too, and so not closed down when the server stops.
        settings: Fields of Settings.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = LOOPBACK,
        accounts: Iterable[Account] = (),
        channels: Mapping[str, tuple[str, bool]] | None = None,
        sandbox: Sandbox | None = None,
        **settings: Any,
    ) -> None:
        self._shared = sandbox is not None
        if sandbox is None:
            chosen = Settings()
            chosen.change(settings)
            sandbox = Sandbox(accounts=accounts, channels=channels, settings=chosen)
        elif accounts or channels or settings:
            raise ValueError("a sandbox that is there already has its accounts and settings")
        self._app = _Shown(sandbox)
        self._port = port
        self._host = host
        self._ends = ExitStack()

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox that answers."""
        return self._app.sandbox

    def show(self, sandbox: Sandbox) -> None:
        """Let another sandbox answer from now on, at the same address."""
        self._app.show(sandbox)

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def public_url(self) -> str:
        """The address for browsers, without a slash at its end."""
        return self.sandbox.settings.public_url or self.url

    def start(self) -> None:
        """Begin to answer; returns when the first request can be served."""
        listeners = self._listen()
        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            http=Protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        server = _Uvicorn(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": listeners}, daemon=True)
        thread.start()
        server.has_started.wait()
        self._ends.callback(thread.join)
        if self._shared:
            self._ends.callback(lambda: self.sandbox.let_go())  # of the one that is shown then
        self._ends.callback(server.stop)
        if not self._shared:
            self._ends.callback(self.sandbox.close_down)

    def _listen(self) -> list[socket.socket]:
        with ExitStack() as ends:
            listeners = [ends.enter_context(socket.create_server((LOOPBACK, self._port)))]
            self._port = listeners[0].getsockname()[1]
            if self._host not in (LOOPBACK, "localhost"):
                address = (self._host, self._port)
                listeners.append(ends.enter_context(socket.create_server(address)))
                self.sandbox.start_with({"public_url": f"http://{self._host}:{self._port}"})
            for each in listeners:
                # asyncio does it for sockets of its own making alone; else answers wait 40 ms.
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ends.pop_all()
        return listeners

    def stop(self) -> None:
        """Stop answering and wait until all is closed."""
        self._ends.close()

    def __enter__(self) -> SandboxServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
