"""The examples under their own servers, bought from in Chromium by the pay button.

The SDK's real address is the sandbox's stand-in; all else is what a shop runs. Which framework
meets which trouble is a table's choice: each sells in the page and by redirect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, Request, expect

from imp_verify.sandbox import Attempt, Fault
from imp_verify.sandbox.settings import Settings
from tests.browser.conftest import ARGUMENTS, Visit, pass_time
from tests.browser.examples import PRICE, Example, start
from tests.browser.shop import stand_in
from tests.support.needs import CHROMIUM

ANDROID = {
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36",
    "viewport": {"width": 412, "height": 839},
}
IPHONE = {
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "viewport": {"width": 393, "height": 659},
}
PHONE = {"device_scale_factor": 2, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Example]]:
    """Start examples, each at its first use; all end with the module."""
    folder, there = tmp_path_factory.mktemp("examples"), dict[str, Example]()
    with ExitStack() as ends:

        def give(name: str) -> Example:
            if name not in there:
                there[name] = start(name, folder, ends)
            there[name].gateway.sandbox.settings.change(
                {**asdict(Settings()), "webhook_url": f"{there[name].url}/payments/webhook"}
            )
            return there[name]

        yield give


@dataclass
class Buyer:
    """Somebody with an order in an example's shop."""

    shop: Example
    page: Page
    number: str

    def open(self, **changes: object) -> Buyer:
        """Visit the page with the pay button; `changes` are made as a buyer with a debugger can."""
        stand_in(self.page, self.shop.gateway)
        self.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        self.page.goto(f"{self.shop.url}/orders/{self.number}/pay")
        expect(self.button).to_be_enabled()
        self.page.evaluate(
            """changes => {
                const real = IMP.request_pay;
                IMP.request_pay = (params, done) => real({...params, ...changes}, done);
            }""",
            changes,
        )
        return self

    @property
    def button(self) -> Locator:
        return self.page.locator("button.imp-verify-button")

    @property
    def window(self) -> FrameLocator:
        return self.page.frame_locator("#imp-sandbox-window iframe")

    def press(self) -> Buyer:
        self.page.click("button.imp-verify-button")
        return self

    def click(self, action: str, where: FrameLocator | Page | None = None) -> Buyer:
        (where or self.window).locator(f"button[formaction$='/{action}']").click()
        return self

    def reads(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(text)

    def lands(self, state: str = "paid") -> None:
        """See the shop's own page of the order, which says its state."""
        self.page.wait_for_url(f"{self.shop.url}/orders/{self.number}")
        assert json.loads(self.page.inner_text("body")) == {
            "number": self.number,
            "total": PRICE,
            "state": state,
        }

    @property
    def attempts(self) -> list[Attempt]:
        there = self.shop.gateway.sandbox.gateway.attempts()
        return [each for each in there if each.merchant_uid == self.number]

    def changes(self) -> list[str]:
        """Let every webhook arrive; give what the store has handed on since."""
        self.shop.gateway.sandbox.webhooks.deliver()
        return self.shop.changes(self.number)


@pytest.fixture
def new_buyer(
    running: Callable[[str], Example], new_visit: Callable[..., Visit]
) -> Callable[..., Buyer]:
    def make(name: str, **options: object) -> Buyer:
        shop = running(name)
        return Buyer(shop, new_visit(**options).page(), shop.order())

    return make


NewBuyer = Callable[..., Buyer]


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("flask_shop", "webhook-first"),
        ("django_shop", "browser-first"),
        ("fastapi_shop", "both"),
    ],
)
def test_j01_a_payment_in_the_page_is_recorded_once_whoever_comes_first(
    new_buyer: NewBuyer, name: str, order: str
) -> None:
    buyer = new_buyer(name)
    buyer.shop.gateway.sandbox.settings.webhook_order = order
    buyer.open().press().click("approve").lands()
    assert buyer.changes() == ["paid"]


