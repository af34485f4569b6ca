"""What becomes of a payment when the database has closed DjangoStore's connection: before a hook
ran it costs nothing, after that it is trouble; in a block of the shop's own it is the shop's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, connections
from django.db.transaction import atomic

from imp_verify import ExpectedPayment, Outcome, Reason, Settled, StoreError, Verdict
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import rows, run, tell
from tests.support.django_databases import SERVERS, another, end_sessions

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
ASKED = ExpectedPayment(ORDER, PRICE)
LIVES_ON = {"CONN_MAX_AGE": 600}
FRESH = "SELECT 1"


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    connections.close_all()  # a test before this one may have had their sessions ended
    django_shops.empty(request.param)
    yield request.param
    connections.close_all()


@pytest.fixture
def using(server: str) -> Iterator[str]:
    """An alias whose connections live on, and whose sessions the test may end."""
    with another(server, LIVES_ON) as alias:
        run(alias, FRESH)
        yield alias


def forged() -> Outcome:
    return replace(paid_outcome(FIRST, ASKED), verdict=Verdict.FORGERY, reason=Reason.AMOUNT)


CALLS: dict[str, tuple[Callable[[DjangoStore], object], object]] = {
    "expected": (lambda store: store.expected(ORDER), ASKED),
    "settle": (lambda store: store.settle(paid_outcome(FIRST, ASKED)), Settled.NEW),
    "observe": (lambda store: store.observe(forged()), Settled.NEW),
    "hold": (lambda store: store.hold(ASKED, FIRST), None),
    "receipts": (lambda store: store.receipts([FIRST]), {}),
}


def shop(using: str, called: list[str], before: Callable[[str], object] = bool) -> DjangoStore:
    """Make a store whose functions write down that they were called, and do something first."""

    def expected(number: str, using: str) -> ExpectedPayment:
        called.append("expected")
        before("expected")
        run(using, FRESH)
        return ASKED

    def hold(expected: ExpectedPayment, imp_uid: str, using: str) -> None:
        called.append("hold")
        before("hold")
        run(using, FRESH)

    def on_paid(outcome: Outcome, using: str) -> None:
        called.append("on_paid")
        before("on_paid")
        tell("on_paid", outcome, using)

    return DjangoStore(using=using, expected=expected, hold=hold, on_paid=on_paid)


@pytest.mark.parametrize("level", [None, "serializable"])
@pytest.mark.parametrize("call", CALLS)
def test_a_dead_connection_is_thrown_away_and_the_call_made_on_a_fresh_one(
    server: str, call: str, level: str | None
) -> None:
    do, wanted = CALLS[call]
    called: list[str] = []
    options = {"isolation_level": level} if level and server == "mariadb" else {}
    with another(server, LIVES_ON, **options) as using:
        store = shop(using, called)
        run(using, FRESH)
        for other in (DEFAULT_DB_ALIAS, server):
            run(other, FRESH)
        others = [connections[other].connection for other in (DEFAULT_DB_ALIAS, server)]
        end_sessions(server)
        assert do(store) == wanted
        assert len(called) == len(set(called))
        assert [connections[other].connection for other in (DEFAULT_DB_ALIAS, server)] == others
        connections[server].close()


def test_expected_may_meet_the_dead_connection(server: str, using: str) -> None:
    """It only reads: it is asked again."""
    called: list[str] = []

    def once(name: str) -> None:
        if called == ["expected"]:
            end_sessions(server)

    assert shop(using, called, once).expected(ORDER) == ASKED
    assert called == ["expected", "expected"]
    called.clear()
    assert shop(using, called, once).settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert called == ["expected", "expected", "on_paid"]
    assert run(using, "SELECT hook FROM told") == [("on_paid",)]


def test_connections_that_die_again_and_again_are_trouble(server: str, using: str) -> None:
    called: list[str] = []
    store = shop(using, called, lambda name: end_sessions(server))
    with pytest.raises(Error):
        store.expected(ORDER)
    with pytest.raises(Error):
        store.settle(paid_outcome(FIRST, ASKED))
    assert called == ["expected"] * 4
    connections[server].close()
    assert rows("Receipt", server).count() == 0


@pytest.mark.parametrize("name", ["on_paid", "hold"])
def test_once_a_function_that_writes_has_run_it_is_trouble(
    server: str, using: str, name: str
) -> None:
    called: list[str] = []

    def end(now: str) -> None:
        if now == name:
            end_sessions(server)

    store = shop(using, called, end)
    with pytest.raises(OperationalError):
        CALLS["hold" if name == "hold" else "settle"][0](store)
    assert called.count(name) == 1
    connections[server].close()
    assert rows("Receipt", server).count() == 0
    assert run(server, "SELECT count(*) FROM told") == [(0,)]
    assert shop(using, called).settle(paid_outcome(FIRST, ASKED)) is Settled.NEW


@pytest.mark.parametrize("when", ["before RELEASE", "before COMMIT"])
@pytest.mark.parametrize("hooked", [True, False])
def test_at_the_commit_it_is_trouble_and_nobodys_fault(
    server: str, using: str, when: str, hooked: bool
) -> None:
    """Whether it was committed nobody knows: only the next delivery tells."""
    called: list[str] = []

    def end(execute: Any, statement: Any, values: Any, many: bool, context: Any) -> Any:
        releases = statement.startswith("RELEASE")
        if releases and when == "before RELEASE":
            end_sessions(server)
        answer = execute(statement, values, many, context)
        if releases and when == "before COMMIT":
            end_sessions(server)
        return answer

    store = shop(using, called)
    if not hooked:
        store = DjangoStore(using=using, expected=lambda number, using: ASKED)
    with connections[using].execute_wrapper(end), pytest.raises(Error) as caught:
        store.settle(paid_outcome(FIRST, ASKED))
    assert not isinstance(caught.value, StoreError)
    assert called.count("on_paid") == hooked
    connections[server].close()
    assert rows("Receipt", server).count() == 0
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW


def test_in_a_block_of_the_shops_own_it_is_the_shops(server: str, using: str) -> None:
    called: list[str] = []

    def pay(do: Callable[[DjangoStore], object]) -> None:
        with atomic(using):
            end_sessions(server)
            do(shop(using, called))

    for do, _ in CALLS.values():
        with pytest.raises(Error):
            pay(do)
    assert called == []


def test_a_database_that_is_away_is_asked_once(server: str) -> None:
    """A connect may take its whole time-out."""
    asked: list[int] = []
    with another(server, {"PORT": "1"}) as using:
        connect = connections[using].get_new_connection

        def counted(parameters: Any) -> Any:
            asked.append(1)
            return connect(parameters)

        connections[using].get_new_connection = counted
        with pytest.raises(OperationalError):
            shop(using, []).expected(ORDER)
    assert asked == [1]


def test_a_migration_makes_prepared_statements_old_and_costs_no_notice() -> None:
    django_shops.empty("postgresql")
    called: list[str] = []

    def expected(number: str, using: str) -> ExpectedPayment:
        called.append("expected")
        run(using, "SELECT * FROM orders WHERE number = %s", number)
        return ASKED

    options = {"prepare_threshold": 0, "server_side_binding": True}
    with another("postgresql", LIVES_ON, **options) as using:
        store = DjangoStore(using=using, expected=expected)
        assert store.expected(ORDER) == ASKED
        run("postgresql", "ALTER TABLE orders ADD COLUMN later INT")
        try:
            assert store.expected(ORDER) == ASKED
            assert called == ["expected"] * 3
            run("postgresql", "ALTER TABLE orders DROP COLUMN later")
            assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
            assert called == ["expected"] * 5
        finally:
            run("postgresql", "ALTER TABLE orders DROP COLUMN IF EXISTS later")
    connections.close_all()


class Pool:
    """What Django asks of psycopg_pool's ConnectionPool, which is not installed here: connections
    that were idle for long are handed out as they are."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.idle: list[Any] = []
        self.parameters = parameters

    def open(self) -> None:
        """Nothing: it opens each when it is asked."""

    def getconn(self) -> Any:
        import psycopg

        connection: Any = self.idle.pop() if self.idle else psycopg.connect(**self.parameters)
        connection._pool = self
        return connection

    def putconn(self, connection: Any) -> None:
        if not connection.closed:
            self.idle.append(connection)

    def check(self) -> None:
        for connection in self.idle:
            with suppress(Exception):
                connection.execute("SELECT 1")
                connection.rollback()
        self.idle = [each for each in self.idle if not each.closed]


def test_a_whole_pool_that_the_database_ended_costs_no_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    django_shops.empty("postgresql")
    shipped: list[str] = []
    with another("postgresql", LIVES_ON) as using:
        kind: Any = type(connections[using])
        pool = Pool(connections[using].get_connection_params())
        of_the_shop = property(lambda self: pool if self.alias == using else None)
        monkeypatch.setattr(kind, "pool", of_the_shop, raising=False)
        store = DjangoStore(
            using=using,
            expected=lambda number, using: ASKED,
            on_paid=lambda outcome, using: shipped.append(outcome.key),
        )
        for call in (
            lambda: store.expected(ORDER),
            lambda: store.settle(paid_outcome(FIRST, ASKED)),
            lambda: store.receipts([FIRST]),
        ):
            connections[using].close()
            for connection in [pool.getconn() for _ in range(3)]:
                pool.putconn(connection)
            end_sessions("postgresql")
            assert call()
        assert len(shipped) == 1
        connections[using].close()
        for connection in pool.idle:
            connection.close()
