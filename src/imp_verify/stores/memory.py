"""A store in this process's memory, for tests and demos: it forgets everything when the process
ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, Unpack

from ..models import ExpectedPayment, Outcome, Receipt, ReceiptState, Settled
from ._dues import may_be_due, whole_second
from ._hooks import Expectation, Functions, Holder, HookArguments, run_afterwards
from ._ledger import Due, Run
from ._open import transaction_is_open
from ._protocol import Expected
from ._recording import ReadyStore
from ._rows import Loaded, OrderRow, Recorded, Rows

__all__ = ["MemoryStore"]

T = TypeVar("T")


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
        self._deadlines: dict[str, datetime | None] = {}
        self._dues: dict[str, Due] = {}
        self._runs: dict[str, Run] = {"": Run("", whole_second())}

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`."""
        return self._functions.expected(merchant_uid, None)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        return {uid: self._receipts[uid] for uid in imp_uids if uid in self._receipts}

    def paid(self, merchant_uid: str) -> bool:
        """See `ReadyStore.paid`."""
        return merchant_uid in self._was_paid

    def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """See `ReadyStore.awaits_deposit`."""
        dates = [self._deadlines[uid] for uid in list(self._waiting.get(merchant_uid, ()))]
        return any(date is None or date > now for date in dates)

    def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""
        return self._dues.get(imp_uid)

    def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""
        found = {due.imp_uid for due in list(self._dues.values()) if due.done is None}
        return [self._dues[uid] for uid in _page(found, after, limit)]

    def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""
        dates = dict(self._deadlines)
        waiting = {each.imp_uid: each for each in list(self._receipts.values()) if _waits(each)}
        found = {uid for uid in waiting if (date := dates[uid]) and due_from <= date < due_to}
        return [waiting[uid] for uid in _page(found, after, limit)]

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        return self._transact(lambda saved: self._hold_in(saved, expected, imp_uid))

    def _record_once(self, outcome: Outcome, *, refused: bool = False) -> Settled | None:
        def work(saved: list[Rows]) -> tuple[bool, Recorded]:
            recorded = self._record_in(saved, outcome, refused=refused)
            return recorded.keep, recorded

        recorded = self._transact(work)
        run_afterwards(recorded.afterwards, outcome)
        return recorded.settled

    def _transact(self, work: Callable[[list[Rows]], tuple[bool, T]]) -> T:
        saved: list[Rows] = []  # kept only once every hook went well
        with transaction_is_open(), self._lock:
            _, answer = work(saved)
            for rows in saved:
                self._keep(rows)
        return answer

    def _run(self, saved: list[Rows], function: Callable[..., Any], *arguments: object) -> Any:
        return function(*arguments, None)

    def _load(self, saved: list[Rows], imp_uid: str, merchant_uid: str | None) -> Loaded:
        receipt, known = self._receipts.get(imp_uid), dict(self._known.get(imp_uid, {}))
        details = (self._deadlines.get(imp_uid),)
        if merchant_uid is None:
            return Loaded(None, receipt, known=known, details=details)
        return Loaded(
            merchant_uid,
            receipt,
            paid_by=self._paid_by.get(merchant_uid),
            was_paid=merchant_uid in self._was_paid,
            others_wait=bool(self._waiting.get(merchant_uid, set()) - {imp_uid}),
            known=known,
            details=details,
            due=self._dues.get(imp_uid) if may_be_due(receipt, known) else None,
        )

    def _save(self, saved: list[Rows], rows: Rows) -> None:
        saved.append(rows)

    def _load_run(self, saved: list[Rows], account: str) -> Run:
        return self._runs.setdefault(account, Run(account, self._runs[""].began))

    def _save_run(self, saved: list[Rows], run: Run) -> None:
        self._runs[run.account] = replace(run, began=self._runs[run.account].began)

    def _details(self, outcome: Outcome) -> Sequence[object]:
        payment = outcome.payment
        return (None if payment is None else payment.vbank_date,)

    def _keep(self, rows: Rows) -> None:
        imp_uid, order = rows.imp_uid, rows.merchant_uid
        for told, amount in rows.changes:
            self._known.setdefault(imp_uid, {})[told.change] = amount
        if rows.due is not None:
            self._dues[imp_uid] = rows.due
        if rows.receipt is None:
            return
        self._receipts[imp_uid] = rows.receipt
        [self._deadlines[imp_uid]] = rows.details  # type: ignore[assignment]
        waiting = self._waiting.setdefault(order, set())
        waiting.discard(imp_uid)
        if rows.receipt.state is ReceiptState.WAITING:
            waiting.add(imp_uid)
        if rows.order is OrderRow.PAID:
            self._paid_by[order] = imp_uid
            self._was_paid.add(order)
        elif rows.order is OrderRow.UNPAID:
            del self._paid_by[order]


def _page(imp_uids: set[str], after: str | None, limit: int) -> list[str]:
    return sorted(uid for uid in imp_uids if uid > (after or ""))[:limit]


def _waits(receipt: Receipt) -> bool:
    return receipt.state is ReceiptState.WAITING
