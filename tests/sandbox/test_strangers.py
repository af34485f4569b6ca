"""What a page of another origin, a name of another host, or a hostile text does to the sandbox."""

from __future__ import annotations

import http.client
import json
import logging
import re
import time
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
import requests

from imp_verify.sandbox import SandboxServer, Settings
from imp_verify.sandbox._http.control.declare import Operation
from imp_verify.sandbox._http.control.table import OPERATIONS
from imp_verify.sandbox.clock import LATEST, Clock
from imp_verify.sandbox.guard import LARGEST_BODY, is_foreign, is_own_host, is_shop
from imp_verify.sandbox.pages import Html, html
from imp_verify.sandbox.settings import TABLE
from tests.sandbox.conftest import Rest, Shop, call, opened, paid
from tests.sandbox.test_window import JSON, SHOP, click, open_window

STRANGER = "http://evil.test:8000"
PAYMENT = {"params": {"merchant_uid": "ORD-1", "amount": 100}, "userCode": "imp00000000"}


def raw(
    server: SandboxServer, method: str, path: str, headers: dict[str, str], body: str = ""
) -> int:
    """Send a request with this very Host, as a browser does after DNS rebinding."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def own_host(server: SandboxServer) -> str:
    return server.url.removeprefix("http://")


# A foreign name: DNS rebinding

PATHS = (
    ("GET", "/"),
    ("GET", "/v1/iamport.js"),
    ("GET", "/static/window.js"),
    ("GET", "/sandbox/v1/payments"),
    ("GET", "/payments/imp_1"),
    ("GET", "/nothing"),
    ("POST", "/window"),
    ("POST", "/log/release"),
    ("POST", "/users/getToken"),
    ("PATCH", "/sandbox/v1/settings"),
    ("DELETE", "/sandbox/v1/faults"),
    ("DELETE", "/sandbox/v1/faults/1"),
    ("GET", "/sandbox/journal"),
    ("OPTIONS", "/window"),
)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_answered_under_a_foreign_name(
    server: SandboxServer, path: tuple[str, str]
) -> None:
    port = own_host(server).partition(":")[2]
    wrong = (
        "evil.test",
        f"evil.test:{port}",
        f"127.0.0.1.evil.test:{port}",
        "127.0.0.1:1",
        "",
        "[",
    )
    assert {raw(server, *path, {"Host": host}) for host in wrong} == {403}
    assert raw(server, *path, {"Host": f"localhost:{port}"}) != 403


def test_a_name_is_taken_that_the_settings_have(server: SandboxServer) -> None:
    server.sandbox.settings.change(
        {"hosts": ["sandbox:4000"], "public_url": "https://sandbox.test"}
    )
    for host, status in (("sandbox:4000", 200), ("sandbox.test", 200), ("sandbox", 403)):
        assert raw(server, "GET", "/", {"Host": host}) == status
    server.sandbox.settings.change({"hosts": [], "public_url": None})
    assert raw(server, "GET", "/", {"Host": "sandbox:4000"}) == 403


@pytest.mark.parametrize(
    ("host", "port", "own"),
    [
        ("127.0.0.1:8000", 8000, True),
        ("127.4.5.6:8000", 8000, True),
        ("[::1]:8000", 8000, True),
        ("LocalHost:8000", 8000, True),
        ("shop.localhost:8000", 8000, True),
        ("localhost", 80, True),
        ("localhost", 8000, False),
        ("localhost:8001", 8000, False),
        ("localhost:", 80, False),
        ("localhost:8000", None, False),
        ("notlocalhost:8000", 8000, False),
        ("localhost.evil.test:8000", 8000, False),
        ("10.0.0.1:8000", 8000, False),
        ("[::1:8000", 8000, False),
        ("me@localhost:8000", 8000, False),
        ("localhost:8000/x", 8000, False),
        ("localhost:٨000", 8000, False),
        ("", 80, False),
    ],
)
def test_names_of_loopback_with_the_servers_port_are_its_own(
    host: str, port: int | None, own: bool
) -> None:
    assert is_own_host(host, port) is own


# A page of another origin


FOREIGN: list[dict[str, str]] = [
    {"Origin": STRANGER},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
CHANGES = (
    "/users/getToken",
    "/payments/cancel",
    "/payments/prepare",
    "/log/release",
    "/log/deliveries/1/resend",
    "/log/payments/imp_1/cancel",
    "/sandbox/v1/windows",
    "/sandbox/v1/payments",
    "/sandbox/v1/faults",
    "/sandbox/v1/clock",
    "/sandbox/v1/deliveries/release",
    "/sandbox/v1/reset",
)
VIEWS = ("/", "/sandbox/v1/payments", "/sandbox/journal", "/payments/imp_1", "/static/window.js")


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", ""])
def test_a_foreign_page_changes_nothing(
    server: SandboxServer, rest: Rest, headers: dict[str, str], kind: str
) -> None:
    attempt = opened(server)
    actions = ("approve", "decline", "close", "issue", "deposit", "cancel")
    paths = [*CHANGES, *(f"/window/{attempt.imp_uid}/{action}" for action in actions)]
    headers = {**headers, "Content-Type": kind, "Sec-Fetch-Mode": "navigate"}
    for path in paths:
        answer = rest.http.post(server.url + path, b"{}", headers={**headers, **rest.headers})
        assert answer.status_code == 403, path
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert server.sandbox.gateway.attempts() == [attempt]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_reads_nothing(
    server: SandboxServer, rest: Rest, headers: dict[str, str]
) -> None:
    for path in (*VIEWS, f"/window/{opened(server).imp_uid}"):
        for mode in ("cors", "no-cors", "same-origin"):
            sent = {**headers, "Sec-Fetch-Mode": mode}
            assert rest.http.get(server.url + path, headers=sent).status_code == 403, path


def test_a_link_leads_here_from_anywhere(server: SandboxServer, rest: Rest) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert rest.http.get(server.url + "/", headers=followed).status_code == 200


def test_pages_of_the_sandbox_do_what_their_buttons_say(server: SandboxServer, rest: Rest) -> None:
    path = f"{server.url}/window/{opened(server).imp_uid}"
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    assert 'data-state="paid"' in rest.http.post(path + "/approve", headers=own).text


@pytest.mark.parametrize(
    ("method", "headers", "foreign"),
    [
        ("POST", {}, False),
        ("POST", {"origin": "http://a:1"}, False),
        ("POST", {"origin": "https://a:1"}, False),
        ("POST", {"origin": "ftp://a:1"}, True),
        ("POST", {"origin": "http://a:1.evil.test"}, True),
        ("POST", {"origin": ""}, True),
        ("POST", {"sec-fetch-site": "none"}, False),
        ("GET", {"origin": "http://b", "sec-fetch-mode": "navigate"}, True),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, True),
    ],
)
def test_a_page_is_known_by_what_its_browser_says(
    method: str, headers: dict[str, str], foreign: bool
) -> None:
    assert is_foreign(method, {"host": "a:1", **headers}) is foreign


# Opening a window: what a shop's page may, and no other


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", None])
def test_a_window_is_opened_by_json_alone(
    server: SandboxServer, rest: Rest, kind: str | None
) -> None:
    for origin in ({}, {"Origin": SHOP}):
        headers = {"Content-Type": kind, **origin}
        answer = rest.http.post(
            server.url + "/window", json.dumps(PAYMENT).encode(), headers=headers
        )
        assert answer.status_code == 415
    assert server.sandbox.gateway.attempts() == []


@pytest.mark.parametrize("headers", [{"Origin": STRANGER}, {"Origin": "null"}, FOREIGN[3]])
def test_no_window_opens_for_a_page_that_is_no_shops(
    server: SandboxServer, rest: Rest, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "imp_verify")
    asked = {**headers, "Access-Control-Request-Method": "POST"}
    for answer in (
        rest.http.options(server.url + "/window", headers=asked),
        rest.http.post(server.url + "/window", json=PAYMENT, headers=headers),
    ):
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert server.sandbox.gateway.attempts() == []
    assert "`shops`" in caplog.text


def test_a_shops_page_is_given_leave_for_json_and_no_more(
    server: SandboxServer, rest: Rest
) -> None:
    answer = rest.http.options(server.url + "/window", headers={"Origin": SHOP})
    given = {
        name: v for name, v in answer.headers.items() if name.lower().startswith("access-control")
    }
    assert given == {
        "access-control-allow-origin": SHOP,
        "access-control-allow-headers": "Content-Type",
    }
    assert (answer.status_code, answer.headers["Vary"]) == (204, "Origin")


@pytest.mark.parametrize(
    ("origin", "shops", "may"),
    [
        ("http://127.0.0.1:5000", (), True),
        ("https://localhost", (), True),
        ("http://[::1]:5000", (), False),
        ("http://shop.test", (), False),
        ("http://localhost.shop.test", (), False),
        ("http://localhost:1;script-src", (), False),
        ("http://a;b.localhost", (), False),
        ("null", (), False),
        ("http://shop.test", ("http://shop.test",), True),
        ("https://shop.test", ("http://shop.test",), False),
        ("http://127.0.0.1:5000", ("http://shop.test",), False),
    ],
)
def test_shops_are_those_on_loopback_or_those_that_are_named(
    origin: str, shops: tuple[str, ...], may: bool
) -> None:
    assert is_shop(origin, shops) is may


def policy(answer: requests.Response) -> dict[str, str]:
    pairs = answer.headers["Content-Security-Policy"].split("; ")
    return {name: rest for name, _, rest in (pair.partition(" ") for pair in pairs)}


def test_a_window_is_framed_by_the_page_that_opened_it_alone(
    server: SandboxServer, rest: Rest
) -> None:
    path = open_window(server, rest)["path"]
    pages = [rest.http.get(server.url + path), click(server, rest, path, "approve")]
    pages += [click(server, rest, path, "approve")]
    assert [policy(page)["frame-ancestors"] for page in pages] == [SHOP] * 3
    unasked = opened(server, "ORD-2").imp_uid
    others = ("/", f"/window/{unasked}", "/sandbox/v1/payments", "/v1/iamport.js")
    for other in others:
        assert policy(rest.http.get(server.url + other))["frame-ancestors"] == "'none'"


def test_no_page_allows_script_of_its_own(server: SandboxServer, rest: Rest) -> None:
    path = open_window(server, rest)["path"]
    for page in (rest.http.get(server.url + path), rest.http.get(server.url + "/")):
        allowed = policy(page)
        assert (allowed["default-src"], allowed["script-src"]) == ("'none'", "'self'")
        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"


# Markup in every field


class Elements(HTMLParser):
    """Keeps what a browser would make of a page: elements, and the names of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {(tag, ""), *((tag, name) for name, _ in attrs)}


