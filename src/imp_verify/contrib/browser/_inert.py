"""Text that is safe where it stands: JSON inside a `<script>`, and finished HTML. No rule of a
payment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

from ...errors import InvalidRequest

__all__ = ["Markup", "to_json"]

_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


class Markup(str):
    """HTML that a template engine must not escape again; Jinja, Django and Mako ask `__html__`."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def to_json(value: object, name: str = "") -> str:
    """Write JSON that may stand in a `<script>` element, whatever texts it holds.

    A Decimal becomes a number of exactly its value, without an exponent. Korean stays readable.

    Args:
        name: What the value is, for the error to name.

    Raises:
        InvalidRequest: Something that JSON cannot hold, or a number that a browser cannot: the text
            names where, never a value.
    """
    if isinstance(value, str):
        return _UNSAFE.sub(_escape, json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InvalidRequest(f"{name or 'the data'}: a key is no text")
        pairs = ((to_json(key), to_json(each, key)) for key, each in value.items())
        return "{" + ",".join(f"{key}:{each}" for key, each in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(to_json(each, name) for each in value) + "]"
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return _number(Decimal(value), name)
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise InvalidRequest(f"{name or 'the data'} may not be {type(value).__name__}") from None


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _number(value: Decimal, name: str) -> str:
    # What the browser reads is a binary float. If that is another number than the one meant, the
    # gateway would be asked for another amount than the order's, or be told another id.
    if not value.is_finite() or Decimal(repr(float(value))) != value:
        raise InvalidRequest(f"{name or 'a number'} has more digits than a browser can carry")
    return format(value, "f")
