"""What the databases do differently: how a transaction is begun, how an order's row and the tables
are made, and which errors mean "again"."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    bindparam,
    false,
    inspect,
    text,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool, SingletonThreadPool, StaticPool

from ...errors import ConfigurationError, StoreError
from .._dues import whole_second
from ._tables import metadata, orders, receipts, runs

__all__ = [
    "SAVEPOINT",
    "add_run",
    "begin",
    "claim",
    "create_all",
    "explain",
    "is_conflict",
    "is_limited",
    "is_lost",
    "is_out_of_date",
    "lift_limit",
    "limit_waiting",
    "lock_order",
]

SAVEPOINT = "imp_verify"
_LOCK_NAME = "imp_verify create_all"
_PATIENCE = 60
_LOCK_NUMBER = 0x696D705F76657269
_CONFLICTS = ("40001", "40P01", 1213)
_LOCKED = ("55P03", 1205)
_IN_TRANSACTION = 1568
_OUT_OF_DATE = ("0A000", "26000", "XX000")
"""A statement that a connection has prepared, or a type that it has looked up, is another one since
a migration: PostgreSQL's codes for a plan, a statement and a type that are no longer there."""
_READ_ONLY = ("25006", 1290, 1792, 1836)
"""The server on the other end only reads since a failover: another one has its address by now."""
_LIMITED = "imp_verify_limited"
"""Under this name a driver's connection has a mark while its session has the store's limit."""
_NO_TABLE = ("42P01", 1146, "42703", 1054)
"""Or no column: the table is an older release's."""
_LOCK_IS_HELD = (
    "somebody else has held the order's row lock for longer than lock_timeout: a process that does "
    "not end its transaction"
)
_CANNOT_ROLL_BACK = (
    "the database cannot roll back {}: what failed would stay recorded; "
    "ALTER TABLE {} ENGINE = InnoDB"
)
_TABLES_MISSING = (
    "the store's tables are not there, or are those of an older release: "
    "call its create_all() once, or migrate"
)
_NO_TRANSACTION = (
    "this engine commits after every statement: give the store one that does not, "
    'engine.execution_options(isolation_level="READ COMMITTED"), for example'
)
_NO_BACKSLASH_ESCAPES = 512
"""A bit of the server's status, by its protocol."""
_UNSAFE = (
    "asyncmy escapes by backslashes whatever sql_mode says: an order's number could be SQL; take "
    "NO_BACKSLASH_ESCAPES out of its sql_mode, or use another driver"
)


def begin(connection: Connection, lock_timeout: float) -> None:
    """Make the transaction that SQLAlchemy has begun one that the store can rely on.

    Args:
        lock_timeout: Seconds; see `limit_waiting`.

    Raises:
        StoreError: The engine commits after every statement, or a table cannot be rolled back.
    """
    _KINDS[connection.dialect.name].begin(connection, lock_timeout)
    connection.exec_driver_sql(f"SAVEPOINT {SAVEPOINT}")


def limit_waiting(connection: Connection, lock_timeout: float) -> None:
    """Let no statement in this transaction wait for a row lock for longer than these seconds (on
    SQLite for as long as its driver was told)."""
    _KINDS[connection.dialect.name].limit_waiting(connection, lock_timeout)


def is_limited(connection: Connection) -> bool:
    """Whether the limit is the session's, and must be lifted before others get the connection."""
    return not (connection.closed or connection.invalidated) and _LIMITED in connection.info


def lift_limit(connection: Connection) -> None:
    """Return the session its own limit back, whatever state its transaction is in."""
    try:
        cursor = connection.connection.cursor()
        cursor.execute(_MySql.lift)
        cursor.close()
    except BaseException:  # whoever cancels this must not leave it half done
        connection.invalidate()
        raise
    del connection.info[_LIMITED]


def lock_order(connection: Connection, merchant_uid: str) -> None:
    """Lock an order's row, which is inserted where there is none; one that is there stays as it
    is."""
    connection.execute(_KINDS[connection.dialect.name].lock_order, {"merchant_uid": merchant_uid})


