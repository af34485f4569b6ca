"""The store for plain callers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, Unpack, overload

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ...errors import ConfigurationError
from ...models import ExpectedPayment, Outcome, Receipt, Settled
from .._facts import StoreFacts
from .._hooks import Expectation, Functions, Holder, HookArguments, run_afterwards
from .._ledger import Due, Run
from .._open import outside_transactions, transaction_is_open
from .._protocol import Expected
from .._recording import ReadyStore, check_lock_timeout
from .._rows import Loaded, Recorded, Rows
from ._shared import is_of_a_thread, lend, watch
from ._statements import details
from ._transaction import (
    TWO_PHASES,
    Reading,
    Retries,
    Transaction,
    awaits,
    create_tables,
    due_of,
    dues_after,
    prepare,
    receipts_of,
    waiting_in,
    was_paid,
)

__all__ = ["SqlAlchemyStore"]

S = TypeVar("S", bound=Session)
T = TypeVar("T")


class SqlAlchemyStore(ReadyStore[Transaction]):
    """Keeps orders and receipts in the shop's own database (PostgreSQL, MySQL, MariaDB or SQLite),
    in the five tables of `metadata`.

    Any number of processes on any number of machines may share it. What a hook writes through its
    connection or session commits together with the record, or not at all.

    Args:
        source: An `Engine`, then the functions get a `Connection`; or a `sessionmaker`, then they
            get a `Session` of the store's own; or a `scoped_session` (Flask-SQLAlchemy's
            `db.session`), then they get the session that the shop's own code has in this request or
            thread. A verification takes one connection at a time from the pool, and none while the
            gateway is asked.
        expected: `expected(merchant_uid, transaction)` says what an order asks for:
            `ExpectedPayment(row.number, row.total, open=row.state == "new")`, with the row's own
            number and its state.
        hold: `hold(expected, imp_uid, transaction)` says why a payment may not be approved; what it
            did is then undone.
        lock_timeout: Seconds that anything in the store's transactions waits for a row lock, then
            the delivery is given back as trouble; on MySQL and MariaDB whole seconds. On SQLite the
            driver's own `timeout` is the limit.
        hooks: `on_paid` and the others, each `hook(outcome, transaction)`, inside the transaction.
            What a hook returns, if it is a function, is called after the commit, when the
            connection is back in its pool.

    Raises:
        ConfigurationError: A function is missing, a coroutine, or of an unknown name; or the source
            is of another kind, for another database, or without connections of its own.
    """

    _engine: Engine | None = None
    _has_begun = False
    _of_a_request = False

    @overload
    def __init__(
        self,
        source: Engine,
        *,
        expected: Expectation[Connection],
        hold: Holder[Connection] | None = None,
        lock_timeout: float = 5.0,
        **hooks: Unpack[HookArguments[Connection]],
    ) -> None: ...

    @overload
    def __init__(
        self,
        source: sessionmaker[S] | scoped_session[S],
        *,
        expected: Expectation[S],
        hold: Holder[S] | None = None,
        lock_timeout: float = 5.0,
        **hooks: Unpack[HookArguments[S]],
    ) -> None: ...

    def __init__(
        self,
        source: Any,
        *,
        expected: Expectation[Any],
        hold: Holder[Any] | None = None,
        lock_timeout: float = 5.0,
        **hooks: Any,
    ) -> None:
        self._functions: Functions[Any] = Functions(expected, hold, hooks)
        self._lock_timeout = check_lock_timeout(lock_timeout)
        self._lend: Callable[[], AbstractContextManager[Any]]
        if isinstance(source, Engine):
            prepare(source)
            self._engine, self._lend = source, source.connect
        elif isinstance(source, sessionmaker):
            check_sessions(source.kw)
            self._lend = source
        elif isinstance(source, scoped_session):
            self._share(source)
        else:
            raise ConfigurationError(
                "SqlAlchemyStore takes an Engine, a sessionmaker or a scoped_session, "
                f"not {type(source).__name__}{_hint(source)}"
            )

    def _share(self, source: scoped_session[Any]) -> None:
        check_sessions(getattr(source.session_factory, "kw", {}))
        watch(source)
        self._lend = partial(lend, source)
        self._of_a_request = not is_of_a_thread(source)

    def own_thread(self) -> AbstractContextManager[object] | None:
        """See `stores._bridge.own_thread`: a session that belongs to a request, and not to its
        thread, is used in that thread only."""
        return None if self._of_a_request else nullcontext()

    def create_all(self) -> None:
        """Make the tables that are missing, and what those of an older release lack; any number of
        processes may do so at once."""
        self._repeat(lambda handle, _: create_tables(handle))

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`: a plain read."""

        def ask(handle: Any, retries: Retries) -> Expected:
            with transaction_is_open():
                retries.under_way = reading = Reading(handle, self._lock_timeout)
                try:
                    reading.begin()
                    with reading.guard:
                        return self._functions.expected(merchant_uid, handle)  # type: ignore[no-any-return]
                finally:
                    reading.end()

        return self._repeat(ask)

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        return self._repeat(lambda handle, _: receipts_of(handle, imp_uids))

    def paid(self, merchant_uid: str) -> bool:
        """See `ReadyStore.paid`."""
        return self._repeat(lambda handle, _: was_paid(handle, merchant_uid))

    def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """See `ReadyStore.awaits_deposit`."""
        return self._repeat(lambda handle, _: awaits(handle, merchant_uid, now))

    def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""
        return self._repeat(lambda handle, _: due_of(handle, imp_uid))

    def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""
        return self._repeat(lambda handle, _: dues_after(handle, after, limit))

    def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""
        return self._repeat(lambda handle, _: waiting_in(handle, due_from, due_to, after, limit))

    def facts(self) -> StoreFacts:
        """Tell about the database, for `imp-verify doctor`.

        Raises:
            StoreError: The store would refuse it for each payment too; the text says why.
        """
        return self._in_transaction(lambda transaction: (False, transaction.facts()))

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""

        def hold(transaction: Transaction) -> tuple[bool, str | None]:
            return self._hold_in(transaction, expected, imp_uid)

        return self._transact(hold)

    def _record_once(self, outcome: Outcome, *, refused: bool = False) -> Settled | None:
        def work(transaction: Transaction) -> tuple[bool, Recorded]:
            recorded = self._record_in(transaction, outcome, refused=refused)
            return recorded.keep, recorded

        recorded = self._transact(work)
        run_afterwards(recorded.afterwards, outcome)
        return recorded.settled

    def _load(self, transaction: Transaction, imp_uid: str, merchant_uid: str | None) -> Loaded:
        return transaction.load(imp_uid, merchant_uid)

    def _save(self, transaction: Transaction, rows: Rows) -> None:
        transaction.save(rows)

    def _run(
        self, transaction: Transaction, function: Callable[..., Any], *arguments: object
    ) -> Any:
        with transaction.guard:
            return function(*arguments, transaction.handle)

    def _load_run(self, transaction: Transaction, account: str) -> Run:
        return transaction.load_run(account)

    def _save_run(self, transaction: Transaction, run: Run) -> None:
        transaction.save_run(run)

    def _will_run_hook(self, transaction: Transaction) -> None:
        transaction.will_run_hook()

    def _details(self, outcome: Outcome) -> Sequence[object]:
        return details(outcome)

    def _borrow(self) -> AbstractContextManager[Any]:
        if self._engine is not None:
            prepare(self._engine)
        return self._lend()

    def _transact(self, work: Callable[[Transaction], tuple[bool, T]]) -> T:
        """Run `work` in a transaction; commit where it says so. Before the first one it is noted
        when the store began: tables that a migration made do not say so. By itself, for who waits
        for an order's row must not keep others waiting for that one."""
        if not self._has_begun:
            self._in_transaction(lambda transaction: (True, transaction.load_run("")))
            self._has_begun = True
        return self._in_transaction(work)

    def _in_transaction(self, work: Callable[[Transaction], tuple[bool, T]]) -> T:

        def run(handle: Any, retries: Retries) -> T:
            with transaction_is_open():
                retries.under_way = transaction = Transaction(handle, self._lock_timeout)
                try:
                    transaction.begin()
                    keep, answer = work(transaction)
                    if keep:
                        transaction.commit()
                    return answer
                finally:
                    transaction.end()

        return self._repeat(run)

    def _repeat(self, work: Callable[[Any, Retries], T]) -> T:
        """Run `work` on a connection or session. It is run again where others were in the way or
        the connection was dead, from the start and on a connection borrowed anew."""
        outside_transactions()
        retries = Retries()
        while True:
            retries.under_way = None
            try:
                with self._borrow() as handle:
                    return work(handle, retries)
            except Exception as error:
                if not retries.again(error):
                    raise
            time.sleep(retries.pause)


def check_sessions(options: Mapping[str, Any]) -> None:
    """Check how a session factory makes its sessions, as far as it says so by now.

    Raises:
        ConfigurationError: They commit in two phases, or are bound to what the store cannot use.
    """
    if options.get("twophase"):
        raise ConfigurationError(TWO_PHASES)
    bind = options.get("bind")
    if bind is not None:
        prepare(getattr(bind, "sync_engine", bind))


def _hint(source: object) -> str:
    if hasattr(source, "sync_engine") or hasattr(
        getattr(source, "class_", None), "sync_session_class"
    ):
        return "; AsyncSqlAlchemyStore takes that"
    return ""
