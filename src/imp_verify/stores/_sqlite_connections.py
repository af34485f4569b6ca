"""Connections to one SQLite file: borrowed by one thread at a time, never carried across a fork,
guarded in hooks."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal

from ..errors import ConfigurationError, StoreError

__all__ = ["Connection", "Connections"]

_IDLE = 8
_COMMIT = "COMMIT /* imp_verify */"
_inherited: list[deque[Connection]] = []
"""A forked child must neither use nor close its parent's connections: closing would drop the
parent's locks."""


class _Guard:
    """SQLite asks it about every statement that is prepared, by whatever way it comes. It is up
    while a shop's function runs."""

    __slots__ = ("_connection", "_inside", "up")

    def __init__(self, connection: Connection) -> None:
        self._connection: Callable[[], Connection | None] = weakref.ref(connection)
        self.up = False
        self._inside = False

    def __enter__(self) -> None:
        connection = self._connection()
        self._inside = connection is not None and connection.in_transaction
        self.up = True

    def __exit__(self, kind: object, *_: object) -> None:
        self.up = False
        connection = self._connection()
        assert connection is not None  # whoever runs a function on it holds it
        connection.forget_factories()
        if kind is None and connection.in_transaction is not self._inside:
            raise StoreError("a hook began or ended a transaction on the store's connection")

    def __call__(self, action: int, *names: str | None) -> int:
        refused = self.up and (action == sqlite3.SQLITE_TRANSACTION or self._has_ended())
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    def _has_ended(self) -> bool:
        """Whether the transaction was rolled back under the hook, by a table's conflict clause for
        one: what it would write now would stay, without a record."""
        connection = self._connection()
        return self._inside and connection is not None and not connection.in_transaction


class Connection(sqlite3.Connection):
    """A connection whose transaction belongs to the store: a hook can neither end nor leave it.

    The store itself ends it with `commit_now` and `rollback` only. An `execute("COMMIT")` of its
    own would stay in the cache of prepared statements, where a hook's would find it, unasked.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.guard = _Guard(self)
        """Run a shop's function inside: it may read and write, and the transaction is open as
        before when it returns."""
        self.set_authorizer(self.guard)

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
            raise StoreError(
                f"{what} is not for a hook: the store commits its work together with the record"
            )

    def begin(self) -> None:
        """Begin, alone among all writers from here on. Whoever lent it rolls back what is not
        committed."""
        self.execute("BEGIN IMMEDIATE")

    def commit_now(self) -> None:
        """Commit by a statement that stays prepared; no hook writes it like this."""
        self.execute(_COMMIT)

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
        super().close()

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


class Connections:
    """Opens connections to a file as they are needed and keeps a few idle ones."""

    def __init__(
        self, path: str | os.PathLike[str], busy_timeout: float, tables: Mapping[str, str]
    ) -> None:
        self._path = os.fspath(path)  # made absolute below: a process may change its directory
        if not isinstance(self._path, str) or self._path in ("", ":memory:") or "\0" in self._path:
            raise ConfigurationError(
                "SqliteStore needs a file; MemoryStore keeps its records in memory"
            )
        self._path = os.path.abspath(self._path)
        self._busy_timeout = busy_timeout
        self._tables = tables
        self._lock = threading.Lock()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[Connection] = deque()
        self._ready = False
        weakref.finalize(self, _close_all, self._idle, self._pid)

    def borrow(self) -> AbstractContextManager[Connection]:
        """Lend a connection, and take it back."""
        return _Loan(self)

    def take(self) -> Connection:
        """Give an idle connection without an open transaction, or a new one."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    _inherited.append(self._idle)
                    self._start_afresh()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def give_back(self, connection: Connection) -> None:
        """Roll back whatever is left open on it, and keep it for the next one."""
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
        _close_all(self._idle, self._pid)

    def _open(self) -> Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout,
            isolation_level=None,  # every transaction is begun and ended by the store
            check_same_thread=False,  # one thread at a time, but not always the same
            factory=Connection,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            if not self._ready:
                self._prepare(connection)
                self._ready = True
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection) -> None:
        """Switch to WAL, which does not itself wait for the busy time-out, and make the tables."""
        end = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
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
            connection.commit_now()


class _Loan:
    """Not a generator: one is made for every payment."""

    __slots__ = ("_connection", "_connections")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __enter__(self) -> Connection:
        self._connection = self._connections.take()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connections.give_back(self._connection)


def _close_all(idle: deque[Connection], pid: int) -> None:
    if pid != os.getpid():
        return
    while idle:
        idle.pop().close()
