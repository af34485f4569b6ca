"""What all transports say and check: errors without secrets, answers, the environment's proxy."""

from __future__ import annotations

import zlib
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from imp_verify.errors import GatewayProtocolError, GatewayReset, GatewayUnavailable
from imp_verify.settings import is_loopback
from imp_verify.transports import GatewayRequest, GatewayResponse, Headers

E = TypeVar("E", bound=BaseException)

MAX_CONNECTIONS = 256
"""Idle connections that a client of ours keeps; far more than the look-ups that run at once."""

IDLE_SECONDS = 30.0
"""How long an asynchronous client of ours keeps an idle connection."""

_GZIP, _ZLIB, _RAW = 31, 15, -15  # what zlib calls them
_CODINGS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
"""How each coding may be written: of deflate some servers leave out the wrapping."""
_MOST_CODINGS = 4
_MOST_MEMBERS = 100
"""Pieces, each compressed by itself, that a gzip answer may have; nearly all have one."""


def split(url: str) -> tuple[str, str]:
    """Cut an absolute URL, as it stands, into its origin and what is asked of that."""
    end = url.find("/", url.find("://") + 3)
    return (url, "/") if end < 0 else (url[:end], url[end:])


def headers_of(request: GatewayRequest) -> Headers:
    """Return the headers to send: the request's, and that the body shall come as it is."""
    return Headers({"Accept-Encoding": "identity", **request.headers})


def host_of(request: GatewayRequest) -> str:
    return urlsplit(request.url).hostname or "the gateway"


def is_local(request: GatewayRequest) -> bool:
    """Whether the address is this very machine, where no proxy has anything to do."""
    return is_loopback(host_of(request))


def names_of(error: BaseException) -> set[str]:
    """Return the names of an error's classes: what two libraries or releases call alike is
    alike."""
    return {kind.__name__ for kind in type(error).__mro__}


def late(request: GatewayRequest) -> GatewayUnavailable:
    return GatewayUnavailable(f"no answer from {host_of(request)} within its time")


def lost(request: GatewayRequest) -> GatewayReset:
    return GatewayReset(
        f"the connection to {host_of(request)} broke before its answer was complete"
    )


def unreachable(request: GatewayRequest, error: BaseException) -> GatewayUnavailable:
    return GatewayUnavailable(f"no connection to {host_of(request)} ({type(error).__name__})")


def malformed(request: GatewayRequest, what: str) -> GatewayProtocolError:
    return GatewayProtocolError(f"the answer of {host_of(request)} {what}")


def too_large(request: GatewayRequest) -> GatewayProtocolError:
    return malformed(request, f"exceeds {request.most} bytes")


def without_frames(error: E) -> E:
    """Take the tracebacks off an error, and off those that it came from.

    The frames of a client hold headers and body, and error monitoring sends away what frames hold.
    """
    rest: list[BaseException | None] = [error]
    seen: set[int] = set()
    while rest:
        each = rest.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        rest += (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
    return error


class Incoming:
    """An answer whose body is coming in. It holds the body, so that no variable of a frame does:
    a buyer's data is in it.

    Args:
        encoding: The answer's `Content-Encoding`, several joined by commas.
        length: The bytes that its head announces, None where it does not.
        retry_after: Its `Retry-After`.
        decoded: Whether the client has decoded the body already.

    Raises:
        GatewayProtocolError: The status is no final one, the body is encoded in a way that is not
            known, or it is too large.
    """

    def __init__(
        self,
        request: GatewayRequest,
        status: int,
        encoding: str | None,
        length: int | None,
        retry_after: str | None,
        *,
        decoded: bool = False,
    ) -> None:
        if status < 200:
            raise malformed(request, f"has status {status}, which is none to end with")
        self._request = request
        self._status = status
        self._retry_after = retry_after
        codings = _codings(request, encoding) if encoding else []
        self._codings = [] if decoded else codings
        self._body = bytearray()
        if length is not None and length > request.most:
            raise too_large(request)

    def add(self, part: bytes) -> bool:
        """Take a part of the body; False where it was empty."""
        self._body += part
        if len(self._body) > self._request.most:
            raise too_large(self._request)
        return bool(part)

    def end(self) -> GatewayResponse:
        """Return the answer whose whole body has come.

        Raises:
            GatewayProtocolError: It cannot be decoded, or not to its end, or is too large then.
        """
        for ways in reversed(self._codings if self._body else []):
            self._body = self._inflated(ways)
        return GatewayResponse(self._status, bytes(self._body), self._retry_after)

    def _inflated(self, ways: tuple[int, ...]) -> bytearray:
        for way in ways:
            found = _inflate(self._body, way, self._request.most)
            if found is not None and len(found) > self._request.most:
                raise too_large(self._request)
            if found is not None:
                return found
        raise malformed(self._request, "cannot be decoded")


def _codings(request: GatewayRequest, encoding: str) -> list[tuple[int, ...]]:
    names = [name for each in encoding.split(",") if (name := each.strip().lower())]
    names = [name for name in names if name != "identity"]
    if len(names) > _MOST_CODINGS or not set(names) <= _CODINGS.keys():
        raise malformed(request, "is encoded, which was not asked for, and not by gzip or deflate")
    return [_CODINGS[name] for name in names]


def _inflate(body: bytes | bytearray, way: int, most: int) -> bytearray | None:
    """Decode one coding, a byte over `most` at most; None where it is another, or cut."""
    found = bytearray()
    for _ in range(_MOST_MEMBERS):
        inflater = zlib.decompressobj(way)
        try:
            found += inflater.decompress(body, most + 1 - len(found))
        except zlib.error:
            return None
        body = inflater.unused_data
        if len(found) > most or (inflater.eof and not body):
            return found
        if not inflater.eof or way != _GZIP:
            break
    return None


def proxy_for(origin: str) -> str | None:
    """Find the proxy that the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) or system names; there
    is none for this very machine, which a proxy would take for itself."""
    parts = urlsplit(origin)
    if is_loopback(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
