"""A guard around a coroutine of the shop's, which may leave while tasks of its own still read or
write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any, TypeVar, cast

from ...errors import StoreError
from ._guard import Guard

__all__ = ["guarded"]

T = TypeVar("T")
_PATIENCE = 5.0
_LEFT = (
    "a hook returned while a statement of its own was running in another task: await each before "
    "it returns"
)


async def guarded(guard: Guard, given: Any, work: Awaitable[T]) -> T:
    """Await a shop's coroutine inside its guard.

    However it ends, none of its statements runs after that, and on SQLite none is half read: the
    rollback or the commit would go beside it, and the connection back to its pool as it is, with
    the order's lock, or with a statement that begins a transaction there for whoever is next.

    Raises:
        StoreError: It returned, and a statement of its was running.
    """
    with guard:
        try:
            answer = await work
        except BaseException:
            _ = await _end(guard, given)
            raise
        if await _end(guard, given):
            raise StoreError(_LEFT)
        return answer


async def _end(guard: Guard, given: Any) -> bool:
    """Tell whether statements were running. Whoever cancels this task meanwhile must wait."""
    strays = cast("set[asyncio.Task[Any]]", guard.running - {asyncio.current_task()})
    if not strays and not guard.keeps_open:
        return False
    ending = asyncio.ensure_future(_stop(guard, given, strays))
    again: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError as error:
            again = error
    if again is not None:
        raise again
    return bool(strays)


async def _stop(guard: Guard, given: Any, strays: Iterable[asyncio.Task[Any]]) -> None:
    for task in strays:
        _ = task.cancel()  # SQLAlchemy drops a connection on which a statement is cancelled
    if strays:
        _ = await asyncio.wait(strays, timeout=_PATIENCE)
    with suppress(Exception):  # what the function itself raised is the news
        await given.run_sync(guard.close_open)
