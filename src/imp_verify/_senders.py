"""Who sent a webhook, as far as the shop's own proxies say, and whether that sender is one of
those allowed."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from .errors import ConfigurationError
from .messages import Request

__all__ = ["Senders"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Senders:
    """The networks that may send webhooks, and the proxies that are believed about who sent.

    Raises:
        ConfigurationError: Something is no network.
    """

    def __init__(
        self, sources: Iterable[str] | None, trusted_proxies: Iterable[str] | None
    ) -> None:
        self._sources = None if sources is None else _networks("webhook_sources", sources)
        self._proxies = _networks("trusted_proxies", trusted_proxies or ())

    def allow(self, request: Request) -> bool:
        """Whether the sender is allowed; an unreadable or absent address is not, where a list is
        set."""
        if self._sources is None:
            return True
        sender = self.sender(request)
        return sender is not None and _lies_in(sender, self._sources)

    def sender(self, request: Request) -> Address | None:
        """Give the peer, or while that is a trusted proxy, the next entry from the right of
        X-Forwarded-For.

        Only what trusted proxies added is believed; what lies further left was written by the
        sender.
        """
        entries = ",".join(request.values("x-forwarded-for")).split(",")
        address = _read(request.client or "")
        while address is not None and entries and _lies_in(address, self._proxies):
            entry = entries.pop().strip()
            if not entry and not entries:
                break
            address = _read(entry)
        return address


def _networks(name: str, given: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(given, str | bytes):
        raise ConfigurationError(f"{name} must be a list of networks, not one text")
    try:
        return tuple(ip_network(each) for each in given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} holds something that is no network: {error}") from None


def _read(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _lies_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
