"""Threads that Django does not look after: their connections are closed where they end. A store by
hand may use both functions as `DjangoStore` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, sync_to_async
from django.db import close_old_connections, connections

__all__ = ["hop", "own_thread"]

T = TypeVar("T")


def own_thread(using: str = "default") -> AbstractContextManager[object] | None:
    """See `stores._bridge.own_thread`: close what a thread has opened, at its end. None inside
    a transaction, a test case's for example: no other thread would see its rows."""
    return None if connections[using].in_atomic_block else _closing()


@contextmanager
def _closing() -> Iterator[None]:
    try:
        yield
    finally:
        connections.close_all()


async def hop(function: Callable[..., T], *args: object) -> T:
    """Run a plain function, such as a store's method, in a thread for an async caller.

    In a request, or below `async_to_sync`, it is the thread that Django keeps for them: it has a
    test case's transaction, and Django closes its old connections. Anywhere else Django would run
    everything in one thread for the whole process. So it is any thread of the loop's pool there,
    and old connections are closed here.
    """
    if _looked_after():
        return await sync_to_async(function)(*args)
    answer: T = await sync_to_async(_alone, thread_sensitive=False)(function, *args)
    return answer


def _looked_after() -> bool:
    """Whether `sync_to_async` knows a thread that is Django's own."""
    return (
        SyncToAsync.thread_sensitive_context.get(None) is not None
        or getattr(AsyncToSync.executors, "current", None) is not None
        or asyncio.get_running_loop() in AsyncToSync.loop_thread_executors
    )


def _alone(function: Callable[..., T], *args: object) -> T:
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()
