"""System checks: what is better known before the first payment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.urls import NoReverseMatch, reverse

from ... import ConfigurationError
from .conf import get_verifier

__all__ = ["check_payments"]

_CREDENTIALS = ("IMP_KEY", "IMP_SECRET", "IMP_TIER")


def check_payments(app_configs: object = None, **_: object) -> list[CheckMessage]:
    """Check the setting `IMP_VERIFY`, and what of Django's own stands against it."""
    try:
        verifier = get_verifier()
    except ConfigurationError as error:
        return [_unusable(str(error))]
    return [*_check_store(verifier), *_check_proxy(), *_check_prefix()]


def _unusable(text: str) -> CheckMessage:
    if not any(name in text for name in _CREDENTIALS):
        return Error(text, id="imp_verify.E001")
    hint = (
        "Set IMP_KEY and IMP_SECRET in the environment, or CREDENTIALS or ACCOUNTS in IMP_VERIFY."
    )
    return Error(text, hint=hint, id="imp_verify.E002")


def _check_store(verifier: Any) -> Iterator[CheckMessage]:
    if not settings.DEBUG and getattr(verifier._store, "for_tests_only", False):
        yield Warning(
            "The payments are kept in memory: each process has its own, and forgets them.",
            hint="Give IMP_VERIFY a store that keeps them in a database.",
            id="imp_verify.W003",
        )


def _check_proxy() -> Iterator[CheckMessage]:
    given = settings.IMP_VERIFY
    names = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
    proxies = [name for name in names if getattr(settings, name)]
    if proxies and given.get("WEBHOOK_SOURCES") is not None and not given.get("TRUSTED_PROXIES"):
        yield Warning(
            f"{proxies[0]} says that a proxy stands in front. IMP_VERIFY has WEBHOOK_SOURCES but "
            "no TRUSTED_PROXIES: the proxy is taken for the sender of every webhook.",
            hint='Name the networks of the proxy in IMP_VERIFY["TRUSTED_PROXIES"].',
            id="imp_verify.W004",
        )


def _check_prefix() -> Iterator[CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    try:
        address = reverse("imp_verify:webhook")
    except NoReverseMatch:  # not included, or in a name space of the shop's
        return
    if not address.endswith("/webhook"):
        yield Error(
            f"The prefix of the payment endpoints has no slash at its end: {address}",
            hint='path("payments/", include("imp_verify.contrib.django.urls"))',
            id="imp_verify.E005",
        )
