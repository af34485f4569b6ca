"""docs/browser.md on frameworks and on the printed code; its pages are tried in tests/browser."""

from __future__ import annotations

import re
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask, render_template_string
from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from imp_verify import AsyncVerifier, Checkout, Credentials, ExpectedPayment, Verifier
from imp_verify.contrib.browser import Place, button, snippet
from imp_verify.contrib.flask import payments as blueprint
from imp_verify.contrib.starlette import payments
from imp_verify.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGE = "docs/browser.md"
ORIGIN = "https://app.shop.example"


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def cell(name: str) -> str:
    """Return the code that a row of the table of buttons begins with."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^\| {name} \| [^`|]*`([^`]*)`", text, re.MULTILINE)
    return str(found)


@pytest.fixture
def page() -> dict[str, Any]:
    """The names of the page's first block, with the order that it made up."""
    orders: dict[str, int] = {}
    store = MemoryStore(expected=lambda number, _: orders.get(number))
    keys: Any = {"credentials": Credentials("key", "secret"), "test_mode": True}
    names: dict[str, Any] = {"store": store, "Verifier": partial(Verifier, **keys)}
    exec(compile(blocks(PAGE, "python")[0], PAGE, "exec"), names)
    orders[names["number"]] = 39000
    return names


def assert_button(made: str) -> None:
    assert '"amount":39000,' in made
    assert '"m_redirect_url":"https://your.shop/payments/redirect"' in made


def test_the_pay_button_of_the_page_is_a_button_in_flask_and_without_a_framework(
    page: dict[str, Any],
) -> None:
    app = Flask("shop")
    app.register_blueprint(blueprint(page["verifier"]), url_prefix="/payments")
    with app.test_request_context():
        assert_button(render_template_string(cell("Flask, Quart"), number=page["number"]))
    names = {**page, "button": button, "Place": Place, "script_name": ""}
    assert_button(eval(cell("anything else"), names))


def test_the_pay_button_of_the_page_is_a_button_in_fastapi(page: dict[str, Any]) -> None:
    code = next(each for each in blocks(PAGE, "python") if "template_button" in each)
    verifier = AsyncVerifier(
        page["store"],
        checkout=page["verifier"].settings.checkout,
        public_url="https://your.shop",
        credentials=Credentials("key", "secret"),
        test_mode=True,
    )
    loader = DictLoader({"pay.html": cell("Starlette, FastAPI with Jinja")})
    app, templates = FastAPI(), Jinja2Templates(env=Environment(loader=loader, autoescape=True))
    exec(code, {"app": app, "templates": templates, "verifier": verifier})
    with TestClient(app) as client:
        assert_button(client.get(f"/orders/{page['number']}/pay").text)


def test_the_address_that_bundlers_leave_alone_is_that_of_the_printed_code() -> None:
    (code,) = blocks(PAGE, "js")
    assert code in snippet("esnext", "en")


def test_what_the_console_says_of_another_origin_is_quoted_as_the_module_writes_it() -> None:
    module = files("imp_verify").joinpath("_web", "imp-verify.js").read_text(encoding="utf-8")
    assert 'CORS at " + server.origin + "?"' in module
    assert "`CORS at https://shop.example?`" in (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_documented_middleware_lets_the_application_read_and_nobody_else() -> None:
    (code,) = (each for each in blocks(PAGE, "python") if "CORSMiddleware" in each)
    verifier = AsyncVerifier(
        MemoryStore(expected=lambda number, _: None),
        credentials=Credentials("key", "secret"),
        test_mode=True,
    )
    app = Starlette()
    app.mount("/payments", payments(verifier))
    names: dict[str, Any] = {"app": app}
    exec(compile(code, "browser.md", "exec"), names)
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    with TestClient(app) as client:
        for origin, read in ((ORIGIN, ORIGIN), ("https://evil.test", None)):
            before = client.options("/payments/complete", headers={"Origin": origin, **asks})
            assert (before.status_code == 200) is (read is not None)
            answer = client.post("/payments/complete", headers={"Origin": origin}, json={})
            assert answer.status_code == 400  # ours
            assert answer.headers.get("Access-Control-Allow-Origin") == read
            module = client.get("/payments/imp-verify.js", headers={"Origin": origin})
            assert module.headers.get("Access-Control-Allow-Origin") == read
        exposed = client.post("/payments/complete", headers={"Origin": ORIGIN}, json={})
        assert exposed.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_the_documented_view_gives_a_page_what_the_window_asks_or_the_sentence() -> None:
    (code,) = (each for each in blocks(PAGE, "python") if "render_template" in each)
    orders = {"ORD1001": ExpectedPayment("ORD1001", 39000), "ORD1002": None}
    orders["ORD1003"] = ExpectedPayment("ORD1003", 39000, open=False)
    verifier = Verifier(
        MemoryStore(expected=lambda number, _: orders.get(number)),
        credentials=Credentials("key", "secret"),
        checkout=Checkout("imp00000000"),
        public_url="https://shop.example",
        test_mode=True,
    )
    templates = {
        "pay.html": "ImpVerify.mount(button, {{ checkout|safe }})",
        "closed.html": "<p>{{ message }}</p>",
    }
    app = Flask("shop")
    app.jinja_loader = DictLoader(templates)
    exec(code, {"app": app, "verifier": verifier})
    client = app.test_client()
    made = client.get("/orders/ORD1001/pay").text
    assert made.startswith("ImpVerify.mount(button, {")
    for part in ('"merchant_uid":"ORD1001"', '"amount":39000', '"name":"Oak chair"'):
        assert part in made
    for number in ("ORD1002", "ORD1003"):
        assert client.get(f"/orders/{number}/pay").text.startswith("<p>")
