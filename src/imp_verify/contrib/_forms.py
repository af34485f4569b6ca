"""A form that somebody else has parsed, as a body once more: what the adapters share."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

__all__ = ["form_body"]


def form_body(fields: Sequence[tuple[str, str]]) -> bytes:
    """Return form text; of JSON that came under a form's content type, the JSON: it was taken apart
    at its `&` and `=`."""
    if fields and fields[0][0].lstrip()[:1] in ("{", "["):
        return "&".join(f"{name}={value}" if value else name for name, value in fields).encode()
    return urlencode(fields).encode()
