"""SqliteStore among processes: made by four at once, paid from four at once, killed in a hook,
forked before a payment, while another thread records one, and past Python."""

import ctypes
import gc
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.shops import SqliteShop, tell

SPAWN = multiprocessing.get_context("spawn")
PROCESSES, THREADS, ORDERS = 4, 4, 6
ASKED = ExpectedPayment(ORDER, PRICE)


def processes(count: int, target: Callable[..., None], *arguments: object) -> list[int | None]:
    """Run a function in several new processes, which a barrier lets begin at once; give what they
    exit with."""
    gate = SPAWN.Barrier(count)
    started: list[BaseProcess] = [
        SPAWN.Process(target=target, args=(gate, *arguments), daemon=True) for _ in range(count)
    ]
    for each in started:
        each.start()
    for each in started:
        each.join(60)
    return [each.exitcode for each in started]


def _make_tables(gate: Any, directory: Path) -> None:
    for number in range(15):
        store = SqliteStore(directory / f"{number}.db", expected=lambda order, db: PRICE)
        gate.wait(60)
        store.create_all()
        store.close()


def test_four_processes_make_the_tables_of_a_fresh_file_at_once(tmp_path: Path) -> None:
    assert processes(PROCESSES, _make_tables, tmp_path) == [0] * PROCESSES
    for number in range(15):
        db = sqlite3.connect(tmp_path / f"{number}.db")
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        assert {"imp_orders", "imp_receipts", "imp_changes", "imp_receipts_order"} <= names
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        db.close()


def _deliver_all(gate: Any, path: Path, says: Mapping[str, Any]) -> None:
    shop = SqliteShop(path, options={"busy_timeout": 30.0})
    errors: list[BaseException] = []
    with Trial(shop, says) as trial:

        def work() -> None:
            try:
                for imp_uid in random.sample(sorted(says), len(says)):
                    _ = trial.deliver(imp_uid)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        gate.wait(60)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    shop.close()
    if errors:
        raise errors[0]


def test_r17_four_processes_with_threads_deliver_the_same_and_each_hook_runs_once(
    tmp_path: Path,
) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    trial = Trial(shop)
    for number in range(ORDERS):
        order = f"ORD-{number}"
        shop.put(ExpectedPayment(order, PRICE))
        trial.pays(f"imp_{number}_a", order)
        trial.pays(f"imp_{number}_b", order)
        trial.pays(f"imp_{number}_c", order, status="failed")
        trial.pays(f"imp_{number}_d", order, amount=1000)
    found = processes(PROCESSES, _deliver_all, shop.path, trial.says)
    assert found == [0] * PROCESSES
    told = shop.read("SELECT hook, number, count(*) FROM told GROUP BY hook, change")
    assert {count for _, _, count in told} == {1}
    for number in range(ORDERS):
        hooks = sorted(hook for hook, order, _ in told if order == f"ORD-{number}")
        assert hooks.count("on_paid") == hooks.count("on_duplicate") == 1
        assert hooks.count("on_forgery") == 1
        assert hooks.count("on_failed") <= 1
    paid_by = shop.read("SELECT paid_by FROM imp_orders WHERE was_paid = 1")
    assert len(paid_by) == ORDERS
    changes = shop.read("SELECT imp_uid || ':' || change FROM imp_changes ORDER BY 1")
    assert changes == shop.read("SELECT change FROM told ORDER BY 1")
    shop.close()


def _die(outcome: Outcome, db: sqlite3.Connection) -> None:
    tell("dying", outcome, db)
    os.kill(os.getpid(), signal.SIGKILL)


def _deliver_and_die(gate: Any, path: Path, hook: str, changes: Mapping[str, Any]) -> None:
    hooks: dict[str, Any] = {hook: _die}
    shop = SqliteShop(path, **hooks)
    with Trial(shop) as trial:
        trial.pays(FIRST, **changes)
        _ = trial.deliver(FIRST)


