"""A shop under error monitoring: every kind of trouble, and what the monitor makes of each.

`python -m tests.support.monitored httpx` runs all of it with that transport in a process of its
own, because sentry-sdk changes the frameworks it finds, and prints the events as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imp_verify import AsyncVerifier, Credentials, Verifier
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport

from .gateway import (
    I1,
    I2,
    ORDER,
    PRICE,
    RESET,
    UNAUTHORIZED,
    Reply,
    ScriptedGateway,
    act,
    envelope,
    payment,
    reset_in_body,
    silence,
    start,
)
from .markers import KEY, SECRET, TOKEN
from .shop import TIMEOUT, Shop, credentials

TRANSPORTS: dict[str, tuple[str, Callable[[], Any]]] = {
    "requests": ("flask", RequestsTransport),
    "urllib3": ("flask", Urllib3Transport),
    "httpx": ("starlette", HttpxTransport),
    "aiohttp": ("starlette", AiohttpTransport),
}


def sent(body: object, *headers: tuple[str, str], status: int = 200) -> Reply:
    return Reply(status, body, (("Content-Type", "application/json"), *headers))


SCRIPTS: dict[str, tuple[list[Reply], list[Reply]]] = {
    "getToken 401": ([UNAUTHORIZED], []),
    "getToken 401 with an echo": ([sent(envelope(None, -1, f"{KEY} {SECRET}"), status=401)], []),
    "getToken 500": ([sent(envelope(None, -1, SECRET), status=500)], []),
    "getToken is dropped": ([RESET] * 2, []),
    "getToken is silent": ([act(silence)], []),
    "getToken is broken": ([sent(envelope({"access_token": f"{TOKEN} ", "now": 1}))], []),
    "look-up 401": ([], [UNAUTHORIZED] * 2),
    "look-up 500": ([], [sent(envelope(payment()), status=500)]),
    "look-up is dropped": ([], [RESET] * 2),
    "look-up is dropped in the body": ([], [act(reset_in_body)] * 2),
    "look-up is silent": ([], [act(silence)]),
    "look-up is no JSON": ([], [sent(str(payment()).encode())]),
    "look-up is no payment": ([], [sent(envelope(payment(amount="x")))]),
    "look-up is another's": ([], [sent(envelope(payment(imp_uid=I2)))]),
    "look-up is encoded": ([], [sent(envelope(payment()), ("Content-Encoding", "gzip"))]),
    "look-up is strangely encoded": ([], [sent(envelope(payment()), ("Content-Encoding", "br"))]),
    "look-up is too large": ([], [sent(json.dumps(payment()).encode().ljust(2 << 20))]),
    "look-up is no HTTP": ([], [act(lambda line: line.write(b"SSH-2.0\r\n\r\n"))]),
}


class Monitored(Shop):
    """A shop in memory whose gateway follows a script."""

    def __repr__(self) -> str:
        return "<shop>"  # its gateway knows every secret

    @classmethod
    def made(cls, transport: str, gateway: ScriptedGateway) -> Monitored:
        framework, make = TRANSPORTS[transport]
        arguments: Any = {
            "credentials": credentials(),
            "base_url": gateway.address,
            "test_mode": True,
            "timeout": 0.5,
            "transport": make(),
        }
        return cls(gateway, framework, "memory", Path(), arguments)

    @contextmanager
    def under(self, script: str) -> Iterator[None]:
        """Have the gateway follow a script, or know the payment where it has none."""
        tokens, lookups = SCRIPTS.get(script, ([], []))
        self.gateway.reset()
        self.gateway.tokens.extend(tokens)
        self.gateway.lookups.extend(lookups)
        self.gateway.has()
        self.fail_hooks(True)
        verifier: Any = self.driver.verifier
        verifier._accounts.forget()
        yield
        self.gateway.over.set()

    def verify(self) -> None:
        verifier = self.driver.verifier
        if isinstance(verifier, AsyncVerifier):
            driver: Any = self.driver
            driver.run(verifier.verify(I1, ORDER)).result(TIMEOUT)
        else:
            verifier.verify(I1, ORDER)


BAD_SETTINGS: dict[str, Callable[[], object]] = {
    "a key": lambda: Credentials(f"{KEY} ", SECRET),
    "a secret": lambda: Credentials(KEY, f" {SECRET}"),
    "a control character": lambda: Credentials(KEY, f"{SECRET}\0"),
    "a tier": lambda: Credentials(KEY, SECRET, "é"),
    "the environment": lambda: Verifier(MemoryStore(expected=lambda *_: PRICE), test_mode=True),
}


def events_of(transport: str) -> Iterator[tuple[str, object]]:
    """Run everything under sentry-sdk with its defaults, and give what each trouble was told as."""
    import sentry_sdk
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.transport import Transport

    told: list[object] = []

    class InMemory(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            told.extend(item.payload.json for item in envelope.items)

    def caught(call: Callable[[], object]) -> list[object]:
        told.clear()
        try:
            call()
        except Exception as error:
            sentry_sdk.capture_exception(error)
        return list(told)

    sentry_sdk.init(dsn="http://public@127.0.0.1:1/1", transport=InMemory)
    gateway, stop = start()
    shop = Monitored.made(transport, gateway)
    for script in (*SCRIPTS, "a hook raises"):
        with shop.under(script):
            yield f"verify, {script}", caught(shop.verify)
        with shop.under(script):
            yield f"webhook, {script}", caught(lambda: shop.webhook().status)
    shop.close()
    stop()
    for what, make in BAD_SETTINGS.items():
        yield f"settings, {what}", caught(make)


if __name__ == "__main__":
    os.environ["IMP_SECRET"] += " "
    print(json.dumps(dict(events_of(sys.argv[1]))))
