"""What others do in the midst of `settle`: they close the order, make it dearer, or pay it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from ..models import ExpectedPayment, Outcome, Settled
from ._checks import check, check_shipped
from ._harness import PRICE, Trial, paid_outcome
from ._moments import Interrupted, search
from ._shop import TrialShop

__all__ = ["Meanwhile"]


class Meanwhile:
    """Part of `OrderStoreContract`. Each looks, by halving, for the first moment of `settle` at
    which it does not see what others do: it has just read then what it decides by. That is good
    where the others had to wait for it; where they had not, it has read too early."""

    def test_an_order_may_be_closed_at_any_moment_of_settle(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            _Change(trial, "closed", Settled.LATE, open=False).search()

    def test_an_order_may_be_made_dearer_at_any_moment_of_settle(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            _Change(trial, "made dearer", Settled.STALE, amount=PRICE + 1).search()

    def test_another_payment_may_be_settled_at_any_moment_of_settle(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            _Payment(trial, 1, Settled.DUPLICATE).search()

    def test_the_same_payment_may_be_settled_at_any_moment_of_settle(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            _Payment(trial, 0, Settled.REPEATED).search()


class _Orders(ABC):
    """Orders of one trial, each with two payments as they are handed to `settle`."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self._number = 0

    def next(self) -> tuple[Outcome, Outcome]:
        """Make another order, and return its payments."""
        self._number += 1
        asked = ExpectedPayment(f"ORD-{self._number}", PRICE)
        self.trial.shop.put(asked)
        first, second = (paid_outcome(f"imp_{self._number}_{each}", asked) for each in "ab")
        return first, second

    def search(self) -> None:
        """See `_moments.search`."""
        __tracebackhide__ = True
        # The first one also does what is done once.
        _, calm = (Interrupted(self.trial, self.next()[0], 0) for _ in range(2))
        search(self.sees, calm.moments)

    @abstractmethod
    def sees(self, moment: int, patience: float) -> float | None:
        """See `_moments.search`."""


class _Change(_Orders):
    """The order is changed, and then another payment of it is settled: its answer says that it came
    after the change and, not being DUPLICATE, before the first one. So that one, too, comes after
    the change."""

    def __init__(self, trial: Trial, what: str, answer: Settled, **change: Any) -> None:
        super().__init__(trial)
        self._what, self._answer, self._change = what, answer, {"amount": PRICE, **change}

    def sees(self, moment: int, patience: float) -> float | None:
        """See `_moments.search`."""
        __tracebackhide__ = True
        found, shipped = self._interrupt(moment, patience, another=False)
        if not shipped:
            return found.took
        if found.before[1:] == ([],):  # changed in time, and shipped: had the other one to wait?
            self._check(moment, *self._interrupt(moment, patience, another=True))
        return None

    def _interrupt(
        self, moment: int, patience: float, *, another: bool
    ) -> tuple[Interrupted, list[str]]:
        (first, second), shop = self.next(), self.trial.shop
        number = first.merchant_uid or ""
        changed = partial(shop.put, ExpectedPayment(number, **self._change))
        others: list[Callable[[], object]] = [changed, lambda: list(shop.shipped(number))]
        if another:
            others.append(partial(self.trial.ask, "settle", second))
        found = Interrupted(self.trial, first, moment, *others, patience=patience)
        return found, list(shop.shipped(number))

    def _check(self, moment: int, found: Interrupted, shipped: list[str]) -> None:
        __tracebackhide__ = True
        check(
            not shipped or found.before[1:] != ([], self._answer),
            f"a payment was in settle, before line or step {moment} of it, when its order was "
            f"{self._what}; another payment was answered {self._answer.name} because of that; and "
            f"then the goods went off for {', '.join(shipped)}",
            f"{self._answer.name} for both: what the order asks is read inside the lock",
            "settle reads the order before it has the lock, and decides by what it asked then",
        )


class _Payment(_Orders):
    """A payment of the same order is settled: the first one itself, or the second."""

    def __init__(self, trial: Trial, which: int, answer: Settled) -> None:
        super().__init__(trial)
        self._which, self._answer = which, answer

    def sees(self, moment: int, patience: float) -> float | None:
        """See `_moments.search`."""
        __tracebackhide__ = True
        payments = self.next()
        other = payments[self._which]
        settle = partial(self.trial.ask, "settle", other)
        found = Interrupted(self.trial, payments[0], moment, settle, patience=patience)
        if found.before != (Settled.NEW,):
            return None
        after = f"a payment was in settle, before line or step {moment} of it, when "
        after += f"{other.imp_uid} paid its order"
        check(
            found.settled is self._answer,
            f"{after}: it ended with {found.settled!r}",
            f"{self._answer.name}: being second is no error",
            "settle reads its own records before it has the lock, and decides by them; or a "
            "violated unique key is not begun again, or is taken for a repeat",
        )
        check_shipped(self.trial.shop, [other.imp_uid or ""], after, other.merchant_uid or "")
        return found.took
