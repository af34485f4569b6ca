"""What docs/browser.md has a page do: under policies, and from an address other than the shop's."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import render_template_string
from playwright.sync_api import Page, expect

from imp_verify.contrib.browser import snippet
from tests.browser.conftest import Visit
from tests.browser.shop import JQUERY, JQUERY_3, NUMBER, Shop, needs_node, stand_in

TEXT = (Path(__file__).parents[2] / "docs" / "browser.md").read_text(encoding="utf-8")
HEAD = '<!doctype html><html lang="ko"><meta charset="utf-8"><title>shop</title>'
BUTTON = "{{ imp_verify_button(number, nonce='n-1') }}"
SDK = '<script src="https://cdn.iamport.kr/v1/iamport.js" nonce="n-1"></script>'


def block(kind: str, word: str) -> str:
    """Return the one block of a kind that has a word in it."""
    (found,) = (
        each for each in re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL) if word in each
    )
    return str(found).replace("NONCE", "n-1")


def policy(*directives: str) -> str:
    """Put documented directives together, with the sandbox as one more host of the gateway's."""
    given = (
        " ".join(("default-src 'none'; img-src 'self';", *directives)).replace("\n", " ").strip()
    )
    return re.sub(r"(frame-src|connect-src) ", r"\1 {gateway} ", given)


GIVE = """(address) => {
  const tag = document.createElement("script");
  try { tag.src = address; return tag.src; } catch (error) { return error.name; }
}"""
CONTENT = block("text", "script-src") + ";"
TRUSTED = block("text", "require-trusted-types-for")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


def shows(shop: Shop, before: str = "") -> None:
    shop.page = lambda: HEAD + before + render_template_string(BUTTON, number=NUMBER)


def buys(shop: Shop, page: Page) -> None:
    shop.click(page, "approve")
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid"]


@pytest.mark.parametrize(
    ("names", "tag"),
    [("imp-verify", ""), ("'none'", SDK)],
    ids=["without the SDK's tag", "with the SDK's tag"],
)
def test_N09_a_page_sells_under_the_documented_policy_and_trusted_types(
    shop: Shop, new_visit: Callable[..., Visit], names: str, tag: str
) -> None:
    assert "trusted-types imp-verify" in TRUSTED
    shop.policy = policy(CONTENT, TRUSTED.replace("imp-verify", names))
    shows(shop, tag)
    visit = new_visit()
    page = shop.open(visit.page())
    assert visit.complaints == []
    assert page.evaluate(GIVE, "/x.js") == "TypeError"  # the page is one that enforces it
    visit.complaints.clear()
    buys(shop, page)


def test_N09_the_documented_default_policy_lets_the_gateways_hosts_pass_and_no_others(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    shop.policy = policy(CONTENT, TRUSTED.replace("imp-verify", "imp-verify default"))
    shows(shop, block("html", "createPolicy"))
    visit = new_visit()
    page = shop.open(visit.page())
    for host in ("service.iamport.kr", "checkout-service.prod.iamport.co", "cdn.portone.io"):
        assert host in CONTENT
        assert page.evaluate(GIVE, f"https://{host}/a.js") == f"https://{host}/a.js"
    assert visit.complaints == []
    for address in ("https://evil.test/a.js", "http://service.iamport.kr/a.js", "data:,1", "/a.js"):
        assert page.evaluate(GIVE, address) == "TypeError"
    visit.complaints.clear()
    buys(shop, page)


@needs_node
@pytest.mark.parametrize("library", [JQUERY, JQUERY_3])
def test_N09_the_jquery_of_the_older_sdk_does_not_load_under_trusted_types_as_documented(
    shop: Shop, new_visit: Callable[..., Visit], library: str
) -> None:
    shop.policy = policy(CONTENT, TRUSTED)
    shows(shop, f'<script nonce="n-1" src="{library}"></script>')
    visit = new_visit()
    page = shop.open(visit.page())
    assert page.evaluate("typeof window.jQuery") == "undefined"
    assert any("TrustedHTML" in each for each in visit.complaints)
    visit.complaints.clear()
    buys(shop, page)


@needs_node
def test_the_printed_code_sells_on_a_page_from_another_address_that_the_shop_lets_read(
    shop: Shop, new_visit: Callable[..., Visit]
) -> None:
    with Shop() as application:  # a server of its own, of which nothing but the page is used
        recipe = block("python", "after_request")
        recipe = recipe.replace("https://app.shop.example", application.url)
        exec(compile(recipe, "browser.md", "exec"), {"app": shop.app})
        code = snippet("esnext", "ko", public_url=shop.url)
        text = HEAD + code.replace('"/payments/', f'"{shop.url}/payments/')
        application.page = lambda: text
        page = new_visit().page()
        stand_in(page, shop.gateway)
        asked: list[str] = []
        page.on("request", lambda each: asked.append(each.url.removeprefix(shop.url)))
        page.goto(application.url)
        expect(page.locator("button")).to_be_enabled()
        buys(shop, page)
    ours = [each.partition("?")[0] for each in asked if each.startswith("/payments/")]
    assert ours == [f"/payments/{name}" for name in ("imp-verify.js", "complete", "redirect")]
    assert application.told == []
