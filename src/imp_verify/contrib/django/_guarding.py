"""What no shop's function may run in a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakSet

from django.db import connections

from ... import StoreError
from ...stores._endings import ending, refusal

__all__ = ["guarded"]

_GONE = "the transaction ended or was rolled back under the hook: nothing more is written"


@contextmanager
def guarded(using: str) -> Iterator[None]:
    """Refuse, inside, each statement on this database that would end the open transaction, or that
    would run outside of it. A statement that is no text (bytes, psycopg's own) is not read.

    What the store itself writes is looked at too: after a rollback it would be kept without the
    shop's work. On SQLite what was not read to its end is closed, since an error of Django's keeps
    it in a cycle: nobody else could write before Python collected it.
    """
    cursors: WeakSet[Any] = WeakSet()
    try:
        with connections[using].execute_wrapper(partial(_look, cursors)):
            yield
    finally:
        for cursor in list(cursors):
            with suppress(Exception):  # what went wrong before is the news
                cursor.close()


def _look(
    cursors: WeakSet[Any],
    execute: Callable[..., object],
    statement: object,
    values: object,
    many: bool,
    context: Any,
) -> object:
    connection = context["connection"]
    if isinstance(statement, str):
        word = ending(statement, mysql=connection.vendor == "mysql")
        if word is not None:
            raise refusal(word)
    # Django begins on SQLite by a statement of its own, so the driver knows of the transaction from
    # its first moment on. After a ROLLBACK by a conflict or a trigger each statement would be
    # committed by itself; a savepoint would begin another transaction.
    if connection.vendor == "sqlite":
        if not connection.connection.in_transaction:
            raise StoreError(_GONE)
        cursors.add(context["cursor"])
    return execute(statement, values, many, context)
