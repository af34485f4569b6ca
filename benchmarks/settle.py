"""`settle` against a hand-written transaction of the same statements in the same library.

Both sides settle new paid orders in turns, on one database that already holds 1, 10,000 and, with
--all, 1,000,000 receipts; what is compared is wall-clock time, medians over the turns. By hand is
every statement that the store sends, with what it sends, also those that begin and prove the
transaction. A ratio of 0.8 says that `settle` does 0.8 times as many payments a second as the
hand-written one.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Update,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import OperationalError

from imp_verify import ExpectedPayment, Outcome, Payment, Verdict
from imp_verify.stores.sqlalchemy import SqlAlchemyStore, _dialects, _statements, metadata
from imp_verify.stores.sqlalchemy._tables import changes, orders, receipts
from imp_verify.stores.sqlite import SqliteStore

PRICE = 39000
NOW = "2026-01-01T00:00:00.000+00:00"
Settle = Callable[[Outcome], object]
"""Settles a payment that the rules found paid."""


class NoServer(Exception):
    """Nothing answers where this database should be."""


@dataclass(frozen=True)
class Side:
    """One database, both ways to settle on it, and the least ratio."""

    name: str
    budget: float
    ours: Settle
    by_hand: Settle
    fill: Callable[[int, int], None]
    """Put in paid orders with their receipts, numbered from the first to the second argument."""
    add_orders: Callable[[int, int], None]
    """Put in orders that nobody has paid yet."""


def outcome(number: int) -> Outcome:
    """Give what the rules hand to a store for a paid payment."""
    order, imp_uid = f"ORD-{number}", f"imp_{number}"
    payment = Payment(imp_uid, order, "paid", Decimal(PRICE), pay_method="card")
    return Outcome(
        Verdict.PAID,
        imp_uid=imp_uid,
        merchant_uid=order,
        payment=payment,
        expected=ExpectedPayment(order, PRICE),
        endpoint="webhook",
    )


SHOP = "CREATE TABLE shop_orders (number VARCHAR(64) PRIMARY KEY, total INTEGER, state VARCHAR(9))"
ASK = "SELECT total FROM shop_orders WHERE number = ?"
SHIP = "UPDATE shop_orders SET state = 'paid' WHERE number = ?"


@contextmanager
def sqlite() -> Iterator[Side]:
    """SQLite with synchronous=FULL in a file."""

    def expected(order: str, db: sqlite3.Connection) -> int | None:
        row = db.execute(ASK, (order,)).fetchone()
        return row and int(row[0])

    def ship(paid: Outcome, db: sqlite3.Connection) -> None:
        db.execute(SHIP, (paid.merchant_uid,))

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        path = Path(folder) / "shop.db"
        store = SqliteStore(path, expected=expected, on_paid=ship)
        store.create_all()
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA synchronous = FULL")
        db.execute(SHOP)
        empty = (None, None, None, None)

        def by_hand(paid: Outcome) -> None:
            order, imp_uid, payment = paid.merchant_uid, paid.imp_uid, paid.payment
            assert payment is not None
            now, amount = datetime.now(UTC).isoformat(timespec="milliseconds"), str(payment.amount)
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "SELECT pay_method, vbank_name, vbank_num, vbank_due, paid_at, imp_uid,"
                " merchant_uid, state, amount, cancel_amount, currency, account, test, reason"
                " FROM imp_receipts WHERE imp_uid = ?",
                (imp_uid,),
            ).fetchone()
            db.execute(
                "SELECT change, amount FROM imp_changes WHERE imp_uid = ?", (imp_uid,)
            ).fetchall()
            db.execute(
                "SELECT paid_by, was_paid FROM imp_orders WHERE merchant_uid = ?", (order,)
            ).fetchone()
            db.execute(
                "SELECT 1 FROM imp_receipts"
                " WHERE merchant_uid = ? AND state = 'waiting' AND imp_uid <> ? LIMIT 1",
                (order, imp_uid),
            ).fetchone()
            (total,) = db.execute(ASK, (order,)).fetchone()
            assert total == PRICE
            db.execute(
                "INSERT INTO imp_receipts (merchant_uid, state, amount, cancel_amount, currency,"
                " account, test, reason, pay_method, vbank_name, vbank_num, vbank_due, paid_at,"
                " updated_at, imp_uid, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    order,
                    "paying",
                    amount,
                    str(payment.cancel_amount),
                    payment.currency,
                    None,
                    int(payment.sandbox),
                    None,
                    payment.pay_method,
                    *empty,
                    now,
                    imp_uid,
                    now,
                ),
            )
            db.execute(
                "INSERT INTO imp_orders (merchant_uid, paid_by, was_paid) VALUES (?, ?, 1)"
                " ON CONFLICT (merchant_uid) DO UPDATE"
                " SET paid_by = excluded.paid_by, was_paid = 1",
                (order, imp_uid),
            )
            db.execute(
                "INSERT INTO imp_changes (imp_uid, change, merchant_uid, verdict, reason, amount,"
                " endpoint, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (imp_uid, "paid", order, "paid", None, amount, paid.endpoint, now),
            )
            db.execute(SHIP, (order,))
            db.execute("COMMIT")

        def add_orders(first: int, last: int) -> None:
            rows = ((f"ORD-{n}", PRICE, "new") for n in range(first, last))
            _many("INSERT INTO shop_orders VALUES (?, ?, ?)", rows)

        def fill(first: int, last: int) -> None:
            numbers = range(first, last)
            _many(
                "INSERT INTO imp_orders VALUES (?, ?, 1)",
                ((f"ORD-{n}", f"imp_{n}") for n in numbers),
            )
            _many(
                "INSERT INTO imp_receipts VALUES (?, ?, 'paying', '39000', '0', 'KRW', NULL, 0,"
                f" 'card', NULL, NULL, NULL, NULL, '{NOW}', '{NOW}', NULL)",
                ((f"imp_{n}", f"ORD-{n}") for n in numbers),
            )
            _many(
                "INSERT INTO imp_changes VALUES"
                f" (?, 'paid', ?, 'paid', NULL, '39000', 'webhook', '{NOW}')",
                ((f"imp_{n}", f"ORD-{n}") for n in numbers),
            )

        def _many(statement: str, rows: Iterator[tuple[object, ...]]) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(statement, rows)
            db.execute("COMMIT")

        try:
            yield Side("SQLite, sqlite3", 0.8, store.settle, by_hand, fill, add_orders)
        finally:
            store.close()
            db.close()


def on_postgresql() -> AbstractContextManager[Side]:
    """PostgreSQL through SQLAlchemy and psycopg."""
    return sqlalchemy("PostgreSQL, SQLAlchemy", address("PG", "postgresql+psycopg", "5432"))


def on_mariadb() -> AbstractContextManager[Side]:
    """MariaDB through SQLAlchemy and mysqlclient, which is built from source, or else PyMySQL."""
    driver = "mysqldb" if find_spec("MySQLdb") else "pymysql"
    return sqlalchemy(f"MariaDB, {driver}", address("MYSQL_", f"mysql+{driver}", "3306"))


def on_sqlite_too() -> AbstractContextManager[Side]:
    """SQLite through SQLAlchemy, in the shop's own engine."""
    folder = tempfile.mkdtemp()
    return sqlalchemy("SQLite, SQLAlchemy", f"sqlite:///{folder}/shop.db")


