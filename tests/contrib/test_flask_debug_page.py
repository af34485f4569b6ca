"""What Flask's debugger shows of a payment that failed: its page, and the variables of each frame,
which its console writes out for whoever clicks."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

from imp_verify import Outcome, Verifier
from imp_verify.contrib.flask import payments
from imp_verify.contrib.otel import instrument
from imp_verify.stores.memory import MemoryStore
from tests.support import markers, monitored
from tests.support.fixtures import gateway, one_gateway
from tests.support.gateway import I1, ORDER, PRICE, ScriptedGateway
from tests.support.shop import body, credentials

__all__ = ["gateway", "one_gateway"]

HOOK = "the shop's hook fails"
VARIABLES = "print({name: repr(value) for name, value in locals().items()})"
"""Of a frame and of its module, whose names the console has too: this one must name no secret."""


def made(gateway: ScriptedGateway, on_paid: Callable[..., None] | None = None) -> Verifier:
    return Verifier(
        MemoryStore(expected=lambda *_: PRICE, on_paid=on_paid),
        credentials=credentials(),
        base_url=gateway.address,
        test_mode=True,
        timeout=0.5,
    )


def debugged(verifier: Verifier) -> Client:
    """A shop in debug mode, with a view of its own and the endpoints."""
    app = Flask("shop")
    app.debug = True
    app.register_blueprint(payments(verifier), url_prefix="/pay")

    @app.get("/own")
    def own() -> str:
        return str(verifier.verify(I1, ORDER).verdict)

    return Client(DebuggedApplication(app, evalex=True, pin_security=False))


class Nowhere:
    """Where the server's log goes: the debugger writes the traceback there, without variables."""

    def write(self, _: str) -> None:
        pass

    def flush(self) -> None:
        pass


def shown(client: Client) -> str:
    """Return the debugger's page, and what its console prints of the variables of each frame."""
    host: Any = {"Host": "localhost"}
    page = client.get("/own", errors_stream=Nowhere(), headers=host).get_data(as_text=True)
    [secret] = re.findall(r'SECRET = "(\w+)"', page)
    frames = re.findall(r'id="frame-(\d+)"', page)
    assert len(frames) > 3
    texts = [page]
    for frame in frames:
        for command in ("dump()", VARIABLES):
            query = {"__debugger__": "yes", "frm": frame, "s": secret, "cmd": command}
            told = client.get("/own", query_string=query, headers=host)
            assert told.status_code == 200
            texts.append(told.get_data(as_text=True))
    return html.unescape(re.sub(r"<[^>]*>", "", "\n".join(texts)))


def leaks(text: str) -> list[str]:
    return markers.found_in(text) + ([markers.KEY] if markers.KEY in text else [])


def test_the_search_would_find_a_leak(gateway: ScriptedGateway) -> None:
    def telling(outcome: Outcome, _: None) -> None:
        held = markers.KEY
        raise RuntimeError(len(held))

    gateway.has()
    assert leaks(shown(debugged(made(gateway, telling)))) == [markers.KEY]


def failing(outcome: Outcome, _: None) -> None:
    raise RuntimeError(HOOK)


@pytest.mark.parametrize("traced", [False, True])
def test_n06_a_hook_that_raises_shows_nothing_in_flasks_debugger(
    gateway: ScriptedGateway, traced: bool
) -> None:
    gateway.has()
    verifier = made(gateway, failing)
    text = shown(debugged(instrument(verifier) if traced else verifier))
    assert HOOK in text
    assert "Outcome(" in text
    assert leaks(text) == []


@pytest.mark.parametrize(
    "script",
    [
        "getToken 401 with an echo",
        "getToken is broken",
        "look-up 401",
        "look-up 500",
        "look-up is dropped",
        "look-up is no JSON",
        "look-up is no payment",
        "look-up is another's",
    ],
)
def test_n06_trouble_with_the_gateway_shows_nothing_in_flasks_debugger(
    gateway: ScriptedGateway, script: str
) -> None:
    tokens, lookups = monitored.SCRIPTS[script]
    gateway.has()
    gateway.tokens.extend(tokens)
    gateway.lookups.extend(lookups)
    text = shown(debugged(made(gateway)))
    assert "Gateway" in text
    assert leaks(text) == []


def test_the_endpoints_answer_as_ever_in_debug_mode(gateway: ScriptedGateway) -> None:
    gateway.has()
    answer: Any = debugged(made(gateway, failing)).post("/pay/webhook", json=body())
    assert answer.status_code == 503
    assert answer.get_json()["status"] == "unavailable"
