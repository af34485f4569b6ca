"""A shop on SQLAlchemy, of either colour and on any database, for the tests of its stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Integer,
    MetaData,
    NullPool,
    Numeric,
    QueuePool,
    String,
    Table,
    create_engine,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from imp_verify import ExpectedPayment, Outcome
from imp_verify.stores import in_thread
from imp_verify.stores import sqlalchemy as stores
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlalchemy import metadata as store_metadata
from imp_verify.testing import TrialShop
from tests.storage.shops import HOOKS, done, plain
from tests.support.databases import ALL, MYSQL_DRIVER, Address
from tests.support.needs import need

metadata = MetaData()
_NUMBER = String(64).with_variant(String(64, collation="utf8mb4_bin"), "mysql", "mariadb")
# All digits that an amount may have; SQLite, which would make a float of them, keeps text.
_TOTAL = String(28).with_variant(Numeric(26, 8), "postgresql", "mysql", "mariadb")
orders = Table(
    "orders",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("total", _TOTAL, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("currency", String(8), nullable=False),
    mysql_charset="utf8mb4",
)
told = Table(
    "told",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("hook", String(32)),
    Column("change", String(200)),
    Column("number", _NUMBER),
    mysql_charset="utf8mb4",
)
TABLES = (*metadata.sorted_tables, *store_metadata.sorted_tables)

KINDS = {
    "pysqlite": "sqlite",
    "aiosqlite": "sqlite",
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "psycopg_async": "postgresql",
    "asyncpg": "postgresql",
    "pymysql": "mysql",
    "mysqldb": "mysql",
    "asyncmy": "mysql",
}
ASYNC = ("aiosqlite", "psycopg_async", "asyncpg", "asyncmy")
PLAIN_DRIVER = {"sqlite": "pysqlite", "postgresql": "psycopg", "mysql": "pymysql"}

POOLED = {"poolclass": QueuePool}
"""An engine's options where connections may stay open: it is faster."""


@dataclass(frozen=True)
class Variant:
    """A driver, what the store is given (engine or session), and whether it is in a thread."""

    driver: str
    source: str = "engine"
    threaded: bool = False

    @property
    def kind(self) -> str:
        return KINDS[self.driver]

    @property
    def asynchronous(self) -> bool:
        return self.driver in ASYNC

    def __str__(self) -> str:
        return "-".join([self.driver, self.source, *(["thread"] if self.threaded else [])])


def variants(**wanted: object) -> list[Variant]:
    """Give every combination, or, where that is not asked for, a few that meet each part; of them
    those whose attributes are as wanted, in one of several values where a tuple is given."""
    every = [
        Variant("pysqlite", "session"),
        Variant("aiosqlite", "engine"),
        Variant("psycopg", "engine"),
        Variant("asyncpg", "session"),
        Variant(MYSQL_DRIVER, "session"),
    ]
    if ALL:
        product_ = product(KINDS, ("engine", "session"), (False, True))
        every = [Variant(*each) for each in product_ if not (each[0] in ASYNC and each[2])]
    values = {name: each if isinstance(each, tuple) else (each,) for name, each in wanted.items()}
    return [each for each in every if all(getattr(each, name) in ok for name, ok in values.items())]


Place = Address | Path


def url(place: Place, driver: str) -> str:
    if driver == "mysqldb":
        need("mysqlclient")
    name = f"{KINDS[driver]}+{driver}"
    return f"{name}:///{place}" if isinstance(place, Path) else place.url(name)


def plain_engine(place: Place, **options: Any) -> Engine:
    kind = "sqlite" if isinstance(place, Path) else place.kind
    options.setdefault("poolclass", NullPool)
    return create_engine(url(place, PLAIN_DRIVER[kind]), **options)


def make_source(variant: Variant, place: Place, **options: Any) -> Any:
    """Make what a store is given. No pool, unless the test has its own: an async one belongs to
    one event loop, and these tests have several."""
    if "pool_size" not in options:
        options.setdefault("poolclass", NullPool)
    options.setdefault("connect_args", {"timeout": 30} if variant.kind == "sqlite" else {})
    where = url(place, variant.driver)
    if variant.asynchronous:
        async_engine = create_async_engine(where, **options)
        return async_sessionmaker(async_engine) if variant.source == "session" else async_engine
    engine = create_engine(where, **options)
    return sessionmaker(engine) if variant.source == "session" else engine


