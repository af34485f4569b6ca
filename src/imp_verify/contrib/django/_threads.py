"""Threads that Django does not look after: their connections are closed where they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, sync_to_async
from django.db import close_old_connections, connections

__all__ = ["closing_connections", "hop"]

T = TypeVar("T")


@contextmanager
def closing_connections() -> Iterator[None]:
    """Close what this thread has opened, at its end."""
    try:
        yield
    finally:
        connections.close_all()


async def hop(function: Callable[..., T], *args: object) -> T:
    """Run a plain store for an async caller.

    In a request, or under a plain caller, that is their own thread: it has the transaction of a
    test case, and Django looks after its connections. Elsewhere all of a process would share one
    thread: then it is any thread of the loop's pool, and the connections are looked after here.
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
