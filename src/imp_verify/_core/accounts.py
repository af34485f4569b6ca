"""Which of a shop's accounts is asked about a payment, and what the shop says of an order. Flows,
without I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from .._core.reading import is_merchant_uid
from ..errors import InvalidRequest, StoreError
from ..models import ExpectedPayment, Receipt, read_expected
from ..observers import Observer
from ..settings import Settings, account_named
from .flow import Expect, Flow, Recall
from .gateway import Account

__all__ = ["AccountChoice", "Accounts", "expect", "whom_to_ask"]

_log = logging.getLogger("imp_verify")


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """The account to ask, and the order that names it, where it was an order that did."""

    account: Account
    expected: ExpectedPayment | None = None


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of a shop at the gateway as one process knows them, with the tokens it holds:
    the only one, or several by name; its clock (`time.monotonic`, seconds), and who watches."""

    clock: Callable[[], float]
    only: AccountChoice | None = None
    named: Mapping[str, Account] = field(default_factory=dict)
    observer: Observer | None = None

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float]) -> Accounts:
        """Make them, without a token yet."""
        url, test_mode = settings.base_url, settings.test_mode
        make = partial(Account, base_url=url, test_mode=test_mode, clock=clock)
        if settings.credentials is not None:
            return cls(clock, AccountChoice(make(settings.credentials)))
        several = settings.accounts or {}
        return cls(clock, named={name: make(each, name=name) for name, each in several.items()})

    def deadline(self, timeout: float) -> float:
        """When gateway calls that begin now and may take so long must be done."""
        return self.clock() + timeout

    def forget(self) -> None:
        """Drop what only this process may know; see `Account.forget`."""
        for account in self.named.values() if self.only is None else [self.only.account]:
            account.forget()

    def select(self, name: str | None) -> Account:
        """Return the account that a caller names.

        Raises:
            InvalidRequest: It is not one of several, or it is named where there is only one.
        """
        if self.only is not None:
            if name is not None:
                raise InvalidRequest("account can be given only to a verifier with accounts")
            return self.only.account
        found = self.named.get(name) if isinstance(name, str) else None
        if found is None:
            raise InvalidRequest(f"account must be one of {self._names()}, not {name!r:.100}")
        return found

    def chosen(self, name: str | None) -> list[Account]:
        """Return the account that a caller names, or all. Raises like `select`."""
        if self.only is not None or name is not None:
            return [self.select(name)]
        return list(self.named.values())

    def of(self, expected: ExpectedPayment) -> Account:
        """Return the account of an order.

        Raises:
            StoreError: The order names none of several.
        """
        if self.only is not None:
            return self.only.account
        return self.named[account_named(expected, self.named)]

    def recorded(self, receipt: Receipt) -> Account:
        """Return the account that a payment was recorded with.

        Raises:
            StoreError: It is none of those that there are now.
        """
        found = None if receipt.account is None else self.named.get(receipt.account)
        if found is None:
            raise StoreError(
                f"{receipt.imp_uid} is recorded with account {receipt.account!r:.100}, which is "
                f"none of {self._names()}"
            )
        return found

    def _names(self) -> str:
        return ", ".join(map(repr, self.named))


def expect(merchant_uid: str) -> Flow[ExpectedPayment | None]:
    """Ask what the shop says of an order; None where it knows none."""
    if not is_merchant_uid(merchant_uid):
        return None  # no order can have it, and a database need not be asked with it
    given = yield from Expect(merchant_uid)
    expected = read_expected(merchant_uid, given)
    if expected is None and isinstance(given, ExpectedPayment):
        _log.warning(
            "expected was asked for order %r and gave order %.200r: that counts as no such order",
            merchant_uid,
            given.merchant_uid,
        )
    return expected


def whom_to_ask(
    accounts: Accounts, imp_uid: str, merchant_uid: str | None
) -> Flow[AccountChoice | None]:
    """Choose among several accounts the one to ask about a payment; None: there is no such order.

    A payment that is recorded for this order is looked up with its own account for ever, whatever
    the order names by now. One that is not must come from the order's. One that was recorded
    without an account, before there were several, is looked for with the order's too.

    Raises:
        InvalidRequest: The request names no order. Nobody was asked.
        StoreError: Order or receipt names no account that there is.
    """
    if merchant_uid is None:
        raise InvalidRequest("merchant_uid is missing: with accounts it says which one to ask")
    receipts = yield from Recall((imp_uid,))
    receipt = receipts.get(imp_uid)
    if receipt is not None and receipt.merchant_uid != merchant_uid:
        receipt = None
    if receipt is not None and receipt.account is not None:
        return AccountChoice(accounts.recorded(receipt))
    expected = yield from expect(merchant_uid)
    if expected is not None:
        return AccountChoice(accounts.of(expected), expected)
    if receipt is not None:
        raise StoreError(f"{imp_uid} is recorded without an account, and its order is gone")
    return None
