"""The transport on requests, the default one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

try:
    import requests
except ImportError:
    raise ImportError(
        'imp_verify.transports.requests needs requests: pip install "imp-verify"'
    ) from None
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy

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
            pools of its adapters are made anew, to keep the deadline, which changes nothing for its
            other calls; make it for this, or before any thread uses it. Without one, pools are made
            by requests' rules on first use in each process; proxies and certificates are those of
            the environment at that time (HTTPS_PROXY, ALL_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE,
            CURL_CA_BUNDLE). No proxy, the session's neither, is asked for a loopback address.

    Limits: the system resolves names, and no deadline interrupts it. What a SOCKS proxy says, and
    TLS to a proxy around TLS to the gateway, is timed for each read only; so is everything that
    goes through a mounted adapter that is no `HTTPAdapter`, or one that makes its pools by itself.
    An adapter's `max_retries` is left out: what is tried again, and when, is decided elsewhere.
    """

    def __init__(self, session: requests.Session | None = None) -> None:
        for adapter in session.adapters.values() if session is not None else ():
            if isinstance(adapter, HTTPAdapter):
                keep_deadline(adapter.poolmanager)
        self._session = session
        self._pools = PerProcess(_make_pool)

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        return within_deadline(request, self._call)

    def close(self) -> None:
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
    keep_deadline(_manager(adapter, origin, proxies))
    pool = adapter.get_connection_with_tls_context(prepared, verify, proxies, None)
    if pool.scheme == "https":
        adapter.cert_verify(pool, origin, verify, None)
        pool.conn_kw["ssl_context"] = preloaded(pool.ca_certs, pool.ca_cert_dir)
        pool.ca_certs = pool.ca_cert_dir = None  # else read again for each connection: 20 ms
    return cast("urllib3.HTTPConnectionPool", pool)


def _manager(adapter: Any, url: str, proxies: Mapping[str, str]) -> urllib3.PoolManager:
    """Return what an adapter takes the pool of this address from."""
    proxy = select_proxy(url, proxies)
    manager: urllib3.PoolManager = adapter.poolmanager
    if proxy:
        named = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
        manager = adapter.proxy_manager_for(named)
    return manager


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
        keep_deadline(_manager(adapter, request.url, found["proxies"]))
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
