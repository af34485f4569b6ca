"""Every example is started as its first line says, and bought from."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from imp_verify.sandbox import SandboxServer
from tests.support.processes import beside_sandbox
from tests.support.servers import Server, started

EXAMPLES = Path(__file__).parents[2] / "examples"
GUNICORN = "gunicorn -k gthread --threads 4 --bind 127.0.0.1:{port}"
UVICORN = "uvicorn --no-access-log --port {port}"
COMMANDS = {
    "flask_shop": f"{GUNICORN} flask_shop:app",
    "wsgi_shop": f"{GUNICORN} wsgi_shop:app",
    "django_shop": f"{GUNICORN} django_shop:app",
    "starlette_shop": f"{UVICORN} starlette_shop:app",
    "fastapi_shop": f"{UVICORN} fastapi_shop:app",
    "asgi_shop": f"{UVICORN} asgi_shop:app",
    "fastapi_sqlalchemy_shop": f"{UVICORN} fastapi_sqlalchemy_shop:app",
    "quart_shop": "hypercorn --bind 127.0.0.1:{port} quart_shop:app",
}


OTHERS = {"redis_store", "flask_sqlalchemy_shop", "fastapi_sqlmodel_shop", "check_payment"}
"""Tried by tests of their own."""


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*COMMANDS, *OTHERS}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_payment_part_of_an_example_has_at_most_15_lines(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    parts = re.findall(r"# payments: begin\n(.*?)# payments: end", text, re.DOTALL)
    lines = [line for part in parts for line in part.splitlines() if line.strip()]
    assert parts
    assert len(lines) <= 15


def order(shop: Server, total: int) -> str:
    answer = shop.ask("POST", f"/orders?total={total}")
    assert answer.status == 303, answer
    return answer.headers["location"].rpartition("/")[2]


def state(shop: Server, number: str) -> str:
    answer = requests.get(f"http://127.0.0.1:{shop.port}/orders/{number}", timeout=30)
    assert answer.status_code == 200, answer
    return str(answer.json()["state"])


def pay_page(shop: Server, number: str) -> str:
    answer = requests.get(f"http://127.0.0.1:{shop.port}/orders/{number}/pay", timeout=30)
    assert answer.status_code == 200, answer
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


@contextmanager
def running(name: str, database: Path) -> Iterator[tuple[SandboxServer, Server]]:
    """An example and its gateway."""
    with SandboxServer() as server:
        variables = beside_sandbox(server, SHOP_DB=str(database))
        with started(COMMANDS[name], variables, EXAMPLES) as shop:
            yield server, shop


@pytest.mark.parametrize("name", COMMANDS)
def test_an_order_that_the_shop_cancelled_before_it_was_paid_is_late_not_paid(
    name: str, tmp_path: Path
) -> None:
    database = tmp_path / "shop.db"
    with running(name, database) as (server, shop):
        number = order(shop, 39000)
        attempt = server.sandbox.gateway.open({"merchant_uid": number, "amount": 39000})
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("UPDATE orders SET state = 'cancelled' WHERE number = ?", (number,))
        server.sandbox.approve(attempt.imp_uid)
        claim = {"imp_uid": attempt.imp_uid, "merchant_uid": number}
        late = shop.ask("POST", "/payments/complete", claim)
        assert (late.status, late.word) == (409, "latePayment")
        assert shop.ask("POST", "/payments/webhook", claim).word == "latePayment"
        assert state(shop, number) == "cancelled"
        assert "imp-verify-button" not in pay_page(shop, number)
        with closing(sqlite3.connect(database)) as db:
            kept = db.execute("SELECT imp_uid, verdict FROM imp_changes").fetchall()
        assert kept == [(attempt.imp_uid, "late")]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_sells_once_and_refuses_a_forged_amount(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path / "shop.db") as (server, shop):
        number, forged = order(shop, 39000), order(shop, 39000)
        page = pay_page(shop, number)
        assert f'"merchant_uid":"{number}","amount":39000,' in page
        assert '"m_redirect_url":"https://shop.test/payments/redirect"' in page
        opened = server.sandbox.gateway.open({"merchant_uid": number, "amount": 39000})
        cheap = server.sandbox.gateway.open({"merchant_uid": forged, "amount": 390})
        for attempt in (opened, cheap):
            server.sandbox.approve(attempt.imp_uid)
        claim = {"imp_uid": opened.imp_uid, "merchant_uid": number}
        assert shop.ask("POST", "/payments/complete", claim).word == "success"
        assert shop.ask("POST", "/payments/webhook", claim).word == "success"
        query = f"imp_uid={opened.imp_uid}&merchant_uid={number}"
        back = shop.ask("GET", f"/payments/redirect?{query}")
        assert (back.status, back.headers["location"]) == (303, f"/orders/{number}")
        claim = {"imp_uid": cheap.imp_uid, "merchant_uid": forged}
        assert shop.ask("POST", "/payments/complete", claim).word == "forgery"
        assert (state(shop, number), state(shop, forged)) == ("paid", "new")
