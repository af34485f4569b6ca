"""The endpoints as Django views, sync and async. They translate and decide nothing."""

from __future__ import annotations

import time
from typing import Any

from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException

from ... import MAX_BODY, AsyncVerifier, Request, Response, Verifier
from ..._web.http import Problem
from .._asgi import header_pairs
from .._forms import form_body
from .._wsgi import read_body

__all__ = ["serve", "serve_async"]


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
def serve(request: HttpRequest, endpoint: str, verifier: Verifier) -> HttpResponse:
    """Answer by a `Verifier`."""
    return _response(request, verifier.serve(endpoint, _request(request)))


@_exempt
async def serve_async(request: HttpRequest, endpoint: str, verifier: AsyncVerifier) -> HttpResponse:
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
