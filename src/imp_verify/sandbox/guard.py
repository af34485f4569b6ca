"""Whose requests a server on loopback takes: any page in the developer's browser can send it some.

A page of the attacker's can send requests that the browser allows without asking (a form, an image,
text/plain), and by a name of its own that it lets point to 127.0.0.1 (DNS rebinding) it could read
the answers too. So a server answers to its own names only, and a page of another origin may lead a
visitor here, and no more. Servers and command line tools send no Origin: they are not concerned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imp_verify.sandbox.settings import HOST, ORIGIN, Settings

LARGEST_BODY = 64 * 1024
LARGEST_LIST = 64 * 1024 * 1024
"""Of payments to be made: 100,000 with every field."""
FOR_EVERY_PAGE = ("/v1/", "/js/")
"""The SDK's stand-in: a script is loaded by pages of any origin."""
FOR_SHOPS = "/window"
"""Opening a payment window: the one call that pages of other origins make, see `Window`."""
ONE_WINDOW = re.compile(r"/window/[^/]+")
"""Where a phone's page is posted to, so that it shows the window: no more than a link does."""

NOT_THIS_HOST = "This server answers to its own names on loopback only, and to those it was told."
NOT_THIS_ORIGIN = "Pages of another origin may not do or read this."
NOT_JSON = (
    "Content-Type must be application/json, also of an empty body: other types any page may send "
    "unasked. With curl: --json '{}'"
)
NOTHING_ALLOWED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def is_loopback(host: re.Match[str]) -> bool:
    """Tell whether a host means this machine, whatever a name server says (RFC 6761)."""
    name = host[1].strip("[]")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_own_host(host: str, port: int | None, others: Iterable[str] = ()) -> bool:
    """Tell whether a Host header names this server.

    Args:
        host: The header: a name or an address, with the port where it is not 80.
        port: Where the server listens; for its names on loopback.
        others: Further headers that are taken.
    """
    if host in others:
        return True
    found = HOST.fullmatch(host.lower())
    return found is not None and is_loopback(found) and int(found[2] or 80) == port


def is_foreign(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a page of another origin sent this; one that leads a visitor here may.

    Args:
        method: In capitals.
        headers: By names in lower case; Host must have been found good.

    Origin is `null` for pages that may not say where they are from: a foreign one as well.
    Source: Fetch Metadata Request Headers; loopback's ports are one "site" to each other.
    """
    origin, host = headers.get("origin"), headers.get("host")
    if origin is not None:
        return origin not in (f"http://{host}", f"https://{host}")
    leads_here = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return not leads_here and headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def is_shop(origin: str, shops: Sequence[str]) -> bool:
    """Tell whether pages of this origin may open a payment window.

    Args:
        origin: As a browser's header says it.
        shops: The origins that may; where none is named, all on loopback.
    """
    if shops:
        return origin in shops
    found = ORIGIN.fullmatch(origin)
    return found is not None and is_loopback(found)


def is_json(request: Request) -> bool:
    """Tell whether the body is declared as JSON, for which a browser asks leave beforehand."""
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    return kind.strip().lower() == "application/json"


async def read_body(request: Request, longest: int = LARGEST_BODY) -> bytes:
    """Read a request's body, as far as one may be long.

    Raises:
        ValueError: It is longer.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise ValueError("the body is too long")
    return bytes(body)


class Guard:
    """Lets through what `is_own_host` and `is_foreign` allow, and puts on every answer what a page
    of it may load and who may frame it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", NOTHING_ALLOWED)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                # Not no-referrer: forms would then be sent with the Origin null.
                headers.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        app = self._app
        if scope["type"] == "http" and (reason := self._refusal(scope)):
            app = PlainTextResponse(reason, 403)
        await app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Request(scope).headers
        _, port = scope.get("server") or (None, None)
        if not is_own_host(headers.get("host", ""), port, self._settings.own_hosts()):
            return NOT_THIS_HOST
        path = scope["path"]
        if path.startswith(FOR_EVERY_PAGE) or path == FOR_SHOPS:
            return None
        if scope["method"] == "POST" and ONE_WINDOW.fullmatch(path):
            return None
        return NOT_THIS_ORIGIN if is_foreign(scope["method"], headers) else None
