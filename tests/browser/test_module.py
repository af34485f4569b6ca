"""imp-verify.js in a real browser: a page that uses it, a stand-in SDK, and the real answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from imp_verify._web.answers import TROUBLE, Wording, verdict_answer
from imp_verify.models import Verdict
from tests.browser.conftest import Visit

SHOP = "https://shop.test"
SDK = "https://cdn.iamport.kr/v1/iamport.js"
MODULE = files("imp_verify") / "_web" / "imp-verify.min.js"
CONFIG: dict[str, object] = {
    "userCode": "imp00000000",
    "complete": "/payments/complete",
    "language": "ko",
    "params": {
        "merchant_uid": "ORD-1001",
        "name": 'O\'Neil "A" \\ 주문 & 끝 </script><script>alert(1)</script>',
        "amount": 39000,
        "m_redirect_url": SHOP + "/payments/redirect",
    },
}
# Notes what it is asked, in which turn, and shows a frame. `finish` is the buyer's part.
STUB = """
window.calls = {inits: [], opened: []};
window.IMP = {
  init: (code) => window.calls.inits.push(code),
  request_pay(params, callback) {
    const frame = document.createElement("iframe");
    frame.width = frame.height = 400;
    document.body.append(frame);
    const within = window.event?.type === "click" && navigator.userActivation.isActive;
    window.calls.opened.push({params, within});
    window.finish = (answer) => { frame.remove(); callback(answer); };
    window.vanish = () => frame.remove();
  },
};
"""
CLASSIC = '<script src="/payments/imp-verify.js" defer{nonce}></script>'
AS_MODULE = """<script type="module"{nonce}>
import "/payments/imp-verify.js";
window.seen = typeof window.ImpVerify.pay;
</script>"""
IMP_UID = "imp_100000000001"
WAYS = pytest.mark.parametrize("script", [CLASSIC, AS_MODULE], ids=["classic", "module"])


@dataclass
class Site:
    """A shop's pages as a browser is served them."""

    page: Page
    script: str = CLASSIC
    policy: str = ""
    nonce: str = ""
    answers: list[str] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    landed: list[str] = field(default_factory=list)

    def serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(SHOP).partition("?")[0]
        if path == "/payments/imp-verify.js":
            body = MODULE.read_text(encoding="utf-8")
            route.fulfill(content_type="text/javascript; charset=utf-8", body=body)
        elif path == "/payments/complete":
            self.asked.append(route.request.post_data_json)
            key = self.answers.pop(0) if self.answers else Verdict.PAID
            answer = verdict_answer("complete", key, Wording("ko"))
            route.fulfill(
                status=answer.status, headers=dict(answer.headers), body=answer.body.decode()
            )
        elif path == "/payments/redirect":
            self.landed.append(route.request.url)
            route.fulfill(content_type="text/html", body="<h1>landed</h1>")
        else:
            self.serve_checkout(route)

    def serve_checkout(self, route: Route) -> None:
        nonce = f' nonce="{self.nonce}"' if self.nonce else ""
        data = json.dumps(CONFIG).replace("<", "\\u003c")
        body = f"""<!doctype html><html lang="ko"><meta charset="utf-8">
<link rel="icon" href="data:,"><button type="button" id="pay">결제하기</button>
<p id="pay-status" role="status"></p>
<script type="application/json" data-imp-verify="pay">{data}</script>
{self.script.replace("{nonce}", nonce)}"""
        headers = {"content-type": "text/html; charset=utf-8"}
        if self.policy:
            headers["content-security-policy"] = self.policy
        route.fulfill(headers=headers, body=body)

    def open(self) -> Site:
        self.page.route(SHOP + "/**", self.serve)
        self.page.route(SDK, lambda route: route.fulfill(content_type="text/javascript", body=STUB))
        self.page.goto(SHOP + "/checkout")
        expect(self.page.locator("#pay")).to_be_enabled()
        return self

    def pay(self) -> Site:
        self.page.click("#pay")
        self.finish()
        return self

    def finish(self) -> None:
        self.page.evaluate("id => window.finish({imp_uid: id, merchant_uid: 'x'})", IMP_UID)

    def calls(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("window.calls")
        return found

    def says(self, text: str) -> None:
        expect(self.page.locator("#pay-status")).to_contain_text(text)

    def lands(self) -> None:
        expect(self.page.locator("h1")).to_have_text("landed")
        query = f"?imp_uid={IMP_UID}&merchant_uid=ORD-1001"
        assert self.landed == [SHOP + "/payments/redirect" + query]


@pytest.fixture
def page(new_visit: Callable[..., Visit]) -> Page:
    return new_visit().page()


@WAYS
def test_j10_the_window_opens_within_the_click_and_the_server_is_asked(
    page: Page, script: str
) -> None:
    site = Site(page, script).open()
    page.click("#pay")
    expect(page.locator("#pay")).to_be_disabled()
    (opened,) = site.calls()["opened"]
    assert opened["within"] is True
    assert opened["params"] == CONFIG["params"]
    site.finish()
    site.lands()
    assert site.asked == [{"imp_uid": IMP_UID, "merchant_uid": "ORD-1001"}]


def test_x11_text_that_would_close_a_script_block_adds_no_script(page: Page) -> None:
    site = Site(page).open()
    assert page.locator("body script, head script").count() == 3  # data, module, SDK
    page.click("#pay")
    (opened,) = site.calls()["opened"]
    assert opened["params"] == CONFIG["params"]


def test_j07_as_script_and_as_module_on_one_page_it_is_there_once(page: Page) -> None:
    site = Site(page, CLASSIC + AS_MODULE + CLASSIC).open()
    page.wait_for_function("window.seen === 'function'")
    page.locator("#pay").dblclick(force=True)
    assert site.calls()["inits"] == ["imp00000000"]
    assert len(site.calls()["opened"]) == 1
    assert page.locator(f"script[src='{SDK}']").count() == 1


@WAYS
def test_j07_a_double_click_is_one_payment_and_one_question(page: Page, script: str) -> None:
    site = Site(page, script).open()
    page.locator("#pay").dblclick()
    assert len(site.calls()["opened"]) == 1
    page.evaluate("id => { finish({imp_uid: id}); finish({imp_uid: id}); }", IMP_UID)
    site.lands()
    assert len(site.asked) == 1


def test_503_is_told_as_being_checked_and_asked_again_when_the_server_says(page: Page) -> None:
    page.clock.install()
    site = Site(page, answers=[TROUBLE, TROUBLE]).open().pay()
    site.says("결제를 확인하고 있습니다. 다시 결제하지 말고")
    expect(page.locator("#pay")).to_be_disabled()
    with page.expect_response("**/payments/complete"):
        page.clock.run_for(10_000)  # Retry-After
    site.says("결제를 확인하고 있습니다. 다시 결제하지 말고")
    with page.expect_response("**/payments/complete"):
        page.clock.run_for(10_000)
    site.lands()
    assert len(site.asked) == 3


def test_a_reload_while_nothing_is_known_does_not_offer_the_payment_again(page: Page) -> None:
    site = Site(page, answers=[TROUBLE, TROUBLE]).open().pay()
    site.says("다시 결제하지 말고")
    with page.expect_response("**/payments/complete"):
        page.reload()
    site.says("다시 결제하지 말고")
    expect(page.locator("#pay")).to_be_disabled()
    assert site.asked == [{"imp_uid": IMP_UID, "merchant_uid": "ORD-1001"}] * 2


def test_a_window_that_vanishes_without_a_callback_gives_the_button_back(page: Page) -> None:
    page.clock.install()
    site = Site(page).open()
    page.click("#pay")
    page.clock.run_for(70_000)
    expect(page.locator("#pay")).to_be_disabled()
    page.evaluate("window.vanish()")
    page.bring_to_front()
    page.clock.run_for(6_000)
    site.says("결제창이 닫혔습니다")
    page.click("#pay")
    assert len(site.calls()["opened"]) == 2


@pytest.mark.parametrize(
    ("key", "said", "usable"),
    [
        (Verdict.FAILED, "다시 시도할 수 있습니다", True),
        (Verdict.FORGERY, "주문과 맞지 않는 결제입니다", False),
        (Verdict.DUPLICATE, "이미 결제된 주문입니다", False),
    ],
)
def test_the_servers_verdict_is_what_the_buyer_reads(
    page: Page, key: str, said: str, usable: bool
) -> None:
    site = Site(page, answers=[key]).open().pay()
    site.says(said)
    assert page.locator("#pay").is_enabled() is usable
    assert site.landed == []


STRICT = "default-src 'none'; connect-src 'self'; img-src data:; frame-src 'self'; "


@WAYS
@pytest.mark.parametrize(
    "allowed",
    [
        "'nonce-n0nce'",
        "'nonce-n0nce' 'strict-dynamic'",
        "'self' 'nonce-n0nce' https://cdn.iamport.kr",
    ],
)
def test_a_strict_content_security_policy_is_kept(page: Page, script: str, allowed: str) -> None:
    policy = f"{STRICT}script-src {allowed}"
    site = Site(page, script, policy=policy, nonce="n0nce").open()
    page.click("#pay")
    page.evaluate("id => window.finish({imp_uid: id})", IMP_UID)
    site.lands()


def test_a_policy_of_hosts_needs_no_nonce(page: Page) -> None:
    policy = f"{STRICT}script-src 'self' https://cdn.iamport.kr"
    site = Site(page, policy=policy).open().pay()
    site.lands()
