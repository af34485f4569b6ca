"""What a shop sets once: credentials, where a redirect lands, and what the payment window needs.
Checked here, so that later code need not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ._addresses import check_address, in_ascii
from .errors import ConfigurationError

__all__ = ["Checkout", "Credentials", "Landing", "credential_problem"]


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
    `{merchant_uid}`, `{status}`
    and `{reason}`, which are filled in percent-encoded.

    Args:
        theme: CSS values for the built-in page: `background`, `surface`, `text`, `muted`,
            `accent`, `on-accent`, `success`, `failure`, `waiting` (colours), `radius` and `font`;
            `{"accent": "#0a6b4f"}` for one. `light-dark(a, b)` gives a colour for each scheme.

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
        _ = in_ascii(f"Landing.{name}", target)


@dataclass(frozen=True, slots=True)
class Checkout:
    """What the payment window is told about the shop. A buyer sees all of it; nothing is secret.

    Args:
        user_code: The shop's code at the gateway (고객사 식별코드), "imp00000000" for one.
        channel_key: The console's channel; for v1/iamport.js, which has taken the place of `pg`.
        pg: The older selector, "provider" or "provider.mid". With neither the console's default
            is meant.
        tier: A sub-store's code; the window is then opened by `IMP.agency`.
        notice_urls: Where webhooks of these payments go *instead of* the console's address: one,
            or several, the shop's own `{prefix}/webhook` among them. Empty ones are left out.
        confirm: Whether the gateway asks `{prefix}/confirm` before it approves. The vendor must
            have enabled this for the account.

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

    def __post_init__(self) -> None:
        for name in ("user_code", "channel_key", "pg", "tier"):
            value = getattr(self, name)
            if (value is not None or name == "user_code") and not _is_word(value):
                raise ConfigurationError(f"Checkout.{name} must be text without white space")
        if self.channel_key is not None and self.pg is not None:
            raise ConfigurationError(
                "Checkout.channel_key and Checkout.pg both choose the PG: give one of them"
            )
        if not isinstance(self.confirm, bool):
            raise ConfigurationError("Checkout.confirm must be True or False")
        object.__setattr__(self, "notice_urls", _notice_urls(self.notice_urls))


def _notice_urls(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or given is None:
        given = [given]
    if not isinstance(given, Iterable):
        raise ConfigurationError("Checkout.notice_urls must be an address or a list of them")
    named = (each for each in given if each is not None and each != "")
    return tuple([check_address(_entry(each), each, query=True) for each in named])


def _entry(url: object) -> str:
    """Name an entry by its host and path: what else an address holds may be a secret."""
    parts = url.partition("?")[0].partition("#")[0] if isinstance(url, str) else type(url).__name__
    shown = f" {parts!r:.100}" if "@" not in parts else ""
    return f"Checkout.notice_urls{shown}"


def _is_word(value: object) -> bool:
    printable = isinstance(value, str) and value != "" and value.isprintable()
    return printable and not any(character.isspace() for character in str(value))
