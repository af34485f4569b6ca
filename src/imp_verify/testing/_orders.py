"""An order that is changed, closed, deleted or made late: before, after and while it is paid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..models import ExpectedPayment, Outcome, Settled, Verdict, read_expected
from ._checks import (
    check,
    check_not_paid,
    check_paid,
    check_shipped,
    check_told,
    left_out,
    said,
)
from ._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from ._shop import TrialShop

__all__ = ["ChangingOrders"]

ASKED = ExpectedPayment(ORDER, PRICE)
_CONDITIONS: dict[str, dict[str, Any]] = {
    "account": {"account": "kr"},
    "pay_methods": {"pay_methods": ["card"]},
    "pg_providers": {"pg_providers": ["nice"]},
}
_READ_INSIDE = "the order is not read again inside the lock; outcome.expected is what it asked then"


class ChangingOrders:
    """Part of `OrderStoreContract`."""

    def test_an_amount_changed_under_way_is_stale(self, shop: TrialShop) -> None:
        after = "the order asks for more than when the payment was compared with it"
        shop.put(ExpectedPayment(ORDER, PRICE + 1))
        with Trial(shop) as trial:
            _check_settled(trial, ASKED, after, Settled.STALE)
            check_shipped(shop, [], after, ORDER)
            trial.pays(FIRST)
            outcome = trial.deliver(FIRST)
            check_not_paid(outcome, "too little was paid", Verdict.FORGERY, cause=_READ_INSIDE)
            check_shipped(shop, [], "too little was paid", ORDER)
            shop.put(ASKED)
            after = "the order asks again what was paid, which was STALE before"
            check_paid(trial.deliver(FIRST), after, Settled.NEW)
        check_shipped(shop, [FIRST], after, ORDER)

    def test_another_account_method_or_pg_is_stale(self, shop: TrialShop) -> None:
        unknown: list[str] = []
        with Trial(shop) as trial:
            for name, value in _CONDITIONS.items():
                plain = ExpectedPayment(f"ORD-{name}", PRICE)
                asked = ExpectedPayment(plain.merchant_uid, PRICE, **value)
                if _can_ask(trial, asked):
                    _check_condition(trial, name, plain, asked)
                else:
                    unknown.append(name)
        if unknown:
            why = "the shop's orders do not ask for them: `put` left them out, or raised"
            left_out(f"orders that are changed in their {', '.join(unknown)}", why)

    def test_an_order_closed_under_way_is_not_paid(self, shop: TrialShop) -> None:
        after = "the order was closed after the payment was compared with it"
        shop.put(ExpectedPayment(ORDER, PRICE, open=False))
        with Trial(shop) as trial:
            _check_settled(trial, ASKED, after, Settled.LATE, Settled.STALE)
        check_shipped(shop, [], after, ORDER)

    def test_an_order_deleted_under_way_is_not_paid(self, shop: TrialShop) -> None:
        after = "the order was deleted after the payment was compared with it"
        with Trial(shop) as trial:
            _check_settled(trial, ASKED, after, Settled.LATE, Settled.STALE)
        check_shipped(shop, [], after, ORDER)

    def test_an_order_may_change_while_its_payment_is_delivered(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for number in range(9):
                order = ExpectedPayment(f"ORD-{number}", PRICE)
                what, change = _changes(shop, order)[number % 3]
                after = f"an order was {what} while its payment was delivered twice"
                shop.put(order)
                imp_uid = f"imp_{number}"
                trial.pays(imp_uid, order.merchant_uid)
                deliver = partial(trial.deliver, imp_uid)
                outcomes = _no_trouble(trial.together(deliver, change, deliver), after)
                paid = any(each.paid for each in outcomes)
                wanted = [imp_uid] if paid else []
                check_shipped(shop, wanted, f"{after}: {_list(outcomes)}", order.merchant_uid)
                shop.put(order)
                check_paid(trial.deliver(imp_uid), f"{after}, and is as it was again")
                check_shipped(shop, [imp_uid], f"{after} and after it", order.merchant_uid)

    def test_an_order_changed_closed_or_deleted_after_it_was_paid_stays_paid(
        self, shop: TrialShop
    ) -> None:
        shop.put(ASKED)
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.deliver(FIRST)
            remembers = bool(trial.ask("receipts", [FIRST]))
            shop.put(ExpectedPayment(ORDER, PRICE, open=False))
            outcomes = {"closed": trial.deliver(FIRST)}
            trial.pays("imp_third")
            third = trial.deliver("imp_third")
            shop.put(ExpectedPayment(ORDER, PRICE + 1))
            changed = trial.deliver(FIRST)
            shop.delete(ORDER)
            deleted = trial.deliver(FIRST)
            trial.pays(SECOND)
            second = trial.deliver(SECOND)
        if remembers:  # what the order asked then is only known from a receipt
            outcomes |= {"changed": changed, "deleted": deleted}
        cause = "settle looks whether the order is open before it looks whether another one paid it"
        after = "another payment of an order that was paid, and closed then"
        check_not_paid(third, after, Verdict.DUPLICATE, cause=cause)
        for what, outcome in outcomes.items():
            check_paid(outcome, f"an order that was {what} after it was paid")
        check(not second.paid, f"a deleted order, paid again: {said(second)}", "it is not paid")
        check_shipped(shop, [FIRST], "an order changed after it was paid", ORDER)

    def test_money_for_a_closed_order_is_late_until_the_shop_opens_it(
        self, shop: TrialShop
    ) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE, open=False))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            for _ in range(2):
                check_not_paid(trial.deliver(FIRST), "paid after the order closed", Verdict.LATE)
            check_shipped(shop, [], "paid after the order closed", ORDER)
            check_told(shop, "on_late", 1, "late money, delivered twice")
            shop.put(ASKED)
            outcome = trial.deliver(FIRST)
        check_paid(outcome, "late money, and the shop opened the order again", Settled.NEW)
        check_shipped(shop, [FIRST], "late money was accepted", ORDER)

    def test_late_money_does_not_pay_an_order_that_is_dearer_or_paid_when_it_is_opened(
        self, shop: TrialShop
    ) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE, open=False))
        with Trial(shop) as trial:
            trial.pays(FIRST)
            trial.deliver(FIRST)
            shop.put(ExpectedPayment(ORDER, PRICE + 1))
            after = "late money, and the order was opened again and asks for more"
            _check_settled(trial, ASKED, after, Settled.LATE, Settled.STALE)
            check_shipped(shop, [], after, ORDER)
            shop.put(ASKED)
            trial.pays(SECOND)
            check_paid(trial.deliver(SECOND), "an order that was opened again", Settled.NEW)
            after = "late money, and another payment paid the order that was opened again"
            check_not_paid(trial.deliver(FIRST), after, Verdict.DUPLICATE, Verdict.LATE)
        check_shipped(shop, [SECOND], after, ORDER)

    def test_an_order_that_comes_later_than_its_payment_is_paid_then(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            trial.pays(FIRST)
            outcome = trial.deliver(FIRST)
            check_not_paid(outcome, "there is no such order yet", Verdict.UNKNOWN_ORDER)
            check_shipped(shop, [], "there is no such order yet", ORDER)
            shop.put(ASKED)
            check_paid(trial.deliver(FIRST), "the order is there now", Settled.NEW)
        check_shipped(shop, [FIRST], "the order was there at the second delivery", ORDER)

    def test_a_hold_refuses_an_order_that_another_payment_paid(self, shop: TrialShop) -> None:
        shop.put(ASKED)
        with Trial(shop) as trial:
            if not trial.holds:
                return
            before = [trial.ask("hold", ASKED, imp_uid) for imp_uid in (FIRST, FIRST, SECOND)]
            unpaid = "an unpaid order may be approved, repeatedly"
            check(before == [None] * 3, f"hold said {before} of an unpaid order", unpaid)
            check_shipped(shop, [], "an approval is no payment", ORDER)
            kept = trial.ask("receipts", [FIRST])
            check(not kept, f"an approval left {kept}", "it leaves no receipt: no money moved")
            trial.pays(FIRST)
            trial.deliver(FIRST)
            reason = trial.ask("hold", ASKED, SECOND)
            wanted = "a reason: the order is paid, and the buyer would pay twice"
            cause = "hold does not look whether another imp_uid paid, now or ever"
            approved = f"hold approved a second payment: {reason!r}"
            check(isinstance(reason, str), approved, wanted, cause)
            again = trial.ask("hold", ASKED, FIRST)
        wanted = "None: the payment that paid may be asked about again"
        check(again is None, f"hold refused the payment that paid: {again!r}", wanted)


def _check_settled(
    trial: Trial, asked: ExpectedPayment, after: str, *wanted: Settled, cause: str = _READ_INSIDE
) -> None:
    __tracebackhide__ = True
    settled = trial.ask("settle", paid_outcome(FIRST, asked))
    names = " or ".join(each.name for each in wanted)
    check(settled in wanted, f"{after}: settle said {settled!r}", names, cause)


def _can_ask(trial: Trial, order: ExpectedPayment) -> bool:
    """Make an order, and tell whether it asks for exactly this."""
    try:
        trial.shop.put(order)
    except Exception:  # a shop that has no such orders may say so as it likes
        return False
    found = trial.ask("expected", order.merchant_uid)
    return read_expected(order.merchant_uid, found) == order


def _check_condition(
    trial: Trial, name: str, plain: ExpectedPayment, asked: ExpectedPayment
) -> None:
    __tracebackhide__ = True
    cause = f"settle compares amount and currency under the lock, and not the {name}"
    for now, then in ((asked, plain), (plain, asked)):
        trial.shop.put(now)
        after = f"an order's {name} changed to {getattr(now, name)} after the payment was compared"
        _check_settled(trial, then, after, Settled.STALE, cause=cause)
        check_shipped(trial.shop, [], after, asked.merchant_uid)


def _changes(shop: TrialShop, order: ExpectedPayment) -> list[tuple[str, Callable[[], None]]]:
    number = order.merchant_uid
    return [
        ("closed", partial(shop.put, ExpectedPayment(number, order.amount, open=False))),
        ("made dearer", partial(shop.put, ExpectedPayment(number, order.amount + 1))),
        ("deleted", partial(shop.delete, number)),
    ]


def _no_trouble(found: list[Outcome | Exception | None], after: str) -> list[Outcome]:
    __tracebackhide__ = True
    for each in found:
        if isinstance(each, Exception):
            raise AssertionError(
                f"{after}: {each!r}\n  expected: each waits for the other\n"
                "  usual cause: the store locks the order's row after it has read others"
            ) from each
    return [each for each in found if isinstance(each, Outcome)]


def _list(outcomes: list[Outcome]) -> str:
    return ", ".join(said(each) for each in outcomes)
