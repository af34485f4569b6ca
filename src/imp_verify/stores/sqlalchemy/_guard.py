"""What stands around a shop's function: it may read and write, but neither end nor leave the
transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from traceback import walk_tb
from typing import Any
from weakref import ref

from sqlalchemy import Connection, ExceptionContext
from sqlalchemy.orm import Session
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.elements import TextClause

from ...errors import StoreError
from .._endings import ending, refusal

__all__ = ["COMMIT", "ENDED", "Guard", "commit", "end_reading"]

ENDED = (
    "a hook ended the store's transaction, or it was rolled back under the hook (an error that a "
    "hook catches needs begin_nested() around its statement): what the hook writes is committed "
    "together with the record"
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
_OPEN = "_imp_verify_open"
"""Under this name a connection has what a shop's function reads on SQLite."""
_READ = ("execute", "scalar", "exec_driver_sql")


class Guard:
    """A shop's function runs inside.

    What it must not call is hidden behind attributes of these two objects; a listener on the
    shop's engine would be asked about everybody's statements.

    Attributes:
        begun: Whether the store's transaction is open around it, and goes on after it.
        running: The tasks in which a statement of the function runs on the connection, each with
            what is done when it has run.
        keeps_open: Whether it has results that keep the database's locks while they are not read.
    """

    __slots__ = ("_asynchronous", "_given", "_hiding", "_open", "_tied", "begun", "running")

    def __init__(self, given: Connection | Session, connection: Connection, *, begun: bool) -> None:
        self._tied, self._given = vars(connection), vars(given)
        self._asynchronous = connection.dialect.is_async
        self.begun = begun
        self.running: dict[Any, Any] = {}
        self._open: list[ref[Any]] | None = None
        driver: Any = None
        if connection.dialect.name == "sqlite":
            self._open = []
            driver = connection.connection.driver_connection if begun else None
        refused = partial(commit, connection, _REFUSED["commit"])
        reading = {name: self._reading(connection, name, driver) for name in _READ}
        self._hiding = {**_REFUSED, COMMIT: refused, **reading}
        self._tied[_OPEN] = self._open

    def __enter__(self) -> None:
        self._given.update(_REFUSED)
        self._tied.update(self._hiding)

    def __exit__(self, kind: object, *_: object) -> None:
        if not self._asynchronous and (kind is not None or not self.begun):
            self.close_open()
        for name in _REFUSED:
            self._given.pop(name, None)
        for name in self._hiding:
            self._tied.pop(name, None)

    @property
    def keeps_open(self) -> bool:
        return any(each() is not None for each in self._open or ())

    def close_open(self, *_: object) -> None:
        """Close what functions have not read to its end: SQLite would keep its locks."""
        for each in self._open or ():
            statement = each()
            if statement is not None:
                with suppress(Exception):
                    statement.cursor.close()

    def _reading(self, connection: Connection, name: str, driver: Any) -> Callable[..., Any]:
        """Read statements that were written as text, before they run, and run none where SQLite has
        rolled back, by a conflict or a trigger, what this driver had begun: it would stay without
        a record.
        """
        run = self._run_in_task if self._asynchronous else self._run
        run = partial(run, getattr(connection, name))
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
            return run(statement, *arguments, **options)

        return executed

    def _run(self, execute: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        result = execute(*arguments, **options)
        if self._open is not None and getattr(result, "cursor", None) is not None:
            # An async result that is no stream has its rows; closed it would forget them.
            cursor = result.context.cursor
            if not self._asynchronous or getattr(cursor, "server_side", False):
                self._open.append(ref(result.context))
        return result

    def _run_in_task(self, execute: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        from asyncio import current_task, get_running_loop  # here: a plain shop does without

        task, has_run = current_task(), get_running_loop().create_future()
        self.running[task] = has_run
        try:
            return self._run(execute, *arguments, **options)
        finally:
            _ = self.running.pop(task, None)
            has_run.set_result(None)


def end_reading(error: ExceptionContext) -> None:
    """A listener to `handle_error`: close what was being read by whom a task's cancellation or a
    signal stops, before its connection is closed. SQLite keeps the locks of a statement that was
    not read to its end, and SQLAlchemy and the exception hold that statement in a cycle: nobody
    could write until Python collected it."""
    if not isinstance(error.original_exception, Exception):
        others = vars(error.connection).get(_OPEN) or () if error.connection is not None else ()
        statements: tuple[Any, ...] = (error.execution_context, *(each() for each in others))
        for statement in statements:
            with suppress(BaseException):  # it would take the place of what stops it
                statement.cursor.close()
        # SQLAlchemy 2.0 has aiosqlite's cursor in a variable of its `execute` only.
        wait: Any = getattr(getattr(error.execution_context, "cursor", None), "await_", None)
        for frame, _ in walk_tb(error.original_exception.__traceback__) if wait else ():
            running = frame.f_locals.get("_cursor")
            if running is not None:
                with suppress(BaseException):
                    wait(running.close())


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
