"""The log's page in Chromium: a webhook's life from the payment to the shop that is well again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from imp_verify.demo import Demo
from imp_verify.sandbox import Fault
from tests.browser.conftest import Buyer, Visit
from tests.browser.shop import needs_node
from tests.browser.test_accessible import found


@pytest.fixture
def log(demo: Demo, new_visit: Callable[..., Visit]) -> Page:
    """The log, opened before anything has happened; a script's mark tells whether it reloads."""
    page = new_visit().page()
    page.goto(f"{demo.sandbox.url}/?lang=en")
    expect(page.locator("#live")).to_have_text("This page follows by itself.")
    page.evaluate("window.mark = 1")
    return page


def results(page: Page) -> list[str]:
    return page.locator("li.delivery .line > :is(.good, .bad)").all_inner_texts()


def test_a_webhooks_life_is_followed_from_the_payment_to_the_shop_that_is_well_again(
    demo: Demo, log: Page, new_visit: Callable[..., Visit]
) -> None:
    buyer = Buyer(demo, new_visit().page())
    buyer.buy("card_page", "approve").sees_order("paid")  # pay
    newest = log.locator("li.delivery").first
    expect(newest.locator(".good")).to_have_text("200")  # see it in the journal
    demo.sandbox.sandbox.faults.add(Fault("payment", times=1000))  # break the shop
    newest.get_by_role("button", name="Resend").click()  # resend
    expect(newest.locator(".bad")).to_have_text("503")
    demo.sandbox.sandbox.faults.clear()
    newest.get_by_role("button", name="Resend").click()
    expect(newest.locator(".good")).to_have_text("200")  # see it heal
    assert results(log) == ["200", "503", "200"]
    assert buyer.told() == ["on_paid"]
    assert log.evaluate("window.mark") == 1  # without a reload


def test_what_is_unfolded_and_stood_on_stays_so_when_something_happens(
    demo: Demo, log: Page
) -> None:
    sandbox = demo.sandbox.sandbox
    attempt = sandbox.approve(sandbox.open({"merchant_uid": "A", "amount": 1}).imp_uid)
    summary = log.locator("li.delivery summary")
    summary.click()
    expect(log.locator("li.delivery dl")).to_contain_text(attempt.imp_uid)
    cancel = log.get_by_role("button", name="Cancel all")
    cancel.focus()
    sandbox.open({"merchant_uid": "B", "amount": 1})
    expect(log.locator("tbody tr")).to_have_count(2)
    expect(log.locator("li.delivery dl")).to_be_visible()
    expect(cancel).to_be_focused()


def test_a_payment_is_moved_by_its_buttons_and_a_refusal_is_said(demo: Demo, log: Page) -> None:
    sandbox = demo.sandbox.sandbox
    imp_uid = sandbox.open({"merchant_uid": "A", "amount": 1}).imp_uid
    row = log.locator("tbody tr")
    row.get_by_role("button", name="Approve").click()
    expect(row.locator(".state")).to_have_text("Paid")
    log.evaluate("document.getElementById('log').dataset.first = ''")
    log.route("**/sandbox/v1/journal*", lambda route: None)  # what comes next is not heard of
    cancel = row.get_by_role("button", name="Cancel all")
    expect(cancel).to_be_visible()
    sandbox.gateway.cancel(imp_uid)
    cancel.click()
    expect(log.get_by_role("alert")).to_contain_text("이미 전액취소된")
    expect(row.locator(".state")).to_have_text("Cancelled")
    assert log.evaluate("window.mark") == 1


def test_older_pages_stand_still(demo: Demo, log: Page) -> None:
    sandbox = demo.sandbox.sandbox
    sandbox.open({"merchant_uid": "A", "amount": 1})
    log.goto(f"{demo.sandbox.url}/?lang=en&before=2")
    expect(log.locator("#live")).to_have_text("")
    expect(log.locator(".journal li")).to_have_count(1)


@needs_node
@pytest.mark.parametrize("language", ["ko", "en"])
def test_axe_finds_nothing_in_the_log_with_its_entries_unfolded_nor_in_the_list_of_calls(
    demo: Demo, new_visit: Callable[..., Visit], language: str
) -> None:
    log = new_visit(bypass_csp=True).page()  # for axe itself
    sandbox = demo.sandbox.sandbox
    for n in range(12):
        sandbox.open({"merchant_uid": f"ORD-{n}", "amount": 1, "pay_method": "vbank"})
    imp_uid = sandbox.gateway.attempts()[-1].imp_uid
    sandbox.issue_account(imp_uid)
    sandbox.faults.add(Fault("token"))
    log.request.post(f"{demo.sandbox.url}/users/getToken")
    sandbox.clock.advance(5)
    sandbox.settings.change({"webhook_order": "browser-first"})
    sandbox.approve(sandbox.open({"merchant_uid": "A", "amount": 1}).imp_uid)
    for path in (f"/?lang={language}", "/sandbox/v1/"):
        log.goto(demo.sandbox.url + path)
        log.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert found(log) == []
