"""An observer around what a driver does for a flow: alone, for a verifier that nobody watches
executes none of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, TypeAlias

from ._core.flow import Consult, Expect, Hold, Observe, Recall, Send, Settle, Step
from .observers import Decision, Observer

__all__ = ["Harmless", "watched", "watched_async"]

_log = logging.getLogger("imp_verify")

Told: TypeAlias = Callable[..., object]
Around: TypeAlias = AbstractContextManager[Told]


class Harmless(Observer):
    """An observer whose faults are logged and go no further: what it raises once money has moved,
    or is recorded, must not look like the payment's own trouble."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def verification(self, endpoint: str, imp_uid: str | None, claimed: str | None) -> Around:
        """See `Observer.verification`."""
        return _Guarded(lambda: self._observer.verification(endpoint, imp_uid, claimed))

    def gateway_call(self, method: str, url: str, resends: int) -> Around:
        """See `Observer.gateway_call`."""
        return _Guarded(lambda: self._observer.gateway_call(method, url, resends))

    def store_call(self, operation: str, arguments: Sequence[object]) -> Around:
        """See `Observer.store_call`."""
        return _Guarded(lambda: self._observer.store_call(operation, arguments))

    def decided(self, decision: Decision) -> None:
        """See `Observer.decided`."""
        _ = _guarded(lambda: self._observer.decided(decision))


class _Guarded(AbstractContextManager[Told]):
    """What an observer opens around something, which neither fails for it nor is silenced by it."""

    def __init__(self, opened: Callable[[], Around]) -> None:
        self._opened = opened
        self._around: Around | None = None
        self._told: Told | None = None

    def __enter__(self) -> Told:
        _ = _guarded(self._enter)
        return self._tell

    def _enter(self) -> None:
        around = self._opened()
        self._told = around.__enter__()
        self._around = around

    def _tell(self, *what: object) -> None:
        told = self._told
        if told is not None:
            _ = _guarded(lambda: told(*what))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        around = self._around
        if around is not None:
            _ = _guarded(lambda: around.__exit__(kind, error, trace))


def _guarded(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:
        # Not its text: an observer sees what a hook sees, a buyer's data too.
        _log.error("the observer raised %s, which changes no payment", type(error).__qualname__)
        return None


def watched(observer: Observer, perform: Callable[[Step], object]) -> Callable[[Step], object]:
    """Return what performs an effect with the observer around it."""

    def performing(step: Step) -> object:
        with _around(observer, step) as told:
            answer = perform(step)
            _ = told(_what(step, answer))
        return answer

    return performing


def watched_async(
    observer: Observer, perform: Callable[[Step], Awaitable[object]]
) -> Callable[[Step], Awaitable[object]]:
    """See `watched`."""

    async def performing(step: Step) -> object:
        with _around(observer, step) as told:
            answer = await perform(step)
            _ = told(_what(step, answer))
        return answer

    return performing


def _around(observer: Observer, step: Step) -> AbstractContextManager[Callable[[Any], object]]:
    match step:
        case Send(request, resends):
            return observer.gateway_call(request.method, request.url.partition("?")[0], resends)
        case Expect(merchant_uid):
            return observer.store_call("expected", (merchant_uid,))
        case Recall(imp_uids):
            return observer.store_call("receipts", (imp_uids,))
        case Settle(outcome):
            return observer.store_call("settle", (outcome,))
        case Observe(outcome):
            return observer.store_call("observe", (outcome,))
        case Hold(expected, imp_uid):
            return observer.store_call("hold", (expected, imp_uid))
        case Consult(method, arguments):
            return observer.store_call(method, arguments)
        case _:  # a wait, or a flow that runs alone, whose own effects come here
            return nullcontext(_nobody)


def _nobody(_: object) -> None:
    pass


def _what(step: Step, answer: Any) -> object:
    return answer.status if isinstance(step, Send) else answer
