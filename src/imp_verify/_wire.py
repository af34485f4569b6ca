"""Reading the gateway's answers: the envelope, and one payment in it. Source: V1 REST API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, NoReturn, TypeGuard

from .amounts import read_amount
from .errors import GatewayError, GatewayProtocolError, GatewayUnavailable
from .payment import Payment
from .transports import GatewayResponse

__all__ = ["Envelope", "is_time", "read_envelope", "read_payment"]


class Envelope(NamedTuple):
    """What every answer of the gateway is wrapped in, with its HTTP status."""

    http_status: int
    code: int
    message: str | None
    response: object

    def fail(self, text: str, kind: type[GatewayError] = GatewayProtocolError) -> NoReturn:
        """Raise an error that carries the gateway's status, code and message."""
        raise kind(text, http_status=self.http_status, code=self.code, message=self.message)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


def _decode(body: bytes) -> object:
    """Read JSON, None where it is none: the reader's own error holds the body, so it ends here."""
    try:
        return _JSON.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError, ArithmeticError):
        return None


def read_envelope(response: GatewayResponse) -> Envelope:
    """Read an answer's envelope, whatever it says.

    Raises:
        GatewayUnavailable: HTTP 429 or 5xx.
        GatewayProtocolError: Another redirect, HTML, broken or foreign JSON.
    """
    status = response.status
    if status == 429 or status >= 500:
        raise GatewayUnavailable(f"the gateway answers HTTP {status}", http_status=status)
    envelope = _decode(response.body)
    code = envelope.get("code") if isinstance(envelope, dict) else None
    if not isinstance(envelope, dict) or not isinstance(code, int) or isinstance(code, bool):
        what = "JSON" if envelope is None else "an envelope"
        raise GatewayProtocolError(f"HTTP {status} without {what}", http_status=status)
    message = envelope.get("message")
    text = message if isinstance(message, str) else None
    return Envelope(status, code, text, envelope.get("response"))


def is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def read_payment(content: Mapping[str, object]) -> Payment:
    """Read one payment out of the gateway's answer.

    Args:
        content: The envelope's "response". "amount" and "cancel_amount" are numbers in the
            currency's main unit
            (won, dollars), at most 18 digits before and 8 after the point; "currency"
            is KRW where absent.

    Raises:
        GatewayProtocolError: A field that a rule reads is missing, of another type or out of range.

    Source: V1 REST API, GET /payments/{imp_uid}.
    """
    amount, cancelled = _amount(content, "amount"), _amount(content, "cancel_amount")
    if cancelled > amount:
        raise GatewayProtocolError("a payment's cancel_amount is above its amount")
    sandbox = content.get("sandbox")
    if sandbox is not None and not isinstance(sandbox, bool):
        raise GatewayProtocolError("a payment's sandbox is neither true nor false")
    return Payment(
        imp_uid=_text(content, "imp_uid"),
        merchant_uid=_text(content, "merchant_uid"),
        status=_text(content, "status"),
        amount=amount,
        cancel_amount=cancelled,
        currency=(_optional(content, "currency") or "KRW").upper(),
        sandbox=bool(sandbox),
        pay_method=_optional(content, "pay_method"),
        pg_provider=_optional(content, "pg_provider"),
        vbank_num=_optional(content, "vbank_num"),
        customer_uid_usage=_optional(content, "customer_uid_usage"),
        raw=content,
    )


def _amount(content: Mapping[str, object], name: str) -> Decimal:
    amount = read_amount(content.get(name))
    if amount is None:
        raise GatewayProtocolError(f"a payment's {name} is missing or no amount")
    return amount


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise GatewayProtocolError(f"a payment's {name} is missing or no text")
    return value


def _optional(content: Mapping[str, object], name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise GatewayProtocolError(f"a payment's {name} is no text")
    return value
