"""Numbers that look alike, amounts to the last digit, currencies."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from .._core.reading import EXACT
from ..errors import StoreError
from ..models import ExpectedPayment, Outcome, Settled, Verdict, read_expected
from ._checks import check, check_not_paid, check_paid, check_shipped, said
from ._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from ._shop import TrialShop

__all__ = ["Values"]

_STEP = Decimal("0.00000001")
_BYTES = (
    "the database compares text by a collation that folds case, accents, width or trailing spaces: "
    "make the column binary, or look at what was found"
)
_EXACT = "the amount goes through a float, an integer or a column with fewer digits"
_MONEY = "expected names no currency, which means KRW; or settle compares the amount alone"


class Values:
    """Part of `OrderStoreContract`."""

    look_alikes: Sequence[tuple[str, str]] = (
        ("ORD-case", "ord-case"),
        ("ORD-caf\u00e9", "ORD-cafe\u0301"),  # the same to see, other code points
        ("ORD-\N{ANGSTROM SIGN}", "ORD-\u00c5"),
        ("ORD-menu", "ORD-men\u00fc"),
        ("ORD-strasse", "ORD-straße"),
        ("ORD-😀", "ORD-😁"),
        ("주문-1", "주문-\N{FULLWIDTH DIGIT ONE}"),
    )
    """Pairs of order numbers that are not the same. A shop where some of these can be no order's
    number sets its own."""
    amounts: Sequence[str] = (
        "0.00000001",
        "10.99",
        "1000.10",
        "999999999999999999",
        "999999999999999999.99999999",
    )
    """Amounts that orders may ask for. A shop that sells in won only sets whole ones."""
    currencies: Sequence[str] = ("USD", "JPY")
    """Other currencies than KRW that orders may ask for."""

    def test_numbers_that_look_alike_are_different_orders(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for place, (one, other) in enumerate(self.look_alikes):
                after = f"there is an order {one!r}, and {other!r} was paid"
                asked = ExpectedPayment(other, PRICE)
                first, second = f"imp_{place}_1", f"imp_{place}_2"
                shop.put(ExpectedPayment(one, PRICE))
                trial.pays(second, other)
                outcome = trial.deliver(second)
                check_not_paid(outcome, after, Verdict.UNKNOWN_ORDER, cause=_BYTES)
                _settled(trial, paid_outcome(second, asked))
                _check_alike(shop, {one: [], other: []}, after)
                after = f"there are orders {one!r} and {other!r}, both paid"
                shop.put(asked)
                trial.pays(first, one)
                for imp_uid in (first, second):
                    check_paid(trial.deliver(imp_uid), after)
                _check_alike(shop, {one: [first], other: [second]}, after)

    def test_a_number_that_ends_in_a_space_is_another_one(self, shop: TrialShop) -> None:
        shop.put(ExpectedPayment(ORDER, PRICE))
        padded = f"{ORDER} "
        with Trial(shop) as trial:
            _settled(trial, paid_outcome(FIRST, ExpectedPayment(padded, PRICE)))
        after = f"there is an order {ORDER!r}, and {padded!r} was paid"
        _check_alike(shop, {ORDER: [], padded: []}, after)

    def test_payments_that_look_alike_are_different_payments(self, shop: TrialShop) -> None:
        payments = ("imp_look", "IMP_LOOK", "imp-look", "imp_look1")
        with Trial(shop) as trial:
            for number, imp_uid in enumerate(payments):
                order = f"ORD-{number}"
                shop.put(ExpectedPayment(order, PRICE))
                trial.pays(imp_uid, order)
                after = f"payments that look alike, {', '.join(payments)}: {imp_uid}"
                [found] = trial.together(partial(trial.deliver, imp_uid))
                answer = said(found) if isinstance(found, Outcome) else repr(found)
                good = isinstance(found, Outcome) and found.settled is Settled.NEW
                check(good, f"{after} was answered {answer}", "NEW for each", _BYTES)
                _check_alike(shop, {order: [imp_uid]}, after)

    def test_amounts_are_compared_to_the_last_digit(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for number, text in enumerate(self.amounts):
                amount, order = Decimal(text), f"ORD-{number}"
                shop.put(ExpectedPayment(order, amount))
                asked = read_expected(order, trial.ask("expected", order))
                same = asked is not None and asked.amount == amount
                check(same, f"an order of {text}: expected said {asked}", text, _EXACT)
                for other in (EXACT.add(amount, _STEP), EXACT.subtract(amount, _STEP)):
                    if 0 < other < 10**18:
                        after = f"{other:f} paid for an order of {text}"
                        _check_refused(trial, order, other, "KRW", after, _EXACT)
                trial.pays(f"imp_{number}", order, amount=text)
                check_paid(trial.deliver(f"imp_{number}"), f"{text} paid", Settled.NEW)
                check_paid(trial.deliver(f"imp_{number}"), f"{text}, again", Settled.REPEATED)
                check_shipped(shop, [f"imp_{number}"], f"an order of {text} paid", order)
                for receipt in trial.ask("receipts", [f"imp_{number}"]).values():
                    kept = f"{text} paid, and the receipt says {receipt.amount}"
                    check(receipt.amount == amount, kept, text, _EXACT)

    def test_another_currency_is_other_money(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for currency in self.currencies:
                order, imp_uid = f"ORD-{currency}", f"imp_{currency}"
                shop.put(ExpectedPayment(order, PRICE, currency))
                for other in {"KRW", *self.currencies} - {currency}:
                    after = f"{PRICE} {other} paid for an order of {PRICE} {currency}"
                    _check_refused(trial, order, Decimal(PRICE), other, after, _MONEY)
                trial.pays(imp_uid, order, currency=currency)
                check_paid(trial.deliver(imp_uid), f"{PRICE} {currency} paid", Settled.NEW)
                check_shipped(shop, [imp_uid], f"an order of {PRICE} {currency}", order)


def _settled(trial: Trial, outcome: Outcome) -> object:
    """Hand it to the store itself, which may refuse it."""
    try:
        return trial.ask("settle", outcome)
    except StoreError as error:
        return error


def _check_alike(shop: TrialShop, wanted: dict[str, list[str]], after: str) -> None:
    __tracebackhide__ = True
    for order, imp_uids in wanted.items():
        shipped = list(shop.shipped(order))
        happened = f"{after}: the goods of {order!r} went off for {shipped}"
        check(shipped == imp_uids, happened, f"for {imp_uids}: ids are compared as bytes", _BYTES)


def _check_refused(
    trial: Trial, order: str, amount: Decimal, currency: str, after: str, cause: str
) -> None:
    """Pay with other money: the flow must refuse it, and so must `settle`, where the order asks
    this since the payment was compared."""
    __tracebackhide__ = True
    trial.pays(SECOND, order, amount=f"{amount:f}", currency=currency)
    check_not_paid(trial.deliver(SECOND), after, Verdict.FORGERY, cause=cause)
    settled = trial.ask("settle", paid_outcome(SECOND, ExpectedPayment(order, amount, currency)))
    good = settled is Settled.STALE
    check(good, f"{after}: settle said {settled!r}", "STALE: the order asks other money", cause)
    check_shipped(trial.shop, [], after, order)
