"""The Django application `imp_verify.contrib.django`: its tables, admin and system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _

__all__ = ["PaymentsConfig"]


class PaymentsConfig(AppConfig):
    """What Django knows this application by."""

    name = "imp_verify.contrib.django"
    label = "imp_verify"
    verbose_name = _("I'mport payments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from .checks import check_deployment, check_engines, check_payments, check_redirect

        register(check_payments)
        register(check_engines, Tags.database)
        register(check_deployment, deploy=True)
        register(check_redirect, Tags.security, deploy=True)
