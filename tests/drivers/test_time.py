"""What becomes of a payment in days and weeks, walked through the sandbox with its clock moved:
what a notice, `verify`, `cancel` and `reconcile` then say and record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    Finding,
    Outcome,
    Reason,
    ReceiptState,
    Verdict,
    Verifier,
)
from imp_verify.models import Run
from imp_verify.sandbox import Account, Attempt, SandboxServer
from imp_verify.stores._hooks import HookArguments
from imp_verify.stores.memory import MemoryStore
from tests.drivers.driving import Driver

ORDER, PRICE = "ORD1001", 39000
HOUR = 3600
DAY = 24 * HOUR
PAST = 60 * DAY
"""How long ago a walk begins: `reconcile` reads no future."""
ACCOUNT = Account()


class Shop:
    """A shop with one order, whose store began when the walk did."""

    def __init__(self, driver: Driver, gateway: SandboxServer) -> None:
        self.driver, self.sandbox = driver, gateway.sandbox
        self.order: object = PRICE
        self.told: list[str] = []
        self.given_back = Decimal(0)
        hooks: dict[str, Any] = dict.fromkeys(HookArguments.__annotations__, self._note)
        self.store = MemoryStore(expected=lambda number, _: self.order, **hooks)  # type: ignore[arg-type, return-value]
        kind: Any = AsyncVerifier if driver.is_async else Verifier
        keys = Credentials(ACCOUNT.key, ACCOUNT.secret)
        self.verifier = kind(self.store, credentials=keys, base_url=gateway.url, test_mode=True)
        self.sandbox.clock.stop_at(int(datetime.now(UTC).timestamp()) - PAST)
        self.began = self.now()
        self.store._runs[""] = Run("", self.began)

    def _note(self, outcome: Outcome, _: None) -> None:
        self.told.append(outcome.key.partition(":")[2])
        self.given_back += sum((each.amount for each in outcome.cancellations), Decimal(0))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.clock(), UTC)

    def passes(self, seconds: int) -> None:
        self.sandbox.clock.advance(seconds)

    def opens(self, **params: object) -> str:
        fields = {"merchant_uid": ORDER, "amount": PRICE, **params}
        return self.sandbox.gateway.open(fields).imp_uid

    def issued(self, **params: object) -> str:
        """Let a buyer choose an account, which waits for a week."""
        imp_uid = self.opens(pay_method="vbank", **params)
        self.sandbox.issue_account(imp_uid)
        self.sandbox.gateway.edit_account(imp_uid, None, self.sandbox.clock() + 7 * DAY)
        return imp_uid

    def bought(self, **params: object) -> str:
        imp_uid = self.opens(**params)
        self.sandbox.approve(imp_uid)
        assert self.notice(imp_uid).paid
        return imp_uid

    def at(self, imp_uid: str) -> Attempt:
        return self.sandbox.gateway.attempt(imp_uid)

    def call(self, method: str, *arguments: object, **named: object) -> Any:
        return self.driver.call(self.verifier, method, *arguments, **named)

    def notice(self, imp_uid: str) -> Outcome:
        """A notice of this payment comes, and comes again."""
        first: Outcome = self.call("verify", imp_uid, ORDER)
        told = list(self.told)
        again: Outcome = self.call("verify", imp_uid, ORDER)
        assert (again.verdict, self.told) == (first.verdict, told)
        return first

    def reconciles(self) -> list[tuple[str, Verdict | None]]:
        """What a nightly run finds, and what it came to."""
        found = self._run()
        return [(each.kind, each.outcome.verdict if each.outcome else None) for each in found]

    def _run(self) -> list[Finding]:
        window = {"since": self.began - timedelta(hours=1), "until": self.now()}
        if not self.driver.is_async:
            return list(self.verifier.reconcile(**window))

        async def collect() -> list[Finding]:
            return [each async for each in self.verifier.reconcile(**window)]

        found: list[Finding] = self.driver.finish(collect())
        return found

    def state(self, imp_uid: str) -> ReceiptState | None:
        receipt = self.store.receipts([imp_uid]).get(imp_uid)
        return None if receipt is None else receipt.state

    def dues(self) -> list[tuple[str, str]]:
        return [(each.imp_uid, each.kind) for each in self.store.dues(None, 10)]


@pytest.fixture
def shop(driver: Driver) -> Iterator[Shop]:
    with SandboxServer() as gateway:
        made = Shop(driver, gateway)
        yield made
        made.call("close")


# --- accounts ------------------------------------------------------------------------------------


def test_an_account_that_ran_out_is_told_and_is_no_end_before_the_gateway_says_so(
    shop: Shop,
) -> None:
    imp_uid = shop.issued()
    assert shop.notice(imp_uid).verdict is Verdict.VIRTUAL_ACCOUNT
    assert shop.reconciles() == []
    shop.passes(8 * DAY)
    vbank = shop.at(imp_uid).vbank
    assert vbank is not None
    assert vbank.due < shop.sandbox.clock()
    for _ in range(2):
        assert shop.reconciles() == [("waiting_over", Verdict.VIRTUAL_ACCOUNT)]
    assert (shop.told, shop.state(imp_uid)) == (["virtual_account"], ReceiptState.WAITING)
    shop.passes(15 * DAY)
    assert shop.reconciles() == []  # nobody looks for ever
    shop.sandbox.deposit(imp_uid)  # a bank that still took it
    assert shop.reconciles() == [("waiting_paid", Verdict.PAID)]
    assert shop.told == ["virtual_account", "paid"]


@pytest.mark.parametrize(
    ("status", "verdict", "key"),
    [
        ("failed", Verdict.FAILED, "failed"),
        ("cancelled", Verdict.CANCELLED, "cancelled:account"),
    ],
)
def test_an_account_whose_end_the_gateway_says_is_told_once(
    shop: Shop, status: str, verdict: Verdict, key: str
) -> None:
    imp_uid = shop.issued()
    shop.notice(imp_uid)
    shop.passes(8 * DAY)
    if status == "failed":
        shop.sandbox.settings.change({"account_killed": status})
        shop.sandbox.gateway.kill_account(imp_uid)
    else:
        shop.sandbox.gateway.edit(imp_uid, status=status, cancelled_at=shop.sandbox.clock())
    assert shop.reconciles() == [("waiting_over", verdict)]
    assert shop.reconciles() == []
    assert shop.told == ["virtual_account", key]
    assert shop.state(imp_uid) is ReceiptState.FAILED


def test_an_unlimited_account_is_looked_at_by_a_person_once_for_each_deposit(shop: Shop) -> None:
    imp_uid = shop.issued(pg="settle", amount=0)
    assert shop.notice(imp_uid).reason is Reason.UNLIMITED_ACCOUNT
    assert shop.told == []
    for number, amount in enumerate((1000, PRICE), 1):
        shop.passes(20 * DAY)
        shop.sandbox.deposit(imp_uid, Decimal(amount))
        outcome = shop.notice(imp_uid)
        assert (outcome.verdict, outcome.paid) == (Verdict.PENDING, False)
        assert len(shop.told) == number
    assert all(key.startswith("pending:unlimited_account") for key in shop.told)
    assert shop.reconciles() == []
    assert (shop.state(imp_uid), shop.dues()) == (None, [])


def test_an_account_whose_date_was_moved_has_not_run_out_before_the_new_one(shop: Shop) -> None:
    imp_uid = shop.issued(pg="settle")
    shop.notice(imp_uid)
    later = shop.sandbox.clock() + 20 * DAY
    shop.sandbox.gateway.edit_account(imp_uid, None, later)  # of which no notice tells
    shop.passes(10 * DAY)
    assert shop.reconciles() == []
    shop.passes(11 * DAY)
    assert shop.reconciles() == [("waiting_over", Verdict.VIRTUAL_ACCOUNT)]
    assert shop.told == ["virtual_account"]


@pytest.mark.parametrize("notices", [True, False])
def test_an_account_is_edited_together_with_its_order(shop: Shop, notices: bool) -> None:
    imp_uid = shop.issued(pg="settle")
    shop.notice(imp_uid)
    shop.order = 41000
    shop.sandbox.gateway.edit_account(imp_uid, Decimal(41000), None)
    if notices:
        assert shop.notice(imp_uid).verdict is Verdict.VIRTUAL_ACCOUNT
    shop.passes(DAY)
    shop.sandbox.deposit(imp_uid)
    assert shop.reconciles() == [("waiting_paid", Verdict.PAID)]
    assert shop.reconciles() == []
    assert shop.told == ["virtual_account", "paid"]


def test_an_account_that_is_edited_alone_pays_nothing(shop: Shop) -> None:
    imp_uid = shop.issued(pg="settle")
    shop.notice(imp_uid)
    shop.sandbox.gateway.edit_account(imp_uid, Decimal(100), None)
    shop.passes(DAY)
    shop.sandbox.deposit(imp_uid)
    assert shop.reconciles() == [("waiting_paid", Verdict.FORGERY), ("due", None)]
    assert shop.reconciles() == [("due", None)]
    assert shop.told == ["virtual_account", "forgery:amount:money"]
    assert shop.dues() == [(imp_uid, "forgery")]


# --- approved later ------------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", [True, False])
def test_a_payment_that_failed_is_paid_later(shop: Shop, noticed: bool) -> None:
    imp_uid = shop.opens(pg="paymentwall", currency="KRW")
    shop.sandbox.decline(imp_uid)
    assert shop.notice(imp_uid).verdict is Verdict.FAILED
    shop.sandbox.approve_later(imp_uid, HOUR)
    assert shop.reconciles() == []
    shop.passes(HOUR)
    if noticed:
        assert shop.notice(imp_uid).paid
        assert shop.reconciles() == []
    else:
        assert shop.reconciles() == [("missing", Verdict.PAID)]
    assert shop.told == ["failed", "paid"]
    assert shop.state(imp_uid) is ReceiptState.PAYING


def test_a_pending_paypal_payment_is_recorded_as_failed_and_paid_three_days_later(
    shop: Shop,
) -> None:
    shop.order = ExpectedPayment(ORDER, 39, "USD")
    imp_uid = shop.opens(pg="paypal", amount=39)
    shop.sandbox.approve_later(imp_uid, 3 * DAY, meanwhile="failed")
    assert shop.notice(imp_uid).verdict is Verdict.FAILED
    for _ in range(2):
        shop.passes(DAY)
        assert shop.reconciles() == []
    shop.passes(DAY)
    assert shop.reconciles() == [("missing", Verdict.PAID)]
    assert shop.told == ["failed", "paid"]


def test_a_buyer_who_did_not_wait_for_paypal_has_paid_twice(shop: Shop) -> None:
    shop.order = ExpectedPayment(ORDER, 39, "USD")
    slow = shop.opens(pg="paypal", amount=39)
    shop.sandbox.approve_later(slow, 3 * DAY, meanwhile="failed")
    shop.notice(slow)
    shop.bought(pg="eximbay", amount=39, currency="USD")
    shop.passes(3 * DAY)
    assert shop.reconciles() == [("missing", Verdict.DUPLICATE), ("due", None)]
    assert shop.told == ["failed", "paid", "duplicate"]
    assert shop.dues() == [(slow, "duplicate")]


# --- given back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", [*product([True, False], repeat=3)])
def test_refunds_are_handed_on_once_whichever_notices_come(
    shop: Shop, noticed: tuple[bool, ...]
) -> None:
    imp_uid = shop.bought()
    for amount, comes in zip((9000, 10000, None), noticed, strict=True):
        shop.passes(DAY)
        shop.sandbox.cancel(imp_uid, None if amount is None else Decimal(amount))
        if comes:
            shop.notice(imp_uid)
    *_, last = noticed
    assert shop.reconciles() == ([] if last else [("refund_missing", Verdict.CANCELLED)])
    assert shop.reconciles() == []
    assert shop.state(imp_uid) is ReceiptState.CANCELLED
    assert shop.given_back == PRICE
    assert len(shop.told) == len(set(shop.told))


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("pg", [{"pg": "eximbay", "pay_method": "wechat"}, {"pg": "paymentwall"}])
def test_a_pg_that_cancels_later_has_not_given_back_before_it_says_so(
    shop: Shop, pg: dict[str, object], noticed: bool
) -> None:
    imp_uid = shop.bought(currency="KRW", **pg)
    outcome = shop.call("cancel", imp_uid, reason="고객 요청")
    assert (outcome.verdict, outcome.paid, outcome.endpoint) == (Verdict.PAID, True, "cancel")
    assert shop.state(imp_uid) is ReceiptState.PAYING
    assert shop.reconciles() == []
    shop.passes(shop.sandbox.settings.cancel_seconds)
    if noticed:
        assert shop.notice(imp_uid).verdict is Verdict.CANCELLED
        assert shop.reconciles() == []
    else:
        assert shop.reconciles() == [("refund_missing", Verdict.CANCELLED)]
    assert shop.told == ["paid", "cancelled"]
    assert shop.at(imp_uid).cancel_amount == PRICE
