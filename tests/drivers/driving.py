"""Sync and async under one surface: verifiers, a store that says where it is, gates to wait at."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from imp_verify import (
    AsyncOrderStore,
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    OrderStore,
    Outcome,
    Receipt,
    Settled,
    Verifier,
)
from imp_verify.sandbox import Account
from imp_verify.testing import FakeGateway
from imp_verify.transports import GatewayRequest, GatewayResponse
from tests.drivers.wire import CREDENTIALS, ORDER

PATIENCE = 30.0
At = Callable[[str], object]


class Gate:
    """Closed until it is opened; tells how many have come to it. For threads and tasks alike."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived = threading.Semaphore(0)
        self._open = threading.Event()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def reached(self, count: int = 1) -> None:
        """Wait until so many more have come."""
        for _ in range(count):
            assert self._arrived.acquire(timeout=PATIENCE), "nobody came"

    def open(self) -> None:
        with self._lock:
            self._open.set()
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            loop.call_soon_threadsafe(_let_go, future)

    def wait(self) -> None:
        self._arrived.release()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    async def wait_async(self) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._open.is_set():
                future.set_result(None)
            else:
                self._waiting.append((loop, future))
        self._arrived.release()
        await future


def _let_go(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Stage:
    """Where a verification is: `do` runs at each effect, by name, and may raise or give a gate to
    wait at."""

    def __init__(self) -> None:
        self.do: At = lambda name: None
        self.asks: object = 39000
        self.settles = Settled.NEW
        self.names: list[str] = []

    def at(self, name: str) -> Gate | None:
        self.names.append(name)
        gate = self.do(name)
        return gate if isinstance(gate, Gate) else None

    def plain(self, name: str) -> None:
        gate = self.at(name)
        if gate is not None:
            gate.wait()

    async def later(self, name: str) -> None:
        gate = self.at(name)
        if gate is not None:
            await gate.wait_async()


class PlainStore(OrderStore):
    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def expected(self, merchant_uid: str) -> Any:
        self.stage.plain("expected")
        return self.stage.asks

    def settle(self, outcome: Outcome) -> Settled:
        self.stage.plain("settle")
        return self.stage.settles

    def observe(self, outcome: Outcome) -> Settled | None:
        self.stage.plain("observe")
        return None

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        self.stage.plain("receipts")
        return {}

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        self.stage.plain("hold")
        return None


class AsyncStore(AsyncOrderStore):
    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def expected(self, merchant_uid: str) -> Any:
        await self.stage.later("expected")
        return self.stage.asks

    async def settle(self, outcome: Outcome) -> Settled:
        await self.stage.later("settle")
        return self.stage.settles

    async def observe(self, outcome: Outcome) -> Settled | None:
        await self.stage.later("observe")
        return None

    async def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        await self.stage.later("receipts")
        return {}

    async def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        await self.stage.later("hold")
        return None


class Gateway(FakeGateway):
    """The sandbox in this process, with one payment of the order, the same in every test."""

    def __init__(self, *credentials: Credentials) -> None:
        accounts = [Account(each.key, each.secret) for each in credentials or (CREDENTIALS,)]
        super().__init__(accounts=accounts, seed={"ids": "drivers"})
        _ = self.make(ORDER, 39000)

    @property
    def tokens(self) -> int:
        """How many tokens were asked for."""
        return sum(each.what["call"] == "token" for each in self.calls)

    @property
    def lookups(self) -> list[str]:
        """The payments that were looked up."""
        return [each.imp_uid or "" for each in self.calls if each.what["call"] == "payment"]


I1 = Gateway().sandbox.gateway.attempts()[0].imp_uid


def name_of(request: GatewayRequest) -> str:
    return "token" if request.method == "POST" else "lookup"


class StagedTransport:
    def __init__(self, stage: Stage, gateway: Gateway) -> None:
        self.stage, self.gateway = stage, gateway

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        self.stage.plain(name_of(request))
        return self.gateway.transport(request)

    def close(self) -> None:
        self.gateway.transport.close()


class AsyncStagedTransport:
    def __init__(self, stage: Stage, gateway: Gateway) -> None:
        self.stage, self.gateway = stage, gateway

    async def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        await self.stage.later(name_of(request))
        return await self.gateway.async_transport(request)

    async def close(self) -> None:
        await self.gateway.async_transport.close()


class Driver:
    """Makes sync or async verifiers and calls them; calls at once come from threads, or from tasks
    of one loop."""

    def __init__(self, kind: str) -> None:
        self.is_async = kind == "async"
        self.stage = Stage()
        self.gateway = Gateway()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def store(self) -> Any:
        return AsyncStore(self.stage) if self.is_async else PlainStore(self.stage)

    def verifier(self, store: object = None, **arguments: Any) -> Any:
        kind: Any = AsyncVerifier if self.is_async else Verifier
        transport: Any = AsyncStagedTransport if self.is_async else StagedTransport
        arguments.setdefault("credentials", CREDENTIALS)
        arguments.setdefault("transport", transport(self.stage, self.gateway))
        return kind(self.store() if store is None else store, **arguments)

    def begin(
        self, verifier: Any, method: str, *arguments: object, **named: object
    ) -> "Future[Any]":
        """Begin a call; `cancel` of what this gives cancels an async one."""
        if self.is_async:
            work: Coroutine[Any, Any, Any] = getattr(verifier, method)(*arguments, **named)
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(getattr(verifier, method)(*arguments, **named))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def call(self, verifier: Any, method: str, *arguments: object, **named: object) -> Any:
        return self.begin(verifier, method, *arguments, **named).result(PATIENCE)

    def finish(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine of the test's own to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def verify(self, verifier: Any, imp_uid: str, merchant_uid: str | None = ORDER) -> Outcome:
        outcome: Outcome = self.call(verifier, "verify", imp_uid, merchant_uid)
        return outcome

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _end(self) -> None:
        """Let cancelled tasks come to their end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        _ = await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()


def outcomes(futures: Sequence["Future[Any]"]) -> list[Any]:
    """Wait for all; an error counts as its answer."""
    return [future.exception(PATIENCE) or future.result() for future in futures]
