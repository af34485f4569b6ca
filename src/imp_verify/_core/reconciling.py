"""Comparing what the gateway lists with what is recorded, and repairing what differs. Flows,
without I/O.

The list is read in windows that are closed, by pages of a thousand, from the last page to the
first: a payment that leaves the list meanwhile, because what is compared with the window is its
latest change, causes a repeat then, and no gap.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import TypeVar

from ..errors import GatewayError, GatewayUnavailable, ImpVerifyError, InvalidRequest
from ..models import (
    Due,
    Finding,
    FindingKind,
    Notice,
    Outcome,
    Payment,
    Receipt,
    ReceiptState,
    Run,
    Settled,
    Verdict,
)
from ..settings import Settings
from .accounts import Accounts, expect
from .calls import Listed, Unreadable, find_payments, list_payments
from .flow import Consult, Flow, Recall, Tell, Wait
from .gateway import Account
from .giving_back import is_time, look_at, try_due
from .reading import check_merchant_uid
from .runs import Progress, Range
from .verification import verify

__all__ = ["UNRECORDED", "reconcile", "sweep"]

_log = logging.getLogger("imp_verify")

T = TypeVar("T")

UNRECORDED = "unrecorded"
"""What marks a record of the log that is about a payment which the next run comes back to."""
_CLOSED = timedelta(minutes=1)
"""How far a window keeps from now, where nobody says: what is younger may still be under way."""
_OVERLAP = timedelta(hours=1)
"""How much of the last run is read again: a payment may be listed late."""
_LONGEST_WINDOW = timedelta(days=90)
"""Source: V1 REST API, GET /payments/status/{payment_status}."""
_PAGE = 1000
_READINGS = 3
_PAGE_SECONDS = 30.0
_LONGEST_WAIT = 60.0
_WAITS = 5
_OVER_FOR = timedelta(days=14)
"""How long an account whose date has passed is looked up by itself."""
_ACCOUNTS = 500
_MENDED = (FindingKind.MISSING, FindingKind.REFUND_MISSING, FindingKind.WAITING_PAID)
"""What is no finding any more once it is recorded."""


def reconcile(
    settings: Settings,
    accounts: Accounts,
    chosen: Sequence[Account],
    wanted: Range,
    *,
    ledger: bool,
    progress: bool = False,
) -> Flow[None]:
    """Compare what the gateway lists with what is recorded, one account after the other, and tell
    each finding, repaired.

    Args:
        chosen: The accounts to read.
        ledger: Whether the store is a `Ledger`: it keeps the place, and knows what waits and what
            is due.
        progress: Whether to tell each `Progress` too, in between.

    Raises:
        InvalidRequest: There is no ledger and no `since`.
        GatewayError: The gateway can no longer be asked; what was done stays, and the place is
            kept.
        StoreError: As `verify`. What the store raises comes as it is.
    """
    if not ledger and wanted.since is None:
        raise InvalidRequest("since is missing: this store does not know when it began")
    for account in chosen:
        kept: Run | None = None
        if ledger:
            kept = yield from Consult("run", (account.name or "",))
        start, end, page = _where_to_begin(wanted, kept)
        began = wanted.since if kept is None else kept.began
        oldest = wanted.orders_before or began or start
        at = Progress(account.name, start, end)
        work = _Work(settings, accounts, account, wanted, end, oldest, ledger, at, progress)
        if kept is not None and wanted.since is wanted.until is None and not wanted.dry_run:
            work.place, work.at = replace(kept, until=end), replace(at, kept=True)
        yield from _reconcile(work, start, page)


def _reconcile(work: _Work, start: datetime, page: int | None) -> Flow[None]:
    for window in _windows(start, work.end):
        yield from _read_window(work, window, page)
        page = None
    if work.ledger:
        yield from _look_at_accounts(work)
        yield from _tell_dues(work)
    if work.place is not None:
        # Where the shop's own code failed, the next run begins where this one did.
        finished = work.place.finished if work.failed else _read_until(work)
        yield from Consult("save_run", (replace(work.place, page=None, finished=finished),))


def _read_until(work: _Work) -> datetime:
    """Return until when this run has read. Where this machine's clock is ahead of the gateway's,
    that is not the end of its window: what is paid until then is still to come."""
    assert work.place is not None
    there = inf if work.there is None else work.there - _CLOSED.total_seconds()
    if there >= work.end.timestamp():
        return work.end
    return max(datetime.fromtimestamp(there, UTC), work.place.began)


@dataclass(slots=True)
class _Work:
    """What a run has with it from the first page to the last.

    Attributes:
        end: Of the window.
        oldest: Payments from before it are too old to be recorded.
        ledger: Whether the store knows what is due.
        at: How far it is; `progress` says whether somebody wants to know.
        place: Where the run is, to be kept; None where it is no run of its own.
        payments, passed: See `Progress`.
        failed: Whether store or hooks failed over a payment: from then on the place stays.
        there: The gateway's time when a window was last begun, Unix seconds.
    """

    settings: Settings
    accounts: Accounts
    account: Account
    wanted: Range
    end: datetime
    oldest: datetime
    ledger: bool
    at: Progress
    progress: bool
    place: Run | None = None
    payments: int = 0
    passed: int = 0
    failed: bool = False
    there: float | None = None

    @property
    def keeps(self) -> bool:
        """Whether a run that is stopped here is taken up where it was: not while payments are
        still to come into its window, which would move others past the reader."""
        over = self.there is None or self.there >= self.end.timestamp()
        return self.place is not None and not self.failed and over

    def deadline(self) -> float:
        return self.accounts.deadline(_PAGE_SECONDS)

    def tell(self, imp_uid: str | None = None, due: Due | None = None) -> Flow[None]:
        if self.progress:
            at = replace(self.at, payments=self.payments, passed=self.passed)
            yield from Tell(replace(at, imp_uid=imp_uid, due=due))


def _where_to_begin(wanted: Range, kept: Run | None) -> tuple[datetime, datetime, int | None]:
    """Return the window, and the page to go on with where a run was stopped in it."""
    end = wanted.until or wanted.now - _CLOSED
    if wanted.since is not None:
        return wanted.since, end, None
    assert kept is not None  # `reconcile` asked for a `since` else
    if wanted.until is None and not wanted.dry_run and kept.page and kept.since and kept.until:
        return kept.since, kept.until, kept.page
    start = (kept.finished or kept.began) - _OVERLAP
    return (start, end, None) if start < end else (end - _OVERLAP, end, None)


def _windows(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    windows = []
    while start < end:
        until = min(start + _LONGEST_WINDOW, end)
        windows.append((start, until))
        start = until
    return windows


def _read_window(work: _Work, window: tuple[datetime, datetime], page: int | None) -> Flow[None]:
    """Read all pages of a window; again where the list changed meanwhile, for what came into it
    may have moved a payment past the reader."""
    before, passed = work.payments, work.passed
    work.at = replace(work.at, since=window[0], until=window[1], page=None, total=before)
    yield from work.tell()
    for _ in range(_READINGS):
        first = yield from _patiently(work, partial(_page, work, window, 1))
        work.there = work.account.time_there()
        pages = max(1, -(-first.total // _PAGE))
        total = first.total
        # One page more than was left: what was listed late has moved others on from there.
        last = min(page + 1 if page else pages, pages)
        work.payments, work.passed = before, passed
        listed_in_all = before + max(0, min(first.total, last * _PAGE))
        for number in range(last, 0, -1):
            work.at = replace(work.at, page=number, total=listed_in_all, kept=work.keeps)
            yield from work.tell()
            listed = first
            if pages > 1:
                listed = yield from _patiently(work, partial(_page, work, window, number))
            yield from _judge_page(work, listed)
            total = listed.total if listed.total != first.total else total
            if work.place is not None and work.keeps:
                at = replace(work.place, since=window[0], page=number - 1 or None)
                yield from Consult("save_run", (at,))
        if total == first.total:
            yield from work.tell()
            return
        page = None
    raise GatewayUnavailable(
        f"the gateway's list changed each of the {_READINGS} times that it was read: later"
    )


def _page(work: _Work, window: tuple[datetime, datetime], number: int) -> Flow[Listed]:
    since, until = (int(each.timestamp()) for each in window)
    return list_payments(work.account, number, _PAGE, since, until, work.deadline())


def _judge_page(work: _Work, listed: Listed) -> Flow[None]:
    payments = [each for each in listed.rows if isinstance(each, Payment)]
    receipts: Mapping[str, Receipt] = {}
    if payments:
        receipts = yield from Recall([each.imp_uid for each in payments])
    for row in reversed(listed.rows):  # the newest are listed first; who paid first is served first
        work.payments += 1
        if isinstance(row, Unreadable):
            yield from Tell(
                Finding(FindingKind.UNREADABLE, row.imp_uid, row.merchant_uid, error=row.why)
            )
            continue
        if row.sandbox and not work.settings.test_mode:
            work.passed += 1
            continue
        receipt = receipts.get(row.imp_uid)
        kind = difference(row, receipt)
        if kind is None and (yield from _is_due_still(work, row, receipt)):
            kind = FindingKind.REFUND_MISSING
        if kind is not None:
            yield from _repair(work, kind, row, receipt)


def difference(payment: Payment, receipt: Receipt | None) -> FindingKind | None:
    """Say how a payment as it is listed differs from its receipt; None where it does not."""
    if receipt is None or receipt.state is ReceiptState.FAILED:
        return FindingKind.MISSING if payment.holds_money else None
    if receipt.state is ReceiptState.WAITING:
        if payment.holds_money:
            return FindingKind.WAITING_PAID
        return None if payment.status == "ready" else FindingKind.WAITING_OVER
    same = (payment.amount, payment.currency) == (receipt.amount, receipt.currency)
    if not same or payment.cancel_amount < receipt.cancel_amount:
        return FindingKind.DIFFERS
    if payment.cancel_amount > receipt.cancel_amount:
        return FindingKind.REFUND_MISSING
    held = receipt.state is not ReceiptState.CANCELLED
    return FindingKind.DIFFERS if held is not payment.holds_money else None


def _is_due_still(work: _Work, payment: Payment, receipt: Receipt | None) -> Flow[bool]:
    """Whether what was all given back is still noted as due: money that never paid its order, a
    forgery's, has no receipt that would say so."""
    given_back = payment.cancel_amount == payment.amount > 0
    recorded = receipt is not None and receipt.state is not ReceiptState.FAILED
    if recorded or not given_back:
        return False
    return _is_open((yield from _due(work, payment.imp_uid)))


