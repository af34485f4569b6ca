"""Pages of the attacker's, in the browser that has the sandbox and the demo open: none gets in."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from imp_verify.demo import Demo
from imp_verify.sandbox import Attempt
from tests.browser.conftest import ARGUMENTS, Buyer, Visit
from tests.support.gateway import Asked, Connection, Reply, start_as
from tests.support.needs import CHROMIUM

SCRIPT = '<img src=x onerror="window.ran=1"></script><script>window.ran=1</script>'
READ = """async (url) => {
  try { return (await fetch(url)).text(); } catch { return "refused"; }
}"""
SEND = """async ([url, kind, body, mode]) => {
  const headers = kind ? { "Content-Type": kind } : {};
  try {
    const answer = await fetch(url, { method: "POST", headers, body, mode });
    return answer.type === "opaque" ? "opaque" : answer.text();
  } catch { return "refused"; }
}"""
SUBMIT = """([url, sandboxed]) => new Promise((done) => {
  const frame = document.createElement("iframe");
  const form = `<form method=post action="${url}"><input name=product value=chair></form>`;
  if (sandboxed) frame.sandbox = "allow-forms allow-scripts";
  let loads = 0;
  frame.onload = () => { if (++loads === 2) { frame.remove(); done(); } };
  frame.srcdoc = form + "<script>onload = () => setTimeout(() => " +
    "document.forms[0].submit())</" + "script>";
  document.body.append(frame);
})"""
LOAD = """(url) => new Promise((done) => {
  const script = document.createElement("script");
  script.onload = () => done("loaded");
  script.onerror = () => done("refused");
  script.src = url;
  document.head.append(script);
})"""
FRAME = """(url) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.onload = done;
  frame.src = url;
  document.body.append(frame);
})"""


class Attacker:
    """Somebody else's server, whatever is asked of it."""

    def __init__(self, address: str) -> None:
        self.port = urlsplit(address).port
        self.over = threading.Event()

    def answer(self, asked: Asked, to: Connection) -> None:
        Reply(200, b"<!doctype html><body>", (("Content-Type", "text/html"),)).send(to)


