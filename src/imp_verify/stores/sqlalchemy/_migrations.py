"""How Alembic writes the tables into a migration."""

from __future__ import annotations

from typing import Any, Literal

from ._tables import Exact, Moment, Money

__all__ = ["render_item"]

_ON_MYSQL = 'with_variant({}, "mysql", "mariadb")'


def render_item(kind: str, item: object, context: Any) -> str | Literal[False]:
    """For Alembic's `context.configure(render_item=render_item)`: write the columns of the store's
    tables with SQLAlchemy's own types, so that a migration says what it makes and does not change
    with this package.

    Returns:
        Python text for a type of these tables; False for all else, which Alembic writes itself.
    """
    if kind != "type":
        return False
    sa = context.opts["sqlalchemy_module_prefix"] or ""
    if isinstance(item, Exact):
        n, binary = item.length, f"mysql.VARBINARY({item.length * item.widest})"
        exact = f'with_variant({sa}String({n}, collation="C"), "postgresql")'
        text = f"{sa}String({n}).{exact}.{_ON_MYSQL.format(binary)}"
    elif isinstance(item, Money):
        return f'{sa}Numeric(26, 8).with_variant({sa}String(28), "sqlite")'
    elif isinstance(item, Moment):
        moment = f'{sa}DateTime(timezone=True).with_variant({sa}String(32), "sqlite")'
        text = f"{moment}.{_ON_MYSQL.format('mysql.DATETIME(fsp=6)')}"
    else:
        return False
    context.imports.add("from sqlalchemy.dialects import mysql")
    return text
