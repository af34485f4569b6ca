"""What the ready-made stores of coroutines share beyond `ready`: the types of their functions, and
the calls after the commit."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeAlias, TypedDict, TypeVar, cast

from ..models import ExpectedPayment, Outcome
from . import Expected, is_async_callable

__all__ = [
    "AsyncExpectation",
    "AsyncHolder",
    "AsyncHookArguments",
    "run_afterwards_async",
]

T = TypeVar("T")
_log = logging.getLogger("imp_verify")
_NOT_CALLED = (
    "what a hook returned is not called, for %s: the hooks of an async store return a coroutine "
    "function (async def) for after the commit"
)

AsyncHook: TypeAlias = Callable[[Outcome, T], Awaitable[object]]
AsyncExpectation: TypeAlias = Callable[[str, T], Awaitable[Expected]]
AsyncHolder: TypeAlias = Callable[[ExpectedPayment, str, T], Awaitable[str | None]]


class AsyncHookArguments(TypedDict, Generic[T], total=False):
    """The hooks of a ready-made store of coroutines; see `HookArguments`."""

    on_paid: AsyncHook[T] | None
    on_virtual_account: AsyncHook[T] | None
    on_cancelled: AsyncHook[T] | None
    on_partly_cancelled: AsyncHook[T] | None
    on_failed: AsyncHook[T] | None
    on_duplicate: AsyncHook[T] | None
    on_late: AsyncHook[T] | None
    on_forgery: AsyncHook[T] | None
    on_review: AsyncHook[T] | None


async def run_afterwards_async(wanted: Iterable[object], outcome: Outcome) -> None:
    """Await, after the commit, the coroutine functions that an async store's hooks returned; a
    failure is logged only, and so is a function that is none, but a task that is cancelled
    stops."""
    from asyncio import CancelledError  # here, because asyncio costs a plain shop 45 ms at import

    for function in wanted:
        if not callable(function):
            continue
        if not is_async_callable(function):
            _log.warning(_NOT_CALLED, outcome.key)
            continue
        wanted_now = cast(Callable[[], Awaitable[object]], function)
        try:
            _ = await wanted_now()
        except (KeyboardInterrupt, CancelledError):
            raise
        except BaseException:  # even SystemExit: the payment is recorded, the answer unchanged
            _log.exception("what a hook returned failed after the commit, for %s", outcome.key)