def address(prefix: str, driver: str, port: str) -> str:
    """Give the database that the environment names, or the usual one on this machine."""
    said = {
        name: os.environ.get(prefix + name, usual)
        for name, usual in (("HOST", "127.0.0.1"), ("PORT", port), ("USER", "root"))
    }
    database = os.environ.get(f"{prefix}DATABASE", "test")
    return f"{driver}://{said['USER']}@{said['HOST']}:{said['PORT']}/{database}"


@contextmanager
def sqlalchemy(name: str, url: str) -> Iterator[Side]:
    """A database through SQLAlchemy; its tables are dropped again."""
    engine = create_engine(url)
    try:
        engine.connect().close()
    except OperationalError as error:
        raise NoServer(f"{name}: no server at {engine.url.host}:{engine.url.port}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    metadata.drop_all(engine)
    shop = Table(
        "shop_orders",
        MetaData(),
        Column("number", String(64), primary_key=True),
        Column("total", Integer),
        Column("state", String(9)),
    )
    shop.drop(engine, checkfirst=True)
    shop.create(engine)
    ask = select(shop.c.total).where(shop.c.number == bindparam("key"))
    ship = update(shop).where(shop.c.number == bindparam("key")).values(state="paid")
    hand = by_hand_with(engine, ask, ship)

    def expected(order: str, db: Connection) -> int | None:
        return db.execute(ask, {"key": order}).scalar_one_or_none()

    def on_paid(paid: Outcome, db: Connection) -> None:
        db.execute(ship, {"key": paid.merchant_uid})

    store = SqlAlchemyStore(engine, expected=expected, on_paid=on_paid)
    store.create_all()

    def add_orders(first: int, last: int) -> None:
        rows = [{"number": f"ORD-{n}", "total": PRICE, "state": "new"} for n in range(first, last)]
        with engine.begin() as db:
            db.execute(insert(shop), rows)

    def fill(first: int, last: int) -> None:
        for start in range(first, last, 10_000):
            numbers = range(start, min(last, start + 10_000))
            with engine.begin() as db:
                for table, row in ((orders, _order), (receipts, _receipt), (changes, _change)):
                    db.execute(insert(table), [row(outcome(number)) for number in numbers])
        if engine.dialect.name == "postgresql" and last > first:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                db.exec_driver_sql("VACUUM ANALYZE imp_orders, imp_receipts, imp_changes")

    budget = 0.8 if engine.dialect.name == "sqlite" else 0.9
    try:
        yield Side(name, budget, store.settle, hand, fill, add_orders)
    finally:
        metadata.drop_all(engine)
        shop.drop(engine)
        engine.dispose()


def by_hand_with(engine: Engine, ask: Select[tuple[int]], ship: Update) -> Settle:
    """Give what a shop would write that knows all of the store's statements."""
    level = "tx" if getattr(engine.dialect, "is_mariadb", False) else "transaction"
    wait = "innodb_lock_wait_timeout"
    begin = {
        "sqlite": "BEGIN IMMEDIATE",
        "postgresql": "SET LOCAL lock_timeout = 5000",
        "mysql": f"SET @imp_verify_wait = @@SESSION.{wait}, SESSION {wait} = 5, "
        f"@@{level}_isolation = 'READ-COMMITTED'",
    }[engine.dialect.name]
    lift = f"SET SESSION {wait} = @imp_verify_wait" if engine.dialect.name == "mysql" else None
    lock = _dialects._KINDS[engine.dialect.name].lock_order
    read, put = _statements._READ, _statements._PUT
    pay, tell = _statements._PAID, _statements._TOLD

    def by_hand(paid: Outcome) -> None:
        order, imp_uid = paid.merchant_uid, paid.imp_uid
        with engine.begin() as db:
            db.exec_driver_sql(begin)
            db.exec_driver_sql("SAVEPOINT imp_verify")
            db.execute(lock, {"merchant_uid": order})
            rows = db.execute(read, {"key": imp_uid, "number": order}).all()
            assert len(rows) == 1
            assert db.execute(ask, {"key": order}).scalar_one() == PRICE
            db.execute(put, _receipt(paid))
            db.execute(pay, {"number": order, "paid_by": imp_uid})
            db.execute(tell, _change(paid))
            db.execute(ship, {"key": order})
            db.exec_driver_sql("RELEASE SAVEPOINT imp_verify")
            if lift is not None:
                db.exec_driver_sql(lift)

    return by_hand


def _set_up_sqlite(db: sqlite3.Connection, _: object) -> None:
    db.isolation_level = None
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")


def _order(paid: Outcome) -> dict[str, object]:
    return {"merchant_uid": paid.merchant_uid, "paid_by": paid.imp_uid, "was_paid": True}


def _receipt(paid: Outcome) -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        **dict.fromkeys(("account", "vbank_name", "vbank_num", "vbank_due", "paid_at")),
        **{"imp_uid": paid.imp_uid, "merchant_uid": paid.merchant_uid, "state": "paying"},
        **{"amount": Decimal(PRICE), "cancel_amount": Decimal(0), "currency": "KRW"},
        **{"test": False, "pay_method": "card", "created_at": now, "updated_at": now},
    }


