"""How a virtual account ends: it expires, is given up, or its deposit is taken back.

What each of them leads to is not documented: the settings say it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imp_verify.sandbox._moves.cancelling import Cancelling
from imp_verify.sandbox._moves.vbank import OfAccounts
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.events import Moved


class Ending(OfAccounts, Cancelling):
    """Ends virtual accounts."""

    def kill_account(self, imp_uid: str) -> Moved:
        """Give a waiting account up, as a shop does."""
        return self._end(imp_uid, self._settings.account_killed, "SANDBOX_KILLED", "가상계좌 말소")

    def expire(self, imp_uid: str) -> Moved:
        """Let a waiting account's deadline pass."""
        with self._lock:
            vbank = self._waiting(imp_uid).vbank
            assert vbank is not None
            told = ("SANDBOX_EXPIRED", "입금기한 만료")
            expired = replace(vbank, expired=True)
            return self._end(imp_uid, self._settings.account_expired, *told, vbank=expired)

    def _end(self, imp_uid: str, becomes: str, code: str, reason: str, **changes: Any) -> Moved:
        with self._lock:
            self._waiting(imp_uid)
            if becomes == "failed":
                changes |= {"fail_reason": reason, "error_code": code, "failed_at": self._clock()}
            if becomes == "cancelled":
                changes["cancelled_at"] = self._clock()
            return self._tell(imp_uid, becomes, **changes)

    def take_back(self, imp_uid: str) -> Moved:
        """Let the bank take a deposit back, of which nothing was given back before."""
        with self._lock:
            attempt = self.attempt(imp_uid)
            whole = attempt.status == "paid" and not attempt.cancellations
            if attempt.vbank is None or attempt.unlimited or not whole:
                raise Refused("입금을 취소할 수 없는 상태의 결제입니다.")
            if self._settings.deposit_taken_back == "ready":
                return self._tell(imp_uid, "ready", paid_at=0)
            return self.cancel(imp_uid, reason="입금 취소")
