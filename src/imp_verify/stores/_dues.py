"""Which payments are to be given back, and when one may be tried: pure functions, called inside a
store's lock. No database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ..models import (
    LEFT_TO_A_PERSON,
    Outcome,
    Payment,
    Reason,
    Receipt,
    ReceiptState,
    Settled,
    Verdict,
)
from ._advance import Change
from ._ledger import Due

__all__ = [
    "LONGEST_ERROR",
    "Claim",
    "claim_due",
    "closed_due",
    "due_after",
    "is_being_given_back",
    "is_found_due",
    "may_be_due",
    "now_in_ms",
    "whole_second",
]

_ASKED = "asked"
_ORDER_REFUNDED = "order_refunded"
_FORGED = (Reason.AMOUNT, Reason.CURRENCY, Reason.METHOD)
_NO_MONEY_YET = (None, ReceiptState.FAILED, ReceiptState.WAITING)
_ONE_TOO_MANY = (ReceiptState.DUPLICATE, ReceiptState.LATE)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(days=1)
_TRIES = 10
_RECENT = timedelta(days=1)
LONGEST_ERROR = 200


def now_in_ms() -> datetime:
    """Return the time as every store keeps it: UTC, to the millisecond."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def whole_second() -> datetime:
    """Return the second in which a store begins: the gateway counts whole ones, and what is paid in
    this one is not of the past."""
    return datetime.now(UTC).replace(microsecond=0)


def may_be_due(receipt: Receipt | None, known: Mapping[str, Decimal]) -> bool:
    """Whether there may be an open row of this payment, so that a store has to look: not for one
    that is seen the first time, nor for one that pays."""
    state = None if receipt is None else receipt.state
    if state in _ONE_TOO_MANY:
        return True
    return state in _NO_MONEY_YET and any(key.startswith(Verdict.FORGERY) for key in known)


def is_being_given_back(due: Due | None) -> bool:
    """Whether a cancel of this payment may be under way at the gateway; or is done, of a forgery:
    no receipt says so, and an old answer may come late."""
    return due is not None and due.begun is not None and (due.done is None or due.kind == "forgery")


def is_found_due(
    due: Due | None, receipt: Receipt | None, change: Change, outcome: Outcome
) -> bool:
    """Whether this change makes a row, if the payment was paid after the store began.

    Args:
        due: The row that is there.
        receipt: The receipt as it was before.
    """
    if due is not None and not _may_open_again(due, receipt):
        return False
    return _kind(receipt, change, outcome) is not None


def _may_open_again(due: Due, receipt: Receipt | None) -> bool:
    """Whether money may be there again that was gone, without anybody having given it back. Of a
    forgery an old answer may have come late, for no receipt says that its money went."""
    state = None if receipt is None else receipt.state
    return due.done is not None and due.begun is None and state in _ONE_TOO_MANY


def _kind(receipt: Receipt | None, change: Change, outcome: Outcome) -> str | None:
    """Return why this payment's money is to be given back, None where it is not."""
    after = change.receipt
    if outcome.verdict is Verdict.FORGERY:
        state = None if receipt is None else receipt.state
        forged = outcome.reason in _FORGED and state in _NO_MONEY_YET
        return "forgery" if forged and outcome.expected is not None and outcome.money else None
    if after is None or after.state not in _ONE_TOO_MANY or not outcome.money:
        return None
    if after.state is ReceiptState.DUPLICATE:
        return "duplicate"
    return "refused" if after.reason is Reason.REFUSED else "late"


def due_after(
    due: Due | None,
    receipt: Receipt | None,
    change: Change,
    outcome: Outcome,
    began: datetime | None,
) -> Due | None:
    """Return the row to write with a change, None where none is.

    Args:
        due: The row that is there.
        receipt: The receipt as it was before.
        began: When the store began, where `is_found_due`.
    """
    payment = outcome.payment
    assert payment is not None  # `advance` refuses such an outcome
    if began is not None:
        return _new(change, outcome, payment, began, _kind(receipt, change, outcome) or "")
    if due is None or due.done is not None:
        return None
    pays = change.receipt is not None and change.receipt.state is ReceiptState.PAYING
    if _is_gone(outcome, payment) or (pays and due.begun is None):
        return replace(due, next_try=None, done=now_in_ms())
    if not outcome.money:
        return None  # it may be an old answer
    kind = None if due.begun is not None else _kind(receipt, change, outcome)
    # What was claimed as one kind is given back as that, whatever it would be by now.
    after = replace(due, kind=kind or due.kind, amount=min(due.amount, payment.remaining))
    if after.kind != due.kind and due.error is None:
        after = replace(after, next_try=due.next_try or now_in_ms())  # it is of the past no more
    return None if after == due else after


