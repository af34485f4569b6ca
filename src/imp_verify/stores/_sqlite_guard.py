"""A connection to SQLite as shops' functions get it: guarded while one runs, and out of use in a
forked child of the process that opened it."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Literal, cast
from weakref import WeakValueDictionary

from ..errors import StoreError
from ._endings import refusal

__all__ = [
    "FORKED",
    "NOWHERE",
    "Connection",
    "FileGone",
    "any_gone",
    "forsake",
    "identities",
    "inherited",
]

_COMMIT = "COMMIT /* imp_verify */"
_SETTINGS = ("synchronous", "journal_mode", "locking_mode")
FORKED = (
    "this process was forked while its parent had a connection of the store open, and SQLite would "
    "lock nothing in it: fork while no payment is being recorded, and call close() on the store "
    "first where Python is not told of the fork"
)
_GONE = (
    "the database's file, or its log, is no longer the one that was open here: {}. Was the file "
    "replaced, or copied in this process? VACUUM INTO makes a copy"
)
_NO_CHECKPOINT_ON_CLOSE = 1006  # SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, known to Python from 3.12 on
_configure = getattr(sqlite3.Connection, "setconfig", lambda *_: None)
NOWHERE = (0,)
"""The identities of what a connection has open that is closed, or that has no file at its path."""
_opened: WeakValueDictionary[tuple[int, int], Connection] = WeakValueDictionary()
"""By the process that opened it; closed ones are not in it."""
inherited: list[Connection] = []
"""SQLite keeps the books of a file's locks for the whole process. A fork copies the books and not
the locks: while a connection of the parent's stands in them, the child would open the file without
a lock, and whoever closes it elsewhere would delete the log in which the child writes."""


def forsake() -> None:
    """In a forked child: let nothing use or close what the parent had open. SQLite is not called:
    another thread of the parent may have been inside it."""
    here = os.getpid()
    theirs = [each.key for each in _opened.valuerefs() if each.key[0] != here]
    for connection in filter(None, [_opened.pop(key, None) for key in theirs]):
        inherited.append(connection)
        connection.__class__ = _Inherited


def identities(path: str, index: str) -> tuple[int, ...]:
    """Return what a file and its log's index are, whatever their names: device and number of each;
    nothing where one of them is not there."""
    try:
        file, beside = os.stat(path), os.stat(index)
    except OSError:
        return ()
    return file.st_dev, file.st_ino, beside.st_dev, beside.st_ino


def any_gone(path: str) -> bool:
    """Whether this process has a connection open to what is no longer at this path. SQLite keeps
    one view of a log for the whole process: a new connection would share that one's."""
    opened = [each for each in [reference() for reference in _opened.valuerefs()] if each]
    return any(each.path == path and each.is_gone() for each in opened)


class FileGone(StoreError):
    """Before anything was done: on another connection it can be done."""


class _Guard:
    """SQLite asks it about every statement that is prepared, by whatever way it comes. It is up
    while a shop's function runs, and sealed once the connection is ready for use."""

    __slots__ = ("_connection", "_inside", "_refused", "sealed", "up")

    def __init__(self, connection: Connection) -> None:
        self._connection: Callable[[], Connection | None] = weakref.ref(connection)
        self.up = self.sealed = False
        self._inside = False
        self._refused = ""

    def __enter__(self) -> None:
        connection = self._connection()
        self._inside = connection is not None and connection.in_transaction
        self.up = True
        self._refused = ""

    def __exit__(self, kind: object, *_: object) -> None:
        self.up = False
        connection = self._connection()
        assert connection is not None  # whoever runs a function on it holds it
        connection.forget_factories()
        if kind is None and connection.in_transaction is not self._inside:
            raise StoreError("a hook began or ended a transaction on the store's connection")

    def __call__(self, action: int, name: str | None, value: str | None, *_: str | None) -> int:
        refused = self.up and (action == sqlite3.SQLITE_TRANSACTION or self._has_ended())
        if action == sqlite3.SQLITE_PRAGMA and self.sealed and value is not None:
            # It would stay with the connection, for the payments of others.
            refused = refused or str(name).lower() in _SETTINGS
        if refused:
            self._refused = f"{name}"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    def explain(self, error: sqlite3.Error) -> None:
        """Note in an error of SQLite's, which says "not authorized" only, what was refused."""
        if self._refused:
            error.add_note(str(refusal(self._refused)))
        self._refused = ""

    def _has_ended(self) -> bool:
        """Whether the transaction was rolled back under the hook, by a table's conflict clause for
        one: what it would write now would stay, without a record."""
        connection = self._connection()
        return self._inside and connection is not None and not connection.in_transaction

    def refuse_ended(self) -> None:
        """Refuse to a hook what it would do after that."""
        if self.up and self._has_ended():
            raise StoreError(
                "the store's transaction was rolled back under the hook, by a conflict clause or a "
                "trigger: nothing is kept of this payment, and nothing more can be done for it"
            )