def add_run(connection: Connection, account: str, began: datetime) -> None:
    """Insert an account's row where there is none."""
    values = {"account": account, "began": began}
    connection.execute(_KINDS[connection.dialect.name].add_run, values)


def create_all(connection: Connection) -> None:
    """Make the tables that are missing, and what those of an older release lack, alone among all
    processes that would; and note when the store began."""
    _KINDS[connection.dialect.name].create_all(connection)


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    columns = inspect(connection).get_columns(receipts.name, schemas.get(None))
    if "reason" not in [each["name"] for each in columns]:
        place = connection.dialect.identifier_preparer.quote_schema
        schema = schemas.get(None)
        table = f"{place(schema)}.{receipts.name}" if schema else receipts.name
        kind = receipts.c.reason.type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN reason {kind}")
    add_run(connection, "", whole_second())


def _refuse_autocommit(connection: Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    detect = getattr(connection.dialect, "detect_autocommit_setting", _is_autocommit)
    if detect(driver):
        raise StoreError(_NO_TRANSACTION)


def _is_autocommit(driver: Any) -> bool:
    """Tell what SQLAlchemy before 2.0.43 does not: the drivers for MySQL have a method for it."""
    asked = getattr(driver, "get_autocommit", None)
    return bool(asked() if asked else driver.autocommit)


class _PostgreSql:
    lock_order: Insert = postgresql.insert(orders).on_conflict_do_update(
        index_elements=[orders.c.merchant_uid],
        set_={"merchant_uid": orders.c.merchant_uid},
        where=false(),  # locks the row and writes no new version of it
    )
    add_run: Insert = postgresql.insert(runs).on_conflict_do_nothing()

    def begin(self, connection: Connection, lock_timeout: float) -> None:
        """It has begun; whatever its level, a conflict is an error that is tried again."""
        _refuse_autocommit(connection)
        self.limit_waiting(connection, lock_timeout)

    def limit_waiting(self, connection: Connection, lock_timeout: float) -> None:
        """For this transaction."""
        milliseconds = max(1, int(lock_timeout * 1000))  # 0 would be no limit
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")

    def create_all(self, connection: Connection) -> None:
        with connection.begin():
            lock = f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"
            connection.exec_driver_sql(lock)
            _make_tables(connection)


_ENGINES = text(
    "SELECT t.table_name, e.transactions FROM information_schema.tables t "
    "JOIN information_schema.engines e ON e.engine = t.engine "
    "WHERE t.table_schema = COALESCE(:schema, DATABASE()) AND t.table_name IN :names"
).bindparams(bindparam("names", expanding=True))


def _check_tables(connection: Connection) -> None:
    """Refuse tables that a rollback leaves as they are, once for each pool."""
    pool = connection.engine.pool
    if pool in _checked:
        return
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    values = {"schema": schemas.get(None), "names": list(metadata.tables)}
    found = connection.execute(_ENGINES, values).all()
    wrong = sorted(name for name, transactions in found if transactions != "YES")
    if wrong:
        raise StoreError(_CANNOT_ROLL_BACK.format(", ".join(wrong), wrong[0]))
    if len(found) == len(metadata.tables):
        _checked.add(pool)


class _MySql:
    # Not INSERT IGNORE, whose shared lock on a row that is there ends in deadlocks.
    lock_order: Insert = mysql.insert(orders).on_duplicate_key_update(
        merchant_uid=orders.c.merchant_uid
    )
    add_run: Insert = mysql.insert(runs).on_duplicate_key_update(account=runs.c.account)

    lift = "SET SESSION innodb_lock_wait_timeout = @imp_verify_wait"

    def begin(self, connection: Connection, lock_timeout: float) -> None:
        """Read what others have committed: a hook's plain SELECT would see an older order than
        `expected` did. For this one transaction only; the session keeps its own level."""
        _refuse_autocommit(connection)
        dialect: Any = connection.dialect
        level = "tx" if dialect.is_mariadb else "transaction"
        setting = f", @@{level}_isolation = 'READ-COMMITTED'"  # without SESSION: for the next one
        try:
            self.limit_waiting(connection, lock_timeout, setting)
        except DBAPIError as error:
            if _IN_TRANSACTION not in _codes(error):
                raise
            # A listener of the shop's to `begin` or `checkout` has read: what it read is old.
            connection.exec_driver_sql("ROLLBACK")
            self.limit_waiting(connection, lock_timeout, setting)
        if connection.dialect.driver == "asyncmy":
            driver: Any = connection.connection.driver_connection
            if driver.server_status & _NO_BACKSLASH_ESCAPES:
                raise StoreError(_UNSAFE)
        _check_tables(connection)

    def limit_waiting(self, connection: Connection, lock_timeout: float, also: str = "") -> None:
        """For the session, there is nothing smaller; in whole seconds."""
        connection.exec_driver_sql(
            "SET @imp_verify_wait = @@SESSION.innodb_lock_wait_timeout, "
            f"SESSION innodb_lock_wait_timeout = {max(1, int(lock_timeout))}{also}"
        )
        connection.info[_LIMITED] = True

    def create_all(self, connection: Connection) -> None:
        name = f"CONCAT('{_LOCK_NAME} ', MD5(DATABASE()))"
        if connection.exec_driver_sql(f"SELECT GET_LOCK({name}, {_PATIENCE})").scalar() != 1:
            raise StoreError("another process has been making the store's tables for a minute")
        try:
            _make_tables(connection)
            connection.commit()
            _check_tables(connection)
        finally:
            if not connection.invalidated:  # a lock goes with its connection
                connection.exec_driver_sql(f"SELECT RELEASE_LOCK({name})").scalar()


class _Sqlite:
    lock_order: Insert = sqlite.insert(orders).on_conflict_do_nothing()
    add_run: Insert = sqlite.insert(runs).on_conflict_do_nothing()

    def begin(self, connection: Connection, _lock_timeout: float = 0) -> None:
        """Take the one write lock at once: one that reads first cannot wait for it."""
        driver: Any = connection.connection.driver_connection
        if getattr(driver, "autocommit", None) is True:
            raise StoreError(_NO_TRANSACTION)  # the driver's commit() does nothing then
        if getattr(connection.dialect, "skip_autocommit_rollback", False):  # not before 2.0.43
            _refuse_autocommit(connection)  # what fails would stay open, for whoever is next
        if driver.in_transaction:  # by a listener of the shop's or the driver itself, lockless
            connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def limit_waiting(self, connection: Connection, lock_timeout: float) -> None:
        """The driver's `timeout` is the limit."""

    def create_all(self, connection: Connection) -> None:
        with connection.begin():
            self.begin(connection)
            _make_tables(connection)


_DRIVERS = {
    "postgresql": ("psycopg", "psycopg2", "asyncpg"),
    "mysql": ("pymysql", "mysqldb", "asyncmy"),
    "mariadb": ("pymysql", "mysqldb", "asyncmy"),
    "sqlite": ("pysqlite", "aiosqlite"),
}
"""Those that the tests run with. Another may let an order's number be SQL (aiomysql did), or tell a
lost connection or a conflict in a way that nobody here knows."""
_KINDS: dict[str, _PostgreSql | _MySql | _Sqlite] = {
    "postgresql": _PostgreSql(),
    "mysql": _MySql(),
    "mariadb": _MySql(),
    "sqlite": _Sqlite(),
}


def is_conflict(error: BaseException) -> bool:
    """Whether the database rolled this back because of others: a deadlock, or what could not be
    done in any order."""
    return any(code in _CONFLICTS for code in _codes(error))


def is_lost(error: BaseException) -> bool:
    """Whether the connection was found dead, or was thrown away by `_notice_loss`."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_out_of_date(error: object) -> bool:
    """Whether a new connection would do what this one cannot: a statement that it had prepared is
    another one since a migration, or its server only reads since a failover."""
    return any(code in _OUT_OF_DATE + _READ_ONLY for code in _codes(error))


def explain(error: BaseException) -> None:
    """Note in an error what to do where a lock is held, or the store's tables are missing."""
    codes = _codes(error)
    if any(code in _LOCKED for code in codes):
        error.add_note(_LOCK_IS_HELD)
    message = str(getattr(error, "orig", ""))
    missing = any(code in _NO_TABLE for code in codes) or "no such table" in message
    if missing and any(name in message for name in metadata.tables):
        error.add_note(_TABLES_MISSING)


def _codes(error: object) -> list[object]:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return []
    # SQLAlchemy 2.1 leaves the code of one of asyncpg's errors in its cause.
    named = (error.orig, "sqlstate"), (error.orig, "pgcode"), (error.orig.__cause__, "sqlstate")
    codes = [getattr(each, name, None) for each, name in named]
    return [code for code in (*codes, *error.orig.args[:1]) if code]


_pools: WeakKeyDictionary[Pool, int] = WeakKeyDictionary()
"""The process in which a pool was first seen."""
_inherited: list[Pool] = []
"""A forked child must neither use nor close its parent's connections: closing ends the parent's
session."""
_files: WeakValueDictionary[int, Pool] = WeakValueDictionary()
"""Pools of connections to SQLite files that any thread may close; those of async engines are not,
and only their event loop can."""
_checked: WeakSet[Pool] = WeakSet()
"""Pools on whose database the store's tables were seen to roll back."""
_watched: WeakSet[Engine] = WeakSet()
_lock = threading.Lock()


def _before_fork() -> None:
    """Close what is idle: a child would open a file that its parent has open in WAL without a
    lock, and the parent would delete the log under it. The pools connect again when needed."""
    here = os.getpid()
    for pool in filter(None, [reference() for reference in _files.valuerefs()]):
        if _pools.get(pool) == here:
            pool.dispose()


def _begin_child() -> None:
    """Another thread may have held the lock when the process was forked."""
    global _lock
    _lock = threading.Lock()


getattr(os, "register_at_fork", lambda **_: None)(before=_before_fork, after_in_child=_begin_child)


def _check_engine(engine: Engine) -> None:
    name, driver = engine.dialect.name, engine.dialect.driver
    if name not in _KINDS:
        raise ConfigurationError(f"the store knows {', '.join(_KINDS)}, not {name}")
    tried = _DRIVERS[name]
    if driver not in tried:
        raise ConfigurationError(
            f"on {name} the store was tried with the drivers {', '.join(tried)}, not with {driver}"
        )
    if isinstance(engine.pool, StaticPool | SingletonThreadPool):
        raise ConfigurationError(
            f"the store needs connections of its own, which {type(engine.pool).__name__} has not: "
            "use a SQLite file, or MemoryStore"
        )


def claim(engine: object, listen: Callable[[Engine], None]) -> None:
    """Check that a store can use this engine, and leave a parent process's connections alone.

    Args:
        listen: Adds the store's listeners, once for each engine.

    Raises:
        ConfigurationError: Another kind of object or database, or a pool that gives one connection
            to several at once.
    """
    if not isinstance(engine, Engine):
        raise ConfigurationError(
            f"the sessions of the store must be bound to an engine, not {type(engine).__name__}"
        )
    if engine in _watched and _pools.get(engine.pool) == os.getpid():
        return
    _check_engine(engine)
    with _lock:
        pool = engine.pool
        if _pools.setdefault(pool, os.getpid()) != os.getpid():
            _inherited.append(pool)
            engine.dispose(close=False)
            _pools[engine.pool] = os.getpid()
        if engine.dialect.name == "sqlite" and not engine.dialect.is_async:
            _files[id(engine.pool)] = engine.pool
        if engine not in _watched:
            listen(engine)
            _watched.add(engine)
