"""The gateway as a state machine: what a payment can become, and what is told to the shop then.

No I/O happens here; every method takes one lock, so that it may be called from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from imp_verify.sandbox.accounts import Account, Accounts, Token
from imp_verify.sandbox.attempt import Attempt, Cancellation, Card, Deposit, VirtualAccount
from imp_verify.sandbox.digits import digits, new_cancellation_id, new_tid
from imp_verify.sandbox.errors import (
    ALREADY_CANCELLED,
    ALREADY_PAID,
    CONFIRM_NO_REASON,
    CONFIRM_REFUSED,
    NOTHING_TO_CANCEL,
    Refused,
    unknown_payment,
)
from imp_verify.sandbox.events import Event, Moved
from imp_verify.sandbox.ledger import Group, Ledger
from imp_verify.sandbox.making import read_payment
from imp_verify.sandbox.opening import DEFAULT_DUE, read_request
from imp_verify.sandbox.registrations import Registrations


def system_clock() -> int:
    """Return the time of day in whole Unix seconds."""
    return int(time.time())


class Gateway:
    """Accounts, payment attempts and pre-registrations, and every way they can change.

    Args:
        accounts: The customers of this gateway; one with made-up keys where left out.
        clock: Gives whole Unix seconds.
        channels: For a channelKey, its PG's code and whether it is a test channel.

    Attributes:
        registrations: The pre-registered amounts.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        *,
        clock: Callable[[], int] = system_clock,
        channels: Mapping[str, tuple[str, bool]] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._accounts = Accounts(tuple(accounts) or (Account(),), clock)
        self._channels = dict(channels or {})
        self._ledger = Ledger()
        self._series = digits(6)
        self.registrations = Registrations(self._lock)

    def now(self) -> int:
        """Return the gateway's time."""
        return self._clock()

    def issue_token(self, key: object, secret: object) -> Token:
        """Return the access token of a key pair, or raise Refused."""
        with self._lock:
            return self._accounts.issue(key, secret)

    def account_of(self, authorization: str) -> Account:
        """Find whose token the header carries, or raise Refused."""
        with self._lock:
            return self._accounts.of_token(authorization)

    def attempt(self, imp_uid: str) -> Attempt:
        """Return one attempt, whosever it is, or raise Refused."""
        with self._lock:
            attempt = self._ledger.get(imp_uid)
            if attempt is None:
                raise unknown_payment()
            return attempt

    def attempts(self, account: str | None = None, tier: str | None = None) -> list[Attempt]:
        """Return the attempts of one account and tier, or (account None) all, in their order."""
        with self._lock:
            everything = list(self._ledger)
        if account is None:
            return everything
        return [a for a in everything if (a.account, a.tier) == (account, tier)]

    def attempts_of(self, group: Group, merchant_uid: str) -> list[Attempt]:
        """Return the attempts for one order number that a group sees, in their order."""
        with self._lock:
            return self._ledger.of_order(group, merchant_uid)

    def listed(
        self,
        group: Group,
        status: str,
        start: int,
        end: int,
        *,
        sorting: str,
        place: Callable[[int], tuple[int, int]],
    ) -> tuple[int, list[Attempt]]:
        """Return how many attempts a list has, and a part of it, both at one moment.

        Args:
            group: Who asks.
            status: A status, or all.
            start: The window's first second; see `Ledger.count`.
            end: Its last.
            sorting: As in the gateway's lists, `-started` for example.
            place: Given the total, says where the part begins and how long it is.
        """
        with self._lock:
            total = self._ledger.count(group, status, start, end)
            first, limit = place(total)
            part = self._ledger.cut(
                group, status, start, end, sorting=sorting, first=first, limit=limit
            )
        return total, part

    # Payments that are there at once

    def make(self, /, **fields: object) -> Attempt:
        """Make a payment in any documented state. Nothing is sent.

        Args:
            fields: `merchant_uid` and `amount`; the others may be left out, and what happened at a
                time that is left out happened at once, as late as now. Names and units are those of
                `GET /payments/{imp_uid}`.

                `status`: ready, paid (where left out), failed, cancelled or pending. `pay_method`
                (vbank: an account is issued), `pg_provider`, `channel`, `currency`, `name`,
                `buyer_name` and so on, `custom_data`, `customer_uid`, `customer_uid_usage`,
                `notice_url`. `sandbox`: made through a test channel. `account`: the key of whose it
                is, the first one's where left out, and `tier`.

                `cancelled`: what was given back, a list of amounts, or of objects of `amount`,
                `cancelled_at` and `reason`; all where a cancelled payment has none; a paid one may
                have some too. Times: `started_at`, `paid_at`, `failed_at`, `cancelled_at` (of parts
                without a time), `updated_at`. `fail_reason`. Of an account: `vbank_num`,
                `vbank_code`, `vbank_name`, `vbank_holder`, `vbank_date`, `vbank_issued_at`.

        Raises:
            ValueError: A name or a value is wrong, or they do not fit together; it names the field.
        """
        return self._add([self._wanted(fields)])[0]

    def make_all(self, payments: Iterable[Mapping[str, object]]) -> list[Attempt]:
        """Make many payments, all or, where one is wrong, none; each is given as to `make`.

        Raises:
            ValueError: As `make`, with the place of the first wrong one, from 0.
        """
        wanted = []
        for at, fields in enumerate(payments):
            try:
                wanted.append(self._wanted(fields))
            except ValueError as error:
                raise ValueError(f"payments[{at}]: {error}") from None
        return self._add(wanted)

    def _wanted(self, fields: Mapping[str, object]) -> dict[str, Any]:
        if not isinstance(fields, Mapping):
            raise ValueError("a payment is an object of fields")
        first = self._accounts.first().key
        wanted = read_payment(fields, account=first, now=self._clock())
        if not self._accounts.knows(wanted["account"]):
            raise ValueError("account is no key of this gateway")
        return wanted

    def _add(self, wanted: Iterable[dict[str, Any]]) -> list[Attempt]:
        made = []
        with self._lock:
            for fields in wanted:
                imp_uid, number = self._new_imp_uid(), len(self._ledger)
                made.append(Attempt(imp_uid=imp_uid, number=number, **fields))
                self._ledger.put(made[-1])
        return made

    # The payment window

    def open(
        self,
        params: Mapping[str, object],
        *,
        user_code: str | None = None,
        tier: str | None = None,
        channel: str = "pc",
        user_agent: str | None = None,
    ) -> Attempt:
        """Open the window for what a page asks, or raise Refused and record nothing.

        Args:
            params: The parameters of `IMP.request_pay`.
            user_code: What `IMP.init` was called with; None means the first account.
            tier: The sub-store, where `IMP.agency` was called.
            channel: pc or mobile.
            user_agent: The buyer's browser.
        """
        fields: dict[str, Any] = read_request(params, self._channels)
        with self._lock:
            account = self._account_of_page(user_code)
            self.registrations.check(account.key, fields)
            others = self._ledger.of_order((account.key, tier), fields["merchant_uid"])
            if any(other.paid_at for other in others):
                raise Refused(ALREADY_PAID)
            attempt = Attempt(
                imp_uid=self._new_imp_uid(),
                account=account.key,
                tier=tier,
                channel=channel,
                user_agent=user_agent,
                started_at=self._clock(),
                updated_at=self._clock(),
                number=len(self._ledger),
                **fields,
            )
            self._ledger.put(attempt)
            return attempt

    def _account_of_page(self, user_code: str | None) -> Account:
        if user_code is None:
            return self._accounts.first()
        account = self._accounts.of_user_code(user_code)
        if account is None:
            raise Refused("등록되지 않은 고객사 식별코드입니다.")
        return account

    def approve(self, imp_uid: str, *, late: bool = False) -> Moved:
        """Let the payment through; `late` also one that failed or was pending, as some PGs do."""
        with self._lock:
            attempt = self.attempt(imp_uid)
            put_off = late and attempt.status in ("failed", "pending")
            if not (attempt.in_window or put_off) or attempt.pay_method == "vbank":
                raise Refused("승인할 수 없는 상태의 결제입니다.")
            card = Card(digits(8)) if attempt.pay_method == "card" else None
            usage = "issue" if attempt.customer_uid else None
            return self._tell(imp_uid, "paid", card=card, customer_uid_usage=usage, **self._paid())

    def put_off(self, imp_uid: str) -> Attempt:
        """Leave an open window's payment pending: neither approved nor refused."""
        with self._lock:
            if not self.attempt(imp_uid).in_window:
                raise Refused("이미 종료된 결제입니다.")
            return self._move(imp_uid, status="pending")

    def fail(self, imp_uid: str, *, code: str, reason: str) -> Attempt:
        """End an open window without money: declined, closed or refused. Nothing is sent."""
        with self._lock:
            if not self.attempt(imp_uid).in_window:
                raise Refused("이미 종료된 결제입니다.")
            return self._fail(imp_uid, code, reason)

    def refuse_by_shop(self, imp_uid: str, reason: str | None) -> Attempt:
        """Fail the payment because the shop said no before the approval."""
        text = CONFIRM_REFUSED.format(reason=reason or CONFIRM_NO_REASON)
        return self.fail(imp_uid, code="SANDBOX_CONFIRM", reason=text)

    # Virtual accounts

    def issue_account(self, imp_uid: str) -> Moved:
        """Issue the virtual account that an open window asked for."""
        with self._lock:
            attempt, now = self.attempt(imp_uid), self._clock()
            if not attempt.in_window or attempt.pay_method != "vbank":
                raise Refused("가상계좌를 발급할 수 없는 상태의 결제입니다.")
            number = f"{digits(3)}-{digits(3)}-{digits(6)}"
            account = VirtualAccount(number, attempt.vbank_due or now + DEFAULT_DUE, now)
            return self._tell(imp_uid, "ready", vbank=account, pg_tid=new_tid())

    def deposit(
        self, imp_uid: str, amount: Decimal | None = None, depositor: str | None = None
    ) -> Moved:
        """Receive the money for an issued account. Whether the deadline passed is not looked at.

        Args:
            imp_uid: Whose account.
            amount: What comes in. The bank takes nothing but the payment's amount, which is meant
                where None is given; an unlimited account takes any, and must be told.
            depositor: Who pays in, for an unlimited account's history.
        """
        with self._lock:
            if self.attempt(imp_uid).unlimited:
                return self._deposit_more(self.attempt(imp_uid), amount, depositor)
            if amount not in (None, self._waiting(imp_uid).amount):
                raise Refused("입금액이 결제금액과 다릅니다.")
            return self._tell(imp_uid, "paid", **self._paid())

    def _deposit_more(self, attempt: Attempt, amount: Decimal | None, name: str | None) -> Moved:
        """Add a deposit; a cancelled payment stays cancelled.

        That the first one makes it paid is not documented, nor which time it then has.

        Source: Hecto's page, unlimited accounts.
        """
        if not amount or amount < 0:
            raise Refused("입금액이 올바르지 않습니다.")
        entry = Deposit(new_tid(), amount, name, self._clock())
        changes = self._paid() if attempt.status == "ready" else {}
        status = "paid" if attempt.status == "ready" else attempt.status
        deposits = (*attempt.deposits, entry)
        return self._tell(attempt.imp_uid, status, deposits=deposits, **changes)

    def kill_account(self, imp_uid: str) -> Attempt:
        """End a waiting account: it counts as failed."""
        with self._lock:
            self._waiting(imp_uid)
            return self._fail(imp_uid, "SANDBOX_KILLED", "가상계좌 말소")

    def edit_account(self, imp_uid: str, amount: Decimal | None, due: int | None) -> Attempt:
        """Change a waiting account's amount, deadline or both."""
        with self._lock:
            attempt = self._waiting(imp_uid)
            assert attempt.vbank is not None
            vbank = replace(attempt.vbank, due=due or attempt.vbank.due)
            return self._move(imp_uid, vbank=vbank, amount=amount or attempt.amount)

    def _waiting(self, imp_uid: str) -> Attempt:
        attempt = self.attempt(imp_uid)
        if not attempt.waits_for_deposit:
            raise Refused("입금대기 상태의 가상계좌가 아닙니다.", code=-1, status=400)
        return attempt

    # Cancelling

    def cancel(
        self,
        imp_uid: str,
        *,
        amount: Decimal | None = None,
        checksum: Decimal | None = None,
        reason: str | None = None,
    ) -> Moved:
        """Return money back: `amount`, or all that is left where it is None or 0.

        The event is made always; who calls decides whether this way of cancelling sends one.

        Source: V1 REST API, POST /payments/cancel.
        """
        with self._lock:
            part = self.cancellable(imp_uid, amount=amount, checksum=checksum)
            attempt = self.attempt(imp_uid)
            ident = new_cancellation_id()
            entry = Cancellation(ident, new_tid(), part, self._clock(), reason)
            return self._tell(
                imp_uid,
                "cancelled",
                cancellation_id=ident,
                cancellations=(*attempt.cancellations, entry),
                cancelled_at=self._clock(),
            )

    def cancellable(
        self, imp_uid: str, *, amount: Decimal | None = None, checksum: Decimal | None = None
    ) -> Decimal:
        """Return what a cancel would give back; raise Refused where it would be refused."""
        with self._lock:
            attempt = self._ledger.get(imp_uid)
            if attempt is None or not attempt.paid_at:
                raise Refused(NOTHING_TO_CANCEL)
            if attempt.remaining == 0:
                raise Refused(ALREADY_CANCELLED)
            if checksum is not None and checksum != attempt.remaining:
                raise Refused("취소 가능금액과 checksum이 일치하지 않습니다.")
            part = amount or attempt.remaining
            if not 0 < part <= attempt.remaining:
                raise Refused("취소 요청금액이 취소 가능금액을 초과합니다.")
            return part

    # Inside the lock

    def edit(self, imp_uid: str, **changes: Any) -> Attempt:
        """Set any field of an attempt: for states that no documented way leads to."""
        with self._lock:
            self.attempt(imp_uid)
            return self._move(imp_uid, **changes)

    def _paid(self) -> dict[str, Any]:
        return {
            "paid_at": self._clock(),
            "pg_tid": new_tid(),
            "failed_at": 0,
            "fail_reason": None,
            "error_code": None,
        }

    def _fail(self, imp_uid: str, code: str, reason: str) -> Attempt:
        return self._move(
            imp_uid,
            status="failed",
            failed_at=self._clock(),
            fail_reason=reason,
            error_code=code,
        )

    def _tell(
        self, imp_uid: str, status: str, *, cancellation_id: str | None = None, **changes: Any
    ) -> Moved:
        attempt = self._move(imp_uid, status=status, **changes)
        return Moved(
            attempt,
            Event(imp_uid, attempt.merchant_uid, status, cancellation_id, attempt.notice_urls),
        )

    def _move(self, imp_uid: str, **changes: Any) -> Attempt:
        attempt = replace(self.attempt(imp_uid), updated_at=self._clock(), **changes)
        self._ledger.put(attempt)
        return attempt

    def _new_imp_uid(self) -> str:
        # Counted, so that none comes twice, after a start that no other run has: a shop's
        # database outlives the sandbox, and an id there belongs to one order for ever.
        return f"imp_{self._series}{len(self._ledger):06d}"
