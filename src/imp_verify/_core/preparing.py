"""Registering what an order asks before its window opens, and reading that back: flows, without
I/O."""

from __future__ import annotations

from decimal import Decimal

from ..errors import InvalidRequest
from ..order_numbers import check_order_number
from ..settings import Settings
from .accounts import Accounts, expect
from .calls import Registration, fetch_registration, register
from .flow import Consult, Flow

__all__ = ["prepare", "prepared"]


def prepare(
    settings: Settings, accounts: Accounts, merchant_uid: str, *, ledger: bool
) -> Flow[None]:
    """Register the amount that the store expects for an order, with its currency.

    Args:
        ledger: Whether the store knows what was paid. The gateway's refusal does not tell a paid
            order from one that is registered already.

    Raises:
        InvalidRequest: There is no such order, it is closed or was paid, or a PG would cut or
            reject its number. Nothing was sent.
        GatewayError: No usable answer, or a refusal in the gateway's words.
        StoreError: The shop's answer is no price, or names none of several accounts.
    """
    expected = yield from expect(merchant_uid)
    if expected is None:
        raise InvalidRequest(f"there is no order {merchant_uid!r}")
    if not expected.open:
        raise InvalidRequest(f"order {merchant_uid!r} is closed: no payment is prepared for it")
    if ledger and (yield from Consult("paid", (merchant_uid,))):
        raise InvalidRequest(f"order {merchant_uid!r} was paid already")
    checkout = settings.checkout_of(expected)
    check_order_number(merchant_uid, None if checkout is None else checkout.pg)
    wanted = Registration(merchant_uid, expected.amount, expected.currency)
    deadline = accounts.deadline(settings.timeout)
    yield from register(accounts.of(expected), wanted, deadline)


def prepared(settings: Settings, accounts: Accounts, merchant_uid: str) -> Flow[Decimal | None]:
    """Ask the gateway which amount is registered for an order, in its currency's main unit; None
    where none is, or the shop knows no such order. Raises like `prepare`."""
    expected = yield from expect(merchant_uid)
    if expected is None:
        return None
    deadline = accounts.deadline(settings.timeout)
    found = yield from fetch_registration(accounts.of(expected), merchant_uid, deadline)
    return None if found is None else found.amount
