"""Giving back the money that pays nothing: when a row of the ledger is tried, and how a try ends.
Flows, without I/O.

A try looks first, then claims the row, which is committed, and only then sends the cancel with what
the row says is left. What the gateway accepted but may carry out later, and what nobody can tell to
have been carried out, is marked `asked` before it goes out: no number guards a second one there,
and a person must look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from ..errors import GatewayError, GatewayRefused, GatewayUnavailable, InvalidRequest
from ..models import LEFT_TO_A_PERSON, Due, Notice, Outcome, Reason, Refund, Verdict
from ..settings import Settings
from .accounts import Accounts, expect
from .calls import cancel_payment, find_payments
from .cancelling import ACCEPTED, Cancel, is_later, look_anyway
from .flow import Consult, Flow
from .gateway import Account
from .verification import verify

__all__ = ["account_of", "deliver", "give_back", "is_time", "is_tried", "look_at", "try_due"]

_log = logging.getLogger("imp_verify")

_ENOUGH = 3.0
"""Seconds of a verification that must be left for a try behind it."""
_LEASE = timedelta(seconds=60)
"""How much longer than the cancel itself may take nobody else tries it."""
_REFUSED = "refused"
_KINDS = {
    "forgery": Verdict.FORGERY,
    "duplicate": Verdict.DUPLICATE,
    "late": Verdict.LATE,
    _REFUSED: Verdict.LATE,
}
_REASONS = {
    "forgery": ("주문과 다른 결제 환불", "not what the order asks"),
    "duplicate": ("중복 결제 환불", "the order is paid already"),
    "late": ("마감된 주문의 결제 환불", "the order was closed"),
    _REFUSED: ("주문 처리 불가로 환불", "the order cannot be fulfilled"),
}
_ACCOUNT = "vbank"
_ASKED = "asked"
_NEEDS_ACCOUNT = "needs_account"
_UNKNOWN = "unknown_payment"


def deliver(
    settings: Settings,
    accounts: Accounts,
    notice: Notice,
    endpoint: str,
    deadline: float | None = None,
) -> Flow[Outcome]:
    """Verify what a delivery names, and give back what the shop has consented to. Raises like
    `verify`; a try that fails is logged and changes nothing."""
    if deadline is None:
        deadline = accounts.deadline(settings.timeout)
    outcome = yield from verify(settings, accounts, notice, endpoint, deadline)
    if _may_be_due(settings, outcome) and deadline - accounts.clock() >= _ENOUGH:
        try:
            due = yield from Consult("due", (outcome.imp_uid,))
            if due is not None and is_time(settings, due):
                yield from try_due(settings, accounts, due, outcome, deadline=deadline)
        except Exception as error:  # the hooks' own, too
            _log.warning("giving back %s: %s", outcome.imp_uid, _said(error))
    return outcome


def _may_be_due(settings: Settings, outcome: Outcome) -> bool:
    """Whether to ask the ledger at all. News about a request (ORDER) gives nothing back: who knows
    an imp_uid must not have it cancelled."""
    if not outcome.money or outcome.reason is Reason.ORDER:
        return False
    refused = outcome.reason is Reason.REFUSED
    return refused or any(outcome.verdict is _KINDS[kind] for kind in settings.give_back)


def is_time(settings: Settings, due: Due) -> bool:
    """Whether a row is one that the verifier tries by itself, now."""
    ready = due.next_try is not None and due.next_try <= datetime.now(UTC)
    return ready and is_tried(settings, due) and (settings.test_mode or not due.test)


def is_tried(settings: Settings, due: Due) -> bool:
    """Whether the verifier tries it by itself, now or later; else a person decides."""
    consented = due.kind == _REFUSED or due.kind in settings.give_back
    waits = due.next_try is not None and due.error not in LEFT_TO_A_PERSON
    return consented and waits and due.done is None


def give_back(
    settings: Settings,
    accounts: Accounts,
    imp_uid: str,
    refund_to: Refund | None,
    *,
    by_policy: bool = False,
) -> Flow[Outcome]:
    """Give a payment back because a person says so, whatever the policy names.

    Args:
        by_policy: That person named the policy and not this payment, so that what was left to a
            person meanwhile is not tried.

    Raises:
        InvalidRequest: Nothing is due of it; it was given back; or it needs a bank account.
        GatewayRefused, GatewayUnavailable: As `cancel`.
    """
    due: Due | None = yield from Consult("due", (imp_uid,))
    if due is None:
        raise InvalidRequest(f"nothing is due back of {imp_uid}")
    if due.done is not None:
        raise InvalidRequest(f"{imp_uid} is due no more: it was given back, or it pays its order")
    if due.test and not settings.test_mode:
        raise InvalidRequest(f"{imp_uid} is a test payment, and the verifier is not in test mode")
    if by_policy and not is_time(settings, due):
        raise InvalidRequest(f"{imp_uid} is not to be tried now: {due.error or 'somebody does'}")
    asked = yield from account_of(accounts, due.account, due.merchant_uid)
    outcome = yield from look_at(settings, accounts, due, asked)
    deadline = accounts.deadline(settings.cancel_timeout)
    return (
        yield from try_due(
            settings,
            accounts,
            due,
            outcome,
            refund_to=refund_to,
            by_hand=True,
            by_policy=by_policy,
            deadline=deadline,
        )
    )


def account_of(accounts: Accounts, name: str | None, merchant_uid: str) -> Flow[Account]:
    """Return the account that a payment was recorded with; its order's, where that was before there
    were several.

    Raises:
        StoreError, InvalidRequest: There is none.
    """
    if accounts.only is not None or name is not None:
        return accounts.select(None if accounts.only is not None else name)
    expected = yield from expect(merchant_uid)
    return accounts.select(None) if expected is None else accounts.of(expected)


def look_at(
    settings: Settings,
    accounts: Accounts,
    due: Due,
    asked: Account,
    deadline: float | None = None,
) -> Flow[Outcome]:
    """Verify what is due, before and after a try."""
    return verify(settings, accounts, Notice(due.imp_uid), "give_back", deadline, asked=asked)


def try_due(
    settings: Settings,
    accounts: Accounts,
    due: Due,
    outcome: Outcome,
    *,
    refund_to: Refund | None = None,
    by_hand: bool = False,
    by_policy: bool = False,
    deadline: float,
) -> Flow[Outcome]:
    """Try to give one payment back that was verified just now; returns what it came to, the same
    outcome where nothing was tried.

    Args:
        by_hand, by_policy: See `give_back`.

    Raises:
        InvalidRequest: By hand: it needs a bank account, or somebody else tries it now.
        GatewayError: The cancel was refused, or no answer came; the row says so.
    """
    imp_uid, payment = due.imp_uid, outcome.payment
    if payment is None or not _is_still(due, outcome):
        if outcome.verdict is Verdict.UNKNOWN_PAYMENT and due.begun is None:
            yield from Consult("close_due", (imp_uid, _UNKNOWN))
        return outcome
    if payment.pay_method == _ACCOUNT and refund_to is None:
        if due.begun is None:  # else a cancel may be out, which no other word may hide
            yield from Consult("close_due", (imp_uid, _NEEDS_ACCOUNT))
        if by_hand:
            raise InvalidRequest(f"refund_to is missing: {imp_uid} was paid to a virtual account")
        return outcome
    asked = yield from account_of(accounts, due.account, due.merchant_uid)
    if due.kind == "duplicate" and due.begun is None:
        yield from _look_at_the_others(settings, accounts, due, asked, deadline)
    until = datetime.now(UTC) + timedelta(seconds=settings.cancel_timeout) + _LEASE
    named = {"by_hand": by_hand and not by_policy}
    claimed: Due | None = yield from Consult("claim", (imp_uid, until), named)
    if claimed is None:
        if by_hand:
            raise InvalidRequest(
                f"{imp_uid} cannot be given back now: it pays its order, is being "
                "given back, or its order's own payment was cancelled: look again"
            )
        return outcome
    if is_later(payment):
        yield from Consult("close_due", (imp_uid, _ASKED))
    wanted = Cancel(imp_uid, _reason(settings, due), refundable=claimed.amount, refund_to=refund_to)
    # Behind a delivery it has no more time than that; by hand it has its own.
    look = partial(look_at, settings, accounts, due, asked, None if by_hand else deadline)
    return (yield from _cancel(asked, wanted, deadline, look, claimed.error))


def _look_at_the_others(
    settings: Settings, accounts: Accounts, due: Due, asked: Account, deadline: float
) -> Flow[None]:
    """Record what of the order's other payments was cancelled without a notice: where that is the
    one that paid, this one may be the order's only one, and the claim leaves it to a person."""
    if due.merchant_uid in (".", ".."):
        return
    number = due.merchant_uid
    # A row that nobody can read would keep the buyer's money for good.
    for payment in (yield from find_payments(asked, number, deadline, strict=False)):
        if payment.imp_uid != due.imp_uid and payment.cancel_amount:
            other = Notice(payment.imp_uid, due.merchant_uid)
            yield from verify(settings, accounts, other, "give_back", deadline, asked=asked)


