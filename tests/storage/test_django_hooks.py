"""DjangoStore does with a hook what every store must, in a transaction of its own and in one of the
shop's; and what is Django's own: blocks, `on_commit`, several databases, what SQLite rolls back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import psycopg.sql
import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.transaction import TransactionManagementError, atomic
from django.utils.translation import gettext_lazy

from imp_verify import ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.testing import TrialFailure
from imp_verify.testing._harness import FIRST, ORDER, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import DjangoShop, rows, run, tell
from tests.storage.hook_contract import ASKED, DatabaseHookContract, Ending, ask, settle
from tests.storage.shops import Hook, plain
from tests.support.django_databases import ALIASES

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
Make = Callable[..., DjangoShop]
Block = Callable[[], AbstractContextManager[Any]]
NOTHING, ALL = (0, 0, 0, 0), (1, 1, 1, 1)


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
def block(request: pytest.FixtureRequest, using: str) -> Block:
    """The block of the shop's in which the store is called, or none."""
    return nullcontext if request.param == "own" else partial(atomic, using)


STATEMENTS = ("COMMIT", " /* all */ commit -- x", "-- x\nROLLBACK", "BEGIN", "end")
ON_MYSQL = (
    "TRUNCATE TABLE told",
    "LOCK TABLES told WRITE",
    "CREATE TABLE x (y INT)",
    "ALTER TABLE told ADD COLUMN x INT",
    "SET autocommit = 1",
)


def _many(using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.executemany("COMMIT", [()])


def refused(using: str) -> Mapping[str, Ending]:
    statements = [*STATEMENTS, *(ON_MYSQL if using == "mariadb" else ())]
    return {"many": _many, **{each: partial(run, statement=each) for each in statements}}


class TestHooks(DatabaseHookContract):
    unique_violation = IntegrityError
    refusals = (StoreError, TransactionManagementError)

    @pytest.fixture
    def make(self, make: Make, block: Block) -> Make:
        self.block = block
        return lambda **functions: make(**{name: plain(each) for name, each in functions.items()})

    def ask(self, shop: DjangoShop, name: str, *arguments: object) -> Any:
        """What it raises does not undo the shop's block."""
        with self.block():
            try:
                return ask(shop, name, *arguments)
            except BaseException as raised:
                error = raised
        raise error

    def ready(self, shop: DjangoShop) -> DjangoStore:
        return shop.django

    def check_kept(self, shop: DjangoShop, told: int) -> None:
        assert not connections[shop.using].in_atomic_block  # so that others see what is read here
        super().check_kept(shop, told)

    async def tell(self, name: str, outcome: Outcome, transaction: str) -> None:
        tell(name, outcome, transaction)

    async def run(self, transaction: str, statement: str) -> None:
        run(transaction, statement)

    @asynccontextmanager
    async def part(self, transaction: str) -> AsyncIterator[None]:
        with atomic(transaction):
            yield

    def refused(self, shop: DjangoShop) -> Mapping[str, Ending]:
        return refused(shop.using)

    def breaking(self, shop: DjangoShop) -> Mapping[str, Ending]:
        endings: dict[str, Ending] = {
            "commit": transaction.commit,
            "rollback": transaction.rollback,
            "autocommit": lambda using: transaction.set_autocommit(True, using),
            "set_rollback": lambda using: transaction.set_rollback(True, using),
        }
        if self.block is nullcontext:  # it would be the end of the shop's block too
            endings["close"] = lambda using: connections[using].close()
        return endings

    def is_broken_by_errors(self, shop: DjangoShop) -> bool:
        return shop.using == "postgresql"


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


def test_a_hook_that_fails_takes_the_record_with_it_and_no_more(
    make: Make, using: str, block: Block
) -> None:
    shop = make()
    shop.fail_next()
    with block():
        run(using, "INSERT INTO orders VALUES ('mine', '1', 1, 'KRW')")
        with pytest.raises(TrialFailure):
            settle(shop)
    assert shop.kept() == NOTHING
    assert run(using, "SELECT total FROM orders WHERE number = 'mine'") == [("1",)]
    with block():
        assert settle(shop) is Settled.NEW
    assert shop.kept() == ALL


def test_a_hook_that_found_nothing_next_keeps_nothing_in_a_block_either(
    make: Make, using: str
) -> None:
    shop = make(on_paid=lambda outcome, using: next(iter(())))
    with atomic(using), pytest.raises(StopIteration):
        settle(shop)
    assert shop.kept() == NOTHING


def test_a_transaction_of_the_shops_own_takes_the_record_with_it(make: Make, using: str) -> None:
    called: list[str] = []

    def hook(outcome: Outcome, using: str) -> Any:
        tell("on_paid", outcome, using)
        return lambda: called.append(outcome.key)

    shop = make(on_paid=hook)
    with atomic(using):
        assert settle(shop) is Settled.NEW
        transaction.set_rollback(True, using)
    assert shop.kept() == NOTHING
    assert called == []
    with atomic(using):
        assert settle(shop) is Settled.NEW
        assert settle(shop) is Settled.REPEATED
        assert called == []
    assert called == [f"{FIRST}:paid"]
    assert shop.kept() == ALL


def test_what_a_hook_returned_and_fails_stops_nothing_that_the_shop_calls_after_its_commit(
    make: Make, using: str
) -> None:
    called: list[str] = []
    shop = make(on_paid=lambda outcome, using: lambda: 1 / 0)
    with atomic(using):
        assert settle(shop) is Settled.NEW
        transaction.on_commit(lambda: called.append("the shop's own"), using)
    assert called == ["the shop's own"]


def test_what_would_end_the_transaction_is_refused_where_expected_is_only_read_too(
    make: Make, using: str, block: Block
) -> None:
    asked: list[str] = []

    def expected(number: str, using: str) -> ExpectedPayment:
        for name, end in refused(using).items():
            with pytest.raises(StoreError, match="is not for a hook"):
                end(using)
            asked.append(name)
        return ASKED

    shop = make(expected=expected)
    with block():
        assert shop.django.expected(ORDER) == ASKED
    assert asked == [*refused(using)]
    run(using, "BEGIN")  # outside it is the shop's own affair
    run(using, "ROLLBACK")


def test_a_hook_may_end_transactions_of_another_database(make: Make, using: str) -> None:
    def hook(outcome: Outcome, using: str) -> None:
        for other in {*ALIASES} - {using}:
            run(other, "BEGIN")
            run(other, "INSERT INTO orders VALUES ('theirs', '1', 1, 'KRW')")
            run(other, "ROLLBACK")
        tell("on_paid", outcome, using)

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert shop.kept() == ALL


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
    make: Make, block: Block, where: str, how: str
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
        assert shop.kept() == NOTHING


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
    assert shop.kept() == NOTHING
