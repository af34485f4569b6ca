"""The transport on httpx2, or on httpx where that is missing; they have the same interface."""

from __future__ import annotations

import asyncio
import copy
import sys
import time
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    try:
        import httpx2 as httpx
    except ImportError:
        try:
            import httpx
        except ImportError:
            raise ImportError(
                'imp_verify.transports.httpx needs httpx2: pip install "imp-verify[async]"'
            ) from None

from imp_verify.errors import GatewayError
from imp_verify.transports import GatewayRequest, GatewayResponse, _calls
from imp_verify.transports._clients import PerLoop

__all__ = ["HttpxTransport"]

_CONNECTING = 0.9
"""The part of the time that a connection may take to be made. The libraries close what they give up
themselves; what is cancelled in its handshake they leave to the garbage collector."""

_TINY = 64
"""Bytes of a part of an answer below which the loop has its turn: the libraries may give a thousand
parts without waiting for anything."""


class HttpxTransport:
    """Calls the gateway through httpx2 or httpx, within a deadline that covers the whole call.

    Args:
        client: The shop's own `AsyncClient` of either library, with its proxies, certificates,
            headers, cookies and hooks; it serves the loop it belongs to, and is never closed here.
            Its `params` and `auth` are left out, and Authorization is ours. The address is sent as
            it stands, but for "." and ".." as whole segments, which are resolved (through a proxy
            too). Without one, connections are kept for each event loop and closed when it ends;
            proxies are those of the environment at first use (HTTPS_PROXY, ALL_PROXY, NO_PROXY).
            No proxy, the client's neither, is asked for a loopback address; its `mounts` are left
            out there, and so is a transport of its own that has a proxy, with its certificates.
    """

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._client = client
        library = httpx if client is None else _library_of(client)
        self._failures = (library.HTTPError, library.InvalidURL, OSError, ValueError)
        self._pools = PerLoop(partial(_make_pool, library), _close_pool)

    async def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        left = request.deadline - time.monotonic()
        if left <= 0:
            raise _calls.late(request)
        try:
            async with asyncio.timeout(left):
                answer = await self._ask(request, left)
                try:
                    return await _read(request, answer)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            failure: Exception = _calls.late(request)
            failure.__cause__ = error
        except self._failures as error:
            failure = _translate(request, error)
        except Exception as error:  # ours, or of the shop's own client
            failure = error
        raise _calls.without_frames(failure)

    async def close(self) -> None:
        """See `AsyncTransport.close`."""
        await self._pools.close()

    async def _ask(self, request: GatewayRequest, left: float) -> httpx.Response:
        origin, target = _calls.split(request.url)
        timeout = {"connect": left * _CONNECTING, "read": None, "write": None, "pool": None}
        extensions: dict[str, Any] = {"timeout": timeout}
        if self._client is None:
            pool = await self._pools.get(origin)
            if pool.direct:  # a proxy would be sent the target in place of its own
                extensions["target"] = target.encode("ascii")
            call = httpx.Request(
                request.method,
                pool.url if pool.direct else request.url,
                headers=_calls.headers_of(request),
                content=request.body,
                extensions=extensions,
            )
            return await pool.transport.handle_async_request(call)
        client = self._client
        if _calls.is_local(request):
            client = await self._without_proxies(client, origin)
        call = client.build_request(
            request.method,
            request.url,
            headers=_calls.headers_of(request),
            content=request.body,
            extensions=extensions,
        )
        call.url = type(call.url)(request.url)
        return await client.send(call, stream=True, auth=None, follow_redirects=False)

    async def _without_proxies(self, client: httpx.AsyncClient, origin: str) -> httpx.AsyncClient:
        """Return the client, with all that is its own, but without the proxies it has mounted, or a
        transport that has one.

        There is no public way to leave them out of a call, and what a proxy answers for this
        machine would be believed.
        """
        pool = getattr(client._transport, "_pool", None)
        proxied = type(pool).__name__ in ("AsyncHTTPProxy", "AsyncSOCKSProxy")
        if not client._mounts and not proxied:
            return client
        direct = copy.copy(client)
        direct._mounts = {}
        if proxied:
            direct._transport = (await self._pools.get(origin)).transport
        return direct


@dataclass(frozen=True, slots=True)
class _Pool:
    """The connections to one origin, without what a client does around them: cookies, redirects."""

    url: httpx.URL
    transport: httpx.AsyncHTTPTransport
    direct: bool


def _make_pool(library: Any, origin: str) -> _Pool:
    limits = library.Limits(
        max_connections=None,
        max_keepalive_connections=_calls.MAX_CONNECTIONS,
        keepalive_expiry=_calls.IDLE_SECONDS,
    )
    proxy = _calls.proxy_for(origin)
    transport = library.AsyncHTTPTransport(verify=_verification(), limits=limits, proxy=proxy)
    return _Pool(library.URL(origin), transport, proxy is None)


async def _close_pool(pool: _Pool) -> None:
    await pool.transport.aclose()


@cache
def _verification() -> Any:
    """Load the certificates once: it takes 20 ms, and there may be a loop for each request."""
    return httpx.create_ssl_context()


async def _read(request: GatewayRequest, answer: httpx.Response) -> GatewayResponse:
    head = answer.headers
    length = head.get("Content-Length", "")
    incoming = _calls.Incoming(
        request,
        answer.status_code,
        head.get("Content-Encoding"),
        int(length) if length.isdecimal() else None,
        head.get("Retry-After"),
        decoded=answer.is_stream_consumed,  # by one of the client's hooks
    )
    async for part in answer.aiter_bytes() if answer.is_stream_consumed else answer.aiter_raw():
        incoming.add(part)
        if len(part) < _TINY:  # a flood of them would keep the loop, and our own deadline, waiting
            await asyncio.sleep(0)
        del part  # a name shows a buyer's data to whoever reads an error
    return incoming.end()


def _translate(request: GatewayRequest, error: BaseException) -> GatewayError:
    names = _calls.names_of(error)
    if names & {"ProxyError", "InvalidURL", "ValueError", "LocalProtocolError"}:
        return _calls.unreachable(
            request, error
        )  # told without its cause, which may quote a password
    ended = "clos" in str(error) or "disconnected" in str(error)
    if "RemoteProtocolError" in names and (not ended or "illegal" in str(error)):
        # Told without its cause, which quotes the answer.
        return _calls.malformed(request, "is no HTTP (RemoteProtocolError)")
    if "TimeoutException" in names:
        failure: GatewayError = _calls.late(request)
    elif names & {"ReadError", "WriteError", "CloseError", "SSLEOFError"} or ended:
        failure = _calls.lost(request)
    else:
        failure = _calls.unreachable(request, error)
    failure.__cause__ = error
    return failure


def _library_of(client: object) -> Any:
    """Find which library a client is of: both may be there, and their errors differ."""
    tops = [kind.__module__.partition(".")[0] for kind in type(client).__mro__]
    return next((sys.modules[top] for top in tops if top in ("httpx2", "httpx")), httpx)
