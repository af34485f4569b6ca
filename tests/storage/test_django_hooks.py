"""What a hook of DjangoStore may do, what it may not, and that its work and the record are one:
on each database, in a transaction of the store's own and in one of the shop's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import psycopg.sql
import pytest
from django.db import DatabaseError, connections, transaction
from django.db.transaction import TransactionManagementError, atomic
from django.utils.translation import gettext_lazy

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.testing import TrialFailure
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import DjangoShop, rows, run, tell
from tests.storage.shops import Hook
from tests.support.django_databases import ALIASES

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
ASKED = ExpectedPayment(ORDER, PRICE)
Make = Callable[..., DjangoShop]


@pytest.fixture(params=ALIASES)
def using(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(using: str) -> Iterator[Make]:
    """Make a shop with one order and these hooks."""

    def make(**hooks: Hook) -> DjangoShop:
        django_shops.empty(using)
        shop = DjangoShop(using, options=hooks)
        shop.put(ASKED)
        return shop

    yield make
    connections.close_all()


@pytest.fixture(params=["own", "shop's"])
def block(request: pytest.FixtureRequest, using: str) -> Callable[[], Any]:
    """The block of the shop's in which the store is called, or none."""

    def block() -> AbstractContextManager[Any]:
        return nullcontext() if request.param == "own" else atomic(using)

    return block


def test_expected_may_lock_the_order(using: str) -> None:
    """Before the gateway is asked too, where it is called outside of the store's transactions."""
    django_shops.empty(using)

    def expected(number: str, using: str) -> ExpectedPayment | None:
        list(rows("Receipt", using).select_for_update().filter(merchant_uid=number))
        return ASKED

    store = DjangoStore(using=using, expected=expected)
    assert store.expected(ORDER) == ASKED
    assert not connections[using].in_atomic_block
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    connections.close_all()


def test_what_a_hook_returned_is_called_though_its_own_on_commit_fails(make: Make) -> None:
    called: list[int] = []

    def hook(outcome: Outcome, using: str) -> object:
        transaction.on_commit(lambda: 1 / 0, using)
        return lambda: called.append(1)

    shop = make(on_paid=hook)
    with pytest.raises(ZeroDivisionError):
        settle(shop)
    assert called == [1]


def settle(shop: DjangoShop, imp_uid: str = FIRST) -> Settled:
    return shop.django.settle(paid_outcome(imp_uid, ASKED))


def kept(using: str) -> tuple[int, int, int, int]:
    """Count rows: hooks', receipts, paid orders, changes."""
    told = run(using, "SELECT count(*) FROM told")[0][0]
    paid = rows("Order", using).filter(was_paid=True)
    rest = (rows("Receipt", using), paid, rows("Change", using))
    receipts, orders, changes = (each.count() for each in rest)
    return told, receipts, orders, changes


NOTHING, ALL = (0, 0, 0, 0), (1, 1, 1, 1)


def test_a_hook_that_fails_takes_the_record_with_it_and_no_more(
    make: Make, using: str, block: Callable[[], Any]
) -> None:
    shop = make()
    shop.fail_next()
    with block():
        run(using, "INSERT INTO orders VALUES ('mine', '1', 1, 'KRW')")
        with pytest.raises(TrialFailure):
            settle(shop)
    assert kept(using) == NOTHING
    assert run(using, "SELECT total FROM orders WHERE number = 'mine'") == [("1",)]
    with block():
        assert settle(shop) is Settled.NEW
    assert kept(using) == ALL


def test_a_hook_that_found_nothing_next_keeps_nothing(
    make: Make, using: str, block: Callable[[], Any]
) -> None:
    shop = make(on_paid=lambda outcome, using: next(iter(())))
    with block(), pytest.raises(StopIteration):
        settle(shop)
    assert kept(using) == NOTHING