async def expected(merchant_uid: str, transaction: Any) -> ExpectedPayment | None:
    query = select(orders).where(orders.c.number == merchant_uid)
    row = (await done(transaction.execute(query))).first()
    return row and ExpectedPayment(row.number, row.total, row.currency, open=row.open)


async def tell(name: str, outcome: Outcome, transaction: Any) -> None:
    """A hook: write down that it was called, in the transaction it was given."""
    row = {"hook": name, "change": outcome.key, "number": outcome.merchant_uid}
    await done(transaction.execute(insert(told), row))


class SqlShop(TrialShop):
    """Orders and hooks' rows in the store's own database.

    The functions are written as coroutine functions in both colours, and take the place of the
    usual ones; `options` goes to the engine.
    """

    def __init__(
        self,
        variant: Variant,
        place: Place,
        *,
        options: Any = None,
        source: Any = None,
        **functions: Any,
    ) -> None:
        self.variant = variant
        self.place = place
        self.engine = plain_engine(place, **POOLED)
        self.source = make_source(variant, place, **(options or {})) if source is None else source
        usual: dict[str, Any] = {name: partial(self._hook, name) for name in HOOKS}
        given = {"expected": expected, **usual, **functions}
        settings = {name: given.pop(name) for name in ("lock_timeout",) if name in given}
        make: Any = SqlAlchemyStore
        if variant.asynchronous:  # asked for here alone: an older SQLAlchemy refuses it
            make = stores.AsyncSqlAlchemyStore
        else:
            given = {name: plain(each) for name, each in given.items()}
        self.sql = make(self.source, **given, **settings)
        self.store = in_thread(self.sql) if variant.threaded else self.sql
        self.reopen = partial(SqlShop, variant, place)

    async def _hook(self, name: str, outcome: Outcome, transaction: Any) -> None:
        await tell(name, outcome, transaction)
        if name == "on_paid":
            self.half_done()

    def put(self, order: ExpectedPayment) -> None:
        row = {
            "number": order.merchant_uid,
            "total": f"{order.amount:f}" if self.variant.kind == "sqlite" else order.amount,
            "open": order.open,
            "currency": order.currency,
        }
        with self.engine.begin() as db:
            db.execute(delete(orders).where(orders.c.number == order.merchant_uid))
            db.execute(insert(orders), row)

    def delete(self, merchant_uid: str) -> None:
        with self.engine.begin() as db:
            db.execute(delete(orders).where(orders.c.number == merchant_uid))

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        mine = (told.c.hook == "on_paid", told.c.number == merchant_uid)
        keys = self.read(select(told.c.change).where(*mine))
        return [key.partition(":")[0] for (key,) in keys]

    def told(self) -> Sequence[tuple[str, str]]:
        rows = self.read(select(told.c.hook, told.c.change).order_by(told.c.id))
        return [(hook, change) for hook, change in rows]

    def read(self, query: Any) -> list[Any]:
        """Read as anybody else would: over a connection of one's own."""
        with self.engine.connect() as db:
            return list(db.execute(text(query) if isinstance(query, str) else query))

    def kept(self) -> tuple[int, ...]:
        """Count rows: hooks', receipts, orders, changes."""
        names = ("told", "imp_receipts", "imp_orders", "imp_changes")
        return tuple(self.read(f"SELECT count(*) FROM {name}")[0][0] for name in names)

    @property
    def bind(self) -> Any:
        """The store's engine, plain or async."""
        return self.source.kw["bind"] if hasattr(self.source, "kw") else self.source

    @property
    def pool(self) -> Any:
        return getattr(self.bind, "sync_engine", self.bind).pool

    def close(self) -> None:
        self.engine.dispose()
        if self.variant.asynchronous:
            asyncio.run(self.bind.dispose())
        else:
            self.bind.dispose()


def cleared(place: Place) -> None:
    """Make the tables, or empty them."""
    engine = plain_engine(place)
    with engine.begin() as db:
        for each in (metadata, store_metadata):
            each.create_all(db)
        for table in TABLES:
            db.execute(delete(table))
    engine.dispose()


Make = Callable[..., SqlShop]


def making(variant: Variant, place: Place) -> Iterator[Make]:
    """Make shops of this variant in an emptied place, and close them."""
    made: list[SqlShop] = []
    cleared(place)

    def make(**arguments: Any) -> SqlShop:
        made.append(SqlShop(variant, place, **arguments))
        return made[-1]

    yield make
    for shop in made:
        shop.close()
