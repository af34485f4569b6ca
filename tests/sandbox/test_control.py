"""The control calls: what each does, what is said of a wrong one, and that nothing is half done."""

from __future__ import annotations

import json
import re
import threading
from decimal import Decimal
from typing import Any

import pytest
import requests

from imp_verify.sandbox import Account, Sandbox, SandboxServer
from imp_verify.sandbox._http.control.openapi import document
from imp_verify.sandbox._http.control.schemas import of_kind
from imp_verify.sandbox._http.control.table import OPERATIONS, PATHS
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.kinds import Texts
from imp_verify.sandbox.making import FIELDS, FIXED
from imp_verify.sandbox.possible import moves_of
from imp_verify.sandbox.settings import TABLE
from tests.sandbox.conftest import NOON, Rest, Shop, call, issued, opened, paid

ORDER = {"merchant_uid": "ORD-1001", "amount": 39000}
HOUR = 3600


def told(server: SandboxServer, imp_uid: str) -> dict[str, Any]:
    status, payment = call(server, "GET", f"payments/{imp_uid}")
    assert status == 200
    return dict(payment)


# What is wrong is named, and changes nothing

WRONG: list[tuple[str, str, object, str]] = [
    ("PATCH", "settings", {"nothing": 1}, "no such setting: nothing; there are webhook_url, "),
    ("PATCH", "settings", {"webhook_url": 5}, "webhook_url is an address that begins"),
    ("PATCH", "settings", {"language": "fr"}, "language is one of ko, en"),
    ("PATCH", "settings", {"language": "en", "webhook_order": 1}, "webhook_order is one of "),
    ("PATCH", "settings", [], "no object of settings"),
    ("POST", "clock", {"stop_at": -1e14}, f"stop_at is a whole number of 0 to {LATEST}"),
    ("POST", "clock", {"stop_at": 5, "advance": LATEST}, f"advance is no further than to {LATEST}"),
    ("POST", "clock", {"stop_at": 5, "advance": True}, "advance is a whole number of 0 to "),
    ("POST", "clock", {"stop_at": 5, "run": 1}, "run is true or false"),
    ("POST", "clock", {"at": 5}, "no such field: at; there are stop_at, advance, run"),
    ("POST", "faults", {"call": "nonsense"}, "call is one of token, payment, "),
    ("POST", "faults", {"call": "payment", "status": 9999}, "status is 200 to 599"),
    ("POST", "faults", {"call": "payment", "delay": 10**400}, "delay is 0 to 3600 seconds"),
    ("POST", "faults", {"call": "payment", "rate": 10**400}, "rate is 0 to 1"),
    ("PATCH", "settings", {"webhook_seconds": 10**400}, "webhook_seconds is 0 to 3600 seconds"),
    ("POST", "faults", {"call": "payment", "nothing": 1}, "no such field: nothing; there are call"),
    ("POST", "faults", {"status": 500}, "call is missing"),
    ("POST", "faults", [], "no object of fields"),
    ("POST", "accounts", {"key": "k", "user_code": "u"}, "secret is missing: it is a text of 8 to"),
    (
        "POST",
        "accounts",
        {"key": "k", "secret": "short", "user_code": "u"},
        "secret is a text of 8",
    ),
    (
        "POST",
        "channels",
        {"channel_key": "k", "pg_provider": 5},
        "pg_provider is a text of 1 to 16",
    ),
    ("POST", "prepare", {**ORDER, "amount": "5"}, "amount is a number above 0"),
    ("POST", "prepare", {**ORDER, "account": "nobody"}, "account is one of sandbox_key, other_key"),
    ("POST", "reset", {"to": "yesterday"}, "to is one of seed, empty"),
    ("POST", "payments", {**ORDER, "nothing": 1}, "no such field: nothing; there are merchant_uid"),
    ("POST", "payments", 5, "neither an object of fields nor a list"),
    ("POST", "windows", {"merchant_uid": "A", "amount": "x"}, "amount is a number of 0 or more"),
    (
        "POST",
        "windows",
        {"merchant_uid": "A" * 41, "amount": 1},
        "merchant_uid is a text of 1 to 40",
    ),
    ("POST", "windows", {**ORDER, "channel": "tv"}, "channel is one of pc, mobile"),
    ("POST", "windows", [], "no object of the parameters"),
    ("POST", "deliveries/resend", {"number": 5}, "number is that of no delivery"),
    ("POST", "deliveries/resend", {"number": 5, "imp_uid": "imp_1"}, "not both"),
    ("POST", "deliveries/trigger", {"imp_uid": "imp_1"}, "status is missing"),
    ("POST", "deliveries/trigger", {"imp_uid": "imp_1", "status": "paid"}, "url is missing: "),
    ("POST", "deliveries/release", {"now": 1}, "no such field: now; there are imp_uid,"),
    ("POST", "clock", [], "the body is no object of fields"),
    ("POST", "clock", '{"advance": 1e99999999999999999999}', "advance: a number is too long"),
    ("GET", "payments?limit=0", None, "limit is a whole number of 1 to 1000"),
    ("GET", "payments?page=x", None, "page is a whole number of 1 to "),
    ("GET", "payments?limit=%D9%A5", None, "limit is a whole number of 1 to 1000"),
    ("GET", "payments?limit=1_0", None, "limit is a whole number of 1 to 1000"),
    ("GET", "payments?status=nonsense", None, "status is one of ready, paid, "),
    ("GET", "health?x=1", None, "no such field: x; it takes none"),
    ("GET", "journal?wait=31", None, "wait is a whole number of 0 to 30"),
    ("GET", "journal?kind=nonsense", None, "kind is one of api, window, "),
    ("DELETE", "faults?call=payment", None, "no such field: call; it takes none"),
]