def _due(work: _Work, imp_uid: str) -> Flow[Due | None]:
    if not work.ledger:
        return None
    due: Due | None = yield from Consult("due", (imp_uid,))
    return due


def _is_open(due: Due | None) -> bool:
    return due is not None and due.done is None


def _repair(
    work: _Work, kind: FindingKind, payment: Payment, receipt: Receipt | None
) -> Flow[None]:
    """Verify a payment, fetched anew, and tell what it came to; only tell it, in a dry run."""
    found = Finding(kind, payment.imp_uid, payment.merchant_uid, payment, receipt)
    paid_at = payment.paid_at
    if kind is FindingKind.MISSING and (paid_at is None or paid_at < work.oldest):
        yield from Tell(replace(found, kind=FindingKind.TOO_OLD))
    elif work.wanted.dry_run:
        if kind is FindingKind.MISSING and _is_open((yield from _due(work, payment.imp_uid))):
            return  # it is told as what is due
        known = yield from expect(payment.merchant_uid)
        unknown = known is None and receipt is None
        yield from Tell(replace(found, kind=FindingKind.UNKNOWN_ORDER) if unknown else found)
    else:
        yield from _verify(work, found)


def _verify(work: _Work, found: Finding) -> Flow[None]:
    notice, account = Notice(found.imp_uid or ""), work.account
    yield from work.tell(notice.imp_uid)
    look = partial(verify, work.settings, work.accounts, notice, "reconcile", asked=account)
    due = (yield from _due(work, notice.imp_uid or "")) if found.kind in _MENDED else None
    try:
        outcome: Outcome = yield from _patiently(work, look)
    except GatewayUnavailable:
        raise
    except GatewayError as error:
        if (error.http_status, error.code) != (200, 0):
            raise  # what answers there is not about this payment
        yield from Tell(replace(found, kind=FindingKind.UNREADABLE, error=str(error)))
        return
    except Exception as error:  # store or hook; what they say may be a buyer's data
        work.failed = True
        _log_failure("reconcile", notice.imp_uid, error)
        said = str(error) if isinstance(error, ImpVerifyError) else ""
        yield from Tell(replace(found, error=f"{type(error).__name__}: {said}".rstrip(": ")))
        return
    kind = found.kind
    if outcome.verdict is Verdict.UNKNOWN_ORDER:
        kind = FindingKind.UNKNOWN_ORDER
    elif outcome.verdict is Verdict.UNKNOWN_PAYMENT:
        kind = FindingKind.NOT_THERE
    elif _is_right_by_now(kind, outcome, due, work.end):
        yield from work.tell()
        return
    yield from Tell(replace(found, kind=kind, outcome=outcome))


