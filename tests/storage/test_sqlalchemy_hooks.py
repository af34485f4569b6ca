"""What a hook of the stores on SQLAlchemy may do, what it may not, and that its work and the record
are one."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, event, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.schema import CreateTable

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.testing._harness import FIRST, ORDER, PRICE, Trial, paid_outcome
from tests.storage.shops import done
from tests.storage.sqlalchemy_shops import (
    Make,
    SqlShop,
    Variant,
    making,
    tell,
    told,
    variants,
)


@pytest.fixture(params=variants(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    variant: Variant = request.param
    return variant


@pytest.fixture
def make(variant: Variant, place: Callable[[str], Any]) -> Iterator[Make]:
    """Make a shop with one order and these hooks."""
    for making_shop in making(variant, place(variant.kind)):

        def make(making_shop: Make = making_shop, **arguments: Any) -> SqlShop:
            shop = making_shop(**arguments)
            shop.put(ExpectedPayment(ORDER, PRICE))
            return shop

        yield make


def deliver(shop: SqlShop, **changes: object) -> Outcome:
    with Trial(shop) as trial:
        trial.pays(FIRST, **changes)
        return trial.deliver(FIRST)


ONE = {"pool_size": 1, "max_overflow": 0}
"""An engine's options where every transaction is to have the same connection."""


def engine_of(shop: SqlShop) -> Engine:
    source = shop.source.kw["bind"] if shop.variant.source == "session" else shop.source
    engine: Engine = source.sync_engine if shop.variant.asynchronous else source
    return engine


@contextlib.contextmanager
def one_connection(shop: SqlShop) -> Iterator[Trial]:
    """Try a shop whose pool keeps its connection, which belongs to the trial's event loop."""
    with Trial(shop) as trial:
        trial.pays(FIRST)
        yield trial
        if shop.variant.asynchronous:
            bind = getattr(shop.source, "kw", {}).get("bind", shop.source)
            trial._wait(bind.dispose())


async def run(transaction: Any, sql: str) -> Any:
    return await done(transaction.execute(text(sql)))


METHODS = ("commit", "rollback", "close")
STATEMENTS = ("COMMIT", " /* all */ commit -- x", "-- x\nROLLBACK", "BEGIN", "(END)", "end work")
ON_MYSQL = (
    "CREATE TABLE x (y INT)",
    "DROP TABLE x",
    "TRUNCATE TABLE told",
    "SET autocommit = 1",
    "SET @@autocommit=1",
    "LOCK TABLES told WRITE",
)


async def end(transaction: Any, ending: str) -> None:
    if ending in METHODS:
        await done(getattr(transaction, ending)())
    else:
        await run(transaction, ending)


def statements(variant: Variant) -> list[str]:
    return [*STATEMENTS, *(ON_MYSQL if variant.kind == "mysql" else ())]


def test_a_hook_that_ends_the_transaction_fails_and_nothing_is_kept(
    make: Make, variant: Variant
) -> None:
    left = [*METHODS, *statements(variant)]

    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("before", outcome, transaction)
        await end(transaction, left[0])
        await tell("after", outcome, transaction)

    shop = make(on_paid=hook)
    while left:
        with pytest.raises(StoreError, match="not for a hook"):
            _ = deliver(shop)
        assert shop.kept() == (0, 0, 0, 0), left[0]
        del left[0]


