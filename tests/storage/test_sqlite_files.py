"""SqliteStore's file is copied, replaced or removed under it: no payment goes to a file that nobody
has, and each is answered as it is kept."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.stores._open import holding
from imp_verify.stores._sqlite_connections import Connection
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, paid_outcome
from tests.storage.shops import SqliteShop, tell

ASKED = ExpectedPayment(ORDER, PRICE)
SECOND_ASKED = ExpectedPayment(OTHER, PRICE)
LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for (imp_uid,) in db.execute("SELECT imp_uid FROM imp_receipts ORDER BY imp_uid"):
    print(imp_uid)
assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
db.close()
"""
ALTER = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'none'")
db.close()
"""
LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def elsewhere(path: Path, code: str = LOOK) -> list[str]:
    """Run a program on the file in another process, which closes it; give what it printed."""
    command = [sys.executable, "-c", code, str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return found.stdout.split()


def copy_here(path: Path) -> None:
    """Make a backup in this process, and let another one look into the file after that: it is the
    last one that closes it, for all that it can see, and deletes the log."""
    _ = shutil.copyfile(path, f"{path}.backup")
    _ = elsewhere(path)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SqliteShop]:
    shop = SqliteShop(tmp_path / "shop.db", options={"busy_timeout": 0.2})
    for order in (ASKED, SECOND_ASKED):
        shop.put(order)
    yield shop
    shop.close()


def pay(shop: SqliteShop, imp_uid: str = FIRST, asked: ExpectedPayment = ASKED) -> Settled:
    return shop.sqlite.settle(paid_outcome(imp_uid, asked))


def restore_beside_the_log(path: Path) -> None:
    _ = shutil.copyfile(path, f"{path}.backup")
    os.replace(f"{path}.backup", path)


def restore(path: Path) -> None:
    """As the documents say, but for the processes, which go on."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM INTO ?", (f"{path}.backup",))
    for name in ("", "-wal", "-shm"):
        os.unlink(f"{path}{name}")
    os.replace(f"{path}.backup", path)


def point_elsewhere(path: Path) -> None:
    """Let the path be a link to a copy."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM INTO ?", (f"{path}.real",))
    for name in ("", "-wal", "-shm"):
        os.unlink(f"{path}{name}")
    path.symlink_to(f"{path}.real")


WAYS: Sequence[Callable[[Path], None]] = (
    copy_here,
    restore_beside_the_log,
    restore,
    point_elsewhere,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_payment_after_the_file_or_its_log_was_replaced_is_in_the_file(
    shop: SqliteShop, way: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    assert pay(shop) is Settled.NEW
    way(shop.path)
    assert shop.sqlite.expected(OTHER) == SECOND_ASKED
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.REPEATED
    assert elsewhere(shop.path) == [FIRST, SECOND]
    assert shop.sqlite.receipts([FIRST]).keys() == {FIRST}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is no longer the one that was open here" in caplog.text


def test_a_log_that_is_deleted_once_the_connection_is_taken_costs_no_notice(
    shop: SqliteShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before the transaction begins, which is then begun on another connection."""
    assert pay(shop) is Settled.NEW
    begin = Connection.begin
    done: list[Path] = []

    def copy_and_begin(connection: Connection) -> None:
        if not done:
            done.append(shop.path)
            copy_here(shop.path)
        begin(connection)

    monkeypatch.setattr(Connection, "begin", copy_and_begin)
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert elsewhere(shop.path) == [FIRST, SECOND]
    done.clear()
    assert shop.sqlite.hold(ASKED, FIRST) is None
    assert pay(shop) is Settled.REPEATED


@pytest.mark.parametrize("first", ["settle", "expected", "hold"])
def test_a_connection_that_was_closed_in_the_pool_costs_no_notice(
    tmp_path: Path, first: str
) -> None:
    """A hook of the shop's has kept it, and closes it when it is another one's."""
    kept: list[sqlite3.Connection] = []
    shop = SqliteShop(tmp_path / "shop.db", on_paid=lambda outcome, db: kept.append(db))
    for order in (ASKED, SECOND_ASKED):
        shop.put(order)
    assert pay(shop) is Settled.NEW
    kept[0].close()
    if first == "expected":
        assert shop.sqlite.expected(OTHER) == SECOND_ASKED
    if first == "hold":
        assert shop.sqlite.hold(SECOND_ASKED, SECOND) is None
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert elsewhere(shop.path) == [FIRST, SECOND]
    shop.close()


