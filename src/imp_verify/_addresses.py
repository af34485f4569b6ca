"""What an absolute address of a setting must be: https, or http to this very machine."""

from __future__ import annotations

import logging
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from .errors import ConfigurationError

__all__ = ["check_address", "check_public_url", "in_ascii", "is_loopback", "warn_if_long"]

_log = logging.getLogger("imp_verify")
_LONGEST = 255


def check_address(name: str, given: object, *, query: bool = False) -> str:
    """Give an address without a slash at its end back.

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
    """Give the address under which buyers reach a shop, without a slash at the end of its path. A
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
    """Give an address with a host in its own script as the DNS knows it: 한글.한국 is
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
