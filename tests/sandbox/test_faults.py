"""Which calls a fault meets, what becomes of them, and that nothing waits once it is removed."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from imp_verify.sandbox import Account, Api, ApiAnswer, ApiRequest, Fault, Sandbox, SandboxServer
from imp_verify.sandbox._http.connection import _Listener
from imp_verify.sandbox.faults import SCRIPT, WEBHOOK, WINDOW, Target
from imp_verify.sandbox.patching import patch_fields, patch_text
from imp_verify.sandbox.waits import Waits
from tests.sandbox.conftest import NOON, Rest, paid

PROMPT = 1.0
"""What waits because of a fault is over so soon after its end, in seconds."""


class InProcess:
    """Calls the API as a function."""

    def __init__(self, sandbox: Sandbox, account: Account | None = None) -> None:
        account = account or Account()
        self.sandbox = sandbox
        self.keys = {"imp_key": account.key, "imp_secret": account.secret}
        self.token = ""
        self.log_in()

    def log_in(self) -> None:
        answer = self.send("POST", "/users/getToken", self.keys)
        self.token = "Bearer " + content(answer)["response"]["access_token"]

    def send(self, method: str, path: str, fields: object = None) -> ApiAnswer:
        headers = (("Authorization", self.token), ("Content-Type", "application/json"))
        body = json.dumps(fields).encode() if fields else b""
        return Api(self.sandbox).answer(ApiRequest(method, path, "", headers, body))

    def status(self, path: str = "/payments/imp_0", method: str = "GET") -> int:
        return self.send(method, path).status


def content(answer: ApiAnswer) -> Any:
    return json.loads(answer.body)


@pytest.fixture
def sandbox() -> Sandbox:
    made = Sandbox(accounts=[Account(), Account("other_key", "other_secret", "imp11111111")])
    made.clock.stop_at(NOON)
    return made


@pytest.fixture
def calls(sandbox: Sandbox) -> InProcess:
    return InProcess(sandbox)


# Which


def test_some_calls_are_spared_and_then_some_are_met(calls: InProcess) -> None:
    calls.sandbox.faults.add(Fault("payment", 503, skip=2, times=2))
    assert [calls.status() for _ in range(6)] == [404, 404, 503, 503, 404, 404]
    assert not calls.sandbox.faults


def test_without_a_number_of_times_it_is_met_until_it_is_removed(calls: InProcess) -> None:
    fault = calls.sandbox.faults.add(Fault("payment", 503, times=None))
    assert {calls.status() for _ in range(20)} == {503}
    assert calls.sandbox.faults.remove(fault.number)
    assert not calls.sandbox.faults.remove(fault.number)
    assert calls.status() == 404


def test_a_rate_meets_the_same_calls_with_the_same_seed(calls: InProcess) -> None:
    def met(seed: int) -> list[int]:
        calls.sandbox.faults.add(Fault("payment", 503, times=None, rate=0.3, seed=seed))
        found = [calls.status() for _ in range(200)]
        calls.sandbox.faults.clear()
        return found

    first = met(7)
    assert first == met(7) != met(8)
    assert 30 < first.count(503) < 90
    calls.sandbox.faults.add(Fault("payment", 503, times=None, rate=Decimal(0)))
    assert calls.status() == 404


def test_it_meets_the_payment_the_order_and_the_account_that_it_names(
    sandbox: Sandbox, calls: InProcess
) -> None:
    one, two = (sandbox.gateway.make(merchant_uid=each, amount=1).imp_uid for each in "AB")
    other = InProcess(sandbox, Account("other_key", "other_secret"))
    for fields in ({"imp_uid": one}, {"merchant_uid": "A"}, {"account": "sandbox_key"}):
        sandbox.faults.add(Fault("payment", 503, times=None, **fields))  # type: ignore[arg-type]
        assert calls.status(f"/payments/{one}") == 503
        assert calls.status(f"/payments/{two}") == (503 if "account" in fields else 200)
        assert other.status(f"/payments/{two}") == 404
        sandbox.faults.clear()
    sandbox.faults.add(Fault("token", 503, account="other_key"))
    calls.log_in()
    assert other.send("POST", "/users/getToken", other.keys).status == 503
    sandbox.faults.add(Fault("cancel", 503, merchant_uid="B"))
    assert calls.send("POST", "/payments/cancel", {"imp_uid": two}).status == 503


def test_a_method_and_a_path_name_a_call_as_well_and_a_star_all_of_the_api(
    calls: InProcess,
) -> None:
    faults = calls.sandbox.faults
    faults.add(Fault("GET /payments/*", 503, times=None))
    assert (calls.status(), calls.status("/payments/find/A")) == (503, 503)
    assert calls.status("/payments/cancel", "POST") == 200
    assert calls.status("/elsewhere") == 501
    faults.clear()
    faults.add(Fault("POST /elsewhere", 503))
    assert (calls.status("/elsewhere"), calls.status("/elsewhere", "POST")) == (501, 503)
    faults.add(Fault("*", 503, times=None))
    assert {calls.status(), calls.status("/elsewhere")} == {503}
    assert [faults.take(each) for each in (WINDOW, SCRIPT, WEBHOOK)] == [None] * 3


def test_faults_of_one_call_happen_in_their_order_and_are_told(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("payment", 503, skip=1))
    sandbox.faults.add(Fault("payment", lost=True, remove=["code"]))  # type: ignore[arg-type]
    assert [each.wire() for each in sandbox.faults] == [
        {"number": 1, "call": "payment", "status": 503, "skip": 1},
        {"number": 2, "call": "payment", "lost": True, "remove": ["code"]},
    ]
    met = [sandbox.faults.take(Target("payment")) for _ in range(3)]
    assert [each and each.number for each in met] == [2, 1, None]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"call": "POST payments"}, "call"),
        ({"call": "FETCH /payments"}, "call"),
        ({"call": 5}, "call"),
        ({"skip": -1}, "skip"),
        ({"rate": 1.5}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": True}, "rate"),
        ({"seed": "x"}, "seed"),
        ({"imp_uid": 5}, "imp_uid"),
        ({"times": 1.0}, "times"),
        ({"delay": -1}, "delay"),
        ({"delay": 3601}, "delay"),
        ({"drip": 0}, "drip"),
        ({"drip": 1, "drip_in": "all"}, "drip_in"),
        ({"drip_in": "headers"}, "drip_in"),
        ({"headers": {"a b": "c"}, "status": 200}, "headers"),
        ({"headers": {"A": "c\r\nd"}, "status": 200}, "headers"),
        ({"headers": {"A": "c"}}, "headers"),
        ({"patch": {"": 1}}, "patch"),
        ({"patch": [1]}, "patch"),
        ({"remove": "code"}, "remove"),
        ({"stale": -1}, "stale"),
        ({"stale": 1, "call": "cancel"}, "stale"),
        ({"drop": True, "reset": True}, "drop"),
        ({"drop": True, "status": 500}, "status"),
        ({"lost": True, "drop": True}, "lost"),
        ({"html": True, "empty": True}, "empty"),
        ({"status": 204, "body": "x"}, "body is not for status 204"),
        ({"status": 304, "html": True}, "html is not for status 304"),
        ({"status": 200, "truncate": 5}, "truncate"),
        ({"html": True, "patch": {"code": 1}}, "patch"),
        ({"withhold": True}, "withhold"),
        ({"late": 5}, "late"),
        ({"call": "webhook"}, "webhook"),
        ({"call": "webhook", "delay": 5}, "delay"),
        ({"call": "webhook", "status": 500}, "status"),
        ({"call": "window", "revoke": True}, "revoke"),
        ({"call": "script", "stale": 5}, "stale"),
    ],
)
def test_a_fault_that_could_not_happen_names_its_field(
    fields: dict[str, object], name: str
) -> None:
    with pytest.raises(ValueError, match=f"(^|\\W){name}"):
        Fault(**{"call": "payment", **fields})  # type: ignore[arg-type]


def test_a_fault_of_fields_names_one_that_is_none() -> None:
    assert Fault.of({"call": "payment", "status": 503}) == Fault("payment", 503)
    with pytest.raises(ValueError, match="no such field: nonsense; there are call, status"):
        Fault.of({"call": "payment", "nonsense": 1})
    with pytest.raises(ValueError, match="no such field: number"):
        Fault.of({"call": "payment", "number": 1})
    with pytest.raises(ValueError, match="call is missing"):
        Fault.of({"status": 503})


# What


def test_an_answer_has_the_status_the_body_and_the_headers_that_it_says(calls: InProcess) -> None:
    fault = Fault("payment", 429, "slow", content_type="text/plain", headers={"retry-after": "7"})
    calls.sandbox.faults.add(fault)
    answer = calls.send("GET", "/payments/imp_0")
    assert (answer.status, answer.body) == (429, b"slow")
    assert answer.headers == (("Content-Type", "text/plain"), ("Retry-After", "7"))


def test_a_token_is_revoked_and_the_next_one_is_another(calls: InProcess) -> None:
    before = calls.token
    calls.sandbox.faults.add(Fault("payment", 401, revoke=True))
    assert [calls.status(), calls.status()] == [401, 401]
    calls.log_in()
    assert (calls.status(), calls.token == before) == (404, False)
    calls.sandbox.faults.add(Fault("payment", revoke=True))
    answer = calls.send("GET", "/payments/imp_0")
    assert (answer.status, content(answer)["code"]) == (401, -1)


def test_the_ready_made_bodies_are_none_a_page_and_more_than_a_client_reads(
    calls: InProcess,
) -> None:
    made = {}
    for name in ("empty", "html", "huge"):
        calls.sandbox.faults.add(Fault("payment", **{name: True}))  # type: ignore[arg-type]
        answer = calls.send("GET", "/payments/imp_0")
        made[name] = (answer.status, len(answer.body), dict(answer.headers)["Content-Type"])
    assert made["empty"] == (200, 0, "application/json")
    assert made["html"][2] == "text/html"
    assert made["huge"][1] > 1024 * 1024


def test_fields_are_set_and_taken_away_wherever_they_are() -> None:
    def page() -> Any:
        return {"code": 0, "response": {"list": [{"a": 1}, {"a": 2}, {}]}}

    assert (
        patch_fields(page(), {"response.list.*.a": None})["response"]["list"] == [{"a": None}] * 3
    )
    assert patch_fields(page(), {"response.list.1.a": 7})["response"]["list"][1] == {"a": 7}
    assert patch_fields(page(), {}, ["response.list.*.a"])["response"]["list"] == [{}] * 3
    assert patch_fields(page(), {}, ["response.list.0"])["response"]["list"] == [{"a": 2}, {}]
    assert patch_fields(page(), {}, ["response.list.*"])["response"]["list"] == []
    untouched = {"response.list.9.a": 1, "response.list.x": 1, "code.deeper": 1, "no.way": 1}
    assert patch_fields(page(), untouched, ["nothing", "no.thing"]) == page()
    assert patch_text(b"<html>", {"code": 1}) == b"<html>"
    assert patch_text(b'{"code":0}', {"code": Decimal("14.20")}) == b'{"code":14.20}'


def test_a_call_is_carried_out_and_its_answer_patched(calls: InProcess) -> None:
    imp_uid = calls.sandbox.gateway.make(merchant_uid="A", amount=1000).imp_uid
    patch = {"response.amount": None, "response.status": "weird"}
    calls.sandbox.faults.add(Fault("payment", patch=patch, remove=("response.currency",)))
    told = content(calls.send("GET", f"/payments/{imp_uid}"))["response"]
    assert (told["amount"], told["status"], "currency" in told) == (None, "weird", False)
    assert calls.sandbox.journal.after(0)[-1].what["fault"] == {
        "call": "payment",
        "patch": patch,
        "remove": ["response.currency"],
    }
    told = content(calls.send("GET", f"/payments/{imp_uid}"))["response"]
    assert (told["amount"], told["status"]) == (1000, "paid")


def test_an_answer_may_be_that_of_some_seconds_ago(calls: InProcess) -> None:
    sandbox = calls.sandbox
    imp_uid = sandbox.open({"merchant_uid": "A", "amount": 1000}).imp_uid
    sandbox.clock.advance(100)
    sandbox.approve(imp_uid)
    sandbox.clock.advance(100)
    sandbox.cancel(imp_uid, Decimal(400))
    sandbox.clock.advance(100)

    def told(seconds: int, call: str = "payment", path: str = f"/payments/{imp_uid}") -> Any:
        sandbox.faults.add(Fault(call, stale=seconds))
        answer = content(calls.send("GET", path))["response"]
        return answer and (answer["status"], answer["cancel_amount"])

    seen = [told(seconds) for seconds in (0, 100, 101, 200, 201, 300, 301)]
    paid_, ready = ("paid", 0), ("ready", 0)
    assert seen == [("cancelled", 400), ("cancelled", 400), paid_, paid_, ready, ready, None]
    assert told(150, "find", "/payments/find/A") == paid_
    sandbox.faults.add(Fault("status", stale=150))
    assert content(calls.send("GET", "/payments/status/cancelled"))["response"]["list"] == []
    assert sandbox.gateway.attempt(imp_uid).cancel_amount == 400


# How it leaves


@pytest.fixture
def line(server: SandboxServer) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=30)
    yield made
    made.close()


def raw(server: SandboxServer, rest: Rest, path: str = "/payments/imp_0") -> socket.socket:
    """Ask without reading."""
    sock = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 30)
    head = f"GET {path} HTTP/1.1\r\nHost: {server.url[7:]}\r\n"
    sock.sendall(f"{head}Authorization: {rest.headers['Authorization']}\r\n\r\n".encode())
    return sock


def read_all(sock: socket.socket) -> bytes:
    with sock:
        data = b""
        while part := sock.recv(65536):
            data += part
        return data


def test_a_connection_ends_before_the_answer_or_by_a_reset(
    server: SandboxServer, rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    server.sandbox.faults.add(Fault("payment", drop=True))
    assert read_all(raw(server, rest)) == b""
    server.sandbox.faults.add(Fault("payment", reset=True))
    with pytest.raises(ConnectionResetError):
        read_all(raw(server, rest))
    assert caplog.records == []


@pytest.mark.parametrize("where", ["body", "headers"])
def test_an_answer_that_drips_is_whole_in_the_end(
    server: SandboxServer, rest: Rest, where: str
) -> None:
    server.sandbox.faults.add(Fault("payment", drip=5000, drip_in=where))
    data = read_all(raw(server, rest))
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Length: ")
    assert json.loads(body)["response"] is None
    server.sandbox.faults.add(Fault("payment", 599, "x", drip=5000, truncate=None))
    assert read_all(raw(server, rest)).startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize(
    "fields", [{"delay": 3600}, {"drip": 0.001}, {"drip": 0.001, "drip_in": "headers"}]
)
@pytest.mark.parametrize("ends", ["remove", "clear", "stop"])
def test_what_waits_goes_on_once_its_fault_is_removed(
    rest: Rest, fields: dict[str, Any], ends: str
) -> None:
    with SandboxServer() as server:
        rest.url = server.url
        rest.log_in()
        fault = server.sandbox.faults.add(Fault("payment", **fields))
        with raw(server, rest) as sock:
            waiting = server.sandbox.journal.after(1, wait=30)
            assert [each.what["call"] for each in waiting] == ["payment"]
            if fields == {"drip": 0.001}:
                assert sock.recv(12) == b"HTTP/1.1 404"
            begun = time.monotonic()
            if ends == "stop":
                server.stop()
            elif ends == "clear":
                server.sandbox.faults.clear()
            else:
                assert server.sandbox.faults.remove(fault.number)
            data = b""
            while b'"response":null' not in data:
                part = sock.recv(65536)
                assert part
                data += part
            assert time.monotonic() - begun < PROMPT


def test_who_hangs_up_while_an_answer_waits_leaves_nothing_behind(
    server: SandboxServer, rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    slow: list[dict[str, Any]] = [{"delay": 3600}, {"drip": 0.001}]
    for fields in slow:
        fault = server.sandbox.faults.add(Fault("payment", **fields))
        last = server.sandbox.journal.after(0)[-1].number
        with raw(server, rest):
            server.sandbox.journal.after(last, wait=30)
        until = time.monotonic() + 30
        while fault._waits._calls and time.monotonic() < until:
            rest.get("/payments/find/A")
        assert not fault._waits._calls
    assert caplog.records == []


def test_waiting_answers_keep_no_worker_from_others(server: SandboxServer, rest: Rest) -> None:
    server.sandbox.faults.add(Fault("cancel", times=None, delay=3600))
    begun = time.monotonic()
    socks = []
    for _ in range(60):  # more than there are threads
        sock = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 30)
        head = f"POST /payments/cancel HTTP/1.1\r\nHost: {server.url[7:]}\r\nContent-Length: 0"
        sock.sendall(f"{head}\r\n\r\n".encode())
        socks.append(sock)
    assert rest.send("POST", "/payments/prepare", {"merchant_uid": "A", "amount": 1}).code == 0
    assert paid(server).status == "paid"
    server.sandbox.faults.clear()
    for sock in socks:
        assert sock.recv(12) == b"HTTP/1.1 401"
        sock.close()
    assert time.monotonic() - begun < 30


def test_a_wait_that_ends_as_its_answer_has_gone_is_no_error() -> None:
    async def receive() -> Any:
        await asyncio.get_running_loop().create_future()

    async def run() -> None:
        waits = Waits()
        listener = _Listener(receive, waits)
        waits.end()
        listener.close()
        with pytest.raises(asyncio.CancelledError):
            await listener.gone

    asyncio.run(run(), debug=True)


def test_waits_end_once_for_threads_and_for_others() -> None:
    waits, called = Waits(), []
    threads = [threading.Thread(target=waits.wait, args=(60,)) for _ in range(2)]
    for each in threads:
        each.start()
    waits.when_over(lambda: called.append(1))
    undo = waits.when_over(lambda: called.append(2))
    undo()
    assert not waits.wait(0)
    waits.end()
    for each in threads:
        each.join()
    undo()
    waits.when_over(lambda: called.append(3))
    assert (called, waits.wait(60)) == ([1, 3], True)


# The script and the window


def test_the_script_can_fail_as_calls_do(server: SandboxServer) -> None:
    address = f"{server.url}/v1/iamport.js"
    server.sandbox.faults.add(Fault(SCRIPT, 503))
    server.sandbox.faults.add(Fault(SCRIPT, html=True))
    server.sandbox.faults.add(Fault(SCRIPT, drop=True))
    server.sandbox.faults.add(Fault(SCRIPT, drip=10**8))
    assert requests.get(address).status_code == 503
    page = requests.get(address)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
    with pytest.raises(requests.ConnectionError):
        requests.get(address)
    slow, usual = requests.get(address), requests.get(address)
    assert slow.content == usual.content
    assert slow.headers["Content-Type"] == usual.headers["Content-Type"]
    assert slow.headers["Cache-Control"] == "no-store"


def test_a_window_can_be_opened_and_the_page_not_hear_of_it(server: SandboxServer) -> None:
    def open_window(number: str) -> requests.Response:
        wanted = {"params": {"merchant_uid": number, "amount": 1}, "userCode": "imp00000000"}
        return requests.post(f"{server.url}/window", json=wanted)

    server.sandbox.faults.add(Fault(WINDOW, lost=True, merchant_uid="A"))
    server.sandbox.faults.add(Fault(WINDOW, empty=True, merchant_uid="B"))
    server.sandbox.faults.add(Fault(WINDOW, delay=0.01, merchant_uid="C"))
    with pytest.raises(requests.ConnectionError):
        open_window("A")
    assert open_window("B").content == b""
    assert open_window("C").json()["imp_uid"].startswith("imp_")
    assert [each.merchant_uid for each in server.sandbox.gateway.attempts()] == ["A", "C"]
    assert requests.post(f"{server.url}/window", json=[]).json() == {}


def test_a_fault_is_set_over_http_with_every_field(server: SandboxServer, rest: Rest) -> None:
    wanted = {"call": "GET /payments/*", "status": 429, "headers": {"Retry-After": "2"}, "rate": 1}
    assert requests.post(f"{server.url}/sandbox/v1/faults", json=wanted).status_code == 200
    answer = requests.get(f"{server.url}/payments/imp_0")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    wanted = {"call": "payment", "delay": 0.001, "times": None}
    assert requests.post(f"{server.url}/sandbox/v1/faults", json=wanted).status_code == 200
    assert rest.get("/payments/imp_0").status == 404
