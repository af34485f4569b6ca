"""Each flavour of the code to paste, and every way that a payment can go.

What the pasted code itself has a part in, with the build of the SDK that it names; the rest is the
module's, which `test_outcomes` walks. `IMP_VERIFY_ALL_WINDOWS=1`: all, with every build.
"""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from imp_verify.contrib.browser import FLAVORS, snippet
from imp_verify.sandbox import Fault
from tests.browser.conftest import ARGUMENTS, Visit, pass_time
from tests.browser.pasted import page_of
from tests.browser.shop import JQUERY_3, NUMBER, SCRIPTS, SDK, Shop, needs_node, stand_in
from tests.support.needs import CHROMIUM

ALL = os.environ.get("IMP_VERIFY_ALL_WINDOWS") == "1"
PAIRS = [
    (flavor, version)
    for flavor in FLAVORS
    for version in SCRIPTS
    if ALL or version == ("1.2" if flavor == "jquery" else "v1")
]
SAMPLE = "https://shop.example"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"
PAID = "결제가 완료되었습니다"
CHECKED = "결제를 확인하고 있습니다. 다시 결제하지 말고"
CLOSED = "사용자가 결제를 취소하셨습니다"
GONE = "결제창이 닫혔습니다. 이미 결제했다면"
NOT_LOADED = "결제 모듈을 불러오지 못했습니다."


@dataclass
class Buyer:
    """Somebody on a page with the pasted code."""

    shop: Shop
    visit: Visit
    flavor: str
    version: str
    text: str
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.page = self.visit.page()
        self.shop.page = lambda: self.text.replace(SAMPLE, self.shop.url)
        self.settings = self.shop.gateway.sandbox.settings
        self.faults = self.shop.gateway.sandbox.faults
        self.asked: list[Request] = []
        self.page.on("request", self._count)

    def _count(self, request: Request) -> None:
        if request.url.endswith("/payments/complete"):
            self.asked.append(request)

    def replace(self, wanted: str, given: str) -> Buyer:
        """Change one field of the sample, whether its name is quoted or not."""
        self.text, count = re.subn(wanted, given, self.text)
        assert count == 1
        return self

    def visits(self) -> Buyer:
        stand_in(self.page, self.shop.gateway, SCRIPTS[self.version])
        self.page.goto(self.shop.url)
        expect(self.button).to_be_enabled()
        return self

    def opens(self) -> Buyer:
        if self.page.url == "about:blank":
            self.visits()
        self.button.click()
        expect(self.window.locator("main[data-state=open]")).to_be_visible()
        return self

    @property
    def button(self) -> Locator:
        return self.page.locator("button").first

    @property
    def window(self) -> Locator:
        return self.page.frame_locator("#imp-sandbox-window iframe").locator("body")

    def act(self, action: str, where: Page | Locator | None = None) -> None:
        (where or self.window).locator(f"button[formaction$='/{action}']").click()

    def wait(self, seconds: float) -> None:
        self.page.clock.run_for(int(seconds * 1000))

    def reads(self, text: str, *, usable: bool) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(text)
        expect(self.button).to_be_enabled(enabled=usable)

    def lands(self, heading: str = PAID) -> None:
        expect(self.page.locator("h1")).to_have_text(heading)
        assert self.page.url.startswith(f"{self.shop.url}/payments/redirect?imp_uid=")

    def forgives(self, *notes: str) -> None:
        """What a developer reads of a request that reached nobody is no complaint."""
        for note in notes:
            assert any(note in each for each in self.visit.complaints)
        known = re.compile("|".join(map(re.escape, notes)))
        assert [each for each in self.visit.complaints if not known.search(each)] == []
        self.visit.complaints.clear()


def buys(buyer: Buyer) -> None:
    buyer.opens().act("approve")
    buyer.lands()


def gets_an_account(buyer: Buyer) -> None:
    buyer.replace('(pay_method"?): "card"', r'\1: "vbank"').opens().act("issue")
    buyer.lands("가상계좌가 발급되었습니다")


def is_declined_and_buys(buyer: Buyer) -> None:
    buyer.opens().act("decline")
    buyer.reads("한도초과", usable=True)
    expect(buyer.button).to_be_focused()
    buys(buyer)


def closes_the_window(buyer: Buyer) -> None:
    buyer.settings.closed_becomes = "ready"
    buyer.page.clock.install()
    buyer.opens().act("close")
    expect(buyer.window).to_be_hidden()
    pass_time(buyer.page, buyer.asked, 2)
    buyer.reads(CLOSED, usable=True)
    buys(buyer)


