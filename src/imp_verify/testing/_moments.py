"""A store that stands still inside `settle`, before any one line of it, or, where it is async,
between any two of its steps; and what others do there."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import nullcontext
from functools import partial
from types import FrameType
from typing import Any

from ..models import Outcome
from ..stores._bridge import own_thread
from ._harness import PATIENCE, Trial

__all__ = ["Interrupted", "search"]

_LEAST = 0.25
"""Seconds that something may take which waits for nothing. Where it takes longer on a busy machine,
a fault may be overlooked; a good store is never blamed."""


class Interrupted:
    """A `settle` that stood still at a moment, and what others did there, one thing after another
    in a thread of their own.

    Args:
        moment: The number of the line or step before which it stands still; 0 for none.
        patience: Seconds for which it does.

    Attributes:
        settled: What it gave, or raised, in the end.
        moments: How many moments it had.
        before: What each of the others' things gave, or raised, that were done when it went on.
            What had to wait for it is not there.
        took: Seconds for which it stood still.
    """

    def __init__(
        self,
        trial: Trial,
        outcome: Outcome,
        moment: int,
        *others: Callable[[], object],
        patience: float = PATIENCE,
    ) -> None:
        self.before: tuple[Any, ...] = ()
        self.moments, self.took = 0, 0.0
        self._moment, self._patience = moment, patience
        self._store, self._others = trial.shop.store, others
        self._done: list[object] = []
        self._thread = threading.Thread(target=self._do_others, name="others", daemon=True)
        settle = self._step if trial.is_async else self._trace
        [self.settled] = trial.together(partial(settle, trial, outcome))
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _trace(self, trial: Trial, outcome: Outcome) -> object:
        sys.settrace(self._look)  # for this thread, which ends with it
        return trial.ask("settle", outcome)

    def _look(  # pragma: no cover  # it takes the place of coverage's own
        self, frame: FrameType, event: str, detail: Any
    ) -> Callable[..., Any]:
        if event == "line" and self._is_now():
            self._stand_still()
        return self._look

    def _step(self, trial: Trial, outcome: Outcome) -> object:
        return trial.ask("settle", outcome, through=self._steps)

    async def _steps(self, work: Coroutine[Any, Any, object]) -> object:
        return await _Steps(work, self._wait_for_others)

    async def _wait_for_others(self) -> None:
        if self._is_now():
            # Not `to_thread`, which would tell the others that they are in the store's transaction.
            await asyncio.get_running_loop().run_in_executor(None, self._stand_still)

    def _is_now(self) -> bool:
        self.moments += 1
        return self.moments == self._moment

    def _stand_still(self) -> None:
        began = time.monotonic()
        self._thread.start()
        self._thread.join(self._patience)
        self.before, self.took = tuple(self._done), time.monotonic() - began

    def _do_others(self) -> None:
        with own_thread(self._store) or nullcontext():
            for each in self._others:
                try:
                    self._done.append(each())
                except Exception as error:
                    self._done.append(error)
                    return


class _Steps:
    """Awaits a coroutine, and something else before each of its steps."""

    def __init__(
        self, work: Coroutine[Any, Any, object], before: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self._work, self._before = work, before

    def __await__(self) -> Generator[Any, Any, object]:
        go_on: Callable[[], Any] = partial(self._work.send, None)
        while True:
            yield from self._before().__await__()
            try:
                waits_for = go_on()
            except StopIteration as end:
                return end.value
            try:
                yield waits_for
            except Exception as error:  # what it waited for has failed
                go_on = partial(self._work.throw, error)
            else:
                go_on = partial(self._work.send, None)


def search(sees: Callable[[int, float], float | None], moments: int) -> None:
    """Look, by halving, for the first moment at which `settle` does not see what others do.

    Args:
        sees: Called with a moment and the seconds to stand still; it returns those for which it did
            where what others did was seen, and None where it was not, for a good reason. It raises
            an AssertionError where there is none.
        moments: How many there are.
    """
    patience = max(_LEAST, 4 * (sees(1, PATIENCE) or 0))
    seen, unseen = 1, moments + 1
    while unseen - seen > 1:
        # Nearer to the beginning: it is at the later moments that the others have to wait.
        moment = seen + max(1, (unseen - seen) // 4)
        if sees(moment, patience) is None:
            unseen = moment
        else:
            seen = moment
