"""SqliteStore's file: WAL, busy writers, connections that are neither lost nor piled up, exact
amounts, odd text, and what a hold leaves behind."""

import gc
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from imp_verify import (
    ExpectedPayment,
    Outcome,
    Payment,
    Reason,
    ReceiptState,
    Settled,
    Verdict,
)
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.shops import SqliteShop, tell

ASKED = ExpectedPayment(ORDER, PRICE)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SqliteShop]:
    shop = SqliteShop(tmp_path / "shop.db", options={"busy_timeout": 0.05})
    shop.put(ASKED)
    yield shop
    shop.close()


def open_files(path: Path) -> int:
    """Count this process's handles of the database file."""
    directory, count = "/proc/self/fd", 0
    for name in os.listdir(directory):
        try:
            count += os.readlink(f"{directory}/{name}") == str(path)
        except FileNotFoundError:
            continue
    return count


def test_the_file_is_in_wal_mode_and_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    seen: list[object] = []
    shop = SqliteShop(
        tmp_path / "shop.db",
        on_paid=lambda outcome, db: seen.append(db.execute("PRAGMA synchronous").fetchone()[0]),
    )
    shop.put(ASKED)
    for _ in range(2):
        _ = shop.sqlite.settle(paid_outcome(FIRST, ASKED))
    assert seen == [2]
    assert shop.read("PRAGMA journal_mode") == [("wal",)]
    shop.close()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "shop.db"
    with pytest.raises(sqlite3.OperationalError) as caught:
        SqliteStore(path, expected=lambda order, db: PRICE).create_all()
    assert caught.value.__notes__ == [f"the store's file is {path}"]


