"""Target: addresses that a shop sets, and what an error may say of them."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from imp_verify import Checkout, ConfigurationError
from imp_verify.settings import check_address, check_public_url

from .drawing import Draw, hostile, mutated
from .target import Case, Target

__all__ = ["ADDRESSES"]

_PASSWORD = "pAssw0rd"
_HOSTS = (
    *(
        "shop.test",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "한글.한국",
    ),
    *(
        f"user:{_PASSWORD}@shop.test",
        "shop.test:8443",
        "shop.test:0",
        "shop.test:x",
        "[::1",
        "가" * 64,
    ),
    *("localhost.", "localhost.evil.test", "127.0.0.1.evil.test", "2130706433", "a..b", "-", ""),
)
_SCHEMES = ("https://", "https://", "http://", "HTTPS://", "//", "ftp://", "https:", "javascript:")


def _draw(draw: Draw) -> Case:
    if draw.random() < 0.02:
        return draw.choice((None, 1, True, [], {"a": 1}, ["https://shop.test"]))
    path = hostile(draw, ("", "/", "/pay", "/a?b=c", "#x", "?", "/%2e%2e", "/a b"), 0.8)
    address = draw.choice(_SCHEMES) + hostile(draw, _HOSTS, 0.9) + path
    return mutated(draw, address) if draw.random() < 0.3 else address


def _check(case: Case) -> str:
    found = []
    for check in (check_address, check_public_url):
        try:
            found.append(check("it", case))
        except ConfigurationError as error:
            _check_words(error, case)
        else:
            _check_good(found[-1])
    try:
        Checkout("imp00000000", notice_urls=case)
    except ConfigurationError as error:
        _check_words(error, case)
    return ("none", "public only", "both")[len(found)]


def _check_words(error: ConfigurationError, case: Case) -> None:
    assert "@" not in str(case) or _PASSWORD not in str(error)
    assert len(str(error)) < 400


def _check_good(address: str) -> None:
    assert address.isascii()
    assert address.isprintable()
    assert not set(address) & set(' "<>\\^`{|}#')
    parts = urlsplit(address)
    assert parts.username is None
    assert parts.hostname
    if parts.scheme != "https":
        host = parts.hostname.rstrip(".")
        assert parts.scheme == "http"
        if host != "localhost":
            address_of = ip_address(host)
            mapped = getattr(address_of, "ipv4_mapped", None)
            assert (mapped or address_of).is_loopback


ADDRESSES = Target(
    "addresses",
    "An address is https, or http to this machine, in printable ASCII without a user; else "
    "ConfigurationError, which shows no password.",
    _draw,
    _check,
)
