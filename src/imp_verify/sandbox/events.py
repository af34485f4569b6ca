"""What the gateway has to tell a shop; how it is sent is another module's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from imp_verify.sandbox.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Event:
    """What a shop is to be told: the webhook's fields. `urls` is empty for the default one."""

    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str | None = None
    urls: tuple[str, ...] = ()

    def fields(self) -> dict[str, str]:
        """Return the webhook's body. Source: V1 webhook page."""
        body = {"imp_uid": self.imp_uid, "merchant_uid": self.merchant_uid, "status": self.status}
        if self.cancellation_id is not None:
            body["cancellation_id"] = self.cancellation_id
        return body


class Moved(NamedTuple):
    """What an operation led to: the attempt as it is now, and the event for the shop."""

    attempt: Attempt
    event: Event
