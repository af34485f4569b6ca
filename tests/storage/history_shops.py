"""The shops of the histories: they fail now and then, give back what they cannot fulfil, and let
the time of every next try come."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, cast

from sqlalchemy import delete, update

from imp_verify import GiveBack, Outcome
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlalchemy import metadata
from tests.storage.shops import MemoryShop, SqliteShop
from tests.storage.sqlalchemy_shops import POOLED, TABLES, SqlShop, Variant


class Restless:
    """What the shop of a history does before it does its work."""

    def __init__(self) -> None:
        self.failures = 0
        self.sold_out: set[str | None] = set()

    def __call__(self, name: str, outcome: Outcome) -> None:
        if self.failures:
            self.failures -= 1
            raise LookupError("this shop's hook fails now and then")
        if name == "on_paid" and outcome.merchant_uid in self.sold_out:
            raise GiveBack("sold out")


class MemoryHistoryShop(MemoryShop):
    def __init__(self, kind: type[MemoryStore] = MemoryStore) -> None:
        self.restless = Restless()
        super().__init__(kind=kind)

    def _hook(self, name: str, outcome: Outcome, transaction: Any) -> None:
        self.restless(name, outcome)
        super()._hook(name, outcome, transaction)

    def begin_at(self, began: datetime) -> None:
        runs = cast(Any, self.store)._runs
        runs[""] = replace(runs[""], began=began)

    def let_tries_come(self, now: datetime) -> None:
        dues = cast(Any, self.store)._dues
        for uid, due in dues.items():
            if due.next_try is not None:
                dues[uid] = replace(due, next_try=min(due.next_try, now))


class SqliteHistoryShop(SqliteShop):
    """It reads what was told after every step, so its own connection stays open."""

    def __init__(self, path: Path) -> None:
        self.restless = Restless()
        super().__init__(path)
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)

    def read(self, query: str, *values: object) -> list[Any]:
        return self._db.execute(query, values).fetchall()

    def write(self, query: str, *values: object) -> None:
        self._db.execute(query, values)

    def close(self) -> None:
        super().close()
        self._db.close()

    def _hook(self, name: str, outcome: Outcome, db: Any) -> None:
        super()._hook(name, outcome, db)  # first: it is rolled back
        self.restless(name, outcome)

    def begin_at(self, began: datetime) -> None:
        self.write("UPDATE imp_runs SET began = ?", began.isoformat())

    def let_tries_come(self, now: datetime) -> None:
        query = "UPDATE imp_dues SET next_try = ? WHERE next_try IS NOT NULL"
        self.write(query, now.isoformat())


class SqlHistoryShop(SqlShop):
    def __init__(self, variant: Variant, place: Any) -> None:
        self.restless = Restless()
        super().__init__(variant, place, options=POOLED)

    async def _hook(self, name: str, outcome: Outcome, transaction: Any) -> None:
        await super()._hook(name, outcome, transaction)
        self.restless(name, outcome)

    def begin_at(self, began: datetime) -> None:
        with self.engine.begin() as db:
            db.execute(update(metadata.tables["imp_runs"]).values(began=began))

    def let_tries_come(self, now: datetime) -> None:
        dues = metadata.tables["imp_dues"]
        with self.engine.begin() as db:
            db.execute(update(dues).where(dues.c.next_try.is_not(None)).values(next_try=now))


HistoryShop: TypeAlias = MemoryHistoryShop | SqliteHistoryShop | SqlHistoryShop
Factory: TypeAlias = Callable[[], AbstractContextManager[HistoryShop]]
"""Opens a fresh shop, and closes it."""


@contextmanager
def memory_shop(kind: type[MemoryStore] = MemoryStore) -> Iterator[HistoryShop]:
    yield MemoryHistoryShop(kind)


@contextmanager
def sqlite_shop() -> Iterator[HistoryShop]:
    with TemporaryDirectory() as directory:
        shop = SqliteHistoryShop(Path(directory) / "shop.db")
        yield shop
        shop.close()


@contextmanager
def sqlalchemy_shop(place: Any, variant: Variant) -> Iterator[HistoryShop]:
    """A shop whose tables are there, and are emptied."""
    shop = SqlHistoryShop(variant, place)
    with shop.engine.begin() as db:
        for table in TABLES:
            db.execute(delete(table))
    yield shop
    shop.close()
