"""What a call of a client is to come to: on the wire, and as far as the client shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WIRE = ("status", "code", "message", "response")


class _Anything:
    """Equal to whatever there is."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING = _Anything()
SOMETHING = re.compile(".+", re.DOTALL)


@dataclass(frozen=True)
class Answered:
    """The gateway's answer to the call; of a response, what is named is looked at.

    Attributes:
        call: Its method and path, where they matter.
        value: What the client makes of it, where it gives no answer but a value of its own.
    """

    status: int = 200
    code: int = 0
    message: object = None
    response: object = ANYTHING
    call: str | None = None
    value: object = ANYTHING


@dataclass(frozen=True)
class Own:
    """What the client says by itself; the gateway is not asked, but for a token."""

    shown: Mapping[str, object]


def gives(**fields: object) -> Answered:
    return Answered(response=fields)


def lists(*orders: str, status: int = 200) -> Answered:
    """A list of payments of these orders, as the batch call gives it."""
    return Answered(status, response=[{"merchant_uid": order} for order in orders])


def pages(*orders: str, total: int | None = None) -> Answered:
    """A page of payments of these orders."""
    listed = [{"merchant_uid": order} for order in orders]
    return gives(total=len(orders) if total is None else total, list=listed)


def refuses(message: object = SOMETHING, *, code: int = 1, status: int = 200) -> Answered:
    return Answered(status, code, message, None)


def missing(message: object = SOMETHING) -> Answered:
    return refuses(message, code=-1, status=404)


def lacks(call: str) -> Answered:
    """What the sandbox has not: 501, and the call's name."""
    return Answered(501, -1, f"{call}: 샌드박스에 없는 API입니다. (not in the sandbox)", None, call)


def made(value: object, **fields: object) -> Answered:
    """A value that the client makes of what it was answered."""
    return Answered(response=fields, value=value)


def itself(said: object) -> Own:
    return Own({"itself": said})


def value(given: object) -> Own:
    return Own({"value": given})


def filled(wanted: Any, names: Mapping[str, str]) -> Any:
    """Put the numbers of this run's payments in place of their names, wherever these stand."""
    if isinstance(wanted, str):
        for name, number in names.items():
            wanted = wanted.replace(f"<{name}>", number)
        return wanted
    if isinstance(wanted, list):
        return [filled(each, names) for each in wanted]
    if isinstance(wanted, Mapping):
        return {key: filled(each, names) for key, each in wanted.items()}
    return wanted


def fits(wanted: object, got: object) -> bool:
    """Tell whether there is what is wanted: of an object, its named fields."""
    if isinstance(wanted, re.Pattern):
        return isinstance(got, str) and wanted.fullmatch(got) is not None
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(
            key in got and fits(each, got[key]) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(fits, wanted, got))
    return wanted == got
