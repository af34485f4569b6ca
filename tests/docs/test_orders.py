"""docs/orders.md: what it returns for an order, as it stands, and what becomes of payments then."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.dialects import mysql, postgresql

from imp_verify import ExpectedPayment, InvalidRequest, StoreError, Verdict, Verifier
from imp_verify.sandbox.errors import Refused
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import FakeGateway

PAGE = Path(__file__).parents[2] / "docs" / "orders.md"
TABLES = """
CREATE TABLE orders (number TEXT PRIMARY KEY COLLATE NOCASE, total INTEGER, state TEXT);
CREATE TABLE orders_abroad (number TEXT, currency TEXT, minor_units INTEGER, state TEXT);
CREATE TABLE orders_by_account (number TEXT, total INTEGER, state TEXT, account TEXT);
INSERT INTO orders VALUES ('ORD1', 39000, 'new'), ('ORD2', 39000, 'cancelled');
INSERT INTO orders_abroad VALUES ('ORD1', 'USD', 1099, 'new'), ('ORD2', 'KRW', 100, 'new');
INSERT INTO orders_by_account VALUES ('ORD1', 39000, 'new', 'us'), ('ORD2', 39000, 'new', 'jp');
"""
blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
run_block: Any = partial(compile, filename=str(PAGE), mode="exec")


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect("shop.db")
    with db:
        yield db
    db.close()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the page's blocks, with a verifier of its first `expected`."""
    monkeypatch.chdir(tmp_path)
    with connect() as db:
        db.executescript(TABLES)
    names: dict[str, Any] = {"connect": connect, "gateway": FakeGateway()}
    for block in blocks[:4]:
        exec(run_block(block), names)
    asks = {"transport": names["gateway"].transport, "credentials": names["gateway"].credentials}
    names["store"] = SqliteStore("shop.db", expected=names["expected"])
    names["verifier"] = Verifier(names["store"], **asks)
    yield names
    names["verifier"].close()
    names["store"].close()


def test_the_first_order_is_what_the_table_says_under_its_own_number(page: dict[str, Any]) -> None:
    store = page["store"]
    assert store.expected("ORD1") == ExpectedPayment("ORD1", 39000)
    assert store.expected("ORD2") == ExpectedPayment("ORD2", 39000, open=False)
    assert store.expected("ORD3") is None
    assert store.expected("ord1").merchant_uid == "ORD1"  # found, and so of no order "ord1"
    verifier, gateway = page["verifier"], page["gateway"]
    assert verifier.verify(gateway.pay("ord1", 39000).imp_uid, "ord1").verdict == "unknown_order"
    with pytest.raises(StoreError, match="float"):
        ExpectedPayment("ORD1", cast("Any", 39000.0))


def test_late_money_is_accepted_once_the_order_is_open(page: dict[str, Any]) -> None:
    imp_uid = page["gateway"].pay("ORD2", 39000).imp_uid
    assert page["verifier"].verify(imp_uid, "ORD2").verdict is Verdict.LATE
    assert page["accept"]("ORD2", imp_uid) is True


def test_minor_units_become_the_amount_and_the_currency_is_part_of_it(
    page: dict[str, Any],
) -> None:
    with connect() as db:
        abroad = page["expected_abroad"]
        assert abroad("ORD1", db) == ExpectedPayment("ORD1", Decimal("10.99"), "USD")
        assert abroad("ORD2", db) == ExpectedPayment("ORD2", 100)
        assert abroad("ORD3", db) is None


def test_the_numbers_are_as_long_as_the_page_says(page: dict[str, Any]) -> None:
    assert re.fullmatch("KR2026[0-9A-Z]{26}", page["number"])
    page["verifier"].store.expected(page["number"])
    with connect() as db:
        db.execute("INSERT INTO orders VALUES (?, 39000, 'new')", ("X" * 41,))
    with pytest.raises(InvalidRequest, match="40"):
        page["verifier"].prepare("X" * 41)


