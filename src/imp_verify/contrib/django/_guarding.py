"""What no shop's function may run in a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db import connections

from ... import StoreError
from ...stores._endings import ending, refusal

__all__ = ["guarded"]

_GONE = "the transaction ended or was rolled back under the hook: nothing more is written"


def guarded(using: str) -> AbstractContextManager[None]:
    """Refuse, inside, each statement on this database that would end the open transaction, or that
    would run outside of it. A statement that is no text (bytes, psycopg's own) is not read.

    What the store itself writes is looked at too: after a rollback it would be kept without the
    shop's work.
    """
    wrapper: AbstractContextManager[None] = connections[using].execute_wrapper(_look)
    return wrapper


def _look(
    execute: Callable[..., object], statement: object, values: object, many: bool, context: Any
) -> object:
    connection = context["connection"]
    if isinstance(statement, str):
        word = ending(statement, mysql=connection.vendor == "mysql")
        if word is not None:
            raise refusal(word)
    # Django begins on SQLite by a statement of its own, so the driver knows of the transaction from
    # its first moment on. After a ROLLBACK by a conflict or a trigger each statement would be
    # committed by itself; a savepoint would begin another transaction.
    if connection.vendor == "sqlite" and not connection.connection.in_transaction:
        raise StoreError(_GONE)
    return execute(statement, values, many, context)
