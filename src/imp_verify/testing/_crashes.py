"""A delivery whose process dies at a chosen moment: in the work, or between any two lines of it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..models import ExpectedPayment
from ._harness import Trial, paid_outcome
from ._processes import Ended, Meeting, run_elsewhere
from ._shop import CRASHED, TrialShop

__all__ = ["IN_THE_WORK", "RETURNED", "crash", "lines_of"]

IN_THE_WORK = -1
"""Die when the shop's work is half done."""
RETURNED = 0
"""Die when `settle` has returned. A number above it: die before that line of Python is run, of all
that are run from the call of `settle` on."""


class _Countdown:
    """Counts lines while it is armed, in every thread that began after it was set; kills the
    process at one of them."""

    def __init__(self, moment: int) -> None:
        self.lines = 0
        self.armed = False
        self._moment = moment

    def set(self) -> None:
        """Look on from now on."""
        threading.settrace(self)
        sys.settrace(self)

    def __call__(  # pragma: no cover  # it takes the place of coverage's own
        self, frame: FrameType, event: str, detail: Any
    ) -> _Countdown:
        if self.armed and event == "line":
            self.lines += 1
            if self.lines == self._moment:
                self.armed = False
                os._exit(CRASHED)
        return self


@dataclass(frozen=True, slots=True)
class _Delivery:
    """Settle a payment in a process that dies while it does, or at the latest right after."""

    reopen: Callable[[], TrialShop]
    imp_uid: str
    order: ExpectedPayment
    moment: int

    def __call__(self, meeting: Meeting) -> None:
        shop = self.reopen()
        if self.moment == IN_THE_WORK:
            shop.crash_next()
        countdown = _Countdown(self.moment)
        countdown.set()
        trial = Trial(shop)  # closed by nobody: this process dies
        outcome = paid_outcome(self.imp_uid, self.order)
        countdown.armed = True
        trial.ask("settle", outcome)
        countdown.armed = False
        meeting.answer(countdown.lines)
        os._exit(CRASHED)


def crash(shop: TrialShop, imp_uid: str, order: ExpectedPayment, moment: int) -> Ended:
    """Settle a payment of this order in another process, which dies at that moment."""
    assert shop.reopen is not None
    [ended] = run_elsewhere(_Delivery(shop.reopen, imp_uid, order, moment))
    return ended


def lines_of(ended: Ended) -> int | None:
    """Return how many lines `settle` ran, None where the process died before it returned."""
    return next((answer for answer in ended.answers if isinstance(answer, int)), None)
