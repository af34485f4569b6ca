"""Charges without a window: a card that is stored, or told for this once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imp_verify.sandbox._moves.base import Base
from imp_verify.sandbox.attempt import Card
from imp_verify.sandbox.customers import Customer
from imp_verify.sandbox.errors import DECLINED, NO_BUYER, Refused
from imp_verify.sandbox.events import Event, Moved
from imp_verify.sandbox.ledger import Group

INICIS = "html5_inicis"


class Charging(Base):
    """Stores cards and charges them."""

    def store_card(self, group: Group, customer_uid: str, **card: Any) -> Customer:
        """Store a card under a name; under one that is there, in its place.

        Args:
            group: Whose it is.
            customer_uid: The name.
            card: The fields of a Customer but for its times.
        """
        with self._lock:
            now = self._clock()
            before = self.customers.find(group, customer_uid)
            inserted = before.inserted if before else now
            customer = Customer(customer_uid=customer_uid, inserted=inserted, updated=now, **card)
            return self.customers.put(group, customer)

    def charge_once(
        self, group: Group, fields: Mapping[str, Any], card: Card, customer_uid: str | None
    ) -> Moved:
        """Charge a card that is told for it; it is stored where it is given a name.

        Args:
            group: Who charges.
            fields: Of the Attempt, `merchant_uid`, `amount` and `pg_provider` among them.
            card: What is charged.
            customer_uid: The name that the card is stored under.

        Source: V1 REST API, POST /subscribe/payments/onetime.
        """
        with self._lock:
            moved = self._charge(group, fields, card, customer_uid, "payment")
            if customer_uid is not None and moved.attempt.status == "paid":
                self.customers.remember(moved.attempt)
            return moved

    def charge_again(
        self,
        group: Group,
        customer_uid: str,
        fields: Mapping[str, Any],
        *,
        quota: int = 0,
        usage: str = "payment",
        declined: bool | None = None,
    ) -> Moved:
        """Charge a stored card.

        Args:
            group: Who charges.
            customer_uid: The card's name.
            fields: Of the Attempt, but for what is the card's.
            quota: Months that it is paid in.
            usage: `payment`, or `payment.scheduled` where the gateway itself charges at its time.
            declined: Whether the card company says no; None: as the settings say.

        Source: V1 REST API, POST /subscribe/payments/again.
        """
        with self._lock:
            customer = self.customers.find(group, customer_uid)
            if customer is None:
                raise Refused(NO_BUYER)
            kept = customer.card
            kind = None if customer.pg_provider == INICIS else kept.kind
            card = Card(self._digits(8), kept.code, kept.name, kept.number, quota, kind)
            told = {"pg_provider": customer.pg_provider, "sandbox": customer.sandbox, **fields}
            return self._charge(group, told, card, customer_uid, usage, declined)

    def _charge(
        self,
        group: Group,
        fields: Mapping[str, Any],
        card: Card,
        customer_uid: str | None,
        usage: str,
        declined: bool | None = None,
    ) -> Moved:
        """Charge it; whether the shop is told of what came of it decides who calls.

        Source: V1 REST API, customer_uid_usage.
        """
        named = {"customer_uid": customer_uid, "customer_uid_usage": customer_uid and usage}
        imp_uid = self._begin(group, {**fields, **named}).imp_uid
        if self._settings.charges_declined if declined is None else declined:
            failed = self._fail(imp_uid, "SANDBOX_DECLINED", DECLINED)
            told = (imp_uid, failed.merchant_uid, "failed", None, failed.notice_urls)
            return Moved(failed, Event(*told, sandbox=failed.sandbox))
        return self._tell(imp_uid, "paid", card=card, **self._paid())