@pytest.mark.parametrize(
    ("hook", "changes", "hooks"),
    [
        ("on_paid", {}, ["on_paid"]),
        ("on_partly_cancelled", {"cancel_amount": 1000}, ["on_paid", "on_partly_cancelled"]),
    ],
)
def test_r11_a_process_killed_inside_a_hook_leaves_neither_row_nor_receipt(
    tmp_path: Path, hook: str, changes: dict[str, object], hooks: list[str]
) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    shop.put(ASKED)
    found = processes(1, _deliver_and_die, shop.path, hook, changes)
    assert found == [-signal.SIGKILL]
    assert shop.told() == []
    assert shop.sqlite.receipts([FIRST]) == {}
    with Trial(shop) as trial:
        trial.pays(FIRST, **changes)
        assert trial.deliver(FIRST).settled is Settled.NEW
    assert [name for name, _ in shop.told()] == hooks
    shop.close()


IS_LOCKED = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    db.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError:
    print("locked")
"""


def refuses(call: Callable[..., object], *arguments: object) -> bool:
    """Whether a store says that this process was forked at the wrong moment."""
    try:
        _ = call(*arguments)
    except StoreError as error:
        return "was forked while" in str(error)
    return False


def _child(shop: SqliteShop) -> int:
    """In a child that was forked while a payment was being recorded: nothing goes, and what it
    closes is nothing of its parent's."""
    store, outcome = shop.sqlite, paid_outcome(SECOND, ASKED)
    calls: list[tuple[Callable[..., object], object]] = [
        (store.receipts, [FIRST]),
        (store.expected, ORDER),
        (store.settle, outcome),
        (SqliteShop(shop.path).sqlite.settle, outcome),
    ]
    refused = [refuses(*each) for each in calls]
    shop.close()
    _ = gc.collect()
    return 0 if all(refused) else 2


def _fork(gate: Any, path: Path) -> None:
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    inside, go_on = threading.Event(), threading.Event()

    def wait(outcome: Outcome, db: sqlite3.Connection) -> None:
        tell("on_paid", outcome, db)
        inside.set()
        assert go_on.wait(60)

    shop = SqliteShop(path, options={"busy_timeout": 0.1}, on_paid=wait)
    shop.sqlite.create_all()
    thread = threading.Thread(target=shop.sqlite.settle, args=(paid_outcome(FIRST, ASKED),))
    thread.start()
    assert inside.wait(60)
    _ = shop.sqlite.receipts([FIRST])  # so that there is an idle connection too
    child = os.fork()
    if child == 0:
        os._exit(_child(shop))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    asked = [sys.executable, "-c", IS_LOCKED, str(path)]
    assert subprocess.run(asked, capture_output=True, check=True).stdout.strip() == b"locked"
    go_on.set()
    thread.join()
    assert shop.shipped(ORDER) == [FIRST]
    shop.close()


def test_a_fork_neither_uses_nor_breaks_the_parents_connections(tmp_path: Path) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    shop.put(ASKED)
    assert processes(1, _fork, shop.path) == [0]
    assert shop.read("PRAGMA integrity_check") == [("ok",)]
    assert shop.shipped(ORDER) == [FIRST]
    shop.close()


def _meeting(ask: Callable[[], int]) -> Callable[[], int]:
    """Let two threads wait for each other where each of them first asks this."""
    gate, known = threading.Barrier(2), threading.local()

    def meet() -> int:
        if not hasattr(known, "met"):
            known.met = True
            _ = gate.wait(60)
        return ask()

    return meet