@pytest.mark.parametrize(("method", "path", "body", "says"), WRONG)
def test_what_is_wrong_is_named_with_what_is_allowed_and_nothing_is_half_applied(
    server: SandboxServer, method: str, path: str, body: object, says: str
) -> None:
    server.sandbox.faults.add(Fault("cancel"))
    before = snapshot(server.sandbox)
    status, answer = call(server, method, path, body)
    assert (status, list(answer)) == (400, ["error"])
    assert says in answer["error"]
    assert snapshot(server.sandbox) == before


def snapshot(sandbox: Sandbox) -> list[object]:
    gateway = sandbox.gateway
    return [
        *(sandbox.settings.as_dict(), sandbox.clock(), sandbox.clock.stands, sandbox.clock.due),
        *(list(sandbox.faults), gateway.attempts(), gateway.accounts(), gateway.channels),
        *(gateway.registrations.all(), sandbox.webhooks.deliveries, list(sandbox.journal)),
    ]


@pytest.mark.parametrize(("path", "fields"), [("reason", 5), ("amount", "x"), ("amount", 0)])
def test_a_wrong_field_of_a_move_moves_nothing(
    server: SandboxServer, path: str, fields: object
) -> None:
    attempt = paid(server)
    status, answer = call(server, "POST", f"payments/{attempt.imp_uid}/cancel", {path: fields})
    assert (status, path in answer["error"]) == (400, True)
    assert server.sandbox.gateway.attempt(attempt.imp_uid) == attempt


def test_what_a_payments_state_does_not_allow_is_409_and_lists_what_it_does(
    server: SandboxServer,
) -> None:
    imp_uid = paid(server).imp_uid
    status, answer = call(server, "POST", f"payments/{imp_uid}/approve")
    assert (status, answer["status"], answer["allowed"]) == (409, "paid", ["cancel"])
    imp_uid = issued(server, "ORD-2").imp_uid
    status, answer = call(server, "POST", f"payments/{imp_uid}/decline")
    assert (status, answer["allowed"]) == (409, ["deposit", "expire"])


def test_what_is_not_there_is_404_and_another_method_405(server: SandboxServer) -> None:
    assert call(server, "POST", "payments/imp_0/approve")[0] == 404
    assert call(server, "GET", "payments/imp_0")[0] == 404
    assert call(server, "PATCH", "payments/imp_0", {"amount": 5})[0] == 404
    for move in (p.rpartition("/")[2] for p in PATHS if p.startswith("/payments/{imp_uid}/")):
        fields = {"seconds": 5} if move == "approve-late" else {}
        assert call(server, "POST", f"payments/imp_0/{move}", fields)[0] == 404, move
    for path in ("nothing", "payments/imp_0/nothing"):
        status, answer = call(server, "POST", path)
        assert (status, "/sandbox/v1/openapi.json" in answer["error"]) == (404, True)
    assert call(server, "PUT", "settings") == (405, {"error": "allowed here: GET, PATCH"})
    assert requests.get(f"{server.url}/sandbox/settings").status_code == 404
    answer = requests.delete(f"{server.url}/sandbox/v1/clock")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert requests.head(f"{server.url}/sandbox/v1/clock").status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_declared_as_json_is_415(server: SandboxServer, kind: str) -> None:
    headers = {"Content-Type": kind}
    for method, path in (("POST", "faults"), ("PATCH", "settings"), ("POST", "reset")):
        url = f"{server.url}/sandbox/v1/{path}"
        assert requests.request(method, url, data=b"{}", headers=headers).status_code == 415


