"""The button that a Flask template renders, bought from, under a strict policy."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import render_template_string
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.shop import (
    JQUERY,
    JQUERY_3,
    NUMBER,
    OLD_SDK,
    OTHER,
    PRICE,
    Shop,
    needs_node,
    stand_in,
)

PAGE = """<!doctype html><html lang="ko"><meta charset="utf-8"><title>shop</title>
<form action="/elsewhere">{{ imp_verify_button(number, nonce="n-1", **options) }}</form>"""
NASTY = "</script><script>window.hacked=1</script><!-- \u2028\u2029'\"\\ &amp; O'Neil"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


CHECKING = "결제를 확인하고 있습니다. 다시 결제하지 말고 주문을 확인해 주세요."
STRICT = (
    "default-src 'none'; script-src 'nonce-n-1'; connect-src 'self' {gateway}; "
    "frame-src {gateway}; img-src 'self'; base-uri 'none'; form-action 'none'"
)


def sells(shop: Shop, **options: Any) -> None:
    shop.page = lambda: render_template_string(PAGE, number=NUMBER, options=options)


def test_J08_X11_any_text_reaches_the_window_as_it_was_and_nothing_else_runs(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    shop.policy = STRICT
    sells(shop, name=NASTY[:40], buyer_name=NASTY, custom_data={NASTY: [NASTY]}, label=NASTY)
    page = shop.open(new_visit().page())
    expect(page.locator("script")).to_have_count(3)  # the data, the module and the SDK
    expect(page.locator("button")).to_have_text(NASTY)
    shop.click(page, "approve")
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    (attempt,) = shop.attempts
    assert (attempt.merchant_uid, attempt.amount, attempt.name) == (NUMBER, PRICE, NASTY[:40])
    wire = attempt.wire()
    assert wire["buyer_name"] == NASTY[:16]  # as long as the gateway says
    assert json.loads(wire["custom_data"]) == {NASTY: [NASTY]}
    assert page.evaluate("window.hacked") is None


def test_J07_two_buttons_of_one_order_open_one_window(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    shop.page = lambda: render_template_string(PAGE * 2, number=NUMBER, options={})
    page = shop.open(new_visit().page())
    first, second = page.locator("button").all()
    expect(first).to_be_enabled()
    expect(second).to_be_enabled()
    first.click()
    expect(second).to_be_disabled()
    window = page.frame_locator("#imp-sandbox-window iframe")
    window.locator("button[formaction$='/approve']").click()
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    assert len(shop.attempts) == 1
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid"]


def test_J07_two_buttons_of_two_orders_pay_each_its_own(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    shop.page = lambda: (
        render_template_string(PAGE, number=NUMBER, options={"id": "first"})
        + render_template_string(PAGE, number=OTHER, options={"id": "second"})
    )
    page = shop.open(new_visit().page())
    for button, number in (("#second", OTHER), ("#first", NUMBER)):
        page.click(button)
        window = page.frame_locator("#imp-sandbox-window iframe")
        window.locator("button[formaction$='/approve']").click()
        expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
        assert page.url.endswith(f"&merchant_uid={number}")
        page.goto(shop.url)
    assert [each.merchant_uid for each in shop.attempts] == [OTHER, NUMBER]
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid", "on_paid"]


LOADS = '<script src="{}"></script>'
PAGES = {
    "none": ("", {}),
    "none, but brought for the older SDK": ("", {"sdk": OLD_SDK, "jquery": JQUERY}),
    "1.12.4": (LOADS.format(JQUERY), {"sdk": OLD_SDK, "jquery": JQUERY_3}),
    "3": (LOADS.format(JQUERY_3), {"sdk": OLD_SDK, "jquery": JQUERY}),
    "noConflict": (f"{LOADS.format(JQUERY)}<script>jQuery.noConflict()</script>", {"sdk": OLD_SDK}),
}
VERSIONS = {"1.12.4": "1.12.4", "3": "3.7.1", "noConflict": "1.12.4"}


@needs_node
@pytest.mark.parametrize("what", PAGES)
def test_J06_a_page_sells_whatever_jquery_it_has(
    shop: Shop, new_visit: Callable[..., Visit], what: str
) -> None:
    scripts, options = PAGES[what]
    shop.page = lambda: scripts + render_template_string(PAGE, number=NUMBER, options=options)
    page = shop.open(new_visit().page())
    found = page.evaluate("[typeof $, window.jQuery ? jQuery.fn.jquery : null]")
    version = VERSIONS.get(what, "1.12.4" if options else None)
    assert found == ["function" if version and what != "noConflict" else "undefined", version]
    shop.click(page, "approve")
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid"]


HEARD = """() => {
  window.heard = [];
  document.querySelectorAll("[role=status]").forEach((place) =>
    new MutationObserver(() => place.textContent && window.heard.push(place.textContent))
      .observe(place, { childList: true, characterData: true, subtree: true }));
}"""


@needs_node
def test_a_button_waits_for_its_scripts_says_each_state_once_and_has_the_focus_back(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    """By keyboard and ear: two buttons are told apart, one that does nothing yet is disabled."""
    shop.page = lambda: (
        render_template_string(PAGE, number=NUMBER, options={"name": "참나무 의자"})
        + render_template_string(PAGE, number=OTHER, options={"name": "머그"})
    )
    page, held = new_visit().page(), dict[str, Route]()
    stand_in(page, shop.gateway)
    page.route("**/imp-verify.js*", lambda route: held.update(module=route), times=1)
    page.route("**/v1/iamport.js", lambda route: held.update(sdk=route), times=1)
    page.goto(shop.url, wait_until="commit")
    button = page.get_by_role("button", name="결제하기: 참나무 의자", exact=True)
    page.wait_for_function("() => document.querySelectorAll('button').length === 2")
    for script in ("module", "sdk"):
        while script not in held:  # the browser's events are heard while a page is asked something
            page.evaluate("0")
        expect(button).to_be_disabled()
        held[script].fallback()
    expect(button).to_be_enabled()
    assert shop.complaints(page, "form") == []
    page.evaluate(HEARD)
    button.focus()
    page.keyboard.press("Enter")
    window = page.frame_locator("#imp-sandbox-window iframe")
    window.locator("button[formaction$='/decline']").click()
    expect(page.get_by_role("status").first).to_contain_text("한도초과")
    expect(button).to_be_focused()
    assert page.evaluate("window.heard") == ["결제창에서 결제해 주세요.", CHECKING, "한도초과"]
    assert shop.complaints(page, "form") == []


def test_J03_on_a_phone_the_buyer_comes_back_by_redirect_without_a_callback(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    sells(shop)
    phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"
    page = shop.open(new_visit(user_agent=phone, viewport={"width": 390, "height": 800}).page())
    page.locator("button").click()
    page.locator("button[formaction$='/approve']").click()
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    assert page.url.startswith(f"{shop.url}/payments/redirect?imp_uid=")
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid"]
