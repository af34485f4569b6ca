"""Whatever happens at the gateway and in the shop, whatever is delivered late, twice or never: once
all is delivered again, the store says what the gateway says, and each hook was called once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, TypeAlias

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from imp_verify import ExpectedPayment, Outcome, Receipt, ReceiptState, Settled, Verdict
from imp_verify.stores.memory import MemoryStore
from imp_verify.testing import TrialShop
from imp_verify.testing._harness import PRICE, Trial
from tests.core.test_advance_model import EVENTS, MONEY, Ledger
from tests.storage.shops import MemoryShop, SqliteShop
from tests.storage.sqlalchemy_shops import POOLED, SqlShop, Variant, cleared

Factory: TypeAlias = Callable[[], AbstractContextManager[TrialShop]]
"""Opens a fresh shop with hooks (`told`) and receipts, and closes it."""

ORDERS = ("ORD-1", "ORD-2")
PAYMENTS = {"imp_1": "ORD-1", "imp_2": "ORD-1", "imp_3": "ORD-1", "imp_4": "ORD-2"}
FORGED = {"imp_forged": "ORD-1"}
EVERY = {**PAYMENTS, **FORGED}
HOOK_OF = {"paying": "on_paid", "duplicate": "on_duplicate", "late": "on_late"}


def asked(order: str, how: str = "open") -> ExpectedPayment:
    price = PRICE + 1 if how == "reprice" else PRICE
    return ExpectedPayment(order, price, open=how != "close")


class History(RuleBasedStateMachine):
    """A gateway that is a few ledgers, a shop with two orders, and a store."""

    make: ClassVar[Factory]

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.shop = self._open.enter_context(type(self).make())
        self.trial = self._open.enter_context(Trial(self.shop))
        self.ledgers = dict.fromkeys(EVERY, Ledger())
        self.there = dict.fromkeys(ORDERS, True)
        for order in ORDERS:
            self.shop.put(asked(order))

    @rule(
        imp_uid=st.sampled_from([*EVERY]),
        which=st.integers(0, len(EVENTS) - 1),
        webhooks=st.sampled_from((0, 1, 2)),
    )
    def something_happens_at_the_gateway(self, imp_uid: str, which: int, webhooks: int) -> None:
        """Its webhook comes at once, is lost, or comes twice."""
        after = [self.ledgers[imp_uid].after(event) for event in EVENTS]
        possible = [each for each in after if each is not None]
        if not possible:
            return
        ledger = possible[which % len(possible)]
        self.ledgers[imp_uid] = ledger
        self._say(imp_uid, ledger)
        for _ in range(webhooks):
            _ = self._deliver(imp_uid)

    def _say(self, imp_uid: str, ledger: Ledger) -> None:
        history = [
            {"amount": f"{amount}", "cancellation_id": f"c{number}", "cancelled_at": number}
            for number, amount in enumerate(ledger.parts, 1)
        ]
        self.trial.pays(
            imp_uid,
            EVERY[imp_uid],
            status=ledger.status,
            amount=PRICE * 2 if imp_uid in FORGED else PRICE,
            cancel_amount=f"{ledger.cancelled}",
            cancel_history=history,
            pay_method="vbank",
            vbank_num="1002",
        )

    @rule(imp_uid=st.sampled_from([*EVERY]))
    def a_payment_is_delivered(self, imp_uid: str) -> None:
        if self.ledgers[imp_uid].status:
            _ = self._deliver(imp_uid)

    def _deliver(self, imp_uid: str) -> Outcome:
        outcome = self.trial.deliver(imp_uid)
        if outcome.paid:
            assert imp_uid not in FORGED
            assert self.ledgers[imp_uid].holds_money
            assert list(self.shop.shipped(EVERY[imp_uid])) == [imp_uid]
        return outcome

    @rule(
        order=st.sampled_from(ORDERS), how=st.sampled_from(("open", "close", "reprice", "delete"))
    )
    def an_order_is_edited(self, order: str, how: str) -> None:
        if how != "delete":
            self.shop.put(asked(order, how))
        elif self.there[order]:
            self.shop.delete(order)
        self.there[order] = how != "delete"

    @invariant()
    def nothing_is_told_twice_and_no_order_ships_twice(self) -> None:
        told = Counter(self.shop.told() or ())
        assert [each for each, count in told.items() if count > 1] == []
        for order in ORDERS:
            assert len(self.shop.shipped(order)) <= 1

    def teardown(self) -> None:
        try:
            self._settle_all()
            told, receipts = list(self.shop.told() or ()), self._receipts()
            self._check_books(receipts, {key: hook for hook, key in told})
            self._deliver_all()
            assert (self.shop.told(), self._receipts()) == (told, receipts), "a repeat changes it"
        finally:
            self._open.close()

    def _settle_all(self) -> None:
        """The orders are as they were, and all is delivered, whatever was lost before. Twice: the
        first time may free what the second then hands on."""
        for order in ORDERS:
            self.shop.put(asked(order))
        for _ in range(2):
            self._deliver_all()

    def _deliver_all(self) -> None:
        for imp_uid, ledger in self.ledgers.items():
            if ledger.status:
                _ = self._deliver(imp_uid)

    def _receipts(self) -> dict[str, Receipt]:
        return dict(self.trial.ask("receipts", list(EVERY)))

    def _check_books(self, receipts: dict[str, Receipt], hooks: dict[str, str]) -> None:
        for imp_uid in PAYMENTS:
            self._check_payment(imp_uid, receipts.get(imp_uid), hooks)
        for order in ORDERS:
            paying = [
                each
                for each in receipts.values()
                if each.merchant_uid == order and each.state is ReceiptState.PAYING
            ]
            assert len(paying) <= 1
            assert not paying or list(self.shop.shipped(order)) == [paying[0].imp_uid]
            if any(self._may_pay(uid, receipts) for uid, of in PAYMENTS.items() if of == order):
                assert self.shop.shipped(order), "money is there, and nothing was shipped"

    def _may_pay(self, imp_uid: str, receipts: dict[str, Receipt]) -> bool:
        """Late money of which a part went back stays late: the shop has begun to undo it."""
        ledger, receipt = self.ledgers[imp_uid], receipts.get(imp_uid)
        late = receipt is not None and receipt.state is ReceiptState.LATE
        return ledger.holds_money and not (late and ledger.parts)

    def _check_payment(self, uid: str, receipt: Receipt | None, hooks: dict[str, str]) -> None:
        ledger = self.ledgers[uid]
        if ledger.holds_money:
            assert receipt is not None, "money is there, and the store knows nothing of it"
            assert receipt.state in MONEY
        if receipt is not None and receipt.state in MONEY:
            assert ledger.holds_money
            assert (receipt.amount, receipt.cancel_amount) == (Decimal(PRICE), ledger.cancelled)
            hook = HOOK_OF[receipt.state]
            key = "paid" if hook == "on_paid" else str(receipt.state)
            assert hooks.get(f"{uid}:{key}") == hook
        if receipt is not None and receipt.state is ReceiptState.PAYING:
            parts = {f"{uid}:partly_cancelled:c{n}" for n, _ in enumerate(ledger.parts, 1)}
            assert {key for key, hook in hooks.items() if key in parts} == parts
        if ledger.cancelled == PRICE and f"{uid}:paid" in hooks:
            assert receipt is not None
            assert receipt.state is ReceiptState.CANCELLED
            assert hooks.get(f"{uid}:cancelled") == "on_cancelled"


def histories_of(make: Factory) -> type[History]:
    return type("HistoryOfAShop", (History,), {"make": staticmethod(make)})


@contextmanager
def memory_shop() -> Iterator[TrialShop]:
    yield MemoryShop()


@contextmanager
def sqlite_shop() -> Iterator[TrialShop]:
    with TemporaryDirectory() as directory:
        shop = SqliteShop(Path(directory) / "shop.db")
        yield shop
        shop.close()


@contextmanager
def postgresql_shop(place: Any, variant: Variant) -> Iterator[TrialShop]:
    """A shop in emptied tables. An async one has no pool: each history has its own event loop."""
    cleared(place)
    shop = SqlShop(variant, place, options=None if variant.asynchronous else POOLED)
    yield shop
    shop.close()


STORES: dict[str, tuple[Factory, int]] = {"memory": (memory_shop, 150), "sqlite": (sqlite_shop, 20)}
"""A factory each, and how many histories to try."""
ON_POSTGRESQL = {"psycopg": 15, "asyncpg": 5}
"""How many histories to try with each driver."""


def try_histories(make: Factory, number: int) -> None:
    run_state_machine_as_test(
        histories_of(make), settings=settings(max_examples=number, stateful_step_count=40)
    )


@pytest.mark.parametrize("name", STORES)
def test_in_the_end_the_store_says_what_the_gateway_says(name: str) -> None:
    try_histories(*STORES[name])


if os.environ.get("IMP_VERIFY_ALL_STEPS") == "1":

    @pytest.mark.slow
    @pytest.mark.parametrize("driver", ON_POSTGRESQL)
    def test_in_the_end_a_store_on_postgresql_says_what_the_gateway_says(
        driver: str, place: Callable[[str], Any]
    ) -> None:
        make = partial(postgresql_shop, place("postgresql"), Variant(driver))
        try_histories(make, ON_POSTGRESQL[driver])


class LosesRefunds(MemoryStore):
    def observe(self, outcome: Outcome) -> Settled | None:
        return None if outcome.verdict is Verdict.CANCELLED else super().observe(outcome)


class PaysAgain(MemoryStore):
    def settle(self, outcome: Outcome) -> Settled:
        self._was_paid.clear()
        self._paid_by.clear()
        return super().settle(outcome)


@pytest.mark.parametrize("kind", [LosesRefunds, PaysAgain])
def test_a_store_that_loses_something_is_found_out(kind: type[MemoryStore]) -> None:
    @contextmanager
    def make() -> Iterator[TrialShop]:
        yield MemoryShop(kind=kind)

    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(
            histories_of(make),
            settings=settings(
                max_examples=300,
                stateful_step_count=40,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
    assert caught.traceback[-1].path == Path(__file__), "one of the history's own complaints"
