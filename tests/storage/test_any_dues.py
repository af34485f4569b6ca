"""Whatever happens, in whatever order and however often: once all is delivered again, the open rows
are the money that is there and pays nothing, and nothing that was claimed has paid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, TypeAlias, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from imp_verify import ExpectedPayment, GiveBack, Receipt, ReceiptState, Settled
from imp_verify.stores import Due
from imp_verify.testing import TrialShop
from imp_verify.testing._harness import ORDER, PRICE, Trial
from tests.storage.shops import MemoryShop, SqliteShop

Factory: TypeAlias = Callable[[], AbstractContextManager[TrialShop]]
UIDS = ("imp_1", "imp_2", "imp_3")
ASKED = {
    "open": ExpectedPayment(ORDER, PRICE),
    "closed": ExpectedPayment(ORDER, PRICE, open=False),
    "dearer": ExpectedPayment(ORDER, PRICE + 1),
}
uids = st.sampled_from(UIDS)


def refuse() -> None:
    raise GiveBack("sold out")


class Dues(RuleBasedStateMachine):
    """Three payments of one order, whose shop closes it, changes its total or cannot fulfil it."""

    make: ClassVar[Factory]

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.shop = self._open.enter_context(type(self).make())
        self.trial = self._open.enter_context(Trial(self.shop))
        self.claimed: set[str] = set()
        self.paid: set[str] = set()
        self.adopted: set[str] = set()
        self.shop.put(ASKED["open"])

    @rule(uid=uids, delivered=st.booleans())
    def a_buyer_pays(self, uid: str, delivered: bool) -> None:
        if uid not in self.paid:
            self.paid.add(uid)
            self.trial.pays(uid, paid_at=int(time.time()) + 60)
        if delivered:
            _ = self.trial.deliver(uid)

    @rule(uid=uids, all_of_it=st.booleans(), delivered=st.booleans())
    def money_goes_back(self, uid: str, all_of_it: bool, delivered: bool) -> None:
        left = self._left(uid)
        if left > 0:
            self.trial.refunds(uid, left if all_of_it else left / 2)
            if delivered:
                _ = self.trial.deliver(uid)

    @rule(uid=uids)
    def it_is_delivered(self, uid: str) -> None:
        if uid in self.paid:
            _ = self.trial.deliver(uid)

    @rule(uid=uids)
    def it_is_adopted(self, uid: str) -> None:
        if uid in self.paid:
            told = list(cast(Any, self.shop).told())
            outcome = cast(Any, self.trial._wait(self.trial._verifier.adopt(uid, ORDER)))
            assert list(cast(Any, self.shop).told()) == told
            if outcome.settled is Settled.NEW:
                self.adopted.add(uid)

    @rule(how=st.sampled_from([*ASKED]))
    def the_order_is_edited(self, how: str) -> None:
        self.shop.put(ASKED[how])

    @rule(refuses=st.booleans())
    def the_stock_changes(self, refuses: bool) -> None:
        vars(self.shop)["half_done"] = refuse if refuses else lambda: None

    @rule(uid=uids, by_hand=st.booleans())
    def it_is_claimed(self, uid: str, by_hand: bool) -> None:
        until = datetime.now(UTC) + timedelta(minutes=1)
        if self.trial.ask("claim", uid, until, by_hand=by_hand) is not None:
            self.claimed.add(uid)

    @rule(uid=uids, error=st.sampled_from([None, "asked", "the PG said no"]))
    def a_try_ends(self, uid: str, error: str | None) -> None:
        self.trial.ask("close_due", uid, error)
        row: Due | None = self.trial.ask("due", uid)
        if error == "asked" and row is not None and row.done is None:
            self.claimed.add(uid)  # it has begun, by whomever

    def _left(self, uid: str) -> Decimal:
        if uid not in self.paid:
            return Decimal(0)
        return PRICE - Decimal(str(self.trial.says[uid]["cancel_amount"]))

    def _receipt(self, uid: str) -> Receipt | None:
        found: Receipt | None = self.trial.ask("receipts", [uid]).get(uid)
        return found

    @invariant()
    def nothing_pays_that_was_claimed(self) -> None:
        for uid in self.claimed:
            receipt = self._receipt(uid)
            assert receipt is None or receipt.state is not ReceiptState.PAYING
            assert uid not in self.shop.shipped(ORDER)
            assert uid not in self.adopted
        assert len([*self.shop.shipped(ORDER), *self.adopted]) <= 1

    def teardown(self) -> None:
        try:
            for uid in sorted(self.paid) * 2:
                _ = self.trial.deliver(uid)
            for uid in UIDS:
                self._check(uid)
            rows = self.trial.ask("dues", None, 100)
            for uid in sorted(self.paid):
                _ = self.trial.deliver(uid)
            assert self.trial.ask("dues", None, 100) == rows, "a repeat changes something"
        finally:
            self._open.close()

    def _check(self, uid: str) -> None:
        row: Due | None = self.trial.ask("due", uid)
        receipt = self._receipt(uid)
        pays = receipt is not None and receipt.state is ReceiptState.PAYING
        if self._left(uid) > 0 and not pays:
            assert row is not None, "money is there, pays nothing, and nobody knows"
            assert row.done is None
            assert row.amount == self._left(uid)
            assert (row.begun is not None) is (uid in self.claimed)
        else:
            assert row is None or row.done is not None, "nothing is there to give back"


@contextmanager
def memory_shop() -> Iterator[TrialShop]:
    yield MemoryShop()


@contextmanager
def sqlite_shop() -> Iterator[TrialShop]:
    with TemporaryDirectory() as directory:
        shop = SqliteShop(Path(directory) / "shop.db")
        yield shop
        shop.close()


@pytest.mark.parametrize(("make", "number"), [(memory_shop, 150), (sqlite_shop, 20)])
def test_in_the_end_the_money_that_pays_nothing_is_due(make: Factory, number: int) -> None:
    machine = type("DuesOfAShop", (Dues,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=number, stateful_step_count=30)
    )
