"""Every way a window can go, for each build of the SDK: one page, many orders, our own button.

The page's clock is moved by hand where the buyer would wait.
"""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from flask import render_template_string
from playwright.sync_api import Dialog, FrameLocator, Locator, Page, expect

from imp_verify.sandbox import Attempt, Fault, Settings
from tests.browser.conftest import Visit
from tests.browser.shop import SCRIPTS, Shop

OPTIONS: dict[str, dict[str, object]] = {
    "twice": {},
    "vbank": {"pay_method": "vbank"},
    "declined": {},
    "closed": {},
    "silent": {},
    "slow": {},
    "popup": {"popup": True},
    "blocked": {"popup": True},
    "refused": {},
    "begun": {},
    "unfocused": {},
    "offline": {},
}
ALL = os.environ.get("IMP_VERIFY_ALL_WINDOWS") == "1"
PAGE = """<!doctype html><html lang="ko"><meta charset="utf-8"><title>shop</title>
{% for name, options in orders.items() %}
<form>{{ imp_verify_button("ORD-" ~ name, id=name, sdk=sdk, **options) }}</form>{% endfor %}
<script>
const results = {};
document.addEventListener("imp-verify:result", (event) => {
  const name = event.detail.merchant_uid.slice(4);
  event.preventDefault();  // the next order is on this page
  (results[name] = results[name] || []).push(event.detail.status);
  if (document.body.dataset.begins === name) document.getElementById("begun").click();
});
</script>"""
CHECKED = "결제를 확인하고 있습니다. 다시 결제하지 말고"
GONE = "결제창이 닫혔습니다. 이미 결제했다면"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"


class Walk:
    """A buyer with many orders on one page."""

    def __init__(self, shop: Shop, visit: Visit, version: str) -> None:
        shop.numbers = [f"ORD-{name}" for name in OPTIONS]
        shop.page = lambda: render_template_string(
            PAGE, orders=OPTIONS, sdk=f"https://cdn.iamport.kr/{SCRIPTS[version]}"
        )
        self.shop, self.visit, self.page = shop, visit, visit.page()
        self.settings: Settings = shop.gateway.sandbox.settings
        self.alerts: list[str] = []
        self.page.on("dialog", self._hear)
        self.cover = self.page.get_by_role("dialog")

    def _hear(self, dialog: Dialog) -> None:
        self.alerts.append(dialog.message)
        dialog.accept()

    def button(self, name: str) -> Locator:
        return self.page.locator(f"button#{name}")

    @property
    def window(self) -> FrameLocator:
        return self.page.frame_locator("#imp-sandbox-window iframe")

    def press(self, name: str) -> Walk:
        with self.page.expect_response("**/window") as answer:
            self.button(name).click()
        answer.value.finished()
        return self

    def open(self, name: str) -> Walk:
        self.press(name)
        expect(self.window.locator("main[data-state=open]")).to_be_visible()
        return self

    def act(self, action: str, where: Page | None = None) -> None:
        (where or self.window).locator(f"button[formaction$='/{action}']").click()

    def wait(self, seconds: float) -> None:
        self.page.clock.run_for(int(seconds * 1000))

    @property
    def now(self) -> float:
        seconds: float = self.page.evaluate("Date.now() / 1000")
        return seconds

    def reads(self, name: str, text: str, *, usable: bool) -> None:
        expect(self.page.locator(f"#{name}-status")).to_contain_text(text)
        expect(self.button(name)).to_be_enabled(enabled=usable)

    def ends(self, name: str, *statuses: str) -> None:
        """See with which words it ended, each time that it did."""
        self.page.wait_for_function(
            "([name, count]) => results[name]?.length === count", arg=[name, len(statuses)]
        )
        assert self.page.evaluate(f"results['{name}']") == list(statuses)
        expect(self.cover).to_be_hidden()

    def attempts(self, name: str) -> list[Attempt]:
        return [each for each in self.shop.attempts if each.merchant_uid == f"ORD-{name}"]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture(params=SCRIPTS if ALL else ["v1"])
def version(request: pytest.FixtureRequest) -> str:
    named: str = request.param
    return named


def test_J07_N08_N14_whatever_becomes_of_a_window_the_buyer_knows_and_the_button_fits(
    shop: Shop, new_visit: Callable[..., Visit], version: str
) -> None:
    walk = Walk(shop, new_visit(), version)
    walk.page.clock.install()
    shop.open(walk.page)
    windows_that_end_with_a_callback(walk)
    windows_without_a_callback(walk)
    popups(walk)
    a_payment_begun_in_the_result_of_another(walk)
    the_net_is_gone_when_the_window_ends(walk)
    shop.gateway.sandbox.webhooks.deliver()
    assert sorted(set(shop.told)) == ["on_failed", "on_paid"]
    paid = [each.merchant_uid for each in shop.attempts if each.paid_at]
    assert shop.told.count("on_paid") == len(paid) == len(set(paid))