MARKUP = "x'\"--></title></script></style></textarea><script>alert(1)</script><img src=x onerror=y>"
FIELDS = (
    *("merchant_uid", "name", "pay_method", "pg", "currency", "channelKey", "language"),
    *("buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode", "custom_data"),
    *("customer_uid", "notice_url", "confirm_url", "m_redirect_url", "vbank_due", "amount"),
)


def looks(server: SandboxServer, rest: Rest) -> list[str]:
    """Return every page that there is, in both languages and with every mark-up for a language."""
    attempts = server.sandbox.gateway.attempts()
    paths = ["/", *(f"/window/{attempt.imp_uid}" for attempt in attempts)]
    asked = ("", "?lang=en", f"?lang={quote(MARKUP)}")
    return [rest.http.get(server.url + path + each).text for path in paths for each in asked]


def is_clean(page: str) -> bool:
    found = Elements(page).found
    handlers = {name for _, name in found if name.startswith("on") or name == "style"}
    own = re.findall(r'<script src="/static/(?:window|log).js" defer></script>', page)
    scripts = page.count("<script") - len(own)
    return not handlers and ("img", "") not in found and scripts in (0, 'id="result"' in page)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("style", ["ids-only", "classic"])
def test_markup_in_a_field_of_a_payment_request_stays_text(
    server: SandboxServer, rest: Rest, shop: Shop, field: str, style: str
) -> None:
    nasty = MARKUP[-40:] if field == "merchant_uid" else MARKUP
    shop.answers = dict.fromkeys(("/hook", "/no"), (500, json.dumps({"reason": MARKUP})))
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    pages = []
    for action, method in (("approve", "card"), ("issue", "vbank"), ("decline", "card")):
        params = {"confirm_url": shop.url + "/no", "pay_method": method, field: nasty}
        if field != "confirm_url" and action != "decline":
            params["confirm_url"] = ""
        wanted = {
            "params": {"merchant_uid": f"ORD-{action}", "amount": 100, **params},
            **{"style": style, "userCode": "imp00000000", "redirect": True},
        }
        opens = rest.http.post(server.url + "/window", json=wanted, headers={"Origin": SHOP})
        if path := opens.json().get("path"):
            pages += [
                click(server, rest, path, action).text for action in (action, action, "cancel")
            ]
    pages += looks(server, rest)
    assert [page for page in pages if not is_clean(page)] == []
    assert len(pages) >= 3


