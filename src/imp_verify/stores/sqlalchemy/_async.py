"""The store for async callers: the same transaction, each piece of it run where SQLAlchemy lets a
plain connection wait on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar, Unpack, cast, overload

from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)

from ..._flow import run_async
from ...errors import ConfigurationError, StoreError
from ...models import ExpectedPayment, Outcome, Receipt, Settled
from .. import AsyncOrderStore, Expected, outside_transactions, transaction_is_open
from ..ready import (
    ALREADY_PAID,
    Ask,
    Functions,
    Load,
    Recorded,
    Save,
    Tell,
    check_lock_timeout,
    check_time_to_begin,
    check_time_to_hold,
    record,
)
from ..ready_async import (
    AsyncExpectation,
    AsyncHolder,
    AsyncHookArguments,
    run_afterwards_async,
)
from ._async_guard import guarded, leave
from ._dialects import prepare
from ._plain import check_sessions
from ._transaction import Attempts, Reading, Transaction, create_tables, receipts_of

__all__ = ["AsyncSqlAlchemyStore"]

S = TypeVar("S", bound=AsyncSession)
T = TypeVar("T")
U = TypeVar("U", bound=Reading)


class AsyncSqlAlchemyStore(AsyncOrderStore):
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
        """Make the tables that are missing; any number of processes may do so at once."""
        await self._repeat(lambda given, _: given.run_sync(create_tables))

    async def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`: a plain read."""

        async def ask(given: Any, reading: Reading) -> Expected:
            work = self._functions.expected(merchant_uid, given)
            return cast(Expected, await guarded(reading.guard, given, work))

        return await self._use(Reading, ask)

    async def settle(self, outcome: Outcome) -> Settled:
        """See `OrderStore.settle`."""
        settled = await self._record(outcome)
        if settled is None:
            raise StoreError("a settled outcome left nothing to keep")
        return settled

    async def observe(self, outcome: Outcome) -> Settled | None:
        """See `OrderStore.observe`. The parts of a refund were handed on by `settle`."""
        return outcome.settled if outcome.settled is not None else await self._record(outcome)

    async def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""

        def read(given: Any, _: Attempts) -> Awaitable[Mapping[str, Receipt]]:
            found: Awaitable[Mapping[str, Receipt]] = given.run_sync(receipts_of, imp_uids)
            return found

        return await self._repeat(read)

    async def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""

        async def hold(given: Any, transaction: Transaction) -> tuple[bool, str | None]:
            load = Load(imp_uid, expected.merchant_uid, True)
            before = await given.run_sync(_call, transaction.load, load)
            if before.is_taken(expected.merchant_uid):
                return False, ALREADY_PAID
            if self._functions.hold is None:
                return False, None
            check_time_to_begin()
            transaction.will_run_hook()
            asked = self._functions.hold(expected, imp_uid, given)
            reason: str | None = await guarded(transaction.guard, given, asked)
            check_time_to_hold()
            return reason is None, reason

        return await self._in_transaction(hold)

    async def _record(self, outcome: Outcome) -> Settled | None:
        async def work(given: Any, transaction: Transaction) -> tuple[bool, Recorded]:
            perform = partial(self._perform, given, transaction)
            recorded = await run_async(record(outcome), perform)
            return transaction.has_written, recorded

        recorded = await self._in_transaction(work)
        await run_afterwards_async(recorded.afterwards, outcome)
        return recorded.settled

    async def _perform(
        self, given: Any, transaction: Transaction, step: Load | Ask | Save | Tell
    ) -> object:
        match step:
            case Load():
                return await given.run_sync(_call, transaction.load, step)
            case Ask(merchant_uid):
                work = self._functions.expected(merchant_uid, given)
            case Save():
                return await given.run_sync(_call, transaction.save, step)
            case _:
                transaction.will_run_hook()
                work = self._functions.tell_async(step.name, step.outcome, given)
        return await guarded(transaction.guard, given, work)

    def _borrow(self) -> AbstractAsyncContextManager[Any]:
        if self._engine is not None:
            prepare(self._engine.sync_engine)
        return self._lend()

    async def _in_transaction(
        self, work: Callable[[Any, Transaction], Awaitable[tuple[bool, T]]]
    ) -> T:
        """See `SqlAlchemyStore._in_transaction`."""

        async def run(given: Any, transaction: Transaction) -> T:
            keep, answer = await work(given, transaction)
            if keep:
                await given.run_sync(_call, transaction.commit)
            return answer

        return await self._use(Transaction, run)

    async def _use(self, kind: type[U], work: Callable[[Any, U], Awaitable[T]]) -> T:
        """Run `work` in a transaction of this kind. A task that is cancelled leaves by the same
        door, which gives the connection back."""

        async def run(given: Any, attempts: Attempts) -> T:
            with transaction_is_open():
                attempts.under_way = use = await given.run_sync(kind, self._lock_timeout)
                try:
                    await given.run_sync(_call, use.begin)
                    return await work(given, use)
                finally:
                    try:
                        _ = await leave(use.guard, given)
                    finally:
                        if use.must_end():
                            await given.run_sync(_call, use.end)

        return await self._repeat(run)

    async def _repeat(self, work: Callable[[Any, Attempts], Awaitable[T]]) -> T:
        """See `SqlAlchemyStore._repeat`."""
        outside_transactions()
        attempts = Attempts()
        while True:
            attempts.under_way = None
            try:
                async with self._borrow() as given:
                    return await work(given, attempts)
            except Exception as error:
                if not attempts.again(error):
                    raise
            await asyncio.sleep(attempts.pause)


def _hint(source: object) -> str:
    if isinstance(source, async_scoped_session):
        return ", whose sessions the shop shares: give its session_factory"
    return ""


def _call(_: object, function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)
