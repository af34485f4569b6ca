"""Connections to one SQLite file: borrowed by one thread at a time, never carried across a fork,
and thrown away where the file at the path is another one by now; and what no function of a shop may
do on one, which is to begin or end a transaction."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Literal
from weakref import WeakValueDictionary

from ..errors import ConfigurationError, StoreError
from ._ending_sql import not_for_a_hook

__all__ = ["Connection", "Connections", "FileGone", "Guard"]

_IDLE = 8
_THROWN_AWAY = (
    "the database's file %s, or its log, is no longer the one that was open here; it is opened "
    "again. Was the file copied in this process, or replaced, or a store's connection closed?"
)
_STILL_OPEN = (
    "something else in this process has {} open from before its file or its log was replaced, so "
    "that no lock of this process holds: payments are recorded again once it is closed"
)
_FORKED = (
    "this process was forked while its parent had a connection of the store open, and SQLite would "
    "lock nothing in it: fork while no payment is being recorded, and call close() on the store "
    "first where Python is not told of the fork"
)
_GONE = (
    "the database's file, or its log, is no longer the one that was open here: {}. Was the file "
    "replaced, or copied in this process? VACUUM INTO makes a copy"
)
_COMMIT = "COMMIT /* imp_verify */"
_NO_CHECKPOINT_ON_CLOSE = 1006  # SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, known to Python from 3.12 on
_configure = getattr(sqlite3.Connection, "setconfig", lambda *_: None)
_NOWHERE = (0, 0)
"""The identity of what is not there; a connection that is closed has no other."""
_log = logging.getLogger("imp_verify")


class FileGone(StoreError):
    """Before anything was done: on another connection it can be done."""


class _Authorizer:
    """SQLite asks it about every statement that is prepared, by whatever way it comes."""

    __slots__ = ("refused", "up")

    def __init__(self) -> None:
        self.up = False
        self.refused = ""

    def __call__(self, action: int, name: str | None, *_: str | None) -> int:
        if not self.up or action != sqlite3.SQLITE_TRANSACTION:
            return sqlite3.SQLITE_OK
        self.refused = str(name)
        return sqlite3.SQLITE_DENY


class Connection(sqlite3.Connection):
    """A connection that knows which file it has open, and whose transaction belongs to the store.
    It commits by a statement that no hook writes: SQLite does not ask again about one that the
    connection has prepared before."""

    failed = False
    """Whether an error came from it or passed it: then nobody gets it again. Results that were not
    read to their end, which the error may hold, would keep it where the file was then."""

    path = log = index = ""
    """The database's file, its write-ahead log and the log's index; where there is no log, the file
    again. SQLite deletes log and index together."""
    identities: tuple[int, ...] | None = None
    """Device and number of file and index as they were opened; None before the connection is
    ready."""

    def __init__(self, *arguments: object, **options: object) -> None:
        self._key = (os.getpid(), id(self))
        _opened[self._key] = self  # first: the process may be forked while this opens
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.authorizer = _Authorizer()
        self.set_authorizer(self.authorizer)

    def is_gone(self) -> bool:
        """Whether file or log at the path are no longer those that it has open: what it writes
        would be in nobody's file. (Whoever opens and closes a database's file takes all locks of
        his process away with it, and then another process deletes the log: POSIX has it so.)

        A `stat` of the log itself would cost the next commit as much as the rest of the payment:
        the file system then notes exactly when the log was written. So its index stands for it.
        """
        known = self.identities
        return known is not None and known != _identities(self.path, self.index)

    def _log_is_gone(self) -> bool:
        """The same of the log alone. Somebody may have deleted it and left its index."""
        known = self.identities
        other = known is None or known[2:] != _identity(self.index)
        return other or not os.access(self.log, os.F_OK)

    def wait_for_others(self, seconds: float) -> None:
        """Wait so long for another writer from now on."""
        self.execute(f"PRAGMA busy_timeout = {max(0, round(seconds * 1000))}")

    def begin(self) -> None:
        """Begin, alone among all writers from here on. Whoever lent it rolls back what is not
        committed.

        Raises:
            FileGone: It is to be begun on another connection.
        """
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            if not self.is_gone():
                self.failed = True
                raise
        if self.is_gone():
            raise FileGone(_GONE.format("nothing was recorded"))

    def commit_now(self) -> None:
        """Commit by a statement that stays prepared; no hook writes it like this.

        Raises:
            StoreError: The log went since it began; there may be another by now, of another
                process's.
        """
        if self._log_is_gone():
            self.identities = _NOWHERE
            raise StoreError(_GONE.format("nothing was recorded"))
        self.execute(_COMMIT)

    def _refuse(self, what: str) -> None:
        if self.authorizer.up:
            raise not_for_a_hook(what)

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
        if self._key in _opened and self.is_gone():
            # Or SQLite would write what it has in its log over a file that others have written to,
            # and delete their log. (Python can say so from 3.12 on.)
            _configure(self, _NO_CHECKPOINT_ON_CLOSE, True)
        super().close()
        self.identities = _NOWHERE
        _opened.pop(self._key, None)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Run a script, which commits first; refused inside a hook."""
        self._refuse("executescript()")
        return super().executescript(sql_script)

    def __enter__(self) -> Connection:
        """`with db:` in a hook is a part of the store's transaction: kept with it, or undone alone
        where it fails."""
        if not self.authorizer.up:
            return super().__enter__()
        self.execute("SAVEPOINT imp_verify_with")
        return self

    def __exit__(self, *error: object) -> Literal[False]:
        if not self.authorizer.up:
            return super().__exit__(*error)  # type: ignore[arg-type]
        if error[0] is not None:
            self.execute("ROLLBACK TO imp_verify_with")
        self.execute("RELEASE imp_verify_with")
        return False

    @property
    def is_as_made(self) -> bool:
        """Whether the next transaction may have it: it did not fail, and no function of a shop has
        changed how it commits."""
        commits_as_made = self.isolation_level is None and getattr(self, "autocommit", -1) == -1
        return commits_as_made and not self.failed

    def forget_factories(self) -> None:
        """Read rows as made again, whatever a shop's function has set."""
        self.row_factory = None
        self.text_factory = str


