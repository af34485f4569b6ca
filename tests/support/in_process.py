"""The sandbox as a verifier's transport, in this process: no socket, no server. What goes wrong is
set by the sandbox's own faults, an answer that is lost included."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from starlette.types import Message, Scope

from imp_verify import GatewayUnavailable
from imp_verify.sandbox import Sandbox
from imp_verify.sandbox.api import Answer, Call
from imp_verify.sandbox.breaking import HANG_UP
from imp_verify.sandbox.server import application
from imp_verify.transports import GatewayRequest, GatewayResponse

BASE = "http://127.0.0.1:5111"


async def _here(handle: Callable[[Call], Answer], call: Call) -> Answer:
    return handle(call)


def _nobody(request: GatewayRequest) -> None:
    """Look at no call."""


class InProcess:
    """Asks the sandbox's application itself, which has nothing to wait for.

    Attributes:
        before: Is told each call before the gateway gets it.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._app = application(sandbox, _here)
        self.before: Callable[[GatewayRequest], None] = _nobody

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        self.before(request)
        try:
            self._ask(request).send(None)
        except StopIteration as end:
            status, body = end.value
            return GatewayResponse(status, body)
        raise AssertionError("the sandbox waits for something")

    def close(self) -> None:
        """There is nothing to close."""

    async def _ask(self, request: GatewayRequest) -> tuple[int, bytes]:
        sent: list[Message] = []
        gone: list[bool] = []

        async def receive() -> Message:
            if gone:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": request.body or b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {**_scope(request), "extensions": {HANG_UP: lambda: gone.append(True)}}
        await self._app(scope, receive, send)
        if gone:
            raise GatewayUnavailable("the answer was lost on the way")
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


def _scope(request: GatewayRequest) -> Scope:
    url = urlsplit(request.url)
    headers = {**request.headers, "host": url.netloc}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 5000),
        "server": (url.hostname, url.port),
    }
