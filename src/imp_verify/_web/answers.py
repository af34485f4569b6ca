"""The one table from verdict to answer: status code, word, sentence and landing, for each endpoint
and language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import NamedTuple
from urllib.parse import quote

from ..models import Notice, Outcome, Payment, Reason, Verdict
from ..settings import Landing, in_ascii
from .http import Response
from .page import Row as Shown
from .page import policy, render

__all__ = [
    "FORBIDDEN",
    "INVALID",
    "REFUSED",
    "RETRY_AFTER",
    "TOO_LARGE",
    "TROUBLE",
    "Told",
    "Wording",
    "answer_key",
    "approved",
    "landing",
    "no_method",
    "reason_words",
    "refused",
    "verdict_answer",
]

TROUBLE = "trouble"
REFUSED = f"{Verdict.LATE}:{Reason.REFUSED}"
"""A verdict with a row of its own for one reason: the shop gave the payment back."""
INVALID = "invalid"
TOO_LARGE = "too_large"
FORBIDDEN = "forbidden"
RETRY_AFTER = "10"
"""Seconds after which a delivery answered 503 may come again."""


class Row(NamedTuple):
    """One verdict's answers: code and word of complete and webhook, where a redirect goes, and
    whose sentence is said where it is not the word's."""

    complete: tuple[int, str]
    webhook: tuple[int, str]
    lands: str
    says: str | None = None


_TABLE: Mapping[str, Row] = {
    Verdict.PAID: Row((200, "success"), (200, "success"), "success"),
    Verdict.PARTLY_CANCELLED: Row((200, "success"), (200, "success"), "success"),
    Verdict.VIRTUAL_ACCOUNT: Row((200, "vbankIssued"), (200, "vbankIssued"), "success"),
    Verdict.PENDING: Row((409, "pending"), (200, "pending"), "pending"),
    Verdict.FAILED: Row((400, "failed"), (200, "failed"), "failure"),
    Verdict.CANCELLED: Row((409, "cancelled"), (200, "cancelled"), "failure"),
    Verdict.DUPLICATE: Row((409, "duplicatePayment"), (200, "duplicatePayment"), "failure"),
    Verdict.LATE: Row((409, "latePayment"), (200, "latePayment"), "failure"),
    REFUSED: Row((409, "latePayment"), (200, "latePayment"), "failure", "refusedPayment"),
    Verdict.FORGERY: Row((400, "forgery"), (400, "forgery"), "failure"),
    Verdict.UNKNOWN_PAYMENT: Row((400, "forgery"), (400, "unknownPayment"), "failure"),
    Verdict.UNKNOWN_ORDER: Row((400, "forgery"), (503, "unavailable"), "failure"),
    TROUBLE: Row((503, "unavailable"), (503, "unavailable"), "pending"),
    INVALID: Row((400, "invalid"), (400, "invalid"), "failure"),
    TOO_LARGE: Row((413, "invalid"), (413, "invalid"), "failure"),
    FORBIDDEN: Row((403, "forbidden"), (403, "forbidden"), "failure"),
}

_WORDS: Mapping[str, tuple[str, str]] = {  # Korean, English
    "success": ("일반 결제 성공", "Payment completed"),
    "vbankIssued": ("가상계좌 발급 성공", "Virtual account issued"),
    "pending": ("결제가 아직 완료되지 않았습니다", "The payment is not completed yet"),
    "failed": ("결제에 실패했습니다", "The payment failed"),
    "cancelled": ("취소된 결제입니다", "The payment was cancelled"),
    "duplicatePayment": (
        "이미 결제된 주문입니다. 중복 결제된 금액의 환불은 판매자에게 문의해 주세요",
        "This order was paid already. Please contact the shop about a refund of the second payment",
    ),
    "latePayment": (
        "주문이 마감된 뒤에 결제되었습니다. 판매자에게 문의해 주세요",
        "The payment arrived after the order was closed. Please contact the shop",
    ),
    "refusedPayment": (
        "주문을 처리할 수 없어 환불 대상입니다",
        "The order cannot be fulfilled; the payment is to be refunded",
    ),
    "forgery": ("위조된 결제시도", "Forged payment attempt"),
    "unknownPayment": ("존재하지 않는 결제입니다", "There is no such payment"),
    "unavailable": (
        "결제를 확인하고 있습니다. 다시 결제하지 마시고 잠시 후 확인해 주세요",
        "The payment is being checked. Please do not pay again, and look again shortly",
    ),
    "invalid": ("잘못된 요청입니다", "The request is malformed"),
    "forbidden": ("허용되지 않은 발신자입니다", "The sender is not allowed"),
    "approved": ("결제를 승인해도 됩니다", "The payment may be approved"),
    "refused": ("결제를 승인할 수 없습니다", "The payment may not be approved"),
}