def _log_failure(what: str, imp_uid: str | None, error: Exception) -> None:
    text, marks = f"{what}: %s: the store or a hook failed", {UNRECORDED: True}
    _log.error(text, imp_uid, exc_info=error, extra=marks)


def _is_right_by_now(kind: FindingKind, outcome: Outcome, due: Due | None, end: datetime) -> bool:
    """Whether a notice came meanwhile, or it was handed on before; or an account's date was moved,
    of which no notice tells. No receipt holds a forgery's money, so it comes in every run, and of
    an order that is closed or paid the store says that instead of REPEATED.

    Args:
        due: Its row as it was before: what was given back has ended it.
    """
    payment = outcome.payment
    if kind is FindingKind.WAITING_OVER and payment is not None:
        date = payment.vbank_date
        return payment.status == "ready" and date is not None and date > end
    if outcome.verdict is Verdict.FORGERY and _is_open(due):
        return kind is not FindingKind.REFUND_MISSING
    return outcome.settled is Settled.REPEATED and kind in _MENDED


def _patiently(work: _Work, ask: Callable[[], Flow[T]]) -> Flow[T]:
    """Ask, and where the gateway says to come again later (429, 503) do so, a few times."""
    for waited in range(_WAITS):
        try:
            return (yield from ask())
        except GatewayUnavailable as error:
            if error.http_status not in (429, 503):
                raise
            seconds = error.retry_after if error.retry_after is not None else 2.0**waited
        yield from Wait(min(seconds, _LONGEST_WAIT))
    return (yield from ask())


