"""What a shop sets once: a verifier's settings, credentials, where a redirect lands, and what the
payment window needs. Checked here and in `_configuration`, so that later code need not."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from .errors import ConfigurationError, StoreError
from .models import ExpectedPayment

__all__ = [
    "Checkout",
    "Credentials",
    "Landing",
    "Settings",
    "account_named",
    "check_address",
    "check_public_url",
    "credential_problem",
    "in_ascii",
    "is_loopback",
    "warn_if_long",
]

_log = logging.getLogger("imp_verify")
_LONGEST = 255


@dataclass(frozen=True, slots=True, init=False)
class Credentials:
    """One account's REST API key and secret; `tier` for a sub-store. The repr shows neither.

    Raises:
        ConfigurationError: One is missing, blank, or has white space at an end or control
            characters in it.
    """

    key: str = field(repr=False)
    secret: str = field(repr=False)
    tier: str | None = None

    def __init__(self, key: str, secret: str, tier: str | None = None) -> None:
        tier_variable = "Credentials.tier (else IMP_TIER)"
        problem = (
            credential_problem("Credentials.key (else IMP_KEY)", key)
            or credential_problem("Credentials.secret (else IMP_SECRET)", secret)
            or (None if tier is None else credential_problem(tier_variable, tier, header=True))
        )
        for name, value in (("key", key), ("secret", secret), ("tier", tier)):
            object.__setattr__(self, name, value)
        # Error monitoring keeps the variables of every function that an error leaves.
        del key, secret, tier, value
        if problem:
            raise ConfigurationError(problem)


def credential_problem(what: str, value: object, *, header: bool = False) -> str | None:
    """Say what is wrong with a credential, never its value; None where it is usable text. It raises
    nothing: the value would be among the variables of a function that the error leaves.

    Args:
        what: The argument or the variable, for the sentence to name.
        header: Whether a header must be able to carry it.
    """
    if not isinstance(value, str) or not value.strip():
        return f"{what} is missing or blank"
    if value != value.strip():
        return f"{what} has white space at an end"
    if not value.isprintable():
        return f"{what} holds a control character"
    if header and not value.isascii():
        return f"{what} holds a character no header can carry"
    return None


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a redirect sends the buyer; a target left out is the built-in page.

    A target begins with one `/` or with `https://` and is used as written, but for
    `{merchant_uid}`, `{status}` and `{reason}`, which are filled in percent-encoded.

    Args:
        theme: CSS values for the built-in page: `background`, `surface`, `text`, `muted`,
            `accent`, `on-accent`, `success`, `failure`, `waiting` (colours), `radius` and `font`;
            for example `{"accent": "#0a6b4f"}`. `light-dark(a, b)` gives a colour for each scheme.

    Raises:
        ConfigurationError: A target of another form, or with an unknown placeholder; a theme with
            another name, or a value that is no plain CSS value.
    """

    success: str | None = None
    failure: str | None = None
    pending: str | None = None
    theme: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        for name in ("success", "failure", "pending"):
            _check_target(name, getattr(self, name))
        if not isinstance(self.theme, Mapping):
            raise ConfigurationError("Landing.theme must be a mapping of names to CSS values")
        for name, value in self.theme.items():
            _check_theme(name, value)


_THEME = (
    *("background", "surface", "text", "muted", "accent", "on-accent"),
    *("success", "failure", "waiting", "radius", "font"),
)
_CSS_VALUE = re.compile(r"[\w#%.,()+*/ -]{1,200}", re.ASCII)


def _check_theme(name: object, value: object) -> None:
    if name not in _THEME:
        raise ConfigurationError(f"Landing.theme has {', '.join(_THEME)}, and no {name!r:.100}")
    good = isinstance(value, str) and _CSS_VALUE.fullmatch(value) is not None
    text = str(value)  # a comment in it would swallow the rest of the style
    if not good or text.count("(") != text.count(")") or "/*" in text or "*/" in text:
        raise ConfigurationError(f"Landing.theme[{name!r}] is no plain CSS value")


_PLACEHOLDERS = ("{merchant_uid}", "{status}", "{reason}")


