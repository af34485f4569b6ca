"""What no shop's function may run in a `DjangoStore`'s transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.transaction import get_rollback

from ... import StoreError
from ...stores._endings import ending, refusal

__all__ = ["guarded"]

_GONE = "the transaction ended or was rolled back under the hook: the payment is not recorded"


@contextmanager
def guarded(using: str) -> Iterator[None]:
    """Refuse, inside, each statement on this database that would end the open transaction. Django
    itself refuses its own commit() and rollback() in an atomic block. A statement that is no text
    (bytes, psycopg's own) is not read.

    On SQLite the driver is asked afterwards whether the transaction is open still: each statement
    that followed would be committed by itself, the record too.
    """
    connection = connections[using]
    with connection.execute_wrapper(_look):
        yield
    if connection.vendor != "sqlite" or get_rollback(using):
        return
    if not connection.connection.in_transaction:
        raise StoreError(_GONE)


def _look(
    execute: Callable[..., object], statement: object, values: object, many: bool, context: Any
) -> object:
    if isinstance(statement, str):
        word = ending(statement, mysql=context["connection"].vendor == "mysql")
        if word is not None:
            raise refusal(word)
    return execute(statement, values, many, context)
