"""All that happened in the sandbox, in its order: who asked what, and what came of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

API = "api"
WINDOW = "window"
CONFIRM = "confirm"
DELIVERY = "delivery"
CLOCK = "clock"
CONTROL = "control"
KINDS = (API, WINDOW, CONFIRM, DELIVERY, CLOCK, CONTROL)
"""Calls in; steps of a buyer; the question before an approval; what was sent to a shop; moves of
the clock; and what a bank, a clerk or a test did."""
KEPT = 10_000
LONGEST = 64 * 1024
"""Of a body, in characters."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        number: From 1, without gaps.
        at: The sandbox's time, Unix seconds.
        kind: One of KINDS.
        imp_uid: Of the payment that it was about, where it was about one.
        merchant_uid: Of the order.
        what: All else, as JSON can have it; no secret and no token.
    """

    number: int
    at: int
    kind: str
    imp_uid: str | None
    merchant_uid: str | None
    what: Mapping[str, object]

    def wire(self) -> dict[str, object]:
        """Return it as the control endpoint tells it."""
        return {
            "number": self.number,
            "at": self.at,
            "kind": self.kind,
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            **self.what,
        }


class Journal:
    """The newest entries. Any thread may add to it and wait for more."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._more = threading.Condition()
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._last = 0
        self._closed = False
        self._let_go = 0

    def add(
        self,
        kind: str,
        *,
        imp_uid: str | None = None,
        merchant_uid: str | None = None,
        **what: object,
    ) -> Entry:
        """Write down what happened, now."""
        with self._more:
            self._last += 1
            entry = Entry(self._last, self._clock(), kind, imp_uid, merchant_uid, what)
            self._entries.append(entry)
            self._more.notify_all()
        return entry

    def after(self, number: int, wait: float = 0) -> list[Entry]:
        """Return what came after an entry, oldest first.

        Args:
            number: Of that entry; 0 for all that is kept.
            wait: How many seconds to wait for the first one where there is none yet. Returns
                without one when they are over, when the journal is closed, or by `let_go`.
        """
        with self._more:
            turn = self._let_go
            self._more.wait_for(
                lambda: self._closed or self._last > number or self._let_go != turn, wait
            )
            gone = self._last - len(self._entries)
            return list(islice(self._entries, max(0, number - gone), None))

    def clear(self) -> None:
        """Forget all entries; the numbers go on, so that who follows misses none."""
        with self._more:
            self._entries.clear()

    def let_go(self) -> None:
        """Let nobody wait who waits now."""
        with self._more:
            self._let_go += 1
            self._more.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._more:
            self._closed = True
            self._more.notify_all()

    def __iter__(self) -> Iterator[Entry]:
        """Walk the entries, oldest first, as they are now."""
        return iter(self.after(0))


def cut(text: str) -> str:
    """Cut a body to what is kept of it."""
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
