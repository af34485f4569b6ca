"""Ready-made stores on SQLAlchemy 2, for PostgreSQL, MySQL, MariaDB and SQLite. Names only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import sqlalchemy  # noqa: F401
except ImportError as error:
    raise ImportError(
        'imp_verify.stores.sqlalchemy needs SQLAlchemy: pip install "imp-verify[sqlalchemy]"'
    ) from error

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
    try:
        import_module("greenlet")  # SQLAlchemy 2.0 would miss it much later
    except ImportError as error:
        raise ImportError(
            "AsyncSqlAlchemyStore needs sqlalchemy[asyncio]: "
            'pip install "imp-verify[sqlalchemy-async]"'
        ) from error
    from ._async import AsyncSqlAlchemyStore

    return AsyncSqlAlchemyStore
