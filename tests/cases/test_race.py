"""Two deliveries of one payment, at once or one after the other: an order is paid once."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from imp_verify import Outcome, Receipt, ReceiptState, Request, Settled, StoreError, Verifier
from imp_verify.stores import OrderStore
from tests.support.fixtures import kind_or_postgresql  # noqa: F401  # `kind` of this module
from tests.support.gateway import (
    I1,
    I2,
    ORDER,
    PRICE,
    Asked,
    Connection,
    ScriptedGateway,
    act,
    silence,
)
from tests.support.processes import Processes
from tests.support.shop import MakeShop, Shop, body, credentials

SUCCESS = (200, "success")
WAIT = 20.0


def meet(shop: Shop, parties: int = 2) -> None:
    """Let none of the first requests go on before all have read the order, still unpaid.

    On an event loop nobody may block there, so they meet at the gateway, just before.
    """
    barrier = threading.Barrier(parties, timeout=WAIT)
    first = iter(range(parties))

    def expecting(merchant_uid: str) -> object:
        if next(first, None) is not None:
            barrier.wait()
        return shop.orders.get(merchant_uid)

    def before(asked: Asked) -> None:
        if not asked.is_token and next(first, None) is not None:
            barrier.wait()

    if shop.may_block:
        shop.expecting = expecting
    else:
        shop.gateway.before = before


def test_R01_two_deliveries_at_once_pay_the_order_once(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    meet(shop)
    first = shop.start("POST", "/complete", body())
    second = shop.start("POST", "/webhook", body(status="paid"))
    assert [first.result(WAIT).told, second.result(WAIT).told] == [SUCCESS, SUCCESS]
    shop.assert_paid_once()
    assert shop.hooks == ["on_paid"]


def test_R02_who_waited_for_the_lock_reads_the_order_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    meet(shop)
    both = [shop.start("POST", "/complete", body()) for _ in range(2)]
    assert [each.result(WAIT).told for each in both] == [SUCCESS, SUCCESS]
    shop.assert_paid_once()


def test_R02_two_payments_of_one_order_at_once_pay_it_with_one_of_them(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    gateway.has(imp_uid=I2)
    meet(shop)
    both = [shop.start("POST", "/complete", body(imp_uid=uid)) for uid in (I1, I2)]
    told = sorted(each.result(WAIT).told for each in both)
    assert told == [SUCCESS, (409, "duplicatePayment")]
    assert sorted(shop.hooks) == ["on_duplicate", "on_paid"]
    assert len(shop.shipped) == 1
    assert {shop.state(I1), shop.state(I2)} == {"paying", "duplicate"}


def test_R02_an_order_changed_between_the_look_and_the_lock_is_judged_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    prices: Iterator[int] = iter([PRICE])
    shop.expecting = lambda merchant_uid: next(prices, PRICE + 1)
    assert shop.complete().told == (400, "forgery")
    shop.assert_not_paid()
    assert len(gateway.looked) == 2


def test_R03_coming_back_again_and_again_lands_on_success_and_pays_once(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    target = f"/redirect?imp_uid={I1}&merchant_uid={ORDER}&imp_success=true"
    lands = [shop.get(target).lands for _ in range(3)]
    meet(shop)
    at_once = [shop.start("GET", target) for _ in range(2)]
    lands += [each.result(WAIT).lands for each in at_once]
    assert lands == ["/thanks?o=ORD-1001&s=success"] * 5
    shop.assert_paid_once()


def test_R04_the_buyer_who_comes_after_the_webhook_is_told_success(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    assert shop.webhook().told == SUCCESS
    assert shop.complete().told == SUCCESS
    shop.assert_paid_once()


def test_R06_a_look_up_that_fails_writes_nothing_over_what_another_recorded(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=1.0)
    gateway.has()
    asked = threading.Event()

    def say_nothing(line: Connection) -> None:
        asked.set()
        silence(line)

    gateway.lookups.append(act(say_nothing))
    slow = shop.start("POST", "/complete", body())
    assert asked.wait(WAIT)
    assert shop.webhook().told == SUCCESS
    assert slow.result(WAIT).told == (503, "unavailable")
    shop.assert_paid_once()


def test_R08_a_payment_whose_order_is_not_there_yet_is_delivered_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    del shop.orders[ORDER]
    assert shop.webhook().told == (503, "unavailable")
    shop.assert_nothing_recorded()
    shop.orders[ORDER] = PRICE
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


def test_R10_two_notices_at_once_leave_one_row(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    meet(shop)
    both = [shop.start("POST", "/webhook", body(status="paid")) for _ in range(2)]
    assert [each.result(WAIT).told for each in both] == [SUCCESS, SUCCESS]
    shop.assert_paid_once()
    if shop.keeps != "memory":
        assert shop.rows("imp_receipts") == shop.rows("imp_changes") == 1


class ByHand(OrderStore):
    """A shop's own store, as the documents tell how to write one: a unique key, no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.between: Callable[[], object] = lambda: None
        self.broken = False
        self.done: list[str] = []
        with self.open() as db:
            db.execute("CREATE TABLE receipts (imp_uid TEXT UNIQUE, merchant_uid TEXT UNIQUE)")

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=WAIT)) as db, db:
            yield db

    def expected(self, merchant_uid: str) -> int | None:
        return PRICE if merchant_uid == ORDER else None

    def settle(self, outcome: Outcome) -> Settled:
        if self.broken:
            raise sqlite3.OperationalError("disk I/O error")
        try:
            return self._settle(outcome)
        except sqlite3.IntegrityError:
            return self._settle(outcome)

    def _settle(self, outcome: Outcome) -> Settled:
        key = (outcome.imp_uid, outcome.merchant_uid)
        with self.open() as db:
            row = db.execute("SELECT * FROM receipts WHERE merchant_uid = ?", key[1:]).fetchone()
            if row is not None:
                return Settled.REPEATED if row == key else Settled.DUPLICATE
            self.between()
            db.execute("INSERT INTO receipts VALUES (?, ?)", key)
            self.done.append(str(outcome.imp_uid))
            return Settled.NEW

    def receipts(self, imp_uids: Sequence[str]) -> Mapping[str, Receipt]:
        with self.open() as db:
            rows = db.execute("SELECT * FROM receipts").fetchall()
        known = dict(rows)
        paying = ReceiptState.PAYING
        return {u: Receipt(u, known[u], paying, Decimal(PRICE)) for u in imp_uids if u in known}


