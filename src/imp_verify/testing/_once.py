"""One payment pays one order, once: repeats, threads, processes, two payments, two orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import StoreError
from ..models import ExpectedPayment, Outcome, Settled, Verdict
from ._checks import check, check_not_paid, check_paid, check_shipped, check_told, said
from ._elsewhere import Meeting, run_elsewhere
from ._shop import TrialShop
from ._trial import FIRST, ORDER, OTHER, PRICE, SECOND, Trial

__all__ = ["OnceOnly"]

_PROCESSES = 3


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
            return  # it lives in one process
        after = f"two payments of one order, delivered by {_PROCESSES} processes at once"
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.pays(SECOND)
            work = _Deliveries(shop.reopen, dict(trial.says), (FIRST, SECOND) * 2)
            ended = run_elsewhere(*[work] * _PROCESSES)
            paying = list(dict.fromkeys(shop.shipped(ORDER)))
            _ = trial.at_once(FIRST, SECOND)
        trouble = [each for each in ended if each.status != 0]
        check(
            not trouble,
            f"{after}: one ended with {trouble[:1]}",
            "all are answered",
            "a violated unique key, a deadlock or a busy database is not begun again",
        )
        _check_one_pays(shop, paying, after)
        for uid, paid, what in [each for process in ended for each in process.answers]:
            _check_answer(uid in paying, paid, f"{after}: {uid}, {what}")

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
            _ = trial.deliver(FIRST)
            trial.pays(FIRST, OTHER)  # the gateway gave the imp_uid to another order
            outcome: Outcome | None = None
            with suppress(StoreError):
                outcome = trial.deliver(FIRST)
        check(
            outcome is None,
            f"{FIRST} paid {ORDER}, and then came for {OTHER}: {outcome and said(outcome)}",
            "settle raises StoreError: a payment is kept for one order for ever",
            "settle looks the payment up by its order, not by its imp_uid alone",
        )
        check_shipped(shop, [FIRST], "one payment named for two orders, the first", ORDER)
        check_shipped(shop, [], "one payment named for two orders, the second", OTHER)

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
class _Deliveries:
    """Deliver payments from threads of another process, which begins when all others do."""

    reopen: Callable[[], TrialShop]
    says: Mapping[str, Any]
    imp_uids: tuple[str, ...]

    def __call__(self, meeting: Meeting) -> None:
        shop = self.reopen()
        try:
            with Trial(shop, self.says) as trial:
                meeting.wait_for_the_others()
                for each in trial.at_once(*self.imp_uids):
                    meeting.answer((each.imp_uid, each.paid, said(each)))
        finally:
            shop.close()


def _check_one_pays(shop: TrialShop, paying: list[str], after: str) -> None:
    __tracebackhide__ = True
    check(
        len(paying) == 1,
        f"{after}: it was shipped for {' and '.join(paying) or 'none'}",
        "one of them pays it, the other is DUPLICATE: money to give back",
        "nothing that both payments share is locked: lock the order's row, or have a key on it",
    )
    check_shipped(shop, paying, after, ORDER)


def _check_answer(pays: bool, paid: bool, what: str) -> None:
    __tracebackhide__ = True
    check(
        paid is pays,
        what,
        "each process is told what is true: PAID for the payment that was shipped, else DUPLICATE",
        "the record lives in one process's memory, or is read before the lock",
    )
