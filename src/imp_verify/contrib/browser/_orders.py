"""What a page may call an order, and what of it the payment window is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypedDict

from ... import (
    AsyncVerifier,
    ConfigurationError,
    ExpectedPayment,
    InvalidRequest,
    StoreError,
    Verifier,
)
from ..._core.reading import check_merchant_uid
from ...models import read_expected
from ...stores._bridge import as_given, is_ledger
from ...stores._recording import AsyncReadyStore, ReadyStore
from .._mount import check_verifier

__all__ = [
    "AwaitedOrder",
    "Named",
    "PaidOrder",
    "PaymentOptions",
    "find_order",
    "look_up",
    "read_order",
]

_FIELDS = ("name", "buyer_name", "buyer_tel", "buyer_email", "buyer_addr", "buyer_postcode")
"""What is taken from an order that has it, besides its number, amount and currency."""


class PaymentOptions(TypedDict, total=False):
    """Parameters of the payment window that a page may choose, under the gateway's own names.

    Source: JavaScript SDK, parameters of `IMP.request_pay`.
    """

    pay_method: str | None
    name: str | None
    buyer_name: str | None
    buyer_tel: str | None
    buyer_email: str | None
    buyer_addr: str | None
    buyer_postcode: str | None
    tax_free: object
    vat_amount: object
    custom_data: object
    escrow: bool | None
    products: object
    digital: bool | None
    vbank_due: str | None
    biz_num: str | None
    app_scheme: str | None
    popup: bool | None
    display: object
    card: object
    useFreeInterestFromMall: bool | None
    isPromotion: bool | None
    promotion_id: str | None
    bypass: object


@dataclass(frozen=True, slots=True)
class Named:
    """An order as a page names it; `expected` is None where its amount is the store's to say."""

    number: str
    expected: ExpectedPayment | None
    fields: Mapping[str, object]


class PaidOrder(ExpectedPayment):
    """An order that a payment has paid, now or ever, whatever the shop says of it: closed."""

    @classmethod
    def of(cls, expected: ExpectedPayment) -> PaidOrder:
        """Close an order."""
        return cls(**{**_values(expected), "open": False})


class AwaitedOrder(ExpectedPayment):
    """An order with a virtual account that waits for its deposit still. It may be paid otherwise,
    by who knows that it waits."""

    @classmethod
    def of(cls, expected: ExpectedPayment) -> AwaitedOrder:
        """Mark an order."""
        return cls(**_values(expected))


def _values(expected: ExpectedPayment) -> dict[str, Any]:
    return {each.name: getattr(expected, each.name) for each in fields(ExpectedPayment)}


def read_order(order: Any) -> Named:
    """Read an order number, an `ExpectedPayment`, or a mapping or object that has `merchant_uid`
    and may have `amount`, `currency`, `account`, `name` and the buyer's fields.

    Raises:
        InvalidRequest: It is none of these, or its number is malformed.
        StoreError: Its amount is no exact number above zero.
    """
    if isinstance(order, ExpectedPayment):
        return Named(order.merchant_uid, order, {})
    if isinstance(order, str | int) and not isinstance(order, bool):
        return Named(check_merchant_uid(str(order)), None, {})
    get: Callable[[str], Any] = order.get if isinstance(order, Mapping) else partial(_of, order)
    given = get("merchant_uid")
    if not isinstance(given, str | int) or isinstance(given, bool):
        kind = type(order).__name__
        raise InvalidRequest(f"an order is its number or has merchant_uid: {kind} is no order")
    number, amount = check_merchant_uid(str(given)), get("amount")
    fields = {name: get(name) for name in _FIELDS}
    if amount is None:
        return Named(number, None, fields)
    currency, account = get("currency") or "KRW", get("account")
    if not isinstance(account, str):  # an object's own may be anything
        account = None
    return Named(number, ExpectedPayment(number, amount, currency, account=account), fields)


def _of(order: object, name: str) -> Any:
    return getattr(order, name, None)


def look_up(verifier: Verifier | AsyncVerifier, named: Named) -> ExpectedPayment:
    """Return what the order asks for, from the store where the page does not say; a `PaidOrder`
    where the store has recorded that it was paid, an `AwaitedOrder` where an account waits.

    Raises:
        ConfigurationError: The store can only be awaited, or it is no verifier.
        InvalidRequest: There is no such order.
    """
    check_verifier("the pay button", verifier, Verifier, AsyncVerifier)
    if isinstance(verifier, AsyncVerifier):
        if named.expected is not None:
            return named.expected
        raise ConfigurationError(
            "the orders of an AsyncVerifier are awaited: give the template "
            "`await find_order(verifier, number)` in place of the number"
        )
    expected = named.expected
    if expected is None:
        expected = _found(named.number, verifier.store.expected(named.number))
    # A page that says the amount itself needs no store: its session may hold an order that is not
    # committed yet.
    with suppress(StoreError):
        if ledger := _ledger(verifier.store):
            if ledger.paid(named.number):
                return PaidOrder.of(expected)
            now = datetime.now(UTC)
            if _knows_accounts(ledger) and ledger.awaits_deposit(named.number, now):
                return AwaitedOrder.of(expected)
    return expected


async def find_order(verifier: AsyncVerifier, order: Any) -> ExpectedPayment:
    """Ask an async shop's store what an order asks for, for its page to show, and whether it was
    paid, which closes it, or has an account that waits, which the button then says.

    Args:
        order: An order number, or whatever else `button` takes.

    Raises:
        ConfigurationError: It is no AsyncVerifier.
        InvalidRequest: There is no such order.
        StoreError: The shop's answer is no price. What the store raises comes as it is.
    """
    check_verifier("find_order and async_button", verifier, AsyncVerifier)
    named = read_order(order)
    expected = named.expected
    if expected is None:
        expected = _found(named.number, await verifier.store.expected(named.number))
    with suppress(StoreError):  # see `look_up`
        if ledger := _ledger(verifier.store):
            if await ledger.paid(named.number):
                return PaidOrder.of(expected)
            now = datetime.now(UTC)
            if _knows_accounts(ledger) and await ledger.awaits_deposit(named.number, now):
                return AwaitedOrder.of(expected)
    return expected


def _ledger(store: object) -> Any:
    """Return a store that can be asked what was paid: a ready-made one, or a whole ledger by hand.
    In any other a method of that name may be anything."""
    return store if is_ledger(store) else None


def _knows_accounts(store: object) -> bool:
    """Whether it can be asked, too, which accounts wait: a ledger by hand need not."""
    return isinstance(as_given(store), ReadyStore | AsyncReadyStore)


def _found(number: str, given: object) -> ExpectedPayment:
    expected = read_expected(number, given)
    if expected is None:
        raise InvalidRequest(f"there is no order {number!r}")
    return expected
