"""The stores on SQLAlchemy do what every store must: every database, driver, colour and source."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imp_verify.testing import OrderStoreContract, TrialShop
from tests.storage.sqlalchemy_shops import Variant, making, variants


class TestSqlAlchemyStore(OrderStoreContract):
    @pytest.fixture(params=variants(), ids=str)
    def shop(
        self, request: pytest.FixtureRequest, place: Callable[[str], Any]
    ) -> Iterator[TrialShop]:
        variant: Variant = request.param
        for make in making(variant, place(variant.kind)):
            yield make()