def _cancel(
    asked: Account,
    wanted: Cancel,
    deadline: float,
    look: Callable[[], Flow[Outcome]],
    before: str | None,
) -> Flow[Outcome]:
    yield from _send(asked, wanted, deadline, look, before)
    try:
        # Until the money is seen to be gone.
        yield from Consult("close_due", (wanted.imp_uid, _ASKED))
        after = yield from look()
    except Exception as error:
        error.add_note(ACCEPTED.format(wanted.imp_uid))
        raise
    _log.info("gave back %s", wanted.imp_uid)
    return after


def _send(
    asked: Account,
    wanted: Cancel,
    deadline: float,
    look: Callable[[], Flow[Outcome]],
    before: str | None,
) -> Flow[None]:
    """Send the cancel; where it comes to nothing the row says why, and the error is raised.

    Args:
        before: `asked`, where a cancel of before may still be carried out: no other word may hide
            that, or it would be repeated without a person.
    """
    try:
        yield from cancel_payment(asked, wanted, deadline)
    except GatewayRefused as error:
        said = before or _without(error.message or str(error), wanted.refund_to)
        yield from Consult("close_due", (wanted.imp_uid, said))
        raise
    except GatewayUnavailable as error:
        if not error.uncertain:
            yield from Consult("close_due", (wanted.imp_uid, before or str(error)))
            raise
        # Its claim stands until its time is over; then the next try looks first, too.
        yield from look_anyway(look(), error)
        raise


def _without(text: str, refund_to: Refund | None) -> str:
    """Take the buyer's bank account out of what the gateway says, should it repeat it."""
    hidden = () if refund_to is None else refund_to.fields().values()
    for each in hidden:
        if isinstance(each, str) and len(each) > 2:
            text = text.replace(each, "...")
    return text


def _is_still(due: Due, outcome: Outcome) -> bool:
    """Whether the payment is still what its row says: of one that was claimed, whether it pays
    nothing yet."""
    if not outcome.money or outcome.reason is Reason.ORDER:
        return False
    if due.begun is not None:
        return outcome.verdict in _KINDS.values()
    refused = outcome.reason is Reason.REFUSED
    return outcome.verdict is _KINDS[due.kind] and refused is (due.kind == _REFUSED)


def _reason(settings: Settings, due: Due) -> str:
    korean, english = _REASONS[due.kind]
    return english if settings.language == "en" else korean


def _said(error: Exception) -> str:
    """Return what an error says that may stand in a log: ours, and the gateway's own words."""
    message = getattr(error, "message", None)
    if not isinstance(error, GatewayError | InvalidRequest):
        return type(error).__name__
    return f"{error}" + (f" [gateway: {message!r:.200}]" if message else "")
