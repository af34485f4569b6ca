"""The fake gateway's API as transports of a verifier: no socket, no thread, no waiting."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from urllib.parse import urlsplit

from ..errors import GatewayProtocolError, GatewayReset, GatewayUnavailable
from ..sandbox.api import Api
from ..sandbox.clock import Clock
from ..sandbox.wire import ApiAnswer, ApiRequest
from ..transports import GatewayRequest, GatewayResponse

__all__ = ["InProcess", "InProcessAsync"]

Reached = Callable[[], tuple[Api, Clock]]
"""Gives the gateway as it is now: a reset makes another one."""


class InProcess:
    """For `Verifier(transport=)`. Whatever the host of an address is, the fake gateway answers."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached

    def __call__(self, request: GatewayRequest) -> GatewayResponse:
        """See `Transport`."""
        api, _ = self._reached()
        return _arrived(request, api.answer(_asked(request)))

    def close(self) -> None:
        """See `Transport`: there is nothing to close."""


class InProcessAsync:
    """For `AsyncVerifier(transport=)`."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached

    async def __call__(self, request: GatewayRequest) -> GatewayResponse:
        """See `AsyncTransport`. What may reach a shop waits in a thread: the shop may be here."""
        import asyncio

        api, clock = self._reached()
        asked = _asked(request)
        if request.method == "GET" and not clock.has_due:
            return _arrived(request, api.answer_now(asked))
        return _arrived(request, await asyncio.to_thread(api.answer, asked))

    async def close(self) -> None:
        """See `AsyncTransport`: there is nothing to close."""


def _asked(request: GatewayRequest) -> ApiRequest:
    parts = urlsplit(request.url)
    return ApiRequest(
        request.method,
        parts.path or "/",
        parts.query,
        tuple(request.headers.items()),
        request.body or b"",
    )


def _arrived(request: GatewayRequest, answer: ApiAnswer) -> GatewayResponse:
    """Return what a client gets of an answer on its way, or raise what a transport raises."""
    way = answer.way
    seconds = way.delay + (len(answer.body) / way.drip if way.drip else 0)
    if seconds and seconds > request.deadline - monotonic():  # nobody waits for it in a test
        raise GatewayUnavailable("the fake gateway's answer comes later than there is time")
    cut = way.truncate is not None and way.truncate < len(answer.body)
    if way.lost or way.reset or cut:
        raise GatewayReset(
            "the connection to the fake gateway broke before its answer was complete"
        )
    if len(answer.body) > request.most:
        raise GatewayProtocolError(f"the fake gateway's answer exceeds {request.most} bytes")
    headers = {name.lower(): value for name, value in answer.headers}
    return GatewayResponse(answer.status, answer.body, headers.get("retry-after"))
