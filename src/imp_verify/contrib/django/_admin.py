"""What the pages of the admin share: they are for looking, and for checking again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ... import ConfigurationError
from ..._core.ids import is_merchant_uid
from ._checking import AT_MOST, Checked, check_again
from .conf import get_store
from .models import Receipt

__all__ = ["ReadOnly", "check", "money"]


def _no(*_: object) -> bool:
    return False


def money(name: str, label: Any) -> Any:
    """Make a column. It cannot be sorted by: on SQLite an amount is text."""

    @admin.display(description=label)
    def column(_: object, row: Any) -> str | None:
        amount = getattr(row, name)
        if amount is None:
            return None
        return f"{amount:,f}\N{NO-BREAK SPACE}{getattr(row, 'currency', None) or ''}".strip()

    return column


@admin.action(description=_("Check again at the gateway"), permissions=["check"])
def check(model_admin: Any, request: Any, chosen: Any) -> None:
    """Verify the chosen payments, and say what became of them."""
    some = chosen.values_list("imp_uid", "merchant_uid")[: AT_MOST + 1]
    # The number that the gateway gave; a receipt's counts more.
    numbers = {uid: number if is_merchant_uid(number) else None for uid, number in some}
    if len(numbers) > AT_MOST:
        text = gettext("Choose at most %(number)d payments.") % {"number": AT_MOST}
        model_admin.message_user(request, text, messages.ERROR)
        return
    recorded = Receipt.objects.using(chosen.db).filter(imp_uid__in=list(numbers))
    checked = check_again({**numbers, **dict(recorded.values_list("imp_uid", "merchant_uid"))})
    level = messages.SUCCESS if checked.trouble is None else messages.ERROR
    model_admin.message_user(request, _words(checked), level)


def _words(checked: Checked) -> str:
    total = checked.verdicts.total()
    text = ngettext("%(number)d payment checked", "%(number)d payments checked", total)
    counts = ", ".join(f"{word}: {count}" for word, count in sorted(checked.verdicts.items()))
    text = text % {"number": total} + (f" ({counts})" if counts else "")
    if checked.trouble is None:
        return str(text)
    why = gettext("Trouble at %(imp_uid)s: the log says more.") % {"imp_uid": checked.trouble}
    return f"{text}. {why}"


class ReadOnly(admin.ModelAdmin):
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
