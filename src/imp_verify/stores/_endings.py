"""Which SQL would end the transaction that it runs in: no hook may send it, it would commit half of
the work."""

from __future__ import annotations

import re

from ..errors import StoreError

__all__ = ["ending", "refusal"]

_BEFORE = r"\s|;|\(|--[^\n]*\n|\#[^\n]*\n|/\*.*?\*/"
_ANYWHERE = (
    r"commit|end|abort|begin|start\s+(?:transaction|slave|replica)|prepare\s+transaction"
    r"|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b)"
)
_ON_MYSQL = (
    r"(?:create|drop)(?!\s+temporary\b)|alter|truncate|rename|grant|revoke|(?:un)?lock"
    r"|analyze|optimize|repair|check|flush|install|uninstall|load\s+index|cache|reset"
    r"|set(?=\b(?:.*[\s,.@`])?autocommit`?\s*:?=)"
)


def _beginning_with(words: str, before: str = _BEFORE) -> re.Pattern[str]:
    return re.compile(rf"(?:{before})*({words})\b", re.IGNORECASE | re.DOTALL)


_ENDS = _beginning_with(_ANYWHERE)
# MySQL and MariaDB run what stands in a comment of this kind.
_ENDS_ON_MYSQL = _beginning_with(f"{_ANYWHERE}|{_ON_MYSQL}", rf"/\*M?!\d*|{_BEFORE}")


def ending(statement: str, *, mysql: bool) -> str | None:
    """Give the word by which this statement would end its transaction, or, on MySQL and MariaDB,
    commit by itself; None where it would not. What a procedure does is not seen."""
    match = (_ENDS_ON_MYSQL if mysql else _ENDS).match(statement)
    return match and match[1].split()[0].upper()


def refusal(what: str) -> StoreError:
    """Give the error for whoever would end the transaction by this."""
    return StoreError(
        f"{what} is not for a hook: the store commits its work together with the record"
    )
