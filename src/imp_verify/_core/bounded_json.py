"""Reading JSON that others wrote. Apart, because requests and the gateway's answers share it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from json import JSONDecoder
from typing import Any, NoReturn

__all__ = ["MAX_DEPTH", "json_reader"]

MAX_DEPTH = 100
"""How deep arrays and objects may be nested; a payment is nested five deep."""

_OPENING = b"[{"
_ALL_ELSE = bytes(set(range(256)) - set(b'[]{}"'))


def json_reader(pairs_hook: Callable[[Any], Any] | None = None) -> Callable[[bytes], object]:
    """Make a reader of JSON in UTF-8, with or without a BOM. Fractions are read straight to
    Decimal.

    Args:
        pairs_hook: What makes an object of its pairs; a dict where left out.

    The reader raises ValueError or ArithmeticError where it is no JSON, NaN and infinities
    included, and where it is nested deeper than `MAX_DEPTH`.
    """
    decode = JSONDecoder(
        object_pairs_hook=pairs_hook, parse_float=Decimal, parse_constant=_no_constant
    ).decode

    def read(body: bytes) -> object:
        # Fewer brackets than that cannot be nested so deep, whatever is inside strings.
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(body):
            raise ValueError("nested too deep")
        return decode(body.decode("utf-8-sig"))

    return read


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_too_deep(body: bytes) -> bool:
    """Count brackets outside of strings. Python's own reader recurses on the C stack, and up to
    3.13 its limit is no help on a thread with a stack of 1 MiB: the process is killed."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # Most strings are empty by now; two quotes side by side say nothing of what is around them.
    marks = unescaped.translate(None, _ALL_ELSE).replace(b'""', b"")
    depth = 0
    for bracket in b"".join(marks.split(b'"')[::2]):
        depth += 1 if bracket in _OPENING else -1
        if depth > MAX_DEPTH:
            return True
    return False
