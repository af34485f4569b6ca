"""What must never leave: every secret and every buyer's datum in these tests is one of these."""

from __future__ import annotations

KEY = "shop-key-1234"
SECRET = "sEcReT-0f-the-sh0p-4711"
TOKEN = "t0ken-0f-the-gateway"
BUYER_NAME = "홍길동임꺽정"
BUYER_EMAIL = "hong.marker@buyer.test"
BUYER_TEL = "010-7731-9942"
BUYER_ADDR = "세종대로 99-marker"
CARD_NUMBER = "943099******7731"
PROXY_PASSWORD = "pr0xy-pAssword-marker"

NEVER_SHOWN = (
    SECRET,
    TOKEN,
    BUYER_NAME,
    BUYER_EMAIL,
    BUYER_TEL,
    BUYER_ADDR,
    CARD_NUMBER,
    PROXY_PASSWORD,
)

BUYER: dict[str, object] = {
    "buyer_name": BUYER_NAME,
    "buyer_email": BUYER_EMAIL,
    "buyer_tel": BUYER_TEL,
    "buyer_addr": BUYER_ADDR,
    "card_number": CARD_NUMBER,
}


def found_in(text: str) -> list[str]:
    """Give the markers that a text holds, also in the forms that a repr or JSON writes them in."""
    forms = {marker: {marker, ascii(marker)[1:-1]} for marker in NEVER_SHOWN}
    return [marker for marker, written in forms.items() if any(form in text for form in written)]
