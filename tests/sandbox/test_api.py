"""The API as a function: which call a request is, what is none, and what of it is written down."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.types import Message

from imp_verify.sandbox import Account, Api, ApiAnswer, ApiRequest, Fault, Sandbox, SandboxServer
from imp_verify.sandbox._http.rest import Rest as InPlace
from imp_verify.sandbox.calls import CALLS, NAMES, find
from imp_verify.sandbox.journal import API, LONGEST
from imp_verify.sandbox.wire import LONGEST_BODY
from tests.sandbox.conftest import NOON, Rest, paid

JSON = ("Content-Type", "application/json")
SECRET = "sandbox_secret"


class InProcess:
    """Calls the API of one sandbox without a server."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.api = Api(sandbox)
        self.token = self.sandbox.gateway.issue_token("sandbox_key", SECRET).access_token

    def send(self, method: str, target: str, fields: object = None, **more: str) -> ApiAnswer:
        path, _, query = target.partition("?")
        headers = (("AUTHORIZATION", f"Bearer {self.token}"), JSON, *more.items())
        body = b"" if fields is None else json.dumps(fields).encode()
        return self.api.answer(ApiRequest(method, path, query, headers, body))

    @property
    def last(self) -> dict[str, Any]:
        return list(self.sandbox.journal)[-1].wire()


@pytest.fixture
def calls() -> InProcess:
    sandbox = Sandbox()
    sandbox.clock.stop_at(NOON)
    return InProcess(sandbox)


def content(answer: ApiAnswer) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answer.body)
    assert told.keys() == {"code", "message", "response"}
    return told


# Which call it is


def test_a_path_is_one_call_and_a_word_of_the_table_is_never_an_id() -> None:
    for call in CALLS:
        for path in call.paths:
            found = find(call.method, path)
            assert found.call is call, path
    assert find("GET", "/payments/imp_1").path == {"imp_uid": "imp_1"}
    assert find("GET", "/payments/find/a%2Fb").path == {"merchant_uid": "a/b"}
    assert find("GET", "/payments/%66ind/A").path == {"merchant_uid": "A"}
    assert find("GET", "/payments/find").call is None
    assert find("GET", "/payments/").call is None
    assert find("GET", "").call is None


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.paths[0]}")
def test_every_row_of_the_table_is_whole(call: Any) -> None:
    assert {200, 401} <= set(call.statuses) <= set(range(200, 500))
    assert call.refused[1] in call.statuses
    in_paths = {part[1:-1] for path in call.paths for part in path.split("/") if part[:1] == "{"}
    assert in_paths == {each.name for each in call.parameters if each.place == "path"}
    assert call.name in NAMES


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/certifications/imp_1"),
        ("POST", "/payments/find"),
        ("GET", "/payments/imp_1/x"),
        ("GET", "//"),
        ("PURGE", "/users/nothing?a=b"),
    ],
)
def test_what_is_no_call_is_501_and_named(calls: InProcess, method: str, target: str) -> None:
    answer = calls.send(method, target)
    path = target.partition("?")[0]
    assert answer.status == 501
    assert content(answer)["code"] == -1
    assert content(answer)["message"].startswith(f"{method} {path}: ")
    assert (calls.last["status"], calls.last["call"], calls.last["path"]) == (501, None, path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/payments/prepare", "POST, PUT"),
        ("GET", "/payments/cancel", "POST"),
        ("POST", "/payments/imp_1", "GET"),
        ("GET", "/vbanks/imp_1", "DELETE, PUT"),
        ("GET", "/vbanks", "POST"),
    ],
)
def test_another_method_is_405_with_those_that_there_are(
    calls: InProcess, method: str, path: str, allowed: str
) -> None:
    answer = calls.send(method, path)
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, allowed)
    assert content(answer)["code"] == -1


def test_over_http_every_path_that_is_no_page_is_the_apis(
    server: SandboxServer, rest: Rest
) -> None:
    assert rest.get("/certifications/imp_1").status == 501
    answer = rest.http.delete(server.url + "/payments/prepare")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, PUT")
    for page in ("/window/a/b/c", "/sandbox/a/b", "/static/x", "/js/x", "/favicon.ico"):
        assert rest.http.get(server.url + page).status_code == 404, page


