"""A shop that begins with a past: its old payments, taken over from a list, and what they are from
then on. The sandbox is the gateway, over sockets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from imp_verify import (
    AsyncOrderStore,
    AsyncVerifier,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    InvalidRequest,
    OrderStore,
    Outcome,
    Reason,
    Receipt,
    Settled,
    StoreError,
    Verdict,
    Verifier,
)
from imp_verify.sandbox import Account, Attempt, SandboxServer
from imp_verify.stores import OrderState, advance
from imp_verify.stores._advance import amount_of
from imp_verify.stores.memory import MemoryStore
from tests.drivers.driving import I1, Driver

PRICE = 39000
KR, US = Account(), Account(key="us-key", secret="us-secret")
HOOKS = ("paid", "partly_cancelled", "cancelled", "duplicate", "late", "forgery")


class Shop:
    """Its old orders are closed: they were served before it had this store."""

    def __init__(self, driver: Driver, gateway: SandboxServer, **arguments: Any) -> None:
        self.driver, self.gateway = driver, gateway
        self.orders: dict[str, ExpectedPayment] = {}
        self.told: list[tuple[str, str | None]] = []
        hooks: dict[str, Any] = {f"on_{name}": self.hook(name) for name in HOOKS}
        self.store: Any = MemoryStore(expected=lambda number, _: self.orders.get(number), **hooks)
        self.verifier = self.make(self.store, **arguments)
        # All that is made here was paid a day before the store began.
        begun = self.store.run("").began
        gateway.sandbox.clock.stop_at(int((begun - timedelta(days=1)).timestamp()))

    def hook(self, name: str) -> Any:
        def hook(outcome: Outcome, _: None) -> None:
            self.told.append((name, outcome.merchant_uid))

        return hook

    def make(self, store: object, **arguments: Any) -> Any:
        kind: Any = AsyncVerifier if self.driver.is_async else Verifier
        if "accounts" not in arguments:
            arguments["credentials"] = Credentials(KR.key, KR.secret)
        return kind(store, base_url=self.gateway.url, test_mode=True, **arguments)

    def paid(self, number: str, amount: int = PRICE, **fields: Any) -> Attempt:
        self.orders.setdefault(number, ExpectedPayment(number, PRICE, open=False))
        return self.gateway.sandbox.gateway.make(
            **{"merchant_uid": number, "amount": amount, "status": "paid", **fields}
        )

    def call(self, method: str, attempt: Attempt, number: str | None = None) -> Outcome:
        outcome: Outcome = self.driver.call(
            self.verifier, method, attempt.imp_uid, number or attempt.merchant_uid
        )
        return outcome

    def reconcile(self) -> list[tuple[str, str | None]]:
        window = {"since": datetime.now(UTC) - timedelta(days=3), "until": datetime.now(UTC)}
        run = self.verifier.reconcile(**window)
        if not self.driver.is_async:
            return sorted((each.kind, each.merchant_uid) for each in run)

        async def collect() -> list[tuple[str, str | None]]:
            return sorted([(each.kind, each.merchant_uid) async for each in run])

        found: list[tuple[str, str | None]] = self.driver.finish(collect())
        return found


@pytest.fixture
def gateway() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def shop(driver: Driver, gateway: SandboxServer) -> Iterator[Shop]:
    made = Shop(driver, gateway)
    yield made
    driver.call(made.verifier, "close")


def test_a_past_that_is_adopted_is_right_and_what_comes_after_is_told(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imp_verify")
    attempts = [shop.paid(f"ORD{number}") for number in range(3)]
    assert shop.reconcile() == [("too_old", f"ORD{number}") for number in range(3)]
    for each in attempts:
        assert shop.call("adopt", each).settled is Settled.NEW
    assert [record.getMessage() for record in caplog.records if "adopted" in record.message] == [
        f"adopted {each.imp_uid} for order '{each.merchant_uid}'" for each in attempts
    ]
    assert shop.reconcile() == []
    assert [shop.call("adopt", each).settled for each in attempts] == [Settled.REPEATED] * 3
    assert shop.told == []
    shop.gateway.sandbox.cancel(attempts[1].imp_uid)
    assert shop.reconcile() == [("refund_missing", "ORD1")]
    assert shop.reconcile() == []
    second = shop.paid("ORD2")
    assert shop.call("verify", second).verdict is Verdict.DUPLICATE
    assert shop.told == [("cancelled", "ORD1"), ("duplicate", "ORD2")]


def test_a_list_that_is_wrong_tells_nobody_and_keeps_nothing(shop: Shop) -> None:
    cheap, swapped = shop.paid("ORD1", 100), shop.paid("ORD2")
    refunded, gone = shop.paid("ORD3"), shop.paid("ORD4")
    shop.gateway.sandbox.cancel(refunded.imp_uid)
    del shop.orders["ORD4"]
    found = [
        shop.call("adopt", cheap),
        shop.call("adopt", swapped, "ORD1"),
        shop.call("adopt", refunded),
        shop.call("adopt", gone),
        shop.driver.call(shop.verifier, "adopt", "imp_000000000000", "ORD1"),
    ]
    assert [(each.verdict, each.reason) for each in found] == [
        (Verdict.FORGERY, Reason.AMOUNT),
        (Verdict.FORGERY, Reason.ORDER),
        (Verdict.CANCELLED, None),
        (Verdict.UNKNOWN_ORDER, None),
        (Verdict.UNKNOWN_PAYMENT, None),
    ]
    assert {(each.settled, each.paid) for each in found} == {(None, False)}
    assert shop.told == []
    assert shop.store.receipts([cheap.imp_uid, swapped.imp_uid, refunded.imp_uid]) == {}


def test_both_ids_are_needed(shop: Shop) -> None:
    for ids in (("imp_1", None), ("imp_1", ""), (None, "ORD1"), ("imp 1", "ORD1")):
        with pytest.raises(InvalidRequest):
            shop.driver.call(shop.verifier, "adopt", *ids)


def test_a_payment_is_looked_for_with_its_orders_account(driver: Driver) -> None:
    with SandboxServer(accounts=[KR, US]) as gateway:
        names = {"kr": Credentials(KR.key, KR.secret), "us": Credentials(US.key, US.secret)}
        shop = Shop(driver, gateway, accounts=names)
        shop.orders["ORD1"] = ExpectedPayment("ORD1", PRICE, account="us", open=False)
        shop.orders["ORD2"] = ExpectedPayment("ORD2", PRICE, account="us", open=False)
        theirs = shop.paid("ORD1", account=US.key)
        ours = shop.paid("ORD2", account=KR.key)
        assert shop.call("adopt", theirs).paid
        assert shop.store.receipts([theirs.imp_uid])[theirs.imp_uid].account == "us"
        assert shop.call("adopt", ours).verdict is Verdict.UNKNOWN_PAYMENT
        driver.call(shop.verifier, "close")


class HandBooks:
    """The records of a store by hand, which decides by `advance`."""

    adopts = True

    def __init__(self) -> None:
        self.state = OrderState(expected=ExpectedPayment("ORD1", PRICE, open=False))
        self.hooks: list[str] = []

    def record(self, outcome: Outcome) -> Settled | None:
        change = advance(self.state, outcome)
        self.state.receipt = change.receipt
        if change.receipt is not None and change.receipt.state == "paying":
            self.state.paid_by, self.state.was_paid = outcome.imp_uid, True
        told = [*(each for _, each in change.hooks), *change.untold]
        self.state.known = {**self.state.known, **{one.change: amount_of(one) for one in told}}
        self.hooks += [name for name, _ in change.hooks]
        return change.settled


class HandStore(HandBooks, OrderStore):
    def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return self.state.expected

    def settle(self, outcome: Outcome) -> Settled:
        settled = self.record(outcome)
        assert settled is not None
        return settled

    def observe(self, outcome: Outcome) -> Settled | None:
        return self.record(outcome)

    def receipts(self, imp_uids: Any) -> dict[str, Receipt]:
        receipt = self.state.receipt
        return {receipt.imp_uid: receipt} if receipt is not None else {}


class AsyncHandStore(HandBooks, AsyncOrderStore):
    async def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return self.state.expected

    async def settle(self, outcome: Outcome) -> Settled:
        settled = self.record(outcome)
        assert settled is not None
        return settled


def test_a_store_by_hand_that_decides_by_advance_adopts_too(shop: Shop) -> None:
    hand = HandStore()
    shop.verifier = shop.make(hand)
    paid = shop.paid("ORD1")
    shop.gateway.sandbox.cancel(paid.imp_uid, Decimal(9000))
    assert shop.call("adopt", paid).settled is Settled.NEW
    assert shop.call("adopt", paid).settled is Settled.REPEATED
    assert shop.call("verify", paid).paid
    assert hand.hooks == []
    shop.gateway.sandbox.cancel(paid.imp_uid)
    assert shop.call("verify", paid).verdict is Verdict.CANCELLED
    assert hand.hooks == ["on_cancelled"]


def test_an_async_store_by_hand_too(asynchronous: Driver, gateway: SandboxServer) -> None:
    shop = Shop(asynchronous, gateway)
    hand = AsyncHandStore()
    shop.verifier = shop.make(hand)
    assert shop.call("adopt", shop.paid("ORD1")).paid
    assert hand.hooks == []
    asynchronous.call(shop.verifier, "close")


def test_a_store_by_hand_that_does_not_say_so_is_refused_before_it_ships_again(
    driver: Driver,
) -> None:
    verifier = driver.verifier()
    with pytest.raises(ConfigurationError, match="adopts = True"):
        driver.call(verifier, "adopt", I1, "ORD-1001")
    assert driver.stage.names == []


def test_a_store_that_calls_every_answer_stale_is_at_fault(driver: Driver) -> None:
    driver.stage.settles = Settled.STALE
    store = driver.store()
    store.adopts = True
    with pytest.raises(StoreError, match="calls every answer"):
        driver.call(driver.verifier(store), "adopt", I1, "ORD-1001")
    assert driver.stage.names.count("settle") == 4
    assert "observe" not in driver.stage.names


def test_no_hook_adopts(gateway: SandboxServer) -> None:
    def adopt(outcome: Outcome, _: None) -> None:
        verifier.adopt(outcome.imp_uid or "", "ORD1")

    verifier = Verifier(
        MemoryStore(expected=lambda number, _: PRICE, on_paid=adopt),
        credentials=Credentials(KR.key, KR.secret),
        base_url=gateway.url,
        test_mode=True,
    )
    paid = gateway.sandbox.gateway.make(merchant_uid="ORD1", amount=PRICE, status="paid")
    with pytest.raises(StoreError):
        verifier.verify(paid.imp_uid, "ORD1")
    assert not verifier.store.paid("ORD1")  # type: ignore[attr-defined]
    verifier.close()
