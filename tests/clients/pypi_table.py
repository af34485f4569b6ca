"""The calls of the clients for Python, and what each is to come to."""

from __future__ import annotations

import re
from typing import Any

from tests.clients import words as w
from tests.clients.expected import Answered, Own, gives, itself, lacks, made, pages, refuses, value

Call = tuple[str, dict[str, Any], Answered | Own]

_PAID = {"imp_uid": "<paid>"}
_OF_PAID = {"merchant_uid": "ORD-PAID"}
_CU1 = {"customer_uid": "cu1"}
_NOBODY = {"customer_uid": "cu-none"}
_BACK = {"reason": "반품"}
_PREPARED = {"merchant_uid": "ORD-PREPARED"}
_NO_MERCHANT = "KeyError: 'merchant_uid or imp_uid is required'"
_MISSING = "KeyError: 'Essential parameter is missing!: {}'"

IAMPORTER: list[Call] = [
    ("find_payment", _PAID, w.PAID),
    ("find_payment", {"imp_uid": "<unknown>"}, w.NO_PAYMENT),
    ("find_payment", {"merchant_uid": "ORD-TWICE"}, w.THEN),
    ("find_payment", {}, itself(re.compile("KeyError: .*"))),
    ("cancel_payment", {**_PAID, **_BACK}, w.ALL_BACK),
    ("cancel_payment", {**_OF_PAID, "amount": 10000, **_BACK}, w.PART_BACK),
    ("cancel_payment", _PAID, w.NO_REASON),
    ("cancel_payment", {"imp_uid": "<cancelled>"}, w.ALL_CANCELLED),
    ("cancel_payment", {"imp_uid": "<unknown>"}, w.NOTHING_TO_CANCEL),
    ("cancel_payment", {"imp_uid": "<deposited>", **_BACK}, w.REFUSED),
    ("create_billkey", {"customer_uid": "cu2", **w.CARD}, w.STORED_NOW),
    ("create_billkey", {"customer_uid": "cu2", **w.NO_CARD}, w.NO_SUCH_CARD),
    ("find_billkey", _CU1, w.STORED),
    ("find_billkey", _NOBODY, w.NO_CUSTOMER),
    ("delete_billkey", _CU1, w.STORED),
    ("create_payment", {**w.NAMED, **w.CARD}, w.ONCE),
    ("create_payment", {**w.NAMED, **w.NO_CARD}, w.NO_SUCH_CARD),
    ("create_payment", {**w.NAMED, **_CU1, "buyer_info": {"name": "홍길동"}}, w.AGAIN),
    ("create_payment", {**w.NAMED, **_NOBODY}, w.NO_BUYER),
    ("Payments.get_balance", {"imp_uid": "<payco>"}, gives(amount=39000)),
    ("Payments.get_balance", _PAID, refuses(code=-1, status=405)),
    ("Payments.get", _PAID, w.PAID),
    ("Payments.get", {"imp_uid": "<test>"}, w.NO_PAYMENT),
    (
        "Payments.get_find",
        {"merchant_uid": "ORD-TWICE", "payment_status": "failed"},
        gives(imp_uid="<declined>"),
    ),
    (
        "Payments.get_find",
        {"merchant_uid": "ORD-TWICE", "sorting": "started"},
        gives(imp_uid="<declined>"),
    ),
    ("Payments.get_find", {"merchant_uid": "ORD-NONE"}, w.NO_PAYMENT),
    ("Payments.get_findall", {"merchant_uid": "ORD-TWICE"}, w.TWICE_PAGE),
    (
        "Payments.get_findall",
        {"merchant_uid": "ORD-TWICE", "payment_status": "paid", "page": 1, "sorting": "-paid"},
        pages("ORD-TWICE"),
    ),
    ("Payments.get_findall", {"merchant_uid": "ORD-NONE"}, w.NO_PAYMENT),
    ("Payments.get_status", {"payment_status": "failed"}, w.FAILED_PAGE),
    (
        "Payments.get_status",
        {"payment_status": "paid", "page": 3, "limit": 2},
        pages(*w.ALL_PAID[4:], total=6),
    ),
    ("Payments.get_status", {"payment_status": "nonsense"}, w.NO_STATUS),
    ("Payments.post_cancel", {"imp_uid": "<deposited>", **w.TO, **_BACK}, w.TO_ACCOUNT),
    ("Payments.post_cancel", {"imp_uid": "<part>", "checksum": 29000, **_BACK}, w.REST_BACK),
    ("Payments.post_cancel", {"imp_uid": "<part>", "checksum": 39000}, w.REFUSED),
    ("Payments.post_cancel", {}, w.NO_NUMBER),
    ("Subscribe.get_customers", _CU1, w.STORED),
    (
        "Subscribe.post_customers",
        {"customer_uid": "cu2", **w.CARD, "customer_name": "홍길동"},
        gives(customer_uid="cu2", customer_name="홍길동"),
    ),
    ("Subscribe.delete_customers", _CU1, w.STORED),
    ("Subscribe.delete_customers", _NOBODY, w.NO_CUSTOMER),
    ("Subscribe.get_customers_payments", _CU1, lacks("GET /subscribe/customers/cu1/payments")),
    ("Subscribe.post_payments_onetime", {**w.NAMED, **w.CARD, **_CU1}, w.AGAIN),
    ("Subscribe.post_payments_again", {**w.NAMED, **_CU1}, w.AGAIN),
]


