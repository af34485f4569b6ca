"""Servers whose threads have small stacks live on, whatever is nested: requests and answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imp_verify import MAX_BODY
from tests.support.gateway import I1, ORDER, Reply, ScriptedGateway
from tests.support.processes import ROOT, environment
from tests.support.servers import GUNICORN, Server, started

APP = "tests.support.small_stacks:flask_app"
COMMANDS = {
    "waitress": f"waitress-serve --listen=127.0.0.1:0 --call {APP}",
    "gunicorn": f"{GUNICORN} --threads 2 {APP}()",
}
PAID = {"imp_uid": I1, "merchant_uid": ORDER}
BODIES = {
    "arrays": b"[" * MAX_BODY,
    "objects": b'{"a":' * (MAX_BODY // 5),
    "behind an escape": b'{"a":"\\"","b":' + b"[" * 60_000,
    "behind a mark": b"\xef\xbb\xbf " + b"[" * 60_000,
}


@pytest.fixture(params=COMMANDS)
def server(
    request: pytest.FixtureRequest, gateway: ScriptedGateway, tmp_path: Path
) -> Iterator[Server]:
    variables = environment(gateway, tmp_path / "shop.db")
    with started(COMMANDS[request.param], variables, ROOT) as running:
        yield running


def test_c19_nothing_that_is_nested_ends_a_server(server: Server, gateway: ScriptedGateway) -> None:
    gateway.has()
    for body in BODIES.values():
        for endpoint in ("/pay/complete", "/pay/webhook", "/pay/confirm"):
            answer = server.ask("POST", endpoint, body)
            assert (answer.status, answer.word) == (400, "invalid")
    for body in BODIES.values():
        gateway.lookups.append(Reply(200, body * 15))
        assert server.ask("POST", "/pay/complete", PAID).word == "unavailable"
        gateway.tokens.append(Reply(200, body * 15))
        gateway.revoke()
        assert server.ask("POST", "/pay/complete", PAID).word == "unavailable"
    assert server.ask("POST", "/pay/complete", PAID).word == "success"
