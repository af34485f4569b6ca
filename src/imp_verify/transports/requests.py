"""The transport on requests, the default one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

try:
    import requests
except ImportError:
    raise ImportError(
        'imp_verify.transports.requests needs requests: pip install "imp-verify"'
    ) from None
import urllib3
from requests.adapters import HTTPAdapter

from imp_verify.errors import GatewayError
from imp_verify.settings import is_loopback
from imp_verify.transports import GatewayRequest, GatewayResponse, _calls
from imp_verify.transports._clients import PerProcess
from imp_verify.transports._deadline import keep_deadline, seconds_left
from imp_verify.transports.urllib3 import call_pool, preloaded, read, within_deadline

__all__ = ["RequestsTransport"]


class RequestsTransport:
    """Calls the gateway through requests, within a deadline that covers the whole call.

    Args:
        session: The shop's own session, with its adapters, proxies, certificates, headers, cookies
            and hooks; it is never closed here. Its `params` and `auth` and the user's .netrc are
            left out: the address is sent as it stands, and Authorization is ours. The connection
            pools it uses are taught the deadline, which changes nothing for its other calls.
            Without one, pools are made by requests' rules on first use in each process; proxies and
            certificates are those of the environment at that time (HTTPS_PROXY, ALL_PROXY,
            NO_PROXY, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE). No proxy, the session's neither, is
            asked for a loopback address.

    Limits: the system resolves names, and no deadline interrupts it. What a SOCKS proxy says, and
    TLS to a proxy around TLS to the gateway, is timed for each read only; so is everything that
    goes through a mounted adapter that is no `HTTPAdapter`, or one that makes its pools for each
    call. An adapter's `max_retries` is left out: what is tried again, and when, is decided
    elsewhere.
    """

    def __init__(self, session: requests.Session | None = None) -> None:
        self._session = session
        self._pools = PerProcess(_make_pool)

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        return within_deadline(request, self._call)

    def close(self) -> None:
        """See `Transport.close`."""
        for pool in self._pools.clear():
            pool.close()

    def _call(self, request: GatewayRequest, left: float) -> GatewayResponse:
        if self._session is not None:
            return _call_session(request, self._session, left)
        origin, target = _calls.split(request.url)
        return call_pool(request, self._pools.get(origin), target, left)


def _make_pool(origin: str) -> urllib3.HTTPConnectionPool:
    """Make the pool that a session would use, with what it would find in the environment."""
    adapter: Any = HTTPAdapter(pool_maxsize=_calls.MAX_CONNECTIONS)
    prepared = requests.Request("GET", origin).prepare()
    with requests.Session() as session:
        found = session.merge_environment_settings(origin, {}, None, None, None)
    verify = found["verify"]
    proxies = {} if is_loopback(urlsplit(origin).hostname or "") else found["proxies"]
    pool = adapter.get_connection_with_tls_context(prepared, verify, proxies, None)
    if pool.scheme == "https":
        adapter.cert_verify(pool, origin, verify, None)
        pool.conn_kw["ssl_context"] = preloaded(pool.ca_certs, pool.ca_cert_dir)
        pool.ca_certs = pool.ca_cert_dir = None  # else read again for each connection: 20 ms
    return keep_deadline(pool)


def _call_session(
    request: GatewayRequest, session: requests.Session, left: float
) -> GatewayResponse:
    call = requests.Request(
        request.method,
        request.url,
        headers=_calls.headers_of(request),
        data=request.body,
        auth=_unchanged,
    )
    prepared = session.prepare_request(call)
    prepared.url = request.url
    prepared.hooks.setdefault("response", []).append(_stay)
    bundle = session.verify if isinstance(session.verify, str) else None  # before the environment's
    found = session.merge_environment_settings(request.url, {}, True, bundle, None)
    if _calls.is_local(request):
        found["proxies"] = {}
    adapter = session.get_adapter(request.url)
    if isinstance(adapter, HTTPAdapter):
        pool = adapter.get_connection_with_tls_context(
            prepared, found["verify"], found["proxies"], found["cert"]
        )
        keep_deadline(pool)
    answer = session.send(prepared, timeout=left, allow_redirects=False, **found)
    if isinstance(answer.raw, urllib3.HTTPResponse) and not answer.raw.closed:
        return read(request, answer.raw)
    return _content(request, answer)


def _unchanged(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authorize nothing; being there, it keeps requests from looking into .netrc."""
    return prepared


def _stay(answer: requests.Response, *args: object, **options: object) -> None:
    """Keep requests from reading a redirect's body and preparing the next request."""
    answer.headers.pop("Location", None)


def _content(request: GatewayRequest, answer: requests.Response) -> GatewayResponse:
    """Read what no urllib3 gave, or what one of the session's hooks has read already."""
    incoming = _calls.Incoming(
        request,
        answer.status_code,
        answer.headers.get("Content-Encoding"),
        int(answer.headers.get("Content-Length", 0)),
        answer.headers.get("Retry-After"),
        decoded=isinstance(answer.raw, urllib3.HTTPResponse),
    )
    parts = answer.iter_content(1 << 16)
    try:
        while incoming.add(next(parts, b"")):
            seconds_left()
    except GatewayError:
        answer.close()
        raise
    return incoming.end()