class _Cursor(sqlite3.Cursor):
    """Asks before each statement, because SQLite does not ask again about one that the connection
    has prepared before."""

    def execute(self, *statement: Any) -> _Cursor:
        """Run a statement; refused to a hook whose transaction is gone."""
        self._look()
        try:
            return super().execute(*statement)
        except sqlite3.DatabaseError as error:
            cast(Connection, self.connection).guard.explain(error)
            raise

    def executemany(self, sql: str, rows: Iterable[Any], /) -> _Cursor:
        """Run a statement for each row; what makes the rows may end the transaction."""
        self._look()
        return super().executemany(sql, map(self._look, rows))

    def _look(self, row: Any = None) -> Any:
        connection: Any = self.connection
        if not connection.in_transaction:
            connection.guard.refuse_ended()
        return row


_make_cursor = sqlite3.Connection.cursor
_execute = sqlite3.Cursor.execute


class Connection(sqlite3.Connection):
    """A connection whose transaction belongs to the store: a hook can neither end nor leave it.

    The store itself ends it with `commit_now` and `rollback` only. An `execute("COMMIT")` of its
    own would stay in the cache of prepared statements, where a hook's would find it, unasked.
    """

    path = log = index = ""
    """The database's file, its write-ahead log and the log's index; where there is no log, the file
    again. SQLite deletes log and index together."""
    identities: tuple[int, ...] | None = None
    """Device and number of file and index as they were opened; None before the connection is
    ready."""
    run = sqlite3.Connection.execute
    """For the store's own statements, which need no leave and no time for asking."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._key = (os.getpid(), id(self))
        _opened[self._key] = self  # first: the process may be forked while this opens
        super().__init__(*arguments, **options)
        self._cursors: list[weakref.ref[sqlite3.Cursor]] = []
        self.guard = _Guard(self)
        """Run a shop's function inside: it may read and write, and the transaction is open as
        before when it returns."""
        self.set_authorizer(self.guard)

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        """Run a statement of the shop's. It asks here and not in the cursor, because two calls less
        are felt in every payment."""
        if not self.in_transaction:
            self.guard.refuse_ended()
        cursor = _make_cursor(self, _Cursor)
        self._cursors.append(weakref.ref(cursor))
        try:
            return _execute(cursor, *statement)
        except sqlite3.DatabaseError as error:
            self.guard.explain(error)
            raise

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        """Run a statement of the shop's for each row."""
        cursor: _Cursor = self.cursor()
        return cursor.executemany(*statement)

    def cursor(self, factory: Any = _Cursor) -> Any:
        """Give a cursor that asks; in a hook no other kind."""
        if factory is not _Cursor:
            self._refuse("a cursor of another kind")
        cursor = super().cursor(factory)
        self._cursors.append(weakref.ref(cursor))
        return cursor

    def close_cursors(self) -> None:
        """Close what shops' functions have not read to its end. While an exception or a list of
        theirs holds it, the connection sees the database as it was, and cannot begin to write once
        others have written; and closed it would stay open."""
        for reference in self._cursors:
            cursor = reference()
            if cursor is not None:
                with suppress(sqlite3.Error):
                    cursor.close()
        self._cursors.clear()

    def blobopen(self, *place: Any, **options: Any) -> sqlite3.Blob:
        """Open a value to write into it."""
        if not self.in_transaction:
            self.guard.refuse_ended()
        return super().blobopen(*place, **options)

    @property
    def is_as_made(self) -> bool:
        """Whether no hook has changed how it commits; then the next transaction may have it."""
        return self.isolation_level is None and getattr(self, "autocommit", -1) == -1

    def forget_factories(self) -> None:
        """Read rows as made again, whatever a shop's function has set."""
        self.row_factory = None
        self.text_factory = str

    def _refuse(self, what: str) -> None:
        if self.guard.up:
            raise refusal(what)

    def is_gone(self) -> bool:
        """Whether file or log at the path are no longer those that it has open: what it writes
        would be in nobody's file. (Whoever opens and closes a database's file takes all locks of
        his process away with it, and then another process deletes the log: POSIX has it so.)

        A `stat` of the log itself would cost the next commit as much as the rest of the payment:
        the file system then notes exactly when the log was written. So its index stands for it.
        """
        known = self.identities
        return known is not None and known != identities(self.path, self.index)

    def wait_for_others(self, seconds: float) -> None:
        """Wait so long for another writer from now on."""
        self.run(f"PRAGMA busy_timeout = {max(0, round(seconds * 1000))}")

    def begin(self) -> None:
        """Begin, alone among all writers from here on. Whoever lent it rolls back what is not
        committed.

        Raises:
            FileGone: It is to be begun on another connection.
        """
        try:
            self.run("BEGIN IMMEDIATE")
        except sqlite3.Error:
            if not self.is_gone():
                raise
        if self.is_gone():
            raise FileGone(_GONE.format("nothing was recorded"))

    def commit_now(self) -> None:
        """Commit by a statement that stays prepared; no hook writes it like this.

        Raises:
            StoreError: The log went since it began.
        """
        if self.log and not os.access(self.log, os.F_OK):
            self.identities = NOWHERE
            raise StoreError(_GONE.format("nothing was recorded"))
        self.run(_COMMIT)

    def commit(self) -> None:
        """Commit; refused inside a hook."""
        self._refuse("commit()")
        super().commit()

    def rollback(self) -> None:
        """Roll back; refused inside a hook, which raises an error instead."""
        self._refuse("rollback()")
        super().rollback()

    def close(self) -> None:
        """Close; refused inside a hook."""
        self._refuse("close()")
        self.close_cursors()
        if self._key in _opened and self.is_gone():
            # Or SQLite would write what it has in its log over a file that others have written to,
            # and delete their log. (Python can say so from 3.12 on.)
            _configure(self, _NO_CHECKPOINT_ON_CLOSE, True)
        self.identities = NOWHERE
        super().close()
        _ = _opened.pop(self._key, None)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Run a script, which commits first; refused inside a hook."""
        self._refuse("executescript()")
        return super().executescript(sql_script)

    def __enter__(self) -> Connection:
        """`with db:` in a hook is a part of the store's transaction: kept with it, or undone alone
        where it fails."""
        if not self.guard.up:
            return super().__enter__()
        self.execute("SAVEPOINT imp_verify_with")
        return self

    def __exit__(self, *error: Any) -> Literal[False]:
        if not self.guard.up:
            return super().__exit__(*error)
        if error[0] is not None:
            self.execute("ROLLBACK TO imp_verify_with")
        self.execute("RELEASE imp_verify_with")
        return False


class _Inherited(Connection):
    """What a connection becomes in a forked child, also in the hands of a hook that forked."""

    def __getattribute__(self, name: str) -> Any:
        raise StoreError(FORKED)