def _both() -> list[Call]:
    """What I'mport's own client and the one for asyncio have in common."""
    return [
        ("find_by_merchant_uid", {"merchant_uid": "ORD-TWICE"}, w.THEN),
        ("find_by_merchant_uid", {"merchant_uid": "ORD-NONE"}, w.NO_PAYMENT),
        ("find_by_imp_uid", _PAID, w.PAID),
        ("find_by_imp_uid", {"imp_uid": "<unknown>"}, w.NO_PAYMENT),
        ("find", _PAID, w.PAID),
        ("find", _OF_PAID, w.PAID),
        ("find", {}, itself(_NO_MERCHANT)),
        ("cancel_by_merchant_uid", {**_OF_PAID, **_BACK, "amount": 10000}, w.PART_BACK),
        ("cancel_by_imp_uid", {**_PAID, **_BACK}, w.ALL_BACK),
        ("cancel_by_imp_uid", {"imp_uid": "<cancelled>", **_BACK}, w.ALL_CANCELLED),
        ("cancel_by_imp_uid", {"imp_uid": "<deposited>", **_BACK, **w.TO}, w.TO_ACCOUNT),
        ("cancel", {"imp_uid": "<part>", **_BACK, "checksum": 29000}, w.REST_BACK),
        ("cancel", {"imp_uid": "<unknown>", **_BACK}, w.NOTHING_TO_CANCEL),
        ("cancel", _BACK, itself(_NO_MERCHANT)),
        ("is_paid", {**_PAID, "amount": 39000}, made(True, status="paid", amount=39000)),
        ("is_paid", {**_PAID, "amount": 38999}, made(False, status="paid")),
        ("is_paid", {"merchant_uid": "ORD-PART", "amount": 39000}, made(False)),
        ("pay_onetime", {**w.ORDER, **w.CARD}, w.ONCE),
        ("pay_onetime", {**w.ORDER, **w.NO_CARD}, w.NO_SUCH_CARD),
        ("pay_again", {**w.ORDER, **_CU1}, w.AGAIN),
        ("pay_again", {**w.ORDER, **_NOBODY}, w.NO_BUYER),
        ("pay_foreign", {**w.ORDER, **w.CARD}, lacks("POST /subscribe/payments/foreign")),
        ("pay_schedule", w.SCHEDULES, lacks("POST /subscribe/payments/schedule")),
        ("pay_schedule_get_between", w.BETWEEN, lacks("GET /subscribe/payments/schedule")),
        ("pay_unschedule", _CU1, lacks("POST /subscribe/payments/unschedule")),
        ("customer_create", {"customer_uid": "cu2", **w.CARD}, w.STORED_NOW),
        ("customer_create", {"customer_uid": "cu2", **w.NO_CARD}, w.NO_SUCH_CARD),
        ("customer_get", _CU1, w.STORED),
        ("customer_get", _NOBODY, w.NO_CUSTOMER),
        ("customer_delete", _CU1, w.STORED),
        ("prepare", w.ORDER, w.REGISTERED),
        ("prepare", {**w.ORDER, **_PREPARED}, w.PREPARED_ALREADY),
        ("prepare_validate", {**_PREPARED, "amount": 39000}, made(True)),
        ("prepare_validate", {**_PREPARED, "amount": 1}, made(False)),
        ("prepare_validate", w.ORDER, w.NOT_PREPARED),
        ("revoke_vbank_by_imp_uid", {"imp_uid": "<waiting>"}, w.KILLED),
        ("revoke_vbank_by_imp_uid", _PAID, refuses(code=-1, status=400)),
        ("find_certification", _PAID, lacks("GET /certifications/<paid>")),
        ("cancel_certification", _PAID, lacks("DELETE /certifications/<paid>")),
    ]


REST_CLIENT: list[Call] = [
    *_both(),
    ("get_headers", {}, made({"Authorization": re.compile(".+")}, access_token=re.compile(".+"))),
    ("find_by_status", {"status": "paid"}, itself(re.compile("TypeError: .*'params'.*"))),
    ("pay_onetime", w.ORDER, itself(_MISSING.format("card_number"))),
    (
        "pay_schedule_get",
        {"merchant_id": "ORD-LATER"},
        lacks("GET /subscribe/payments/schedule/ORD-LATER"),
    ),
]

ASYNC_CLIENT: list[Call] = [
    *_both(),
    ("close_session", {}, value(None)),
    ("find_by_status", {"status": "failed"}, w.FAILED_PAGE),
    ("find_by_status", {"status": "paid", "limit": 2, "page": 2}, pages(*w.ALL_PAID[2:4], total=6)),
    ("find_by_status", {"status": "nonsense"}, w.NO_STATUS),
    (
        "find_by_merchant_uid",
        {"merchant_uid": "ORD-TWICE", "status": "failed"},
        gives(imp_uid="<declined>"),
    ),
    (
        "pay_schedule_get",
        {"merchant_uid": "ORD-LATER"},
        lacks("GET /subscribe/payments/schedule/ORD-LATER"),
    ),
    (
        "adjust_prepare_amount",
        {**_PREPARED, "amount": 50000},
        gives(merchant_uid="ORD-PREPARED", amount=50000),
    ),
    ("adjust_prepare_amount", w.ORDER, w.NOT_PREPARED),
    ("init_otp_certification", w.PERSON, lacks("POST /certifications/otp/request")),
    (
        "confirm_otp_certification",
        {**_PAID, "otp": "123456"},
        lacks("POST /certifications/otp/confirm/<paid>"),
    ),
]
