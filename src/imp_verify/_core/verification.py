"""The flows: the one order of steps from a claim to a recorded verdict, and from a claim to an
approval. No I/O."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from .._core.reading import is_imp_uid
from ..errors import GatewayProtocolError, GatewayUnavailable, StoreError
from ..models import (
    ADOPT,
    ExpectedPayment,
    Notice,
    Outcome,
    Payment,
    Reason,
    ReceiptState,
    Settled,
    Verdict,
    outcome_with,
)
from ..observers import Observer
from ..settings import Settings
from .accounts import AccountChoice, Accounts, expect, whom_to_ask
from .calls import fetch_payment, find_payment
from .flow import Flow, Hold, Observe, Recall, Settle
from .gateway import Account
from .judge import (
    Judgement,
    judge,
    judge_claim,
    judge_money,
    needs_receipt,
    stands_for_order,
)

__all__ = ["LOOKUP_ENDS", "Refusal", "approve", "fetch_and_judge", "find_imp_uid", "verify"]

_log = logging.getLogger("imp_verify")

_REFETCHES = 3
LOOKUP_ENDS = 0.5
_HOLD_BEGINS = 0.75
"""Of `confirm_timeout`: what is done later leaves nothing for what comes next."""


def verify(
    settings: Settings,
    accounts: Accounts,
    notice: Notice,
    endpoint: str,
    deadline: float | None = None,
    *,
    asked: Account | None = None,
) -> Flow[Outcome]:
    """Fetch the payment that a notice names, judge it, and have the store record it.

    Args:
        deadline: When the gateway calls must be done; `settings.timeout` from now where it is left
            out.
        asked: The account to ask, where the caller knows it; else the notice's order says which.

    Raises:
        InvalidRequest: There are several accounts, and the notice names no order.
        GatewayError: The gateway gave no usable answer.
        StoreError: The store broke its protocol, or answered STALE again and again.
    """
    flow = _verify(settings, accounts, notice, endpoint, deadline, asked)
    observer = accounts.observer
    return flow if observer is None else _watched(observer, notice, endpoint, flow)


def _watched(
    observer: Observer, notice: Notice, endpoint: str, flow: Flow[Outcome]
) -> Flow[Outcome]:
    with observer.verification(endpoint, notice.imp_uid, notice.merchant_uid) as told:
        outcome = yield from flow
        _ = told(outcome.verdict, outcome.reason, outcome)
    return outcome


def _verify(
    settings: Settings,
    accounts: Accounts,
    notice: Notice,
    endpoint: str,
    deadline: float | None,
    asked: Account | None,
) -> Flow[Outcome]:
    if deadline is None:
        deadline = accounts.deadline(settings.timeout)
    before: Outcome | None = None
    for _ in range(1 + _REFETCHES):
        outcome = yield from fetch_and_judge(
            settings, accounts, notice, endpoint, deadline, asked=asked
        )
        if before is not None and _same_answer(before, outcome):
            outcome = outcome_with(outcome, refetched=True)
        before = outcome
        settled = yield from _hand_over(outcome)
        if settled is Settled.LATE and outcome.verdict is not Verdict.FORGERY:
            return (yield from _conclude_late(outcome))
        if settled is not Settled.STALE:
            return _conclude(outcome, settled)
    raise StoreError(
        f"the store calls every answer for {notice.imp_uid} stale: it must compare the order with "
        "outcome.expected, which is what its own `expected` said"
    )


def fetch_and_judge(
    settings: Settings,
    accounts: Accounts,
    notice: Notice,
    endpoint: str,
    deadline: float,
    *,
    asked: Account | None = None,
) -> Flow[Outcome]:
    """Fetch and judge: an outcome that no store has seen yet."""
    imp_uid = notice.imp_uid or ""
    choice = accounts.only if asked is None else AccountChoice(asked)
    if choice is None:
        choice = yield from whom_to_ask(accounts, imp_uid, notice.merchant_uid)
    if choice is None:
        return Outcome(Verdict.UNKNOWN_ORDER, imp_uid=imp_uid, endpoint=endpoint)
    name = choice.account.name
    payment = yield from fetch_payment(choice.account, imp_uid, deadline)
    if payment is None:
        return Outcome(Verdict.UNKNOWN_PAYMENT, imp_uid=imp_uid, endpoint=endpoint, asked=name)
    claim = judge_claim(payment, notice.merchant_uid, test_mode=settings.test_mode)
    expected = None
    if claim is None or claim.reason is not Reason.ORDER:
        # An order that named the account is not asked a second time: the store compares again.
        expected = choice.expected or (yield from expect(payment.merchant_uid))
    verdict, reason = claim or (
        yield from _judge(payment, expected, name, adopts=endpoint == ADOPT)
    )
    return Outcome(
        verdict,
        reason,
        imp_uid=imp_uid,
        merchant_uid=payment.merchant_uid,
        payment=payment,
        expected=expected,
        endpoint=endpoint,
        asked=name,
    )


def _judge(
    payment: Payment, expected: ExpectedPayment | None, account: str | None, *, adopts: bool
) -> Flow[Judgement]:
    """Judge by the order, and where that refuses, by what was recorded of this payment before: to
    adopt a payment, only where it pays already."""
    judgement = judge(payment, expected, None, account)
    if not needs_receipt(judgement):
        return judgement
    receipts = yield from Recall((payment.imp_uid,))
    receipt = receipts.get(payment.imp_uid)
    if receipt is None or not stands_for_order(receipt, payment):
        return judgement
    if adopts and receipt.state is not ReceiptState.PAYING:
        return judgement
    return judge(payment, expected, receipt, account)


def _hand_over(outcome: Outcome) -> Flow[Settled | None]:
    """Hand the outcome to the store: money to `settle`, all else to `observe`."""
    verdict = outcome.verdict
    if outcome.endpoint == ADOPT:
        return (yield from _adopt(outcome))
    if verdict is Verdict.UNKNOWN_PAYMENT or verdict is Verdict.UNKNOWN_ORDER:
        return None
    if verdict is Verdict.PAID or verdict is Verdict.PARTLY_CANCELLED:
        settled = _settled(verdict, (yield from Settle(outcome)))
        if verdict is Verdict.PARTLY_CANCELLED and settled in (Settled.NEW, Settled.REPEATED):
            observed = yield from Observe(outcome_with(outcome, settled=settled))
            if observed is not None and _settled(verdict, observed) is Settled.STALE:
                return Settled.STALE
        return settled
    no_order = verdict is Verdict.FAILED or verdict is Verdict.PENDING
    if no_order and outcome.expected is None:
        return None
    observed = yield from Observe(outcome)
    return None if observed is None else _settled(verdict, observed)


def _adopt(outcome: Outcome) -> Flow[Settled | None]:
    """Have the store adopt the payment where it is what the order asks; nothing else is kept of it,
    and no hook hears of a list of old payments that is wrong."""
    if outcome.verdict is not Verdict.PAID and outcome.verdict is not Verdict.PARTLY_CANCELLED:
        return None
    settled = _settled(outcome.verdict, (yield from Settle(outcome)))
    if settled is Settled.NEW:
        _log.info("adopted %s for order %.100r", outcome.imp_uid, outcome.merchant_uid)
    return settled


def _settled(verdict: Verdict, answer: object) -> Settled:
    if not isinstance(answer, Settled):
        raise StoreError(
            f"the store must answer {verdict} with a Settled, not {type(answer).__name__}"
        )
    return answer


def _same_answer(one: Outcome, other: Outcome) -> bool:
    return (one.verdict, one.reason, *_facts(one)) == (other.verdict, other.reason, *_facts(other))


def _facts(outcome: Outcome) -> tuple[object, ...]:
    payment = outcome.payment
    if payment is None:
        return ()
    return (payment.status, payment.amount, payment.cancel_amount, payment.currency)


def _conclude(outcome: Outcome, settled: Settled | None) -> Outcome:
    """Turn the store's answer into the final verdict. A forgery stays one, whatever it says."""
    outcome = outcome_with(outcome, settled=settled)
    if outcome.verdict is Verdict.FORGERY:
        return outcome
    if settled is Settled.DUPLICATE:
        return outcome_with(outcome, verdict=Verdict.DUPLICATE)
    if settled is Settled.REVIEW:
        return outcome_with(
            outcome, verdict=Verdict.PENDING, reason=outcome.reason or Reason.WENT_BACK
        )
    return outcome


