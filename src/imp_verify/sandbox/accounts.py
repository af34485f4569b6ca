"""Key pairs and their access tokens, with the gateway's rules of a token's life."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import WRONG_KEYS, unauthorized

LIFETIME = 30 * 60
LAST_MINUTE = 60
EXTENSION = 5 * 60
HIDDEN = "***"
SHORTEST_SECRET = 8
"""A shorter one is found in any text."""


@dataclass(frozen=True, slots=True)
class Account:
    """One customer of the gateway: its REST key pair, and the user code its pages use."""

    key: str = "sandbox_key"
    secret: str = field(default="sandbox_secret", repr=False)
    user_code: str = "imp00000000"


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; times are Unix seconds."""

    access_token: str = field(repr=False)
    expired_at: int

    def wire(self, now: int) -> dict[str, object]:
        """Return the token as getToken answers it."""
        return {"access_token": self.access_token, "now": now, "expired_at": self.expired_at}


class Accounts:
    """All key pairs and the one living token of each. Not thread-safe by itself."""

    def __init__(
        self, accounts: Iterable[Account], clock: Callable[[], int], digits: Digits
    ) -> None:
        self._first = {account.key: account for account in accounts}
        self._accounts = dict(self._first)
        self._tokens: dict[str, Token] = {}
        self._clock = clock
        self._digits = digits

    def issue(self, key: str, secret: str) -> Token:
        """Return the account's token: the living one, moved on in its last minute, or a new one.

        Raises:
            Refused: The keys are wrong.

        Source: V1 REST API, POST /users/getToken.
        """
        account = self._accounts.get(key)
        if account is None or account.secret != secret:
            raise unauthorized(WRONG_KEYS)
        token = self._next_token(self._tokens.get(account.key), self._clock())
        self._tokens[account.key] = token
        return token

    def _next_token(self, token: Token | None, now: int) -> Token:
        if token is None or now >= token.expired_at:
            return Token(self._digits.token(), now + LIFETIME)
        if token.expired_at - now <= LAST_MINUTE:
            return Token(token.access_token, token.expired_at + EXTENSION)
        return token

    def of_token(self, authorization: str) -> Account:
        """Find whose token an Authorization header carries, `Bearer TOKEN` or the bare token.

        Raises:
            Refused: The token is absent, unknown or expired.
        """
        text = authorization.removeprefix("Bearer ").strip()
        for key, token in self._tokens.items():
            if text and token.access_token == text and self._clock() < token.expired_at:
                return self._accounts[key]
        raise unauthorized()

    def revoke(self, authorization: str) -> None:
        """Let the token that the header carries be of no use; the next one is another."""
        text = authorization.removeprefix("Bearer ").strip()
        self._tokens = {k: v for k, v in self._tokens.items() if v.access_token != text}

    def hide(self, text: str) -> str:
        """Take every secret and living token out of a text."""
        for token in self._tokens.values():
            text = text.replace(token.access_token, HIDDEN)
        for account in self._accounts.values():
            if len(account.secret) >= SHORTEST_SECRET:
                text = text.replace(account.secret, HIDDEN)
        return text

    def of_user_code(self, user_code: str) -> Account | None:
        """Find the account whose pages call `IMP.init` with this code."""
        return next((a for a in self._accounts.values() if a.user_code == user_code), None)

    def add(self, account: Account) -> None:
        """Add a customer.

        Raises:
            ValueError: There is one of this key or user code.
        """
        if account.key in self._accounts:
            raise ValueError("key is one of another account")
        if self.of_user_code(account.user_code) is not None:
            raise ValueError("user_code is one of another account")
        self._accounts[account.key] = account

    def reset(self) -> None:
        """Forget tokens, and who was added."""
        self._accounts = dict(self._first)
        self._tokens.clear()

    def all(self) -> list[Account]:
        """Return all accounts, the first one first."""
        return list(self._accounts.values())

    def knows(self, key: str) -> bool:
        """Tell whether there is an account of this key."""
        return key in self._accounts

    def first(self) -> Account:
        """Return the account that is meant where none is named."""
        return next(iter(self._accounts.values()))
