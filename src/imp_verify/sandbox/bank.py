"""What a bank does, and what happens at a time of the clock: nobody has a window open for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

from imp_verify.sandbox import journal
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.events import Moved
from imp_verify.sandbox.journal import Journal
from imp_verify.sandbox.ledger import Group
from imp_verify.sandbox.settings import Settings
from imp_verify.sandbox.state import Gateway
from imp_verify.sandbox.webhooks import Webhooks

_OF_CANCEL = ("amount", "reason", "tax_free", "retain_promotion")
"""What is told of a cancel that is due later."""


class Bank:
    """The part of a sandbox that moves its payments without a buyer, and tells the shop."""

    gateway: Gateway
    settings: Settings
    clock: Clock
    journal: Journal
    webhooks: Webhooks

    def issue_at_once(
        self, group: Group, fields: Mapping[str, Any], account: Mapping[str, Any], due: int
    ) -> Attempt:
        """Issue a virtual account as `Gateway.issue_at_once` does, until its deadline."""
        moved = self.gateway.issue_at_once(group, fields, account, due)
        self._expire_when_due(moved.attempt.imp_uid)
        return self._told(moved)

    def edit_account(self, imp_uid: str, amount: Decimal | None, due: int | None) -> Attempt:
        """Change a waiting account as `Gateway.edit_account` does; it ends by its new deadline."""
        before = self.gateway.attempt(imp_uid).vbank
        edited = self.gateway.edit_account(imp_uid, amount, due)
        if due and before and (due < before.due or before.expired):
            self._expire_when_due(imp_uid)  # a later one is seen when the one before is due
        return edited

    def expire(self, imp_uid: str) -> Attempt:
        """Let a waiting account's deadline pass, whatever the clock shows."""
        return self._told_of_end(self.gateway.expire(imp_uid), "expire")

    def kill_account(self, imp_uid: str) -> Attempt:
        """Give a waiting account up, as a call of the API does."""
        return self._told_of_end(self.gateway.kill_account(imp_uid))

    def take_back(self, imp_uid: str) -> Attempt:
        """Let the bank take the deposit of a virtual account back."""
        return self._told_of_end(self.gateway.take_back(imp_uid), "take-back")

    def _told_of_end(self, moved: Moved, step: str = "") -> Attempt:
        if step:  # a call of the API is written down anyway
            self._noted(journal.CONTROL, step, moved.attempt)
        return self._told(moved) if self.settings.account_ends_told else moved.attempt

    def deposit(
        self, imp_uid: str, amount: Decimal | None = None, depositor: str | None = None
    ) -> Attempt:
        """Pay into the virtual account; `amount` and `depositor` are for an unlimited one."""
        moved = self.gateway.deposit(imp_uid, amount, depositor)
        self._noted(journal.CONTROL, "deposit", moved.attempt)
        return self._told(moved)

    def _expire_when_due(self, imp_uid: str) -> None:
        """Expire an account when its deadline passes, and that may be moved meanwhile."""
        attempt = self.gateway.attempt(imp_uid)
        if attempt.vbank is not None and not attempt.unlimited:
            self.plan(attempt.vbank.due, {"do": "expire", "imp_uid": imp_uid})

    def _end_account(self, imp_uid: str) -> None:
        attempt = self.gateway.attempt(imp_uid)
        if not attempt.waits_for_deposit or attempt.vbank is None or attempt.vbank.expired:
            return
        if attempt.vbank.due > self.clock():
            self._expire_when_due(imp_uid)
        elif self.settings.account_expired != "ready" or self.settings.account_ends_told:
            self.expire(imp_uid)

    def plan(self, at: int, told: Mapping[str, Any]) -> None:
        """Change a payment at a time of the clock, and tell the shop.

        Args:
            at: Unix seconds.
            told: `do`, which is approve, cancel or expire, and `imp_uid`; for cancel its arguments
                too, and `quiet`, where no shop is told.

        Raises:
            ValueError: It is to do something else, or has a field that there is none of.
        """
        told = dict(told)
        more = {name: told[name] for name in told if name not in ("do", "imp_uid", "quiet")}
        if odd := [name for name in more if name not in _OF_CANCEL]:
            raise ValueError(f"no such field: {odd[0]}")  # else it is an error when its time comes
        changes: dict[object, Callable[[str], Moved | None]] = {
            "approve": partial(self.gateway.approve, late=True),
            "cancel": partial(self.gateway.cancel, **more),
            "expire": self._end_account,
        }
        if told.get("do") not in list(changes):
            raise ValueError(f"do is one of {', '.join(map(str, changes))}")
        if not isinstance(told.get("imp_uid"), str):
            raise ValueError("imp_uid is a text")
        change = changes[told["do"]]

        def run() -> None:
            with suppress(Refused):  # it has become something else meanwhile
                moved = change(told["imp_uid"])
                if moved is None:
                    return
                self._noted(journal.CONTROL, "due", moved.attempt)
                if not told.get("quiet"):
                    self._told(moved)

        self.clock.schedule(at, run, told)

    def tell(self, moved: Moved) -> Attempt:
        """Tell the shop of what a call of the API did."""
        return self._told(moved)

    def _told(self, moved: Moved) -> Attempt:
        self.webhooks.announce(moved.event)
        return moved.attempt

    def _noted(self, kind: str, step: str, attempt: Attempt) -> Attempt:
        self.journal.add(
            kind,
            imp_uid=attempt.imp_uid,
            merchant_uid=attempt.merchant_uid,
            step=step,
            status=attempt.status,
        )
        return attempt
