"""What shops' functions leave behind on SQLAlchemy when they end, in whatever way: results half
read, tasks that still read or write. Nobody else may find any of it, on no connection. Python may
collect such things much later: here it does not at all."""

import asyncio
import gc
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.testing import TrialFailure
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.sqlalchemy_shops import (
    Make,
    SqlShop,
    Variant,
    done,
    expected,
    making,
    orders,
    tell,
    variants,
)

ASKED = ExpectedPayment(ORDER, PRICE)
WAIT = 30
"""Seconds, for what takes a moment."""
POOL = {"pool_size": 1, "max_overflow": 0}
SLOW = {
    "postgresql": "INSERT INTO told (hook) SELECT 'stray' FROM pg_sleep(30)",
    "mysql": "INSERT INTO told (hook) SELECT SLEEP(0.5)",  # nothing stops it on the server
    "sqlite": "INSERT INTO told (hook) SELECT slow()",
}
NOTHING, ALL = (0, 0, 0, 0), (1, 1, 1, 1)


@pytest.fixture(params=variants(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    variant: Variant = request.param
    return variant


@pytest.fixture
def make(variant: Variant, place: Callable[[str], Any]) -> Iterator[Make]:
    yield from making(variant, place(variant.kind))


@pytest.fixture(autouse=True)
def _nothing_is_collected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def check_free(shop: SqlShop) -> None:
    """Nobody has a lock on the SQLite file."""
    with closing(sqlite3.connect(str(shop.place), timeout=0, isolation_level=None)) as other:
        _ = other.execute("BEGIN EXCLUSIVE")


class Slow:
    """A function of SQL that begins, and goes on when it is told to."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> int:
        self.began.set()
        assert self.go_on.wait(WAIT)
        return PRICE

    async def give_to(self, transaction: Any) -> None:
        connection = transaction
        if not hasattr(transaction, "get_raw_connection"):
            connection = await transaction.connection()
        raw = await connection.get_raw_connection()
        await raw.driver_connection.create_function("slow", 0, self)


@pytest.mark.parametrize("variant", variants(driver="aiosqlite"), ids=str)
@pytest.mark.parametrize("where", ["expected", "hook"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_task_cancelled_while_it_reads_leaves_nothing_locked(
    make: Make, where: str, beside: bool
) -> None:
    slow = Slow()

    async def reads(transaction: Any) -> None:
        await slow.give_to(transaction)
        if beside:
            other = await transaction.stream(text("SELECT name FROM sqlite_master"))
            assert await other.fetchone()
        await transaction.execute(text("SELECT slow() FROM sqlite_master"))

    async def asks(merchant_uid: str, transaction: Any) -> int:
        if where == "expected":
            await reads(transaction)
        return PRICE

    async def hook(outcome: Outcome, transaction: Any) -> None:
        await reads(transaction)

    shop = make(options=POOL, on_paid=hook, expected=asks)

    async def main() -> None:
        ask = shop.sql.expected(ORDER) if where == "expected" else None
        task = asyncio.ensure_future(ask or shop.sql.settle(paid_outcome(FIRST, ASKED)))
        _ = await asyncio.to_thread(slow.began.wait, WAIT)
        _ = task.cancel()
        await asyncio.sleep(0)
        slow.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        check_free(shop)
        await shop.bind.dispose()

    asyncio.run(main())
    assert shop.kept() == NOTHING


@pytest.mark.parametrize("variant", variants(kind="sqlite"), ids=str)
@pytest.mark.parametrize("where", ["expected", "hook"])
@pytest.mark.parametrize("swallows", [True, False])
def test_what_is_half_read_when_an_error_passes_keeps_nobody_from_writing(
    make: Make, where: str, swallows: bool
) -> None:
    async def half_reads(transaction: Any) -> None:
        query = text("SELECT name FROM sqlite_master")
        read = transaction.stream if shop.variant.asynchronous else transaction.execute
        rows = await done(read(query))
        assert await done(rows.fetchone())
        try:
            row = {"number": ORDER, "total": "1", "open": True, "currency": "KRW"}
            await done(transaction.execute(insert(orders), row))
        except IntegrityError:
            if not swallows:
                raise

    async def asks(merchant_uid: str, transaction: Any) -> ExpectedPayment:
        if where == "expected":
            await half_reads(transaction)
        return ExpectedPayment(merchant_uid, PRICE)

    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("on_paid", outcome, transaction)
        if where == "hook":
            await half_reads(transaction)

    shop = make(expected=asks, on_paid=hook)
    shop.put(ASKED)
    with Trial(shop) as trial:
        if swallows:
            assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
            assert trial.ask("expected", ORDER) is not None
        else:
            with pytest.raises(IntegrityError):
                trial.ask("settle", paid_outcome(FIRST, ASKED))
        check_free(shop)
    assert shop.kept() == (ALL if swallows else NOTHING)


class Stop(BaseException):
    """Such as a signal raises, wherever Python is."""


@pytest.mark.parametrize("variant", variants(driver="pysqlite", threaded=False), ids=str)
@pytest.mark.parametrize("where", ["expected", "hook"])
def test_a_signal_that_comes_while_a_function_reads_leaves_nothing_locked(
    make: Make, where: str
) -> None:
    def stops(value: bytes) -> str:
        raise Stop

    def reads(transaction: Any) -> None:
        connection = transaction
        if not hasattr(transaction, "exec_driver_sql"):
            connection = transaction.connection()
        connection.connection.driver_connection.text_factory = stops
        transaction.execute(text("SELECT name FROM sqlite_master")).fetchone()

    async def asks(merchant_uid: str, transaction: Any) -> int:
        if where == "expected":
            reads(transaction)
        return PRICE

    async def hook(outcome: Outcome, transaction: Any) -> None:
        reads(transaction)

    shop = make(expected=asks, on_paid=hook)
    outcome = paid_outcome(FIRST, ASKED)
    asked = (shop.sql.expected, ORDER) if where == "expected" else (shop.sql.settle, outcome)
    with pytest.raises(Stop):
        asked[0](asked[1])
    check_free(shop)
    assert shop.kept() == NOTHING


LEAVES: dict[str, type[BaseException]] = {
    "gather": TrialFailure,
    "shield": asyncio.CancelledError,
    "returns": StoreError,
}


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
@pytest.mark.parametrize("where", ["expected", "hook"])
@pytest.mark.parametrize("leaves", LEAVES)
def test_a_function_that_leaves_while_a_task_of_its_own_writes_takes_it_along(
    make: Make, variant: Variant, where: str, leaves: str
) -> None:
    """Else the rollback goes beside that statement, and the connection to whoever is next."""
    slow, tasks = Slow(), list[asyncio.Future[Any]]()
    arrived: list[asyncio.Event] = []

    async def strays(transaction: Any) -> None:
        await transaction.execute(text(SLOW[variant.kind]))

    async def begins(transaction: Any) -> None:
        if variant.kind == "sqlite":
            await slow.give_to(transaction)
        tasks.append(asyncio.ensure_future(strays(transaction)))
        for _ in range(20):
            await asyncio.sleep(0)
        if variant.kind == "sqlite":
            _ = await asyncio.to_thread(slow.began.wait, WAIT)

    async def fails() -> None:
        raise TrialFailure

    async def leave(transaction: Any) -> None:
        await begins(transaction)
        _ = asyncio.get_running_loop().call_soon(slow.go_on.set)
        if leaves == "gather":
            _ = await asyncio.gather(tasks[0], fails())
        if leaves == "shield":
            arrived[0].set()
            await asyncio.shield(tasks[0])

    async def asks(merchant_uid: str, transaction: Any) -> int:
        if where == "expected" and not tasks:
            await leave(transaction)
        return PRICE

    async def hook(outcome: Outcome, transaction: Any) -> None:
        if where == "hook" and not tasks:
            await leave(transaction)
        elif outcome.merchant_uid == ORDER:
            await tell("on_paid", outcome, transaction)

    shop = make(options={**POOL, "pool_timeout": WAIT}, on_paid=hook, expected=asks)

    async def main() -> None:
        arrived.append(asyncio.Event())
        settles = asyncio.ensure_future(shop.sql.settle(paid_outcome(FIRST, ASKED)))
        if leaves == "shield":
            await arrived[0].wait()
            _ = settles.cancel()
        with pytest.raises(LEAVES[leaves]):
            await settles
        assert shop.pool.checkedout() == 0
        with suppress(asyncio.CancelledError):
            await tasks[0]
        other = paid_outcome(SECOND, ExpectedPayment("ORD-next", PRICE))
        assert await shop.sql.settle(other) is Settled.NEW
        assert shop.kept() == (0, 1, 1, 1)
        assert await shop.sql.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
        assert shop.kept() == (1, 2, 2, 2)
        await shop.bind.dispose()

    asyncio.run(main())


def test_what_one_function_asked_for_another_may_read(make: Make) -> None:
    """Within the transaction: closed when it ends, not before."""
    results: list[Any] = []

    async def asks(merchant_uid: str, transaction: Any) -> ExpectedPayment | None:
        results.append(await done(transaction.execute(select(orders.c.number))))
        return await expected(merchant_uid, transaction)

    async def hook(outcome: Outcome, transaction: Any) -> None:
        for _ in results[-1]:
            await tell("on_paid", outcome, transaction)

    shop = make(expected=asks, on_paid=hook)
    for number in (ORDER, "ORD-2", "ORD-3"):
        shop.put(ExpectedPayment(number, PRICE))
    with Trial(shop) as trial:
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
        if shop.variant.kind == "sqlite":
            check_free(shop)
    assert shop.kept() == (3, 1, 1, 1)


@pytest.mark.parametrize("variant", variants(kind="sqlite"), ids=str)
def test_a_repeat_leaves_nothing_open_of_what_expected_has_half_read(make: Make) -> None:
    async def asks(merchant_uid: str, transaction: Any) -> int:
        read = transaction.stream if shop.variant.asynchronous else transaction.execute
        results.append(await done(read(text("SELECT name FROM sqlite_master"))))
        assert await done(results[-1].fetchone())
        return PRICE

    results: list[Any] = []
    shop = make(expected=asks)
    outcome = paid_outcome(FIRST, ASKED)
    with Trial(shop) as trial:
        for settled in (Settled.NEW, Settled.REPEATED):
            assert trial.ask("settle", outcome) is settled
            check_free(shop)


def test_a_savepoint_that_a_hook_leaves_open_is_kept(make: Make) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        _ = await done(transaction.begin_nested())
        await tell("on_paid", outcome, transaction)

    shop = make(on_paid=hook)
    shop.put(ASKED)
    with Trial(shop) as trial:
        outcome = paid_outcome(FIRST, ASKED)
        answers = [trial.ask("settle", outcome) for _ in range(2)]
    assert answers == [Settled.NEW, Settled.REPEATED]
    assert shop.kept() == ALL


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
def test_making_the_tables_can_be_cancelled_at_any_await(make: Make) -> None:
    shop = make(options=POOL)

    async def main() -> None:
        for steps in range(40):
            # Drivers leave a connection open that is cancelled while it is made; this one is made.
            _ = await shop.sql.expected(ORDER)
            task = asyncio.ensure_future(shop.sql.create_all())
            for _ in range(steps):
                await asyncio.sleep(0)
            _ = task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await shop.sql.create_all()
        await shop.bind.dispose()

    asyncio.run(main())
    assert shop.kept() == NOTHING
