"""The endpoints in drf-spectacular's schema, by a hook that its settings name. It stands alone, for
it needs nothing but Django itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, get_script_prefix, reverse

from ... import ConfigurationError
from ..openapi import paths
from .conf import get_verifier

__all__ = ["add_payments"]


def add_payments(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add the payment endpoints to a schema: one of the `POSTPROCESSING_HOOKS` of
    `SPECTACULAR_SETTINGS`.

    Raises:
        ConfigurationError: `imp_verify.contrib.django.urls` is not included, or in a name space or
            under a path with variables; or the setting `IMP_VERIFY` is missing or unusable.
    """
    try:
        path = reverse("imp_verify:webhook")
    except NoReverseMatch:
        raise ConfigurationError(
            'the payments need path("payments/", include("imp_verify.contrib.django.urls")), '
            "in no name space and without variables, to be in the schema"
        ) from None
    # The paths of a schema begin where the application does.
    prefix = "/" + path.removeprefix(get_script_prefix()).removesuffix("webhook")
    result["paths"].update(paths(prefix, accounts=_has_accounts()))
    return result


def _has_accounts() -> bool:
    given = getattr(settings, "IMP_VERIFY", None)
    if not isinstance(given, Mapping) or "STORE" not in given:
        return get_verifier().settings.accounts is not None
    # No verifier is made: schemas are built where there are no credentials.
    return given.get("ACCOUNTS") is not None
