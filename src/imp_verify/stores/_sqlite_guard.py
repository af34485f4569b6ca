"""What no function of a shop may do on a SqliteStore's connection: begin or end a transaction."""

from __future__ import annotations

import sqlite3
from typing import Literal

from ..errors import StoreError
from ._endings import refusal

__all__ = ["Guard", "GuardedConnection"]


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


class GuardedConnection(sqlite3.Connection):
    """A connection whose transaction belongs to the store. It commits by a statement that no hook
    writes: SQLite does not ask again about one that the connection has prepared before."""

    failed = False
    """Whether an error came from it or passed it: then nobody gets it again. Results that were not
    read to their end, which the error may hold, would keep it where the file was then."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.authorizer = _Authorizer()
        self.set_authorizer(self.authorizer)

    def _refuse(self, what: str) -> None:
        if self.authorizer.up:
            raise refusal(what)

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

    def __enter__(self) -> GuardedConnection:
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

    def __init__(self, connection: GuardedConnection) -> None:
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
            error.add_note(str(refusal(refused)))  # SQLite says "not authorized" only
