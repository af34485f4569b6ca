"""The endpoints as Django views, sync and async, and their addresses:
`path("payments/", include("imp_verify.contrib.django.urls"))`. They translate and decide nothing.

Under ASGI Django takes the whole body before any view, however long and slow it is: what stops it
there is the server, or `imp_verify.contrib.asgi.PaymentsMiddleware` in front of Django.
"""

from __future__ import annotations

import time
from typing import Any

from django.apps import apps
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.urls import ResolverMatch, URLPattern
from django.urls.resolvers import RoutePattern

from ... import (
    ENDPOINTS,
    MAX_BODY,
    AsyncVerifier,
    ConfigurationError,
    Request,
    Response,
    Verifier,
)
from ..._web.http import Problem
from .._asgi import header_pairs
from .._bodies import form_body, read_body
from .conf import get_verifier

__all__ = ["app_name", "urlpatterns"]


def _exempt(view: Any) -> Any:
    """Take a view out of the checks for CSRF and log-in, and out of a transaction for each request.

    By hand: the decorators hide a coroutine before Django 5.0, or are not there before 5.1.
    """
    view.csrf_exempt = True
    view.login_required = False
    for alias in connections:
        non_atomic_requests(alias)(view)
    return view


@_exempt
def _serve(request: HttpRequest, endpoint: str, verifier: Verifier) -> HttpResponse:
    """Answer by a `Verifier`."""
    return _response(request, verifier.serve(endpoint, _request(request)))


@_exempt
async def _serve_async(
    request: HttpRequest, endpoint: str, verifier: AsyncVerifier
) -> HttpResponse:
    """Answer by an `AsyncVerifier`."""
    return _response(request, await verifier.serve(endpoint, _request(request)))


def _request(request: HttpRequest) -> Request:
    began = time.monotonic()
    scope = getattr(request, "scope", None)  # under ASGI
    body, problem = _body(request)
    headers = list(request.headers.items()) if scope is None else header_pairs(scope)
    if body is None:  # another middleware has had it parsed: it is form text by now, if anything
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
        body = form_body(fields)
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
    query = request.META.get("QUERY_STRING", "")
    if scope is not None:  # Django has decoded its bytes as UTF-8
        query = query.encode().decode("latin-1")
    return Request(
        method=request.method or "",
        query=query,
        headers=headers,
        body=body,
        client=request.META.get("REMOTE_ADDR") or None,
        began=began,
        problem=problem,
    )


def _body(request: HttpRequest) -> tuple[bytes | None, Problem | None]:
    """Read the body, one byte over the limit at most, or take it from where Django has kept it;
    None where somebody else has read it."""
    length = request.META.get("CONTENT_LENGTH")
    # Of a body in chunks Django itself reads nothing: only the server knows where it ends.
    chunked = not length and request.META.get("wsgi.input_terminated")
    source = request.META["wsgi.input"] if chunked else request
    try:
        body, problem = read_body(source.read, length)
        if not body and problem is None:
            return bytes(request.body[: MAX_BODY + 1]), None
    except RawPostDataException:
        return None, None
    except Exception:  # each server has errors of its own for a body that breaks off
        return b"", "incomplete"
    request._body = body  # for who logs request.body on the way out
    return body, problem


def _response(request: HttpRequest, answer: Response) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.headers:
        response.headers[name] = value
    length = answer.length(request.method or "")
    if length is not None:
        response.headers["Content-Length"] = str(length)
    # Older versions cache for a whole site even what says no-store.
    request._cache_update_cache = False
    return response


class _Route(URLPattern):
    """A route whose view gets the verifier and is sync or async as that is, which is not known
    before a request."""

    def resolve(self, path: str) -> ResolverMatch | None:
        match = super().resolve(path)
        if match is not None:
            match.kwargs["verifier"] = verifier = get_verifier()
            if isinstance(verifier, AsyncVerifier):
                match.func = _serve_async
        return match


def _route(endpoint: str, slash: str) -> URLPattern:
    name = None if slash else endpoint
    pattern = RoutePattern(f"{endpoint}{slash}", name=name, is_endpoint=True)
    return _Route(pattern, _serve, {"endpoint": endpoint}, name)


if not apps.is_installed("imp_verify.contrib.django"):
    # Without it nothing would be checked, and a DjangoStore has no tables.
    raise ConfigurationError(
        'INSTALLED_APPS lacks "imp_verify.contrib.django": the payment endpoints need it'
    )

app_name = "imp_verify"
urlpatterns = [_route(endpoint, slash) for endpoint in ENDPOINTS for slash in ("", "/")]
