"""A call whose answer is lost, or cut, was carried out: over real connections."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
from collections.abc import Iterator

import pytest
import requests
from starlette.types import Message

from imp_verify.sandbox import Fault, SandboxServer, application
from tests.sandbox.conftest import Rest, paid


@pytest.fixture
def line(server: SandboxServer) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=30)
    yield made
    made.close()


def ask(line: http.client.HTTPConnection, rest: Rest, imp_uid: str) -> http.client.HTTPResponse:
    fields = {"imp_uid": imp_uid, "amount": 1000, "reason": "반품"}
    headers = {**rest.headers, "Content-Type": "application/json"}
    line.request("POST", "/payments/cancel", json.dumps(fields), headers)
    return line.getresponse()


def test_a_cancel_whose_answer_is_lost_has_happened(
    server: SandboxServer,
    rest: Rest,
    line: http.client.HTTPConnection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    imp_uid = paid(server).imp_uid
    server.sandbox.faults.add(Fault("cancel", lost=True))
    with caplog.at_level(logging.INFO), pytest.raises(http.client.RemoteDisconnected):
        ask(line, rest, imp_uid)
    assert rest.get(f"/payments/{imp_uid}").response["cancel_amount"] == 1000
    assert ask(line, rest, imp_uid).status == 200
    assert caplog.records == []


def test_an_answer_is_cut_after_any_byte_of_its_body(
    server: SandboxServer,
    rest: Rest,
    line: http.client.HTTPConnection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    imp_uid = paid(server).imp_uid
    length = len(ask(line, rest, imp_uid).read())
    for done, most in enumerate((0, 1, 2, 25, length // 2, length - 1), 2):
        server.sandbox.faults.add(Fault("cancel", truncate=most))
        answer = ask(line, rest, imp_uid)
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as error:
            answer.read()
        assert len(error.value.partial) == most
        assert b'{"code":0,"message":null,'.startswith(error.value.partial[:25])
        line.close()
        assert server.sandbox.gateway.attempt(imp_uid).cancel_amount == done * 1000
    assert caplog.records == []


def test_an_answer_that_is_cut_behind_its_end_is_whole(
    server: SandboxServer, rest: Rest, line: http.client.HTTPConnection
) -> None:
    server.sandbox.faults.add(Fault("cancel", truncate=10**6))
    answer = json.loads(ask(line, rest, paid(server).imp_uid).read())
    assert answer["response"]["cancel_amount"] == 1000


def test_a_refusal_can_be_lost_too_and_as_often_as_asked_for(
    server: SandboxServer, rest: Rest, line: http.client.HTTPConnection
) -> None:
    server.sandbox.faults.add(Fault("cancel", lost=True, times=2))
    for _ in range(2):
        with pytest.raises(http.client.RemoteDisconnected):
            ask(line, rest, "imp_0")
    assert json.loads(ask(line, rest, "imp_0").read())["code"] == 1


def test_a_call_that_was_refused_before_its_body_was_read_is_lost_as_well(
    server: SandboxServer, rest: Rest, line: http.client.HTTPConnection
) -> None:
    imp_uid = paid(server).imp_uid
    server.sandbox.faults.add(Fault("cancel", lost=True))
    rest.headers["Authorization"] = "Bearer nobody's"
    with pytest.raises(http.client.RemoteDisconnected):
        ask(line, rest, imp_uid)
    assert ask(line, rest, imp_uid).status == 401
    assert server.sandbox.gateway.attempt(imp_uid).status == "paid"


def test_any_call_of_the_api_can_lose_its_answer(server: SandboxServer, rest: Rest) -> None:
    wanted = {"merchant_uid": "ORD-1001", "amount": 39000}
    for call in ("prepare", "token", "status"):
        server.sandbox.faults.add(Fault(call, lost=True))
    with pytest.raises(requests.ConnectionError):
        rest.send("POST", "/payments/prepare", wanted)
    assert rest.get("/payments/prepare/ORD-1001").response["amount"] == 39000
    with pytest.raises(requests.ConnectionError):
        rest.token()
    with pytest.raises(requests.ConnectionError):
        rest.get("/payments/status/all")
    assert rest.get("/payments/status/all").status == 200


def test_both_are_set_over_http(server: SandboxServer, rest: Rest) -> None:
    for fields in ({"lost": True}, {"truncate": 5}):
        answer = requests.post(
            f"{server.url}/sandbox/v1/faults", json={"call": "payment", **fields}
        )
        assert answer.status_code == 200
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            rest.get("/payments/imp_0")
    assert rest.get("/payments/imp_0").status == 404


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"lost": 1}, "lost"),
        ({"truncate": -1}, "truncate"),
        ({"truncate": True}, "truncate"),
        ({"truncate": "5"}, "truncate"),
        ({"lost": True, "truncate": 5}, "lost"),
    ],
)
def test_a_loss_that_cannot_be_is_named(
    server: SandboxServer, fields: dict[str, object], name: str
) -> None:
    wanted = {"call": "cancel", **fields}
    answer = requests.post(f"{server.url}/sandbox/v1/faults", json=wanted)
    assert (answer.status_code, name in answer.json()["error"]) == (400, True)
    assert server.sandbox.faults.take(str(wanted["call"])) is None


def test_another_server_cannot_lose_an_answer_and_says_so(server: SandboxServer) -> None:
    server.sandbox.faults.add(Fault("payment", lost=True))
    host = server.url.removeprefix("http://").encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/payments/imp_0",
        "raw_path": b"/payments/imp_0",
        "query_string": b"",
        "headers": [(b"host", host)],
        "server": ("127.0.0.1", int(host.rpartition(b":")[2])),
    }

    sent: list[int | None] = []

    async def call() -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message.get("status"))

        await application(server.sandbox)(scope, receive, send)

    with pytest.raises(ConnectionAbortedError, match="SandboxServer"):
        asyncio.run(call())
    assert sent == []
