"""DjangoStore on each database: what it keeps exactly, what it locks, what it tries again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connections
from django.db.transaction import atomic
from django.test import override_settings

from imp_verify import (
    ConfigurationError,
    ExpectedPayment,
    GiveBack,
    Outcome,
    Reason,
    ReceiptState,
    Settled,
    StoreError,
    Verdict,
)
from imp_verify.contrib.django._transactions import Attempt, Collision, Place, in_transaction
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.stores import Run
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import DjangoShop, rows, run, tell
from tests.support.django_databases import ALIASES, another

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
ASKED = ExpectedPayment(ORDER, PRICE)
SERVERS = ("postgresql", "mariadb")


@pytest.fixture(params=ALIASES)
def using(request: pytest.FixtureRequest) -> Iterator[str]:
    django_shops.empty(request.param)
    yield request.param
    connections.close_all()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    django_shops.empty(request.param)
    yield request.param
    connections.close_all()


def store_for(amount: object, using: str, **functions: Any) -> DjangoStore:
    functions.setdefault("expected", lambda number, using: ExpectedPayment(number, amount))  # type: ignore[arg-type]
    return DjangoStore(using=using, **functions)


def forged(imp_uid: str, reason: Reason, merchant_uid: str = ORDER) -> Outcome:
    outcome = paid_outcome(imp_uid, ExpectedPayment(merchant_uid, PRICE))
    return replace(outcome, verdict=Verdict.FORGERY, reason=reason)


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """Run it in threads at the same moment; give the answers, or the errors."""
    gate = threading.Barrier(count, timeout=30)
    answers: list[object] = []

    def run(number: int) -> None:
        gate.wait()
        try:
            answers.append(work(number))
        except Exception as error:
            answers.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


NUMBERS = (
    "Order-1",
    "order-1",
    "ORDER-1",
    "주문 1",
    "🎁1",
    "🎂1",
    "á",
    "a\u0301",
    "ß",
    "ss",
    "é" * 64,
)


def test_order_numbers_are_compared_byte_for_byte(using: str) -> None:
    store = store_for(PRICE, using)
    for place, number in enumerate(NUMBERS):
        outcome = paid_outcome(f"imp_{place}", ExpectedPayment(number, PRICE))
        assert store.settle(outcome) is Settled.NEW
    wanted = {number: f"imp_{place}" for place, number in enumerate(NUMBERS)}
    found = store.receipts(list(wanted.values()))
    assert {each.merchant_uid: imp_uid for imp_uid, each in found.items()} == wanted
    assert dict(rows("Order", using).values_list("merchant_uid", "paid_by")) == wanted


def test_payments_are_compared_byte_for_byte(using: str) -> None:
    store = store_for(PRICE, using)
    for imp_uid in ("imp_a", "imp_A", "IMP_a"):
        outcome = paid_outcome(imp_uid, ExpectedPayment(f"ORD-{imp_uid}", PRICE))
        assert store.settle(outcome) is Settled.NEW
    assert store.receipts(["imp_a ", "imp_b"]) == {}
    assert set(store.receipts(["imp_a", "imp_A"])) == {"imp_a", "imp_A"}


def test_spaces_at_an_end_make_another_number(using: str) -> None:
    """No order of a shop has one, but the gateway may name one."""
    for number in ("a", "a ", "a  "):
        rows("Order", using).create(merchant_uid=number)
    assert rows("Order", using).filter(merchant_uid="a ").count() == 1
    assert sorted(rows("Order", using).values_list("merchant_uid", flat=True)) == ["a", "a ", "a  "]


def test_what_the_gateway_names_is_kept_whatever_it_is(using: str) -> None:
    store = store_for(PRICE, using)
    for place, number in enumerate(("a\0b", "\udcff", "가" * 100, " x ")):
        claim = forged(f"imp_{place}", Reason.ORDER, number)
        assert store.observe(claim) is Settled.NEW
    kept = set(rows("Change", using).values_list("merchant_uid", flat=True))
    assert kept == {"a?b", "?", "가" * 64, " x "}


@pytest.mark.parametrize(
    "amount", ["999999999999999999.99999999", "0.00000001", "4503599627370497.5", "10.1", "39000"]
)
def test_an_amount_comes_back_to_the_last_digit(using: str, amount: str) -> None:
    store = store_for(amount, using)
    outcome = paid_outcome(FIRST, ExpectedPayment(ORDER, amount))
    with localcontext() as context:
        context.prec = 5  # the shop's own, which must round nothing of ours
        assert store.settle(outcome) is Settled.NEW
        assert store.settle(outcome) is Settled.REPEATED
    (found,) = store.receipts([FIRST]).values()
    assert (f"{found.amount:f}", str(found.cancel_amount)) == (amount, "0")
    (change,) = rows("Change", using)
    assert f"{change.amount:f}" == amount
    assert rows("Receipt", using).filter(amount=Decimal(amount)).count() == 1


def test_an_amount_is_exact_where_the_shop_has_its_driver_give_floats() -> None:
    django_shops.empty("postgresql")
    from psycopg.types.numeric import FloatLoader

    store = store_for("10.1", "postgresql")
    connections["postgresql"].ensure_connection()
    connections["postgresql"].connection.adapters.register_loader("numeric", FloatLoader)
    assert store.settle(paid_outcome(FIRST, ExpectedPayment(ORDER, "10.1"))) is Settled.NEW
    assert store.receipts([FIRST])[FIRST].amount == Decimal("10.1")
    connections.close_all()


def waiting(due: int, paid_at: int = 0) -> Outcome:
    outcome = paid_outcome(FIRST, ASKED)
    assert outcome.payment is not None
    raw = {"vbank_date": due, "paid_at": paid_at, "vbank_name": "은행"}
    payment = replace(outcome.payment, status="ready", pay_method="vbank", raw=raw)
    return replace(outcome, verdict=Verdict.VIRTUAL_ACCOUNT, payment=payment)


@pytest.mark.parametrize("use_tz", [True, False])
def test_times_are_those_of_the_project(using: str, use_tz: bool) -> None:
    store = store_for(PRICE, using)
    due = datetime(2026, 1, 2, 15, 0, tzinfo=UTC)
    with override_settings(USE_TZ=use_tz, TIME_ZONE="Asia/Seoul"):
        assert store.observe(waiting(int(due.timestamp()))) is Settled.NEW
        (row,) = rows("Receipt", using)
        assert row.vbank_due == (due if use_tz else datetime(2026, 1, 3, 0, 0))
        assert (row.vbank_name, row.paid_at) == ("은행", None)
        before = row.updated_at
        assert store.observe(waiting(int(due.timestamp()))) is Settled.REPEATED
        assert rows("Receipt", using).get().updated_at == before
        assert store.observe(waiting(int(due.timestamp()) + 60)) is Settled.REPEATED
        assert rows("Receipt", using).get().vbank_due > row.vbank_due
        connections.close_all()


def test_a_time_that_the_projects_zone_cannot_hold_is_left_out(using: str) -> None:
    store = store_for(PRICE, using)
    last = int(datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp())
    connections.close_all()
    with override_settings(USE_TZ=False, TIME_ZONE="Asia/Seoul"):
        assert store.observe(waiting(last)) is Settled.NEW
        assert rows("Receipt", using).get().vbank_due is None
        connections.close_all()


def test_what_is_not_kept_leaves_no_row_at_all(using: str) -> None:
    store = store_for(PRICE + 1, using)
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.STALE
    assert store.hold(ASKED, FIRST) is None
    pending = replace(paid_outcome(FIRST, ASKED), verdict=Verdict.PENDING)
    assert store.observe(pending) is None
    assert [rows(name, using).count() for name in ("Order", "Receipt", "Change")] == [0, 0, 0]


def test_a_claim_for_another_order_makes_and_locks_no_order(using: str) -> None:
    store = store_for(PRICE, using)
    claims = [forged(FIRST, Reason.ORDER)] * 2
    assert [store.observe(claim) for claim in claims] == [Settled.NEW, Settled.REPEATED]
    assert rows("Order", using).count() == 0
    assert rows("Change", using).count() == 1


def test_claims_at_once_are_handed_on_once(using: str) -> None:
    """They lock no order: the unique key tells the second that it is one."""
    store = store_for(PRICE, using, on_forgery=lambda outcome, using: tell("f", outcome, using))
    settled = at_once(6, lambda number: store.observe(forged(FIRST, Reason.ORDER)))
    assert sorted(map(str, settled)) == ["new", *["repeated"] * 5]
    assert run(using, "SELECT count(*) FROM told") == [(1,)]


def test_one_payment_named_for_two_orders_at_once_pays_one(using: str) -> None:
    store = store_for(PRICE, using, on_paid=lambda outcome, using: tell("paid", outcome, using))
    orders = [ExpectedPayment(f"ORD-{number}", PRICE) for number in range(6)]
    answers = at_once(6, lambda number: store.settle(paid_outcome(FIRST, orders[number])))
    assert [each for each in answers if not isinstance(each, StoreError)] == [Settled.NEW]
    assert run(using, "SELECT count(*) FROM told") == [(1,)]
    assert rows("Order", using).filter(was_paid=True).count() == 1


def test_a_collision_breaks_no_transaction_of_the_shops_own(server: str) -> None:
    """Another connection writes the same change between the store's look and its own write."""
    meanwhile = [1]

    def expected(number: str, using: str) -> int:
        if meanwhile:
            meanwhile.clear()
            at_once(1, lambda _: store.observe(forged(FIRST, Reason.ORDER)))
            reason = {"change": "forgery:amount:money", "reason": "amount"}
            at_once(1, lambda _: rows("Change", using).update(**reason))
        return PRICE

    store = store_for(PRICE, server, expected=expected)
    with atomic(server):
        run(server, "INSERT INTO orders VALUES ('mine', '1', 1, 'KRW')")
        assert store.observe(forged(FIRST, Reason.AMOUNT)) is Settled.REPEATED
    assert run(server, "SELECT number FROM orders") == [("mine",)]
    assert rows("Change", server).count() == 1


