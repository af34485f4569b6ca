"""The control calls over HTTP: JSON in, JSON out, under /sandbox/v1/."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from imp_verify.sandbox import pages
from imp_verify.sandbox._http.control.declare import PREFIX, Asked, Operation
from imp_verify.sandbox._http.control.deliveries import Lines
from imp_verify.sandbox._http.control.openapi import document
from imp_verify.sandbox._http.control.table import OPERATIONS, PATHS
from imp_verify.sandbox._http.responses import fresh, page
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import dumps, loads
from imp_verify.sandbox.guard import LARGEST_BODY, LARGEST_LIST, NOT_JSON, is_json, read_body
from imp_verify.sandbox.possible import moves_of
from imp_verify.sandbox.sandbox import Sandbox

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_DESCRIPTION = f"{PREFIX}/openapi.json"
_JOURNAL = "/sandbox/journal"
"""Where the journal is besides."""
_MOST_WAITING = 64


class Control:
    """The endpoints of the control calls, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        # Of their own: who waits for the journal takes no thread from the shop's calls.
        self._waiting = CapacityLimiter(_MOST_WAITING)

    def routes(self) -> list[Route]:
        """Make the routes."""
        calls = [(PREFIX + path, methods) for path, methods in PATHS.items()]
        calls.append((_JOURNAL, PATHS["/journal"]))
        return [
            *(Route(path, partial(self._call, found), methods=_METHODS) for path, found in calls),
            Route(_DESCRIPTION, self._description),
            Route(PREFIX, self._page),
            Route(f"{PREFIX}/", self._page),
            Route("/sandbox/{rest:path}", self._nothing, methods=_METHODS),
        ]

    async def _description(self, _: Request) -> Response:
        return fresh(self._json(document(OPERATIONS)))

    async def _page(self, _: Request) -> Response:
        return page(pages.control(document(OPERATIONS), _DESCRIPTION))

    async def _nothing(self, request: Request) -> Response:
        called = f"{request.method} {request.url.path}"
        return self._json({"error": f"no such call: {called}; {_DESCRIPTION} lists them"}, 404)

    async def _call(self, found: Mapping[str, Operation], request: Request) -> Response:
        operation = found.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            answer = self._json({"error": f"allowed here: {', '.join(found)}"}, 405)
            answer.headers["Allow"] = ", ".join(found)
            return answer
        if operation.method in ("POST", "PATCH") and not is_json(request):
            return self._json({"error": NOT_JSON}, 415)
        try:
            asked = await _read(operation, request)
            waits = self._waiting if asked.values.get("wait") else None
            told = await to_thread.run_sync(operation.handle, self._sandbox, asked, limiter=waits)
        except Refused as error:
            return self._refusal(error, request)
        except ValueError as error:
            return self._json({"error": str(error)}, 400)
        return fresh(self._lines(told) if isinstance(told, Lines) else self._json(told))

    def _refusal(self, error: Refused, request: Request) -> Response:
        """Say no, and what would have been taken of the payment as it is."""
        told: dict[str, object] = {"error": error.message}
        if error.status == 404 or "imp_uid" not in request.path_params:
            return self._json(told, 404 if error.status == 404 else 409)
        try:
            attempt = self._sandbox.gateway.attempt(request.path_params["imp_uid"])
        except Refused as unknown:  # a cancel does not tell it from one that gives nothing back
            return self._json({"error": unknown.message}, 404)
        return self._json({**told, "status": attempt.status, "allowed": moves_of(attempt)}, 409)

    def _lines(self, told: Lines) -> Response:
        text = "".join(f"{dumps(each)}\n" for each in told.entries)
        headers = {"Journal-Last": str(told.last)}
        return Response(self._hide(text), headers=headers, media_type="application/x-ndjson")

    def _json(self, content: object, status: int = 200) -> Response:
        return Response(self._hide(dumps(content)), status, media_type="application/json")

    def _hide(self, text: str) -> str:
        return self._sandbox.gateway.hide_secrets(text)


async def _read(operation: Operation, request: Request) -> Asked:
    """Read what a call was given, or raise ValueError."""
    path = request.path_params
    if operation.method not in ("POST", "PATCH"):
        return Asked(path, operation.read(dict(request.query_params), texts=True))
    try:
        body = await read_body(request, LARGEST_LIST if operation.lists else LARGEST_BODY)
    except ClientDisconnect:
        raise ValueError("the body did not come whole") from None
    try:
        sent = loads(body or b"{}")
    except ValueError as error:
        raise ValueError(f"the body is no JSON that can be read: {error}") from None
    if operation.free is not None:
        return Asked(path, body=sent)
    return Asked(path, operation.read(sent))