def _is_ours(work: _Work, account: str | None, merchant_uid: str) -> Flow[bool]:
    """Whether what was recorded with an account is this run's; without one, from before there were
    several, its order says."""
    if work.account.name is None or account is not None:
        return work.account.name in (None, account)
    expected = yield from expect(merchant_uid)
    return expected is not None and expected.account == work.account.name


def _look_at_accounts(work: _Work) -> Flow[None]:
    """Look up accounts whose date passed of late: nothing tells a shop that they ran out."""
    after: str | None = None
    while True:
        waiting: Sequence[Receipt] = yield from Consult(
            "waiting", (work.end - _OVER_FOR, work.end, after, _ACCOUNTS)
        )
        for receipt in waiting:
            if (yield from _is_ours(work, receipt.account, receipt.merchant_uid)):
                found = Finding(
                    FindingKind.WAITING_OVER, receipt.imp_uid, receipt.merchant_uid, None, receipt
                )
                if work.wanted.dry_run:
                    yield from Tell(found)
                else:
                    yield from _verify(work, found)
        if len(waiting) < _ACCOUNTS:
            return
        after = waiting[-1].imp_uid


def _try_due(work: _Work, due: Due) -> Flow[Finding]:
    """Give back what the shop has consented to; what comes to nothing is told."""
    found = Finding(FindingKind.DUE, due.imp_uid, due.merchant_uid, error=due.error)
    if work.wanted.dry_run or not is_time(work.settings, due):
        return found
    look = partial(look_at, work.settings, work.accounts, due, work.account)
    try:
        outcome = yield from _patiently(work, look)
        deadline = work.accounts.deadline(work.settings.cancel_timeout)
        outcome = yield from try_due(work.settings, work.accounts, due, outcome, deadline=deadline)
    except GatewayUnavailable as error:
        if not error.uncertain:
            raise
        return replace(found, error=str(error))
    except GatewayError as error:
        return replace(found, error=str(error))
    except Exception as error:  # store or hook; what they say may be a buyer's data
        _log_failure("give back", due.imp_uid, error)
        return replace(found, error=type(error).__name__)
    left = (yield from _due(work, due.imp_uid)) if outcome.money and not outcome.paid else None
    return replace(found, outcome=outcome, error=None if left is None else left.error)


def _tell_dues(work: _Work) -> Flow[None]:
    """Tell what is to be given back and is not yet."""
    after: str | None = None
    while True:
        dues: Sequence[Due] = yield from Consult("dues", (after, _ACCOUNTS))
        for due in dues:
            ours = yield from _is_ours(work, due.account, due.merchant_uid)
            if ours and (not due.test or work.settings.test_mode):
                yield from work.tell(due.imp_uid, due)
                yield from Tell((yield from _try_due(work, due)))
        if len(dues) < _ACCOUNTS:
            return
        after = dues[-1].imp_uid


def sweep(settings: Settings, accounts: Accounts, merchant_uids: Iterable[str]) -> Flow[None]:
    """Look at orders of the shop's own that are still open, and tell each outcome: of the payments
    that hold money, or else of the newest. Orders that the shop does not know are passed over.

    Raises:
        InvalidRequest: A number is malformed.
        GatewayUnavailable: At once, for it is about no one order.
        GatewayError, StoreError: As `verify`: the first, once all others were looked at.
    """
    first: Exception | None = None
    for number in [check_merchant_uid(each) for each in merchant_uids]:
        try:
            yield from _sweep(settings, accounts, number)
        except GatewayUnavailable:
            raise  # each of the others would wait as long
        except Exception as error:  # store or hook over one order: the others are looked at
            first = first or error
    if first is not None:
        raise first


def _sweep(settings: Settings, accounts: Accounts, number: str) -> Flow[None]:
    expected = yield from expect(number)
    if expected is None or number in (".", ".."):
        return
    asked = accounts.of(expected)
    payments = yield from find_payments(asked, number, accounts.deadline(settings.timeout))
    for payment in [each for each in payments if each.holds_money] or payments[:1]:
        notice = Notice(payment.imp_uid, number)
        yield from Tell((yield from verify(settings, accounts, notice, "reconcile", asked=asked)))
