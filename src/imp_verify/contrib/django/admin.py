"""The store's tables in the admin: to look at, and to check again at the gateway. Nothing can be
changed there."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext_lazy as _

from . import models
from ._admin import ReadOnly, check, money

__all__ = ["ChangeAdmin", "MoneyToGiveBackAdmin", "OrderAdmin", "ReceiptAdmin"]


@admin.register(models.Receipt)
class ReceiptAdmin(ReadOnly):
    """Every payment that was recorded."""

    actions = (check,)
    paid, back = money("amount", _("amount")), money("cancel_amount", _("given back"))
    list_display = ("imp_uid", "merchant_uid", "state", "paid", "back", "test", "updated_at")
    list_filter = ("state", "test", "currency", "account", "created_at")
    search_fields = ("imp_uid", "merchant_uid")
    ordering = ("-updated_at", "imp_uid")
    readonly_fields = ("paid", "back")
    fields = (
        *("imp_uid", "merchant_uid", "state", "paid", "back", "account", "test"),
        *("pay_method", "vbank_name", "vbank_num", "vbank_due"),
        *("paid_at", "created_at", "updated_at"),
    )


@admin.register(models.Order)
class OrderAdmin(ReadOnly):
    """Which payment pays an order."""

    list_display = ("merchant_uid", "paid_by", "was_paid")
    list_filter = ("was_paid",)
    search_fields = ("merchant_uid", "paid_by")


@admin.register(models.Change)
class ChangeAdmin(ReadOnly):
    """What was handed on to the shop, once."""

    actions = (check,)
    paid, back = money("amount", _("amount")), money("back", _("given back"))
    list_display = ("at", "imp_uid", "merchant_uid", "verdict", "reason", "paid", "endpoint")
    list_filter: tuple[str, ...] = ("verdict", "reason", "endpoint", "at")
    search_fields = ("imp_uid", "merchant_uid")
    ordering = ("-id",)
    readonly_fields = ("paid",)
    fields = ("at", "imp_uid", "merchant_uid", "change", "verdict", "reason", "paid", "endpoint")


@admin.register(models.MoneyToGiveBack)
class MoneyToGiveBackAdmin(ChangeAdmin):
    """What was paid and pays nothing, oldest first; of what was refused, only the gateway knows
    whether it was paid."""

    list_display = ("imp_uid", "merchant_uid", "verdict", "reason", "paid", "back", "at")
    list_filter = ("verdict", "reason", "at")
    ordering = ("id",)

    def get_queryset(self, request: Any) -> Any:
        """Add what the payment's own row says."""
        kept = models.Receipt.objects.filter(imp_uid=OuterRef("imp_uid"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                back=Subquery(kept.values("cancel_amount")),
                currency=Subquery(kept.values("currency")),
            )
        )
