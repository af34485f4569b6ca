"""Refuses what would leave this machine: connections, datagrams and look-ups of names.

The tests' own process imports this. A Python that a test starts runs it by itself, as this folder
is on PYTHONPATH. Each attempt is a line in the file that IMP_VERIFY_OUTWARD names, because what is
raised may be caught by the code under test, in a thread, or in another process.

Only Python's own sockets are seen, not those of browsers, node and drivers written in C.
"""

from __future__ import annotations

import os
import re
import sys

EVENTS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo")
BY_NAME = ("socket.gethostbyname", "socket.gethostbyaddr")


class Outward(BaseException):
    """A test tried to leave this machine. No `except Exception` hides it."""


def as_text(host: object) -> object:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else host


def has_no_address(host: object) -> bool:
    """Tell whether nobody can have this name: RFC 6761 keeps these free, the rest is none."""
    label = r"[A-Za-z0-9_-]{1,63}"
    name = isinstance(host, str) and re.fullmatch(rf"{label}(\.{label})*", host)
    return (
        isinstance(host, str)
        and ":" not in host
        and (not name or host.endswith((".invalid", ".test")))
    )


def leaves(host: object) -> bool:
    """Tell whether this host is another machine; what is no text is a path, or no address."""
    if not isinstance(host, str) or host.lower() in ("", "localhost"):
        return False
    from ipaddress import ip_address  # here, so that a process without a connection stays as it was

    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return True  # a name, which somebody else would be asked about
    return not (address.is_loopback or address.is_unspecified)


def host_of(event: str, arguments: tuple[object, ...]) -> object:
    """Give the host of an event of Python's audit; None where there is none."""
    if event == "socket.getaddrinfo" or event in BY_NAME:
        return arguments[0]
    address = arguments[1]
    return address[0] if isinstance(address, tuple) else None


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Be called at each event: note an attempt to leave, and stop it."""
    if event not in EVENTS and event not in BY_NAME:
        return
    host = as_text(host_of(event, arguments))
    if not leaves(host):
        return
    if has_no_address(host):  # as a resolver answers, which is not asked
        import socket

        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with open(os.environ["IMP_VERIFY_OUTWARD"], "a", encoding="utf-8") as file:
        file.write(f"{event} {host!r}\n")
    raise Outward(f"{event} {host!r}")


if __name__ == "sitecustomize" and "IMP_VERIFY_OUTWARD" in os.environ:
    sys.addaudithook(refuse)
