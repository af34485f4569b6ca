"""DjangoStore does what every store must, on each database, from threads, processes and an event
loop; and what every ready-made store must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from imp_verify import OrderStore
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.testing import OrderStoreContract, TrialShop
from imp_verify.testing._harness import PRICE, Trial
from tests.storage import django_shops
from tests.storage import test_adopt as adopting
from tests.storage import test_ledger as ledger
from tests.storage import test_ready as ready
from tests.storage.django_shops import DjangoShop
from tests.support.databases import ALL
from tests.support.django_databases import ALIASES

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

    # The lines are the same on every database, and each takes a process.
    @pytest.mark.parametrize("shop", EVERY if ALL else USUAL[:1], ids=str, indirect=True)
    def test_a_process_may_die_between_any_two_lines(self, shop: TrialShop) -> None:
        super().test_a_process_may_die_between_any_two_lines(shop)


class TestReady:
    """The tests of every ready-made store, which are functions there."""

    @pytest.fixture(params=ALIASES)
    def make(self, request: pytest.FixtureRequest) -> Iterator[Callable[..., OrderStore]]:
        django_shops.empty(request.param)

        def make(**functions: Any) -> OrderStore:
            functions.setdefault("expected", lambda order, using: PRICE)
            return DjangoStore(using=request.param, **functions)

        yield make
        connections.close_all()

    for _name, _test in vars(ready).items():
        if _name.startswith("test_"):
            locals()[_name] = staticmethod(_test)


class _EveryDatabase:
    @pytest.fixture(params=EVERY if ALL else USUAL, ids=str)
    def shop(self, request: pytest.FixtureRequest) -> Iterator[TrialShop]:
        using, threaded = request.param
        django_shops.empty(using)
        shop = DjangoShop(using, threaded=threaded)
        yield shop
        shop.close()

    @pytest.fixture
    def trial(self, shop: TrialShop) -> Iterator[Trial]:
        shop.put(ledger.ASKED)
        with Trial(shop) as trial:
            yield trial


class TestLedger(_EveryDatabase):
    """The tests of every ready-made store's ledger."""

    for _name, _test in vars(ledger).items():
        if _name.startswith("test_"):
            locals()[_name] = staticmethod(_test)


class TestAdopt(_EveryDatabase):
    """The tests of what every ready-made store adopts."""

    for _name, _test in vars(adopting).items():
        if _name.startswith("test_"):
            locals()[_name] = staticmethod(_test)
