"""Comparing the gateway's list with what is recorded: each kind of finding, its repair, the place
that is kept, and every trouble in between. The sandbox is the gateway, over sockets."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    Finding,
    GatewayError,
    GatewayRefused,
    GatewayUnavailable,
    InvalidRequest,
    OrderStore,
    Outcome,
    Settled,
    Verdict,
    Verifier,
)
from imp_verify.models import Run
from imp_verify.sandbox import Account, Attempt, Fault, SandboxServer
from imp_verify.sandbox.exact import dumps
from imp_verify.stores.memory import MemoryStore
from imp_verify.testing import FakeGateway
from tests.drivers.driving import Driver

PRICE = 39000
ACCOUNT = Account()


class Shop:
    """A shop that lost its webhooks, and what its hooks were told."""

    def __init__(self, driver: Driver, gateway: SandboxServer) -> None:
        self.driver, self.gateway = driver, gateway
        self.told: list[tuple[str | None, Verdict]] = []
        self.orders: dict[str, object] = {}
        self.broken: set[str | None] = set()
        self.store: Any = MemoryStore(
            expected=lambda number, _: self.orders.get(number),  # type: ignore[arg-type, return-value]
            on_paid=self.note,
            on_cancelled=self.note,
            on_partly_cancelled=self.note,
            on_virtual_account=self.note,
            on_forgery=self.note,
            on_duplicate=self.note,
        )
        self.verifier = self.make(self.store)
        # Payments are made five minutes ago, as a run of its own reads until a minute ago; by a
        # store that has begun before.
        sandbox, now = gateway.sandbox, datetime.now(UTC).replace(microsecond=0)
        sandbox.clock.stop_at(int(now.timestamp()) - 300)
        self.store._runs[""] = Run("", now - timedelta(hours=1))

    def make(self, store: object, **arguments: Any) -> Any:
        kind: Any = AsyncVerifier if self.driver.is_async else Verifier
        arguments.setdefault("test_mode", True)
        keys = Credentials(ACCOUNT.key, ACCOUNT.secret)
        return kind(store, credentials=keys, base_url=self.gateway.url, **arguments)

    def note(self, outcome: Outcome, _: None) -> None:
        if outcome.merchant_uid in self.broken:
            raise LookupError("the buyer's name and number")
        self.told.append((outcome.merchant_uid, outcome.verdict))

    def paid(self, number: str, amount: int = PRICE, **fields: object) -> Attempt:
        """Make a payment that nobody heard of."""
        return self.gateway.sandbox.gateway.make(
            **{"merchant_uid": number, "amount": amount, "status": "paid", **fields}
        )

    def order(self, number: str, amount: object = PRICE) -> str:
        self.orders[number] = amount
        return number

    def verify(self, attempt: Attempt) -> Outcome:
        outcome: Outcome = self.driver.call(
            self.verifier, "verify", attempt.imp_uid, attempt.merchant_uid
        )
        return outcome

    def reconcile(self, verifier: Any = None, **named: Any) -> list[Finding]:
        named.setdefault("until", datetime.now(UTC))
        named.setdefault("since", datetime.now(UTC) - timedelta(days=1))
        return self.all_of("reconcile", verifier, **named)

    def run_by_itself(self) -> list[Finding]:
        """As a cron job does, which names no window."""
        return self.all_of("reconcile")

    def take(self, count: int) -> list[str | None]:
        """Begin a run, and stop it after so many findings."""
        if not self.driver.is_async:
            run = self.verifier.reconcile()
            found = [next(run).imp_uid for _ in range(count)]
            run.close()
            return found

        async def taking() -> list[str | None]:
            run = self.verifier.reconcile()
            taken = [(await anext(run)).imp_uid for _ in range(count)]
            await run.aclose()
            return taken

        some: list[str | None] = self.driver.finish(taking())
        return some

    def all_of(self, method: str, verifier: Any = None, *args: object, **named: Any) -> list[Any]:
        verifier = verifier or self.verifier
        if not self.driver.is_async:
            return list(getattr(verifier, method)(*args, **named))

        async def collect() -> list[Any]:
            return [each async for each in getattr(verifier, method)(*args, **named)]

        found: list[Any] = self.driver.finish(collect())
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


def kinds(findings: list[Finding]) -> list[tuple[str, str | None]]:
    return sorted((each.kind, each.merchant_uid) for each in findings)


def test_O01_what_was_lost_is_found_and_repaired_and_a_second_run_changes_nothing(
    shop: Shop,
) -> None:
    recorded = shop.paid(shop.order("ORD1"))
    assert shop.verify(recorded).paid
    shop.paid(shop.order("ORD2"))
    shop.paid("ORD3")
    dry = shop.reconcile(dry_run=True)
    assert kinds(dry) == [("missing", "ORD2"), ("unknown_order", "ORD3")]
    assert [each.outcome for each in dry] == [None, None]
    assert shop.told == [("ORD1", Verdict.PAID)]
    found = shop.reconcile()
    assert kinds(found) == [("missing", "ORD2"), ("unknown_order", "ORD3")]
    (missing,) = (each for each in found if each.kind == "missing")
    assert missing.outcome is not None
    assert (missing.outcome.paid, missing.outcome.endpoint) == (True, "reconcile")
    assert shop.told == [("ORD1", Verdict.PAID), ("ORD2", Verdict.PAID)]
    assert kinds(shop.reconcile()) == [("unknown_order", "ORD3")]
    assert len(shop.told) == 2


def test_each_kind_of_difference(shop: Shop) -> None:
    refunded, part, waiting, forged, failed = (
        shop.paid(shop.order("ORD1")),
        shop.paid(shop.order("ORD2")),
        shop.paid(shop.order("ORD3"), status="ready", pay_method="vbank"),
        shop.paid(shop.order("ORD4"), amount=100),
        shop.paid(shop.order("ORD5"), status="failed"),
    )
    for each in (refunded, part, waiting):
        shop.verify(each)
    sandbox = shop.gateway.sandbox
    sandbox.cancel(refunded.imp_uid)
    sandbox.cancel(part.imp_uid, Decimal(9000))
    sandbox.deposit(waiting.imp_uid)
    found = shop.reconcile()
    assert kinds(found) == [
        ("due", "ORD4"),
        ("missing", "ORD4"),
        ("refund_missing", "ORD1"),
        ("refund_missing", "ORD2"),
        ("waiting_paid", "ORD3"),
    ]
    verdicts = {each.merchant_uid: each.outcome.verdict for each in found if each.outcome}
    assert verdicts == {
        "ORD1": Verdict.CANCELLED,
        "ORD2": Verdict.PARTLY_CANCELLED,
        "ORD3": Verdict.PAID,
        "ORD4": Verdict.FORGERY,
    }
    # The forgery was handed on, and is to be given back; the failed attempt was never news.
    assert kinds(shop.reconcile()) == [("due", "ORD4")]
    assert forged.imp_uid != failed.imp_uid


@pytest.mark.parametrize("closed", [False, True])
def test_a_forgery_of_an_order_that_is_paid_or_closed_is_told_once(
    shop: Shop, closed: bool
) -> None:
    asked = ExpectedPayment("ORD1", PRICE, open=not closed)
    if not closed:
        assert shop.verify(shop.paid(shop.order("ORD1"))).paid
    shop.order("ORD1", asked)
    shop.paid("ORD1", amount=100)
    assert kinds(shop.reconcile()) == [("due", "ORD1"), ("missing", "ORD1")]
    assert kinds(shop.reconcile()) == [("due", "ORD1")]
    assert [verdict for _, verdict in shop.told].count(Verdict.FORGERY) == 1


def test_a_forgery_that_was_given_back_in_the_console_is_not_due_any_more(shop: Shop) -> None:
    forged = shop.paid(shop.order("ORD1"), amount=100)
    assert shop.verify(forged).verdict is Verdict.FORGERY
    shop.gateway.sandbox.cancel(forged.imp_uid)
    assert kinds(shop.reconcile(dry_run=True)) == [("due", "ORD1"), ("refund_missing", "ORD1")]
    assert kinds(shop.reconcile()) == [("refund_missing", "ORD1")]
    assert shop.reconcile() == []
    assert [verdict for _, verdict in shop.told] == [Verdict.FORGERY]


def test_money_from_before_the_store_began_is_too_old_unless_it_is_asked_for(shop: Shop) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=10)
    old = shop.paid(shop.order("ORD1"), paid_at=int(long_ago.timestamp()))
    since = long_ago - timedelta(days=200)
    assert kinds(shop.reconcile(since=since)) == [("too_old", "ORD1")]
    assert shop.told == []
    later = long_ago + timedelta(seconds=1)
    assert kinds(shop.reconcile(since=since, orders_before=later)) == [("too_old", "ORD1")]
    earlier = long_ago - timedelta(seconds=1)
    assert kinds(shop.reconcile(since=since, orders_before=earlier)) == [("missing", "ORD1")]
    assert shop.told == [("ORD1", Verdict.PAID)]
    assert old.imp_uid


def test_in_live_mode_test_payments_are_not_judged(shop: Shop) -> None:
    shop.paid(shop.order("ORD1"), sandbox=True)
    shop.paid(shop.order("ORD2"), sandbox=False)
    with pytest.warns(RuntimeWarning, match="test mode"):
        live = shop.make(shop.store, test_mode=False)
    assert kinds(shop.reconcile(live)) == [("missing", "ORD2")]
    shop.driver.call(live, "close")


def sold(shop: Shop, count: int, at: Sequence[int]) -> None:
    """Fill the list with attempts that came to nothing, and payments at these places; those that
    came last are on the first page."""
    now = shop.gateway.sandbox.gateway.now()
    shop.gateway.sandbox.gateway.make_all(
        {
            "merchant_uid": shop.order(f"N{n}") if n in at else f"N{n}",
            "amount": PRICE,
            "status": "paid" if n in at else "failed",
            "started_at": now - count + n,
        }
        for n in range(count)
    )


def test_many_pages_are_read_to_the_first(shop: Shop) -> None:
    sold(shop, 2300, (0, 299, 300, 1299, 1300, 2299))
    found = shop.reconcile()
    assert {each.kind for each in found} == {"missing"}
    assert {each.merchant_uid for each in found} == set(shop.orders)
    assert shop.reconcile() == []
    assert len(shop.told) == 6


def test_a_hook_that_fails_is_a_finding_and_its_payment_comes_again(shop: Shop) -> None:
    for number in ("ORD1", "ORD2", "ORD3"):
        shop.paid(shop.order(number))
    shop.broken = {"ORD2"}
    found = {each.merchant_uid: each for each in shop.run_by_itself()}
    assert {number: each.error for number, each in found.items()} == {
        "ORD1": None,
        "ORD2": "LookupError",
        "ORD3": None,
    }
    shop.broken = set()
    assert kinds(shop.run_by_itself()) == [("missing", "ORD2")]
    assert sorted(number or "" for number, _ in shop.told) == ["ORD1", "ORD2", "ORD3"]


def test_a_run_ends_where_the_next_begins(shop: Shop) -> None:
    shop.paid(shop.order("ORD1"))
    shop.gateway.sandbox.clock.stop_at(int(datetime.now(UTC).timestamp()) + 5)
    assert kinds(shop.run_by_itself()) == [("missing", "ORD1")]
    first = shop.store.run("")
    assert first.finished is not None
    assert (first.page, first.until) == (None, first.finished)
    assert shop.run_by_itself() == []
    second = shop.store.run("")
    assert second.finished >= first.finished
    assert second.began == first.began


def test_nothing_is_missed_by_a_shop_whose_clock_is_hours_ahead(shop: Shop) -> None:
    clock = shop.gateway.sandbox.clock
    clock.stop_at(int(datetime.now(UTC).timestamp()) - 9 * 3600)
    shop.store._runs[""] = Run("", datetime.now(UTC) - timedelta(days=1))
    shop.paid(shop.order("ORD1"))
    assert kinds(shop.run_by_itself()) == [("missing", "ORD1")]
    clock.advance(2 * 3600)
    shop.paid(shop.order("ORD2"))
    clock.advance(2 * 3600)
    assert kinds(shop.run_by_itself()) == [("missing", "ORD2")]
    assert shop.run_by_itself() == []


def test_a_shop_whose_store_began_after_the_gateways_time_reads_from_its_beginning(
    shop: Shop,
) -> None:
    shop.gateway.sandbox.clock.stop_at(1_000_000_000)
    assert shop.run_by_itself() == []
    assert shop.store.run("").finished == shop.store.run("").began


def test_who_paid_first_is_repaired_first(shop: Shop) -> None:
    clock, begin = shop.gateway.sandbox.clock, int(datetime.now(UTC).timestamp()) - 3000
    for second in range(5):
        clock.stop_at(begin + second)
        shop.paid(shop.order(f"ORD{second}"))
    assert kinds(shop.run_by_itself()) == [("missing", f"ORD{each}") for each in range(5)]


def test_of_two_payments_for_one_order_the_first_pays_it(shop: Shop) -> None:
    clock, begin = shop.gateway.sandbox.clock, int(datetime.now(UTC).timestamp()) - 3000
    clock.stop_at(begin)
    first = shop.paid(shop.order("ORD1"))
    clock.stop_at(begin + 60)
    second = shop.paid("ORD1")
    found = {each.imp_uid: each.outcome.verdict for each in shop.run_by_itself() if each.outcome}
    assert found == {first.imp_uid: Verdict.PAID, second.imp_uid: Verdict.DUPLICATE}


def test_a_run_that_was_stopped_is_taken_up_where_it_was(shop: Shop) -> None:
    sold(shop, 2300, (0, 1, 500, 1400, 1500, 2000))
    shop.gateway.sandbox.clock.stop_at(int(datetime.now(UTC).timestamp()) + 5)
    found = shop.take(4)  # two of page 3, one of page 2, the first of page 1
    kept = shop.store.run("")
    assert (kept.page, kept.finished) == (1, None)
    rest = [each.imp_uid for each in shop.run_by_itself()]
    assert len(rest) == 2
    assert len({*found, *rest}) == len(shop.told) == 6
    kept = shop.store.run("")
    assert (kept.page, kept.finished) == (None, kept.until)


@pytest.mark.parametrize(
    ("behind", "more"),
    [
        pytest.param(0, 20, id="listed late"),
        pytest.param(7200, 900, id="the shop's clock is ahead"),
        pytest.param(7200, 2500, id="the shop's clock is ahead, and it sells much"),
    ],
)
def test_what_came_into_the_list_while_a_run_was_stopped_hides_nothing_from_it(
    shop: Shop, behind: int, more: int
) -> None:
    clock = shop.gateway.sandbox.clock
    there = int(datetime.now(UTC).timestamp()) - behind
    shop.store._runs[""] = Run("", datetime.fromtimestamp(there - 9 * 3600, UTC))
    clock.stop_at(there - 5400)
    sold(shop, 2300, (0, 300, 301, 302))
    clock.stop_at(there)
    assert len(shop.take(2)) == 2  # one of page 3, one of page 2
    clock.stop_at(there + (1200 if behind else -120))
    sold(shop, more, ())
    assert kinds(shop.run_by_itself()) == [("missing", "N301"), ("missing", "N302")]
    assert len(shop.told) == 4
    assert shop.run_by_itself() == []


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ({"since": datetime(2026, 1, 1)}, "since must be a datetime with a time zone"),
        ({"until": datetime(2026, 1, 1)}, "until must be a datetime with a time zone"),
        ({"since": "2026-01-01"}, "since"),
        ({"since": datetime.now(UTC) + timedelta(days=1)}, "since lies in the future"),
        ({"until": datetime.now(UTC) + timedelta(days=1)}, "until lies in the future"),
        (
            {
                "since": datetime(2026, 2, 1, tzinfo=UTC),
                "until": datetime(2026, 1, 1, tzinfo=UTC),
            },
            "since must be before until",
        ),
        ({"orders_before": 5}, "orders_before"),
        ({"dry_run": 1}, "dry_run"),
        ({"account": "kr"}, "account"),
    ],
)
def test_bad_input_names_what_is_wrong(shop: Shop, named: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidRequest, match=what):
        shop.all_of("reconcile", **named)


def test_a_payment_that_cannot_be_read_is_a_finding_and_not_the_end(shop: Shop) -> None:
    good = shop.paid(shop.order("ORD1"))
    rows = [
        {**good.wire(), "imp_uid": "imp_000000000009", "amount": "many"},
        5,
        {**good.wire(), "amount": PRICE, "cancel_amount": 0},
    ]
    page = {"total": 3, "previous": 0, "next": 0, "list": rows}
    body = dumps({"code": 0, "message": None, "response": page})
    shop.gateway.sandbox.faults.add(Fault("status", status=200, body=body))
    found = shop.reconcile()
    assert sorted((each.kind, each.imp_uid) for each in found if each.imp_uid) == [
        ("missing", good.imp_uid),
        ("unreadable", "imp_000000000009"),
    ]
    assert len(found) == 3


def test_trouble_ends_it_and_the_next_run_does_what_is_left(shop: Shop) -> None:
    shop.paid(shop.order("ORD1"))
    shop.gateway.sandbox.faults.add(Fault("status", status=500, times=2))
    with pytest.raises(GatewayUnavailable) as trouble:
        shop.reconcile()
    assert trouble.value.http_status == 500
    assert shop.told == []
    assert shop.gateway.sandbox.faults.take("status")
    assert kinds(shop.reconcile()) == [("missing", "ORD1")]


def page_of(rows: object, total: object) -> str:
    page = {"total": total, "previous": 0, "next": 0, "list": rows}
    return dumps({"code": 0, "message": None, "response": page})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, page_of([], "many")),
        (200, page_of(None, 0)),
        (200, dumps({"code": 0, "message": None, "response": []})),
        (200, dumps({"code": 1, "message": "no", "response": None})),
        (403, dumps({"code": -1, "message": "no", "response": None})),
    ],
)
def test_a_list_that_is_none_ends_it_and_is_no_empty_one(
    shop: Shop, status: int, body: str
) -> None:
    shop.paid(shop.order("ORD1"))
    shop.gateway.sandbox.faults.add(Fault("status", status=status, body=body))
    with pytest.raises(GatewayError, match="a list is"):
        shop.reconcile()
    assert shop.told == []
    assert kinds(shop.reconcile()) == [("missing", "ORD1")]


def test_a_first_page_that_is_refused_is_a_refusal(shop: Shop) -> None:
    refusal = dumps({"code": -1, "message": "지원되지 않는 기능입니다", "response": None})
    shop.gateway.sandbox.faults.add(Fault("status", status=400, body=refusal))
    with pytest.raises(GatewayRefused, match="a list is refused"):
        shop.reconcile()


def test_a_list_that_changes_each_time_that_it_is_read_ends_it_and_skips_nothing(
    shop: Shop,
) -> None:
    attempt = shop.paid(shop.order("ORD1"))
    faults = shop.gateway.sandbox.faults
    for total in (1001, 1002, 1001) * 3:  # the first page, the second, and the first again
        faults.add(Fault("status", status=200, body=page_of([attempt.wire()], total)))
    with pytest.raises(GatewayUnavailable, match="changed each of the 3 times"):
        shop.run_by_itself()
    faults.clear()
    assert shop.told == [("ORD1", Verdict.PAID)]
    shop.paid(shop.order("ORD2"))
    assert kinds(shop.run_by_itself()) == [("missing", "ORD2")]


def test_a_payment_that_is_listed_and_cannot_be_looked_up_is_unreadable(shop: Shop) -> None:
    shop.paid(shop.order("ORD1"))
    shop.paid(shop.order("ORD2"))
    patch = {"response.amount": None}
    shop.gateway.sandbox.faults.add(Fault("payment", merchant_uid="ORD1", patch=patch, times=None))
    found = shop.reconcile()
    assert kinds(found) == [("missing", "ORD2"), ("unreadable", "ORD1")]
    assert "amount" in next(each.error or "" for each in found if each.merchant_uid == "ORD1")


class ByHand(OrderStore):
    """A store by hand that is no ledger."""

    def __init__(self) -> None:
        self.seen: set[str | None] = set()

    def expected(self, merchant_uid: str) -> ExpectedPayment:
        return ExpectedPayment(merchant_uid, PRICE)

    def settle(self, outcome: Outcome) -> Settled:
        if outcome.imp_uid in self.seen:
            return Settled.REPEATED
        self.seen.add(outcome.imp_uid)
        return Settled.NEW


def test_a_store_by_hand_says_since_and_is_asked_again_each_time(shop: Shop) -> None:
    store = ByHand()
    verifier = shop.make(store)
    with pytest.raises(InvalidRequest, match="since is missing"):
        shop.all_of("reconcile", verifier)
    shop.paid("ORD1")
    shop.paid("ORD0", paid_at=int((datetime.now(UTC) - timedelta(days=3)).timestamp()))
    assert kinds(shop.reconcile(verifier)) == [("missing", "ORD1")]
    assert shop.reconcile(verifier) == []
    shop.driver.call(verifier, "close")


def test_a_sweep_asks_twice_for_each_order_and_pays_what_was_lost(shop: Shop) -> None:
    shop.paid(shop.order("ORD1"))
    shop.paid(shop.order("ORD2"), status="failed")
    shop.order("ORD3")
    outcomes = shop.all_of("sweep", None, ["ORD1", "ORD2", "ORD3", "ORD4", "."])
    assert [(each.merchant_uid, each.verdict) for each in outcomes] == [
        ("ORD1", Verdict.PAID),
        ("ORD2", Verdict.FAILED),
    ]
    assert shop.told == [("ORD1", Verdict.PAID)]
    for wrong in ([" "], "ORD1"):  # one number, which would be swept letter by letter
        with pytest.raises(InvalidRequest, match="merchant_uid"):
            shop.all_of("sweep", None, wrong)


@pytest.mark.parametrize(("status", "most"), [(429, 5), (503, 11)])
def test_a_busy_gateway_is_waited_for_as_it_says_and_not_for_ever(status: int, most: int) -> None:
    def run(times: int) -> int:
        gateway = FakeGateway()
        _ = gateway.fail("status", status=status, headers={"Retry-After": "0"}, times=times)
        store = MemoryStore(expected=lambda number, _: PRICE)
        verifier = Verifier(
            store, credentials=gateway.credentials, transport=gateway.transport, test_mode=True
        )
        assert list(verifier.reconcile(since=datetime.now(UTC) - timedelta(days=1))) == []
        return sum(each.what["call"] == "status" for each in gateway.calls)

    # Of 503 each is two calls: one retry at once is the rule of every look-up.
    assert run(most) == most + 1
    with pytest.raises(GatewayUnavailable) as trouble:
        run(100)
    assert trouble.value.http_status == status


def test_a_sweep_goes_past_an_order_that_fails_and_not_past_a_gateway_that_is_away(
    shop: Shop,
) -> None:
    for number in ("ORD1", "ORD2"):
        shop.paid(shop.order(number))
    shop.gateway.sandbox.faults.add(Fault("find_all", status=500, times=2))
    with pytest.raises(GatewayUnavailable):
        shop.all_of("sweep", None, ["ORD1", "ORD2"])
    assert shop.gateway.sandbox.faults.take("find_all"), "the second was asked about too"
    shop.broken = {"ORD1"}
    with pytest.raises(LookupError):
        shop.all_of("sweep", None, ["ORD1", "ORD2"])
    assert shop.told == [("ORD2", Verdict.PAID)]
