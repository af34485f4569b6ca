"""Whose connections the stores on SQLAlchemy use, how many, and in what state they give them back:
pools, cancelled tasks, forks, SQLite's modes, tables made by many at once."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from sqlalchemy import (
    Delete,
    Engine,
    Insert,
    StaticPool,
    Update,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import (
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from imp_verify import ConfigurationError, ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.stores import sqlalchemy as stores_on_sqlalchemy
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from imp_verify.stores.sqlalchemy import metadata as store_metadata
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.shops import done
from tests.storage.sqlalchemy_shops import (
    KINDS,
    PLAIN_DRIVER,
    Make,
    SqlShop,
    Variant,
    cleared,
    making,
    metadata,
    orders,
    plain_engine,
    tell,
    url,
    variants,
)
from tests.storage.test_sqlite_processes import processes
from tests.support.databases import Address

ROOT = Path(__file__).parents[2]
ASKED = ExpectedPayment(ORDER, PRICE)
CALLERS = 64
POOL = {"pool_size": 4, "max_overflow": 0, "pool_timeout": 60}
ALL_TABLES = ("imp_changes", "imp_dues", "imp_orders", "imp_receipts", "imp_runs")


@pytest.fixture(params=variants(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    variant: Variant = request.param
    return variant


@pytest.fixture
def make(variant: Variant, place: Callable[[str], Any]) -> Iterator[Make]:
    yield from making(variant, place(variant.kind))


def _from_threads(count: int, work: Callable[[int], None]) -> None:
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []


def _outcome(number: int) -> Outcome:
    return paid_outcome(f"imp_{number}", ExpectedPayment(f"ORD-{number % 8}", PRICE))


@pytest.mark.parametrize("variant", variants(asynchronous=False, threaded=False), ids=str)
def test_a_pool_of_four_serves_many_threads(make: Make) -> None:
    shop = make(options=POOL)
    found: list[Settled] = []

    def work(number: int) -> None:
        outcome = _outcome(number)
        assert shop.sql.expected(outcome.merchant_uid) is not None
        assert shop.sql.hold(outcome.expected, "imp_other") in (None, "already_paid")
        found.append(shop.sql.settle(outcome))
        assert outcome.imp_uid in shop.sql.receipts([outcome.imp_uid])

    for number in range(8):
        shop.put(ExpectedPayment(f"ORD-{number}", PRICE))
    _from_threads(CALLERS, work)
    assert (found.count(Settled.NEW), found.count(Settled.DUPLICATE)) == (8, CALLERS - 8)
    assert shop.pool.checkedout() == 0


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
def test_a_pool_of_four_serves_many_tasks(make: Make) -> None:
    shop = make(options=POOL)
    for number in range(8):
        shop.put(ExpectedPayment(f"ORD-{number}", PRICE))

    async def work(number: int) -> Settled:
        outcome = _outcome(number)
        assert await shop.sql.expected(outcome.merchant_uid) is not None
        settled: Settled = await shop.sql.settle(outcome)
        assert outcome.imp_uid in await shop.sql.receipts([outcome.imp_uid])
        return settled

    async def main() -> list[Settled]:
        try:
            return await asyncio.gather(*map(work, range(CALLERS)))
        finally:
            assert shop.pool.checkedout() == 0
            await shop.bind.dispose()

    found = asyncio.run(main())
    assert (found.count(Settled.NEW), found.count(Settled.DUPLICATE)) == (8, CALLERS - 8)


@pytest.mark.parametrize("variant", variants(asynchronous=False), ids=str)
def test_what_a_hook_returns_holds_no_connection(make: Make) -> None:
    seen: list[int] = []

    async def hook(outcome: Outcome, transaction: Any) -> Callable[[], None]:
        seen.append(shop.pool.checkedout())
        return lambda: seen.append(shop.pool.checkedout())

    shop: SqlShop = make(options={**POOL, "pool_size": 1}, on_paid=hook)
    shop.put(ASKED)
    with Trial(shop) as trial:
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert seen == [1, 0]


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
@pytest.mark.parametrize("where", ["hook", "expected", "hold", "after"])
def test_a_cancelled_task_keeps_nothing_and_gives_its_connection_back(
    make: Make, where: str
) -> None:
    arrived: list[asyncio.Event] = []

    async def waits(name: str, transaction: Any) -> None:
        if name == where and not arrived[0].is_set():
            arrived[0].set()
            await asyncio.Event().wait()

    async def hook(outcome: Outcome, transaction: Any) -> object:
        await tell("on_paid", outcome, transaction)
        await waits("hook", transaction)

        async def after() -> None:
            await waits("after", transaction)

        return after

    async def asks(merchant_uid: str, transaction: Any) -> int:
        await waits("expected", transaction)
        return PRICE

    async def hold(asked: ExpectedPayment, imp_uid: str, transaction: Any) -> None:
        await tell("hold", paid_outcome(imp_uid, asked), transaction)
        await waits("hold", transaction)

    shop = make(options={"pool_size": 1, "max_overflow": 0}, on_paid=hook, expected=asks, hold=hold)

    async def main() -> None:
        arrived.append(asyncio.Event())
        outcome = paid_outcome(FIRST, ASKED)
        call = shop.sql.hold(ASKED, FIRST) if where == "hold" else shop.sql.settle(outcome)
        task = asyncio.ensure_future(call)
        await arrived[0].wait()
        _ = task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert shop.pool.checkedout() == 0
        assert shop.kept() == ((1, 1, 1, 1) if where == "after" else (0, 0, 0, 0))
        again = await shop.sql.settle(outcome)
        assert again is (Settled.REPEATED if where == "after" else Settled.NEW)
        assert shop.kept() == (1, 1, 1, 1)
        await shop.bind.dispose()

    asyncio.run(main())


@pytest.mark.parametrize("variant", variants(asynchronous=True), ids=str)
def test_a_task_cancelled_at_any_await_leaves_all_or_nothing(make: Make) -> None:
    shop = make(options={"pool_size": 1, "max_overflow": 0})
    shop.put(ASKED)

    async def main() -> None:
        for steps in range(60):
            # Drivers leave a connection open that is cancelled while it is made; this one is made.
            _ = await shop.sql.expected(ORDER)
            task = asyncio.ensure_future(shop.sql.settle(paid_outcome(FIRST, ASKED)))
            for _ in range(steps):
                await asyncio.sleep(0)
            _ = task.cancel()
            _ = await asyncio.wait([task])
            assert shop.kept() in ((0, 0, 0, 0), (1, 1, 1, 1))
        assert await shop.sql.settle(paid_outcome(FIRST, ASKED)) in (
            Settled.NEW,
            Settled.REPEATED,
        )
        assert shop.pool.checkedout() == 0
        await shop.bind.dispose()

    asyncio.run(main())
    assert shop.kept() == (1, 1, 1, 1)


FORK = """
import os, sys
from sqlalchemy import create_engine
from imp_verify import ExpectedPayment
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.testing._harness import paid_outcome