@pytest.mark.parametrize("in_block", [False, True])
def test_a_collision_that_never_ends_is_the_databases_error(using: str, in_block: bool) -> None:
    tried: list[bool] = []

    def work(attempt: Attempt) -> tuple[bool, None]:
        tried.append(attempt.owned)
        raise Collision from IntegrityError("the same again")

    block = atomic(using) if in_block else nullcontext()
    with block, pytest.raises(IntegrityError, match="the same again"):
        in_transaction(Place(using, 5.0), work)
    assert tried == [not in_block] * 6


WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mariadb": "SELECT count(*) FROM information_schema.processlist "
    "WHERE db = DATABASE() AND info LIKE 'INSERT INTO imp\\_orders%%'",
}


def test_a_payment_that_waits_for_a_forgery_of_its_order_pays_it_once(server: str) -> None:
    """An approval, or a forgery of 0.1, has left a row of the order and no payment: the forgery
    deletes that row while the payment waits for it."""
    payments: list[threading.Thread] = []
    settled: list[object] = []

    def expected(number: str, using: str) -> int:
        if not payments:
            settle = lambda: settled.extend(  # noqa: E731
                at_once(1, lambda _: store.settle(paid_outcome(FIRST, ASKED)))
            )
            payments.append(threading.Thread(target=settle))
            payments[0].start()
            with another(using) as other:
                while payments[0].is_alive() and run(other, WAITING[using]) == [(0,)]:
                    payments[0].join(0.01)
        return PRICE

    store = store_for(PRICE, server, expected=expected, hold=lambda *_: None)
    rows("Order", server).create(merchant_uid=ORDER)
    assert store.observe(forged(SECOND, Reason.AMOUNT)) is Settled.NEW
    payments[0].join(60)
    assert settled == [Settled.NEW]
    assert store.settle(paid_outcome("imp_3", ASKED)) is Settled.DUPLICATE
    assert list(rows("Order", server).values_list("paid_by", "was_paid")) == [(FIRST, True)]


