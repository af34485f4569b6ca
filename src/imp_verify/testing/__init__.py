"""Tools for the tests of a shop. Names only, no code.

`OrderStoreContract` tries a store with everything that payments do to it.
"""

from ._contract import OrderStoreContract
from ._shop import TrialFailure, TrialShop

__all__ = ["OrderStoreContract", "TrialFailure", "TrialShop"]
