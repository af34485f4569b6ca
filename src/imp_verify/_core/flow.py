"""Effects, flows and the two loops that drive them; knows no rule and does no I/O itself."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import closing
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, TypeAlias, TypeVar, cast

from ..models import ExpectedPayment, Outcome, Receipt, Settled
from ..transports import GatewayRequest, GatewayResponse

__all__ = [
    "Alone",
    "Consult",
    "Effect",
    "Expect",
    "Flow",
    "Hold",
    "Meter",
    "Observe",
    "Recall",
    "Send",
    "Settle",
    "Step",
    "Tell",
    "Wait",
    "each",
    "each_async",
    "metered",
    "run",
    "run_async",
]

T = TypeVar("T")


class Effect(Generic[T]):
    """One question to the outside. `yield from Question(...)` gives its answer, a T."""

    __slots__ = ()

    def __iter__(self) -> Generator[Any, Any, T]:
        return cast(T, (yield self))


@dataclass(frozen=True, slots=True)
class Send(Effect[GatewayResponse]):
    """Ask the gateway, within the request's own deadline. `resends` says how often this call was
    sent before."""

    request: GatewayRequest
    resends: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Expect(Effect[object]):
    """What does the shop ask for this order? Answered with whatever the shop gave."""

    merchant_uid: str


@dataclass(frozen=True, slots=True)
class Recall(Effect[Mapping[str, Receipt]]):
    """What is recorded of these payments?"""

    imp_uids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settle(Effect[Settled]):
    """Record money that is proven to be this order's: one transaction of the store."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Observe(Effect["Settled | None"]):
    """Record anything else: one transaction of the store."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Hold(Effect["str | None"]):
    """May this payment be approved? Whatever the shop reserves for it must be committed before
    `until`."""

    expected: ExpectedPayment
    imp_uid: str
    until: float
    begin_by: float = field(default=inf, compare=False)


@dataclass(frozen=True, slots=True)
class Alone(Effect[T]):
    """Run this flow while no other runs under the key; an error where that must wait too long."""

    key: object
    flow: Generator[Any, object, T]
    deadline: float


@dataclass(frozen=True, slots=True)
class Consult(Effect[Any]):
    """Call a method of the store's ledger, by name."""

    method: str
    arguments: tuple[object, ...] = ()
    named: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait(Effect[None]):
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Tell(Effect[None]):
    """Hand one of many results to whoever iterates; only `each` and `each_async` know it."""

    result: object


Step: TypeAlias = (
    Send | Expect | Recall | Settle | Observe | Hold | Consult | Wait | Tell | Alone[Any]
)
Flow: TypeAlias = Generator[Step, object, T]
"""A sequence of effects that ends in a T. Write `yield from` always: a bare `yield` answers a
useless object."""


def run(flow: Generator[Any, Any, T], perform: Callable[[Any], object]) -> T:
    """Drive a flow to its end. What `perform` raises is thrown into it, and it may handle that."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                try:
                    answer = perform(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            return cast(T, end.value)


async def run_async(flow: Generator[Any, Any, T], perform: Callable[[Any], Awaitable[object]]) -> T:
    """Drive a flow to its end on an event loop. A cancelled task closes the flow, so that its own
    finally runs."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                try:
                    answer = await perform(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            return cast(T, end.value)


def each(flow: Generator[Any, Any, None], perform: Callable[[Any], object]) -> Iterator[Any]:
    """Drive a flow and give what it tells, one at a time. Whoever stops in between closes it."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                if isinstance(step, Tell):
                    yield step.result
                    step = flow.send(None)
                    continue
                try:
                    answer = perform(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration:
            return


async def each_async(
    flow: Generator[Any, Any, None], perform: Callable[[Any], Awaitable[object]]
) -> AsyncIterator[Any]:
    """See `each`."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                if isinstance(step, Tell):
                    yield step.result
                    step = flow.send(None)
                    continue
                try:
                    answer = await perform(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration:
            return


class Meter:
    """What a flow has cost at the gateway: how often it was asked, and the seconds of waiting."""

    __slots__ = ("calls", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0


def metered(flow: Flow[T], meter: Meter, clock: Callable[[], float]) -> Flow[T]:
    """Run a flow and count what it costs at the gateway, also in the flows that it runs alone."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                began = None
                if isinstance(step, Send):
                    meter.calls += 1
                    began = clock()
                elif isinstance(step, Alone):
                    step = Alone(step.key, metered(step.flow, meter, clock), step.deadline)
                try:
                    answer = yield step
                except Exception as error:
                    if began is not None:
                        meter.seconds += clock() - began
                    step = flow.throw(error)
                else:
                    if began is not None:
                        meter.seconds += clock() - began
                    step = flow.send(answer)
        except StopIteration as end:
            return cast(T, end.value)
