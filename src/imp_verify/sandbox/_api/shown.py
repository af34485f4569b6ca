"""What of a call may be looked at: no secret and no token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode

from imp_verify.sandbox.accounts import HIDDEN
from imp_verify.sandbox.calls import SECRET
from imp_verify.sandbox.exact import dumps
from imp_verify.sandbox.journal import cut

Hide = Callable[[str], str]


def shown_body(body: bytes, fields: Mapping[str, object] | None, hide: Hide) -> str:
    """Return a call's body as it was sent, but for what is secret in it.

    Args:
        body: As it was sent.
        fields: What was read from it; None where it could not be read.
        hide: Takes known secrets and tokens out of a text.
    """
    text = body.decode(errors="replace")
    kept = {name: value for name, value in (fields or {}).items() if name not in SECRET}
    rest = dumps(kept) if fields else text
    if any((f'"{name}"' if fields else name) in rest for name in SECRET):
        return f"({len(body)} bytes that name a secret)"
    if fields and len(kept) < len(fields):
        text = dumps({name: kept.get(name, HIDDEN) for name in fields})
    return cut(hide(text))


def shown_query(query: str, hide: Hide) -> str:
    """Return a call's query as it was sent, but for what is secret in it."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if any(name in SECRET for name, _ in pairs):
        query = urlencode([(name, HIDDEN if name in SECRET else value) for name, value in pairs])
    return cut(hide(query))


def shown_answer(body: bytes, hide: Hide) -> str:
    """Return an answer's body, without the token that it may give."""
    return cut(hide(body.decode(errors="replace")))
