"""What a ready-made store remembers beside its receipts: the money to give back, and how far
`reconcile` came. Protocols, no database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ..models import Due, Receipt, Run

__all__ = ["AsyncLedger", "Due", "Ledger", "Run"]


class Ledger(Protocol):
    """What every ready-made store can do beside an `OrderStore`. None of it may be called from a
    hook."""

    def paid(self, merchant_uid: str) -> bool:
        """Return whether a payment has paid this order, now or ever."""
        ...

    def due(self, imp_uid: str) -> Due | None:
        """Return this payment's row, open or done."""
        ...

    def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """Return at most so many open rows by imp_uid: those that come after this one."""
        ...

    def claim(self, imp_uid: str, until: datetime, *, by_hand: bool = False) -> Due | None:
        """Begin to give this payment back: whoever gets its row, and nobody else until then, may
        cancel it at the gateway. The claim is committed before this returns.

        Args:
            until: When another may claim it again, should the outcome of this try stay unknown.
            by_hand: A person asks. What is left to a person, and what waits for its next try, is
                claimed then too.

        Returns:
            The row as it is now; None where it must not be tried now. A duplicate whose order's own
            payment was cancelled in full meanwhile is left to a person, and `on_review` is called.
        """
        ...

    def close_due(self, imp_uid: str, error: str | None) -> None:
        """Note how a try ended.

        Args:
            error: None where the gateway accepted it: observing the cancelled payment ends the row.
                "asked", "needs_account", "unknown_payment" and "order_refunded" are left to a
                person; after anything else it is tried again, ever later and ten times at most.
                What was "asked" for has begun, by whomever, and pays no order any more.
        """
        ...

    def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """Return at most so many receipts by imp_uid, those that come after this one, whose virtual
        account waits for a deposit until `due_from` or later, and before `due_to`."""
        ...

    def run(self, account: str) -> Run:
        """Return an account's row, which is made where there is none."""
        ...

    def save_run(self, run: Run) -> None:
        """Write an account's row; `began` stays as it was."""
        ...


class AsyncLedger(Protocol):
    """The same as `Ledger` in coroutines."""

    async def paid(self, merchant_uid: str) -> bool:
        """See `Ledger.paid`."""
        ...

    async def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""
        ...

    async def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""
        ...

    async def claim(self, imp_uid: str, until: datetime, *, by_hand: bool = False) -> Due | None:
        """See `Ledger.claim`."""
        ...

    async def close_due(self, imp_uid: str, error: str | None) -> None:
        """See `Ledger.close_due`."""
        ...

    async def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""
        ...

    async def run(self, account: str) -> Run:
        """See `Ledger.run`."""
        ...

    async def save_run(self, run: Run) -> None:
        """See `Ledger.save_run`."""
        ...
