"""What a `DjangoStore` does in a transaction: the shared order of steps, each step done in
Django."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from django.db.transaction import on_commit

from ... import ExpectedPayment, Outcome, Receipt, Settled
from ...stores import ready
from ...stores.ready import Ask, Functions, Load, Loaded, Save, Tell
from ...stores.ready_plain import Steps, ask_to_hold, drive, run_afterwards
from ._loading import load, receipts
from ._saving import save
from ._transactions import Attempt, Place, in_transaction, look

__all__ = ["hold", "recall", "record"]

Answer: TypeAlias = str | None


def record(functions: Functions[str], place: Place, outcome: Outcome) -> Settled | None:
    """Record an outcome. What the hooks returned is called once the outermost block commits."""

    def work(attempt: Attempt) -> tuple[bool, Settled | None]:
        recording = _Recording(functions, place.using, outcome, attempt)
        recorded = drive(ready.record(outcome), _STEPS, recording)
        recording.afterwards.extend(recorded.afterwards)
        return recording.has_written, recorded.settled

    return in_transaction(place, work)


@dataclass
class _Recording:
    """What happens in one transaction."""

    functions: Functions[str]
    using: str
    outcome: Outcome
    attempt: Attempt
    has_written: bool = False
    afterwards: list[object] = field(default_factory=list)

    def load(self, step: Load) -> Loaded:
        return load(self.using, step, owned=self.attempt.owned)

    def ask(self, step: Ask) -> object:
        return self.functions.expected(step.merchant_uid, self.using)

    def save(self, step: Save) -> None:
        self.has_written = True
        save(self.using, step)

    def tell(self, step: Tell) -> object:
        if self.functions.has(step.name) and self.attempt.is_harmless:
            self.attempt.is_harmless = False
            # Before the hook's own: where one of those fails, Django calls no more.
            on_commit(partial(run_afterwards, self.afterwards, self.outcome), self.using)
        return self.functions.tell(step.name, step.outcome, self.using)


_STEPS: Steps = {
    Load: _Recording.load,
    Ask: _Recording.ask,
    Save: _Recording.save,
    Tell: _Recording.tell,
}


def recall(place: Place, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Give the receipts of these payments, by imp_uid."""
    return look(place, lambda: receipts(place.using, imp_uids))


def hold(
    functions: Functions[str], place: Place, expected: ExpectedPayment, imp_uid: str
) -> Answer:
    """Ask the shop's `hold` under the order's lock; keep what it did where it gives no reason."""

    def work(attempt: Attempt) -> tuple[bool, Answer]:
        step = Load(imp_uid, expected.merchant_uid, True)
        before = load(place.using, step, owned=attempt.owned)
        attempt.is_harmless = False
        return ask_to_hold(functions, before, expected, imp_uid, place.using)

    return in_transaction(place, work)
