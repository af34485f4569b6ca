"""SqliteStore does what every store must, from threads, processes and an event loop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imp_verify.testing import OrderStoreContract, TrialShop
from tests.storage.shops import SqliteShop


class TestSqliteStore(OrderStoreContract):
    @pytest.fixture
    def shop(self, tmp_path: Path) -> Iterator[TrialShop]:
        shop = SqliteShop(tmp_path / "shop.db")
        yield shop
        shop.close()


class TestSqliteStoreInThread(OrderStoreContract):
    @pytest.fixture
    def shop(self, tmp_path: Path) -> Iterator[TrialShop]:
        shop = SqliteShop(tmp_path / "shop.db", threaded=True)
        yield shop
        shop.close()