class Guard:
    """A shop's function runs inside. It may read and write; where a transaction was open it is
    open still when the function returns, and where none was there is none."""

    __slots__ = ("_connection", "_inside")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._inside = self._connection.in_transaction
        authorizer = self._connection.authorizer
        authorizer.up, authorizer.refused = True, ""

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        connection = self._connection
        connection.authorizer.up = False
        connection.forget_factories()
        if error is None and connection.in_transaction is self._inside:
            return
        connection.failed = True
        if error is None:
            raise StoreError("a hook began or ended a transaction on the store's connection")
        refused = connection.authorizer.refused
        if refused and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
            error.add_note(str(not_for_a_hook(refused)))  # SQLite says "not authorized" only


_opened: WeakValueDictionary[tuple[int, int], Connection] = WeakValueDictionary()
"""By the process that opened it; closed ones are not in it."""
_inherited: list[Connection] = []
"""SQLite keeps the books of a file's locks for the whole process. A fork copies the books and not
the locks: while a connection of the parent's stands in them, the child would open the file without
a lock, and whoever closes it elsewhere would delete the log in which the child writes."""


def _forsake() -> None:
    """In a forked child: let nothing close what the parent had open. SQLite is not called: another
    thread of the parent may have been inside it."""
    here = os.getpid()
    theirs = [each.key for each in _opened.valuerefs() if each.key[0] != here]
    _inherited.extend(filter(None, [_opened.pop(key, None) for key in theirs]))


def _identities(path: str, index: str) -> tuple[int, ...]:
    """Return what a file and its log's index are, whatever their names: device and number of
    each."""
    return _identity(path) + _identity(index)


