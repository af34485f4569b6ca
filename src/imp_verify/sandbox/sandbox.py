"""The gateway together with what it sends: what a buyer, a bank or a clerk can do to a payment.

Every method may block while a shop answers, so an event loop calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import CLOSED, CLOSED_MESSAGE
from imp_verify.sandbox.events import Moved
from imp_verify.sandbox.outgoing import Webhooks, ask_shop
from imp_verify.sandbox.settings import Clock, Faults, Settings
from imp_verify.sandbox.state import Gateway


class Sandbox:
    """One offline gateway.

    Attributes:
        gateway: The state machine.
        settings: How it behaves.
        clock: Its time.
        faults: What goes wrong next.
        webhooks: What was sent, and what is kept back.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[Account] = (),
        channels: Mapping[str, tuple[str, bool]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = Clock()
        self.faults = Faults()
        self.gateway = Gateway(accounts, clock=self.clock, channels=channels)
        self.webhooks = Webhooks(self.settings)

    def approve(self, imp_uid: str) -> Attempt:
        """Approve, after the shop's consent where the page gave a confirm_url."""
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        return self._told(self.gateway.approve(imp_uid))

    def issue_account(self, imp_uid: str) -> Attempt:
        """Issue a virtual account, after the shop's consent like an approval.

        Whether the real gateway asks here too is not documented.
        """
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        return self._told(self.gateway.issue_account(imp_uid))

    def decline(self, imp_uid: str) -> Attempt:
        """Decline as a card company does. No webhook."""
        return self.gateway.fail(imp_uid, code="SANDBOX_DECLINED", reason="한도초과")

    def close(self, imp_uid: str) -> Attempt:
        """Close the window: the payment fails, or stays ready, as the settings say. No webhook."""
        if self.settings.closed_becomes == "ready":
            return self.gateway.attempt(imp_uid)
        return self.gateway.fail(imp_uid, code=CLOSED, reason=CLOSED_MESSAGE)

    def deposit(self, imp_uid: str) -> Attempt:
        """Pay into the virtual account."""
        return self._told(self.gateway.deposit(imp_uid))

    def cancel(
        self, imp_uid: str, amount: Decimal | None = None, reason: str | None = None
    ) -> Attempt:
        """Return money back as the console does: with a webhook."""
        return self._told(self.gateway.cancel(imp_uid, amount=amount, reason=reason))

    def close_down(self) -> None:
        """Wait for what is being sent and send no more."""
        self.webhooks.close()

    def _consented(self, imp_uid: str) -> bool:
        attempt = self.gateway.attempt(imp_uid)
        if attempt.confirm_url is None or not attempt.in_window:
            return True
        consent = ask_shop(attempt.confirm_url, attempt)
        if not consent.given:
            self.gateway.refuse_by_shop(imp_uid, consent.reason)
        return consent.given

    def _told(self, moved: Moved) -> Attempt:
        self.webhooks.announce(moved.event)
        return moved.attempt
