"""The contract is public, and fair: it holds for the simplest store in memory too, plain and
async."""

import inspect
import threading
from collections.abc import Sequence

import pytest

from imp_verify import AsyncOrderStore, ExpectedPayment, Outcome, Settled, StoreError, testing
from imp_verify.testing import OrderStoreContract, TrialShop


class DictShop(TrialShop):
    """A store by hand in dictionaries: `expected` and `settle`, and nothing more."""

    def __init__(self) -> None:
        self.orders: dict[str, ExpectedPayment] = {}
        self.sent: list[tuple[str, str]] = []
        self.store = DictStore(self)

    def ship(self, outcome: Outcome) -> None:
        self.half_done()  # first: there is nothing here that could be rolled back
        self.sent.append((outcome.merchant_uid or "", outcome.imp_uid or ""))

    def put(self, order: ExpectedPayment) -> None:
        self.orders[order.merchant_uid] = order

    def delete(self, merchant_uid: str) -> None:
        del self.orders[merchant_uid]

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        return [imp_uid for order, imp_uid in self.sent if order == merchant_uid]


class DictStore(AsyncOrderStore):
    def __init__(self, shop: DictShop) -> None:
        self.shop = shop
        self.lock = threading.Lock()
        self.kept: dict[str, tuple[str, Settled]] = {}
        self.paid_by: dict[str, str] = {}

    async def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return self.shop.orders.get(merchant_uid)

    async def settle(self, outcome: Outcome) -> Settled:
        with self.lock:
            return self.decide(outcome)

    def decide(self, outcome: Outcome) -> Settled:
        imp_uid, number = outcome.imp_uid or "", outcome.merchant_uid or ""
        order = self.shop.orders.get(number)
        closed = order is None or not order.open
        if number != number.strip():
            raise StoreError("no order has a number that ends in a space")
        of, kept = self.kept.get(imp_uid, (number, None))
        if of != number:
            raise StoreError(f"{imp_uid} is kept for another order")
        if kept is not None and (kept is not Settled.LATE or closed):
            return Settled.REPEATED if kept is Settled.NEW else kept
        settled = Settled.NEW
        if number in self.paid_by:
            settled = Settled.DUPLICATE
        elif closed:
            settled = Settled.LATE
        elif order != outcome.expected:
            return Settled.STALE
        else:
            self.shop.ship(outcome)
            self.paid_by[number] = imp_uid
        self.kept[imp_uid] = (number, settled)
        return settled


class TestAsyncStoreByHand(OrderStoreContract):
    @pytest.fixture
    def shop(self) -> TrialShop:
        return DictShop()


class WonShop(DictShop):
    """A shop that sells in whole won can keep nothing else."""

    def put(self, order: ExpectedPayment) -> None:
        assert order.currency == "KRW"
        assert order.amount == int(order.amount)
        super().put(order)


class TestShopThatSellsInWonOnly(OrderStoreContract):
    look_alikes = (("ORD-01", "ORD-1"),)
    amounts = ("1", "39000")
    currencies = ()

    @pytest.fixture
    def shop(self) -> TrialShop:
        return WonShop()


def test_the_public_names() -> None:
    assert testing.__all__ == [
        *("Failing", "FakeGateway", "OrderStoreContract", "OrdersInMemory"),
        *("TrialFailure", "TrialShop", "journal_lines"),
    ]
    attributes = {name for name in dir(OrderStoreContract) if not name.startswith("_")}
    public = {name for name in attributes if not name.startswith("test_")}
    assert public == {"look_alikes", "amounts", "currencies"}
    for name in sorted(attributes - public):
        assert list(inspect.signature(getattr(OrderStoreContract, name)).parameters) == [
            "self",
            "shop",
        ]
