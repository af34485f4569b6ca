"""An account at the gateway: its token, and the requests that carry it. Sends nothing.

Source: V1 REST API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, Protocol, TypeVar, cast

from ..errors import (
    GatewayError,
    GatewayRefused,
    GatewayReset,
    GatewayUnavailable,
)
from ..settings import Credentials
from ..transports import MAX_ANSWER, GatewayRequest, GatewayResponse, Headers
from .flow import Alone, Flow, Send
from .wire import Envelope, is_time, read_envelope

__all__ = ["Account", "Content"]

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
    ahead: float
    """What the gateway's time (Unix seconds) was more than `Account.clock` when it was given."""


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

    def get(self, path: str, deadline: float, most: int = MAX_ANSWER) -> Flow[GatewayResponse]:
        """Send one authorised GET; a token that is refused is replaced once.

        Args:
            most: Bytes that the answer may have.
        """
        return self._authorised("GET", path, None, deadline, most)

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
        self,
        method: str,
        path: str,
        content: Content | None,
        deadline: float,
        most: int = MAX_ANSWER,
    ) -> Flow[GatewayResponse]:
        send = self._send if content is None else _send_once
        token = self._token
        if token is None or self.clock() >= token.renew_at:
            token = yield from Alone(self, self._renewed(token, deadline), deadline)
        response = yield from send(self._request(method, path, token, content, deadline, most))
        if response.status != 401:
            return response
        token = yield from Alone(self, self._renewed(token, deadline), deadline)
        request = self._request(method, path, token, content, deadline, most)
        response = yield from send(request, resends=1)
        if response.status == 401:
            try:
                self.read(_refuse_token, response)
            finally:
                if self._token is token:
                    self._token = None
        return response

    def time_there(self) -> float | None:
        """Return the gateway's time (Unix seconds) as its last token tells it; None without one."""
        return None if self._token is None else self.clock() + self._token.ahead

    def time(self, deadline: float) -> Flow[int]:
        """Ask for a token, whether there is one or not, and return the gateway's time (Unix
        seconds). The token is dropped.

        Raises:
            GatewayRefused: The credentials are wrong.
            GatewayError: Anything else that is no answer.

        Source: V1 REST API, POST /users/getToken (response: now).
        """
        response = yield from self._send(self._login(deadline))
        if response.status == 401:
            self.read(self._refuse_credentials, response)
        return self.read(_read_now, response)

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
        if isinstance(failure, GatewayUnavailable):
            failure.retry_after = _seconds(response.retry_after)
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
        self,
        method: str,
        path: str,
        token: Token,
        content: Content | None,
        deadline: float,
        most: int,
    ) -> GatewayRequest:
        """Make a request. What is sent gets no name of its own on its way, as it may be a buyer's
        bank account."""
        return GatewayRequest(
            method,
            self.base_url + path,
            token.headers if content is None else Headers(token.headers, **_JSON),
            None if content is None else content.body(),
            deadline,
            most,
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

    def _send(self, request: GatewayRequest, resends: int = 0) -> Flow[GatewayResponse]:
        """Send a call that changes nothing; a lost connection and a gateway's hiccup are tried
        once more at once."""
        response: GatewayResponse | None
        try:
            response = yield from Send(request, resends)
        except GatewayReset:
            response = None
        if response is None or (response.status in _RETRIED and self.clock() < request.deadline):
            response = yield from Send(request, resends + 1)
        return response


def _seconds(retry_after: str | None) -> float | None:
    """Read Retry-After; None where there is none, or it is a date."""
    text = (retry_after or "").strip()
    return float(text) if re.fullmatch("[0-9]{1,6}", text) else None


def _send_once(request: GatewayRequest, resends: int = 0) -> Flow[GatewayResponse]:
    """Send a call that changes something: it may have been carried out though no answer came."""
    try:
        return (yield from Send(request, resends))
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


def _read_now(envelope: Envelope) -> int:
    _ = _read_token(envelope, 0.0, None)  # which checks it
    content = cast("dict[str, int]", envelope.response)
    return int(content["now"])


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
    return Token(headers, asked_at + float(end - now) - _RENEW_BEFORE, now - asked_at)
