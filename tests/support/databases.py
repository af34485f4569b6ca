"""The databases that tests run against: where they are, and one of a test process's own in each.

PostgreSQL is found by PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, MySQL or MariaDB by
MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PASSWORD and MYSQL_DATABASE. `IMP_VERIFY_ALL_DATABASES=1`
selects every driver of every database, else there is one or two of each.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from urllib.parse import quote

from .needs import need

ALL = os.environ.get("IMP_VERIFY_ALL_DATABASES") == "1"
MYSQL_DRIVER = "mysqldb" if find_spec("MySQLdb") else "pymysql"
"""mysqlclient is built from source, and so not everywhere."""


@dataclass(frozen=True)
class Address:
    """A database on a server; `kind` is postgresql or mysql."""

    kind: str
    host: str
    port: int
    user: str
    password: str
    name: str

    def url(self, driver: str) -> str:
        """Give it as SQLAlchemy writes it: "postgresql+psycopg" for a driver."""
        who = quote(self.user, safe="") + (self.password and ":" + quote(self.password, safe=""))
        return f"{driver}://{who}@{self.host}:{self.port}/{self.name}"


def _from_environment(kind: str, prefix: str, port: int) -> Address:
    def read(name: str, default: str) -> str:
        return os.environ.get(prefix + name) or default

    return Address(
        kind,
        read("HOST", "127.0.0.1"),
        int(read("PORT", str(port))),
        read("USER", "root"),
        read("PASSWORD", ""),
        read("DATABASE", "test"),
    )


SERVERS = {
    "postgresql": _from_environment("postgresql", "PG", 5432),
    "mysql": _from_environment("mysql", "MYSQL_", 3306),
}


def execute(address: Address, *statements: str) -> None:
    """Run statements, each committed at once, over a connection of its own."""
    if address.kind == "postgresql":
        import psycopg

        connection = psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=address.name,
            user=address.user,
            password=address.password,
            autocommit=True,
        )
        with connection as postgresql:
            for statement in statements:
                postgresql.execute(statement.encode())
        return
    import pymysql

    mysql = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.name,
        autocommit=True,
    )
    with closing(mysql), mysql.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def own_database(kind: str) -> Iterator[Address]:
    """Make a database, and drop it afterwards, whoever is still connected. A test that asks for one
    of a server that is not there is skipped."""
    need(kind)
    server = SERVERS[kind]
    own = replace(server, name=f"imp_verify_{os.getpid()}_{secrets.token_hex(4)}")
    mysql = kind == "mysql"
    options = "CHARACTER SET utf8mb4" if mysql else "TEMPLATE template0 ENCODING 'UTF8'"
    execute(server, f"CREATE DATABASE {own.name} {options}")
    if not mysql:  # nothing here outlives the machine
        execute(server, f"ALTER DATABASE {own.name} SET synchronous_commit = off")
    try:
        yield own
    finally:
        execute(server, f"DROP DATABASE {own.name}{'' if mysql else ' WITH (FORCE)'}")
