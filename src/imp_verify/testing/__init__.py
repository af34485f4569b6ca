"""Tools for the tests of a shop. Names only, no code.

`FakeGateway` is the gateway in process, for tests of all that a shop does with payments.
`OrderStoreContract` tries a store with everything that payments do to it.
"""

from ._contract import OrderStoreContract
from ._fake_gateway import Failing, FakeGateway
from ._shop import TrialFailure, TrialShop

__all__ = ["Failing", "FakeGateway", "OrderStoreContract", "TrialFailure", "TrialShop"]
