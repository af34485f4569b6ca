"""`{% load imp_verify %}{% imp_verify_button order %}`."""

from __future__ import annotations

from typing import Any

from django import template

from .... import ConfigurationError
from .. import button

__all__ = ["imp_verify_button", "register"]

register = template.Library()


@register.simple_tag(takes_context=True)
def imp_verify_button(context: Any, order: Any, **options: Any) -> str:
    """Make the pay button of an order; see `imp_verify.contrib.django.button`.

    Raises:
        ConfigurationError: The template has no `request`.
    """
    if "request" not in context:
        raise ConfigurationError(
            "the pay button needs the request in its template: render(request, ...) with "
            "django.template.context_processors.request"
        )
    return button.imp_verify_button(context["request"], order, **options)
