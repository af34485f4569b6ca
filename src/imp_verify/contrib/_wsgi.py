"""Reading a body under the limit: what the adapters for WSGI share."""

from __future__ import annotations

import re
from collections.abc import Callable

from .. import MAX_BODY

__all__ = ["BROKEN", "read_body"]

BROKEN = b"{"
"""Stands for a body that breaks off: no id is read from it."""
_LENGTH = re.compile(r"[0-9]{1,19}")
"""Not what int() takes: "+5", "1_0" and digits of any script, and fails on thousands of them."""


def read_body(read: Callable[[int], bytes], length: str | None) -> bytes:
    """Read a body, one byte over the limit at most.

    Args:
        read: Gives that many bytes or fewer, none at the end; what it raises leaves here.
        length: CONTENT_LENGTH. A body that is shorter is BROKEN, and one whose length is no number:
            not every server minds.
    """
    length = (length or "0").strip(" \t")
    if not _LENGTH.fullmatch(length):
        return BROKEN
    chunks: list[bytes] = []
    left = MAX_BODY + 1
    while left > 0 and (chunk := read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    body = b"".join(chunks)
    return BROKEN if 0 < len(body) < min(int(length), MAX_BODY) else body
