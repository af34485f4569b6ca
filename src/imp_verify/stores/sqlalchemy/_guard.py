"""What stands around a shop's function: it may read and write, but neither end nor leave the
transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.elements import TextClause

from ...errors import StoreError
from .._endings import ending, refusal

__all__ = ["COMMIT", "ENDED", "Guard", "commit"]

ENDED = (
    "a hook ended the store's transaction, or it was rolled back under the hook: what the hook "
    "writes is committed together with the record"
)


def _refuse(what: str) -> Callable[..., object]:
    def refused(*_: object, **__: object) -> object:
        raise refusal(what)

    return refused


# Not `invalidate`: SQLAlchemy calls it itself when a task is cancelled or a server has gone.
_REFUSED = {
    name: _refuse(f"{name}()")
    for name in ("commit", "rollback", "close", "detach", "reset", "prepare")
}
COMMIT = "_commit_impl"
"""What SQLAlchemy calls for whoever commits, by the handle of the transaction too. It does not
promise so, and where a release does not, such a commit is found afterwards only."""
_READ = ("execute", "scalar", "exec_driver_sql")


class Guard:
    """A shop's function runs inside.

    What it must not call is hidden behind attributes of these two objects; a listener on the
    shop's engine would be asked about everybody's statements.
    """

    __slots__ = ("_given", "_hiding", "_tied")

    def __init__(self, given: Connection | Session, connection: Connection, *, begun: bool) -> None:
        self._tied, self._given = vars(connection), vars(given)
        refused = partial(commit, connection, _REFUSED["commit"])
        sqlite = begun and connection.dialect.name == "sqlite"
        driver: Any = connection.connection.driver_connection if sqlite else None
        reading = {name: _reading(connection, name, driver) for name in _READ}
        self._hiding = {**_REFUSED, COMMIT: refused, **reading}

    def __enter__(self) -> None:
        self._given.update(_REFUSED)
        self._tied.update(self._hiding)

    def __exit__(self, *_: object) -> None:
        for name in _REFUSED:
            self._given.pop(name, None)
        for name in self._hiding:
            self._tied.pop(name, None)


def commit(connection: Connection, how: Callable[..., object] | None = None) -> None:
    """Commit, or end the transaction here. SQLAlchemy takes one whose commit failed for ended, also
    where a listener failed before the driver was asked, and gives the connection back as it is:
    the next one to commit on it would commit this too."""
    try:
        _ = (how or type(connection)._commit_impl)(connection)
    except BaseException:
        try:
            connection.dialect.do_rollback(connection.connection)
        except Exception:  # the server rolls back what it loses; what failed first is the news
            connection.invalidate()
        except BaseException:  # a task that was cancelled meanwhile, for one, and is to end so
            connection.invalidate()
            raise
        raise


def _reading(connection: Connection, name: str, driver: Any) -> Callable[..., Any]:
    """Read statements that were written as text, before they run, and run none where SQLite has
    rolled back, by a conflict or a trigger, what this driver had begun: it would stay without a
    record.
    """
    execute: Callable[..., Any] = getattr(connection, name)
    mysql = connection.dialect.name in ("mysql", "mariadb")

    def executed(statement: Any, *arguments: Any, **options: Any) -> Any:
        written = statement.text if isinstance(statement, TextClause) else statement
        if isinstance(written, str):
            word = ending(written, mysql=mysql)
            if word is not None:
                raise refusal(word)
        elif mysql and isinstance(written, ExecutableDDLElement):
            raise refusal("making or changing a table, which commits here,")
        if driver is not None and not (connection.invalidated or driver.in_transaction):
            raise StoreError(ENDED)
        return execute(statement, *arguments, **options)

    return executed
