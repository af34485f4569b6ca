"""Pages as the gateway's guide has shops write them, without our script, against our endpoints.

What they send is as there: form text under a JSON header from jQuery, JSON from axios; the return
address is the endpoint itself, the older SDK says whether it was a success.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.shop import (
    AXIOS,
    JQUERY,
    NODE_MODULES,
    NUMBER,
    OLD_SDK,
    PRICE,
    Shop,
    needs_node,
)

pytestmark = needs_node

HEAD = f"""<!doctype html><html lang="ko"><meta charset="utf-8"><title>shop</title>
<script src="{JQUERY}"></script><script src="{OLD_SDK}"></script>"""
REQUEST = """IMP.request_pay({
  pg: "html5_inicis", pay_method: METHOD, merchant_uid: "NUMBER", name: "Oak chair", amount: PRICE,
  buyer_email: "buyer@shop.example", buyer_name: "홍길동", buyer_tel: "010-0000-0000",
  buyer_addr: "서울", buyer_postcode: "01181",
  m_redirect_url: location.origin + "/payments/complete",
}, finished);"""
FINISHED = """(data) => {
  document.body.dataset.said = data.status;
  document.body.dataset.message = data.message;
}"""
FAILED = "document.body.dataset.error = rsp.error_msg;"
BY_JQUERY = f"""(rsp) => {{
  if (!rsp.success) {{ {FAILED} return; }}
  jQuery.ajax({{
    url: "/payments/complete", method: "POST", headers: {{ "Content-Type": "application/json" }},
    data: {{ imp_uid: rsp.imp_uid, merchant_uid: rsp.merchant_uid }},
  }}).done({FINISHED}).fail((answer) => ({FINISHED})(answer.responseJSON));
}}"""
BY_AXIOS = f"""(rsp) => {{
  if (!rsp.success) {{ {FAILED} return; }}
  axios({{
    url: "/payments/complete", method: "post", headers: {{ "Content-Type": "application/json" }},
    data: {{ imp_uid: rsp.imp_uid, merchant_uid: rsp.merchant_uid }},
  }}).then((answer) => ({FINISHED})(answer.data), (error) => ({FINISHED})(error.response.data));
}}"""
PLAIN = """<button onclick="pay()">결제하기</button>
<script>IMP.init("imp00000000"); const finished = FINISHED; function pay() { REQUEST }</script>"""
REACT = """import { Component } from "react";
export default class PayButton extends Component {
  pay = () => { const { IMP, axios } = window; const finished = FINISHED; REQUEST };
  componentDidMount() { window.initialised ??= (window.IMP.init("imp00000000"), true); }
  render() { return <button onClick={this.pay}>결제하기</button>; }
}"""
VUE = """<script setup>
const { IMP, axios } = window;
IMP.init("imp00000000");
const finished = FINISHED;
function pay() { REQUEST }
</script>
<template><button @click="pay">결제하기</button></template>"""
WAYS = {
    "jquery": (PLAIN, "html", BY_JQUERY),
    "esnext": (PLAIN, "html", BY_AXIOS),
    "react": (REACT, "jsx", BY_AXIOS),
    "vue": (VUE, "vue", BY_AXIOS),
}
ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile"


def written(way: str, folder: Path, method: str, price: int) -> str:
    """Return the page, with a component bundled as a shop's build would."""
    code, kind, finished = WAYS[way]
    request = REQUEST.replace("METHOD", repr(method)).replace("PRICE", str(price))
    code = code.replace("FINISHED", finished).replace("REQUEST", request.replace("NUMBER", NUMBER))
    head = HEAD if way == "jquery" else f'{HEAD}<script src="{AXIOS}"></script>'
    if kind == "html":
        return head + code
    source, made = folder / f"PayButton.{kind}", folder / "bundle.js"
    source.write_text(code, encoding="utf-8")
    node = shutil.which("node")
    assert node
    subprocess.run([node, NODE_MODULES.parent / "bundle.mjs", source, made], check=True)
    script = made.read_text(encoding="utf-8").replace("</script", "<\\/script")
    return f'{head}<div id="app"></div><script type="module">{script}</script>'


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture
def opened(
    shop: Shop, new_visit: Callable[..., Visit], tmp_path: Path
) -> Callable[..., tuple[Page, list[tuple[str | None, str | None]]]]:
    """Open the page of a way; gives also the body and type of each request to complete."""

    def make(
        way: str, method: str = "card", price: int = PRICE, **options: object
    ) -> tuple[Page, list[tuple[str | None, str | None]]]:
        text = written(way, tmp_path, method, price)
        shop.page = lambda: text
        page, sent = new_visit(**options).page(), list[tuple[str | None, str | None]]()
        page.on(
            "request",
            lambda request: (
                sent.append((request.post_data, request.headers["content-type"]))
                if request.method == "POST" and request.url.endswith("/complete")
                else None
            ),
        )
        return shop.open(page), sent

    return make


Opened = Callable[..., tuple[Page, list[tuple[str | None, str | None]]]]


def says(page: Page, status: str, message: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-said", status)
    expect(page.locator("body")).to_have_attribute("data-message", message)


@pytest.mark.parametrize("way", WAYS)
def test_hole_23_a_payment_is_complete_by_what_such_a_page_sends(
    shop: Shop, opened: Opened, way: str
) -> None:
    page, sent = opened(way)
    shop.click(page, "approve")
    says(page, "success", "일반 결제 성공")
    (attempt,) = shop.attempts
    form = f"imp_uid={attempt.imp_uid}&merchant_uid={NUMBER}"
    as_json = f'{{"imp_uid":"{attempt.imp_uid}","merchant_uid":"{NUMBER}"}}'
    assert sent == [(form if way == "jquery" else as_json, "application/json")]
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid"]


@pytest.mark.parametrize("way", ["jquery", "esnext"])
def test_a_virtual_account_and_a_forgery_get_the_guides_own_words(
    shop: Shop, opened: Opened, way: str
) -> None:
    page, _ = opened(way, method="vbank")
    shop.click(page, "issue")
    says(page, "vbankIssued", "가상계좌 발급 성공")
    page, _ = opened(way, price=100)
    shop.click(page, "approve")
    says(page, "forgery", "위조된 결제시도")
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == []


def test_a_failure_is_the_pages_own_to_tell_and_changes_nothing(shop: Shop, opened: Opened) -> None:
    page, sent = opened("jquery")
    shop.click(page, "decline")
    expect(page.locator("body")).to_have_attribute("data-error", "한도초과")
    assert sent == []
    assert shop.told == []


@pytest.mark.parametrize(
    ("way", "action", "said"),
    [
        ("jquery", "approve", "결제가 완료되었습니다"),
        ("vue", "decline", "결제에 실패했습니다"),
    ],
)
def test_on_a_phone_the_return_address_is_complete_itself(
    shop: Shop, opened: Opened, way: str, action: str, said: str
) -> None:
    page, sent = opened(way, user_agent=ANDROID)
    page.locator("button").click()
    page.locator(f"button[formaction$='/{action}']").click()
    expect(page.locator("h1")).to_contain_text(said)
    assert page.url.startswith(f"{shop.url}/payments/complete?imp_uid=")
    word = "true" if action == "approve" else "false"
    assert f"merchant_uid={NUMBER}&imp_success={word}" in page.url
    assert sent == []
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_paid" if action == "approve" else "on_failed"]
