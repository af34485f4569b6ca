"""The shop that a command works on: its verifier, from `--app` or from the framework whose command
this is, for plain calls whichever kind it is. The one place here that reaches into a verifier."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from functools import wraps
from math import ceil
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from .. import (
    ConfigurationError,
    GatewayError,
    InvalidRequest,
    Outcome,
    Refund,
    StoreError,
    Verifier,
)
from .._core.flow import Flow, Send, Step, Wait, each, each_async, run, run_async
from ._app import AnyVerifier, load
from ._printing import TROUBLE, WrongUse, conceal, origin, printable, said, wrong_use
from ._words import Words

if TYPE_CHECKING:
    from asyncio import Runner

__all__ = ["Shop", "Source", "Window", "explain", "needs_shop"]

T = TypeVar("T")
_PIECE = 0.25
"""Seconds after which a wait looks up."""

Window = tuple[datetime | None, datetime | None, datetime | None]
Told = Generator[Any, None, None]
"""Each `Finding` of a run, and each `Progress`."""
Around = Callable[[], AbstractAsyncContextManager[object]]
Source = Callable[[], tuple[AnyVerifier, str | None, Around | None]]
"""Gives the verifier that a framework has, the path of its `webhook` where that is known, and what
an async shop wants around its code: the context of its application."""


class Shop(AbstractContextManager["Shop"]):
    """A verifier for the length of one command, as a context manager.

    Args:
        verifier: Of either kind; an async one gets an event loop of its own.
        webhook: The path of its endpoint `webhook`, None where only the shop knows it.
        around: What every call of an async verifier runs in.

    Attributes:
        verbose: Whether to say where an error comes from.
        calls: How often `reconcile` asked the gateway about payments, not for tokens.
    """

    verbose = False
    calls = 0

    def __init__(
        self, verifier: AnyVerifier, webhook: str | None = None, around: Around | None = None
    ) -> None:
        self.verifier = verifier
        self.settings = verifier.settings
        self.webhook = webhook
        self._around = around
        self._runner = None if isinstance(verifier, Verifier) else _loop()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.call(self.verifier.close)
        if self._runner is not None:
            self._runner.close()

    def call(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call a method of the verifier or of its store."""
        return self._wait(function(*args, **named))

    def verify(self, imp_uid: str, merchant_uid: str | None, *, record: bool) -> Outcome:
        """See `Verifier.verify`. Without `record` nothing is recorded, and no hook is called."""
        return self._run(self.verifier._verification(imp_uid, merchant_uid, record=record))

    def give_back(self, imp_uid: str, refund_to: Refund | None, *, by_policy: bool) -> Outcome:
        """See `Verifier.give_back`; by policy only what is to be tried without a person, still."""
        return self._run(self.verifier._giving_back(imp_uid, refund_to, by_policy=by_policy))

    def reconcile(
        self, window: Window, *, account: str | None, dry_run: bool, check: Callable[[], object]
    ) -> Told:
        """See `Verifier.reconcile`; how far it is comes in between.

        Args:
            window: since, until and orders_before.
            check: Called again and again while the gateway wants us to wait; what it raises ends
                the run.
        """
        since, until, before = window
        verifier = self.verifier
        flow = verifier._reconciling(since, until, account, dry_run, before, progress=True)
        if isinstance(verifier, Verifier):
            ask = verifier._perform

            def perform(step: Step) -> object:
                answer: object = None
                for part in self._cut(step, check):
                    answer = ask(part)
                return answer

            return cast(Told, each(flow, perform))
        ask_async = verifier._perform

        async def perform_async(step: Step) -> object:
            answer: object = None
            for part in self._cut(step, check):
                answer = await ask_async(part)
            return answer

        return self._one_by_one(each_async(flow, perform_async))

    def _cut(self, step: Step, check: Callable[[], object]) -> Iterator[Step]:
        """Count the calls, and cut a wait into pieces: Ctrl-C is to be seen in between."""
        self.calls += isinstance(step, Send)
        if not isinstance(step, Wait):
            yield step
            return
        for _ in range(ceil(step.seconds / _PIECE)):
            check()
            yield Wait(_PIECE)

    def _one_by_one(self, results: AsyncIterator[Any]) -> Told:
        async def following() -> Any:
            return await anext(results)

        async def close() -> None:
            await cast(AsyncGenerator[Any, None], results).aclose()

        try:
            while True:
                yield self._wait(following())
        except StopAsyncIteration:
            return
        except GeneratorExit:  # whatever else ends it has ended the flow too
            _ = self._wait(close())
            raise

    def gateway_time(self, account: str | None) -> int:
        """Ask for a token and return the gateway's time, Unix seconds. Raises like `verify`."""
        return self._run(self.verifier._gateway_time(account))

    def conceal(self, text: str) -> str:
        """Take the shop's keys and secrets out of a text."""
        several = (self.settings.accounts or {}).values()
        known = [each for each in (self.settings.credentials, *several) if each is not None]
        return conceal(text, [word for each in known for word in (each.key, each.secret)])

    def _run(self, flow: Flow[T]) -> T:
        if isinstance(self.verifier, Verifier):
            return run(flow, self.verifier._perform)
        return cast(T, self._wait(run_async(flow, self.verifier._perform)))

    def _wait(self, answer: object) -> object:
        if self._runner is None:
            return answer
        coroutine = cast(Coroutine[Any, Any, object], answer)
        return self._runner.run(coroutine if self._around is None else self._within(coroutine))

    async def _within(self, coroutine: Coroutine[Any, Any, object]) -> object:
        assert self._around is not None
        async with self._around():
            return await coroutine