def closes_a_window_that_does_not_tell(buyer: Buyer) -> None:
    buyer.settings.silent_close = True
    buyer.page.clock.install()
    buyer.opens()
    buyer.wait(2)
    buyer.act("close")
    expect(buyer.window).to_be_hidden()
    expect(buyer.button).to_be_disabled()
    buyer.wait(6)
    buyer.reads(GONE, usable=True)
    buys(buyer)


def changes_the_amount(buyer: Buyer) -> None:
    buyer.replace('(amount"?): 39(000|e3)', r"\1: 100").opens().act("approve")
    buyer.reads("주문과 맞지 않는 결제입니다. 다시 결제하지 말고 판매자에게", usable=False)


def clicks_twice(buyer: Buyer) -> None:
    buyer.visits().button.dblclick()
    buyer.act("approve")
    buyer.lands()
    assert len(buyer.shop.attempts) == len(buyer.asked) == 1


def meets_503_twice(buyer: Buyer) -> None:
    buyer.settings.webhook_order = "browser-first"
    buyer.page.clock.install()
    buyer.opens()
    buyer.faults.add(Fault("payment", times=2))
    buyer.act("approve")
    for times in (2, 3):
        buyer.reads(CHECKED, usable=False)
        pass_time(buyer.page, buyer.asked, times)
    buyer.lands()


def waits_for_a_slow_window(buyer: Buyer) -> None:
    buyer.settings.frame_seconds = 9
    buyer.page.clock.install()
    with buyer.visits().page.expect_response("**/window"):
        buyer.button.click()
    for _ in range(40):
        if buyer.window.is_hidden():
            expect(buyer.button).to_be_disabled()
            buyer.wait(0.5)
    buyer.act("approve")
    buyer.lands()


def is_offline_when_it_ends(buyer: Buyer) -> None:
    buyer.settings.webhook_order = "browser-first"
    buyer.opens()
    (attempt,) = buyer.shop.attempts
    buyer.shop.gateway.sandbox.approve(attempt.imp_uid)
    buyer.visit.context.set_offline(True)
    told = {"imp_uid": attempt.imp_uid, "merchant_uid": NUMBER}
    # What the window's own last page does, which it could not load now.
    frame = next(each for each in buyer.page.frames if each.parent_frame)
    frame.evaluate("told => parent.postMessage(told, '*')", told)
    buyer.reads(CHECKED, usable=False)
    buyer.visit.context.set_offline(False)
    buyer.lands()
    buyer.forgives("ERR_INTERNET_DISCONNECTED")


def reloads_while_nothing_is_known(buyer: Buyer) -> None:
    buyer.settings.webhook_order = "browser-first"
    buyer.opens()
    buyer.faults.add(Fault("payment", times=2))
    buyer.act("approve")
    buyer.reads(CHECKED, usable=False)
    buyer.page.clock.install()
    with buyer.page.expect_response("**/payments/complete"):
        buyer.page.reload()
    buyer.reads(CHECKED, usable=False)
    pass_time(buyer.page, buyer.asked, 3)
    buyer.lands()


def is_on_a_phone(buyer: Buyer) -> None:
    buyer.visits().button.click()
    buyer.act("approve", buyer.page)
    buyer.lands()


def comes_back_to_a_page_that_was_kept(buyer: Buyer) -> None:
    buyer.opens()
    buyer.page.evaluate("window.kept = true")
    buyer.act("approve")
    buyer.lands()
    buyer.page.go_back(wait_until="commit")
    assert buyer.page.evaluate("window.kept") is True
    buyer.reads(PAID, usable=False)


def pays_in_a_popup(buyer: Buyer) -> None:
    buyer.replace('("?)(pay_method"?): "card"', r'\1\2: "card", \1popup\1: true').visits()
    for action in ("close", "approve"):
        with buyer.page.expect_popup() as opened:
            buyer.button.click()
        expect(opened.value.locator("main[data-state=open]")).to_be_visible()
        if action == "close":
            opened.value.close()
            buyer.reads(CLOSED, usable=True)
        else:
            buyer.act(action, opened.value)
    buyer.lands()


