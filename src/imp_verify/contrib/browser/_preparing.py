"""Registering an order's amount as its page is made. It stands alone because it is all that a page
asks of the gateway, and no page may fail for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from ... import AsyncVerifier, Verifier

__all__ = ["prepare_for_page"]

_log = logging.getLogger("imp_verify")
_running: set[Any] = set()
"""Tasks under way: a loop keeps none by itself."""


def prepare_for_page(
    verifier: Verifier | AsyncVerifier,
    number: str,
    afterwards: Callable[[Callable[[], None]], object] | None,
) -> None:
    """Register what the store expects for an order; what goes wrong is logged only.

    A `Verifier` is asked at once, or when the framework says that the page's transaction is done;
    an `AsyncVerifier` in the background of the running loop.
    """
    if isinstance(verifier, AsyncVerifier):
        _in_background(verifier, number)
    elif afterwards is None:
        _prepare(verifier, number)
    else:
        afterwards(partial(_prepare, verifier, number))


def _prepare(verifier: Verifier, number: str) -> None:
    try:
        verifier.prepare(number)
    except Exception as error:
        _warn(number, error)


async def _prepare_async(verifier: AsyncVerifier, number: str) -> None:
    try:
        await verifier.prepare(number)
    except Exception as error:
        _warn(number, error)


def _in_background(verifier: AsyncVerifier, number: str) -> None:
    from asyncio import get_running_loop  # here, because a plain shop need not pay for asyncio

    try:
        loop = get_running_loop()
    except RuntimeError as error:  # a template that is rendered in a thread
        _warn(number, error)
        return
    task = loop.create_task(_prepare_async(verifier, number))
    _running.add(task)
    task.add_done_callback(_running.discard)


def _warn(number: str, error: Exception) -> None:
    said = getattr(error, "message", None)  # the gateway's own words
    _log.warning(
        "order %r could not be prepared, its page goes on: %s: %s%s",
        number,
        type(error).__name__,
        error,
        f" [gateway: {said!r:.200}]" if said else "",
    )