UNREADABLE = [
    (b"{", "line 1"),
    (b"\\", "line 1"),
    (b"[" * 20_000, "the JSON is too deep"),
    (b'{"amount":1e400}', ": amount: a number is too long"),
    (b'{"amount":' + b"9" * 5000 + b"}", ": amount: a number is too long"),
    (b'{"a":1,"b":[{"c":2},{"d":{"e":1e400}}]}', ": b[1].d.e: a number is too long"),
    (b'[[1,{"a":[0,1e400]}]]', ": [0][1].a[1]: a number is too long"),
    (b"1e400", "read: a number is too long"),
    (b'{"amount":1e400,"amount":1}', "read: a number is too long"),
    (b'{"amount":NaN}', ": amount: NaN and Infinity are no numbers"),
    (b'{"merchant_uid":"\xff"}', "byte 17 is not UTF-8"),
    (b'{"merchant_uid":"\\ud800"}', "half of a pair of surrogates is no text"),
]


@pytest.mark.parametrize(("body", "why"), UNREADABLE, ids=lambda each: each[:24])
@pytest.mark.parametrize("path", ["payments", "windows", "clock", "faults"])
def test_a_body_that_cannot_be_read_is_400_and_says_why(
    server: SandboxServer, path: str, body: bytes, why: str
) -> None:
    answer = requests.post(
        f"{server.url}/sandbox/v1/{path}", body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error.startswith("the body is no JSON that can be read: ")
    assert why in error
    assert call(server, "GET", "payments")[1]["total"] == 0


# What each does


def test_settings_are_seen_and_changed(server: SandboxServer) -> None:
    assert (
        call(server, "PATCH", "settings", {"webhook_order": "both"})[1]["webhook_order"] == "both"
    )
    assert call(server, "GET", "settings") == (200, json_of(server.sandbox.settings.as_dict()))


def json_of(value: object) -> Any:
    return json.loads(json.dumps(value))


def test_the_clock_is_stopped_moved_and_let_run(server: SandboxServer) -> None:
    stopped = {"now": 7, "stopped": True, "due": 0}
    assert call(server, "POST", "clock", {"stop_at": 5, "advance": 2}) == (200, stopped)
    assert call(server, "POST", "clock", {"advance": 3})[1]["now"] == 10
    running = call(server, "POST", "clock", {"stop_at": NOON, "run": True})[1]
    assert (running["stopped"], 0 <= running["now"] - NOON < 60) == (False, True)
    assert call(server, "POST", "clock", {"run": True})[1]["stopped"] is False
    imp_uid = opened(server).imp_uid
    assert call(server, "POST", f"payments/{imp_uid}/approve-late", {"seconds": HOUR})[0] == 200
    assert call(server, "GET", "clock")[1]["due"] == 1
    assert call(server, "POST", "clock", {"advance": HOUR + 60})[1]["due"] == 0
    assert told(server, imp_uid)["status"] == "paid"


def test_a_whole_payment_is_played(server: SandboxServer) -> None:
    wanted = '{"merchant_uid":"A","amount":19.99,"currency":"USD","pay_method":"vbank"}'
    imp_uid = call(server, "POST", "windows", wanted)[1]["imp_uid"]
    path = f"payments/{imp_uid}"
    assert call(server, "POST", f"{path}/issue")[1]["vbank_num"]
    assert call(server, "POST", f"{path}/deposit")[1]["status"] == "paid"
    part = '{"amount":9.99,"reason":"r"}'
    assert call(server, "POST", f"{path}/cancel", part)[1]["cancel_amount"] == Decimal("9.99")
    assert call(server, "POST", f"{path}/cancel")[1]["cancel_amount"] == Decimal("19.99")
    assert call(server, "POST", f"{path}/cancel")[0] == 409
    assert call(server, "GET", "payments")[1]["list"] == [told(server, imp_uid)]


@pytest.mark.parametrize(
    ("move", "status"), [("approve", "paid"), ("decline", "failed"), ("close", "failed")]
)
def test_a_window_is_ended(server: SandboxServer, move: str, status: str) -> None:
    imp_uid = opened(server).imp_uid
    assert call(server, "POST", f"payments/{imp_uid}/{move}")[1]["status"] == status


def test_an_account_that_expires_takes_no_deposit(server: SandboxServer) -> None:
    server.sandbox.settings.change({"account_expired": "failed"})
    imp_uid = issued(server).imp_uid
    assert call(server, "POST", f"payments/{imp_uid}/expire")[1]["status"] == "failed"
    assert call(server, "POST", f"payments/{imp_uid}/deposit")[0] == 409


def test_a_window_is_opened_for_another_account_and_sub_store(server: SandboxServer) -> None:
    page = {"user_code": "imp11111111", "tier": "ABC", "channel": "mobile"}
    payment = call(server, "POST", "windows", {**ORDER, **page})[1]
    (attempt,) = server.sandbox.gateway.attempts("other_key", "ABC")
    assert (attempt.imp_uid, payment["channel"]) == (payment["imp_uid"], "mobile")
    assert call(server, "POST", "windows", {**ORDER, "user_code": "imp2"})[0] == 409


def test_payments_are_listed_by_pages_newest_first(server: SandboxServer) -> None:
    ids = [paid(server, f"ORD-{n}").imp_uid for n in range(3)]
    failed = call(server, "POST", "payments", {**ORDER, "status": "failed"})[1]["imp_uid"]

    def listed(query: str) -> tuple[int, list[str]]:
        page = call(server, "GET", f"payments?{query}")[1]
        return page["total"], [each["imp_uid"] for each in page["list"]]

    assert listed("") == (4, [failed, *reversed(ids)])
    assert listed("page=2&limit=3") == (4, [ids[0]])
    assert listed("page=9") == (4, [])
    assert listed("merchant_uid=ORD-1") == (1, [ids[1]])
    assert listed("status=failed&limit=1") == (1, [failed])
    assert listed(f"imp_uid={ids[2]}&status=ready") == (0, [])


def test_faults_are_seen_and_removed(server: SandboxServer, rest: Rest) -> None:
    wanted = {"call": "payment", "status": 503, "times": 2}
    assert call(server, "POST", "faults", wanted)[1].items() >= wanted.items()
    path = f"/payments/{paid(server).imp_uid}"
    assert requests.get(server.url + path, headers=rest.headers).status_code == 503
    (left,) = call(server, "GET", "faults")[1]["list"]
    assert (left["call"], "times" in left) == ("payment", False)
    assert call(server, "DELETE", "faults") == (200, {"list": []})
    assert rest.get(path).status == 200


def test_a_fault_that_has_happened_is_not_listed_and_can_be_taken_back(
    server: SandboxServer, rest: Rest
) -> None:
    number = call(server, "POST", "faults", {"call": "payment", "delay": 0.001})[1]["number"]
    assert rest.get("/payments/imp_0").status == 404
    assert call(server, "GET", "faults") == (200, {"list": []})
    assert call(server, "DELETE", f"faults/{number}") == (200, {"list": []})


def test_accounts_channels_and_amounts_are_added(server: SandboxServer) -> None:
    added = {"key": "new_key", "secret": "new_secret", "user_code": "imp2"}
    assert call(server, "POST", "accounts", added)[0] == 200
    for same in ({"key": "other_key"}, {"user_code": "imp11111111"}):
        status, answer = call(server, "POST", "accounts", {**added, "key": "k", **same})
        assert (status, next(iter(same)) in answer["error"]) == (400, True)
    keys = [each["key"] for each in call(server, "GET", "accounts")[1]["list"]]
    assert keys == ["sandbox_key", "other_key", "new_key"]
    new = Rest(server.url, "new_key", "new_secret")
    new.log_in()
    channel = {"channel_key": "c", "pg_provider": "kakaopay"}
    assert call(server, "POST", "channels", channel) == (200, {**channel, "test": False})
    assert {**channel, "test": False} in call(server, "GET", "channels")[1]["list"]
    window = call(server, "POST", "windows", {**ORDER, "channelKey": "c"})[1]
    assert window["pg_provider"] == "kakaopay"
    for amount in (10, 39000):
        wanted = {**ORDER, "amount": amount, "account": "new_key"}
        assert call(server, "POST", "prepare", wanted)[0] == 200
    assert new.get("/payments/prepare/ORD-1001").response["amount"] == 39000
    (known,) = call(server, "GET", "prepare")[1]["list"]
    assert (known["account"], known["merchant_uid"]) == ("new_key", "ORD-1001")
    new.http.close()


def test_no_secret_and_no_token_is_told(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    token = rest.headers["Authorization"].removeprefix("Bearer ")
    shop.answers["/hook"] = (200, f"you are sandbox_secret, {token}")
    paid(server, notice_url=shop.url + "/hook", custom_data=f"other_secret {token}")
    call(server, "PATCH", "settings", {"webhook_url": f"http://127.0.0.1:9/{token}"})
    for path in [each.path for each in OPERATIONS if each.method == "GET" and "{" not in each.path]:
        text = requests.get(f"{server.url}/sandbox/v1{path}").text
        assert not any(each in text for each in ("sandbox_secret", "other_secret", token)), path
    assert "***" in requests.get(f"{server.url}/sandbox/v1/deliveries").text


# A payment is changed into another

CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"amount": 10}, {"amount": 10, "status": "paid", "paid_at": NOON}),
    ({"currency": "USD"}, {"currency": "USD", "amount": 39000}),
    ({"sandbox": True, "name": "x"}, {"name": "x", "status": "paid"}),
    ({"status": "ready"}, {"status": "ready", "paid_at": 0, "apply_num": None, "pg_tid": None}),
    ({"status": "failed"}, {"status": "failed", "paid_at": 0, "failed_at": NOON + HOUR}),
    ({"status": "failed", "failed_at": NOON}, {"failed_at": NOON, "fail_reason": "한도초과"}),
    (
        {"status": "cancelled"},
        {"cancel_amount": 39000, "cancelled_at": NOON + HOUR, "paid_at": NOON},
    ),
    ({"cancelled": [1000]}, {"status": "paid", "cancel_amount": 1000}),
    ({"buyer_name": None}, {"buyer_name": None, "status": "paid"}),
]


