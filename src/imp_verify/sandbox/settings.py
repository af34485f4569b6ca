"""What a test or a demo can set, as one table: how the sandbox behaves.

A setting is one field of `Settings`. What it may be, what `--strict` picks, and the question of the
reference that it answers stand beside it; all that sets or lists settings reads `TABLE`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from imp_verify.sandbox.kinds import Flag, Kind, OneOf, Seconds, Text, Texts
from imp_verify.sandbox.unknown import Unknown
from imp_verify.sandbox.unknown import setting as _setting

HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
"""A name or an address, and a port where one is given, as browsers write them."""
ORIGIN = re.compile(r"https?://([a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
"""Without IPv6 addresses: no policy can name one as the page that a window may be framed by."""
_NAME, _IPV6 = r"[^\s/?#\[\]]+", r"([^\s/?#\[\]]*@)?\[[0-9A-Fa-f:.]+\](:[0-9]*)?"
ADDRESS = re.compile(rf"[Hh][Tt][Tt][Pp][Ss]?://({_NAME}|{_IPV6})([/?#].*)?")
"""Without a flag, which the pattern of a JSON schema cannot have."""
_ADDRESS_FORM = "an address that begins with http:// or https://"
_ORIGIN_FORM = "http:// or https:// and a host, without a path"
LONGEST_WAIT = 3600
LONGEST_DELAY = 365 * 24 * 3600
DELAY = Seconds(LONGEST_DELAY)
"""A time on the sandbox's clock."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: Of the field.
        kind: What it may be.
        default: What it is where nobody sets it.
        says: What it does, in a sentence.
        question: The number of the open question that it answers; None where it is none of those.
        why: What speaks for the default, where it answers a question.
        hardest: What `--strict` picks: of the documented alternatives the hardest on a shop.
    """

    name: str
    kind: Kind
    default: object
    says: str
    question: int | None
    why: str
    hardest: object


@dataclass(slots=True)
class Settings(Unknown):
    """How the sandbox behaves; every field may be changed while it runs. `TABLE` explains each.

    What nobody knows of the real gateway is in `Unknown`.
    """

    # How a shop is told

    webhook_url: str | None = _setting(
        None,
        Text(ADDRESS, _ADDRESS_FORM),
        "Where webhooks go that no notice_url sends elsewhere; null means nowhere.",
    )
    webhook_test_url: str | None = _setting(
        None,
        Text(ADDRESS, _ADDRESS_FORM),
        "The same for test payments, which have an address of their own; null means that "
        "webhook_url was entered there too.",
    )
    webhook_format: str = _setting(
        "json", OneOf(("json", "form")), "What a webhook's body is written as."
    )
    webhook_test_format: str = _setting(
        "json", OneOf(("json", "form")), "The same of what is sent to webhook_test_url."
    )
    webhook_order: str = _setting(
        "webhook-first",
        OneOf(("webhook-first", "browser-first", "both")),
        "webhook-first waits for the shop's answer before the browser hears of the result; "
        "browser-first keeps webhooks back until they are delivered by hand; both starts a webhook "
        "and goes on at once, as the real gateway does.",
    )
    webhook_seconds: float | Decimal = _setting(  # noqa: RUF009 - it is a field
        30,
        Seconds(LONGEST_WAIT, whole=False),
        "How long a webhook's first send waits for the answer; it connects within 10.",
    )
    resend_seconds: float | Decimal = _setting(  # noqa: RUF009 - it is a field
        15,
        Seconds(LONGEST_WAIT, whole=False),
        "How long sending it again may take in all.",
    )

    # The buyer's side

    redirect: str = _setting(
        "auto",
        OneOf(("auto", "always", "never")),
        "Whether the buyer leaves the page for the window: on mobile devices (auto), always or "
        "never. Only ever where the page gave an m_redirect_url.",
    )
    closed_becomes: str = _setting(
        "failed",
        OneOf(("failed", "ready")),
        "What a closed window leaves: failed, or ready as with many PGs.",
    )
    frame_seconds: float | Decimal = _setting(  # noqa: RUF009 - it is a field
        0,
        Seconds(LONGEST_WAIT, whole=False),
        "How long the window over a shop's page takes to show; the real one takes seconds now and "
        "then.",
    )
    silent_close: bool = _setting(
        False,
        Flag(),
        "A window that the buyer closes goes without a callback, as with some PGs.",
    )
    unreachable: bool = _setting(
        False,
        Flag(),
        "The script loads, but the service behind it does not answer the page: no window opens, "
        "and no callback tells so.",
    )

    # Charges without a window

    charges_declined: bool = _setting(
        False,
        Flag(),
        "The card company declines what is charged without a window: the answer is a payment that "
        "failed.",
    )

    # Where it is and what it is called

    language: str = _setting(
        "ko", OneOf(("ko", "en")), "Of the window, where the page asks for none."
    )
    public_url: str | None = _setting(
        None,
        Text(ORIGIN, _ORIGIN_FORM),
        "The sandbox's own address as browsers see it; null takes the Host header.",
    )
    hosts: tuple[str, ...] = _setting(
        (),
        Texts(),
        "The names that it answers to besides that of public_url and those of loopback, as a Host "
        "header has them, with the port.",
    )
    shops: tuple[str, ...] = _setting(
        (),
        Texts(ORIGIN, "origins: " + _ORIGIN_FORM),
        "The origins whose pages may open a payment window; none named are all on loopback (by a "
        "name or an IPv4 address). The sandbox's pages lead back to the first one.",
    )

    cancel_seconds: int = _setting(
        3600,
        DELAY,
        "How long a cancel takes where the PG only accepts it at first, on the sandbox's clock; 0 "
        "for none. How long it takes in truth is not documented.",
    )

    def change(self, fields: Mapping[str, object]) -> None:
        """Set the fields given, all or none.

        Raises:
            ValueError: A name or a value is none that there is; it names the field and what is
                allowed.
        """
        read = {name: _known(name).kind.read for name in fields}
        values = {name: _named(name, read[name], value) for name, value in fields.items()}
        for name, value in values.items():
            setattr(self, name, value)

    def own_hosts(self) -> tuple[str, ...]:
        """Return the Host headers that mean the sandbox, besides loopback's."""
        _, _, public = (self.public_url or "").partition("//")
        return (public, *self.hosts) if public else self.hosts

    def as_dict(self) -> dict[str, object]:
        """Return all fields."""
        return asdict(self)


TABLE = {
    each.name: Setting(name=each.name, default=each.default, **each.metadata)
    for each in sorted(fields(Settings), key=lambda each: each.metadata["question"] or 0)
}
"""Every setting, by name; those that answer a question come last, in the order of the questions."""


def parse_pair(text: str) -> tuple[str, object]:
    """Read `NAME=VALUE`, as a command line has it.

    Raises:
        ValueError: As `Settings.change`.
    """
    name, mark, value = text.partition("=")
    if not mark:
        raise ValueError(f"{text}: NAME=VALUE is wanted")
    return name, _named(name, _known(name).kind.parse, value)


def strict() -> dict[str, object]:
    """Return of each setting what is hardest on a shop."""
    return {name: each.hardest for name, each in TABLE.items() if each.hardest != each.default}


def check_delay(name: str, value: object) -> int:
    """Return it, or raise ValueError where it is no delay on the sandbox's clock."""
    return int(_named(name, DELAY.read, value))


def _known(name: str) -> Setting:
    if name not in TABLE:
        raise ValueError(f"no such setting: {name}; there are {', '.join(TABLE)}")
    return TABLE[name]


def _named(name: str, read: Any, value: object) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name} is {error}") from None