def _loop() -> Runner:
    import asyncio  # here, because a plain shop need not pay for it

    return asyncio.Runner()


def needs_shop(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the shop and the words to use, before its own parameters. It gets the options
    --app, --language and --verbose, and what goes wrong becomes a line and an exit status."""

    @click.option("--app", metavar="MODULE:NAME", envvar="IMP_VERIFY_APP", help=_APP)
    @click.option("--language", type=click.Choice(("ko", "en")), help=_LANGUAGE)
    @click.option("--verbose", is_flag=True, help="where an error comes from")
    @wraps(command)
    def called(app: str | None, language: str | None, verbose: bool, **given: object) -> int:
        words = Words(language)
        try:
            shop = _open(click.get_current_context().obj, app, words)
        except (WrongUse, ConfigurationError) as error:
            if verbose and error.__cause__ is not None:
                sys.stderr.write(printable(conceal(origin(error.__cause__)), sys.stderr))
            return wrong_use(str(error))
        shop.verbose = verbose
        with shop:
            try:
                return command(shop, words, **given)
            except (WrongUse, InvalidRequest) as error:
                return wrong_use(shop.conceal(str(error)))
            except Exception as error:
                _explain(shop, error)
                return TROUBLE

    return called


_APP = (
    "the shop's verifier or a function that makes it, in the current folder or on Python's path; "
    "else IMP_VERIFY_APP"
)
_LANGUAGE = "of what is printed (default: that of the machine)"


def _open(source: Source | None, app: str | None, words: Words) -> Shop:
    if source is not None:
        context = click.get_current_context()
        if context.get_parameter_source("app") is ParameterSource.COMMANDLINE:
            raise WrongUse(words("app_not_here", command=context.find_root().info_name))
        return Shop(*_given(source))
    if not app:
        raise WrongUse(words("app_missing"))
    return Shop(load(app, words))


def _given(source: Source) -> tuple[AnyVerifier, str | None, Around | None]:
    try:
        return source()
    except ConfigurationError:
        raise
    except Exception as error:  # of the shop's own modules, which a framework imports only now
        raise WrongUse(said(error)) from error


def explain(error: BaseException) -> str:
    """Say what kept a command from its work: ours in their own words, others' with their class,
    and what was noted in them."""
    ours = isinstance(error, GatewayError | StoreError | ConfigurationError)
    text = str(error) if ours else said(error)
    if isinstance(error, GatewayError) and error.message:
        text += f" ('{said(error.message)}')"
    return "; ".join([text, *map(said, getattr(error, "__notes__", ()))])


def _explain(shop: Shop, error: Exception) -> None:
    text = f"imp-verify: {explain(error)}\n"
    if shop.verbose:
        text = origin(error) + text
    sys.stderr.write(printable(shop.conceal(text), sys.stderr))
