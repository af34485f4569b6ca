"""Virtual accounts: issued, paid into, changed, given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from imp_verify.sandbox._moves.base import Base
from imp_verify.sandbox.attempt import Attempt, Deposit, VirtualAccount
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.events import Moved
from imp_verify.sandbox.ledger import Group
from imp_verify.sandbox.opening import DEFAULT_DUE


class OfAccounts(Base):
    """Issues virtual accounts, and what becomes of one."""

    def issue_account(self, imp_uid: str) -> Moved:
        """Issue the virtual account that an open window asked for."""
        with self._lock:
            self.check_issuable(imp_uid)
            attempt, now = self.attempt(imp_uid), self._clock()
            number = attempt.pg.vbank_number or self._number()
            account = VirtualAccount(number, attempt.vbank_due or now + DEFAULT_DUE, now)
            if not attempt.pg.vbank_holder:
                account = replace(account, holder=None)
            return self._tell(imp_uid, "ready", vbank=account, pg_tid=self._digits.tid())

    def check_issuable(self, imp_uid: str) -> None:
        """Raise Refused where `issue_account` would."""
        with self._lock:
            attempt = self.attempt(imp_uid)
            if not attempt.in_window or attempt.pay_method != "vbank":
                raise Refused("가상계좌를 발급할 수 없는 상태의 결제입니다.")

    def issue_at_once(
        self, group: Group, fields: Mapping[str, Any], account: Mapping[str, Any], due: int
    ) -> Moved:
        """Issue a virtual account without a window. Several may wait for one order.

        Args:
            group: Who asks.
            fields: Of the Attempt, `merchant_uid`, `amount` and `pg_provider` among them.
            account: Of the VirtualAccount; a number is made up where none is given.
            due: Its deadline, Unix seconds.

        Source: V1 REST API, POST /vbanks.
        """
        with self._lock:
            begun, now = self._begin(group, {**fields, "pay_method": "vbank"}), self._clock()
            made = VirtualAccount(**{"number": self._number(), **account}, due=due, issued_at=now)
            return self._tell(begun.imp_uid, "ready", vbank=made, pg_tid=self._digits.tid())

    def _number(self) -> str:
        return f"{self._digits(3)}-{self._digits(3)}-{self._digits(6)}"

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
        entry = Deposit(self._digits.tid(), amount, name, self._clock())
        changes = self._paid() if attempt.status == "ready" else {}
        status = "paid" if attempt.status == "ready" else attempt.status
        deposits = (*attempt.deposits, entry)
        return self._tell(attempt.imp_uid, status, deposits=deposits, **changes)

    def edit_account(self, imp_uid: str, amount: Decimal | None, due: int | None) -> Attempt:
        """Change a waiting account's amount, deadline or both."""
        with self._lock:
            attempt = self._waiting(imp_uid)
            assert attempt.vbank is not None
            vbank = replace(attempt.vbank, due=due, expired=False) if due else attempt.vbank
            return self._move(imp_uid, vbank=vbank, amount=amount or attempt.amount)

    def check_waits(self, imp_uid: str) -> None:
        """Raise Refused where a payment is no account that waits for its deposit."""
        with self._lock:
            self._waiting(imp_uid)

    def _waiting(self, imp_uid: str) -> Attempt:
        attempt = self.attempt(imp_uid)
        if not attempt.waits_for_deposit:
            raise Refused("입금대기 상태의 가상계좌가 아닙니다.", code=-1, status=400)
        return attempt
