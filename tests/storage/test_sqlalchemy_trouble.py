"""What the stores on SQLAlchemy do when the database is in trouble: sessions that it has ended,
plans that a migration made old, locks that nobody gives back."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import scoped_session, sessionmaker

from imp_verify import ConfigurationError, ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.stores._open import holding
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlalchemy import metadata as store_metadata
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.shops import done
from tests.storage.sqlalchemy_shops import (
    KINDS,
    Make,
    SqlShop,
    Variant,
    expected,
    making,
    orders,
    plain_engine,
    tell,
)
from tests.support.databases import ALL, Address, execute

ASKED = ExpectedPayment(ORDER, PRICE)
THIRD = "imp_100000000003"
SERVED = [driver for driver, kind in KINDS.items() if kind != "sqlite"]
SOURCES = ("engine", "session")
EVERY = [
    Variant(driver, source)
    for place, driver in enumerate(SERVED)
    for source in (SOURCES if ALL else (SOURCES[place % 2],))
]
"""Each driver; of an engine and of sessions in turn, unless all databases are asked for."""
ON_MYSQL = [each for each in EVERY if each.kind == "mysql"]
ON_POSTGRESQL = [each for each in EVERY if each.kind == "postgresql"]
POOL = {"pool_size": 3, "max_overflow": 0, "pool_timeout": 30}


@pytest.fixture(params=EVERY, ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    variant: Variant = request.param
    return variant


@pytest.fixture
def make(variant: Variant, place: Callable[[str], Any]) -> Iterator[Make]:
    """Make a shop with two orders, whose pool keeps its connections."""
    for making_shop in making(variant, place(variant.kind)):

        def make(making_shop: Make = making_shop, **arguments: Any) -> SqlShop:
            shop = making_shop(options=arguments.pop("options", POOL), **arguments)
            for number in (ORDER, OTHER):
                shop.put(ExpectedPayment(number, PRICE))
            return shop

        yield make


@contextmanager
def trial_of(shop: SqlShop) -> Iterator[Trial]:
    """A trial whose pool of connections ends with its event loop."""
    with Trial(shop) as trial:
        trial.pays(FIRST)
        trial.pays(SECOND, order=OTHER)
        try:
            yield trial
        finally:
            if shop.variant.asynchronous:
                trial._wait(shop.bind.dispose())


def at(shop: SqlShop) -> Address:
    assert isinstance(shop.place, Address)
    return shop.place


def end_sessions(shop: SqlShop) -> None:
    """As a database does over night, or when it restarts: nobody's connection lives on."""
    shop.engine.dispose()
    place = at(shop)
    if place.kind == "postgresql":
        others = f"datname = '{place.name}' AND pid <> pg_backend_pid()"
        execute(
            place, f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {others}"
        )
        return
    engine = create_engine(place.url("mysql+pymysql"), poolclass=NullPool)
    query = text("SELECT id FROM information_schema.processlist WHERE db = :name")
    with engine.connect() as db:
        while others_ := set(db.scalars(query, {"name": place.name})) - {
            db.scalar(text("SELECT CONNECTION_ID()"))
        }:
            for number in others_:
                with suppress(DBAPIError):  # it has gone meanwhile
                    db.exec_driver_sql(f"KILL {number}")
    engine.dispose()


def fill_pool(shop: SqlShop, trial: Trial) -> None:
    """Open all connections that the pool may have."""
    if shop.variant.asynchronous:

        async def fill() -> None:
            connections = [await shop.bind.connect() for _ in range(3)]
            for connection in connections:
                await connection.close()

        trial._wait(fill())
        return
    for connection in [shop.bind.connect() for _ in range(3)]:
        connection.close()


def test_n02_a_notice_after_the_database_has_ended_all_sessions_is_recorded_at_once(
    make: Make,
) -> None:
    shop = make()
    with trial_of(shop) as trial:
        assert trial.deliver(FIRST, ORDER).settled is Settled.NEW
        for call in (
            lambda: trial.deliver(SECOND, OTHER).settled,
            lambda: trial.ask("settle", paid_outcome(SECOND, ExpectedPayment(OTHER, PRICE))),
            lambda: trial.ask("hold", ASKED, FIRST),
            lambda: len(trial.ask("receipts", [FIRST, SECOND])),
            lambda: trial.ask("expected", ORDER).amount,
            lambda: trial.ask("create_all"),
        ):
            fill_pool(shop, trial)
            end_sessions(shop)
            assert call() in (Settled.NEW, Settled.REPEATED, None, 2, PRICE)
    assert shop.kept() == (2, 2, 2, 2)


