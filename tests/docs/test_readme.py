"""The README's shop is run as it stands, and bought from."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from flask import Flask, render_template_string

from imp_verify import Credentials, Verifier
from imp_verify.contrib.flask import payments
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.sandbox.command import PORT
from imp_verify.stores.memory import MemoryStore
from imp_verify.testing import OrderStoreContract, TrialShop

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")


def shop_of(readme: str) -> str:
    """Return the first Python block."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    return found.group(1)


def test_every_picture_is_there_and_shown_in_one_document_of_its_language() -> None:
    docs = ROOT / "docs"
    catalogues = [*docs.glob("locale/ko/LC_MESSAGES/*.po")]
    shown: list[str] = []
    for page in [*(ROOT / name for name in READMES), *docs.glob("*.md"), *catalogues]:
        text = page.read_text(encoding="utf-8")
        if page in catalogues:  # what stands in place of the sources' pictures
            text = "".join(re.findall(r"^msgstr [^\n]*(?:\n\"[^\n]*)*", text, re.MULTILINE))
        found = re.findall(r"\]\([^)]*images/([^)]+)\)", text)
        language = "ko" if page in catalogues or page.name.endswith(".ko.md") else "en"
        assert [name for name in found if not name.endswith(f"-{language}.png")] == []
        shown += found
    assert sorted(shown) == sorted(each.name for each in (docs / "images").iterdir())


@pytest.mark.parametrize("readme", READMES)
def test_the_shop_of_the_readme_has_at_most_15_lines(readme: str) -> None:
    assert sum(1 for line in shop_of(readme).splitlines() if line.strip()) <= 15


def test_both_readmes_show_the_same_shop_and_tables() -> None:
    texts = [(ROOT / readme).read_text(encoding="utf-8") for readme in READMES]
    one, other = (re.findall(r"```python\n(.*?)```", text, re.DOTALL) for text in texts)
    without = [[re.sub(r" *#.*", "", block) for block in blocks] for blocks in (one, other)]
    assert without[0] == without[1]
    rows = [
        sorted(re.findall(r"\d{3} `\w+`", (ROOT / readme).read_text(encoding="utf-8")))
        for readme in READMES
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 20


@pytest.mark.parametrize("readme", READMES)
def test_the_trial_of_the_readme_gives_all_that_a_trial_needs(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(import pytest\n.*?)```", text, re.DOTALL)
    written: dict[str, Any] = {"MyStore": SimpleNamespace}
    exec(compile(block, readme, "exec"), written)
    needed = {name for name in ("put", "delete", "shipped") if hasattr(TrialShop, name)}
    assert needed == vars(written["MyShop"]).keys() & {"put", "delete", "shipped"}
    assert len(needed) == 3
    assert "self.half_done()" in block
    assert hasattr(TrialShop, "half_done")
    made = written["MyShop"]()
    assert made.store.work == made.ship
    assert issubclass(written["TestMyStore"], OrderStoreContract)


@pytest.mark.parametrize("readme", READMES)
def test_the_pay_button_of_the_readme_is_a_button(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from imp_verify import Checkout.*?)```", text, re.DOTALL)
    (cell,) = re.findall(r"^\| Flask, Quart \| `(.*)` \|$", text, re.MULTILINE)
    orders: dict[str, int] = {}
    store = MemoryStore(expected=lambda number, _: orders.get(number))
    keys: Any = {"credentials": Credentials("key", "secret"), "test_mode": True}
    page: dict[str, Any] = {"store": store, "Verifier": partial(Verifier, **keys)}
    exec(compile(code, readme, "exec"), page)
    orders[page["number"]] = 39000
    app = Flask("shop")
    app.register_blueprint(payments(page["verifier"]), url_prefix="/payments")
    with app.test_request_context():
        button = render_template_string(cell, number=page["number"])
    assert '"amount":39000,' in button
    assert '"m_redirect_url":"https://your.shop/payments/redirect"' in button


@pytest.mark.parametrize("readme", READMES)
def test_the_gateway_of_the_readme_has_the_keys_and_the_sdk_that_it_names(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    (options,) = re.findall(r"^\$ imp-verify sandbox (.*)$", text, re.MULTILINE)
    (sdk,) = re.findall(rf'sdk="http://127.0.0.1:{PORT}(/[^"]+)"', text)
    assert f"IMP_KEY={Account().key} IMP_SECRET={Account().secret}" in text
    assert f"IMP_API_URL=http://127.0.0.1:{PORT} " in text
    assert options.split() == ["--webhook-url", "http://127.0.0.1:5000/payments/webhook"]
    ask = build_opener(ProxyHandler({})).open
    with SandboxServer() as server:
        assert [ask(server.url + path).status for path in (sdk, "/")] == [200, 200]


@pytest.mark.parametrize("readme", READMES)
def test_the_shop_of_the_readme_sells(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMP_KEY", "sandbox_key")
    monkeypatch.setenv("IMP_SECRET", "sandbox_secret")
    monkeypatch.setenv("IMP_TEST_MODE", "1")
    with closing(sqlite3.connect("shop.db", isolation_level=None)) as db, SandboxServer() as server:
        monkeypatch.setenv("IMP_API_URL", server.url)
        db.execute("CREATE TABLE orders (number TEXT PRIMARY KEY, total INTEGER, state TEXT)")
        orders = [("ORD-1", "new"), ("ORD-2", "new"), ("ORD-3", "cancelled")]
        db.executemany("INSERT INTO orders VALUES (?, 39000, ?)", orders)
        shop: dict[str, Any] = {"__name__": "shop"}
        exec(compile(shop_of(readme), readme, "exec"), shop)
        client = shop["app"].test_client()

        paid = server.sandbox.gateway.open({"merchant_uid": "ORD-1", "amount": 39000}).imp_uid
        cheap = server.sandbox.gateway.open({"merchant_uid": "ORD-2", "amount": 390}).imp_uid
        dropped = server.sandbox.gateway.open({"merchant_uid": "ORD-3", "amount": 39000}).imp_uid
        for imp_uid in (paid, cheap, dropped):
            server.sandbox.approve(imp_uid)
        good = client.post("/payments/complete", json={"imp_uid": paid, "merchant_uid": "ORD-1"})
        again = client.get(f"/payments/redirect?imp_uid={paid}&merchant_uid=ORD-1&imp_success=true")
        bad = client.post("/payments/webhook", data={"imp_uid": cheap, "merchant_uid": "ORD-2"})
        stolen = client.post("/payments/complete", json={"imp_uid": paid, "merchant_uid": "ORD-2"})

        late = client.post("/payments/webhook", data={"imp_uid": dropped, "merchant_uid": "ORD-3"})

        assert (good.status_code, good.json["status"]) == (200, "success")
        assert (again.status_code, again.location) == (303, "/orders/ORD-1")
        assert (bad.status_code, bad.json["status"]) == (400, "forgery")
        assert (stolen.status_code, stolen.json["status"]) == (400, "forgery")
        assert (late.status_code, late.json["status"]) == (200, "latePayment")
        rows = db.execute("SELECT number, state FROM orders ORDER BY number").fetchall()
        assert rows == [("ORD-1", "paid"), *orders[1:]]
        shop["verifier"].close()
