"""Tools for the tests of a shop. Names only, no code.

`FakeGateway` is the gateway in process, for tests of all that a shop does with payments; the
fixtures of the pytest plugin are made of it, and of `OrdersInMemory`. `OrderStoreContract` tries a
store with everything that payments do to it.
"""

from ._contract import OrderStoreContract
from ._fake_gateway import Failing, FakeGateway
from ._orders_in_memory import OrdersInMemory, journal_lines
from ._shop import TrialFailure, TrialShop

__all__ = [
    "Failing",
    "FakeGateway",
    "OrderStoreContract",
    "OrdersInMemory",
    "TrialFailure",
    "TrialShop",
    "journal_lines",
]