@pytest.mark.parametrize(("changes", "seen"), CHANGES)
def test_a_payment_is_changed_into_another_that_there_can_be(
    server: SandboxServer, changes: dict[str, Any], seen: dict[str, Any]
) -> None:
    before = paid(server, buyer_name="홍길동").wire()
    server.sandbox.clock.advance(HOUR)
    status, payment = call(server, "PATCH", f"payments/{before['imp_uid']}", changes)
    assert status == 200, payment
    assert payment.items() >= seen.items()
    assert payment["started_at"] == NOON
    if not changes.keys() & {"status", "buyer_name"}:
        same = ("apply_num", "pg_tid", "buyer_name", "paid_at")
        assert [payment[name] for name in same] == [before[name] for name in same]


def test_an_account_and_parts_stay_when_something_else_is_changed(server: SandboxServer) -> None:
    before = issued(server).wire()
    path = f"payments/{before['imp_uid']}"
    server.sandbox.clock.advance(HOUR)
    after = call(server, "PATCH", path, {"amount": 5})[1]
    assert after == {**before, "amount": 5}
    server.sandbox.deposit(before["imp_uid"])  # type: ignore[arg-type]
    parts = call(server, "POST", f"{path}/cancel", {"amount": 2, "reason": "r"})[1]
    after = call(server, "PATCH", path, {"name": "x"})[1]
    assert after == {**parts, "name": "x"}
    ready = call(server, "PATCH", path, {"status": "ready"})[1]
    assert (ready["vbank_num"], ready["cancel_history"]) == (before["vbank_num"], [])


