"""From a plain store to async callers, and the threads that its calls come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from ..errors import ConfigurationError
from ..models import ExpectedPayment, Outcome, Receipt, Settled
from ._facts import StoreFacts
from ._protocol import AsyncOrderStore, Expected, OrderStore, store_is_async

if TYPE_CHECKING:
    from ._ledger import Due, Ledger, Run
    from ._recording import ReadyStore

__all__ = ["as_async", "as_given", "in_thread", "is_ledger", "own_thread"]

T = TypeVar("T")
Hop: TypeAlias = Callable[..., Awaitable[Any]]
"""`await hop(function, *args)` runs a plain function where it may block."""


def in_thread(store: OrderStore, hop: Hop | None = None) -> AsyncOrderStore:
    """Serve a plain store to async callers, one hop a call.

    Args:
        store: A plain store.
        hop: How to get into a thread; the store's own `hop` where it has one, else
            `asyncio.to_thread`.

    Raises:
        ConfigurationError: The store lacks a method, or is an async one already.
    """
    if store_is_async(store):
        raise ConfigurationError("in_thread takes a plain store; this one is async already")
    return _InThread(store, hop)


def own_thread(store: object) -> AbstractContextManager[object] | None:
    """Return what a store wants around calls from a thread that is made for them, and ends with
    them; None where they must come from the thread that asks now, whose transaction is open."""
    make: Callable[[], AbstractContextManager[object] | None]
    make = getattr(store, "own_thread", nullcontext)
    return make()


async def _on_the_loop(function: Callable[..., T], *args: object) -> T:
    return function(*args)


def as_async(store: OrderStore | AsyncOrderStore) -> AsyncOrderStore:
    """Return a sync or async store as an async one; a plain store that never waits needs no
    thread.

    Raises:
        ConfigurationError: See `store_is_async`.
    """
    if store_is_async(store):
        return cast(AsyncOrderStore, store)
    hop = None if getattr(store, "blocks", True) else _on_the_loop  # None: the store's own
    return _InThread(cast(OrderStore, store), hop)


def as_given(store: object) -> object:
    """Return the plain store that another one calls in a thread; any other as it is."""
    return store._store if isinstance(store, _InThread) else store


_LEDGER = ("paid", "due", "dues", "claim", "close_due", "waiting", "run", "save_run")


def is_ledger(store: object) -> bool:
    """Whether a store knows what waits and what is due, and keeps the place of `reconcile`."""
    given = as_given(store)
    return all(callable(getattr(given, name, None)) for name in _LEDGER)


class _InThread(AsyncOrderStore):
    def __init__(self, store: OrderStore, hop: Hop | None) -> None:
        self.for_tests_only: bool = getattr(store, "for_tests_only", False)
        self._store = store
        self._hop: Hop | None = hop or getattr(store, "hop", None)
        self.own_thread = getattr(store, "own_thread", nullcontext)

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        if self._hop is None:
            # Here, because asyncio costs a plain shop 45 ms at import.
            from asyncio import to_thread

            self._hop = to_thread
        answer: T = await self._hop(copy_context().run, _no_stop, function, *args)
        return answer

    async def expected(self, merchant_uid: str) -> Expected:
        return await self._call(self._store.expected, merchant_uid)

    async def settle(self, outcome: Outcome) -> Settled:
        return await self._call(self._store.settle, outcome)

    async def observe(self, outcome: Outcome) -> Settled | None:
        return await self._call(self._store.observe, outcome)

    async def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        return await self._call(self._store.receipts, imp_uids)

    # A ready-made store's; asked of those alone.

    @property
    def _ledger(self) -> Ledger:
        return cast("Ledger", self._store)

    async def paid(self, merchant_uid: str) -> bool:
        return await self._call(self._ledger.paid, merchant_uid)

    async def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        asked = cast("ReadyStore[Any]", self._store).awaits_deposit
        return await self._call(asked, merchant_uid, now)

    async def due(self, imp_uid: str) -> Due | None:
        return await self._call(self._ledger.due, imp_uid)

    async def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        return await self._call(self._ledger.dues, after, limit)

    async def claim(self, imp_uid: str, until: datetime, *, by_hand: bool = False) -> Due | None:
        claim = partial(self._ledger.claim, by_hand=by_hand)
        return await self._call(claim, imp_uid, until)

    async def close_due(self, imp_uid: str, error: str | None) -> None:
        return await self._call(self._ledger.close_due, imp_uid, error)

    async def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        return await self._call(self._ledger.waiting, due_from, due_to, after, limit)

    async def run(self, account: str) -> Run:
        return await self._call(self._ledger.run, account)

    async def save_run(self, run: Run) -> None:
        return await self._call(self._ledger.save_run, run)

    async def facts(self) -> StoreFacts:
        """A ready-made store's; asked of those alone."""
        return await self._call(cast(Any, self._store).facts)

    async def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        return await self._call(self._store.hold, expected, imp_uid)


def _no_stop(function: Callable[..., T], *args: object) -> T:
    """A StopIteration that leaves a thread can hang the awaiting request for ever before Python
    3.13."""
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError("the store raised StopIteration") from error
