"""Stored cards: what a shop charges again without a window, under the name that it gave them."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from imp_verify.sandbox.attempt import Attempt, Card
from imp_verify.sandbox.errors import NO_CUSTOMER, WRONG_CARD, Refused
from imp_verify.sandbox.ledger import Group
from imp_verify.sandbox.opening import DEFAULT_PROVIDER
from imp_verify.sandbox.pgs import pg

_NUMBER = re.compile(r"[2-9][0-9]{13,15}")
_PUNCTUATION = str.maketrans("", "", "- ")
SHOWN_DIGITS = 10
"""Of a card's number at most."""
UNSEEN = Card("")
"""A card of which nothing was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One stored card and whose it is; times are Unix seconds."""

    customer_uid: str
    pg_provider: str = DEFAULT_PROVIDER
    sandbox: bool = False
    card: Card = UNSEEN
    inserted: int = 0
    updated: int = 0
    pg_id: str = "SANDBOXMID"
    customer_id: str | None = None
    name: str | None = None
    tel: str | None = None
    email: str | None = None
    addr: str | None = None
    postcode: str | None = None

    def wire(self) -> dict[str, object]:
        """Return it as the gateway writes it. Source: V1 REST API, subscribe/customers."""
        card = self.card
        issuer = (card.code, card.name) if pg(self.pg_provider).issuer else (None, None)
        return {
            "customer_uid": self.customer_uid,
            "pg_provider": self.pg_provider,
            "pg_id": self.pg_id,
            "sandbox": self.sandbox,
            "customer_id": self.customer_id,
            "card_name": card.name,
            "card_code": card.code,
            "card_issuer_code": issuer[0],
            "card_issuer_name": issuer[1],
            "card_publisher_code": issuer[0],
            "card_publisher_name": issuer[1],
            "card_number": card.number,
            "card_type": card.kind,
            "customer_name": self.name,
            "customer_tel": self.tel,
            "customer_email": self.email,
            "customer_addr": self.addr,
            "customer_postcode": self.postcode,
            "inserted": self.inserted,
            "updated": self.updated,
        }


class Customers:
    """The stored cards of all accounts, under the gateway's own lock."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._known: dict[tuple[Group, str], Customer] = {}

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._known.clear()

    def all(self) -> list[tuple[Group, Customer]]:
        """Return all, each with whose it is, in the order of their names' first."""
        with self._lock:
            return [(group, each) for (group, _), each in self._known.items()]

    def find(self, group: Group, customer_uid: str) -> Customer | None:
        """Return a stored card, or None where there is none."""
        with self._lock:
            return self._known.get((group, customer_uid))

    def get(self, group: Group, customer_uid: str) -> Customer:
        """Return a stored card, or raise Refused."""
        found = self.find(group, customer_uid)
        if found is None:
            raise Refused(NO_CUSTOMER.format(customer_uid=customer_uid))
        return found

    def put(self, group: Group, customer: Customer) -> Customer:
        """Store a card, in place of the one of this name that there may be."""
        with self._lock:
            self._known[group, customer.customer_uid] = customer
            return customer

    def remove(self, group: Group, customer_uid: str) -> Customer:
        """Forget a stored card and return it, or raise Refused."""
        with self._lock:
            found = self.get(group, customer_uid)
            del self._known[group, customer_uid]
            return found

    def remember(self, attempt: Attempt) -> None:
        """Store the card that a payment window registered."""
        if attempt.customer_uid is None:
            return
        group = (attempt.account, attempt.tier)
        before = self.find(group, attempt.customer_uid)
        name, email, tel, addr, postcode = attempt.buyer
        self.put(
            group,
            Customer(
                customer_uid=attempt.customer_uid,
                pg_provider=attempt.pg_provider,
                sandbox=attempt.sandbox,
                card=attempt.card or UNSEEN,
                inserted=before.inserted if before else attempt.paid_at,
                updated=attempt.paid_at,
                name=name,
                tel=tel,
                email=email,
                addr=addr,
                postcode=postcode,
            ),
        )


def masked(number: str) -> str:
    """Return a card's number as it may be kept, the digits from the 7th to the 12th hidden.

    Raises:
        Refused: No card has this number: its length, its first digit or its check digit is wrong.
    """
    digits = number.translate(_PUNCTUATION)
    if not _NUMBER.fullmatch(digits) or _luhn(digits) % 10:
        raise Refused(WRONG_CARD, code=-1)
    return digits[:6] + "******" + digits[12:]


def _luhn(digits: str) -> int:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(doubled) + sum(map(int, digits[-1::-2]))