@pytest.mark.parametrize(
    ("name", "phone"),
    [("flask_shop", IPHONE), ("django_shop", ANDROID), ("fastapi_shop", IPHONE)],
)
def test_j03_on_a_phone_the_buyer_leaves_and_comes_back_without_a_callback(
    new_buyer: NewBuyer, name: str, phone: dict[str, object]
) -> None:
    buyer = new_buyer(name, **phone, **PHONE).open()
    buyer.page.tap("button.imp-verify-button")
    buyer.page.wait_for_url(f"{buyer.shop.gateway.url}/window/*")
    buyer.page.tap("button[formaction$='/approve']")
    buyer.lands()
    assert [each.channel for each in buyer.attempts] == ["mobile"]
    assert buyer.changes() == ["paid"]


def test_j02_a_buyer_whose_browser_is_gone_has_paid_by_the_webhook_alone(
    new_buyer: NewBuyer, new_visit: Callable[..., Visit]
) -> None:
    buyer = new_buyer("flask_shop").open().press()
    expect(buyer.window.locator("main[data-state=open]")).to_be_visible()
    (attempt,) = buyer.attempts
    buyer.page.close()
    buyer.shop.gateway.sandbox.approve(attempt.imp_uid)
    assert buyer.changes() == ["paid"]
    buyer.page = new_visit().page()
    buyer.page.goto(f"{buyer.shop.url}/orders/{buyer.number}")
    buyer.lands()


