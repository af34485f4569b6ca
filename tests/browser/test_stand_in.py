"""The sandbox's stand-in for the browser SDK, called as a page calls the real one.

What the real builds do was found by driving them; the page here is the shop's own, without ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import Visit
from tests.browser.shop import NUMBER, PRICE, Shop

VERSIONS = {
    "1.1": "https://cdn.iamport.kr/js/iamport.payment-1.1.8.js",
    "1.2": "https://cdn.iamport.kr/js/iamport.payment-1.2.0.js",
    "1.3": "https://cdn.iamport.kr/js/iamport.payment-1.3.0.js",
    "v1": "https://cdn.iamport.kr/v1/iamport.js",
}
OLD_METHODS = "init agency request_pay certification communicate close naver_zzim"
NEW_METHODS = "loadUI updateLoadUIRequest loadModule deinit"
PAGE = """<!doctype html><html lang="ko"><meta charset="utf-8"><title>shop</title>
<button id="pay" onclick="pay(given)">결제하기</button><a href="/elsewhere">elsewhere</a>
<script src="SDK"></script><script>
const order = (changes) => ({merchant_uid: "NUMBER", amount: PRICE, ...changes});
const told = [];
let given = order(), then = () => {};
const visible = () => document.querySelector("#imp-sandbox-window iframe")?.checkVisibility();
const pay = (params) => IMP.request_pay(params, (answer) => {
  told.push({...answer, visible: Boolean(visible())});
  then();
});
</script>"""


class Caller:
    """A page that calls the SDK, and what it was told."""

    def __init__(self, shop: Shop, page: Page, version: str) -> None:
        text = PAGE.replace("SDK", VERSIONS[version]).replace("NUMBER", NUMBER)
        shop.page = lambda: text.replace("PRICE", str(PRICE))
        self.shop, self.version = shop, version
        self.page = shop.open(page)
        self.alerts: list[str] = []
        page.on("dialog", self._hear)
        self.cover = page.get_by_role("dialog")
        self.window = page.frame_locator("#imp-sandbox-window iframe")

    def _hear(self, dialog: Dialog) -> None:
        self.alerts.append(dialog.message)
        dialog.accept()

    def run(self, code: str) -> Any:
        return self.page.evaluate(code)

    def alerted(self, text: str) -> None:
        """Hear this by an alert, and no callback."""
        (said,) = self.alerts
        assert text in said
        self.alerts.clear()
        assert self.run("told") == []

    def open(self, changes: str = "{}") -> None:
        self.run(f"given = order({changes})")
        self.page.click("#pay")
        expect(self.window.locator("main[data-state=open]")).to_be_visible()

    def act(self, action: str) -> None:
        self.window.locator(f"button[formaction$='/{action}']").click()

    def answer(self) -> dict[str, Any]:
        """Return what the callback got since it was last asked."""
        self.page.wait_for_function("told.length")
        (answer,) = self.run("told.splice(0)")
        expect(self.cover).to_be_hidden()
        found: dict[str, Any] = answer
        return found

    def fails(self, code: str, field: str = "error_code") -> dict[str, Any]:
        """Be told of an error by the fields that this build has for it."""
        answer = self.answer()
        assert answer.pop(field) == code
        assert answer.pop("error_msg")
        assert answer.pop("merchant_uid") == NUMBER
        if self.version != "v1":
            assert answer.pop("imp_success") is False
        del answer["visible"]
        return answer

    @property
    def focused(self) -> str:
        found: str = self.run("document.activeElement.id || document.activeElement.tagName")
        return found


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture
def caller(shop: Shop, new_visit: Callable[..., Visit], version: str) -> Caller:
    return Caller(shop, new_visit().page(), version)


@pytest.mark.parametrize("version", ["1.2", "1.3", "v1"])
def test_it_is_called_as_the_builds_are_and_answers_as_they_do(caller: Caller) -> None:
    version = caller.version
    methods = OLD_METHODS if version in ("1.1", "1.2") else f"{OLD_METHODS} {NEW_METHODS}"
    assert caller.run("Object.keys(IMP).sort()") == sorted(methods.split())

    # What is missing is told by an alert alone.
    caller.run("pay(order())")
    caller.alerted("IMP.init")
    caller.run("IMP.init('imp00000000'); pay()")
    caller.alerted("결제 정보")
    caller.run("window.real = window.open; window.open = () => null; pay(order({popup: true}))")
    caller.alerted("팝업")
    caller.run("window.open = window.real; 0")

    # Types are the server's to check, and the caller's object is written into.
    caller.run("given = order({amount: 'x'}); pay(given)")
    assert caller.fails("F400") == {}
    assert caller.run("given.request_id")
    caller.run("given = Object.freeze(order({amount: '1'})); pay(given)")
    assert caller.fails("F400") == {}
    caller.run("pay('text')")
    assert caller.answer()["error_code"] == "F400"
    caller.run("IMP.agency('imp00000000', 'ABC'); given = order({amount: null}); pay(given)")
    assert caller.fails("F400") == {}
    assert caller.run("given.tier_code") == "ABC"
    caller.run("IMP.init('nobody'); pay(order())")
    assert caller.fails("F400") == {}

    # A second init is no error. It builds the frames anew: an open window goes, without a callback.
    caller.run("IMP.init('imp00000000')")
    caller.open()
    caller.run("IMP.init('imp00000000')")
    expect(caller.cover).to_be_hidden()

    # Callback first, then hidden, then built anew: what the callback begins goes with that.
    caller.run("then = () => { then = () => {}; pay(order()); throw new Error('swallowed'); }; 0")
    caller.open()
    with caller.page.expect_response("**/window"):
        caller.act("approve")
    assert caller.answer()["visible"] is True
    caller.run("new Promise((turn) => setTimeout(turn, 0))")
    expect(caller.cover).to_be_hidden()
    assert caller.run("told") == []


@pytest.mark.parametrize("version", ["v1"])
def test_its_window_is_a_dialog_that_a_keyboard_can_leave(caller: Caller) -> None:
    page = caller.page
    caller.run("IMP.init('imp00000000')")
    for language, name in (("en", "Payment window"), ("ko", "결제창")):
        caller.run(f"given = order({{language: '{language}'}})")
        page.focus("#pay")
        page.keyboard.press("Enter")
        expect(caller.window.locator("main[data-state=open]")).to_be_visible()
        cover = page.get_by_role("dialog", name=name, exact=True)
        expect(cover).to_have_attribute("aria-modal", "true")
        assert caller.focused == "IFRAME"
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        caller.run("document.getElementById('pay').focus()")
        assert caller.focused != "pay", "the background is inert"
        if language == "ko":
            page.mouse.click(5, 5)  # beside the frame: the page has the focus, not the window
        else:
            caller.window.locator("button").first.focus()
        page.keyboard.press("Escape")
        answer = caller.answer()
        assert (answer["error_code"], answer["visible"]) == ("SANDBOX_CLOSED", True)
        assert caller.focused == "pay"
    caller.shop.gateway.sandbox.settings.silent_close = True
    caller.open()
    caller.act("close")
    expect(caller.cover).to_be_hidden()
    assert caller.run("told") == []
    caller.open()
    caller.run("IMP.close()")
    expect(caller.cover).to_be_hidden()
    assert caller.focused == "pay"
    assert caller.run("told") == []


@pytest.mark.parametrize("version", ["1.1", "v1"])
def test_a_popup_is_polled_and_its_closing_told(caller: Caller) -> None:
    caller.run("IMP.init('imp00000000'); given = order({popup: true})")
    for closes in (True, False):
        with caller.page.expect_popup() as opened:
            caller.page.click("#pay")
        popup = opened.value
        expect(popup.locator("main[data-state=open]")).to_be_visible()
        (attempt,) = [each for each in caller.shop.attempts if each.in_window]
        if closes:
            popup.close()
            field = "error_code" if caller.version == "v1" else "error_coe"
            assert caller.fails("F1001", field) == {"imp_uid": attempt.imp_uid}
            assert caller.shop.attempts[0].status == "failed"
        else:
            with popup.expect_event("close"):
                popup.locator("button[formaction$='/approve']").click()
            assert caller.answer()["imp_uid"] == attempt.imp_uid


def test_a_phone_shows_a_dialog_and_then_posts_the_page(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"
    visit = new_visit(user_agent=phone, viewport={"width": 390, "height": 800})
    caller = Caller(shop, visit.page(), "v1")
    back = f"{shop.url}/?back=1"
    caller.run(f"IMP.init('imp00000000'); given = order({{m_redirect_url: '{back}'}})")
    with caller.page.expect_request(
        lambda request: request.method == "POST" and "imp_" in request.url
    ):
        caller.page.click("#pay")
        expect(caller.window.locator("main")).to_have_text("결제창으로 이동하는 중입니다…")
    expect(caller.page.locator("main[data-state=open]")).to_be_visible()
    caller.page.locator("button[formaction$='/approve']").click()
    caller.page.wait_for_url(f"{back}&imp_uid=*")
