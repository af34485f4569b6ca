"""What the databases do differently: how long a row lock is waited for, which engine the tables
must have, and what an error says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, DatabaseError

from ... import ConfigurationError
from ...stores._facts import StoreFacts, read_facts

__all__ = [
    "begin",
    "explain",
    "facts_of",
    "is_conflict",
    "is_outdated",
    "other_engines",
    "pin_engine",
    "refuse_engines",
    "renew",
    "waiting_at_most",
]

_CONFLICTS = ("40001", "40P01", 1213)
_TIMEOUTS = ("55P03", 1205)
_NO_TABLE = ("42P01", 1146)
_OUTDATED = ("0A000", "25006", 1290, 1792, 1836)
"""All but the first: the server only reads since a failover, and another has its address by now."""
_ENGINE = "InnoDB"
_LIMIT = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)"
"""Until the transaction ends, or the savepoint around it is rolled back; gives what it was."""
_LIMIT_ON_MYSQL = (
    "SET @imp_verify_lock_wait = @@innodb_lock_wait_timeout, innodb_lock_wait_timeout = %s"
)
_BACK_ON_MYSQL = "SET innodb_lock_wait_timeout = @imp_verify_lock_wait"


def begin(connection: Any) -> None:
    """Have the next transaction see what others committed while it waited for the order's row, on
    MySQL and MariaDB: elsewhere it does."""
    if connection.vendor != "mysql":
        return
    connection.ensure_connection()
    if getattr(connection, "isolation_level", None) != "read committed":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def renew(connection: Any) -> None:
    """Have the next use begin on a connection that lives: what ended one has ended the others in
    Django's pool too, which without CONN_HEALTH_CHECKS hands them out one after the other."""
    connection.close()
    pool = getattr(connection, "pool", None)
    if pool is not None:
        pool.check()


@contextmanager
def waiting_at_most(connection: Any, seconds: float, *, owned: bool) -> Iterator[None]:
    """Have no statement inside wait longer for a row lock, in a transaction that is open. SQLite
    has its own option, `timeout`, for its one write lock.

    Args:
        seconds: MySQL and MariaDB count whole ones, and at least one.
        owned: Whether the transaction ends with the block; else what the shop had set comes back.
    """
    if connection.vendor not in ("postgresql", "mysql"):
        yield
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_LIMIT, [f"{max(int(seconds * 1000), 1)}ms"])
            back, values = _LIMIT, cursor.fetchone()[:1]
        else:
            cursor.execute(_LIMIT_ON_MYSQL, [max(int(seconds), 1)])
            back, values = _BACK_ON_MYSQL, ()
    driver = connection.connection
    try:
        yield
    finally:
        if not owned or connection.vendor == "mysql":
            # By the driver: Django runs nothing in a transaction that is to be rolled back. Where
            # this fails the session is gone, or a rollback undoes the limit.
            with suppress(Exception), driver.cursor() as cursor:
                cursor.execute(back, values)


def other_engines(connection: Any) -> Mapping[str, str]:
    """Return the store's tables on MySQL and MariaDB that are kept by another engine than InnoDB,
    and by which: MyISAM and Aria keep a record that was rolled back."""
    if connection.vendor != "mysql":
        return {}
    names = _tables()
    query = (
        "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE() "
        f"AND engine <> %s AND table_name IN ({', '.join(['%s'] * len(names))})"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [_ENGINE, *names])
        return dict(cursor.fetchall())


def facts_of(connection: Any, lock_timeout: float) -> StoreFacts:
    """Tell about the database of the store's tables.

    Raises:
        ConfigurationError: They cannot be rolled back.
    """
    if found := other_engines(connection):
        raise ConfigurationError(refuse_engines(found))

    def ask(query: str) -> Sequence[Sequence[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
            return rows

    given = connection.settings_dict
    lives_on = given.get("CONN_MAX_AGE", 0) != 0 or bool(given.get("OPTIONS", {}).get("pool"))
    looked_at = bool(given.get("CONN_HEALTH_CHECKS")) or connection.vendor == "sqlite"
    facts = read_facts(connection.vendor, ask, lock_timeout)
    return replace(facts, checks_connections=looked_at if lives_on else None)


def pin_engine(_: object, schema_editor: Any) -> None:
    """Have the store's tables that are there kept by InnoDB: a migration's step, after those that
    make tables."""
    for name in other_engines(schema_editor.connection):
        table = schema_editor.quote_name(name)
        schema_editor.execute(f"ALTER TABLE {table} ENGINE={_ENGINE}")


def refuse_engines(found: Mapping[str, str]) -> str:
    """Say of tables that `other_engines` found what is wrong, and what to do."""
    tables = ", ".join(f"{name} ({engine})" for name, engine in sorted(found.items()))
    statements = "; ".join(f"ALTER TABLE {name} ENGINE={_ENGINE}" for name in sorted(found))
    return (
        f"the store needs tables that can be rolled back, by the engine {_ENGINE}: {tables}. "
        f"Run: {statements}"
    )


def _tables() -> list[str]:
    known = [model._meta for model in apps.get_models()]
    return [each.db_table for each in known if each.app_label == "imp_verify" and not each.proxy]


def is_conflict(error: BaseException) -> bool:
    """Whether the database rolled this back because of others: a deadlock, or what could not be
    done in any order."""
    return _says(error, _CONFLICTS)


def is_outdated(error: BaseException) -> bool:
    """Whether a new connection would do what this one cannot: a statement that it had prepared was
    for a table that looked otherwise, before a migration, or its server only reads by now."""
    return _says(error, _OUTDATED)


def explain(error: BaseException, using: str) -> None:
    """Note in a database's error what to do about it, where that is known."""
    if _says(error, _TIMEOUTS):
        error.add_note("somebody else held a lock for longer than the store's lock_timeout")
    text = str(error)
    missing = _says(error, _NO_TABLE) or "no such table" in text
    if missing and any(name in text for name in _tables()):
        where = "" if using == DEFAULT_DB_ALIAS else f" --database {using}"
        error.add_note(f"the store's tables are missing: run manage.py migrate{where}")


def _says(error: BaseException, wanted: Sequence[object]) -> bool:
    cause: Any = error.__cause__ if isinstance(error, DatabaseError) else None
    codes = (getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None))
    return any(code in wanted for code in (*codes, *getattr(cause, "args", ())[:1]))
