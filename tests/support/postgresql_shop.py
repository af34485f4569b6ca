"""A shop on PostgreSQL: `SqlAlchemyStore` under WSGI, its async sister under ASGI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from imp_verify import Outcome, Receipt
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore, metadata
from tests.support.arguments import VerifierArguments

from .databases import Address, own_database
from .gateway import I1, ScriptedGateway
from .shop import PLAIN, TIMEOUT, AsgiDriver, Shop

SHIPMENTS = "CREATE TABLE shipments (id serial, merchant_uid text, imp_uid text)"
SHIP = text("INSERT INTO shipments (merchant_uid, imp_uid) VALUES (:merchant_uid, :imp_uid)")
TABLES = ("shipments", *metadata.tables)


@dataclass(frozen=True)
class Postgresql:
    """This process's database and an engine on it, with all tables made."""

    address: Address
    engine: Engine

    def clear(self) -> None:
        """Empty the tables: faster than to truncate them, which makes files anew."""
        with self.engine.begin() as db:
            db.exec_driver_sql("; ".join(f"DELETE FROM {name}" for name in TABLES))

    def shop(
        self,
        gateway: ScriptedGateway,
        framework: str,
        keeps: str,
        path: Path,
        arguments: VerifierArguments,
    ) -> PostgresqlShop:
        """Make a `Shop` that keeps its records here."""
        return PostgresqlShop(gateway, framework, keeps, path, arguments, database=self)


@contextmanager
def postgresql_made() -> Iterator[Postgresql]:
    """Make a database and its tables, and drop it afterwards."""
    with own_database("postgresql") as address:
        engine = create_engine(address.url("postgresql+psycopg"), pool_size=16)
        metadata.create_all(engine)
        with engine.begin() as db:
            db.exec_driver_sql(SHIPMENTS)
        yield Postgresql(address, engine)
        engine.dispose()


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a coroutine function of one of the shop's, which writes as a plain one does."""

    async def call(*arguments: Any) -> Any:
        *given, transaction = arguments
        return await transaction.run_sync(lambda plain: function(*given, plain))

    return call


@dataclass
class PostgresqlShop(Shop):
    """The same shop with its records in PostgreSQL."""

    database: Postgresql | None = None

    @property
    def postgresql(self) -> Postgresql:
        assert self.database is not None
        return self.database

    def _open(self, functions: dict[str, Any]) -> Any:
        self._later: AsyncEngine | None = None
        self._reads = SqlAlchemyStore(self.postgresql.engine, expected=lambda *_: None)
        if self.framework in PLAIN:
            return SqlAlchemyStore(self.postgresql.engine, **functions)
        self._later = create_async_engine(self.postgresql.address.url("postgresql+asyncpg"))
        later: dict[str, Any] = {name: _awaited(function) for name, function in functions.items()}
        return AsyncSqlAlchemyStore(self._later, **later)

    def close(self) -> None:
        if self._later is not None:  # its connections belong to the loop that opened them
            assert isinstance(self.driver, AsgiDriver)
            self.driver.run(self._later.dispose()).result(TIMEOUT)
        super().close()

    def _ship(self, outcome: Outcome, transaction: Any) -> None:
        row = {"merchant_uid": outcome.merchant_uid, "imp_uid": outcome.imp_uid}
        transaction.execute(SHIP, row)

    def receipt(self, imp_uid: str = I1) -> Receipt | None:
        return self._reads.receipts([imp_uid]).get(imp_uid)

    @property
    def shipped(self) -> list[str]:
        with self.postgresql.engine.connect() as db:
            return list(db.scalars(text("SELECT imp_uid FROM shipments ORDER BY id")))

    def rows(self, table: str) -> int:
        with self.postgresql.engine.connect() as db:
            return int(db.scalar(text(f"SELECT count(*) FROM {table}")))
