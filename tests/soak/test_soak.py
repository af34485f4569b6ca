"""Four server processes on PostgreSQL, with faults of every kind: afterwards every paid order is
recorded once, its hook's row is there once, and nothing unpaid is recorded."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import create_engine

from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from tests.support.databases import SERVERS
from tests.support.gateway import start_as
from tests.support.markers import KEY, SECRET

from .running import Delivery, Havoc, Sender, servers
from .world import FAULTS, FaultyGateway, World

ORDERS = int(os.environ.get("IMP_VERIFY_SOAK_ORDERS", "120"))
SEED = int(os.environ.get("IMP_VERIFY_SOAK_SEED", "0")) or random.randrange(1, 2**31)
RESENT = 5
"""So often at most the gateway sends a webhook again that was lost or answered 5xx."""
SERVER = SERVERS["postgresql"]
ADDRESS = SERVER.url("postgresql")
TABLES = """
CREATE TABLE orders (number text PRIMARY KEY, total integer NOT NULL, open boolean NOT NULL);
CREATE TABLE told (
    id serial PRIMARY KEY,
    hook text NOT NULL,
    change text NOT NULL,
    imp_uid text NOT NULL,
    number text NOT NULL
);
"""


@contextmanager
def schema(world: World) -> Iterator[tuple[str, psycopg.Connection[tuple[object, ...]]]]:
    """A schema of our own with the shop's orders in it."""
    name = f"imp_soak_{os.getpid()}"
    with psycopg.connect(ADDRESS, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        db.execute(f"CREATE SCHEMA {name}")
        db.execute(f"SET search_path = {name}")
        db.execute(TABLES)
        rows = [(each.number, each.price) for each in world.orders]
        with db.cursor() as cursor:
            cursor.executemany("INSERT INTO orders VALUES (%s, %s, true)", rows)
        engine = create_engine(
            SERVER.url("postgresql+psycopg"),
            connect_args={"options": f"-c search_path={name}"},
        )
        SqlAlchemyStore(engine, expected=lambda *_: None).create_all()
        engine.dispose()
        try:
            yield name, db
        finally:
            db.execute(f"DROP SCHEMA {name} CASCADE")


@contextmanager
def gateway_of(world: World) -> Iterator[FaultyGateway]:
    gateway, stop = start_as(FaultyGateway)
    gateway.draw = random.Random(world.seed)
    for known in world.first():
        gateway.payments[str(known["imp_uid"])] = known
    try:
        yield gateway
    finally:
        stop()


def everything(world: World) -> Iterator[Delivery]:
    """For each payment, its page, its redirect and three webhooks, next to each other."""
    for order in world.orders:
        for endpoint in ("complete", "webhook", "redirect", "webhook", "webhook"):
            for imp_uid in order.imp_uids:
                yield Delivery(endpoint, imp_uid, order.number)


def webhooks(world: World) -> Iterator[Delivery]:
    for order in world.orders:
        for imp_uid in order.imp_uids:
            yield Delivery("webhook", imp_uid, order.number)


def variables(gateway: FaultyGateway, schema: str) -> dict[str, str]:
    return {
        **os.environ,
        "IMP_KEY": KEY,
        "IMP_SECRET": SECRET,
        "IMP_API_URL": gateway.address,
        "IMP_TEST_MODE": "",
        "SOAK_SCHEMA": schema,
        "SOAK_PLAIN_URL": SERVER.url("postgresql+psycopg"),
        "SOAK_ASYNC_URL": SERVER.url("postgresql+asyncpg"),
    }


class Books:
    """What the database holds, read over a connection of the test's own."""

    def __init__(self, db: psycopg.Connection[tuple[object, ...]]) -> None:
        told = db.execute("SELECT hook, number, imp_uid, change FROM told").fetchall()
        self.told = Counter((str(hook), str(number)) for hook, number, _, _ in told)
        self.paid = {str(number): str(uid) for hook, number, uid, _ in told if hook == "on_paid"}
        self.twice = [row for row, count in Counter(told).items() if count > 1]
        changes = db.execute("SELECT imp_uid, change FROM imp_changes").fetchall()
        self.changes = sorted(f"{uid}:{change}" for uid, change in changes)
        self.keys = sorted(str(change) for _, _, _, change in told)
        receipts = db.execute("SELECT imp_uid, state FROM imp_receipts").fetchall()
        self.states = {str(uid): str(state) for uid, state in receipts}
        orders = db.execute("SELECT merchant_uid, paid_by FROM imp_orders WHERE was_paid")
        self.was_paid = {str(number): uid for number, uid in orders.fetchall()}


def check_nothing_wrong(world: World, books: Books) -> None:
    """What must hold at any time, however much was lost."""
    assert books.twice == []
    assert books.keys == books.changes  # a hook's row and its record come together or not at all
    paying = {each.number for each in world.orders if each.kind in ("paid", "twice", "refunded")}
    deposited = {each.number for each in world.orders if each.kind == "deposited"}
    assert set(books.paid) <= paying | deposited
    assert set(books.paid) == set(books.was_paid)
    assert max(books.told[("on_paid", number)] for number in books.paid) == 1
    unpaid = [each for each in world.orders if each.kind in ("short", "failed", "open")]
    states = {books.states.get(uid) for each in unpaid for uid in each.imp_uids}
    assert states <= {None, "failed"}


def check_nothing_missing(world: World, books: Books) -> None:
    """What must hold once everything has been delivered."""
    for order in world.orders:
        states = sorted(str(books.states.get(uid)) for uid in order.imp_uids)
        told = {hook for hook, number in books.told if number == order.number}
        match order.kind:
            case "paid" | "deposited":
                assert (order.number, states) == (order.number, ["paying"])
                assert books.was_paid[order.number] == order.imp_uids[0]
            case "twice":
                assert (order.number, states) == (order.number, ["duplicate", "paying"])
                assert books.told[("on_duplicate", order.number)] == 1
            case "refunded":
                assert (order.number, states) == (order.number, ["cancelled"])
                assert ("on_cancelled" in told) is ("on_paid" in told)
            case "short":
                assert (order.number, told) == (order.number, {"on_forgery"})
            case _:
                assert states in (["None"], ["failed"])
    must = {each.number for each in world.orders if each.kind in ("paid", "twice", "deposited")}
    assert must <= set(books.paid)


@pytest.mark.slow
@pytest.mark.needs("postgresql")
@pytest.mark.xdist_group("soak")
def test_nothing_is_lost_and_nothing_is_twice_whatever_breaks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World(SEED, ORDERS)
    with schema(world) as (name, db), gateway_of(world) as gateway:
        with servers(variables(gateway, name)) as running:
            havoc = Havoc(SEED, ADDRESS, name)
            first = Sender(running, SEED, havoc)
            gateway.faults = FAULTS
            first.send(everything(world))
            gateway.faults = 0.0
            between = Books(db)
            check_nothing_wrong(world, between)
            for known in world.second():
                gateway.payments[str(known["imp_uid"])] = known
            second = Sender(running, SEED + 1)
            unanswered = second.send(webhooks(world))
            for _ in range(RESENT):
                unanswered = second.send(unanswered)
        books = Books(db)
        open_still = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (name,)
        ).fetchone()
    with capsys.disabled():
        kinds = Counter(each.kind for each in world.orders)
        print(f"\nsoak: seed {SEED}, {ORDERS} orders {dict(kinds)}")
        print(f"  {gateway.faulted} gateway faults, {havoc.killed} workers killed,", end=" ")
        print(f"{havoc.cut} connections cut")
        print(f"  first round  {dict(sorted(first.counts.items()))}")
        print(f"  second round {dict(sorted(second.counts.items()))}")
        print(f"  paid orders after the first round {len(between.paid)}, in the end", end=" ")
        print(f"{len(books.paid)}; hooks {dict(Counter(hook for hook, _ in books.told))}")
    check_nothing_wrong(world, books)
    check_nothing_missing(world, books)
    assert havoc.killed > 0
    assert havoc.cut > 0
    assert gateway.faulted > 0
    assert open_still == (0,)
