"""The functions that a shop gives to a ready-made store: their types, their check, how a hook is
called, and what is called after the commit. Sync and async. No database."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Generic, NoReturn, TypeAlias, TypedDict, TypeVar, cast

from ..errors import ConfigurationError, GiveBack, StoreError
from ..models import ExpectedPayment, Outcome
from ._protocol import Expected, is_async_callable, what_runs

__all__ = [
    "AsyncExpectation",
    "AsyncHolder",
    "AsyncHookArguments",
    "Expectation",
    "Functions",
    "Holder",
    "HookArguments",
    "Refused",
    "run_afterwards",
    "run_afterwards_async",
]

T = TypeVar("T")
_log = logging.getLogger("imp_verify")
_NOT_CALLED = (
    "what a hook returned is a coroutine, which nobody runs here, for %s: the hooks of a plain "
    "store return a plain function for after the commit"
)
_NOT_CALLED_ASYNC = (
    "what a hook returned is not called, for %s: the hooks of an async store return a coroutine "
    "function (async def) for after the commit"
)

Expectation: TypeAlias = Callable[[str, T], Expected]
Holder: TypeAlias = Callable[[ExpectedPayment, str, T], str | None]
Hook: TypeAlias = Callable[[Outcome, T], object]
AsyncHook: TypeAlias = Callable[[Outcome, T], Awaitable[object]]
AsyncExpectation: TypeAlias = Callable[[str, T], Awaitable[Expected]]
AsyncHolder: TypeAlias = Callable[[ExpectedPayment, str, T], Awaitable[str | None]]


class HookArguments(TypedDict, Generic[T], total=False):
    """The hooks of a ready-made store, each called with an outcome and the open transaction."""

    on_paid: Hook[T] | None
    on_virtual_account: Hook[T] | None
    on_cancelled: Hook[T] | None
    on_partly_cancelled: Hook[T] | None
    on_failed: Hook[T] | None
    on_duplicate: Hook[T] | None
    on_late: Hook[T] | None
    on_forgery: Hook[T] | None
    on_review: Hook[T] | None


class AsyncHookArguments(TypedDict, Generic[T], total=False):
    """The hooks of a ready-made store of coroutines; see `HookArguments`."""

    on_paid: AsyncHook[T] | None
    on_virtual_account: AsyncHook[T] | None
    on_cancelled: AsyncHook[T] | None
    on_partly_cancelled: AsyncHook[T] | None
    on_failed: AsyncHook[T] | None
    on_duplicate: AsyncHook[T] | None
    on_late: AsyncHook[T] | None
    on_forgery: AsyncHook[T] | None
    on_review: AsyncHook[T] | None


class Refused(Exception):
    """`on_paid` gave the payment back: what it and the store wrote is to be undone, and the payment
    recorded as refused. The text is the shop's reason."""


class Functions(Generic[T]):
    """A shop's functions, checked once.

    Args:
        asynchronous: Whether the store is an async one: then every function must be a coroutine
            function, else none may be.

    Raises:
        ConfigurationError: Something is no function, is sync where it must be async or the other
            way round, or has an unknown name.
    """

    def __init__(
        self,
        expected: Callable[[str, T], Any],
        hold: Callable[[ExpectedPayment, str, T], Any] | None,
        hooks: Mapping[str, Any],
        *,
        asynchronous: bool = False,
    ) -> None:
        unknown = sorted(set(hooks) - set(HookArguments.__annotations__))
        if unknown:
            known = ", ".join(HookArguments.__annotations__)
            raise ConfigurationError(f"there is no hook {', '.join(unknown)}; there are {known}")
        for name, function in {"expected": expected, "hold": hold, **hooks}.items():
            if function is not None or name == "expected":
                _check_function(name, function, asynchronous)
        self.expected = expected
        self.hold = hold
        self.asynchronous = asynchronous
        self._hooks = {name: hook for name, hook in hooks.items() if hook is not None}

    def has(self, name: str) -> bool:
        """Whether the shop gave this hook."""
        return name in self._hooks

    def call_hook(self, name: str, outcome: Outcome, transaction: T) -> object:
        """Call a plain store's hook, which the shop must have given; return what it returned.

        Raises:
            Refused: It is `on_paid`, and it raised `GiveBack`.
            StoreError: Another hook raised that; or it returned work that was not done: an
                awaitable or a generator.
        """
        try:
            answer = self._hooks[name](outcome, transaction)
        except GiveBack as error:
            raise _given_back(name, error) from error
        if answer is None:
            return None
        if inspect.isawaitable(answer):
            _refuse_work(name, answer)  # also one that runs by itself: no loop is there for long
        return _done(name, answer)

    async def call_hook_async(self, name: str, outcome: Outcome, transaction: T) -> object:
        """Await an async store's hook; see `call_hook`."""
        try:
            answer = await self._hooks[name](outcome, transaction)
        except GiveBack as error:
            raise _given_back(name, error) from error
        return _done(name, answer)


def _given_back(name: str, error: GiveBack) -> Exception:
    if name == "on_paid":
        return Refused(error.reason)
    return StoreError(f"{name} raised GiveBack: only on_paid can give a payment back")


def _done(name: str, answer: object) -> object:
    """Return a hook's answer, but refuse work that nobody has run: an `await` was forgotten, or
    there is a `yield` in the hook. A task is no such work: it runs by itself."""
    if isinstance(answer, CoroutineType | GeneratorType | AsyncGeneratorType):
        _refuse_work(name, answer)
    return answer


def _refuse_work(name: str, answer: object) -> NoReturn:
    if isinstance(answer, CoroutineType | GeneratorType):
        answer.close()
    kind = type(answer).__name__
    raise StoreError(f"{name} returned {kind}, which nobody runs: its work was not done")


def _check_function(name: str, function: object, asynchronous: bool) -> None:
    if not callable(function):
        raise ConfigurationError(f"{name} must be a function, not {type(function).__name__}")
    if is_async_callable(function) is not asynchronous:
        wanted, given = ("a coroutine", "a plain") if asynchronous else ("a plain", "a coroutine")
        raise ConfigurationError(
            f"{name} must be {wanted} function for this store, not {given} one"
        )
    for each in what_runs(function):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise ConfigurationError(f"{name} has a yield in it: calling it would do nothing")


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


async def run_afterwards_async(wanted: Iterable[object], outcome: Outcome) -> None:
    """Await, after the commit, the coroutine functions that an async store's hooks returned; a
    failure is logged only, and so is a function that is none, but a task that is cancelled
    stops."""
    from asyncio import CancelledError  # here, because asyncio costs a plain shop 45 ms at import

    for function in wanted:
        if not callable(function):
            continue
        if not is_async_callable(function):
            _log.warning(_NOT_CALLED_ASYNC, outcome.key)
            continue
        wanted_now = cast(Callable[[], Awaitable[object]], function)
        try:
            await wanted_now()
        except (KeyboardInterrupt, CancelledError):
            raise
        except BaseException:  # even SystemExit: the payment is recorded, the answer unchanged
            _log.exception("what a hook returned failed after the commit, for %s", outcome.key)
