"""The built-in pages in a browser: readable by everybody, on any screen, under their own policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from imp_verify import Landing, Verdict
from imp_verify._web.answers import TROUBLE, Told, Wording, landing
from imp_verify.models import Notice
from tests.browser.conftest import Visit
from tests.browser.shop import NODE_MODULES, needs_node
from tests.core.values import I1, ORDER, account, order, outcome, payment

ADDRESS = "https://shop.test/payments/redirect?imp_uid=imp_1&merchant_uid=ORD-1001"
# One for each form of the page.
KEYS = (Verdict.PAID, Verdict.VIRTUAL_ACCOUNT, Verdict.PENDING, Verdict.FAILED, TROUBLE)
SCREENS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 320, "height": 568}},
    "forced": {"viewport": {"width": 390, "height": 844}, "forced_colors": "active"},
}
NUMBER = "1234-5678-9012-34"
LONG = "한도초과 " * 20 + "https://card.test/" + "a" * 150


class Served:
    """Answers a browser as the endpoint would, from a list; the last answer stays."""

    def __init__(self, page: Page, *keys: str, wording: Wording, targets: Landing) -> None:
        self.answers = [self._answer(key, wording, targets) for key in keys]
        self.asked: list[str] = []
        page.route("https://shop.test/**", self._serve)

    def _answer(self, key: str, wording: Wording, targets: Landing) -> Any:
        told = Told()
        if key in tuple(Verdict):
            paid = payment(fail_reason=LONG if key == Verdict.FAILED else None)
            if key == Verdict.VIRTUAL_ACCOUNT:
                paid = account(vbank_num=NUMBER, vbank_name="국민은행")
            told = Told.of(outcome(Verdict(key), paid, expected=order()), Notice(I1, ORDER))
        return landing(key, told, targets, wording)

    def _serve(self, route: Route) -> None:
        self.asked.append(route.request.url)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        headers = dict(answer.headers)
        route.fulfill(status=answer.status, headers=headers, body=answer.body.decode())


@pytest.fixture
def new_page(new_visit: Callable[..., Visit]) -> Callable[..., Page]:
    return lambda **options: new_visit(**options).page()


@needs_node
@pytest.mark.parametrize(("screen", "language"), [("phone", "en"), ("forced", "ko")])
@pytest.mark.parametrize("key", KEYS)
def test_a_page_is_free_of_what_axe_finds_and_fits_its_screen(
    new_page: Callable[..., Page], key: str, screen: str, language: str
) -> None:
    page = new_page(**SCREENS[screen], bypass_csp=True)  # axe is a script; pages allow none
    Served(page, key, wording=Wording(language), targets=Landing())
    page.goto(ADDRESS)
    page.add_script_tag(path=NODE_MODULES / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(each["id"], each["nodes"]) for each in found["violations"]] == []
    tried = {each["id"] for each in found["passes"]}
    assert {"html-has-lang", "document-title", "link-name", "landmark-one-main"} <= tried
    assert "color-contrast" in tried or screen == "forced"
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


@pytest.mark.parametrize("targets", [Landing(), Landing(theme={"accent": "#0a6b4f"})])
def test_the_policy_lets_the_pages_own_style_through_and_no_script(
    new_page: Callable[..., Page], targets: Landing
) -> None:
    page = new_page()
    Served(page, Verdict.PAID, wording=Wording("ko"), targets=targets)
    page.goto(ADDRESS)
    main = page.locator("main")
    expect(main).to_have_css("text-align", "center")
    colour = "rgb(10, 107, 79)" if targets.theme else "rgb(29, 87, 208)"
    expect(page.get_by_role("link")).to_have_css("background-color", colour)
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"


def test_while_nothing_is_known_the_buyer_asks_again_by_the_same_address(
    new_page: Callable[..., Page],
) -> None:
    page = new_page()
    served = Served(
        page, TROUBLE, Verdict.PENDING, Verdict.PAID, wording=Wording("ko"), targets=Landing()
    )
    page.goto(ADDRESS)
    for _ in range(2):
        expect(page.locator("main")).to_contain_text("다시 결제하지 마시고")
        page.keyboard.press("Tab")
        again = page.get_by_role("link", name="다시 확인하기")
        expect(again).to_be_focused()
        expect(again).to_have_css("outline-style", "solid")
        page.keyboard.press("Enter")
        page.wait_for_load_state()
    expect(page.get_by_role("heading")).to_have_text("결제가 완료되었습니다")
    expect(page.get_by_role("link", name="다시 확인하기")).to_have_count(0)
    assert [url for url in served.asked if "favicon" not in url] == [ADDRESS] * 3


def test_an_accounts_number_is_selected_by_one_key_without_a_script(
    new_page: Callable[..., Page],
) -> None:
    page = new_page()
    Served(page, Verdict.VIRTUAL_ACCOUNT, wording=Wording("ko"), targets=Landing())
    page.goto(ADDRESS)
    page.keyboard.press("Tab")
    number = page.get_by_label("계좌번호")
    expect(number).to_be_focused()
    expect(number).to_have_value(NUMBER)
    selected = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert number.evaluate(selected) == NUMBER
    page.keyboard.type("1")
    expect(number).to_have_value(NUMBER)


@pytest.mark.parametrize(("language", "marked"), [("ko", None), ("en", "ko")])
def test_the_gateways_korean_words_are_marked_as_such_on_an_english_page(
    new_page: Callable[..., Page], language: str, marked: str | None
) -> None:
    page = new_page()
    Served(page, Verdict.FAILED, wording=Wording(language), targets=Landing())
    page.goto(ADDRESS)
    words = page.locator("main > p")
    assert [each.get_attribute("lang") for each in words.all()] == [marked, None]
    page.unroute_all()
    Served(page, Verdict.VIRTUAL_ACCOUNT, wording=Wording(language), targets=Landing())
    page.goto(ADDRESS)
    bank = page.locator("dd").filter(has_text="국민은행")
    assert bank.get_attribute("lang") == marked
    assert page.locator("[lang=ko]:not(html)").count() == (1 if marked else 0)


@pytest.mark.parametrize("key", [Verdict.VIRTUAL_ACCOUNT, Verdict.PAID])
def test_an_account_that_waits_does_not_look_like_a_payment(
    new_page: Callable[..., Page], key: str
) -> None:
    page = new_page()
    Served(page, key, wording=Wording("ko"), targets=Landing())
    page.goto(ADDRESS)
    colour = "rgb(18, 112, 63)" if key == Verdict.PAID else "rgb(133, 86, 10)"
    expect(page.locator("svg")).to_have_css("color", colour)
    tick = page.locator("svg path[d*='M15 25l6 6l12-13']")
    expect(tick).to_have_count(1 if key == Verdict.PAID else 0)


def test_why_it_failed_is_text(new_page: Callable[..., Page]) -> None:
    page = new_page()
    Served(page, Verdict.FAILED, wording=Wording("ko"), targets=Landing())
    page.goto(ADDRESS)
    expect(page.locator("main > p").first).to_have_text(LONG[:200].strip())
