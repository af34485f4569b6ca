"""DjangoStore does what every store must, on each database, from threads, processes and an event
loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imp_verify.testing import OrderStoreContract, TrialShop
from tests.storage import django_shops
from tests.storage.django_shops import DjangoShop
from tests.support.django_databases import ALIASES, ALL

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]

# Each database, and each way once; the whole product where that is asked for.
USUAL = [("default", False), ("postgresql", True), ("mariadb", False)]
EVERY = [(alias, threaded) for alias in ALIASES for threaded in (False, True)]


class TestDjangoStore(OrderStoreContract):
    @pytest.fixture(params=EVERY if ALL else USUAL, ids=str)
    def shop(self, request: pytest.FixtureRequest) -> Iterator[TrialShop]:
        using, threaded = request.param
        django_shops.empty(using)
        shop = DjangoShop(using, threaded=threaded)
        yield shop
        shop.close()
