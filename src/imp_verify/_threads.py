"""A flow in a thread of its own, which the caller waits for only so long."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from ._core.flow import Flow, run
from .stores._bridge import own_thread

__all__ = ["within"]

T = TypeVar("T")


def within(
    deadline: float, flow: Flow[T], perform: Callable[..., object], store: object
) -> T | None:
    """Run a flow in a daemon thread with a copy of the caller's context; None where it is not done
    in time.

    A hold of the shop's that hangs must not keep the answer: the gateway takes silence as no.
    Where the store can be used from the caller's thread only, it runs there.
    """
    box: list[T | BaseException] = []
    around = own_thread(store)

    def work() -> None:
        try:
            with around or nullcontext():
                box.append(run(flow, perform))
        except BaseException as error:
            box.append(error)

    if around is None:
        work()
    elif not _started(work, deadline):
        flow.close()
    if not box or time.monotonic() > deadline:
        return None
    if isinstance(box[0], BaseException):
        raise box[0]
    return box[0]


def _started(work: Callable[[], None], deadline: float) -> bool:
    """Wait for the work in a daemon thread; False where no thread is to be had: trouble, as any
    other."""
    thread = threading.Thread(
        target=contextvars.copy_context().run,
        args=(work,),
        daemon=True,
        name="imp_verify-within",
    )
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join(max(0.0, deadline - time.monotonic()))
    return True
