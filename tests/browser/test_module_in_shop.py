"""imp-verify.js against the demo shop's own server and the offline gateway's SDK and window.

The page is written here, all else is real: the endpoints, the store, the SDK's two styles.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Request, Route, expect

from imp_verify.demo import Demo
from imp_verify.sandbox import Fault
from tests.browser.conftest import Buyer, Visit, pass_time

MODULE = files("imp_verify") / "_web" / "imp-verify.min.js"
NEW, OLD = "/v1/iamport.js", "/js/iamport.payment-1.2.0.js"
STYLES = pytest.mark.parametrize("sdk", [NEW, OLD], ids=["ids-only", "classic"])


class Shopper(Buyer):
    """A buyer in the demo shop, on a checkout page with imp-verify.js."""

    def check_out(self, sdk: str = NEW, **params: object) -> Shopper:
        self.order()
        given = self.page.locator("script[data-imp-verify]").text_content()
        checkout = json.loads(given or "")
        del checkout["params"]["confirm_url"]
        config = {
            "userCode": checkout["userCode"],
            "sdk": urljoin(self.demo.sandbox.url, sdk),
            "complete": checkout["complete"],
            "params": {**checkout["params"], **params},
        }
        data = json.dumps(config).replace("<", "\\u003c")
        self.page.route("**/imp-verify.js", self.serve_module)
        # Into the shop's own page, whose address and policy stay: a page that a test answers may
        # not reach loopback.
        self.page.set_content(f"""<!doctype html><html lang="ko"><meta charset="utf-8">
<button type="button" id="pay" disabled>결제하기</button><p id="pay-status"></p>
<script type="application/json" data-imp-verify="pay">{data}</script>
<script src="/imp-verify.js"></script>""")
        return self

    @staticmethod
    def serve_module(route: Route) -> None:
        content_type = "text/javascript; charset=utf-8"
        route.fulfill(content_type=content_type, body=MODULE.read_text(encoding="utf-8"))


@pytest.fixture
def shopper(demo: Demo, new_visit: Callable[..., Visit]) -> Shopper:
    return Shopper(demo, new_visit().page())


@pytest.mark.parametrize(
    ("order", "sdk"), [("webhook-first", OLD), ("browser-first", NEW), ("both", NEW), ("both", OLD)]
)
def test_j01_a_payment_in_the_page_is_recorded_once_and_lands(
    shopper: Shopper, order: str, sdk: str
) -> None:
    shopper.demo.sandbox.sandbox.settings.webhook_order = order
    shopper.check_out(sdk).open_window().click("approve")
    shopper.sees_order("paid")
    shopper.deliver()
    assert shopper.told() == ["on_paid"]


@STYLES
def test_j03_on_a_phone_the_redirect_finishes_it_without_a_callback(
    demo: Demo, new_visit: Callable[..., Visit], sdk: str
) -> None:
    phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"
    shopper = Shopper(demo, new_visit(user_agent=phone).page())
    shopper.check_out(sdk)
    shopper.in_page = False
    shopper.open_window().click("approve")
    shopper.sees_order("paid")
    shopper.deliver()
    assert shopper.told() == ["on_paid"]


@STYLES
def test_a_virtual_account_lands_on_the_order_that_waits(shopper: Shopper, sdk: str) -> None:
    shopper.check_out(sdk, pay_method="vbank").open_window().click("issue")
    shopper.sees_order("waiting")
    shopper.deliver()
    assert shopper.told() == ["on_virtual_account"]


@pytest.mark.parametrize(("becomes", "sdk"), [("failed", NEW), ("ready", OLD)])
def test_a_closed_window_gives_the_button_back_and_the_next_one_pays(
    shopper: Shopper, becomes: str, sdk: str
) -> None:
    shopper.demo.sandbox.sandbox.settings.closed_becomes = becomes
    shopper.check_out(sdk).open_window().click("close")
    shopper.reads("사용자가 결제를 취소하셨습니다")
    expect(shopper.page.locator("#pay")).to_be_enabled()
    shopper.open_window().click("approve")
    shopper.sees_order("paid")
    shopper.deliver()
    assert shopper.told()[-1:] == ["on_paid"]


@STYLES
def test_j03_an_order_that_is_paid_elsewhere_is_refused_and_told(
    shopper: Shopper, sdk: str
) -> None:
    shopper.check_out(sdk)
    sandbox = shopper.demo.sandbox.sandbox
    paid = sandbox.gateway.open({"merchant_uid": shopper.number, "amount": 1})
    sandbox.approve(paid.imp_uid)
    shopper.page.click("#pay")
    shopper.reads("이미 결제가 이루어진 거래건입니다.")
    expect(shopper.page.locator("#pay")).to_be_enabled()


@STYLES
def test_a_changed_amount_is_told_and_the_button_stays_closed(shopper: Shopper, sdk: str) -> None:
    shopper.check_out(sdk, amount=100).open_window().click("approve")
    shopper.reads("주문과 맞지 않는 결제입니다. 다시 결제하지 말고 판매자에게 문의해 주세요.")
    expect(shopper.page.locator("#pay")).to_be_disabled()
    shopper.deliver()
    assert shopper.told() == ["on_forgery"]


def test_while_the_gateway_is_down_the_buyer_waits_and_then_lands(shopper: Shopper) -> None:
    sandbox = shopper.demo.sandbox.sandbox
    sandbox.settings.webhook_order = "browser-first"
    asked: list[Request] = []
    complete = f"{shopper.demo.url}/payments/complete"
    shopper.page.on("request", lambda each: asked.append(each) if each.url == complete else None)
    shopper.page.clock.install()
    shopper.check_out().open_window()
    sandbox.faults.add(Fault("payment", status=500, times=1))
    shopper.click("approve")
    shopper.reads("결제를 확인하고 있습니다. 다시 결제하지 말고")
    expect(shopper.page.locator("#pay")).to_be_disabled()
    pass_time(shopper.page, asked, 2)  # after Retry-After
    shopper.sees_order("paid")
    shopper.deliver()
    assert shopper.told() == ["on_paid"]
