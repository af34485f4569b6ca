"""Target: who sent a webhook, by what proxies wrote of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from imp_verify import Request
from imp_verify._web.webhook_sources import Senders

from .drawing import Draw, hostile, mutated
from .target import Case, Target

__all__ = ["FORWARDED"]

_SOURCES = ("52.78.100.19", "52.78.48.0/24", "2001:db8::/32", "10.1.0.0/16", "::ffff:192.0.2.0/120")
_PROXIES = ("127.0.0.0/8", "10.0.0.0/8", "::1")
_MOST = 32
_ADDRESSES = (
    *("52.78.100.19", "52.78.48.7", "52.78.49.7", "198.51.100.7", "192.0.2.9", "127.0.0.1"),
    *("10.0.0.1", "10.1.2.3", "::1", "2001:db8::5", "2001:DB8:0:0::5", "2001:db9::1"),
    *("::ffff:52.78.100.19", "::ffff:127.0.0.1", "fe80::1%eth0", "052.78.100.19", "52.78.100"),
    *(
        "unknown",
        "_hidden",
        "",
        "unix:",
        "1",
        "0x7f.1",
        "localhost",
        "٥٢.78.100.19",
        "52.78.100.19/32",
    ),
)
_FORMS = (
    "{}",
    "{}",
    "{}:443",
    "[{}]",
    "[{}]:443",
    "{}:99999",
    "{}:",
    '"{}"',
    " {}",
    "{}\t",
    "[{}",
    "{}:٣",
)


def _draw(draw: Draw) -> Case:
    def address() -> str:
        return draw.choice(_FORMS).format(hostile(draw, _ADDRESSES, 0.95))

    entries = [address() for _ in range(draw.below(5))]
    if draw.below(200) == 0:
        entries = ["52.78.100.19"] + ["10.0.0.1"] * draw.choice((31, 32, 33, 5000))
    joint = draw.choice((", ", ",", " , "))
    lines = [joint.join(entries[:2]), joint.join(entries[2:])] if entries[2:] else entries[:1]
    if draw.random() < 0.1:
        lines = [mutated(draw, each) for each in lines]
    client = None if draw.random() < 0.2 else address() if draw.random() < 0.3 else "127.0.0.1"
    return {"client": client, "lines": lines, "unix": draw.random() < 0.5}


_both = {
    unix: Senders(_SOURCES, [*_PROXIES, *(["unix"] if unix else [])]) for unix in (False, True)
}
_sources = [ip_network(each) for each in _SOURCES[:-1]] + [ip_network("192.0.2.0/24")]
_proxies = [ip_network(each) for each in _PROXIES]


def _read(entry: str) -> IPv4Address | IPv6Address | None:
    """Read an address with or without a port, by another way than the package's own."""
    host, port = entry, "0"
    if entry.startswith("["):
        host, closed, behind = entry[1:].partition("]")
        if not closed or (behind and not behind.startswith(":")) or ":" not in host:
            return None
        port = behind[1:] if behind else "0"
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id is not None else address.ipv4_mapped or address
    return address


def _allowed(case: Case) -> bool:
    """Say by hand whether the first that is no proxy of ours, from the right, may send."""
    if not case["client"] and not case["unix"]:
        return False
    chain: list[str] = [] if not case["client"] else [case["client"]]
    joined = ",".join(case["lines"])
    entries = joined.split(",") if joined else []
    chain += [each.strip() for each in reversed(entries)]
    last = None
    for place, entry in enumerate(chain):
        last = _read(entry)
        behind = place == _MOST + bool(case["client"]) and len(entries) > _MOST + 1
        if last is None or behind:
            return False
        if not any(last in network for network in _proxies):
            break
    return last is not None and any(last in network for network in _sources)


def _check(case: Case) -> str:
    headers = [("X-Forwarded-For", line) for line in case["lines"]]
    request = Request("POST", headers=headers, client=case["client"])
    why = _both[case["unix"]].refusal(request)
    assert Senders(None, None).refusal(request) is None
    assert (why is None) == _allowed(case), why
    if why is None:
        return "allowed"
    assert why.isprintable(), why
    assert len(why) < 200
    said = why.partition("; it sent ")[0]  # before the advice
    return said.rpartition(" is ")[2] if " is " in said else said


FORWARDED = Target(
    "forwarded",
    "A sender is allowed only where the first address from the right that is no proxy of the shop "
    "lies in webhook_sources, as a second reader says too; a refusal is one short printable line.",
    _draw,
    _check,
)