def test_what_a_page_asked_for_stays_though_nobody_could_make_it(server: SandboxServer) -> None:
    before = paid(server, name="의자" * 50, currency="usd", custom_data="x" * 20_000).wire()
    after = call(server, "PATCH", f"payments/{before['imp_uid']}", {"amount": 5})[1]
    assert after == {**before, "amount": 5}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nothing": 1}, "no such field: nothing"),
        ({"merchant_uid": "B"}, "merchant_uid cannot be changed"),
        ({"account": "other_key"}, "account cannot be changed"),
        ({"imp_uid": "imp_1"}, "no such field: imp_uid"),
        ({"status": "gone"}, "status is one of ready, paid"),
        ({"status": "ready", "paid_at": NOON}, "paid_at is for a status of paid or cancelled"),
        ({"amount": 500, "cancelled": [501]}, "cancelled is more than the amount"),
        ({"vbank_num": "1"}, "vbank_num is for pay_method vbank"),
        ({"paid_at": NOON - 1}, "paid_at is before started_at"),
        ({"amount": "5"}, "amount is a number"),
        ([], "no object of fields"),
    ],
)
def test_a_change_to_what_no_payment_is_changes_nothing(
    server: SandboxServer, changes: object, says: str
) -> None:
    attempt = paid(server)
    status, answer = call(server, "PATCH", f"payments/{attempt.imp_uid}", changes)
    assert (status, says in answer["error"]) == (400, True), answer
    assert server.sandbox.gateway.attempt(attempt.imp_uid) == attempt


