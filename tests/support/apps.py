"""Applications of a test's own, asked without a network: nested, protected, several in one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from imp_verify import AsyncVerifier, Verifier
from imp_verify.stores.memory import MemoryStore
from tests.support.arguments import VerifierArguments

from .gateway import ORDER, PRICE, ScriptedGateway
from .shop import LANDING, TIMEOUT, Answer, AsgiDriver, Header, credentials


class Apps:
    """Verifiers that know one order, and one event loop for every ASGI application."""

    def __init__(self, gateway: ScriptedGateway) -> None:
        self.gateway = gateway
        self.verifier = AsyncVerifier(self.store(), **self.arguments())
        self._driver = AsgiDriver(self.verifier, None)

    def store(self, order: str = ORDER) -> MemoryStore:
        return MemoryStore(expected=lambda asked, _: PRICE if asked == order else None)

    def arguments(self) -> VerifierArguments:
        return {
            "credentials": credentials(),
            "base_url": self.gateway.address,
            "test_mode": True,
            "landing": LANDING,
        }

    def knows(self, order: str) -> AsyncVerifier:
        """Make another verifier, which knows this order only."""
        return AsyncVerifier(self.store(order), **self.arguments())

    def plain(self, order: str = ORDER) -> Verifier:
        return Verifier(self.store(order), **self.arguments())

    def ask(
        self,
        app: Any,
        method: str,
        target: str,
        body: object = b"",
        content_type: str = "application/json",
        headers: Sequence[Header] = (),
    ) -> Answer:
        """Ask an ASGI application; a body that is no bytes is sent as JSON, a list in parts."""
        path, _, query = target.partition("?")
        if not isinstance(body, bytes | list):
            body = json.dumps(body).encode()
        parts = body if isinstance(body, list) else [body]
        messages = [
            {"type": "http.request", "body": part, "more_body": more > 0}
            for more, part in zip(reversed(range(len(parts))), parts, strict=True)
        ]
        length = str(sum(map(len, parts)))
        sent = [("Content-Type", content_type), ("Content-Length", length)] if any(parts) else []
        scope = self._driver.scope(method, path, query, [*sent, *headers])
        call = self._driver.call(scope, messages, patient(app))
        answer: Answer = self._driver.run(call).result(TIMEOUT)
        return answer

    def send(self, app: Any, scope: dict[str, Any], messages: list[dict[str, Any]]) -> Answer:
        """Give an ASGI application these very messages, and the news that the client has left."""
        answer: Answer = self._driver.run(self._driver.call(scope, messages, app)).result(TIMEOUT)
        return answer

    def scope(self, method: str, path: str) -> dict[str, Any]:
        return self._driver.scope(method, path)

    def close(self) -> None:
        self._driver.close()


def patient(app: Any) -> Callable[..., Any]:
    """Keep the news that a client has left, once its request is whole, until it has its answer, as
    servers do."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        answered = asyncio.Event()
        whole = False

        async def waiting() -> Any:
            nonlocal whole
            if whole:
                await answered.wait()
            message = await receive()
            whole = not message.get("more_body", False)
            return message

        async def sending(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                answered.set()

        await app(scope, waiting, sending)

    return call