def test_a_transaction_of_the_shops_own_takes_the_record_with_it(make: Make, using: str) -> None:
    called: list[str] = []

    def hook(outcome: Outcome, using: str) -> Any:
        tell("on_paid", outcome, using)
        return lambda: called.append(outcome.key)

    shop = make(on_paid=hook)
    with atomic(using):
        assert settle(shop) is Settled.NEW
        transaction.set_rollback(True, using)
    assert kept(using) == NOTHING
    assert called == []
    with atomic(using):
        assert settle(shop) is Settled.NEW
        assert settle(shop) is Settled.REPEATED
        assert called == []
    assert called == [f"{FIRST}:paid"]
    assert kept(using) == ALL


def test_a_returned_function_is_called_once_after_the_commit(make: Make, using: str) -> None:
    seen: list[object] = []

    def hook(outcome: Outcome, using: str) -> Any:
        return lambda: seen.append((connections[using].in_atomic_block, kept(using)[1:]))

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert settle(shop) is Settled.REPEATED
    assert seen == [(False, (1, 1, 1))]


def test_a_returned_function_may_call_the_store(make: Make) -> None:
    seen: list[object] = []
    shop: DjangoShop = make(on_paid=lambda outcome, using: lambda: seen.append(settle(shop)))
    assert settle(shop) is Settled.NEW
    assert seen == [Settled.REPEATED]


