"""What a payment goes through, in every order of arrival: accounts, deposits, refunds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

from ..models import ExpectedPayment, Settled, Verdict
from ._checks import check, check_not_paid, check_paid, check_shipped, check_told
from ._harness import FIRST, ORDER, PRICE, SECOND, Trial
from ._shop import TrialShop

__all__ = ["Arrivals"]

_REFUND = ("cancelled", PRICE)
_STATES = (("ready", 0), ("paid", 0), ("paid", 1000), _REFUND)
_ACCOUNT = {"status": "ready", "pay_method": "vbank", "vbank_num": "1002"}


class Arrivals:
    """Part of `OrderStoreContract`."""

    def test_a_payment_may_arrive_in_any_order_of_its_states(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for number, arrival in enumerate(permutations(_STATES)):
                order, imp_uid = f"ORD-{number}", f"imp_{number}"
                shop.put(ExpectedPayment(order, PRICE))
                forgot = _arrive(trial, order, imp_uid, arrival)
                words = [f"{status}, {cancelled} cancelled" for status, cancelled in arrival]
                wanted = [imp_uid] if forgot or arrival.index(_REFUND) > _money(arrival) else []
                check_shipped(shop, wanted, f"states came as {words}", order)

    def test_a_virtual_account_is_paid_by_its_deposit(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST, **_ACCOUNT)
            for each in trial.at_once(*[FIRST] * 4):
                check_not_paid(each, "an account without a deposit", Verdict.VIRTUAL_ACCOUNT)
            check_shipped(shop, [], "an account was issued and nothing deposited", ORDER)
            check_told(shop, "on_virtual_account", 1, "an account issued, delivered four times")
            trial.pays(FIRST, **(_ACCOUNT | {"status": "paid"}))
            check_paid(trial.deliver(FIRST), "the deposit into a virtual account", Settled.NEW)
            check_paid(trial.deliver(FIRST), "the deposit, delivered again", Settled.REPEATED)
        check_shipped(shop, [FIRST], "a virtual account and its deposit", ORDER)

    def test_a_deposit_for_an_order_changed_or_closed_meanwhile_does_not_pay_it(
        self, shop: TrialShop
    ) -> None:
        with Trial(shop) as trial:
            for asked, verdict in (
                (ExpectedPayment("ORD-1", PRICE + 1), Verdict.FORGERY),
                (ExpectedPayment("ORD-2", PRICE, open=False), Verdict.LATE),
            ):
                order, imp_uid = asked.merchant_uid, f"imp_{asked.merchant_uid}"
                shop.put(ExpectedPayment(order, PRICE))
                trial.pays(imp_uid, order, **_ACCOUNT)
                trial.deliver(imp_uid)
                shop.put(asked)
                trial.pays(imp_uid, order, **(_ACCOUNT | {"status": "paid"}))
                after = "a deposit, after the order was closed or made dearer"
                check_not_paid(trial.deliver(imp_uid), after, verdict)
                check_shipped(shop, [], after, order)

    def test_two_accounts_of_one_order_pay_it_once(self, shop: TrialShop) -> None:
        after = "two accounts issued for one order, and both paid"
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            for status in ("ready", "paid"):
                for imp_uid in (FIRST, SECOND):
                    trial.pays(imp_uid, **(_ACCOUNT | {"status": status}))
                    outcome = trial.deliver(imp_uid)
        check_not_paid(outcome, after, Verdict.DUPLICATE)
        check_shipped(shop, [FIRST], after, ORDER)
        check_told(shop, "on_duplicate", 1, after)

    def test_a_second_attempt_pays_where_the_first_failed(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST, status="failed")
            check_not_paid(trial.deliver(FIRST), "a failed attempt", Verdict.FAILED)
            trial.pays(SECOND)
            check_paid(trial.deliver(SECOND), "the attempt after a failed one", Settled.NEW)
            trial.deliver(FIRST)
            check_paid(trial.deliver(SECOND), "the failed one came again", Settled.REPEATED)
        check_shipped(shop, [SECOND], "a failed attempt, and one that paid", ORDER)

    def test_refunds_in_parts_are_told_once_each(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            for _ in range(3):
                trial.refunds(FIRST, 1000)
                for each in trial.at_once(*[FIRST] * 4):
                    check_paid(each, "refunded in part, the order stays paid")
            check_told(shop, "on_partly_cancelled", 3, "three refunds, each delivered four times")
            trial.refunds(FIRST, PRICE - 3000)
            for each in trial.at_once(*[FIRST] * 4):
                check_not_paid(each, "refunded in full", Verdict.CANCELLED)
        check_shipped(shop, [FIRST], "refunds of a payment that paid", ORDER)
        check_told(shop, "on_cancelled", 1, "a refund in full, delivered four times")

    def test_a_refunded_order_is_not_paid_again(self, shop: TrialShop) -> None:
        after, asked = "an order was refunded and paid again", ExpectedPayment(ORDER, PRICE)
        shop.put(asked)
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.deliver(FIRST)
            trial.refunds(FIRST, PRICE)
            trial.deliver(FIRST)
            if trial.holds:
                _check_held(trial.ask("hold", asked, SECOND))
            trial.pays(SECOND)
            cause = "the refund deleted the record that this order was paid, now or ever"
            check_not_paid(trial.deliver(SECOND), after, Verdict.DUPLICATE, cause=cause)
        check_shipped(shop, [FIRST], after, ORDER)

    def test_a_duplicate_stays_one_though_the_payment_that_paid_is_refunded(
        self, shop: TrialShop
    ) -> None:
        after = "a duplicate, delivered again after the payment that paid was refunded"
        shop.put(ExpectedPayment(ORDER, PRICE))
        with Trial(shop) as trial:
            for imp_uid in (FIRST, SECOND):
                trial.pays(imp_uid)
                trial.deliver(imp_uid)
            trial.refunds(FIRST, PRICE)
            trial.deliver(FIRST)
            cause = "settle looks who pays the order now, before it looks at what it kept"
            check_not_paid(trial.deliver(SECOND), after, Verdict.DUPLICATE, cause=cause)
        check_shipped(shop, [FIRST], after, ORDER)


def _check_held(reason: object) -> None:
    __tracebackhide__ = True
    check(
        isinstance(reason, str),
        f"an order was refunded, and hold approved a second payment: {reason!r}",
        "a reason: no other payment can pay an order that was ever paid, the buyer would pay for "
        "nothing",
        "hold looks at who pays the order now, and a refund took that away",
    )


def _money(arrival: Sequence[tuple[str, int]]) -> int:
    return min(place for place, (status, _) in enumerate(arrival) if status == "paid")


def _arrive(trial: Trial, order: str, imp_uid: str, arrival: Iterable[tuple[str, int]]) -> bool:
    """Deliver a payment in these states; tell whether the store keeps nothing of a full refund."""
    forgot = False
    for status, cancelled in arrival:
        state = {"status": status, "cancel_amount": cancelled}
        trial.pays(imp_uid, order, **(_ACCOUNT | state))
        trial.deliver(imp_uid)
        if status == "cancelled" and not trial.ask("receipts", [imp_uid]):
            forgot = True
    return forgot
