"""What a store is, sync and async, and what a shop may say about an order. Imports no database."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Protocol, TypeAlias

from ..errors import ConfigurationError
from ..models import ExpectedPayment, Outcome, Receipt, Settled

__all__ = [
    "AsyncOrderStore",
    "Expected",
    "OrderStore",
    "is_async_callable",
    "store_is_async",
    "what_runs",
]

Expected: TypeAlias = ExpectedPayment | Decimal | int | str | None
"""What a shop may say about an order; a bare amount means KRW, None means that there is no such
order."""

_METHODS = ("expected", "settle", "observe", "receipts", "hold")
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
        """Return what is recorded of these payments, by imp_uid; those unknown are left out."""
        return {}

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """Say why this payment may not be approved, None where it may. Repeatable; it must refuse
        an order that another imp_uid paid, and what it reserves must expire by itself."""
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


def store_is_async(store: object) -> bool:
    """Return whether a store is an async one.

    Raises:
        ConfigurationError: A method is missing, or some are plain and some are coroutines.
    """
    missing = [name for name in _METHODS if not _is_written(store, name)]
    if missing:
        raise ConfigurationError(
            f"the store ({type(store).__name__}) lacks {', '.join(missing)}: "
            "subclass OrderStore or AsyncOrderStore"
        )
    kinds = {is_async_callable(getattr(store, name)) for name in _METHODS}
    if len(kinds) > 1:
        raise ConfigurationError(
            f"the store ({type(store).__name__}) mixes plain methods and coroutines: "
            "subclass OrderStore for the first, AsyncOrderStore for the second"
        )
    return kinds.pop()


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


def is_async_callable(function: object) -> bool:
    """Whether calling it returns a coroutine: a coroutine function, a partial of one, or an object
    that is called so."""
    return any(map(inspect.iscoroutinefunction, what_runs(function)))


def what_runs(function: object) -> tuple[object, object]:
    """Return what a call may run: the function under all partials, and an object's own
    `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return function, getattr(function, "__call__", None)  # noqa: B004  # what it is, not whether
