"""The stores on SQLAlchemy do with a hook what every store must; and what is SQLAlchemy's own: ways
round the store, sessions, listeners, conflicts, what a shop's functions leave behind."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from operator import methodcaller
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, event, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.schema import CreateTable

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.testing._harness import FIRST, ORDER, PRICE, Trial, paid_outcome
from tests.storage.hook_contract import ASKED, DatabaseHookContract, Ending, settle
from tests.storage.shops import done
from tests.storage.sqlalchemy_shops import (
    Make,
    SqlShop,
    Variant,
    expected,
    making,
    orders,
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
            shop.put(ASKED)
            return shop

        yield make


ONE = {"pool_size": 1, "max_overflow": 0}
"""An engine's options where every transaction is to have the same connection."""


def engine_of(shop: SqlShop) -> Engine:
    engine: Engine = getattr(shop.bind, "sync_engine", shop.bind)
    return engine


@contextlib.contextmanager
def one_connection(shop: SqlShop) -> Iterator[Trial]:
    """Try a shop whose pool keeps its connection, which belongs to the trial's event loop."""
    with Trial(shop) as trial:
        trial.pays(FIRST)
        yield trial
        if shop.variant.asynchronous:
            trial._wait(shop.bind.dispose())


async def run(transaction: Any, sql: str) -> Any:
    return await done(transaction.execute(text(sql)))


METHODS = {name: methodcaller(name) for name in ("commit", "rollback", "close")}
STATEMENTS = ("COMMIT", " /* all */ commit -- x", "-- x\nROLLBACK", "BEGIN", "(END)", "end work")
ON_MYSQL = (
    "CREATE TABLE x (y INT)",
    "DROP TABLE x",
    "TRUNCATE TABLE told",
    "SET autocommit = 1",
    "SET @@autocommit=1",
    "LOCK TABLES told WRITE",
)


class TestHooks(DatabaseHookContract):
    unique_violation = IntegrityError

    def ready(self, shop: SqlShop) -> Any:
        return shop.sql

    async def tell(self, name: str, outcome: Outcome, transaction: Any) -> None:
        await tell(name, outcome, transaction)

    async def run(self, transaction: Any, statement: str) -> None:
        await run(transaction, statement)

    @contextlib.asynccontextmanager
    async def part(self, transaction: Any) -> AsyncIterator[None]:
        nested = await done(transaction.begin_nested())
        try:
            yield
        except BaseException:
            await done(nested.rollback())
            raise
        await done(nested.commit())

    def refused(self, shop: SqlShop) -> Mapping[str, Ending]:
        statements = [*STATEMENTS, *(ON_MYSQL if shop.variant.kind == "mysql" else ())]
        return {each: partial(run, sql=each) for each in statements}

    def breaking(self, shop: SqlShop) -> Mapping[str, Ending]:
        return METHODS

    def is_broken_by_errors(self, shop: SqlShop) -> bool:
        return shop.variant.kind == "postgresql"


