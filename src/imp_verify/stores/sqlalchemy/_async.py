"""The store for async callers: the same transaction, each piece of it run where SQLAlchemy lets a
plain connection wait on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, Unpack, cast, overload

from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)

from ...errors import ConfigurationError
from ...models import ExpectedPayment, Outcome, Receipt, Settled
from .._facts import StoreFacts
from .._hooks import (
    AsyncExpectation,
    AsyncHolder,
    AsyncHookArguments,
    Functions,
    run_afterwards_async,
)
from .._ledger import Due, Run
from .._open import outside_transactions, transaction_is_open
from .._protocol import Expected
from .._recording import AsyncReadyStore, check_lock_timeout
from .._rows import Loaded, Recorded, Rows
from ._plain import check_sessions
from ._statements import details
from ._transaction import (
    Reading,
    Retries,
    Transaction,
    awaits,
    create_tables,
    due_of,
    dues_after,
    prepare,
    receipts_of,
    waiting_in,
    was_paid,
)

__all__ = ["AsyncSqlAlchemyStore"]

S = TypeVar("S", bound=AsyncSession)
T = TypeVar("T")
U = TypeVar("U", bound=Reading)


class _Open(NamedTuple):
    """A transaction, and the connection or session that the shop's functions get."""

    handle: Any
    transaction: Transaction


