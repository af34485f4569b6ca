"""The window's buttons and the PGs' ways in a browser: that the page is told by its callback, or is
led back as a whole, on a PC and on a phone. What each button tells is tested without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.shop import Shop, needs_node
from tests.browser.test_accessible import found
from tests.browser.test_stand_in import Caller

PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"
DEVICES: dict[str, dict[str, object]] = {
    "pc": {},
    "mobile": {"user_agent": PHONE, "viewport": {"width": 390, "height": 800}},
}
STATUSES = {
    "approve": "paid",
    "balance": "paid",
    "decline": "failed",
    "close": "failed",
    "tamper": "paid",
    "late": "ready",
    "silent": "paid",
    "untrue": "paid",
    "no-id": "paid",
    "lose": "failed",
    "leave": "ready",
}
NOT_TOLD = ("silent", "leave")
CALLBACK, REDIRECT, POPUP = "callback", "redirect", "popup"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


def caller_on(shop: Shop, new_visit: Callable[..., Visit], device: str) -> Caller:
    caller = Caller(shop, new_visit(**DEVICES[device]).page(), "v1")
    caller.run("IMP.init('imp00000000')")
    return caller


def test_each_button_ends_the_window_and_the_page_hears_what_it_should(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    caller = caller_on(shop, new_visit, "pc")
    for at, (action, status) in enumerate(STATUSES.items()):
        caller.open(f"{{pg: 'kakaopay', merchant_uid: 'ORD{at}'}}")
        button = caller.window.locator(f"button[formaction$='/{action}']")
        if not button.is_visible():
            caller.window.locator("summary").click()
        if action == "tamper":
            caller.window.locator("input[name=amount]").fill("100")
        button.click()
        expect(caller.cover).to_be_hidden()
        attempt = shop.attempts[-1]
        assert (action, attempt.status) == (action, status)
        assert attempt.amount == (100 if action == "tamper" else 39000)
        if action in NOT_TOLD:
            assert caller.run("told") == []
        else:
            answer = caller.answer()
            assert answer["merchant_uid"] == f"ORD{at}"
            told = {"no-id": "missing", "lose": None}.get(action, attempt.imp_uid)
            assert answer.get("imp_uid", "missing") == told


@pytest.mark.parametrize(
    ("device", "pg", "more", "way"),
    [
        ("pc", "kakaopay", "", CALLBACK),
        ("pc", "paypal", "", REDIRECT),
        ("pc", "naverpay", "", CALLBACK),
        ("pc", "naverpay", "naverPopupMode: false", REDIRECT),
        ("pc", "paypal_v2", "", POPUP),
        ("mobile", "kakaopay", "", REDIRECT),
        ("mobile", "payco", "", CALLBACK),
        ("mobile", "paypal_v2", "", POPUP),
    ],
)
def test_a_pg_opens_and_comes_back_as_its_row_says(
    shop: Shop, new_visit: Callable[..., Visit], device: str, pg: str, more: str, way: str
) -> None:
    caller = caller_on(shop, new_visit, device)
    page, back = caller.page, f"{shop.url}/?back=1"
    caller.run(f"given = order({{pg: '{pg}', m_redirect_url: '{back}', {more}}})")
    approve = "button[formaction$='/approve']"
    if way == POPUP:
        with page.expect_popup() as opened:
            page.click("#pay")
        with opened.value.expect_event("close"):
            opened.value.locator(approve).click()
    elif way == CALLBACK:
        page.click("#pay")
        caller.window.locator(approve).click()
    else:
        page.click("#pay")
        page.locator(approve).click()
        page.wait_for_url(f"{back}&imp_uid=*")
    if way != REDIRECT:
        assert caller.answer()["imp_uid"] == shop.attempts[0].imp_uid
    (attempt,) = shop.attempts
    assert (attempt.status, attempt.channel) == ("paid", device)


def test_a_window_in_a_page_leads_it_back_once_it_is_as_on_a_phone(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    caller = caller_on(shop, new_visit, "pc")
    back = f"{shop.url}/?back=1"
    caller.open(f"{{m_redirect_url: '{back}'}}")
    caller.act("device")
    expect(caller.window.locator("main[data-device=mobile]")).to_be_visible()
    caller.act("approve")
    caller.page.wait_for_url(f"{back}&imp_uid=*")
    assert shop.attempts[0].channel == "mobile"


def test_the_button_of_a_pg_opens_what_it_was_last_told(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    caller = caller_on(shop, new_visit, "pc")
    caller.run("IMP.loadUI('paypal-spb', order({pg: 'paypal_v2'}), (answer) => told.push(answer))")
    caller.alerted("portone-ui-container")
    caller.run(
        """document.body.insertAdjacentHTML("beforeend", `<p class="portone-ui-container"></p>
        <p class="portone-ui-container" data-portone-ui-type="paypal-spb" id="place"></p>`);
        IMP.updateLoadUIRequest('paypal-spb', order({amount: 1}));
        for (const amount of [1, 2])
          IMP.loadUI('paypal-spb', order({pg: 'paypal_v2', amount}), (answer) => told.push(answer));
        IMP.updateLoadUIRequest('paypal-spb', order({pg: 'paypal_v2', amount: 3}))"""
    )
    with caller.page.expect_popup() as opened:
        caller.page.click("#place > button")
    with opened.value.expect_event("close"):
        opened.value.locator("button[formaction$='/approve']").click()
    assert caller.answer()["imp_uid"] == shop.attempts[0].imp_uid
    assert (shop.attempts[0].amount, shop.attempts[0].currency) == (3, "USD")
    caller.run("IMP.deinit()")
    expect(caller.page.locator(".imp-sandbox-ui")).to_have_count(0)
    caller.run("IMP.loadUI('paypal-spb', order({}))")
    assert "IMP.init" in caller.alerts.pop()
    caller.run("IMP.init('imp00000000'); IMP.loadUI('paypal-spb')")
    assert "결제 정보" in caller.alerts.pop()


@needs_node
@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_window_with_all_its_buttons_is_free_of_what_axe_finds(
    shop: Shop, new_visit: Callable[..., Visit], language: str
) -> None:
    page = new_visit(bypass_csp=True).page()  # axe is a script; pages allow none of others
    gateway = shop.gateway.sandbox.gateway
    for how in ("card", "vbank"):
        wanted = {"merchant_uid": how, "amount": 39000, "pg": "kakaopay", "pay_method": how}
        opened = gateway.open({**wanted, "name": "참나무 의자"})
        page.goto(f"{shop.gateway.url}/window/{opened.imp_uid}?lang={language}")
        assert all_open(page) == 1
        assert found(page) == []


def all_open(page: Page) -> int:
    """Open what is folded, and count it."""
    count: int = page.evaluate(
        "[...document.querySelectorAll('details')].map((each) => { each.open = true; }).length"
    )
    return count
