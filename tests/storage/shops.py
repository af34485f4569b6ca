"""Small shops for the stores' tests: orders in the store's own database where it has one."""

import inspect
import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from imp_verify import ExpectedPayment, Outcome
from imp_verify.stores import in_thread
from imp_verify.stores._hooks import HookArguments
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import TrialShop

HOOKS = tuple(HookArguments.__annotations__)
Hook = Callable[[Outcome, Any], object]


async def done(value: Any) -> Any:
    """Wait for what an async transaction gives; a plain one has given it."""
    return await value if inspect.isawaitable(value) else value


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a plain function of a coroutine function that never has to wait."""

    def call(*arguments: Any) -> Any:
        try:
            function(*arguments).send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("a plain store's function has nothing to wait for")

    return call


class MemoryShop(TrialShop):
    """`options` takes the place of the usual hooks."""

    def __init__(
        self, *, threaded: bool = False, kind: type[MemoryStore] = MemoryStore, options: Any = None
    ) -> None:
        self._orders: dict[str, ExpectedPayment] = {}
        self._told: list[tuple[str, str, str]] = []
        hooks: dict[str, Any] = {name: partial(self._hook, name) for name in HOOKS}
        hooks.update(options or {})
        store = kind(expected=lambda order, _: self._orders.get(order), **hooks)
        self.store = in_thread(store) if threaded else store

    def _hook(self, name: str, outcome: Outcome, transaction: None) -> None:
        if name == "on_paid":
            self.half_done()  # first: there is nothing here that could be rolled back
        self._told.append((name, outcome.key, outcome.merchant_uid or ""))

    def put(self, order: ExpectedPayment) -> None:
        self._orders[order.merchant_uid] = order

    def delete(self, merchant_uid: str) -> None:
        del self._orders[merchant_uid]

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        told = [
            key for name, key, order in self._told if (name, order) == ("on_paid", merchant_uid)
        ]
        return [key.partition(":")[0] for key in told]

    def told(self) -> Sequence[tuple[str, str]]:
        return [(name, key) for name, key, _ in self._told]


TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY, total TEXT NOT NULL, open INTEGER, currency TEXT NOT NULL,
    conditions TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS told (hook TEXT, change TEXT, number TEXT, pid INTEGER);
"""


def expected(merchant_uid: str, db: sqlite3.Connection) -> ExpectedPayment | None:
    query = "SELECT number, total, open, currency, conditions FROM orders WHERE number = ?"
    row = db.execute(query, (merchant_uid,)).fetchone()
    return row and ExpectedPayment(row[0], row[1], row[3], open=row[2], **json.loads(row[4]))


def conditions(order: ExpectedPayment) -> str:
    """Write down what an order asks for beside its amount and currency."""
    sets = {"pay_methods": order.pay_methods, "pg_providers": order.pg_providers}
    fields = {name: value and sorted(value) for name, value in sets.items()}
    return json.dumps({"account": order.account, **fields})


def tell(name: str, outcome: Outcome, db: sqlite3.Connection) -> None:
    """A hook: write down that it was called, in the transaction it was given."""
    number = (outcome.merchant_uid or "").encode("utf-8", "replace").decode()
    values = (name, outcome.key, number)
    db.execute("INSERT INTO told (hook, change, number) VALUES (?, ?, ?)", values)


class SqliteShop(TrialShop):
    """Orders and hooks' rows in the store's own file. `hooks` takes the place of the usual ones."""

    kind = SqliteStore

    def __init__(
        self, path: Path, *, threaded: bool = False, options: Any = None, **hooks: Hook
    ) -> None:
        self.path = path
        db = sqlite3.connect(path)
        db.executescript("PRAGMA busy_timeout = 30000;" + TABLES)
        db.close()
        usual: dict[str, Any] = {name: partial(self._hook, name) for name in HOOKS}
        settings: dict[str, Any] = {"expected": expected, **usual, **hooks, **(options or {})}
        self.sqlite = self.kind(path, **settings)
        self.store = in_thread(self.sqlite) if threaded else self.sqlite
        self.reopen = partial(SqliteShop, path, threaded=threaded)

    def _hook(self, name: str, outcome: Outcome, db: sqlite3.Connection) -> None:
        tell(name, outcome, db)
        if name == "on_paid":
            self.half_done()

    def put(self, order: ExpectedPayment) -> None:
        values = (order.merchant_uid, f"{order.amount:f}", order.open, order.currency)
        query = "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)"
        self.write(query, *values, conditions(order))

    def delete(self, merchant_uid: str) -> None:
        self.write("DELETE FROM orders WHERE number = ?", merchant_uid)

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        query = "SELECT change FROM told WHERE hook = 'on_paid' AND number = ?"
        return [key.partition(":")[0] for (key,) in self.read(query, merchant_uid)]

    def told(self) -> Sequence[tuple[str, str]]:
        return self.read("SELECT hook, change FROM told ORDER BY rowid")

    def close(self) -> None:
        self.sqlite.close()

    def kept(self) -> tuple[int, ...]:
        """Count rows: hooks', receipts, orders, changes."""
        names = ("told", "imp_receipts", "imp_orders", "imp_changes")
        return tuple(self.read(f"SELECT count(*) FROM {name}")[0][0] for name in names)

    def read(self, query: str, *values: object) -> list[Any]:
        """Read as anybody else would: over a connection of one's own."""
        db = sqlite3.connect(self.path, timeout=30)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def write(self, query: str, *values: object) -> None:
        db = sqlite3.connect(self.path, timeout=30)
        try:
            with db:
                db.execute(query, values)
        finally:
            db.close()