def _identity(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return _NOWHERE
    return found.st_dev, found.st_ino


def _any_gone(path: str) -> bool:
    """Whether this process has a connection open to what is no longer at this path. SQLite keeps
    one view of a log for the whole process: a new connection would share that one's."""
    opened = [each for each in [reference() for reference in _opened.valuerefs()] if each]
    return any(each.path == path and each.is_gone() for each in opened)


class Connections:
    """Opens connections to a file as they are needed and keeps a few idle ones.

    Args:
        tables: What makes each table or index that is missing, by its name.
        take_up: Adds what older tables lack, in the transaction in which the missing ones are made.

    Attributes:
        busy_timeout: Seconds that each of them waits for another writer.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        busy_timeout: float,
        tables: Mapping[str, str],
        take_up: Callable[[Connection], None],
    ) -> None:
        self._path = os.fspath(path)  # made absolute below: a process may change its directory
        if not isinstance(self._path, str) or self._path in ("", ":memory:") or "\0" in self._path:
            raise ConfigurationError(
                "SqliteStore needs a file; MemoryStore keeps its records in memory"
            )
        self._path = os.path.abspath(self._path)
        self.busy_timeout = busy_timeout
        self._tables = tables
        self._take_up = take_up
        self.renew_lock()
        self._start_afresh()
        _living[id(self)] = self

    def renew_lock(self) -> None:
        """Another thread may have held it when the process was forked."""
        self._lock = threading.Lock()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[Connection] = deque()
        self._was_there = False
        weakref.finalize(self, _close_all, self._idle, self._pid)

    def borrow(self) -> AbstractContextManager[Connection]:
        """Lend a connection, and take it back."""
        return _Loan(self)

    def take(self) -> Connection:
        """Return an idle connection without an open transaction, or a new one. It may be that its
        file is gone: `begin` says so."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    _forsake()
                    self._start_afresh()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def take_good(self) -> Connection:
        """The same, but for one whose file is gone, which is thrown away."""
        connection = self.take()
        if not connection.is_gone():
            return connection
        _log.warning(_THROWN_AWAY, self._path)
        connection.close()
        return self._open()

    def give_back(self, connection: Connection) -> None:
        """Roll back whatever is left open on it, and keep it for the next one, unless it failed."""
        try:
            if connection.in_transaction:
                connection.rollback()
        except sqlite3.Error:
            # Closed by what a hook returned, or of no more use. Closing undoes what is open just
            # as well, and what was committed before is the answer still.
            connection.close()
            return
        connection.forget_factories()
        if connection.is_as_made and len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._was_there = False
        self._close_idle()

    def _close_idle(self) -> None:
        _close_all(self._idle, self._pid)

    def _open(self) -> Connection:
        if _inherited:
            raise StoreError(_FORKED)
        self._wait_for_those_gone()
        try:
            connection = sqlite3.connect(
                self._path,
                timeout=self.busy_timeout,
                isolation_level=None,  # every transaction is begun and ended by the store
                check_same_thread=False,  # one thread at a time, but not always the same
                factory=Connection,
            )
        except sqlite3.Error as error:
            error.add_note(f"the store's file is {self._path}")
            raise
        try:
            connection.execute("PRAGMA synchronous = FULL")
            mode = self._prepare(connection)
            self._identify(connection, mode)
            self._was_there = True
        except BaseException:
            connection.close()
            raise
        return connection

    def _wait_for_those_gone(self) -> None:
        """Wait until this process has let go of what is no longer at the path.

        Raises:
            StoreError: That takes too long; or the file is gone, and a new one, empty, would be in
                the way of whoever puts it back.
        """
        if self._was_there and not os.path.exists(self._path):
            raise StoreError(f"the database file is gone: {self._path}")
        end = time.monotonic() + self.busy_timeout
        while _any_gone(self._path):
            for each in _all_living():
                if each._path == self._path:
                    each._close_idle()
            if time.monotonic() > end:
                raise StoreError(_STILL_OPEN.format(self._path))
            time.sleep(0.001)

    def _identify(self, connection: Connection, mode: str) -> None:
        """Note which file and log it has, and prove it.

        Raises:
            StoreError: It has others than those at the path.
        """
        path = self._path
        real = os.path.realpath(path)  # SQLite puts the log beside what a link leads to
        log, index = (f"{real}-wal", f"{real}-shm") if mode == "wal" else (path, path)
        connection.path, connection.log, connection.index = path, log, index
        connection.identities = _identities(path, index)
        if not _has_open(connection.identities, _identities(path, log)):
            connection.identities = _NOWHERE
            raise StoreError(_STILL_OPEN.format(path))

    def _prepare(self, connection: Connection) -> str:
        """Switch to WAL, which does not itself wait for the busy time-out, and make the tables. It
        is done for each connection, because the file may be another one now. Give the mode."""
        end = time.monotonic() + self.busy_timeout
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(random.uniform(0.001, 0.02))
        names = ", ".join(f"'{name}'" for name in self._tables)
        present = connection.execute(
            f"SELECT count(*) FROM sqlite_master WHERE name IN ({names})"
        ).fetchone()
        if present[0] < len(self._tables):
            connection.begin()
            for statement in self._tables.values():
                connection.execute(statement)
            self._take_up(connection)
            connection.execute(_COMMIT)
        return str(mode)


def _has_open(*files: tuple[int, ...]) -> bool:
    """Whether this process has these files open; True where the platform does not tell."""
    try:
        numbers = os.listdir("/dev/fd")
    except OSError:
        return True
    opened: set[tuple[int, int]] = set()
    for number in numbers:
        with suppress(OSError):  # closed meanwhile
            found = os.fstat(int(number))
            opened.add((found.st_dev, found.st_ino))
    return all({each[:2], each[2:]} <= opened for each in files)


class _Loan:
    """Not a generator: one is made for every payment."""

    __slots__ = ("_connection", "_connections")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __enter__(self) -> Connection:
        self._connection = self._connections.take_good()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connections.give_back(self._connection)


def _close_all(idle: deque[Connection], pid: int) -> None:
    if pid != os.getpid():
        return
    with suppress(IndexError):  # not by its length: another thread may take the last one meanwhile
        while True:
            idle.pop().close()


_living: WeakValueDictionary[int, Connections] = WeakValueDictionary()


def _all_living() -> list[Connections]:
    """Not by iteration: other threads may make stores meanwhile."""
    return [each for each in [reference() for reference in _living.valuerefs()] if each]


def _before_fork() -> None:
    """A child can use the file only where its parent has it not open; see `_inherited`. The parent
    opens it again when it needs it."""
    for connections in _all_living():
        connections.close()


def _begin_child() -> None:
    _forsake()
    for connections in _all_living():
        connections.renew_lock()


getattr(os, "register_at_fork", lambda **_: None)(before=_before_fork, after_in_child=_begin_child)
