"""The endpoints as a Starlette router. It translates and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

try:
    from starlette.routing import Route, Router
    from starlette.types import Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.starlette needs Starlette: pip install "imp-verify[starlette]"'
    ) from error

from .. import ENDPOINTS, AsyncVerifier
from ._asgi import answer

__all__ = ["payments"]


def payments(verifier: AsyncVerifier) -> Router:
    """Make the payment endpoints, to be mounted under the shop's prefix."""
    paths = [(name, f"/{name}{slash}") for name in ENDPOINTS for slash in ("", "/")]
    routes = [Route(path, _Endpoint(verifier, name)) for name, path in paths]
    return Router(routes, redirect_slashes=False)


@dataclass(frozen=True)
class _Endpoint:
    """One endpoint as an ASGI application, so that every method reaches the core."""

    verifier: AsyncVerifier
    name: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(self.verifier, self.name, scope, receive, send)
