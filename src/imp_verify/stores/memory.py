"""A store in this process's memory, for tests and demos: it forgets everything when the process
ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Unpack

from ..models import ExpectedPayment, Outcome, Receipt, ReceiptState, Settled
from ._hooks import Expectation, Functions, Holder, HookArguments, run_afterwards
from ._open import transaction_is_open
from ._protocol import Expected
from ._recording import Loaded, OrderRow, ReadyStore, Rows

__all__ = ["MemoryStore"]


class MemoryStore(ReadyStore[list[Rows]]):
    """Keeps orders and receipts in dictionaries under one lock.

    Args:
        expected: `expected(merchant_uid, None)` says what an order asks for:
            `ExpectedPayment(order.number, order.total, open=order.state == "new")`, with the
            order's own number and its state.
        hold: `hold(expected, imp_uid, None)` says why a payment may not be approved.
        hooks: `on_paid` and the others, each `hook(outcome, None)`.

    Raises:
        ConfigurationError: A function is missing, a coroutine, or of an unknown name.
    """

    for_tests_only = True
    blocks = False
    """Nothing here waits for anything: async callers need no thread."""

    def __init__(
        self,
        *,
        expected: Expectation[None],
        hold: Holder[None] | None = None,
        **hooks: Unpack[HookArguments[None]],
    ) -> None:
        self._functions: Functions[None] = Functions(expected, hold, hooks)
        self._lock = threading.Lock()
        self._receipts: dict[str, Receipt] = {}
        self._paid_by: dict[str, str] = {}
        self._was_paid: set[str] = set()
        self._known: dict[str, dict[str, Decimal]] = {}
        self._waiting: dict[str, set[str]] = {}

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`."""
        return self._functions.expected(merchant_uid, None)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        return {uid: self._receipts[uid] for uid in imp_uids if uid in self._receipts}

    def paid(self, merchant_uid: str) -> bool:
        """See `ReadyStore.paid`."""
        return merchant_uid in self._was_paid

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        with transaction_is_open(), self._lock:
            return self._hold_in([], expected, imp_uid)[1]

    def _record(self, outcome: Outcome) -> Settled | None:
        saved: list[Rows] = []  # kept only once every hook went well
        with transaction_is_open(), self._lock:
            recorded = self._record_in(saved, outcome)
            for rows in saved:
                self._keep(rows)
        run_afterwards(recorded.afterwards, outcome)
        return recorded.settled

    def _run(self, saved: list[Rows], function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments, None)

    def _load(self, saved: list[Rows], imp_uid: str, merchant_uid: str | None) -> Loaded:
        receipt, known = self._receipts.get(imp_uid), dict(self._known.get(imp_uid, {}))
        if merchant_uid is None:
            return Loaded(None, receipt, known=known)
        return Loaded(
            merchant_uid,
            receipt,
            paid_by=self._paid_by.get(merchant_uid),
            was_paid=merchant_uid in self._was_paid,
            others_wait=bool(self._waiting.get(merchant_uid, set()) - {imp_uid}),
            known=known,
        )

    def _save(self, saved: list[Rows], rows: Rows) -> None:
        saved.append(rows)

    def _details(self, outcome: Outcome) -> Sequence[object]:
        return ()

    def _keep(self, rows: Rows) -> None:
        imp_uid, order = rows.imp_uid, rows.merchant_uid
        for told, amount in rows.changes:
            self._known.setdefault(imp_uid, {})[told.change] = amount
        if rows.receipt is None:
            return
        self._receipts[imp_uid] = rows.receipt
        waiting = self._waiting.setdefault(order, set())
        waiting.discard(imp_uid)
        if rows.receipt.state is ReceiptState.WAITING:
            waiting.add(imp_uid)
        if rows.order is OrderRow.PAID:
            self._paid_by[order] = imp_uid
            self._was_paid.add(order)
        elif rows.order is OrderRow.UNPAID:
            del self._paid_by[order]