def test_markup_that_the_window_is_told_beside_the_request_stays_text(
    server: SandboxServer, rest: Rest
) -> None:
    pages = []
    for name in ("userCode", "tier", "version", "closed", "mobile", "redirect", "origin"):
        wanted = {**PAYMENT, name: MARKUP}
        headers = {"Origin": SHOP, "User-Agent": MARKUP}
        answer = rest.http.post(server.url + "/window", json=wanted, headers=headers)
        assert answer.headers["Content-Type"] == "application/json"
        if path := answer.json().get("path"):
            pages += [click(server, rest, path, action).text for action in ("close", MARKUP)]
    pages += looks(server, rest)
    assert [page for page in pages if not is_clean(page)] == []


OPENING = "parameters of request_pay"
FREE: dict[str, tuple[str, ...]] = {
    "Settings": tuple(TABLE),
    "Fault": ("call", "status", "body", "content_type", "times", "lost", "truncate"),
    "Payment": ("merchant_uid", "amount", "status", "pay_method", "name", "cancelled", "paid_at"),
    "PaymentChange": ("amount", "status", "name", "buyer_name", "vbank_num", "fail_reason"),
    OPENING: ("merchant_uid", "amount", "currency", "pay_method", "name", "custom_data"),
}
"""Of the calls that read their body themselves."""
ACTS = [each for each in OPERATIONS if each.method in ("POST", "PATCH")]


