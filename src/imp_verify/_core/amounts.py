"""Exact amounts of money: what counts as a number, from a gateway and from a shop. No binary
floats, no rounding."""

from __future__ import annotations

import re
from decimal import Context, Decimal

from ..errors import StoreError

__all__ = ["EXACT", "is_amount", "read_amount", "read_price"]

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