READ_ONLY = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


def test_n02_connections_to_a_server_that_only_reads_since_a_failover_are_replaced(
    make: Make,
) -> None:
    """They live on, and a ping finds nothing; the address leads to another server by now."""
    shop = make(options={**POOL, "pool_pre_ping": True})
    limited: list[object] = []

    def limit(connection: Any, *_: object) -> None:
        limited.append(connection)
        with closing(connection.cursor()) as cursor:
            cursor.execute(READ_ONLY[shop.variant.kind])
        connection.commit()

    with trial_of(shop) as trial:
        assert trial.deliver(FIRST, ORDER).settled is Settled.NEW
        engine = getattr(shop.bind, "sync_engine", shop.bind)
        event.listen(engine, "checkout", limit)
        fill_pool(shop, trial)
        event.remove(engine, "checkout", limit)
        assert len(limited) == 3
        assert trial.deliver(SECOND, OTHER).settled is Settled.NEW
    assert shop.kept() == (2, 2, 2, 2)


def test_n02_a_connection_that_ends_while_expected_reads_is_replaced_once(make: Make) -> None:
    ends = [True, True, True]

    async def asks(merchant_uid: str, transaction: Any) -> ExpectedPayment | None:
        if ends.pop():
            end_sessions(shop)
        try:
            return await expected(merchant_uid, transaction)
        except DBAPIError as error:  # a shop may have words of its own for it
            raise LookupError(merchant_uid) from error

    shop = make(expected=asks)
    with trial_of(shop) as trial:
        shop.engine.dispose()
        ends[:] = [False, True]
        assert trial.ask("expected", ORDER) == ASKED
        ends[:] = [False, True]
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
        ends[:] = [True, True]
        with pytest.raises(LookupError):
            _ = trial.ask("settle", paid_outcome(SECOND, ExpectedPayment(OTHER, PRICE)))
    assert shop.kept() == (1, 1, 1, 1)


def test_n02_a_connection_that_ends_after_a_hook_has_run_is_trouble_and_no_fault_of_it(
    make: Make,
) -> None:
    calls: list[str] = []

    async def hook(outcome: Outcome, transaction: Any) -> None:
        calls.append(outcome.key)
        await tell("on_paid", outcome, transaction)
        if len(calls) == 1:
            end_sessions(shop)  # what comes next is the store's own RELEASE SAVEPOINT

    shop = make(on_paid=hook)
    with trial_of(shop) as trial:
        with pytest.raises(DBAPIError) as caught:
            _ = trial.deliver(FIRST, ORDER)
        assert caught.value.connection_invalidated
        assert (len(calls), shop.kept()) == (1, (0, 0, 0, 0))
        shop.engine.dispose()
        assert trial.deliver(FIRST, ORDER).settled is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)


@pytest.mark.parametrize("variant", ON_MYSQL, ids=str)
def test_a_hook_that_fails_is_the_news_also_where_no_limit_can_be_lifted(
    make: Make, variant: Variant
) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        end_sessions(shop)
        raise LookupError

    shop = make(on_paid=hook)
    with trial_of(shop) as trial, pytest.raises(LookupError):
        _ = trial.deliver(FIRST, ORDER)
    assert shop.kept() == (0, 0, 0, 0)


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_database_that_is_not_there_is_trouble(driver: str) -> None:
    engine = create_engine(f"{driver}://127.0.0.1:1/nothing")
    store = SqlAlchemyStore(engine, expected=lambda number, db: PRICE)
    for call in (store.settle, store.observe):
        with pytest.raises(DBAPIError):
            _ = call(paid_outcome(FIRST, ASKED))
    with pytest.raises(DBAPIError):
        _ = store.expected(ORDER)


