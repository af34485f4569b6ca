"""The example on Flask-SQLAlchemy, started as its first line says: what a helper of the shop's
writes through `db.session` commits with the record, on a file and on PostgreSQL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imp_verify.sandbox import SandboxServer
from tests.examples.test_examples import EXAMPLES, GUNICORN, order, pay_page
from tests.support.databases import own_database
from tests.support.processes import beside_sandbox
from tests.support.servers import Server, started

NAME = "flask_sqlalchemy_shop"
CARELESS = """
import os
import flask_sqlalchemy_shop as shop

pack = shop.pack

def commits_and_raises(order):
    pack(order)
    if os.path.exists(os.environ["CARELESS"]):
        shop.db.session.commit()
        raise LookupError("no more boxes")

@shop.app.before_request
def log_in():  # reads, as a log-in check does, and leaves its transaction open
    shop.Order.query.first()

shop.pack = commits_and_raises
app = shop.app
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    if request.param == "sqlite":
        yield {"SHOP_DB": str(tmp_path / "shop.db")}
        return
    with own_database("postgresql") as address:
        yield {"SHOP_DATABASE": address.url("postgresql+psycopg")}


@contextmanager
def shop_of(
    module: str, folder: Path, variables: dict[str, str], server: SandboxServer
) -> Iterator[Server]:
    settings = beside_sandbox(server, **variables)
    with started(f"{GUNICORN} {module}:app", settings, folder) as shop:
        yield shop


def pay(server: SandboxServer, number: str, amount: int = 39000) -> dict[str, str]:
    attempt = server.sandbox.gateway.open({"merchant_uid": number, "amount": amount})
    server.sandbox.approve(attempt.imp_uid)
    return {"imp_uid": attempt.imp_uid, "merchant_uid": number}


def shown(shop: Server, number: str) -> tuple[str, int]:
    answer = json.loads(shop.ask("GET", f"/orders/{number}").body)
    return answer["state"], answer["parcels"]


def test_the_example_sells_once_and_refuses_a_forged_amount(database: dict[str, str]) -> None:
    with SandboxServer() as server, shop_of(NAME, EXAMPLES, database, server) as shop:
        number, forged = order(shop, 39000), order(shop, 39000)
        assert f'"merchant_uid":"{number}","amount":39000,' in pay_page(shop, number)
        claim = pay(server, number)
        approval = shop.ask("POST", "/payments/confirm", {**claim, "amount": "39000"})
        assert (approval.status, approval.word) == (200, "approved")
        for endpoint in ("complete", "webhook"):
            assert shop.ask("POST", f"/payments/{endpoint}", claim).word == "success"
        assert shop.ask("POST", "/payments/complete", pay(server, forged, 390)).word == "forgery"
        assert (shown(shop, number), shown(shop, forged)) == (("paid", 1), ("new", 0))


def test_a_helper_that_commits_and_raises_records_nothing_and_the_next_notice_ships_once(
    database: dict[str, str], tmp_path: Path
) -> None:
    careless = tmp_path / "careless"
    careless.touch()
    (tmp_path / "careless_shop.py").write_text(CARELESS, encoding="utf-8")
    variables = {**database, "CARELESS": str(careless), "PYTHONPATH": str(EXAMPLES)}
    path = filter(None, [variables["PYTHONPATH"], os.environ.get("PYTHONPATH")])
    variables["PYTHONPATH"] = os.pathsep.join(path)
    with SandboxServer() as server, shop_of("careless_shop", tmp_path, variables, server) as shop:
        number = order(shop, 39000)
        claim = pay(server, number)
        assert shop.ask("POST", "/payments/webhook", claim).status == 503
        assert shown(shop, number) == ("new", 0)
        careless.unlink()
        for _ in range(2):
            assert shop.ask("POST", "/payments/webhook", claim).word == "success"
            assert shown(shop, number) == ("paid", 1)