def test_a_returned_function_that_fails_is_logged_and_changes_no_answer(
    make: Make, using: str, block: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    others: list[str] = []

    def fail() -> None:
        raise SystemExit

    shop = make(on_paid=lambda outcome, using: fail)
    with block():
        assert settle(shop) is Settled.NEW
        if connections[using].in_atomic_block:
            transaction.on_commit(lambda: others.append("the shop's own"), using)
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert (record.name, FIRST in record.getMessage()) == ("imp_verify", True)
    assert len(others) == (block().__class__ is not nullcontext)
    assert kept(using)[1:] == (1, 1, 1)


def test_any_other_value_is_ignored(make: Make, using: str) -> None:
    shop = make(on_paid=lambda outcome, using: "shipped")
    assert settle(shop) is Settled.NEW


def test_a_store_called_inside_its_own_hook_is_a_store_error(make: Make, using: str) -> None:
    shop: DjangoShop = make(on_paid=lambda outcome, using: settle(shop))
    with pytest.raises(StoreError, match="inside a hook"):
        settle(shop)
    assert kept(using) == NOTHING


def _swallow(using: str) -> None:
    with suppress(DatabaseError):
        run(using, "SELECT * FROM no_such_table")


ENDINGS: dict[str, Callable[[str], object]] = {
    "commit": transaction.commit,
    "rollback": transaction.rollback,
    "autocommit": lambda using: transaction.set_autocommit(True, using),
    "set_rollback": lambda using: transaction.set_rollback(True, using),
    "close": lambda using: connections[using].close(),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_hook_that_ends_the_transaction_fails_and_nothing_is_kept(
    make: Make, using: str, ending: str
) -> None:
    def hook(outcome: Outcome, using: str) -> None:
        tell("on_paid", outcome, using)
        ENDINGS[ending](using)

    shop = make(on_paid=hook)
    with pytest.raises((StoreError, TransactionManagementError)):
        settle(shop)
    connections[using].close()
    assert kept(using) == NOTHING
    assert DjangoShop(using).django.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW


STATEMENTS = ("COMMIT", " /* all */ commit -- x", "-- x\nROLLBACK", "BEGIN", "end")
ON_MYSQL = (
    "TRUNCATE TABLE told",
    "LOCK TABLES told WRITE",
    "CREATE TABLE x (y INT)",
    "ALTER TABLE told ADD COLUMN x INT",
    "SET autocommit = 1",
)


def _endings(using: str) -> list[str]:
    return [*STATEMENTS, *(ON_MYSQL if using == "mariadb" else ())]


def test_sql_that_ends_the_transaction_fails_in_a_hook_and_nothing_is_kept(
    make: Make, using: str, block: Callable[[], Any]
) -> None:
    left = _endings(using)

    def hook(outcome: Outcome, using: str) -> None:
        tell("before", outcome, using)
        if left:
            run(using, left[0])
        tell("after", outcome, using)

    shop = make(on_paid=hook)
    while left:
        with block(), pytest.raises(StoreError, match="not for a hook"):
            settle(shop)
        assert kept(using) == NOTHING, left[0]
        del left[0]
    with block():
        assert settle(shop) is Settled.NEW
    assert kept(using) == (2, 1, 1, 1)


def test_sql_that_ends_the_transaction_is_refused_before_it_runs_wherever_the_shop_is_asked(
    make: Make, using: str, block: Callable[[], Any]
) -> None:
    def refused() -> None:
        for statement in _endings(using):
            with pytest.raises(StoreError, match=r"^[A-Z]+ is not for a hook: the store commits"):
                run(using, statement)
        with connections[using].cursor() as cursor, pytest.raises(StoreError, match=r"^COMMIT is"):
            cursor.executemany("COMMIT", [()])

    def asked(number: str, using: str) -> ExpectedPayment:
        refused()
        return ASKED

    def work(outcome: Outcome, using: str) -> None:
        tell("before", outcome, using)
        refused()
        tell("after", outcome, using)

    shop = make(expected=asked, hold=lambda asked, imp_uid, using: refused(), on_paid=work)
    with block():
        assert shop.django.expected(ORDER) == ASKED
        assert shop.django.hold(ASKED, FIRST) is None
        assert settle(shop) is Settled.NEW
    assert kept(using) == (2, 1, 1, 1)
    run(using, "BEGIN")  # outside it is the shop's own affair
    run(using, "ROLLBACK")


def test_a_hook_may_end_transactions_of_another_database(make: Make, using: str) -> None:
    def hook(outcome: Outcome, using: str) -> None:
        for other in {*ALIASES} - {using}:
            run(other, "BEGIN")
            run(other, "INSERT INTO orders VALUES ('theirs', '1', 1, 'KRW')")
            run(other, "ROLLBACK")
        tell("on_paid", outcome, using)

    assert settle(make(on_paid=hook)) is Settled.NEW
    assert kept(using) == ALL


NOT_TEXT: dict[str, Any] = {"postgresql": psycopg.sql.SQL("SELECT 1"), "mariadb": b"SELECT 1"}


@pytest.mark.parametrize("using", NOT_TEXT, indirect=True)
def test_a_statement_that_is_not_text_runs_as_it_is(make: Make, using: str) -> None:
    seen: list[object] = []
    shop = make(on_paid=lambda outcome, using: seen.extend(run(using, NOT_TEXT[using])))
    assert settle(shop) is Settled.NEW
    assert seen == [(1,)]


ROLLBACKS = {
    "or": ("INSERT OR ROLLBACK INTO orders VALUES (%s, '1', 1, 'KRW')", ORDER),
    "raise": ("INSERT INTO orders VALUES (%s, '1', 1, 'KRW')", "rolls back"),
}


@pytest.fixture
def _raising() -> Iterator[None]:
    """A trigger that rolls back, as a shop may have one."""
    run(
        "default",
        "CREATE TRIGGER rolls_back BEFORE INSERT ON orders WHEN NEW.number = 'rolls back' "
        "BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    )
    yield
    run("default", "DROP TRIGGER rolls_back")


@pytest.mark.usefixtures("_raising")
@pytest.mark.parametrize("using", ["default"], indirect=True)
@pytest.mark.parametrize("how", ROLLBACKS)
@pytest.mark.parametrize("where", ["expected", "on_paid"])
def test_what_sqlite_rolled_back_under_a_function_is_recorded_at_no_delivery(
    make: Make, block: Callable[[], Any], where: str, how: str
) -> None:
    """SQLite would then commit each statement of the store's by itself."""

    def roll_back(using: str) -> None:
        with suppress(DatabaseError):
            run(using, *ROLLBACKS[how])

    def asked(number: str, using: str) -> ExpectedPayment:
        if where == "expected":
            roll_back(using)
        return ASKED

    def work(outcome: Outcome, using: str) -> None:
        tell("on_paid", outcome, using)
        if where == "on_paid":
            roll_back(using)

    shop = make(expected=asked, on_paid=work)
    for _ in range(3):
        with block(), pytest.raises(StoreError, match="rolled back under the hook"):
            settle(shop)
        assert kept("default") == NOTHING


def test_an_error_that_a_hook_swallows_loses_no_record(make: Make, using: str) -> None:
    """On PostgreSQL it breaks the transaction, and COMMIT would then roll back without a word."""
    shop = make(on_paid=lambda outcome, using: _swallow(using))
    if using == "postgresql":
        with pytest.raises(StoreError, match="ended or broke"):
            settle(shop)
        assert kept(using) == NOTHING
    else:
        assert settle(shop) is Settled.NEW
        assert kept(using)[1:] == (1, 1, 1)


def test_an_error_that_a_hook_keeps_in_a_block_of_its_own_is_its_own_affair(
    make: Make, using: str
) -> None:
    def hook(outcome: Outcome, using: str) -> None:
        with suppress(DatabaseError), atomic(using):
            tell("lost", outcome, using)
            run(using, "SELECT * FROM no_such_table")
        tell("kept", outcome, using)

    assert settle(make(on_paid=hook)) is Settled.NEW
    assert run(using, "SELECT hook FROM told") == [("kept",)]
    assert kept(using) == ALL


def test_a_hold_is_kept_where_it_gives_no_reason(
    make: Make, using: str, block: Callable[[], Any]
) -> None:
    def hold(expected: ExpectedPayment, imp_uid: str, using: str) -> str | None:
        run(using, "INSERT INTO told (hook, change_key) VALUES ('hold', %s)", imp_uid)
        return "sold out" if imp_uid == SECOND else None

    shop = DjangoShop(using, options={"hold": hold})
    django_shops.empty(using)
    shop.put(ASKED)
    with block():
        assert shop.django.hold(ASKED, SECOND) == "sold out"
        assert shop.django.hold(ASKED, FIRST) is None
    assert run(using, "SELECT change_key FROM told") == [(FIRST,)]


def test_a_reason_of_hold_may_be_translated_when_it_is_said(using: str) -> None:
    django_shops.empty(using)
    store = DjangoStore(
        using=using,
        expected=lambda number, using: ASKED,
        hold=lambda expected, imp_uid, using: gettext_lazy("sold out"),
    )
    reason = store.hold(ASKED, FIRST)
    assert (reason, type(reason)) == ("sold out", str)
    connections.close_all()


def test_a_hold_asks_who_paid_this_order_not_what_else_the_payment_paid(make: Make) -> None:
    shop = make()
    elsewhere = ExpectedPayment("ORD-9", PRICE)
    shop.put(elsewhere)
    assert shop.django.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert shop.django.settle(paid_outcome(SECOND, elsewhere)) is Settled.NEW
    assert shop.django.hold(ASKED, SECOND) == "already_paid"
    assert shop.django.hold(elsewhere, SECOND) is None


def test_a_connection_that_does_not_commit_is_refused(make: Make, using: str) -> None:
    shop = make()
    transaction.set_autocommit(False, using)
    try:
        with pytest.raises(StoreError, match="AUTOCOMMIT"):
            settle(shop)
        with pytest.raises(StoreError, match="AUTOCOMMIT"), atomic(using):
            settle(shop)
    finally:
        transaction.rollback(using)
        transaction.set_autocommit(True, using)
    assert kept(using) == NOTHING