def test_R10_a_unique_violation_of_a_store_by_hand_is_a_repeat_and_other_errors_are_not(
    tmp_path: Path, gateway: ScriptedGateway
) -> None:
    store = ByHand(tmp_path / "own.db")
    gateway.has()
    verifier = Verifier(store, credentials=credentials(), base_url=gateway.address)
    barrier, first = threading.Barrier(2, timeout=WAIT), iter(range(2))

    def between() -> None:
        if next(first, None) is not None:
            barrier.wait()

    store.between = between
    text = f'{{"imp_uid":"{I1}","merchant_uid":"{ORDER}","status":"paid"}}'
    notice = Request("POST", body=text.encode())
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: verifier.serve("webhook", notice), range(2)))
    assert [answer.status for answer in answers] == [200, 200]
    assert store.done == [I1]
    store.broken = True
    assert verifier.serve("webhook", notice).status == 503
    verifier.close()


def test_R11_a_hook_that_fails_leaves_nothing_behind_and_runs_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    failures = iter([RuntimeError("no stock table")])

    def fail_once(name: str, outcome: Outcome) -> None:
        for error in failures:
            raise error

    shop.on_hook = fail_once
    assert shop.webhook().told == (503, "unavailable")
    shop.assert_nothing_recorded()
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


def test_R13_a_second_payment_of_a_paid_order_is_no_success_and_is_handed_on(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.has()
    gateway.has(imp_uid=I2)
    assert shop.complete().told == SUCCESS
    for _ in range(2):
        assert shop.complete(imp_uid=I2).told == (409, "duplicatePayment")
        assert shop.webhook(imp_uid=I2).told == (200, "duplicatePayment")
        assert shop.redirect(imp_uid=I2).lands == "/cart?why="
    assert shop.hooks == ["on_paid", "on_duplicate"]
    outcome = shop.told[-1][1]
    assert (outcome.imp_uid, outcome.paid_by) == (I2, I1)
    assert I2 in caplog.text
    assert shop.complete().told == SUCCESS
    shop.assert_paid_once(I1)


def test_R14_a_cancellation_delivered_twice_at_once_is_handed_on_once(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    shop.webhook()
    gateway.has(status="cancelled", cancel_amount=PRICE)
    meet(shop)
    notice = body(status="cancelled")
    both = [shop.start("POST", "/webhook", notice) for _ in range(2)]
    assert [each.result(WAIT).told for each in both] == [(200, "cancelled")] * 2
    assert shop.hooks == ["on_paid", "on_cancelled"]
    assert shop.state() == "cancelled"
    assert shop.complete().told == (409, "cancelled")
    gateway.has()
    assert shop.complete().word != "success"  # an older answer after the refund pays nothing
    assert shop.paid == 1


def test_R17_the_return_page_and_the_webhook_in_two_processes_pay_once(
    gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.has()
    barrier = threading.Barrier(2, timeout=WAIT)
    gateway.before = lambda asked: None if asked.is_token else void(barrier.wait())
    with Processes(gateway, tmp_path / "shop.db", 2) as (one, other):
        one.begin("GET", f"/redirect?imp_uid={I1}&merchant_uid={ORDER}&imp_success=true")
        other.begin("POST", "/webhook", body(status="paid"))
        landed, told = one.answer(), other.answer()
    assert (landed["status"], landed["location"]) == (303, "/orders/ORD-1001")
    assert (told["status"], told["body"]["status"]) == SUCCESS
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        assert db.execute("SELECT imp_uid FROM shipments").fetchall() == [(I1,)]
        assert db.execute("SELECT count(*) FROM imp_changes").fetchone() == (1,)


def test_R18_no_call_to_the_gateway_is_made_while_a_transaction_is_open(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.has()
    driver: Any = shop.driver
    caught: list[StoreError] = []

    def call_out(name: str, outcome: Outcome) -> None:
        try:
            work = driver.verifier.payment(I1)
            if shop.framework == "starlette":
                work.send(None)
        except StoreError as error:
            caught.append(error)
            raise

    shop.on_hook = call_out
    before = len(gateway.looked)
    assert shop.webhook().told == (503, "unavailable")
    assert len(caught) == 1
    assert len(gateway.looked) == before + 1
    shop.assert_nothing_recorded()
    assert "inside a hook" in caplog.text


def void(value: object) -> None:
    """Throw an answer away."""


def test_R18_a_forgery_is_refused_without_a_cancel_call(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(amount=1000)
    assert shop.complete().told == (400, "forgery")
    assert [asked.method for asked in gateway.asked] == ["POST", "GET"]
