"""The V1 wire format and the token: builds requests, reads answers, sends nothing. Source: V1 REST
API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote

from ._flow import Alone, Flow, Send
from ._wire import Envelope, is_time, read_envelope, read_payment
from .errors import GatewayProtocolError, GatewayRefused, GatewayReset, GatewayUnavailable
from .payment import Payment
from .settings import Credentials
from .transports import GatewayRequest, GatewayResponse

__all__ = ["Account", "fetch_payment", "find_payment", "find_payments"]

_RENEW_BEFORE = 30.0
"""Seconds before a token's end at which it is renewed; a full minute early the gateway gives the
same one back."""
_REFUSED_FOR = 10.0
"""Seconds for which credentials that the gateway refused are not tried again."""
_RETRIED = (502, 503, 504)
_TOKEN = re.compile(r"[!-~]{1,512}")
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "imp-verify"}


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token as ready-made headers; compared by identity, so that only the very one
    refused is dropped."""

    headers: Mapping[str, str] = field(repr=False)
    renew_at: float


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
        self._refused_until = float("-inf")

    def forget(self) -> None:
        """Drop what only this process may know: a forked child asks for a token of its own."""
        self._token = None
        self._refused_until = float("-inf")

    def get(self, path: str, deadline: float) -> Flow[GatewayResponse]:
        """Send one authorised GET; a token that is refused is replaced once."""
        token = self._token
        if token is None or self.clock() >= token.renew_at:
            token = yield from Alone(self, self._renewed(token, deadline), deadline)
        response = yield from self._send("GET", path, token.headers, None, deadline)
        if response.status != 401:
            return response
        token = yield from Alone(self, self._renewed(token, deadline), deadline)
        response = yield from self._send("GET", path, token.headers, None, deadline)
        if response.status == 401:
            if self._token is token:
                self._token = None
            raise GatewayRefused("the gateway refuses a token it has just given", http_status=401)
        return response

    def _renewed(self, stale: Token | None, deadline: float) -> Flow[Token]:
        """Give a token other than the stale one; runs alone, and looks again first: another may
        have fetched it."""
        token = self._token
        if token is not None and token is not stale and self.clock() < token.renew_at:
            return token
        now = self.clock()
        if now >= deadline:
            raise GatewayUnavailable("no time was left to ask for a token")
        if now < self._refused_until:
            raise GatewayRefused(
                f"the credentials{self._of()} were refused a moment ago", http_status=401
            )
        self._token = None
        body = {"imp_key": self._credentials.key, "imp_secret": self._credentials.secret}
        headers = {**_HEADERS, "Content-Type": "application/json"}
        response = yield from self._send(
            "POST", "/users/getToken", headers, json.dumps(body).encode(), deadline
        )
        if response.status == 401:
            self._refused_until = self.clock() + _REFUSED_FOR
            raise GatewayRefused(
                f"the gateway refuses the credentials{self._of()}: check {self._variables()}",
                http_status=401,
            )
        self._token = token = _read_token(read_envelope(response), now, self._credentials.tier)
        return token

    def _of(self) -> str:
        return "" if self.name is None else f" of account {self.name!r}"

    def _variables(self) -> str:
        return "IMP_KEY and IMP_SECRET" if self.name is None else "key and secret"

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
    ) -> Flow[GatewayResponse]:
        """Send a call that changes nothing; a lost connection and a gateway's hiccup are tried
        once more at once."""
        request = GatewayRequest(method, self.base_url + path, headers, body, deadline)
        try:
            response = yield from Send(request)
        except GatewayReset:
            return (yield from Send(request))
        if response.status in _RETRIED and self.clock() < deadline:
            return (yield from Send(request))
        return response


def _read_token(envelope: Envelope, asked_at: float, tier: str | None) -> Token:
    content = envelope.response
    if envelope.http_status != 200 or envelope.code != 0 or not isinstance(content, dict):
        envelope.fail(f"getToken is answered HTTP {envelope.http_status}, code {envelope.code}")
    text, now, end = (content.get(name) for name in ("access_token", "now", "expired_at"))
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        envelope.fail("getToken is answered without a usable access_token")
    if not is_time(now) or not is_time(end):
        envelope.fail("getToken is answered without now and expired_at")
    headers = {**_HEADERS, "Authorization": f"Bearer {text}"}
    if tier is not None:
        headers["Tier"] = tier
    # Both times are the server's, so the difference is right whatever this machine's clock says.
    # Counted from
    # before the call, so that a slow answer never makes a token live longer here than there.
    return Token(headers, asked_at + float(end - now) - _RENEW_BEFORE)


def fetch_payment(account: Account, imp_uid: str, deadline: float) -> Flow[Payment | None]:
    """Ask for one payment; None where the gateway knows none.

    Raises:
        GatewayError: Anything that is no clear yes or no, another payment than the one asked
            for included.
    """
    query = "?include_sandbox=true" if account.test_mode else ""
    path = f"/payments/{quote(imp_uid, safe='')}{query}"
    payment = _read_lookup((yield from account.get(path, deadline)))
    if payment is not None and payment.imp_uid != imp_uid:
        raise GatewayProtocolError(f"asked for payment {imp_uid}, the gateway answers with another")
    return payment


def find_payment(
    account: Account, merchant_uid: str, status: str, deadline: float
) -> Flow[Payment | None]:
    """Ask for the newest payment of this order that has this status; None where there is none.

    An answer that names another order is no payment of this one.
    """
    path = f"/payments/find/{quote(merchant_uid, safe='')}/{status}"
    payment = _read_lookup((yield from account.get(path, deadline)))
    return payment if payment is not None and payment.merchant_uid == merchant_uid else None


def find_payments(
    account: Account, merchant_uid: str, deadline: float
) -> Flow[tuple[Payment, ...]]:
    """Ask for all payments of this order, newest first; empty where there is none.

    Source: V1 REST API, GET /payments/findAll/{merchant_uid} (page, limit; response: next, list).
    """
    found: list[Payment] = []
    page: object = 1
    while page:
        path = f"/payments/findAll/{quote(merchant_uid, safe='')}?page={page}&limit=200"
        envelope = read_envelope((yield from account.get(path, deadline)))
        content = envelope.response
        if envelope.http_status == 404 and envelope.code != 0 and not isinstance(content, dict):
            break
        if envelope.http_status != 200 or envelope.code != 0 or not isinstance(content, dict):
            envelope.fail(f"findAll is answered HTTP {envelope.http_status}, code {envelope.code}")
        following, rows = content.get("next"), content.get("list")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            envelope.fail("findAll is answered without a list of payments")
        payments = (read_payment(row) for row in rows)
        found.extend(each for each in payments if each.merchant_uid == merchant_uid)
        more = is_time(following) and following > cast(int, page)
        page = following if more and rows else None
    return tuple(found)


def _read_lookup(response: GatewayResponse) -> Payment | None:
    envelope = read_envelope(response)
    http_status, code, _, content = envelope
    if http_status == 200 and code == 0 and isinstance(content, dict):
        return read_payment(content)
    if http_status == 404 and code != 0 and not isinstance(content, dict):
        return None
    kind = GatewayRefused if http_status in (400, 403) else GatewayProtocolError
    return envelope.fail(f"a look-up is answered HTTP {http_status}, code {code}", kind)