def test_the_moves_that_are_named_are_those_that_are_taken(server: SandboxServer) -> None:
    """Each state's moves, tried on a payment of its own each."""
    moves = [p.rpartition("/")[2] for p in PATHS if p.startswith("/payments/{imp_uid}/")]
    for method in ("card", "vbank"):
        for state in ("window", "issued", "ready", "paid", "failed", "cancelled", "pending"):
            for move in moves:
                imp_uid = in_state(server, method, state)
                allowed = moves_of(server.sandbox.gateway.attempt(imp_uid))
                fields = {"seconds": 5} if move == "approve-late" else {}
                status, _ = call(server, "POST", f"payments/{imp_uid}/{move}", fields)
                assert (status == 200) == (move in allowed), (method, state, move)


def in_state(server: SandboxServer, method: str, state: str) -> str:
    order = f"ORD-{server.sandbox.gateway.held}"
    if state == "window":
        return opened(server, order, pay_method=method).imp_uid
    if state == "issued":
        return issued(server, order).imp_uid
    made = {"merchant_uid": order, "amount": 100, "status": state, "pay_method": method}
    return server.sandbox.gateway.make(**made).imp_uid


# What is sent to a shop


def test_what_is_kept_back_is_released(server: SandboxServer, shop: Shop) -> None:
    server.sandbox.settings.change({"webhook_order": "browser-first"})
    attempt = issued(server, notice_url=shop.url + "/hook")
    known = call(server, "GET", "deliveries")[1]
    assert (known["list"], known["kept_back"][0]["imp_uid"]) == ([], attempt.imp_uid)
    (sent,) = call(server, "POST", "deliveries/release")[1]["list"]
    assert (sent["status"], sent["ok"], sent["imp_uid"]) == (200, True, attempt.imp_uid)
    assert call(server, "GET", "deliveries")[1] == {
        "list": [sent],
        "kept_back": [],
        "withheld": [],
    }


def test_what_a_fault_withholds_is_released_by_payment_and_the_newest_first(
    server: SandboxServer, shop: Shop
) -> None:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    call(server, "POST", "faults", {"call": "webhook", "withhold": True, "times": 3})
    ids = [paid(server, number).imp_uid for number in ("A", "B", "C")]
    held = call(server, "GET", "deliveries")[1]["withheld"]
    assert [each["imp_uid"] for each in held] == ids
    sent = call(server, "POST", "deliveries/release", {"imp_uid": ids[1]})[1]["list"]
    assert [each["imp_uid"] for each in sent] == [ids[1]]
    sent = call(server, "POST", "deliveries/release", {"newest_first": True})[1]["list"]
    assert [each["imp_uid"] for each in sent] == [ids[1], ids[2], ids[0]]


def test_one_fault_is_taken_back_by_its_number(server: SandboxServer) -> None:
    numbers = [call(server, "POST", "faults", {"call": "token"})[1]["number"] for _ in "ab"]
    left = call(server, "DELETE", f"faults/{numbers[0]}")[1]["list"]
    assert [each["number"] for each in left] == [numbers[1]]
    for gone in (numbers[0], "first", -1, "%D9%A1"):
        status, answer = call(server, "DELETE", f"faults/{gone}")
        assert (status, answer) == (
            404,
            {"error": "no fault that is still to happen has this number"},
        )
    assert call_journal(server)[-1]["step"] == "fault-removed"


@pytest.mark.parametrize("set_to", ["failed", "ready", "pending"])
def test_what_is_approved_late_is_until_then_as_the_settings_say(
    server: SandboxServer, set_to: str
) -> None:
    server.sandbox.settings.change({"pending_is": set_to})
    path = f"payments/{opened(server).imp_uid}/approve-late"
    assert call(server, "POST", path, {"seconds": 9})[1]["status"] == set_to
    assert call(server, "GET", "deliveries?imp_uid=imp_0")[1]["list"] == []


def test_what_a_fault_keeps_is_seen_and_released(server: SandboxServer, shop: Shop) -> None:
    server.sandbox.faults.add(Fault("webhook", withhold=True))
    attempt = issued(server, notice_url=shop.url + "/hook")
    known = call(server, "GET", "deliveries")[1]
    assert (known["list"], known["kept_back"][0]["imp_uid"]) == ([], attempt.imp_uid)
    (sent,) = call(server, "POST", "deliveries/release")[1]["list"]
    assert (sent["status"], sent["imp_uid"]) == (200, attempt.imp_uid)
    after = call(server, "GET", "deliveries")[1]
    assert after == {"list": [sent], "kept_back": [], "withheld": []}


