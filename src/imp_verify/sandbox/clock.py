"""The sandbox's time, and what is due at a time of it. Nothing here sleeps or runs by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

LATEST = 10**11
"""The last second that the clock may show: one that every page can still write as a date."""


class _Due(NamedTuple):
    at: int
    number: int
    action: Callable[[], object]
    told: Mapping[str, object] | None


class Clock:
    """The sandbox's time in whole Unix seconds: the real one, moved on, or one that stands.

    Moving it runs what is due by then, one after the other, each at its own time. A clock that is
    not stopped runs on by itself too: what gets due so is run by the next request to the server, or
    by `run_due`.

    Args:
        on_move: Called once what was due is run, with the times before and after.
    """

    def __init__(self, on_move: Callable[[int, int], object] | None = None) -> None:
        self._on_move = on_move
        self._lock = threading.Lock()
        self._stands_at: int | None = None
        self._offset = 0
        self._due: list[_Due] = []
        self._numbers = count()
        self._own = threading.local()

    def __call__(self) -> int:
        """Return the time; to what is due, the time it was due at, however late it is run."""
        at: int | None = getattr(self._own, "at", None)
        return self._now() if at is None else at

    def stop_at(self, seconds: int) -> None:
        """Let the time stand at this second from now on."""
        before, target = self._now(), _within(seconds)
        while (due := self._next_due(target)) is not None:
            self._stands_at = max(due.at, self._now())
            self._run(due)
        self._stands_at = target
        self._moved(before)

    def advance(self, seconds: int) -> None:
        """Move on by so many seconds, and stand or run as before."""
        before = self._now()
        target = _within(before + _whole(seconds))
        if self._stands_at is not None:
            self.stop_at(target)
            return
        offset = self._offset + seconds
        while (due := self._next_due(target)) is not None:
            self._offset = max(self._offset, due.at - int(time.time()))
            self._run(due)
        self._offset = offset
        self._moved(before)

    def run(self) -> None:
        """Let a time that stands run on from there."""
        if self._stands_at is not None:
            self._offset, self._stands_at = self._stands_at - int(time.time()), None

    def reset(self) -> None:
        """Show the real time again, and forget all that is due."""
        with self._lock:
            self._due.clear()
        self._offset, self._stands_at = 0, None

    @property
    def stands(self) -> bool:
        """Whether it stands."""
        return self._stands_at is not None

    @property
    def due(self) -> int:
        """How much is still due, whenever."""
        with self._lock:
            return len(self._due)

    def schedule(
        self, at: int, action: Callable[[], object], told: Mapping[str, object] | None = None
    ) -> None:
        """Let something happen once the clock shows this time, after all that was due before it.

        Args:
            at: Unix seconds; what is past is due at once.
            action: Called in the thread that moves the clock; its result is thrown away.
            told: What it will do, for a record that schedules it again; None is left out there.
        """
        with self._lock:
            heappush(self._due, _Due(_within(at), next(self._numbers), action, told))

    def planned(self) -> list[tuple[int, Mapping[str, object]]]:
        """Return what is due later and told of itself, with its time, in its order."""
        with self._lock:
            return [(due.at, due.told) for due in sorted(self._due) if due.told is not None]

    def record(self) -> dict[str, int]:
        """Return how it was set: the second at which it stands, or how far it was moved on."""
        if self._stands_at is not None:
            return {"stop_at": self._stands_at}
        return {"advance": self._offset}

    @property
    def has_due(self) -> bool:
        """Whether there is something that `run_due` would run."""
        with self._lock:
            return bool(self._due) and self._due[0].at <= self._now()

    def run_due(self) -> None:
        """Run what got due while the clock ran on by itself."""
        while (due := self._next_due(self._now())) is not None:
            self._own.by_itself = True
            try:
                self._run(due)
            finally:
                self._own.by_itself = False

    @property
    def ran_by_itself(self) -> bool:
        """Whether what asks is run by `run_due`: whoever called that waits for something else."""
        return getattr(self._own, "by_itself", False)

    def _now(self) -> int:
        if self._stands_at is not None:
            return self._stands_at
        return int(time.time()) + self._offset

    def _moved(self, before: int) -> None:
        if self._on_move is not None:
            self._on_move(before, self._now())

    def _next_due(self, target: int) -> _Due | None:
        # Taken out before it is run, and run without the lock: a shop that gets a webhook calls.
        with self._lock:
            return heappop(self._due) if self._due and self._due[0].at <= target else None

    def _run(self, due: _Due) -> None:
        self._own.at = due.at
        try:
            due.action()
        finally:
            self._own.at = None


def _within(seconds: int) -> int:
    if not 0 <= _whole(seconds) <= LATEST:
        raise ValueError(f"a time is 0 to {LATEST}")
    return seconds


def _whole(seconds: int) -> int:
    """Refuse half a second too: all times of the gateway are whole ones."""
    if type(seconds) is not int:
        raise ValueError(f"a time is whole Unix seconds, no {type(seconds).__name__}")
    return seconds