engine = create_engine(sys.argv[1], pool_size=1, max_overflow=0)
store = SqlAlchemyStore(engine, expected=lambda order, db: 100)
def settle(number):
    return store.settle(paid_outcome(f"imp_{number}", ExpectedPayment(f"ORD-{number}", 100)))
print(settle(0), flush=True)
for child in (1, 2):
    if os.fork() == 0:
        print(settle(child), engine.pool.checkedin(), flush=True)
        os._exit(0)
    _, status = os.wait()
    assert status == 0
print(settle(3), flush=True)
engine.dispose()
"""


@pytest.mark.parametrize("driver", sorted(set(PLAIN_DRIVER.values()) | {"mysqldb"}))
def test_a_forked_process_leaves_its_parents_connections_alone(
    driver: str, place: Callable[[str], Any]
) -> None:
    where = place(KINDS[driver])
    cleared(where)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", FORK]
    run = subprocess.run(
        [*command, url(where, driver)], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    assert (run.stdout.split(), run.returncode) == (["new", *["new", "1"] * 2, "new"], 0), (
        run.stderr
    )
    shop = SqlShop(Variant(driver), where)
    assert shop.kept()[1:] == (4, 4, 4)
    shop.close()


FORK_ON_WAL = """
import os, sqlite3, sys
from sqlalchemy import create_engine
from imp_verify import ExpectedPayment
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.testing._harness import paid_outcome

