"""The sandbox as a verifier's transport, in this process: no socket, no server, no thread that
waits for one. What is lost on the way is set by the test."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

from starlette.types import Message, Scope

from imp_verify import GatewayUnavailable
from imp_verify.sandbox import Sandbox
from imp_verify.sandbox.server import application
from imp_verify.transports import GatewayRequest, GatewayResponse

BASE = "http://127.0.0.1:5111"


class InProcess:
    """Asks the sandbox's application itself; for one thread.

    Attributes:
        loses: How many of the next answers are lost: each call is carried out all the same.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._app = application(sandbox)
        self._loop = asyncio.new_event_loop()
        self.loses = 0

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        status, body = self._loop.run_until_complete(self._ask(request))
        if self.loses:
            self.loses -= 1
            raise GatewayUnavailable("the answer was lost on the way")
        return GatewayResponse(status, body)

    async def _ask(self, request: GatewayRequest) -> tuple[int, bytes]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": request.body or b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(_scope(request), receive, send)
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


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
