"""What every store must do, as tests that a shop runs against its own."""

from __future__ import annotations

from ._arrival_orders import Arrivals
from ._exact_values import Values
from ._exactly_once import OnceOnly
from ._failures import Failures
from ._meanwhile import Meanwhile
from ._orders import ChangingOrders

__all__ = ["OrderStoreContract"]


class OrderStoreContract(OnceOnly, Meanwhile, ChangingOrders, Arrivals, Failures, Values):
    """What every store must do, as pytest tests. Subclass it as `Test...` and give one fixture,
    `shop`, a fresh, empty `TrialShop` around your store for each test::

        class MyShop(TrialShop):
            reopen = MyShop_in_another_process  # leave it out where the store lives in one process

            def __init__(self):
                self.store = MyStore(database)  # whose work calls self.half_done()

            def put(self, order): ...  # make or change an order
            def delete(self, merchant_uid): ...
            def shipped(self, merchant_uid): ...  # the imp_uids that its goods went off for


        class TestMyStore(OrderStoreContract):
            @pytest.fixture
            def shop(self):
                return MyShop()

    It delivers payments as the gateway's webhook would, through a real verifier and no network:
    one after the other, from threads at once, from processes at once; with work that fails, with
    processes that die in it, right before the commit, right after it; payments in every order of
    their states, two for one order, one for two orders; orders that change, close or go meanwhile,
    also while `settle` stands still before any line of it, or between any two steps if it is async;
    numbers that look alike, amounts to the last of 18 + 8 digits, other currencies. A failure says
    what happened, what was expected, and what usually causes it.

    It serves stores written by hand, with `expected` and `settle` alone, as it does ready-made
    ones; plain and async. What a store does not have (hooks, receipts, `hold`) is not asked of it.
    Without a `reopen` there are no trials with processes, and where `put` does not keep an order's
    account, methods and PGs they are not compared: pytest's summary says so, by a UserWarning that
    begins with "OrderStoreContract left out" and is no error, however warnings are filtered.

    The trial's orders have numbers in text, such as "ORD-1001", and its payments ids such as
    "imp_0_1". A store that keeps order numbers in a column of integers cannot be tried as it is:
    let the column be text where it is tried.

    Attributes:
        look_alikes: Pairs of order numbers; set your own where some of these cannot be yours.
        amounts: Amounts as text; set your own where you sell in whole won only.
        currencies: Currencies beside KRW; `()` where you take no other.
    """
