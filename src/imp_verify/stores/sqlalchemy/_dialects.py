"""What the databases do differently: how a transaction is begun, how an order's row and the tables
are made, and which errors mean "again"."""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, literal_column
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool, SingletonThreadPool, StaticPool

from ...errors import ConfigurationError, StoreError
from ._tables import metadata, orders

__all__ = ["add_order", "begin", "create_all", "is_conflict", "prepare"]

SAVEPOINT = "imp_verify"
_LOCK_NAME = "imp_verify create_all"
_LOCK_NUMBER = 0x696D705F76657269
_CONFLICTS = ("40001", "40P01", 1213)
_NO_TRANSACTION = (
    "this engine commits after every statement: give the store one that does not, "
    'engine.execution_options(isolation_level="READ COMMITTED") for one'
)


def begin(connection: Connection) -> None:
    """Make the transaction that SQLAlchemy has begun one that the store can rely on.

    Raises:
        StoreError: The engine commits after every statement.
    """
    _KINDS[connection.dialect.name].begin(connection)
    try:
        _ = connection.exec_driver_sql(f"SAVEPOINT {SAVEPOINT}")
    except DBAPIError as error:  # PostgreSQL has none outside of a transaction
        raise StoreError(_NO_TRANSACTION) from error


def add_order(connection: Connection, merchant_uid: str) -> bool:
    """Insert an order's row where there is none; tell whether it is certain that it was."""
    return _KINDS[connection.dialect.name].add_order(connection, {"merchant_uid": merchant_uid})


def create_all(connection: Connection) -> None:
    """Make the tables that are missing, alone among all processes that would."""
    _KINDS[connection.dialect.name].create_all(connection)


class _PostgreSql:
    _ADD: Any = (
        postgresql.insert(orders)
        .on_conflict_do_nothing(index_elements=[orders.c.merchant_uid])
        .returning(literal_column("1"))
    )

    def begin(self, connection: Connection) -> None:
        """It has begun; whatever its level, a conflict is an error that is tried again."""

    def add_order(self, connection: Connection, row: dict[str, Any]) -> bool:
        return connection.execute(self._ADD, row).first() is not None

    def create_all(self, connection: Connection) -> None:
        with connection.begin():
            lock = f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"
            _ = connection.exec_driver_sql(lock)
            metadata.create_all(connection)


class _MySql:
    _ADD = mysql.insert(orders).on_duplicate_key_update(merchant_uid=orders.c.merchant_uid)

    def begin(self, connection: Connection) -> None:
        """Read what others have committed: a hook's plain SELECT would see an older order than
        `expected` did. For this one transaction only; the session keeps its own level."""
        driver: Any = connection.connection.driver_connection
        if driver.get_autocommit():
            raise StoreError(_NO_TRANSACTION)
        _ = connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def add_order(self, connection: Connection, row: dict[str, Any]) -> bool:
        """Not INSERT IGNORE, whose shared lock on a row that is there ends in deadlocks."""
        _ = connection.execute(self._ADD, row)
        return False  # it counts a row in either case

    def create_all(self, connection: Connection) -> None:
        name = f"CONCAT('{_LOCK_NAME} ', MD5(DATABASE()))"
        if connection.exec_driver_sql(f"SELECT GET_LOCK({name}, 60)").scalar() != 1:
            raise StoreError("another process has been making the store's tables for a minute")
        try:
            metadata.create_all(connection)
        finally:
            _ = connection.exec_driver_sql(f"SELECT RELEASE_LOCK({name})").scalar()


class _Sqlite:
    _ADD = sqlite.insert(orders)

    def begin(self, connection: Connection) -> None:
        """Take the one write lock at once: one that reads first cannot wait for it."""
        driver: Any = connection.connection.driver_connection
        if getattr(getattr(driver, "_conn", driver), "autocommit", None) is True:
            raise StoreError(_NO_TRANSACTION)  # the driver's commit() does nothing then
        if driver.in_transaction:  # by a listener of the shop's or the driver itself, lockless
            _ = connection.exec_driver_sql("ROLLBACK")
        _ = connection.exec_driver_sql("BEGIN IMMEDIATE")

    def add_order(self, connection: Connection, row: dict[str, Any]) -> bool:
        _ = connection.execute(self._ADD, row)
        return True

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
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    codes = (getattr(error.orig, "sqlstate", None), getattr(error.orig, "pgcode", None))
    return any(code in _CONFLICTS for code in (*codes, *error.orig.args[:1]) if code)


_pools: WeakKeyDictionary[Pool, int] = WeakKeyDictionary()
"""The process in which a pool was first seen."""
_inherited: list[Pool] = []
"""A forked child must neither use nor close its parent's connections: closing ends the parent's
session."""
_lock = threading.Lock()


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
