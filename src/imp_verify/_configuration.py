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
from urllib.parse import urlsplit

from ._accounts import Accounts
from ._endpoints import Desk
from ._gateway import Account
from ._senders import Senders
from ._verification import Rules
from .errors import ConfigurationError
from .messages import is_merchant_uid
from .settings import Credentials, Landing

__all__ = ["Settings", "VerifierArguments"]

_log = logging.getLogger("imp_verify")
_BASE_URL = "https://api.iamport.kr"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
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
    language: str
    confirm_lookup: bool
    webhook_sources: Iterable[str] | None
    trusted_proxies: Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """A verifier's settings, made whole: what was given wins over the environment, that over the
    defaults."""

    desk: Desk
    max_lookups: int
    test_mode: bool

    @classmethod
    def read(
        cls,
        *,
        credentials: Credentials | None = None,
        accounts: Mapping[str, Credentials] | None = None,
        base_url: str | None = None,
        test_mode: bool | None = None,
        timeout: float = 5.0,
        max_lookups: int = 64,
        landing: Landing | None = None,
        language: str = "ko",
        confirm_lookup: bool = True,
        webhook_sources: Iterable[str] | None = None,
        trusted_proxies: Iterable[str] | None = None,
    ) -> Settings:
        """Check everything, and fill in what is left out.

        Raises:
            ConfigurationError: A setting is missing or unusable; the text names it, never a secret.
        """
        test_mode = _truth("IMP_TEST_MODE") if test_mode is None else test_mode
        landing = landing or Landing()
        _check_kind("test_mode", test_mode, bool)
        _check_kind("confirm_lookup", confirm_lookup, bool)
        _check_kind("landing", landing, Landing)
        _check_language(language)
        address, clock = _check_base_url(base_url), time.monotonic
        make = partial(Account, base_url=address, test_mode=test_mode, clock=clock)
        known = _read_accounts(credentials, accounts, make)
        if test_mode:
            _log.warning("test mode is on: payments of test channels count as money")
        rules = Rules(known, _check_timeout(timeout), test_mode, confirm_lookup, clock)
        desk = Desk(rules, landing, language, Senders(webhook_sources, trusted_proxies))
        return cls(desk, _check_max_lookups(max_lookups), test_mode)


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
        raise ConfigurationError("accounts is empty")
    for name, each in accounts.items():
        if not is_merchant_uid(name):  # a column of the same length holds both
            raise ConfigurationError(
                f"accounts: a name must be 1 to 64 printable characters, not {name!r:.100}"
            )
        _check_kind(f"accounts[{name!r}]", each, Credentials)
    return Accounts(named={name: make(each, name=name) for name, each in accounts.items()})


def _credentials_from_environment() -> Credentials:
    environment = os.environ
    tier = environment.get("IMP_TIER") or None
    return Credentials(environment.get("IMP_KEY", ""), environment.get("IMP_SECRET", ""), tier)


def _truth(variable: str) -> bool:
    text = os.environ.get(variable, "").strip().lower()
    if text not in _TRUTH:
        raise ConfigurationError(f"{variable} must be 1, true, 0, false or empty")
    return _TRUTH[text]


def _check_timeout(timeout: float) -> float:
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or not 0 < timeout <= _LONGEST_TIMEOUT:  # NaN compares false
        raise ConfigurationError(
            f"timeout must be seconds, above 0 and at most {_LONGEST_TIMEOUT:.0f}"
        )
    return float(timeout)


def _check_max_lookups(number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError("max_lookups must be a whole number, 1 or more")
    return number


def _check_language(language: str) -> None:
    if language not in ("ko", "en", "auto"):
        raise ConfigurationError('language must be "ko", "en" or "auto"')


def _check_base_url(given: str | None) -> str:
    """Give the gateway's address without a slash at its end; https, or http to this machine."""
    url = given or os.environ.get("IMP_API_URL") or _BASE_URL
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (ValueError, AttributeError):
        raise ConfigurationError("base_url (IMP_API_URL) is no address") from None
    if not host or parts.username is not None or parts.query or parts.fragment or port == 0:
        raise ConfigurationError(
            "base_url (IMP_API_URL) must be an address without user, query or fragment"
        )
    if "?" in url or "#" in url:  # an empty query or fragment is none to urlsplit
        raise ConfigurationError("base_url (IMP_API_URL) must be without query and fragment")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError("base_url (IMP_API_URL) holds a character that no address has")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ConfigurationError(
            "base_url (IMP_API_URL) must be https; http goes to this machine only"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK:
        return True
    octets = host.split(".")
    return len(octets) == 4 and octets[0] == "127" and all(each.isdigit() for each in octets)