def test_deliveries_are_sent_again_singly_by_payment_or_all(
    server: SandboxServer, shop: Shop
) -> None:
    shop.answers["/hook"] = (500, "broken")
    ids = [paid(server, f"ORD-{n}", notice_url=shop.url + "/hook").imp_uid for n in range(2)]
    first, second = call(server, "GET", "deliveries")[1]["list"]
    shop.answers.clear()
    (again,) = call(server, "POST", "deliveries/resend", {"number": first["number"]})[1]["list"]
    assert (again["status"], again["attempt"], again["body"]) == (200, 2, first["body"])
    (again,) = call(server, "POST", "deliveries/resend", {"number": again["number"]})[1]["list"]
    assert (again["attempt"], again["imp_uid"]) == (3, ids[0])
    sent = call(server, "POST", "deliveries/resend", {"imp_uid": ids[1]})[1]["list"]
    assert [each["body"] for each in sent] == [second["body"]]
    everything = call(server, "POST", "deliveries/resend")[1]["list"]
    assert [each["imp_uid"] for each in everything] == ids
    assert [body["imp_uid"] for body in shop.bodies] == [*ids, ids[0], ids[0], ids[1], *ids]
    noted = call_journal(server, "kind=delivery")
    assert [each["attempt"] for each in noted] == [1, 1, 2, 3, 2, 4, 3]


def test_a_notice_says_what_is_given_true_or_not(server: SandboxServer, shop: Shop) -> None:
    hook = shop.url + "/hook"
    forged = {"imp_uid": "imp_0", "merchant_uid": "A", "status": "paid", "url": hook}
    (sent,) = call(server, "POST", "deliveries/trigger", forged)[1]["list"]
    assert (sent["status"], sent["imp_uid"]) == (200, "imp_0")
    imp_uid = opened(server, notice_url=hook).imp_uid
    lie = {"imp_uid": imp_uid, "status": "cancelled", "cancellation_id": "C1"}
    assert call(server, "POST", "deliveries/trigger", lie)[0] == 200
    server.sandbox.settings.change({"webhook_url": hook, "webhook_order": "browser-first"})
    assert call(server, "POST", "deliveries/trigger", {"imp_uid": "imp_1", "status": "x"})[0] == 200
    assert shop.bodies == [
        {"imp_uid": "imp_0", "merchant_uid": "A", "status": "paid"},
        {**lie, "merchant_uid": "ORD-1001"},
        {"imp_uid": "imp_1", "merchant_uid": "", "status": "x"},
    ]


def test_a_notice_of_a_test_payment_goes_where_those_go(server: SandboxServer, shop: Shop) -> None:
    imp_uid = opened(server, channelKey="channel-test").imp_uid
    server.sandbox.settings.change({"webhook_test_url": shop.url + "/test"})
    server.sandbox.settings.change({"webhook_test_format": "form"})
    wanted = {"imp_uid": imp_uid, "status": "paid"}
    assert call(server, "POST", "deliveries/trigger", wanted)[0] == 200
    (got,) = shop.got
    assert (got[0], got[1]) == ("/test", "application/x-www-form-urlencoded")


# The journal


