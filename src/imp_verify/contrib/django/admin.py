"""The store's tables in the admin: to look at, to check again at the gateway, and to give back what
pays nothing. Nothing can be changed there."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import template_localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ... import AsyncVerifier, ConfigurationError
from ..._core.reading import is_merchant_uid
from . import models
from ._giving_back import advice, amount_of, give_back, said
from .conf import get_store, get_verifier

__all__ = ["ChangeAdmin", "DueAdmin", "OrderAdmin", "ReceiptAdmin", "check", "give_back_chosen"]

_AT_MOST = 50
"""Payments at once: each is a call to the gateway, and somebody waits for the page."""
_AT_MOST_BACK = 10
"""Payments to give back at once: each takes a few calls, and PGs are slow."""
Numbers: TypeAlias = Mapping[str, str | None]
_log = logging.getLogger("imp_verify")


@dataclass
class _Checked:
    """How many payments have which verdict, and the one at which trouble ended it."""

    verdicts: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None


def _check_again(numbers: Numbers) -> _Checked:
    """Verify payments as a webhook would, and stop at the first trouble: it would be the same for
    all others. To be called in no transaction: a gateway is asked.

    Args:
        numbers: The order of each imp_uid, where one is recorded; else the gateway names it.
    """
    checked = _Checked()
    verifier = get_verifier()
    if isinstance(verifier, AsyncVerifier):
        async_to_sync(_check_all)(verifier, numbers, checked)
        return checked
    for imp_uid, number in numbers.items():
        try:
            checked.verdicts[verifier.verify(imp_uid, number).verdict] += 1
        except Exception:
            _stop(checked, imp_uid)
            break
    return checked


async def _check_all(
    verifier: AsyncVerifier, numbers: Mapping[str, str | None], checked: _Checked
) -> None:
    try:
        for imp_uid, number in numbers.items():
            try:
                checked.verdicts[(await verifier.verify(imp_uid, number)).verdict] += 1
            except Exception:
                _stop(checked, imp_uid)
                break
    finally:
        await verifier.close()  # this loop ends here, and with it what belongs to it


def _stop(checked: _Checked, imp_uid: str) -> None:
    checked.trouble = imp_uid
    _log.exception("%s could not be checked again from the admin", imp_uid)


def _no(*_: object) -> bool:
    return False


def _money(name: str, label: Any) -> Any:
    """Make a column. It cannot be sorted by: on SQLite an amount is text."""

    @admin.display(description=label)
    def column(_: object, row: Any) -> str:
        return amount_of(getattr(row, name), getattr(row, "currency", None))

    return column


@admin.action(description=_("Check again at the gateway"), permissions=["check"])
def check(model_admin: Any, request: Any, chosen: Any) -> None:
    """Verify the chosen payments, and say what became of them."""
    some = chosen.values_list("imp_uid", "merchant_uid")[: _AT_MOST + 1]
    # The number that the gateway gave; a receipt's counts more.
    numbers = {uid: number if is_merchant_uid(number) else None for uid, number in some}
    if _are_too_many(model_admin, request, len(numbers), _AT_MOST):
        return
    recorded = models.Receipt.objects.using(chosen.db).filter(imp_uid__in=list(numbers))
    checked = _check_again({**numbers, **dict(recorded.values_list("imp_uid", "merchant_uid"))})
    level = messages.SUCCESS if checked.trouble is None else messages.ERROR
    model_admin.message_user(request, _words(checked), level)


def _words(checked: _Checked) -> str:
    total = checked.verdicts.total()
    text = ngettext("%(number)d payment checked", "%(number)d payments checked", total)
    counts = ", ".join(f"{word}: {count}" for word, count in sorted(checked.verdicts.items()))
    text = text % {"number": total} + (f" ({counts})" if counts else "")
    if checked.trouble is None:
        return str(text)
    why = gettext("Trouble at %(imp_uid)s: the log says more.") % {"imp_uid": checked.trouble}
    return f"{text}. {why}"


@admin.action(description=_("Give back"), permissions=["give_back"])
def give_back_chosen(model_admin: Any, request: Any, chosen: Any) -> None:
    """Give the chosen payments back, one after the other, and say of each what became of it."""
    dues = list(chosen[: _AT_MOST_BACK + 1])
    if _are_too_many(model_admin, request, len(dues), _AT_MOST_BACK):
        return
    if not dues:  # a list that was looked at long ago
        model_admin.message_user(request, gettext("None is due any more."), messages.WARNING)
    for number, due in enumerate(dues, 1):
        tried = give_back(due, partial(_read_again, chosen, due.pk))
        model_admin.message_user(request, tried.text, tried.level)
        if tried.asked:  # who did it stands in the row's history
            model_admin.log_change(request, due, tried.text)
        if not tried.goes_on:
            if left := len(dues) - number:
                text = gettext("Not tried: %(number)d.") % {"number": left}
                model_admin.message_user(request, text, messages.WARNING)
            return


def _read_again(chosen: Any, imp_uid: str) -> Any:
    return models.Due.objects.using(chosen.db).get(pk=imp_uid)


def _are_too_many(model_admin: Any, request: Any, number: int, limit: int) -> bool:
    if number > limit:
        text = gettext("Choose at most %(number)d payments.") % {"number": limit}
        model_admin.message_user(request, text, messages.ERROR)
    return number > limit


class _ReadOnly(admin.ModelAdmin):
    """A table that can be looked at, by who may view it; checking again is a permission apart."""

    has_add_permission = has_change_permission = has_delete_permission = _no
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: Any) -> Any:
        """Read where the store writes, whatever a router says."""
        found = super().get_queryset(request)
        try:
            return found.using(getattr(get_store(), "using", None))
        except ConfigurationError:  # the tables can be looked at all the same
            return found

    def has_check_permission(self, request: Any) -> bool:
        """Whether somebody may send calls to the gateway."""
        return bool(request.user.has_perm("imp_verify.check_receipt"))

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        """Show the list, or run an action: which asks the gateway, and so in no transaction."""
        return super().changelist_view(request, extra_context)

    for _alias in connections:
        non_atomic_requests(_alias)(changelist_view)


@admin.register(models.Receipt)
class ReceiptAdmin(_ReadOnly):
    """Every payment that was recorded."""

    actions = (check,)
    paid, back = _money("amount", _("amount")), _money("cancel_amount", _("given back"))
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
class OrderAdmin(_ReadOnly):
    """Which payment pays an order."""

    list_display = ("merchant_uid", "paid_by", "was_paid")
    list_filter = ("was_paid",)
    search_fields = ("merchant_uid", "paid_by")


@admin.register(models.Change)
class ChangeAdmin(_ReadOnly):
    """What was handed on to the shop, once."""

    actions = (check,)
    paid = _money("amount", _("amount"))
    list_display = ("at", "imp_uid", "merchant_uid", "verdict", "reason", "paid", "endpoint")
    list_filter: tuple[str, ...] = ("verdict", "reason", "endpoint", "at")
    search_fields = ("imp_uid", "merchant_uid")
    ordering = ("-id",)
    readonly_fields = ("paid",)
    fields = ("at", "imp_uid", "merchant_uid", "change", "verdict", "reason", "paid", "endpoint")


class _IsDone(admin.SimpleListFilter):
    """What is open where nothing is said, else what is done, or both."""

    title = _("state")
    parameter_name = "done"

    def lookups(self, *_args: object) -> Any:
        """Return what may be asked for."""
        return (("yes", _("done")), ("all", _("all")))

    def choices(self, changelist: Any) -> Any:
        """Give the choices; that of no value, which Django calls all, is what is due."""
        first, *others = super().choices(changelist)
        return [{**first, "display": _("due")}, *others]

    def queryset(self, _request: Any, queryset: Any) -> Any:
        """Choose rows."""
        match self.value():
            case "all":
                return queryset
            case "yes":
                return queryset.exclude(done=None)
            case _:
                return queryset.filter(done=None)


@admin.register(models.Due)
class DueAdmin(_ReadOnly):
    """Money that was paid and pays nothing, what is open first seen, oldest first."""

    actions = (give_back_chosen, check)
    owed = _money("amount", _("amount"))
    list_display = (
        *("imp_uid", "merchant_uid", "why", "owed"),
        *("to_do", "since", "tries", "last_error"),
    )
    list_filter = (_IsDone, "kind", "created")
    search_fields = ("imp_uid", "merchant_uid")
    ordering = ("created", "imp_uid")
    readonly_fields = ("owed", "last_error", "to_do")
    fields = (
        *("imp_uid", "merchant_uid", "kind", "owed", "account", "test", "created"),
        *("begun", "tries", "next_try", "last_error", "to_do", "done"),
    )

    def get_queryset(self, request: Any) -> Any:
        """Leave out test payments where the shop is live: their money is none."""
        found = super().get_queryset(request)
        try:
            return found if get_verifier().settings.test_mode else found.filter(test=False)
        except ConfigurationError:  # the tables can be looked at all the same
            return found

    def has_give_back_permission(self, request: Any) -> bool:
        """Whether somebody may have payments cancelled at the gateway."""
        return bool(request.user.has_perm("imp_verify.give_back_due"))

    @admin.display(description=_("why"), ordering="kind")
    def why(self, due: Any) -> Any:
        """Name the kind on one line: there is room for little, and Korean may break anywhere."""
        return format_html('<span class="nowrap">{}</span>', due.get_kind_display())

    @admin.display(description=_("due since"), ordering="created")
    def since(self, due: Any) -> str:
        """Say the day; the row's own page has the time."""
        return str(date_format(template_localtime(due.created), "SHORT_DATE_FORMAT"))

    @admin.display(description=_("last error"))
    def last_error(self, due: Any) -> str:
        """Say why the last try came to nothing, where that is no advice."""
        return said(due)

    @admin.display(description=_("what to do"))
    def to_do(self, due: Any) -> str:
        """Say what a person may do about it."""
        try:
            consented = get_verifier().settings.give_back
        except ConfigurationError:
            consented = frozenset()
        return advice(due, consented | {"refused"})
