"""Locks, slots and limits of an async verifier, shared by all event loops of a process. Apart,
because it imports asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable
from typing import TypeVar

from .errors import GatewayUnavailable

__all__ = ["Loops"]

T = TypeVar("T")


class _Waiter:
    """A task that waits for a place; `granted` is written under the semaphore's lock."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.turn: asyncio.Future[None] = self.loop.create_future()
        self.granted = False

    def wake(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


class FairSemaphore:
    """A semaphore that tasks of any loop, in any thread, acquire in the order in which they came.

    asyncio's own locks belong to one loop each, and a shop may have a loop for each request.
    """

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._waiting: deque[_Waiter] = deque()

    def take(self) -> _Waiter | None:
        """Take a place, or return what waits for one."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return None
            waiter = _Waiter()
            self._waiting.append(waiter)
            return waiter

    def give_back(self) -> None:
        """Hand the place on to whoever has waited longest, in a loop that still runs."""
        with self._lock:
            while self._waiting:
                waiter = self._waiting.popleft()
                try:
                    waiter.loop.call_soon_threadsafe(waiter.wake)
                except RuntimeError:
                    continue
                waiter.granted = True
                return
            self._free += 1

    def leave(self, waiter: _Waiter) -> None:
        """Wait no longer; a place that was granted meanwhile goes to the next."""
        with self._lock:
            if not waiter.granted:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                return
        self.give_back()


class Loops:
    """One process's locks and slots."""

    def __init__(self, slots: int) -> None:
        self._slots = FairSemaphore(slots)
        self._locks: dict[object, FairSemaphore] = {}

    def slot(self, deadline: float) -> Slot:
        """Hold one of the process's slots for a call to the gateway."""
        return Slot(self._slots, deadline, "too many look-ups are under way")

    def alone(self, key: object, deadline: float) -> Slot:
        """Hold the lock of a key."""
        lock = self._locks.setdefault(key, FairSemaphore(1))
        return Slot(lock, deadline, "another call did not bring a token in time")

    async def pause(self, seconds: float) -> None:
        """Let so many seconds pass; a task that is cancelled meanwhile ends."""
        await asyncio.sleep(seconds)

    async def within(self, deadline: float, work: Awaitable[T]) -> T | None:
        """Return what the work returns, or None where it does not by the deadline; it is cancelled
        then."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                answer = await work
        except TimeoutError:
            return None
        return answer if time.monotonic() <= deadline else None


class Slot:
    """A lock or a slot, held for a while; waiting for it ends with an error at the deadline."""

    __slots__ = ("_deadline", "_semaphore", "_why")

    def __init__(self, semaphore: FairSemaphore, deadline: float, why: str) -> None:
        self._semaphore = semaphore
        self._deadline = deadline
        self._why = why

    async def __aenter__(self) -> None:
        waiter = self._semaphore.take()
        if waiter is None:
            return
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                await waiter.turn
        except TimeoutError:
            self._semaphore.leave(waiter)
            raise GatewayUnavailable(self._why) from None
        except BaseException:
            self._semaphore.leave(waiter)
            raise

    async def __aexit__(self, *error: object) -> None:
        self._semaphore.give_back()
