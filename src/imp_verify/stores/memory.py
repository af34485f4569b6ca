"""A store in this process's memory, for tests and demos: it forgets everything when the process
ends."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Unpack

from .._flow import run
from ..errors import StoreError
from ..models import ExpectedPayment, Outcome, Receipt, ReceiptState, Settled
from . import Expected, OrderStore, transaction_is_open
from .changes import handed_on
from .ready import (
    ALREADY_PAID,
    Ask,
    Expectation,
    Functions,
    Holder,
    HookArguments,
    Load,
    Loaded,
    Recorded,
    Save,
    Tell,
    check_time_to_begin,
    check_time_to_hold,
    record,
    run_afterwards,
)

__all__ = ["MemoryStore"]


class MemoryStore(OrderStore):
    """Keeps orders and receipts in dictionaries under one lock.

    Args:
        expected: `expected(merchant_uid, None)` says what an order asks for.
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

    def settle(self, outcome: Outcome) -> Settled:
        """See `OrderStore.settle`."""
        settled = self._record(outcome)
        if settled is None:
            raise StoreError("a settled outcome left nothing to keep")
        return settled

    def observe(self, outcome: Outcome) -> Settled | None:
        """See `OrderStore.observe`. The parts of a refund were handed on by `settle`."""
        return outcome.settled if outcome.settled is not None else self._record(outcome)

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        return {uid: self._receipts[uid] for uid in imp_uids if uid in self._receipts}

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        with transaction_is_open(), self._lock:
            order = expected.merchant_uid
            if self._load(Load(imp_uid, order, True)).is_taken(order):
                return ALREADY_PAID
            if self._functions.hold is None:
                return None
            check_time_to_begin()
            reason: str | None = self._functions.hold(expected, imp_uid, None)
            check_time_to_hold()
            return reason

    def _record(self, outcome: Outcome) -> Settled | None:
        saved: list[Save] = []

        def perform(step: Load | Ask | Save | Tell) -> object:
            match step:
                case Load():
                    return self._load(step)
                case Ask(merchant_uid):
                    return self._functions.expected(merchant_uid, None)
                case Save():
                    saved.append(step)  # kept only once every hook went well
                    return None
                case Tell(name, told):
                    return self._functions.tell(name, told, None)

        with transaction_is_open(), self._lock:
            recorded: Recorded = run(record(outcome), perform)
            for save in saved:
                self._save(save)
        run_afterwards(recorded.afterwards, outcome)
        return recorded.settled

    def _load(self, step: Load) -> Loaded:
        receipt = self._receipts.get(step.imp_uid)
        known = dict(self._known.get(step.imp_uid, {}))
        if not step.order:
            return Loaded(receipt, known=known)
        order = step.merchant_uid
        others_wait = bool(self._waiting.get(order, set()) - {step.imp_uid})
        return Loaded(
            receipt, self._paid_by.get(order), order in self._was_paid, others_wait, known
        )

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
