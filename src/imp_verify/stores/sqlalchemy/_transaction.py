"""One transaction of the store, for sync and async callers: begun, guarded while the shop's
functions run, checked, and tried again where others were in its way."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

from sqlalchemy import Connection, Engine, event, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from ...errors import ConfigurationError, StoreError
from ...models import Receipt
from .._recording import Loaded, Rows, seconds_to_wait
from ._dialects import (
    SAVEPOINT,
    begin,
    create_all,
    explain,
    is_conflict,
    is_limited,
    is_lost,
    is_out_of_date,
    lift_limit,
    limit_waiting,
    prepare,
)
from ._guard import ENDED, Guard, undo
from ._statements import Taken, load, read_receipts, save
from ._tables import orders

__all__ = ["Attempts", "Reading", "Taken", "Transaction", "create_tables", "receipts_of"]

_MOST_CONFLICTS = 5
_WRITE = update(orders)
"""By this a session says which engine it takes: one that sends its reads elsewhere must not begin
there."""


TWO_PHASES = (
    "the store cannot use sessions with twophase=True: a process that dies between the phases "
    "leaves the order locked; give the store a sessionmaker of its own without it"
)


class Attempts:
    """How often one piece of work is begun again.

    Attributes:
        under_way: What the store does on the connection it has now; None while it has none.
    """

    def __init__(self) -> None:
        self.under_way: Reading | None = None
        self._conflicts = 0
        self._taken = 0
        self._lost = 0

    @property
    def pause(self) -> float:
        """Seconds to wait first, so that those who met do not meet again."""
        return random.uniform(0.001, 0.02) * self._conflicts

    def again(self, error: Exception) -> bool:
        """Whether to begin again after this error: once where the connection turned out to be dead
        before a hook ran on it. A hook's own error is never tried again, but for one that says that
        the database chose this transaction to give way.

        Raises:
            StoreError: It was recorded by others twice in a row.
        """
        if isinstance(error, Taken):
            self._taken += 1
            if self._taken > 1:
                raise StoreError("the payment is being recorded elsewhere") from error.__cause__
            return True
        if self._was_lost(error):
            self._lost += 1
            return self._lost == 1
        explain(error)
        self._conflicts += 1
        return is_conflict(error) and self._conflicts < _MOST_CONFLICTS

    def _was_lost(self, error: Exception) -> bool:
        use = self.under_way
        if use is None:  # as a plain read is: `receipts`
            return is_lost(error) or is_out_of_date(error)
        return use.guard.before_hooks and use.guard.lost


def _engine(session: Session) -> Engine:
    """Return the engine that this session takes for the store's tables, checked."""
    bind = session.get_bind(clause=_WRITE)
    prepare(bind)
    return cast(Engine, bind)


def _connect(given: Connection | Session) -> Connection:
    if not isinstance(given, Session):
        return given
    if given.twophase:
        raise ConfigurationError(TWO_PHASES)
    if not given.in_transaction():
        _ = _engine(given)
        _ = given.begin()
    return given.connection(bind_arguments={"clause": _WRITE})


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


class Reading:
    """A connection or session while the store runs the shop's `expected` on it, outside of its own
    transactions.

    Whoever lends it takes it back, which rolls back what was not committed.

    Attributes:
        given: What the shop's functions get: the connection or the session.
        guard: What stands around a shop's function.
    """

    def __init__(self, given: Connection | Session, lock_timeout: float) -> None:
        self.given = given
        self.connection = _connect(given)
        self.guard = Guard(given, self.connection)
        self._lock_timeout = lock_timeout

    def begin(self) -> None:
        """Make ready to run a shop's function. Whatever comes of it, `end` must follow."""
        limit_waiting(self.connection, self._lock_timeout)

    def will_run_hook(self) -> None:
        """Note that nothing may be done again from here on."""
        self.guard.before_hooks = False

    def must_end(self) -> bool:
        """Take the guard away; whether `end` has something to ask of the database."""
        self.guard.take_away()
        return is_limited(self.connection)

    def end(self) -> None:
        """Take the guard away, and lift the time limit."""
        if self.must_end():
            with suppress(
                Exception
            ):  # the connection is thrown away; what failed first is the news
                lift_limit(self.connection)


class Transaction(Reading):
    """A transaction of the store's."""

    def begin(self) -> None:
        """Begin. Whatever comes of it, `end` must follow."""
        connection = self.connection
        if connection is self.given:
            _ = connection.begin()
        self._root = connection.get_transaction()
        with _HIDDEN:
            begin(connection, seconds_to_wait(self._lock_timeout))

    def load(self, imp_uid: str, merchant_uid: str | None) -> Loaded:
        """Lock and read."""
        with _HIDDEN:
            return load(self.connection, imp_uid, merchant_uid)

    def save(self, rows: Rows) -> None:
        """Write.

        Raises:
            Taken: Another transaction was first.
        """
        try:
            with _HIDDEN:
                save(self.connection, rows)
        except IntegrityError as error:
            raise Taken from error

    def commit(self) -> None:
        """Commit what the store and the shop's functions wrote, if it is one transaction still.

        Raises:
            StoreError: It is not: nothing more is kept.
        """
        self.will_run_hook()
        session = self.given if isinstance(self.given, Session) else None
        if session is None:
            self._check()
        else:
            with self.guard:
                session.flush()
            # After the shop's own listeners: one that swallows an error would have PostgreSQL
            # answer COMMIT with a rollback, and say nothing.
            event.listen(session, "before_commit", self._check_session)
        try:
            self.given.commit()
        except BaseException:
            undo(self.connection)
            raise
        finally:
            if session is not None:  # the shop may go on with it
                event.remove(session, "before_commit", self._check_session)

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
            if is_lost(error):
                raise  # the database's trouble, not the hook's fault
            raise StoreError(ENDED) from error
        if is_limited(self.connection):  # here: a session's commit gives the connection back
            lift_limit(self.connection)


class _Hidden:
    """Keeps values out of the text of an error, which is logged."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: object, __: object) -> None:
        if isinstance(error, DBAPIError):
            error.hide_parameters = True


_HIDDEN = _Hidden()
