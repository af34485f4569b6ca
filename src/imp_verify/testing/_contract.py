"""What every store must do, as tests that a shop runs against its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

from ..errors import StoreError
from ..models import ExpectedPayment, Outcome, Settled, Verdict
from ..stores import AsyncOrderStore, OrderStore
from ._trial import (
    FIRST,
    ORDER,
    OTHER,
    PRICE,
    SECOND,
    Trial,
    TrialFailure,
    TrialShop,
    check,
    check_shipped,
    check_told,
    from_processes,
    paid_outcome,
)

__all__ = ["OrderStoreContract"]

_REFUND = ("cancelled", PRICE)
_STATES = (("ready", 0), ("paid", 0), ("paid", 1000), _REFUND)


class OrderStoreContract:
    """What every store must do. Subclass it as `Test...`, with a fixture `shop` that gives a
    `TrialShop`; each test gets a fresh, empty one."""

    def test_a_payment_pays_its_order_once_however_often_it_is_delivered(
        self, shop: TrialShop
    ) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            settled = [trial.deliver(FIRST, ORDER).settled for _ in range(3)]
        check_shipped(shop, [FIRST], "one payment, delivered three times")
        wanted = [Settled.NEW, Settled.REPEATED, Settled.REPEATED]
        check(settled == wanted, f"a repeat must be REPEATED: {settled}")

    def test_deliveries_from_many_threads_at_once_pay_once(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            outcomes = trial.at_once(*[FIRST] * 8)
        check_shipped(shop, [FIRST], "one payment, delivered eight times at once")
        new = sum(each.settled is Settled.NEW for each in outcomes)
        check(all(each.paid for each in outcomes), "being second is no error: all are PAID")
        check(new == 1, f"one delivery is NEW and all others REPEATED, not {new}")

    def test_deliveries_from_many_processes_at_once_pay_once(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.pays(SECOND)
            found = from_processes(shop, trial.says, FIRST, SECOND) if shop.reopen else []
            paying = shop.shipped(ORDER)
            _ = trial.at_once(FIRST, SECOND)
        if shop.reopen:
            check(len(paying) == 1, f"two payments from three processes shipped {paying}")
            good = all((verdict is Verdict.PAID) is (uid in paying) for uid, verdict in found)
            check(good, f"{paying} paid the order, and the processes were told {found}")
        check(len(shop.shipped(ORDER)) == 1, f"one order, shipped for {shop.shipped(ORDER)}")

    def test_two_payments_of_one_order_pay_it_once(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.pays(SECOND)
            outcomes = trial.at_once(*[FIRST, SECOND] * 4)
            paying = list(dict.fromkeys(shop.shipped(ORDER)))
            again = [trial.deliver(imp_uid) for imp_uid in (FIRST, SECOND)]
        check(len(paying) == 1, f"two payments of one order at once: shipped for {paying}")
        check_shipped(shop, paying, "two payments of one order at once")
        for each in (*outcomes, *again):
            wanted = Verdict.PAID if each.imp_uid in paying else Verdict.DUPLICATE
            check(each.verdict is wanted, f"{each.imp_uid} is {each.verdict}, not {wanted}")
        check_told(shop, "on_duplicate", 1, "two payments of one order")

    def test_one_payment_pays_one_order_only(self, shop: TrialShop) -> None:
        for order in (ORDER, OTHER):
            shop.put(ExpectedPayment(order, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            _ = trial.deliver(FIRST)
            trial.pays(FIRST, OTHER)  # the gateway gave the imp_uid to another order
            try:
                outcome = trial.deliver(FIRST)
            except StoreError:
                outcome = None
        check(outcome is None, "a payment kept for one order and named for another: StoreError")
        check_shipped(shop, [FIRST], "one payment named for two orders, the first")
        check_shipped(shop, [], "one payment named for two orders, the second", OTHER)

    def test_two_orders_are_paid_apart(self, shop: TrialShop) -> None:
        for order in (ORDER, OTHER):
            shop.put(ExpectedPayment(order, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.pays(SECOND, OTHER)
            outcomes = trial.at_once(FIRST, SECOND)
        check(all(each.paid for each in outcomes), "two orders are no reason to refuse one")
        check_shipped(shop, [FIRST], "two orders paid at once, the first")
        check_shipped(shop, [SECOND], "two orders paid at once, the second", OTHER)

    def test_work_that_fails_leaves_nothing_and_the_next_delivery_does_it(
        self, shop: TrialShop
    ) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            shop.fail_next()
            try:
                outcome = trial.deliver(FIRST)
            except TrialFailure:
                outcome = None
            check(outcome is None, "work failed, and the store called the payment done")
            check_shipped(shop, [], "the work failed: its half must be rolled back")
            check(not trial.ask("receipts", [FIRST]), "the work failed: no receipt may be kept")
            outcome = trial.deliver(FIRST)
        check_shipped(shop, [FIRST], "the work failed once, and the payment came again")
        check(outcome.settled is Settled.NEW, f"it is NEW then, not {outcome.settled}")

    def test_an_amount_changed_under_way_is_stale(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE + 1))
        with Trial(shop) as trial:
            outcome = paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE))
            settled = trial.ask("settle", outcome)
            check(settled is Settled.STALE, f"the order asks for more by now: {settled}")
            check_shipped(shop, [], "less was paid than the order asks for by now")
            trial.pays(FIRST)
            verdict = trial.deliver(FIRST).verdict
        check(verdict is Verdict.FORGERY, f"too little was paid: FORGERY, not {verdict}")
        check_shipped(shop, [], "too little was paid")

    def test_an_order_changed_closed_or_deleted_after_it_was_paid_stays_paid(
        self, shop: TrialShop
    ) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            _ = trial.deliver(FIRST)
            remembers = bool(trial.ask("receipts", [FIRST]))
            shop.put(ExpectedPayment(ORDER, PRICE, open=False))
            _check_still_paid(trial.deliver(FIRST), "closed")
            shop.put(ExpectedPayment(ORDER, PRICE + 1))
            outcomes = [(trial.deliver(FIRST), "changed")]
            shop.delete(ORDER)
            outcomes.append((trial.deliver(FIRST), "deleted"))
            trial.pays(SECOND)
            second = trial.deliver(SECOND)
        for outcome, what in outcomes if remembers else ():
            _check_still_paid(outcome, what)
        check(not second.paid, "a deleted order was paid by another payment")
        check_shipped(shop, [FIRST], "an order changed after it was paid")

    def test_money_for_a_closed_order_is_late_until_the_shop_opens_it(
        self, shop: TrialShop
    ) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE, open=False))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            late = [trial.deliver(FIRST).verdict for _ in range(2)]
            check(late == [Verdict.LATE] * 2, f"paid after the order closed: LATE, not {late}")
            check_shipped(shop, [], "paid after the order closed")
            check_told(shop, "on_late", 1, "late money, delivered twice")
            shop.put(ExpectedPayment(ORDER, PRICE))
            outcome = trial.deliver(FIRST)
        check(outcome.paid, f"the shop opened the order again: PAID, not {outcome.verdict}")
        check_shipped(shop, [FIRST], "late money was accepted")

    def test_an_order_that_comes_later_than_its_payment_is_paid_then(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            trial.pays(FIRST)
            verdict = trial.deliver(FIRST).verdict
            check(verdict is Verdict.UNKNOWN_ORDER, f"there is no order, and it is {verdict}")
            check_shipped(shop, [], "there is no such order yet")
            shop.put(ExpectedPayment(ORDER, PRICE))
            outcome = trial.deliver(FIRST)
        check(outcome.settled is Settled.NEW, f"the order is there: NEW, not {outcome.settled}")
        check_shipped(shop, [FIRST], "the order was there at the second delivery")

    def test_an_order_deleted_under_way_is_not_paid(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            settled = trial.ask("settle", paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE)))
        good = settled in (Settled.LATE, Settled.STALE)
        check(good, f"the order was deleted meanwhile: LATE or STALE, not {settled}")
        check_shipped(shop, [], "the order was deleted meanwhile")

    def test_a_payment_may_arrive_in_any_order_of_its_states(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for number, arrival in enumerate(permutations(_STATES)):
                order, imp_uid = f"ORD-{number}", f"imp_{number}"
                shop.put(ExpectedPayment(order, PRICE))
                forgot = _arrive(trial, order, imp_uid, arrival)
                words = [f"{status}, {cancelled} cancelled" for status, cancelled in arrival]
                wanted = [imp_uid] if forgot or arrival.index(_REFUND) > _money(arrival) else []
                check_shipped(shop, wanted, f"states came as {words}", order)

    def test_refunds_in_parts_are_told_once_each(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        history: list[dict[str, object]] = []
        with Trial(shop) as trial:
            for number in (1, 2, 3):
                part = {"amount": 1000, "cancellation_id": f"c{number}", "cancelled_at": number}
                history.append(part)
                total = 1000 * number
                trial.pays(FIRST, cancel_amount=total, cancel_history=list(history))
                outcomes = trial.at_once(*[FIRST] * 3)
                check(all(each.paid for each in outcomes), "refunded in part, and still paid")
            check_told(shop, "on_partly_cancelled", 3, "three refunds, each delivered thrice")
            trial.pays(FIRST, status="cancelled", cancel_amount=PRICE)
            verdicts = {each.verdict for each in trial.at_once(*[FIRST] * 3)}
        check(verdicts == {Verdict.CANCELLED}, f"refunded in full: CANCELLED, not {verdicts}")
        check_shipped(shop, [FIRST], "refunds of a payment that paid")
        check_told(shop, "on_cancelled", 1, "a refund in full, delivered three times")

    def test_a_refunded_order_is_not_paid_again(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            _ = trial.deliver(FIRST)
            trial.pays(FIRST, status="cancelled", cancel_amount=PRICE)
            _ = trial.deliver(FIRST)
            trial.pays(SECOND)
            verdict = trial.deliver(SECOND).verdict
        check(verdict is Verdict.DUPLICATE, f"paid once in its life: DUPLICATE, not {verdict}")
        check_shipped(shop, [FIRST], "an order was refunded and paid again")

    def test_a_hold_refuses_an_order_that_another_payment_paid(self, shop: TrialShop) -> None:
        order = ExpectedPayment(ORDER, PRICE)
        shop.put(order)
        if type(shop.store).hold in (OrderStore.hold, AsyncOrderStore.hold):
            return  # it has none of its own: the shop does without confirm
        with Trial(shop) as trial:
            before = [trial.ask("hold", order, imp_uid) for imp_uid in (FIRST, FIRST, SECOND)]
            check(before == [None] * 3, f"an unpaid order may be approved, repeatedly: {before}")
            check_shipped(shop, [], "an approval is no payment")
            check(not trial.ask("receipts", [FIRST]), "an approval leaves no receipt")
            trial.pays(FIRST)
            _ = trial.deliver(FIRST)
            reason = trial.ask("hold", order, SECOND)
            check(isinstance(reason, str), "a paid order was approved for a second payment")
            again = trial.ask("hold", order, FIRST)
        check(again is None, f"the payment that paid asks again, and is refused: {again}")


def _money(arrival: Sequence[tuple[str, int]]) -> int:
    return min(place for place, (status, _) in enumerate(arrival) if status == "paid")


def _arrive(trial: Trial, order: str, imp_uid: str, arrival: Iterable[tuple[str, int]]) -> bool:
    """Deliver a payment in these states; tell whether the store keeps nothing of a full refund."""
    forgot = False
    for status, cancelled in arrival:
        trial.pays(
            imp_uid,
            order,
            status=status,
            cancel_amount=cancelled,
            pay_method="vbank",
            vbank_num="1002",
        )
        _ = trial.deliver(imp_uid)
        if status == "cancelled" and not trial.ask("receipts", [imp_uid]):
            forgot = True
    return forgot


def _check_still_paid(outcome: Outcome, what: str) -> None:
    said = f"{outcome.verdict}, {outcome.settled}"
    check(outcome.paid, f"the order was {what} after it was paid, and stays paid: {said}")