def test_another_kind_of_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "oracle")
    with pytest.raises(ConfigurationError, match="PostgreSQL"):
        store_for(PRICE, "default").settle(paid_outcome(FIRST, ASKED))


SIGNALS = {
    "deadlock": {
        "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$",
        "mariadb": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    },
    "serialization": {
        "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$",
        "mariadb": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    },
    "other": {
        "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '23505'; END $$",
        "mariadb": "SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062",
    },
}


@pytest.mark.parametrize(("times", "settled"), [(3, True), (99, False)])
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("in_block", [False, True])
def test_a_deadlock_is_tried_again_a_few_times_and_nothing_else_is(
    server: str, signal: str, in_block: bool, times: int, settled: bool
) -> None:
    failing = iter(range(times))
    called: list[str] = []

    def hook(outcome: Outcome, using: str) -> Any:
        called.append("hook")
        tell("paid", outcome, using)
        if next(failing, None) is not None:
            run(using, SIGNALS[signal][server])
        return lambda: called.append("after")

    store = store_for(PRICE, server, on_paid=hook)
    again = signal != "other" and not in_block
    if again and settled:
        assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
        assert called == [*["hook"] * (times + 1), "after"]
        assert run(server, "SELECT count(*) FROM told") == [(1,)]
        return
    block = atomic(server) if in_block else nullcontext()
    with pytest.raises(DatabaseError), block:
        store.settle(paid_outcome(FIRST, ASKED))
    assert called == ["hook"] * (6 if again else 1)
    assert store.receipts([FIRST]) == {}


