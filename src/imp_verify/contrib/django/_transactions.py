"""One transaction of a `DjangoStore`: how it begins and ends, when it is tried again, and what no
shop's function may run in it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import Error, connections
from django.db.transaction import atomic, get_rollback

from ... import ConfigurationError, StoreError
from ...stores._ending_sql import ends_transaction, not_for_a_hook
from ...stores._open import transaction_is_open
from ...stores._recording import seconds_to_wait
from . import _dialects as dialects

__all__ = ["Attempt", "Collision", "Place", "guarded", "in_transaction", "look", "read"]

T = TypeVar("T")
_ATTEMPTS = 6
_GONE = "the transaction ended or was rolled back under the hook: the payment is not recorded"


class Collision(Exception):
    """Somebody else has just written the same row; its cause is the database's error."""


class _Undo(Exception):
    """Leaves a block that is to be rolled back."""


@dataclass
class Place:
    """Where a store keeps its records.

    Attributes:
        using: The alias of the database.
        lock_timeout: How long a row lock is waited for, in seconds.
        is_checked: Whether the tables are known to be ones that can be rolled back.
    """

    using: str
    lock_timeout: float
    is_checked: bool = False


@dataclass
class Attempt:
    """One transaction, as far as it came.

    Attributes:
        owned: Whether it is the store's own, in no block of the shop's.
        driver: The driver's connection that it began on; None before.
        is_harmless: Whether nothing was done yet but reading: no hook and no `hold` has run, and
            nothing is being committed.
    """

    connection: Any
    owned: bool
    driver: object = None
    is_harmless: bool = True

    @property
    def lost(self) -> bool:
        """Whether the connection it began on is gone: Django has then replaced it, since not even
        a rollback came through. What fails before it began is such a connection too."""
        return self.driver is None or self.connection.connection is not self.driver


def in_transaction(place: Place, work: Callable[[Attempt], tuple[bool, T]]) -> T:
    """Run `work` in a transaction, in a savepoint where one is open; commit where it says so, roll
    back where not, or where it raises.

    A deadlock or a serialization failure is tried again a few times, a connection that turns out to
    be dead before a hook ran once, but for inside another transaction: the database has then ended
    that one too.

    Raises:
        StoreError: The connection does not commit by itself, or the shop ended the transaction.
    """

    def once(attempt: Attempt) -> T:
        return _once(attempt, place, work)

    return _again(place, once)


def read(place: Place, work: Callable[[], T]) -> T:
    """Run the shop's `expected` where nothing is recorded: in a transaction, so that it may lock
    the order; on a fresh connection where the first one turns out to be dead."""

    def once(attempt: Attempt) -> T:
        with transaction_is_open(), atomic(place.using):
            attempt.driver = attempt.connection.connection
            with _bounded(attempt, place), guarded(place.using):
                return work()

    return _again(place, once)


def look(place: Place, work: Callable[[], T]) -> T:
    """Read in no transaction of the store's; whatever fails is tried once more on a fresh
    connection."""
    return _again(place, lambda _: work())


def _bounded(attempt: Attempt, place: Place) -> AbstractContextManager[None]:
    seconds = seconds_to_wait(place.lock_timeout)
    return dialects.waiting_at_most(attempt.connection, seconds, owned=attempt.owned)


def _again(place: Place, once: Callable[[Attempt], T]) -> T:
    connection = connections[place.using]
    owned, fresh, tries = not connection.in_atomic_block, False, 0
    if owned:
        connection.ensure_connection()  # a database that is away is not asked twice
    while True:
        tries += 1
        attempt = Attempt(connection, owned)
        try:
            return once(attempt)
        except Collision as error:
            if tries == _ATTEMPTS:
                raise (error.__cause__ or error) from None
        except Error as error:
            dialects.explain(error, place.using)
            unusable = attempt.lost or dialects.is_outdated(error)
            if unusable and owned and attempt.is_harmless and not fresh:
                dialects.renew(connection)
                fresh = True
                continue
            if tries == _ATTEMPTS or not owned or not dialects.is_conflict(error):
                raise
        time.sleep(random.uniform(0.0, 0.02) * tries if owned else 0.0)


def _once(attempt: Attempt, place: Place, work: Callable[[Attempt], tuple[bool, T]]) -> T:
    connection, owned, using = attempt.connection, attempt.owned, place.using
    done = False
    if not (connection.get_autocommit() if owned else connection.commit_on_exit):
        raise StoreError(f"the database {using!r} has AUTOCOMMIT off: nothing would be kept")
    if owned:
        dialects.begin(connection)
    outer: AbstractContextManager[object] = atomic(using) if owned else nullcontext()
    try:
        with outer:
            attempt.driver = connection.connection
            # A savepoint around all of it cannot be released once the transaction has ended under
            # it, or is broken: where a hook swallowed an error, COMMIT would say nothing of that.
            with atomic(using):
                _check_engines(connection, place)
                with transaction_is_open(), _bounded(attempt, place):
                    keep, answer = work(attempt)
                if get_rollback(using):
                    raise StoreError("rolled back by a hook or an error caught without atomic()")
                if not keep:
                    raise _Undo
                attempt.is_harmless, done = False, True
            done = False
    except _Undo:
        pass
    except Error as error:
        if done and not attempt.lost:
            raise StoreError("a hook ended or broke the store's transaction") from error
        raise
    return answer


def _check_engines(connection: Any, place: Place) -> None:
    """Refuse, at the first use, tables that cannot be rolled back: the record of a payment whose
    hook failed would be kept, and its order never ship."""
    if not place.is_checked:
        if found := dialects.other_engines(connection):
            raise ConfigurationError(dialects.refuse_engines(found))
        place.is_checked = True


@contextmanager
def guarded(using: str) -> Iterator[None]:
    """Refuse, inside, each statement on this database that would end the open transaction. Django
    itself refuses its own commit() and rollback() in an atomic block. A statement that is no text
    (bytes, psycopg's own) is not read.

    On SQLite the driver is asked afterwards whether the transaction is open still: each statement
    that followed would be committed by itself, the record too.
    """
    connection = connections[using]
    with connection.execute_wrapper(_refuse_end):
        yield
    if connection.vendor != "sqlite" or get_rollback(using):
        return
    if not connection.connection.in_transaction:
        raise StoreError(_GONE)


def _refuse_end(
    execute: Callable[..., object], statement: object, values: object, many: bool, context: Any
) -> object:
    if isinstance(statement, str):
        word = ends_transaction(statement, mysql=context["connection"].vendor == "mysql")
        if word is not None:
            raise not_for_a_hook(word)
    return execute(statement, values, many, context)
