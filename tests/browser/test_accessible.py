"""Every page that a buyer, or a visitor of the demo, sees: nothing that axe finds, and nothing
wider than the screen, in both languages, on three screens, in the light and in the dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from imp_verify import Landing, Response, Verdict
from imp_verify._web.answers import TROUBLE, Told, Wording, landing
from imp_verify.demo import Demo
from imp_verify.models import Notice
from imp_verify.sandbox import pages
from tests.browser.conftest import Visit
from tests.browser.shop import NODE_MODULES, needs_node
from tests.core.values import I1, ORDER, account, order, outcome, payment

WIDTHS = (375, 768, 1280)
RESULTS = "https://shop.test/payments/redirect"
LONG = "한도초과 " * 20 + "https://card.test/" + "a" * 150
ISSUED: dict[str, Any] = {
    "vbank_name": "국민은행",
    "vbank_num": "1234-5678-9012-34",
    "vbank_holder": "주식회사 나무와 흙",
    "vbank_date": 1735743599,
}
PAYMENTS = {
    Verdict.PAID: payment(),
    Verdict.VIRTUAL_ACCOUNT: account(**ISSUED),
    Verdict.PENDING: payment("ready"),
    Verdict.FAILED: payment("failed", fail_reason=LONG),
}


def result_pages(page: Page, language: str) -> Iterator[str]:
    """Serve the built-in pages that a buyer comes back to, one at a time."""
    for key in (*PAYMENTS, TROUBLE):
        told = Told()
        if isinstance(key, Verdict):
            told = Told.of(outcome(key, PAYMENTS[key], expected=order()), Notice(I1, ORDER))
        answers = [landing(key, told, Landing(), Wording(language))]
        page.route("https://shop.test/**", partial(serve, answers))
        yield f"{RESULTS}?{key}"


def serve(answers: list[Response], route: Route) -> None:
    (answer,) = answers
    headers, body = dict(answer.headers), answer.body.decode()
    route.fulfill(status=answer.status, headers=headers, body=body)


def buy(demo: Demo, page: Page, product: str, how: str, amount: int) -> str:
    """Order and pay without a window; gives the order's page."""
    made = page.request.post(f"{demo.url}/orders", form={"product": product})
    address = made.url.removesuffix("/pay")
    sandbox = demo.sandbox.sandbox
    params: dict[str, Any] = {"merchant_uid": address.rpartition("/")[2], "amount": amount}
    opened = sandbox.gateway.open({**params, "pay_method": how, "name": "참나무 의자"})
    act = {"vbank": sandbox.issue_account, "card": sandbox.approve, "none": sandbox.decline}
    act[how](opened.imp_uid)
    sandbox.webhooks.deliver()
    return address


def shop_pages(demo: Demo, page: Page) -> Iterator[str]:
    """The demo's pages in every state that looks different."""
    bought = [
        buy(demo, page, "mug", "none", 18000),
        buy(demo, page, "mug", "card", 18000),
        buy(demo, page, "chair", "vbank", 64900),
        buy(demo, page, "chair", "card", 100),
    ]
    yield f"{demo.url}/"
    yield from bought
    yield f"{bought[0]}/pay"
    yield f"{demo.url}/orders/none"


def sandbox_pages(demo: Demo, page: Page, language: str) -> Iterator[str]:
    """The sandbox's: the list, an open window, and each kind of payment."""
    gateway = demo.sandbox.sandbox.gateway
    yield f"{demo.sandbox.url}/"
    for attempt in gateway.attempts():
        yield f"{demo.sandbox.url}/window/{attempt.imp_uid}"
    for how in ("card", "vbank"):
        opened = gateway.open({"merchant_uid": "ORD1", "amount": 1000, "pay_method": how})
        yield f"{demo.sandbox.url}/window/{opened.imp_uid}"
    done = pages.finished({}, demo.url, language)
    page.route(f"{demo.sandbox.url}/finished", lambda route: html(route, done))
    yield f"{demo.sandbox.url}/finished"


def html(route: Route, text: str) -> None:
    route.fulfill(content_type="text/html; charset=utf-8", body=text)


def found(page: Page) -> list[Any]:
    """Let axe look at the page as it stands now, on every screen; gives what it complains of."""
    page.add_script_tag(path=NODE_MODULES / "axe-core" / "axe.min.js")
    complaints: list[Any] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert {"document-title", "color-contrast"} <= {each["id"] for each in result["passes"]}
            nodes = [
                (each["id"], [n["html"] for n in each["nodes"]]) for each in result["violations"]
            ]
            complaints += [(page.url, width, scheme, *each) for each in nodes]
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        complaints += [(page.url, width, "is too wide", wide)] if wide > 0 else []
    return complaints


@needs_node
@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_page_is_free_of_what_axe_finds_and_fits_its_screen(
    open_demo: Callable[..., Demo], new_visit: Callable[..., Visit], language: str
) -> None:
    demo = open_demo(language=language)
    visit = new_visit(bypass_csp=True)  # axe is a script; pages allow none of others
    page = visit.page()
    complaints = []
    for walk in (
        shop_pages(demo, page),
        sandbox_pages(demo, page, language),
        result_pages(page, language),
    ):
        for address in walk:
            page.goto(address)
            expect(page.locator("html")).to_have_attribute("lang", language)
            complaints += found(page)
    assert complaints == []
    # What the browser itself notes of the order that is not there.
    assert [note for note in visit.complaints if "404" not in note] == []
    visit.complaints.clear()
