"""Reading single values that others wrote, exactly and within limits: amounts of money, ids, JSON.
No binary floats, no rounding."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Context, Decimal
from json import JSONDecoder
from typing import Any, NoReturn

from ..errors import InvalidRequest, StoreError

__all__ = [
    "EXACT",
    "MAX_DEPTH",
    "check_imp_uid",
    "check_merchant_uid",
    "is_amount",
    "is_imp_uid",
    "is_merchant_uid",
    "json_reader",
    "read_amount",
    "read_price",
]

EXACT = Context(prec=60)
"""Sums and differences of amounts are counted in this: a shop's own context may round."""

_WHOLE = 18
_ABOVE = 10**_WHOLE
_FRACTION = 8
_PLAIN = re.compile(r"[0-9]{1,18}(\.[0-9]{1,8})?")
_LIKE_A_NUMBER = re.compile(r"[^\d@]{0,5}\d[\d.,_' eE+]{0,14}[^\d@]{0,3}")
"""Text that means to be an amount, and is no address, telephone or card number."""
_MESSAGE = "an expected amount must be an int, a Decimal or plain decimal text above zero"


def is_amount(value: Decimal) -> bool:
    """Whether it is finite, not negative, and has at most 18 digits before and 8 after a point."""
    if not value.is_finite() or value < 0:
        return False
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_FRACTION and value.adjusted() < _WHOLE


def read_amount(value: object) -> Decimal | None:
    """Read an amount in the form that a wire may carry: an int, a Decimal, or plain decimal text.
    None for all else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value) if 0 <= value < _ABOVE else None
    if isinstance(value, str):
        return Decimal(value) if _PLAIN.fullmatch(value) else None
    if isinstance(value, Decimal) and is_amount(value):
        return value.copy_abs()  # -0.0 is a number in JSON; abs() would round by the shop's context
    return None


def read_price(value: object) -> Decimal:
    """Read an amount that the shop expects.

    Raises:
        StoreError: It is a float, a bool, NaN, zero, negative, out of range or of another type.
            The text names the type, and the value of a number or of text that looks like one;
            of anything else it might be a buyer's data.
    """
    if type(value) is int and 0 < value < _ABOVE:
        return Decimal(value)  # nearly all are like this
    amount = _without_spare_zeros(value) if isinstance(value, Decimal) else read_amount(value)
    if amount is None or amount <= 0:
        number = isinstance(value, float | Decimal) or (
            isinstance(value, int) and abs(value) < _ABOVE  # Python writes no huge int as text
        )
        shown = f" {value}" if number else ""
        if isinstance(value, str) and (not value or _LIKE_A_NUMBER.fullmatch(value)):
            shown = f" {value!r}"
        raise StoreError(f"{_MESSAGE}, not {type(value).__name__}{shown:.40}")
    return amount


def _without_spare_zeros(value: Decimal) -> Decimal | None:
    """Read an amount without the zeros at its end: a database may return 39000.0000000000, and the
    number counts, not how many zeros a column has."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return None
    while exponent < -_FRACTION and len(digits) > 1 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return read_amount(Decimal((sign, digits, exponent)))


# Ids.

_IMP_UID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MAX_MERCHANT_UID = 64


def is_imp_uid(value: object) -> bool:
    """Whether it is 1 to 32 ASCII letters, digits, `_` and `-`."""
    return isinstance(value, str) and _IMP_UID.fullmatch(value) is not None


def check_imp_uid(value: object) -> str:
    """Return the imp_uid, or raise `InvalidRequest`: 1 to 32 ASCII letters, digits, `_` and
    `-`."""
    if not isinstance(value, str) or not is_imp_uid(value):
        raise InvalidRequest("imp_uid is not 1 to 32 letters, digits, _ or -")
    return value


def is_merchant_uid(value: object) -> bool:
    """Whether it is 1 to 64 printable characters without white space at either end."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_MERCHANT_UID:
        return False
    return value.isprintable() and value == value.strip()


def check_merchant_uid(value: object) -> str:
    """Return the merchant_uid, or raise `InvalidRequest`; see `is_merchant_uid`."""
    if not isinstance(value, str) or not is_merchant_uid(value):
        raise InvalidRequest("merchant_uid is not 1 to 64 printable characters")
    return value


# JSON, of requests and of the gateway.

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
