"""The call that gives money back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from imp_verify.sandbox import search
from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import AMOUNT, BODY, FLAG, NAMED, TEXT, ApiCall, Parameter
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import NO_NUMBER, NO_REASON, NOTHING_TO_CANCEL, Refused
from imp_verify.sandbox.opening import KOREA

LONGEST_REASON = 256
_REQUESTERS = ("admin", "customer")
_VOUCHERS = ("cultureland", "culturegift", "smartculture", "booknlife")
_WHOLE_VOUCHERS = ("tosspayments", "daou")
"""The PGs that are known to give a voucher back as a whole alone."""
_REFUND = ("refund_holder", "refund_bank", "refund_account")


def _cancel(call: Call) -> Answer:
    attempt = _to_cancel(call)
    amount, checksum = call.amount("amount"), call.amount("checksum")
    part = call.sandbox.gateway.cancellable(attempt.imp_uid, amount=amount, checksum=checksum)
    for name in ("tax_free", "vat_amount"):
        if (call.amount(name) or 0) > part:
            raise Refused(f"{name} 값이 취소 요청금액을 초과합니다.")
    _check_way_back(call, attempt)
    _check_purchase(call, attempt, part)
    cancelled = call.sandbox.refund(
        attempt.imp_uid,
        amount=amount,
        checksum=checksum,
        reason=call.text("reason") or NO_REASON,
        tax_free=call.amount("tax_free") or Decimal(0),
        retain_promotion=call.flag("retain_promotion"),
        webhook=call.flag("enable_webhook") and call.sandbox.webhooks.told_of(attempt.imp_uid),
    )
    return Answer(cancelled.wire())


def _to_cancel(call: Call) -> Attempt:
    imp_uid, merchant_uid = call.text("imp_uid"), call.text("merchant_uid")
    if imp_uid is None and merchant_uid is None:
        raise Refused(NO_NUMBER)
    found = call.known(imp_uid) if imp_uid else search.sort(call.of_order(merchant_uid or ""))
    found = [each for each in found if not call.sandbox.settings.left_out_of_cancel(each)]
    if not found:
        raise Refused(NOTHING_TO_CANCEL)
    return next((attempt for attempt in found if attempt.remaining), found[0])


def _check_way_back(call: Call, attempt: Attempt) -> None:
    """Raise Refused where the money has no way back: no account to send it to, or too late.

    Source: V1 REST API, POST /payments/cancel; cancel pages of V1.
    """
    needed: tuple[str, ...] = _REFUND if attempt.pay_method == "vbank" else ()
    if needed and attempt.pg.refund_tel:
        needed = (*needed, "refund_tel")
    if missing := [name for name in needed if call.text(name) is None]:
        raise Refused(f"환불계좌 정보가 누락되었습니다. ({', '.join(missing)})")
    if attempt.pay_method != "phone":
        return
    now = call.sandbox.gateway.now()
    to_account = attempt.pg.phone_to_account and all(map(call.text, _REFUND))
    if _month(attempt.paid_at) != _month(now) and not to_account:
        raise Refused("휴대폰 소액결제는 결제한 달에만 취소할 수 있습니다.")


def _check_purchase(call: Call, attempt: Attempt, part: Decimal) -> None:
    """Raise Refused where the PG wants more said, or gives no part of it back.

    Source: V1 REST API, POST /payments/cancel, on naverpay; the PGs' own pages.
    """
    requester = call.named("extra").get("requester", _REQUESTERS[0])
    if requester not in _REQUESTERS:
        raise Refused("extra.requester는 admin, customer 중 하나여야 합니다.")
    if attempt.pg.cancel_needs_reason and call.text("reason") is None:
        raise Refused("reason 파라메터가 누락되었습니다.")
    whole = attempt.pay_method in _VOUCHERS and attempt.pg_provider in _WHOLE_VOUCHERS
    if whole and part < attempt.remaining:
        raise Refused("상품권 결제는 부분취소할 수 없습니다.")


def _month(seconds: int) -> tuple[int, int]:
    date = datetime.fromtimestamp(seconds, KOREA)
    return date.year, date.month


CALLS = (
    ApiCall(
        "cancel",
        "POST",
        ("/payments/cancel",),
        _cancel,
        (
            Parameter("imp_uid", TEXT, BODY),
            Parameter("merchant_uid", TEXT, BODY),
            Parameter("amount", AMOUNT, BODY),
            Parameter("tax_free", AMOUNT, BODY),
            Parameter("vat_amount", AMOUNT, BODY),
            Parameter("checksum", AMOUNT, BODY),
            Parameter("reason", TEXT, BODY, longest=LONGEST_REASON),
            *(Parameter(name, TEXT, BODY) for name in _REFUND),
            Parameter("refund_tel", TEXT, BODY),
            Parameter("retain_promotion", FLAG, BODY),
            Parameter("enable_webhook", FLAG, BODY),
            Parameter("extra", NAMED, BODY),
        ),
    ),
)
