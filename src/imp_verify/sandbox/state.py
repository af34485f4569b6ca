"""The gateway as a state machine: what a payment can become, and what is told to the shop then.

No I/O happens here; every method takes one lock, so that it may be called from any thread. Each
kind of change has its module in `_moves`; here they are put together, with what is looked up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from itertools import islice

from imp_verify.sandbox._moves.charges import Charging
from imp_verify.sandbox._moves.ends import Ending
from imp_verify.sandbox._moves.making import Making
from imp_verify.sandbox._moves.window import InWindow
from imp_verify.sandbox.accounts import Account, Token
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.ledger import Group
from imp_verify.sandbox.settings import Settings


def system_clock() -> int:
    """Return the time of day in whole Unix seconds."""
    return int(time.time())


class Gateway(Making, InWindow, Ending, Charging):
    """Accounts, payment attempts and pre-registrations, and every way they can change.

    Args:
        accounts: The customers of this gateway; one with made-up keys where left out.
        clock: Gives whole Unix seconds.
        channels: For a channelKey, its PG's code and whether it is a test channel.
        settings: What nobody knows of the real gateway, and other behaviour.
        digits: Where made-up numbers come from.

    Attributes:
        registrations: The pre-registered amounts.
        customers: The stored cards.
        when_waiting: Called with the imp_uid of an account that a test made to wait, or changed.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        *,
        clock: Callable[[], int] = system_clock,
        channels: Mapping[str, tuple[str, bool]] | None = None,
        settings: Settings | None = None,
        digits: Digits | None = None,
    ) -> None:
        super().__init__(accounts, clock, channels, settings or Settings(), digits or Digits())

    def now(self) -> int:
        """Return the gateway's time."""
        return self._clock()

    def first_group(self) -> Group:
        """Return the first account, without a tier."""
        with self._lock:
            return self._accounts.first().key, None

    def channel(self, key: str) -> tuple[str, bool] | None:
        """Return a channel's PG and whether it is a test channel; None where there is none."""
        with self._lock:
            return self._channels.get(key)

    def apply_number(self) -> str:
        """Make up a card's approval number."""
        with self._lock:
            return self._digits(8)

    def issue_token(self, key: str, secret: str) -> Token:
        """Return the access token of a key pair, or raise Refused."""
        with self._lock:
            return self._accounts.issue(key, secret)

    def account_of(self, authorization: str) -> Account:
        """Find whose token the header carries, or raise Refused."""
        with self._lock:
            return self._accounts.of_token(authorization)

    def key_of(self, authorization: str) -> str | None:
        """Name the account whose token the header carries; None where it is nobody's."""
        try:
            return self.account_of(authorization).key
        except Refused:
            return None

    def revoke(self, authorization: str) -> None:
        """Let the token that the header carries be of no use any more."""
        with self._lock:
            self._accounts.revoke(authorization)

    def hide_secrets(self, text: str) -> str:
        """Take every secret and living token out of a text that somebody will look at."""
        with self._lock:
            return self._accounts.hide(text)

    def as_of(self, time: int) -> Gateway:
        """Return it with its payments as they were at a time; for looking at them alone."""
        with self._lock:
            past = copy(self)
            past._ledger = self._ledger.as_of(time)
            return past

    def attempts(self, account: str | None = None, tier: str | None = None) -> list[Attempt]:
        """Return the attempts of one account and tier, or (account None) all, in their order."""
        with self._lock:
            everything = list(self._ledger)
        if account is None:
            return everything
        return [a for a in everything if (a.account, a.tier) == (account, tier)]

    @property
    def held(self) -> int:
        """How many attempts there are."""
        return len(self._ledger)

    def newest(
        self,
        first: int,
        limit: int,
        *,
        imp_uid: str | None = None,
        merchant_uid: str | None = None,
        status: str | None = None,
    ) -> tuple[int, list[Attempt]]:
        """Return how many attempts of anybody's there are, and a part of them, newest first.

        Args:
            first: Where the part begins, from 0.
            limit: How long it is at most.
            imp_uid: Only this one.
            merchant_uid: Only those for this order.
            status: Only those of this status.
        """
        wanted = {"imp_uid": imp_uid, "merchant_uid": merchant_uid, "status": status}
        asked = {name: value for name, value in wanted.items() if value is not None}
        with self._lock:
            if not asked:
                part = islice(reversed(self._ledger), first, first + limit)
                return len(self._ledger), list(part)
            found = [
                each
                for each in reversed(self._ledger)
                if all(getattr(each, name) == value for name, value in asked.items())
            ]
        return len(found), found[first : first + limit]

    def add_account(self, account: Account) -> None:
        """Add a customer; ValueError where its key or user code is another's."""
        with self._lock:
            self._accounts.add(account)

    def add_channel(self, key: str, pg_provider: str, *, test: bool) -> None:
        """Add a channel, or set one anew."""
        with self._lock:
            self._channels[key] = pg_provider, test

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
