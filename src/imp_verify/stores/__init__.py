"""What a store is, for both colours, and the bridge from a plain store to async callers. Imports
no database."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from decimal import Decimal
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from ..errors import ConfigurationError, StoreError
from ..models import ExpectedPayment, Outcome, Receipt, Settled
from ._open import hold_limits, holding, outside_transactions, transaction_is_open

if TYPE_CHECKING:
    from .changes import Change, OrderState, advance

__all__ = [
    "METHODS",
    "AsyncOrderStore",
    "Change",
    "Expected",
    "OrderState",
    "OrderStore",
    "advance",
    "as_async",
    "hold_limits",
    "holding",
    "in_thread",
    "is_async_callable",
    "outside_transactions",
    "own_thread",
    "read_expected",
    "store_is_async",
    "transaction_is_open",
    "what_runs",
]

T = TypeVar("T")
Expected: TypeAlias = ExpectedPayment | Decimal | int | str | None
"""What a shop may say about an order; a bare amount means KRW, None means that there is no such
order."""


def __getattr__(name: str) -> Any:
    """Give `advance` and its values: not before they are asked for, for a verifier needs none."""
    if name not in ("Change", "OrderState", "advance"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import changes

    return getattr(changes, name)


METHODS = ("expected", "settle", "observe", "receipts", "hold")
"""Every store has these, all plain or all coroutines."""


class OrderStore(Protocol):
    """A shop's orders and what was paid for them. Subclass it and write `expected` and `settle`.

    Every method is called from any thread at once. One call is one transaction: none stays open
    after it.
    """

    def expected(self, merchant_uid: str) -> Expected:
        """Say what the order asks for, also once it is paid or closed (`open=False`); None where
        there is none.

        Return the row's own number and its state,
        `ExpectedPayment(row.number, row.total, open=row.state == "new")`: a database may find
        ORD-1 for ord-1 too, and of an order that was cancelled no payment may be shipped.
        """
        ...

    def settle(self, outcome: Outcome) -> Settled:
        """Record money proven to be this order's, and pay the order with it, at most once."""
        ...

    def observe(self, outcome: Outcome) -> Settled | None:
        """Record anything else. None says that nothing is kept of it."""
        return None

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """Give what is recorded of these payments, by imp_uid; those unknown are left out."""
        return {}

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """Say why this payment may not be approved, None where it may. Repeatable; it must refuse
        an order that
        another imp_uid paid, and what it reserves must expire by itself."""
        return None


class AsyncOrderStore(Protocol):
    """The same as `OrderStore` in coroutines."""

    async def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`."""
        ...

    async def settle(self, outcome: Outcome) -> Settled:
        """See `OrderStore.settle`."""
        ...

    async def observe(self, outcome: Outcome) -> Settled | None:
        """See `OrderStore.observe`."""
        return None

    async def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        return {}

    async def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        return None


def read_expected(merchant_uid: str, given: object) -> ExpectedPayment | None:
    """Turn what a shop said about an order into what the rules read.

    An answer that names another order is none: a database that folds case or pads finds too much.

    Raises:
        StoreError: Anything but an ExpectedPayment, an exact amount or None.
    """
    if isinstance(given, ExpectedPayment):
        return given if given.merchant_uid == merchant_uid else None
    if given is None:
        return None
    if isinstance(given, CoroutineType):
        given.close()  # a plain `expected` that calls an async one; unawaited it would only warn
    try:
        return ExpectedPayment(merchant_uid, given)  # type: ignore[arg-type]  # it refuses what is no amount
    except StoreError as error:
        raise StoreError(f"order {merchant_uid!r}: {error}") from None


def is_async_callable(function: object) -> bool:
    """Whether calling it gives a coroutine: a coroutine function, a partial of one, or an object
    that is called so."""
    return any(map(inspect.iscoroutinefunction, what_runs(function)))


def what_runs(function: object) -> tuple[object, object]:
    """Give what a call may run: the function under all partials, and an object's own `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return function, getattr(function, "__call__", None)  # noqa: B004  # what it is, not whether


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


def store_is_async(store: object) -> bool:
    """Give a store's colour.

    Raises:
        ConfigurationError: A method is missing, or some are plain and some are coroutines.
    """
    missing = [name for name in METHODS if not _is_written(store, name)]
    if missing:
        raise ConfigurationError(
            f"the store ({type(store).__name__}) lacks {', '.join(missing)}: "
            "subclass OrderStore or AsyncOrderStore"
        )
    colours = {is_async_callable(getattr(store, name)) for name in METHODS}
    if len(colours) > 1:
        raise ConfigurationError(
            f"the store ({type(store).__name__}) mixes plain methods and coroutines: "
            "subclass OrderStore for the first, AsyncOrderStore for the second"
        )
    return colours.pop()


def _is_written(store: object, name: str) -> bool:
    """Whether a store has this method: two of them the protocols only name."""
    method = getattr(store, name, None)
    named = (
        OrderStore.expected,
        OrderStore.settle,
        AsyncOrderStore.expected,
        AsyncOrderStore.settle,
    )
    return callable(method) and getattr(method, "__func__", None) not in named


def own_thread(store: object) -> AbstractContextManager[object] | None:
    """Give what a store wants around calls from a thread that is made for them, and ends with
    them; None where they must come from the thread that asks now, whose transaction is open."""
    make: Callable[[], AbstractContextManager[object] | None]
    make = getattr(store, "own_thread", nullcontext)
    return make()


async def _on_the_loop(function: Callable[..., T], *args: object) -> T:
    return function(*args)


def as_async(store: OrderStore | AsyncOrderStore) -> AsyncOrderStore:
    """Give a store of either colour as an async one; a plain store that never waits needs no
    thread.

    Raises:
        ConfigurationError: See `store_is_async`.
    """
    if store_is_async(store):
        return cast(AsyncOrderStore, store)
    hop = None if getattr(store, "blocks", True) else _on_the_loop  # None: the store's own
    return _InThread(cast(OrderStore, store), hop)


class _InThread(AsyncOrderStore):
    def __init__(self, store: OrderStore, hop: Hop | None) -> None:
        self.for_tests_only: bool = getattr(store, "for_tests_only", False)
        self._store = store
        self._hop: Hop | None = hop or getattr(store, "hop", None)
        self.own_thread = getattr(store, "own_thread", nullcontext)

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        if self._hop is None:
            from asyncio import (
                to_thread,
            )  # here, because asyncio costs a plain shop 45 ms at import

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

    async def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        return await self._call(self._store.hold, expected, imp_uid)


def _no_stop(function: Callable[..., T], *args: object) -> T:
    """A StopIteration that leaves a thread can hang the awaiting request for ever before Python
    3.13."""
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError("the store raised StopIteration") from error
