"""Other processes in which a shop is opened. One process is started and kept; from it each new one
is forked, where the platform can, which costs a hundredth of a start."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from ._harness import PATIENCE

__all__ = ["Ended", "Work", "run_elsewhere"]

_CANNOT_OPEN = (
    "the shop cannot be opened in another process: {}\n"
    "  expected: `reopen` is picklable, and its module can be imported there\n"
    "  usual cause: it is a lambda, inside a function, or in a file that only pytest can import"
)

Work = Callable[["Meeting"], None]
"""Picklable; called in a new process."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and what it answered before that."""

    status: int | None
    answers: tuple[Any, ...]


class Meeting:
    """What a process has in common with those that run beside it."""

    def __init__(self, gate: Any, results: Any, number: int) -> None:
        self._gate = gate
        self._results = results
        self._number = number

    def wait_for_the_others(self) -> None:
        """Wait until all of them have come as far."""
        self._gate.wait(PATIENCE)

    def answer(self, answer: object) -> None:
        """Return something small to whoever started these processes."""
        self._results.put((self._number, answer))


class _Nursery:
    """A process that opens no shop itself, so that what is forked from it inherits nothing."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # this process has threads and connections
        self._pipe, other = context.Pipe()
        self.process = context.Process(target=_look_after, args=(other,), name="trial processes")
        self.process.start()
        other.close()
        self._closes = partial(_close, self._pipe)
        atexit.register(self._closes)

    def run(self, works: Sequence[Work], patience: float) -> list[Ended]:
        """Run each in a process of its own, at the same moment."""
        try:
            # Pickled by itself, so that what the other side cannot read does not end it.
            task = pickle.dumps(list(works))
        except Exception as error:
            raise AssertionError(_CANNOT_OPEN.format(repr(error))) from error
        answer: Any = None
        try:
            self._pipe.send((list(sys.path), dict(os.environ), os.getcwd(), task, patience))
            answer = self._pipe.recv() if self._pipe.poll(patience + PATIENCE) else None
        except (EOFError, OSError):
            pass
        if answer is None:
            self.end()
            raise AssertionError("the process that starts the trial's processes has died, or hangs")
        if isinstance(answer, str):
            raise AssertionError(_CANNOT_OPEN.format(answer.strip()))
        return [Ended(*each) for each in answer]

    def end(self) -> None:
        """End it, whatever it does."""
        atexit.unregister(self._closes)
        self._pipe.close()
        self.process.kill()
        self.process.join(PATIENCE)


def _close(pipe: Connection) -> None:  # pragma: no cover  # runs when coverage has ended
    pipe.close()  # the other side ends then, and this process can


_nurseries: dict[int, _Nursery] = {}


def run_elsewhere(*works: Work, patience: float = PATIENCE) -> list[Ended]:
    """Run functions in a new process each, at the same moment; return how each ended.

    Args:
        patience: Seconds after which a process that has not ended is killed.

    Raises:
        AssertionError: They could not be started, or did not end.
    """
    nursery = _nurseries.get(os.getpid())
    if nursery is None or not nursery.process.is_alive():
        nursery = _nurseries[os.getpid()] = _Nursery()
    return nursery.run(works, patience)


def _look_after(pipe: Connection) -> None:
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    while True:
        try:
            path, environment, directory, task, patience = pipe.recv()
        except EOFError:
            return
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        try:
            works = pickle.loads(task)
        except Exception:
            pipe.send(traceback.format_exc())
        else:
            pipe.send(_run_all(context, works, patience))


def _run_all(
    context: Any, works: Sequence[Work], patience: float
) -> list[tuple[int | None, tuple[Any, ...]]]:
    gate, results = context.Barrier(len(works)), context.SimpleQueue()
    started = [
        context.Process(target=_begin, args=(work, Meeting(gate, results, number)))
        for number, work in enumerate(works)
    ]
    for each in started:
        each.start()
    until = time.monotonic() + patience
    for each in started:
        each.join(max(0.0, until - time.monotonic()))
        if each.is_alive():
            each.kill()
            each.join()
    answers: list[list[Any]] = [[] for _ in works]
    while not results.empty():
        number, answer = results.get()
        answers[number].append(answer)
    results.close()
    return [(each.exitcode, tuple(said)) for each, said in zip(started, answers, strict=True)]


def _begin(work: Work, meeting: Meeting) -> None:
    try:
        work(meeting)
    except BaseException:
        meeting.answer(traceback.format_exc())
        sys.exit(1)
