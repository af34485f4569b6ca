"""What a shop sets once: credentials and where a redirect lands. Checked here, so that later code
need not."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import ConfigurationError

__all__ = ["Credentials", "Landing", "check_credential"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """One account's REST API key and secret; `tier` for a sub-store. The repr shows neither.

    Raises:
        ConfigurationError: One is missing, blank, or has white space at an end or control
            characters in it.
    """

    key: str = field(repr=False)
    secret: str = field(repr=False)
    tier: str | None = None

    def __post_init__(self) -> None:
        check_credential(self.key, "IMP_KEY")
        check_credential(self.secret, "IMP_SECRET")
        if self.tier is not None:
            check_credential(self.tier, "IMP_TIER")
            if not self.tier.isascii():
                raise ConfigurationError("IMP_TIER holds a character that no header can carry")


def check_credential(value: object, variable: str) -> None:
    """Raise a `ConfigurationError` that names the variable, never the value, unless it is usable
    text."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{variable} is missing or blank")
    if value != value.strip():
        raise ConfigurationError(f"{variable} has white space at an end")
    if not value.isprintable():
        raise ConfigurationError(f"{variable} holds a control character")


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a redirect sends the buyer; a target left out is the built-in page.

    A target begins with one `/` or with `https://` and is used as written, but for
    `{merchant_uid}`, `{status}`
    and `{reason}`, which are filled in percent-encoded.

    Raises:
        ConfigurationError: A target of another form, or with an unknown placeholder.
    """

    success: str | None = None
    failure: str | None = None
    pending: str | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            _check_target(name, getattr(self, name))


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
