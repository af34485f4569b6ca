"""The pay button on a Django page. It knows where the page is, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.functional import Promise

from ... import ConfigurationError
from ..browser import Markup, Place, button
from .conf import get_verifier

__all__ = ["imp_verify_button"]


def imp_verify_button(
    request: HttpRequest, order: Any, *, nonce: str | None = None, **options: Any
) -> Markup:
    """Make the pay button of an order; for other template engines than Django's, too.

    Args:
        order: What `imp_verify.contrib.browser.button` takes; it raises like that. With an
            `AsyncVerifier` it is `await find_order(get_verifier(), number)`.
        nonce: Else the one that Django's own middleware or django-csp gave the request.
        options: See `imp_verify.contrib.browser.ButtonOptions`.

    Raises:
        ConfigurationError: `imp_verify.contrib.django.urls` is not included, or in a name space.
    """
    try:
        path = reverse("imp_verify:redirect")
    except NoReverseMatch:
        raise ConfigurationError(
            'the pay button needs path("payments/", include("imp_verify.contrib.django.urls")), '
            "in no name space"
        ) from None
    accepted = [request.headers.get("Accept-Language", "")]
    given = _nonce(request) if nonce is None else nonce
    place = Place.of(path, get_script_prefix(), given, accepted, _after_the_page)
    # What a template calls `_` with is translated late, and JSON takes text only.
    options = {name: str(v) if isinstance(v, Promise) else v for name, v in options.items()}
    return button(get_verifier(), order, place=place, **options)


def _after_the_page(work: Callable[[], None]) -> None:
    """Run it once ATOMIC_REQUESTS has committed, in every database that has it, or now: no gateway
    is waited for meanwhile."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            again = partial(_after_the_page, work)  # one around it may be open still
            transaction.on_commit(again, using=connection.alias)
            return
    work()


def _nonce(request: HttpRequest) -> object:
    given = getattr(request, "csp_nonce", None)
    if given is not None:
        return given
    try:
        from django.middleware.csp import get_nonce
    except ImportError:  # before Django 6.0
        return None
    return get_nonce(request)
