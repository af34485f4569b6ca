"""Tables of release 0.1 are taken up as they are: what is recorded stays, what is new is added, and
no money of that time is given back."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment, Outcome, ReceiptState, Settled, Verdict
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome
from tests.storage.old_tables import OF_0_1, as_they_were
from tests.storage.sqlalchemy_shops import plain_engine

ASKED = ExpectedPayment(ORDER, PRICE)
LONG_AGO = 1735700000
Make = Callable[[], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OF_0_1)
    return path


@pytest.fixture(params=["sqlite", "sqlalchemy", "postgresql", "mysql"])
def make(request: pytest.FixtureRequest, path: Path, place: Callable[[str], Any]) -> Iterator[Make]:
    where: Any = path
    if request.param in ("postgresql", "mysql"):
        where = place(request.param)
        as_they_were(where)
    with ExitStack() as afterwards:

        def make() -> Any:
            if request.param == "sqlite":
                store = SqliteStore(path, expected=lambda order, db: PRICE)
                afterwards.callback(store.close)
                return store
            engine = plain_engine(where)
            afterwards.callback(engine.dispose)
            tables = SqlAlchemyStore(engine, expected=lambda order, db: PRICE)
            tables.create_all()
            return tables

        yield make


def paid(imp_uid: str, at: int) -> Outcome:
    outcome = paid_outcome(imp_uid, ASKED)
    assert outcome.payment is not None
    return replace(outcome, payment=replace(outcome.payment, raw={"paid_at": at}))


def test_what_was_recorded_is_there_and_a_second_payment_is_due(make: Make) -> None:
    store = make()
    [receipt] = store.receipts([FIRST]).values()
    assert (receipt.state, receipt.reason) == (ReceiptState.PAYING, None)
    assert store.settle(paid(FIRST, LONG_AGO)) is Settled.REPEATED
    assert store.settle(paid(SECOND, int(time.time()))) is Settled.DUPLICATE
    assert [each.imp_uid for each in store.dues(None, 10)] == [SECOND]


def test_money_of_the_time_before_is_not_due(make: Make) -> None:
    store = make()
    began = store.run("").began
    assert abs(began.timestamp() - time.time()) < 60
    assert store.settle(paid(SECOND, LONG_AGO)) is Settled.DUPLICATE
    assert store.dues(None, 10) == []
    assert make().run("").began == began


def test_a_receipt_from_before_is_written_as_any_other(make: Make) -> None:
    outcome = paid(FIRST, LONG_AGO)
    assert outcome.payment is not None
    gone = replace(outcome.payment, status="cancelled", cancel_amount=ASKED.amount)
    refunded = replace(outcome, verdict=Verdict.CANCELLED, payment=gone)
    store = make()
    assert store.observe(refunded) is Settled.NEW
    assert store.receipts([FIRST])[FIRST].state is ReceiptState.CANCELLED
