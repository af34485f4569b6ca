"""A store by hand on SQLite, as a shop would write it: `expected`, `settle`, and nothing more. And
a meeting point, at which a store that has a race shows it each time."""

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from imp_verify import ExpectedPayment, OrderStore, Outcome, Settled, StoreError
from imp_verify.testing import TrialShop
from tests.storage.shops import conditions

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS orders (
    number TEXT {collation} PRIMARY KEY, total TEXT, currency TEXT, open INTEGER, conditions TEXT);
CREATE TABLE IF NOT EXISTS payments (
    imp_uid TEXT {collation} PRIMARY KEY, number TEXT {collation}, state TEXT);
CREATE TABLE IF NOT EXISTS goods (number TEXT {collation}, imp_uid TEXT);
"""


class Meeting:
    """Where all threads of a trial that began together wait for one another, each once: all have
    read then, and none has written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._barriers: dict[int, threading.Barrier] = {}
        self._been_here = threading.local()

    def wait(self) -> None:
        together = re.fullmatch(r"\d+ of (\d+)", threading.current_thread().name)
        if together is None or getattr(self._been_here, "once", False):
            return
        self._been_here.once = True
        parties = int(together[1])
        with self._lock:
            barrier = self._barriers.setdefault(parties, threading.Barrier(parties))
        _ = barrier.wait(30)


class HandStore(OrderStore):
    """Everything in one transaction, which holds the lock from its beginning."""

    races = False
    """Whether its threads meet where they have read and not written."""
    collation = ""
    patience = 30.0

    def __init__(self, path: Path, work: Callable[[Outcome, sqlite3.Connection], None]) -> None:
        self.path = path
        self.work = work
        self.meeting = Meeting()
        with closing(self.connect()) as db:
            db.executescript(TABLES.format(collation=self.collation))

    def connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=self.patience, isolation_level=None)
        db.execute("PRAGMA synchronous = OFF")  # processes die here, machines do not
        return db

    def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        with closing(self.connect()) as db:
            return self.find(db, merchant_uid)

    def find(self, db: sqlite3.Connection, merchant_uid: str) -> ExpectedPayment | None:
        query = "SELECT total, currency, open, conditions FROM orders WHERE number = ?"
        row = db.execute(query, (merchant_uid,)).fetchone()
        if row is None:
            return None
        return ExpectedPayment(merchant_uid, row[0], row[1], open=row[2], **json.loads(row[3]))

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            settled = self.decide(db, outcome, self.find(db, outcome.merchant_uid or ""))
            if settled is not Settled.STALE:
                db.execute("COMMIT")
            return settled  # closing rolls back what was not committed, also where it raised

    def decide(
        self, db: sqlite3.Connection, outcome: Outcome, order: ExpectedPayment | None
    ) -> Settled:
        of, state = self.kept(db, outcome)
        closed = order is None or not order.open
        if of is not None and of != outcome.merchant_uid:
            raise StoreError(f"{outcome.imp_uid} is kept for another order")
        if state == "paying":
            return self.repeat(db, outcome)
        if state == "duplicate":
            return Settled.DUPLICATE
        if self.payer(db, outcome) is not None:
            return self.keep(db, outcome, Settled.DUPLICATE)
        if closed:
            return self.keep(db, outcome, Settled.LATE)
        if order != outcome.expected:
            return Settled.STALE
        return self.pay(db, outcome)

    def kept(self, db: sqlite3.Connection, outcome: Outcome) -> tuple[str | None, str | None]:
        query = "SELECT number, state FROM payments WHERE imp_uid = ?"
        return db.execute(query, (outcome.imp_uid,)).fetchone() or (None, None)

    def payer(self, db: sqlite3.Connection, outcome: Outcome) -> object:
        query = "SELECT imp_uid FROM payments WHERE number = ? AND state = 'paying'"
        return db.execute(query, (outcome.merchant_uid,)).fetchone()

    def repeat(self, db: sqlite3.Connection, outcome: Outcome) -> Settled:
        return Settled.REPEATED

    def pay(self, db: sqlite3.Connection, outcome: Outcome) -> Settled:
        _ = self.keep(db, outcome, Settled.NEW)
        self.work(outcome, db)
        return Settled.NEW

    def keep(self, db: sqlite3.Connection, outcome: Outcome, settled: Settled) -> Settled:
        state = "paying" if settled is Settled.NEW else str(settled)
        values = (outcome.imp_uid, outcome.merchant_uid, state)
        db.execute("INSERT OR REPLACE INTO payments VALUES (?, ?, ?)", values)
        return settled


class HandShop(TrialShop):
    """Orders, records and goods in one file. `alone` lets the store live in this process only."""

    store: HandStore

    def __init__(
        self, path: Path, make: Callable[..., HandStore] = HandStore, *, alone: bool = False
    ) -> None:
        self.store = make(path, self.ship)
        if not alone:
            self.reopen = partial(HandShop, path, make)

    def ship(self, outcome: Outcome, db: sqlite3.Connection) -> None:
        values = (outcome.merchant_uid, outcome.imp_uid)
        db.execute("INSERT INTO goods VALUES (?, ?)", values)
        self.half_done()

    def put(self, order: ExpectedPayment) -> None:
        self._meet()
        values = (order.merchant_uid, f"{order.amount:f}", order.currency, order.open)
        with closing(self.store.connect()) as db:
            row = (*values, conditions(order))
            db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", row)

    def _meet(self) -> None:
        if self.store.races:
            self.store.meeting.wait()

    def delete(self, merchant_uid: str) -> None:
        self._meet()
        with closing(self.store.connect()) as db:
            db.execute("DELETE FROM orders WHERE number = ?", (merchant_uid,))

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        with closing(self.store.connect()) as db:
            query = "SELECT imp_uid FROM goods WHERE number = ?"
            return [imp_uid for (imp_uid,) in db.execute(query, (merchant_uid,))]
