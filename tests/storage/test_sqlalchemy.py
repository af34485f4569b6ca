"""The stores on SQLAlchemy do what every store must: every database, driver and source, sync and
async."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imp_verify.testing import OrderStoreContract, TrialShop
from tests.storage.sqlalchemy_shops import POOLED, Variant, making, variants
from tests.support.databases import ALL, MYSQL_DRIVER

FEW = [Variant("aiosqlite"), Variant("psycopg"), Variant(MYSQL_DRIVER, "session")]
EVERY = variants() if ALL else FEW
DIES_ANYWHERE = [Variant("psycopg"), Variant("aiosqlite")]
"""Where a process is killed at one line after another, unless all databases are asked for: that
takes a process for each line, and the lines are the same on every database."""


class TestSqlAlchemyStore(OrderStoreContract):
    @pytest.fixture(params=EVERY, ids=str)
    def shop(
        self, request: pytest.FixtureRequest, place: Callable[[str], Any]
    ) -> Iterator[TrialShop]:
        variant: Variant = request.param
        for make in making(variant, place(variant.kind)):
            # An async pool belongs to one event loop, and each trial has its own.
            yield make(options=None if variant.asynchronous else POOLED)

    @pytest.mark.parametrize("shop", EVERY if ALL else DIES_ANYWHERE, ids=str, indirect=True)
    def test_a_process_may_die_between_any_two_lines(self, shop: TrialShop) -> None:
        super().test_a_process_may_die_between_any_two_lines(shop)
