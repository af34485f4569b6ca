"""The gateway together with what it sends: what a buyer, a bank or a clerk can do to a payment.

Every method may block while a shop answers, so an event loop calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal

from imp_verify.sandbox import journal
from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.deliveries import Outgoing, Reply, Send, Shop, Webhooks
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import CLOSED, CLOSED_MESSAGE, PENDING_MESSAGE, Refused
from imp_verify.sandbox.events import Moved
from imp_verify.sandbox.faults import Faults
from imp_verify.sandbox.journal import Journal
from imp_verify.sandbox.settings import Settings, check_delay
from imp_verify.sandbox.state import Gateway

MEANWHILE = ("failed", "ready", "pending")


class Sandbox:
    """One offline gateway.

    Args:
        accounts: The gateway's customers; one with made-up keys where left out.
        channels: For a channelKey, its PG's code and whether it is a test channel.
        settings: How it behaves.
        send: Carries a request to a shop; over HTTP where left out.
        digits: Where made-up numbers come from.

    Attributes:
        gateway: The state machine.
        settings: How it behaves.
        clock: Its time.
        faults: What goes wrong next.
        webhooks: What was sent, and what is kept back.
        journal: All that happened.
        seed: What `reset` fills the emptied sandbox with, where there is something.
        when_reset: What else is to be forgotten then.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[Account] = (),
        channels: Mapping[str, tuple[str, bool]] | None = None,
        settings: Settings | None = None,
        send: Send | None = None,
        digits: Digits | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = Clock(self._clock_moved)
        self.journal = Journal(self.clock)
        self.faults = Faults()
        self.gateway = Gateway(
            accounts, clock=self.clock, channels=channels, settings=self.settings, digits=digits
        )
        self._shop = Shop(send or _over_http, self.journal)
        self.webhooks = Webhooks(self.settings, self._shop, self.clock)
        self._start = self.settings.as_dict()
        self.seed: Callable[[], object] | None = None
        self.when_reset: list[Callable[[], object]] = []

    def open(
        self,
        params: Mapping[str, object],
        *,
        user_code: str | None = None,
        tier: str | None = None,
        channel: str = "pc",
        user_agent: str | None = None,
    ) -> Attempt:
        """Open a window as `Gateway.open` does, and write down that, or that it was refused."""
        try:
            attempt = self.gateway.open(
                params, user_code=user_code, tier=tier, channel=channel, user_agent=user_agent
            )
        except Refused as error:
            number = params.get("merchant_uid")
            order = number if isinstance(number, str) else None
            self.journal.add(
                journal.WINDOW, merchant_uid=order, step="refused", message=error.message
            )
            raise
        return self._noted(journal.WINDOW, "open", attempt)

    def approve(self, imp_uid: str) -> Attempt:
        """Approve, after the shop's consent where the page gave a confirm_url."""
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        return self._bought("approve", self.gateway.approve(imp_uid))

    def approve_later(self, imp_uid: str, seconds: int, *, meanwhile: str = "ready") -> Attempt:
        """Approve once so many seconds have passed on the clock, with a webhook then.

        Args:
            imp_uid: A payment whose window is open, or that failed or is pending.
            seconds: 0 to a year.
            meanwhile: What an open one is until then. `failed`, as old PayPal has it for two or
                three days, and Paymentwall; `ready`, as the PGs that leave it so, and its window
                can still be closed or approved; or `pending`.

        Raises:
            ValueError: seconds or meanwhile is none of these.
            Refused: The payment is paid, say, or waits for a deposit.
        """
        delay = check_delay("seconds", seconds)
        if meanwhile not in MEANWHILE:
            raise ValueError(f"meanwhile is one of {', '.join(MEANWHILE)}")
        attempt = self.gateway.attempt(imp_uid)
        put_off = attempt.status in ("failed", "pending")
        if attempt.pay_method == "vbank" or not (attempt.in_window or put_off):
            raise Refused("승인할 수 없는 상태의 결제입니다.")
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        if attempt.in_window and meanwhile == "failed":
            self.gateway.fail(imp_uid, code="SANDBOX_PENDING", reason=PENDING_MESSAGE)
        elif attempt.in_window and meanwhile == "pending":
            self.gateway.put_off(imp_uid)
        self._later(delay, lambda: self.gateway.approve(imp_uid, late=True))
        return self._noted(journal.CONTROL, "approve-later", self.gateway.attempt(imp_uid))

    def issue_account(self, imp_uid: str) -> Attempt:
        """Issue a virtual account, after the shop's consent like an approval.

        Whether the real gateway asks here too is not documented.
        """
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        return self._bought("issue", self.gateway.issue_account(imp_uid))

    def decline(self, imp_uid: str) -> Attempt:
        """Decline as a card company does. No webhook."""
        attempt = self.gateway.fail(imp_uid, code="SANDBOX_DECLINED", reason="한도초과")
        return self._noted(journal.WINDOW, "decline", attempt)

    def close(self, imp_uid: str) -> Attempt:
        """Close the window: the payment fails, or stays ready, as the settings say. No webhook."""
        if self.settings.closed_becomes == "ready":
            attempt = self.gateway.attempt(imp_uid)
        else:
            attempt = self.gateway.fail(imp_uid, code=CLOSED, reason=CLOSED_MESSAGE)
        return self._noted(journal.WINDOW, "close", attempt)

    def deposit(
        self, imp_uid: str, amount: Decimal | None = None, depositor: str | None = None
    ) -> Attempt:
        """Pay into the virtual account; `amount` and `depositor` are for an unlimited one."""
        moved = self.gateway.deposit(imp_uid, amount, depositor)
        self._noted(journal.CONTROL, "deposit", moved.attempt)
        return self._told(moved)

    def cancel(
        self, imp_uid: str, amount: Decimal | None = None, reason: str | None = None
    ) -> Attempt:
        """Return money back as the console does: with a webhook."""
        return self.refund(imp_uid, amount=amount, reason=reason, webhook=True, by_console=True)

    def refund(
        self,
        imp_uid: str,
        *,
        amount: Decimal | None = None,
        checksum: Decimal | None = None,
        reason: str | None = None,
        webhook: bool = False,
        by_console: bool = False,
    ) -> Attempt:
        """Return money back; with a webhook where asked for, or where the PG cancels later.

        What is done by the console is written down here; a call of the API is written down anyway.

        A PG that cancels later accepts it, and the payment stays what it is until
        `Settings.cancel_seconds` have passed. Whether a second cancel is refused meanwhile is not
        documented: it is accepted, for what counts is what the payment says is left. What is more
        than that when its time comes does nothing.
        """
        part = self.gateway.cancellable(imp_uid, amount=amount, checksum=checksum)
        attempt = self.gateway.attempt(imp_uid)
        if attempt.cancels_later and (seconds := self.settings.cancel_seconds):
            self._later(seconds, lambda: self.gateway.cancel(imp_uid, amount=part, reason=reason))
            return self._noted(journal.CONTROL, "cancel", attempt) if by_console else attempt
        # Compared once more: two that come together must not both pass on what was left before.
        moved = self.gateway.cancel(imp_uid, amount=amount, checksum=checksum, reason=reason)
        if by_console:
            self._noted(journal.CONTROL, "cancel", moved.attempt)
        return self._told(moved) if webhook else moved.attempt

    def expire(self, imp_uid: str) -> Attempt:
        """Let an issued account end without a deposit."""
        return self._noted(journal.CONTROL, "expire", self.gateway.kill_account(imp_uid))

    def start_with(self, settings: Mapping[str, object]) -> None:
        """Change settings, so that `reset` goes back to these."""
        self.settings.change(settings)
        self._start = self.settings.as_dict()

    def reset(self, *, seeded: bool = True) -> None:
        """Be as at the start: empty, or, where it was seeded, as it was then."""
        self.faults.clear()
        self.webhooks.clear()
        self.clock.reset()
        self.gateway.clear()
        self.settings.change(self._start)
        for forget in self.when_reset:
            forget()
        self.journal.clear()
        self.journal.add(journal.CONTROL, step="reset")
        if seeded and self.seed is not None:
            self.seed()

    def close_down(self) -> None:
        """Wait for what is being sent and send no more; nobody waits for the journal any longer."""
        self.journal.close()
        self.webhooks.close()

    def _later(self, seconds: int, change: Callable[[], Moved]) -> None:
        """Change a payment when so much time has passed, and tell the shop."""

        def run() -> None:
            with suppress(Refused):  # it has become something else meanwhile
                moved = change()
                self._noted(journal.CONTROL, "due", moved.attempt)
                self._told(moved)

        self.clock.schedule(self.clock() + seconds, run)

    def _consented(self, imp_uid: str) -> bool:
        attempt = self.gateway.attempt(imp_uid)
        if attempt.confirm_url is None or not attempt.in_window:
            return True
        consent = self._shop.ask(attempt.confirm_url, attempt)
        if not consent.given:
            self.gateway.refuse_by_shop(imp_uid, consent.reason)
        return consent.given

    def _told(self, moved: Moved) -> Attempt:
        self.webhooks.announce(moved.event)
        return moved.attempt

    def _bought(self, step: str, moved: Moved) -> Attempt:
        """Write down what a buyer did, then tell the shop."""
        self._noted(journal.WINDOW, step, moved.attempt)
        return self._told(moved)

    def _noted(self, kind: str, step: str, attempt: Attempt) -> Attempt:
        self.journal.add(
            kind,
            imp_uid=attempt.imp_uid,
            merchant_uid=attempt.merchant_uid,
            step=step,
            status=attempt.status,
        )
        return attempt

    def _clock_moved(self, before: int, now: int) -> None:
        self.journal.add(journal.CLOCK, before=before, now=now)


def _over_http(sent: Outgoing) -> Reply:
    from imp_verify.sandbox.outgoing import post  # who needs no network needs no client

    return post(sent)