def _two_threads_of_a_child(gate: Any, path: Path) -> None:
    """Fork; in the child two threads find out at the same moment that this is one."""
    inside = threading.Barrier(2)

    def expected(merchant_uid: str, db: sqlite3.Connection) -> int:
        _ = inside.wait(60)  # so that each needs a connection
        return PRICE

    store = SqliteStore(path, expected=expected)
    store.create_all()
    child = os.fork()
    if child == 0:
        getpid, os.getpid = os.getpid, _meeting(os.getpid)
        threads = [threading.Thread(target=store.expected, args=(ORDER,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.getpid = getpid
        os._exit(len(store._connections._idle))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    store.close()


def test_two_threads_that_come_first_in_a_forked_child_share_its_connections(
    tmp_path: Path,
) -> None:
    assert processes(1, _two_threads_of_a_child, tmp_path / "shop.db") == [0]


def _exit_as_a_worker_does(gate: Any, path: Path) -> None:
    """Fork with idle connections; the child works and leaves by the ordinary way out."""
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    shop = SqliteShop(path)
    assert shop.sqlite.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    child = os.fork()
    settled = shop.sqlite.settle(paid_outcome(SECOND if child == 0 else FIRST, ASKED))
    if child == 0:
        assert settled is Settled.DUPLICATE
        return
    assert settled is Settled.REPEATED
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    again = shop.sqlite.settle(paid_outcome(SECOND, ASKED))
    assert again is Settled.DUPLICATE
    shop.close()


def test_a_forked_worker_pays_and_leaves_the_parent_working(tmp_path: Path) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    shop.put(ASKED)
    assert processes(1, _exit_as_a_worker_does, shop.path) == [0]
    assert [name for name, _ in shop.told()] == ["on_paid", "on_duplicate"]
    shop.close()


def _die_now(shop: SqliteShop) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _drop(shop: SqliteShop) -> None:
    del shop.store, shop.sqlite
    _ = gc.collect()


ENDS: Mapping[str, Callable[[SqliteShop], None]] = {
    "close": SqliteShop.close,
    "drop": _drop,
    "die": _die_now,
}
OTHER = ExpectedPayment("ORD-other", PRICE)


def _leave_a_child(path: Path, end: str, line: Any) -> None:
    """Fork, with connections used before; once the child has recorded a payment, end this
    process's part. The child records another one when all this is over."""
    shop = SqliteShop(path)
    shop.sqlite.create_all()
    reading, writing = os.pipe()
    if os.fork() == 0:
        settled = [shop.sqlite.settle(paid_outcome(FIRST, ASKED))]
        _ = os.write(writing, b".")
        line.recv()
        settled.append(shop.sqlite.settle(paid_outcome(SECOND, OTHER)))
        line.send(settled)
        os._exit(0)
    _ = os.read(reading, 1)
    ENDS[end](shop)


@pytest.mark.parametrize("end", ENDS)
def test_a_forked_worker_keeps_its_payments_when_its_parent_lets_go_of_the_file(
    tmp_path: Path, end: str
) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    shop.put(ASKED)
    shop.put(OTHER)
    ours, theirs = SPAWN.Pipe()
    parent = SPAWN.Process(target=_leave_a_child, args=(shop.path, end, theirs))
    parent.start()
    theirs.close()
    parent.join()  # with a time-out it would wait for the child too
    assert parent.exitcode == (-signal.SIGKILL if end == "die" else 0)
    assert shop.shipped(ORDER) == [FIRST]  # and whoever comes last tidies up behind itself
    ours.send("go on")
    assert ours.recv() == [Settled.NEW] * 2
    assert (shop.shipped(ORDER), shop.shipped(OTHER.merchant_uid)) == ([FIRST], [SECOND])
    assert shop.sqlite.settle(paid_outcome(SECOND, OTHER)) is Settled.REPEATED
    shop.close()


def _fork_past_python(gate: Any, path: Path) -> None:
    """Fork as a server written in C may: nothing that Python does around a fork is done."""
    shop = SqliteShop(path)
    ways: list[tuple[Callable[[], object], int]] = [
        (shop.sqlite.create_all, 2),
        (lambda: shop.sqlite.expected(ORDER), 0),
        (shop.close, 2),
    ]
    for before, status in ways:
        _ = before()
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            refused = refuses(shop.sqlite.settle, paid_outcome(FIRST, ASKED))
            os._exit(0 if refused else 2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status


def test_a_fork_that_python_is_not_told_of_is_found_out_unless_the_store_was_closed(
    tmp_path: Path,
) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    shop.put(ASKED)
    assert processes(1, _fork_past_python, shop.path) == [0]
    assert shop.shipped(ORDER) == [FIRST]
    shop.close()


def _fork_with_the_lock_held(gate: Any, path: Path) -> None:
    """Fork where another thread would be about to open a connection in a child of its own."""
    shop = SqliteShop(path)
    with shop.sqlite._connections._lock:
        child = os.fork()
        if child == 0:
            _ = signal.alarm(30)  # rather than to wait for ever
            os._exit(0 if shop.sqlite.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_waits_for_no_thread_that_it_has_not(tmp_path: Path) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    shop.put(ASKED)
    assert processes(1, _fork_with_the_lock_held, shop.path) == [0]
    shop.close()
