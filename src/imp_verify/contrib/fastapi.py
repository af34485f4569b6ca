"""The endpoints as a FastAPI router, described in its OpenAPI page. It translates and decides
nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

try:
    from fastapi import APIRouter, Request, Response
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
    from starlette.types import Message, Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.fastapi needs FastAPI: pip install "imp-verify[fastapi]"'
    ) from error

from .. import ENDPOINTS, AsyncVerifier
from ._asgi import TooLarge, answer, form_again
from ._mount import check_verifier
from .openapi import paths

__all__ = ["payments"]


def payments(verifier: AsyncVerifier, *, name: str = "payments") -> APIRouter:
    """Make the payment endpoints, to be included under the shop's prefix.

    Args:
        verifier: An `AsyncVerifier`.
        name: Their tag, and the beginning of their route names and operation ids; a second
            verifier in one app needs another.

    Raises:
        ConfigurationError: It is no `AsyncVerifier`.
    """
    check_verifier("imp_verify.contrib.fastapi", verifier, AsyncVerifier)
    router = APIRouter(tags=[name])
    described = paths("/", name=name, accounts=verifier.settings.accounts is not None)
    for endpoint in ENDPOINTS:
        route = partial(
            router.add_api_route,
            endpoint=_view(verifier, endpoint),
            name=f"{name}_{endpoint}",
            response_class=Response,
            response_model=None,
        )
        for method, operation in described.get(f"/{endpoint}", {}).items():
            route(f"/{endpoint}", methods=[method.upper()], **_arguments(operation))
        for slash in ("", "/"):  # no methods: all that there are, for the core to answer
            hidden = f"{name}_{endpoint}{slash}"
            route(f"/{endpoint}{slash}", methods=[], operation_id=hidden, include_in_schema=False)
    return router


def _arguments(operation: dict[str, Any]) -> dict[str, Any]:
    """Say in FastAPI's own arguments what it would else say by itself; it adds the rest."""
    responses = operation["responses"]
    rest = operation.keys() & {"parameters", "requestBody"}
    return {
        "summary": operation["summary"],
        "operation_id": operation["operationId"],
        "status_code": int(next(iter(responses))),
        "responses": responses,
        "openapi_extra": {name: operation[name] for name in rest},
    }


def _view(verifier: AsyncVerifier, endpoint: str) -> Callable[[Request], Awaitable[Response]]:
    async def view(request: Request) -> Response:
        return _Answer(verifier, endpoint, request)

    return view


class _Answer(Response):
    """What FastAPI sends once the shop's dependencies have run: the core's answer as it stands."""

    def __init__(self, verifier: AsyncVerifier, endpoint: str, request: Request) -> None:
        super().__init__()
        self._serve = partial(answer, verifier, endpoint)
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope}
        async with aclosing(_messages(self._request, scope)) as messages:
            await self._serve(scope, messages.__anext__, send)
        if self.background is not None:
            await self.background()


async def _messages(request: Request, scope: Scope) -> AsyncGenerator[Message, None]:
    """Yield the body in parts, or take it from where a dependency has had it kept.

    Raises:
        TooLarge: It is over a limit of the shop's own.
    """
    come = False
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                come = True
                yield {"type": "http.request", "body": chunk, "more_body": True}
        yield {"type": "http.request"}
    except ClientDisconnect:
        yield {"type": "http.disconnect"}
    except HTTPException as error:
        if error.status_code != 413:
            raise
        raise TooLarge from None
    except RuntimeError:
        if come:
            raise
        message: Message = {"type": "http.request"}
        with suppress(Exception):  # it was read before: as a form, or it is gone
            message = form_again(scope, (await request.form()).multi_items())
        yield message
