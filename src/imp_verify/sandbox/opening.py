"""Reading what a page asks of the payment window; what a page must not ask is refused here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from imp_verify.sandbox.attempt import wallet_of
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.errors import PLAIN_NUMBER, Refused
from imp_verify.sandbox.exact import as_amount, dumps
from imp_verify.sandbox.pgs import Pg, pg

KOREA = timezone(timedelta(hours=9))
LONGEST_NUMBER = 40
DEFAULT_DUE = 30 * 24 * 3600
DEFAULT_PROVIDER = "html5_inicis"
BUYER = ("buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode")
_DUE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[ T]?(\d\d):?(\d\d):?(\d\d))?")


def read_request(
    params: Mapping[str, object], channels: Mapping[str, tuple[str, bool]]
) -> dict[str, object]:
    """Read the parameters of `IMP.request_pay` into an attempt's fields.

    Args:
        params: As the page gave them.
        channels: For a channelKey, its PG's code and whether it is a test channel.

    Raises:
        Refused: amount is not a number, merchant_uid not a text that fits, or the PG takes no such
            currency, number or account: no window opens.

    Source: JavaScript SDK, request_pay; release note of 2024-03-15 on the two types.
    """
    provider, is_test = _channel(params, channels)
    row = pg(provider)
    merchant_uid, amount = _number(params, row), _amount(params, row)
    method = row.method or _text(params, "pay_method") or "card"
    currency = _currency(params, row, provider)
    due = read_due(_text(params, "vbank_due"))
    if method == "vbank" and row.due_required and not due:
        raise Refused("vbank_due 파라메터가 누락되었습니다.")
    custom = params.get("custom_data")
    return {
        "merchant_uid": merchant_uid,
        "amount": amount,
        "pg_provider": provider,
        "sandbox": is_test,
        "pay_method": method,
        "currency": currency,
        "name": _text(params, "name"),
        "escrow": params.get("escrow") is True,
        "emb_pg_provider": wallet_of(method, provider),
        "tax_free": as_amount(params.get("tax_free")) or Decimal(0),
        "buyer": tuple(_text(params, key) for key in BUYER),
        "custom_data": None if custom is None else dumps(custom),
        "customer_uid": _text(params, "customer_uid"),
        "notice_urls": _addresses(params.get("notice_url")),
        "confirm_url": _text(params, "confirm_url"),
        "vbank_due": due,
    }


def _number(params: Mapping[str, object], row: Pg) -> str:
    number = params.get("merchant_uid")
    if isinstance(number, str) and row.longest_number:
        number = number[: row.longest_number]
    least = row.shortest_number
    if not isinstance(number, str) or not least <= len(number) <= LONGEST_NUMBER:
        raise Refused(f"merchant_uid는 {least}자 이상 40자 이하의 문자열이어야 합니다.")
    if not row.mixed_number and not (number.isascii() and number.isalnum()):
        raise Refused(PLAIN_NUMBER)
    return number


def _currency(params: Mapping[str, object], row: Pg, provider: str) -> str:
    currency = _text(params, "currency") or row.currency
    if row.currencies and currency not in row.currencies:
        raise Refused(f"{provider}: {', '.join(row.currencies)}만 결제할 수 있습니다.")
    if currency in row.not_currencies:
        raise Refused(f"{provider}: {currency}로는 결제할 수 없습니다.")
    return currency


def _amount(params: Mapping[str, object], row: Pg) -> Decimal:
    amount = params.get("amount", 0 if row.amount_optional else None)
    number = None if isinstance(amount, str) else as_amount(amount)
    if number is None or number < 0:
        raise Refused("amount는 숫자여야 합니다.")
    return number


def _channel(
    params: Mapping[str, object], channels: Mapping[str, tuple[str, bool]]
) -> tuple[str, bool]:
    key = _text(params, "channelKey")
    if key is not None and key in channels:
        return channels[key]
    return (_text(params, "pg") or DEFAULT_PROVIDER).partition(".")[0], False


def _text(params: Mapping[str, object], key: str) -> str | None:
    value = params.get(key)
    return value if isinstance(value, str) and value else None


def _addresses(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)


def read_due(text: str | None) -> int:
    """Read a virtual account's deadline, Korean time; a day alone means its end. 0 where none.

    Raises:
        Refused: It is no date.
    """
    if not text:
        return 0
    match = _DUE.fullmatch(text)
    if match is None:
        raise Refused("vbank_due 형식이 올바르지 않습니다.")
    year, month, day, *clock = match.groups()
    hour, minute, second = (int(part) for part in (clock if clock[0] else (23, 59, 59)))
    try:
        date = datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=KOREA)
    except ValueError as error:
        raise Refused("vbank_due 형식이 올바르지 않습니다.") from error
    due = int(date.timestamp())
    if not 0 < due <= LATEST:
        raise Refused("vbank_due 형식이 올바르지 않습니다.")
    return due
