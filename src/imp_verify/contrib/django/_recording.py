"""What a `DjangoStore` does in a transaction: the shared order of steps, each step done in
Django."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

from django.db.transaction import on_commit

from ... import ExpectedPayment, Outcome, Settled
from ..._flow import run
from ...stores import ready
from ...stores.ready import Ask, Functions, Load, Recorded, Save, Tell
from ...stores.ready_plain import ask_to_hold, run_afterwards
from ._loading import load, recall
from ._saving import save
from ._transactions import in_transaction

__all__ = ["hold", "recall", "record"]

Answer: TypeAlias = str | None


def record(functions: Functions[str], using: str, outcome: Outcome) -> Settled | None:
    """Record an outcome. What the hooks returned is called once the outermost block commits."""

    def work(owned: bool) -> tuple[bool, Settled | None]:
        saved: list[Save] = []
        afterwards: list[object] = []
        listening: list[bool] = []

        def perform(step: Load | Ask | Save | Tell) -> object:
            match step:
                case Load():
                    return load(using, step, owned=owned)
                case Ask(merchant_uid):
                    return functions.expected(merchant_uid, using)
                case Save():
                    saved.append(step)
                    save(using, step)
                    return None
                case _:
                    if functions.has(step.name) and not listening:
                        # Before the hook's own: where one of those fails, Django calls no more.
                        on_commit(partial(run_afterwards, afterwards, outcome), using)
                        listening.append(True)
                    return functions.tell(step.name, step.outcome, using)

        recorded: Recorded = run(ready.record(outcome), perform)
        afterwards.extend(recorded.afterwards)
        return bool(saved), recorded.settled

    return in_transaction(using, work)


def hold(functions: Functions[str], using: str, expected: ExpectedPayment, imp_uid: str) -> Answer:
    """Ask the shop's `hold` under the order's lock; keep what it did where it gives no reason."""

    def work(owned: bool) -> tuple[bool, Answer]:
        before = load(using, Load(imp_uid, expected.merchant_uid, True), owned=owned)
        return ask_to_hold(functions, before, expected, imp_uid, using)

    return in_transaction(using, work)
