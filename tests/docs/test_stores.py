"""The shop of docs/stores.md is run as it stands, on a SQLite file."""

import re
from pathlib import Path
from typing import Any

import sqlalchemy

from imp_verify import ExpectedPayment, Settled
from imp_verify.testing._trial import FIRST, ORDER, PRICE, paid_outcome

ROOT = Path(__file__).parents[2]


def test_the_documented_shop_on_sqlalchemy_records_a_payment(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    address = "postgresql+psycopg://shop@localhost/shop"
    assert address in found[1]
    shop: dict[str, Any] = {}
    exec(found[1].replace(address, f"sqlite:///{tmp_path / 'shop.db'}"), shop)
    with shop["engine"].begin() as db:
        db.exec_driver_sql("CREATE TABLE orders (number TEXT, total INTEGER, state TEXT)")
        row = {"number": ORDER, "total": PRICE}
        db.execute(sqlalchemy.text("INSERT INTO orders VALUES (:number, :total, 'new')"), row)
    shop["store"].create_all()
    assert shop["store"].expected(ORDER) == ExpectedPayment(ORDER, PRICE, open=True)
    assert shop["store"].expected("ORD-0") is None
    outcome = paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE))
    assert shop["store"].settle(outcome) is Settled.NEW
    with shop["engine"].connect() as db:
        assert db.exec_driver_sql("SELECT state FROM orders").scalar() == "paid"
    shop["engine"].dispose()
