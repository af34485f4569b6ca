"""Targets: what the gateway answers, the envelope, one payment, and a whole delivery whatever the
gateway and the request say."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from imp_verify import (
    Credentials,
    ExpectedPayment,
    Landing,
    OrderStore,
    Outcome,
    Payment,
    Request,
    Response,
    Settled,
    Verifier,
)
from imp_verify._core.flow import run
from imp_verify._core.reading import json_reader
from imp_verify._core.wire import read_envelope, read_payment
from imp_verify.errors import GatewayProtocolError, GatewayUnavailable
from imp_verify.stores._refunds import deposits, new_parts
from imp_verify.transports import GatewayRequest, GatewayResponse
from tests.support.markers import BUYER, KEY, NEVER_SHOWN, SECRET, TOKEN

from .drawing import NUMBERS, Draw, json_object, json_text, long, mutated, text
from .requests import BODY, QUERY, latin
from .target import Case, Target, sentence

__all__ = ["DELIVERY", "ENVELOPE", "PAYMENT"]

_DATA = Path(__file__).parents[1] / "data" / "payments.examples.json"
_read = json_reader()
I1, ORDER, PRICE = "imp_100000000001", "ORD-1001", 39000
_STATUSES = (200, 200, 200, 404, 400, 401, 403, 429, 500, 502, 301, 204, 0, 999)


def _json(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


_PAYMENTS = tuple(
    tuple((key, _json(value)) for key, value in each["envelope"]["response"].items())
    for each in json.loads(_DATA.read_text(encoding="utf-8"))["payments"]
)
_FIELDS = tuple(dict(_PAYMENTS[0]))
_RULED = (
    *("imp_uid", "merchant_uid", "status", "amount", "cancel_amount", "currency", "sandbox"),
    *("pay_method", "pg_provider", "vbank_num", "customer_uid_usage"),
)
_HISTORIES = ("cancel_history", "deposit_history")


def _entry(draw: Draw) -> str:
    names = ("amount", "cancelled_at", "reason", "cancellation_id", "pg_tid", "deposited_at")
    likely = ("9000", "1000", "1735700000", '"c1"', '"total-1"')
    pairs = [
        (name, draw.choice(likely) if draw.random() < 0.7 else json_text(draw))
        for name in draw.choices(names, 5)
    ]
    return json_object(pairs) if draw.random() < 0.95 else json_text(draw)


def _value(draw: Draw, name: str) -> str:
    if name in _HISTORIES and draw.random() < 0.8:
        return f"[{','.join(_entry(draw) for _ in range(1 + draw.below(4)))}]"
    if "amount" in name or name.endswith("_at") or name.endswith("_date"):
        return draw.choice(NUMBERS)
    return json_text(draw)


def _changed(draw: Draw, pairs: Mapping[str, str], most: int) -> str:
    changed = dict(pairs)
    for _ in range(draw.below(most)):
        name = draw.choice((*_RULED, *_HISTORIES, draw.choice(_FIELDS)))
        if draw.random() < 0.15:
            changed.pop(name, None)
        else:
            changed[name] = _value(draw, name)
    return json_object(list(changed.items()))


# An envelope.

_ENVELOPE_SAID = re.compile(
    r"the gateway answers HTTP \d{1,3}|HTTP \d{1,3} without (JSON|an envelope)"
)


def _draw_envelope(draw: Draw) -> Case:
    kind = draw.below(1000)
    if kind < 600:
        names = ("code", "message", "response", "code", "x")
        pairs = [
            (
                name,
                draw.choice((*NUMBERS, "null", '"0"', "true"))
                if name == "code"
                else json_text(draw),
            )
            for name in draw.choices(names, 4)
        ]
        body = json_object(pairs)
    elif kind < 800:
        body = json_text(draw)
    elif kind < 999:
        body = text(draw) * draw.choice((1, 1, 50))
    else:
        body = draw.choice(("[", '{"code":', '{"code":0,"message":"')) + long(draw, 1 << 18)
    body = latin(body)
    if draw.random() < 0.2:
        body = latin(mutated(draw, body), bytes_too=True)
    return {"status": draw.choice(_STATUSES), "body": body}


def _check_envelope(case: Case) -> str:
    body = case["body"].encode("latin-1")
    envelope = read_envelope(GatewayResponse(case["status"], body))
    code = envelope.code
    assert code is None or (type(code) is int and -(2**31) <= code < 2**31)
    assert envelope.message is None or isinstance(envelope.message, str)
    try:
        said = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_raise)
    except (ValueError, RecursionError, ArithmeticError):
        said = None
    if code is not None:
        assert said["code"] == code
        assert said.get("response") == envelope.response
    try:
        envelope.check()
    except GatewayUnavailable as error:
        assert case["status"] == 429 or case["status"] >= 500
        sentence(error, _ENVELOPE_SAID)
        return "unavailable"
    except GatewayProtocolError as error:
        assert code is None
        sentence(error, _ENVELOPE_SAID)
        return "no JSON" if envelope.response is None else "no envelope"
    return "an envelope"


def _raise(name: str) -> None:
    raise ValueError(name)


ENVELOPE = Target(
    "envelope",
    "Any bytes with any status are an envelope with a code of 32 bits, or GatewayUnavailable or "
    "GatewayProtocolError in a fixed sentence; Python's own JSON reader reads the same.",
    _draw_envelope,
    _check_envelope,
)


# One payment.

_PAYMENT_SAID = re.compile(
    r"a payment's cancel_amount is above its amount|a payment's sandbox is neither true nor false"
    r"|a payment's (amount|cancel_amount) is missing or no amount"
    r"|a payment's (imp_uid|merchant_uid|status) is missing or no text"
    r"|a payment's (currency|pay_method|pg_provider|vbank_num|customer_uid_usage) is no text"
)
_SHOWN = ("imp_uid", "merchant_uid", "status", "currency", "pay_method", "pg_provider")
_PRIVATE = (
    *("buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "card_number", "vbank_num"),
    *("vbank_holder", "fail_reason", "cancel_reason", "user_agent", "customer_uid", "name"),
)
_TIMES = ("started_at", "paid_at", "failed_at", "cancelled_at", "vbank_date", "vbank_issued_at")
_ATTRIBUTES = tuple(
    name
    for name in {*dir(Payment), *(each.name for each in fields(Payment))}
    if not name.startswith("_")
)
_SHORT = 6


def _draw_payment(draw: Draw) -> Case:
    return _changed(draw, dict(draw.choice(_PAYMENTS)), 5)


def _check_payment(case: Case) -> str:
    try:
        content = _read(case.encode("utf-8", "surrogatepass"))
    except (ValueError, ArithmeticError):
        return "no JSON"
    assert isinstance(content, dict)
    try:
        payment = read_payment(content)
    except GatewayProtocolError as error:
        return sentence(error, _PAYMENT_SAID)
    values = {name: getattr(payment, name) for name in _ATTRIBUTES}
    _check_values(values, content)
    shown = re.sub(r"\w+[=(]", " ", repr(payment))  # a buyer may be called "amount"
    open_ones = [str(values[name]) for name in _SHOWN]
    for name in _PRIVATE:
        value = content.get(name)
        if isinstance(value, str) and len(value) >= _SHORT and value.isalnum():
            assert value not in shown or any(value in each for each in open_ones), name
    parts = new_parts(payment, {})
    assert sum(part.amount for part in parts) == payment.cancel_amount
    assert all(part.amount > 0 for part in parts)
    keys = [*(part.key for part in parts), *deposits(payment)]
    assert all(key.isascii() and key.isprintable() and 0 < len(key) <= 40 for key in keys), keys
    assert len({part.key for part in parts}) == len(parts)
    return f"a payment, {min(len(parts), 3)} refunds, {'money' if payment.holds_money else 'none'}"


def _check_values(values: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    for name in ("amount", "cancel_amount"):
        assert values[name] == Decimal(content[name])
        assert type(values[name]) is Decimal
    assert values["remaining"] == values["amount"] - values["cancel_amount"]
    assert values["remaining"] >= 0
    assert values["currency"] == (content.get("currency") or "KRW").upper()
    assert values["sandbox"] is (content.get("sandbox") is True)
    for name in _TIMES:
        at = values[name]
        assert at is None or (isinstance(at, datetime) and at.tzinfo is UTC and at.year >= 1970)
    for name in _PRIVATE:
        assert values[name] is None or values[name] == content[name]


PAYMENT = Target(
    "payment",
    "Any object is a Payment whose amounts are the numbers that were written, whose refunds sum up "
    "to cancel_amount and whose repr shows nothing of a buyer, or GatewayProtocolError in a fixed "
    "sentence.",
    _draw_payment,
    _check_payment,
)


# A delivery, from the request to the answer.


class _Shop(OrderStore):
    """One order, and what was settled for it."""

    def __init__(self) -> None:
        self.settled: list[Outcome] = []

    def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return ExpectedPayment(ORDER, PRICE) if merchant_uid == ORDER else None

    def settle(self, outcome: Outcome) -> Settled:
        self.settled.append(outcome)
        return Settled.NEW


class _Gateway:
    """What answers: a token for the keys, and to anything else what the input says."""

    def __init__(self) -> None:
        self.answer = GatewayResponse(404, b"")
        self.asked: list[str] = []

    def __call__(self, request: GatewayRequest) -> GatewayResponse:
        if request.url.endswith("/users/getToken"):
            token = {"access_token": TOKEN, "now": 1_700_000_000, "expired_at": 2_000_000_000}
            return GatewayResponse(200, json.dumps({"code": 0, "response": token}).encode())
        self.asked.append(request.url)
        return self.answer

    def close(self) -> None:
        pass


class _Lines(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert record.exc_info is None, "nothing of the shop failed"
        self.lines.append(record.getMessage())


_shop, _gateway = _Shop(), _Gateway()
_verifier = Verifier(
    _shop,
    credentials=Credentials(KEY, SECRET),
    base_url="https://gateway.test",
    test_mode=False,
    transport=_gateway,
    landing=Landing(success="/orders/{merchant_uid}", failure="/cart?why={reason}&as={status}"),
    public_url="https://shop.test",
    language="auto",
)
_lines = _Lines()
_log = logging.getLogger("imp_verify")
_WORDS = frozenset(
    (
        *("success", "vbankIssued", "pending", "failed", "cancelled", "duplicatePayment"),
        *(
            "latePayment",
            "forgery",
            "unknownPayment",
            "unavailable",
            "invalid",
            "approved",
            "refused",
        ),
    )
)
_CODES = frozenset((200, 303, 400, 409, 413, 503))
_BASE = {
    **{"imp_uid": f'"{I1}"', "merchant_uid": f'"{ORDER}"', "status": '"paid"', "amount": "39000"},
    **{"cancel_amount": "0", "currency": '"KRW"', "pay_method": '"card"', "sandbox": "false"},
    **{name: json.dumps(value) for name, value in BUYER.items()},
}
_LIKELY = {
    "status": ('"paid"', '"cancelled"', '"ready"', '"failed"', '""', '"PAID"', "null"),
    "amount": ("39000.00", '"39000"', "38999", "1", "39000.00000001", "3.9e4", "0"),
    "cancel_amount": ("9000", "39000", "39001", "null", "-1"),
    "currency": ('"USD"', '"krw"', '""', "null", '"KRW "'),
    "sandbox": ("true", "null", "1"),
    "merchant_uid": ('"ORD-1001 "', '"ord-1001"', '"ORD-2002"', "1001", '""'),
    "imp_uid": ('"imp_100000000002"', f'"{I1} "', "null"),
    "customer_uid_usage": ('"issue"', '"payment"', "null"),
    "vbank_num": ('"1"', '""', "null"),
    "fail_reason": ('"한도 초과"', '"</p><script>"', '"\\r\\nSet-Cookie: a=b"'),
}
_CHANGED = tuple(_LIKELY)


def _draw_answer(draw: Draw) -> tuple[int, str, bool]:
    payment = dict(_BASE)
    for _ in range(draw.below(4)):
        name = draw.choice(_CHANGED)
        payment[name] = draw.choice(_LIKELY[name]) if draw.random() < 0.9 else json_text(draw)
    response = json_object(list(payment.items()))
    answer = json_object([("code", "0"), ("message", "null"), ("response", response)])
    kind = draw.below(20)
    if kind == 0:
        answer = json_object([("code", draw.choice(NUMBERS)), ("message", json_text(draw))])
    if kind in (1, 2):
        return draw.choice(_STATUSES), latin(mutated(draw, answer)), False
    return draw.choice(_STATUSES) if kind < 5 else 200, latin(answer), True


def _draw_delivery(draw: Draw) -> Case:
    status, answer, whole = _draw_answer(draw)
    endpoint = draw.choice(("complete", "webhook", "confirm", "redirect"))
    case = {"endpoint": endpoint, "status": status, "answer": answer, "whole": whole}
    if endpoint == "redirect":
        likely = (f"imp_uid={I1}&merchant_uid={ORDER}", f"merchant_uid={ORDER}", f"imp_uid={I1}")
        query = draw.choice(likely) if draw.random() < 0.8 else QUERY.draw(draw)
        return {**case, "query": query, "accepts": text(draw)}
    if draw.random() < 0.8:
        pairs = [("imp_uid", f'"{I1}"'), ("merchant_uid", f'"{ORDER}"'), ("amount", str(PRICE))]
        body = {"type": None, "body": json_object(pairs[: None if endpoint == "confirm" else 2])}
    else:
        body = BODY.draw(draw)
    return {**case, **body, "accepts": draw.choice(("", "en", "ko;q=0.1,en", text(draw)))}


def _asked(case: Case) -> Request:
    headers = [("Accept-Language", case["accepts"])]
    if case["endpoint"] == "redirect":
        return Request("GET", query=case["query"], headers=headers)
    if case["type"] is not None:
        headers.append(("Content-Type", case["type"]))
    return Request("POST", headers=headers, body=case["body"].encode("latin-1"))


def _check_delivery(case: Case) -> str:
    _shop.settled.clear()
    _gateway.asked.clear()
    _lines.lines.clear()
    _gateway.answer = GatewayResponse(case["status"], case["answer"].encode("latin-1"))
    request, endpoint = _asked(case), case["endpoint"]
    _log.addHandler(_lines)
    try:
        if endpoint == "confirm":  # without the thread that keeps its time
            response = run(_verifier._answer(endpoint, request, 0.0), _verifier._perform)
        else:
            response = _verifier.serve(endpoint, request)
    finally:
        _log.removeHandler(_lines)
    word = _check_response(response)
    _check_lines(case["whole"])
    assert len(_gateway.asked) <= 4
    assert all(re.fullmatch(r"[!-~]{1,400}", url) for url in _gateway.asked)
    if _shop.settled:
        assert endpoint != "confirm"
        _check_money(_shop.settled, case["answer"])
    if word == "success":
        assert _shop.settled
    return f"{endpoint} {response.status} {word}"


def _check_response(response: Response) -> str:
    assert response.status in _CODES
    for name, value in response.headers:
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert re.fullmatch(r"[ -~]*", value), value
    headers = dict(response.headers)
    assert headers["Cache-Control"] == "no-store"
    assert len(response.body) < 16384
    if response.status == 303:
        assert re.match(r"/(orders/|cart\?)", headers["Location"])
        return ""
    if headers["Content-Type"] != "application/json":
        return "page"
    content = json.loads(response.body)
    assert content.keys() <= {"status", "message", "reason"}
    assert content["status"] in _WORDS
    return str(content["status"])


def _check_lines(whole: bool) -> None:
    for line in _lines.lines:
        assert line.isprintable(), line
        assert len(line) < 2000
        assert SECRET not in line
        assert TOKEN not in line
        assert not whole or not [marker for marker in NEVER_SHOWN if marker in line], line


def _check_money(settled: list[Outcome], answer: str) -> None:
    """Money was settled: once, and the gateway says so to Python's own reader too."""
    (outcome,) = settled
    envelope = json.loads(answer.encode("latin-1").decode("utf-8-sig"), parse_float=Decimal)
    said = envelope["response"]
    assert envelope["code"] == 0
    assert (said["imp_uid"], said["merchant_uid"]) == (outcome.imp_uid, ORDER)
    assert _gateway.asked[-1].endswith(f"/payments/{outcome.imp_uid}")
    assert Decimal(said["amount"]) == PRICE
    assert not isinstance(said["amount"], bool | float)
    assert (said.get("currency") or "KRW").upper() == "KRW"
    assert said.get("sandbox") in (None, False)
    assert said.get("customer_uid_usage") != "issue"
    gone = Decimal(said["cancel_amount"])
    assert said["status"] == "paid" or (said["status"] == "cancelled" and gone > 0)
    assert 0 <= gone < PRICE


DELIVERY = Target(
    "delivery",
    "Whatever request and gateway say, the answer is a row of the table in printable headers, four "
    "calls are made at most, no line of the log is more than a line or names a buyer, and money is "
    "settled only where the gateway says: this payment, order, amount and currency, and paid.",
    _draw_delivery,
    _check_delivery,
)
