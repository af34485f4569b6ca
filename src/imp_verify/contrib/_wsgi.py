"""Reading a body under the limit: what the adapters for WSGI share."""

from __future__ import annotations

from collections.abc import Callable

from .. import MAX_BODY

__all__ = ["BROKEN", "read_body"]

BROKEN = b"{"
"""Stands for a body that breaks off: no id is read from it."""


def read_body(read: Callable[[int], bytes], length: str | None) -> bytes:
    """Read a body, one byte over the limit at most.

    Args:
        read: Gives that many bytes or fewer, none at the end; what it raises leaves here.
        length: CONTENT_LENGTH. A body that is shorter is BROKEN: not every server minds.
    """
    chunks: list[bytes] = []
    left = MAX_BODY + 1
    while left > 0 and (chunk := read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    body = b"".join(chunks)
    wanted = int(length) if length and length.isdecimal() else 0
    return BROKEN if 0 < len(body) < min(wanted, MAX_BODY) else body
