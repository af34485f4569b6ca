"""What the ready-made stores of plain functions share beyond `ready`: their two methods that
record, the question whether a payment may be approved, and the calls after the commit."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import CoroutineType
from typing import Any, TypeAlias, TypeVar

from ..errors import StoreError
from ..models import ExpectedPayment, Outcome, Settled
from . import OrderStore, is_async_callable
from .ready import ALREADY_PAID, Functions, Loaded, Step, check_time_to_begin, check_time_to_hold

__all__ = ["ReadyStore", "Steps", "ask_to_hold", "drive", "run_afterwards"]

T = TypeVar("T")
Steps: TypeAlias = Mapping[type, Callable[[Any, Any], object]]
_NOTHING = nullcontext()
_log = logging.getLogger("imp_verify")
_NOT_CALLED = (
    "what a hook returned is a coroutine, which nobody runs here, for %s: the hooks of a plain "
    "store return a plain function for after the commit"
)


class ReadyStore(OrderStore):
    """A store that records money and everything else by one method of its own."""

    def settle(self, outcome: Outcome) -> Settled:
        """See `OrderStore.settle`."""
        settled = self._record(outcome)
        if settled is None:
            raise StoreError("a settled outcome left nothing to keep")
        return settled

    def observe(self, outcome: Outcome) -> Settled | None:
        """See `OrderStore.observe`. The parts of a refund were handed on by `settle`."""
        return outcome.settled if outcome.settled is not None else self._record(outcome)

    @abstractmethod
    def _record(self, outcome: Outcome) -> Settled | None:
        """Run `ready.record` in a transaction, and `run_afterwards` after its commit."""


def drive(
    flow: Generator[Step, Any, T],
    steps: Steps,
    transaction: object,
) -> T:
    """Drive a flow to its end, each step by the function for its kind, which gets the transaction
    and the step. What that raises ends the flow: no flow here would handle it."""
    answer: object = None
    try:
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            # Outside of that `try`: a StopIteration of the shop's own is not the end of the flow.
            answer = steps[type(step)](transaction, step)
    finally:
        flow.close()


def ask_to_hold(
    functions: Functions[T],
    before: Loaded,
    expected: ExpectedPayment,
    imp_uid: str,
    transaction: T,
    guard: AbstractContextManager[object] = _NOTHING,
) -> tuple[bool, str | None]:
    """Ask the shop's `hold` under the order's lock; say whether to keep what it did, and its reason
    against an approval.

    Args:
        before: What was read under the lock.
        guard: What stands around a shop's function.

    Raises:
        StoreError: It is too late to ask, or the gateway no longer waits for the answer.
    """
    if before.is_taken(expected.merchant_uid):
        return False, ALREADY_PAID
    if functions.hold is None:
        return False, None
    check_time_to_begin()
    with guard:
        reason: str | None = functions.hold(expected, imp_uid, transaction)
    check_time_to_hold()
    return reason is None, reason


def run_afterwards(wanted: Iterable[object], outcome: Outcome) -> None:
    """Call, after the commit, the functions that a plain store's hooks returned; a failure is
    logged only, and so is what nobody runs here."""
    for function in wanted:
        if not callable(function):
            continue
        if is_async_callable(function):
            _log.warning(_NOT_CALLED, outcome.key)
            continue
        try:
            answer = function()
            if isinstance(answer, CoroutineType):
                answer.close()
                _log.warning(_NOT_CALLED, outcome.key)
        except KeyboardInterrupt:
            raise
        except BaseException:  # even SystemExit: the payment is recorded, the answer unchanged
            _log.exception("what a hook returned failed after the commit, for %s", outcome.key)
