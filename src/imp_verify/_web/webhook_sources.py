"""Who sent a webhook, as far as the shop's own proxies say, and whether that sender is one of
those allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from ..errors import ConfigurationError
from .http import Request

__all__ = ["Senders", "listed"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_UNIX = "unix"
"""Among trusted_proxies: a peer without an address."""
_LOCALHOST = "localhost"
"""What waitress calls such a peer; others leave it empty."""
_MOST_PROXIES = 32
"""Proxies in a row that are followed; no shop has as many."""
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]{2,45})\]|(?P<v4>[0-9.]{7,15}))(?::(?P<port>[0-9]{1,5}))?"
    r"|(?P<bare>[0-9a-f:.]{2,45})",
    re.IGNORECASE | re.ASCII,
)
"""An address, or one with a port behind it. One with a zone (`fe80::1%eth0`) is none: a zone may be
any text, and tells something to one machine only."""


class Senders:
    """The networks that may send webhooks, and the proxies that are believed about who sent.

    Raises:
        ConfigurationError: Something is no network.
    """

    def __init__(
        self, sources: Iterable[str] | None, trusted_proxies: Iterable[str] | None
    ) -> None:
        self._sources = None if sources is None else _networks("webhook_sources", sources)
        proxies = listed("trusted_proxies", trusted_proxies or ())
        self._unix = _UNIX in proxies
        self._proxies = _networks("trusted_proxies", [each for each in proxies if each != _UNIX])

    def refusal(self, request: Request) -> str | None:
        """Say why this sender may send no webhook, for the log; None where it may."""
        if self._sources is None:
            return None
        sender = self._sender(request)
        if isinstance(sender, str):
            return sender
        if _lies_in(sender, self._sources):
            return None
        return f"{sender} is not in webhook_sources{self._hint(sender, request)}"

    def _hint(self, sender: Address, request: Request) -> str:
        """Name the commonest cause: a proxy of the shop's own that nobody named."""
        is_peer = sender == _read(request.client or "") and not _lies_in(sender, self._proxies)
        if not is_peer or not _forwarded(request):
            return ""
        return "; it sent X-Forwarded-For: if it is your proxy, add it to trusted_proxies"

    def _sender(self, request: Request) -> Address | str:
        """Return the peer, or while that is a trusted proxy, the next entry from the right of
        X-Forwarded-For; where that is no address, what to say of it.

        Only what trusted proxies added is believed; what lies further left was written by the
        sender.
        """
        sender: Address | None = None  # a Unix socket
        if request.client and request.client != _LOCALHOST:
            sender = _read(request.client)
            if sender is None:
                return f"the peer {request.client!r:.80} is no address"
        elif not self._unix:
            return 'the peer has no address: if it is your proxy, add "unix" to trusted_proxies'
        entries = _forwarded(request)
        while entries and (sender is None or _lies_in(sender, self._proxies)):
            entry = entries.pop().strip()
            sender = _read(entry)
            if sender is None:
                return f"{entry!r:.80} in X-Forwarded-For is no address"
        return sender or "the peer has no address, and X-Forwarded-For is missing"


def listed(name: str, given: Iterable[str]) -> list[str]:
    """Return what was given as a list; one text, which is iterable too, is a mistake.

    Raises:
        ConfigurationError: It is no list.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{name} must be a list of networks, not {given!r:.80}")
    return list(given)


def _networks(name: str, given: Iterable[str]) -> tuple[Network, ...]:
    try:
        return tuple(_unmapped(ip_network(each)) for each in listed(name, given))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} holds something that is no network: {error}") from None


def _unmapped(network: Network) -> Network:
    """Return a network of IPv4-mapped addresses as what its senders are read as: IPv4."""
    first = network.network_address
    mapped = first.ipv4_mapped if isinstance(first, IPv6Address) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


def _forwarded(request: Request) -> list[str]:
    """Return the entries of all X-Forwarded-For lines; the first holds all that are too many, and
    is no address then."""
    joined = ",".join(request.values("x-forwarded-for"))
    return joined.rsplit(",", _MOST_PROXIES) if joined else []


def _read(text: str) -> Address | None:
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        return None
    try:
        address = IPv6Address(match["v6"]) if match["v6"] else ip_address(match["v4"] or text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _lies_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