def test_n02_a_hold_is_not_run_twice_on_a_lost_connection(make: Make) -> None:
    calls: list[str] = []

    async def hold(asked: ExpectedPayment, imp_uid: str, transaction: Any) -> None:
        calls.append(imp_uid)
        end_sessions(shop)
        await done(transaction.execute(select(orders.c.number)))

    shop = make(hold=hold)
    with trial_of(shop) as trial, pytest.raises(DBAPIError):
        _ = trial.ask("hold", ASKED, FIRST)
    assert calls == [FIRST]


@pytest.mark.parametrize("variant", ON_POSTGRESQL, ids=str)
def test_n03_a_notice_after_a_migration_is_recorded_at_once(make: Make) -> None:
    async def asks(merchant_uid: str, transaction: Any) -> ExpectedPayment:
        query = text("SELECT * FROM orders WHERE number = :number")
        row = (await done(transaction.execute(query, {"number": merchant_uid}))).one()
        return ExpectedPayment(row.number, row.total)

    shop = make(expected=asks)
    with trial_of(shop) as trial:
        for number in range(12):  # psycopg prepares a statement when it comes the sixth time
            shop.put(ExpectedPayment(f"ORD-{number}", PRICE))
            outcome = paid_outcome(f"imp_{number}", ExpectedPayment(f"ORD-{number}", PRICE))
            assert trial.ask("settle", outcome) is Settled.NEW
        fill_pool(shop, trial)
        shop.engine.dispose()
        execute(at(shop), "ALTER TABLE orders ADD COLUMN note TEXT")
        try:
            assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
            execute(at(shop), "ALTER TABLE orders DROP COLUMN note")
            assert trial.deliver(SECOND, OTHER).settled is Settled.NEW
        finally:
            execute(at(shop), "ALTER TABLE orders DROP COLUMN IF EXISTS note")
    assert len(shop.told()) == 14


@pytest.mark.parametrize("variant", ON_POSTGRESQL, ids=str)
def test_n03_a_receipt_is_read_at_once_after_a_migration(make: Make) -> None:
    """With several accounts it is the first that a notice asks for."""
    shop = make()
    with trial_of(shop) as trial:
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
        for _ in range(12):
            assert FIRST in trial.ask("receipts", [FIRST])
        change = "ALTER TABLE imp_receipts ALTER COLUMN test TYPE"
        execute(at(shop), f"{change} int USING test::int")
        try:
            assert FIRST in trial.ask("receipts", [FIRST])
        finally:
            execute(at(shop), f"{change} boolean USING test::int::boolean")


@pytest.mark.parametrize("variant", ON_POSTGRESQL, ids=str)
def test_a_hook_may_go_on_after_an_error_of_that_kind_in_a_savepoint_of_its_own(
    make: Make,
) -> None:
    """Only what was begun for reading is thrown away."""

    async def hook(outcome: Outcome, transaction: Any) -> None:
        savepoint = await done(transaction.begin_nested())
        with pytest.raises(DBAPIError):  # 0A000, as a plan that is out of date
            await done(transaction.execute(text("SELECT count(*) FROM orders FOR UPDATE")))
        await done(savepoint.rollback())
        await tell("on_paid", outcome, transaction)

    shop = make(on_paid=hook)
    with trial_of(shop) as trial:
        assert trial.deliver(FIRST, ORDER).settled is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)


# Row locks


@contextmanager
def frozen(shop: SqlShop, *statements: str) -> Iterator[None]:
    """A process elsewhere that has a lock, and never ends its transaction."""
    engine = plain_engine(shop.place)
    with engine.connect() as db:
        for statement in statements:
            db.execute(text(statement), {"number": ORDER})
        yield
        db.rollback()
    engine.dispose()


LOCKS = {
    "the store's row": "INSERT INTO imp_orders (merchant_uid, was_paid) VALUES (:number, false)",
    "the shop's row": "SELECT number FROM orders WHERE number = :number FOR UPDATE",
}


async def locks(merchant_uid: str, transaction: Any) -> ExpectedPayment | None:
    query = select(orders).where(orders.c.number == merchant_uid).with_for_update()
    row = (await done(transaction.execute(query))).first()
    return row and ExpectedPayment(row.number, row.total, open=row.open)


