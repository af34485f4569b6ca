"""What a payment window does to a payment: opened, approved, failed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from imp_verify.sandbox._moves.base import Base
from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt, Card, Promotion
from imp_verify.sandbox.errors import ALREADY_PAID, CONFIRM_NO_REASON, CONFIRM_REFUSED, Refused
from imp_verify.sandbox.events import Moved
from imp_verify.sandbox.opening import read_request
from imp_verify.sandbox.pgs import ALWAYS, BY_AMOUNT, PHONE


def charges(attempt: Attempt) -> bool:
    """Tell whether its PG takes the money of a payment that registers a card too."""
    if not attempt.amount:
        return False
    issuing = attempt.pg.issuing
    return issuing in (ALWAYS, BY_AMOUNT) or (issuing == PHONE and attempt.pay_method == "phone")


def _used(attempt: Attempt, *, balance: bool) -> str:
    """Return what `pay_method` says once it is paid, or raise Refused."""
    row = attempt.pg
    if balance and row.balance_method is None:
        raise Refused("잔액이나 포인트로 결제할 수 없는 결제대행사입니다.")
    if balance and row.balance_method:
        return row.balance_method
    return "card" if attempt.pay_method in row.wallets_as_card else attempt.pay_method


OVER = "이미 종료된 결제입니다."


class InWindow(Base):
    """Opens windows and ends them."""

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
        fields["notice_urls"] = self._settings.notice_urls(fields["notice_urls"])
        if self._settings.order_numbers == "ascii" and not fields["merchant_uid"].isascii():
            raise Refused("merchant_uid는 영문, 숫자, 기호만 사용할 수 있습니다.")
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

    def tamper(self, imp_uid: str, amount: Decimal | None, currency: str | None) -> Attempt:
        """Let an open window ask for another amount or currency than the page did."""
        with self._lock:
            attempt = self.check_open(imp_uid)
            asked = attempt.amount if amount is None else amount
            return self._move(imp_uid, amount=asked, currency=currency or attempt.currency)

    def approve(self, imp_uid: str, *, late: bool = False, **how: Any) -> Moved:
        """Let the payment through.

        Args:
            imp_uid: Whose window is open.
            late: Also where it failed or is pending, as some PGs do.
            how: `balance`: from the balance or the points of the PG's wallet; `promotion`: what
                was taken off the price.
        """
        with self._lock:
            method = self.check_approvable(imp_uid, late=late, balance=how.get("balance", False))
            attempt = self.attempt(imp_uid)
            promotion = how.get("promotion") or attempt.promotion
            return self._tell(
                imp_uid,
                "paid",
                pay_method=method,
                card=Card(self._digits(8)) if method == "card" else None,
                amount=self._charged(attempt, promotion),
                promotion=promotion,
                customer_uid_usage="issue" if attempt.customer_uid else None,
                **self._paid(),
            )

    def check_approvable(self, imp_uid: str, *, late: bool = False, balance: bool = False) -> str:
        """Return what `pay_method` will say, or raise Refused where `approve` would."""
        with self._lock:
            attempt = self.attempt(imp_uid)
            put_off = late and attempt.status in ("failed", "pending")
            if not (attempt.in_window or put_off) or attempt.pay_method == "vbank":
                raise Refused("승인할 수 없는 상태의 결제입니다.")
            return _used(attempt, balance=balance)

    def check_open(self, imp_uid: str) -> Attempt:
        """Return a payment whose window is open, or raise Refused."""
        attempt = self.attempt(imp_uid)
        if not attempt.in_window:
            raise Refused(OVER)
        return attempt

    def _charged(self, attempt: Attempt, promotion: Promotion | None) -> Decimal:
        """Return what `amount` says once it is paid."""
        if promotion and promotion.discount > attempt.amount:
            raise Refused("할인금액이 결제금액보다 큽니다.")
        if promotion and self._settings.promotion_amount == "received":
            return attempt.amount - promotion.discount
        if not attempt.customer_uid or charges(attempt):
            return attempt.amount
        as_zero = attempt.pg.issues_as_zero or self._settings.issuance_amount == "zero"
        return Decimal(0) if as_zero else attempt.amount or Decimal(attempt.pg.issued_amount)

    def put_off(self, imp_uid: str) -> Attempt:
        """Leave an open window's payment pending: neither approved nor refused."""
        with self._lock:
            _ = self.check_open(imp_uid)
            return self._move(imp_uid, status="pending")

    def fail(self, imp_uid: str, *, code: str, reason: str) -> Attempt:
        """End an open window without money: declined, closed or refused. Nothing is sent."""
        with self._lock:
            _ = self.check_open(imp_uid)
            return self._fail(imp_uid, code, reason)

    def refuse_by_shop(self, imp_uid: str, reason: str | None) -> Attempt:
        """Fail the payment because the shop said no before the approval."""
        text = CONFIRM_REFUSED.format(reason=reason or CONFIRM_NO_REASON)
        return self.fail(imp_uid, code="SANDBOX_CONFIRM", reason=text)
