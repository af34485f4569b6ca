"""What the tables have in common: what is sent, and what the gateway answers.

Where a text is given it was seen on the real one; what else is refused is refused in some words.
"""

from __future__ import annotations

import re

from tests.clients.expected import Answered, gives, missing, pages, refuses

CARD = {"card_number": "4242-4242-4242-4242", "expiry": "2099-12", "birth": "880101"}
CARD = {**CARD, "pwd_2digit": "12"}
NO_CARD = {**CARD, "card_number": "1234-1234-1234-1234"}
ORDER = {"merchant_uid": "ORD-NEW", "amount": 39000}
NAMED = {**ORDER, "name": "의자"}
ACCOUNT = {**ORDER, "vbank_code": "004", "vbank_due": 4_102_444_800, "vbank_holder": "가게"}
TO = {"refund_holder": "홍길동", "refund_bank": "88", "refund_account": "110123456789"}
SCHEDULE = {"merchant_uid": "ORD-LATER", "schedule_at": 4_102_444_800, "amount": 39000}
SCHEDULES = {"customer_uid": "cu1", "schedules": [SCHEDULE]}
BETWEEN = {"schedule_from": 1_700_000_000, "schedule_to": 1_700_086_400}
PERIOD = {"from": 1_700_000_000, "to": 1_700_086_400}
PERSON = {"name": "홍길동", "phone": "01012345678", "birth": "19880101", "gender_digit": "1"}
PERSON = {**PERSON, "carrier": "SKT"}

NO_PAYMENT = missing("존재하지 않는 결제정보입니다.")
NOT_PREPARED = missing("사전등록된 결제정보가 존재하지 않습니다.")
PREPARED_ALREADY = refuses("결제정보 사전등록에 실패하였습니다(이미 등록된 merchant_uid입니다).")
NO_STATUS = refuses("지원되지 않는 상태값입니다.", code=-1, status=400)
PAST_THE_END = refuses(code=-1, status=400)
NO_NUMBER = refuses(re.compile(r".*지정해주셔야합니다\."))
NOTHING_TO_CANCEL = refuses("취소할 결제건이 존재하지 않습니다.")
ALL_CANCELLED = refuses("이미 전액취소된 주문입니다.")
NO_SUCH_CARD = refuses("유효하지않은 카드번호를 입력하셨습니다.", code=-1)
NO_CUSTOMER = refuses("요청하신 customer_uid(cu-none)로 등록된 정보를 찾을 수 없습니다.")
NO_BUYER = refuses("등록되지 않은 구매자입니다.")
WRONG_KEYS = refuses("인증에 실패하였습니다. API키와 secret을 확인하세요.", code=-1, status=401)
UNNAMED = re.compile("imps_[0-9]{12}")

TOKEN = gives(access_token=re.compile(r".+"))
PAID = gives(imp_uid="<paid>", merchant_uid="ORD-PAID", status="paid", amount=39000)
THEN = gives(imp_uid="<then>", merchant_uid="ORD-TWICE", status="paid")
TEST = gives(imp_uid="<test>", status="paid")
PART = gives(imp_uid="<part>", status="cancelled", amount=39000, cancel_amount=10000)
WAITING = gives(imp_uid="<waiting>", status="ready", pay_method="vbank")
ALL_PAID = ("ORD-TWICE", "ORD-STORED", "ORD-TEST", "ORD-PAYCO", "ORD-DEPOSITED", "ORD-PAID")
PAID_PAGE = pages(*ALL_PAID)
FAILED_PAGE = pages("ORD-TWICE", "ORD-FAILED")
TWICE_PAGE = pages("ORD-TWICE", "ORD-TWICE")
PREPARED = gives(merchant_uid="ORD-PREPARED", amount=39000)
REGISTERED = gives(merchant_uid="ORD-NEW", amount=39000)
CHARGED = gives(imp_uid=UNNAMED, merchant_uid="ORD-NEW", status="paid", amount=39000, channel="api")
ONCE = gives(imp_uid=UNNAMED, status="paid", customer_uid=None, customer_uid_usage=None)
AGAIN = gives(imp_uid=UNNAMED, status="paid", customer_uid="cu1", customer_uid_usage="payment")
STORED = gives(customer_uid="cu1", card_number=re.compile(r"[0-9]{6}\*{6}[0-9]{4}"))
STORED_NOW = gives(customer_uid="cu2", card_number="424242******4242")
ISSUED = gives(
    imp_uid=UNNAMED,
    merchant_uid="ORD-NEW",
    status="ready",
    pay_method="vbank",
    channel="api",
    vbank_code="004",
    vbank_holder="가게",
    vbank_date=4_102_444_800,
)
UNDATED = gives(imp_uid=UNNAMED, merchant_uid="ORD-NEW", status="ready", vbank_holder="가게")
"""For the client that makes dates of times."""
KILLED = gives(imp_uid="<waiting>", status="failed")


def cancelled(name: str, amount: int, reason: str, *, before: int = 0) -> Answered:
    """What a cancel gives: the payment, what was given back in all, and this part at the end."""
    parts: list[object] = [{"amount": before}] if before else []
    return gives(
        imp_uid=f"<{name}>",
        status="cancelled",
        amount=39000,
        cancel_amount=before + amount,
        cancel_reason=reason,
        cancel_history=[*parts, {"amount": amount, "reason": reason}],
    )


ALL_BACK = cancelled("paid", 39000, "반품")
PART_BACK = cancelled("paid", 10000, "반품")
NO_REASON = cancelled("paid", 39000, "취소요청api")
REST_BACK = cancelled("part", 29000, "반품", before=10000)
TO_ACCOUNT = cancelled("deposited", 39000, "반품")
REFUSED = refuses()