def test_an_answer_leaves_in_one_write(server: SandboxServer) -> None:
    body = f"imp_key=sandbox_key&imp_secret={SECRET}"
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port or 0), timeout=30) as line:
        line.sendall(
            f"POST /users/getToken HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head, _, told = line.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(told)["response"]["access_token"]


# Its body


def test_a_body_that_is_too_long_is_413(calls: InProcess, rest: Rest) -> None:
    most = b'{"x":"' + b"x" * (LONGEST_BODY - 8) + b'"}'
    headers = (("Authorization", calls.token), JSON)
    for body, status in ((most, 200), (most + b" ", 413)):
        answer = calls.api.answer(ApiRequest("POST", "/payments/cancel", "", headers, body))
        assert answer.status == status
    longer = rest.http.post(rest.url + "/payments/cancel", b"x" * (2 * LONGEST_BODY))
    assert longer.status_code in (401, 413)


def test_a_caller_who_leaves_before_the_end_of_the_body_asks_nothing() -> None:
    sandbox, sent = Sandbox(), []

    async def call() -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await InPlace(sandbox)({"type": "http", "method": "POST"}, receive, send)

    asyncio.run(call())
    assert (sent, list(sandbox.journal)) == ([], [])


def test_a_call_that_takes_no_body_does_not_mind_one(calls: InProcess) -> None:
    imp_uid = calls.sandbox.gateway.make(merchant_uid="A", amount=1).imp_uid
    headers = (("Authorization", calls.token), JSON)
    answer = calls.api.answer(ApiRequest("GET", f"/payments/{imp_uid}", "", headers, b"{"))
    assert answer.status == 200
    assert calls.send("POST", "/payments/cancel", []).status == 400


# What is written down


def test_a_call_is_written_down_with_what_it_was_about(calls: InProcess) -> None:
    imp_uid = calls.sandbox.gateway.make(merchant_uid="A", amount=1000).imp_uid
    wanted = {"imp_uid": imp_uid, "merchant_uid": "A", "amount": 100}
    answer = calls.send("POST", "/payments/cancel?a=b", wanted)
    told = calls.last
    assert json.loads(told.pop("body")) == wanted
    assert told.pop("answer").encode() == answer.body
    assert told == {
        "number": told["number"],
        "at": NOON,
        "kind": API,
        "imp_uid": imp_uid,
        "merchant_uid": "A",
        "call": "cancel",
        "method": "POST",
        "path": "/payments/cancel",
        "query": "a=b",
        "account": "sandbox_key",
        "tier": None,
        "status": 200,
        "fault": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"imp_key":"sandbox_key","imp_secret":"sandbox_secret"}',
        b'{"imp_key":"sandbox_key","imp_secret":"another-secret"}',
        b"imp_key=sandbox_key&imp_secret=another-secret",
        b'{"imp_secret":"another-secret"',
        b'{"keys":{"imp_secret":"another-secret"}}',
        b'{"imp_key":"sandbox_secret"}',
    ],
)
@pytest.mark.parametrize("path", ["/users/getToken", "/users/getTokens", "/sandbox_secret"])
def test_no_secret_and_no_token_is_written_down(calls: InProcess, path: str, body: bytes) -> None:
    calls.api.answer(ApiRequest("POST", path, "", (JSON,), body))
    calls.send("GET", f"/payments/imp_1?_token={calls.token}")
    calls.send("DELETE", "/vbanks/imp_1?pg_api_key=another-secret&a=b")
    assert calls.last["query"] == "pg_api_key=%2A%2A%2A&a=b"
    told = str([entry.wire() for entry in calls.sandbox.journal])
    for secret in (SECRET, "another-secret", calls.token):
        assert secret not in told
    assert "getToken" in told or path == "/sandbox_secret"


def test_a_short_secret_does_not_take_the_journal_apart() -> None:
    sandbox = Sandbox(accounts=[Account("k", "a")])
    body = b"imp_key=k&imp_secret=a"
    Api(sandbox).answer(ApiRequest("POST", "/users/getToken", body=body))
    (entry,) = sandbox.journal
    assert entry.what["path"] == "/users/getToken"
    assert entry.what["body"] == '{"imp_key":"k","imp_secret":"***"}'


def test_the_fault_that_a_call_met_is_written_down(calls: InProcess) -> None:
    calls.sandbox.faults.add(Fault("cancel", lost=True))
    calls.sandbox.faults.add(Fault("payment", 503, "busy"))
    answer = calls.send("POST", "/payments/cancel", {"imp_uid": "imp_0"})
    assert (answer.way.lost, content(answer)["code"]) == (True, 1)
    assert calls.last["fault"] == {"call": "cancel", "lost": True}
    answer = calls.send("GET", "/payments/imp_0")
    assert (answer.status, answer.body, answer.way.lost) == (503, b"busy", False)
    assert calls.last["fault"] == {"call": "payment", "status": 503}


def test_a_long_body_and_a_long_answer_are_cut_in_the_journal(calls: InProcess) -> None:
    calls.sandbox.gateway.make_all(
        {"merchant_uid": f"A-{number}", "amount": 1} for number in range(100)
    )
    calls.send("GET", "/payments/status/all?limit=100")
    assert len(calls.last["answer"]) == LONGEST + 1
    calls.send("POST", "/payments/cancel", {"x": "x" * LONGEST})
    assert len(calls.last["body"]) == LONGEST + 1


def test_in_process_and_over_http_the_same_bytes_are_answered(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = paid(server).imp_uid
    inside = InProcess(server.sandbox).send("GET", f"/payments/{imp_uid}").body
    assert rest.get(f"/payments/{imp_uid}").text.encode() == inside


def test_a_call_runs_what_is_due_before_it(calls: InProcess) -> None:
    sandbox = Sandbox()
    calls = InProcess(sandbox)
    attempt = sandbox.open({"merchant_uid": "A", "amount": 1})
    sandbox.approve_later(attempt.imp_uid, 0)
    told = content(calls.send("GET", f"/payments/{attempt.imp_uid}"))
    assert told["response"]["status"] == "paid"
