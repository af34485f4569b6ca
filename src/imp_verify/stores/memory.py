"""A store in this process's memory, for tests and demos: it forgets everything when the process
ends."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Unpack

from ..models import ExpectedPayment, Outcome, Receipt, ReceiptState, Settled
from . import Expected, transaction_is_open
from .changes import handed_on
from .ready import (
    Ask,
    Expectation,
    Functions,
    Holder,
    HookArguments,
    Load,
    Loaded,
    Save,
    Tell,
    record,
)
from .ready_plain import ReadyStore, Steps, ask_to_hold, drive, run_afterwards

__all__ = ["MemoryStore"]


class MemoryStore(ReadyStore):
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
        self._steps: Steps = {
            Load: self._load,
            Ask: self._ask,
            Save: list.append,
            Tell: self._tell,
        }

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`."""
        return self._functions.expected(merchant_uid, None)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        return {uid: self._receipts[uid] for uid in imp_uids if uid in self._receipts}

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        with transaction_is_open(), self._lock:
            before = self._load([], Load(imp_uid, expected.merchant_uid, True))
            return ask_to_hold(self._functions, before, expected, imp_uid, None)[1]

    def _record(self, outcome: Outcome) -> Settled | None:
        saved: list[Save] = []  # kept only once every hook went well
        with transaction_is_open(), self._lock:
            recorded = drive(record(outcome), self._steps, saved)
            for save in saved:
                self._save(save)
        run_afterwards(recorded.afterwards, outcome)
        return recorded.settled

    def _load(self, _: list[Save], step: Load) -> Loaded:
        receipt = self._receipts.get(step.imp_uid)
        known = dict(self._known.get(step.imp_uid, {}))
        if not step.order:
            return Loaded(receipt, known=known)
        order = step.merchant_uid
        others_wait = bool(self._waiting.get(order, set()) - {step.imp_uid})
        return Loaded(
            receipt, self._paid_by.get(order), order in self._was_paid, others_wait, known
        )

    def _ask(self, _: list[Save], step: Ask) -> object:
        return self._functions.expected(step.merchant_uid, None)

    def _tell(self, _: list[Save], step: Tell) -> object:
        return self._functions.tell(step.name, step.outcome, None)

    def _save(self, save: Save) -> None:
        receipt, imp_uid = save.change.receipt, save.outcome.imp_uid or ""
        if save.change.hooks:
            self._known.setdefault(imp_uid, {}).update(handed_on(save.change.hooks))
        if receipt is None or receipt == save.before.receipt:
            return
        order = receipt.merchant_uid
        self._receipts[imp_uid] = receipt
        waiting = self._waiting.setdefault(order, set())
        waiting.discard(imp_uid)
        if receipt.state is ReceiptState.WAITING:
            waiting.add(imp_uid)
        if receipt.state is ReceiptState.PAYING:
            self._paid_by[order] = imp_uid
            self._was_paid.add(order)
        elif self._paid_by.get(order) == imp_uid:
            del self._paid_by[order]
