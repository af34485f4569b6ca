"""What a verdict changes in an order and its receipts: one pure function, called inside a store's
lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ..models import (
    ADOPT,
    MONEY,
    ExpectedPayment,
    Outcome,
    Payment,
    Reason,
    Receipt,
    ReceiptState,
    Settled,
    Verdict,
    outcome_with,
)
from ._refunds import deposits, new_parts

__all__ = ["Change", "OrderState", "advance", "amount_of", "refuse"]

ACCOUNT_GIVEN_UP = "account"
"""The part of the key that tells an account given up from a refund: a deposit may still come, and
be refunded."""


# Not frozen, though nothing changes them: both are made for every payment, under the order's lock,
# and a frozen one takes four times as long to make.
@dataclass(slots=True)
class OrderState:
    """What a store reads under its lock before it decides.

    Attributes:
        receipt: What is recorded of this imp_uid.
        expected: What the shop says now; None or `open=False`: closed.
        paid_by: The imp_uid that pays the order now.
        was_paid: Whether it was ever paid, whatever became of it.
        others_wait: Whether another imp_uid of this order is waiting.
        known: The changes of this imp_uid that were handed on, each with its amount.
        giving_back: Whether this payment is being given back: a cancel of it may be under way at
            the gateway, so that it pays no order any more.
    """

    receipt: Receipt | None = None
    expected: ExpectedPayment | None = None
    paid_by: str | None = None
    was_paid: bool = False
    others_wait: bool = False
    known: Mapping[str, Decimal] = field(default_factory=dict)
    giving_back: bool = False

    @property
    def ever_paid(self) -> bool:
        """An order is paid at most once in its life."""
        return self.was_paid or self.paid_by is not None

    @property
    def closed(self) -> bool:
        """Gone or closed."""
        return self.expected is None or not self.expected.open

    @property
    def taken(self) -> bool:
        """Whether news of an attempt that came to nothing would only disturb: paid, or another one
        waits."""
        return self.ever_paid or self.others_wait

    @property
    def state(self) -> ReceiptState | None:
        """The state of this payment's receipt, None where there is none."""
        return None if self.receipt is None else self.receipt.state

    def is_stale(self, outcome: Outcome, payment: Payment) -> bool:
        """Whether the order asks something else now than what the payment was compared with."""
        now, then = self.expected, outcome.expected
        if now is None or then is None or not _same_money(now, payment):
            return True
        return (now.account, now.pay_methods, now.pg_providers) != (
            then.account,
            then.pay_methods,
            then.pg_providers,
        )

    def asks_what_was_paid(self, payment: Payment) -> bool:
        """Whether late money is accepted: the shop opened the order, and it asks for exactly this.

        Money that was recorded without an account, before there were several, is of the order's.
        What the shop refused, or what is being given back, is accepted no more.
        """
        expected, receipt = self.expected, self.receipt
        if self.giving_back or (receipt is not None and receipt.reason is Reason.REFUSED):
            return False
        if expected is None or self.closed or self.ever_paid or not _same_money(expected, payment):
            return False
        account = None if receipt is None else receipt.account
        return account in (None, expected.account) and expected.allows(payment)


def _same_money(expected: ExpectedPayment, payment: Payment) -> bool:
    return expected.amount == payment.amount and expected.currency == payment.currency


@dataclass(slots=True)
class Change:
    """What to write, and which hooks to call.

    Attributes:
        receipt: The receipt afterwards, None where there is none.
        hooks: Name of the hook and what it gets, in order; each is recorded as a change of its own.
        untold: Recorded as changes like those, so that they never are handed on; no hook is called.
    """

    settled: Settled | None
    receipt: Receipt | None
    hooks: tuple[tuple[str, Outcome], ...] = ()
    untold: tuple[Outcome, ...] = ()


def advance(order: OrderState, outcome: Outcome) -> Change:
    """Decide what an outcome changes. Everything the store knows goes in, nothing is done.

    Raises:
        ValueError: The outcome holds no payment, or a verdict that no store is given.
    """
    payment = outcome.payment
    if payment is None:
        raise ValueError("an outcome without a payment changes nothing")
    verdict = outcome.verdict
    if outcome.endpoint == ADOPT:
        return _adopt(order, outcome, payment)
    if verdict is Verdict.PAID:
        return _paid(order, outcome, payment)
    if verdict is Verdict.FORGERY:
        return _forgery(order, outcome)
    if verdict is Verdict.PENDING:
        return _pending(order, outcome, payment)
    if verdict is Verdict.PARTLY_CANCELLED:
        return _partly_cancelled(order, outcome, payment)
    if verdict is Verdict.VIRTUAL_ACCOUNT:
        return _virtual_account(order, outcome, payment)
    if verdict is Verdict.FAILED:
        return _failed(order, outcome, payment)
    if verdict is Verdict.CANCELLED:
        return _cancelled(order, outcome, payment)
    raise ValueError(f"no store is given {verdict}")


