"""One transaction of the store, without a colour: begun, guarded while the shop's functions run,
checked, and tried again where others were in its way."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

from sqlalchemy import Connection, Engine, event, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from ...errors import StoreError
from ...models import Receipt
from ..ready import Load, Loaded, Save
from ._dialects import SAVEPOINT, begin, create_all, explain, is_conflict, prepare
from ._guard import COMMIT, ENDED, Guard, commit
from ._statements import Taken, load, read_receipts, save
from ._tables import orders

__all__ = ["Attempts", "Taken", "Transaction", "create_tables", "guarded_read", "receipts_of"]

_MOST_CONFLICTS = 5
_WRITE = update(orders)
"""By this a session says which engine it takes: one that sends its reads elsewhere must not begin
there."""


class Attempts:
    """How often one piece of work is begun again."""

    def __init__(self) -> None:
        self._conflicts = 0
        self._taken = 0

    @property
    def pause(self) -> float:
        """Seconds to wait first, so that those who met do not meet again."""
        return random.uniform(0.001, 0.02) * self._conflicts

    def again(self, error: Exception) -> bool:
        """Whether to begin again after this error. A hook's own error is never tried again, but for
        one that says that the database chose this transaction to give way.

        Raises:
            StoreError: It was recorded by others twice in a row.
        """
        if isinstance(error, Taken):
            self._taken += 1
            if self._taken > 1:
                raise StoreError("the payment is being recorded elsewhere") from error.__cause__
            return True
        explain(error)
        self._conflicts += 1
        return is_conflict(error) and self._conflicts < _MOST_CONFLICTS


def _engine(session: Session) -> Engine:
    """Give the engine that this session takes for the store's tables, checked."""
    bind = session.get_bind(clause=_WRITE)
    prepare(bind)
    return cast(Engine, bind)


def _connect(given: Connection | Session) -> Connection:
    if not isinstance(given, Session):
        return given
    if not given.in_transaction():
        _ = _engine(given)
        _ = given.begin()
    return given.connection(bind_arguments={"clause": _WRITE})


def guarded_read(given: Connection | Session) -> Guard:
    """Make ready to run a shop's function that only reads, outside of the store's transactions."""
    return Guard(given, _connect(given), begun=False)


def create_tables(given: Connection | Session) -> None:
    """Make the tables that are missing."""
    if isinstance(given, Session):
        with _engine(given).connect() as connection:
            create_all(connection)
    else:
        create_all(given)


def receipts_of(given: Connection | Session, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Read what is recorded of these payments."""
    return read_receipts(_connect(given), imp_uids)


class Transaction:
    """A transaction that is open from here on, on a connection or a session.

    Whoever lends the connection takes it back, which rolls back what was not committed.

    Attributes:
        given: What the shop's functions get: the connection or the session.
        guard: What stands around a shop's function.
        has_written: Whether there is anything to commit: a repeat writes nothing.
    """

    def __init__(self, given: Connection | Session) -> None:
        self.given = given
        self.connection = connection = _connect(given)
        if connection is given:
            _ = connection.begin()
        self._root = connection.get_transaction()
        self.has_written = self._locked = False
        with _HIDDEN:
            begin(connection)
        self.guard = Guard(given, connection, begun=True)

    def load(self, step: Load) -> Loaded:
        """Lock and read; see `Load`."""
        self._locked = step.order
        with _HIDDEN:
            return load(self.connection, step)

    def save(self, step: Save) -> None:
        """Write; see `Save`.

        Raises:
            Taken: Another transaction was first.
        """
        try:
            with _HIDDEN:
                self.has_written = save(self.connection, step, locked=self._locked)
        except IntegrityError as error:
            raise Taken from error

    def commit(self) -> None:
        """Commit what the store and the shop's functions wrote, if it is one transaction still.

        Raises:
            StoreError: It is not: nothing more is kept.
        """
        self.guard.close_open()
        if isinstance(self.given, Session):
            with self.guard:
                self.given.flush()
            # After the shop's own listeners: one that swallows an error would have PostgreSQL
            # answer COMMIT with a rollback, and say nothing.
            event.listen(self.given, "before_commit", self._check_session)
        else:
            self._check()
        hidden = vars(self.connection)
        hidden[COMMIT] = partial(commit, self.connection)
        try:
            self.given.commit()
        finally:
            hidden.pop(COMMIT)

    def _check_session(self, session: Session) -> None:
        if not session.in_nested_transaction():  # one that a hook left open is committed first
            self._check()

    def _check(self) -> None:
        """A savepoint goes with its transaction, in whatever way that ends: by a hook's own
        statements, by a deadlock that it swallowed, by a table that a procedure made on MySQL."""
        root = self._root
        if root is None or not root.is_active or self.connection.get_transaction() is not root:
            raise StoreError(ENDED)
        try:
            _ = self.connection.exec_driver_sql(f"RELEASE SAVEPOINT {SAVEPOINT}")
        except SQLAlchemyError as error:
            raise StoreError(ENDED) from error


class _Hidden:
    """Keeps values out of the text of an error, which is logged."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: object, __: object) -> None:
        if isinstance(error, DBAPIError):
            error.hide_parameters = True


_HIDDEN = _Hidden()