def _new(
    change: Change, outcome: Outcome, payment: Payment, began: datetime, kind: str
) -> Due | None:
    """Return a new row, None for money from before the store began: a shop's past is nobody's
    business."""
    if payment.paid_at is None or payment.paid_at < began:
        return None
    receipt, expected, now = change.receipt, outcome.expected, now_in_ms()
    account = None if receipt is None else receipt.account
    if account is None and expected is not None:
        account = expected.account
    return Due(
        imp_uid=payment.imp_uid,
        merchant_uid=payment.merchant_uid,
        kind=kind,
        amount=payment.remaining,
        currency=payment.currency,
        account=account,
        test=payment.sandbox,
        begun=None,
        tries=0,
        next_try=None if _is_of_the_past(kind, outcome, payment, now) else now,
        error=None,
        created=now,
        done=None,
    )


def _is_of_the_past(kind: str, outcome: Outcome, payment: Payment, now: datetime) -> bool:
    """Whether late money may be that of an order which something else has served, before this
    store was asked: a closed order's old payment that comes up by `reconcile` or by an old link. A
    person decides."""
    old = payment.paid_at is None or payment.paid_at < now - _RECENT
    return kind == "late" and (old or outcome.endpoint == "reconcile")


def _is_gone(outcome: Outcome, payment: Payment) -> bool:
    """Whether all of it was given back; or the gateway says for the second time that there is
    none."""
    if payment.cancel_amount == payment.amount:
        return payment.amount > 0
    return outcome.refetched and not payment.holds_money


@dataclass(frozen=True, slots=True)
class Claim:
    """What comes of a claim.

    Attributes:
        due: What whoever asked gets.
        write: The row to write.
        told: What `on_review` gets, where a person must look.
    """

    due: Due | None = None
    write: Due | None = None
    told: Outcome | None = None


def claim_due(
    due: Due | None,
    paid_by: str | None,
    known: Mapping[str, Decimal],
    until: datetime,
    *,
    by_hand: bool = False,
) -> Claim:
    """Decide a claim; see `Ledger.claim`.

    Args:
        due: The row that is there.
        paid_by: The imp_uid that pays the order now.
        known: The changes that were handed on; a person who was told once is not told again.
    """
    now = now_in_ms()
    if due is None or due.done is not None or due.imp_uid == paid_by:
        return Claim()
    if not (_may_a_person_try(due, now) if by_hand else _is_time(due, now)):
        return Claim()
    if due.tries >= _TRIES and not by_hand:  # none was answered, else `closed_due` had seen to it
        return Claim(write=replace(due, next_try=None))
    if due.kind == "duplicate" and due.begun is None and paid_by is None:
        told = _review(due)
        if not by_hand or told.change not in known:  # the error may be another's by now
            left = replace(due, next_try=None, error=_ORDER_REFUNDED)
            return Claim(write=left, told=None if told.change in known else told)
    # That the gateway may be about to carry one out is forgotten by no further try.
    error = due.error if due.error == _ASKED else None
    claimed = replace(due, begun=due.begun or now, tries=due.tries + 1, next_try=until, error=error)
    return Claim(claimed, claimed)


def _is_time(due: Due, now: datetime) -> bool:
    left = due.error in LEFT_TO_A_PERSON
    return not left and due.next_try is not None and due.next_try <= now


def _may_a_person_try(due: Due, now: datetime) -> bool:
    """Whether nobody else tries it at this moment: while one does there is no error yet, or it was
    noted before the cancel went out that it may be carried out later."""
    claimed = due.begun is not None and due.error in (None, _ASKED)
    return not (claimed and due.next_try is not None and due.next_try > now)


def _review(due: Due) -> Outcome:
    """Say that the payment which is one too many may have become the order's only one."""
    return Outcome(
        Verdict.DUPLICATE,
        imp_uid=due.imp_uid,
        merchant_uid=due.merchant_uid,
        endpoint="give_back",
        settled=Settled.REVIEW,
        part=_ORDER_REFUNDED,
    )


def closed_due(due: Due | None, error: str | None) -> Due | None:
    """Return the row to write when a try has ended; see `Ledger.close_due`."""
    if due is None or due.done is not None or error is None:
        return None
    if error == _ASKED:  # for as long as it is claimed no person tries it, either
        # What `cancel` asked for was not claimed: it pays no order from here on, too.
        return replace(due, error=error, begun=due.begun or now_in_ms())
    if due.error == _ASKED and due.tries > 1:
        return replace(due, next_try=None)  # what an earlier try asked for may still be done
    if error in LEFT_TO_A_PERSON:
        return replace(due, next_try=None, error=error)
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** max(0, due.tries - 1))
    next_try = now_in_ms() + pause if due.tries < _TRIES else None
    return replace(due, next_try=next_try, error=error[:LONGEST_ERROR])