path = sys.argv[1]
def read(query):
    db = sqlite3.connect(path)
    rows = db.execute(query).fetchall()
    db.close()
    return rows
read("PRAGMA journal_mode = wal")
engine = create_engine(f"sqlite:///{path}")
store = SqlAlchemyStore(engine, expected=lambda order, db: 100)
def settle(number):
    return store.settle(paid_outcome(f"imp_{number}", ExpectedPayment(f"ORD-{number}", 100)))
for number in (0, 2):
    print(settle(number), flush=True)
    (there, here), (back, forth) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        if os.fork() == 0:  # before it has a pool of its own
            os._exit(0)
        os.wait()
        print(settle(number + 10), flush=True)
        os.write(here, b".")
        os.read(back, 1)
        print(settle(number + 11), flush=True)
        os._exit(0)
    os.read(there, 1)
    engine.dispose()
    os.write(forth, b".")
    assert os.waitpid(child, 0)[1] == 0
print(*(uid for uid, in read("SELECT imp_uid FROM imp_receipts ORDER BY imp_uid")))
"""


def test_a_forked_process_keeps_its_payments_when_its_parent_lets_go_of_a_wal_file(
    tmp_path: Path,
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    SqlAlchemyStore(engine, expected=lambda order, db: PRICE).create_all()
    engine.dispose()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", "-c", FORK_ON_WAL, str(tmp_path / "shop.db")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    kept = ["imp_0", "imp_10", "imp_11", "imp_12", "imp_13", "imp_2"]
    assert (run.stdout.split(), run.returncode) == (["new"] * 6 + kept, 0), run.stderr


def _make_tables(gate: Any, where: Address | Path, driver: str) -> None:
    engine = create_engine(url(where, driver))
    store = SqlAlchemyStore(engine, expected=lambda order, db: PRICE)
    gate.wait(60)
    store.create_all()
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("driver", PLAIN_DRIVER.values())
def test_many_processes_make_the_tables_at_once(driver: str, place: Callable[[str], Any]) -> None:
    where = place(KINDS[driver])
    engine = plain_engine(where)
    store_metadata.drop_all(engine)
    assert processes(4, _make_tables, where, driver) == [0] * 4
    with engine.connect() as db:
        for table in store_metadata.sorted_tables:
            beginning = table.name == "imp_runs"  # one row, whoever was first
            assert db.execute(select(func.count()).select_from(table)).scalar() == beginning
    engine.dispose()


def test_tables_that_somebody_else_is_making_for_too_long_are_an_error(
    place: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imp_verify.stores.sqlalchemy._dialects._PATIENCE", 0)
    engine = plain_engine(place("mysql"))
    with engine.connect() as other:
        lock = "SELECT GET_LOCK(CONCAT('imp_verify create_all ', MD5(DATABASE())), 0)"
        assert other.exec_driver_sql(lock).scalar() == 1
        with pytest.raises(StoreError, match="another process"):
            SqlAlchemyStore(engine, expected=now).create_all()
    engine.dispose()


def test_the_tables_are_made_by_either_source_in_either_colour(
    variant: Variant, make: Make
) -> None:
    shop = make()
    store_metadata.drop_all(shop.engine)
    with Trial(shop) as trial:
        for _ in range(2):
            made = shop.sql.create_all()
            if variant.asynchronous:
                trial._wait(made)
    assert shop.kept() == (0, 0, 0, 0)


# SQLite


def _recipe(engine: Engine) -> None:
    """As SQLAlchemy's documentation lets the driver begin no transaction by itself."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


