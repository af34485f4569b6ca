"""MemoryStore does what every store must."""

from typing import Any

import pytest

from imp_verify import Outcome
from imp_verify.testing import OrderStoreContract, TrialShop
from imp_verify.testing._harness import FIRST
from tests.storage.hook_contract import ASKED, HookContract, Make
from tests.storage.shops import MemoryShop, plain


class TestMemoryStore(OrderStoreContract):
    @pytest.fixture
    def shop(self) -> TrialShop:
        return MemoryShop()


class TestMemoryStoreInThread(OrderStoreContract):
    @pytest.fixture
    def shop(self) -> TrialShop:
        return MemoryShop(threaded=True)


class TestHooks(HookContract):
    @pytest.fixture
    def make(self) -> Make:
        def make(**functions: Any) -> MemoryShop:
            shop = MemoryShop(options={name: plain(each) for name, each in functions.items()})
            shop.put(ASKED)
            return shop

        return make

    def ready(self, shop: MemoryShop) -> Any:
        return shop.store

    async def tell(self, name: str, outcome: Outcome, transaction: None) -> None:
        """There is nothing here that could be rolled back."""

    def check_kept(self, shop: MemoryShop, told: int) -> None:
        assert len(self.ask(shop, "receipts", [FIRST])) == bool(told)