@pytest.mark.parametrize("method", METHODS)
def test_a_hook_that_goes_on_after_a_refused_method_is_kept_whole_or_not_at_all(
    make: Make, method: str
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        with pytest.raises(StoreError, match="not for a hook"):
            await done(METHODS[method](transaction))
        with contextlib.suppress(SQLAlchemyError, StoreError):
            await tell("after", outcome, transaction)
        with contextlib.suppress(SQLAlchemyError, StoreError):
            await done(transaction.commit())

    shop = make(on_paid=hook, options=ONE)
    with one_connection(shop) as trial:
        try:
            assert trial.deliver(FIRST).settled is Settled.NEW
        except (SQLAlchemyError, StoreError):
            assert shop.kept() == (0, 0, 0, 0)
        else:
            assert shop.kept() == (1, 1, 1, 1)
            assert (method, shop.variant.source) == ("commit", "session")


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
        settle(shop)
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
        settle(shop)
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
        settle(shop)
    assert shop.kept()[1:] == (0, 0, 0)


class Base(DeclarativeBase):
    pass


class Told(Base):
    __table__ = told


@pytest.mark.parametrize("variant", variants(source="session"), ids=str)
def test_what_a_hook_adds_to_its_session_is_flushed_with_the_record(make: Make) -> None:
    async def hook(outcome: Outcome, session: Any) -> None:
        session.add(Told(hook="orm", change=outcome.key, number=outcome.merchant_uid))

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert [name for name, _ in shop.told()] == ["orm"]


@pytest.mark.parametrize("variant", variants(source="session"), ids=str)
def test_a_session_whose_last_flush_fails_keeps_nothing(make: Make) -> None:
    async def hook(outcome: Outcome, session: Any) -> None:
        session.add(Told(id=1, hook="first", change=outcome.key))
        session.add(Told(id=1, hook="second", change=outcome.key))

    shop = make(on_paid=hook)
    with pytest.raises(IntegrityError):
        settle(shop)
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
        settle(shop)
    assert shop.kept() == (0, 0, 0, 0)
    assert afterwards == []


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
    assert settle(shop) is Settled.NEW
    assert refused == list(calls)


# What is left behind


def test_what_one_function_asked_for_another_may_read(make: Make) -> None:
    results: list[Any] = []

    async def asks(merchant_uid: str, transaction: Any) -> ExpectedPayment | None:
        results.append(await done(transaction.execute(select(orders.c.number))))
        return await expected(merchant_uid, transaction)

    async def hook(outcome: Outcome, transaction: Any) -> None:
        for _ in results[-1]:
            await tell("on_paid", outcome, transaction)

    shop = make(expected=asks, on_paid=hook)
    for number in ("ORD-2", "ORD-3"):
        shop.put(ExpectedPayment(number, PRICE))
    assert settle(shop) is Settled.NEW
    assert shop.kept() == (3, 1, 1, 1)


def test_a_savepoint_that_a_hook_leaves_open_is_kept(make: Make) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        _ = await done(transaction.begin_nested())
        await tell("on_paid", outcome, transaction)

    shop = make(on_paid=hook)
    assert [settle(shop) for _ in range(2)] == [Settled.NEW, Settled.REPEATED]
    assert shop.kept() == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "variant", variants(driver=("psycopg_async", "asyncpg", "asyncmy")), ids=str
)
def test_making_the_tables_can_be_cancelled_at_any_await(make: Make) -> None:
    """Not on aiosqlite: what it was reading when it was cancelled can keep the file locked."""
    shop = make(options=ONE)

    async def main() -> None:
        for steps in range(40):
            # Drivers leave a connection open that is cancelled while it is made; this one is made.
            _ = await shop.sql.expected(ORDER)
            task = asyncio.ensure_future(shop.sql.create_all())
            for _ in range(steps):
                await asyncio.sleep(0)
            _ = task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await shop.sql.create_all()
        await shop.bind.dispose()

    asyncio.run(main())
    assert shop.kept() == (0, 0, 0, 0)


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
        assert settle(shop) is Settled.NEW
        assert shop.kept() == (1, 1, 1, 1)
    else:
        with pytest.raises(DBAPIError):
            settle(shop)
        assert shop.kept() == (0, 0, 0, 0)
    assert len(calls) == min(times + 1, 5)


@pytest.mark.parametrize("variant", variants(kind=("postgresql", "mysql")), ids=str)
def test_a_record_that_cannot_be_written_names_no_values(make: Make) -> None:
    shop = make()
    with pytest.raises(DBAPIError) as caught:
        settle(shop, paid_outcome("imp_" + "9" * 200, ASKED))
    assert "9999" not in str(caught.value).replace(str(caught.value.orig), "")
    assert shop.kept() == (0, 0, 0, 0)


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
def test_a_task_that_a_hook_returns_runs_by_itself(make: Make) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> object:
        await tell("on_paid", outcome, transaction)
        return asyncio.ensure_future(asyncio.sleep(0))

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)
