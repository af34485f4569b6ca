"""The V1 wire format and the token: builds requests, reads answers, sends nothing. Source: V1 REST
API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import NoReturn, Protocol, TypeVar
from urllib.parse import quote

from ..errors import (
    GatewayError,
    GatewayProtocolError,
    GatewayRefused,
    GatewayReset,
    GatewayUnavailable,
)
from ..models import Payment
from ..settings import Credentials
from ..transports import GatewayRequest, GatewayResponse, Headers
from .flow import Alone, Flow, Send
from .reading import read_amount
from .wire import Envelope, is_time, read_envelope, read_payment, write_fields

__all__ = [
    "Account",
    "Content",
    "Registration",
    "cancel_payment",
    "fetch_payment",
    "fetch_registration",
    "find_payment",
    "find_payments",
    "register",
]

_RENEW_BEFORE = 30.0
"""Seconds before a token's end at which it is renewed; a full minute early the gateway gives the
same one back."""
_REFUSED_FOR = 10.0
"""Seconds for which credentials that the gateway refused are not tried again."""
_RETRIED = (502, 503, 504)
_TOKEN = re.compile(r"[!-~]{1,512}")
_BEARER = "Bearer "
_SHORTEST_SECRET = 8
"""Characters below which a word of the gateway's may be a secret by chance."""
_JSON = {"Content-Type": "application/json"}
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "imp-verify"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token as ready-made headers; compared by identity, so that only the very one
    refused is dropped."""

    headers: Headers = field(repr=False)
    renew_at: float


class Content(Protocol):
    """What a call that changes something sends. Its repr holds nothing of a buyer."""

    def body(self) -> bytes:
        """Write it as JSON."""
        ...


class Account:
    """One account at the gateway as one process knows it: credentials, address, and the token it
    holds now. It has a name where the shop has several."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        name: str | None = None,
        base_url: str,
        test_mode: bool,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.base_url = base_url
        self.test_mode = test_mode
        self.clock = clock
        self._credentials = credentials
        self._token: Token | None = None
        self._refused: _Refusal | None = None

    def forget(self) -> None:
        """Drop what only this process may know: a forked child asks for a token of its own."""
        self._token = None
        self._refused = None

    def get(self, path: str, deadline: float) -> Flow[GatewayResponse]:
        """Send one authorised GET; a token that is refused is replaced once."""
        return self._authorised("GET", path, None, deadline)

    def write(
        self, method: str, path: str, content: Content, deadline: float
    ) -> Flow[GatewayResponse]:
        """Send one authorised call that changes something.

        A token that is refused is replaced once, for nothing was done then; nothing else is tried
        again.

        Raises:
            GatewayUnavailable: With `uncertain`, where the call went out and no answer came: it may
                have been carried out.
        """
        return self._authorised(method, path, content, deadline)

    def _authorised(
        self, method: str, path: str, content: Content | None, deadline: float
    ) -> Flow[GatewayResponse]:
        send = self._send if content is None else _send_once
        token = self._token
        if token is None or self.clock() >= token.renew_at:
            token = yield from Alone(self, self._renewed(token, deadline), deadline)
        response = yield from send(self._request(method, path, token, content, deadline))
        if response.status != 401:
            return response
        token = yield from Alone(self, self._renewed(token, deadline), deadline)
        response = yield from send(self._request(method, path, token, content, deadline))
        if response.status == 401:
            try:
                self.read(_refuse_token, response)
            finally:
                if self._token is token:
                    self._token = None
        return response

    def read(self, reader: Callable[[Envelope], T], response: GatewayResponse) -> T:
        """Read an answer by a reader.

        What is wrong with it is raised from here, without the reader's own frames: they hold a
        buyer's data or a token in their variables, and error monitoring sends those away.
        """
        try:
            return reader(read_envelope(response, self._conceal))
        except GatewayError as error:
            failure = error.with_traceback(None)
        if failure.http_status is None:  # the envelope was good, what is in it was not
            failure.http_status, failure.code = response.status, 0
        raise failure

    def _renewed(self, stale: Token | None, deadline: float) -> Flow[Token]:
        """Return a token other than the stale one; runs alone, and looks again first: another may
        have fetched it."""
        token = self._token
        if token is not None and token is not stale and self.clock() < token.renew_at:
            return token
        now = self.clock()
        if now >= deadline:
            raise GatewayUnavailable("no time was left to ask for a token")
        if self._refused is not None and now < self._refused.until:
            raise self._refused.error(f"the credentials{self._of()} were refused a moment ago")
        self._token = None
        response = yield from self._send(self._login(deadline))
        if response.status == 401:
            self.read(self._refuse_credentials, response)
        self._token = token = self.read(
            partial(_read_token, asked_at=now, tier=self._credentials.tier), response
        )
        return token

    def _refuse_credentials(self, envelope: Envelope) -> NoReturn:
        until = self.clock() + _REFUSED_FOR
        self._refused = refused = _Refusal(until, envelope.code, envelope.message)
        raise refused.error(
            f"the gateway refuses the credentials{self._of()}: check {self._variables()}"
        )

    def _of(self) -> str:
        return "" if self.name is None else f" of account {self.name!r}"

    def _variables(self) -> str:
        return "IMP_KEY and IMP_SECRET" if self.name is None else "key and secret"

    def _conceal(self, message: str) -> str:
        """Take this account's own secrets out of what the gateway says, should it repeat them."""
        token = self._token.headers["Authorization"] if self._token is not None else ""
        given = (self._credentials.key, self._credentials.secret, token.removeprefix(_BEARER))
        for secret in given:
            if len(secret) >= _SHORTEST_SECRET:
                message = message.replace(secret, "...")
        return message

    def _request(
        self, method: str, path: str, token: Token, content: Content | None, deadline: float
    ) -> GatewayRequest:
        """Make a request. What is sent gets no name of its own on its way, as it may be a buyer's
        bank account."""
        return GatewayRequest(
            method,
            self.base_url + path,
            token.headers if content is None else Headers(token.headers, **_JSON),
            None if content is None else content.body(),
            deadline,
        )

    def _login(self, deadline: float) -> GatewayRequest:
        """Make the getToken request. The secret gets no name here or anywhere else on its way."""
        return GatewayRequest(
            "POST",
            f"{self.base_url}/users/getToken",
            Headers(_HEADERS, **_JSON),
            json.dumps(
                {"imp_key": self._credentials.key, "imp_secret": self._credentials.secret}
            ).encode(),
            deadline,
        )

    def _send(self, request: GatewayRequest) -> Flow[GatewayResponse]:
        """Send a call that changes nothing; a lost connection and a gateway's hiccup are tried
        once more at once."""
        response: GatewayResponse | None
        try:
            response = yield from Send(request)
        except GatewayReset:
            response = None
        if response is None or (response.status in _RETRIED and self.clock() < request.deadline):
            response = yield from Send(request)
        return response


