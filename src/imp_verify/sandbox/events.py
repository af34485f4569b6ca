"""What the gateway has to tell a shop; how it is sent is another module's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from imp_verify.sandbox.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Event:
    """What a shop is to be told.

    Attributes:
        urls: Where; empty for the address that is set.
        sandbox: Whether it is of a test payment, for which another address may be set.
        more: Further fields of the body.
    """

    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str | None = None
    urls: tuple[str, ...] = ()
    sandbox: bool = False
    more: tuple[tuple[str, object], ...] = ()

    def fields(self) -> dict[str, object]:
        """Return the webhook's body. Source: V1 webhook page."""
        body: dict[str, object] = {
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            "status": self.status,
        }
        if self.cancellation_id is not None:
            body["cancellation_id"] = self.cancellation_id
        return {**body, **dict(self.more)}


class Moved(NamedTuple):
    """What an operation led to: the attempt as it is now, and the event for the shop."""

    attempt: Attempt
    event: Event