MODES: dict[str, Any] = {
    "as it is": {},
    "recipe": {},
    "autocommit level": {"isolation_level": "AUTOCOMMIT"},
    "serializable": {"isolation_level": "SERIALIZABLE"},
    "driver level": {"connect_args": {"isolation_level": None}},
}
if sys.version_info >= (3, 12):
    MODES["transactions of the driver"] = {"connect_args": {"autocommit": False}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_way_to_open_a_sqlite_file_will_do_and_stays_as_it_was(
    tmp_path: Path, mode: str, asynchronous: bool
) -> None:
    states: list[object] = []

    def state(db: Any) -> object:
        connection = db.connection.driver_connection
        connection = getattr(connection, "_conn", connection)
        return connection.isolation_level, getattr(connection, "autocommit", None)

    async def hook(outcome: Outcome, db: Any) -> None:
        await tell("on_paid", outcome, db)
        assert await done(db.run_sync(state) if asynchronous else state(db)) == states[0]
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    cleared(tmp_path / "shop.db")
    alone: dict[str, Any] = {"timeout": 0, "isolation_level": None, "check_same_thread": False}
    other = sqlite3.connect(tmp_path / "shop.db", **alone)
    driver = "aiosqlite" if asynchronous else "pysqlite"
    shop = SqlShop(Variant(driver), tmp_path / "shop.db", options=MODES[mode], on_paid=hook)
    bind = getattr(shop.source, "sync_engine", shop.source)
    if mode == "recipe":
        _recipe(bind)
    shop.put(ASKED)
    with Trial(shop) as trial:
        states.append(trial._wait(_state_of(shop, state)))
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
        assert shop.kept() == (1, 1, 1, 1)
        assert trial.ask("hold", ASKED, SECOND) == "already_paid"
        other.execute("BEGIN IMMEDIATE")  # nothing is locked any more
        other.execute("ROLLBACK")
    other.close()
    shop.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_sqlite_rolled_back_under_a_hook_is_recorded_at_no_delivery(
    tmp_path: Path, mode: str, asynchronous: bool
) -> None:
    conflict = text("INSERT OR ROLLBACK INTO imp_orders (merchant_uid, was_paid) VALUES (:n, 0)")

    async def hook(outcome: Outcome, db: Any) -> None:
        await tell("on_paid", outcome, db)
        with suppress(IntegrityError):
            await done(db.execute(conflict, {"n": ORDER}))

    cleared(tmp_path / "shop.db")
    driver = "aiosqlite" if asynchronous else "pysqlite"
    shop = SqlShop(Variant(driver), tmp_path / "shop.db", options=MODES[mode], on_paid=hook)
    if mode == "recipe":
        _recipe(getattr(shop.source, "sync_engine", shop.source))
    shop.put(ASKED)
    with Trial(shop) as trial:
        for _ in range(3):
            with pytest.raises((StoreError, OperationalError), match=r"roll(ed )?back"):
                trial.ask("settle", paid_outcome(FIRST, ASKED))
            assert shop.kept() == (0, 0, 0, 0)
    shop.close()


def _state_of(shop: SqlShop, state: Callable[[Any], object]) -> Any:
    if not shop.variant.asynchronous:
        with shop.source.connect() as db:
            return state(db)

    async def ask() -> object:
        async with shop.source.connect() as db:
            return await db.run_sync(state)

    return ask()


if sys.version_info >= (3, 12):  # the driver has had such a mode since

    def test_a_sqlite_driver_whose_commit_does_nothing_is_refused(tmp_path: Path) -> None:
        options = {"connect_args": {"autocommit": True}}
        cleared(tmp_path / "shop.db")
        shop = SqlShop(Variant("pysqlite"), tmp_path / "shop.db", options=options)
        with Trial(shop) as trial, pytest.raises(StoreError, match="commits after every"):
            _ = trial.ask("settle", paid_outcome(FIRST, ASKED))
        shop.close()


@pytest.mark.parametrize("driver", ["pysqlite", "aiosqlite"])
def test_a_sqlite_engine_that_would_not_roll_back_is_refused(tmp_path: Path, driver: str) -> None:
    """What a hook left undone would be committed by whoever borrows the connection next."""
    options = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    cleared(tmp_path / "shop.db")
    shop = SqlShop(Variant(driver), tmp_path / "shop.db", options=options)
    with Trial(shop) as trial, pytest.raises(StoreError, match="commits after every"):
        _ = trial.ask("settle", paid_outcome(FIRST, ASKED))
    shop.close()


# What a store is given


async def later(merchant_uid: str, transaction: Any) -> int:
    return PRICE


def now(merchant_uid: str, transaction: Any) -> int:
    return PRICE


def test_a_store_is_checked_where_it_is_made() -> None:
    engine = create_engine("sqlite:///nowhere.db")
    async_engine = create_async_engine("sqlite+aiosqlite:///nowhere.db")
    memory = create_engine("sqlite://", poolclass=StaticPool)
    scoped_by_task = async_scoped_session(async_sessionmaker(async_engine), asyncio.current_task)
    cases: list[tuple[Any, Any, Any, str]] = [
        (SqlAlchemyStore, async_engine, now, "AsyncSqlAlchemyStore takes that"),
        (SqlAlchemyStore, async_sessionmaker(async_engine), now, "AsyncSqlAlchemyStore takes"),
        (AsyncSqlAlchemyStore, scoped_by_task, later, "give its session_factory"),
        (SqlAlchemyStore, scoped_session(sessionmaker(memory)), now, "connections of its own"),
        (SqlAlchemyStore, "sqlite://", now, "not str"),
        (SqlAlchemyStore, engine, later, "plain function"),
        (SqlAlchemyStore, memory, now, "connections of its own"),
        (SqlAlchemyStore, create_engine("sqlite://"), now, "connections of its own"),
        (SqlAlchemyStore, sessionmaker(memory), now, "connections of its own"),
        (AsyncSqlAlchemyStore, engine, later, "takes an AsyncEngine"),
        (AsyncSqlAlchemyStore, sessionmaker(engine), later, "takes an AsyncEngine"),
        (AsyncSqlAlchemyStore, async_engine, now, "coroutine function"),
        (AsyncSqlAlchemyStore, create_async_engine("sqlite+aiosqlite://"), later, "of its own"),
    ]
    for store, source, function, complaint in cases:
        with pytest.raises(ConfigurationError, match=complaint):
            _ = store(source, expected=function)
    make: Any = SqlAlchemyStore
    with pytest.raises(ConfigurationError, match="on_payed"):
        _ = make(engine, expected=now, on_payed=now)
    assert not Path("nowhere.db").exists()


def test_another_database_is_refused() -> None:
    driver = SimpleNamespace(paramstyle="qmark", version="5.0.0", Cursor=object)
    engine = create_engine("mssql+pyodbc://nowhere", module=driver)
    with pytest.raises(ConfigurationError, match="not mssql"):
        _ = SqlAlchemyStore(engine, expected=now)


def test_sessions_that_are_bound_later_are_checked_then(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    cleared(path)
    engine = plain_engine(path)
    maker = sessionmaker()
    store = SqlAlchemyStore(maker, expected=now)
    with engine.connect() as connection:
        maker.configure(bind=connection)
        with pytest.raises(ConfigurationError, match="bound to an engine"):
            _ = store.settle(paid_outcome(FIRST, ASKED))
    maker.configure(bind=None, binds=dict.fromkeys(store_metadata.sorted_tables, engine))
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    engine.dispose()


def test_async_sessions_that_are_bound_later_are_checked_then(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    cleared(path)
    engine = create_async_engine(url(path, "aiosqlite"))
    maker = async_sessionmaker()
    store = AsyncSqlAlchemyStore(maker, expected=later)

    async def settle() -> None:
        async with engine.connect() as connection:
            maker.configure(bind=connection)
            with pytest.raises(ConfigurationError, match="bound to an engine"):
                _ = await store.settle(paid_outcome(FIRST, ASKED))
        maker.configure(bind=None, binds=dict.fromkeys(store_metadata.sorted_tables, engine))
        assert await store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
        await engine.dispose()

    asyncio.run(settle())


class TenantsSession(Session):
    """Says whose rows it sees before it does anything else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.execute(text("SET LOCAL shop.tenant = 'seven'"))


def test_a_session_that_begins_as_it_is_made_is_used_as_it_is(
    databases: Callable[[str], Address],
) -> None:
    seen: list[object] = []

    async def hook(outcome: Outcome, session: Session) -> None:
        await tell("on_paid", outcome, session)
        seen.append(session.scalar(text("SELECT current_setting('shop.tenant')")))

    place = databases("postgresql")
    source = sessionmaker(plain_engine(place), class_=TenantsSession)
    for make in making(Variant("psycopg", "session"), place):
        shop = make(source=source, on_paid=hook)
        shop.put(ASKED)
        with Trial(shop) as trial:
            for settled in (Settled.NEW, Settled.REPEATED):
                assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is settled
        assert shop.kept() == (1, 1, 1, 1)
    assert seen == ["seven"]


class RoutingSession(Session):
    """Reads on one server and writes on another, as in SQLAlchemy's own documentation."""

    engines: ClassVar[dict[str, Engine]] = {}

    def get_bind(self, *_: Any, clause: Any = None, **__: Any) -> Engine:
        writes = isinstance(clause, Insert | Update | Delete)
        return self.engines["writer" if writes else "reader"]


def test_a_session_that_reads_elsewhere_records_where_it_writes(
    databases: Callable[[str], Address],
) -> None:
    place = databases("postgresql")
    read_only = {"connect_args": {"options": "-c default_transaction_read_only=on"}}
    RoutingSession.engines = {
        "writer": plain_engine(place),
        "reader": plain_engine(place, **read_only),
    }
    source = sessionmaker(class_=RoutingSession)
    for make in making(Variant("psycopg", "session"), place):
        shop = make(source=source)
        shop.put(ASKED)
        with Trial(shop) as trial:
            for settled in (Settled.NEW, Settled.REPEATED):
                assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is settled
        assert shop.kept() == (1, 1, 1, 1)
        source.configure(bind=RoutingSession.engines["writer"])  # closed with the shop
    RoutingSession.engines["reader"].dispose()


def test_asyncmy_is_refused_where_it_would_let_an_order_number_be_sql(
    databases: Callable[[str], Address],
) -> None:
    mode = {"connect_args": {"init_command": "SET sql_mode = 'NO_BACKSLASH_ESCAPES'"}}
    place = databases("mysql")
    for make in making(Variant("asyncmy"), place):
        shop = make(options=mode)
        shop.put(ASKED)
        with Trial(shop) as trial, pytest.raises(StoreError, match="NO_BACKSLASH_ESCAPES"):
            _ = trial.ask("settle", paid_outcome(FIRST, ASKED))
        assert shop.kept() == (0, 0, 0, 0)


def test_a_shops_schema_is_followed(databases: Callable[[str], Address]) -> None:
    where = databases("postgresql")
    engine = plain_engine(where)
    with engine.begin() as db:
        db.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS pay")
        store_metadata.drop_all(db)
    inside = engine.execution_options(schema_translate_map={None: "pay"})
    store = SqlAlchemyStore(inside, expected=now)
    store.create_all()
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    with engine.begin() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM pay.imp_receipts").scalar() == 1
        db.exec_driver_sql("DROP SCHEMA pay CASCADE")
    engine.dispose()


def test_other_tables_of_the_shop_are_not_made(tmp_path: Path) -> None:
    engine = plain_engine(tmp_path / "shop.db")
    SqlAlchemyStore(engine, expected=now).create_all()
    with engine.connect() as db:
        rows = db.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in rows]
    assert sorted(names) == list(ALL_TABLES)
    assert orders.name in metadata.tables
    engine.dispose()


def test_the_async_store_without_greenlet_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "greenlet", None)
    with pytest.raises(ImportError, match=r"sqlalchemy\[asyncio\].*imp-verify\[sqlalchemy-async\]"):
        _ = stores_on_sqlalchemy.AsyncSqlAlchemyStore
    with pytest.raises(AttributeError, match="nothing"):
        _ = stores_on_sqlalchemy.nothing


def test_the_plain_store_needs_no_greenlet(tmp_path: Path) -> None:
    code = """if True:
        import sys
        sys.modules["greenlet"] = None
        from sqlalchemy import create_engine
        from imp_verify.stores.sqlalchemy import SqlAlchemyStore
        engine = create_engine(sys.argv[1])
        store = SqlAlchemyStore(engine, expected=lambda order, db: 100)
        store.create_all()
        print(store.expected("ORD-1"), "sqlalchemy.ext.asyncio" in sys.modules)
        engine.dispose()
    """
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    command = [sys.executable, "-W", "error", "-c", code, f"sqlite:///{tmp_path / 'shop.db'}"]
    run = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["100", "False"]
