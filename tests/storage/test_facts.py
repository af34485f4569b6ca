"""What the ready-made stores tell about their database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from imp_verify import StoreError
from imp_verify.stores import in_thread
from imp_verify.stores._facts import StoreFacts
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore
from tests.support.databases import own_database

TABLES = ("imp_orders", "imp_receipts", "imp_changes", "imp_dues", "imp_runs")
PLAIN = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}
ASYNC = {
    "postgresql": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "sqlite": "sqlite+aiosqlite",
}
NAMES = {"postgresql": "PostgreSQL 1", "mysql": "M", "sqlite": "SQLite 3."}
FOLD = {
    "postgresql": (
        "CREATE COLLATION folds "
        "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        'ALTER TABLE imp_orders ALTER merchant_uid TYPE varchar(64) COLLATE "folds"',
    ),
    "mysql": ("ALTER TABLE imp_orders MODIFY merchant_uid VARCHAR(64) COLLATE utf8mb4_general_ci",),
    "sqlite": (
        "DROP TABLE imp_orders",
        "CREATE TABLE imp_orders (merchant_uid TEXT COLLATE NOCASE, paid_by TEXT, was_paid INT)",
    ),
}


def expected(merchant_uid: str, db: object) -> int:
    return 39000


async def asked(merchant_uid: str, db: object) -> int:
    return 39000


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Give a database's address for a driver."""
    with ExitStack() as ends:
        if kind == "sqlite":
            yield lambda driver: f"{driver}:///{tmp_path / 'shop.db'}"
        else:
            yield ends.enter_context(own_database(kind)).url


def facts_of(url: str, session: bool) -> StoreFacts:
    engine = create_async_engine(url, poolclass=NullPool)
    source: Any = async_sessionmaker(engine) if session else engine
    return asyncio.run(AsyncSqlAlchemyStore(source, expected=asked).facts())


@pytest.mark.parametrize("session", [False, True])
def test_tables_and_collations_are_told_by_plain_and_async_stores(
    kind: str, url: Callable[[str], str], session: bool
) -> None:
    engine = create_engine(url(PLAIN[kind]), poolclass=NullPool)
    source: Any = sessionmaker(engine) if session else engine
    store = SqlAlchemyStore(source, expected=expected, lock_timeout=7)
    before = store.facts()
    assert before.missing == TABLES
    assert before.database.startswith(NAMES[kind])
    assert before.lock_timeout == (5 if kind == "sqlite" else 7)
    assert before.isolation == ("SERIALIZABLE" if kind == "sqlite" else "READ COMMITTED")
    store.create_all()
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE imp_changes")
    assert store.facts().missing == ("imp_changes",)
    store.create_all()
    good = store.facts()
    assert (good.missing, good.folding, good.checks_connections) == ((), (), None)
    assert facts_of(url(ASYNC[kind]), session).database == good.database
    with engine.begin() as db:
        for statement in FOLD[kind]:
            db.exec_driver_sql(statement)
    assert store.facts().folding == ("imp_orders.merchant_uid",)
    assert facts_of(url(ASYNC[kind]), session).folding == ("imp_orders.merchant_uid",)
    engine.dispose()


def test_tables_in_another_schema_are_found_there() -> None:
    with own_database("postgresql") as database:
        engine = create_engine(database.url(PLAIN["postgresql"]), poolclass=NullPool)
        elsewhere = engine.execution_options(schema_translate_map={None: "payments"})
        store = SqlAlchemyStore(elsewhere, expected=expected)
        with engine.begin() as db:
            db.exec_driver_sql("CREATE SCHEMA payments")
        assert store.facts().missing == TABLES
        store.create_all()
        assert store.facts().missing == ()
        assert SqlAlchemyStore(engine, expected=expected).facts().missing == TABLES


def test_what_the_store_refuses_is_refused_here_too() -> None:
    with own_database("mysql") as database:
        engine = create_engine(database.url(PLAIN["mysql"]), poolclass=NullPool)
        SqlAlchemyStore(engine, expected=expected).create_all()
        with engine.begin() as db:
            db.exec_driver_sql("ALTER TABLE imp_orders ENGINE = MyISAM")
        # Anew, as after a start: what was looked at before is not looked at again.
        engine = create_engine(database.url(PLAIN["mysql"]), poolclass=NullPool)
        with pytest.raises(StoreError, match="cannot roll back imp_orders"):
            _ = SqlAlchemyStore(engine, expected=expected).facts()
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(StoreError, match="commits after every statement"):
            _ = SqlAlchemyStore(autocommit, expected=expected).facts()


def test_the_file_of_a_sqlite_store_has_its_tables_at_first_use(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "shop.db", expected=expected, busy_timeout=2)
    assert store.facts().made
    facts = store.facts()
    assert (facts.missing, facts.folding, facts.lock_timeout, facts.made) == ((), (), 2, False)
    assert asyncio.run(in_thread(store).facts()) == facts  # type: ignore[attr-defined]
    store.close()
