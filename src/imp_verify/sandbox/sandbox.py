"""The gateway together with what it sends: what a buyer, a bank or a clerk can do to a payment.

Every method may block while a shop answers, so an event loop calls it in a thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from decimal import Decimal
from functools import partial

from imp_verify.sandbox import journal
from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt, Promotion
from imp_verify.sandbox.bank import Bank
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.deliveries import Send, Shop
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import (
    CLOSED,
    CLOSED_MESSAGE,
    NO_RECORD,
    NO_RECORD_MESSAGE,
    PENDING_MESSAGE,
    Refused,
)
from imp_verify.sandbox.events import Event, Moved
from imp_verify.sandbox.faults import Faults
from imp_verify.sandbox.journal import Journal
from imp_verify.sandbox.ledger import Group
from imp_verify.sandbox.outgoing import Http
from imp_verify.sandbox.settings import Settings, check_delay
from imp_verify.sandbox.state import Gateway
from imp_verify.sandbox.webhooks import Webhooks

ESCROW = (2, 3, 31, 32, 4, 8, 10)
ESCROW_EVENT = "Inicis.Escrow.Changed"
CARD_CHECK = "카드 확인 결제 취소"
MISMATCH = "결제 요청금액 불일치"
MEANWHILE = ("failed", "ready", "pending")


class Sandbox(Bank):
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
        seed: What `reset` fills it with again.
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
        self.gateway.when_waiting = self._expire_when_due
        self._shop = Shop(send or Http(), self.journal, self.settings, self.clock)
        self.webhooks = Webhooks(self.settings, self._shop, self.clock, self.faults)
        self._asked: Counter[str] = Counter()
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

    def approve(
        self,
        imp_uid: str,
        *,
        amount: Decimal | None = None,
        currency: str | None = None,
        balance: bool = False,
        promotion: Promotion | None = None,
    ) -> Attempt:
        """Approve, after the shop's consent where the page gave a confirm_url.

        Args:
            imp_uid: Whose window is open.
            amount: Another one than the page asked for, as a buyer who tampers with the page makes
                it, or a wallet that may change it.
            currency: The same.
            balance: From the balance or the points of the PG's wallet.
            promotion: What was taken off the price.

        Raises:
            Refused: It cannot be approved, or not so.
        """
        _ = self.gateway.check_approvable(imp_uid, balance=balance)  # before anything is done
        asked = self._tampered(imp_uid, amount, currency)
        changed = self.gateway.attempt(imp_uid)
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        moved = self.gateway.approve(imp_uid, balance=balance, promotion=promotion)
        self._noted(journal.WINDOW, "approve", moved.attempt)
        self._given_back_by_pg(asked, changed, moved.attempt)
        self._told(moved)
        return self.gateway.attempt(imp_uid)

    def _tampered(self, imp_uid: str, amount: Decimal | None, currency: str | None) -> Attempt:
        """Change what a window asks for, and return the payment as its page asked for it."""
        asked = self.gateway.attempt(imp_uid)
        if amount is not None or currency is not None:
            changed = self.gateway.tamper(imp_uid, amount, currency)
            self._noted(journal.WINDOW, "tamper", changed)
        return asked

    def _given_back_by_pg(self, asked: Attempt, changed: Attempt, paid: Attempt) -> None:
        """Do what a PG does by itself. That a webhook tells of it is not documented: none does."""
        row, given = asked.pg, (asked.amount, asked.currency)
        if row.cancels_mismatch and given != (changed.amount, changed.currency):
            self.gateway.cancel(paid.imp_uid, reason=MISMATCH)
        elif row.issued_back and paid.customer_uid and not asked.amount and paid.amount:
            told = {"do": "cancel", "imp_uid": paid.imp_uid, "reason": CARD_CHECK, "quiet": True}
            self.plan(self.clock() + row.issued_back, told)

    def approve_later(self, imp_uid: str, seconds: int, *, meanwhile: str | None = None) -> Attempt:
        """Approve once so many seconds have passed on the clock, with a webhook then.

        Args:
            imp_uid: A payment whose window is open, or that failed or is pending.
            seconds: 0 to a year.
            meanwhile: What an open one is until then. `failed`, as old PayPal has it for two or
                three days, and Paymentwall; `ready`, as the PGs that leave it so, and its window
                can still be closed or approved; or `pending`. None: as the settings say.

        Raises:
            ValueError: seconds or meanwhile is none of these.
            Refused: The payment is paid, say, or waits for a deposit.
        """
        delay = check_delay("seconds", seconds)
        if meanwhile is not None and meanwhile not in MEANWHILE:
            raise ValueError(f"meanwhile is one of {', '.join(MEANWHILE)}")
        _ = self.gateway.check_approvable(imp_uid, late=True)
        attempt = self.gateway.attempt(imp_uid)
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        meanwhile = meanwhile or self._pending(attempt)
        if attempt.in_window and meanwhile == "failed":
            self.gateway.fail(imp_uid, code="SANDBOX_PENDING", reason=PENDING_MESSAGE)
        elif attempt.in_window and meanwhile == "pending":
            self.gateway.put_off(imp_uid)
        self.plan(self.clock() + delay, {"do": "approve", "imp_uid": imp_uid})
        return self._noted(journal.CONTROL, "approve-later", self.gateway.attempt(imp_uid))

    def _pending(self, attempt: Attempt) -> str:
        if self.settings.pending_is != "by-pg":
            return self.settings.pending_is
        return "failed" if attempt.pg.fails_first else "ready"

    def issue_account(
        self, imp_uid: str, *, amount: Decimal | None = None, currency: str | None = None
    ) -> Attempt:
        """Issue a virtual account, after the shop's consent like an approval.

        Whether the real gateway asks here too is not documented. `amount` and `currency` are others
        than the page asked for, as in `approve`.
        """
        self.gateway.check_issuable(imp_uid)
        self._tampered(imp_uid, amount, currency)
        if not self._consented(imp_uid):
            return self.gateway.attempt(imp_uid)
        moved = self.gateway.issue_account(imp_uid)
        self._expire_when_due(imp_uid)
        return self._bought("issue", moved)

    def decline(self, imp_uid: str) -> Attempt:
        """Decline as a card company does. No webhook."""
        attempt = self.gateway.fail(imp_uid, code="SANDBOX_DECLINED", reason="한도초과")
        return self._noted(journal.WINDOW, "decline", attempt)

    def close(self, imp_uid: str) -> Attempt:
        """Close the window: the payment fails, or stays ready, as the settings say. No webhook."""
        if self.settings.closed_becomes == "ready":
            attempt = self.gateway.check_open(imp_uid)
        else:
            reason = self.gateway.attempt(imp_uid).pg.closed_prefix + CLOSED_MESSAGE
            attempt = self.gateway.fail(imp_uid, code=CLOSED, reason=reason)
        return self._noted(journal.WINDOW, "close", attempt)

    def cancel(
        self, imp_uid: str, amount: Decimal | None = None, reason: str | None = None
    ) -> Attempt:
        """Return money back as the console does: with a webhook."""
        return self.refund(imp_uid, amount=amount, reason=reason, webhook=True, by_console=True)

    def escrow(self, imp_uid: str, escrow_status: int, reason: str | None = None) -> Attempt:
        """Tell the shop how the delivery of goods under escrow goes on; the payment stays paid.

        Args:
            imp_uid: A paid payment of Inicis.
            escrow_status: 2 shipped, 3, 31 or 32 confirmed, 4 refused, 8 cancelled, 10 the refusal
                is confirmed.
            reason: Why it was refused.

        Raises:
            ValueError: The status is none of these.
            Refused: It is no such payment.

        Source: the page of Inicis.
        """
        if type(escrow_status) is not int or escrow_status not in ESCROW:
            raise ValueError(f"escrow_status is one of {', '.join(map(str, ESCROW))}")
        attempt = self.gateway.attempt(imp_uid)
        if attempt.status != "paid" or not attempt.pg_provider.startswith("html5_inicis"):
            raise Refused("에스크로 상태를 변경할 수 없는 결제입니다.")
        extra = {"escrow_status": escrow_status, "changed_at": self.clock()}
        more = (("event", ESCROW_EVENT), ("extra", {**extra, "denied_reason": reason}))
        told = (imp_uid, attempt.merchant_uid, "paid", None, attempt.notice_urls)
        self._noted(journal.CONTROL, "escrow", attempt)
        return self._told(Moved(attempt, Event(*told, sandbox=attempt.sandbox, more=more)))

    def refund(
        self,
        imp_uid: str,
        *,
        amount: Decimal | None = None,
        checksum: Decimal | None = None,
        reason: str | None = None,
        tax_free: Decimal = Decimal(0),
        retain_promotion: bool = False,
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
        cancel = partial(
            self.gateway.cancel,
            imp_uid,
            reason=reason,
            tax_free=tax_free,
            retain_promotion=retain_promotion,
        )
        if attempt.cancels_later and (seconds := self.settings.cancel_seconds):
            told = {"do": "cancel", "imp_uid": imp_uid, "amount": part, "reason": reason}
            more = {"tax_free": tax_free, "retain_promotion": retain_promotion}
            self.plan(self.clock() + seconds, {**told, **more})
            return self._noted(journal.CONTROL, "cancel", attempt) if by_console else attempt
        # Compared once more: two that come together must not both pass on what was left before.
        moved = cancel(amount=amount, checksum=checksum)
        if by_console:
            self._noted(journal.CONTROL, "cancel", moved.attempt)
        if webhook and not by_console and self.settings.cancel_webhook_to == "settings":
            moved = moved._replace(event=replace(moved.event, urls=()))
        return self._told(moved) if webhook else moved.attempt

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
        for forget in (self._asked.clear, *self.when_reset):
            forget()
        self.journal.clear()
        self.journal.add(journal.CONTROL, step="reset")
        _ = seeded and self.seed and self.seed()

    def charge_scheduled(
        self,
        customer_uid: str,
        merchant_uid: str,
        amount: Decimal,
        *,
        name: str | None = None,
        declined: bool = False,
        group: Group | None = None,
    ) -> Attempt:
        """Charge a stored card as the gateway itself does at a time that was agreed.

        The shop is told of it either way, as of no other payment that failed.

        Args:
            customer_uid: The card's name.
            merchant_uid: The order's number.
            amount: How much.
            name: The order's title.
            declined: Whether the card company says no.
            group: The account and the tier whose card it is; the first account where left out.

        Raises:
            Refused: There is no such card, or the order is paid.

        Source: V1 webhook page.
        """
        fields = {"merchant_uid": merchant_uid, "amount": amount, "name": name}
        usage = "payment.scheduled"
        charge = self.gateway.charge_again
        group = group or self.gateway.first_group()
        moved = charge(group, customer_uid, fields, usage=usage, declined=declined)
        self._noted(journal.CONTROL, "scheduled", moved.attempt)
        return self._told(moved)

    def as_of(self, seconds: int) -> Sandbox:
        """Return it with its payments as they were so many seconds ago, to be looked at alone."""
        past = copy(self)
        past.gateway = self.gateway.as_of(self.clock() - seconds)
        return past

    def reach(self, send: Send | None) -> None:
        """Carry requests to shops in another way from now on; over HTTP where None."""
        self._shop.send = send or Http()

    def let_go(self) -> None:
        """End what is being sent, and let go on who waits for a fault or for the journal."""
        self.journal.let_go()
        for each in self.faults:
            each.let_go()
        self._shop.let_go()

    def close_down(self) -> None:
        """End what is being sent and send no more; nobody waits for anything any longer."""
        self.journal.close()
        self.faults.clear()
        self.webhooks.close()

    def lose(self, imp_uid: str) -> Attempt:
        """End a window so that the page is never told which payment it was. No webhook."""
        attempt = self.gateway.fail(imp_uid, code=NO_RECORD, reason=NO_RECORD_MESSAGE)
        return self._noted(journal.WINDOW, "lose", attempt)

    def leave(self, imp_uid: str) -> Attempt:
        """Let the buyer leave an open window without an end: it stays ready. No webhook."""
        return self._noted(journal.WINDOW, "leave", self.gateway.check_open(imp_uid))

    def _consented(self, imp_uid: str) -> bool:
        attempt = self.gateway.attempt(imp_uid)
        if attempt.confirm_url is None or not (attempt.confirms and attempt.in_window):
            return True
        with self._asking(imp_uid):
            consent = self._shop.ask(attempt.confirm_url, attempt)
        if not consent.given:
            self.gateway.refuse_by_shop(imp_uid, consent.reason)
        return consent.given

    @contextmanager
    def _asking(self, imp_uid: str) -> Iterator[None]:
        self._asked[imp_uid] += 1
        try:
            yield
        finally:
            self._asked[imp_uid] -= 1

    def hides(self, attempt: Attempt) -> bool:
        """Tell whether a look-up does not find it yet: while the shop is asked to confirm it."""
        return self.settings.lookup_in_confirm == 404 and self._asked[attempt.imp_uid] > 0

    def _bought(self, step: str, moved: Moved) -> Attempt:
        """Write down what a buyer did, then tell the shop."""
        self._noted(journal.WINDOW, step, moved.attempt)
        return self._told(moved)

    def _clock_moved(self, before: int, now: int) -> None:
        self.journal.add(journal.CLOCK, before=before, now=now)
