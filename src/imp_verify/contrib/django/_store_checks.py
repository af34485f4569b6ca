"""System checks of the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from ._dialects import other_engines, refuse_engines

__all__ = ["check_connections", "check_engines", "check_store"]


def check_store(store: Any) -> Iterator[CheckMessage]:
    """Check that it keeps what it is given, and in a database that there is."""
    if not settings.DEBUG and getattr(store, "for_tests_only", False):
        yield Warning(
            "The payments are kept in memory: each process has its own, and forgets them.",
            hint="Give IMP_VERIFY a store that keeps them in a database.",
            id="imp_verify.W003",
        )
    alias = getattr(store, "using", None)
    if alias is not None and alias not in connections.databases:
        known = ", ".join(connections.databases)
        yield Error(
            f"The payments are kept in the database {alias!r}, which DATABASES has not: {known}.",
            hint="DjangoStore(using=...) takes an alias of DATABASES.",
            id="imp_verify.E007",
        )


def check_connections(store: Any) -> Iterator[CheckMessage]:
    """Check that connections which live on are looked at before a request uses them."""
    given = connections.databases.get(getattr(store, "using", None), {})
    lives_on = given.get("CONN_MAX_AGE", 0) != 0 or given.get("OPTIONS", {}).get("pool")
    if lives_on and not given.get("CONN_HEALTH_CHECKS") and "sqlite" not in given["ENGINE"]:
        yield Warning(
            f"Connections to the database {store.using!r} live on, and nobody looks whether the "
            "database has closed them: the first request after that fails, a notice of the "
            "gateway too where anything else asked the database before it.",
            hint=f'DATABASES[{store.using!r}]["CONN_HEALTH_CHECKS"] = True',
            id="imp_verify.W008",
        )


def check_engines(
    app_configs: object = None, databases: Sequence[str] | None = None, **_: object
) -> list[CheckMessage]:
    """Check, in databases that may be asked, that the store's tables can be rolled back. An error
    would stop the very migration that mends it, so that before it this is a warning."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        if engines := other_engines(connections[alias]):
            applied = MigrationRecorder(connections[alias]).applied_migrations()
            kind = Error if ("imp_verify", "0002_innodb") in applied else Warning
            text = refuse_engines(engines)
            hint = "The migrations of imp_verify do this."
            found.append(kind(text, hint=hint, id=f"imp_verify.{kind.__name__[0]}009"))
    return found