def waits(shop: SqlShop) -> Any:
    """Give how long this pool's connections wait by themselves, in the server's words."""
    query = {"mysql": "SELECT @@innodb_lock_wait_timeout", "postgresql": "SHOW lock_timeout"}
    return query[shop.variant.kind]


@pytest.mark.parametrize("variant", EVERY, ids=str)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_process_that_keeps_an_orders_row_makes_this_order_trouble_and_no_other(
    make: Make, variant: Variant, lock: str
) -> None:
    # MySQL waits whole seconds only.
    limit = 1.0 if variant.kind == "mysql" else 0.3
    shop = make(expected=locks, options=POOL, lock_timeout=limit)
    with trial_of(shop) as trial, frozen(shop, LOCKS[lock]):
        began = time.monotonic()
        stuck, other = partial(trial.deliver, FIRST, ORDER), partial(trial.deliver, SECOND, OTHER)
        answers: list[Any] = trial.together(*[stuck] * 6, other)
        took = time.monotonic() - began
        assert all(isinstance(each, DBAPIError) for each in answers[:6])
        assert any("lock_timeout" in note for note in answers[0].__notes__)
        assert answers[6].settled is Settled.NEW
    assert took < 20  # two times a second in a pool of three; fifty seconds where nobody looks
    assert shop.kept()[1:3] == (1, 1)


@pytest.mark.parametrize("variant", EVERY, ids=str)
def test_the_limit_ends_with_the_transaction_however_that_ends(
    make: Make, variant: Variant
) -> None:
    fails, seen = [False], list[Any]()

    async def scalar(transaction: Any) -> Any:
        return (await done(transaction.execute(text(waits(shop))))).scalar()

    async def hook(outcome: Outcome, transaction: Any) -> None:
        seen.append(await scalar(transaction))
        if fails[0]:
            raise LookupError

    async def asks(merchant_uid: str, transaction: Any) -> int:
        seen.append(await scalar(transaction))
        return PRICE

    def afterwards(trial: Trial) -> Any:
        if variant.asynchronous:

            async def ask() -> Any:
                async with shop.bind.connect() as db:
                    return await scalar(db)

            return trial._wait(ask())
        with shop.bind.connect() as db:
            return db.execute(text(waits(shop))).scalar()

    one = {"pool_size": 1, "max_overflow": 0}
    shop = make(expected=asks, on_paid=hook, options=one, lock_timeout=7)
    inside, outside = (7, 50) if variant.kind == "mysql" else ("7s", "0")
    with trial_of(shop) as trial:
        assert afterwards(trial) == outside
        assert trial.ask("expected", ORDER) == PRICE
        assert afterwards(trial) == outside
        for fails[0] in (True, False):
            try:
                trial.deliver(FIRST, ORDER)
            except LookupError:
                assert fails[0]
            assert afterwards(trial) == outside
        with holding(time.monotonic() + 3.5):
            assert trial.ask("hold", ASKED, FIRST) is None
        assert afterwards(trial) == outside
    assert set(seen) == {inside}


@pytest.mark.parametrize("variant", EVERY, ids=str)
def test_a_hold_waits_for_a_lock_no_longer_than_the_gateway_waits_for_its_answer(
    make: Make, variant: Variant
) -> None:
    shop = make()
    with trial_of(shop) as trial, frozen(shop, LOCKS["the store's row"]):
        began = time.monotonic()
        with holding(began + (1.5 if variant.kind == "mysql" else 0.8)), pytest.raises(DBAPIError):
            _ = trial.ask("hold", ASKED, FIRST)
        assert time.monotonic() - began < 4.5


@pytest.mark.parametrize("seconds", [0, -1, True, "5", None, 1e9, float("nan")])
def test_a_lock_timeout_is_seconds(seconds: Any) -> None:
    engine = create_engine("sqlite:///nowhere.db")
    with pytest.raises(ConfigurationError, match="lock_timeout must be seconds"):
        _ = SqlAlchemyStore(engine, expected=lambda number, db: PRICE, lock_timeout=seconds)


# Engines, drivers and tables that would break what the store promises


