"""Which SQL would end the transaction that it runs in: no hook may send it, it would commit half of
the work."""

from __future__ import annotations

import re

from ..errors import StoreError

__all__ = ["ends_transaction", "not_for_a_hook"]

# Read once and never given back: the time was exponential in the number of comments.
_BLANK = r"(?:[\s;(]++|(?:--|\#)[^\n]*+\n|/\*(?s:.*?)\*/)*+"
_ANYWHERE = (
    r"commit|end|abort|begin|start\s+transaction|prepare\s+transaction"
    r"|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b)"
)
_ON_MYSQL = (
    r"(?:create|drop)(?!\s+temporary\b)|alter|truncate|rename|grant|revoke|(?:un)?lock\s+tables?"
    r"|set\s+(?:(?:session|local)\s+|@@(?:session\.|local\.)?)?autocommit(?=\s*+:?=)"
)
_ENDS = re.compile(rf"{_BLANK}({_ANYWHERE})\b", re.IGNORECASE)
_ENDS_ON_MYSQL = re.compile(rf"{_BLANK}({_ANYWHERE}|{_ON_MYSQL})\b", re.IGNORECASE)


def ends_transaction(statement: str, *, mysql: bool) -> str | None:
    """Return the word with which this statement begins, if it would end its transaction, or, on
    MySQL and MariaDB, commit by itself. What a procedure does is not seen, nor what stands in or
    behind comments within comments."""
    match = (_ENDS_ON_MYSQL if mysql else _ENDS).match(statement)
    return match and match[1].split()[0].upper()


def not_for_a_hook(what: str) -> StoreError:
    """Return the error for whoever would end the transaction by this."""
    return StoreError(
        f"{what} is not for a hook: the store commits its work together with the record"
    )
