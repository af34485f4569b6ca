"""One transaction of the store, for sync and async callers: begun, guarded while the shop's
functions run, checked, and tried again where others were in its way."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine, ExceptionContext, event, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction

from ...errors import ConfigurationError, StoreError
from ...models import Receipt
from .._ending_sql import ends_transaction, not_for_a_hook
from .._facts import StoreFacts, read_facts
from .._ledger import Due, Run
from .._recording import seconds_to_wait
from .._rows import Loaded, Rows
from ._dialects import (
    SAVEPOINT,
    begin,
    claim,
    create_all,
    explain,
    is_conflict,
    is_limited,
    is_lost,
    is_out_of_date,
    lift_limit,
    limit_waiting,
)
from ._statements import (
    Collision,
    begin_run,
    load,
    read_awaits,
    read_due,
    read_dues,
    read_receipts,
    read_waiting,
    read_was_paid,
    save,
    save_run,
)
from ._tables import orders

__all__ = [
    "Collision",
    "Reading",
    "Retries",
    "Transaction",
    "awaits",
    "create_tables",
    "due_of",
    "dues_after",
    "prepare",
    "receipts_of",
    "waiting_in",
    "was_paid",
]

_MOST_CONFLICTS = 5
_WRITE = update(orders)
"""By this a session says which engine it takes: one that sends its reads elsewhere must not begin
there."""


TWO_PHASES = (
    "the store cannot use sessions with twophase=True: a process that dies between the phases "
    "leaves the order locked; give the store a sessionmaker of its own without it"
)


_ENDED = (
    "a hook ended the store's transaction, or it was rolled back under the hook (an error that a "
    "hook catches needs begin_nested() around its statement): what the hook writes is committed "
    "together with the record"
)
_NAME = "imp_verify_guard"
"""A connection has its guard among its execution options, for the listeners here."""


class Guard:
    """A shop's function runs inside.

    Attributes:
        before_hooks: Whether no hook and no `hold` has run, and nothing is being committed: all
            could be done again on another connection.
        lost: Whether the connection turned out to be dead before that.
    """

    __slots__ = ("_session", "_up", "before_hooks", "lost")

    def __init__(self, handle: Connection | Session, connection: Connection) -> None:
        self._up = self.lost = False
        self.before_hooks = True
        self._session = handle if isinstance(handle, Session) else None
        if self._session is not None:
            event.listen(self._session, "before_commit", self._session_commits)
            event.listen(self._session, "after_transaction_end", self._session_ended)
        connection.execution_options(**{_NAME: self})

    def __enter__(self) -> None:
        self._up = True

    def __exit__(self, *_: object) -> None:
        self._up = False

    def take_away(self) -> None:
        """Let the session be the shop's own again."""
        if self._session is not None:
            event.remove(self._session, "before_commit", self._session_commits)
            event.remove(self._session, "after_transaction_end", self._session_ended)
            self._session = None

    def _session_commits(self, session: Session) -> None:
        if self._up and not session.in_nested_transaction():
            raise not_for_a_hook("commit()")

    def _session_ended(self, _: Session, transaction: SessionTransaction) -> None:
        if self._up and transaction.parent is None:
            raise not_for_a_hook("rollback() or close()")

    def refuse_statement(self, statement: str, *, mysql: bool) -> None:
        """Refuse one by which the transaction would end."""
        word = ends_transaction(statement, mysql=mysql) if self._up else None
        if word is not None:
            raise not_for_a_hook(word)

    def refuse_commit(self, connection: Connection) -> None:
        """Refuse it to a function of the shop's."""
        if self._up:
            _undo(connection)
            raise not_for_a_hook("commit()")

    def refuse_rollback(self) -> None:
        """Refuse it on a connection; a session rolls back by itself where a flush fails."""
        if self._up and self._session is None:
            raise not_for_a_hook("rollback() or close()")


def _guard_of(connection: Connection) -> Guard | None:
    """Return the guard of a connection that a store uses."""
    guard: Guard | None = connection.get_execution_options().get(_NAME)
    return guard


def prepare(engine: object) -> None:
    """Make an engine ready for the store: see `claim`."""
    claim(engine, _watch)


def _watch(engine: Engine) -> None:
    """Listen to what is done on an engine's connections."""
    event.listen(engine, "before_cursor_execute", _before_statement)
    event.listen(engine, "commit", _before_commit)
    event.listen(engine, "rollback", _before_rollback)
    if not event.contains(engine, "handle_error", _notice_loss):  # one for all that share it
        event.listen(engine, "handle_error", _notice_loss)


def _before_statement(connection: Connection, _: object, statement: str, *__: Any) -> None:
    guard = _guard_of(connection)
    if guard is not None:
        guard.refuse_statement(statement, mysql=connection.dialect.name in ("mysql", "mariadb"))


def _before_commit(connection: Connection) -> None:
    guard = _guard_of(connection)
    if guard is not None:
        guard.refuse_commit(connection)


def _before_rollback(connection: Connection) -> None:
    guard = _guard_of(connection)
    if guard is not None:
        guard.refuse_rollback()


def _notice_loss(error: ExceptionContext) -> None:
    """A listener to `handle_error`: note that a connection is dead on which the store has only
    read. For dead it takes one that is out of date, too: SQLAlchemy then throws away all that are
    as old, for a migration or a failover makes all of them so."""
    guard = None if error.connection is None else _guard_of(error.connection)
    if guard is None or not guard.before_hooks:
        return
    if is_out_of_date(error.sqlalchemy_exception):
        error.is_disconnect = True
    if error.is_disconnect and isinstance(error.original_exception, Exception):
        guard.lost = True  # and not because its task was cancelled


