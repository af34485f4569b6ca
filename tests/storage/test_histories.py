"""Whatever happens at the gateway, in the shop and on the way between them: once all is well again,
`reconcile` makes the store say what the gateway says, each hook was called once, what pays nothing
is to be given back, and nothing was given back twice. The sandbox is the gateway."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NamedTuple, TypeAlias, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from imp_verify import (
    Credentials,
    ExpectedPayment,
    Finding,
    GatewayRefused,
    GatewayUnavailable,
    GiveBack,
    InvalidRequest,
    Outcome,
    Receipt,
    ReceiptState,
    Refund,
    Verifier,
)
from imp_verify.models import Due, FindingKind
from imp_verify.sandbox import Account, Attempt, Refused, Sandbox
from tests.storage.shops import MemoryShop, SqliteShop
from tests.storage.sqlalchemy_shops import POOLED, SqlShop, Variant, cleared
from tests.support.databases import MYSQL_DRIVER
from tests.support.in_process import BASE, InProcess

PRICE = 39000
ALL = os.environ.get("IMP_VERIFY_ALL_STEPS") == "1"
FORGED_PRICE = 1000
PART = 9000
ORDERS = ("ORD-1", "ORD-2")
HELD = (ReceiptState.PAYING, ReceiptState.DUPLICATE, ReceiptState.LATE)
ACCOUNT = Account()
REFUND = Refund("홍길동", "088", "110123456789")


class Opened(NamedTuple):
    """A window that a buyer opened."""

    order: str
    amount: int = PRICE
    pay_method: str = "card"


OPENED = {
    "card": Opened("ORD-1"),
    "second card": Opened("ORD-1"),
    "account": Opened("ORD-1", pay_method="vbank"),
    "forged": Opened("ORD-1", FORGED_PRICE),
    "other's card": Opened("ORD-2"),
    "other's account": Opened("ORD-2", pay_method="vbank"),
    "nobody's": Opened("ORD-3"),
}
CARDS = [name for name, each in OPENED.items() if each.pay_method == "card"]
ACCOUNTS = [name for name, each in OPENED.items() if each.pay_method == "vbank"]
EVERY = st.sampled_from([*OPENED])


class Restless:
    """What the shop of a history does before it does its work."""

    def __init__(self) -> None:
        self.failures = 0
        self.sold_out: set[str | None] = set()

    def __call__(self, name: str, outcome: Outcome) -> None:
        if self.failures:
            self.failures -= 1
            raise LookupError("this shop's hook fails now and then")
        if name == "on_paid" and outcome.merchant_uid in self.sold_out:
            raise GiveBack("sold out")


class MemoryHistoryShop(MemoryShop):
    def __init__(self) -> None:
        self.restless = Restless()
        super().__init__()

    def _hook(self, name: str, outcome: Outcome, transaction: Any) -> None:
        self.restless(name, outcome)
        super()._hook(name, outcome, transaction)


class SqliteHistoryShop(SqliteShop):
    def __init__(self, path: Path) -> None:
        self.restless = Restless()
        super().__init__(path)

    def _hook(self, name: str, outcome: Outcome, db: Any) -> None:
        super()._hook(name, outcome, db)  # first: it is rolled back
        self.restless(name, outcome)


class SqlHistoryShop(SqlShop):
    def __init__(self, variant: Variant, place: Any) -> None:
        self.restless = Restless()
        super().__init__(variant, place, options=POOLED)

    async def _hook(self, name: str, outcome: Outcome, transaction: Any) -> None:
        await super()._hook(name, outcome, transaction)
        self.restless(name, outcome)


HistoryShop: TypeAlias = MemoryHistoryShop | SqliteHistoryShop | SqlHistoryShop
Factory: TypeAlias = Callable[[], AbstractContextManager[HistoryShop]]
"""Opens a fresh shop, and closes it."""


class History(RuleBasedStateMachine):
    """A gateway, a shop with two orders, its verifier, and a clerk who gives money back."""

    factory: ClassVar[list[Factory]]

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.shop = self._open.enter_context(self.factory[0]())
        self.restless = self.shop.restless
        self.store = cast(Any, self.shop.store)
        self.sandbox = Sandbox(accounts=[ACCOUNT])
        self.began = self.store.run("").began
        self.sandbox.clock.stop_at(int(self.began.timestamp()))
        self.on_the_way = InProcess(self.sandbox)
        self._open.callback(self.on_the_way.close)
        self.verifier = Verifier(
            self.store,
            credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
            base_url=BASE,
            transport=self.on_the_way,
            test_mode=True,
            timeout=60,
        )
        self.ever_closed: set[str] = set()
        self.ever_sold_out: set[str] = set()
        for order in ORDERS:
            self.shop.put(ExpectedPayment(order, PRICE))
        self.uids = {name: self._opens(each) for name, each in OPENED.items()}

    def _opens(self, opened: Opened) -> str:
        fields = {"amount": opened.amount, "pay_method": opened.pay_method}
        return self.sandbox.gateway.open({"merchant_uid": opened.order, **fields}).imp_uid

    def at(self, name: str) -> Attempt:
        """The payment as the gateway has it."""
        return self.sandbox.gateway.attempt(self.uids[name])

    # What happens at the gateway. What cannot happen to this payment now does not.

    def _happens(
        self, act: Callable[..., object], name: str, *arguments: Any, **named: Any
    ) -> None:
        try:
            act(self.uids[name], *arguments, **named)
        except Refused:
            return

    @rule(name=st.sampled_from(CARDS), webhooks=st.sampled_from((0, 1, 2)))
    def a_card_pays(self, name: str, webhooks: int) -> None:
        self._happens(self.sandbox.gateway.approve, name, late=True)
        self._deliver_often(name, webhooks)

    @rule(name=st.sampled_from(CARDS), tells=st.booleans())
    def a_card_is_declined(self, name: str, tells: bool) -> None:
        self._happens(self.sandbox.decline, name)
        self._deliver_often(name, int(tells))

    @rule(name=st.sampled_from(ACCOUNTS), webhooks=st.sampled_from((0, 1, 2)))
    def an_account_is_issued(self, name: str, webhooks: int) -> None:
        self._happens(self.sandbox.gateway.issue_account, name)
        self._deliver_often(name, webhooks)

    @rule(name=st.sampled_from(ACCOUNTS), webhooks=st.sampled_from((0, 1, 2)))
    def a_deposit_comes(self, name: str, webhooks: int) -> None:
        self._happens(self.sandbox.deposit, name)
        self._deliver_often(name, webhooks)

    @rule(name=st.sampled_from(ACCOUNTS))
    def an_account_runs_out(self, name: str) -> None:
        self._happens(self.sandbox.gateway.kill_account, name)

    @rule(
        name=EVERY,
        amount=st.sampled_from((PART, None, PART, 100)),
        webhooks=st.sampled_from((0, 1, 2)),
    )
    def money_goes_back_in_the_console(self, name: str, amount: int | None, webhooks: int) -> None:
        part = None if amount is None else Decimal(amount)
        self._happens(self.sandbox.cancel, name, part)
        self._deliver_often(name, webhooks)

    # What happens in the shop.

    @rule(order=st.sampled_from(ORDERS), is_open=st.booleans())
    def an_order_is_closed_or_opened(self, order: str, is_open: bool) -> None:
        self.shop.put(ExpectedPayment(order, PRICE, open=is_open))
        if not is_open:
            self.ever_closed.add(order)

    @rule(order=st.sampled_from(ORDERS), there=st.booleans())
    def stock_ends_or_comes(self, order: str, there: bool) -> None:
        if there:
            self.restless.sold_out.discard(order)
        else:
            self.restless.sold_out.add(order)
            self.ever_sold_out.add(order)

    @rule(failures=st.sampled_from((1, 2)))
    def hooks_will_fail(self, failures: int) -> None:
        self.restless.failures = failures

    @rule(name=EVERY, part=st.booleans(), lost=st.booleans())
    def a_clerk_gives_money_back(self, name: str, part: bool, lost: bool) -> None:
        """And clicks once more where no answer came: that must give back nothing more."""
        before = self.at(name)
        named: dict[str, Any] = {"reason": "고객 요청", "refundable": before.remaining or None}
        named["amount"] = PART if part else None
        named["refund_to"] = REFUND if before.vbank is not None else None
        # The first calls may be for a token, whose lost answer is asked for again.
        _ = self.verifier.payment(self.uids[name])
        self.on_the_way.loses = int(lost)
        for _ in range(2 if lost else 1):
            self._cancel(name, named)
        self.on_the_way.loses = 0
        given_back = self.at(name).cancel_amount - before.cancel_amount
        assert given_back in (0, PART if part else before.remaining)

    def _cancel(self, name: str, named: Mapping[str, Any]) -> None:
        try:
            _ = self.verifier.cancel(self.uids[name], **named)
        except (InvalidRequest, GatewayRefused, GatewayUnavailable, LookupError):
            return

    # What comes of it.

    @rule(name=EVERY)
    def a_payment_is_delivered(self, name: str) -> None:
        self._deliver_often(name, 1)

    @rule(name=EVERY, order=st.sampled_from(ORDERS))
    def somebody_claims_it_for_an_order(self, name: str, order: str) -> None:
        self._deliver(name, order)

    def _deliver_often(self, name: str, times: int) -> None:
        for _ in range(times):
            self._deliver(name)

    def _deliver(self, name: str, order: str | None = None) -> None:
        try:
            outcome = self.verifier.verify(self.uids[name], order)
        except LookupError:
            return
        if outcome.paid:
            assert self._is_genuine(name)
            assert self._holds_money(name)
            assert list(self.shop.shipped(OPENED[name].order)) == [self.uids[name]]

    @rule()
    def reconcile_runs(self) -> None:
        _ = self._reconcile()

    def _reconcile(self) -> list[Finding]:
        since = self.began - timedelta(days=1)
        return list(self.verifier.reconcile(since, datetime.now(UTC)))

    def _is_genuine(self, name: str) -> bool:
        return OPENED[name].order in ORDERS and self.at(name).amount == PRICE

    def _holds_money(self, name: str) -> bool:
        return self.at(name).remaining > 0

    @invariant()
    def nothing_is_told_twice_and_no_order_ships_twice(self) -> None:
        told = Counter(self.shop.told())
        assert [each for each, count in told.items() if count > 1] == []
        for order in ORDERS:
            assert len(self.shop.shipped(order)) <= 1

    # In the end all is well again.

    def teardown(self) -> None:
        try:
            self.restless.failures = 0
            first = self._reconcile()
            # What on_paid gave back of a deposit waits for the buyer's bank account.
            wrong = [each for each in first if each.kind is not FindingKind.DUE and each.error]
            assert wrong == []
            self._check_books()
            before = self._books()
            self._check_second_run(self._reconcile())
            assert self._books() == before, "a second run changes something"
            self.nothing_is_told_twice_and_no_order_ships_twice()
        finally:
            self._open.close()

    def _check_second_run(self, findings: list[Finding]) -> None:
        found = sorted((str(each.kind), each.imp_uid) for each in findings)
        wanted = [(FindingKind.DUE, uid) for uid in self._dues()]
        if self._holds_money("nobody's"):
            wanted.append((FindingKind.UNKNOWN_ORDER, self.uids["nobody's"]))
        assert found == sorted((str(kind), uid) for kind, uid in wanted)

    def _books(self) -> tuple[object, ...]:
        return list(self.shop.told()), self._receipts(), self._dues()

    def _receipts(self) -> dict[str, Receipt]:
        return dict(self.store.receipts([*self.uids.values()]))

    def _dues(self) -> dict[str, Due]:
        return {each.imp_uid: each for each in self.store.dues(None, 100)}

    def _check_books(self) -> None:
        receipts, dues = self._receipts(), self._dues()
        keys = {key: hook for hook, key in self.shop.told()}
        for name, uid in self.uids.items():
            due = self._check_payment(name, receipts.get(uid), keys)
            found = dues.pop(uid, None)
            assert (None if found is None else (found.kind, found.amount)) == due
        assert dues == {}
        for order in ORDERS:
            paying = [
                each.imp_uid
                for each in receipts.values()
                if (each.merchant_uid, each.state) == (order, ReceiptState.PAYING)
            ]
            assert len(paying) <= 1
            assert not paying or list(self.shop.shipped(order)) == paying
            assert self.store.paid(order) is bool(self.shop.shipped(order))

    def _check_payment(
        self, name: str, receipt: Receipt | None, keys: Mapping[str, str]
    ) -> tuple[str, Decimal] | None:
        """Return what is to be given back of it: why, and how much."""
        at = self.at(name)
        assert at.cancel_amount <= at.amount
        if OPENED[name].order not in ORDERS:
            assert receipt is None
            return None
        if not self._is_genuine(name):
            assert receipt is None or receipt.state not in (*HELD, ReceiptState.CANCELLED)
            if not self._holds_money(name):
                return None
            assert keys.get(f"{at.imp_uid}:forgery:amount:money") == "on_forgery"
            return "forgery", at.remaining
        if self._holds_money(name):
            assert receipt is not None, "money is there, and the store knows nothing of it"
            assert (receipt.amount, receipt.cancel_amount) == (at.amount, at.cancel_amount)
            return self._check_held(at, receipt, keys)
        self._check_empty(at, receipt, keys)
        return None

    def _check_held(
        self, at: Attempt, receipt: Receipt, keys: Mapping[str, str]
    ) -> tuple[str, Decimal] | None:
        uid, order = at.imp_uid, at.merchant_uid
        assert receipt.state in HELD
        if receipt.state is ReceiptState.PAYING:
            assert keys.get(f"{uid}:paid") == "on_paid"
            for part in at.cancellations:
                key = f"{uid}:partly_cancelled:{part.cancellation_id}"
                assert keys.get(key) == "on_partly_cancelled"
            return None
        if receipt.state is ReceiptState.DUPLICATE:
            assert self.shop.shipped(order)
            assert keys.get(f"{uid}:duplicate") == "on_duplicate"
            return "duplicate", at.remaining
        if receipt.reason is not None:
            assert order in self.ever_sold_out
            assert keys.get(f"{uid}:late:refused") == "on_late"
            return "refused", at.remaining
        assert order in self.ever_closed
        assert keys.get(f"{uid}:late") == "on_late"
        return "late", at.remaining

    def _check_empty(self, at: Attempt, receipt: Receipt | None, keys: Mapping[str, str]) -> None:
        state = None if receipt is None else receipt.state
        assert state not in HELD
        if state is ReceiptState.WAITING:
            assert at.waits_for_deposit
        if f"{at.imp_uid}:paid" in keys:
            assert state is ReceiptState.CANCELLED
            assert keys.get(f"{at.imp_uid}:cancelled") == "on_cancelled"


def histories_of(make: Factory) -> type[History]:
    return type("HistoryOfAShop", (History,), {"factory": [make]})


@contextmanager
def memory_shop() -> Iterator[HistoryShop]:
    yield MemoryHistoryShop()


@contextmanager
def sqlite_shop() -> Iterator[HistoryShop]:
    with TemporaryDirectory() as directory:
        shop = SqliteHistoryShop(Path(directory) / "shop.db")
        yield shop
        shop.close()


@contextmanager
def sqlalchemy_shop(place: Any, variant: Variant) -> Iterator[HistoryShop]:
    """A shop in emptied tables."""
    cleared(place)
    shop = SqlHistoryShop(variant, place)
    yield shop
    shop.close()


STORES: dict[str, Factory] = {"memory": memory_shop, "sqlite": sqlite_shop}


def try_histories(make: Factory, number: int) -> None:
    run_state_machine_as_test(
        histories_of(make), settings=settings(max_examples=number, stateful_step_count=30)
    )


@pytest.mark.parametrize("name", STORES)
def test_after_reconcile_the_store_says_what_the_gateway_says(name: str) -> None:
    try_histories(STORES[name], 100 if ALL else 25)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "driver"), [("postgresql", "psycopg"), ("mysql", MYSQL_DRIVER)])
def test_after_reconcile_a_store_on_a_server_says_what_the_gateway_says(
    kind: str, driver: str, place: Callable[[str], Any]
) -> None:
    try_histories(partial(sqlalchemy_shop, place(kind), Variant(driver)), 20 if ALL else 5)
