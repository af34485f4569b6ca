"""One transaction of a `DjangoStore`: how it begins and ends, and when it is tried again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.db.transaction import atomic, get_rollback

from ... import StoreError
from ...stores import transaction_is_open
from ._guarding import guarded

__all__ = ["Collision", "in_transaction"]

T = TypeVar("T")
_ATTEMPTS = 6
_STATES = ("40001", "40P01")
_DEADLOCK = (1213,)


class Collision(Exception):
    """Somebody else has just written the same row; its cause is the database's error."""


class _Undo(Exception):
    """Leaves a block that is to be rolled back."""


def in_transaction(using: str, work: Callable[[bool], tuple[bool, T]]) -> T:
    """Run `work` in a transaction, in a savepoint where one is open; commit where it says so, roll
    back where not, or where it raises. It is told whether the transaction is the store's own.

    A deadlock or a serialization failure is tried again a few times, but for inside another
    transaction: the database has then ended that one too.

    Raises:
        StoreError: The connection does not commit by itself, or the shop ended the transaction.
    """
    connection = connections[using]
    owned = not connection.in_atomic_block
    if not (connection.get_autocommit() if owned else connection.commit_on_exit):
        raise StoreError(f"the database {using!r} has AUTOCOMMIT off: nothing would be kept")
    attempt = 0
    while True:
        attempt += 1
        try:
            return _once(connection, work, owned)
        except Collision as error:
            if attempt == _ATTEMPTS:
                raise (error.__cause__ or error) from None
        except DatabaseError as error:
            if attempt == _ATTEMPTS or not owned or not _is_conflict(error):
                raise
        time.sleep(random.uniform(0.0, 0.02) * attempt if owned else 0.0)


def _once(connection: Any, work: Callable[[bool], tuple[bool, T]], owned: bool) -> T:
    using, done = connection.alias, False
    if owned and connection.vendor == "mysql":
        _read_committed(connection)
    outer: AbstractContextManager[object] = atomic(using) if owned else nullcontext()
    try:
        with outer:
            # A savepoint around all of it cannot be released once the transaction has ended under
            # it, or is broken: where a hook swallowed an error, COMMIT would say nothing of that.
            with atomic(using):
                with transaction_is_open(), guarded(using):
                    keep, answer = work(owned)
                if get_rollback(using):
                    raise StoreError("rolled back by a hook or an error caught without atomic()")
                if not keep:
                    raise _Undo
                done = True
            done = False
    except _Undo:
        pass
    except DatabaseError as error:
        if done:
            raise StoreError("a hook ended or broke the store's transaction") from error
        raise
    return answer


def _read_committed(connection: Any) -> None:
    """Have the next transaction see what others committed while it waited for the order's row."""
    connection.ensure_connection()
    if getattr(connection, "isolation_level", None) != "read committed":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _is_conflict(error: DatabaseError) -> bool:
    cause: Any = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state in _STATES or getattr(cause, "args", ())[:1] == _DEADLOCK
