"""The call to the gateway as values, its limits, and what a transport is. The transports
themselves are modules beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "MAX_ANSWER",
    "AsyncTransport",
    "GatewayRequest",
    "GatewayResponse",
    "Headers",
    "Transport",
]

MAX_ANSWER = 1 << 20
"""Bytes of an answer's body that are read at most, and that it may have once it is decoded, where
the request names no other limit; a larger one is a `GatewayProtocolError`."""


class Headers(dict[str, str]):
    """Headers of a call to the gateway: its repr has their names and not their values."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One call to the gateway. Header and body hold the token or the secret, so its repr leaves
    them out. Error monitoring keeps the local variables of every function that an error leaves:
    a transport takes both out of the request inside the call to its client, without a name for
    either.

    Attributes:
        url: Absolute; every id in it is percent-encoded already, and it is sent as it stands. A
            loopback address must not be asked through a proxy.
        deadline: When the answer must be complete, in seconds of `time.monotonic()`.
        most: Bytes that the answer's body may have.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    deadline: float
    most: int = MAX_ANSWER


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """What came back: the final status and the whole body, decoded, at most the request's `most`
    bytes; and the header `Retry-After` where there is one."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


class Transport(Protocol):
    """Sends one request and returns the answer, whatever its status. Many threads may call it at
    once.

    Redirects are not followed and nothing is retried: the core decides about that.

    Raises:
        GatewayReset: The connection was lost after it had been made, before the answer was
            complete.
        GatewayUnavailable: No connection, or `deadline` passed; raised within a tenth of a
            second of it.
        GatewayProtocolError: The answer is no HTTP, is encoded by anything but gzip and deflate,
            or exceeds the request's `most`.
    """

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse: ...

    def close(self) -> None:
        """Close the connections that the transport made itself; it can be used again afterwards."""


class AsyncTransport(Protocol):
    """The same as `Transport` for an event loop; one object may be used from several loops."""

    async def __call__(self, request: GatewayRequest, /) -> GatewayResponse: ...

    async def close(self) -> None:
        """Close the connections that the transport made itself in the running loop."""
