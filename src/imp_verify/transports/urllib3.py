"""The transport on urllib3. The one on requests, which is built on it, calls and reads alike."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http.client import HTTPException, IncompleteRead
from urllib.parse import unquote

try:
    import urllib3
except ImportError:
    raise ImportError(
        'imp_verify.transports.urllib3 needs urllib3: pip install "imp-verify[urllib3]"'
    ) from None
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import make_headers, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from imp_verify.errors import GatewayError
from imp_verify.transports import GatewayRequest, GatewayResponse, Headers, _calls
from imp_verify.transports._clients import PerProcess
from imp_verify.transports._deadline import DEADLINE, MOST, NEVER, Overflow, keep_deadline

__all__ = ["Urllib3Transport"]

_FAILURES = (HTTPError, HTTPException, OSError, ValueError)  # requests' own are OSErrors
_BROKEN = (ConnectionError, IncompleteRead, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_MALFORMED = (HTTPException, InvalidHeader, ValueError)
_NOWHERE = {"NewConnectionError", "ProxyError", "LocationValueError", "InvalidURL", "SSLError"}
_TELLTALES = {"ProxyError", "LocationValueError", "InvalidURL"}
"""They may quote the proxy's password."""


class Urllib3Transport:
    """Calls the gateway through urllib3, within a deadline that covers the whole call.

    Args:
        pool: The shop's own `PoolManager` or `ProxyManager`, with its proxies, certificates and
            headers; it is never closed here. Its pools are taught the deadline, which changes
            nothing for calls from elsewhere. Without one, pools are made on first use in each
            process; they take the proxy from the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY),
            which urllib3 of itself does not, and verify certificates against the system's store.
            No proxy, the manager's neither, is asked for a loopback address.

    Limits: the system resolves names, and no deadline interrupts it; nor does it the reading of
    certificates, which a pool of the shop's may do for each connection. What a SOCKS proxy says,
    and TLS to a proxy around TLS to the gateway, is timed for each read only.
    """

    def __init__(self, pool: urllib3.PoolManager | None = None) -> None:
        self._manager = pool
        self._pools = PerProcess(self._make_pool)

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        return within_deadline(request, self._call)

    def close(self) -> None:
        """See `Transport.close`."""
        for pool in self._pools.clear():
            pool.close()

    def _call(self, request: GatewayRequest, left: float) -> GatewayResponse:
        origin, target = _calls.split(request.url)
        if self._manager is None or (_is_proxied(self._manager) and _calls.is_local(request)):
            pool = self._pools.get(origin)
        else:
            pool = keep_deadline(self._manager.connection_from_url(origin))
        return call_pool(request, pool, target, left, self._manager)

    def _make_pool(self, origin: str) -> urllib3.HTTPConnectionPool:
        return _make_pool(origin) if self._manager is None else _make_direct(origin, self._manager)


def _is_proxied(manager: urllib3.PoolManager) -> bool:
    return manager.proxy is not None or hasattr(manager, "proxy_url")  # the latter is SOCKS


def _make_direct(origin: str, manager: urllib3.PoolManager) -> urllib3.HTTPConnectionPool:
    """Make a pool as the shop's manager would, but for the proxy, which is all that has names
    with an underscore."""
    options = manager.connection_pool_kw.items()
    own = {name: value for name, value in options if not name.startswith("_")}
    return keep_deadline(urllib3.PoolManager(**own).connection_from_url(origin))


def _make_pool(origin: str) -> urllib3.HTTPConnectionPool:
    proxy = _calls.proxy_for(origin)
    if proxy is None:
        manager = urllib3.PoolManager(maxsize=_calls.MAX_CONNECTIONS)
    else:
        auth = parse_url(proxy).auth
        headers = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        manager = urllib3.ProxyManager(proxy, proxy_headers=headers, maxsize=_calls.MAX_CONNECTIONS)
    pool = keep_deadline(manager.connection_from_url(origin))
    if pool.scheme == "https":
        pool.conn_kw["ssl_context"] = preloaded()
    return pool


