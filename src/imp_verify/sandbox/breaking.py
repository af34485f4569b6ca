"""Answers that are lost on their way: a call is carried out, and its connection ends too early.

Alone, for the API makes such answers and the server lets them reach the connection.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HANG_UP = "imp_verify.hang_up"
"""The extension of an ASGI scope that ends its connection, once what was sent is on its way."""


class Broken(Response):
    """An answer of which a part leaves.

    Args:
        answer: The whole.
        most: How many bytes of the body leave, after all of the head; None: not even that does.
    """

    def __init__(self, answer: Response, most: int | None) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it as far as it goes, and return when the connection is gone.

        Raises:
            ConnectionAbortedError: The server has no such extension; `SandboxServer` has.
        """
        hang_up = scope.get("extensions", {}).get(HANG_UP)
        if hang_up is None:
            raise ConnectionAbortedError("an answer is lost by SandboxServer alone")
        if self._most is not None:
            head = {"type": "http.response.start", "status": self.status_code}
            await send({**head, "headers": self.raw_headers})
            body = bytes(self.body)[: self._most]
            await send({"type": "http.response.body", "body": body, "more_body": True})
        hang_up()
        # A server that sees an answer end too early before it sees the connection gone logs that.
        while (await receive())["type"] != "http.disconnect":
            pass