def test_of_two_windows_the_second_is_a_duplicate_and_confirm_refuses_it(
    page: dict[str, Any],
) -> None:
    gateway, verifier = page["gateway"], page["verifier"]
    one, other = (gateway.open("ORD1", 39000).imp_uid for _ in range(2))
    assert verifier.confirm(other, "ORD1", 39000) is None
    gateway.approve(one)
    assert verifier.verify(one, "ORD1").paid
    assert verifier.confirm(other, "ORD1", 39000)
    gateway.approve(other)
    assert verifier.verify(other, "ORD1").verdict is Verdict.DUPLICATE


def test_a_total_that_changed_is_compared_anew_and_prepare_closes_old_windows(
    page: dict[str, Any],
) -> None:
    gateway, verifier = page["gateway"], page["verifier"]
    paid = gateway.pay("ORD1", 39000).imp_uid
    with connect() as db:
        db.execute("UPDATE orders SET total = 45000 WHERE number = 'ORD1'")
    assert verifier.verify(paid, "ORD1").verdict is Verdict.FORGERY
    with connect() as db:
        db.execute("INSERT INTO orders VALUES ('ORD4', 45000, 'new')")
    verifier.prepare("ORD4")
    with pytest.raises(Refused):
        gateway.open("ORD4", 39000)
    assert verifier.prepared("ORD4") == 45000


def test_the_row_is_locked_and_a_paid_order_keeps_its_total(tmp_path: Path) -> None:
    text = sqlalchemy.String(64)
    metadata = sqlalchemy.MetaData()
    orders = sqlalchemy.Table(
        "orders",
        metadata,
        sqlalchemy.Column("number", text, primary_key=True),
        sqlalchemy.Column("total", sqlalchemy.Integer),
        sqlalchemy.Column("state", text),
    )
    names: dict[str, Any] = {"orders": orders, "ExpectedPayment": ExpectedPayment}
    exec(run_block(blocks[4]), names)
    seen: list[Any] = []
    seeing = sqlalchemy.create_engine("sqlite://")
    with seeing.connect() as db:
        metadata.create_all(db)
        event.listen(seeing, "before_execute", lambda _, statement, *__: seen.append(statement))
        names["expected_locked"]("ORD1", db)
    seeing.dispose()
    dialects: Any = (postgresql, mysql)
    for each in dialects:
        assert "FOR UPDATE" in str(seen[0].compile(dialect=each.dialect()))

    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")

    def ship(outcome: Any, db: Any) -> None:
        db.execute(sqlalchemy.update(orders).values(state="paid"))

    store = SqlAlchemyStore(engine, expected=names["expected_locked"], on_paid=ship)
    store.create_all()
    with engine.begin() as db:
        metadata.create_all(db)
        db.execute(orders.insert().values(number="ORD1", total=39000, state="new"))
        assert names["change_total"](db, "ORD1", 45000)
    gateway = FakeGateway()
    verifier = Verifier(store, transport=gateway.transport, credentials=gateway.credentials)
    assert verifier.verify(gateway.pay("ORD1", 45000).imp_uid, "ORD1").paid
    with engine.begin() as db:
        assert not names["change_total"](db, "ORD1", 99000)
    verifier.close()
    engine.dispose()


def test_each_order_is_paid_to_its_own_account(page: dict[str, Any]) -> None:
    exec(run_block(blocks[5]), page)
    verifier = page["verifier_of_both"]
    assert sorted(verifier.settings.accounts) == ["kr", "us"]
    assert verifier.store.expected("ORD1").account == "us"
    with pytest.raises(InvalidRequest):
        verifier.verify("imp_123456789012", None)
    with pytest.raises(StoreError, match="'kr', 'us'"):
        verifier.verify("imp_123456789012", "ORD2")
    verifier.close()
    verifier.store.close()
