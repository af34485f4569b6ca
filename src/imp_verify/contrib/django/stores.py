"""A store in the shop's own Django database, whose receipts are in the admin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, Unpack

from django.apps import apps
from django.db import connections
from django.db.transaction import atomic, on_commit
from django.utils.functional import Promise

from ... import ConfigurationError, ExpectedPayment, Outcome, Receipt, Settled, StoreError
from ...stores import Due, Run
from ...stores._facts import StoreFacts
from ...stores._hooks import Expectation, Functions, Holder, HookArguments, run_afterwards
from ...stores._open import outside_transactions
from ...stores._protocol import Expected
from ...stores._recording import ReadyStore, check_lock_timeout
from ...stores._rows import Loaded, Rows
from ._dialects import facts_of
from ._transactions import Attempt, Place, guarded, in_transaction, look, read
from .threads import hop, own_thread

__all__ = ["DjangoStore"]

T = TypeVar("T")
_NOT_COMMITTED = (
    "a payment cannot be given back inside an atomic block: its claim must be committed before the "
    "gateway is asked for the money"
)


@dataclass
class _Recording:
    """What is recorded in one transaction."""

    attempt: Attempt
    outcome: Outcome | None = None
    afterwards: list[object] = field(default_factory=list)
    """What is called once the outermost block commits."""


class DjangoStore(ReadyStore[_Recording]):
    """Keeps orders and receipts in the tables `imp_orders`, `imp_receipts` and `imp_changes`, and
    beside them `imp_dues` (money to give back) and `imp_runs`, which `migrate` makes.

    What a hook writes by Django to the same database commits together with the record, or not at
    all. SQL by which a shop's function would end the transaction, on MySQL and MariaDB also what
    commits by itself, is refused before it runs, by a `StoreError`.

    Inside an atomic block of the shop's own everything commits with that block, what a hook
    returned is called then, and a deadlock is the shop's to try again. Keep `verify` out of such a
    block: the gateway would be asked while it is open.

    Args:
        expected: `expected(merchant_uid, using)` says what an order asks for; `using` is the
            alias of the database. It returns
            `ExpectedPayment(order.number, order.total, open=order.state == "new")`, with the row's
            own number and its state.
        hold: `hold(expected, imp_uid, using)` says why a payment may not be approved; what it did
            is then undone.
        using: The alias of the database, in which the shop's orders are too.
        lock_timeout: How long a payment waits for a row that somebody else has locked, in seconds;
            then it is trouble, and for the next delivery. MySQL and MariaDB count whole ones. On
            SQLite it is the option `timeout` of the database.
        hooks: `on_paid` and the others, each `hook(outcome, using)`, inside the transaction. What
            a hook returns, if it is a function, is called after the commit.

    Raises:
        ConfigurationError: A function is missing, a coroutine, or of an unknown name.
    """

    hop = staticmethod(hop)

    def __init__(
        self,
        *,
        expected: Expectation[str],
        hold: Holder[str] | None = None,
        using: str = "default",
        lock_timeout: float = 5.0,
        **hooks: Unpack[HookArguments[str]],
    ) -> None:
        self._functions: Functions[str] = Functions(expected, hold, hooks)
        self._place = Place(using, check_lock_timeout(lock_timeout))
        self.using = using

    def own_thread(self) -> AbstractContextManager[object] | None:
        """See `stores._bridge.own_thread`."""
        return own_thread(self.using)

    def expected(self, merchant_uid: str) -> Expected:
        """See `OrderStore.expected`: a read, in a transaction, so that it may lock the order."""
        ask = partial(self._functions.expected, merchant_uid, self.using)
        return read(self._place, ask)  # type: ignore[no-any-return]

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        """See `OrderStore.receipts`."""
        _check_installed()
        from . import _records

        return look(self._place, lambda: _records.receipts(self.using, imp_uids))

    def paid(self, merchant_uid: str) -> bool:
        """See `ReadyStore.paid`."""
        _check_installed()
        from . import _records

        return look(self._place, lambda: _records.was_paid(self.using, merchant_uid))

    def awaits_deposit(self, merchant_uid: str, now: datetime) -> bool:
        """See `ReadyStore.awaits_deposit`."""
        _check_installed()
        from . import _records

        return look(self._place, lambda: _records.awaits_deposit(self.using, merchant_uid, now))

    def due(self, imp_uid: str) -> Due | None:
        """See `Ledger.due`."""
        _check_installed()
        from . import _records

        return look(self._place, lambda: _records.due(self.using, imp_uid))

    def dues(self, after: str | None, limit: int) -> Sequence[Due]:
        """See `Ledger.dues`."""
        _check_installed()
        from . import _records

        return look(self._place, lambda: _records.dues(self.using, after, limit))

    def waiting(
        self, due_from: datetime, due_to: datetime, after: str | None, limit: int
    ) -> Sequence[Receipt]:
        """See `Ledger.waiting`."""
        _check_installed()
        from . import _records

        window = (due_from, due_to, after, limit)
        return look(self._place, lambda: _records.waiting(self.using, *window))

    def claim(self, imp_uid: str, until: datetime, *, by_hand: bool = False) -> Due | None:
        """See `Ledger.claim`.

        Raises:
            StoreError: It is called in an atomic block of the shop's own, which would commit the
                claim only after the money has gone.
        """
        outside_transactions()
        if connections[self.using].in_atomic_block:
            try:
                with atomic(self.using, durable=True):  # that of a TestCase is none of the shop's
                    pass
            except RuntimeError as error:
                raise StoreError(_NOT_COMMITTED) from error
        return super().claim(imp_uid, until, by_hand=by_hand)

    def facts(self) -> StoreFacts:
        """Tell about the database, for `imp-verify doctor`.

        Raises:
            ConfigurationError: The application is not installed, or the tables cannot be rolled
                back; the text says what to do.
        """
        _check_installed()
        return look(
            self._place, lambda: facts_of(connections[self.using], self._place.lock_timeout)
        )

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        """See `OrderStore.hold`."""
        reason = self._transact(lambda recording: self._hold_in(recording, expected, imp_uid))
        return str(reason) if isinstance(reason, Promise) else reason

    def _record_once(self, outcome: Outcome, *, refused: bool = False) -> Settled | None:
        _check_installed()

        def work(attempt: Attempt) -> tuple[bool, Settled | None]:
            recording = _Recording(attempt, outcome)
            recorded = self._record_in(recording, outcome, refused=refused)
            recording.afterwards.extend(recorded.afterwards)
            # In a block of the shop's a repeat keeps the order's lock until that block ends: who
            # ships there by what is recorded must not do so beside another.
            repeated = recorded.has_receipt and not attempt.owned
            return recorded.keep or repeated, recorded.settled

        return in_transaction(self._place, work)

    def _transact(self, work: Callable[[_Recording], tuple[bool, T]]) -> T:
        _check_installed()
        return in_transaction(self._place, lambda attempt: work(_Recording(attempt)))

    def _run(self, recording: _Recording, function: Callable[..., Any], *arguments: object) -> Any:
        with guarded(self.using):
            return function(*arguments, self.using)

    def _will_run_hook(self, recording: _Recording) -> None:
        if recording.attempt.is_harmless:
            recording.attempt.is_harmless = False
            if recording.outcome is not None:
                # Before the hook's own: where one of those fails, Django calls no more.
                call = partial(run_afterwards, recording.afterwards, recording.outcome)
                on_commit(call, self.using)

    # Django's models are not there yet while the settings are read, where a store is made.

    def _load(self, recording: _Recording, imp_uid: str, merchant_uid: str | None) -> Loaded:
        from . import _records

        owned = recording.attempt.owned
        return _records.load(self.using, imp_uid, merchant_uid, owned=owned)

    def _save(self, recording: _Recording, rows: Rows) -> None:
        from . import _records

        _records.save(self.using, rows)

    def _load_run(self, recording: _Recording, account: str) -> Run:
        from . import _records

        return _records.run(self.using, account, owned=recording.attempt.owned)

    def _save_run(self, recording: _Recording, run: Run) -> None:
        from . import _records

        _records.save_run(self.using, run)

    def _details(self, outcome: Outcome) -> Sequence[object]:
        from . import _records

        return _records.details(outcome)


def _check_installed() -> None:
    if not apps.is_installed("imp_verify.contrib.django"):
        raise ConfigurationError("INSTALLED_APPS lacks imp_verify.contrib.django")
