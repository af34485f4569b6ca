"""JSON with exact decimal numbers: what the gateway reads and writes, nothing about payments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def dumps(value: object) -> str:
    """Write a value as JSON, a Decimal as the very number it is.

    The standard encoder knows binary floats only and would round 4503599627370497.5 on its way.
    """
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{dumps(str(k))}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def loads(text: str | bytes) -> object:
    """Read JSON; a number with a fraction becomes a Decimal."""
    return json.loads(text, parse_float=Decimal)


def read_fields(body: bytes, content_type: str) -> dict[str, object]:
    """Read a request's parameters, sent as JSON or as form text.

    Raises:
        ValueError: The body is neither.
    """
    if "json" in content_type.lower():
        content = loads(body or b"{}")
        if not isinstance(content, dict):
            raise ValueError("the body is JSON but no object")
        return content
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def as_amount(value: object) -> Decimal | None:
    """Read an amount: a JSON number, or in form text a plain decimal. None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        amount = Decimal(value)
        return amount if amount.is_finite() else None
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return Decimal(value)
    return None
