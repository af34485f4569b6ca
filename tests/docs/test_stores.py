"""The shop of docs/stores.md is run as it stands, on a SQLite file and on MariaDB."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from imp_verify import Credentials, ExpectedPayment, Settled, Verdict, Verifier
from imp_verify.sandbox import SandboxServer
from imp_verify.testing._harness import FIRST, ORDER, PRICE, paid_outcome
from tests.support.databases import own_database

ROOT = Path(__file__).parents[2]
ADDRESS = "postgresql+psycopg://shop@localhost/shop"
TABLE = "CREATE TABLE orders (number VARCHAR(64) PRIMARY KEY, total INTEGER, state VARCHAR(16))"


@pytest.fixture(params=["sqlite", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The names of the document's first block, run on a database with its orders' table."""
    text = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    assert ADDRESS in found[1]
    with ExitStack() as ends:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'shop.db'}"
        else:
            url = ends.enter_context(own_database("mysql")).url("mysql+pymysql")
        names: dict[str, Any] = {}
        exec(found[1].replace(ADDRESS, url), names)
        ends.callback(names["engine"].dispose)
        with names["engine"].begin() as db:
            db.exec_driver_sql(TABLE)
        names["store"].create_all()
        yield names


def put(shop: dict[str, Any], number: str, state: str = "new") -> None:
    row = {"number": number, "total": PRICE, "state": state}
    with shop["engine"].begin() as db:
        db.execute(sqlalchemy.text("INSERT INTO orders VALUES (:number, :total, :state)"), row)


def states(shop: dict[str, Any]) -> dict[str, str]:
    with shop["engine"].connect() as db:
        rows = db.exec_driver_sql("SELECT number, state FROM orders").all()
    return {row.number: row.state for row in rows}


def test_the_documented_shop_on_sqlalchemy_records_a_payment(shop: dict[str, Any]) -> None:
    put(shop, ORDER)
    assert shop["store"].expected(ORDER) == ExpectedPayment(ORDER, PRICE)
    assert shop["store"].expected("ORD-0") is None
    assert shop["store"].settle(paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE))) is Settled.NEW
    assert states(shop) == {ORDER: "paid"}


def test_the_documented_shop_pays_no_cancelled_order_and_none_by_a_number_like_its_own(
    shop: dict[str, Any],
) -> None:
    put(shop, "ORD-1")
    put(shop, "ORD-2", "cancelled")
    folds = sqlalchemy.text("SELECT count(*) FROM orders WHERE number = 'ord-1'")
    with shop["engine"].connect() as db:
        # What a shop meets on MariaDB as it comes, so that the trial is one.
        assert db.execute(folds).scalar() == (shop["engine"].name == "mysql")
    keys = Credentials("sandbox_key", "sandbox_secret")
    with SandboxServer() as server:
        verifier = Verifier(shop["store"], credentials=keys, base_url=server.url, test_mode=True)
        verdicts = {}
        for number in ("ord-1", "Ord-1", "ORD-2", "ORD-1"):
            attempt = server.sandbox.gateway.open({"merchant_uid": number, "amount": PRICE})
            server.sandbox.approve(attempt.imp_uid)
            verdicts[number] = verifier.verify(attempt.imp_uid, number).verdict
        verifier.close()
    assert verdicts == {
        "ord-1": Verdict.UNKNOWN_ORDER,
        "Ord-1": Verdict.UNKNOWN_ORDER,
        "ORD-2": Verdict.LATE,
        "ORD-1": Verdict.PAID,
    }
    assert states(shop) == {"ORD-1": "paid", "ORD-2": "cancelled"}
