"""What `imp-verify doctor` looks at inside: the gateway, the mode, the store, versions. Each is one
line, and what to do about it."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .. import GatewayError, GatewayRefused
from .._core.health import NO_PAYMENT, tells_facts
from .._core.verification import LOOKUP_ENDS
from .._releases import release_of
from ..settings import Settings, is_loopback
from ..stores._bridge import as_given
from ..stores._facts import StoreFacts
from ._shop import Shop, explain
from ._words import Words

__all__ = ["Check", "check_gateway", "check_mode", "check_store", "check_versions"]

_CLOCK_DIFFERS = 30
"""Seconds."""
_RESENDING_WAITS = 15
"""Seconds for the whole request, where a webhook is sent again. Source: V1 webhook page."""
_PACKAGES = (
    *("requests", "urllib3", "httpx2", "httpx", "aiohttp"),
    *("flask", "quart", "starlette", "fastapi", "django", "sqlalchemy"),
)


@dataclass(frozen=True)
class Check:
    """One line.

    Attributes:
        name: What was looked at: a key, of the words and in JSON.
        level: good, warn or bad.
        advice: What to do, where it is not good.
        account: Of several the one it is about.
        error: What it comes from, for --verbose.
    """

    name: str
    level: str
    text: str
    advice: str | None = None
    account: str | None = None
    error: Exception | None = None


def check_gateway(shop: Shop, words: Words, account: str | None) -> Iterator[Check]:
    """Ask for a token and about a payment that is not there, with one account."""
    base_url = shop.settings.base_url
    began = time.time()
    try:
        now, seconds = _timed(shop.gateway_time, account)
    except GatewayError as error:
        yield _failed("token", error, words, account, base_url)
        return
    text = words("token_good", base_url=base_url, seconds=f"{seconds:.2f}")
    yield Check("token", "good", text, account=account)
    yield _clock(now + 0.5 - (began + time.time()) / 2, words, account)  # it is in whole seconds
    try:
        _, seconds = _timed(shop.call, shop.verifier.payment, NO_PAYMENT, account=account)
    except GatewayError as error:
        yield _failed("lookup", error, words, account, base_url)
        return
    yield _lookup(seconds, shop.settings, words, account)


def _timed(function: Callable[..., Any], *args: Any, **named: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    answer = function(*args, **named)
    return answer, time.perf_counter() - began


def _failed(
    name: str, error: GatewayError, words: Words, account: str | None, base_url: str
) -> Check:
    advice = words(
        "do_token" if isinstance(error, GatewayRefused) else "do_gateway", base_url=base_url
    )
    return Check(name, "bad", explain(error), advice, account, error)


def _clock(difference: float, words: Words, account: str | None) -> Check:
    if abs(difference) > _CLOCK_DIFFERS:
        text = words("clock_warn", seconds=round(abs(difference)))
        return Check("clock", "warn", text, words("do_clock"), account)
    return Check("clock", "good", words("clock_good", seconds=_CLOCK_DIFFERS), account=account)


def _lookup(seconds: float, settings: Settings, words: Words, account: str | None) -> Check:
    """A confirm gives the look-up a part of its time; half of that is near enough to be said."""
    limit = LOOKUP_ENDS * settings.confirm_timeout
    values = {"seconds": f"{seconds:.2f}", "limit": f"{limit:g}"}
    if seconds > limit / 2:
        return Check("lookup", "warn", words("lookup_warn", **values), words("do_lookup"), account)
    return Check("lookup", "good", words("lookup_good", **values), account=account)


def check_mode(settings: Settings, words: Words) -> Check:
    """Tell whether test payments count, and whether they may where this shop is."""
    public = settings.public_url
    sandbox = _is_here(settings.base_url)
    is_public = public is not None and not _is_here(public)
    values = {"base_url": settings.base_url, "public_url": public}
    if sandbox and is_public:
        return Check("mode", "bad", words("mode_sandbox_live", **values), words("do_base_url"))
    if sandbox:
        return Check("mode", "good", words("mode_sandbox", **values))
    if settings.test_mode and is_public:
        return Check("mode", "bad", words("mode_test_live", **values), words("do_test_mode"))
    if settings.test_mode:
        return Check("mode", "warn", words("mode_test"), words("do_test_mode"))
    if settings.base_url != Settings.base_url:
        return Check("mode", "warn", words("mode_elsewhere", **values), words("do_base_url"))
    return Check("mode", "good", words("mode_live"))


def _is_here(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")


def check_store(shop: Shop, words: Words) -> Iterator[Check]:
    """Read from the store, and have a ready-made one tell about its database."""
    store, given = shop.verifier.store, as_given(shop.verifier.store)
    kind = type(given).__name__
    try:
        if tells_facts(given):
            facts: StoreFacts = shop.call(store.facts)  # type: ignore[union-attr]
            yield from _database(facts, shop.settings, words)
            if facts.missing:
                return
        _, seconds = _timed(shop.call, store.receipts, [NO_PAYMENT])
    except Exception as error:  # whatever a store raises
        text = words("store_bad", kind=kind, error=explain(error))
        yield Check("store", "bad", text, words("do_store"), error=error)
        return
    if getattr(given, "for_tests_only", False):
        text = words("store_memory", kind=kind)
        yield Check("store", "warn", text, words("do_store_memory"))
    else:
        yield Check("store", "good", words("store_good", kind=kind, seconds=f"{seconds:.2f}"))


def _database(facts: StoreFacts, settings: Settings, words: Words) -> Iterator[Check]:
    known = {"database": facts.database, "isolation": facts.isolation}
    yield _of("database", "warn" if facts.made else "good", words, **known)
    yield _named("tables", facts.missing, words)
    if not facts.missing:
        yield _named("collation", facts.folding, words)
    level = "warn" if facts.lock_timeout + settings.timeout > _RESENDING_WAITS else "good"
    values = {"seconds": f"{facts.lock_timeout:g}", "timeout": f"{settings.timeout:g}"}
    yield _of("lock_timeout", level, words, **values)
    if facts.checks_connections is not None:
        yield _of("connections", "good" if facts.checks_connections else "warn", words)


def _named(name: str, wrong: tuple[str, ...], words: Words) -> Check:
    return _of(name, "bad" if wrong else "good", words, names=", ".join(wrong))


def _of(name: str, level: str, words: Words, **values: object) -> Check:
    advice = None if level == "good" else words(f"do_{name}")
    return Check(name, level, words(f"{name}_{level}", **values), advice)


def check_versions() -> Check:
    """Name the releases of what the shop has loaded."""
    loaded = ["imp-verify", *(name for name in _PACKAGES if name in sys.modules)]
    found = [f"{name} {release_of(name) or '?'}" for name in loaded]
    found.insert(1, f"Python {platform.python_version()}")
    return Check("versions", "good", ", ".join(found))
