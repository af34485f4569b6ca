"""What may happen while a long command runs: Ctrl-C, and errors of the shop's own code."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from .._core.reconciling import UNRECORDED

__all__ = ["Failures", "Interrupts", "kept_failures"]

_MOST_FAILURES = 20


class Failures(logging.Handler):
    """What the shop's own code raised meanwhile: kept for the end, for a bar or JSON may be shown.

    Attributes:
        count: How many kept a payment from being recorded.
        kept: The first of all, each with the payment that was in hand.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0
        self.kept: list[tuple[str, BaseException]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an error; anything else goes where it would have gone."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            if logging.lastResort is not None and not logging.getLogger().handlers:
                _ = logging.lastResort.handle(record)
            return
        self.count += hasattr(record, UNRECORDED)  # not where it was recorded, and a mail failed
        if len(self.kept) < _MOST_FAILURES and isinstance(record.args, tuple):
            self.kept.append((str(record.args[0]), error))


@contextmanager
def kept_failures() -> Iterator[Failures]:
    """Keep them, also where the shop's own logging shows none of ours: `dictConfig` turns off each
    logger that was there before, unless it is told not to."""
    log, failures = logging.getLogger("imp_verify"), Failures()
    disabled, level = log.disabled, log.level
    log.disabled = False
    if not log.isEnabledFor(logging.ERROR):
        log.setLevel(logging.ERROR)
    log.addHandler(failures)
    try:
        yield failures
    finally:
        log.removeHandler(failures)
        log.setLevel(level)
        log.disabled = disabled


class Interrupts:
    """Ctrl-C, which waits while a payment is in hand; pressed twice it does not wait."""

    def __init__(self) -> None:
        self._pressed = False

    def hold(self) -> None:
        """Begin to wait. Where somebody else handles or ignores the signal, leave that."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            _ = signal.signal(signal.SIGINT, self._press)

    def release(self) -> None:
        """Wait no longer.

        Raises:
            KeyboardInterrupt: It was pressed meanwhile.
        """
        if signal.getsignal(signal.SIGINT) == self._press:
            _ = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt where it was pressed."""
        if self._pressed:
            raise KeyboardInterrupt

    def _press(self, *_: object) -> None:
        self.check()
        self._pressed = True
