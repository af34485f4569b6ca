"""Stores that lose money in the ways that were seen: each fails exactly the tests that are about
its fault, with words that a shop can act on. Where the fault is a race, all threads meet in it."""

import asyncio
import multiprocessing
import re
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from imp_verify import AsyncOrderStore, ExpectedPayment, Outcome, Settled, Verdict
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import OrderStoreContract, TrialFailure, TrialShop
from imp_verify.testing._harness import FIRST, ORDER, PRICE, Trial, paid_outcome
from imp_verify.testing._moments import Interrupted
from tests.storage.by_hand import HandShop, HandStore
from tests.storage.shops import MemoryShop, SqliteShop

Database = sqlite3.Connection
TESTS = sorted(name for name in dir(OrderStoreContract) if name.startswith("test_"))


class TestStoreByHand(OrderStoreContract):
    """The one that all of them are made from is good."""

    @pytest.fixture
    def shop(self, tmp_path: Path) -> TrialShop:
        return HandShop(tmp_path / "shop.db")


class NoLock(HandStore):
    """Every statement commits by itself."""

    races = True

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            return self.decide(db, outcome, self.find(db, outcome.merchant_uid or ""))

    def payer(self, db: Database, outcome: Outcome) -> object:
        found = super().payer(db, outcome)
        self.meeting.wait()
        return found


class LockAfterTheRead(HandStore):
    """It locks, but decides by what it read before."""

    races = True

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            read = (
                self.find(db, outcome.merchant_uid or ""),
                self.kept(db, outcome),
                self.payer(db, outcome),
            )
            self.meet()
            db.execute("BEGIN IMMEDIATE")
            settled = self.decide_by(*read[1:]).decide(db, outcome, read[0])
            if settled is not Settled.STALE:
                db.execute("COMMIT")
            return settled

    def meet(self) -> None:
        self.meeting.wait()

    def decide_by(self, *read: Any) -> HandStore:
        return _Decided(self, *read)


class InsertsBlindly(LockAfterTheRead):
    """A unique key saves it, but who comes second is answered with an error."""

    def decide_by(self, *read: Any) -> "HandStore":
        return _Inserting(self, *read)


class _Decided(HandStore):
    def __init__(self, store: HandStore, kept: Any, payer: object) -> None:
        self._read = kept, payer
        self.work = store.work

    def kept(self, db: Database, outcome: Outcome) -> Any:
        return self._read[0]

    def payer(self, db: Database, outcome: Outcome) -> object:
        return self._read[1]


class _KnewItself(_Decided):
    def payer(self, db: Database, outcome: Outcome) -> object:
        return HandStore.payer(self, db, outcome)


class _Inserting(_Decided):
    def keep(self, db: Database, outcome: Outcome, settled: Settled) -> Settled:
        state = "paying" if settled is Settled.NEW else str(settled)
        values = (outcome.imp_uid, outcome.merchant_uid, state)
        if self._read[0] == (None, None):
            db.execute("INSERT INTO payments VALUES (?, ?, ?)", values)
            return settled
        return super().keep(db, outcome, settled)


class MarksBeforeItsWork(HandStore):
    def pay(self, db: Database, outcome: Outcome) -> Settled:
        _ = self.keep(db, outcome, Settled.NEW)
        db.execute("COMMIT")
        db.execute("BEGIN IMMEDIATE")
        self.work(outcome, db)
        return Settled.NEW


class WorksBeforeItsMark(HandStore):
    def pay(self, db: Database, outcome: Outcome) -> Settled:
        self.work(outcome, db)
        db.execute("COMMIT")
        db.execute("BEGIN IMMEDIATE")
        return self.keep(db, outcome, Settled.NEW)


class RemembersInOneProcess(HandStore):
    """It locks well, and keeps what it knows in a dictionary."""

    def __init__(self, path: Path, work: Callable[[Outcome, Database], None]) -> None:
        super().__init__(path, work)
        self.known: dict[str, tuple[str, str]] = {}

    def kept(self, db: Database, outcome: Outcome) -> tuple[str | None, str | None]:
        return self.known.get(outcome.imp_uid or "", (None, None))

    def payer(self, db: Database, outcome: Outcome) -> object:
        return (outcome.merchant_uid, "paying") in self.known.values() or None

    def pay(self, db: Database, outcome: Outcome) -> Settled:
        self.work(outcome, db)
        return self.keep(db, outcome, Settled.NEW)

    def keep(self, db: Database, outcome: Outcome, settled: Settled) -> Settled:
        state = "paying" if settled is Settled.NEW else str(settled)
        self.known[outcome.imp_uid or ""] = (outcome.merchant_uid or "", state)
        return settled


class FoldsCase(HandStore):
    collation = "COLLATE NOCASE"


class PadsWithSpaces(HandStore):
    collation = "COLLATE RTRIM"


class WorksOnEveryRepeat(HandStore):
    def repeat(self, db: Database, outcome: Outcome) -> Settled:
        self.work(outcome, db)
        return Settled.REPEATED


class CallsRepeatsNew(HandStore):
    def repeat(self, db: Database, outcome: Outcome) -> Settled:
        return Settled.NEW


