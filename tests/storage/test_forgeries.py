"""What a forgery leaves behind is the same in every ready-made store: one row that says that it was
handed on, and nothing of the order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment, Reason, Settled, Verdict
from imp_verify.testing import TrialShop
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, Trial, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import DjangoShop
from tests.storage.shops import MemoryShop, SqliteShop
from tests.storage.sqlalchemy_shops import SqlShop, Variant, making

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
ASKED = ExpectedPayment(ORDER, PRICE)
TABLES = ("imp_orders", "imp_receipts", "imp_changes")
STORES = [
    *("memory", "sqlite", "django default", "django postgresql", "django mariadb"),
    *("sqlalchemy pysqlite", "sqlalchemy psycopg", "sqlalchemy asyncpg", "sqlalchemy pymysql"),
]


@pytest.fixture(params=STORES)
def shop(
    request: pytest.FixtureRequest, place: Callable[[str], Any], tmp_path: Path
) -> Iterator[TrialShop]:
    name, _, which = request.param.partition(" ")
    if name == "sqlalchemy":
        variant = Variant(which)
        for make in making(variant, place(variant.kind)):
            yield make()
        return
    if name == "django":
        django_shops.empty(which)
    shop: Any = MemoryShop()
    if name != "memory":
        shop = DjangoShop(which) if name == "django" else SqliteShop(tmp_path / "shop.db")
    yield shop
    shop.close()


def kept(shop: Any) -> tuple[int, ...]:
    """Count orders, receipts, changes."""
    if isinstance(shop, MemoryShop):
        store: Any = shop.store
        known = [change for changes in store._known.values() for change in changes]
        return len(store._was_paid), len(store._receipts), len(known)
    if isinstance(shop, SqlShop):
        _, receipts, orders, changes = shop.kept()
        return orders, receipts, changes
    read: Any = shop.read if isinstance(shop, SqliteShop) else django_shops.run
    using = () if isinstance(shop, SqliteShop) else (shop.using,)
    return tuple(read(*using, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)


def test_a_forgery_leaves_no_row_for_its_order_in_any_store(shop: TrialShop) -> None:
    shop.put(ASKED)
    forged = replace(paid_outcome(FIRST, ASKED), verdict=Verdict.FORGERY, reason=Reason.AMOUNT)
    with Trial(shop) as trial:
        for settled in (Settled.NEW, Settled.REPEATED):
            assert trial.ask("observe", forged) is settled
            assert kept(shop) == (0, 0, 1)
        gone = replace(forged, imp_uid=SECOND, merchant_uid=OTHER)
        assert trial.ask("observe", gone) is Settled.LATE
        assert kept(shop) == (0, 0, 2)


def test_a_forgery_leaves_the_row_of_an_order_that_has_a_payment_in_any_store(
    shop: TrialShop,
) -> None:
    shop.put(ASKED)
    with Trial(shop) as trial:
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
        forged = replace(paid_outcome(SECOND, ASKED), verdict=Verdict.FORGERY, reason=Reason.AMOUNT)
        assert trial.ask("observe", forged) is Settled.DUPLICATE
        assert kept(shop) == (1, 1, 2)
        assert [trial.ask("paid", number) for number in (ORDER, OTHER)] == [True, False]
        assert trial.ask("settle", paid_outcome(SECOND, ASKED)) is Settled.DUPLICATE
    assert kept(shop) == (1, 2, 3)


def test_a_forgery_leaves_the_row_of_an_order_whose_account_waits_in_any_store(
    shop: TrialShop,
) -> None:
    shop.put(ASKED)
    waits = replace(paid_outcome(FIRST, ASKED), verdict=Verdict.VIRTUAL_ACCOUNT)
    forged = replace(paid_outcome(SECOND, ASKED), verdict=Verdict.FORGERY, reason=Reason.AMOUNT)
    with Trial(shop) as trial:
        for outcome in (waits, forged):
            assert trial.ask("observe", outcome) is Settled.NEW
    assert kept(shop) == (0 if isinstance(shop, MemoryShop) else 1, 1, 2)
