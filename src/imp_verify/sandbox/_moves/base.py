"""What every move of a payment needs: the lock, the time, the ledger, and how one changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from imp_verify.sandbox.accounts import Account, Accounts
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.customers import Customers
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import ALREADY_PAID, PLAIN_NUMBER, Refused, unknown_payment
from imp_verify.sandbox.events import Event, Moved
from imp_verify.sandbox.ledger import Group, Ledger
from imp_verify.sandbox.pgs import pg
from imp_verify.sandbox.registrations import Registrations
from imp_verify.sandbox.settings import Settings


class Base:
    """The state that the moves share. A move takes the lock once and holds it to its end."""

    def __init__(
        self,
        accounts: Iterable[Account],
        clock: Callable[[], int],
        channels: Mapping[str, tuple[str, bool]] | None,
        settings: Settings,
        digits: Digits,
    ) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._settings = settings
        self._digits = digits
        self._accounts = Accounts(tuple(accounts) or (Account(),), clock, digits)
        self._first_channels = {key: _channel(key, told) for key, told in (channels or {}).items()}
        self._channels = dict(self._first_channels)
        self._ledger = Ledger()
        self._series = digits(6)
        self.registrations = Registrations(self._lock)
        self.customers = Customers(self._lock)
        self.when_waiting: Callable[[str], object] | None = None

    @property
    def channels(self) -> Mapping[str, tuple[str, bool]]:
        """For a channelKey, its PG's code and whether it is a test channel."""
        return self._channels

    def attempt(self, imp_uid: str) -> Attempt:
        """Return one attempt, whosever it is, or raise Refused."""
        with self._lock:
            attempt = self._ledger.get(imp_uid)
            if attempt is None:
                raise unknown_payment()
            return attempt

    def clear(self) -> None:
        """Hold what a new gateway holds: no payment, and the accounts and channels of the start."""
        with self._lock:
            self._digits.restart()
            self._accounts.reset()
            self._channels = dict(self._first_channels)
            self._ledger = Ledger()
            self._series = self._digits(6)
            self.registrations.clear()
            self.customers.clear()

    def _begin(self, group: Group, fields: Mapping[str, Any]) -> Attempt:
        """Begin a payment that has no window.

        Raises:
            Refused: Its order is paid, or its number none that the PG takes.
        """
        number = fields["merchant_uid"]
        row = pg(fields["pg_provider"])
        if not row.mixed_number and not (number.isascii() and number.isalnum()):
            raise Refused(PLAIN_NUMBER)
        if any(other.paid_at for other in self._ledger.of_order(group, number)):
            raise Refused(ALREADY_PAID)
        account, tier = group
        urls = self._settings.notice_urls(fields.get("notice_urls", ()))
        attempt = Attempt(
            imp_uid=self._new_imp_uid("imps"),
            account=account,
            tier=tier,
            channel="api",
            started_at=self._clock(),
            updated_at=self._clock(),
            number=len(self._ledger),
            **{"currency": row.currency, **fields, "notice_urls": urls},
        )
        self._ledger.put(attempt)
        return attempt

    def _paid(self) -> dict[str, Any]:
        paid = {"paid_at": self._clock(), "pg_tid": self._digits.tid()}
        if self._settings.failed_fields == "kept":
            return paid
        return {**paid, "failed_at": 0, "fail_reason": None, "error_code": None}

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
        if status == "paid" and attempt.customer_uid_usage == "issue":
            self.customers.remember(attempt)
        told = (imp_uid, attempt.merchant_uid, status, cancellation_id, attempt.notice_urls)
        return Moved(attempt, Event(*told, sandbox=attempt.sandbox))

    def _move(self, imp_uid: str, **changes: Any) -> Attempt:
        attempt = replace(self.attempt(imp_uid), updated_at=self._clock(), **changes)
        self._ledger.put(attempt)
        return attempt

    def _new_imp_uid(self, prefix: str = "imp") -> str:
        # Counted, so that none comes twice, after a start that no other run has: a shop's
        # database outlives the sandbox, and an id there belongs to one order for ever.
        return f"{prefix}_{self._settings.series(self._series)}{len(self._ledger):06d}"


def _channel(key: str, told: Any) -> tuple[str, bool]:
    """Refuse what would be taken apart as something else: a dict by its keys, a text by letters."""
    if not isinstance(told, tuple) or [type(each) for each in told] != [str, bool]:
        raise ValueError(
            f"channels: {key} is a pair of its PG's code and whether it is a test channel: "
            '("tosspayments", True)'
        )
    return told