def test_a_deadlock_that_a_hook_swallows_loses_no_record() -> None:
    """MariaDB has then rolled everything back, and goes on in a transaction of nobody's."""
    using = "mariadb"
    django_shops.empty(using)
    for number in "ab":
        run(using, "INSERT INTO orders VALUES (%s, '1', 1, 'KRW')", number)
    update = "UPDATE orders SET total = 2 WHERE number = %s"
    locked, waits = threading.Event(), threading.Event()

    def other(_: int) -> None:
        with atomic(using):
            # It has written more, so that the hook's transaction is the one to be given up.
            for number in range(200):
                run(using, "INSERT INTO orders VALUES (%s, '1', 1, 'KRW')", f"many-{number}")
            run(using, update, "b")
            locked.set()
            waits.wait(30)
            run(using, update, "a")

    def hook(outcome: Outcome, using: str) -> None:
        run(using, update, "a")
        locked.wait(30)
        waits.set()
        with suppress(DatabaseError):
            run(using, update, "b")

    store = store_for(PRICE, using, on_paid=hook)
    thread = threading.Thread(target=at_once, args=(1, other))
    thread.start()
    with pytest.raises(StoreError, match="ended or broke"):
        store.settle(paid_outcome(FIRST, ASKED))
    thread.join(60)
    assert store.receipts([FIRST]) == {}
    assert rows("Order", using).count() == 0
    connections.close_all()


@pytest.mark.parametrize("level", [None, "repeatable read", "serializable"])
def test_on_mariadb_a_hook_sees_what_was_committed_while_it_waited(level: str | None) -> None:
    django_shops.empty("mariadb")
    seen: list[object] = []

    def expected(number: str, using: str) -> int:
        if not seen:
            run(using, "SELECT * FROM orders")  # a snapshot, if there is one
            at_once(1, lambda _: run("mariadb", "INSERT INTO orders VALUES ('x', '1', 1, 'KRW')"))
        seen.append(run(using, "SELECT number FROM orders"))
        return PRICE

    with another("mariadb", isolation_level=level) as using:
        store = store_for(PRICE, using, expected=expected)
        assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
        assert seen == [[("x",)]]
        level_now = run(using, "SHOW VARIABLES LIKE %s", "t%isolation")[-1][1]
        assert level_now == (level or "repeatable read").upper().replace(" ", "-")
    connections.close_all()


@pytest.mark.parametrize(
    ("imp_uid", "settled"), [(FIRST, Settled.REPEATED), (SECOND, Settled.DUPLICATE)]
)
def test_in_an_old_snapshot_of_the_shops_own_the_newest_is_read(
    server: str, imp_uid: str, settled: Settled
) -> None:
    """The shop's own transaction began before another payment paid the order."""
    if server == "postgresql":
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        level: object = IsolationLevel.REPEATABLE_READ
    else:
        level = "repeatable read"
    store = store_for(PRICE, server)
    with another(server, isolation_level=level) as using:
        old = store_for(PRICE, using)
        outcome: object
        try:
            with atomic(using):
                run(using, "SELECT * FROM imp_orders, imp_receipts")
                at_once(1, lambda _: store.settle(paid_outcome(FIRST, ASKED)))
                outcome = old.settle(paid_outcome(imp_uid, ASKED))
        except DatabaseError as error:
            outcome = getattr(error.__cause__, "sqlstate", error)
    assert outcome == ("40001" if server == "postgresql" else settled)
    assert rows("Order", server).get().paid_by == FIRST