def preloaded(file: str | None = None, directory: str | None = None) -> ssl.SSLContext:
    """Read the certificates to trust, by default the system's, once and for all connections."""
    context = create_urllib3_context()
    if file or directory:
        context.load_verify_locations(file, directory)
    else:
        context.load_default_certs()
    return context


def call_pool(
    request: GatewayRequest,
    pool: urllib3.HTTPConnectionPool,
    target: str,
    left: float,
    manager: urllib3.PoolManager | None = None,
) -> GatewayResponse:
    """Ask a pool itself: a manager or a session would do more, and write the address anew."""
    if pool.proxy is not None and pool.scheme == "http":
        target = request.url
    answer = pool.urlopen(
        request.method,
        target,
        request.body,
        _headers(request, manager),
        NEVER,
        redirect=False,
        assert_same_host=False,
        timeout=left,
        preload_content=False,
        decode_content=False,
    )
    return read(request, answer)


def _headers(request: GatewayRequest, manager: urllib3.PoolManager | None) -> Headers:
    headers = _calls.headers_of(request)
    return headers if manager is None else Headers({**manager.headers, **headers})


def within_deadline(
    request: GatewayRequest, call: Callable[[GatewayRequest, float], GatewayResponse]
) -> GatewayResponse:
    """Run a call, which is told how many seconds it has, and make our own errors of urllib3's.

    They leave without the frames of the call, whose variables hold the request and the answer.
    """
    left = request.deadline - time.monotonic()
    if left <= 0:
        raise _calls.late(request)
    token, most = DEADLINE.set(request.deadline), MOST.set(request.most)
    try:
        return call(request, left)
    except _FAILURES as error:
        failure: Exception = _translate(request, error)
    except Exception as error:  # ours, or of the shop's own session or pool
        failure = error
    finally:
        DEADLINE.reset(token)
        MOST.reset(most)
    raise _calls.without_frames(failure)


def read(request: GatewayRequest, answer: urllib3.BaseHTTPResponse) -> GatewayResponse:
    """Read an answer to its end; where it is refused instead, its connection is dropped."""
    try:
        encoding = answer.headers.get("Content-Encoding")
        retry_after = answer.headers.get("Retry-After")
        incoming = _calls.Incoming(
            request, answer.status, encoding, answer.length_remaining, retry_after
        )
        incoming.add(answer.read(request.most + 1))
        if answer.length_remaining:
            raise _calls.lost(request)
    except BaseException:
        answer.close()
        answer.release_conn()  # a place in a blocking pool is given back, its connection closed
        raise
    return incoming.end()


def _translate(request: GatewayRequest, error: Exception) -> GatewayError:
    cause = error
    names = _calls.names_of(error)
    while inner := _wrapped(cause):
        cause = inner
        names |= _calls.names_of(cause)
    late = "TimeoutError" in names and "NewConnectionError" not in names
    if late or time.monotonic() >= request.deadline:
        failure: GatewayError = _calls.late(request)
    elif isinstance(cause, Overflow):
        failure = _calls.too_large(request)
    elif isinstance(cause, _BROKEN) and "ProxyError" not in names:
        failure = _calls.lost(request)
    elif isinstance(cause, _MALFORMED) and not names & _NOWHERE:
        # Told without its cause, which quotes the answer.
        return _calls.malformed(request, f"is no HTTP ({type(cause).__name__})")
    else:
        failure = _calls.unreachable(request, cause)
    failure.__cause__ = None if names & _TELLTALES else error
    return failure


def _wrapped(error: Exception) -> Exception | None:
    """Unwrap what urllib3 or requests wraps, as `reason` or as the last of its arguments."""
    inside = (*error.args, getattr(error, "reason", None))
    return next((each for each in reversed(inside) if isinstance(each, Exception)), None)