def _send_once(request: GatewayRequest) -> Flow[GatewayResponse]:
    """Send a call that changes something: it may have been carried out though no answer came."""
    try:
        return (yield from Send(request))
    except GatewayError as error:
        raise GatewayUnavailable(
            f"{error}: whether it was carried out is not known", uncertain=True
        ) from error


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The gateway's no to an account's credentials, and until when they are not tried again."""

    until: float
    code: int | None
    message: str | None

    def error(self, text: str) -> GatewayRefused:
        return GatewayRefused(text, http_status=401, code=self.code, message=self.message)


def _refuse_token(envelope: Envelope) -> NoReturn:
    envelope.fail("the gateway refuses a token it has just given", GatewayRefused)


def _read_token(envelope: Envelope, asked_at: float, tier: str | None) -> Token:
    envelope.check()
    content = envelope.response
    if envelope.http_status != 200 or envelope.code != 0 or not isinstance(content, dict):
        envelope.fail(f"getToken is answered HTTP {envelope.http_status}, code {envelope.code}")
    text, now, end = (content.get(name) for name in ("access_token", "now", "expired_at"))
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        envelope.fail("getToken is answered without a usable access_token")
    if not is_time(now) or not is_time(end):
        envelope.fail("getToken is answered without now and expired_at")
    headers = Headers(_HEADERS, Authorization=_BEARER + text)
    if tier is not None:
        headers["Tier"] = tier
    # Both times are the server's, so the difference is right whatever this machine's clock says.
    # Counted from before the call, a slow answer never makes a token live longer here than there.
    return Token(headers, asked_at + float(end - now) - _RENEW_BEFORE)


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
    account: Account, merchant_uid: str, deadline: float
) -> Flow[tuple[Payment, ...]]:
    """Ask for all payments of this order, newest first; empty where there is none.

    Source: V1 REST API, GET /payments/findAll/{merchant_uid} (page, limit; response: next, list).
    """
    found: list[Payment] = []
    page: int | None = 1
    while page is not None:
        path = f"/payments/findAll/{quote(merchant_uid, safe='')}?page={page}&limit=200"
        response = yield from account.get(path, deadline)
        payments, page = account.read(partial(_read_page, page=page), response)
        found.extend(each for each in payments if each.merchant_uid == merchant_uid)
    return tuple(found)


def _read_page(envelope: Envelope, page: int) -> tuple[list[Payment], int | None]:
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
    return [read_payment(row) for row in rows], following if more else None


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
