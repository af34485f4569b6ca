"""A browser, the demo shop, and a buyer who uses the one to visit the other."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sized
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Route,
    expect,
    sync_playwright,
)

from imp_verify.demo import Demo
from imp_verify.sandbox import Attempt, Delivery, Gateway
from tests.support.needs import CHROMIUM, need

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=20_000)  # as long as it takes on a machine that has other work
# What the browser itself notes about an answer that the page expects and handles.
EXPECTED_NOTES = re.compile(
    r"Failed to load resource: the server responded with a status of (400|409|503) "
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each module in one process, one test after the other: Playwright keeps an event loop running
    in it."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    need("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_demo() -> Iterator[Callable[..., Demo]]:
    """Start demos with chosen settings; all end with the test."""
    with ExitStack() as ends:
        yield lambda **settings: ends.enter_context(Demo(**settings))


@pytest.fixture
def demo(open_demo: Callable[..., Demo]) -> Demo:
    return open_demo()


@dataclass
class Visit:
    """A browser context that may reach loopback only, and what went wrong in it."""

    context: BrowserContext
    left: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The context's, so that a window that pops up is heard too.
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("console", lambda note: self._hear(note.type, note.text))

    def page(self) -> Page:
        return self.context.new_page()

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not EXPECTED_NOTES.match(text):
            self.complaints.append(text)

    def guard(self, route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            self.left.append(route.request.url)
            route.abort()


@pytest.fixture
def new_visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open contexts; at the end none may have left loopback or have complained."""
    visits: list[Visit] = []

    def make(browser: Browser = browser, **options: object) -> Visit:
        visit = Visit(browser.new_context(**options))  # type: ignore[arg-type]
        visit.context.route("**/*", visit.guard)
        visits.append(visit)
        return visit

    yield make
    for visit in visits:
        visit.context.close()
    assert [visit.left for visit in visits if visit.left] == []
    assert [visit.complaints for visit in visits if visit.complaints] == []


def pass_time(page: Page, asked: Sized, times: int) -> None:
    """Let the page's clock run on until it has asked so often, however late it sets its timer.

    An answer that is under way meanwhile may be given up by that clock: then it asks again.
    """
    for _ in range(240):
        if len(asked) < times:
            page.clock.run_for(500)
    assert len(asked) == times


@dataclass
class Buyer:
    """Somebody who buys in the demo shop."""

    demo: Demo
    page: Page
    number: str = ""
    in_page: bool = True

    def order(self, product: str = "chair") -> Buyer:
        self.page.goto(self.demo.url + "/")
        self.page.locator(f"button[value={product}]").click()
        self.page.wait_for_url("**/orders/*/pay")
        self.number = self.page.url.split("/")[-2]
        return self

    def choose(self, how: str, *options: str) -> Buyer:
        self.page.locator(f"input[value={how}]").check()
        for option in options:
            self.page.locator(f"input[name={option}]").check()
        self.in_page = how != "card_redirect"
        return self

    def open_window(self) -> Buyer:
        self.page.click("#pay")
        expect(self.window.locator("main[data-state=open]")).to_be_visible()
        return self

    @property
    def window(self) -> Page | Locator:
        if not self.in_page:
            return self.page
        return self.page.frame_locator("#imp-sandbox-window iframe").locator("body")

    def click(self, action: str) -> Buyer:
        self.window.locator(f"button[formaction$='/{action}']").click()
        return self

    def buy(self, how: str, action: str, *options: str) -> Buyer:
        return self.order().choose(how, *options).open_window().click(action)

    def reads(self, text: str) -> None:
        """See this below the pay button."""
        expect(self.page.locator("#pay-status")).to_contain_text(text)

    def sees_order(self, state: str) -> None:
        self.page.wait_for_url(f"**/orders/{self.number}")
        self.sees_state(state)

    def sees_state(self, state: str) -> None:
        expect(self.page.locator("#state")).to_have_attribute("data-state", state)

    def look_again(self, state: str) -> None:
        self.page.goto(f"{self.demo.url}/orders/{self.number}")
        self.sees_state(state)

    def in_sandbox(self, imp_uid: str) -> Page:
        self.page.goto(f"{self.demo.sandbox.url}/window/{imp_uid}")
        return self.page

    @property
    def attempts(self) -> list[Attempt]:
        gateway: Gateway = self.demo.sandbox.sandbox.gateway
        return [a for a in gateway.attempts() if a.merchant_uid == self.number]

    def told(self) -> list[str]:
        """Name the hooks that were called for this order, in their order."""
        with closing(sqlite3.connect(self.demo.database)) as db:
            rows = db.execute(
                "SELECT hook FROM events WHERE number = ? ORDER BY rowid", (self.number,)
            )
            return [hook for (hook,) in rows]

    def deliver(self) -> list[Delivery]:
        """Let every webhook arrive that is kept back or under way."""
        return self.demo.sandbox.sandbox.webhooks.deliver()


@pytest.fixture
def buyer(demo: Demo, new_visit: Callable[..., Visit]) -> Buyer:
    return Buyer(demo, new_visit().page())