@pytest.fixture(scope="module")
def port() -> Iterator[int | None]:
    """The attacker's own server, on another port of loopback."""
    attacker, stop = start_as(Attacker)
    yield attacker.port
    stop()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser for which evil.test is on loopback too, and which leaves it to the servers there
    to refuse what they do not want."""
    arguments = [
        *ARGUMENTS,
        "--host-resolver-rules=MAP evil.test 127.0.0.1",
        "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessChecks",
    ]
    running = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
    yield running.new_context()
    running.close()


@pytest.fixture(params=["127.0.0.1", "localhost", "evil.test"])
def stranger(request: pytest.FixtureRequest, context: BrowserContext, port: int) -> Iterator[Page]:
    page = context.new_page()
    page.goto(f"http://{request.param}:{port}/")
    yield page
    page.close()


def waiting(demo: Demo) -> Attempt:
    return demo.sandbox.sandbox.gateway.open({"merchant_uid": "ORD-1", "amount": 100})


def orders(demo: Demo) -> int:
    with closing(sqlite3.connect(demo.database)) as db:
        return int(db.execute("SELECT count(*) FROM orders").fetchone()[0])


KINDS = ("text/plain", "application/json", "multipart/form-data", None)


def test_a_strangers_page_opens_no_window_and_sets_nothing(demo: Demo, stranger: Page) -> None:
    settings = demo.sandbox.sandbox.settings.as_dict()
    wanted = '{"params":{"merchant_uid":"A","amount":1,"currency":"<script>"}}'
    requests = (
        ("/window", wanted),
        ("/sandbox/v1/windows", '{"merchant_uid":"A","amount":1}'),
        ("/sandbox/v1/settings", '{"webhook_url":"http://evil.test"}'),
        ("/sandbox/v1/faults", '{"call":"payment"}'),
        ("/users/getToken", "imp_key=sandbox_key&imp_secret=sandbox_secret"),
    )
    for (path, body), kind, mode in product(requests, KINDS, ("cors", "no-cors")):
        told = stranger.evaluate(SEND, [demo.sandbox.url + path, kind, body, mode])
        assert told == ("refused" if mode == "cors" else "opaque"), (path, kind)
    assert demo.sandbox.sandbox.gateway.attempts() == []
    assert demo.sandbox.sandbox.settings.as_dict() == settings
    assert demo.sandbox.sandbox.faults.take("payment") is None


def test_a_strangers_page_reads_nothing(demo: Demo, stranger: Page) -> None:
    imp_uid = waiting(demo).imp_uid
    for path in ("/", f"/window/{imp_uid}", "/sandbox/v1/payments", "/sandbox/journal"):
        assert stranger.evaluate(READ, demo.sandbox.url + path) == "refused"
        assert stranger.evaluate(LOAD, demo.sandbox.url + path) == "refused"
    assert stranger.evaluate(READ, demo.url + "/") == "refused"


def test_a_form_on_a_strangers_page_moves_no_payment_and_orders_nothing(
    demo: Demo, stranger: Page
) -> None:
    attempt = waiting(demo)
    for sandboxed in (False, True):
        for action in ("approve", "decline", "close"):
            url = f"{demo.sandbox.url}/window/{attempt.imp_uid}/{action}"
            stranger.evaluate(SUBMIT, [url, sandboxed])
        stranger.evaluate(SUBMIT, [demo.url + "/orders", sandboxed])
    assert demo.sandbox.sandbox.gateway.attempts() == [attempt]
    assert orders(demo) == 0


def test_a_strangers_page_frames_nothing(demo: Demo, stranger: Page) -> None:
    imp_uid = waiting(demo).imp_uid
    for address in (
        f"{demo.sandbox.url}/window/{imp_uid}",
        f"{demo.sandbox.url}/",
        f"{demo.url}/",
    ):
        with stranger.expect_console_message(
            lambda note: "frame-ancestors" in note.text
        ) as refusal:
            stranger.evaluate(FRAME, address)
        assert refusal.value.type == "error"


def test_a_name_that_came_to_mean_loopback_is_answered_nothing(
    demo: Demo, context: BrowserContext
) -> None:
    waiting(demo)
    for url in (demo.sandbox.url, demo.url):
        page = context.new_page()
        rebound = url.replace("127.0.0.1", "evil.test")
        page.route(
            rebound + "/attack",
            lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"),
        )
        page.goto(rebound + "/attack")
        for path in ("/", "/?lang=en", "/sandbox/v1/payments", "/orders/A", "/v1/iamport.js"):
            told = page.evaluate(READ, path)
            assert told.startswith("This server answers to its own names"), told
        told = page.evaluate(SEND, ["/sandbox/v1/windows", "application/json", "{}", "same-origin"])
        assert told.startswith("This server answers to its own names")
        page.close()
    assert len(demo.sandbox.sandbox.gateway.attempts()) == 1


FIELDS = ("currency", "name", "pay_method", "pg", "buyer_name", "notice_url")


def test_markup_that_a_page_asks_for_runs_nowhere(
    demo: Demo, new_visit: Callable[..., Visit]
) -> None:
    visit = new_visit()
    buyer = Buyer(demo, visit.page()).order()
    for number, field in enumerate(FIELDS):
        params = {"merchant_uid": f"ORD-{number}", "amount": 100, field: SCRIPT}
        buyer.page.evaluate(
            "(params) => IMP.request_pay(params, () => {})",
            params,
        )
        window = buyer.page.frame_locator("#imp-sandbox-window iframe")
        window.locator("button.primary").click()
        expect(buyer.page.locator("#imp-sandbox-window")).to_be_hidden()
    console = visit.page()
    paths = [f"/window/{a.imp_uid}" for a in demo.sandbox.sandbox.gateway.attempts()]
    assert len(paths) == len(FIELDS)
    for path in ("/", *paths):
        console.goto(demo.sandbox.url + path)
        assert console.evaluate("window.ran") is None
        assert console.locator("img").count() == 0
    console.goto(demo.sandbox.url)
    expect(console.locator("table").first).to_contain_text("onerror=")
