"""The API over HTTP: every path that is none of the sandbox's own pages."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from imp_verify.sandbox._http.connection import leave
from imp_verify.sandbox.api import Api
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.wire import LONGEST_BODY, ApiRequest

OWN = ("/v1/", "/js/", "/static/", "/window/", "/sandbox/", "/log/")
"""What the paths of the sandbox's own pages begin with; the real API has none of them."""
OWN_WHOLE = frozenset({"/", "/favicon.ico", "/sandbox", "/window"})


def is_own(path: str) -> bool:
    """Tell whether a path is the sandbox's own and not the API's."""
    return path in OWN_WHOLE or path.startswith(OWN)


class Rest:
    """The API as an ASGI application, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._api = Api(sandbox)
        self._clock = sandbox.clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await _read(Request(scope, receive))
        except ClientDisconnect:
            return
        request = ApiRequest(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]),
            body,
        )
        if request.method == "GET" and not self._clock.has_due:
            answer = self._api.answer_now(request)  # in place: a thread costs as much as the call
        else:
            answer = await run_in_threadpool(self._api.answer, request)
        await leave(answer, scope, receive, send)


async def _read(request: Request) -> bytes:
    """Read a body, no further than to see that it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            break
    return bytes(body[: LONGEST_BODY + 1])
