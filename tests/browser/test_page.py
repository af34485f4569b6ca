"""The checkout page's own manners, and the pages around it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from imp_verify.demo import Demo
from tests.browser.conftest import Buyer, Visit, pass_time


def test_a_visitor_who_hangs_up_leaves_no_file_open(demo: Demo) -> None:
    """A file that is would be a ResourceWarning, and an error here."""
    where = urlsplit(demo.url)
    assert where.hostname
    assert where.port
    with socket.create_connection((where.hostname, where.port), timeout=30) as visitor:
        # One byte too many: the server waits for what follows it, and finds that nobody is there.
        host = f"Host: {where.netloc}\r\n".encode()
        visitor.sendall(b"GET /static/icon.svg HTTP/1.0\r\n" + host + b"\r\n!")
        answer = visitor.makefile("rb").read(12)
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert answer == b"HTTP/1.1 200"


def test_a_double_click_opens_one_window(buyer: Buyer) -> None:
    buyer.order().choose("card_page")
    buyer.page.locator("#pay").dblclick()
    buyer.click("approve")
    buyer.sees_order("paid")
    assert len(buyer.attempts) == 1


def test_while_nothing_is_known_the_buyer_is_told_not_to_pay_again(buyer: Buyer) -> None:
    nothing = [(503, "{}"), (200, "<html>"), (200, "[]")]
    asked: list[str] = []

    def unavailable(route: Route) -> None:
        status, body = nothing[len(asked)]
        asked.append(route.request.url)
        route.fulfill(status=status, body=body, content_type="application/json")

    buyer.page.clock.install()
    buyer.page.route("**/payments/complete", unavailable, times=len(nothing))
    buyer.buy("card_page", "approve")
    for times in range(1, len(nothing) + 1):
        pass_time(buyer.page, asked, times)
        buyer.reads("다시 결제하지 말고")
        expect(buyer.page.locator("#pay")).to_be_disabled()
    buyer.page.clock.resume()
    buyer.sees_order("paid")
    buyer.deliver()
    assert buyer.told() == ["on_paid"]


def test_a_refusal_before_the_window_opens_is_shown(buyer: Buyer) -> None:
    buyer.order()
    demo = buyer.demo.sandbox.sandbox
    demo.approve(demo.gateway.open({"merchant_uid": buyer.number, "amount": 1}).imp_uid)
    buyer.choose("card_page")
    buyer.page.click("#pay")
    buyer.reads("이미 결제가 이루어진 거래건입니다.")
    expect(buyer.page.locator("#pay")).to_be_enabled()


def test_a_gateway_that_cannot_be_reached_is_told(
    open_demo: Callable[..., Demo], new_visit: Callable[..., Visit]
) -> None:
    visit = new_visit()
    buyer = Buyer(open_demo(), visit.page())
    buyer.page.clock.install()
    buyer.order()
    buyer.demo.sandbox.sandbox.settings.unreachable = True
    buyer.page.click("#pay")
    buyer.page.clock.run_for(12_000)
    buyer.reads("결제창이 아직 열리지 않았습니다.")
    expect(buyer.page.locator("#pay")).to_be_disabled()
    buyer.page.clock.run_for(60_000)
    buyer.reads("결제창을 열지 못했습니다.")
    expect(buyer.page.locator("#pay")).to_be_enabled()
    assert any("ERR_FAILED" in text for text in visit.complaints)
    visit.complaints.clear()


def test_without_the_sdk_the_page_says_so_and_a_press_tries_again(
    open_demo: Callable[..., Demo], new_visit: Callable[..., Visit]
) -> None:
    visit = new_visit()
    visit.context.route("**/v1/iamport.js", lambda route: route.fulfill(body=""))
    demo = open_demo()
    buyer = Buyer(demo, visit.page())
    buyer.order()
    buyer.reads("결제 모듈을 불러오지 못했습니다.")
    assert [text for text in visit.complaints if demo.sandbox.url in text] == visit.complaints != []
    visit.complaints.clear()
    visit.context.unroute("**/v1/iamport.js")
    buyer.page.click("#pay")
    expect(buyer.page.locator("#pay-status")).to_have_text("")  # "press again soon" is gone
    buyer.open_window().click("approve")
    buyer.sees_order("paid")


def test_a_paid_order_is_not_offered_for_payment_again(buyer: Buyer) -> None:
    buyer.buy("card_page", "approve")
    buyer.sees_order("paid")
    buyer.page.goto(f"{buyer.demo.url}/orders/{buyer.number}/pay")
    buyer.sees_order("paid")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_language_stays_as_chosen(buyer: Buyer, language: str) -> None:
    buyer.page.goto(f"{buyer.demo.url}/?lang={language}")
    buyer.page.locator("button[value=mug]").click()
    expect(buyer.page.locator("html")).to_have_attribute("lang", language)
    buyer.number = buyer.page.url.split("/")[-2]
    buyer.choose("card_redirect").open_window()
    expect(buyer.page.locator("html")).to_have_attribute("lang", language)
    buyer.click("approve")
    buyer.sees_order("paid")
    expect(buyer.page.locator("html")).to_have_attribute("lang", language)


def test_an_order_that_is_not_there_is_said_to_be_missing(buyer: Buyer) -> None:
    for path in ("/orders/none", "/orders/none/pay"):
        answer = buyer.page.request.get(buyer.demo.url + path)
        assert answer.status == 404
        assert "주문을 찾을 수 없습니다" in answer.text()
        assert "상점으로 돌아가기" in answer.text()
    answer = buyer.page.request.get(buyer.demo.url + "/none")
    assert (answer.status, "페이지를 찾을 수 없습니다" in answer.text()) == (404, True)
    answer = buyer.page.request.post(buyer.demo.url + "/orders", form={"product": "none"})
    assert answer.status == 404


def test_a_redirect_without_an_order_shows_the_built_in_page(buyer: Buyer) -> None:
    buyer.page.goto(buyer.demo.url + "/payments/redirect?imp_uid=imp_000000000000")
    expect(buyer.page.get_by_role("heading")).to_contain_text("주문과 맞지 않는 결제입니다")


def test_the_sandboxs_list_shows_payments_and_sends_what_was_kept_back(buyer: Buyer) -> None:
    buyer.demo.sandbox.sandbox.settings.webhook_order = "browser-first"
    buyer.buy("card_page", "approve")
    buyer.sees_order("paid")
    page, imp_uid = buyer.page, buyer.attempts[0].imp_uid
    page.goto(buyer.demo.sandbox.url + "/?lang=en")
    expect(page.get_by_role("link", name=imp_uid).first).to_be_visible()
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_role("button", name="Resend").first).to_be_visible()
    assert [each.status for each in buyer.demo.sandbox.sandbox.webhooks.deliveries] == [200]
    assert buyer.told() == ["on_paid"]


@pytest.mark.parametrize(("language", "marked"), [("ko", []), ("en", ["신한은행", "한도초과"])])
def test_korean_words_of_the_gateway_are_marked_as_such_on_the_sandboxs_english_pages(
    open_demo: Callable[..., Demo],
    new_visit: Callable[..., Visit],
    language: str,
    marked: list[str],
) -> None:
    buyer = Buyer(open_demo(language=language), new_visit().page())
    gateway, sandbox = buyer.demo.sandbox.sandbox.gateway, buyer.demo.sandbox.sandbox
    found = []
    for method, act in (("vbank", sandbox.issue_account), ("card", sandbox.decline)):
        opened = gateway.open({"merchant_uid": "ORD1", "amount": 1000, "pay_method": method})
        act(opened.imp_uid)
        page = buyer.in_sandbox(f"{opened.imp_uid}?lang={language}")
        found += page.locator("dd [lang=ko]").all_inner_texts()
    assert [word.partition(" ")[0] for word in found] == marked


def test_a_refused_action_is_explained_in_the_sandbox(buyer: Buyer) -> None:
    buyer.buy("card_page", "approve")
    buyer.sees_order("paid")
    console = buyer.in_sandbox(buyer.attempts[0].imp_uid)
    for amount in ("99,999", "nothing"):
        console.locator("input[name=amount]").fill(amount)
        console.locator("button[formaction$='/cancel']").click()
        expect(console.locator("[role=alert]")).to_be_visible()
    assert buyer.attempts[0].cancel_amount == 0
