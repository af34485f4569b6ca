"""Giving money back because the shop says so: what may be asked of the gateway, and what is looked
up afterwards. A flow, without I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

from ..errors import GatewayError, GatewayRefused, GatewayUnavailable, InvalidRequest
from ..models import Notice, Outcome, Payment, Receipt, ReceiptState, Refund
from ..settings import Settings
from .accounts import Accounts
from .calls import cancel_payment
from .flow import Consult, Flow, Recall
from .gateway import Account
from .reading import EXACT, check_imp_uid, read_amount
from .verification import verify
from .wire import write_fields

__all__ = ["ACCEPTED", "Cancel", "cancel", "is_later", "look_anyway"]

ACCEPTED = "the gateway has accepted the cancel of {}"
"""What an error says that came after it: it went through."""
_LONGEST_REASON = 256
_HELD = (ReceiptState.PAYING, ReceiptState.DUPLICATE, ReceiptState.LATE)
"""What is recorded of money that is there."""
_LATER = frozenset(("paypal", "paypal_v2", "paymentwall"))
"""PGs that accept a cancel first and carry it out later; so do WeChat and accounts at Smartro."""
_WECHAT = "wechat"
_ACCOUNT = "vbank"


@dataclass(frozen=True, slots=True)
class Cancel:
    """What a shop wants to give back, checked. Amounts are in the currency's main unit.

    Attributes:
        amount: None for all that is left.
        refundable: What the shop believes is left; None where the receipt is to say it.
    """

    imp_uid: str
    reason: str = field(repr=False)
    amount: Decimal | None = None
    refundable: Decimal | None = None
    refund_to: Refund | None = None
    tax_free: Decimal | None = None
    vat_amount: Decimal | None = None
    extra: Mapping[str, object] | None = field(default=None, repr=False)
    enable_webhook: bool = True

    @classmethod
    def of(
        cls,
        imp_uid: object,
        *,
        reason: object,
        amount: object,
        refundable: object,
        refund_to: object,
        tax_free: object,
        vat_amount: object,
        extra: object,
        enable_webhook: object,
    ) -> Cancel:
        """Check what a caller gave.

        Raises:
            InvalidRequest: A value of a wrong type or out of range; the text names it.
        """
        part, left = _amount("amount", amount), _amount("refundable", refundable)
        if part is not None and left is None:
            raise InvalidRequest(
                "refundable is missing: to give back a part, say what you believe is left of the "
                "payment (what the screen showed), or a second click gives it back twice"
            )
        _at_most("amount", part, "refundable", left)
        of_part = part if part is not None else left
        free, vat = _amount("tax_free", tax_free, 0), _amount("vat_amount", vat_amount, 0)
        _at_most("tax_free", free, "the amount given back", of_part)
        _at_most("vat_amount", vat, "the amount given back", of_part)
        if not isinstance(refund_to, Refund | None):
            raise InvalidRequest("refund_to must be a Refund")
        if not isinstance(extra, Mapping | None):
            raise InvalidRequest('extra must be a mapping, {"requester": "admin"} for example')
        if extra is not None and not _is_json(extra):
            raise InvalidRequest("extra must hold what JSON can hold")
        if not isinstance(enable_webhook, bool):
            raise InvalidRequest("enable_webhook must be True or False")
        return cls(
            check_imp_uid(imp_uid),
            _reason(reason),
            part,
            left,
            refund_to,
            free,
            vat,
            None if extra is None else dict(extra),
            enable_webhook,
        )

    def body(self) -> bytes:
        """Write it as JSON, with `checksum`: the gateway compares it before anything happens."""
        return write_fields(
            {
                "imp_uid": self.imp_uid,
                "amount": self.amount,
                "checksum": self.refundable,
                "reason": self.reason,
                "tax_free": self.tax_free,
                "vat_amount": self.vat_amount,
                "extra": self.extra,
                "enable_webhook": self.enable_webhook,
                **({} if self.refund_to is None else self.refund_to.fields()),
            }
        )


def _is_json(given: Mapping[str, object]) -> bool:
    try:
        _ = json.dumps(dict(given), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _reason(given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise InvalidRequest("reason is missing: the gateway and some PGs ask for it")
    if len(given) > _LONGEST_REASON or not given.isprintable():
        raise InvalidRequest(f"reason must be at most {_LONGEST_REASON} printable characters")
    return given


def _amount(name: str, given: object, least: int = 1) -> Decimal | None:
    """Read an amount above 0; `least` is 0 where 0 is one, too."""
    if given is None:
        return None
    amount = read_amount(given)
    if amount is None or (amount <= 0 and least):
        over = "above 0" if least else "of 0 or more"
        raise InvalidRequest(f"{name} must be an int, a Decimal or plain decimal text {over}")
    return amount


def _at_most(name: str, value: Decimal | None, limit_name: str, limit: Decimal | None) -> None:
    if value is not None and limit is not None and value > limit:
        raise InvalidRequest(f"{name} is {value:f}, more than {limit_name}, {limit:f}")


def cancel(
    settings: Settings,
    accounts: Accounts,
    wanted: Cancel,
    account_name: str | None,
    *,
    ledger: bool,
) -> Flow[Outcome]:
    """Have the gateway give money back, look the payment up, and have the store record it.

    Args:
        account_name: For a payment without a receipt, where there are several accounts.
        ledger: Whether the store knows what is due.

    Raises:
        InvalidRequest: What is recorded says that it cannot be meant so. Nothing was sent.
        GatewayRefused: The gateway refused it; the payment was looked up and recorded.
        GatewayUnavailable: With `uncertain`, where no answer came: it was looked up and recorded.
            Without, nothing was done; or it was accepted, as the error's notes then say, and could
            not be looked up.
    """
    receipts = yield from Recall((wanted.imp_uid,))
    receipt = receipts.get(wanted.imp_uid)
    asked = _account(accounts, receipt, account_name)
    checked = _against_receipt(wanted, receipt)
    look = partial(verify, settings, accounts, Notice(wanted.imp_uid), "cancel", asked=asked)
    look_and_mark = partial(_look_and_mark, look, wanted.imp_uid, ledger)
    try:
        yield from cancel_payment(asked, checked, accounts.deadline(settings.cancel_timeout))
    except (GatewayRefused, GatewayUnavailable) as error:
        if isinstance(error, GatewayRefused):
            yield from look_anyway(look(), error)
        elif error.uncertain:
            yield from look_anyway(look_and_mark(), error)
        raise
    try:
        return (yield from look_and_mark())
    except Exception as error:
        error.add_note(ACCEPTED.format(wanted.imp_uid))
        raise


def _look_and_mark(look: Callable[[], Flow[Outcome]], imp_uid: str, ledger: bool) -> Flow[Outcome]:
    """Look; where the PG may carry the cancel out later, and the money is due back anyway, note
    that it was asked for: no number guards a second cancel there, and the policy would send one."""
    try:
        outcome = yield from look()
    except Exception:
        if ledger:  # it may be such a PG
            yield from Consult("close_due", (imp_uid, "asked"))
        raise
    if ledger and outcome.money and outcome.payment is not None and is_later(outcome.payment):
        yield from Consult("close_due", (imp_uid, "asked"))
    return outcome


def look_anyway(look: Flow[Outcome], told: GatewayError) -> Flow[None]:
    """Record what is there now, if it can be done: the caller is told of the cancel."""
    try:
        yield from look
    except Exception as error:  # the hooks' own, too
        told.add_note(f"the payment could not be looked up and recorded ({type(error).__name__})")


def is_later(payment: Payment) -> bool:
    """Whether a cancel of this payment may be accepted and carried out later, so that the gateway
    goes on calling it paid. Source: the PGs' own pages."""
    providers = (payment.pg_provider, payment.emb_pg_provider, payment.pay_method)
    if any(each in _LATER or (each or "").startswith(_WECHAT) for each in providers):
        return True
    return payment.pay_method == _ACCOUNT


