"""The browser module as every adapter serves it: package data, read once, and how long it may be
kept."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from .http import Request, Response

__all__ = ["MODULE", "address", "module"]

MODULE = "imp-verify.js"
"""Its name under a shop's prefix."""

_FILE = "imp-verify.min.js"

_YEAR = 365 * 24 * 3600


class _File(NamedTuple):
    body: bytes
    version: str


@cache
def _file() -> _File:
    # Here, because `import imp_verify` need not pay for them.
    from hashlib import sha256
    from importlib.resources import files

    body = files("imp_verify").joinpath("_web", _FILE).read_bytes()
    return _File(body, sha256(body).hexdigest()[:20])


def address() -> str:
    """Return its name with what tells this version from any other: it may be kept for ever."""
    return f"{MODULE}?v={_file().version}"


def module(request: Request) -> Response:
    """Answer GET or HEAD: the file, or 304 where the browser has this very version."""
    body, version = _file()
    asked_for = f"v={version}" in request.query.split("&")
    tag = f'"{version}"'
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", tag),
        ("Cache-Control", f"public, max-age={_YEAR}, immutable" if asked_for else "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if _holds(request, tag):
        return Response(304, headers, b"")
    headers = (("Content-Type", "text/javascript; charset=utf-8"), *headers)
    if request.method == "HEAD":  # the length of what GET gives: no adapter can know it
        return Response(200, (*headers, ("Content-Length", str(len(body)))), b"")
    return Response(200, headers, body)


def _holds(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names this tag; something between may have made it a weak one."""
    given = ",".join(request.values("if-none-match")).split(",")
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in given)
