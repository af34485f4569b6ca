"""Deliveries of one order, stepped through every order that their effects can come in, against real
stores: settled once, told once, whatever the schedule."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment, OrderStore, Outcome, ReceiptState, Settled, Verdict
from imp_verify._core.accounts import AccountChoice, Accounts
from imp_verify._core.flow import Expect, Observe, Recall, Send, Settle
from imp_verify._core.verification import verify
from imp_verify.models import Notice
from imp_verify.settings import Settings
from imp_verify.stores._hooks import HookArguments
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from tests.drivers.wire import UNKNOWN, account, never, paid

Actor = Generator[None, None, None]
ENDPOINTS = ("complete", "webhook", "redirect")


class Shop:
    """Orders, a gateway and a store, with a fresh order for every schedule."""

    def __init__(self, make: Callable[["Shop"], OrderStore]) -> None:
        self.orders: dict[str, ExpectedPayment] = {}
        self.order = ""
        self.says: dict[str, dict[str, object]] = {}
        self.told: list[Outcome] = []
        self.names: list[str] = []
        self.outcomes: list[Outcome] = []
        self.store = make(self)
        self.accounts = Accounts(never, AccountChoice(account()))
        self.account: str | None = None
        """What an order names when it is opened; the only account that knows the payments."""
        self._round = 0

    def open_order(self) -> None:
        self._round += 1
        self.order = f"ORD-{self._round}"
        self.ask(39000, account=self.account)
        self.says, self.told, self.names, self.outcomes = {}, [], [], []

    def ask(self, amount: int, *, open: bool = True, account: str | None = None) -> None:
        self.orders[self.order] = ExpectedPayment(self.order, amount, open=open, account=account)

    def imp_uid(self, number: int) -> str:
        return f"imp_{self._round}_{number}"

    def expected(self, merchant_uid: str, transaction: object) -> ExpectedPayment | None:
        return self.orders.get(merchant_uid)

    def hooks(self) -> Any:
        def noting(name: str) -> Callable[[Outcome, object], None]:
            def note(outcome: Outcome, transaction: object) -> None:
                self.names.append(name)
                self.told.append(outcome)

            return note

        return {name: noting(name) for name in HookArguments.__annotations__}

    def perform(self, step: object) -> object:
        match step:
            case Send(request):
                imp_uid = request.url.rpartition("/")[2]
                if request.headers["Authorization"] != f"Bearer token-{self.account or 1}":
                    return UNKNOWN
                return paid(imp_uid, merchant_uid=self.order, **self.says.get(imp_uid, {}))
            case Expect(merchant_uid):
                return self.store.expected(merchant_uid)
            case Recall(imp_uids):
                return self.store.receipts(imp_uids)
            case Settle(outcome):
                return self.store.settle(outcome)
            case Observe(outcome):
                return self.store.observe(outcome)
            case _:
                raise AssertionError(step)

    def delivery(self, number: int, endpoint: str) -> Actor:
        """One delivery of a payment; each step of it performs one effect."""
        claim = Notice(self.imp_uid(number), self.order)
        flow = verify(Settings(), self.accounts, claim, endpoint)
        try:
            step = next(flow)
            while True:
                yield
                step = flow.send(self.perform(step))
        except StopIteration as end:
            self.outcomes.append(end.value)

    def state(self, number: int) -> ReceiptState | None:
        receipt = self.store.receipts([self.imp_uid(number)]).get(self.imp_uid(number))
        return None if receipt is None else receipt.state


def event(*happens: Callable[[], object]) -> Actor:
    """What happens in the shop or at the gateway meanwhile, one thing after the other."""
    for each in happens:
        yield
        each()


def _choose(prefix: list[int], taken: list[tuple[int, int]], among: int) -> int:
    choice = prefix[len(taken)] if len(taken) < len(prefix) else 0
    taken.append((choice, among))
    return choice


def schedules(play: Callable[[Callable[[int], int]], None]) -> int:
    """Play every sequence of choices, and tell how many there are."""
    prefix: list[int] = []
    for count in range(1, 100_000):
        taken: list[tuple[int, int]] = []

        play(partial(_choose, prefix, taken))
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return count
        prefix = [choice for choice, _ in taken[:-1]] + [taken[-1][0] + 1]
    raise AssertionError("too many schedules")


def every_schedule(shop: Shop, actors: Callable[[], list[Actor]], check: Callable[[], None]) -> int:
    """Open an order, let the actors take their steps in every order, and check each time."""

    def play(choose: Callable[[int], int]) -> None:
        shop.open_order()
        live = actors()
        for actor in live:
            next(actor)
        while live:
            actor = live[choose(len(live))]
            if next(actor, "done") == "done":
                live.remove(actor)
        check()

    return schedules(play)


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "memory":
        yield Shop(lambda shop: MemoryStore(expected=shop.expected, **shop.hooks()))
        return
    path = tmp_path / "shop.db"
    made = Shop(lambda shop: SqliteStore(path, expected=shop.expected, **shop.hooks()))
    yield made
    assert isinstance(made.store, SqliteStore)
    made.store.close()
    with sqlite3.connect(path) as db:  # one row for one change, in every schedule
        rows = db.execute("SELECT imp_uid, change FROM imp_changes").fetchall()
    db.close()
    assert rows
    assert len(rows) == len(set(rows))


def test_a_schedule_is_every_one_of_its_kind() -> None:
    seen = set()

    def play(choose: Callable[[int], int]) -> None:
        left = {"a": 3, "b": 3}
        word = ""
        while left:
            letter = list(left)[choose(len(left))]
            word += letter
            left[letter] -= 1
            left = {name: count for name, count in left.items() if count}
        seen.add(word)

    assert schedules(play) == len(seen) == 20  # six steps, three of them a's


def test_r01_r02_one_payment_delivered_twice_pays_once_in_every_schedule(shop: Shop) -> None:
    def check() -> None:
        assert shop.names == ["on_paid"]
        assert all(outcome.paid for outcome in shop.outcomes)
        settled = Counter(outcome.settled for outcome in shop.outcomes)
        assert settled == {Settled.NEW: 1, Settled.REPEATED: 1}

    def actors() -> list[Actor]:
        return [shop.delivery(1, endpoint) for endpoint in ENDPOINTS[:2]]

    assert every_schedule(shop, actors, check) == 20


def test_r03_three_deliveries_pay_once_in_every_schedule(shop: Shop) -> None:
    def check() -> None:
        assert shop.names == ["on_paid"]
        assert [outcome.paid for outcome in shop.outcomes] == [True] * 3

    def actors() -> list[Actor]:
        return [shop.delivery(1, endpoint) for endpoint in ENDPOINTS]

    assert every_schedule(shop, actors, check) == 1680


def test_r13_two_payments_pay_one_order_once_in_every_schedule(shop: Shop) -> None:
    def check() -> None:
        first, second = shop.outcomes
        paying, spare = (first, second) if first.paid else (second, first)
        assert (paying.verdict, spare.verdict) == (Verdict.PAID, Verdict.DUPLICATE)
        assert shop.names == ["on_paid", "on_duplicate"]
        assert shop.told[1].imp_uid == spare.imp_uid
        assert shop.told[1].paid_by == paying.imp_uid

    def actors() -> list[Actor]:
        return [shop.delivery(number, "webhook") for number in (1, 2)]

    assert every_schedule(shop, actors, check) == 20


def both(shop: Shop, *happens: Callable[[], object]) -> Callable[[], list[Actor]]:
    """Two deliveries of one payment, and what happens meanwhile."""

    def actors() -> list[Actor]:
        deliveries = [shop.delivery(1, endpoint) for endpoint in ENDPOINTS[:2]]
        return [*deliveries, event(*happens)]

    return actors


def test_an_amount_changed_at_any_moment_is_paid_before_or_not_at_all(shop: Shop) -> None:
    seen: Counter[tuple[str, ...]] = Counter()

    def check() -> None:
        verdicts = tuple(sorted(outcome.verdict for outcome in shop.outcomes))
        seen[verdicts] += 1
        if shop.state(1) is ReceiptState.PAYING:
            assert shop.names == ["on_paid"]
            assert shop.told[0].expected == ExpectedPayment(shop.order, 39000)
        else:
            assert shop.names == ["on_forgery"]

    assert every_schedule(shop, both(shop, lambda: shop.ask(50000)), check) > 140
    assert set(seen) == {("paid", "paid"), ("forgery", "forgery")}


def test_an_amount_changed_and_changed_back_is_never_paid_twice(shop: Shop) -> None:
    def check() -> None:
        new = [outcome for outcome in shop.outcomes if outcome.settled is Settled.NEW]
        paying = [outcome for outcome in new if outcome.verdict is Verdict.PAID]
        assert shop.names.count("on_paid") == len(paying) <= 1
        paid_now = shop.state(1) is ReceiptState.PAYING
        assert paid_now is any(outcome.paid for outcome in shop.outcomes)

    def actors() -> list[Actor]:
        # Two deliveries come to thousands of schedules: seconds in memory, a minute on disk.
        endpoints = ENDPOINTS[: 2 if isinstance(shop.store, MemoryStore) else 1]
        changes = event(lambda: shop.ask(50000), lambda: shop.ask(39000))
        return [*(shop.delivery(1, endpoint) for endpoint in endpoints), changes]

    assert every_schedule(shop, actors, check) > 10


def test_an_order_closed_at_any_moment_is_paid_before_or_late(shop: Shop) -> None:
    seen: Counter[tuple[str, ...]] = Counter()

    def check() -> None:
        verdicts = tuple(sorted(outcome.verdict for outcome in shop.outcomes))
        seen[verdicts] += 1
        assert shop.names == ["on_paid" if verdicts[0] == "paid" else "on_late"]

    close = both(shop, lambda: shop.ask(39000, open=False))
    assert every_schedule(shop, close, check) == 356
    assert set(seen) == {("paid", "paid"), ("late", "late")}


def test_late_money_accepted_at_any_moment_pays_once(shop: Shop) -> None:
    def check() -> None:
        assert shop.names.count("on_paid") <= 1
        assert shop.names.count("on_late") <= 1
        shipped = any(outcome.paid for outcome in shop.outcomes)
        assert shipped is ("on_paid" in shop.names)

    changes = (lambda: shop.ask(39000, open=False), lambda: shop.ask(39000))
    assert every_schedule(shop, both(shop, *changes), check) == 1598


def test_an_order_deleted_at_any_moment_is_paid_before_or_not_at_all(shop: Shop) -> None:
    def check() -> None:
        verdicts = {outcome.verdict for outcome in shop.outcomes}
        if Verdict.PAID in verdicts:
            assert verdicts == {Verdict.PAID}
            assert shop.names == ["on_paid"]
        else:
            assert verdicts <= {Verdict.LATE, Verdict.UNKNOWN_ORDER}
            assert shop.names == ["on_late"] * (Verdict.LATE in verdicts)

    assert every_schedule(shop, both(shop, lambda: shop.orders.pop(shop.order)), check) == 230


@pytest.mark.parametrize("back", [False, True])
def test_an_order_that_moves_to_another_account_is_paid_before_or_not_at_all(
    shop: Shop, back: bool
) -> None:
    seen = set()
    shop.account = "kr"
    named = {name: account(name=name) for name in ("kr", "us")}
    shop.accounts = Accounts(never, named=named)

    def check() -> None:
        verdicts = {outcome.verdict for outcome in shop.outcomes}
        seen.update(verdicts)
        if Verdict.PAID in verdicts:
            assert shop.names == ["on_paid"]
            assert shop.told[0].asked == "kr"
            assert shop.told[0].expected == ExpectedPayment(shop.order, 39000, account="kr")
            receipt = shop.store.receipts([shop.imp_uid(1)])[shop.imp_uid(1)]
            assert receipt.account == "kr"
        else:
            assert shop.names == []

    def actors() -> list[Actor]:
        # Two deliveries and two moves would come to ten thousands of schedules.
        endpoints = ENDPOINTS[: 2 if isinstance(shop.store, MemoryStore) and not back else 1]
        moves = [partial(shop.ask, 39000, account=name) for name in ("us", *["kr"] * back)]
        return [*(shop.delivery(1, endpoint) for endpoint in endpoints), event(*moves)]

    assert every_schedule(shop, actors, check) > 4
    assert seen == {Verdict.PAID, Verdict.UNKNOWN_PAYMENT}


def test_two_payments_of_an_order_that_closes_pay_it_once_or_not_at_all(shop: Shop) -> None:
    def check() -> None:
        verdicts = sorted(outcome.verdict for outcome in shop.outcomes)
        assert verdicts in (["duplicate", "paid"], ["late", "late"])
        assert sorted(shop.names) in (["on_duplicate", "on_paid"], ["on_late", "on_late"])

    def actors() -> list[Actor]:
        deliveries = [shop.delivery(number, "webhook") for number in (1, 2)]
        return [*deliveries, event(lambda: shop.ask(39000, open=False))]

    assert every_schedule(shop, actors, check) == 356


def test_r14_a_refund_at_any_moment_is_told_once_and_never_paid_after(shop: Shop) -> None:
    def refund() -> None:
        shop.says[shop.imp_uid(1)] = {"status": "cancelled", "cancel_amount": 39000}

    def check() -> None:
        assert shop.names in ([], ["on_paid"], ["on_paid", "on_cancelled"])
        state = shop.state(1)
        if "on_cancelled" in shop.names or not shop.names:
            assert state is ReceiptState.CANCELLED
        assert Verdict.PENDING not in {outcome.verdict for outcome in shop.outcomes}

    assert every_schedule(shop, both(shop, refund), check) == 140


def test_refunds_in_parts_at_any_moment_are_handed_on_once_each(shop: Shop) -> None:
    def refunded(*amounts: int) -> Callable[[], None]:
        history = [
            {"cancellation_id": f"c{n}", "amount": amount, "cancelled_at": 1_735_700_000 + n}
            for n, amount in enumerate(amounts)
        ]

        def refund() -> None:
            total = sum(amounts)
            changes = {"status": "paid", "cancel_amount": total, "cancel_history": history}
            shop.says[shop.imp_uid(1)] = changes

        return refund

    def check() -> None:
        assert shop.names[0] == "on_paid"
        parts = [each.cancellations[0] for each in shop.told[1:]]
        assert [part.amount for part in parts] in ([], [1000], [1000, 2000])
        receipt = shop.store.receipts([shop.imp_uid(1)])[shop.imp_uid(1)]
        assert receipt.cancel_amount == sum((part.amount for part in parts), Decimal(0))

    changes = (refunded(1000), refunded(1000, 2000))
    assert every_schedule(shop, both(shop, *changes), check) >= 560
