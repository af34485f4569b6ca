"""What all transports say and check: errors without secrets, heads, the environment's proxy."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from imp_verify.errors import GatewayProtocolError, GatewayReset, GatewayUnavailable
from imp_verify.transports import MAX_ANSWER, GatewayRequest

MAX_CONNECTIONS = 256
"""Idle connections that a client of ours keeps; far more than the look-ups that run at once."""

IDLE_SECONDS = 30.0
"""How long an asynchronous client of ours keeps an idle connection."""


def split(url: str) -> tuple[str, str]:
    """Cut an absolute URL, as it stands, into its origin and what is asked of that."""
    end = url.find("/", url.find("://") + 3)
    return (url, "/") if end < 0 else (url[:end], url[end:])


def headers_of(request: GatewayRequest) -> dict[str, str]:
    """Give the headers to send: the request's, and that the body shall come as it is."""
    return {"Accept-Encoding": "identity", **request.headers}


def host_of(request: GatewayRequest) -> str:
    return urlsplit(request.url).hostname or "the gateway"


def names_of(error: BaseException) -> set[str]:
    """Give the names of an error's classes: what two libraries or releases call alike is alike."""
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
    return malformed(request, f"exceeds {MAX_ANSWER} bytes")


def check_head(
    request: GatewayRequest, status: int, encoding: str | None, length: int | None
) -> None:
    """Refuse an answer by its head, before its body is read.

    Raises:
        GatewayProtocolError: The status is no final one, the body is encoded, or it is too large.
    """
    if status < 200:
        raise malformed(request, f"has status {status}, which is none to end with")
    if encoding and encoding.lower() != "identity":
        raise malformed(request, "is encoded, which was not asked for")
    if length is not None and length > MAX_ANSWER:
        raise too_large(request)


def proxy_for(origin: str) -> str | None:
    """Find the proxy that the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY) or system names."""
    parts = urlsplit(origin)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
