"""A guard around a coroutine of the shop's, which may leave while tasks of its own still read or
write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from ...errors import StoreError
from ._guard import Guard

__all__ = ["guarded", "leave"]

T = TypeVar("T")
_PATIENCE = 5.0
_LEFT = (
    "a hook returned while a statement of its own was running in another task: await each before "
    "it returns"
)


async def guarded(guard: Guard, given: Any, work: Awaitable[T]) -> T:
    """Await a shop's coroutine inside its guard.

    However it ends, none of the statements that it has begun goes on after that: the rollback or
    the commit would go beside it, and the connection back to its pool as it is, with the order's
    lock, or with a statement that begins a transaction there for whoever is next.

    Raises:
        StoreError: It returned, and a statement of its was running.
    """
    with guard:
        try:
            answer = await work
        except BaseException:
            _ = await leave(guard, given)
            raise
        if await leave(guard, given, close=not guard.begun):
            raise StoreError(_LEFT)
        return answer


async def leave(guard: Guard, given: Any, *, close: bool = True) -> bool:
    """Stop what runs, and close what was not read to its end; tell whether statements were running.
    Whoever cancels this task meanwhile must wait."""
    strays = {task: run for task, run in guard.running.items() if task != asyncio.current_task()}
    if not strays and not (close and guard.keeps_open):
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


async def _stop(
    guard: Guard, given: Any, strays: Mapping[asyncio.Task[Any], asyncio.Future[None]]
) -> None:
    for task in strays:
        _ = task.cancel()  # SQLAlchemy drops a connection on which a statement is cancelled
    if strays:
        _ = await asyncio.wait(strays.values(), timeout=_PATIENCE)
    with suppress(Exception):  # what the function itself raised is the news
        await given.run_sync(guard.close_open)