@pytest.mark.parametrize("operation", ACTS, ids=lambda each: f"{each.method} {each.path}")
@pytest.mark.parametrize("value", [MARKUP, [MARKUP], {MARKUP: MARKUP}, None, -1, True, 10**40])
def test_markup_in_a_field_of_a_control_call_stays_text_and_breaks_nothing(
    server: SandboxServer, rest: Rest, operation: Operation, value: object
) -> None:
    imp_uid = paid(server).imp_uid
    path = operation.path[1:].replace("{imp_uid}", imp_uid)
    needed: dict[str, dict[str, object]] = {
        "Payment": {"merchant_uid": "ORD-9", "amount": 5},
        OPENING: {"merchant_uid": "ORD-9", "amount": 5},
        "Fault": {"call": "payment"},
    }
    usual = server.sandbox.settings.as_dict()
    for field in FREE.get(operation.free or "", [each.name for each in operation.fields]):
        fields = {**needed.get(operation.free or "", {}), field: value}
        status, _ = call(server, operation.method, path, fields)
        assert status in (200, 400, 409), field
    server.sandbox.settings.change(usual)  # true is a value of some that refuse everybody
    sdk = rest.http.get(server.url + "/v1/iamport.js")
    token = {"imp_key": "sandbox_key", "imp_secret": "sandbox_secret"}
    assert (sdk.status_code, rest.send("POST", "/users/getToken", token).code) == (200, 0)
    assert [page for page in looks(server, rest) if not is_clean(page)] == []


@pytest.mark.parametrize("status", ["paid", MARKUP])
def test_markup_that_a_test_edits_in_stays_text(
    server: SandboxServer, rest: Rest, status: str
) -> None:
    server.sandbox.gateway.edit(
        opened(server).imp_uid, status=status, pg_provider=MARKUP, fail_reason=MARKUP, name=MARKUP
    )
    pages = looks(server, rest)
    assert len(pages) == 6
    assert [page for page in pages if not is_clean(page)] == []


