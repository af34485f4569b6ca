"""One call as its handler meets it: who calls, with which values, on which sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import Refused, unknown_payment
from imp_verify.sandbox.ledger import Group

if TYPE_CHECKING:  # it makes faults, which know the calls' names
    from imp_verify.sandbox.sandbox import Sandbox


class Answer(NamedTuple):
    """What a call found, and the HTTP status where it is not 200."""

    response: object
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        sandbox: Where it came in.
        account: The key of the account whose token it carries; empty for a call without one.
        tier: The sub-store.
        values: Of its parameters, by name, read and within their limits; None where not sent.
    """

    sandbox: Sandbox
    account: str
    tier: str | None
    values: Mapping[str, object]

    @property
    def group(self) -> Group:
        """Who calls: the attempts of this group may be seen."""
        return self.account, self.tier

    def attempt(self, imp_uid: str) -> Attempt:
        """Return one of the caller's attempts, or raise Refused."""
        attempt = self.sandbox.gateway.attempt(imp_uid)
        if (attempt.account, attempt.tier) != self.group:
            raise unknown_payment()
        return attempt

    def known(self, imp_uid: str) -> list[Attempt]:
        """Return one of the caller's attempts as a list, empty where there is none."""
        try:
            return [self.attempt(imp_uid)]
        except Refused:
            return []

    def of_order(self, merchant_uid: str) -> list[Attempt]:
        """Return the caller's attempts for an order number."""
        return self.sandbox.gateway.attempts_of(self.group, merchant_uid)

    def text(self, name: str) -> str | None:
        """Return a text."""
        value = self.values[name]
        assert isinstance(value, str | None)
        return value

    def needed(self, name: str) -> str:
        """Return a text that the call cannot do without."""
        value = self.text(name)
        assert value is not None
        return value

    def amount(self, name: str) -> Decimal | None:
        """Return an amount."""
        value = self.values[name]
        assert isinstance(value, Decimal | None)
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number, or what it is where it was not sent."""
        value = self.values[name]
        assert isinstance(value, int | None)
        return default if value is None else value

    def flag(self, name: str) -> bool:
        """Return whether it was sent as true."""
        return self.values[name] is True

    def named(self, name: str) -> Mapping[str, object]:
        """Return the values that were sent under a name, each by its own."""
        value = self.values[name]
        assert isinstance(value, Mapping | None)
        return value or {}

    def texts(self, name: str) -> list[str]:
        """Return all that was sent under a name."""
        value = self.values[name]
        assert isinstance(value, list | None)
        return value or []
