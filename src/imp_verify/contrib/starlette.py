"""The endpoints as a Starlette router. It translates and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

try:
    from starlette.routing import Route, Router
    from starlette.types import Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.starlette needs Starlette: pip install "imp-verify[starlette]"'
    ) from error

from .. import ENDPOINTS, AsyncVerifier
from ._asgi import answer
from ._mount import check_verifier
from .browser import Markup, Place, button

__all__ = ["payments", "template_button"]


def payments(verifier: AsyncVerifier) -> Router:
    """Make the payment endpoints, to be mounted under the shop's prefix.

    Raises:
        ConfigurationError: It is no `AsyncVerifier`.
    """
    check_verifier("imp_verify.contrib.starlette", verifier, AsyncVerifier)
    paths = [(name, f"/{name}{slash}") for name in ENDPOINTS for slash in ("", "/")]
    routes = [Route(path, _Endpoint(verifier, name)) for name, path in paths]
    return Router(routes, redirect_slashes=False)


def template_button(verifier: AsyncVerifier, *, prefix: str = "/payments") -> Callable[..., Markup]:
    """Make the function for `templates.env.globals["imp_verify_button"]`, for FastAPI too.

    A template then says `{{ imp_verify_button(order) }}`. The order is what the view got from
    `await find_order(verifier, number)`, or anything that `imp_verify.contrib.browser.button`
    takes but a bare number, which would have to be awaited. `nonce` and ButtonOptions may follow.
    It raises like `button`.

    Args:
        prefix: Where the endpoints are mounted, seen from the outermost application: for one that
            is itself mounted at /shop, "/shop/payments". The server's root_path is put before it.

    Raises:
        ConfigurationError: It is no `AsyncVerifier`.
    """
    from jinja2 import pass_context

    check_verifier("imp_verify.contrib.starlette", verifier, AsyncVerifier)

    @pass_context
    def imp_verify_button(
        context: Any, order: Any, *, nonce: str | None = None, **options: Any
    ) -> Markup:
        request = context["request"]
        scope = request.scope
        root = scope.get("app_root_path", scope.get("root_path", ""))
        place = Place(prefix, root, nonce, request.headers.getlist("accept-language"))
        return button(verifier, order, place=place, **options)

    return imp_verify_button


@dataclass(frozen=True)
class _Endpoint:
    """One endpoint as an ASGI application, so that every method reaches the core."""

    verifier: AsyncVerifier
    name: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(self.verifier, self.name, scope, receive, send)