class SwallowsFailures(HandStore):
    def pay(self, db: Database, outcome: Outcome) -> Settled:
        _ = self.keep(db, outcome, Settled.NEW)
        with suppress(TrialFailure):
            self.work(outcome, db)
        return Settled.NEW


class PaysClosedOrders(HandStore):
    def find(self, db: Database, merchant_uid: str) -> ExpectedPayment | None:
        order = super().find(db, merchant_uid)
        return order and ExpectedPayment(merchant_uid, order.amount, order.currency)


class ShipsDuplicates(HandStore):
    def payer(self, db: Database, outcome: Outcome) -> None:
        return None


class BelievesWhatWasAskedThen(HandStore):
    """It compares with what the order asked before the lock, that is with itself."""

    def decide(self, db: Database, outcome: Outcome, order: ExpectedPayment | None) -> Settled:
        return super().decide(db, outcome, outcome.expected)


class KnowsPaymentsByTheirOrder(HandStore):
    def kept(self, db: Database, outcome: Outcome) -> tuple[str | None, str | None]:
        of, state = super().kept(db, outcome)
        return (of, state) if of == outcome.merchant_uid else (None, None)


class ForgetsRefundedOrders(HandStore):
    def observe(self, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.CANCELLED:
            with closing(self.connect()) as db:
                db.execute("DELETE FROM payments WHERE imp_uid = ?", (outcome.imp_uid,))


class HoldsWell(HandStore):
    """It refuses to approve what another payment paid, refunded or not."""

    refusing = "'paying', 'refunded'"

    def observe(self, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.CANCELLED:
            with closing(self.connect()) as db:
                query = "UPDATE payments SET state = 'refunded' WHERE imp_uid = ?"
                db.execute(query, (outcome.imp_uid,))

    def payer(self, db: Database, outcome: Outcome) -> object:
        query = "SELECT 1 FROM payments WHERE number = ? AND state IN ('paying', 'refunded')"
        return db.execute(query, (outcome.merchant_uid,)).fetchone()

    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        query = "SELECT 1 FROM payments WHERE number = ? AND imp_uid <> ? AND state IN ({})"
        with closing(self.connect()) as db:
            values = (expected.merchant_uid, imp_uid)
            found = db.execute(query.format(self.refusing), values).fetchone()
        return found and "already_paid"


class HoldsForWhoPaysNow(HoldsWell):
    """It knows what was ever paid, and approves where nobody pays now."""

    refusing = "'paying'"


class ReadsTheOrderFirst(HandStore):
    """It locks, and reads its own records after that; but what the order asks it read before."""

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            order = self.find(db, outcome.merchant_uid or "")
            db.execute("BEGIN IMMEDIATE")
            settled = self.decide(db, outcome, order)
            if settled is not Settled.STALE:
                db.execute("COMMIT")
            return settled


class ReadsThePriceFirst(HandStore):
    """It closes the order by a conditional update, and compares the price before that."""

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            order = self.find(db, outcome.merchant_uid or "")
            db.execute("BEGIN IMMEDIATE")
            now = self.find(db, outcome.merchant_uid or "")
            settled = self.decide(db, outcome, order if now and now.open else now)
            if settled is not Settled.STALE:
                db.execute("COMMIT")
            return settled


class ReadsItsRecordsFirst(HandStore):
    """What it kept, and who paid, it read before it locks."""

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            decided = self.decide_by(db, outcome)
            db.execute("BEGIN IMMEDIATE")
            order = self.find(db, outcome.merchant_uid or "")
            settled = decided.decide(db, outcome, order)
            if settled is not Settled.STALE:
                db.execute("COMMIT")
            return settled

    def decide_by(self, db: Database, outcome: Outcome) -> HandStore:
        return _Decided(self, self.kept(db, outcome), self.payer(db, outcome))


class LooksForItselfFirst(ReadsItsRecordsFirst):
    """Only for itself it looks before it locks. Who pays the order then may be itself."""

    def decide_by(self, db: Database, outcome: Outcome) -> HandStore:
        return _KnewItself(self, self.kept(db, outcome), None)


class TakesAnyConflictForARepeat(ReadsItsRecordsFirst):
    """A unique key lets one payment through; what violates it must have been here before."""

    def settle(self, outcome: Outcome) -> Settled:
        try:
            return super().settle(outcome)
        except sqlite3.IntegrityError:
            return Settled.REPEATED

    def decide_by(self, db: Database, outcome: Outcome) -> HandStore:
        db.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS one_pays ON payments (number) WHERE state = 'paying'"
        )
        return _Inserting(self, self.kept(db, outcome), self.payer(db, outcome))


class KeepsOnlyWhatPays(HandStore):
    """It says DUPLICATE and LATE, and nobody will know of that money."""

    def keep(self, db: Database, outcome: Outcome, settled: Settled) -> Settled:
        return super().keep(db, outcome, settled) if settled is Settled.NEW else settled


class DoesNotCommitDuplicates(HandStore):
    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            settled = self.decide(db, outcome, self.find(db, outcome.merchant_uid or ""))
            if settled is Settled.NEW:
                db.execute("COMMIT")
            return settled


class KeepsDuplicatesUnderThePayer(HandStore):
    """It keeps the imp_uid that paid where it should keep the one that did not."""

    def keep(self, db: Database, outcome: Outcome, settled: Settled) -> Settled:
        if settled is Settled.DUPLICATE:
            db.execute(
                "INSERT OR REPLACE INTO payments SELECT imp_uid || '_again', number, 'duplicate'"
                " FROM payments WHERE number = ? AND state = 'paying'",
                (outcome.merchant_uid,),
            )
            return settled
        return super().keep(db, outcome, settled)


class ComparesTheMoneyAlone(HandStore):
    def decide(self, db: Database, outcome: Outcome, order: ExpectedPayment | None) -> Settled:
        asked = outcome.expected
        assert asked is not None
        if order is not None and order.open:
            same = (order.amount, order.currency) == (asked.amount, asked.currency)
            order = asked if same else order
        return super().decide(db, outcome, order)


class ComparesFloats(HandStore):
    def decide(self, db: Database, outcome: Outcome, order: ExpectedPayment | None) -> Settled:
        asked = outcome.expected
        assert asked is not None
        if order is not None and float(order.amount) == float(asked.amount):
            order = ExpectedPayment(**{**vars(order), "amount": asked.amount})
        return super().decide(db, outcome, order)


class KeepsWhatIsStale(HandStore):
    """It writes down that the payment pays, compares, and commits in any case."""

    def settle(self, outcome: Outcome) -> Settled:
        with closing(self.connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            settled = self.decide(db, outcome, self.find(db, outcome.merchant_uid or ""))
            if settled is Settled.STALE:
                _ = self.keep(db, outcome, Settled.NEW)
            db.execute("COMMIT")
            return settled


class NeverAcceptsLateMoney(HandStore):
    def kept(self, db: Database, outcome: Outcome) -> tuple[str | None, str | None]:
        of, state = super().kept(db, outcome)
        return of, "duplicate" if state == "late" else state

    def decide(self, db: Database, outcome: Outcome, order: ExpectedPayment | None) -> Settled:
        settled = super().decide(db, outcome, order)
        late = settled is Settled.DUPLICATE and self.payer(db, outcome) is None
        return Settled.LATE if late else settled


class AcceptsLateMoneyUnseen(HandStore):
    """Once the order is open it takes what came late, whatever it asks now and whoever paid it."""

    def decide(self, db: Database, outcome: Outcome, order: ExpectedPayment | None) -> Settled:
        if self.kept(db, outcome)[1] == "late" and order is not None and order.open:
            return self.pay(db, outcome)
        return super().decide(db, outcome, order)


class LooksFirstWhetherItIsOpen(HandStore):
    def decide(self, db: Database, outcome: Outcome, order: ExpectedPayment | None) -> Settled:
        if self.kept(db, outcome)[1] is None and (order is None or not order.open):
            return self.keep(db, outcome, Settled.LATE)
        return super().decide(db, outcome, order)


class PromotesDuplicates(HoldsWell):
    """What was one payment too many pays once the other one is refunded."""

    def kept(self, db: Database, outcome: Outcome) -> tuple[str | None, str | None]:
        of, state = super().kept(db, outcome)
        return of, None if state == "duplicate" else state

    def payer(self, db: Database, outcome: Outcome) -> object:
        known, _ = HandStore.kept(self, db, outcome)
        return HandStore.payer(self, db, outcome) if known else super().payer(db, outcome)


class FoldsCaseOfPayments(HandStore):
    """Its database compares imp_uids without case, and the shop's orders as they are."""

    def kept(self, db: Database, outcome: Outcome) -> tuple[str | None, str | None]:
        query = "SELECT number, state FROM payments WHERE imp_uid = ? COLLATE NOCASE"
        return db.execute(query, (outcome.imp_uid,)).fetchone() or (None, None)


class FoldsCaseOfOrders(HandStore):
    """Who paid an order is looked for without case."""

    def payer(self, db: Database, outcome: Outcome) -> object:
        query = """SELECT imp_uid FROM payments
            WHERE number = ? COLLATE NOCASE AND state = 'paying'"""
        return db.execute(query, (outcome.merchant_uid,)).fetchone()


class HoldsForAnybody(HoldsWell):
    def hold(self, expected: ExpectedPayment, imp_uid: str) -> str | None:
        with closing(self.connect()) as db:
            order = self.find(db, expected.merchant_uid)
        return None if order is not None and order.open else "closed"


class CountsInFloats(HandStore):
    def find(self, db: Database, merchant_uid: str) -> ExpectedPayment | None:
        order = super().find(db, merchant_uid)
        if order is None:
            return None
        amount = f"{min(float(order.amount), 1e17):.8f}"
        return ExpectedPayment(merchant_uid, amount, order.currency, open=order.open)


class ForgetsTheCurrency(HandStore):
    def find(self, db: Database, merchant_uid: str) -> ExpectedPayment | None:
        order = super().find(db, merchant_uid)
        return order and ExpectedPayment(merchant_uid, order.amount, open=order.open)


class LocksItsThreads(LockAfterTheRead):
    """A lock in the process, and none in the database."""

    races = False

    def __init__(
        self,
        path: Path,
        work: Callable[[Outcome, Database], None],
        wait: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(path, work)
        self.lock = threading.Lock()
        self.wait = wait

    def meet(self) -> None:
        _ = self.wait()

    def settle(self, outcome: Outcome) -> Settled:
        with self.lock:
            return super().settle(outcome)


class GivesUpWhenBusy(LocksItsThreads):
    """It locks the database, and is answered with an error where another process has."""

    def settle(self, outcome: Outcome) -> Settled:
        with self.lock, closing(self.connect()) as db:
            db.execute("SELECT 1 FROM orders").fetchone()
            db.execute("PRAGMA busy_timeout = 0")
            try:
                db.execute("BEGIN IMMEDIATE")
            finally:
                self.meet()
            settled = self.decide(db, outcome, self.find(db, outcome.merchant_uid or ""))
            db.execute("COMMIT")
            return settled


class LeavesItsTransactionOpen(HandStore):
    """Where the order has changed it returns, and neither commits nor rolls back."""

    patience = 0.1

    def __init__(self, path: Path, work: Callable[[Outcome, Database], None]) -> None:
        super().__init__(path, work)
        self.open: list[Database] = []

    def settle(self, outcome: Outcome) -> Settled:
        db = sqlite3.connect(
            self.path, timeout=self.patience, isolation_level=None, check_same_thread=False
        )
        self.open.append(db)
        db.execute("BEGIN IMMEDIATE")
        settled = self.decide(db, outcome, self.find(db, outcome.merchant_uid or ""))
        if settled is not Settled.STALE:
            db.execute("COMMIT")
        return settled


CHANGES = "test_an_order_may_change_while_its_payment_is_delivered"
FAILS = "test_work_that_fails_leaves_nothing_and_the_next_delivery_does_it"
REFUNDED_MEANWHILE = "test_work_that_failed_is_done_once_though_a_part_was_refunded_meanwhile"
FAILS_AT_ONCE = "test_work_that_fails_among_deliveries_at_once_is_done_by_another"
THREADS = "test_deliveries_from_many_threads_at_once_pay_once"
PROCESSES = "test_deliveries_from_many_processes_at_once_pay_once"
TWO = "test_two_payments_of_one_order_pay_it_once"
REPEATS = "test_a_payment_pays_its_order_once_however_often_it_is_delivered"
STATES = "test_a_payment_may_arrive_in_any_order_of_its_states"
DEPOSIT = "test_a_virtual_account_is_paid_by_its_deposit"
ATTEMPTS = "test_a_second_attempt_pays_where_the_first_failed"
CLOSED = "test_an_order_may_be_closed_at_any_moment_of_settle"
DEARER = "test_an_order_may_be_made_dearer_at_any_moment_of_settle"
ANOTHER = "test_another_payment_may_be_settled_at_any_moment_of_settle"
ITSELF = "test_the_same_payment_may_be_settled_at_any_moment_of_settle"
STALE = "test_an_amount_changed_under_way_is_stale"
CONDITIONS = "test_another_account_method_or_pg_is_stale"
KEPT = "test_a_payment_that_pays_nothing_is_kept_for_its_order"
LATE = "test_money_for_a_closed_order_is_late_until_the_shop_opens_it"
LATE_AGAIN = "test_late_money_does_not_pay_an_order_that_is_dearer_or_paid_when_it_is_opened"
STAYS_PAID = "test_an_order_changed_closed_or_deleted_after_it_was_paid_stays_paid"
STAYS_DUPLICATE = "test_a_duplicate_stays_one_though_the_payment_that_paid_is_refunded"
PARTS = "test_refunds_in_parts_are_told_once_each"
HOLD = "test_a_hold_refuses_an_order_that_another_payment_paid"
REFUNDED = "test_a_refunded_order_is_not_paid_again"
AMOUNTS = "test_amounts_are_compared_to_the_last_digit"
CURRENCY = "test_another_currency_is_other_money"
NUMBERS = "test_numbers_that_look_alike_are_different_orders"
SPACES = "test_a_number_that_ends_in_a_space_is_another_one"
PAYMENTS = "test_payments_that_look_alike_are_different_payments"
DIES = "test_a_process_that_dies_in_its_work_leaves_nothing_half_done"
DIES_ANYWHERE = "test_a_process_may_die_between_any_two_lines"

RACES = {
    THREADS: "went off 8 times.*before it has the lock",
    TWO: r"shipped for imp_\d+ and imp_\d+.*lock the order's row",
    CHANGES: "went off 2 times",
    FAILS_AT_ONCE: "went off [34] times",
    PARTS: "went off 4 times",
}
MOMENTS = {
    CLOSED: r"before line or step \d+ of it, when its order was closed; .* answered LATE because .*"
    "went off for imp_.*_a\n.*reads the order before it has the lock",
    DEARER: "order was made dearer; .* answered STALE because .*went off for imp_.*_a\n",
    ANOTHER: "when imp_.*_b paid its order: it ended with .*NEW.*DUPLICATE: being second is no",
    ITSELF: "when imp_.*_a paid its order: it ended with .*NEW.*REPEATED: being second is no error",
}
_KEPT = r"imp_\d+2 was a duplicate for ORD-1001, and then came for ORD-1002: PAID.*keeps nothing"
_CONDITION = "an order's account changed to kr .*settle said .*NEW.*STALE.*and not the account"
FAULTS: dict[type[HandStore], dict[str, str]] = {
    NoLock: RACES
    | MOMENTS
    | {FAILS: "failed when half done: the goods of 'ORD-1001' went off 1 times"},
    LockAfterTheRead: RACES | MOMENTS,
    InsertsBlindly: {
        THREADS: "one of 8 deliveries at once raised IntegrityError.*is not begun again",
        TWO: "raised IntegrityError",
        CHANGES: "IntegrityError.*each waits for the other",
        PARTS: "raised IntegrityError",
        FAILS_AT_ONCE: r"[123] of them raised",
        **MOMENTS,
        ITSELF: "ended with IntegrityError.*REPEATED.* unique key is not begun again",
    },
    ReadsTheOrderFirst: {CLOSED: MOMENTS[CLOSED], DEARER: MOMENTS[DEARER]},
    ReadsThePriceFirst: {DEARER: MOMENTS[DEARER]},
    ReadsItsRecordsFirst: {ANOTHER: MOMENTS[ANOTHER], ITSELF: "it ended with .*DUPLICATE"},
    LooksForItselfFirst: {ITSELF: "it ended with .*DUPLICATE.*REPEATED: being second is no error"},
    TakesAnyConflictForARepeat: {ANOTHER: "it ended with .*REPEATED.* or is taken for a repeat"},
    KeepsOnlyWhatPays: {KEPT: _KEPT},
    DoesNotCommitDuplicates: {KEPT: _KEPT},
    KeepsDuplicatesUnderThePayer: {KEPT: _KEPT},
    ComparesTheMoneyAlone: {CONDITIONS: _CONDITION},
    ComparesFloats: {AMOUNTS: "settle said .*NEW.*STALE: the order asks other money.*a float"},
    KeepsWhatIsStale: {
        STALE: "asks again what was paid, which was STALE before: .*REPEATED",
        CONDITIONS: "settle said .*REPEATED",
        LATE_AGAIN: "answered DUPLICATE",
        AMOUNTS: "",
        CURRENCY: "",
    },
    NeverAcceptsLateMoney: {
        LATE: "the shop opened the order again: .*answered LATE.*expected: PAID, NEW",
        NUMBERS: "",
    },
    AcceptsLateMoneyUnseen: {
        LATE_AGAIN: "opened again and asks for more: settle said .*NEW",
        KEPT: "was late for ORD-closed, and then came for ORD-1002: PAID",
    },
    LooksFirstWhetherItIsOpen: {
        STAYS_PAID: "paid, and closed then: .*answered LATE.*before it looks whether another one",
    },
    PromotesDuplicates: {
        STAYS_DUPLICATE: "delivered again after .* refunded: .*answered PAID",
        STATES: "went off 2 times",
    },
    FoldsCaseOfPayments: {PAYMENTS: "IMP_LOOK was answered StoreError.*folds case"},
    FoldsCaseOfOrders: {NUMBERS: "'ORD-case' and 'ord-case', both paid: .*DUPLICATE"},
    HoldsForAnybody: {
        HOLD: "hold approved a second payment: None.*usual cause",
        REFUNDED: "refunded, and hold approved a second payment: None",
    },
    SwallowsFailures: {
        FAILS: "the work failed, and the delivery was answered PAID.*settle catches",
        FAILS_AT_ONCE: "0 of them raised.*swallowed",
    },
    FoldsCase: {
        NUMBERS: "there is an order 'ORD-case', and 'ord-case' was paid.*answered PAID.*folds case",
        PAYMENTS: "IMP_LOOK was answered StoreError.*folds case",
    },
    PadsWithSpaces: {SPACES: "'ORD-1001 ' was paid.*went off for.*trailing spaces"},
    WorksOnEveryRepeat: {
        REPEATS: "delivered three times: .* went off 3 times.*a repeat does the work again",
        THREADS: "went off 8 times",
        TWO: "went off [2-8] times",
        STATES: "went off 2 times",
        DEPOSIT: "went off 2 times",
        ATTEMPTS: "went off 2 times",
        PARTS: "went off 12 times",
        AMOUNTS: "went off 2 times",
        FAILS_AT_ONCE: "went off 4 times",
        REFUNDED_MEANWHILE: "went off 2 times",
        STAYS_PAID: "went off 2 times",
    },
    CallsRepeatsNew: {
        REPEATS: r"a repeat: .* PAID \(the store said NEW\).*look first whether this imp_uid",
        THREADS: "the store said NEW 8 times",
        DEPOSIT: "the store said NEW",
        ATTEMPTS: "the store said NEW",
        AMOUNTS: "the store said NEW",
        FAILS_AT_ONCE: "the store said NEW",
    },
    PaysClosedOrders: {
        LATE: "closed: .* answered PAID",
        LATE_AGAIN: "settle said .*REPEATED",
        "test_an_order_closed_under_way_is_not_paid": "settle said .*read again inside the lock",
        "test_a_deposit_for_an_order_changed_or_closed_meanwhile_does_not_pay_it": "expected: LATE",
    },
    ShipsDuplicates: {
        TWO: "shipped for imp_.* and imp_",
        "test_two_accounts_of_one_order_pay_it_once": "both paid: .*answered PAID",
        REFUNDED: "paid again: .*answered PAID",
        STAYS_DUPLICATE: "answered PAID",
        STAYS_PAID: "paid, and closed then: .*answered LATE",
        LATE_AGAIN: "another payment paid the order that was opened again: .*answered PAID",
    },
    BelievesWhatWasAskedThen: {
        STALE: "asks for more.*expected: STALE",
        CONDITIONS: _CONDITION,
        LATE_AGAIN: "settle said .*NEW",
        "test_an_order_closed_under_way_is_not_paid": "settle said",
        "test_an_order_deleted_under_way_is_not_paid": "settle said",
        AMOUNTS: "0.00000002 paid for an order of 0.00000001: settle said",
        CURRENCY: "paid for an order of 39000 USD: settle said",
        NUMBERS: "went off for",
        SPACES: "went off for",
    },
    KnowsPaymentsByTheirOrder: {
        "test_one_payment_pays_one_order_only": "paid ORD-1001, and then came for ORD-1002: PAID",
        KEPT: _KEPT,
    },
    ForgetsRefundedOrders: {
        REFUNDED: "answered PAID.*the refund deleted the record",
        STATES: "went off 2 times",
    },
    HoldsForWhoPaysNow: {
        REFUNDED: "refunded, and hold approved a second payment: None.*who pays the order now"
    },
    CountsInFloats: {AMOUNTS: "an order of 999999999999999999: expected said.*a float"},
    ForgetsTheCurrency: {CURRENCY: "for an order of 39000 USD: .*answered PAID.*names no currency"},
}
AMONG_PROCESSES: dict[type[HandStore], dict[str, str]] = {
    MarksBeforeItsWork: {
        FAILS: "went off 0 times.*marked as done before the work",
        FAILS_AT_ONCE: "went off 0 times",
        REFUNDED_MEANWHILE: "went off 0 times",
        DIES: "died when its work was half done, .*again: .*went off 0 times",
        DIES_ANYWHERE: r"died before line \d+ of \d+ that settle runs, .*went off 0 times",
    },
    WorksBeforeItsMark: {
        DIES_ANYWHERE: r"died before line \d+ of \d+ that settle runs, .*the store said NEW",
    },
    RemembersInOneProcess: {
        PROCESSES: "'ORD-0', delivered by 3 processes at once: (the goods .* off|it was shipped)",
        DIES_ANYWHERE: "died when settle had returned, .*the store said NEW",
    },
}
MAY_SHOW_TOO: dict[type[HandStore], set[str]] = {
    TakesAnyConflictForARepeat: {TWO},
    ReadsItsRecordsFirst: {PARTS, THREADS, TWO, FAILS_AT_ONCE},
    LooksForItselfFirst: {PARTS, THREADS, TWO, FAILS_AT_ONCE},
    # Between the work and its mark another delivery may come in, wherever some come at once.
    WorksBeforeItsMark: {DEPOSIT, FAILS_AT_ONCE, PARTS, PROCESSES, THREADS, TWO},
}
"""What depends on who comes first, besides CHANGES: there any fault may show."""


def failures(
    make: Callable[[Path], TrialShop], directory: Path, tests: Sequence[str] = TESTS
) -> dict[str, str]:
    """Run tests of the contract; give those that fail and what they say."""
    found: dict[str, str] = {}
    for number, name in enumerate(tests):
        shop = make(directory / f"{number}.db")
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "OrderStoreContract left out", UserWarning)
                getattr(OrderStoreContract(), name)(shop)
        except AssertionError as error:
            found[name] = str(error)
        finally:
            shop.close()
    return found


def find(fault: type[HandStore], directory: Path, *, alone: bool) -> dict[str, str]:
    """What the contract finds, but for what may show or not."""
    wanted = {**FAULTS, **AMONG_PROCESSES}[fault]
    # Others show there too, which takes long and says nothing that is not said before.
    tests = [name for name in TESTS if name not in MOMENTS or wanted.keys() & MOMENTS]
    found = failures(partial(HandShop, make=fault, alone=alone), directory, tests)
    return {
        name: text
        for name, text in found.items()
        if name in wanted or name not in {CHANGES, *MAY_SHOW_TOO.get(fault, ())}
    }


def check(found: dict[str, str], wanted: dict[str, str]) -> None:
    assert found.keys() == wanted.keys()
    for name, words in wanted.items():
        assert re.search(words, found[name], re.DOTALL), found[name]
        assert "\n  expected: " in found[name]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_fails_the_tests_that_are_about_it(fault: type[HandStore], tmp_path: Path) -> None:
    check(find(fault, tmp_path, alone=True), FAULTS[fault])


@pytest.mark.parametrize("fault", AMONG_PROCESSES, ids=lambda fault: fault.__name__)
def test_a_fault_among_processes_fails_the_tests_that_are_about_it(
    fault: type[HandStore], tmp_path: Path
) -> None:
    check(find(fault, tmp_path, alone=False), AMONG_PROCESSES[fault])


def among_processes(fault: type[LocksItsThreads], directory: Path) -> dict[str, str]:
    """Give what is found where three processes meet in each `settle`."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        gate = manager.Barrier(3, timeout=30)

        def make(path: Path) -> TrialShop:
            shop = HandShop(path)
            shop.reopen = partial(HandShop, path, partial(fault, wait=gate.wait))
            return shop

        return failures(make, directory, [PROCESSES])


def test_a_lock_of_the_threads_alone_is_found_among_processes(tmp_path: Path) -> None:
    words = "'ORD-0', .* at once: (the goods .* off 3 times|it was shipped for imp)"
    check(among_processes(LocksItsThreads, tmp_path), {PROCESSES: words})


def test_a_busy_database_that_is_not_waited_for_is_found_among_processes(tmp_path: Path) -> None:
    """All processes have asked for the lock when the one that has it goes on."""
    words = "3 processes .* one ended with .*database is locked.*is not begun again"
    check(among_processes(GivesUpWhenBusy, tmp_path), {PROCESSES: words})


def test_a_lock_of_the_threads_alone_is_all_that_one_process_needs(tmp_path: Path) -> None:
    others = [test for test in TESTS if test != PROCESSES]
    assert failures(partial(HandShop, make=LocksItsThreads), tmp_path, others) == {}


def test_a_hold_that_remembers_who_ever_paid_is_good(tmp_path: Path) -> None:
    make = partial(HandShop, make=HoldsWell, alone=True)
    assert failures(make, tmp_path, [HOLD, REFUNDED]) == {}


class AwaitsItsRead(AsyncOrderStore):
    """An async store: what the order asks is read in one step, and the rest is done in another."""

    races = False

    def __init__(self, store: HandStore) -> None:
        self.store = store
        self.connect = store.connect

    async def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return self.store.expected(merchant_uid)

    async def settle(self, outcome: Outcome) -> Settled:
        order = await self.expected(outcome.merchant_uid or "")
        kept = await asyncio.to_thread(self.kept, outcome)
        return await asyncio.to_thread(self.decide, outcome, kept, order)

    def kept(self, outcome: Outcome) -> tuple[str | None, str | None]:
        with closing(self.store.connect()) as db:
            return self.store.kept(db, outcome)

    def decide(self, outcome: Outcome, kept: Any, order: ExpectedPayment | None) -> Settled:
        with closing(self.store.connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            payer = self.store.payer(db, outcome) if kept[1] else None
            settled = _Inserting(self.store, kept, payer).decide(db, outcome, order)
            if settled is not Settled.STALE:
                db.execute("COMMIT")
            return settled


def test_an_async_store_that_reads_before_it_locks_is_found(tmp_path: Path) -> None:
    def make(path: Path) -> TrialShop:
        shop = HandShop(path, alone=True)
        shop.store = cast(Any, AwaitsItsRead(shop.store))
        return shop

    words = MOMENTS | {ITSELF: "ended with IntegrityError"}
    check(failures(make, tmp_path, sorted(MOMENTS)), words)


class WorksFromItsRecord(HandStore):
    """The record first, and then the work, which the shop does once for each key."""

    def pay(self, db: Database, outcome: Outcome) -> Settled:
        _ = self.keep(db, outcome, Settled.NEW)
        self.repeat(db, outcome)
        return Settled.NEW

    def repeat(self, db: Database, outcome: Outcome) -> Settled:
        db.execute("COMMIT")
        self.work(outcome, db)
        db.execute("BEGIN")
        return Settled.REPEATED


class KeyShop(HandShop):
    works_from_record = True
    key = "imp_uid"

    def ship(self, outcome: Outcome, db: Database) -> None:
        db.execute("CREATE TABLE IF NOT EXISTS sent (key PRIMARY KEY, number, imp_uid)")
        values = (getattr(outcome, self.key), outcome.merchant_uid, outcome.imp_uid)
        db.execute("INSERT OR IGNORE INTO sent VALUES (?, ?, ?)", values)
        self.half_done()

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        query = "SELECT imp_uid FROM sent WHERE number = ?"
        with closing(self.store.connect()) as db, suppress(sqlite3.OperationalError):
            return [imp_uid for (imp_uid,) in db.execute(query, (merchant_uid,))]
        return []


class ChangeShop(KeyShop):
    key = "key"


def test_work_that_is_known_by_its_payment_is_good(tmp_path: Path) -> None:
    good = partial(KeyShop, make=WorksFromItsRecord, alone=True)
    assert failures(good, tmp_path, [FAILS, FAILS_AT_ONCE, REFUNDED_MEANWHILE]) == {}


def test_work_that_is_known_by_the_change_that_was_delivered_is_found(tmp_path: Path) -> None:
    bad = partial(ChangeShop, make=WorksFromItsRecord, alone=True)
    words = "went off 2 times.*keep the first key with the record"
    check(failures(bad, tmp_path, [REFUNDED_MEANWHILE]), {REFUNDED_MEANWHILE: words})


class SetShop(HandShop):
    def shipped(self, merchant_uid: str) -> Any:
        return set(super().shipped(merchant_uid))


def test_a_shop_that_cannot_count_its_shipments_is_told_so(tmp_path: Path) -> None:
    make = partial(SetShop, make=WorksOnEveryRepeat, alone=True)
    check(failures(make, tmp_path, [REPEATS]), {REPEATS: "SetShop.shipped gave a set"})


class OpenShop(HandShop):
    def close(self) -> None:
        assert isinstance(self.store, LeavesItsTransactionOpen)
        for db in self.store.open:
            db.close()


def test_a_transaction_left_open_is_found(tmp_path: Path) -> None:
    """The others wait for a tenth of a second only, so that waiting tests cannot be tried here."""
    make = partial(OpenShop, make=LeavesItsTransactionOpen, alone=True)
    test = "test_no_transaction_is_left_open"
    found = failures(make, tmp_path, [test])
    check(found, {test: "found the order changed, another thread could not pay .* is locked"})


class LosesRefunds(SqliteStore):
    """Ready-made, but for a refund in full, which it does not keep."""

    def observe(self, outcome: Outcome) -> Settled | None:
        return None if outcome.verdict is Verdict.CANCELLED else super().observe(outcome)


class RefundlessShop(SqliteShop):
    kind = LosesRefunds


def test_a_refund_that_is_not_handed_on_is_found(tmp_path: Path) -> None:
    check(failures(RefundlessShop, tmp_path, [PARTS]), {PARTS: "on_cancelled was called 0 times"})


class SilentShop(HandShop):
    """Its work does not say when it is half done."""

    def half_done(self) -> None:
        pass


def test_a_shop_whose_work_cannot_be_made_to_die_is_told_so(tmp_path: Path) -> None:
    def make(path: Path) -> TrialShop:
        shop = SilentShop(path, alone=True)
        shop.reopen = partial(SilentShop, path)
        return shop

    check(failures(make, tmp_path, [DIES]), {DIES: "does not call TrialShop.half_done"})


def test_a_shop_that_cannot_be_opened_elsewhere_is_told_so(tmp_path: Path) -> None:
    def cannot_be_imported() -> TrialShop:
        raise AssertionError("nobody finds it")

    def make(path: Path) -> TrialShop:
        shop = HandShop(path)
        shop.reopen = cannot_be_imported
        return shop

    check(failures(make, tmp_path, [DIES]), {DIES: "`reopen` is picklable"})


def _cannot_be_opened() -> TrialShop:
    raise ConnectionError("no such database")


def test_what_goes_wrong_elsewhere_is_told(tmp_path: Path) -> None:
    def make(path: Path) -> TrialShop:
        shop = HandShop(path)
        shop.reopen = _cannot_be_opened
        return shop

    words = {DIES: "ConnectionError: no such database", PROCESSES: "no such database"}
    check(failures(make, tmp_path, [DIES, PROCESSES]), words)


def test_what_others_cannot_do_meanwhile_is_no_fault_of_the_store(tmp_path: Path) -> None:
    def fail() -> None:
        raise TrialFailure

    shop, asked = HandShop(tmp_path / "shop.db", alone=True), ExpectedPayment(ORDER, PRICE)
    shop.put(asked)
    with Trial(shop) as trial:
        found = Interrupted(trial, paid_outcome(FIRST, asked), 1, fail, fail)
    assert found.settled is Settled.NEW
    [error] = found.before
    assert isinstance(error, TrialFailure)


LEFT_OUT = """
import pytest
from imp_verify.testing import OrderStoreContract
from tests.storage.shops import MemoryShop

class TestMine(OrderStoreContract):
    @pytest.fixture
    def shop(self):
        return MemoryShop()
"""


def test_what_was_left_out_stands_in_the_summary_and_is_no_error(tmp_path: Path) -> None:
    file, root = tmp_path / "test_mine.py", Path(__file__).parents[2]
    _ = file.write_text(LEFT_OUT)
    names = " or ".join((DIES, DIES_ANYWHERE, PROCESSES))
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error", "-k", names)
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={root}", str(file)]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "\n3 passed" in found
    for what in (
        "left out deliveries from many processes at once: the shop has no `reopen`",
        "left out processes that die in their work: the shop has no `reopen`",
        "left out processes that die between two lines of settle: the shop has no `reopen`",
    ):
        assert what in found


def test_who_knows_what_is_left_out_may_ignore_it() -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.filterwarnings("ignore", "OrderStoreContract left out")
        getattr(OrderStoreContract(), DIES)(MemoryShop())
    assert found == []


class OneAccountShop(HandShop):
    """Its orders name neither account nor methods, which it says loudly."""

    def put(self, order: ExpectedPayment) -> None:
        assert order.account is None
        super().put(ExpectedPayment(order.merchant_uid, order.amount, open=order.open))


def test_a_shop_whose_orders_ask_for_money_alone_is_told_what_was_left_out(tmp_path: Path) -> None:
    shop = OneAccountShop(tmp_path / "shop.db", ComparesTheMoneyAlone, alone=True)
    words = "left out orders that are changed in their account, pay_methods, pg_providers: the shop"
    with pytest.warns(UserWarning, match=words):
        getattr(OrderStoreContract(), CONDITIONS)(shop)
