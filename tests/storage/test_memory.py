"""MemoryStore does what every store must."""

import pytest

from imp_verify.testing import OrderStoreContract, TrialShop
from tests.storage.shops import MemoryShop


class TestMemoryStore(OrderStoreContract):
    @pytest.fixture
    def shop(self) -> TrialShop:
        return MemoryShop()


class TestMemoryStoreInThread(OrderStoreContract):
    @pytest.fixture
    def shop(self) -> TrialShop:
        return MemoryShop(threaded=True)
