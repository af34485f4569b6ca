"""The Django application `imp_verify.contrib.django`: its tables, admin and system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

__all__ = ["PaymentsConfig"]


class PaymentsConfig(AppConfig):
    """What Django knows this application by."""

    name = "imp_verify.contrib.django"
    label = "imp_verify"
    verbose_name = _("I'mport payments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and what follows a migration."""
        from .checks import check_deployment, check_engines, check_payments, check_redirect

        register(check_payments)
        register(check_engines, Tags.database)
        register(check_deployment, deploy=True)
        register(check_redirect, Tags.security, deploy=True)
        post_migrate.connect(_note_beginning, sender=self)


def _note_beginning(using: str, **named: object) -> None:
    """Note when the store begins, where no migration has: its tables were made without them, as in
    many a test run, or are empty since a `flush`. At the first payment it would be too late for
    that one's own money."""
    from . import _records, models

    if models.Run._meta.db_table in connections[using].introspection.table_names():
        _ = _records.run(using, "", owned=True)
