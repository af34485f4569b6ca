"""The shop's own records: orders and what it was told about them, in the store's database file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from imp_verify import ExpectedPayment, Outcome, order_number

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY,
    product TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'new',
    imp_uid TEXT,
    bank TEXT,
    account TEXT,
    due INTEGER,
    refunded TEXT NOT NULL DEFAULT '0',
    created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    number TEXT NOT NULL,
    hook TEXT NOT NULL,
    imp_uid TEXT,
    amount TEXT,
    at INTEGER NOT NULL
);
"""
_COLUMNS = (
    "number, product, amount, currency, state, imp_uid, bank, account, due, refunded, created"
)

Hook = Callable[[Outcome, sqlite3.Connection], None]


@dataclass(frozen=True, slots=True)
class Order:
    """One order as the shop knows it.

    Attributes:
        state: new, waiting (for a deposit), paid or refunded.
        imp_uid: The payment that pays it, or whose account waits.
        due: The deposit's deadline, Unix seconds.
        created: Unix seconds.
    """

    number: str
    product: str
    amount: Decimal
    currency: str
    state: str
    imp_uid: str | None
    bank: str | None
    account: str | None
    due: int | None
    refunded: Decimal
    created: int


@dataclass(frozen=True, slots=True)
class Told:
    """One call of a hook."""

    hook: str
    imp_uid: str
    amount: Decimal
    at: int


class Orders:
    """The shop's tables in one SQLite file."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._connect() as db:
            db.executescript(_SCHEMA)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=30)
        try:
            with db:
                yield db
        finally:
            db.close()

    def create(self, product: str, amount: Decimal, currency: str) -> str:
        """Record a new order and return its number, which nobody can guess."""
        number = order_number()
        with self._connect() as db:
            db.execute(
                "INSERT INTO orders (number, product, amount, currency, created)"
                " VALUES (?, ?, ?, ?, ?)",
                (number, product, str(amount), currency, int(time.time())),
            )
        return number

    def get(self, number: str) -> Order | None:
        """Return one order."""
        with self._connect() as db:
            return next(iter(_read(db, "WHERE number = ?", (number,))), None)

    def newest(self, count: int) -> list[Order]:
        """Return the newest orders."""
        with self._connect() as db:
            return _read(db, "ORDER BY created DESC, rowid DESC LIMIT ?", (count,))

    def told(self, number: str) -> list[Told]:
        """Return what the shop was told about an order, oldest first."""
        with self._connect() as db:
            rows = db.execute(
                "SELECT hook, imp_uid, amount, at FROM events WHERE number = ? ORDER BY rowid",
                (number,),
            ).fetchall()
        return [Told(hook, imp_uid, Decimal(amount), at) for hook, imp_uid, amount, at in rows]


def _read(db: sqlite3.Connection, how: str, values: tuple[object, ...]) -> list[Order]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM orders {how}", values).fetchall()
    return [_order(dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]


def _order(row: dict[str, Any]) -> Order:
    # SQLite has no decimal numbers: amounts are kept as text.
    amounts = {"amount": Decimal(row["amount"]), "refunded": Decimal(row["refunded"])}
    return Order(**{**row, **amounts})


def expected(merchant_uid: str, db: sqlite3.Connection) -> ExpectedPayment | None:
    """Tell what an order costs: the one thing that the package has to ask a shop."""
    row = db.execute(
        "SELECT number, amount, currency, state FROM orders WHERE number = ?", (merchant_uid,)
    ).fetchone()
    # An order that waits for its deposit is open too: else the deposit would come too late.
    return row and ExpectedPayment(row[0], row[1], row[2], open=row[3] in ("new", "waiting"))


def _paid(outcome: Outcome, db: sqlite3.Connection) -> None:
    # Nobody is to pay into an account once the order is paid otherwise.
    db.execute(
        "UPDATE orders SET state = 'paid', account = CASE WHEN imp_uid = ? THEN account END,"
        " imp_uid = ? WHERE number = ?",
        (outcome.imp_uid, outcome.imp_uid, outcome.merchant_uid),
    )


def _waiting(outcome: Outcome, db: sqlite3.Connection) -> None:
    assert outcome.payment is not None
    due = outcome.payment.vbank_date
    db.execute(
        "UPDATE orders SET state = 'waiting', imp_uid = ?, bank = ?, account = ?, due = ?"
        " WHERE number = ?",
        (
            outcome.imp_uid,
            outcome.payment.vbank_name,
            outcome.payment.vbank_num,
            int(due.timestamp()) if due else None,
            outcome.merchant_uid,
        ),
    )


def _cancelled(outcome: Outcome, db: sqlite3.Connection) -> None:
    db.execute(
        "UPDATE orders SET state = CASE state WHEN 'paid' THEN 'refunded' ELSE 'new' END,"
        " account = NULL WHERE number = ?",
        (outcome.merchant_uid,),
    )
    _partly_cancelled(outcome, db)


def _partly_cancelled(outcome: Outcome, db: sqlite3.Connection) -> None:
    assert outcome.payment is not None
    db.execute(
        "UPDATE orders SET refunded = ? WHERE number = ?",
        (str(outcome.payment.cancel_amount), outcome.merchant_uid),
    )


def _nothing(outcome: Outcome, db: sqlite3.Connection) -> None:
    """Only the event is kept: the order stays as it is."""


def _noted(name: str, work: Hook = _nothing) -> Hook:
    """Make a hook that notes its call and does its work, in the one transaction it is given."""

    def hook(outcome: Outcome, db: sqlite3.Connection) -> None:
        assert outcome.payment is not None
        amount = outcome.payment.amount
        if name == "on_partly_cancelled":
            amount = sum((part.amount for part in outcome.cancellations), Decimal(0))
        db.execute(
            "INSERT INTO events (number, hook, imp_uid, amount, at) VALUES (?, ?, ?, ?, ?)",
            (outcome.merchant_uid, name, outcome.imp_uid, str(amount), int(time.time())),
        )
        work(outcome, db)

    return hook


class Hooks(TypedDict):
    """The hooks of a ready-made store, as it names them."""

    on_paid: Hook
    on_virtual_account: Hook
    on_cancelled: Hook
    on_partly_cancelled: Hook
    on_failed: Hook
    on_duplicate: Hook
    on_late: Hook
    on_forgery: Hook
    on_review: Hook


HOOKS = Hooks(
    on_paid=_noted("on_paid", _paid),
    on_virtual_account=_noted("on_virtual_account", _waiting),
    on_cancelled=_noted("on_cancelled", _cancelled),
    on_partly_cancelled=_noted("on_partly_cancelled", _partly_cancelled),
    on_failed=_noted("on_failed"),
    on_duplicate=_noted("on_duplicate"),
    on_late=_noted("on_late"),
    on_forgery=_noted("on_forgery"),
    on_review=_noted("on_review"),
)
