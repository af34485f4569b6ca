"""The Django application `imp_verify.contrib.django`: it brings the system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

__all__ = ["PaymentsConfig"]


class PaymentsConfig(AppConfig):
    """What Django knows this application by."""

    name = "imp_verify.contrib.django"
    label = "imp_verify"
    verbose_name = "I'mport payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from .checks import check_payments, check_redirect

        register(check_payments)
        register(check_redirect, Tags.security, deploy=True)
