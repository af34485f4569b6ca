"""What every move of a payment needs: the lock, the time, the ledger, and how one changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from imp_verify.sandbox.accounts import Account, Accounts
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import unknown_payment
from imp_verify.sandbox.events import Event, Moved
from imp_verify.sandbox.ledger import Ledger
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
        self._first_channels = dict(channels or {})
        self._channels = dict(self._first_channels)
        self._ledger = Ledger()
        self._series = digits(6)
        self.registrations = Registrations(self._lock)

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

    def _paid(self) -> dict[str, Any]:
        return {
            "paid_at": self._clock(),
            "pg_tid": self._digits.tid(),
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
