"""Locks, slots and limits of an async verifier, a set for each event loop. Apart, because it
imports asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable
from typing import TypeVar
from weakref import WeakKeyDictionary

from .errors import GatewayUnavailable

__all__ = ["Loops"]

T = TypeVar("T")


class _Here:
    """What belongs to one event loop."""

    def __init__(self, slots: int) -> None:
        self.slots = asyncio.Semaphore(slots)
        self.locks: dict[object, asyncio.Semaphore] = {}


class Loops:
    """Gives the running loop's locks and slots, made on first use."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._making = threading.Lock()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Here] = WeakKeyDictionary()

    def slot(self, deadline: float) -> _Held:
        """Hold one of the loop's slots for a call to the gateway."""
        return _Held(self._here().slots, deadline, "too many look-ups are under way")

    def alone(self, key: object, deadline: float) -> _Held:
        """Hold the lock of a key."""
        # Not a Lock: that one says it is free while it is handed on to somebody who waits.
        lock = self._here().locks.setdefault(key, asyncio.Semaphore(1))
        return _Held(lock, deadline, "another call did not bring a token in time")

    async def within(self, deadline: float, work: Awaitable[T]) -> T | None:
        """Give what the work gives, or None where it does not by the deadline; it is cancelled
        then."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                answer = await work
        except TimeoutError:
            return None
        return answer if time.monotonic() <= deadline else None

    def _here(self) -> _Here:
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None:
            with self._making:
                # A semaphore that was waited for keeps its loop alive, so weak keys are not enough.
                for ended in [each for each in list(self._loops) if each.is_closed()]:
                    _ = self._loops.pop(ended, None)
                here = self._loops.setdefault(loop, _Here(self._slots))
        return here


class _Held:
    """A lock or a slot, held for a while; waiting for it ends with an error at the deadline."""

    __slots__ = ("_deadline", "_lock", "_why")

    def __init__(self, lock: asyncio.Semaphore, deadline: float, why: str) -> None:
        self._lock = lock
        self._deadline = deadline
        self._why = why

    async def __aenter__(self) -> None:
        if not self._lock.locked():
            _ = await self._lock.acquire()
            return
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                _ = await self._lock.acquire()
        except TimeoutError:
            raise GatewayUnavailable(self._why) from None

    async def __aexit__(self, *error: object) -> None:
        self._lock.release()