_HEADINGS: Mapping[str, tuple[str, str]] = {
    # What the built-in page says where the fixed word of the body is not for a buyer's eyes.
    "success": ("결제가 완료되었습니다", "Payment completed"),
    "vbankIssued": ("가상계좌가 발급되었습니다", "Virtual account issued"),
    "forgery": (
        "주문과 맞지 않는 결제입니다. 판매자에게 문의해 주세요",
        "The payment does not match the order. Please contact the shop",
    ),
}

_NEXT: Mapping[str, tuple[str, str]] = {
    # What a buyer can do about it, where the page's links alone do not say.
    "failed": (
        "쇼핑몰로 돌아가 다시 결제할 수 있습니다.",
        "You can go back to the shop and pay again.",
    ),
    "pending": (
        "이미 결제하셨다면 다시 결제하지 마시고, 잠시 후 다시 확인해 주세요.",
        "If you have paid already, please do not pay again. Check again in a moment.",
    ),
}
_PAY_IN = (
    "아래 계좌로 입금하면 결제가 완료됩니다.",
    "Transfer the amount to this account to complete the payment.",
)
_ACCOUNT: Mapping[str, tuple[str, str]] = {
    "bank": ("은행", "Bank"),
    "number": ("계좌번호", "Account number"),
    "holder": ("예금주", "Account holder"),
    "amount": ("입금할 금액", "Amount"),
    "due": ("입금기한", "Pay by"),
}
_KOREA = timezone(timedelta(hours=9))

_REASONS: Mapping[str, tuple[str, str]] = {
    "unknown_payment": ("확인할 수 없는 결제입니다", "The payment is not known"),
    "unknown_order": ("존재하지 않는 주문입니다", "There is no such order"),
    "mismatch": ("주문과 결제 정보가 일치하지 않습니다", "The payment does not match the order"),
    "closed": ("마감된 주문입니다", "The order is closed"),
    "already_paid": ("이미 결제된 주문입니다", "The order was paid already"),
}
_LONGEST_REASON = 200
_LANGUAGES = ("ko", "en")


@dataclass(frozen=True, slots=True)
class Wording:
    """The language of one answer, and whether the request's `Accept-Language` chose it."""

    language: str = "ko"
    varies: bool = False

    @classmethod
    def of(cls, setting: str, accepted: list[str]) -> Wording:
        """Choose by the shop's setting, and with `auto` by what the browser prefers of Korean and
        English."""
        if setting != "auto":
            return cls(setting)
        return cls(_preferred(",".join(accepted)), varies=True)

    def say(self, words: tuple[str, str]) -> str:
        """Return the sentence in this language."""
        return words[_LANGUAGES.index(self.language)]

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the header that tells caches of a choice."""
        return (("Vary", "Accept-Language"),) if self.varies else ()


def _preferred(accepted: str) -> str:
    best, weight = "ko", 0.0
    for part in accepted[:1000].split(","):
        tag, _, parameter = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        name, _, text = parameter.strip().partition("=")
        try:
            quality = float(text) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if language in _LANGUAGES and weight < quality <= 1.0:
            best, weight = language, quality
    return best


def answer_key(outcome: Outcome) -> str:
    """Return an outcome's row of the table."""
    late = outcome.verdict is Verdict.LATE and outcome.reason is Reason.REFUSED
    return REFUSED if late else outcome.verdict


def verdict_answer(endpoint: str, key: str, wording: Wording) -> Response:
    """Answer complete or webhook with a verdict, or with trouble, a malformed request or a refused
    sender."""
    row = _TABLE[key]
    status, word = row.webhook if endpoint == "webhook" else row.complete
    if endpoint == "confirm":
        return _json(status, word, wording, reason=wording.say(_WORDS[word]))
    return _json(status, word, wording, says=row.says)


def approved(wording: Wording) -> Response:
    """Answer confirm: go on."""
    return _json(200, "approved", wording)


def refused(reason: str, wording: Wording) -> Response:
    """Answer confirm: stop, with the reason that the gateway shows to the shop."""
    return _json(409, "refused", wording, reason=reason)


def reason_words(key: str, text: str | None, wording: Wording) -> str:
    """Turn a refusal into words: the shop's own, or the table's for a key."""
    return text[:_LONGEST_REASON] if text is not None else wording.say(_REASONS[key])