def _undo(connection: Connection) -> None:
    """Roll back by the driver. SQLAlchemy takes a transaction whose commit failed for ended, also
    where a listener failed before the driver was asked, and would give the connection back as it
    is: the next one to commit on it would commit this too."""
    if connection.closed or connection.invalidated:
        return
    try:
        connection.connection.rollback()
    except Exception:  # the server rolls back what it loses; what failed first is the news
        connection.invalidate()
    except BaseException:  # a task that was cancelled meanwhile, for example, and is to end so
        connection.invalidate()
        raise


class Retries:
    """How often one piece of work is begun again.

    Attributes:
        under_way: What the store does on the connection it has now; None while it has none.
    """

    def __init__(self) -> None:
        self.under_way: Reading | None = None
        self._conflicts = 0
        self._collisions = 0
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
        if isinstance(error, Collision):
            self._collisions += 1
            if self._collisions > 1:
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


def _connect(handle: Connection | Session) -> Connection:
    if not isinstance(handle, Session):
        return handle
    if handle.twophase:
        raise ConfigurationError(TWO_PHASES)
    if not handle.in_transaction():
        _engine(handle)
        handle.begin()
    return handle.connection(bind_arguments={"clause": _WRITE})


def create_tables(handle: Connection | Session) -> None:
    """Make the tables that are missing."""
    if isinstance(handle, Session):
        with _engine(handle).connect() as connection:
            create_all(connection)
    else:
        create_all(handle)


def receipts_of(handle: Connection | Session, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
    """Read what is recorded of these payments."""
    return read_receipts(_connect(handle), imp_uids)


def was_paid(handle: Connection | Session, merchant_uid: str) -> bool:
    """Read whether this order was ever paid."""
    return read_was_paid(_connect(handle), merchant_uid)


def awaits(handle: Connection | Session, merchant_uid: str, now: datetime) -> bool:
    """Read whether an account of this order waits for its deposit still."""
    return read_awaits(_connect(handle), merchant_uid, now)


def due_of(handle: Connection | Session, imp_uid: str) -> Due | None:
    """Read a payment's row among the money to give back."""
    return read_due(_connect(handle), imp_uid)


def dues_after(handle: Connection | Session, after: str | None, limit: int) -> Sequence[Due]:
    """Read the open rows among the money to give back, by the page."""
    return read_dues(_connect(handle), after, limit)


def waiting_in(
    handle: Connection | Session,
    due_from: datetime,
    due_to: datetime,
    after: str | None,
    limit: int,
) -> Sequence[Receipt]:
    """Read what waits for a deposit until a time in this window, by the page."""
    return read_waiting(_connect(handle), due_from, due_to, after, limit)


class Reading:
    """A connection or session while the store runs the shop's `expected` on it, outside of its own
    transactions.

    Whoever lends it takes it back, which rolls back what was not committed.

    Attributes:
        handle: What the shop's functions get: the connection or the session.
        guard: What stands around a shop's function.
    """

    def __init__(self, handle: Connection | Session, lock_timeout: float) -> None:
        self.handle = handle
        self.connection = _connect(handle)
        self.guard = Guard(handle, self.connection)
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
        if connection is self.handle:
            connection.begin()
        self._root = connection.get_transaction()
        with _HIDDEN:
            begin(connection, seconds_to_wait(self._lock_timeout))

    def load(self, imp_uid: str, merchant_uid: str | None) -> Loaded:
        """Lock and read."""
        with _HIDDEN:
            return load(self.connection, imp_uid, merchant_uid)

    def facts(self) -> StoreFacts:
        """Read what there is to tell about the database; what the store refuses has been refused
        by now."""
        connection = self.connection
        schemas = connection.get_execution_options().get("schema_translate_map") or {}

        def ask(query: str) -> Sequence[Sequence[Any]]:
            return connection.exec_driver_sql(query).all()

        with _HIDDEN:
            return read_facts(connection.dialect.name, ask, self._lock_timeout, schemas.get(None))

    def save(self, rows: Rows) -> None:
        """Write.

        Raises:
            Collision: Another transaction was first.
        """
        try:
            with _HIDDEN:
                save(self.connection, rows)
        except IntegrityError as error:
            raise Collision from error

    def load_run(self, account: str) -> Run:
        """Read an account's row, and make it where there is none."""
        with _HIDDEN:
            return begin_run(self.connection, account)

    def save_run(self, run: Run) -> None:
        """Write an account's row."""
        with _HIDDEN:
            save_run(self.connection, run)

    def commit(self) -> None:
        """Commit what the store and the shop's functions wrote, if it is one transaction still.

        Raises:
            StoreError: It is not: nothing more is kept.
        """
        self.will_run_hook()
        session = self.handle if isinstance(self.handle, Session) else None
        if session is None:
            self._check()
        else:
            with self.guard:
                session.flush()
            # After the shop's own listeners: one that swallows an error would have PostgreSQL
            # answer COMMIT with a rollback, and say nothing.
            event.listen(session, "before_commit", self._check_session)
        try:
            self.handle.commit()
        except BaseException:
            _undo(self.connection)
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
            raise StoreError(_ENDED)
        try:
            self.connection.exec_driver_sql(f"RELEASE SAVEPOINT {SAVEPOINT}")
        except SQLAlchemyError as error:
            if is_lost(error):
                raise  # the database's trouble, not the hook's fault
            raise StoreError(_ENDED) from error
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