def test_a_declined_payment_says_why_and_the_next_one_pays(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("django_shop").open().press().click("decline")
    buyer.reads("한도초과")
    expect(buyer.button).to_be_enabled()
    buyer.press().click("approve").lands()
    assert buyer.changes() == ["failed", "paid"]


def test_a_payment_declined_on_a_phone_lands_on_the_page_of_our_own(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("fastapi_shop", **ANDROID, **PHONE).open().press()
    buyer.click("decline", buyer.page)
    expect(buyer.page.locator("main")).to_contain_text("한도초과")
    assert buyer.page.url.startswith(f"{buyer.shop.url}/payments/redirect?")
    assert buyer.changes() == ["failed"]


@pytest.mark.parametrize(("name", "becomes"), [("flask_shop", "ready"), ("fastapi_shop", "failed")])
def test_a_closed_window_leaves_the_order_open_and_the_button_usable(
    new_buyer: NewBuyer, name: str, becomes: str
) -> None:
    buyer = new_buyer(name)
    buyer.shop.gateway.sandbox.settings.closed_becomes = becomes
    buyer.open().press().click("close")
    buyer.reads("사용자가 결제를 취소하셨습니다")
    expect(buyer.button).to_be_enabled()
    assert buyer.changes() == (["failed"] if becomes == "failed" else [])
    buyer.press().click("approve").lands()


@pytest.mark.parametrize(("name", "phone"), [("flask_shop", {}), ("django_shop", IPHONE | PHONE)])
def test_a_virtual_account_waits_for_its_deposit(
    new_buyer: NewBuyer, name: str, phone: dict[str, object]
) -> None:
    buyer = new_buyer(name, **phone).open(pay_method="vbank").press()
    buyer.click("issue", buyer.page if phone else None).lands("new")
    (attempt,) = buyer.attempts
    buyer.shop.gateway.sandbox.deposit(attempt.imp_uid)
    assert buyer.changes() == ["virtual_account", "paid"]
    buyer.page.reload()
    buyer.lands()


def test_a_changed_amount_is_refused_in_the_page(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("django_shop").open(amount=100).press().click("approve")
    buyer.reads("주문과 맞지 않는 결제입니다")
    expect(buyer.button).to_be_disabled()
    assert buyer.changes() == ["forgery"]


def test_a_changed_amount_is_refused_by_redirect(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("flask_shop", **ANDROID, **PHONE).open(amount=100).press()
    buyer.click("approve", buyer.page)
    expect(buyer.page.get_by_role("heading")).to_contain_text("주문과 맞지 않는 결제입니다")
    assert buyer.changes() == ["forgery"]


def test_j07_a_double_click_is_one_payment(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("fastapi_shop").open()
    buyer.page.locator("button.imp-verify-button").dblclick()
    buyer.click("approve").lands()
    assert len(buyer.attempts) == 1
    assert buyer.changes() == ["paid"]


def test_while_the_gateway_is_down_nobody_is_asked_to_pay_again(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("django_shop")
    sandbox = buyer.shop.gateway.sandbox
    sandbox.settings.webhook_order = "browser-first"
    asked: list[Request] = []
    complete = f"{buyer.shop.url}/payments/complete"
    buyer.page.on("request", lambda each: asked.append(each) if each.url == complete else None)
    buyer.page.clock.install()
    buyer.open().press()
    sandbox.faults.add(Fault("payment", status=500, times=1))
    buyer.click("approve")
    buyer.reads("결제를 확인하고 있습니다. 다시 결제하지 말고")
    expect(buyer.button).to_be_disabled()
    assert buyer.shop.changes(buyer.number) == []
    pass_time(buyer.page, asked, 2)  # after Retry-After
    buyer.lands()
    assert buyer.changes() == ["paid"]


def test_back_on_the_page_after_paying_nothing_is_paid_twice(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("flask_shop").open().press().click("approve")
    buyer.lands()
    buyer.page.go_back(wait_until="load")
    # The page is made anew, and an order that is paid is open to no other payment.
    expect(buyer.page.locator(".imp-verify-status")).to_have_text("이미 결제된 주문입니다")
    expect(buyer.button).to_have_count(0)
    assert len(buyer.attempts) == 1
    assert buyer.changes() == ["paid"]


@pytest.mark.parametrize("name", ["django_shop", "fastapi_shop"])
def test_j10_a_window_that_pops_up_is_not_blocked_and_tells_the_page(
    new_buyer: NewBuyer, name: str
) -> None:
    buyer = new_buyer(name).open(popup=True)
    with buyer.page.expect_popup() as opening:
        buyer.press()
    with opening.value.expect_event("close"):
        buyer.click("approve", opening.value)
    buyer.lands()
    assert buyer.changes() == ["paid"]


def test_a_popup_that_the_buyer_closes_gives_the_button_back(new_buyer: NewBuyer) -> None:
    buyer = new_buyer("flask_shop")
    buyer.page.clock.install()
    buyer.open(popup=True)
    settings = buyer.shop.gateway.sandbox.settings
    for silent, said in ((True, "결제창이 닫혔습니다. 이미 결제했다면"), (False, "취소하셨습니다")):
        settings.silent_close = silent
        with buyer.page.expect_popup() as opening:
            buyer.press()
        expect(opening.value.locator("main[data-state=open]")).to_be_visible()
        # As the browser does where a popup comes in front, but for focus that is emulated.
        buyer.page.evaluate("window.dispatchEvent(new Event('blur'))")
        buyer.page.clock.run_for(2_000)
        with buyer.page.expect_response("**/window"):  # its closing is told
            opening.value.close()
        if silent:
            buyer.page.clock.run_for(20_000)
        buyer.reads(said)
        expect(buyer.button).to_be_enabled()
    assert buyer.changes() == ["failed"]


def test_a_page_that_the_browser_kept_offers_no_second_payment(
    browser: Browser, new_buyer: NewBuyer
) -> None:
    buyer = new_buyer("fastapi_shop")
    keeping = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=ARGUMENTS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    try:
        visit = Visit(keeping.new_context())
        visit.context.route("**/*", visit.guard)
        buyer.page = visit.page()
        buyer.open().press()
        buyer.page.evaluate("window.kept = true")
        buyer.click("approve").lands()
        buyer.page.go_back(wait_until="commit")
        assert buyer.page.evaluate("window.kept") is True
        expect(buyer.button).to_be_disabled()
        buyer.reads("결제가 완료되었습니다")
        assert (visit.left, visit.complaints) == ([], [])
    finally:
        keeping.close()
    assert buyer.changes() == ["paid"]
