"""Which SQL would end the transaction that it runs in: no hook may send it, it would commit half of
the work."""

from __future__ import annotations

import re

from ..errors import StoreError

__all__ = ["ending", "refusal"]

_ANYWHERE = (
    r"commit|end|abort|begin|start\s+(?:transaction|slave|replica)|prepare\s+transaction"
    r"|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b)"
)
_ON_MYSQL = (
    r"(?:create|drop)(?!\s+temporary\b)|alter|truncate|rename|grant|revoke|(?:un)?lock"
    r"|analyze|optimize|repair|check|flush|install|uninstall|load\s+index|cache|reset|set"
)
_ENDS = re.compile(rf"({_ANYWHERE})\b", re.IGNORECASE)
_ENDS_ON_MYSQL = re.compile(rf"({_ANYWHERE}|{_ON_MYSQL})\b", re.IGNORECASE)
_SETS_AUTOCOMMIT = re.compile(r"[\s,.@`]autocommit`?\s*+:?=", re.IGNORECASE)
# Read once and never given back: the time was exponential in the number of comments.
_BLANK = re.compile(r"(?:[\s;(]++|(?:--|\#)[^\n]*+\n)*+")
_OPENS = re.compile(r"/\*(M?!\d*)?")
_OPENS_OR_CLOSES = re.compile(r"/\*|\*/")


def ending(statement: str, *, mysql: bool) -> str | None:
    """Give the word by which this statement would end its transaction, or, on MySQL and MariaDB,
    commit by itself; None where it would not. What a procedure does is not seen."""
    ends = _ENDS_ON_MYSQL if mysql else _ENDS
    closings: dict[int, set[int]] | None = None
    sets: int | None = None
    places, seen = {0}, set[int]()
    while places:
        seen.add(begins := places.pop())
        place = next(_BLANK.finditer(statement, begins)).end()
        match = ends.match(statement, place)
        word = match and match[1].split()[0].upper()
        if word == "SET" and sets is None:
            sets = max((each.start() for each in _SETS_AUTOCOMMIT.finditer(statement)), default=-1)
        if word is not None and (word != "SET" or place < (sets or -1)):
            return word
        opens = _OPENS.match(statement, place)
        if opens is None:
            continue
        if closings is None:
            closings = _closings(statement)
        places |= closings[place] - seen
        if opens[1] and mysql:  # MySQL and MariaDB run what stands in a comment of this kind
            places |= {opens.end()} - seen
    return None


def _closings(statement: str) -> dict[int, set[int]]:
    """Give behind which marks a comment may end that begins here: the first there is, or, on
    PostgreSQL, the one by which as many were closed as opened."""
    found: dict[int, set[int]] = {}
    opened, unclosed = list[int](), list[int]()
    for mark in _OPENS_OR_CLOSES.finditer(statement):
        if mark[0] == "/*":
            found[mark.start()] = set()
            opened.append(mark.start())
            unclosed.append(mark.start())
            continue
        for place in unclosed:
            found[place].add(mark.end())
        unclosed.clear()
        if opened:
            found[opened.pop()].add(mark.end())
    return found


def refusal(what: str) -> StoreError:
    """Give the error for whoever would end the transaction by this."""
    return StoreError(
        f"{what} is not for a hook: the store commits its work together with the record"
    )
