"""The table of the API's calls, and which of them a method and a path are.

Routing, checks of parameters, names of faults, the answer to what is no call and the documents read
it. A call's row stands beside its handler, in the module of its subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from imp_verify.sandbox._api import (
    balance,
    cancel,
    payments,
    prepare,
    subscribe,
    tokens,
    vbanks,
)
from imp_verify.sandbox._api.declare import ApiCall

CALLS: tuple[ApiCall, ...] = (
    *tokens.CALLS,
    *payments.CALLS,
    *balance.CALLS,
    *prepare.CALLS,
    *cancel.CALLS,
    *vbanks.CALLS,
    *subscribe.CALLS,
)
NAMES = tuple(dict.fromkeys(call.name for call in CALLS))
"""What faults call them."""
SECRET = frozenset(each.name for call in CALLS for each in call.parameters if each.secret)
"""The parameters that nobody is to see."""


@dataclass(frozen=True, slots=True)
class Found:
    """The call that a method and a path are, and what its path names.

    Attributes:
        call: None where there is none.
        path: The values of the names in braces, decoded.
        methods: Where the path is one, but not with this method: those that it has.
    """

    call: ApiCall | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()


class _Place:
    """What a path can be after so many segments."""

    def __init__(self) -> None:
        self.words: dict[str, _Place] = {}
        self.any: _Place | None = None
        self.calls: dict[str, tuple[ApiCall, tuple[str, ...]]] = {}

    def add(self, call: ApiCall, path: str) -> None:
        place, names = self, []
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                place.any = place.any or _Place()
                place = place.any
            else:
                place = place.words.setdefault(segment, _Place())
        place.calls[call.method] = call, tuple(names)


_ROOT = _Place()
for _call in CALLS:
    for _path in _call.paths:
        _ROOT.add(_call, _path)


def find(method: str, path: str) -> Found:
    """Find the call; a word of the table is never taken for an id: `/payments/prepare`.

    Args:
        method: In capitals.
        path: Undecoded, so that an encoded slash stays inside its segment.
    """
    place, values = _ROOT, []
    for segment in path.split("/")[1:]:
        text = unquote(segment)
        if (word := place.words.get(text)) is not None:
            place = word
        elif place.any is not None and text:
            place = place.any
            values.append(text)
        else:
            return Found()
    if method not in place.calls:
        return Found(methods=tuple(sorted(place.calls)))
    call, names = place.calls[method]
    return Found(call, dict(zip(names, values, strict=True)))
