"""What a `DjangoStore` does in a transaction: the shared order of steps, each step done in
Django."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from django.db.transaction import on_commit

from ... import ExpectedPayment, Outcome, Settled
from ...stores import ready
from ...stores.ready import Ask, Functions, Load, Loaded, Save, Tell
from ...stores.ready_plain import Steps, ask_to_hold, drive, run_afterwards
from ._loading import load, recall
from ._saving import save
from ._transactions import in_transaction

__all__ = ["hold", "recall", "record"]

Answer: TypeAlias = str | None


def record(functions: Functions[str], using: str, outcome: Outcome) -> Settled | None:
    """Record an outcome. What the hooks returned is called once the outermost block commits."""

    def work(owned: bool) -> tuple[bool, Settled | None]:
        recording = _Recording(functions, using, outcome, owned)
        recorded = drive(ready.record(outcome), _STEPS, recording)
        recording.afterwards.extend(recorded.afterwards)
        return recording.has_written, recorded.settled

    return in_transaction(using, work)


@dataclass
class _Recording:
    """What happens in one transaction."""

    functions: Functions[str]
    using: str
    outcome: Outcome
    owned: bool
    has_written: bool = False
    listens: bool = False
    afterwards: list[object] = field(default_factory=list)

    def load(self, step: Load) -> Loaded:
        return load(self.using, step, owned=self.owned)

    def ask(self, step: Ask) -> object:
        return self.functions.expected(step.merchant_uid, self.using)

    def save(self, step: Save) -> None:
        self.has_written = True
        save(self.using, step)

    def tell(self, step: Tell) -> object:
        if self.functions.has(step.name) and not self.listens:
            # Before the hook's own: where one of those fails, Django calls no more.
            on_commit(partial(run_afterwards, self.afterwards, self.outcome), self.using)
            self.listens = True
        return self.functions.tell(step.name, step.outcome, self.using)


_STEPS: Steps = {
    Load: _Recording.load,
    Ask: _Recording.ask,
    Save: _Recording.save,
    Tell: _Recording.tell,
}


def hold(functions: Functions[str], using: str, expected: ExpectedPayment, imp_uid: str) -> Answer:
    """Ask the shop's `hold` under the order's lock; keep what it did where it gives no reason."""

    def work(owned: bool) -> tuple[bool, Answer]:
        before = load(using, Load(imp_uid, expected.merchant_uid, True), owned=owned)
        return ask_to_hold(functions, before, expected, imp_uid, using)

    return in_transaction(using, work)
