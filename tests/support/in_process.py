"""The sandbox as a verifier's transport, in this process: no socket, no server. What goes wrong is
set by the sandbox's own faults, an answer that is lost included."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from imp_verify import GatewayUnavailable
from imp_verify.sandbox import Sandbox
from imp_verify.sandbox.api import Api
from imp_verify.sandbox.wire import WHOLE, ApiRequest
from imp_verify.transports import GatewayRequest, GatewayResponse

BASE = "http://127.0.0.1:5111"


def _nobody(request: GatewayRequest) -> None:
    """Look at no call."""


class InProcess:
    """Asks the sandbox's API as the function that it is.

    Attributes:
        before: Is told each call before the gateway gets it.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._api = Api(sandbox)
        self.before: Callable[[GatewayRequest], None] = _nobody

    def __call__(self, request: GatewayRequest, /) -> GatewayResponse:
        self.before(request)
        url = urlsplit(request.url)
        headers = tuple(request.headers.items())
        asked = ApiRequest(request.method, url.path, url.query, headers, request.body or b"")
        answer = self._api.answer(asked)
        if answer.way != WHOLE:
            raise GatewayUnavailable("the answer was lost on the way")
        return GatewayResponse(answer.status, answer.body)

    def close(self) -> None:
        """There is nothing to close."""
