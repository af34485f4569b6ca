"""What `imp-verify doctor` learns about `webhook_sources` and `trusted_proxies`: whether somebody
who writes an address into `X-Forwarded-For` is taken for its owner.

Nothing is believed for that, neither the settings nor what a proxy says of itself. The endpoint
answers an empty request with 400 where the sender may send, and with 403 where it may not: a made
header that turns one into the other was believed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_network
from urllib.parse import urlsplit

from .. import Request
from .._web.webhook_sources import Senders
from ..settings import Settings
from ._checks import Check
from ._words import Words

__all__ = ["check_senders"]

_NOBODY = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")
"""Addresses for examples, which no sender has. Source: RFC 5737, RFC 3849."""
_UNIX = "unix"


def check_senders(
    refused: bool,
    ask: Callable[[str], bool | None],
    url: str,
    settings: Settings,
    words: Words,
) -> Iterator[Check]:
    """Try a made header. Nothing is given where no answer depends on the sender.

    Args:
        refused: Whether this machine was refused as a sender, without a header of its own.
        ask: Sends the same with this address as X-Forwarded-For, and tells whether that was
            refused; None where something else answers.
        url: The webhook's public address.
    """
    if settings.webhook_sources is None:
        return
    sources = settings.webhook_sources
    proxies = [each for each in settings.trusted_proxies if each != _UNIX]
    if any(ip_network(each).prefixlen == 0 for each in proxies):
        yield _check("bad", "everybody", "proxies", words)
        return
    made = _other_than_now(refused, sources, proxies)
    if made is None:
        return
    answer = ask(made)
    here = _addresses_here(url)
    if answer is None:
        yield _check("warn", "untried", "untried", words, url=url)
    elif answer is not refused:
        inside = next((each for each in here if _is_in(each, proxies)), None)
        if inside is None:
            yield _check("bad", "believed", "proxies", words)
        else:
            yield _check("warn", "inside", "inside", words, address=inside)
    elif refused:
        yield _check("good", "good", None, words)
    elif any(_is_in(each, sources) for each in here):
        yield _check("good", "listed", None, words)
    else:
        yield _check("warn", "passes", "passes", words, address=", ".join(here))


def _check(level: str, key: str, advice: str | None, words: Words, **values: str) -> Check:
    do = None if advice is None else words(f"do_senders_{advice}")
    return Check("senders", level, words(f"senders_{key}", **values), do)


def _other_than_now(refused: bool, sources: Sequence[str], proxies: Sequence[str]) -> str | None:
    """Give an address that would be answered otherwise than this machine was; None for none."""
    if not refused:
        return next((each for each in _NOBODY if not _is_in(each, [*sources, *proxies])), None)
    networks = [ip_network(each) for each in sources]
    known = (each[1] if each.num_addresses > 1 else each[0] for each in networks)
    return next((str(each) for each in known if not _is_in(str(each), proxies)), None)


def _is_in(address: str, networks: Iterable[str]) -> bool:
    """Tell it as the endpoint itself does."""
    return Senders(list(networks), ()).refusal(Request("POST", client=address)) is None


def _addresses_here(url: str) -> list[str]:
    """Give the addresses from which this machine reaches the shop; behind NAT it is seen under
    others. Nothing is sent."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found: list[str] = []
    try:
        places = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)
    except OSError:
        return found
    for family, kind, protocol, _, address in places:
        # There may be no route to one of them.
        with suppress(OSError), socket.socket(family, kind, protocol) as line:
            line.connect(address)
            found.append(str(line.getsockname()[0]))
    return list(dict.fromkeys(found))
