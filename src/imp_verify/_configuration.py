"""Settings from arguments and the environment, checked once at construction. Touches neither
network nor disk."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from ._core.accounts import Accounts
from ._core.gateway import Account
from ._core.ids import is_merchant_uid
from ._core.verification import Rules
from ._web.endpoints import Desk
from ._web.webhook_sources import Senders
from .errors import ConfigurationError
from .settings import (
    Checkout,
    Credentials,
    Landing,
    check_address,
    check_public_url,
    credential_problem,
)

__all__ = ["Settings", "VerifierArguments"]

_log = logging.getLogger("imp_verify")
_BASE_URL = "https://api.iamport.kr"
_TRUTH = {"1": True, "true": True, "0": False, "false": False, "": False}
_LONGEST_TIMEOUT = 3600.0


class VerifierArguments(TypedDict, total=False):
    """What `Verifier` and `AsyncVerifier` take besides a store and a transport."""

    credentials: Credentials | None
    accounts: Mapping[str, Credentials] | None
    base_url: str | None
    test_mode: bool | None
    timeout: float
    max_lookups: int
    landing: Landing | None
    checkout: Checkout | Mapping[str, Checkout] | None
    public_url: str | None
    language: str
    confirm_lookup: bool
    confirm_timeout: float
    webhook_sources: Iterable[str] | None
    trusted_proxies: Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """A verifier's settings, made whole: what was given wins over the environment, that over the
    defaults."""

    desk: Desk
    max_lookups: int
    test_mode: bool
    checkout: Checkout | Mapping[str, Checkout] | None
    public_url: str | None

    @classmethod
    def read(
        cls,
        credentials: Credentials | None = None,
        accounts: Mapping[str, Credentials] | None = None,
        base_url: str | None = None,
        test_mode: bool | None = None,
        timeout: float = 5.0,
        max_lookups: int = 64,
        landing: Landing | None = None,
        checkout: Checkout | Mapping[str, Checkout] | None = None,
        public_url: str | None = None,
        language: str = "ko",
        confirm_lookup: bool = True,
        confirm_timeout: float = 4.0,
        webhook_sources: Iterable[str] | None = None,
        trusted_proxies: Iterable[str] | None = None,
    ) -> Settings:
        """Check everything, and fill in what is left out.

        Raises:
            ConfigurationError: A setting is missing or unusable; the text names it, never a secret.
        """
        test_mode = _truth("IMP_TEST_MODE") if test_mode is None else test_mode
        landing = landing or Landing()
        _check_kinds(test_mode, confirm_lookup, landing, language)
        url, clock = _check_base_url(base_url), time.monotonic
        make = partial(Account, base_url=url, test_mode=test_mode, clock=clock)
        known = _read_accounts(credentials, accounts, make)
        told = _read_checkout(checkout, known), _check_public_url(public_url)
        if test_mode:
            _log.warning("test mode is on: payments of test channels count as money")
        bounds = _seconds("timeout", timeout), _seconds("confirm_timeout", confirm_timeout)
        rules = Rules(known, bounds[0], test_mode, confirm_lookup, bounds[1], clock)
        desk = Desk(rules, landing, language, Senders(webhook_sources, trusted_proxies))
        return cls(desk, _check_max_lookups(max_lookups), test_mode, *told)


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be {kind.__name__}, not {type(value).__name__}")


def _read_accounts(
    credentials: Credentials | None,
    accounts: Mapping[str, Credentials] | None,
    make: partial[Account],
) -> Accounts:
    """Make the only account, of what is given or in the environment, or all that are named."""
    if accounts is None:
        credentials = credentials or _credentials_from_environment()
        _check_kind("credentials", credentials, Credentials)
        return Accounts.of_one(make(credentials))
    if credentials is not None:
        raise ConfigurationError("credentials and accounts are both given: it must be one of them")
    _check_kind("accounts", accounts, Mapping)
    if not accounts:
        raise ConfigurationError('accounts is empty: name each account, {"kr": Credentials(...)}')
    for name, each in accounts.items():
        if not is_merchant_uid(name):  # a column of the same length holds both
            raise ConfigurationError(
                f"accounts: a name must be 1 to 64 printable characters, not {name!r:.100}"
            )
        _check_kind(f"accounts[{name!r}]", each, Credentials)
    return Accounts(named={name: make(each, name=name) for name, each in accounts.items()})


def _read_checkout(given: object, accounts: Accounts) -> Checkout | dict[str, Checkout] | None:
    """Take one for all orders, or exactly one for each of several accounts."""
    if given is None or isinstance(given, Checkout):
        return given
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"checkout must be Checkout, not {type(given).__name__}")
    for name, each in given.items():
        _check_kind(f"checkout[{name!r:.100}]", each, Checkout)
    if given.keys() != accounts.named.keys():
        there = ", ".join(map(repr, accounts.named)) or "none"
        raise ConfigurationError(f"checkout must name each of the accounts and no other: {there}")
    return dict(given)


def _check_kinds(
    test_mode: object, confirm_lookup: object, landing: object, language: object
) -> None:
    _check_kind("test_mode", test_mode, bool)
    _check_kind("confirm_lookup", confirm_lookup, bool)
    _check_kind("landing", landing, Landing)
    if language not in ("ko", "en", "auto"):
        raise ConfigurationError('language must be "ko", "en" or "auto"')


def _credentials_from_environment() -> Credentials:
    # Without names for any of it: error monitoring keeps a function's variables.
    for name in ("IMP_KEY", "IMP_SECRET", "IMP_TIER"):
        if os.environ.get(name):
            problem = credential_problem(name, os.environ[name], header=name == "IMP_TIER")
            if problem:
                raise ConfigurationError(problem)
        elif name != "IMP_TIER":
            raise ConfigurationError(
                f"{name} is missing or blank: set it, or give credentials=Credentials(...)"
            )
    return Credentials(
        os.environ["IMP_KEY"], os.environ["IMP_SECRET"], os.environ.get("IMP_TIER") or None
    )


def _truth(variable: str) -> bool:
    text = os.environ.get(variable, "").strip().lower()
    if text not in _TRUTH:
        raise ConfigurationError(f"{variable} must be 1, true, 0, false or empty, not {text!r:.40}")
    return _TRUTH[text]


def _seconds(name: str, given: float) -> float:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not 0 < given <= _LONGEST_TIMEOUT:  # NaN compares false
        raise ConfigurationError(
            f"{name} must be seconds, above 0 and at most {_LONGEST_TIMEOUT:.0f}, not {given!r:.40}"
        )
    return float(given)


def _check_max_lookups(number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(
            f"max_lookups must be a whole number, 1 or more, not {number!r:.40}"
        )
    return number


def _check_base_url(given: str | None) -> str:
    """Give the gateway's address without a slash at its end."""
    url = given or os.environ.get("IMP_API_URL") or _BASE_URL
    return check_address("base_url (IMP_API_URL)", url)


def _check_public_url(given: str | None) -> str | None:
    """Give the shop's own address without a slash at its end; None where nobody says it."""
    url = given or os.environ.get("IMP_PUBLIC_URL") or None
    return None if url is None else check_public_url("public_url (IMP_PUBLIC_URL)", url)
