"""How the sandbox's gateway says no: as a value of the wire, never as a crash."""

from __future__ import annotations

NO_PAYMENT = "존재하지 않는 결제정보입니다."
NOTHING_TO_CANCEL = "취소할 결제건이 존재하지 않습니다."
NO_NUMBER = "imp_uid, merchant_uid 중 하나는 반드시 지정해주셔야합니다."
"""Of the real one the end is known: `지정해주셔야합니다.`"""
NO_REASON = "취소요청api"
"""What the reason of a cancel is where the API was given none."""
UNSAID = "취소요청"
"""What it is where the console was given none: the schema has no cancel without a reason."""
NOT_PREPARED = "사전등록된 결제정보가 존재하지 않습니다."
UNKNOWN_STATUS = "지원되지 않는 상태값입니다."
ALREADY_CANCELLED = "이미 전액취소된 주문입니다."
ALREADY_PREPARED = "결제정보 사전등록에 실패하였습니다(이미 등록된 merchant_uid입니다)."
WRONG_KEYS = "인증에 실패하였습니다. API키와 secret을 확인하세요."
MISSING = "{names} 파라메터가 누락되었습니다."
"""With all names that the call cannot do without, as getToken has it."""
UNAUTHORIZED = "Unauthorized"
CONFIRM_REFUSED = "고객사 요청에 의해 결제를 중단합니다. (상세사유 : {reason})"
CONFIRM_NO_REASON = "알 수 없음"
CLOSED = "SANDBOX_CLOSED"
"""The code of a window that the buyer closed."""
CLOSED_MESSAGE = "사용자가 결제를 취소하셨습니다"
NO_RECORD = "SANDBOX_NO_RECORD"
"""The code of a payment that went wrong before the page could be told its id."""
NO_RECORD_MESSAGE = "결제 정보를 만들지 못했습니다."
NOT_SEEN = "SANDBOX_NOT_SEEN"
"""The code of a payment that is paid while the page is told that it is not."""
NOT_SEEN_MESSAGE = "결제 결과를 확인하지 못했습니다."
PENDING_MESSAGE = "결제 승인 대기 중입니다."
GONE_AT_PG = "PG사에서 이미 취소된 테스트 결제입니다."
ALREADY_PAID = "이미 결제가 이루어진 거래건입니다."
NO_CUSTOMER = "요청하신 customer_uid({customer_uid})로 등록된 정보를 찾을 수 없습니다."
NO_BUYER = "등록되지 않은 구매자입니다."
WRONG_CARD = "유효하지않은 카드번호를 입력하셨습니다."
WRONG_EXPIRY = "카드 유효기간이 올바르지 않습니다."
WRONG_DUE = "가상계좌 입금기한이 올바르지 않습니다."
WRONG_AMOUNT = "결제금액이 올바르지 않습니다."
WRONG_HASH = "hashData가 일치하지 않습니다."
"""What Inicis says where `pg_api_key` is missing; that it names hashData is documented."""
PLAIN_NUMBER = "merchant_uid에 특수문자를 사용할 수 없는 PG사입니다."
DECLINED = "한도초과"


class Refused(Exception):
    """The gateway refuses: `code` and `message` of the envelope, and the HTTP status.

    The vendor publishes no list of texts; those above were seen on the real gateway, any other
    text is the sandbox's own.
    """

    def __init__(self, message: str, *, code: int = 1, status: int = 200) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


def unknown_payment() -> Refused:
    """Make the refusal of a look-up that finds nothing."""
    return Refused(NO_PAYMENT, code=-1, status=404)


def unauthorized(message: str = UNAUTHORIZED) -> Refused:
    """Make the refusal of a token or a key pair."""
    return Refused(message, code=-1, status=401)
