"""A store in one SQLite file, the shop's own or one beside it: one machine, any number of threads
and processes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Unpack

from ..models import ExpectedPayment, Outcome, Receipt, ReceiptState, Settled, Verdict
from . import Expected, hold_limits, transaction_is_open
from ._sqlite_connections import Connection, Connections, FileGone
from .changes import handed_on
from .ready import (
    Ask,
    Expectation,
    Functions,
    Holder,
    HookArguments,
    Load,
    Loaded,
    Save,
    Tell,
    details,
    read_receipt,
    record,
    text,
)
from .ready_plain import ReadyStore, Steps, ask_to_hold, drive, run_afterwards

__all__ = ["SqliteStore"]

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
        updated_at TEXT NOT NULL
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
}
_RECEIPT = "imp_uid, merchant_uid, state, amount, cancel_amount, currency, account, test"
_LOAD = f"SELECT {_RECEIPT} FROM imp_receipts WHERE imp_uid = ?"
_DETAILS = """SELECT pay_method, vbank_name, vbank_num, vbank_due, paid_at
    FROM imp_receipts WHERE imp_uid = ?"""
_PUT = """INSERT INTO imp_receipts (
        merchant_uid, state, amount, cancel_amount, currency, account, test,
        pay_method, vbank_name, vbank_num, vbank_due, paid_at, updated_at, imp_uid, created_at
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SET = """UPDATE imp_receipts SET
        merchant_uid = ?, state = ?, amount = ?, cancel_amount = ?, currency = ?, account = ?,
        test = ?, pay_method = ?, vbank_name = ?, vbank_num = ?, vbank_due = ?, paid_at = ?,
        updated_at = ?
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
_MANY = 500


class SqliteStore(ReadyStore):
    """Keeps orders and receipts in a SQLite database, in the three tables `imp_orders`,
    `imp_receipts`, `imp_changes`.

    Where it is the shop's own database file, what a hook writes commits together with the
    record, or not at all. A hook can set neither `synchronous` nor `journal_mode` nor
    `locking_mode`, which would stay for later payments.
    Tables are made at first use. Amounts are decimal text, times ISO 8601 in UTC.

    Nothing but SQLite may open and close the file in this process (to copy it, for one): that
    drops the process's locks, and another process deletes the log. It is noticed, and the file
    opened again. To back it up use `VACUUM INTO`, or another process.

    A store that is made before a fork serves in the child too, but a shop may keep no connection of
    its own to this file open across the fork: in the child SQLite would not lock the file. What
    functions read by is closed at the end. A process that was forked while a payment was
    being recorded gets a `StoreError` from each method.

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
        hooks: `on_paid` and the others, each `hook(outcome, db)`, inside the transaction. What
            a hook returns, if
            it is a function, is called after the commit.

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
        self._connections = Connections(path, busy_timeout, _TABLES)
        self._steps: Steps = {Load: _load, Ask: self._ask, Save: _save, Tell: self._tell}

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
        with self._connections.borrow() as db, db.guard:
            return self._functions.expected(merchant_uid, db)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        found: dict[str, Receipt] = {}
        with self._connections.borrow() as db:
            for start in range(0, len(imp_uids), _MANY):
                some = imp_uids[start : start + _MANY]
                marks = ", ".join("?" * len(some))
                query = f"SELECT {_RECEIPT} FROM imp_receipts WHERE imp_uid IN ({marks})"
                rows = db.run(query, tuple(some))
                found.update((row[0], read_receipt(row)) for row in rows)
        return found

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        try:
            return self._hold_once(expected, imp_uid)
        except FileGone:
            return self._hold_once(expected, imp_uid)

    def _hold_once(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        with self._connections.borrow() as db, transaction_is_open():
            self._begin_in_time(db)
            before = _load(db, Load(imp_uid, expected.merchant_uid, True))
            keep, reason = ask_to_hold(self._functions, before, expected, imp_uid, db, db.guard)
            if keep:
                db.commit_now()
            return reason

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

    def _record(self, outcome: Outcome) -> Settled | None:
        try:
            return self._record_on(self._connections.take(), outcome)
        except FileGone:
            return self._record_on(self._connections.take_good(), outcome)

    def _record_on(self, db: Connection, outcome: Outcome) -> Settled | None:
        try:
            with transaction_is_open():
                db.begin()
                recorded = drive(record(outcome), self._steps, db)
                if recorded.settled is not Settled.STALE:
                    db.commit_now()
            # The connection is lent still: what a hook returned may hold on to it.
            run_afterwards(recorded.afterwards, outcome)
            return recorded.settled
        finally:
            self._connections.give_back(db)

    def _ask(self, db: Connection, step: Ask) -> object:
        with db.guard:
            return self._functions.expected(step.merchant_uid, db)

    def _tell(self, db: Connection, step: Tell) -> object:
        with db.guard:
            return self._functions.tell(step.name, step.outcome, db)


def _load(db: Connection, step: Load) -> Loaded:
    row = db.run(_LOAD, (step.imp_uid,)).fetchone()
    rows = db.run("SELECT change, amount FROM imp_changes WHERE imp_uid = ?", (step.imp_uid,))
    known = {change: Decimal(amount) for change, amount in rows}
    receipt = None if row is None else read_receipt(row)
    if not step.order:
        return Loaded(receipt, known=known)
    order = db.run(
        "SELECT paid_by, was_paid FROM imp_orders WHERE merchant_uid = ?", (step.merchant_uid,)
    ).fetchone()
    paid_by, was_paid = order or (None, 0)
    others = db.run(_OTHERS, (step.merchant_uid, step.imp_uid)).fetchone()
    return Loaded(receipt, paid_by, bool(was_paid), others is not None, known)


def _save(db: Connection, step: Save) -> None:
    receipt, now = step.change.receipt, _now()
    before = step.before.receipt
    if receipt is not None and (
        before is None or receipt != before or _details_changed(db, step.outcome)
    ):
        values = (
            receipt.merchant_uid,
            str(receipt.state),
            f"{receipt.amount:f}",
            f"{receipt.cancel_amount:f}",
            text(receipt.currency),
            receipt.account,
            int(receipt.test),
            *details(step.outcome),
            now,
            receipt.imp_uid,
        )
        if before is None:
            db.run(_PUT, (*values, now))
        else:
            db.run(_SET, values)
        _save_order(db, step, receipt)
    amounts = handed_on(step.change.hooks).items()
    for (_, told), (change, amount) in zip(step.change.hooks, amounts, strict=True):
        # Plain text: the driver takes longer for a member of an enumeration than for the row.
        reason = None if told.reason is None else str(told.reason)
        values = (told.imp_uid, change, text(told.merchant_uid), str(told.verdict), reason)
        db.run(_TOLD, (*values, f"{amount:f}", told.endpoint, now))


def _now() -> str:
    """ISO 8601 in UTC, to the millisecond."""
    second, thousandth = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(second)}.{thousandth:03}+00:00"


@lru_cache(1)
def _second(second: int) -> str:
    """Written once for all payments of a second."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _save_order(db: Connection, step: Save, receipt: Receipt) -> None:
    order, imp_uid = receipt.merchant_uid, receipt.imp_uid
    if receipt.state is ReceiptState.PAYING:
        if step.before.paid_by != imp_uid:
            db.run(_PAID, (order, imp_uid))
    elif step.before.paid_by == imp_uid:
        db.run(_UNPAID, (order, imp_uid))
    elif step.before.receipt is None:
        db.run(_SEEN, (order,))


def _details_changed(db: Connection, outcome: Outcome) -> bool:
    """A virtual account's deadline can be moved while it waits; nothing else of a repeat is worth
    a write."""
    if outcome.verdict is not Verdict.VIRTUAL_ACCOUNT:
        return False
    row = db.run(_DETAILS, (outcome.imp_uid,)).fetchone()
    return row is None or tuple(row) != details(outcome)