def test_tables_are_made_beside_whatever_the_shop_calls_its_own(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        for name in ("imp_a", "imp_b", "imp_c", "imp_d", "IMP_E"):
            db.execute(f"CREATE TABLE {name} (x)")
    shop = SqliteShop(path)
    shop.put(ASKED)
    assert shop.sqlite.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    shop.close()


def test_a_writer_that_stays_too_long_is_trouble_and_nothing_is_kept(shop: SqliteShop) -> None:
    shop.sqlite.create_all()
    with closing(sqlite3.connect(shop.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Trial(shop) as trial:
            trial.pays(FIRST)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                _ = trial.deliver(FIRST)
            assert shop.sqlite.expected(ORDER) == ASKED  # readers do not wait
            assert shop.sqlite.receipts([FIRST]) == {}
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                _ = shop.sqlite.hold(ASKED, FIRST)
            other.execute("ROLLBACK")
            assert trial.deliver(FIRST).settled is Settled.NEW
    assert shop.shipped(ORDER) == [FIRST]


def test_a_file_that_is_no_database_is_trouble_each_time(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    _ = path.write_bytes(b"no database" * 1000)
    store = SqliteStore(path, expected=lambda order, db: PRICE)
    for _ in range(2):
        with pytest.raises(sqlite3.DatabaseError):
            _ = store.settle(paid_outcome(FIRST, ASKED))
    assert open_files(path) == 0


def test_threads_that_come_and_go_leave_no_connection_open(shop: SqliteShop) -> None:
    for number in range(60):
        order = ExpectedPayment(f"ORD-{number}", PRICE)
        shop.put(order)
        outcome = paid_outcome(f"imp_{number}", order)
        thread = threading.Thread(target=shop.sqlite.settle, args=(outcome,))
        thread.start()
        thread.join()
    _ = gc.collect()  # a lost connection would warn, and a warning is an error
    assert open_files(shop.path) <= 2  # SQLite keeps a closed one's handle for the next
    assert len(shop.read("SELECT * FROM told")) == 60


def test_many_threads_at_once_keep_at_most_eight_connections(tmp_path: Path) -> None:
    gate = threading.Barrier(33)

    def expected(merchant_uid: str, db: sqlite3.Connection) -> int:
        _ = gate.wait(30)
        _ = gate.wait(30)
        return PRICE

    store = SqliteStore(tmp_path / "shop.db", expected=expected)
    threads = [threading.Thread(target=store.expected, args=(ORDER,)) for _ in range(32)]
    for thread in threads:
        thread.start()
    _ = gate.wait(30)
    assert open_files(tmp_path / "shop.db") == 32
    _ = gate.wait(30)
    for thread in threads:
        thread.join()
    assert len(store._connections._idle) == 8
    store.close()
    store.close()
    assert open_files(tmp_path / "shop.db") == 0


def test_a_closed_store_can_be_used_again(shop: SqliteShop) -> None:
    assert shop.sqlite.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    shop.close()
    assert shop.sqlite.settle(paid_outcome(FIRST, ASKED)) is Settled.REPEATED


def test_a_store_that_is_dropped_closes_its_connections(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "shop.db", expected=lambda order, db: PRICE)
    store.create_all()
    del store
    _ = gc.collect()
    assert open_files(tmp_path / "shop.db") == 0


def test_a_hook_that_changes_how_a_connection_commits_spoils_no_later_delivery(
    tmp_path: Path,
) -> None:
    def spoil(outcome: Outcome, db: sqlite3.Connection) -> None:
        if hasattr(db, "autocommit"):
            db.autocommit = False
        db.isolation_level = "DEFERRED"
        tell("on_paid", outcome, db)

    shop = SqliteShop(tmp_path / "shop.db", on_paid=spoil)
    for number in range(3):
        order = ExpectedPayment(f"ORD-{number}", PRICE)
        shop.put(order)
        assert shop.sqlite.settle(paid_outcome(f"imp_{number}", order)) is Settled.NEW
    assert len(shop.read("SELECT * FROM told")) == 3
    shop.close()


# What is written


@pytest.mark.parametrize(
    "amount",
    ["1", "10.99", "0.00000001", "999999999999999999", "999999999999999999.12345678", "39000.00"],
)
def test_amounts_are_kept_exactly(shop: SqliteShop, amount: str) -> None:
    order = ExpectedPayment(ORDER, amount, "USD")
    outcome = paid_outcome(FIRST, order)
    assert outcome.payment is not None
    outcome = replace(outcome, payment=replace(outcome.payment, currency="USD"))
    store = SqliteStore(shop.path, expected=lambda number, db: order)
    assert store.settle(outcome) is Settled.NEW
    receipt = store.receipts([FIRST])[FIRST]
    assert (f"{receipt.amount:f}", receipt.currency) == (amount, "USD")
    assert shop.read("SELECT typeof(amount), amount FROM imp_receipts") == [("text", amount)]
    assert shop.read("SELECT amount FROM imp_changes") == [(amount,)]
    store.close()


ODD = [
    "a\0b",
    "\0",
    "\ud800",
    "x\udfffy",
    "가" * 10_000,
    "'; DROP TABLE imp_orders --",
    "\u202e",
    "",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_text_in_any_field_breaks_no_recording(shop: SqliteShop, text: str) -> None:
    odd = dict.fromkeys(
        ("vbank_name", "vbank_code", "fail_reason", "cancel_reason", "pg_tid", "buyer_name"), text
    )
    number = {"pay_method": "vbank", "vbank_num": f"1{text}"}
    history = [{"cancellation_id": text, "amount": 1000, "cancelled_at": text, "reason": text}]
    with Trial(shop) as trial:
        for changes, verdict in (
            ({"status": "failed", "pay_method": text, "currency": text}, Verdict.FAILED),
            ({"status": "ready", **number}, Verdict.VIRTUAL_ACCOUNT),
            ({"status": text, **number}, Verdict.PENDING),
            ({**number}, Verdict.PAID),
            ({"cancel_amount": 1000, "cancel_history": history}, Verdict.PARTLY_CANCELLED),
            ({"status": "cancelled", "cancel_amount": PRICE}, Verdict.CANCELLED),
        ):
            trial.pays(FIRST, **{**odd, **changes})
            assert [trial.deliver(FIRST).verdict for _ in range(2)] == [verdict] * 2
        trial.pays(SECOND, order=text or "x")
        assert trial.deliver(SECOND, ORDER).reason is Reason.ORDER
        assert trial.deliver(SECOND, ORDER).settled is Settled.REPEATED
    assert shop.shipped(ORDER) == [FIRST]


@pytest.mark.parametrize("text", ODD)
def test_a_test_payment_of_a_number_that_no_order_has_is_recorded(
    shop: SqliteShop, text: str
) -> None:
    payment = Payment(FIRST, text, "paid", Decimal(PRICE), sandbox=True)
    outcome = Outcome(
        Verdict.FORGERY,
        Reason.TEST_PAYMENT,
        imp_uid=FIRST,
        merchant_uid=text,
        payment=payment,
    )
    for _ in range(2):
        assert shop.sqlite.observe(outcome) is not None
    assert [name for name, _ in shop.told()] == ["on_forgery"]


def test_receipts_are_read_by_the_thousand(shop: SqliteShop) -> None:
    names = [f"imp_{number}" for number in range(1201)]
    for name in names[::600]:
        outcome = paid_outcome(name, ASKED)
        assert shop.sqlite.settle(outcome) in (Settled.NEW, Settled.DUPLICATE)
    found = shop.sqlite.receipts(names)
    assert sorted(found) == sorted(names[::600])
    assert shop.sqlite.receipts([]) == {}
    states = {receipt.state for receipt in found.values()}
    assert states == {ReceiptState.PAYING, ReceiptState.DUPLICATE}


def test_a_moved_deadline_of_a_waiting_account_is_kept(shop: SqliteShop) -> None:
    with Trial(shop) as trial:
        for due in (1_735_700_000, 1_735_800_000):
            trial.pays(FIRST, status="ready", pay_method="vbank", vbank_num="1", vbank_date=due)
            assert trial.deliver(FIRST).verdict is Verdict.VIRTUAL_ACCOUNT
            (kept,) = shop.read("SELECT vbank_due FROM imp_receipts")
            assert kept[0].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(due)))
    assert len(shop.told()) == 1


@pytest.mark.parametrize("begin", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"])
def test_a_file_that_another_program_holds_is_trouble_until_it_is_free(
    tmp_path: Path, begin: str
) -> None:
    """The one keeps all others out, the other only from switching the file to WAL."""
    path = tmp_path / "shop.db"
    store = SqliteStore(path, expected=lambda order, db: PRICE, busy_timeout=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(begin)
        other.execute("CREATE TABLE theirs (x)")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.create_all()
        other.execute("COMMIT")
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    store.close()
