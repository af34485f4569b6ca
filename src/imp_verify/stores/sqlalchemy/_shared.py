"""The store's transaction on the session that the shop's own code has here: a `scoped_session`,
Flask-SQLAlchemy's `db.session` for example."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, scoped_session
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.util import ThreadLocalRegistry

from ...errors import StoreError

__all__ = ["is_of_a_thread", "lend", "watch"]

S = TypeVar("S", bound=Session)
_WRITTEN = "imp_verify_written"
"""Under this name a session has what it has sent in the transaction that is open: flushed objects,
or SQL of its own."""
_READS = re.compile(r"\s*(?:select|with|show|explain|pragma|set)\b", re.IGNORECASE)
_PENDING = (
    "the shop's session holds work that was not committed ({}), and the store records a payment in "
    "a transaction of its own: commit or roll it back before the payment is verified"
)
_NO_SESSION = (
    "the scoped_session has no session here ({}): call the verifier where the shop's own code "
    "would get one, inside `with app.app_context():` for example"
)


def watch(scope: scoped_session[S]) -> None:
    """Have its sessions note what they have written and not committed: they forget it."""
    event.listen(scope, "after_flush", _note_flush)
    event.listen(scope, "do_orm_execute", _note_statement)
    event.listen(scope, "after_transaction_end", _forget)


def _note_flush(session: Session, _: object) -> None:
    session.info[_WRITTEN] = "flushed"


def _note_statement(state: ORMExecuteState) -> None:
    statement = state.statement
    if isinstance(statement, TextClause):
        writes = _READS.match(statement.text) is None
    else:
        writes = state.is_insert or state.is_update or state.is_delete
    if writes:
        state.session.info[_WRITTEN] = "sent as SQL"


def _forget(session: Session, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session.info.pop(_WRITTEN, None)


def is_of_a_thread(scope: scoped_session[S]) -> bool:
    """Whether each thread has a session of its own, whatever context it runs in."""
    return isinstance(scope.registry, ThreadLocalRegistry)


@contextmanager
def lend(scope: scoped_session[S]) -> Iterator[S]:
    """Lend the session of this scope, with nothing begun; what is not committed then is rolled
    back, and the shop may go on with it.

    Raises:
        StoreError: There is none here, or it holds work of the shop's.
    """
    try:
        session = scope()
    except Exception as error:
        raise StoreError(_NO_SESSION.format(str(error).partition("\n")[0])) from error
    _end_reading(session)
    try:
        yield session
    finally:
        session.rollback()


def _end_reading(session: Session) -> None:
    """Roll back what the session has only read, and have it read again what it has in hand: an
    order that it remembers may have been changed since."""
    pending = Counter(
        f"{state} {type(each).__name__}"
        for state, all_ in (
            ("new", session.new),
            ("changed", session.dirty),
            ("deleted", session.deleted),
        )
        for each in all_
    )
    if session.in_transaction() and _WRITTEN in session.info:
        pending[session.info[_WRITTEN]] += 1
    if pending:
        raise StoreError(_PENDING.format(", ".join(sorted(pending))))
    session.rollback()
    session.expire_all()
