"""JSON with exact decimal numbers: what the gateway reads and writes, nothing about payments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# To the end where no quote ends it, or a hostile text is read again from each of its quotes.
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
DEEPEST = 100
LONGEST = 30
"""Digits of a number, before and after the point: 1e999999999 is short, and ends the process that
writes it out."""


def dumps(value: object) -> str:
    """Write a value as JSON, a Decimal as the very number it is.

    The standard encoder knows binary floats only and would round 4503599627370497.5 on its way. It
    is ten times as fast, so it writes what holds no such number.
    """
    try:
        return _ENCODER.encode(value)
    except _NotAsFloat:
        return _exactly(value)


class _NotAsFloat(Exception):
    """A number that a float would write as another one, or in other digits: 14.20."""


def _plain(value: object) -> object:
    """Return what the standard encoder writes for a value it does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON")
    text = format(value, "f")
    number: object = float(text) if "." in text else int(text)
    if str(number) != text:
        raise _NotAsFloat
    return number


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def _exactly(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_exactly(str(k))}:{_exactly(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_exactly(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def loads(text: str | bytes) -> object:
    """Read JSON; a number with a fraction becomes a Decimal.

    Raises:
        ValueError: It is none, or one that nobody means: too deep, or a number too long.
    """
    text = text if isinstance(text, str) else text.decode()
    _check_depth(text)
    return json.loads(text, parse_float=_number, parse_constant=_number)


def _check_depth(text: str) -> None:
    """Look before the parser does: it runs out of stack, and may take the process along."""
    depth = 0
    for bracket in re.findall(r"[][{}]", _TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise ValueError("the JSON is too deep")


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # 1e99999999999999999999: no Decimal has such an exponent
        raise ValueError("a number is too long") from None
    if not _is_short(number):
        raise ValueError("a number is too long")
    return number


def _is_short(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -LONGEST and number.adjusted() < LONGEST


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
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return None
    amount = Decimal(value)
    return amount if _is_short(amount) else None
