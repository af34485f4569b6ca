"""System checks: what is better known before the first payment.

Nothing is asked of APPEND_SLASH, as both forms of each address answer, nor of MIDDLEWARE and its
order: the views are outside the checks for CSRF and log-in, transactions for each request and
caches of a whole site, and read a body that others have read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django import VERSION
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.urls import NoReverseMatch, reverse

from ... import ConfigurationError
from ._setting import make_verifier
from ._store_checks import check_connections, check_store
from .conf import store_of

__all__ = ["check_deployment", "check_payments", "check_redirect"]

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
    return [*check_store(store), *_check_proxy(), *_check_prefix(), *_check_release()]


def check_deployment(app_configs: object = None, **_: object) -> list[CheckMessage]:
    """Check, for deployment, that there are credentials, and what connections that live on meet."""
    try:
        return list(check_connections(_store()))
    except ConfigurationError as error:
        return [_without_credentials(error, Error)] if _is_of_credentials(error) else []


def _store() -> Any:
    """Give the store of a verifier that is made for this and thrown away: the environment may
    change before the first payment, as it does in tests."""
    return store_of(make_verifier())


def _is_of_credentials(error: ConfigurationError) -> bool:
    return any(name in str(error) for name in _CREDENTIALS)


def _starts_a_server() -> bool:
    return sys.argv[1:2] == ["runserver"]


def _without_credentials(error: ConfigurationError, kind: type[CheckMessage]) -> CheckMessage:
    hint = "Set IMP_KEY and IMP_SECRET in the environment, or CREDENTIALS or ACCOUNTS here."
    return kind(str(error), hint=hint, id=f"imp_verify.{kind.__name__[0]}002")


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
    """Give the webhook's path; None where it is not included, or in a name space of the shop's."""
    with suppress(NoReverseMatch):
        return reverse("imp_verify:webhook") if getattr(settings, "ROOT_URLCONF", None) else None
    return None