def _conclude_late(outcome: Outcome) -> Flow[Outcome]:
    """Say of late money whether the shop itself gave it back: only the receipt knows."""
    imp_uid = outcome.imp_uid or ""
    receipt = (yield from Recall((imp_uid,))).get(imp_uid)
    refused = receipt is not None and receipt.reason is Reason.REFUSED
    reason = Reason.REFUSED if refused else outcome.reason
    return outcome_with(outcome, settled=Settled.LATE, verdict=Verdict.LATE, reason=reason)


def find_imp_uid(accounts: Accounts, merchant_uid: str, deadline: float) -> Flow[str | None]:
    """Find the payment of an order that a browser came back from without naming one; None where
    there is none.

    A paid one first: without a status the gateway gives the newest attempt, which may hide it.
    """
    if merchant_uid in (".", ".."):
        return None  # a path segment that clients and servers take away
    expected = yield from expect(merchant_uid)
    if expected is None:
        return None
    account = accounts.of(expected)
    for status in ("paid", "ready"):
        payment = yield from find_payment(account, merchant_uid, status, deadline)
        if payment is not None:
            return _as_imp_uid(payment.imp_uid)
    return None


def _as_imp_uid(found: str) -> str:
    """Return an id that came from the gateway and from no request, checked: logs and stores take
    well-formed ids only."""
    if not is_imp_uid(found):
        raise GatewayProtocolError("a payment's imp_uid is not 1 to 32 letters, digits, _ or -")
    return found


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a payment is not approved: a key of the table of answers, or the shop's own text."""

    key: str
    text: str | None = None
    outcome: Outcome | None = None


