"""Whether payments can be verified now: each thing that keeps one from it is said, in time, and
nothing is raised."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from imp_verify import Health, HealthCheck, OrderStore, StoreError
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore
from tests.drivers.driving import I1, Driver, Gate
from tests.drivers.wire import CREDENTIALS

NOWHERE = "imp_000000000000"
SECRET = "the-secret-of-this-sh0p"
GOOD = HealthCheck("gateway", True)


def health(driver: Driver, store: object = None, **arguments: Any) -> Health:
    verifier = driver.verifier(store, **arguments)
    found: Health = driver.call(verifier, "health")
    driver.call(verifier, "close")
    assert found.ok is all(each.ok for each in found.checks)
    return found


def price(merchant_uid: str, _: object) -> int:
    return 39000


def test_all_is_well_for_one_look_at_the_store_and_one_call_to_the_gateway(driver: Driver) -> None:
    assert health(driver) == Health(True, (HealthCheck("store", True), GOOD))
    assert driver.stage.names == ["receipts", "token", "lookup"]
    assert driver.gateway.lookups == [NOWHERE]


def test_it_can_be_an_answer_in_json(driver: Driver) -> None:
    assert asdict(health(driver)) == {
        "ok": True,
        "checks": (
            {"name": "store", "ok": True, "text": None, "account": None},
            {"name": "gateway", "ok": True, "text": None, "account": None},
        ),
    }


def test_each_account_is_a_check_of_its_own(driver: Driver) -> None:
    accounts = {"kr": CREDENTIALS, "us": CREDENTIALS}
    found = health(driver, credentials=None, accounts=accounts)
    assert [(each.name, each.account, each.ok) for each in found.checks] == [
        ("store", None, True),
        ("gateway", "kr", True),
        ("gateway", "us", True),
    ]


@pytest.mark.parametrize(
    "fault",
    [{"status": 401}, {"status": 503}, {"status": 200, "body": '{"code":0,"response":[]}'}],
    ids=str,
)
def test_a_gateway_that_gives_no_good_answer_is_said(driver: Driver, fault: Any) -> None:
    with driver.gateway.fail("payment", **fault):
        store, gateway = health(driver).checks
    assert store.ok
    assert not gateway.ok
    assert gateway.text is not None
    assert gateway.text.startswith("Gateway")


def test_a_store_that_fails_is_said_without_its_words_which_the_log_has(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> None:
        if name == "receipts":
            raise OSError(f"cannot connect with {SECRET}")

    driver.stage.do = fail
    found = health(driver)
    assert found.checks == (HealthCheck("store", False, "OSError"), GOOD)
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert record.getMessage() == "health: store: OSError"
    assert record.exc_info is not None


def test_our_own_words_are_said(driver: Driver) -> None:
    def fail(name: str) -> None:
        if name == "receipts":
            raise StoreError("the file is gone")

    driver.stage.do = fail
    assert health(driver).checks[0].text == "StoreError: the file is gone"


@pytest.mark.parametrize("where", ["receipts", "token", "lookup"])
def test_what_hangs_is_given_up_in_time(driver: Driver, where: str) -> None:
    gate = Gate()
    driver.stage.do = lambda name: gate if name == where else None
    store, gateway = health(driver, timeout=0.05).checks
    gate.open()
    late = "no answer within 0.05 s"
    assert (gateway.ok, gateway.text) == (False, late)
    assert (store.ok, store.text) == ((False, late) if where == "receipts" else (True, None))


class Guarded(OrderStore):
    """A store by hand with a method of the same name as a ready-made one's."""

    def expected(self, merchant_uid: str) -> int:
        return 39000

    def settle(self, outcome: object) -> Any:
        raise NotImplementedError

    def facts(self) -> None:
        raise AssertionError("it is somebody else's")


def test_of_a_store_by_hand_nothing_else_is_asked(driver: Driver) -> None:
    assert health(driver, Guarded()).ok


@pytest.fixture(params=["memory", "sqlite", "sqlalchemy"])
def ready(request: pytest.FixtureRequest, driver: Driver, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryStore(expected=price)
    elif request.param == "sqlite":
        store = SqliteStore(tmp_path / "shop.db", expected=price)
        yield store
        store.close()
    elif not driver.is_async:
        engine = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=NullPool)
        made = SqlAlchemyStore(engine, expected=price)
        made.create_all()
        yield made
    else:

        async def asked(merchant_uid: str, _: object) -> int:
            return 39000

        waits = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db", poolclass=NullPool)
        later = AsyncSqlAlchemyStore(waits, expected=asked)
        driver.finish(later.create_all())
        yield later


def test_a_ready_made_store_is_well(driver: Driver, ready: Any) -> None:
    assert health(driver, ready, test_mode=True).ok


def test_a_table_that_is_missing_is_named(driver: Driver, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=NullPool)
    store = SqlAlchemyStore(engine, expected=price)
    store.create_all()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.execute("DROP TABLE imp_dues")
    found = health(driver, store).checks[0]
    assert (found.ok, found.text) == (False, "tables are missing: imp_dues")


def test_a_collation_that_takes_two_orders_for_one_is_named(driver: Driver, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=NullPool)
    store = SqlAlchemyStore(engine, expected=price)
    store.create_all()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.execute("DROP TABLE imp_orders")
        db.execute("CREATE TABLE imp_orders (merchant_uid TEXT COLLATE NOCASE, paid_by TEXT)")
    found = health(driver, store).checks[0]
    assert (found.ok, found.text) == (False, "different numbers are one to imp_orders.merchant_uid")


def test_a_hook_cannot_ask(driver: Driver) -> None:
    def ask(outcome: object, _: None) -> None:
        verifier._examination()

    store = MemoryStore(expected=price, on_paid=ask)
    verifier = driver.verifier(store, test_mode=True)
    with pytest.raises(StoreError):
        driver.verify(verifier, I1)
