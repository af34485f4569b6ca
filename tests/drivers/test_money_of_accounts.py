"""A shop with several accounts at the gateway: each payment is given back, cancelled and compared
where it was made, and nowhere else. The sandbox is the gateway, over sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    Finding,
    InvalidRequest,
    Outcome,
    Verdict,
    Verifier,
)
from imp_verify.models import Run
from imp_verify.sandbox import Account, Attempt, SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.drivers.driving import Driver

PRICE = 39000
KR, US = Account(), Account(key="us-key", secret="us-secret")
ACCOUNTS = {"kr": Credentials(KR.key, KR.secret), "us": Credentials(US.key, US.secret)}


class Shop:
    def __init__(self, driver: Driver, gateway: SandboxServer) -> None:
        self.driver, self.gateway = driver, gateway
        self.orders: dict[str, ExpectedPayment] = {}
        self.store: Any = MemoryStore(expected=lambda number, _: self.orders.get(number))
        kind: Any = AsyncVerifier if driver.is_async else Verifier
        self.verifier: Any = kind(
            self.store, accounts=ACCOUNTS, base_url=gateway.url, test_mode=True
        )
        now = datetime.now(UTC).replace(microsecond=0)
        gateway.sandbox.clock.stop_at(int(now.timestamp()) - 300)
        self.store._runs[""] = Run("", now - timedelta(hours=1))

    def sells(self, number: str, account: str, **terms: Any) -> None:
        self.orders[number] = ExpectedPayment(number, PRICE, account=account, **terms)

    def paid(self, number: str, **fields: object) -> Attempt:
        account = {"kr": KR.key, "us": US.key}[self.orders[number].account or "kr"]
        made = {"merchant_uid": number, "amount": PRICE, "status": "paid", "account": account}
        return self.gateway.sandbox.gateway.make(**{**made, **fields})

    def call(self, method: str, *arguments: object, **named: object) -> Any:
        return self.driver.call(self.verifier, method, *arguments, **named)

    def verify(self, attempt: Attempt) -> Outcome:
        outcome: Outcome = self.call("verify", attempt.imp_uid, attempt.merchant_uid)
        return outcome

    def reconcile(self, account: str, **named: Any) -> list[Finding]:
        run = self.verifier.reconcile(account=account, **named)
        if not self.driver.is_async:
            return list(run)

        async def collect() -> list[Finding]:
            return [each async for each in run]

        found: list[Finding] = self.driver.finish(collect())
        return found

    def back(self, attempt: Attempt) -> int:
        return int(self.gateway.sandbox.gateway.attempt(attempt.imp_uid).cancel_amount)

    def forget_the_account(self, attempt: Attempt) -> None:
        """Let its rows be from before there were several accounts."""
        if attempt.imp_uid in self.store._dues:
            self.store._dues[attempt.imp_uid] = replace(
                self.store._dues[attempt.imp_uid], account=None
            )


@pytest.fixture
def shop(driver: Driver) -> Iterator[Shop]:
    with SandboxServer(accounts=[KR, US]) as gateway:
        made = Shop(driver, gateway)
        yield made
        driver.call(made.verifier, "close")


def test_a_payment_is_cancelled_with_the_account_that_it_was_recorded_with(shop: Shop) -> None:
    shop.sells("ORD1", "us")
    attempt = shop.paid("ORD1")
    assert shop.verify(attempt).paid
    with pytest.raises(InvalidRequest, match="is recorded with account 'us'"):
        shop.call("cancel", attempt.imp_uid, reason="none left", account="kr")
    assert shop.back(attempt) == 0
    for named in ({"account": "us"}, {}):
        part = shop.call(
            "cancel",
            attempt.imp_uid,
            reason="one",
            amount=1000,
            refundable=shop_left(shop),
            **named,
        )
        assert part.verdict is Verdict.PARTLY_CANCELLED
    assert shop.back(attempt) == 2000


def shop_left(shop: Shop) -> int:
    (receipt,) = shop.store._receipts.values()
    return int(receipt.amount - receipt.cancel_amount)


def test_without_a_receipt_the_account_is_the_one_that_is_named(shop: Shop) -> None:
    shop.sells("ORD1", "us")
    attempt = shop.paid("ORD1")
    given = {"reason": "by mistake", "refundable": PRICE}
    with pytest.raises(InvalidRequest, match="account"):
        shop.call("cancel", attempt.imp_uid, **given)
    shop.call("cancel", attempt.imp_uid, **given, account="us")
    assert shop.back(attempt) == PRICE


def test_money_from_before_there_were_several_accounts_goes_back_with_its_orders(
    shop: Shop,
) -> None:
    shop.sells("ORD1", "us")
    assert shop.verify(shop.paid("ORD1")).paid
    second = shop.paid("ORD1")
    assert shop.verify(second).verdict is Verdict.DUPLICATE
    shop.forget_the_account(second)
    assert shop.reconcile("kr") == [], "it is the other account's"
    (found,) = shop.reconcile("us")
    assert (found.kind, found.imp_uid) == ("due", second.imp_uid)
    shop.call("give_back", second.imp_uid)
    assert shop.back(second) == PRICE


def test_a_run_of_one_account_looks_at_its_own_virtual_accounts_alone(shop: Shop) -> None:
    over = int(datetime.now(UTC).timestamp()) - 200
    waiting = {"status": "ready", "pay_method": "vbank", "vbank_date": over}
    for number, account in (("ORD1", "kr"), ("ORD2", "us")):
        shop.sells(number, account)
        attempt = shop.paid(number, **waiting)
        assert shop.verify(attempt).verdict is Verdict.VIRTUAL_ACCOUNT
    for account, number in (("kr", "ORD1"), ("us", "ORD2")):
        for dry_run in (True, False):
            found = shop.reconcile(account, dry_run=dry_run)
            assert [(each.kind, each.merchant_uid) for each in found] == [("waiting_over", number)]
            assert (found[0].outcome is None) is dry_run
