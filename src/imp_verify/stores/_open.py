"""What is going on around a store's code: whether its transaction is open, and until when a `hold`
may be committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from math import inf

from ..errors import StoreError

__all__ = ["hold_limits", "holding", "outside_transactions", "transaction_is_open"]


class _Transaction:
    """Whether a store's transaction is open. An object, so that a task started in it sees that it
    has ended."""

    __slots__ = ("_token", "open")

    def __enter__(self) -> None:
        outside_transactions()
        self.open = True
        self._token = _transaction.set(self)

    def __exit__(self, *_: object) -> None:
        self.open = False
        _transaction.reset(self._token)


_transaction: ContextVar[_Transaction | None] = ContextVar("imp_verify_transaction", default=None)
_hold_limits: ContextVar[tuple[float, float]] = ContextVar(
    "imp_verify_hold_limits", default=(inf, inf)
)


def transaction_is_open() -> AbstractContextManager[None]:
    """Mark the code inside as running in a store's transaction: no gateway call may be made.

    Raises:
        StoreError: Another one is open: a hook is calling the store.
    """
    return _Transaction()


def outside_transactions() -> None:
    """Raise a StoreError where a store's transaction is open: a hook is calling the verifier."""
    mark = _transaction.get()
    if mark is not None and mark.open:
        raise StoreError(
            "the verifier or its store was called inside a hook, in an open transaction: "
            "return a function from the hook, it is called after the commit"
        )


@contextmanager
def holding(until: float, begin_by: float = inf) -> Iterator[None]:
    """Tell a ready-made store until when a `hold` may begin, and until when what it did may be
    committed (`time.monotonic()` seconds)."""
    token = _hold_limits.set((begin_by, until))
    try:
        yield
    finally:
        _hold_limits.reset(token)


def hold_limits() -> tuple[float, float]:
    """Return the moments by which a `hold` must begin and be committed; infinite where nobody set
    them."""
    return _hold_limits.get()
