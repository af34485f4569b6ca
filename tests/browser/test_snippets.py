"""Each flavour of the code to paste, pasted, bundled where it is a component, and bought from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imp_verify import cli
from imp_verify.contrib.browser import FLAVORS
from tests.browser.conftest import Visit
from tests.browser.pasted import COMPONENTS, page_of
from tests.browser.shop import NUMBER, OTHER, PRICE, Shop, needs_node

# The inline scripts of these take a nonce, as their comments say.
INLINE = ("jquery", "esnext")
STRICT = (
    "default-src 'none'; script-src 'nonce-n-1'; connect-src 'self' {gateway}; "
    "frame-src {gateway}; img-src 'self'; base-uri 'none'; form-action 'none'"
)
MISSING = "Loading failed. Please reload the page."


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


def printed(capfd: pytest.CaptureFixture[str], *args: str) -> str:
    """Return what the command prints."""
    assert cli.main(["snippet", *args]) == 0
    return capfd.readouterr().out


def with_the_current_jquery(code: str) -> str:
    """Put the tag that a comment offers in the place of the one that stands."""
    lines = code.splitlines(keepends=True)
    (offered,) = (n for n, line in enumerate(lines) if line.startswith("<!-- <script"))
    tag = lines[offered].removeprefix("<!-- ").replace(" -->", "")
    return "".join((*lines[:offered], tag, *lines[offered + 2 :]))


@needs_node
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("flavor", FLAVORS)
def test_pasted_code_sells(
    shop: Shop,
    new_visit: Callable[..., Visit],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    flavor: str,
    language: str,
) -> None:
    code = printed(capfd, "--flavor", flavor, "--language", language, "--public-url", shop.url)
    if flavor == "jquery" and language == "en":
        code = with_the_current_jquery(code)
    text = page_of(code, flavor, language, tmp_path)
    shop.page = lambda: text
    # The guide's jQuery tries an inline handler as it loads, which a policy then reports.
    guides = flavor == "jquery" and language == "ko"
    shop.policy = STRICT if flavor in INLINE and not guides else ""
    page = shop.open(new_visit().page())
    assert flavor != "html" or shop.complaints(page, "html") == []
    if flavor == "jquery":
        assert page.evaluate("jQuery.fn.jquery") == {"ko": "1.12.4", "en": "3.7.1"}[language]
    said = page.get_by_role("status")
    shop.click(page, "decline")
    expect(said).to_contain_text("한도초과")  # the PG's own words
    expect(page.locator("button")).to_be_enabled()
    shop.click(page, "approve")
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    first, second = sorted(shop.attempts, key=lambda attempt: attempt.status)
    assert (first.status, second.status) == ("failed", "paid")
    assert (second.merchant_uid, second.amount) == (NUMBER, PRICE)
    assert page.url == (
        f"{shop.url}/payments/redirect?imp_uid={second.imp_uid}&merchant_uid={NUMBER}"
    )
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_failed", "on_paid"]


def order_of(shop: Shop, number: str) -> dict[str, object]:
    params = {
        "channelKey": "channel-key-1",
        "merchant_uid": number,
        "amount": PRICE,
        "m_redirect_url": f"{shop.url}/payments/redirect",
    }
    return {"complete": "/payments/complete", "userCode": "imp00000000", "params": params}


@needs_node
@pytest.mark.parametrize("flavor", COMPONENTS)
def test_two_components_pay_each_its_own_order_and_neither_takes_the_app_down(
    shop: Shop,
    new_visit: Callable[..., Visit],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    flavor: str,
) -> None:
    code = printed(capfd, "--flavor", flavor.removesuffix("18"), "--language", "en")
    checkouts = json.dumps([order_of(shop, number) for number in (NUMBER, OTHER)])
    text = f"{page_of(code, flavor, 'en', tmp_path)}<script>checkouts = {checkouts}</script>"
    shop.page = lambda: text
    visit = new_visit()
    page = visit.page()
    page.route("**/imp-verify.js", lambda route: route.abort())
    page.goto(shop.url)
    said = page.get_by_role("status")
    expect(said).to_have_text([MISSING, MISSING])
    expect(page.locator("h2")).to_have_text("Shop")
    for button in page.locator("button").all():
        expect(button).to_be_disabled()
    assert all("net::ERR_FAILED" in each for each in visit.complaints)
    visit.complaints.clear()

    page.unroute("**/imp-verify.js")
    shop.open(page)
    expect(page.locator("h2")).to_have_text("Shop")
    names = page.evaluate("[...document.querySelectorAll('#app [id]')].map((each) => each.id)")
    assert len(names) == len(set(names)) == 4  # two of each component
    page.locator("button").nth(1).click()
    window = page.frame_locator("#imp-sandbox-window iframe")
    window.locator("button[formaction$='/decline']").click()
    expect(said).to_have_text(["", re.compile("한도초과")])
    page.locator("button").nth(1).click()
    window.locator("button[formaction$='/approve']").click()
    page.wait_for_url("**/payments/redirect?*")
    assert page.url.endswith(f"&merchant_uid={OTHER}")