def test_what_a_shop_answers_stays_text(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    shop.answers["/hook"] = (500, MARKUP)
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    paid(server)
    pages = looks(server, rest)
    assert [page for page in pages if not is_clean(page)] == []
    assert "&lt;script&gt;alert(1)" in pages[0]


def test_the_sweep_would_see_markup() -> None:
    for nasty in ("<img src=x>", "<b onclick=y>", "<script>alert(1)</script>", "<p style=x>"):
        assert not is_clean(f"<p>{nasty}</p>")
    assert is_clean("<p>&lt;img src=x&gt;</p>")


def test_only_what_is_markup_is_put_into_a_page_as_it_is() -> None:
    made = html("<b title='{a}'>{b}{c}</b>", a="'<", b=Html("<i>"), c=5)
    assert made == "<b title='&#x27;&lt;'><i>5</b>"


# Texts that are hard to read


DEEP = ["[" * 30_000, '{"a":' * 10_000, '{"a":[' * 50 + '"' + "[" * 99, "[" * 101 + "]" * 101]
LONG = [
    '{"amount":1e999999999}',
    '{"amount":1e-999999999}',
    '{"amount":1e99999999999999999999}',
    '{"amount":NaN}',
    f'{{"a":{"9" * 5000}}}',
]


@pytest.mark.parametrize(
    "body", [*DEEP, *LONG, '{"a":"' + "x" * LARGEST_BODY + '"}', '\\"' * 30_000]
)
@pytest.mark.parametrize("path", ["/users/getToken", "/sandbox/v1/windows", "/window"])
def test_a_hostile_body_is_400_and_the_sandbox_lives(
    server: SandboxServer, rest: Rest, path: str, body: str
) -> None:
    began = time.process_time()
    answer = rest.http.post(server.url + path, body.encode(), headers=JSON)
    assert answer.status_code == 400, answer.text
    assert "Traceback" not in answer.text
    assert rest.http.get(server.url + "/").status_code == 200
    assert time.process_time() - began < 5


def test_brackets_inside_a_text_are_no_depth(server: SandboxServer, rest: Rest) -> None:
    wanted = json.dumps({"merchant_uid": "ORD-1", "amount": 100, "name": '[{"' * 1000})
    assert call(server, "POST", "windows", wanted)[0] == 200


@pytest.mark.parametrize("body", [b"\xff", b"x" * (LARGEST_BODY + 1)])
def test_a_hostile_form_is_400(server: SandboxServer, rest: Rest, body: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    paths = (f"/window/{paid(server).imp_uid}/cancel", "/users/getToken")
    for path in paths:
        assert rest.http.post(server.url + path, body, headers=form).status_code == 400


def test_a_shops_hostile_answer_refuses_the_payment(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    for number, text in enumerate(("[" * 2000, '{"reason":1e999999999}', MARKUP)):
        shop.answers["/confirm"] = (409, text)
        attempt = opened(server, f"ORD-{number}", confirm_url=shop.url + "/confirm")
        assert server.sandbox.approve(attempt.imp_uid).status == "failed"


@pytest.mark.parametrize(
    "url", ["x", "http://", "http://[", "http://a..b/", "http://\x00/", "file:///etc/passwd"]
)
def test_an_address_that_is_none_is_a_failed_delivery(
    server: SandboxServer, rest: Rest, url: str
) -> None:
    attempt = paid(server, notice_url=url)
    assert attempt.status == "paid"
    (delivery,) = call(server, "GET", "deliveries")[1]["list"]
    assert (delivery["status"], bool(delivery["error"])) == (None, True)


@pytest.mark.parametrize("due", ["0001-01-01", "9999-12-31"])
def test_a_deadline_in_no_ones_life_opens_no_window(
    server: SandboxServer, rest: Rest, due: str
) -> None:
    told = open_window(server, rest, pay_method="vbank", vbank_due=due)
    assert "vbank_due" in told["refused"]["error_msg"]


def test_numbers_that_no_date_has_are_refused(server: SandboxServer, rest: Rest) -> None:
    imp_uid = opened(server, pay_method="vbank", pg="settle").imp_uid
    server.sandbox.issue_account(imp_uid)
    path = f"/vbanks/{imp_uid}"
    assert rest.send("PUT", path, {"vbank_due": LATEST + 1}).code != 0
    assert rest.send("PUT", path, {"vbank_due": LATEST}).code == 0
    assert rest.get("/payments/status/all?page=" + "9" * 5000).status == 400
    for body in ({"stop_at": LATEST + 1}, {"stop_at": -1}, {"advance": LATEST}):
        assert call(server, "POST", "clock", body)[0] == 400
    looks(server, rest)


def test_a_running_clock_moves_within_the_dates_that_there_are() -> None:
    clock = Clock()
    before = clock()
    clock.advance(1000)
    assert clock() - before in (1000, 1001)
    with pytest.raises(ValueError, match="a time is 0 to"):
        clock.advance(LATEST)
    clock.advance(-1000)
    assert clock() - before in (0, 1, 2)


def test_shops_that_are_named_are_the_only_ones(server: SandboxServer, rest: Rest) -> None:
    assert call(server, "PATCH", "settings", {"shops": ["http://shop.test"]})[0] == 200
    for origin, status in (("http://shop.test", 200), (SHOP, 403)):
        answer = rest.http.post(server.url + "/window", json=PAYMENT, headers={"Origin": origin})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "wrong", [{"status": 99}, {"times": "1"}, {"body": 1}, {"content_type": "text/html\r\nX: y"}]
)
def test_an_answer_that_cannot_be_sent_is_no_fault(
    server: SandboxServer, rest: Rest, wrong: dict[str, object]
) -> None:
    assert call(server, "POST", "faults", {"call": "token", **wrong})[0] == 400
    assert rest.token().status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_url": 1},
        {"public_url": []},
        {"public_url": "sandbox.test"},
        {"public_url": "https://sandbox.test/path"},
        {"public_url": "https://a;b"},
        {"hosts": "localhost"},
        {"hosts": [1]},
        {"shops": ["shop.test"]},
        {"shops": ["http://shop.test/"]},
        {"shops": ["*"]},
        *({"frame_seconds": wrong} for wrong in ("9", -1, 3601, True, float("nan"))),
        {"silent_close": 1},
        {"unreachable": "true"},
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(wrong: dict[str, object]) -> None:
    settings = Settings()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        settings.change({"language": "en", **wrong})
    assert settings == Settings()
