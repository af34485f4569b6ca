"""A store in one SQLite file, the shop's own or one beside it: one machine, any number of threads
and processes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, Unpack

from ..models import ExpectedPayment, Outcome, Receipt, Settled
from ._dues import LONGEST_ERROR, may_be_due, whole_second
from ._facts import StoreFacts, read_facts
from ._hooks import Expectation, Functions, Holder, HookArguments, run_afterwards
from ._ledger import Due, Run
from ._open import hold_limits, transaction_is_open
from ._protocol import Expected
from ._recording import ReadyStore
from ._rows import Loaded, OrderRow, Rows, read_receipt, storable
from ._sqlite_connections import Connection, Connections, FileGone, Guard

__all__ = ["SqliteStore"]

T = TypeVar("T")

_TABLES = {
    "imp_orders": """CREATE TABLE IF NOT EXISTS imp_orders (
        merchant_uid TEXT NOT NULL PRIMARY KEY,
        paid_by TEXT,
        was_paid INTEGER NOT NULL DEFAULT 0
    )""",
    "imp_receipts": """CREATE TABLE IF NOT EXISTS imp_receipts (
        imp_uid TEXT NOT NULL PRIMARY KEY,
        merchant_uid TEXT NOT NULL,
        state TEXT NOT NULL,
        amount TEXT NOT NULL,
        cancel_amount TEXT NOT NULL,
        currency TEXT NOT NULL,
        account TEXT,
        test INTEGER NOT NULL,
        pay_method TEXT,
        vbank_name TEXT,
        vbank_num TEXT,
        vbank_due TEXT,
        paid_at TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        reason TEXT
    )""",
    "imp_receipts_order": """CREATE INDEX IF NOT EXISTS imp_receipts_order
        ON imp_receipts (merchant_uid)""",
    "imp_changes": """CREATE TABLE IF NOT EXISTS imp_changes (
        imp_uid TEXT NOT NULL,
        change TEXT NOT NULL,
        merchant_uid TEXT NOT NULL,
        verdict TEXT NOT NULL,
        reason TEXT,
        amount TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (imp_uid, change)
    )""",
    "imp_dues": """CREATE TABLE IF NOT EXISTS imp_dues (
        imp_uid TEXT NOT NULL PRIMARY KEY,
        merchant_uid TEXT NOT NULL,
        kind TEXT NOT NULL,
        amount TEXT NOT NULL,
        currency TEXT NOT NULL,
        account TEXT,
        test INTEGER NOT NULL,
        begun TEXT,
        tries INTEGER NOT NULL,
        next_try TEXT,
        error TEXT,
        created TEXT NOT NULL,
        done TEXT
    )""",
    "imp_runs": """CREATE TABLE IF NOT EXISTS imp_runs (
        account TEXT NOT NULL PRIMARY KEY,
        began TEXT NOT NULL,
        since TEXT,
        until TEXT,
        page INTEGER,
        finished TEXT
    )""",
}
_RECEIPT = "imp_uid, merchant_uid, state, amount, cancel_amount, currency, account, test, reason"
_LOAD = f"""SELECT pay_method, vbank_name, vbank_num, vbank_due, paid_at, {_RECEIPT}
    FROM imp_receipts WHERE imp_uid = ?"""
_PUT = """INSERT INTO imp_receipts (
        merchant_uid, state, amount, cancel_amount, currency, account, test,
        reason, pay_method, vbank_name, vbank_num, vbank_due, paid_at, updated_at, imp_uid,
        created_at
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SET = """UPDATE imp_receipts SET
        merchant_uid = ?, state = ?, amount = ?, cancel_amount = ?, currency = ?, account = ?,
        test = ?, reason = ?, pay_method = ?, vbank_name = ?, vbank_num = ?, vbank_due = ?,
        paid_at = ?, updated_at = ?
    WHERE imp_uid = ?"""
_TOLD = """INSERT INTO imp_changes
    (imp_uid, change, merchant_uid, verdict, reason, amount, endpoint, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_PAID = """INSERT INTO imp_orders (merchant_uid, paid_by, was_paid) VALUES (?, ?, 1)
    ON CONFLICT (merchant_uid) DO UPDATE SET paid_by = excluded.paid_by, was_paid = 1"""
_SEEN = "INSERT OR IGNORE INTO imp_orders (merchant_uid) VALUES (?)"
_UNPAID = "UPDATE imp_orders SET paid_by = NULL WHERE merchant_uid = ? AND paid_by = ?"
_OTHERS = """SELECT 1 FROM imp_receipts
    WHERE merchant_uid = ? AND state = 'waiting' AND imp_uid <> ? LIMIT 1"""
_DUE = """imp_uid, merchant_uid, kind, amount, currency, account, test, begun, tries, next_try,
    error, created, done"""
_PUT_DUE = f"REPLACE INTO imp_dues ({_DUE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_RUN = "INSERT OR IGNORE INTO imp_runs (account, began) VALUES (?, ?)"
_ADD_ACCOUNT = """INSERT OR IGNORE INTO imp_runs (account, began)
    SELECT ?, began FROM imp_runs WHERE account = ''"""
_MANY = 500


class SqliteStore(ReadyStore[Connection]):
    """Keeps orders and receipts in a SQLite database, in the tables `imp_orders`, `imp_receipts`,
    `imp_changes`, and beside them `imp_dues` (money to give back) and `imp_runs`.

    Where it is the shop's own database file, what a hook writes commits together with the record,
    or not at all. Tables are made at first use, and those of an older release added to. Amounts are
    decimal text, times ISO 8601 in UTC.

    Nothing but SQLite may open and close the file in this process (to copy it, for example): that
    drops the process's locks, and another process deletes the log. It is noticed, and the file
    opened again. To back it up use `VACUUM INTO`, or another process.

    A store that is made before a fork serves in the child too, but a shop may keep no connection of
    its own to this file open across the fork: in the child SQLite would not lock the file. A
    process that was forked while a payment was being recorded gets a `StoreError` from each method,
    and no hook may fork.

    Args:
        path: The database file.
        expected: `expected(merchant_uid, db)` says what an order asks for; `db` is the open
            connection. It returns
            `ExpectedPayment(row.number, row.total, open=row.state == "new")`, with the row's own
            number and its state.
        hold: `hold(expected, imp_uid, db)` says why a payment may not be approved; what it did
            is then undone.
        busy_timeout: Seconds to wait for another writer before the delivery is given back as
            trouble; in `hold` no longer than the gateway waits.
        hooks: `on_paid` and the others, each `hook(outcome, db)`, inside the transaction. What a
            hook returns, if it is a function, is called after the commit.

    Raises:
        ConfigurationError: A function is missing, a coroutine, or of an unknown name; or the
            path is no file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        expected: Expectation[sqlite3.Connection],
        hold: Holder[sqlite3.Connection] | None = None,
        busy_timeout: float = 5.0,
        **hooks: Unpack[HookArguments[sqlite3.Connection]],
    ) -> None:
        self._functions: Functions[sqlite3.Connection] = Functions(expected, hold, hooks)
        self._connections = Connections(path, busy_timeout, _TABLES, _take_up)
        self._path = os.path.abspath(path)  # as there: a process may change its directory

    def create_all(self) -> None:
        """Make the tables now; any number of processes may do so at once. No connection stays open:
        a server may be forked next that does not tell Python so."""
        with self._connections.borrow():
            pass
        self._connections.close()

    def close(self) -> None:
        """Close the idle connections; the store can be used again afterwards."""
        self._connections.close()

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`: a plain read."""
        with self._connections.borrow() as db, Guard(db):
            return self._functions.expected(merchant_uid, db)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        found: dict[str, Receipt] = {}
        with self._connections.borrow() as db:
            for start in range(0, len(imp_uids), _MANY):
                some = imp_uids[start : start + _MANY]
                marks = ", ".join("?" * len(some))
                query = f"SELECT {_RECEIPT} FROM imp_receipts WHERE imp_uid IN ({marks})"
                rows = db.execute(query, tuple(some))
                found.update((row[0], read_receipt(row)) for row in rows)
        return found

    def paid(self, merchant_uid: str) -> bool:
        """See `ReadyStore.paid`."""
        query = "SELECT 1 FROM imp_orders WHERE merchant_uid = ? AND was_paid"
        with self._connections.borrow() as db:
            return db.execute(query, (merchant_uid,)).fetchone() is not None

    def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """See `ReadyStore.awaits_deposit`."""
        query = """SELECT 1 FROM imp_receipts WHERE merchant_uid = ? AND state = 'waiting'
            AND (vbank_due IS NULL OR vbank_due > ?) LIMIT 1"""
        with self._connections.borrow() as db:
            return db.execute(query, (merchant_uid, _moment(now))).fetchone() is not None

    def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""
        with self._connections.borrow() as db:
            return _find_due(db, imp_uid)

    def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""
        query = f"""SELECT {_DUE} FROM imp_dues
            WHERE done IS NULL AND imp_uid > ? ORDER BY imp_uid LIMIT ?"""
        with self._connections.borrow() as db:
            return [_read_due(row) for row in db.execute(query, (after or "", limit))]

    def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""
        query = f"""SELECT {_RECEIPT} FROM imp_receipts WHERE state = 'waiting'
            AND vbank_due >= ? AND vbank_due < ? AND imp_uid > ? ORDER BY imp_uid LIMIT ?"""
        values = (_moment(due_from), _moment(due_to), after or "", limit)
        with self._connections.borrow() as db:
            return [read_receipt(row) for row in db.execute(query, values)]

    def facts(self) -> StoreFacts:
        """Tell about the database, for `imp-verify doctor`."""
        was_there = os.path.exists(self._path)  # the first connection makes one else
        with self._connections.borrow() as db:
            facts = read_facts("sqlite", lambda query: db.execute(query).fetchall(), 0)
        return replace(facts, made=not was_there)

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        return self._transact(lambda db: self._hold_in(db, expected, imp_uid))

    def _transact(self, work: Callable[[Connection], tuple[bool, T]]) -> T:
        try:
            return self._transact_once(work)
        except FileGone:
            return self._transact_once(work)

    def _transact_once(self, work: Callable[[Connection], tuple[bool, T]]) -> T:
        with self._connections.borrow() as db, transaction_is_open():
            self._begin_in_time(db)
            keep, answer = work(db)
            if keep:
                db.commit_now()
            return answer

    def _begin_in_time(self, db: Connection) -> None:
        """Begin, and wait no longer for another writer than the gateway waits for its answer."""
        left = hold_limits()[0] - time.monotonic()
        if left >= self._connections.busy_timeout:
            db.begin()
            return
        db.wait_for_others(left)
        try:
            db.begin()
        finally:
            db.wait_for_others(self._connections.busy_timeout)

    def _record_once(self, outcome: Outcome, *, refused: bool = False) -> Settled | None:
        try:
            return self._record_on(self._connections.take(), outcome, refused)
        except FileGone:
            return self._record_on(self._connections.take_good(), outcome, refused)

    def _record_on(self, db: Connection, outcome: Outcome, refused: bool) -> Settled | None:
        try:
            with transaction_is_open():
                db.begin()
                recorded = self._record_in(db, outcome, refused=refused)
                if recorded.keep:
                    db.commit_now()
            # The connection is lent still: what a hook returned may hold on to it.
            run_afterwards(recorded.afterwards, outcome)
            return recorded.settled
        finally:
            self._connections.give_back(db)

    def _run(self, db: Connection, function: Callable[..., Any], *arguments: object) -> Any:
        with Guard(db):
            return function(*arguments, db)

    def _load(self, db: Connection, imp_uid: str, merchant_uid: str | None) -> Loaded:
        row = db.execute(_LOAD, (imp_uid,)).fetchone()
        rows = db.execute("SELECT change, amount FROM imp_changes WHERE imp_uid = ?", (imp_uid,))
        before = Loaded(merchant_uid, known={change: Decimal(amount) for change, amount in rows})
        if row is not None:
            before.details, before.receipt = row[:5], read_receipt(row[5:])
        if merchant_uid is None:
            return before
        query = "SELECT paid_by, was_paid FROM imp_orders WHERE merchant_uid = ?"
        order = db.execute(query, (merchant_uid,)).fetchone()
        if order is not None:
            before.paid_by, before.was_paid = order[0], bool(order[1])
        before.others_wait = db.execute(_OTHERS, (merchant_uid, imp_uid)).fetchone() is not None
        if before.known and may_be_due(before.receipt, before.known):
            before.due = _find_due(db, imp_uid)
        return before

    def _load_run(self, db: Connection, account: str) -> Run:
        return _load_run(db, account)

    def _save_run(self, db: Connection, run: Run) -> None:
        query = """UPDATE imp_runs SET since = ?, until = ?, page = ?, finished = ?
            WHERE account = ?"""
        times = (_moment(run.since), _moment(run.until), run.page, _moment(run.finished))
        db.execute(query, (*times, run.account))

    def _save(self, db: Connection, rows: Rows) -> None:
        now = _now()
        if rows.receipt is not None:
            _save_receipt(db, rows, rows.receipt, now)
        match rows.order:
            case OrderRow.PAID:
                db.execute(_PAID, (rows.merchant_uid, rows.imp_uid))
            case OrderRow.UNPAID:
                db.execute(_UNPAID, (rows.merchant_uid, rows.imp_uid))
            case OrderRow.SEEN:
                db.execute(_SEEN, (rows.merchant_uid,))
            case OrderRow.FORGOTTEN | None:  # the lock has made no row
                pass
        for told, amount in rows.changes:
            # Plain text: the driver takes longer for a member of an enumeration than for the row.
            reason = None if told.reason is None else str(told.reason)
            number = storable(told.merchant_uid)
            values = (told.imp_uid, told.change, number, str(told.verdict), reason)
            db.execute(_TOLD, (*values, _decimal(amount), told.endpoint, now))
        if rows.due is not None:
            _save_due(db, rows.due)


def _save_receipt(db: Connection, rows: Rows, receipt: Receipt, now: str) -> None:
    values = (
        receipt.merchant_uid,
        str(receipt.state),
        _decimal(receipt.amount),
        _decimal(receipt.cancel_amount),
        storable(receipt.currency),
        receipt.account,
        int(receipt.test),
        None if receipt.reason is None else str(receipt.reason),
        *rows.details,
        now,
        receipt.imp_uid,
    )
    if rows.is_new:
        db.execute(_PUT, (*values, now))
    else:
        db.execute(_SET, values)


def _take_up(db: Connection) -> None:
    """Add to the tables of an older release what they lack, and note when the store began."""
    columns = [row[1] for row in db.execute("PRAGMA table_info(imp_receipts)")]
    if "reason" not in columns:
        db.execute("ALTER TABLE imp_receipts ADD COLUMN reason TEXT")
    _load_run(db, "")


def _load_run(db: Connection, account: str) -> Run:
    query = "SELECT account, began, since, until, page, finished FROM imp_runs WHERE account = ?"
    db.execute(_ADD_RUN, ("", _moment(whole_second())))
    if account:
        db.execute(_ADD_ACCOUNT, (account,))
    name, began, since, until, page, finished = db.execute(query, (account,)).fetchone()
    times = (_read_moment(since), _read_moment(until))
    return Run(name, datetime.fromisoformat(began), *times, page, _read_moment(finished))


def _find_due(db: Connection, imp_uid: str) -> Due | None:
    row = db.execute(f"SELECT {_DUE} FROM imp_dues WHERE imp_uid = ?", (imp_uid,)).fetchone()
    return None if row is None else _read_due(row)


def _read_due(row: Sequence[Any]) -> Due:
    imp_uid, merchant_uid, kind, amount, currency, account, test, *rest = row
    begun, tries, next_try, error, created, done = rest
    return Due(
        imp_uid=imp_uid,
        merchant_uid=merchant_uid,
        kind=kind,
        amount=Decimal(amount),
        currency=currency,
        account=account,
        test=bool(test),
        begun=_read_moment(begun),
        tries=tries,
        next_try=_read_moment(next_try),
        error=error,
        created=datetime.fromisoformat(created),
        done=_read_moment(done),
    )


def _save_due(db: Connection, due: Due) -> None:
    values = (
        due.imp_uid,
        due.merchant_uid,
        due.kind,
        _decimal(due.amount),
        storable(due.currency),
        due.account,
        int(due.test),
        _moment(due.begun),
        due.tries,
        _moment(due.next_try),
        storable(due.error, LONGEST_ERROR),
        _moment(due.created),
        _moment(due.done),
    )
    db.execute(_PUT_DUE, values)


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat()


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _decimal(amount: Decimal) -> str:
    """Write an amount without an exponent; `format` takes four times as long."""
    text = str(amount)
    return f"{amount:f}" if "E" in text.upper() else text


def _now() -> str:
    """ISO 8601 in UTC, to the millisecond."""
    second, thousandth = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(second)}.{thousandth:03}+00:00"


@lru_cache(1)
def _second(second: int) -> str:
    """Format a second, once for all payments of that second."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