def call_journal(server: SandboxServer, query: str = "") -> list[dict[str, Any]]:
    answer = requests.get(f"{server.url}/sandbox/journal?{query}")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_the_journal_is_told_as_json_lines(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    attempt = paid(server, notice_url=shop.url + "/hook")
    rest.get(f"/payments/{attempt.imp_uid}")
    entries = call_journal(server)
    assert [each["number"] for each in entries] == list(range(1, len(entries) + 1))
    kinds = {each["kind"] for each in entries if each["imp_uid"] == attempt.imp_uid}
    assert kinds == {"window", "delivery", "api"}
    assert call_journal(server, f"after={len(entries)}") == []
    assert {each["kind"] for each in call_journal(server, "kind=clock")} == {"clock"}
    order = call_journal(server, "merchant_uid=ORD-1001&kind=delivery")
    assert order == call_journal(server, f"imp_uid={attempt.imp_uid}&kind=delivery")
    answer = requests.get(f"{server.url}/sandbox/v1/journal?after=1&kind=confirm")
    assert (answer.text, answer.headers["Journal-Last"]) == ("", str(len(entries)))


def test_who_waits_for_the_journal_is_told_when_something_happens(server: SandboxServer) -> None:
    last = len(call_journal(server))
    got: list[dict[str, Any]] = []
    waiting = threading.Thread(
        target=lambda: got.extend(call_journal(server, f"after={last}&wait=30"))
    )
    waiting.start()
    opened(server)
    server.sandbox.clock.advance(5)
    waiting.join()
    assert [each["kind"] for each in got] == ["clock"]


def test_many_who_wait_keep_nobody_else_from_an_answer() -> None:
    with SandboxServer() as server:
        waiting = [
            threading.Thread(target=requests.get, args=(f"{server.url}/sandbox/journal?wait=30",))
            for _ in range(50)
        ]
        for each in waiting:
            each.start()
        rest = Rest(server.url)
        rest.log_in()  # comes into the journal, and so ends them
        for each in waiting:
            each.join()
        rest.http.close()


# The start


def test_reset_gives_the_start(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    start = server.sandbox.settings.as_dict()
    call(server, "PATCH", "settings", {"webhook_url": shop.url + "/hook", "language": "en"})
    call(server, "POST", "faults", {"call": "payment", "times": 9})
    call(server, "POST", "accounts", {"key": "k", "secret": "k" * 8, "user_code": "u"})
    call(server, "POST", "channels", {"channel_key": "c", "pg_provider": "kakaopay"})
    call(server, "POST", "prepare", ORDER)
    imp_uid = paid(server).imp_uid
    call(server, "PATCH", "settings", {"webhook_order": "browser-first"})
    later = paid(server, "ORD-2").imp_uid
    call(server, "POST", f"payments/{opened(server, 'ORD-3').imp_uid}/approve-late", {"seconds": 9})
    assert call(server, "POST", "reset")[1]["payments"] == 0
    sandbox = server.sandbox
    assert sandbox.settings.as_dict() == start
    assert (list(sandbox.faults), sandbox.clock.due, sandbox.clock.stands) == ([], 0, False)
    assert [each.key for each in sandbox.gateway.accounts()] == ["sandbox_key", "other_key"]
    assert list(sandbox.gateway.channels) == ["channel-test", "channel-live"]
    assert sandbox.gateway.registrations.all() == []
    assert (sandbox.webhooks.deliveries, sandbox.webhooks.pending) == ([], [])
    (entry,) = call_journal(server)
    assert (entry["step"], entry["number"] > 5) == ("reset", True)
    assert rest.get(f"/payments/{imp_uid}").status == 401
    assert paid(server).imp_uid not in (imp_uid, later)


def test_a_reset_fills_in_the_seed_again_unless_told_otherwise(server: SandboxServer) -> None:
    server.sandbox.seed = lambda: server.sandbox.gateway.make(**ORDER)
    assert call(server, "POST", "reset")[1]["payments"] == 1
    assert call(server, "POST", "reset", {"to": "seed"})[1]["payments"] == 1
    assert call(server, "POST", "reset", {"to": "empty"})[1]["payments"] == 0


def test_a_reset_goes_back_to_the_settings_of_the_start_and_the_same_numbers() -> None:
    sandbox = Sandbox(digits=Digits("a"), accounts=[Account()])
    sandbox.start_with({"language": "en"})
    sandbox.settings.change({"language": "ko"})
    before = sandbox.gateway.make(**ORDER).imp_uid
    sandbox.reset()
    assert sandbox.settings.language == "en"
    assert sandbox.gateway.make(**ORDER).imp_uid == before


def test_what_was_under_way_before_a_reset_is_no_windows_business(server: SandboxServer) -> None:
    wanted = {"params": {"merchant_uid": "A", "amount": 1}, "userCode": "imp00000000"}
    path = requests.post(server.url + "/window", json=wanted).json()["path"]
    call(server, "POST", "reset")
    assert requests.get(server.url + path).status_code == 404


# The description


def test_every_call_is_described(server: SandboxServer) -> None:
    described = requests.get(f"{server.url}/sandbox/v1/openapi.json").json()
    assert described == json_of(document(OPERATIONS))
    there = {
        (method.upper(), path) for path, calls in described["paths"].items() for method in calls
    }
    assert there == {(each.method, f"/sandbox/v1{each.path}") for each in OPERATIONS}
    ids = [c["operationId"] for calls in described["paths"].values() for c in calls.values()]
    assert len(set(ids)) == len(ids)
    schemas = described["components"]["schemas"]
    assert list(schemas["Settings"]["properties"]) == list(TABLE)
    assert list(schemas["Payment"]["properties"]) == list(FIELDS)
    assert set(FIELDS) - set(schemas["PaymentChange"]["properties"]) == set(FIXED)
    assert schemas["Fault"]["required"] == ["call"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert named == set(schemas)
    assert of_kind(Texts())["type"] == "array"


def test_the_description_has_a_page_without_anything_from_elsewhere(server: SandboxServer) -> None:
    for path in ("/sandbox/v1", "/sandbox/v1/"):
        answer = requests.get(server.url + path)
        assert answer.status_code == 200
        assert not re.search(r"(src|href)=.https?:", answer.text)
        for each in OPERATIONS:
            assert f"{each.method} /sandbox/v1{each.path}" in answer.text
