"""What not every machine has: servers, browsers, node, a driver that is built from source.

A test that needs one of them is skipped where it is missing. `tests/conftest.py` takes
the place out of what is skipped, so that pytest's summary has one line for each reason: how many
tests, and how to get what is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
REDIS_URL = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379"
NODE_PACKAGES = Path(__file__).parents[1] / "js" / "node_modules" / ".package-lock.json"
CLIENTS = Path(__file__).parents[2] / ".venv-clients" / "stamp"


def _database(kind: str, name: str, package: str, variables: str) -> str | None:
    from .databases import SERVERS, execute

    try:
        execute(SERVERS[kind], "SELECT 1")
    except Exception as error:
        at = f"{SERVERS[kind].host}:{SERVERS[kind].port}"
        why = str(error).strip().splitlines()[0]
        return f"no {name} at {at} (apt install {package}; {variables} name another): {why}"
    return None


def _redis() -> str | None:
    import redis

    try:
        with redis.Redis.from_url(REDIS_URL) as client:
            client.ping()
    except redis.RedisError as error:
        return (
            f"no Redis at {REDIS_URL} (apt install redis-server; REDIS_URL names another): {error}"
        )
    return None


def _program(command: str, package: str) -> str | None:
    return None if shutil.which(command) else f"no {command} (apt install {package})"


def _node() -> str | None:
    if NODE_PACKAGES.exists():
        return _program("node", "nodejs npm")
    return "no node packages in tests/js (apt install nodejs npm, then: make js)"


def _clients() -> str | None:
    if CLIENTS.exists():
        return _program("node", "nodejs npm")
    return "no published clients (apt install nodejs npm, then: make clients)"


def _mysqlclient() -> str | None:
    if find_spec("MySQLdb"):
        return None
    packages = "gcc pkg-config python3-dev libmariadb-dev"
    return f"no mysqlclient (apt install {packages}, then: IMP_VERIFY_GROUPS=compiled make test)"


_NEEDS: dict[str, Callable[[], str | None]] = {
    "postgresql": lambda: _database(
        "postgresql", "PostgreSQL", "postgresql", "PGHOST, PGPORT, PGUSER..."
    ),
    "mysql": lambda: _database("mysql", "MariaDB", "mariadb-server", "MYSQL_HOST, MYSQL_USER..."),
    "mysqlclient": _mysqlclient,
    "redis": _redis,
    "chromium": lambda: _program(CHROMIUM, "chromium"),
    "firefox": lambda: _program("firefox-esr", "firefox-esr"),
    "nginx": lambda: _program(NGINX, "nginx"),
    "node": _node,
    "clients": _clients,
}


@cache
def missing(name: str) -> str | None:
    """Say why this is not at hand, and how to get it; None where it is. Looked at once."""
    return _NEEDS[name]()


def need(*names: str) -> None:
    """Skip the test that is running where one of these is missing."""
    for reason in filter(None, map(missing, names)):
        pytest.skip(reason)
