"""The calls of the gateway, each with the reading of its answer. Sends nothing. Source: V1 REST
API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from urllib.parse import quote

from ..errors import GatewayProtocolError, GatewayRefused, GatewayUnavailable
from ..models import Payment
from .flow import Flow
from .gateway import Account, Content
from .reading import read_amount
from .wire import Envelope, is_time, read_payment, write_fields

__all__ = [
    "Listed",
    "Registration",
    "Unreadable",
    "cancel_payment",
    "fetch_payment",
    "fetch_registration",
    "find_payment",
    "find_payments",
    "list_payments",
    "register",
]

_LARGEST_PAGE = 16 << 20
"""Bytes of a page of a thousand payments: each has some 1.5 KB, and room for long texts."""


def fetch_payment(account: Account, imp_uid: str, deadline: float) -> Flow[Payment | None]:
    """Ask for one payment; None where the gateway knows none.

    Raises:
        GatewayError: Anything that is no clear yes or no, another payment than the one asked
            for included.
    """
    query = "?include_sandbox=true" if account.test_mode else ""
    path = f"/payments/{quote(imp_uid, safe='')}{query}"
    payment = account.read(_read_lookup, (yield from account.get(path, deadline)))
    if payment is not None and payment.imp_uid != imp_uid:
        raise GatewayProtocolError(
            f"asked for payment {imp_uid}, the gateway answers with another",
            http_status=200,
            code=0,
        )
    return payment


def find_payment(
    account: Account, merchant_uid: str, status: str, deadline: float
) -> Flow[Payment | None]:
    """Ask for the newest payment of this order that has this status; None where there is none.

    An answer that names another order is no payment of this one.
    """
    path = f"/payments/find/{quote(merchant_uid, safe='')}/{status}"
    payment = account.read(_read_lookup, (yield from account.get(path, deadline)))
    return payment if payment is not None and payment.merchant_uid == merchant_uid else None


def find_payments(
    account: Account, merchant_uid: str, deadline: float, *, strict: bool = True
) -> Flow[tuple[Payment, ...]]:
    """Ask for all payments of this order, newest first; empty where there is none.

    Args:
        strict: Whether one that cannot be read is an error; else it is passed over.

    Source: V1 REST API, GET /payments/findAll/{merchant_uid} (page, limit; response: next, list).
    """
    found: list[Payment] = []
    page: int | None = 1
    while page is not None:
        path = f"/payments/findAll/{quote(merchant_uid, safe='')}?page={page}&limit=200"
        response = yield from account.get(path, deadline)
        payments, page = account.read(partial(_read_page, page=page, strict=strict), response)
        found.extend(each for each in payments if each.merchant_uid == merchant_uid)
    return tuple(found)


def _read_page(envelope: Envelope, page: int, strict: bool) -> tuple[list[Payment], int | None]:
    """Return the payments of this page, and the number of the next, None where this is the last."""
    envelope.check()
    content = envelope.response
    if envelope.http_status == 404 and envelope.code != 0 and not isinstance(content, dict):
        return [], None
    if envelope.http_status != 200 or envelope.code != 0 or not isinstance(content, dict):
        envelope.fail(f"findAll is answered HTTP {envelope.http_status}, code {envelope.code}")
    following, rows = content.get("next"), content.get("list")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        envelope.fail("findAll is answered without a list of payments")
    more = bool(rows) and is_time(following) and following > page
    read = [read_payment(row) if strict else _read_row(row) for row in rows]
    return [each for each in read if isinstance(each, Payment)], following if more else None


def _read_lookup(envelope: Envelope) -> Payment | None:
    envelope.check()
    http_status, code, _, content = envelope
    if http_status == 200 and code == 0 and isinstance(content, dict):
        return read_payment(content)
    if http_status == 404 and code != 0 and not isinstance(content, dict):
        return None
    kind = GatewayRefused if http_status in (400, 403) else GatewayProtocolError
    return envelope.fail(f"a look-up is answered HTTP {http_status}, code {code}", kind)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A payment of a list that cannot be read, as far as it says which one it is."""

    imp_uid: str | None
    merchant_uid: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list, and how many payments the whole list has."""

    total: int
    rows: Sequence[Payment | Unreadable]


def list_payments(
    account: Account, page: int, limit: int, since: int, until: int, deadline: float
) -> Flow[Listed]:
    """Ask for one page of all payments whose latest change lies in a window of at most 90 days.

    Args:
        page: From 1; one past the end is empty, and says nothing of the total (-1).
        since, until: Unix seconds.

    Source: V1 REST API, GET /payments/status/all.
    """
    query = f"page={page}&limit={limit}&from={since}&to={until}&sorting=-started"
    response = yield from account.get(f"/payments/status/all?{query}", deadline, _LARGEST_PAGE)
    return account.read(partial(_read_listed, first=page == 1), response)


def _read_listed(envelope: Envelope, first: bool) -> Listed:
    envelope.check()
    http_status, code, _, content = envelope
    if http_status in (400, 404) and code != 0:
        if first:  # there always is one, be it empty: what is refused is the whole list
            envelope.fail(f"a list is refused with HTTP {http_status}", GatewayRefused)
        return Listed(-1, ())
    if http_status != 200 or code != 0 or not isinstance(content, dict):
        envelope.fail(f"a list is answered HTTP {http_status}, code {code}")
    total, rows = content.get("total"), content.get("list")
    if not is_time(total) or not isinstance(rows, list):
        envelope.fail("a list is answered without its total, or without payments")
    return Listed(total, [_read_row(row) for row in rows])


def _read_row(row: object) -> Payment | Unreadable:
    if not isinstance(row, dict):
        return Unreadable(None, None, "it is no object")
    try:
        return read_payment(row)
    except GatewayProtocolError as error:
        names = (row.get(name) for name in ("imp_uid", "merchant_uid"))
        imp_uid, merchant_uid = (each if isinstance(each, str) else None for each in names)
        return Unreadable(imp_uid, merchant_uid, str(error))


@dataclass(frozen=True, slots=True)
class Registration:
    """What the payment window may ask for an order: it opens for no other amount.

    Attributes:
        amount: In the currency's main unit.
        currency: None where it is not compared.
    """

    merchant_uid: str
    amount: Decimal
    currency: str | None

    def body(self) -> bytes:
        """Write it as JSON."""
        fields = {"merchant_uid": self.merchant_uid, "amount": self.amount}
        return write_fields({**fields, "currency": self.currency})


def register(account: Account, wanted: Registration, deadline: float) -> Flow[None]:
    """Tell the gateway what an order asks, before its window opens. Repeatable: the same again is
    fine, and another amount or currency takes the place of the one before.

    Raises:
        GatewayRefused: The gateway refuses it, in its own words; an order that is paid, for one.

    Source: V1 REST API, POST and PUT /payments/prepare; registering twice is refused with code 1.
    """
    path = "/payments/prepare"
    response = yield from account.write("POST", path, wanted, deadline)
    try:
        account.read(_read_done, response)
    except GatewayRefused:
        found = yield from fetch_registration(account, wanted.merchant_uid, deadline)
        if found == wanted:
            return
        if found is None:
            raise
        response = yield from account.write("PUT", path, wanted, deadline)
        account.read(_read_done, response)


def fetch_registration(
    account: Account, merchant_uid: str, deadline: float
) -> Flow[Registration | None]:
    """Ask what is registered for an order; None where nothing is, or the answer names another."""
    path = f"/payments/prepare/{quote(merchant_uid, safe='')}"
    response = yield from account.get(path, deadline)
    found = account.read(_read_registration, response)
    return found if found is not None and found.merchant_uid == merchant_uid else None


def cancel_payment(account: Account, content: Content, deadline: float) -> Flow[None]:
    """Give money back, whole or in part. What became of it is for a look-up to say.

    Raises:
        GatewayRefused: The gateway refuses it, in its own words: nothing was done.
        GatewayUnavailable: With `uncertain`: it may have been done.

    Source: V1 REST API, POST /payments/cancel; 200 with a code other than 0 is a refusal.
    """
    response = yield from account.write("POST", "/payments/cancel", content, deadline)
    account.read(_read_done, response)


def _read_done(envelope: Envelope) -> None:
    """Tell whether a call that changes something was carried out."""
    status, code = envelope.http_status, envelope.code
    if code is None or status == 429 or status >= 500 or (status >= 400 and code == 0):
        raise GatewayUnavailable(
            f"the gateway answers HTTP {status}: whether it was carried out is not known",
            http_status=status,
            code=code,
            message=envelope.message,
            uncertain=True,
        )
    if code != 0:
        envelope.fail(f"the gateway refuses it with HTTP {status}, code {code}", GatewayRefused)


def _read_registration(envelope: Envelope) -> Registration | None:
    envelope.check()
    http_status, code, _, content = envelope
    if http_status in (200, 404) and code != 0 and content is None:
        return None
    if http_status != 200 or code != 0:
        kind = GatewayRefused if http_status in (400, 403) else GatewayProtocolError
        envelope.fail(f"GET prepare is answered HTTP {http_status}, code {code}", kind)
    fields = content if isinstance(content, dict) else {}
    number, currency = fields.get("merchant_uid"), fields.get("currency")
    amount = read_amount(fields.get("amount"))
    if not isinstance(number, str) or amount is None or not isinstance(currency, str | None):
        envelope.fail("GET prepare is answered without merchant_uid, amount and currency")
    return Registration(number, amount, currency.upper() if currency else None)
