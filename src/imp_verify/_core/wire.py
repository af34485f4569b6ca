"""Reading the gateway's answers, the envelope and one payment in it, and writing what it is sent.

Source: V1 REST API.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple, NoReturn, TypeGuard

from ..errors import GatewayError, GatewayProtocolError, GatewayUnavailable
from ..models import Payment
from ..transports import GatewayResponse
from .reading import json_reader, read_amount

__all__ = ["Envelope", "is_time", "read_envelope", "read_payment", "write_fields"]

_LARGEST_CODE = 2**31


class Envelope(NamedTuple):
    """What every answer of the gateway is wrapped in, with its HTTP status. `code` is None where
    the answer is no envelope; `response` is then whatever JSON it is."""

    http_status: int
    code: int | None
    message: str | None
    response: object

    def fail(self, text: str, kind: type[GatewayError] = GatewayProtocolError) -> NoReturn:
        """Raise an error that carries the gateway's status, code and message."""
        raise kind(text, http_status=self.http_status, code=self.code, message=self.message)

    def check(self) -> None:
        """Raise unless the gateway answered at all, be it yes or no.

        Raises:
            GatewayUnavailable: HTTP 429 or 5xx.
            GatewayProtocolError: A redirect, HTML, broken or foreign JSON.
        """
        status = self.http_status
        if status == 429 or status >= 500:
            self.fail(f"the gateway answers HTTP {status}", GatewayUnavailable)
        if self.code is None:
            what = "JSON" if self.response is None else "an envelope"
            self.fail(f"HTTP {status} without {what}")


_read = json_reader()


def _decode(body: bytes) -> object:
    """Read JSON, None where it is none: the reader's own error holds the body, so it ends here."""
    try:
        return _read(body)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def read_envelope(response: GatewayResponse, conceal: Callable[[str], str] = str) -> Envelope:
    """Read the envelope of an answer, whatever it says. What is no envelope has no `code`.

    Args:
        conceal: Takes out of the gateway's message what nobody may see.
    """
    content = _decode(response.body)
    code = content.get("code") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not _is_code(code):
        return Envelope(response.status, None, None, content)
    message = content.get("message")
    said = conceal(message) if isinstance(message, str) else None
    return Envelope(response.status, code, said, content.get("response"))


def _is_code(value: object) -> TypeGuard[int]:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return -_LARGEST_CODE <= value < _LARGEST_CODE


def is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def read_payment(content: Mapping[str, object]) -> Payment:
    """Read one payment out of the gateway's answer.

    Args:
        content: The envelope's "response". "amount" and "cancel_amount" are numbers in the
            currency's main unit (won, dollars), at most 18 digits before and 8 after the point;
            "currency" is KRW where absent.

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


def write_fields(fields: Mapping[str, object]) -> bytes:
    """Write the body of a call as JSON, without the fields that are None. Amounts are numbers with
    exactly the digits that they have: a binary float would not keep them."""
    given = {name: value for name, value in fields.items() if value is not None}
    written = (f"{json.dumps(name)}: {_written(value)}" for name, value in given.items())
    return f"{{{', '.join(written)}}}".encode()


def _written(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)
