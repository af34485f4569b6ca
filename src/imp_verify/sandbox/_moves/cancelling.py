"""Money that goes back, in whole or in part."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from imp_verify.sandbox._moves.base import Base
from imp_verify.sandbox.attempt import Attempt, Cancellation
from imp_verify.sandbox.errors import ALREADY_CANCELLED, GONE_AT_PG, NOTHING_TO_CANCEL, Refused
from imp_verify.sandbox.events import Moved


class Cancelling(Base):
    """Gives money back, and says what can be given back."""

    def cancel(
        self,
        imp_uid: str,
        *,
        amount: Decimal | None = None,
        checksum: Decimal | None = None,
        reason: str | None = None,
        tax_free: Decimal = Decimal(0),
        retain_promotion: bool = False,
    ) -> Moved:
        """Return money back: `amount`, or all that is left where it is None or 0.

        A promotion whose condition what is left does not meet any longer is gone, unless it is to
        be retained; what else follows from that is not documented.

        The event is made always; who calls decides whether this way of cancelling sends one.

        Source: V1 REST API, POST /payments/cancel.
        """
        with self._lock:
            part = self.cancellable(imp_uid, amount=amount, checksum=checksum)
            attempt = self.attempt(imp_uid)
            ident = self._cancellation_id(attempt)
            entry = Cancellation(ident, self._digits.tid(), part, self._clock(), reason, tax_free)
            left, promotion = attempt.remaining - part, attempt.promotion
            if promotion and 0 < left < promotion.least and not retain_promotion:
                promotion = None
            moved = self._tell(
                imp_uid,
                "cancelled" if part == attempt.remaining else self._settings.part_status,
                cancellation_id=None if self._settings.cancellation_ids == "absent" else ident,
                cancellations=(*attempt.cancellations, entry),
                cancelled_at=self._clock(),
                promotion=promotion,
            )
            # The webhook says what happened, whatever the payment is said to be after it.
            return Moved(moved.attempt, replace(moved.event, status="cancelled"))

    def _cancellation_id(self, attempt: Attempt) -> str:
        if self._settings.cancellation_ids == "repeated" and attempt.cancellations:
            return attempt.cancellations[0].cancellation_id
        return self._digits.cancellation_id()

    def cancellable(
        self, imp_uid: str, *, amount: Decimal | None = None, checksum: Decimal | None = None
    ) -> Decimal:
        """Return what a cancel would give back; raise Refused where it would be refused."""
        with self._lock:
            attempt = self._ledger.get(imp_uid)
            if attempt is None or not attempt.paid_at:
                raise Refused(NOTHING_TO_CANCEL)
            if attempt.remaining == 0:
                raise Refused(ALREADY_CANCELLED)
            if checksum is not None and checksum != attempt.remaining:
                raise Refused("취소 가능금액과 checksum이 일치하지 않습니다.")
            if self._settings.gone_at_pg(attempt, self._clock()):
                raise Refused(GONE_AT_PG, code=-1)
            part = amount or attempt.remaining
            if not 0 < part <= attempt.remaining:
                raise Refused("취소 요청금액이 취소 가능금액을 초과합니다.")
            most = attempt.pg.most_parts
            if part < attempt.remaining and most and len(attempt.cancellations) >= most:
                raise Refused(f"부분취소는 {most}회까지 가능합니다.")
            return part
