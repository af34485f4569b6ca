"""An observer around what a driver does for a flow: alone, for a verifier that nobody watches
executes none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ._core.flow import Consult, Expect, Hold, Observe, Recall, Send, Settle, Step
from .observers import Observer

__all__ = ["watched", "watched_async"]


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
