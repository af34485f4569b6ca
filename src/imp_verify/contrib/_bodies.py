"""A body as the adapters read it: under the limit, or from a form that somebody else has parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from .. import MAX_BODY
from .._web.http import Problem

__all__ = ["form_body", "read_body"]

_LENGTH = re.compile(r"[0-9]{1,19}")
"""Not what int() takes: "+5", "1_0" and digits of any script, and fails on thousands of them."""


def read_body(read: Callable[[int], bytes], length: str | None) -> tuple[bytes, Problem | None]:
    """Read a body, one byte over the limit at most, and say what is wrong with it.

    Args:
        read: Gives that many bytes or fewer, none at the end; what it raises leaves here.
        length: CONTENT_LENGTH. A body that is shorter is incomplete, and one whose length is no
            number: not every server minds.
    """
    length = (length or "0").strip(" \t")
    if not _LENGTH.fullmatch(length):
        return b"", "incomplete"
    chunks: list[bytes] = []
    left = MAX_BODY + 1
    while left > 0 and (chunk := read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    body = b"".join(chunks)
    broken = 0 < len(body) < min(int(length), MAX_BODY)
    return (b"", "incomplete") if broken else (body, None)


def form_body(fields: Sequence[tuple[str, str]]) -> bytes:
    """Return form text; of JSON that came under a form's content type, the JSON: it was taken apart
    at its `&` and `=`."""
    if fields and fields[0][0].lstrip()[:1] in ("{", "["):
        return "&".join(f"{name}={value}" if value else name for name, value in fields).encode()
    return urlencode(fields).encode()