@pytest.mark.parametrize("variant", ON_MYSQL, ids=str)
@pytest.mark.parametrize("name", ["begin", "checkout"])
def test_a_listener_that_reads_at_the_beginning_changes_nothing(
    make: Make, variant: Variant, name: str
) -> None:
    shop = make()
    engine = shop.bind.sync_engine if variant.asynchronous else shop.bind

    def begin(connection: Any) -> None:
        _ = connection.exec_driver_sql("SELECT count(*) FROM orders").scalar()

    def checkout(connection: Any, record: object, proxy: object) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT count(*) FROM orders")
            _ = cursor.fetchall()

    listener = begin if name == "begin" else checkout
    event.listen(engine, name, listener)
    with trial_of(shop) as trial:
        for settled in (Settled.NEW, Settled.REPEATED):
            assert trial.deliver(FIRST, ORDER).settled is settled
    assert shop.kept() == (1, 1, 1, 1)


def test_sessions_that_commit_in_two_phases_are_refused(
    databases: Callable[[str], Address],
) -> None:
    engine = plain_engine(databases("postgresql"))
    two = sessionmaker(engine, twophase=True)
    for source in (two, scoped_session(two)):
        with pytest.raises(ConfigurationError, match=r"twophase=True.*sessionmaker of its own"):
            _ = SqlAlchemyStore(source, expected=lambda number, db: PRICE)
    later = sessionmaker(engine)
    store = SqlAlchemyStore(later, expected=lambda number, db: PRICE)
    later.configure(twophase=True)
    with pytest.raises(ConfigurationError, match="twophase=True"):
        _ = store.settle(paid_outcome(FIRST, ASKED))
    engine.dispose()


@pytest.mark.parametrize("address", ["mysql+aiomysql://nowhere", "postgresql+pg8000://nowhere"])
def test_a_driver_that_was_not_tried_is_refused_by_its_name(address: str) -> None:
    class Module:
        paramstyle, version, __version__ = "format", "1.0", "1.31.0"

        def __getattr__(self, name: str) -> Any:
            return self

    engine = create_engine(address, module=Module())
    tried = "pymysql, mysqldb, asyncmy" if "mysql" in address else "psycopg, psycopg2, asyncpg"
    with pytest.raises(ConfigurationError, match=f"{tried}, not with {engine.dialect.driver}"):
        _ = SqlAlchemyStore(engine, expected=lambda number, db: PRICE)


@pytest.mark.parametrize("kind", ["MyISAM", "Aria"])
def test_tables_that_cannot_be_rolled_back_are_refused_with_what_to_do(
    place: Callable[[str], Any], kind: str
) -> None:
    where = place("mysql")
    for make in making(Variant("pymysql"), where):
        shop = make()
        shop.put(ASKED)
        execute(where, f"ALTER TABLE imp_receipts ENGINE = {kind}")
        try:
            refusal = "cannot roll back imp_receipts.*ALTER TABLE imp_receipts ENGINE = InnoDB"
            with pytest.raises(StoreError, match=refusal):
                shop.sql.create_all()
            with pytest.raises(StoreError, match=refusal):
                _ = shop.sql.settle(paid_outcome(FIRST, ASKED))
        finally:
            execute(where, "ALTER TABLE imp_receipts ENGINE = InnoDB")
        assert shop.kept() == (0, 0, 0, 0)
        assert shop.sql.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW


def test_create_all_pins_the_engine_where_the_server_has_another(
    databases: Callable[[str], Address],
) -> None:
    where = databases("mysql")
    wanted = {"init_command": "SET default_storage_engine = 'MyISAM'"}
    engine: Engine = create_engine(where.url("mysql+pymysql"), connect_args=wanted)
    store_metadata.drop_all(engine)
    SqlAlchemyStore(engine, expected=lambda number, db: PRICE).create_all()
    with engine.connect() as db:
        query = (
            "SELECT DISTINCT engine FROM information_schema.tables WHERE table_name LIKE 'imp_%'"
        )
        found = db.exec_driver_sql(f"{query.replace('%', '%%')} AND table_schema = DATABASE()")
        assert [name for (name,) in found] == ["InnoDB"]
    engine.dispose()