def test_many_payments_of_many_orders_meet_no_deadlock(using: str) -> None:
    store = store_for(PRICE, using, on_paid=lambda outcome, using: tell("paid", outcome, using))

    def work(thread: int) -> int:
        for number in range(12):
            order = ExpectedPayment(f"ORD-{(number * (1 + thread % 2)) % 12}", PRICE)
            store.settle(paid_outcome(f"imp_{thread}_{number}", order))
        return 12

    assert at_once(4, work) == [12] * 4
    told = run(using, "SELECT number, count(*) FROM told GROUP BY number")
    assert len(told) == 12
    assert {count for _, count in told} == {1}
    states = rows("Receipt", using).values_list("state", flat=True)
    assert sorted(states) == [*["duplicate"] * 36, *[str(ReceiptState.PAYING)] * 12]


def test_a_reader_before_it_does_not_stop_a_writer_on_sqlite() -> None:
    """The first statement writes, so it waits for its turn; reading first would fail at once."""
    django_shops.empty("default")
    inside, go_on = threading.Event(), threading.Event()

    def expected(number: str, using: str) -> int:
        inside.set()
        go_on.wait(30)
        return PRICE

    slow = store_for(PRICE, "default", expected=expected)
    quick = store_for(PRICE, "default")
    answers: dict[str, list[Any]] = {}  # whichever thread is first to write its own down

    def work(store: DjangoStore, imp_uid: str) -> None:
        answers[imp_uid] = at_once(1, lambda _: store.settle(paid_outcome(imp_uid, ASKED)))

    thread = threading.Thread(target=work, args=(slow, FIRST))
    thread.start()
    inside.wait(30)
    second = threading.Thread(target=work, args=(quick, SECOND))
    second.start()
    go_on.set()
    thread.join(60)
    second.join(60)
    assert answers == {FIRST: [Settled.NEW], SECOND: [Settled.DUPLICATE]}
    connections.close_all()


def test_the_tables_can_be_taken_away_and_made_again(using: str) -> None:
    call_command("migrate", "imp_verify", "zero", database=using, verbosity=0)
    names = connections[using].introspection.table_names()
    assert not [name for name in names if name.startswith("imp_")]
    call_command("migrate", "imp_verify", database=using, verbosity=0)
    names = connections[using].introspection.table_names()
    assert {"imp_orders", "imp_receipts", "imp_changes", "imp_dues", "imp_runs"} <= set(names)


def test_what_was_flushed_or_made_without_migrations_begins_before_its_first_payment(
    using: str,
) -> None:
    call_command("flush", database=using, interactive=False, verbosity=0)
    flushed = list(rows("Run", using).values_list("account", flat=True))
    call_command("migrate", "imp_verify", "zero", database=using, verbosity=0)
    with override_settings(MIGRATION_MODULES={"imp_verify": None}):
        call_command("migrate", database=using, run_syncdb=True, verbosity=0)
    made = list(rows("Run", using).values_list("account", flat=True))
    with connections[using].schema_editor() as editor:
        for model in apps.get_app_config("imp_verify").get_models():
            editor.delete_model(model)
    call_command("migrate", "imp_verify", database=using, verbosity=0)
    assert (flushed, made) == ([""], [""])


