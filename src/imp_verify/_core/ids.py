"""What an imp_uid and a merchant_uid look like. Apart, because requests, the gateway's answers and
the stores all ask."""

from __future__ import annotations

import re

from ..errors import InvalidRequest

__all__ = ["check_imp_uid", "check_merchant_uid", "is_imp_uid", "is_merchant_uid"]

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
