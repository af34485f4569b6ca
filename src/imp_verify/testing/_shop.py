"""The shop in which a store is tried, and how its work is made to fail or to die."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ..models import ExpectedPayment
from ..stores import AsyncOrderStore, OrderStore

__all__ = ["CRASHED", "TrialFailure", "TrialShop"]

CRASHED = 86
"""The exit status of a process that was made to die, so that no other end is taken for it."""


class TrialFailure(Exception):
    """What a shop's work raises after `TrialShop.fail_next`."""


class TrialShop(ABC):
    """A small shop around the store to be tried: subclass it, and give a fresh one to each test.

    The shop's work (a hook, or what `settle` does where the order becomes paid) writes down that
    the goods went off, where `shipped` finds it, and calls `half_done()` after that. All methods
    are plain functions, for an async store too, and are called from any thread.

    Attributes:
        store: The store, plain or async.
        reopen: A picklable function that opens the same shop in another process; None where the
            store lives in one process, which is then tried with neither processes nor crashes.
        works_from_record: True where no one transaction holds both the record and the work, and
            the work is done after it, from the record, repeatably (a queue, Redis). Work that
            failed may then leave the payment recorded, and `shipped` must first let the work be
            done that is still to do.
    """

    store: OrderStore | AsyncOrderStore
    reopen: Callable[[], TrialShop] | None = None
    works_from_record: bool = False

    @abstractmethod
    def put(self, order: ExpectedPayment) -> None:
        """Make an order, or change it; `open=False` closes it. It must ask for exactly this."""

    @abstractmethod
    def delete(self, merchant_uid: str) -> None:
        """Delete an order."""

    @abstractmethod
    def shipped(self, merchant_uid: str) -> Sequence[str]:
        """Return, once for each time that the order's goods were sent off, the imp_uid it was for.

        Read it as others would, over a connection of its own: what is not committed does not count.
        """

    def told(self) -> Sequence[tuple[str, str]] | None:
        """Return each hook that was called and kept, with its `outcome.key`; None without hooks."""
        return None

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Close what the shop opened."""

    def half_done(self) -> None:
        """To be called by the shop's work once it has written something: here it fails or dies,
        where the trial wants that.

        Raises:
            TrialFailure: `fail_next` was called before.
        """
        plan = vars(self).pop("_plan", None)  # in one step: of many threads one takes it
        if plan == "crash":
            os._exit(CRASHED)
        if plan == "fail":
            raise TrialFailure("the shop's work fails, because the trial wants it to")

    def fail_next(self) -> None:
        """Let the next work raise `TrialFailure`, once, when half done."""
        self._plan = "fail"

    def crash_next(self) -> None:
        """Let the next work kill its process when half done: no `finally`, no rollback, nothing."""
        self._plan = "crash"
