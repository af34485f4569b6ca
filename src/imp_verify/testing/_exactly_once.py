"""One payment pays one order, once: repeats, threads, processes, two payments, two orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import StoreError
from ..models import ExpectedPayment, Outcome, Settled, Verdict
from ._checks import (
    NO_REOPEN,
    check,
    check_not_paid,
    check_paid,
    check_shipped,
    check_told,
    left_out,
    said,
)
from ._harness import FIRST, ORDER, OTHER, PRICE, SECOND, Trial
from ._processes import Ended, Meeting, run_elsewhere
from ._shop import TrialShop

__all__ = ["OnceOnly"]

_NOT_KEPT = "settle says DUPLICATE or LATE and keeps nothing, or keeps it under another imp_uid"
_PROCESSES = 3
_RACES = 12


class OnceOnly:
    """Part of `OrderStoreContract`."""

    def test_a_payment_pays_its_order_once_however_often_it_is_delivered(
        self, shop: TrialShop
    ) -> None:
        after = "one payment, delivered three times"
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            first, *repeats = [trial.deliver(FIRST) for _ in range(3)]
        check_shipped(shop, [FIRST], after, ORDER)
        check_paid(first, f"{after}, the first time", Settled.NEW)
        for each in repeats:
            check_paid(each, f"{after}, a repeat", Settled.REPEATED)

    def test_deliveries_from_many_threads_at_once_pay_once(self, shop: TrialShop) -> None:
        after = "one payment, delivered eight times at once"
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            outcomes = trial.at_once(*[FIRST] * 8)
        check_shipped(shop, [FIRST], after, ORDER)
        for each in outcomes:
            check_paid(each, after)
        new = sum(each.settled is Settled.NEW for each in outcomes)
        check(
            new == 1,
            f"{after}: the store said NEW {new} times",
            "NEW for the one that did the work, REPEATED for all others",
            "settle does not look first whether this imp_uid pays the order already",
        )

    def test_deliveries_from_many_processes_at_once_pay_once(self, shop: TrialShop) -> None:
        if shop.reopen is None:
            left_out("deliveries from many processes at once", NO_REOPEN)
            return
        races = [_Race(number) for number in range(_RACES)]
        with Trial(shop) as trial:
            for race in races:
                _prepare(trial, race)
            work = partial(_Deliveries, shop.reopen, trial.says, races)
            ended = run_elsewhere(*map(work, range(_PROCESSES)))
            paying = [list(dict.fromkeys(shop.shipped(race.order))) for race in races]
            for race in races:
                trial.at_once(*race.imp_uids)
        good = all(each.status == 0 for each in ended)
        for race, pays in zip(races, paying, strict=True):
            if pays or good:
                _check_one_pays(shop, pays, race.after, race.order)
        _check_ended(ended)
        for race, pays in zip(races, paying, strict=True):
            for uid, paid, what in race.answers(ended):
                _check_answer(uid in pays, paid, f"{race.after}: {uid}, {what}")

    def test_two_payments_of_one_order_pay_it_once(self, shop: TrialShop) -> None:
        after = "two payments of one order, each delivered four times at once"
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.pays(SECOND)
            outcomes = trial.at_once(*[FIRST, SECOND] * 4)
            paying = list(dict.fromkeys(shop.shipped(ORDER)))
            again = [trial.deliver(imp_uid) for imp_uid in (FIRST, SECOND)]
        _check_one_pays(shop, paying, after)
        for each in (*outcomes, *again):
            if each.imp_uid in paying:
                check_paid(each, f"{after}: {each.imp_uid} pays it")
            else:
                check_not_paid(each, f"{after}: {each.imp_uid} is one too many", Verdict.DUPLICATE)
        check_told(shop, "on_duplicate", 1, after)

    def test_one_payment_pays_one_order_only(self, shop: TrialShop) -> None:
        for order in (ORDER, OTHER):
            shop.put(ExpectedPayment(order, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.deliver(FIRST)
            cause = "settle looks the payment up by its order, not by its imp_uid alone"
            _check_bound(trial, FIRST, f"{FIRST} paid {ORDER}", cause)
        check_shipped(shop, [FIRST], "one payment named for two orders, the first", ORDER)
        check_shipped(shop, [], "one payment named for two orders, the second", OTHER)

    def test_a_payment_that_pays_nothing_is_kept_for_its_order(self, shop: TrialShop) -> None:
        """Somebody has to give that money back, and it must pay no other order either."""
        closed, late = "ORD-closed", "imp_late"
        for order in (ORDER, OTHER, closed):
            shop.put(ExpectedPayment(order, PRICE, open=order != closed))
        with Trial(shop) as trial:
            for imp_uid, order in ((FIRST, ORDER), (SECOND, ORDER), (late, closed)):
                trial.pays(imp_uid, order)
                trial.deliver(imp_uid)
            kept = set(trial.ask("receipts", [FIRST, SECOND, late]))
            check(
                kept in (set(), {FIRST, SECOND, late}),
                f"{FIRST} paid, {SECOND} was a duplicate and {late} late, and receipts gave "
                f"{', '.join(sorted(kept))}",
                "a store that gives receipts gives them of these payments too",
                _NOT_KEPT,
            )
            _check_bound(trial, SECOND, f"{SECOND} was a duplicate for {ORDER}", _NOT_KEPT)
            _check_bound(trial, late, f"{late} was late for {closed}", _NOT_KEPT)
        check_shipped(shop, [], "payments that were kept for other orders", OTHER)

    def test_two_orders_of_the_same_amount_are_paid_apart(self, shop: TrialShop) -> None:
        after = "two orders of the same amount, paid at once"
        for order in (ORDER, OTHER):
            shop.put(ExpectedPayment(order, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.pays(SECOND, OTHER)
            outcomes = trial.at_once(FIRST, SECOND)
        for each in outcomes:
            check_paid(each, after, Settled.NEW)
        check_shipped(shop, [FIRST], after, ORDER)
        check_shipped(shop, [SECOND], after, OTHER)


@dataclass(frozen=True, slots=True)
class _Race:
    """An order that each process would pay with a payment of its own and with one that all of them
    deliver, all at once; in every other race that one comes first."""

    number: int

    @property
    def order(self) -> str:
        return f"ORD-{self.number}"

    @property
    def imp_uids(self) -> list[str]:
        return [f"imp_{self.number}_{each}" for each in range(_PROCESSES + 1)]

    @property
    def after(self) -> str:
        return f"payments of {self.order!r}, delivered by {_PROCESSES} processes at once"

    def payments_of(self, process: int) -> tuple[str, str]:
        """Return what a process delivers."""
        own, shared = self.imp_uids[process], self.imp_uids[-1]
        return (shared, own) if self.number % 2 else (own, shared)

    def answers(self, ended: Sequence[Ended]) -> list[tuple[str, bool, str]]:
        """Return what the processes were answered: the payment, whether it pays, and in words."""
        return [each for process in ended for each in process.answers if each[0] in self.imp_uids]


def _check_bound(trial: Trial, imp_uid: str, before: str, cause: str) -> None:
    """Let a payment that was delivered come again for another order."""
    __tracebackhide__ = True
    trial.pays(imp_uid, OTHER)  # the gateway gave the imp_uid to another order
    outcome: Outcome | None = None
    with suppress(StoreError):
        outcome = trial.deliver(imp_uid)
    check(
        outcome is None,
        f"{before}, and then came for {OTHER}: {outcome and said(outcome)}",
        "settle raises StoreError: a payment is kept for one order for ever",
        cause,
    )


def _prepare(trial: Trial, race: _Race) -> None:
    trial.shop.put(ExpectedPayment(race.order, PRICE))
    for imp_uid in race.imp_uids:
        trial.pays(imp_uid, race.order)


@dataclass(frozen=True, slots=True)
class _Deliveries:
    """Deliver payments from threads of another process, which begins each race when all others
    do."""

    reopen: Callable[[], TrialShop]
    says: Mapping[str, Any]
    races: Sequence[_Race]
    process: int

    def __call__(self, meeting: Meeting) -> None:
        shop, trouble = self.reopen(), None
        try:
            with Trial(shop, self.says) as trial:
                for race in self.races:
                    meeting.wait_for_the_others()
                    try:
                        for each in trial.at_once(*race.payments_of(self.process)):
                            meeting.answer((each.imp_uid, each.paid, said(each)))
                    except AssertionError as error:
                        trouble = error  # the others wait for this process before the next race
        finally:
            shop.close()
        if trouble is not None:
            raise trouble


def _check_ended(ended: Sequence[Ended]) -> None:
    __tracebackhide__ = True
    trouble = [each for each in ended if each.status != 0]
    texts = [text for each in trouble for text in each.answers if isinstance(text, str)]
    check(
        not trouble,
        f"of {_PROCESSES} processes that delivered at once one ended with "
        f"{next(iter(texts), trouble[:1])}",
        "all are answered",
        "a violated unique key, a deadlock or a busy database is not begun again",
    )


def _check_one_pays(shop: TrialShop, paying: list[str], after: str, order: str = ORDER) -> None:
    __tracebackhide__ = True
    check(
        len(paying) == 1,
        f"{after}: it was shipped for {' and '.join(paying) or 'none'}",
        "one of them pays it, any other is DUPLICATE: money to give back",
        "nothing that all payments and processes share is locked: lock the order's row, or have a "
        "key on it",
    )
    check_shipped(shop, paying, after, order)


def _check_answer(pays: bool, paid: bool, what: str) -> None:
    __tracebackhide__ = True
    check(
        paid is pays,
        what,
        "each process is told what is true: PAID for the payment that was shipped, else DUPLICATE",
        "the record lives in one process's memory, or is read before the lock",
    )
