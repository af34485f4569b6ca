"""What a fault may be: its fields one by one, and which of them fit together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeGuard

from imp_verify.sandbox.calls import NAMES
from imp_verify.sandbox.kinds import is_finite

WINDOW = "window"
"""The call of a page that opens a window."""
SCRIPT = "script"
"""The load of the SDK's script."""
WEBHOOK = "webhook"
"""What is sent to a shop."""
ANY = "*"
"""Every call of the API."""
OTHERS = (WINDOW, SCRIPT, WEBHOOK)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
LONGEST_WAIT = 3600

INSTEAD = ("status", "empty", "html", "huge", "drop", "reset")
AFTER = ("lost", "truncate", "patch", "remove", "stale")
WHAT = (*INSTEAD, *AFTER, "headers", "revoke")
OF_WEBHOOKS = ("withhold", "twice", "late")
EFFECTS = (*WHAT, "delay", "drip", *OF_WEBHOOKS)
"""The fields that do something."""
_NONE_IS_NONE = ("status", "truncate", "stale", "drip")
"""Those in which 0 is something."""
_TO_WEBHOOKS = (*OF_WEBHOOKS, "lost", "patch", "remove", "headers")
_WITHOUT_A_BODY = (204, 304)
_STALE = ("payment", "payments", "find", "find_all", "status")
_ALONE = (("lost", "truncate", "drop", "reset"), ("empty", "html", "huge", "drop", "reset"))


def named(fault: Any, names: Iterable[str] = EFFECTS) -> list[str]:
    """Name what a fault does, of some fields or of all that do something."""
    return [
        name
        for name in names
        if (value := getattr(fault, name)) or (name in _NONE_IS_NONE and value is not None)
    ]


def check(fault: Any) -> None:
    """Refuse a fault that could not happen.

    Raises:
        ValueError: It names the field.
    """
    _check_call(fault.call)
    for name, (is_good, allowed) in _FIELDS.items():
        if not is_good(getattr(fault, name)):
            raise ValueError(f"{name} is {allowed}")
    _check_together(fault)
    _check_place(fault)


def _check_call(call: object) -> None:
    names = (*NAMES, *OTHERS, ANY)
    if isinstance(call, str) and call not in names:
        method, _, path = call.partition(" ")
        if method in METHODS and path.startswith("/"):
            return
    if not isinstance(call, str) or call not in names:
        raise ValueError(f"call is one of {', '.join(names)}, or METHOD /path")


def _check_together(fault: Any) -> None:
    given = named(fault, WHAT)
    for alone in _ALONE:
        if len(both := [name for name in alone if name in given]) > 1:
            raise ValueError(f"{both[0]} and {both[1]}: an answer has one end, not both")
    instead = [name for name in INSTEAD if name in given]
    after = [name for name in AFTER if name in given]
    if instead and after:
        raise ValueError(f"{after[0]} is for a call that is carried out, and {instead[0]} is not")
    if fault.drip_in != "body" and fault.drip is None:
        raise ValueError("drip_in is for a fault with drip")
    full = [name for name in ("body", "html", "huge") if getattr(fault, name)]
    if fault.status in _WITHOUT_A_BODY and full:
        raise ValueError(f"{full[0]} is not for status {fault.status}, which has no body")
    if fault.status is not None and (fault.drop or fault.reset):
        raise ValueError("status is for an answer, and there is none")


def _check_place(fault: Any) -> None:
    given = named(fault)
    if fault.call == WEBHOOK:
        if wrong := [name for name in given if name not in _TO_WEBHOOKS]:
            raise ValueError(f"{wrong[0]} is not for webhooks: {', '.join(_TO_WEBHOOKS)} are")
        if not given:
            raise ValueError(f"webhook: what happens is one of {', '.join(_TO_WEBHOOKS)}")
        return
    if wrong := [name for name in OF_WEBHOOKS if name in given]:
        raise ValueError(f"{wrong[0]} is for webhooks alone")
    if "stale" in given and fault.call not in _STALE:
        raise ValueError(f"stale is for {', '.join(_STALE)}")
    if fault.call in OTHERS and "revoke" in given:
        raise ValueError("revoke is for calls of the API")
    if "headers" in given and fault.carried_out:
        raise ValueError("headers is for status, empty, html and huge")


def _whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _number(value: object) -> TypeGuard[int | float | Decimal]:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return is_finite(value)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _line(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _name(value: object) -> bool:
    return isinstance(value, str) and _HEADER.fullmatch(value) is not None


def _headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(_name(k) and _line(v) for k, v in value.items())


def _seconds(value: object) -> bool:
    return _number(value) and 0 <= value <= LONGEST_WAIT


def _speed(value: object) -> bool:
    return value is None or (_number(value) and 0 < value <= 10**9)


def _rate(value: object) -> bool:
    return _number(value) and 0 <= value <= 1


def _optional(is_good: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_good(value)


def _patch(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and k for k in value)


def _paths(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) and each for each in value)


_HEADER = re.compile(r"[A-Za-z0-9_-]+")
_YEAR = 365 * 24 * 3600
_FLAG = (_flag, "true or false")
_ID = (_optional(_text), "a text or null")
_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "status": (_optional(lambda v: _whole(v, 200, 599)), "200 to 599"),
    "body": (_text, "a text"),
    "content_type": (_line, "a header's value"),
    "times": (_optional(lambda v: _whole(v, 0, 10**9)), "a whole number, 0 or more, or null"),
    "lost": _FLAG,
    "truncate": (_optional(lambda v: _whole(v, 0, 10**9)), "a whole number of bytes, 0 or more"),
    "imp_uid": _ID,
    "merchant_uid": _ID,
    "account": _ID,
    "skip": (lambda v: _whole(v, 0, 10**9), "a whole number, 0 or more"),
    "rate": (_rate, "0 to 1"),
    "seed": (lambda v: _whole(v, 0, 10**18), "a whole number, 0 or more"),
    "headers": (_headers, "an object of names and printable values"),
    "revoke": _FLAG,
    "delay": (_seconds, f"0 to {LONGEST_WAIT} seconds"),
    "drip": (_speed, "a number of bytes in a second, more than 0"),
    "drip_in": (lambda v: v in ("body", "headers"), "one of body, headers"),
    **dict.fromkeys(("drop", "reset", "empty", "html", "huge"), _FLAG),
    "patch": (_patch, "an object of paths and values"),
    "remove": (_paths, "a list of paths"),
    "stale": (_optional(lambda v: _whole(v, 0, _YEAR)), "a whole number of seconds"),
    "withhold": _FLAG,
    "twice": _FLAG,
    "late": (lambda v: _whole(v, 0, _YEAR), f"0 to {_YEAR} whole seconds"),
}