def _account(accounts: Accounts, receipt: Receipt | None, name: str | None) -> Account:
    """Choose the account: the receipt's, else the one that the caller names.

    Raises:
        InvalidRequest: None is named where it must be, or another than the receipt's.
    """
    if accounts.only is not None or receipt is None or receipt.account is None:
        return accounts.select(name)
    if name not in (None, receipt.account):
        raise InvalidRequest(f"{receipt.imp_uid} is recorded with account {receipt.account!r:.100}")
    return accounts.recorded(receipt)


def _against_receipt(wanted: Cancel, receipt: Receipt | None) -> Cancel:
    """Fill in what is left from the receipt, and refuse what it shows to be a mistake. A refund
    that is not recorded yet leaves less than the receipt says, never more."""
    left = None
    if receipt is not None:
        held = receipt.state in _HELD
        left = EXACT.subtract(receipt.amount, receipt.cancel_amount) if held else None
        if left == 0 or receipt.state is ReceiptState.CANCELLED:
            raise InvalidRequest(f"{wanted.imp_uid} was given back in full: nothing is left of it")
    if wanted.refundable is None:
        if left is None:
            raise InvalidRequest(
                "refundable is missing: no receipt of this payment says what is left of it"
            )
        _at_most("tax_free", wanted.tax_free, "what is left", left)
        _at_most("vat_amount", wanted.vat_amount, "what is left", left)
        return replace(wanted, refundable=left)
    _at_most("refundable", wanted.refundable, "what the receipt says is left", left)
    return wanted
