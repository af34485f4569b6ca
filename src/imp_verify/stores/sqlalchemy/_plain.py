"""The store for plain callers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar, Unpack, overload

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from ...errors import ConfigurationError
from ...models import ExpectedPayment, Outcome, Receipt, Settled
from .. import Expected, outside_transactions, transaction_is_open
from ..ready import (
    Ask,
    Expectation,
    Functions,
    Holder,
    HookArguments,
    Load,
    Recorded,
    Save,
    Tell,
    record,
)
from ..ready_plain import ReadyStore, Steps, ask_to_hold, drive, run_afterwards
from ._dialects import prepare
from ._transaction import Attempts, Transaction, create_tables, guarded_read, receipts_of

__all__ = ["SqlAlchemyStore"]

S = TypeVar("S", bound=Session)
T = TypeVar("T")


class SqlAlchemyStore(ReadyStore):
    """Keeps orders and receipts in the shop's own database (PostgreSQL, MySQL, MariaDB or SQLite),
    in the three tables of `metadata`.

    Any number of processes on any number of machines may share it. What a hook writes through its
    connection or session commits together with the record, or not at all.

    Args:
        source: An `Engine`, then the functions get a `Connection`; or a `sessionmaker`, then they
            get a `Session` of the store's own. A verification takes one connection at a time from
            the pool, and none while the gateway is asked.
        expected: `expected(merchant_uid, transaction)` says what an order asks for.
        hold: `hold(expected, imp_uid, transaction)` says why a payment may not be approved; what it
            did is then undone.
        hooks: `on_paid` and the others, each `hook(outcome, transaction)`, inside the transaction.
            What a hook returns, if it is a function, is called after the commit, when the
            connection is back in its pool.

    Raises:
        ConfigurationError: A function is missing, a coroutine, or of an unknown name; or the source
            is of another kind, for another database, or without connections of its own.
    """

    @overload
    def __init__(
        self,
        source: Engine,
        *,
        expected: Expectation[Connection],
        hold: Holder[Connection] | None = None,
        **hooks: Unpack[HookArguments[Connection]],
    ) -> None: ...

    @overload
    def __init__(
        self,
        source: sessionmaker[S],
        *,
        expected: Expectation[S],
        hold: Holder[S] | None = None,
        **hooks: Unpack[HookArguments[S]],
    ) -> None: ...

    def __init__(
        self,
        source: Any,
        *,
        expected: Expectation[Any],
        hold: Holder[Any] | None = None,
        **hooks: Any,
    ) -> None:
        self._functions: Functions[Any] = Functions(expected, hold, hooks)
        self._lend: Callable[[], AbstractContextManager[Any]]
        self._engine: Engine | None = None
        self._steps: Steps = {
            **{Load: Transaction.load, Save: Transaction.save},
            **{Ask: self._ask, Tell: self._tell},
        }
        if isinstance(source, Engine):
            prepare(source)
            self._engine, self._lend = source, source.connect
        elif isinstance(source, sessionmaker):
            if source.kw.get("bind") is not None:
                prepare(source.kw["bind"])
            self._lend = source
        else:
            raise ConfigurationError(
                "SqlAlchemyStore takes an Engine or a sessionmaker, "
                f"not {type(source).__name__}{_hint(source)}"
            )

    def create_all(self) -> None:
        """Make the tables that are missing; any number of processes may do so at once."""
        outside_transactions()
        with self._borrow() as given:
            create_tables(given)

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`: a plain read."""
        with transaction_is_open(), self._borrow() as given, guarded_read(given):
            return self._functions.expected(merchant_uid, given)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        outside_transactions()
        with self._borrow() as given:
            return receipts_of(given, imp_uids)

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""

        def hold(given: Any, transaction: Transaction) -> tuple[bool, str | None]:
            before = transaction.load(Load(imp_uid, expected.merchant_uid, True))
            return ask_to_hold(self._functions, before, expected, imp_uid, given, transaction.guard)

        return self._in_transaction(hold)

    def _record(self, outcome: Outcome) -> Settled | None:
        def work(given: Any, transaction: Transaction) -> tuple[bool, Recorded]:
            recorded = drive(record(outcome), self._steps, transaction)
            return transaction.has_written, recorded

        recorded = self._in_transaction(work)
        run_afterwards(recorded.afterwards, outcome)
        return recorded.settled

    def _ask(self, transaction: Transaction, step: Ask) -> object:
        with transaction.guard:
            return self._functions.expected(step.merchant_uid, transaction.given)

    def _tell(self, transaction: Transaction, step: Tell) -> object:
        with transaction.guard:
            return self._functions.tell(step.name, step.outcome, transaction.given)

    def _borrow(self) -> AbstractContextManager[Any]:
        if self._engine is not None:
            prepare(self._engine)
        return self._lend()

    def _in_transaction(self, work: Callable[[Any, Transaction], tuple[bool, T]]) -> T:
        """Run `work` in a transaction; commit where it says so. It is begun again where others were
        in the way, from the start and on a connection borrowed anew."""
        outside_transactions()
        attempts = Attempts()
        while True:
            try:
                with self._borrow() as given, transaction_is_open():
                    transaction = Transaction(given)
                    try:
                        keep, answer = work(given, transaction)
                        if keep:
                            transaction.commit()
                        return answer
                    finally:
                        transaction.guard.close_open()
            except Exception as error:
                if not attempts.again(error):
                    raise
            time.sleep(attempts.pause)


def _hint(source: object) -> str:
    if hasattr(source, "sync_engine") or hasattr(
        getattr(source, "class_", None), "sync_session_class"
    ):
        return "; AsyncSqlAlchemyStore takes that"
    if hasattr(source, "session_factory"):
        return ", which shares its sessions with the shop: give its session_factory"
    return ""
