"""System checks of the store."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections

from .conf import get_store

__all__ = ["check_store"]


def check_store() -> Iterator[CheckMessage]:
    """Check that it keeps what it is given, and in a database that there is."""
    store = get_store()
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
