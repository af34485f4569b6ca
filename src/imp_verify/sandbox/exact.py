"""JSON with exact decimal numbers, and forms: what the gateway reads and writes, of any subject."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

Read = Callable[[str], object]
"""Makes the value that the digits in a text are."""
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# To the end where no quote ends it, or a hostile text is read again from each of its quotes.
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_BRACKETED = re.compile(r"([^][]+)\[([^][]*)\]")
DEEPEST = 100
LONGEST = 18
"""Digits of a number, those before and those after the point together: no price has more, and
1e999999999, which is short, ends the process that writes it out."""
_NO_NUMBER = Decimal("NaN")


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
    if not value.is_finite():
        raise _NotAsFloat
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
        ValueError: It is none, or one that nobody means: too deep, or a number too long, whose
            field it names.
    """
    try:
        return _read(text, _number, _integer)
    except _NoNumber as error:
        # The parser does not say where it was, so what has the wrong number is read once more.
        found = _place(_read(text, _number_or_none, _integer_or_none))
        raise ValueError(f"{found}: {error}" if found else str(error)) from None


def decoded(body: bytes) -> str:
    """Return a body as text, or raise ValueError where it is none."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None


def _read(text: str | bytes, number: Read, integer: Read) -> object:
    text = text if isinstance(text, str) else decoded(text)
    _check_depth(text)
    content: object = json.loads(text, parse_float=number, parse_constant=number, parse_int=integer)
    if "\\u" in text:
        try:
            _ = dumps(content).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a pair of surrogates is no text") from None
    return content


def _check_depth(text: str) -> None:
    """Look before the parser does: it runs out of stack, and may take the process along."""
    depth = 0
    for bracket in re.findall(r"[][{}]", _TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise ValueError("the JSON is too deep")


class _NoNumber(ValueError):
    """A number that nobody means."""


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # 1e99999999999999999999: no Decimal has such an exponent
        raise _NoNumber("a number is too long") from None
    if not number.is_finite():
        raise _NoNumber("NaN and Infinity are no numbers")
    if not _is_short(number):
        raise _NoNumber("a number is too long")
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # of more than 4,300 digits
        raise _NoNumber("a number is too long") from None


def _place(content: object) -> str:
    """Name the first field that is no number, as `a.b[0]`; nothing where the whole is none."""
    inner: Iterable[tuple[str, object]] = ()
    if isinstance(content, dict):
        inner = ((f".{name}", value) for name, value in content.items())
    elif isinstance(content, list):
        inner = ((f"[{at}]", value) for at, value in enumerate(content))
    for name, value in inner:
        if value is _NO_NUMBER:
            return name.removeprefix(".")
        if found := _place(value):
            return f"{name}{'' if found.startswith('[') else '.'}{found}".removeprefix(".")
    return ""


def _is_short(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    return max(number.adjusted() + 1, 1) + max(-exponent, 0) <= LONGEST


def _number_or_none(text: str) -> Decimal:
    """Leave a number that nobody means to whoever looks at it: the rest can be read."""
    try:
        return _number(text)
    except _NoNumber:
        return _NO_NUMBER


def _integer_or_none(text: str) -> object:
    try:
        return _integer(text)
    except _NoNumber:
        return _NO_NUMBER


def _short_integer_or_none(text: str) -> object:
    return int(text) if len(text.lstrip("-")) <= LONGEST else _NO_NUMBER


def read_fields(body: bytes, content_type: str) -> dict[str, object]:
    """Read a request's parameters, sent as JSON or as form text.

    A number that is none, or too long, is a NaN: the call refuses it as it refuses any wrong value.
    In a form `extra[requester]` is a name within `extra`, and `notice_url[]` one of a list.

    Raises:
        ValueError: The body is neither.
    """
    if "json" in content_type.lower():
        content = _read(body or b"{}", _number_or_none, _short_integer_or_none)
        if not isinstance(content, dict):
            raise ValueError("the body is JSON but no object")
        return content
    return _from_form(parse_qsl(decoded(body), keep_blank_values=True))


def _from_form(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        found = _BRACKETED.fullmatch(name)
        outer, inner = found.groups() if found else (name, None)
        if inner is None:
            fields[outer] = value
        elif not inner or inner.isdigit():
            if not isinstance(within := fields.get(outer), list):
                fields[outer] = within = []
            within.append(value)  # in place: a copy for each would take hours for a form of 1 MiB
        else:
            if not isinstance(named := fields.get(outer), dict):
                fields[outer] = named = {}
            named[inner] = value
    return fields


def as_amount(value: object) -> Decimal | None:
    """Read an amount: a JSON number, or in form text a plain decimal. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return None
    amount = Decimal(value)
    return amount if _is_short(amount) else None
