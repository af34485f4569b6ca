"""The contract tells a good store by hand from those that lose money in the ways that were seen."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest

from imp_verify import ExpectedPayment, OrderStore, Outcome, Settled, StoreError
from imp_verify.testing import OrderStoreContract, TrialFailure, TrialShop


class HandStore(OrderStore):
    """What a shop writes that keeps its own records: `expected` and `settle`, and nothing more."""

    def __init__(self, shop: "HandShop") -> None:
        self.shop = shop
        self.lock: AbstractContextManager[object] = threading.Lock()
        self.kept: dict[str, tuple[str, Settled]] = {}
        self.paid_by: dict[str, str] = {}

    def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return self.shop.orders.get(merchant_uid)

    def settle(self, outcome: Outcome) -> Settled:
        with self.lock:
            return self.decide(outcome)

    def decide(self, outcome: Outcome) -> Settled:
        imp_uid, number = outcome.imp_uid or "", outcome.merchant_uid or ""
        order = self.shop.orders.get(number)
        closed = order is None or not order.open
        of, kept = self.kept.get(imp_uid, (number, None))
        if of != number:
            raise StoreError(f"{imp_uid} is kept for another order")
        if kept is not None and (kept is not Settled.LATE or closed):
            return Settled.REPEATED if kept is Settled.NEW else kept
        if number in self.paid_by:
            return self.keep(outcome, Settled.DUPLICATE)
        if closed:
            return self.keep(outcome, Settled.LATE)
        if order != outcome.expected:
            return Settled.STALE
        return self.pay(outcome)

    def pay(self, outcome: Outcome) -> Settled:
        self.shop.ship(outcome)
        self.paid_by[outcome.merchant_uid or ""] = outcome.imp_uid or ""
        return self.keep(outcome, Settled.NEW)

    def keep(self, outcome: Outcome, settled: Settled) -> Settled:
        self.kept[outcome.imp_uid or ""] = (outcome.merchant_uid or "", settled)
        return settled


class HandShop(TrialShop):
    def __init__(self, make: Callable[["HandShop"], HandStore] = HandStore) -> None:
        self.orders: dict[str, ExpectedPayment] = {}
        self.sent: list[tuple[str, str]] = []
        self.fails = False
        self.store = make(self)

    def ship(self, outcome: Outcome) -> None:
        if self.fails:
            self.fails = False
            raise TrialFailure
        self.sent.append((outcome.merchant_uid or "", outcome.imp_uid or ""))

    def put(self, order: ExpectedPayment) -> None:
        self.orders[order.merchant_uid] = order

    def delete(self, merchant_uid: str) -> None:
        del self.orders[merchant_uid]

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        return [imp_uid for order, imp_uid in self.sent if order == merchant_uid]

    def fail_next(self) -> None:
        self.fails = True


class TestStoreByHand(OrderStoreContract):
    @pytest.fixture
    def shop(self) -> TrialShop:
        return HandShop()


class WithoutLock(HandStore):
    """Two that have read before either writes: what a lock would have stopped."""

    def __init__(self, shop: HandShop) -> None:
        super().__init__(shop)
        self.lock = nullcontext()
        self.both_have_read = threading.Barrier(2)

    def pay(self, outcome: Outcome) -> Settled:
        _ = self.both_have_read.wait(10)
        return super().pay(outcome)


class MarksBeforeItsWork(HandStore):
    def pay(self, outcome: Outcome) -> Settled:
        self.paid_by[outcome.merchant_uid or ""] = outcome.imp_uid or ""
        _ = self.keep(outcome, Settled.NEW)
        self.shop.ship(outcome)
        return Settled.NEW


class ForgetsToRollBack(HandStore):
    def pay(self, outcome: Outcome) -> Settled:
        self.shop.sent.append((outcome.merchant_uid or "", outcome.imp_uid or ""))
        return super().pay(outcome)


class SwallowsFailures(HandStore):
    def pay(self, outcome: Outcome) -> Settled:
        try:
            return super().pay(outcome)
        except TrialFailure:
            return self.keep(outcome, Settled.NEW)


class ReadsTheOrderOnce(HandStore):
    def decide(self, outcome: Outcome) -> Settled:
        number = outcome.merchant_uid or ""
        if outcome.expected is not None:
            self.shop.orders[number] = outcome.expected
        return super().decide(outcome)


class KnowsNoOtherPayment(HandStore):
    def decide(self, outcome: Outcome) -> Settled:
        _ = self.paid_by.pop(outcome.merchant_uid or "", None)
        return super().decide(outcome)


class KnowsOrdersOnly(HandStore):
    def decide(self, outcome: Outcome) -> Settled:
        _ = self.kept.pop(outcome.imp_uid or "", None)
        return super().decide(outcome)


class IsNeverLate(HandStore):
    def decide(self, outcome: Outcome) -> Settled:
        order = self.shop.orders.get(outcome.merchant_uid or "")
        if order is not None and not order.open:
            return self.pay(outcome)
        return super().decide(outcome)


PAYS_ONCE = OrderStoreContract.test_a_payment_pays_its_order_once_however_often_it_is_delivered
FAILS = OrderStoreContract.test_work_that_fails_leaves_nothing_and_the_next_delivery_does_it
TWO = OrderStoreContract.test_two_payments_of_one_order_pay_it_once


@pytest.mark.parametrize(
    ("broken", "test", "complaint"),
    [
        (
            WithoutLock,
            OrderStoreContract.test_deliveries_from_many_threads_at_once_pay_once,
            "went off",
        ),
        (WithoutLock, TWO, "shipped for|went off"),
        (MarksBeforeItsWork, FAILS, "the payment came again: the goods went off 0 times"),
        (ForgetsToRollBack, FAILS, "must be rolled back: the goods went off 1 times"),
        (SwallowsFailures, FAILS, "called the payment done"),
        (
            ReadsTheOrderOnce,
            OrderStoreContract.test_an_amount_changed_under_way_is_stale,
            "for more by now",
        ),
        (KnowsNoOtherPayment, TWO, "shipped for"),
        (KnowsOrdersOnly, PAYS_ONCE, "REPEATED"),
        (KnowsOrdersOnly, OrderStoreContract.test_one_payment_pays_one_order_only, "StoreError"),
        (
            IsNeverLate,
            OrderStoreContract.test_money_for_a_closed_order_is_late_until_the_shop_opens_it,
            "LATE",
        ),
    ],
)
def test_a_broken_store_fails_with_words_for_the_shop(
    broken: type[HandStore],
    test: Callable[[OrderStoreContract, TrialShop], None],
    complaint: str,
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        test(OrderStoreContract(), HandShop(broken))
