"""Ready-made stores on SQLAlchemy 2, for PostgreSQL, MySQL, MariaDB and SQLite. Names only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._release import OLDEST, OLDEST_ASYNC, too_old

try:
    from sqlalchemy import __version__ as _found
except ImportError as error:
    raise ImportError(
        'imp_verify.stores.sqlalchemy needs SQLAlchemy: pip install "imp-verify[sqlalchemy]"'
    ) from error
if too_old(_found, OLDEST):
    raise ImportError(
        f"imp_verify.stores.sqlalchemy needs SQLAlchemy {OLDEST} or newer, not {_found}: "
        'pip install "imp-verify[sqlalchemy]"'
    )

from ._migrations import render_item
from ._plain import SqlAlchemyStore
from ._tables import metadata

if TYPE_CHECKING:
    from ._async import AsyncSqlAlchemyStore

__all__ = ["AsyncSqlAlchemyStore", "SqlAlchemyStore", "metadata", "render_item"]


def __getattr__(name: str) -> Any:
    """Load the async store only where it is asked for: a plain shop has no greenlet."""
    if name != "AsyncSqlAlchemyStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if too_old(_found, OLDEST_ASYNC):
        raise ImportError(
            f"{name} needs SQLAlchemy {OLDEST_ASYNC} or newer, not {_found}: "
            'pip install "imp-verify[sqlalchemy-async]"'
        )
    try:
        import_module("greenlet")  # SQLAlchemy 2.0 would miss it much later
    except ImportError as error:
        raise ImportError(
            "AsyncSqlAlchemyStore needs sqlalchemy[asyncio]: "
            'pip install "imp-verify[sqlalchemy-async]"'
        ) from error
    from ._async import AsyncSqlAlchemyStore

    return AsyncSqlAlchemyStore