def _paid(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    state = order.state
    if state is ReceiptState.PAYING:
        return Change(Settled.REPEATED, _kept(order.receipt, payment))
    if state is ReceiptState.CANCELLED:
        return _went_back(order, outcome)
    if state is ReceiptState.DUPLICATE:
        return Change(Settled.DUPLICATE, _kept(order.receipt, payment))
    if state is ReceiptState.LATE and not order.asks_what_was_paid(payment):
        return Change(Settled.LATE, _kept(order.receipt, payment))
    return _take(order, outcome, payment)


def _take(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    """Money is there that was not recorded as such: it pays the order, or is one too many, or too
    late."""
    if order.ever_paid:
        told = outcome_with(
            outcome, verdict=Verdict.DUPLICATE, settled=Settled.DUPLICATE, paid_by=order.paid_by
        )
        receipt = _moved(order, outcome, payment, ReceiptState.DUPLICATE)
        return Change(Settled.DUPLICATE, receipt, _once(order, ("on_duplicate", told)))
    if order.closed or order.giving_back:
        told = outcome_with(outcome, verdict=Verdict.LATE, settled=Settled.LATE)
        receipt = _moved(order, outcome, payment, ReceiptState.LATE)
        return Change(Settled.LATE, receipt, _once(order, ("on_late", told)))
    if order.is_stale(outcome, payment):
        return Change(Settled.STALE, order.receipt)
    told = outcome_with(outcome, verdict=Verdict.PAID, settled=Settled.NEW)
    receipt = _moved(order, outcome, payment, ReceiptState.PAYING)
    return Change(Settled.NEW, receipt, _once(order, ("on_paid", told)))


def refuse(order: OrderState, outcome: Outcome) -> Change:
    """Decide as `advance` does, once `on_paid` has refused this payment by `GiveBack`: where it
    would pay the order it is kept as late, for good, and the order stays unpaid. What others
    recorded meanwhile stands: it may have paid by another delivery, or be one too many by now."""
    change = advance(order, outcome)
    late = change.settled is Settled.LATE
    if outcome.payment is None or not (late or any(name == "on_paid" for name, _ in change.hooks)):
        return change
    told = outcome_with(outcome, verdict=Verdict.LATE, reason=Reason.REFUSED, settled=Settled.LATE)
    moved = _moved(order, outcome, outcome.payment, ReceiptState.LATE)
    receipt = replace(moved, reason=Reason.REFUSED)
    return Change(Settled.LATE, receipt, _once(order, ("on_late", told)))


def _partly_cancelled(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    state = order.state
    if state is ReceiptState.CANCELLED:
        return _went_back(order, outcome)
    if state is ReceiptState.DUPLICATE or state is ReceiptState.LATE:
        again = Settled.DUPLICATE if state is ReceiptState.DUPLICATE else Settled.LATE
        return Change(again, _kept(order.receipt, payment))
    first = Change(Settled.REPEATED, _kept(order.receipt, payment))
    if state is not ReceiptState.PAYING:
        first = _take(order, outcome, payment)
        if first.receipt is None or first.receipt.state is not ReceiptState.PAYING:
            return first
    parts = tuple(("on_partly_cancelled", told) for told in _parts(order, outcome, payment))
    settled = Settled.NEW if parts else first.settled
    return Change(settled, first.receipt, first.hooks + parts)


def _parts(order: OrderState, outcome: Outcome, payment: Payment) -> tuple[Outcome, ...]:
    """Return one outcome for each refund of a part that was not handed on before."""
    return tuple(
        outcome_with(outcome, settled=Settled.NEW, cancellations=(part,), part=part.key)
        for part in new_parts(payment, order.known)
    )


def _adopt(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    """An old payment becomes the one that pays its order, whether or not that is still open, and
    no hook is called: the work was done before there was this store. All of that, or nothing."""
    if outcome.verdict not in (Verdict.PAID, Verdict.PARTLY_CANCELLED):
        raise ValueError(f"a payment that is {outcome.verdict} is not adopted")
    receipt = order.receipt
    if order.state is ReceiptState.PAYING:
        return Change(Settled.REPEATED, receipt)  # what is new of it comes by `verify`, with hooks
    if order.state is ReceiptState.CANCELLED:
        return Change(Settled.REVIEW if outcome.refetched else Settled.STALE, receipt)
    if order.ever_paid:
        return Change(Settled.DUPLICATE, receipt)
    if order.giving_back or (receipt is not None and receipt.reason is Reason.REFUSED):
        return Change(Settled.LATE, receipt)
    if order.is_stale(outcome, payment):
        return Change(Settled.STALE, receipt)
    paid = outcome_with(outcome, verdict=Verdict.PAID, settled=Settled.NEW)
    parts = _parts(order, outcome, payment) if outcome.verdict is Verdict.PARTLY_CANCELLED else ()
    untold = tuple(each for each in (paid, *parts) if each.change not in order.known)
    pays = _moved(order, outcome, payment, ReceiptState.PAYING)
    return Change(Settled.NEW, pays, untold=untold)


def _virtual_account(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    state = order.state
    if state is ReceiptState.PAYING or state is ReceiptState.CANCELLED:
        return _went_back(order, outcome)
    if state is ReceiptState.DUPLICATE or state is ReceiptState.LATE:
        return _money_is_gone(order, outcome)
    same = order.receipt is not None and order.receipt.amount == payment.amount
    waits = state is ReceiptState.WAITING and same
    if not waits and order.is_stale(outcome, payment):
        return Change(Settled.STALE, order.receipt)
    receipt = _moved(order, outcome, payment, ReceiptState.WAITING)
    if order.ever_paid or order.closed:
        return Change(Settled.DUPLICATE if order.ever_paid else Settled.LATE, receipt)
    if state is ReceiptState.WAITING:
        return Change(Settled.REPEATED, receipt)
    told = outcome_with(outcome, settled=Settled.NEW)
    return Change(Settled.NEW, receipt, _once(order, ("on_virtual_account", told)))


def _failed(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    state = order.state
    if state is ReceiptState.PAYING:
        return _went_back(order, outcome)
    if state is ReceiptState.DUPLICATE or state is ReceiptState.LATE:
        return _money_is_gone(order, outcome)
    if state is ReceiptState.CANCELLED:
        return Change(Settled.REPEATED, order.receipt)
    told = outcome_with(outcome, settled=Settled.NEW)
    hooks = () if order.taken else _once(order, ("on_failed", told))
    return _changed(order, _moved(order, outcome, payment, ReceiptState.FAILED), hooks)


def _cancelled(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    state = order.state
    refunded = payment.cancel_amount == payment.amount and payment.amount > 0
    if state is ReceiptState.CANCELLED:
        return Change(Settled.REPEATED, order.receipt)
    if state is ReceiptState.PAYING and not refunded:
        return _went_back(order, outcome)
    if (state is ReceiptState.DUPLICATE or state is ReceiptState.LATE) and not refunded:
        return _money_is_gone(order, outcome)
    after = ReceiptState.CANCELLED if refunded else ReceiptState.FAILED
    hooks: tuple[tuple[str, Outcome], ...] = ()
    if state is ReceiptState.PAYING or (_account_is_out(order) and not order.taken):
        told = outcome_with(
            outcome,
            settled=Settled.NEW,
            cancellations=new_parts(payment, order.known),
            part=None if refunded else ACCOUNT_GIVEN_UP,
        )
        hooks = _once(order, ("on_cancelled", told))
    return _changed(order, _moved(order, outcome, payment, after), hooks)


def _account_is_out(order: OrderState) -> bool:
    """Whether the shop waits for a deposit: it was told of an account, and not yet of its end,
    which may come in two ways, one after the other."""
    waits = order.state is ReceiptState.WAITING and str(Verdict.VIRTUAL_ACCOUNT) in order.known
    return waits and f"{Verdict.CANCELLED}:{ACCOUNT_GIVEN_UP}" not in order.known


def _pending(order: OrderState, outcome: Outcome, payment: Payment) -> Change:
    if outcome.reason is Reason.UNLIMITED_ACCOUNT:
        told = (
            ("on_review", outcome_with(outcome, settled=Settled.REVIEW, part=deposit))
            for deposit in deposits(payment)
        )
        return Change(Settled.REVIEW, order.receipt, _once(order, *told))
    if order.state is ReceiptState.PAYING:
        return _went_back(order, outcome)
    return Change(None, order.receipt)


def _forgery(order: OrderState, outcome: Outcome) -> Change:
    """The receipt stays as it is; what the order's state was is news for whoever would send the
    money back."""
    hooks = () if _forgery_is_told(order, outcome) else (("on_forgery", outcome),)
    settled = Settled.NEW if hooks else Settled.REPEATED
    if (
        outcome.reason is not Reason.ORDER
    ):  # a false claim is news about a request, not about an order
        if order.ever_paid:
            settled = Settled.DUPLICATE
        elif order.closed:
            settled = Settled.LATE
    return Change(
        settled,
        order.receipt,
        tuple((name, outcome_with(told, settled=settled)) for name, told in hooks),
    )


def _forgery_is_told(order: OrderState, outcome: Outcome) -> bool:
    """Whether the shop heard of this forgery: once per reason, and once more when money has come
    since. A row of release 0.1 does not say whether money was there. It holds the payment's amount,
    and counts as if it was."""
    reason = outcome.change.removesuffix(MONEY)
    if reason + MONEY in order.known or order.known.get(reason, 0) > 0:
        return True
    return reason in order.known and not outcome.money


def _went_back(order: OrderState, outcome: Outcome) -> Change:
    """The gateway says less than it said before: paid, and now unpaid. It is asked again first, for
    an old answer may have come late. Where it says so twice, a person must look."""
    if not outcome.refetched:
        return Change(Settled.STALE, order.receipt)
    told = outcome_with(
        outcome, verdict=Verdict.PENDING, reason=Reason.WENT_BACK, settled=Settled.REVIEW
    )
    return Change(Settled.REVIEW, order.receipt, _once(order, ("on_review", told)))


def _money_is_gone(order: OrderState, outcome: Outcome) -> Change:
    """As `_went_back`, for money that paid no order: where the gateway says so twice, the record
    stays as it is, and nobody need look."""
    if not outcome.refetched:
        return Change(Settled.STALE, order.receipt)
    duplicate = order.state is ReceiptState.DUPLICATE
    return Change(Settled.DUPLICATE if duplicate else Settled.LATE, order.receipt)


def _changed(order: OrderState, receipt: Receipt, hooks: tuple[tuple[str, Outcome], ...]) -> Change:
    changes = hooks or receipt != order.receipt
    return Change(Settled.NEW if changes else Settled.REPEATED, receipt, hooks)


def _once(order: OrderState, *told: tuple[str, Outcome]) -> tuple[tuple[str, Outcome], ...]:
    if not order.known:
        return told  # nearly all are the first
    return tuple([each for each in told if each[1].change not in order.known])


def _kept(receipt: Receipt | None, payment: Payment) -> Receipt | None:
    """Return the receipt with what has been refunded by now. An older answer that comes late does
    not lower it."""
    if receipt is None or payment.cancel_amount <= receipt.cancel_amount:
        return receipt
    return replace(receipt, cancel_amount=payment.cancel_amount)


def _moved(order: OrderState, outcome: Outcome, payment: Payment, state: ReceiptState) -> Receipt:
    before = order.receipt
    expected = outcome.expected
    account = None if before is None else before.account
    if account is None and expected is not None and (before is None or before.state is not state):
        account = expected.account  # where none was recorded, the order's was asked
    cancelled = payment.cancel_amount
    if before is not None:
        cancelled = max(cancelled, before.cancel_amount)
    return Receipt(
        imp_uid=payment.imp_uid,
        merchant_uid=payment.merchant_uid,
        state=state,
        amount=payment.amount,
        cancel_amount=cancelled,
        currency=payment.currency,
        account=account,
        test=payment.sandbox,
        reason=None if before is None else before.reason,
    )


def amount_of(told: Outcome) -> Decimal:
    """Return the amount to record with a change that is handed on: a refund's own, nothing for a
    forgery without money, else the payment's."""
    if told.verdict is Verdict.PARTLY_CANCELLED and told.cancellations:
        return told.cancellations[0].amount
    if told.payment is None or (told.verdict is Verdict.FORGERY and not told.money):
        return Decimal(0)
    return told.payment.amount
