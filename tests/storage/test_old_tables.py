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
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome

ASKED = ExpectedPayment(ORDER, PRICE)
LONG_AGO = 1735700000
OF_0_1 = f"""
CREATE TABLE imp_orders (
    merchant_uid TEXT NOT NULL PRIMARY KEY, paid_by TEXT, was_paid INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE imp_receipts (
    imp_uid TEXT NOT NULL PRIMARY KEY, merchant_uid TEXT NOT NULL, state TEXT NOT NULL,
    amount TEXT NOT NULL, cancel_amount TEXT NOT NULL, currency TEXT NOT NULL, account TEXT,
    test INTEGER NOT NULL, pay_method TEXT, vbank_name TEXT, vbank_num TEXT, vbank_due TEXT,
    paid_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE INDEX imp_receipts_order ON imp_receipts (merchant_uid);
CREATE TABLE imp_changes (
    imp_uid TEXT NOT NULL, change TEXT NOT NULL, merchant_uid TEXT NOT NULL, verdict TEXT NOT NULL,
    reason TEXT, amount TEXT NOT NULL, endpoint TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (imp_uid, change)
);
INSERT INTO imp_orders VALUES ('{ORDER}', '{FIRST}', 1);
INSERT INTO imp_receipts VALUES ('{FIRST}', '{ORDER}', 'paying', '{PRICE}', '0', 'KRW', NULL, 0,
    'card', NULL, NULL, NULL, NULL, '2025-01-01T00:00:00.000+00:00',
    '2025-01-01T00:00:00.000+00:00');
INSERT INTO imp_changes VALUES ('{FIRST}', 'paid', '{ORDER}', 'paid', NULL, '{PRICE}', 'webhook',
    '2025-01-01T00:00:00.000+00:00');
"""
Make = Callable[[], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OF_0_1)
    return path


@pytest.fixture(params=["sqlite"])
def make(request: pytest.FixtureRequest, path: Path) -> Iterator[Make]:
    with ExitStack() as afterwards:

        def make() -> Any:
            store = SqliteStore(path, expected=lambda order, db: PRICE)
            afterwards.callback(store.close)
            return store

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
