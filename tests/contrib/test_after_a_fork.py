"""A verifier that was made and used before the server forked serves in every worker."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack

import pytest

from tests.contrib.conftest import SERVED
from tests.support.gateway import I1, ORDER, ScriptedGateway
from tests.support.remote import Remote
from tests.support.servers import head, read

FORKED = [setup for setup in SERVED if str(setup.values[0]).startswith("preload")]
MOST = 200
SENT = json.dumps({"imp_uid": I1, "merchant_uid": ORDER}).encode()
REQUEST = head("POST", "/pay/complete", {"Host": "x", "Content-Length": str(len(SENT))}) + SENT


@pytest.mark.parametrize("place", FORKED, indirect=True, scope="session")
def test_all_workers_answer_at_once_and_ship_once(remote: Remote, gateway: ScriptedGateway) -> None:
    gateway.has()
    workers = set(remote.workers)
    assert len(workers) == 2
    met: dict[int, socket.socket] = {}
    with ExitStack() as opened:
        for _ in range(MOST):  # a connection stays with the process that took it
            sock = opened.enter_context(remote.server.connect())
            sock.sendall(head("GET", "/pid", {"Host": "x"}))
            met[int(read(sock).body)] = sock
            if met.keys() == workers:
                break
        assert met.keys() == workers
        for sock in met.values():
            sock.sendall(REQUEST)
        assert [read(sock).word for sock in met.values()] == ["success", "success"]
    assert remote.shipped == [I1]