def no_method(endpoint: str, method: str, allowed: str, wording: Wording) -> Response:
    """Answer OPTIONS with 204, any other method that the endpoint does not have with 405."""
    headers = (("Allow", allowed), ("Cache-Control", "no-store"))
    if method == "OPTIONS":
        return Response(204, headers, b"")
    answer = _json(405, "invalid", wording)
    return Response(405, (*answer.headers, headers[0]), b"" if method == "HEAD" else answer.body)


def _json(
    status: int,
    word: str,
    wording: Wording,
    *,
    says: str | None = None,
    reason: str | None = None,
) -> Response:
    content = {"status": word, "message": wording.say(_WORDS[says or word])}
    if reason is not None:
        content["reason"] = reason
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    headers = (
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        *_retry(status),
        *wording.headers(),
    )
    return Response(status, headers, body.encode("utf-8", "replace"))


def _retry(status: int) -> tuple[tuple[str, str], ...]:
    return (("Retry-After", RETRY_AFTER),) if status == 503 else ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a browser that came back may be told of the payment it named: what was fetched, and only
    to who knew it already. An imp_uid is no secret, and an order's number can be counted up.

    Attributes:
        merchant_uid: Where the request named this very order, and the shop knows it; else empty.
        reason: The payment's `fail_reason`, where it named this very payment too; else empty.
        issued: The payment, where it named both and an account waits for the buyer's deposit.
    """

    merchant_uid: str = ""
    reason: str = ""
    issued: Payment | None = None

    @classmethod
    def of(cls, outcome: Outcome | None, notice: Notice | None) -> Told:
        """Compare what was found with what the request named."""
        if outcome is None or notice is None or outcome.expected is None:
            return cls()
        number, payment = notice.merchant_uid, outcome.payment
        if number is None or payment is None or number != payment.merchant_uid:
            return cls()
        if notice.imp_uid is None:
            return cls(number)
        issued = payment if outcome.verdict is Verdict.VIRTUAL_ACCOUNT else None
        return cls(number, (payment.fail_reason or "")[:_LONGEST_REASON], issued)


def landing(key: str, told: Told, targets: Landing, wording: Wording) -> Response:
    """Send a browser that came back to the shop's own page, or show the built-in one: also in place
    of a page of an order whose number may not be told.

    Nothing from the request decides the target: it is filled in from what was fetched only.
    """
    row = _TABLE[key]
    word = row.complete[1]
    target: str | None = getattr(targets, row.lands)
    if target is None or ("{merchant_uid}" in target and not told.merchant_uid):
        return _page(key, told, targets, wording)
    location = (
        target.replace("{status}", word)
        .replace("{merchant_uid}", _encode(told.merchant_uid, safe=""))
        .replace("{reason}", _encode(told.reason, safe=""))
    )
    if target.startswith("/"):  # "/{reason}/x" with an empty reason would be another host's
        location = "/" + location.lstrip("/")
    else:
        location = in_ascii("Landing", location)
    headers = (
        ("Location", _encode(location, safe=_ASCII)),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
    )
    return Response(303, headers, b"")


_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def _encode(text: str, *, safe: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe=safe)


def _page(key: str, told: Told, targets: Landing, wording: Wording) -> Response:
    row = _TABLE[key]
    code, word = row.complete
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Content-Security-Policy", policy(targets.theme)),
        *_retry(code),
        *wording.headers(),
    )
    heading = wording.say(_HEADINGS.get(word, _WORDS[row.says or word]))
    said = [told.reason, wording.say(_NEXT[word]) if word in _NEXT else ""]
    account = [] if told.issued is None else _account(told.issued, wording)
    if account:
        said.append(wording.say(_PAY_IN))
    kind = "waiting" if word == "vbankIssued" else row.lands
    page = render(kind, heading, said, account, wording.language, targets.theme)
    return Response(code, headers, page)


def _account(payment: Payment, wording: Wording) -> list[Shown]:
    """Say where a deposit goes: what the gateway says of it, and no more."""
    whole = payment.amount == payment.amount.to_integral_value()
    amount = f"{int(payment.amount) if whole else payment.amount:,}"
    korean, due = wording.language == "ko", payment.vbank_date
    won = korean and payment.currency == "KRW"
    when = "" if due is None else f"{due.astimezone(_KOREA):%Y-%m-%d %H:%M}"
    values = {
        "bank": payment.vbank_name,
        "number": payment.vbank_num,
        "holder": payment.vbank_holder,
        "amount": f"{amount}원" if won else f"{amount} {payment.currency}",
        "due": f"{when} (Korean time)" if when and not korean else when,
    }
    return [
        Shown(wording.say(_ACCOUNT[name]), (value or "")[:_LONGEST_REASON], copied=name == "number")
        for name, value in values.items()
    ]
