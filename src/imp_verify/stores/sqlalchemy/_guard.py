"""What stands around a shop's function: it may read and write, but not end the transaction. It
stands on SQLAlchemy's events."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction

from .._endings import ending, refusal

__all__ = ["ENDED", "Guard", "guard_of", "undo", "watch"]

ENDED = (
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

    def __init__(self, given: Connection | Session, connection: Connection) -> None:
        self._up = self.lost = False
        self.before_hooks = True
        self._session = given if isinstance(given, Session) else None
        if self._session is not None:
            event.listen(self._session, "before_commit", self._session_commits)
            event.listen(self._session, "after_transaction_end", self._session_ended)
        _ = connection.execution_options(**{_NAME: self})

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
            raise refusal("commit()")

    def _session_ended(self, _: Session, transaction: SessionTransaction) -> None:
        if self._up and transaction.parent is None:
            raise refusal("rollback() or close()")

    def refuse_statement(self, statement: str, *, mysql: bool) -> None:
        """Refuse one by which the transaction would end."""
        word = ending(statement, mysql=mysql) if self._up else None
        if word is not None:
            raise refusal(word)

    def refuse_commit(self, connection: Connection) -> None:
        """Refuse it to a function of the shop's."""
        if self._up:
            undo(connection)
            raise refusal("commit()")

    def refuse_rollback(self) -> None:
        """Refuse it on a connection; a session rolls back by itself where a flush fails."""
        if self._up and self._session is None:
            raise refusal("rollback() or close()")


def guard_of(connection: Connection) -> Guard | None:
    """Return the guard of a connection that a store uses."""
    guard: Guard | None = connection.get_execution_options().get(_NAME)
    return guard


def watch(engine: Engine) -> None:
    """Listen to what is done on an engine's connections."""
    event.listen(engine, "before_cursor_execute", _before_statement)
    event.listen(engine, "commit", _before_commit)
    event.listen(engine, "rollback", _before_rollback)


def _before_statement(connection: Connection, _: object, statement: str, *__: Any) -> None:
    guard = guard_of(connection)
    if guard is not None:
        guard.refuse_statement(statement, mysql=connection.dialect.name in ("mysql", "mariadb"))


def _before_commit(connection: Connection) -> None:
    guard = guard_of(connection)
    if guard is not None:
        guard.refuse_commit(connection)


def _before_rollback(connection: Connection) -> None:
    guard = guard_of(connection)
    if guard is not None:
        guard.refuse_rollback()


def undo(connection: Connection) -> None:
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