def approve(
    settings: Settings, accounts: Accounts, notice: Notice, began: float
) -> Flow[Refusal | None]:
    """Say why a payment may not be approved, None where it may. Nothing is recorded.

    Args:
        began: When the request came in, in seconds of `accounts.clock`.

    Raises:
        GatewayError: The gateway gave no usable answer, or too late to ask the shop.
        StoreError: The store broke its protocol.
    """
    flow = _approve(settings, accounts, notice, began)
    observer = accounts.observer
    return flow if observer is None else _watched_approval(observer, notice, flow)


def _watched_approval(
    observer: Observer, notice: Notice, flow: Flow[Refusal | None]
) -> Flow[Refusal | None]:
    with observer.verification("confirm", notice.imp_uid, notice.merchant_uid) as told:
        refusal = yield from flow
        verdict = "approved" if refusal is None else "refused"
        _ = told(verdict, None if refusal is None else refusal.key, None)
    return refusal


def _approve(
    settings: Settings, accounts: Accounts, notice: Notice, began: float
) -> Flow[Refusal | None]:
    imp_uid, merchant_uid = notice.imp_uid or "", notice.merchant_uid or ""
    choice = accounts.only or (yield from _of_order(accounts, merchant_uid))
    if choice is None:
        return Refusal("unknown_order")
    payment = None
    if settings.confirm_lookup:
        ends = began + LOOKUP_ENDS * settings.confirm_timeout
        deadline = min(ends, accounts.deadline(settings.timeout))
        payment = yield from fetch_payment(choice.account, imp_uid, deadline)
        if payment is None:
            return Refusal("unknown_payment")
        if judge_claim(payment, merchant_uid, test_mode=settings.test_mode) is not None:
            return Refusal("mismatch")
    expected = yield from expect(merchant_uid)
    if expected is None:
        return Refusal("unknown_order")
    reason = None if payment is None else judge_money(payment, expected, choice.account.name)
    if reason is not None or notice.amount != expected.amount:
        return Refusal("mismatch")
    if not expected.open:
        return Refusal("closed")
    begin_by = began + _HOLD_BEGINS * settings.confirm_timeout
    until = began + settings.confirm_timeout
    if accounts.clock() >= begin_by:
        raise GatewayUnavailable("the look-up took too long to ask the shop for an approval")
    answer = yield from Hold(expected, imp_uid, until, begin_by)
    return None if answer is None else _refusal(answer)


def _of_order(accounts: Accounts, merchant_uid: str) -> Flow[AccountChoice | None]:
    """Choose the account of an order; None where there is no such order.

    What is recorded is not asked: nothing stands for the order before money moves. The order is
    read again after the look-up, because no store compares a `hold` again.
    """
    expected = yield from expect(merchant_uid)
    return None if expected is None else AccountChoice(accounts.of(expected))


def _refusal(reason: object) -> Refusal:
    if not isinstance(reason, str) or not reason.strip():
        raise StoreError(f"hold must give None or a reason, not {type(reason).__name__}")
    return Refusal(reason) if reason == "already_paid" else Refusal("shop", reason)