def test_the_tables_of_0_1_lose_nothing_and_their_money_is_not_due(using: str) -> None:
    call_command("migrate", "imp_verify", "0002", database=using, verbosity=0)
    at = "2025-01-01 00:00:00"
    money = (FIRST, ORDER, "paying", PRICE, 0, "KRW", False, at, at)
    run(using, "INSERT INTO imp_orders VALUES (%s, %s, %s)", ORDER, FIRST, True)
    run(
        using,
        "INSERT INTO imp_receipts (imp_uid, merchant_uid, state, amount, cancel_amount, currency,"
        " test, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        *money,
    )
    call_command("migrate", "imp_verify", database=using, verbosity=0)
    store = store_for(PRICE, using)
    assert store.receipts([FIRST])[FIRST].reason is None
    assert abs(store.run("").began.timestamp() - time.time()) < 60
    for imp_uid, at_second in ((SECOND, time.time()), ("imp_old", 1735700000)):
        outcome = paid_outcome(imp_uid, ASKED)
        assert outcome.payment is not None
        payment = replace(outcome.payment, raw={"paid_at": int(at_second)})
        assert store.settle(replace(outcome, payment=payment)) is Settled.DUPLICATE
    assert [each.imp_uid for each in store.dues(None, 10)] == [SECOND]


def test_a_payment_is_not_claimed_in_an_atomic_block_of_the_shops(using: str) -> None:
    store = store_for(PRICE, using)
    with atomic(using), pytest.raises(StoreError, match="must be committed before"):
        store.claim(FIRST, datetime.now(UTC))
    assert store.claim(FIRST, datetime.now(UTC)) is None


def test_money_is_found_due_in_an_atomic_block_whoever_made_the_beginnings_row(using: str) -> None:
    store = store_for(PRICE, using)
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    for imp_uid in (SECOND, "imp_3"):
        outcome = paid_outcome(imp_uid, ASKED)
        assert outcome.payment is not None
        payment = replace(outcome.payment, raw={"paid_at": int(time.time()) + 60})
        with atomic(using):
            assert store.settle(replace(outcome, payment=payment)) is Settled.DUPLICATE
    assert {each.imp_uid for each in store.dues(None, 10)} == {SECOND, "imp_3"}


def test_a_payment_given_back_in_an_atomic_block_commits_with_that_block(using: str) -> None:
    def paid(outcome: Outcome, using: str) -> None:
        tell("on_paid", outcome, using)
        raise GiveBack("sold out")

    shop = DjangoShop(using, on_paid=paid)
    shop.put(ASKED)
    with atomic(using):
        assert shop.django.settle(paid_outcome(FIRST, ASKED)) is Settled.LATE
    receipt = shop.django.receipts([FIRST])[FIRST]
    assert (receipt.state, receipt.reason) == (ReceiptState.LATE, Reason.REFUSED)
    assert shop.told() == [("on_late", f"{FIRST}:late:refused")]


def test_the_ledgers_times_are_the_same_without_time_zones(using: str) -> None:
    store = store_for(PRICE, using)
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    outcome = paid_outcome(SECOND, ASKED)
    assert outcome.payment is not None
    payment = replace(outcome.payment, raw={"paid_at": int(time.time()) + 60})
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    connections.close_all()
    with override_settings(USE_TZ=False, TIME_ZONE="Asia/Seoul"):
        assert store.settle(replace(outcome, payment=payment)) is Settled.DUPLICATE
        claimed = store.claim(SECOND, until)
        assert claimed is not None
        assert claimed == store.due(SECOND)
        assert claimed.next_try == until
        window = (until - timedelta(days=1), until)
        store.save_run(Run("", until, *window, page=2))
        assert store.run("").until == until
        assert store.run("").began < until


@pytest.mark.parametrize("auto", ["AutoField", "BigAutoField", "UUIDField"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_models_are_what_the_migrations_say(auto: str, language: str) -> None:
    changes = {"DEFAULT_AUTO_FIELD": f"django.db.models.{auto}", "LANGUAGE_CODE": language}
    with override_settings(**changes, USE_TZ=language == "ko"):
        call_command("makemigrations", "imp_verify", check=True, dry_run=True, verbosity=0)
    connections.close_all()


def test_without_the_app_the_store_says_what_is_missing(using: str) -> None:
    store = store_for(PRICE, using)
    with (
        override_settings(INSTALLED_APPS=["django.contrib.contenttypes"]),
        pytest.raises(ConfigurationError, match="INSTALLED_APPS"),
    ):
        store.settle(paid_outcome(FIRST, ASKED))


def test_many_receipts_are_read_at_once(using: str) -> None:
    shop = DjangoShop(using)
    shop.put(ASKED)
    assert shop.django.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    found = shop.django.receipts([*(f"imp_x{number}" for number in range(1100)), FIRST])
    assert list(found) == [FIRST]