class AsyncSqlAlchemyStore(AsyncReadyStore[_Open]):
    """The same as `SqlAlchemyStore` in coroutines, on an `AsyncEngine` or an `async_sessionmaker`.

    As SQLAlchemy has it, an engine with a pool belongs to one event loop.

    Args:
        source: An `AsyncEngine`, then the functions get an `AsyncConnection`; or an
            `async_sessionmaker`, then they get an `AsyncSession` of the store's own.
        expected, hold, hooks: As for `SqlAlchemyStore`, and coroutine functions. What a hook
            returns, if it is a coroutine function, is awaited after the commit.
        lock_timeout: As for `SqlAlchemyStore`.

    Raises:
        ConfigurationError: A function is missing, a plain one, or of an unknown name; or the source
            is of another kind, for another database, or without connections of its own.
    """

    _has_begun = False

    @overload
    def __init__(
        self,
        source: AsyncEngine,
        *,
        expected: AsyncExpectation[AsyncConnection],
        hold: AsyncHolder[AsyncConnection] | None = None,
        lock_timeout: float = 5.0,
        **hooks: Unpack[AsyncHookArguments[AsyncConnection]],
    ) -> None: ...

    @overload
    def __init__(
        self,
        source: async_sessionmaker[S],
        *,
        expected: AsyncExpectation[S],
        hold: AsyncHolder[S] | None = None,
        lock_timeout: float = 5.0,
        **hooks: Unpack[AsyncHookArguments[S]],
    ) -> None: ...

    def __init__(
        self,
        source: Any,
        *,
        expected: AsyncExpectation[Any],
        hold: AsyncHolder[Any] | None = None,
        lock_timeout: float = 5.0,
        **hooks: Any,
    ) -> None:
        self._functions: Functions[Any] = Functions(expected, hold, hooks, asynchronous=True)
        self._lock_timeout = check_lock_timeout(lock_timeout)
        self._lend: Callable[[], AbstractAsyncContextManager[Any]]
        self._engine: AsyncEngine | None = None
        if isinstance(source, AsyncEngine):
            prepare(source.sync_engine)
            self._engine, self._lend = source, source.connect
        elif isinstance(source, async_sessionmaker):
            check_sessions(source.kw)
            self._lend = source
        else:
            raise ConfigurationError(
                "AsyncSqlAlchemyStore takes an AsyncEngine or an async_sessionmaker, "
                f"not {type(source).__name__}{_hint(source)}"
            )

    async def create_all(self) -> None:
        """See `SqlAlchemyStore.create_all`."""
        await self._repeat(lambda handle, _: handle.run_sync(create_tables))

    async def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`: a plain read."""

        async def ask(handle: Any, reading: Reading) -> Expected:
            with reading.guard:
                return cast(Expected, await self._functions.expected(merchant_uid, handle))

        return await self._use(Reading, ask)

    async def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""

        def read(handle: Any, _: Retries) -> Awaitable[Mapping[str, Receipt]]:
            found: Awaitable[Mapping[str, Receipt]] = handle.run_sync(receipts_of, imp_uids)
            return found

        return await self._repeat(read)

    async def paid(self, merchant_uid: str) -> bool:
        """See `AsyncReadyStore.paid`."""

        def read(handle: Any, _: Retries) -> Awaitable[bool]:
            found: Awaitable[bool] = handle.run_sync(was_paid, merchant_uid)
            return found

        return await self._repeat(read)

    async def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """See `ReadyStore.awaits_deposit`."""

        def read(handle: Any, _: Retries) -> Awaitable[bool]:
            found: Awaitable[bool] = handle.run_sync(awaits, merchant_uid, now)
            return found

        return await self._repeat(read)

    async def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""

        def read(handle: Any, _: Retries) -> Awaitable[Due | None]:
            found: Awaitable[Due | None] = handle.run_sync(due_of, imp_uid)
            return found

        return await self._repeat(read)

    async def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""

        def read(handle: Any, _: Retries) -> Awaitable[Sequence[Due]]:
            found: Awaitable[Sequence[Due]] = handle.run_sync(dues_after, after, limit)
            return found

        return await self._repeat(read)

    async def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""

        def read(handle: Any, _: Retries) -> Awaitable[Sequence[Receipt]]:
            window = (due_from, due_to, after, limit)
            found: Awaitable[Sequence[Receipt]] = handle.run_sync(waiting_in, *window)
            return found

        return await self._repeat(read)

    async def facts(self) -> StoreFacts:
        """See `SqlAlchemyStore.facts`."""

        async def read(use: _Open) -> tuple[bool, StoreFacts]:
            return False, await use.handle.run_sync(_call, use.transaction.facts)

        return await self._in_transaction(read)

    async def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""

        async def hold(use: _Open) -> tuple[bool, str | None]:
            return await self._hold_in(use, expected, imp_uid)

        return await self._transact(hold)

    async def _record_once(self, outcome: Outcome, *, refused: bool = False) -> Settled | None:
        async def work(use: _Open) -> tuple[bool, Recorded]:
            recorded = await self._record_in(use, outcome, refused=refused)
            return recorded.keep, recorded

        recorded = await self._transact(work)
        await run_afterwards_async(recorded.afterwards, outcome)
        return recorded.settled

    async def _load(self, use: _Open, imp_uid: str, merchant_uid: str | None) -> Loaded:
        load = use.transaction.load
        return cast(Loaded, await use.handle.run_sync(_call, load, imp_uid, merchant_uid))

    async def _save(self, use: _Open, rows: Rows) -> None:
        await use.handle.run_sync(_call, use.transaction.save, rows)

    async def _run(
        self, use: _Open, function: Callable[..., Awaitable[Any]], *arguments: object
    ) -> Any:
        with use.transaction.guard:
            return await function(*arguments, use.handle)

    async def _load_run(self, use: _Open, account: str) -> Run:
        return cast(Run, await use.handle.run_sync(_call, use.transaction.load_run, account))

    async def _save_run(self, use: _Open, run: Run) -> None:
        await use.handle.run_sync(_call, use.transaction.save_run, run)

    def _will_run_hook(self, use: _Open) -> None:
        use.transaction.will_run_hook()

    def _details(self, outcome: Outcome) -> Sequence[object]:
        return details(outcome)

    def _borrow(self) -> AbstractAsyncContextManager[Any]:
        if self._engine is not None:
            prepare(self._engine.sync_engine)
        return self._lend()

    async def _transact(self, work: Callable[[_Open], Awaitable[tuple[bool, T]]]) -> T:
        """See `SqlAlchemyStore._transact`."""

        async def begin(use: _Open) -> tuple[bool, Run]:
            return True, await self._load_run(use, "")

        if not self._has_begun:
            await self._in_transaction(begin)
            self._has_begun = True
        return await self._in_transaction(work)

    async def _in_transaction(self, work: Callable[[_Open], Awaitable[tuple[bool, T]]]) -> T:
        async def run(handle: Any, transaction: Transaction) -> T:
            keep, answer = await work(_Open(handle, transaction))
            if keep:
                await handle.run_sync(_call, transaction.commit)
            return answer

        return await self._use(Transaction, run)

    async def _use(self, kind: type[U], work: Callable[[Any, U], Awaitable[T]]) -> T:
        """Run `work` in a transaction of this kind. A task that is cancelled leaves by the same
        door, which gives the connection back."""

        async def run(handle: Any, retries: Retries) -> T:
            with transaction_is_open():
                retries.under_way = use = await handle.run_sync(kind, self._lock_timeout)
                try:
                    await handle.run_sync(_call, use.begin)
                    return await work(handle, use)
                finally:
                    if use.must_end():
                        await handle.run_sync(_call, use.end)

        return await self._repeat(run)

    async def _repeat(self, work: Callable[[Any, Retries], Awaitable[T]]) -> T:
        """See `SqlAlchemyStore._repeat`."""
        outside_transactions()
        retries = Retries()
        while True:
            retries.under_way = None
            try:
                async with self._borrow() as handle:
                    return await work(handle, retries)
            except Exception as error:
                if not retries.again(error):
                    raise
            await asyncio.sleep(retries.pause)


def _hint(source: object) -> str:
    if isinstance(source, async_scoped_session):
        return ", whose sessions the shop shares: give its session_factory"
    return ""


def _call(_: object, function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)
