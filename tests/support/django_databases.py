"""Databases for Django: one alias for each kind, in databases of this test process's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from .databases import SERVERS as ADDRESSES
from .needs import missing, need

_directory = tempfile.TemporaryDirectory()
_NAME = "IMP_VERIFY_DJANGO_NAME"
NAME = os.environ.get(_NAME) or f"imp_django_{os.getpid()}"
"""The same in the processes that this one starts."""
_FILE = "IMP_VERIFY_DJANGO_FILE"
FILE = os.environ.get(_FILE) or str(Path(_directory.name) / "django.db")


def _settings(kind: str, **more: object) -> dict[str, Any]:
    at = ADDRESSES[kind]
    engine = f"django.db.backends.{kind}"
    where = {"HOST": at.host, "PORT": str(at.port), "USER": at.user, "PASSWORD": at.password}
    return {"ENGINE": engine, "NAME": NAME, **where, **more}


# Nothing here outlives the machine, so a commit need not wait for the disk.
_OPTIONS = {"application_name": NAME, "options": "-c synchronous_commit=off"}
POSTGRESQL = _settings("postgresql", OPTIONS=_OPTIONS)
# What Django 5.2 and newer have by themselves; before, a shop's own query could name no emoji.
MARIADB = _settings("mysql", OPTIONS={"charset": "utf8mb4"})
SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": FILE,
    "OPTIONS": {"timeout": 30},
}
SERVERS = {"postgresql": POSTGRESQL, "mariadb": MARIADB}
ALIASES = ("default", *SERVERS)
"""default is SQLite."""
_NEEDS = {"postgresql": ("postgresql",), "mariadb": ("mysql", "mysqlclient")}


def need_alias(alias: str) -> None:
    """Skip the test that is running where this alias has no server."""
    need(*_NEEDS.get(alias, ()))


@cache
def there() -> dict[str, dict[str, Any]]:
    """Give those of SERVERS that tests can have a database on."""
    return {
        alias: setting for alias, setting in SERVERS.items() if not any(map(missing, _NEEDS[alias]))
    }


def configured() -> dict[str, dict[str, Any]]:
    """Give the setting DATABASES. The servers are in it only where their databases have been made:
    Django's checks ask every database there is."""
    return {"default": SQLITE, **(there() if _NAME in os.environ else {})}


def _run(alias: str, statement: str) -> list[Any]:
    """Run a statement from outside the database that it makes, drops or looks at."""
    connection: Any
    if alias == "postgresql":
        import psycopg

        connection = psycopg.connect(
            host=POSTGRESQL["HOST"],
            port=POSTGRESQL["PORT"],
            user=POSTGRESQL["USER"],
            password=POSTGRESQL["PASSWORD"] or None,
            dbname=ADDRESSES["postgresql"].name,
            autocommit=True,
        )
    else:
        import MySQLdb

        connection = MySQLdb.connect(
            host=MARIADB["HOST"],
            port=int(MARIADB["PORT"]),
            user=MARIADB["USER"],
            password=MARIADB["PASSWORD"],
        )
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def made() -> Iterator[None]:
    """Make the databases on the servers."""
    drop = {
        "postgresql": f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)",
        "mariadb": f"DROP DATABASE IF EXISTS {NAME}",
    }
    for alias in there():
        _run(alias, drop[alias])
        _run(alias, f"CREATE DATABASE {NAME}")
    try:
        yield
    finally:
        for alias in there():
            _run(alias, drop[alias])


@contextmanager
def installed() -> Iterator[None]:
    """Let Django know of them, in the processes started meanwhile too."""
    from django.db import connections

    os.environ.update({_NAME: NAME, _FILE: FILE})
    connections.settings.update(connections.configure_settings(configured()))
    try:
        yield
    finally:
        connections.close_all()
        del os.environ[_NAME], os.environ[_FILE]
        for alias in there():
            if hasattr(connections._connections, alias):
                del connections[alias]
            del connections.settings[alias]


@contextmanager
def another(
    alias: str, settings: Mapping[str, object] | None = None, **options: object
) -> Iterator[str]:
    """An alias for the same database, with settings and options of its own."""
    from django.db import connections

    base = SERVERS[alias]
    given = {**base, **(settings or {}), "OPTIONS": {**base.get("OPTIONS", {}), **options}}
    made = connections.configure_settings({"default": {}, "another": given})
    connections.settings["another"] = made["another"]
    try:
        yield "another"
    finally:
        connections["another"].close()
        del connections["another"], connections.settings["another"]


def end_sessions(alias: str) -> None:
    """End every session in this process's own database there, as the database itself would."""
    if alias == "postgresql":
        _run(
            alias,
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            f"WHERE datname = '{NAME}' AND backend_type = 'client backend'",
        )
        return
    for (number,) in _run(
        alias, f"SELECT id FROM information_schema.processlist WHERE db = '{NAME}'"
    ):
        with suppress(Exception):  # it may have ended by itself
            _run(alias, f"KILL {number}")


@contextmanager
def empty_database(alias: str) -> Iterator[str]:
    """Make one more database on a server; give its name."""
    name = f"{NAME}_empty"
    _run(alias, f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        _run(alias, f"DROP DATABASE {name}")
