"""How long DjangoStore waits for a row that somebody else has locked, and that the shop's own
limits come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connections
from django.db.transaction import atomic, set_rollback

from imp_verify import ConfigurationError, ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.stores._open import holding
from imp_verify.testing._harness import FIRST, ORDER, PRICE, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import rows, run
from tests.support.django_databases import SERVERS, another

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
ASKED = ExpectedPayment(ORDER, PRICE)
SHORT = {"postgresql": 0.2, "mariadb": 1}
"""MariaDB counts whole seconds."""
LIMIT = {
    "postgresql": "SELECT current_setting('lock_timeout')",
    "mariadb": "SELECT @@innodb_lock_wait_timeout",
}
OF_THE_SHOP = {
    "postgresql": ("SELECT set_config('lock_timeout', '7s', false)", "7s"),
    "mariadb": ("SET innodb_lock_wait_timeout = 7", 7),
}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    django_shops.empty(request.param)
    run(request.param, "INSERT INTO orders VALUES (%s, %s, 1, 'KRW')", ORDER, str(PRICE))
    run(request.param, OF_THE_SHOP[request.param][0])
    yield request.param
    connections.close_all()


@contextmanager
def locked(server: str, *statements: str) -> Iterator[None]:
    """Somebody else, who does not go on, has locked what these statements lock."""
    with another(server) as other, atomic(other):
        for statement in statements or (
            f"SELECT * FROM orders WHERE number = '{ORDER}' FOR UPDATE",
        ):
            run(other, statement)
        yield


def limit(using: str) -> object:
    return run(using, LIMIT[using])[0][0]


def store_of(server: str, **functions: Any) -> DjangoStore:
    functions.setdefault("expected", lambda number, using: ASKED)
    given = {"lock_timeout": SHORT[server], **functions}
    return DjangoStore(using=server, **given)


def lock_order(number: str, using: str) -> ExpectedPayment:
    run(using, "SELECT * FROM orders WHERE number = %s FOR UPDATE", number)
    return ASKED


def ship(outcome: Outcome, using: str) -> None:
    run(using, "UPDATE orders SET open = 0 WHERE number = %s", outcome.merchant_uid)


SETTLE: Callable[[DjangoStore], object] = lambda store: store.settle(paid_outcome(FIRST, ASKED))  # noqa: E731
WAITS: dict[str, tuple[Callable[[DjangoStore], object], dict[str, Any]]] = {
    "expected": (lambda store: store.expected(ORDER), {"expected": lock_order}),
    "expected inside": (SETTLE, {"expected": lock_order}),
    "a hook": (SETTLE, {"on_paid": ship}),
    "hold": (
        lambda store: store.hold(ASKED, FIRST),
        {"hold": lambda asked, imp_uid, using: lock_order(ORDER, using) and None},
    ),
}


@pytest.mark.parametrize("waits", WAITS)
def test_whoever_waits_for_a_locked_row_gives_up_and_is_not_tried_again(
    server: str, waits: str
) -> None:
    do, functions = WAITS[waits]
    store = store_of(server, **functions)
    called: list[object] = []

    def count(execute: Any, statement: Any, values: Any, many: bool, context: Any) -> Any:
        called.append(statement)
        return execute(statement, values, many, context)

    with locked(server), connections[server].execute_wrapper(count):
        began = time.monotonic()
        with pytest.raises(OperationalError) as caught:
            do(store)
    assert time.monotonic() - began < 4
    assert "lock_timeout" in caught.value.__notes__[0]
    assert sum(" orders " in str(each) for each in called) == 1
    assert limit(server) == OF_THE_SHOP[server][1]
    assert rows("Receipt", server).count() == 0
    do(store)
    assert limit(server) == OF_THE_SHOP[server][1]


def test_the_stores_own_row_of_the_order_is_waited_for_no_longer(server: str) -> None:
    rows("Order", server).create(merchant_uid=ORDER)
    store = store_of(server)
    with locked(server, "SELECT * FROM imp_orders FOR UPDATE"), pytest.raises(OperationalError):
        store.settle(paid_outcome(FIRST, ASKED))
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW


def test_hold_waits_no_longer_than_its_answer_is_heard(server: str) -> None:
    store = store_of(server, lock_timeout=30, hold=lambda *_: "sold out")
    rows("Order", server).create(merchant_uid=ORDER)
    with locked(server, "SELECT * FROM imp_orders FOR UPDATE"), holding(time.monotonic() + 0.5):
        began = time.monotonic()
        with pytest.raises(OperationalError):
            store.hold(ASKED, FIRST)
        assert time.monotonic() - began < 4
    with holding(time.monotonic() - 1, time.monotonic() - 2), pytest.raises(StoreError):
        store.hold(ASKED, FIRST)
    assert limit(server) == OF_THE_SHOP[server][1]


def _fail(using: str) -> None:
    raise RuntimeError("the shop's hook")


def _break(using: str) -> None:
    with suppress(DatabaseError):
        run(using, "SELECT * FROM no_such_table")


ENDS: dict[str, Callable[[str], object]] = {
    "well": bool,
    "by an error": _fail,
    "by an error of the database": lambda using: run(using, "SELECT * FROM no_such_table"),
    "by one that was swallowed": _break,
    "by a rollback": lambda using: set_rollback(True, using),
}


def test_a_repeat_in_a_block_of_the_shops_own_keeps_the_order_locked_until_it_ends(
    server: str,
) -> None:
    """Who ships in that block by what the shop has recorded must not do so beside another."""
    paid = paid_outcome(FIRST, ASKED)
    assert store_of(server).settle(paid) is Settled.NEW
    with another(server) as other:
        beside = DjangoStore(
            using=other, lock_timeout=SHORT[server], expected=lambda number, using: ASKED
        )
        with atomic(server):
            assert store_of(server).settle(paid) is Settled.REPEATED
            with pytest.raises(OperationalError):
                beside.settle(paid)
        assert beside.settle(paid) is Settled.REPEATED


@pytest.mark.parametrize("in_block", [False, True])
@pytest.mark.parametrize("ends", ENDS)
def test_the_shops_own_limit_comes_back_however_it_ends(
    server: str, ends: str, in_block: bool
) -> None:
    seen: list[object] = []

    def hook(outcome: Outcome, using: str) -> None:
        seen.append(limit(using))
        ENDS[ends](using)

    store = store_of(server, lock_timeout=3, on_paid=hook)
    shops = OF_THE_SHOP[server][1]
    with atomic(server) if in_block else nullcontext():
        with suppress(Exception):
            store.settle(paid_outcome(FIRST, ASKED))
        assert limit(server) == shops
        assert store.expected(ORDER) == ASKED
        assert limit(server) == shops
    assert limit(server) == shops
    assert seen == [{"postgresql": "3s", "mariadb": 3}[server]]


def test_a_deadlock_in_a_block_of_the_shops_own_leaves_no_limit_behind() -> None:
    """MariaDB has then ended the whole block, and Django runs nothing in it any more."""
    using = "mariadb"
    django_shops.empty(using)
    run(using, OF_THE_SHOP[using][0])
    failing = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213"
    store = store_of(using, on_paid=lambda outcome, using: run(using, "ROLLBACK AND NO CHAIN"))
    with pytest.raises((DatabaseError, StoreError)), atomic(using):
        store.settle(paid_outcome(FIRST, ASKED))
    store = store_of(using, on_paid=lambda outcome, using: run(using, failing))
    with pytest.raises(DatabaseError), atomic(using):
        store.settle(paid_outcome(FIRST, ASKED))
    assert limit(using) == OF_THE_SHOP[using][1]
    connections.close_all()


def test_on_sqlite_the_databases_own_option_holds() -> None:
    django_shops.empty("default")
    store = DjangoStore(expected=lambda number, using: ASKED, lock_timeout=0.01)
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    connections.close_all()


@pytest.mark.parametrize("given", [0, -1, 3601, float("nan"), float("inf"), True, "5", None])
def test_a_limit_that_is_none_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="lock_timeout must be seconds"):
        DjangoStore(expected=lambda number, using: ASKED, lock_timeout=given)
