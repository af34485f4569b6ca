"""What the databases do differently: how a transaction is begun, how an order's row and the tables
are made, and which errors mean "again"."""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy import Connection, Engine, Insert, event, false
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool, SingletonThreadPool, StaticPool

from ...errors import ConfigurationError, StoreError
from ._guard import end_reading
from ._tables import metadata, orders

__all__ = ["begin", "create_all", "explain", "is_conflict", "lock_order", "prepare"]

SAVEPOINT = "imp_verify"
_LOCK_NAME = "imp_verify create_all"
_PATIENCE = 60
_LOCK_NUMBER = 0x696D705F76657269
_CONFLICTS = ("40001", "40P01", 1213)
_NO_TABLE = ("42P01", 1146)
_TABLES_MISSING = "the store's tables are not there: call its create_all() once, or migrate"
_NO_TRANSACTION = (
    "this engine commits after every statement: give the store one that does not, "
    'engine.execution_options(isolation_level="READ COMMITTED") for one'
)
_NO_BACKSLASH_ESCAPES = 512
"""A bit of the server's status, by its protocol."""
_UNSAFE = (
    "asyncmy escapes by backslashes whatever sql_mode says: an order's number could be SQL; take "
    "NO_BACKSLASH_ESCAPES out of its sql_mode, or use another driver"
)


def begin(connection: Connection) -> None:
    """Make the transaction that SQLAlchemy has begun one that the store can rely on.

    Raises:
        StoreError: The engine commits after every statement.
    """
    _KINDS[connection.dialect.name].begin(connection)
    _ = connection.exec_driver_sql(f"SAVEPOINT {SAVEPOINT}")


def lock_order(connection: Connection, merchant_uid: str) -> None:
    """Lock an order's row, which is inserted where there is none; one that is there stays as it
    is."""
    _ = connection.execute(
        _KINDS[connection.dialect.name].lock_order, {"merchant_uid": merchant_uid}
    )


def create_all(connection: Connection) -> None:
    """Make the tables that are missing, alone among all processes that would."""
    _KINDS[connection.dialect.name].create_all(connection)


def _refuse_autocommit(connection: Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.detect_autocommit_setting(driver):
        raise StoreError(_NO_TRANSACTION)


class _PostgreSql:
    lock_order: Insert = postgresql.insert(orders).on_conflict_do_update(
        index_elements=[orders.c.merchant_uid],
        set_={"merchant_uid": orders.c.merchant_uid},
        where=false(),  # locks the row and writes no new version of it
    )

    def begin(self, connection: Connection) -> None:
        """It has begun; whatever its level, a conflict is an error that is tried again."""
        _refuse_autocommit(connection)

    def create_all(self, connection: Connection) -> None:
        with connection.begin():
            lock = f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"
            _ = connection.exec_driver_sql(lock)
            metadata.create_all(connection)


class _MySql:
    # Not INSERT IGNORE, whose shared lock on a row that is there ends in deadlocks.
    lock_order: Insert = mysql.insert(orders).on_duplicate_key_update(
        merchant_uid=orders.c.merchant_uid
    )

    def begin(self, connection: Connection) -> None:
        """Read what others have committed: a hook's plain SELECT would see an older order than
        `expected` did. For this one transaction only; the session keeps its own level."""
        _refuse_autocommit(connection)
        _ = connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        if connection.dialect.driver == "asyncmy":
            driver: Any = connection.connection.driver_connection
            if driver.server_status & _NO_BACKSLASH_ESCAPES:
                raise StoreError(_UNSAFE)

    def create_all(self, connection: Connection) -> None:
        name = f"CONCAT('{_LOCK_NAME} ', MD5(DATABASE()))"
        if connection.exec_driver_sql(f"SELECT GET_LOCK({name}, {_PATIENCE})").scalar() != 1:
            raise StoreError("another process has been making the store's tables for a minute")
        try:
            metadata.create_all(connection)
        finally:
            if not connection.invalidated:  # a lock goes with its connection
                _ = connection.exec_driver_sql(f"SELECT RELEASE_LOCK({name})").scalar()


class _Sqlite:
    lock_order: Insert = sqlite.insert(orders).on_conflict_do_nothing()

    def begin(self, connection: Connection) -> None:
        """Take the one write lock at once: one that reads first cannot wait for it."""
        driver: Any = connection.connection.driver_connection
        if getattr(getattr(driver, "_conn", driver), "autocommit", None) is True:
            raise StoreError(_NO_TRANSACTION)  # the driver's commit() does nothing then
        if connection.dialect.skip_autocommit_rollback:
            _refuse_autocommit(connection)  # what fails would stay open, for whoever is next
        if driver.in_transaction:  # by a listener of the shop's or the driver itself, lockless
            _ = connection.exec_driver_sql("ROLLBACK")
        _ = connection.exec_driver_sql("BEGIN IMMEDIATE")

    def create_all(self, connection: Connection) -> None:
        with connection.begin():
            self.begin(connection)
            metadata.create_all(connection)


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


def explain(error: BaseException) -> None:
    """Note in an error what to do where the store's tables are missing."""
    text = str(getattr(error, "orig", ""))
    missing = any(code in _NO_TABLE for code in _codes(error)) or "no such table" in text
    if missing and any(name in text for name in metadata.tables):
        error.add_note(_TABLES_MISSING)


def _codes(error: BaseException) -> list[object]:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return []
    codes = (getattr(error.orig, "sqlstate", None), getattr(error.orig, "pgcode", None))
    return [code for code in (*codes, *error.orig.args[:1]) if code]


_pools: WeakKeyDictionary[Pool, int] = WeakKeyDictionary()
"""The process in which a pool was first seen."""
_inherited: list[Pool] = []
"""A forked child must neither use nor close its parent's connections: closing ends the parent's
session."""
_files: WeakValueDictionary[int, Pool] = WeakValueDictionary()
"""Pools of connections to SQLite files that any thread may close; those of async engines are not,
and only their event loop can."""
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


def prepare(engine: object) -> None:
    """Check that a store can use this engine, and leave a parent process's connections alone.

    Raises:
        ConfigurationError: Another kind of object or database, or a pool that gives one connection
            to several at once.
    """
    if isinstance(engine, Engine) and _pools.get(engine.pool) == os.getpid():
        return
    if not isinstance(engine, Engine):
        raise ConfigurationError(
            f"the sessions of the store must be bound to an engine, not {type(engine).__name__}"
        )
    if engine.dialect.name not in _KINDS:
        known = ", ".join(_KINDS)
        raise ConfigurationError(f"the store knows {known}, not {engine.dialect.name}")
    if isinstance(engine.pool, StaticPool | SingletonThreadPool):
        raise ConfigurationError(
            f"the store needs connections of its own, which {type(engine.pool).__name__} has not: "
            "use a SQLite file, or MemoryStore"
        )
    with _lock:
        pool = engine.pool
        if _pools.setdefault(pool, os.getpid()) != os.getpid():
            _inherited.append(pool)
            engine.dispose(close=False)
            _pools[engine.pool] = os.getpid()
        if engine.dialect.name != "sqlite":
            return
        if not engine.dialect.is_async:
            _files[id(engine.pool)] = engine.pool
        if not event.contains(engine, "handle_error", end_reading):
            event.listen(engine, "handle_error", end_reading)
