"""The error tree: what keeps a verification from reaching a verdict. What is wrong with a payment
is a `Verdict`."""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "GatewayError",
    "GatewayProtocolError",
    "GatewayRefused",
    "GatewayReset",
    "GatewayUnavailable",
    "GiveBack",
    "ImpVerifyError",
    "InvalidRequest",
    "StoreError",
]

_MESSAGE_LIMIT = 500


class ImpVerifyError(Exception):
    """Every error of this package.

    Attributes:
        http_status: The gateway's HTTP status, None where it gave none.
        code: The gateway's envelope code, None where it gave none.
        message: The gateway's own text, clipped; kept out of `str()`, because it is
            somebody else's words.
    """

    http_status: int | None
    code: int | None
    message: str | None

    def __init__(
        self,
        text: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        message: str | None = None,
    ) -> None:
        super().__init__(text)
        self.http_status = http_status
        self.code = code
        self.message = None if message is None else message[:_MESSAGE_LIMIT]


class ConfigurationError(ImpVerifyError):
    """The integrator can mend it: a setting is missing, contradictory or of the wrong kind."""


class InvalidRequest(ImpVerifyError):
    """The caller can mend it: an id, an amount or the name of an account is missing or malformed.
    Nothing was asked of the gateway."""


class StoreError(ImpVerifyError):
    """The shop can mend it: its store, its order or a hook broke the store protocol."""


class GatewayError(ImpVerifyError):
    """The gateway, the net or the credentials kept us from an answer. It says nothing about the
    payment."""


class GatewayUnavailable(GatewayError):
    """No usable answer came in time: time-out, no connection, HTTP 5xx or 429. Asking again later
    may do.

    Attributes:
        uncertain: A call that changes something went out, and it may have been carried out: look
            before it is repeated.
        retry_after: Seconds after which the gateway wants to be asked again, where it says so.
    """

    uncertain: bool
    retry_after: float | None = None

    def __init__(
        self,
        text: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        message: str | None = None,
        uncertain: bool = False,
    ) -> None:
        super().__init__(text, http_status=http_status, code=code, message=message)
        self.uncertain = uncertain


class GatewayReset(GatewayUnavailable):
    """The connection broke before an answer was complete; a read may be repeated once at once."""


class GatewayRefused(GatewayError):
    """The gateway answered and said no: wrong credentials, or a refused call."""


class GatewayProtocolError(GatewayError):
    """The gateway's answer is not what its documentation says: too large, no JSON, wrong types, a
    redirect."""


class GiveBack(Exception):
    """Raised by a ready-made store's `on_paid`: the order cannot be fulfilled, so the payment does
    not pay it and is to be given back. No error, and of no other hook's.

    What the hook wrote is undone. The payment is kept as late with the reason REFUSED, for good,
    and the order stays unpaid: another payment may pay it.

    Attributes:
        reason: Why, in the shop's own words, for the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