def windows_that_end_with_a_callback(walk: Walk) -> None:
    walk.button("twice").dblclick()
    walk.act("approve")
    walk.ends("twice", "success")
    walk.reads("twice", "결제가 완료되었습니다", usable=False)
    assert len(walk.attempts("twice")) == 1

    walk.open("vbank").act("issue")
    walk.ends("vbank", "vbankIssued")

    walk.open("declined").act("decline")
    walk.ends("declined", "failed")
    walk.reads("declined", "한도초과", usable=True)
    expect(walk.button("declined")).to_be_focused()
    walk.open("declined").act("approve")
    walk.ends("declined", "failed", "success")

    walk.settings.closed_becomes = "ready"
    walk.open("closed").act("close")
    expect(walk.cover).to_be_hidden()
    walk.wait(1)
    walk.ends("closed", "closed")
    walk.reads("closed", "사용자가 결제를 취소하셨습니다", usable=True)
    walk.settings.closed_becomes = "failed"


def windows_without_a_callback(walk: Walk) -> None:
    walk.settings.silent_close = True
    walk.open("silent")
    walk.wait(2)
    walk.act("close")
    expect(walk.cover).to_be_hidden()
    expect(walk.button("silent")).to_be_disabled()
    began = walk.now
    walk.wait(6)
    walk.ends("silent", "closed")
    assert walk.now - began < 9, "the focus is back, though the frame that had it was removed"
    walk.reads("silent", GONE, usable=True)

    # N08: the page of an app may never have the focus.
    walk.page.evaluate("document.hasFocus = () => false")
    walk.open("unfocused")
    walk.wait(1.5)
    walk.act("close")
    expect(walk.cover).to_be_hidden()
    walk.wait(10)
    expect(walk.button("unfocused")).to_be_disabled()
    walk.wait(10)
    walk.ends("unfocused", "closed")
    walk.reads("unfocused", GONE, usable=True)
    walk.page.evaluate("delete document.hasFocus")
    walk.settings.silent_close = False

    walk.settings.frame_seconds = 9
    began = walk.now
    walk.press("slow")
    for _ in range(40):  # the page may begin to wait later than the answer is seen here
        if walk.cover.is_hidden():
            expect(walk.button("slow")).to_be_disabled()
            walk.wait(0.5)
    expect(walk.cover).to_be_visible()
    assert walk.now - began >= 9
    walk.act("approve")
    walk.ends("slow", "success")
    walk.settings.frame_seconds = 0


def popups(walk: Walk) -> None:
    for close in (True, False):
        with walk.page.expect_popup() as opened:
            walk.button("popup").click()
        popup = opened.value
        expect(popup.locator("main[data-state=open]")).to_be_visible()
        if close:
            popup.close()
            walk.reads("popup", "사용자가 결제를 취소하셨습니다", usable=True)
        else:
            walk.act("approve", popup)
            walk.ends("popup", "failed", "success")

    walk.page.evaluate("window.open = () => null")
    walk.button("blocked").click()
    assert walk.alerts == ["팝업이 차단되었습니다."]
    walk.wait(50)
    expect(walk.button("blocked")).to_be_disabled()
    walk.wait(12)
    walk.ends("blocked", "closed")
    walk.reads("blocked", GONE, usable=True)


def a_payment_begun_in_the_result_of_another(walk: Walk) -> None:
    walk.page.evaluate("document.body.dataset.begins = 'refused'")
    walk.shop.gateway.sandbox.faults.add(Fault("window", status=500))
    walk.press("refused")
    expect(walk.window.locator("main[data-state=open]")).to_be_visible()
    walk.reads("refused", "결제창을 열 수 없습니다.", usable=True)
    walk.act("close")
    walk.ends("begun", "failed")
    walk.open("refused").act("decline")  # whose result begins the other once more
    expect(walk.window.locator("main[data-state=open]")).to_be_visible()
    walk.wait(5)
    expect(walk.cover).to_be_visible()
    walk.act("approve")
    walk.ends("begun", "failed", "success")
    walk.ends("refused", "refused", "failed")


def the_net_is_gone_when_the_window_ends(walk: Walk) -> None:
    walk.open("offline")
    (attempt,) = walk.attempts("offline")
    walk.shop.gateway.sandbox.approve(attempt.imp_uid)
    walk.visit.context.set_offline(True)
    told = {"imp_uid": attempt.imp_uid, "merchant_uid": attempt.merchant_uid}
    # What the window's own last page does, which it could not load now.
    frame = next(each for each in walk.page.frames if each.parent_frame)
    frame.evaluate("told => parent.postMessage(told, '*')", told)
    walk.reads("offline", CHECKED, usable=False)
    walk.wait(40)
    walk.reads("offline", CHECKED, usable=False)
    walk.visit.context.set_offline(False)
    walk.ends("offline", "success")
    asked = [each for each in walk.visit.complaints if "ERR_INTERNET_DISCONNECTED" in each]
    assert walk.visit.complaints == asked != []
    walk.visit.complaints.clear()


def test_J03_on_a_phone_the_page_leaves_for_the_window_and_comes_back_without_a_callback(
    shop: Shop, new_visit: Callable[..., Visit], version: str
) -> None:
    visit = new_visit(user_agent=PHONE, viewport={"width": 390, "height": 800})
    walk = Walk(shop, visit, version)
    shop.open(walk.page)
    walk.press("twice")
    expect(walk.cover).to_be_visible()
    expect(walk.button("twice")).to_be_disabled()
    walk.act("approve", walk.page)
    expect(walk.page.locator("h1")).to_have_text("결제가 완료되었습니다")
    assert ("imp_success=true" in walk.page.url) is (version != "v1")
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid"]
