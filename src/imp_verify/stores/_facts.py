"""What a ready-made store can tell about its database, for `imp-verify doctor`: plain queries, by
whatever runs them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["StoreFacts", "read_facts"]

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Runs a query without parameters and without a percent sign; gives its rows."""

_TABLES = ("imp_orders", "imp_receipts", "imp_changes", "imp_dues", "imp_runs")
_NUMBERS = ("imp_uid", "merchant_uid")
"""The columns that must be compared byte for byte, or two orders are one."""
_FOLDS = re.compile(r'"?(imp_uid|merchant_uid)"?\s[^,]*COLLATE\s+"?(?:NOCASE|RTRIM)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """A ready-made store's database, as it is now.

    Attributes:
        database: Its name and version: "PostgreSQL 15.6".
        isolation: At which level the store's transactions run.
        lock_timeout: Seconds for which they wait for a lock that somebody else holds.
        missing: The store's tables that are not there.
        folding: Columns of payments' and orders' numbers, "imp_orders.merchant_uid", whose
            collation takes different numbers for one.
        checks_connections: Whether connections that live on are looked at before they are used;
            None where none live on, or where that cannot be told.
        made: Whether this look has made the database's file, which was not there.
    """

    database: str
    isolation: str
    lock_timeout: float
    missing: tuple[str, ...] = ()
    folding: tuple[str, ...] = ()
    checks_connections: bool | None = None
    made: bool = False


def read_facts(kind: str, ask: Ask, lock_timeout: float, schema: str | None = None) -> StoreFacts:
    """Read them.

    Args:
        kind: postgresql, mysql, mariadb or sqlite.
        lock_timeout: The store's, in seconds; SQLite's own takes its place there.
        schema: Where the tables are; None is where the connection looks by itself.
    """
    match kind:
        case "postgresql":
            return _postgresql(ask, lock_timeout, "" if schema is None else f'"{schema}".')
        case "sqlite":
            return _sqlite(ask)
        case _:
            facts = _mysql(ask, "DATABASE()" if schema is None else f"'{schema}'")
            return replace(facts, lock_timeout=lock_timeout)


def _postgresql(ask: Ask, lock_timeout: float, schema: str) -> StoreFacts:
    found = [f"to_regclass('{schema}{name}')" for name in _TABLES]
    (there,) = ask(f"SELECT {', '.join(f'{each} IS NOT NULL' for each in found)}")
    folding = ask(
        "SELECT c.relname || '.' || a.attname FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid "
        "LEFT JOIN pg_collation k ON k.oid = a.attcollation "
        f"WHERE a.attrelid IN ({', '.join(found)}) AND a.attname IN {_NUMBERS!r} "
        "AND (t.typname = 'citext' OR NOT COALESCE(k.collisdeterministic, true)) ORDER BY 1"
    )
    ((version,),) = ask("SHOW server_version")
    ((level,),) = ask("SHOW transaction_isolation")
    missing = tuple(name for name, is_there in zip(_TABLES, there, strict=True) if not is_there)
    name = f"PostgreSQL {version.partition(' ')[0]}"
    return StoreFacts(name, level.upper(), lock_timeout, missing, _texts(folding))


def _mysql(ask: Ask, schema: str) -> StoreFacts:
    where = f"WHERE table_schema = {schema} AND table_name IN {_TABLES!r}"
    there = _texts(ask(f"SELECT table_name FROM information_schema.tables {where}"))
    folding = ask(
        "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns "
        f"{where} AND column_name IN {_NUMBERS!r} AND collation_name IS NOT NULL "
        "AND RIGHT(collation_name, 4) <> '_bin' ORDER BY 1"
    )
    ((version,),) = ask("SELECT VERSION()")
    name = "MariaDB" if "MariaDB" in version else "MySQL"
    missing = tuple(each for each in _TABLES if each not in there)
    # Whatever the session's level is, the store sets its own for each of its transactions.
    return StoreFacts(
        f"{name} {version.partition('-')[0]}", "READ COMMITTED", 0, missing, _texts(folding)
    )


def _sqlite(ask: Ask) -> StoreFacts:
    found = ask(f"SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name IN {_TABLES!r}")
    there: dict[str, str] = dict(found)  # type: ignore[arg-type]  # rows of two
    folding = [f"{name}.{column}" for name, sql in there.items() for column in _FOLDS.findall(sql)]
    ((version,),) = ask("SELECT sqlite_version()")
    ((milliseconds,),) = ask("PRAGMA busy_timeout")
    missing = tuple(name for name in _TABLES if name not in there)
    waits = milliseconds / 1000
    return StoreFacts(f"SQLite {version}", "SERIALIZABLE", waits, missing, tuple(sorted(folding)))


def _texts(rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Return the first column; MySQL's own tables give bytes to some drivers."""
    return tuple(
        each.decode() if isinstance(each, bytes | bytearray) else str(each) for each, *_ in rows
    )
