"""Targets: ids and amounts of money."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from urllib.parse import quote, unquote

from imp_verify import ConfigurationError, InvalidRequest, StoreError, order_number
from imp_verify._core.reading import (
    check_imp_uid,
    check_merchant_uid,
    is_imp_uid,
    is_merchant_uid,
    json_reader,
    read_amount,
    read_price,
)
from imp_verify._core.wire import write_fields
from imp_verify.contrib.browser import to_json
from imp_verify.order_numbers import check_order_number

from .drawing import DIGITS, NUMBERS, Draw, hostile, long, mutated, text, word
from .target import Case, Target, sentence

__all__ = ["AMOUNTS", "IDS"]

_read = json_reader()
_IDS = (
    "imp_100000000001",
    "ORD-1001",
    "주문-1001",
    "x" * 32,
    "x" * 33,
    "가" * 64,
    "가" * 65,
    "a\n",
)
_PGS = (None, "kcp", "smartro_v2", "smartro_v2.A1", "payletter_global", "mobilians", "mobilians_v2")
_OTHERS: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    1,
    1001,
    1.5,
    [],
    ["imp_1"],
    {},
    {"$ne": None},
    [[]],
)
_ID_SAID = re.compile(
    r"imp_uid is not 1 to 32 letters, digits, _ or -"
    r"|merchant_uid is not 1 to 64 printable characters"
)
_NUMBER_SAID = re.compile(r"order ['\"].{1,400}")


def _draw_id(draw: Draw) -> Case:
    if draw.below(20) == 0:
        value: Case = draw.choice(_OTHERS)
    elif draw.below(1000) == 0:
        value = long(draw, 100_000)
    else:
        value = hostile(draw, _IDS, 0.3) if draw.random() < 0.5 else word(draw, 70)
    prefix = hostile(draw, ("", "A1", "X" * 15)) if draw.random() < 0.1 else None
    return {"value": value, "pg": draw.choice(_PGS), "prefix": prefix}


def _check_id(case: Case) -> str:
    value = case["value"]
    payment, order = is_imp_uid(value), is_merchant_uid(value)
    for check, good in ((check_imp_uid, payment), (check_merchant_uid, order)):
        try:
            assert check(value) is value
            assert good
        except InvalidRequest as error:
            assert not good
            sentence(error, _ID_SAID)
    if payment:  # one segment of a path as it stands
        assert value.isascii()
        assert quote(value, safe="") == value
        assert "." not in value
    if order:
        path = quote(value, safe="")
        assert unquote(path, errors="strict") == value
        assert not set(path) & set("/?#\\ \r\n")
        _check_number(value, case["pg"])
    if case["prefix"] is not None:
        _check_prefix(case["prefix"])
    return ("both" if payment else "an order's") if order else "none"


def _check_number(number: str, pg: str | None) -> None:
    try:
        check_order_number(number, pg)
        assert len(number) <= 40
    except InvalidRequest as error:
        sentence(error, _NUMBER_SAID)


def _check_prefix(prefix: str) -> None:
    try:
        number = order_number(prefix)
    except ConfigurationError:
        assert not re.fullmatch(r"[0-9A-Za-z]{0,14}", prefix)
    else:
        assert number.startswith(prefix)
        assert re.fullmatch(r"[0-9A-Za-z]{26,40}", number)
        assert is_merchant_uid(number)


IDS = Target(
    "ids",
    "Only what is one segment of an address is an imp_uid; a merchant_uid is 1 to 64 printable "
    "characters that percent-encoding keeps; anything else is InvalidRequest in a fixed sentence.",
    _draw_id,
    _check_id,
)


# Amounts.

_PLAIN = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,8})?")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_PRICE_SAID = re.compile(
    r"an expected amount must be an int, a Decimal or plain decimal text above zero, not \w+.{0,40}"
)


def _draw_amount(draw: Draw) -> Case:
    kind = draw.below(10)
    if kind < 3:
        given = draw.choice(NUMBERS)
    elif kind < 8:
        whole, part = word(draw, 20, DIGITS), word(draw, 10, DIGITS)
        given = f"{draw.choice(('', '', '', '-'))}{whole}{draw.choice(('.', '', 'e', 'E+'))}{part}"
    else:
        given = text(draw)
    if draw.random() < 0.1:
        given = mutated(draw, given)
    return [draw.choice(("int", "text", "decimal", "float", "json")), given]


def _made(kind: str, given: str) -> object:
    """Make the value that a shop or a reader would hand on; the text where it is none."""
    try:
        match kind:
            case "int":
                return int(given)
            case "decimal":
                return Decimal(given)
            case "float":
                return float(given)
            case "json":
                return _read(given.encode("utf-8", "surrogatepass"))
            case _:
                return given
    except (ValueError, ArithmeticError, RecursionError):
        pass
    return given


def _check_amount(case: Case) -> str:
    kind, given = case
    value = _made(kind, given)
    amount = read_amount(value)
    if isinstance(value, str):
        assert (amount is not None) == bool(_PLAIN.fullmatch(value))
    if amount is not None:
        _check_exact(amount, value)
        if kind == "json" and isinstance(value, int | Decimal):
            assert _JSON_NUMBER.fullmatch(given.strip(" \t\r\n\ufeff"))
            assert Fraction(amount) == Fraction(given.strip(" \t\r\n\ufeff"))
    try:
        price = read_price(value)
    except StoreError as error:
        sentence(error, _PRICE_SAID)
        return f"{kind}: {'no price' if amount is not None else 'none'}"
    assert price > 0
    assert Fraction(price) == _exact(value)
    return f"{kind}: {'an amount' if amount is not None else 'a price'}"


def _exact(value: object) -> Fraction:
    """Return the very number that a value is."""
    assert isinstance(value, int | str | Decimal)
    assert not isinstance(value, bool)
    return Fraction(value)


def _check_exact(amount: Decimal, value: object) -> None:
    """An amount is the very number, within the limits, and survives being written."""
    assert type(amount) is Decimal
    assert Fraction(amount) == _exact(value)
    assert 0 <= amount < 10**18
    assert not amount.is_signed()
    assert int(amount.as_tuple().exponent) >= -8
    again = _read(write_fields({"amount": amount}))
    assert isinstance(again, dict)
    assert read_amount(again["amount"]) == amount
    try:
        shown = to_json(amount, "amount")
    except InvalidRequest:  # a browser's number would be another one
        assert Decimal(repr(float(amount))) != amount
    else:
        assert json.loads(shown, parse_float=Decimal, parse_int=Decimal) == amount
        with_float = json.loads(shown, parse_int=float)
        assert Decimal(repr(with_float)) == amount


AMOUNTS = Target(
    "amounts",
    "An amount is the very number that was written, at most 18 digits before and 8 after the "
    "point, and reads the same after it was written again; a float, NaN or anything else is none, "
    "and as a price StoreError.",
    _draw_amount,
    _check_amount,
)