@pytest.mark.parametrize("method", METHODS)
def test_a_hook_that_goes_on_after_a_refused_method_is_kept_whole_or_not_at_all(
    make: Make, method: str
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        with pytest.raises(StoreError, match="not for a hook"):
            await end(transaction, method)
        with contextlib.suppress(SQLAlchemyError, StoreError):
            await tell("after", outcome, transaction)
        with contextlib.suppress(SQLAlchemyError, StoreError):
            await end(transaction, "commit")

    shop = make(on_paid=hook, options=ONE)
    with one_connection(shop) as trial:
        try:
            assert trial.deliver(FIRST).settled is Settled.NEW
        except (SQLAlchemyError, StoreError):
            assert shop.kept() == (0, 0, 0, 0)
        else:
            assert shop.kept() == (1, 1, 1, 1)
            assert (method, shop.variant.source) == ("commit", "session")


def test_a_hook_that_goes_on_after_a_statement_was_refused_is_kept_whole(
    make: Make, variant: Variant
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("before", outcome, transaction)
        for ending in statements(variant):
            with contextlib.suppress(StoreError):
                await end(transaction, ending)
        await tell("after", outcome, transaction)

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert shop.kept() == (2, 1, 1, 1)


def _behind_its_back(given: Any, ending: str) -> None:
    connection = given.connection() if isinstance(given, Session) else given
    getattr(connection.connection.dbapi_connection, ending)()


def _by_its_handle(given: Any, ending: str) -> None:
    connection = given.connection() if isinstance(given, Session) else given
    getattr(connection.get_transaction(), ending)()


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("ending", ["commit", "rollback", "close"])
def test_a_transaction_that_a_hook_ends_by_its_handle_keeps_nothing(
    make: Make, variant: Variant, ending: str, goes_on: bool
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        if variant.asynchronous:
            await transaction.run_sync(_by_its_handle, ending)
        else:
            _by_its_handle(transaction, ending)
        if goes_on:
            await tell("after", outcome, transaction)

    shop = make(on_paid=hook, options=ONE)
    with one_connection(shop) as trial:
        for _ in range(2):
            with pytest.raises((StoreError, SQLAlchemyError)):
                _ = trial.deliver(FIRST)
            assert shop.kept() == (0, 0, 0, 0)


def stop_once(shop: SqlShop, first: Callable[[Any], object] = id) -> None:
    """Let a listener of the shop's stop the next commit, when this was done to the driver's
    connection."""
    before = [True]

    def stop(connection: Any) -> None:
        if before and before.pop():
            first(connection.connection.dbapi_connection)
            raise RuntimeError("not now")

    event.listen(engine_of(shop), "commit", stop)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("variant", variants(asynchronous=False, threaded=False), ids=str)
def test_a_commit_that_a_listener_stops_leaves_nothing_on_its_connection(
    make: Make, lost: bool
) -> None:
    """SQLAlchemy takes that transaction for ended, and lends the connection again as it is."""
    shop = make(options=ONE)
    stop_once(shop, lambda driver: driver.close() if lost else None)
    with one_connection(shop) as trial:
        with pytest.raises(RuntimeError, match="not now"):
            _ = trial.deliver(FIRST)
        with engine_of(shop).begin() as others:
            _ = others.execute(text("SELECT 1"))
        assert shop.kept() == (0, 0, 0, 0)
        assert trial.deliver(FIRST).settled is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)


class InterruptedOnce(sqlite3.Connection):
    """Is interrupted where it rolls back, when that was asked for."""

    asked = False

    def rollback(self) -> None:
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt
        super().rollback()


@pytest.mark.parametrize("variant", variants(driver="pysqlite", threaded=False), ids=str)
def test_an_interrupted_rollback_leaves_nothing_on_its_connection_either(make: Make) -> None:
    shop = make(options={**ONE, "connect_args": {"factory": InterruptedOnce}})
    stop_once(shop, lambda driver: setattr(driver, "asked", True))
    with one_connection(shop) as trial:
        with pytest.raises(KeyboardInterrupt):
            _ = trial.deliver(FIRST)
        assert shop.kept() == (0, 0, 0, 0)
        assert trial.deliver(FIRST).settled is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
def test_a_commit_that_a_listener_stops_leaves_nothing_for_other_tasks(make: Make) -> None:
    shop = make(options=ONE)
    stop_once(shop)
    with one_connection(shop) as trial:
        with pytest.raises(RuntimeError, match="not now"):
            _ = trial.deliver(FIRST)
        assert trial.deliver(FIRST).settled is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)


@pytest.mark.parametrize("variant", variants(kind="mysql"), ids=str)
def test_a_table_made_in_a_hook_would_commit_on_mysql_and_is_refused(make: Make) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("before", outcome, transaction)
        await done(
            transaction.execute(CreateTable(Table("half", MetaData(), Column("x", Integer))))
        )

    shop = make(on_paid=hook)
    with pytest.raises(StoreError, match="CREATE is not for a hook"):
        _ = deliver(shop)
    assert shop.kept() == (0, 0, 0, 0)


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_a_transaction_that_was_ended_behind_the_stores_back_keeps_nothing_more(
    make: Make, variant: Variant, ending: str
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        if variant.asynchronous:
            await transaction.run_sync(_behind_its_back, ending)
        else:
            _behind_its_back(transaction, ending)
        await tell("after", outcome, transaction)

    shop = make(on_paid=hook)
    with pytest.raises(StoreError, match="ended the store's transaction"):
        _ = deliver(shop)
    assert shop.kept()[0] == 0


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_connection_that_a_hook_threw_away_keeps_nothing(make: Make, goes_on: bool) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("before", outcome, transaction)
        await done(transaction.invalidate())
        if goes_on:
            await tell("after", outcome, transaction)

    shop = make(on_paid=hook)
    with pytest.raises((StoreError, SQLAlchemyError)):
        _ = deliver(shop)
    assert shop.kept()[1:] == (0, 0, 0)


def test_a_second_hook_that_fails_takes_the_first_ones_work_with_it(make: Make) -> None:
    async def fail(outcome: Outcome, transaction: Any) -> None:
        await tell("half", outcome, transaction)
        raise RuntimeError("no stock")

    shop = make(on_partly_cancelled=fail)
    with pytest.raises(RuntimeError, match="no stock"):
        _ = deliver(shop, cancel_amount=1000)
    assert shop.kept() == (0, 0, 0, 0)


@pytest.mark.parametrize("variant", variants(asynchronous=False, threaded=False), ids=str)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_hook_that_ends_the_process_keeps_nothing(make: Make, error: type) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("half", outcome, transaction)
        raise error

    shop = make(on_paid=hook)
    with pytest.raises(error):
        _ = deliver(shop)
    assert shop.kept() == (0, 0, 0, 0)


def test_a_part_of_a_hook_is_undone_alone(make: Make, variant: Variant) -> None:
    async def part(outcome: Outcome, transaction: Any, name: str, fails: bool) -> None:
        nested = await done(transaction.begin_nested())
        await tell(name, outcome, transaction)
        await done(nested.rollback() if fails else nested.commit())

    async def hook(outcome: Outcome, transaction: Any) -> None:
        await part(outcome, transaction, "undone", True)
        await part(outcome, transaction, "kept", False)

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert [name for name, _ in shop.told()] == ["kept"]


class Base(DeclarativeBase):
    pass


class Told(Base):
    __table__ = told


@pytest.mark.parametrize("variant", variants(source="session"), ids=str)
def test_what_a_hook_adds_to_its_session_is_flushed_with_the_record(make: Make) -> None:
    async def hook(outcome: Outcome, session: Any) -> None:
        session.add(Told(hook="orm", change=outcome.key, number=outcome.merchant_uid))

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert [name for name, _ in shop.told()] == ["orm"]


@pytest.mark.parametrize("variant", variants(source="session"), ids=str)
def test_a_session_whose_last_flush_fails_keeps_nothing(make: Make) -> None:
    async def hook(outcome: Outcome, session: Any) -> None:
        session.add(Told(id=1, hook="first", change=outcome.key))
        session.add(Told(id=1, hook="second", change=outcome.key))

    shop = make(on_paid=hook)
    with pytest.raises(IntegrityError):
        _ = deliver(shop)
    assert shop.kept() == (0, 0, 0, 0)


@pytest.mark.parametrize("variant", variants(source="session", kind="postgresql"), ids=str)
def test_an_error_that_a_listener_swallows_before_the_commit_keeps_nothing(make: Make) -> None:
    """PostgreSQL would answer COMMIT with a rollback, and no driver says so."""
    afterwards: list[str] = []

    async def hook(outcome: Outcome, session: Any) -> Callable[[], object]:
        await tell("on_paid", outcome, session)

        @event.listens_for(getattr(session, "sync_session", session), "before_commit")
        def careless(session: Session) -> None:
            with contextlib.suppress(SQLAlchemyError):
                session.execute(text("SELECT * FROM nowhere"))

        return lambda: afterwards.append("told")

    shop = make(on_paid=hook)
    with pytest.raises(StoreError, match="rolled back under the hook"):
        _ = deliver(shop)
    assert shop.kept() == (0, 0, 0, 0)
    assert afterwards == []


# What a hook returns


def test_a_returned_function_is_called_once_after_the_commit(make: Make) -> None:
    seen: list[object] = []

    async def hook(outcome: Outcome, transaction: Any) -> Callable[[], object]:
        await tell("on_paid", outcome, transaction)

        def after() -> None:
            seen.append(shop.kept())

        async def after_later() -> None:
            seen.append(shop.kept())

        return after_later if shop.variant.asynchronous else after

    shop: SqlShop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert deliver(shop).settled is Settled.REPEATED
    assert seen == [(1, 1, 1, 1)]


def test_a_returned_function_that_fails_is_logged_and_one_of_another_colour_ignored(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def fail() -> None:
        seen.append("plain")
        raise RuntimeError("no mail today")

    async def fail_later() -> None:
        seen.append("async")
        raise RuntimeError("no mail today")

    async def hook(outcome: Outcome, transaction: Any) -> object:
        return fail

    async def other(outcome: Outcome, transaction: Any) -> object:
        return fail_later

    shop = make(on_paid=hook, on_partly_cancelled=other)
    assert deliver(shop, cancel_amount=1000).settled is Settled.NEW
    assert seen == ["async" if shop.variant.asynchronous else "plain"]
    assert "no mail today" in caplog.text
    word = "is not called" if shop.variant.asynchronous else "nobody runs"
    failed, ignored = sorted(text for text in caplog.messages if FIRST in text)
    assert (word in ignored, "failed after the commit" in failed) == (True, True)


def test_a_store_called_inside_its_own_hook_is_a_store_error(make: Make) -> None:
    calls = ("settle", "expected", "receipts", "create_all")
    refused: list[str] = []

    async def hook(outcome: Outcome, transaction: Any) -> None:
        arguments = {"settle": (outcome,), "expected": (ORDER,), "receipts": ([FIRST],)}
        for name in calls:
            with pytest.raises(StoreError, match="inside a hook"):
                await done(getattr(shop.sql, name)(*arguments.get(name, ())))
            refused.append(name)

    shop: SqlShop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert refused == list(calls)


# Conflicts

CONFLICT = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END $$",
    "mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
}


@pytest.mark.parametrize("variant", variants(kind=("postgresql", "mysql")), ids=str)
@pytest.mark.parametrize("times", [1, 4, 5])
def test_what_the_database_gave_up_is_tried_again_a_few_times(
    make: Make, variant: Variant, times: int
) -> None:
    calls: list[str] = []

    async def hook(outcome: Outcome, transaction: Any) -> None:
        calls.append("call")
        await tell("on_paid", outcome, transaction)
        if len(calls) <= times:
            await run(transaction, CONFLICT[variant.kind])

    shop = make(on_paid=hook)
    if times < 5:
        assert deliver(shop).settled is Settled.NEW
        assert shop.kept() == (1, 1, 1, 1)
    else:
        with pytest.raises(DBAPIError):
            _ = deliver(shop)
        assert shop.kept() == (0, 0, 0, 0)
    assert len(calls) == min(times + 1, 5)


def test_an_error_of_the_hooks_own_is_not_tried_again(make: Make) -> None:
    calls: list[str] = []

    async def hook(outcome: Outcome, transaction: Any) -> None:
        calls.append("call")
        row = {"id": 1, "hook": "twice"}
        await done(transaction.execute(insert(told), row))
        await done(transaction.execute(insert(told), row))

    shop = make(on_paid=hook)
    with pytest.raises(IntegrityError):
        _ = deliver(shop)
    assert calls == ["call"]
    assert shop.kept() == (0, 0, 0, 0)


def test_an_error_of_the_database_that_a_hook_swallows_is_never_a_record_half_kept(
    make: Make, variant: Variant
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        row = {"id": 1, "hook": "twice"}
        await done(transaction.execute(insert(told), row))
        with contextlib.suppress(IntegrityError):
            await done(transaction.execute(insert(told), row))

    shop = make(on_paid=hook)
    if variant.kind == "postgresql":  # it refuses all that comes after, and would roll back at last
        with pytest.raises(StoreError, match="rolled back under the hook"):
            _ = deliver(shop)
        assert shop.kept() == (0, 0, 0, 0)
    else:
        assert deliver(shop).settled is Settled.NEW
        assert shop.kept() == (1, 1, 1, 1)


@pytest.mark.parametrize("variant", variants(kind=("postgresql", "mysql")), ids=str)
def test_a_record_that_cannot_be_written_names_no_values(make: Make) -> None:
    shop = make()
    outcome = paid_outcome("imp_" + "9" * 200, ExpectedPayment(ORDER, PRICE))
    with Trial(shop) as trial, pytest.raises(DBAPIError) as caught:
        _ = trial.ask("settle", outcome)
    assert "9999" not in str(caught.value).replace(str(caught.value.orig), "")
    assert shop.kept() == (0, 0, 0, 0)


def test_an_await_that_was_forgotten_is_found_and_nothing_is_recorded(tmp_path: Path) -> None:
    from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore  # an older SQLAlchemy refuses it

    async def later() -> None:
        raise AssertionError("nobody awaits it")

    async def starts(outcome: Outcome, db: AsyncConnection) -> object:
        return asyncio.ensure_future(asyncio.sleep(0))  # it runs by itself: not ours to judge

    async def forgets(outcome: Outcome, db: AsyncConnection) -> object:
        return later()

    async def expected(number: str, db: AsyncConnection) -> int:
        return PRICE

    async def settle() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db")
        store = AsyncSqlAlchemyStore(engine, expected=expected, on_paid=forgets)
        await store.create_all()
        with pytest.raises(StoreError, match="on_paid returned coroutine, which nobody runs"):
            await store.settle(paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE)))
        assert await store.receipts([FIRST]) == {}
        store = AsyncSqlAlchemyStore(engine, expected=expected, on_paid=starts)
        assert await store.settle(paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE))) == "new"
        await engine.dispose()

    asyncio.run(settle())