def test_a_log_that_is_deleted_in_a_hook_is_trouble_and_the_next_delivery_pays(
    tmp_path: Path,
) -> None:
    def ship(outcome: Outcome, db: sqlite3.Connection) -> None:
        tell("on_paid", outcome, db)
        if outcome.merchant_uid == OTHER and not (tmp_path / "shop.db.backup").exists():
            copy_here(tmp_path / "shop.db")

    shop = SqliteShop(tmp_path / "shop.db", on_paid=ship)
    for order in (ASKED, SECOND_ASKED):
        shop.put(order)
    assert pay(shop) is Settled.NEW
    with pytest.raises(StoreError, match=r"no longer the one .* nothing was recorded"):
        _ = pay(shop, SECOND, SECOND_ASKED)
    assert elsewhere(shop.path) == [FIRST]
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert elsewhere(shop.path) == [FIRST, SECOND]
    assert shop.shipped(OTHER) == [SECOND]
    shop.close()


READ = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT count(*) FROM imp_receipts").fetchall()
print("open", flush=True)
sys.stdin.read()
db.close()
"""


def copy_here_beside_another(path: Path) -> subprocess.Popen[str]:
    """The same, and a third process opens the file after that: there is a log again."""
    copy_here(path)
    command = [sys.executable, "-c", READ, str(path)]
    other = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    return other


def delete_the_log_alone(path: Path) -> None:
    os.unlink(f"{path}-wal")


@pytest.mark.parametrize("way", [copy_here_beside_another, delete_the_log_alone])
def test_a_log_that_is_another_one_when_a_hook_returns_is_trouble(
    tmp_path: Path, way: Callable[[Path], subprocess.Popen[str] | None]
) -> None:
    """It would be told as recorded, and be in nobody's file."""
    path, others, called = (
        tmp_path / "shop.db",
        list[subprocess.Popen[str] | None](),
        list[object](),
    )

    def replace_the_log(outcome: Outcome, db: sqlite3.Connection) -> Callable[[], None]:
        tell("on_paid", outcome, db)
        if not others:
            others.append(way(path))
        return lambda: called.append(outcome)

    with closing(SqliteShop(path, on_paid=replace_the_log)) as shop:
        shop.put(ASKED)
        with pytest.raises(StoreError, match="nothing was recorded"):
            pay(shop)
        assert called == []
        assert pay(shop) is Settled.NEW
        assert len(called) == 1
        for other in filter(None, others):
            other.communicate()
        assert elsewhere(path) == [FIRST]


def test_a_writer_that_stays_too_long_on_what_is_gone_is_trouble_until_it_ends(
    shop: SqliteShop,
) -> None:
    assert pay(shop) is Settled.NEW
    with shop.sqlite._connections.borrow(), shop.sqlite._connections.borrow() as writer:
        writer.begin()
    with shop.sqlite._connections.borrow() as writer:
        writer.begin()
        copy_here(shop.path)
        with pytest.raises(StoreError, match="something else in this process"):
            _ = pay(shop, SECOND, SECOND_ASKED)
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert elsewhere(shop.path) == [FIRST, SECOND]


@pytest.mark.parametrize("names", [("",), ("", "-wal", "-shm")])
def test_a_file_that_is_gone_is_not_made_anew(shop: SqliteShop, names: Sequence[str]) -> None:
    """An empty one would be in the way of whoever puts a backup there."""
    assert pay(shop) is Settled.NEW
    backup = shop.path.with_suffix(".backup")
    with closing(sqlite3.connect(shop.path)) as db:
        db.execute("VACUUM INTO ?", (str(backup),))
    for name in names:
        os.unlink(f"{shop.path}{name}")
    for _ in range(2):
        with pytest.raises(StoreError, match=f"the database file is gone: {shop.path}"):
            _ = pay(shop, SECOND, SECOND_ASKED)
    assert not shop.path.exists()
    for name in ("-wal", "-shm"):
        Path(f"{shop.path}{name}").unlink(missing_ok=True)
    os.replace(backup, shop.path)
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert elsewhere(shop.path) == [FIRST, SECOND]


def test_a_store_that_was_closed_makes_a_file_again(shop: SqliteShop) -> None:
    assert pay(shop) is Settled.NEW
    shop.sqlite.close()
    os.unlink(shop.path)
    shop.sqlite.create_all()
    assert elsewhere(shop.path) == []


def test_what_the_shop_itself_has_open_from_before_is_trouble_until_it_is_closed(
    shop: SqliteShop,
) -> None:
    """SQLite would give the store the other connection's view of the log, and lock nothing."""
    assert pay(shop) is Settled.NEW
    with closing(sqlite3.connect(shop.path)) as own:
        assert own.execute("SELECT count(*) FROM orders").fetchone() == (2,)
        copy_here(shop.path)
        for _ in range(2):
            with pytest.raises(StoreError, match=r"something else in this process has .* open"):
                _ = pay(shop, SECOND, SECOND_ASKED)
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert elsewhere(shop.path) == [FIRST, SECOND]


