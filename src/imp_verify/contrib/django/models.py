"""The five tables of a `DjangoStore`, which writes them alone."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ...stores._dues import LONGEST_ERROR
from .fields import ExactTextField, MoneyField

__all__ = ["Change", "Due", "Order", "Receipt", "Run"]

_STATES = {
    "waiting": _("waiting for a deposit"),
    "paying": _("paid"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "duplicate": _("paid twice"),
    "late": _("paid too late"),
}
_KINDS = {
    "forgery": _("forged"),
    "duplicate": _("paid twice"),
    "late": _("paid too late"),
    "refused": _("refused by the shop"),
}


class Order(models.Model):
    """One row per order that a payment came for: payments of one order meet here."""

    merchant_uid = ExactTextField(_("order number"), max_length=64, primary_key=True)
    paid_by = ExactTextField(_("paid by"), max_length=32, null=True)
    was_paid = models.BooleanField(_("was ever paid"), default=False)

    class Meta:
        db_table = "imp_orders"
        verbose_name = _("order")
        verbose_name_plural = _("orders")

    def __str__(self) -> str:
        return str(self.merchant_uid)


class Receipt(models.Model):
    """One row per payment, bound to one order for ever. `amount` and `cancel_amount` are in the
    currency's main unit."""

    imp_uid = ExactTextField(_("payment"), max_length=32, primary_key=True)
    merchant_uid = ExactTextField(_("order number"), max_length=64)
    state = models.CharField(_("state"), max_length=16, choices=list(_STATES.items()))
    amount = MoneyField(_("amount"))
    cancel_amount = MoneyField(_("given back"))
    currency = ExactTextField(_("currency"), max_length=64)
    account = ExactTextField(_("account"), max_length=255, null=True)
    test = models.BooleanField(_("test payment"))
    pay_method = ExactTextField(_("method"), max_length=64, null=True)
    vbank_name = ExactTextField(_("bank"), max_length=64, null=True)
    vbank_num = ExactTextField(_("virtual account"), max_length=64, null=True)
    vbank_due = models.DateTimeField(_("to be paid in by"), null=True)
    paid_at = models.DateTimeField(_("paid at"), null=True)
    created_at = models.DateTimeField(_("first seen"))
    updated_at = models.DateTimeField(_("last changed"))
    reason = models.CharField(_("reason"), max_length=32, null=True)

    class Meta:
        db_table = "imp_receipts"
        indexes = (models.Index(fields=["merchant_uid"], name="imp_receipts_order"),)
        permissions = (("check_receipt", "Can check payments again at the gateway"),)
        verbose_name = _("payment")
        verbose_name_plural = _("payments")

    def __str__(self) -> str:
        return str(self.imp_uid)


class Change(models.Model):
    """One row per change that was handed on to the shop, once."""

    id = models.BigAutoField(primary_key=True)
    imp_uid = ExactTextField(_("payment"), max_length=32)
    change = ExactTextField(_("change"), max_length=120)
    merchant_uid = ExactTextField(_("order number"), max_length=64)
    verdict = models.CharField(_("verdict"), max_length=32)
    reason = models.CharField(_("reason"), max_length=32, null=True)
    amount = MoneyField(_("amount"))
    endpoint = models.CharField(_("came by"), max_length=32)
    at = models.DateTimeField(_("when"))

    class Meta:
        db_table = "imp_changes"
        constraints = (
            models.UniqueConstraint(fields=["imp_uid", "change"], name="imp_changes_once"),
        )
        verbose_name = _("change")
        verbose_name_plural = _("changes")

    def __str__(self) -> str:
        return f"{self.imp_uid}:{self.change}"


class Due(models.Model):
    """One row per payment whose money is, or was, to be given back; see `imp_verify.stores.Due`."""

    imp_uid = ExactTextField(_("payment"), max_length=32, primary_key=True)
    merchant_uid = ExactTextField(_("order number"), max_length=64)
    kind = models.CharField(_("why"), max_length=16, choices=list(_KINDS.items()))
    amount = MoneyField(_("amount"))
    currency = ExactTextField(_("currency"), max_length=64)
    account = ExactTextField(_("account"), max_length=255, null=True)
    test = models.BooleanField(_("test payment"))
    begun = models.DateTimeField(_("first tried"), null=True)
    tries = models.IntegerField(_("tries"))
    next_try = models.DateTimeField(_("next try"), null=True)
    error = ExactTextField(_("last error"), max_length=LONGEST_ERROR, null=True)
    created = models.DateTimeField(_("due since"))
    done = models.DateTimeField(_("done"), null=True)

    class Meta:
        db_table = "imp_dues"
        permissions = (("give_back_due", "Can give money back at the gateway"),)
        verbose_name = _("payment to give back")
        verbose_name_plural = _("payments to give back")

    def __str__(self) -> str:
        return str(self.imp_uid)


class Run(models.Model):
    """One row per account: how far `reconcile` came, and when the store began."""

    # A key of four bytes a character: where the server's default engine is MyISAM, which makes the
    # table before it is given to InnoDB, more do not fit.
    account = ExactTextField(_("account"), max_length=240, primary_key=True)
    began = models.DateTimeField(_("store began"))
    since = models.DateTimeField(_("from"), null=True)
    until = models.DateTimeField(_("until"), null=True)
    page = models.IntegerField(_("next page"), null=True)
    finished = models.DateTimeField(_("finished until"), null=True)

    class Meta:
        db_table = "imp_runs"
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")

    def __str__(self) -> str:
        return str(self.account)
