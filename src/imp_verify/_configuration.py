"""Settings from arguments and the environment, checked once at construction. Touches neither
network nor disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from ._core.reading import is_merchant_uid
from ._web.webhook_sources import listed
from .errors import ConfigurationError
from .settings import (
    Checkout,
    Credentials,
    Landing,
    Settings,
    check_address,
    check_public_url,
    credential_problem,
)

__all__ = ["read_settings"]

_log = logging.getLogger("imp_verify")
_TRUTH = {"1": True, "true": True, "0": False, "false": False, "": False}
_LONGEST_TIMEOUT = 3600.0


def read_settings(
    *,
    credentials: Credentials | None,
    accounts: Mapping[str, Credentials] | None,
    base_url: str | None,
    test_mode: bool | None,
    timeout: float,
    max_lookups: int,
    landing: Landing | None,
    checkout: Checkout | Mapping[str, Checkout] | None,
    public_url: str | None,
    language: str,
    confirm_lookup: bool,
    confirm_timeout: float,
    cancel_timeout: float,
    give_back: Iterable[str],
    webhook_sources: Iterable[str] | None,
    trusted_proxies: Iterable[str] | None,
) -> Settings:
    """Check a verifier's arguments, and fill in what is left out from the environment.

    Raises:
        ConfigurationError: A setting is missing or unusable; the text names it, never a secret.
    """
    test_mode = _truth("IMP_TEST_MODE") if test_mode is None else test_mode
    landing = landing or Landing()
    _check_kinds(test_mode, confirm_lookup, landing, language)
    base_url = _check_base_url(base_url)
    credentials, accounts = _read_accounts(credentials, accounts)
    checkout = _read_checkout(checkout, accounts or ())
    public_url = _check_public_url(public_url)
    if test_mode:
        _log.warning("test mode is on: payments of test channels count as money")
    return Settings(
        credentials=credentials,
        accounts=accounts,
        base_url=base_url,
        test_mode=test_mode,
        timeout=_seconds("timeout", timeout),
        max_lookups=_check_max_lookups(max_lookups),
        landing=landing,
        checkout=checkout,
        public_url=public_url,
        language=language,
        confirm_lookup=confirm_lookup,
        confirm_timeout=_seconds("confirm_timeout", confirm_timeout),
        cancel_timeout=_seconds("cancel_timeout", cancel_timeout),
        give_back=_kinds(give_back),
        webhook_sources=_texts("webhook_sources", webhook_sources),
        trusted_proxies=_texts("trusted_proxies", trusted_proxies) or (),
    )


_KINDS = ("forgery", "duplicate", "late")


def _kinds(given: object) -> frozenset[str]:
    """Take the kinds of money that the verifier gives back by itself."""
    some = "give_back must be a set or list of kinds: forgery, duplicate, late"
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise ConfigurationError(f"{some}; not {type(given).__name__}")
    kinds = list(given)
    for each in kinds:
        if each not in _KINDS:
            raise ConfigurationError(f"{some}; not {each!r:.100}")
    return frozenset(kinds)


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be {kind.__name__}, not {type(value).__name__}")


def _read_accounts(
    credentials: Credentials | None, accounts: Mapping[str, Credentials] | None
) -> tuple[Credentials | None, Mapping[str, Credentials] | None]:
    """Return the only account's credentials, given or from the environment, or those of all that
    are named."""
    if accounts is None:
        credentials = credentials or _credentials_from_environment()
        _check_kind("credentials", credentials, Credentials)
        return credentials, None
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
    return None, MappingProxyType(dict(accounts))


def _read_checkout(
    given: object, accounts: Collection[str]
) -> Checkout | Mapping[str, Checkout] | None:
    """Take one for all orders, or exactly one for each of several accounts."""
    if given is None or isinstance(given, Checkout):
        return given
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"checkout must be Checkout, not {type(given).__name__}")
    for name, each in given.items():
        _check_kind(f"checkout[{name!r:.100}]", each, Checkout)
    if given.keys() != set(accounts):
        there = ", ".join(map(repr, accounts)) or "none"
        raise ConfigurationError(f"checkout must name each of the accounts and no other: {there}")
    return MappingProxyType(dict(given))


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
    """Return the gateway's address without a slash at its end."""
    url = given or os.environ.get("IMP_API_URL") or Settings.base_url
    return check_address("base_url (IMP_API_URL)", url)


def _check_public_url(given: str | None) -> str | None:
    """Return the shop's own address without a slash at its end; None where nobody says it."""
    url = given or os.environ.get("IMP_PUBLIC_URL") or None
    return None if url is None else check_public_url("public_url (IMP_PUBLIC_URL)", url)


def _texts(name: str, given: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return networks as given; what they are is checked where they are read."""
    return None if given is None else tuple(listed(name, given))