def test_another_store_of_the_process_lets_go_of_the_file_too(shop: SqliteShop) -> None:
    other = SqliteShop(shop.path)
    assert pay(other) is Settled.NEW
    assert pay(shop) is Settled.REPEATED
    copy_here(shop.path)
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert pay(other, SECOND, SECOND_ASKED) is Settled.REPEATED
    assert elsewhere(shop.path) == [FIRST, SECOND]
    other.close()


def test_payments_wait_for_one_that_began_before_the_log_went(tmp_path: Path) -> None:
    """Its connection is the last one to be closed; only then another one locks anything."""
    inside, go_on = threading.Event(), threading.Event()
    errors: list[str] = []

    def ship(outcome: Outcome, db: sqlite3.Connection) -> None:
        tell("on_paid", outcome, db)
        if outcome.imp_uid == FIRST and not inside.is_set():
            inside.set()
            assert go_on.wait(60)

    shop = SqliteShop(tmp_path / "shop.db", on_paid=ship, options={"busy_timeout": 30.0})
    for order in (ASKED, SECOND_ASKED):
        shop.put(order)
    shop.sqlite.create_all()

    def pay_first() -> None:
        try:
            _ = pay(shop)
        except StoreError as error:
            errors.append(str(error))

    first = threading.Thread(target=pay_first)
    first.start()
    assert inside.wait(60)
    copy_here(shop.path)
    second = threading.Thread(target=lambda: pay(shop, SECOND, SECOND_ASKED))
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(60)
    assert "nothing was recorded" in errors[0]
    assert elsewhere(shop.path) == [SECOND]
    assert pay(shop) is Settled.NEW
    shop.close()


def test_a_connection_that_waits_too_long_for_the_others_is_trouble(tmp_path: Path) -> None:
    def expected(merchant_uid: str, db: sqlite3.Connection) -> int:
        if merchant_uid == ORDER:
            copy_here(tmp_path / "shop.db")
            _ = store.expected(OTHER)
        return PRICE

    store = SqliteStore(tmp_path / "shop.db", expected=expected, busy_timeout=0.05)
    store.create_all()
    with pytest.raises(StoreError, match=r"something else in this process has .* open"):
        _ = store.expected(ORDER)
    assert store.expected(OTHER) == PRICE
    store.close()


def test_a_platform_that_does_not_tell_what_is_open_is_believed(
    shop: SqliteShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listdir(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert pay(shop) is Settled.NEW


def test_a_column_that_is_added_between_two_notices_is_seen_by_the_second(tmp_path: Path) -> None:
    """What SQLite prepared before is prepared again, also where it was kept by its text."""
    seen: list[tuple[object, ...]] = []

    def expected(merchant_uid: str, db: sqlite3.Connection) -> ExpectedPayment:
        row = db.execute("SELECT * FROM orders WHERE number = ?", (merchant_uid,)).fetchone()
        seen.append(row)
        return ExpectedPayment(row[0], row[1], row[3], open=row[2])

    shop = SqliteShop(tmp_path / "shop.db", options={"expected": expected})
    for order in (ASKED, SECOND_ASKED):
        shop.put(order)
    assert pay(shop) is Settled.NEW
    _ = elsewhere(shop.path, ALTER)
    assert pay(shop, SECOND, SECOND_ASKED) is Settled.NEW
    assert [row[5:] for row in seen] == [(), ("none",)]
    shop.close()


def test_a_hold_waits_for_a_frozen_writer_no_longer_than_the_gateway_does(
    tmp_path: Path,
) -> None:
    """With the store's own time-out the test would not end."""
    shop = SqliteShop(tmp_path / "shop.db", options={"busy_timeout": 100_000.0})
    shop.put(ASKED)
    assert shop.sqlite.hold(ASKED, FIRST) is None
    command = [sys.executable, "-c", LOCK, str(shop.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"locked\n"
        writer.send_signal(signal.SIGSTOP)
        now = time.monotonic()
        for begin_by in (now + 0.2, now - 1):
            with (
                holding(now + 60, begin_by),
                pytest.raises(sqlite3.OperationalError, match="locked"),
            ):
                _ = shop.sqlite.hold(ASKED, FIRST)
        writer.kill()
    with shop.sqlite._connections.borrow() as db:
        assert db.execute("PRAGMA busy_timeout").fetchone() == (100_000_000,)
    assert pay(shop) is Settled.NEW
    shop.close()
