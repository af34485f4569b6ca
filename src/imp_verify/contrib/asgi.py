"""The endpoints in front of any ASGI application. It translates and decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .. import AsyncVerifier
from ._asgi import Receive, Scope, Send, answer
from ._mount import check_verifier, routes

__all__ = ["PaymentsMiddleware"]

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class PaymentsMiddleware:
    """Answers requests to the payment endpoints; everything else goes on untouched, life span and
    web sockets included.

    Args:
        app: The shop's own application.
        verifier: An `AsyncVerifier`.
        prefix: Where the endpoints are, for example "/payments"; counted from where the server
            mounts this application (`root_path`, whether `path` still begins with it or not).

    Raises:
        ConfigurationError: It is no `AsyncVerifier`, or the prefix is no path.
    """

    def __init__(
        self, app: Application, verifier: AsyncVerifier, *, prefix: str = "/payments"
    ) -> None:
        check_verifier("imp_verify.contrib.asgi", verifier, AsyncVerifier)
        self._app = app
        self._verifier = verifier
        self._routes = routes(prefix)
        self._endings = tuple(self._routes)

    # A coroutine function, or servers take this for an application of ASGI 2.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # An ending is looked for first: it is all that a request which is not ours pays for.
        if scope["type"] == "http" and scope["path"].endswith(self._endings):
            path: str = scope["path"]
            root: str = scope.get("root_path", "").rstrip("/")
            if root and path.startswith(f"{root}/"):
                path = path[len(root) :]
            endpoint = self._routes.get(path)
            if endpoint is not None:
                return await answer(self._verifier, endpoint, scope, receive, send)
        await self._app(scope, receive, send)