def _change(paid: Outcome) -> dict[str, object]:
    return {
        **{"imp_uid": paid.imp_uid, "change": "paid", "merchant_uid": paid.merchant_uid},
        **{"verdict": "paid", "reason": None, "amount": Decimal(PRICE)},
        **{"endpoint": "webhook", "at": datetime.now(UTC)},
    }


def seconds(settle: Settle, numbers: range) -> float:
    """Give the seconds that one payment took."""
    outcomes = [outcome(number) for number in numbers]
    began = time.perf_counter()
    for each in outcomes:
        settle(each)
    return (time.perf_counter() - began) / len(numbers)


def compare(side: Side, turns: int, size: int, first: int) -> tuple[float, float]:
    """Let both sides take turns; give the median seconds of ours and of the other."""
    ours: list[float] = []
    theirs: list[float] = []
    side.add_orders(first, first + 2 * turns * size)
    for turn in range(turns):
        pairs = [(side.ours, ours), (side.by_hand, theirs)]
        for settle, figures in pairs if turn % 2 else reversed(pairs):
            figures.append(seconds(settle, range(first, first + size)))
            first += size
    return statistics.median(ours), statistics.median(theirs)


def measure(side: Side, receipts: list[int], turns: int, size: int) -> bool:
    """Print a row for each number of receipts; say whether all met the budget."""
    good, filled, first = True, 0, 10_000_000
    for wanted in receipts:
        side.fill(filled, wanted)
        filled = max(filled, wanted)
        one, other = compare(side, turns, size, first)
        first += 2 * turns * size
        ratio = other / one
        met = ratio >= side.budget
        good &= met
        print(
            f"{side.name:26} {wanted:9,} {one * 1e6:8.0f} us {other * 1e6:8.0f} us   "
            f"{ratio:5.2f}   {side.budget:5.2f}   {'met' if met else 'NOT MET'}",
            flush=True,
        )
    return good


SIDES: dict[str, Callable[[], AbstractContextManager[Side]]] = {
    "sqlite": sqlite,
    "sqlalchemy-sqlite": on_sqlite_too,
    "postgresql": on_postgresql,
    "mariadb": on_mariadb,
}


def main() -> int:
    """Measure every database; 1 where a budget is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--size", type=int, default=50, help="payments in a turn")
    parser.add_argument("--receipts", type=int, nargs="*", help="1 10000")
    parser.add_argument("--all", action="store_true", help="1,000,000 receipts too")
    parser.add_argument("--on", nargs="*", choices=SIDES, default=list(SIDES))
    arguments = parser.parse_args()
    receipts = arguments.receipts or [1, 10_000, *([1_000_000] if arguments.all else [])]
    print(f"Python {sys.version.split()[0]}, {arguments.turns} turns of {arguments.size}, medians")
    print(f"{'settle':26} {'receipts':>9} {'ours':>11} {'by hand':>11}   ratio  budget")
    good = True
    for name in arguments.on:
        try:
            with SIDES[name]() as side:
                good &= measure(side, receipts, arguments.turns, arguments.size)
        except NoServer as error:
            print(f"left out: {error}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
