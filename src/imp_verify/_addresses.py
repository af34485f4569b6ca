"""What an absolute address of a setting must be: https, or http to this very machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from .errors import ConfigurationError

__all__ = ["check_address"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_address(name: str, given: object, *, query: bool = False) -> str:
    """Give an address without a slash at its end back.

    Args:
        name: The setting, for the error to name.
        query: Whether it may have one; then it is given back as written.

    Raises:
        ConfigurationError: It is none, or neither https nor http to this machine. The text never
            shows it: it may hold a password.
    """
    try:
        parts = urlsplit(given) if isinstance(given, str) else urlsplit("")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is no address") from None
    if not isinstance(given, str):
        raise ConfigurationError(f"{name} is no address")
    if not host or parts.username is not None or port == 0:
        raise ConfigurationError(f"{name} must be an address with a host and without a user")
    if "#" in given or ("?" in given and not query):  # an empty one is none to urlsplit
        raise ConfigurationError(f"{name} must be without {'a' if query else 'query and'} fragment")
    if not given.isascii() or not given.isprintable() or set(given) & set(' "<>\\^`{|}'):
        raise ConfigurationError(f"{name} holds a character that no address has")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ConfigurationError(f"{name} must be https; http goes to this machine only")
    return given if query else given.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK:
        return True
    octets = host.split(".")
    return len(octets) == 4 and octets[0] == "127" and all(each.isdigit() for each in octets)