def _check_target(name: str, target: object) -> None:
    if target is None:
        return
    if not isinstance(target, str) or not target.isprintable() or " " in target or "\\" in target:
        raise ConfigurationError(f"Landing.{name} is not an address: {target!r:.100}")
    host = target.removeprefix("https://")
    name_ends = min((n for n in map(host.find, "/?#") if n >= 0), default=len(host))
    absolute = host != target and name_ends > 0 and "{" not in host[:name_ends]
    local = target.startswith("/") and not target.startswith("//")
    if not absolute and not local:
        raise ConfigurationError(
            f"Landing.{name} must begin with one / or with https:// and a host, not {target!r:.100}"
        )
    rest = target
    for placeholder in _PLACEHOLDERS:
        rest = rest.replace(placeholder, "")
    if "{" in rest or "}" in rest:
        known = ", ".join(_PLACEHOLDERS)
        raise ConfigurationError(f"Landing.{name} may hold {known} and no other braces")
    if absolute:
        _check_host(f"Landing.{name}", target)


def _check_host(name: str, target: str) -> None:
    in_ascii(name, target)
    try:
        _ = urlsplit(target)
    except ValueError:
        raise ConfigurationError(f"{name} has a host that no host can be called") from None


@dataclass(frozen=True, slots=True)
class Checkout:
    """What the payment window is told about the shop. A buyer sees all of it; nothing is secret.

    Args:
        user_code: The shop's code at the gateway (고객사 식별코드), for example "imp00000000".
        channel_key: The console's channel; for v1/iamport.js, which has taken the place of `pg`.
        pg: The older selector, "provider" or "provider.mid". With neither the console's default
            is meant.
        tier: A sub-store's code; the window is then opened by `IMP.agency`.
        notice_urls: Where webhooks of these payments go *instead of* the console's address: one,
            or several, the shop's own `{prefix}/webhook` among them. Empty ones are left out.
        confirm: Whether the gateway asks `{prefix}/confirm` before it approves. The vendor must
            have enabled this for the account.
        prepare: Whether the button, as its page is made, registers the order's amount with the
            gateway, so that the window opens for no other: one call more for each page. A page
            never fails for it; a WARNING says so.

    Raises:
        ConfigurationError: A field is unusable, or `channel_key` and `pg` are both given; the
            text names it.
    """

    user_code: str
    channel_key: str | None = None
    pg: str | None = None
    tier: str | None = None
    notice_urls: Iterable[str] | str = ()
    confirm: bool = False
    prepare: bool = False

    def __post_init__(self) -> None:
        for name in ("user_code", "channel_key", "pg", "tier"):
            value = getattr(self, name)
            if (value is not None or name == "user_code") and not _is_word(value):
                raise ConfigurationError(f"Checkout.{name} must be text without white space")
        if self.channel_key is not None and self.pg is not None:
            raise ConfigurationError(
                "Checkout.channel_key and Checkout.pg both choose the PG: give one of them"
            )
        for name in ("confirm", "prepare"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Checkout.{name} must be True or False")
        object.__setattr__(self, "notice_urls", _notice_urls(self.notice_urls))


_SECOND = re.compile(r",\s*https?://")
"""Where a variable's text has a second address, which the window would take for part of one."""


def _notice_urls(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or given is None:
        given = [given]
    if not isinstance(given, Iterable):
        raise ConfigurationError("Checkout.notice_urls must be an address or a list of them")
    named = [each for each in given if each is not None and each != ""]
    if any(isinstance(each, str) and _SECOND.search(each) for each in named):
        raise ConfigurationError(
            "Checkout.notice_urls must be an address or a list of them, not several in one text"
        )
    return tuple([check_address(_entry(each), each, query=True) for each in named])


def _entry(url: object) -> str:
    """Name an entry by its host and path: what else an address holds may be a secret."""
    parts = url.partition("?")[0].partition("#")[0] if isinstance(url, str) else type(url).__name__
    shown = f" {parts!r:.100}" if "@" not in str(url) else ""  # a password may hold "?" or "#"
    return f"Checkout.notice_urls{shown}"


def _is_word(value: object) -> bool:
    printable = isinstance(value, str) and value != "" and value.isprintable()
    return printable and not any(character.isspace() for character in str(value))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A verifier's settings as they hold, made by the verifier: what it was given, else what the
    environment says, else the default, which is said here and nowhere else.

    The names and their meaning are those of the arguments of `Verifier`. Exactly one of
    `credentials` and `accounts` is set.
    """

    credentials: Credentials | None = field(default=None, repr=False)
    accounts: Mapping[str, Credentials] | None = field(default=None, repr=False)
    base_url: str = "https://api.iamport.kr"
    test_mode: bool = False
    timeout: float = 5.0
    max_lookups: int = 64
    landing: Landing = field(default_factory=Landing)
    checkout: Checkout | Mapping[str, Checkout] | None = field(default=None, repr=False)
    public_url: str | None = None
    language: str = "ko"
    confirm_lookup: bool = True
    confirm_timeout: float = 4.0
    cancel_timeout: float = 30.0
    give_back: frozenset[str] = frozenset()
    webhook_sources: tuple[str, ...] | None = None
    trusted_proxies: tuple[str, ...] = ()

    def checkout_of(self, expected: ExpectedPayment) -> Checkout | None:
        """Return what the payment window is told for this order; None where no `checkout` is set.

        Raises:
            StoreError: The order names none of several accounts.
        """
        name = None if self.accounts is None else account_named(expected, self.accounts)
        return self.checkout[str(name)] if isinstance(self.checkout, Mapping) else self.checkout


def account_named(expected: ExpectedPayment, names: Collection[str]) -> str:
    """Return the name of the account that an order names, one of several.

    Raises:
        StoreError: It names none of them.
    """
    if expected.account is None or expected.account not in names:
        raise StoreError(
            f"order {expected.merchant_uid!r} must name an account, one of "
            f"{', '.join(map(repr, names))}, not {expected.account!r:.100}"
        )
    return expected.account


# What an absolute address must be: https, or http to this very machine.


def check_address(name: str, given: object, *, query: bool = False) -> str:
    """Return an address without a slash at its end.

    Args:
        name: The setting, for the error to name.
        query: Whether it may have one; then it is given back as written.

    Raises:
        ConfigurationError: It is none, or neither https nor http to this machine. The text never
            shows it: it may hold a password.
    """
    if not isinstance(given, str):
        raise ConfigurationError(f"{name} is no address")
    given = in_ascii(name, given)
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is no address") from None
    if not host or parts.username is not None or port == 0:
        raise ConfigurationError(f"{name} must begin with https, then a host without a user")
    if "#" in given or ("?" in given and not query):  # an empty one is none to urlsplit
        raise ConfigurationError(f"{name} must be without {'a' if query else 'query and'} fragment")
    if not given.isascii() or not given.isprintable() or set(given) & set(' "<>\\^`{|}'):
        raise ConfigurationError(f"{name} holds a character that no address has")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ConfigurationError(f"{name} must be https; http goes to this machine only")
    return given if query else given.rstrip("/")


def check_public_url(name: str, given: object) -> str:
    """Return the address under which buyers reach a shop, without a slash at the end of its path. A
    fragment is left out: it never reaches a server, and some PGs lose what stands behind it. Raises
    like `check_address`."""
    text = given.partition("#")[0] if isinstance(given, str) else given
    path, _, query = check_address(name, text, query=True).partition("?")
    whole = f"{path.rstrip('/')}?{query}".removesuffix("?")
    warn_if_long(name, whole)
    return whole


def warn_if_long(name: str, address: str) -> None:
    """Say so in the log where a PG may cut an address."""
    if len(address) > _LONGEST:
        _log.warning(
            "%s has %d characters: some PGs cut addresses of more than %d, and the buyer does not "
            "come back",
            name,
            len(address),
            _LONGEST,
        )


def in_ascii(name: str, address: str) -> str:
    """Return an address with a host in its own script as the DNS knows it: 한글.한국 is
    xn--bj0bj06e.xn--3e0b707e.

    Raises:
        ConfigurationError: No host can be called so.
    """
    if address.isascii():
        return address
    try:
        host = urlsplit(address).netloc.rpartition("@")[2]
        bare, colon, port = host.partition(":")
        known = bare if bare.isascii() else bare.encode("idna").decode()
    except ValueError:  # a UnicodeError is one
        raise ConfigurationError(f"{name} has a host that no host can be called") from None
    return address.replace(host, f"{known}{colon}{port}", 1)


def is_loopback(host: str) -> bool:
    """Whether a host, as `urlsplit` gives it, is this very machine."""
    host = host.rstrip(".")
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
