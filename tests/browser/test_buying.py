"""Every way to buy in the demo shop, from the first click to what the shop has recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import expect

from imp_verify.demo import Demo
from tests.browser.conftest import Buyer, Visit

ORDERS = ("webhook-first", "browser-first", "both")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("how", ["card_page", "card_redirect"])
def test_a_payment_is_recorded_once_whoever_comes_first(buyer: Buyer, order: str, how: str) -> None:
    buyer.demo.sandbox.sandbox.settings.webhook_order = order
    buyer.buy(how, "approve")
    buyer.sees_order("paid")
    deliveries = buyer.deliver()
    assert [delivery.status for delivery in deliveries] == [200]
    assert buyer.told() == ["on_paid"]
    buyer.look_again("paid")
    expect(buyer.page.locator("#imp-uid")).to_have_text(buyer.attempts[0].imp_uid)
    expect(buyer.page.locator("li[data-hook=on_paid]")).to_have_count(1)


@pytest.mark.parametrize("order", ORDERS)
def test_a_virtual_account_is_shown_and_paid_by_its_deposit(buyer: Buyer, order: str) -> None:
    buyer.demo.sandbox.sandbox.settings.webhook_order = order
    buyer.buy("vbank", "issue")
    buyer.sees_order("waiting")
    (attempt,) = buyer.attempts
    assert [delivery.status for delivery in buyer.deliver()] == [200]
    assert buyer.told() == ["on_virtual_account"]
    buyer.look_again("waiting")
    expect(buyer.page.locator("#imp-uid")).to_have_text(attempt.imp_uid)
    expect(buyer.page.locator("li[data-hook=on_virtual_account]")).to_have_count(1)
    assert attempt.vbank is not None
    expect(buyer.page.locator("#account")).to_have_text(attempt.vbank.number)
    expect(buyer.page.locator("#bank")).to_have_text(attempt.vbank.bank)
    expect(buyer.page.locator("#due")).to_be_visible()
    console = buyer.in_sandbox(attempt.imp_uid)
    console.locator("button[formaction$='/deposit']").click()
    expect(console.locator("main")).to_have_attribute("data-state", "paid")
    buyer.deliver()
    assert buyer.told() == ["on_virtual_account", "on_paid"]
    buyer.look_again("paid")


def test_a_declined_payment_is_told_and_can_be_tried_again(buyer: Buyer) -> None:
    buyer.buy("card_page", "decline")
    buyer.reads("한도초과")
    expect(buyer.page.locator("#pay")).to_be_enabled()
    assert buyer.told() == ["on_failed"]
    buyer.open_window().click("approve")
    buyer.sees_order("paid")
    buyer.deliver()
    assert buyer.told() == ["on_failed", "on_paid"]


def test_a_payment_declined_by_redirect_comes_back_to_its_order(buyer: Buyer) -> None:
    buyer.buy("card_redirect", "decline")
    buyer.page.wait_for_url(f"**/orders/{buyer.number}?result=failed")
    buyer.sees_state("new")
    expect(buyer.page.locator("#result")).to_have_attribute("data-result", "failed")
    assert buyer.told() == ["on_failed"]


@pytest.mark.parametrize("becomes", ["failed", "ready"])
def test_a_closed_window_leaves_the_order_unpaid(buyer: Buyer, becomes: str) -> None:
    buyer.demo.sandbox.sandbox.settings.closed_becomes = becomes
    buyer.buy("card_page", "close")
    buyer.reads("사용자가 결제를 취소하셨습니다")
    assert buyer.attempts[0].status == becomes
    assert buyer.told() == (["on_failed"] if becomes == "failed" else [])
    buyer.look_again("new")


@pytest.mark.parametrize("order", ["webhook-first", "browser-first"])
def test_a_tampered_amount_is_refused(buyer: Buyer, order: str) -> None:
    buyer.demo.sandbox.sandbox.settings.webhook_order = order
    buyer.buy("card_page", "approve", "tamper")
    buyer.reads("주문과 맞지 않는 결제입니다")
    expect(buyer.page.locator("#pay")).to_be_disabled()
    (attempt,) = buyer.attempts
    assert (attempt.status, str(attempt.amount)) == ("paid", "100")
    assert [delivery.status for delivery in buyer.deliver()] == [400]
    assert buyer.told() == ["on_forgery"]
    buyer.page.get_by_role("link", name="주문 보기").click()
    buyer.sees_order("new")
    expect(buyer.page.locator("#result")).to_have_attribute("data-result", "forgery")


def test_after_tampering_the_money_is_given_back_in_the_sandboxs_one_tab_and_it_is_ordered_anew(
    buyer: Buyer,
) -> None:
    buyer.buy("card_page", "approve", "tamper")
    buyer.reads("주문과 맞지 않는 결제입니다")
    buyer.page.get_by_role("link", name="주문 보기").click()
    with buyer.page.context.expect_page() as opened:
        buyer.page.click("#refund")
    sandbox = opened.value
    sandbox.locator("button[formaction$='/cancel']").click()
    expect(sandbox.locator("main")).to_have_attribute("data-state", "cancelled")
    buyer.page.get_by_role("link", name="샌드박스 열기").click()
    expect(sandbox.locator("h1")).to_have_text("샌드박스 결제 내역")
    assert len(buyer.page.context.pages) == 2
    sandbox.get_by_role("link", name="상점으로 돌아가기").click()
    expect(sandbox.locator("h1")).to_have_text("집에 두고 오래 쓰는 물건")
    buyer.page.goto(f"{buyer.demo.url}/orders/{buyer.number}/pay")
    buyer.sees_order("new")  # the gateway takes no second payment of this number
    buyer.page.get_by_role("button", name="새로 주문하기").click()
    buyer.page.wait_for_url("**/pay")
    assert buyer.number not in buyer.page.url


def test_a_tampered_amount_is_refused_by_redirect_too(buyer: Buyer) -> None:
    buyer.buy("card_redirect", "approve", "tamper")
    buyer.page.wait_for_url("**result=forgery")
    buyer.deliver()
    assert buyer.told() == ["on_forgery"]
    buyer.look_again("new")


def test_with_confirm_a_tampered_amount_moves_no_money(buyer: Buyer) -> None:
    buyer.buy("card_page", "approve", "tamper", "confirm")
    buyer.reads("고객사 요청에 의해 결제를 중단합니다")
    (attempt,) = buyer.attempts
    assert (attempt.status, attempt.paid_at) == ("failed", 0)
    assert attempt.fail_reason is not None
    assert "고객사 요청에 의해 결제를 중단합니다" in attempt.fail_reason
    buyer.look_again("new")


def test_with_confirm_an_honest_payment_goes_through(buyer: Buyer) -> None:
    buyer.buy("card_page", "approve", "confirm")
    buyer.sees_order("paid")
    buyer.deliver()
    assert buyer.told() == ["on_paid"]


def test_a_payment_cancelled_in_full_is_refunded(buyer: Buyer) -> None:
    buyer.buy("card_page", "approve")
    buyer.sees_order("paid")
    console = buyer.in_sandbox(buyer.attempts[0].imp_uid)
    console.locator("button[formaction$='/cancel']").click()
    expect(console.locator("main")).to_have_attribute("data-state", "cancelled")
    buyer.deliver()
    assert buyer.told() == ["on_paid", "on_cancelled"]
    buyer.look_again("refunded")
    expect(buyer.page.locator("#refunded")).to_have_text("64,900원")


def test_a_payment_cancelled_in_parts_stays_paid(buyer: Buyer) -> None:
    buyer.buy("card_page", "approve")
    buyer.sees_order("paid")
    console = buyer.in_sandbox(buyer.attempts[0].imp_uid)
    for part in ("900", "4,000"):
        console.locator("input[name=amount]").fill(part)
        console.locator("button[formaction$='/cancel']").click()
        expect(console.locator("main")).to_have_attribute("data-state", "partly")
        buyer.deliver()
    assert buyer.told() == ["on_paid", "on_partly_cancelled", "on_partly_cancelled"]
    buyer.look_again("partly")
    expect(buyer.page.locator("#refunded")).to_have_text("4,900원")
    expect(buyer.page.locator("#left")).to_have_text("60,000원")


def test_a_price_with_decimals_is_paid_to_the_cent(buyer: Buyer) -> None:
    buyer.order("poster").choose("card_page").open_window().click("approve")
    buyer.sees_order("paid")
    (attempt,) = buyer.attempts
    assert (str(attempt.amount), attempt.currency) == ("19.99", "USD")


def test_an_order_that_the_shop_cancelled_while_the_window_was_open_is_late_not_paid(
    buyer: Buyer,
) -> None:
    buyer.order().choose("card_page").open_window()
    with closing(sqlite3.connect(buyer.demo.database)) as db, db:
        db.execute("UPDATE orders SET state = 'cancelled' WHERE number = ?", (buyer.number,))
    buyer.click("approve")
    buyer.reads("마감되었거나 처리할 수 없는 주문이 결제되었습니다")
    buyer.deliver()
    assert buyer.told() == ["on_late"]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("browser-first", "이미 결제된 주문입니다"),
        # Given back before the browser asked: nobody is told to order anew.
        ("webhook-first", "취소된 결제입니다. 주문을 확인해 주세요"),
    ],
)
def test_two_windows_of_one_order_pay_it_once_and_the_second_payment_is_given_back(
    buyer: Buyer, new_visit: Callable[..., Visit], order: str, words: str
) -> None:
    buyer.demo.sandbox.sandbox.settings.webhook_order = order
    other = Buyer(buyer.demo, new_visit().page())
    buyer.order().choose("card_page").open_window()
    other.page.goto(buyer.page.url)
    other.number = buyer.number
    other.choose("card_page").open_window()
    buyer.click("approve")
    buyer.sees_order("paid")
    other.click("approve")
    other.reads(words)
    buyer.deliver()
    assert buyer.told() == ["on_paid", "on_duplicate"]
    # What the page promises is done: the second payment was given back, and the first was not.
    assert [attempt.status for attempt in buyer.attempts] == ["paid", "cancelled"]
    other.page.get_by_role("link", name="주문 보기").click()
    other.sees_order("paid")
    expect(other.page.locator("#result")).to_contain_text("자동으로 돌려드립니다")
    other.page.goto(f"{buyer.demo.sandbox.url}/")
    states = other.page.locator("tr span.state")
    expect(states).to_have_text(["전액 취소", "결제 완료"])  # the newest first


@pytest.mark.parametrize("language", ["ko", "en"])
def test_who_has_an_account_is_told_so_and_may_pay_by_card_all_the_same(
    open_demo: Callable[..., Demo], new_visit: Callable[..., Visit], language: str
) -> None:
    buyer = Buyer(open_demo(language=language), new_visit().page())
    buyer.buy("vbank", "issue")
    buyer.sees_order("waiting")
    bank = buyer.page.locator("#bank")
    expect(bank).to_have_attribute("lang", "ko")
    buyer.page.click("#otherwise")
    (account,) = buyer.attempts
    assert account.vbank is not None
    waits = buyer.page.locator("#pay-waits")
    expect(waits).to_contain_text("가상계좌" if language == "ko" else "virtual account")
    expect(buyer.page.locator("#pay")).to_have_accessible_description(waits.inner_text())
    expect(buyer.page.locator("body")).not_to_contain_text(account.vbank.number)
    buyer.choose("card_page").open_window().click("decline")
    buyer.reads("한도초과")
    expect(buyer.page.locator("#pay-status")).to_have_attribute("lang", "ko")
    buyer.look_again("waiting")
    expect(bank).to_be_visible()
    buyer.page.click("#otherwise")
    buyer.choose("card_page").open_window().click("approve")
    buyer.sees_order("paid")
    expect(buyer.page.locator("#account")).to_have_count(0)  # nobody is to pay into it now
    # A deposit comes all the same: it can only go back to an account that somebody must name.
    buyer.in_sandbox(account.imp_uid).locator("button[formaction$='/deposit']").click()
    buyer.deliver()
    assert buyer.told() == ["on_virtual_account", "on_paid", "on_duplicate"]
    buyer.look_again("paid")
    expect(buyer.page.locator("#result")).to_have_attribute("data-result", "duplicatePayment")
    assert buyer.attempts[0].status == "paid"


REAL_ADDRESS = "https://cdn.iamport.kr/v1/iamport.js"


def test_the_sdks_real_address_serves_as_well_when_routed_to_the_stand_in(
    open_demo: Callable[..., Demo], new_visit: Callable[..., Visit]
) -> None:
    demo, visit = open_demo(sdk_url=REAL_ADDRESS), new_visit()
    visit.context.route(
        REAL_ADDRESS,
        lambda route: route.fulfill(
            response=visit.context.request.get(demo.sandbox.url + "/v1/iamport.js")
        ),
    )
    buyer = Buyer(demo, visit.page())
    buyer.buy("card_page", "approve")
    buyer.sees_order("paid")
    buyer.deliver()
    assert buyer.told() == ["on_paid"]


@pytest.mark.parametrize(
    ("how", "action", "state", "hook"),
    [
        ("card_page", "approve", "paid", "on_paid"),
        ("vbank", "issue", "waiting", "on_virtual_account"),
    ],
)
def test_the_older_sdk_file_serves_as_well(
    open_demo: Callable[..., Demo],
    new_visit: Callable[..., Visit],
    how: str,
    action: str,
    state: str,
    hook: str,
) -> None:
    buyer = Buyer(open_demo(sdk_url="/js/iamport.payment-1.2.0.js"), new_visit().page())
    buyer.buy(how, action)
    buyer.sees_order(state)
    buyer.deliver()
    assert buyer.told() == [hook]


def test_on_a_phone_the_buyer_leaves_the_page_and_comes_back(
    demo: Demo, new_visit: Callable[..., Visit]
) -> None:
    phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"
    buyer = Buyer(demo, new_visit(user_agent=phone, viewport={"width": 390, "height": 800}).page())
    buyer.order().choose("card_page")
    buyer.in_page = False
    buyer.open_window().click("approve")
    buyer.sees_order("paid")
    assert buyer.attempts[0].channel == "mobile"
    buyer.deliver()
    assert buyer.told() == ["on_paid"]
