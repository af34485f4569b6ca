"""System checks: what is better known before the first payment.

Nothing is asked of APPEND_SLASH, as both forms of each address answer, nor of MIDDLEWARE and its
order: the views are outside the checks for CSRF and log-in, transactions for each request and
caches of a whole site, and read a body that others have read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from django import VERSION
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.urls import NoReverseMatch, reverse

from ... import ConfigurationError
from ._dialects import other_engines, refuse_engines
from .conf import make_verifier, store_of

__all__ = ["check_deployment", "check_engines", "check_payments", "check_redirect"]

_CLEAN = ((4, 2, 30), (5, 2, 13), (6, 0, 4))
"""Of each supported line the first release without the faults that were published by April 2026. A
line between two of them is no longer mended: the next one's stands for it."""
_CREDENTIALS = ("IMP_KEY", "IMP_SECRET", "IMP_TIER")
"""What a text is about that says that they are missing, whoever made the verifier."""
_PROXIES = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")


def check_payments(app_configs: object = None, **_: object) -> list[CheckMessage]:
    """Check the setting `IMP_VERIFY`, and what of Django's own stands against it.

    Without credentials an image is built and a database migrated: they are missed where a server
    is started, and by `check_deployment`.
    """
    try:
        store = _store()
    except ConfigurationError as error:
        if not _is_of_credentials(error):
            return [Error(str(error), id="imp_verify.E001")]
        return [_without_credentials(error, Error if _starts_a_server() else Warning)]
    return [*_check_store(store), *_check_proxy(), *_check_prefix(), *_check_release()]


def check_deployment(app_configs: object = None, **_: object) -> list[CheckMessage]:
    """Check, for deployment, that there are credentials, and what connections that live on meet."""
    try:
        return list(_check_connections(_store()))
    except ConfigurationError as error:
        return [_without_credentials(error, Error)] if _is_of_credentials(error) else []


def _store() -> Any:
    """Return the store of a verifier that is made for this and thrown away: the environment may
    change before the first payment, as it does in tests."""
    return store_of(make_verifier())


def _is_of_credentials(error: ConfigurationError) -> bool:
    return any(name in str(error) for name in _CREDENTIALS)


def _starts_a_server() -> bool:
    return sys.argv[1:2] == ["runserver"]


def _without_credentials(error: ConfigurationError, kind: type[CheckMessage]) -> CheckMessage:
    hint = "Set IMP_KEY and IMP_SECRET in the environment, or CREDENTIALS or ACCOUNTS here."
    return kind(str(error), hint=hint, id=f"imp_verify.{kind.__name__[0]}002")


def _check_store(store: Any) -> Iterator[CheckMessage]:
    """Check that it keeps what it is given, and in a database that there is."""
    if not settings.DEBUG and getattr(store, "for_tests_only", False):
        yield Warning(
            "The payments are kept in memory: each process has its own, and forgets them.",
            hint="Give IMP_VERIFY a store that keeps them in a database.",
            id="imp_verify.W003",
        )
    alias = getattr(store, "using", None)
    if alias is not None and alias not in connections.databases:
        known = ", ".join(connections.databases)
        yield Error(
            f"The payments are kept in the database {alias!r}, which DATABASES has not: {known}.",
            hint="DjangoStore(using=...) takes an alias of DATABASES.",
            id="imp_verify.E007",
        )


def _check_connections(store: Any) -> Iterator[CheckMessage]:
    """Check that connections which live on are looked at before a request uses them."""
    given = connections.databases.get(getattr(store, "using", None), {})
    lives_on = given.get("CONN_MAX_AGE", 0) != 0 or given.get("OPTIONS", {}).get("pool")
    if lives_on and not given.get("CONN_HEALTH_CHECKS") and "sqlite" not in given["ENGINE"]:
        yield Warning(
            f"Connections to the database {store.using!r} live on, and nobody looks whether the "
            "database has closed them: the first request after that fails, a notice of the "
            "gateway too where anything else asked the database before it.",
            hint=f'DATABASES[{store.using!r}]["CONN_HEALTH_CHECKS"] = True',
            id="imp_verify.W008",
        )


def check_engines(
    app_configs: object = None, databases: Sequence[str] | None = None, **_: object
) -> list[CheckMessage]:
    """Check, in databases that may be asked, that the store's tables can be rolled back. An error
    would stop the very migration that mends it, so that before it this is a warning."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        if engines := other_engines(connections[alias]):
            applied = MigrationRecorder(connections[alias]).applied_migrations()
            kind = Error if ("imp_verify", "0002_innodb") in applied else Warning
            text = refuse_engines(engines)
            hint = "The migrations of imp_verify do this."
            found.append(kind(text, hint=hint, id=f"imp_verify.{kind.__name__[0]}009"))
    return found


def _check_proxy() -> Iterator[CheckMessage]:
    given, proxies = settings.IMP_VERIFY, [each for each in _PROXIES if getattr(settings, each)]
    if proxies and given.get("WEBHOOK_SOURCES") is not None and not given.get("TRUSTED_PROXIES"):
        yield Warning(
            f"{proxies[0]} says that a proxy stands in front. IMP_VERIFY has WEBHOOK_SOURCES but "
            "no TRUSTED_PROXIES: the proxy is taken for the sender of every webhook.",
            hint='Name the networks of the proxy in IMP_VERIFY["TRUSTED_PROXIES"], "unix" for one '
            "behind a Unix socket. Under WSGI the server (gunicorn, waitress) or the proxy "
            "(nginx) must drop X_Forwarded_For: Django cannot tell it from X-Forwarded-For.",
            id="imp_verify.W004",
        )


def _check_prefix() -> Iterator[CheckMessage]:
    address = _webhook()
    if address is not None and not address.endswith("/webhook"):
        yield Error(
            f"The prefix of the payment endpoints has no slash at its end: {address}",
            hint='path("payments/", include("imp_verify.contrib.django.urls"))',
            id="imp_verify.E005",
        )


def _check_release() -> Iterator[CheckMessage]:
    found = VERSION[:3]
    clean = next((each for each in _CLEAN if each[:2] >= found[:2]), found)
    if found < clean:
        first = ".".join(map(str, clean))
        yield Warning(
            f"Django {'.'.join(map(str, found))} has published security faults.",
            hint=f"Upgrade to {first} or newer. No requirement can say this for each line.",
            id="imp_verify.W010",
        )


def check_redirect(app_configs: object = None, **_: object) -> list[CheckMessage]:
    """Check, for deployment, that no webhook is redirected: nothing says that the gateway follows.

    Behind a proxy that ends TLS every request looks like http. Where the server takes the scheme
    from the proxy by itself, or ends TLS, the warning may be silenced.
    """
    address = _webhook()
    if not settings.SECURE_SSL_REDIRECT or settings.SECURE_PROXY_SSL_HEADER or address is None:
        return []
    if any(re.search(each, address.lstrip("/")) for each in settings.SECURE_REDIRECT_EXEMPT):
        return []
    return [
        Warning(
            "SECURE_SSL_REDIRECT sends a webhook that comes over http on to https, also one that "
            "came over https to a proxy: SECURE_PROXY_SSL_HEADER is not set.",
            hint="Set it where a proxy ends TLS. Enter an https address in the gateway's console.",
            id="imp_verify.W006",
        )
    ]


def _webhook() -> str | None:
    """Return the webhook's path; None where it is not included, or in another name space."""
    with suppress(NoReverseMatch):
        return reverse("imp_verify:webhook") if getattr(settings, "ROOT_URLCONF", None) else None
    return None
