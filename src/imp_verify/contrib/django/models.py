"""What Django knows the tables by, and the money in them that should go back."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ._tables import Change, Order, Receipt

__all__ = ["Change", "MoneyToGiveBack", "Order", "Receipt"]


class _GivesBack(models.Manager):
    def get_queryset(self) -> Any:
        kept = Receipt.objects.filter(state__in=("duplicate", "late")).values("imp_uid")
        good = Receipt.objects.filter(state__in=("paying", "cancelled")).values("imp_uid")
        paid = Q(verdict__in=("duplicate", "late"), imp_uid__in=kept)
        # A refused payment without money is kept with an amount of 0.
        refused = Q(verdict="forgery") & ~Q(reason="order") & ~Q(amount=0) & ~Q(imp_uid__in=good)
        return super().get_queryset().filter(paid | refused)


class MoneyToGiveBack(Change):
    """Changes that speak of money which pays no order: paid twice, too late, or refused. What the
    shop accepted later is not among them, nor what was given back of the first two; of a refused
    payment no receipt is kept, so that it stays."""

    objects = _GivesBack()

    class Meta:
        proxy = True
        verbose_name = _("money to give back")
        verbose_name_plural = _("money to give back")
