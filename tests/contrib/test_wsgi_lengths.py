"""Lengths that a WSGI server hands on as they came: wsgiref looks at none of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from tests.support.apps import Apps
from tests.support.gateway import I1, ORDER, ScriptedGateway
from tests.support.servers import Server, head
from tests.support.shop import PLAIN, UNDO

SENT = json.dumps({"imp_uid": I1, "merchant_uid": ORDER}).encode()
LENGTH = str(len(SENT))
STRANGE = {
    "thousands of digits": "9" * 4400,
    "thousands of zeros": LENGTH.zfill(4400),
    "negative": "-1",
    "minus nothing": "-0",
    "signed": f"+{LENGTH}",
    "with an underscore": f"{LENGTH[0]}_{LENGTH[1:]}",
    "in other digits": "٥٤".encode().decode("latin-1"),
    "superscript": "¹²",
    "hexadecimal": "0x2a",
    "a fraction": f"{LENGTH}.0",
    "twice": f"{LENGTH}, {LENGTH}",
    "a word": "many",
}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=PLAIN)
def server(request: pytest.FixtureRequest, apps: Apps) -> Iterator[Server]:
    app = PLAIN[request.param](apps.plain())
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield Server(running.server_port)
        running.shutdown()
        thread.join()
    while UNDO:
        UNDO.pop()()


def ask(server: Server, method: str, target: str, length: str) -> tuple[int, bytes]:
    fields = {"Host": "shop.test", "Connection": "close", "Content-Length": length}
    answer = server.raw(head(method, target, fields) + SENT)
    return answer.status, answer.body


def test_a_length_that_is_no_plain_number_is_malformed_and_no_crash(
    server: Server, gateway: ScriptedGateway
) -> None:
    for kind, length in STRANGE.items():
        for endpoint in ("complete", "webhook", "confirm"):
            status, body = ask(server, "POST", f"/pay/{endpoint}", length)
            assert (status, json.loads(body)["status"]) == (400, "invalid"), kind
    assert gateway.asked == []
    for length in (LENGTH, LENGTH.zfill(10), f"{LENGTH} \t"):
        status, body = ask(server, "POST", "/pay/webhook", length)
        assert (status, json.loads(body)["status"]) == (200, "success")


def test_a_browser_that_comes_back_needs_no_length(server: Server) -> None:
    target = f"/pay/redirect?imp_uid={I1}&merchant_uid={ORDER}"
    for length in STRANGE.values():
        assert ask(server, "GET", target, length)[0] in (200, 303)
