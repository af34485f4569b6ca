"""What the commands say, Korean and English, and in which of the two."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping

__all__ = ["EN", "KO", "Words", "language_here"]

KO: dict[str, str] = {
    "app_missing": "쇼핑몰의 Verifier가 어디에 있는지 알려 주세요: "
    "--app 모듈:이름 (예: --app shop:verifier) 또는 환경 변수 IMP_VERIFY_APP",
    "app_form": "--app은 모듈:이름이어야 합니다 (예: shop:verifier). 받은 값: {spec}",
    "app_no_module": "--app {spec}: 모듈을 찾을 수 없습니다: {module} "
    "(찾은 곳: {folder}, 그리고 Python의 경로)",
    "app_import": "--app {spec}: 모듈 {module}의 import가 실패했습니다: {error}",
    "app_no_name": "--app {spec}: 모듈 {module}에 이런 이름이 없습니다: {name}",
    "app_no_verifier": "--app {spec}: Verifier도, AsyncVerifier도, 그 가운데 하나를 만드는 "
    "함수도 아닙니다: {kind}",
    "app_raised": "--app {spec}: Verifier를 만드는 함수가 실패했습니다: {error}",
    "app_made": "--app {spec}: 함수가 만든 것이 Verifier도 AsyncVerifier도 아닙니다: {kind}",
    "order_missing": "계정이 여럿이면({accounts}) 주문번호도 적어야 합니다: "
    "어느 계정에 물어볼지는 주문이 정합니다. imp-verify verify IMP_UID ORDER",
    "gateway_said": "아임포트의 답",
    "order_asks": "주문이 요구하는 것",
    "no_payment": "아임포트에 없는 결제입니다.",
    "no_payment_live": "실결제 모드에서는 테스트 결제도 없는 결제로 나옵니다 (IMP_TEST_MODE).",
    "no_order": "쇼핑몰에 없는 주문입니다.",
    "other_order": "이 결제는 다른 주문의 것이어서, 주문은 조회하지 않았습니다.",
    "receipt_counts": "주문 대신, 이 결제를 이 주문의 것으로 기록해 둔 영수증과 비교했습니다.",
    "rule": "규칙",
    "paid_with": "결제",
    "asked": "주문",
    "order": "주문번호",
    "test_payment": "테스트 결제",
    "card_registration": "카드 등록",
    "account": "계정",
    "currency": "통화",
    "amount": "금액",
    "pay_method": "결제수단",
    "pg_provider": "PG",
    "cancel_amount": "취소된 금액",
    "status": "상태",
    "paid_at": "결제 시각",
    "failed_at": "실패 시각",
    "cancelled_at": "취소 시각",
    "fail_reason": "실패 사유",
    "vbank_due": "입금기한",
    "open": "결제를 받는지",
    "yes": "예",
    "no": "아니요",
    "allowed": "허용",
    "verdict": "판정",
    "reason": "사유",
    "store_did": "스토어가 한 일",
    "settled_new": "새로 기록했습니다",
    "settled_repeated": "이미 기록된 그대로입니다",
    "settled_duplicate": "다른 결제가 이미 이 주문을 결제했습니다: 환불할 돈입니다",
    "settled_late": "주문이 닫힌 뒤에 들어온 돈입니다: 환불할 돈입니다",
    "settled_review": "사람이 확인하도록 남겨 두었습니다",
    "settled_none": "기록할 것이 없습니다",
    "dry_run": "아무것도 하지 않았습니다 (--dry-run). 중복 결제나 늦은 결제인지는 "
    "기록할 때 스토어가 판단합니다",
}

EN: dict[str, str] = {
    "app_missing": "say where the shop's verifier is: --app module:name (--app shop:verifier, for "
    "example), or the environment variable IMP_VERIFY_APP",
    "app_form": "--app must be module:name, shop:verifier for example, not {spec}",
    "app_no_module": "--app {spec}: there is no module {module} in {folder}, nor on Python's path",
    "app_import": "--app {spec}: importing the module {module} failed: {error}",
    "app_no_name": "--app {spec}: the module {module} has no {name}",
    "app_no_verifier": "--app {spec}: {kind} is no Verifier, no AsyncVerifier, and no function "
    "that makes one",
    "app_raised": "--app {spec}: the function that makes the verifier failed: {error}",
    "app_made": "--app {spec}: the function made {kind}, which is no Verifier and no AsyncVerifier",
    "order_missing": "with several accounts ({accounts}) the order must be named too: it says "
    "which of them to ask. imp-verify verify IMP_UID ORDER",
    "gateway_said": "What the gateway says",
    "order_asks": "What the order asks",
    "no_payment": "The gateway knows no such payment.",
    "no_payment_live": "In live mode it knows no test payment either (IMP_TEST_MODE).",
    "no_order": "The shop knows no such order.",
    "other_order": "The payment is another order's, so no order was looked up.",
    "receipt_counts": "Compared with the receipt that took this payment for this order before, and "
    "not with the order.",
    "rule": "rule",
    "paid_with": "payment",
    "asked": "order",
    "order": "order number",
    "test_payment": "test payment",
    "card_registration": "card registration",
    "account": "account",
    "currency": "currency",
    "amount": "amount",
    "pay_method": "method",
    "pg_provider": "PG",
    "cancel_amount": "cancelled",
    "status": "status",
    "paid_at": "paid at",
    "failed_at": "failed at",
    "cancelled_at": "cancelled at",
    "fail_reason": "why it failed",
    "vbank_due": "to be paid in by",
    "open": "open",
    "yes": "yes",
    "no": "no",
    "allowed": "allowed",
    "verdict": "verdict",
    "reason": "reason",
    "store_did": "the store",
    "settled_new": "recorded it now",
    "settled_repeated": "had recorded it before",
    "settled_duplicate": "another payment had paid the order: money to give back",
    "settled_late": "the order was closed before the money came: money to give back",
    "settled_review": "kept it for a person to look at",
    "settled_none": "keeps nothing of it",
    "dry_run": "did nothing (--dry-run); whether it is a duplicate or late is decided there, when "
    "it is recorded",
}


class Words:
    """The sentences of one language: `words("app_form", spec=...)`.

    Args:
        language: "ko" or "en"; None takes that of the machine, where it is Korean, else English.
    """

    def __init__(self, language: str | None = None) -> None:
        self._table: Mapping[str, str] = KO if (language or language_here()) == "ko" else EN

    def __call__(self, key: str, **values: object) -> str:
        return self._table[key].format_map(values)


def language_here() -> str:
    """Return "ko" where the environment, or else the system, is Korean, and "en" elsewhere."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    found = next(filter(None, named), None) or locale.getlocale()[0] or ""
    return "ko" if found.lower().startswith("ko") else "en"  # ko_KR.UTF-8, Korean_Korea.949
