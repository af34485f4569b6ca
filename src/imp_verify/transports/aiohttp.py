"""The transport on aiohttp."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from functools import cache

try:
    import aiohttp
except ImportError:
    raise ImportError(
        'imp_verify.transports.aiohttp needs aiohttp: pip install "imp-verify[aiohttp]"'
    ) from None
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from imp_verify.errors import GatewayError
from imp_verify.transports import GatewayRequest, GatewayResponse, _calls
from imp_verify.transports._clients import PerLoop

__all__ = ["AiohttpTransport"]

_UNTIMED = aiohttp.ClientTimeout(total=None)
_NO_TYPE = frozenset({"Content-Type"})  # else aiohttp makes one up for a body
_NO_PROXY = ""  # None is the session's own, or the environment's
_CUT = "Not enough data"  # what aiohttp says of a body that ends early
_BROKEN = (aiohttp.ClientConnectionError, ConnectionError)
_NOWHERE = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)  # some of the broken
_QUOTING = (  # their text may hold a password; a ClientResponseError's arguments hold the headers
    aiohttp.ClientProxyConnectionError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    ValueError,
)


class AiohttpTransport:
    """Calls the gateway through aiohttp, within a deadline that covers the whole call.

    Args:
        session: The shop's own session, with its connector, proxy, certificates, headers and
            cookies; it serves the loop it was made in, and is never closed here. Let it have
            neither `auth` nor, with `trust_env`, a .netrc entry for the gateway: aiohttp takes
            those for Authorization, or refuses the call. It repeats a GET once by itself if the
            connection broke, and what it gave up over TLS stays open until the gateway says goodbye
            or half a minute has passed. Without a session, connections are kept for each event loop
            and closed when it ends; proxies are those of the environment at first use (HTTPS_PROXY,
            ALL_PROXY, NO_PROXY). No proxy, the session's neither, is asked for a loopback address.
    """

    def __init__(self, session: aiohttp.ClientSession | None = None) -> None:
        self._given = None if session is None else _Client(session)
        self._clients = PerLoop(_make_client, _close_client)

    async def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        left = request.deadline - time.monotonic()
        if left <= 0:
            raise _calls.late(request)
        try:
            async with asyncio.timeout(left):
                return await self._call(request)
        except TimeoutError as error:
            failure: Exception = _calls.late(request)
            failure.__cause__ = error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _translate(request, error)
        except Exception as error:  # ours, or of the shop's own session
            failure = error
        raise _calls.without_frames(failure)

    async def close(self) -> None:
        """See `AsyncTransport.close`."""
        await self._clients.close()

    async def _call(self, request: GatewayRequest) -> GatewayResponse:
        client = self._given or await self._clients.get(_calls.split(request.url)[0])
        direct = self._given is not None and _calls.is_local(request)
        answer = await client.session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=_calls.headers_of(request),
            skip_auto_headers=_NO_TYPE,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            proxy=_NO_PROXY if direct else client.proxy,
            timeout=_UNTIMED,
        )
        try:
            return await _read(request, answer)
        except BaseException:
            answer.close()
            raise


class _Answer(aiohttp.ClientResponse):
    """An answer that, given up, drops its connection: aiohttp waits for the other end's goodbye."""

    def close(self) -> None:
        connection = self.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        super().close()


@dataclass(frozen=True, slots=True)
class _Client:
    session: aiohttp.ClientSession
    proxy: str | None = None


def _make_client(origin: str) -> _Client:
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=_calls.IDLE_SECONDS, ssl=_verification()
    )
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), response_class=_Answer
    )
    session._retry_connection = False  # the core alone decides what is asked again
    return _Client(session, _calls.proxy_for(origin))


@cache
def _verification() -> ssl.SSLContext:
    """Load the certificates once; aiohttp does so too, but when it is imported."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _close_client(client: _Client) -> None:
    await client.session.close()


async def _read(request: GatewayRequest, answer: aiohttp.ClientResponse) -> GatewayResponse:
    encodings = ",".join(answer.headers.getall("Content-Encoding", ()))
    retry_after = answer.headers.get("Retry-After")
    incoming = _calls.Incoming(
        request, answer.status, encodings, answer.content_length, retry_after
    )
    while incoming.add(await answer.content.readany()):
        pass
    return incoming.end()


def _translate(request: GatewayRequest, error: Exception) -> GatewayError:
    if isinstance(error, _QUOTING):
        return _calls.unreachable(request, error)
    if isinstance(error, aiohttp.ClientResponseError):
        return _calls.malformed(request, f"is no HTTP ({type(error).__name__})")
    if isinstance(error, aiohttp.ClientPayloadError):
        if isinstance(error.__cause__, HttpProcessingError) and _CUT not in str(error):
            # Told without its cause, which quotes the answer.
            return _calls.malformed(request, "is cut into bad chunks")
        failure: GatewayError = _calls.lost(request)
    elif isinstance(error, _BROKEN) and not isinstance(error, _NOWHERE):
        failure = _calls.lost(request)
    else:
        failure = _calls.unreachable(request, error)
    failure.__cause__ = error
    return failure