def blocks_the_popup(buyer: Buyer) -> None:
    buyer.replace('("?)(pay_method"?): "card"', r'\1\2: "card", \1popup\1: true')
    buyer.page.add_init_script("window.open = () => null")
    buyer.page.on("dialog", lambda dialog: dialog.accept())
    buyer.page.clock.install()
    with buyer.visits().page.expect_event("dialog") as alert:
        buyer.button.click()
    assert alert.value.message == "팝업이 차단되었습니다."
    buyer.wait(62)
    buyer.reads(GONE, usable=True)


def blocks_the_sdk(buyer: Buyer) -> None:
    stand_in(buyer.page, buyer.shop.gateway, SCRIPTS[buyer.version])

    def block(route: Route) -> None:
        route.abort()

    buyer.page.route(SDK, block)
    buyer.page.goto(buyer.shop.url)
    buyer.reads(f"{NOT_LOADED} 다시 눌러", usable=True)
    buyer.forgives("ERR_FAILED", "imp-verify: no IMP from https://cdn.iamport.kr/v1/iamport.js")
    buyer.page.unroute(SDK, block)
    buyer.button.click()
    expect(buyer.page.get_by_role("status")).to_have_text("")
    buys(buyer)


def has_no_module(buyer: Buyer) -> None:
    stand_in(buyer.page, buyer.shop.gateway, SCRIPTS[buyer.version])
    buyer.page.route("**/imp-verify.js", lambda route: route.abort())
    buyer.page.goto(buyer.shop.url)
    # `html` has no script of its own that could say it.
    said = "" if buyer.flavor == "html" else f"{NOT_LOADED} 페이지를"
    buyer.reads(said, usable=False)
    buyer.forgives("ERR_FAILED")


FAILED_THEN_PAID = ["on_failed", "on_paid"]
OUTCOMES: Mapping[Callable[[Buyer], None], list[str]] = {
    buys: ["on_paid"],
    gets_an_account: [],
    is_declined_and_buys: FAILED_THEN_PAID,
    closes_the_window: ["on_paid"],
    closes_a_window_that_does_not_tell: ["on_paid"],
    changes_the_amount: [],
    clicks_twice: ["on_paid"],
    meets_503_twice: ["on_paid"],
    waits_for_a_slow_window: ["on_paid"],
    is_offline_when_it_ends: ["on_paid"],
    reloads_while_nothing_is_known: ["on_paid"],
    is_on_a_phone: ["on_paid"],
    comes_back_to_a_page_that_was_kept: ["on_paid"],
    pays_in_a_popup: FAILED_THEN_PAID,
    blocks_the_popup: [],
    blocks_the_sdk: ["on_paid"],
    has_no_module: [],
}


OWN_PART = (clicks_twice, comes_back_to_a_page_that_was_kept, blocks_the_sdk, has_no_module)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Give the page of a flavour; each is bundled once."""
    made: dict[str, str] = {}

    def page(flavor: str) -> str:
        if flavor not in made:
            folder = tmp_path_factory.mktemp(flavor)
            code = snippet(flavor, "ko", public_url=SAMPLE)
            made[flavor] = page_of(code, flavor, "ko", folder)
        return made[flavor]

    return page


@pytest.fixture(scope="module")
def keeping(browser: Browser) -> Iterator[Browser]:
    """A browser that keeps pages as they were left, which Playwright's own does not."""
    running = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=ARGUMENTS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    yield running
    running.close()


@needs_node
@pytest.mark.parametrize(
    "outcome", OUTCOMES if ALL else OWN_PART, ids=lambda outcome: outcome.__name__
)
@pytest.mark.parametrize(("flavor", "version"), PAIRS)
def test_J07_the_buyer_of_a_page_with_the_pasted_code(
    pages: Callable[[str], str],
    new_visit: Callable[..., Visit],
    request: pytest.FixtureRequest,
    flavor: str,
    version: str,
    outcome: Callable[[Buyer], None],
) -> None:
    options: dict[str, Any] = {}
    if outcome is is_on_a_phone:
        options = {"user_agent": PHONE, "viewport": {"width": 390, "height": 800}}
    if outcome is comes_back_to_a_page_that_was_kept:
        options["browser"] = request.getfixturevalue("keeping")
    text = pages(flavor)
    if version != "v1" and flavor != "jquery":  # the older builds need it
        text = text.replace("<meta", f'<script src="{JQUERY_3}"></script><meta', 1)
    with Shop() as shop:
        outcome(Buyer(shop, new_visit(**options), flavor, version, text))
        shop.gateway.sandbox.webhooks.deliver()
        assert shop.told == OUTCOMES[outcome]
