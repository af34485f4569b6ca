"""What somebody waits for on purpose, and how all of it is ended at once."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Waits:
    """Lets whoever waits go on, once and for all; threads wait here, others are called."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._calls: dict[object, Callable[[], object]] = {}

    def end(self) -> None:
        """Let everybody go on, and nobody wait again."""
        with self._lock:
            self._over.set()
            calls = list(self._calls.values())
            self._calls.clear()
        for call in calls:
            call()

    def wait(self, seconds: float) -> bool:
        """Wait in this thread; tell whether it was ended before the time was over."""
        return self._over.wait(seconds)

    def when_over(self, call: Callable[[], object]) -> Callable[[], None]:
        """Have something called at the end, at once where it has come; return what undoes that."""
        key = object()
        with self._lock:
            over = self._over.is_set()
            if not over:
                self._calls[key] = call
        if over:
            call()

        def undo() -> None:
            with self._lock:
                self._calls.pop(key, None)

        return undo
