"""The JSON schemas of what control calls take and answer; how a call refers to them is not here."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from imp_verify.sandbox import making, settings
from imp_verify.sandbox._http.control.declare import Amount, Line, Whole
from imp_verify.sandbox.calls import NAMES
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.exact import LONGEST
from imp_verify.sandbox.fault_checks import ANY, LONGEST_WAIT, METHODS, OTHERS
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.kinds import Flag, Kind, OneNumber, OneOf, Seconds, Text, Texts
from imp_verify.sandbox.opening import BUYER, LONGEST_NUMBER
from imp_verify.sandbox.search import STATUSES

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_WHOLE: Schema = {"type": "integer"}
_TIME: Schema = {"type": "integer", "minimum": 1, "maximum": LATEST, "description": "Unix seconds"}
_SHOWN_TIME: Schema = {"type": "integer", "minimum": 0, "description": "Unix seconds; 0 for none"}
_MONEY: Schema = {
    "type": "number",
    "maximum": 10**LONGEST - 1,
    "description": f"At most {LONGEST} digits, those after the point included",
}
_STATUS: Schema = {"type": "string", "enum": [*STATUSES, "pending"]}


def optional(schema: Schema) -> Schema:
    """Return a schema of one type that takes null too."""
    choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **choices}


def of_kind(kind: Kind) -> Schema:
    """Return the schema of a kind of value; of one that has none its words."""
    match kind:
        case OneOf(choices):
            return {"type": "string", "enum": list(choices)}
        case OneNumber(numbers):
            return {"type": "integer", "enum": list(numbers)}
        case Flag():
            return _FLAG
        case Seconds(most, whole):
            return {"type": "integer" if whole else "number", "minimum": 0, "maximum": most}
        case Whole(least, most):
            return _whole(least, most)
        case Amount(zero):
            return _amount(zero=zero)
        case Line(longest, shortest):
            return _line(longest, shortest)
        case Text(pattern):
            return optional(_of_pattern(pattern))
        case Texts(pattern):
            return {"type": "array", "items": _of_pattern(pattern)}
        case _:
            return {"description": kind.allowed}


def closed(properties: Schema, *required: str) -> Schema:
    """Return the schema of an object that has these properties and no others."""
    return {**_open(properties, *required), "additionalProperties": False}


def _open(properties: Schema, *required: str) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed}


def list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def ref(name: str) -> Schema:
    """Refer to a schema of the description."""
    return {"$ref": f"#/components/schemas/{name}"}


def _of_pattern(pattern: re.Pattern[str] | None) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern.pattern})$"} if pattern else _TEXT


def _line(longest: int, shortest: int = 1) -> Schema:
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _amount(*, zero: bool = True) -> Schema:
    return {**_MONEY, "minimum" if zero else "exclusiveMinimum": 0}


_ADDRESS = _line(2000)
_PART = closed(
    {
        "amount": _amount(zero=False),
        "cancelled_at": optional(_TIME),
        "reason": optional(_line(256)),
    },
    "amount",
)
_PROMOTION = closed({"id": _line(100), "discount": _amount(), "least": _amount()}, "id", "discount")
_TIMES = (name for name in making.FIELDS if name.endswith("_at") or name == "vbank_date")
_PAYMENT: Schema = {
    "merchant_uid": _line(LONGEST_NUMBER),
    "amount": _amount(),
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "status": _STATUS,
    "pay_method": _line(20),
    "pg_provider": _line(16),
    "channel": {"type": "string", "enum": ["pc", "mobile", "api"]},
    "sandbox": _FLAG,
    "account": _line(200),
    "tier": optional(_line(200)),
    "cancelled": list_of({"anyOf": [_amount(zero=False), _PART]}),
    "fail_reason": _line(1000),
    "vbank_code": _line(20),
    "vbank_name": _line(100),
    "vbank_num": _line(32),
    "vbank_holder": optional(_line(100)),
    "name": optional(_line(40)),
    "escrow": _FLAG,
    "promotion": optional(_PROMOTION),
    **dict.fromkeys(BUYER, optional(_line(128))),
    "custom_data": optional(_line(10_000)),
    "customer_uid": optional(_line(200)),
    "customer_uid_usage": optional({"type": "string", "enum": list(making.USAGES)}),
    "notice_url": {"anyOf": [_ADDRESS, list_of(_ADDRESS)]},
    **dict.fromkeys(_TIMES, _TIME),
}
"""Each field of `Gateway.make`, as `making` reads it."""
_COUNT, _YEAR = _whole(0, 10**9), _whole(0, settings.LONGEST_DELAY)
_HEADER: Schema = {"type": "string", "pattern": "^[ -~]*$"}
_CALLED = f"^(?:{'|'.join(METHODS)}) /"
_FAULT: Schema = {
    "call": {"anyOf": [{"enum": [*NAMES, *OTHERS, ANY]}, {"type": "string", "pattern": _CALLED}]},
    "status": optional(_whole(200, 599)),
    "body": _TEXT,
    "content_type": _HEADER,
    "times": optional(_COUNT),
    "truncate": optional(_COUNT),
    **dict.fromkeys(("imp_uid", "merchant_uid", "account"), optional(_TEXT)),
    "skip": _COUNT,
    "rate": {"type": "number", "minimum": 0, "maximum": 1},
    "seed": _whole(0, 10**18),
    "headers": {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
        "additionalProperties": _HEADER,
    },
    "delay": {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT},
    "drip": optional({"type": "number", "exclusiveMinimum": 0, "maximum": 10**9}),
    "drip_in": {"type": "string", "enum": ["body", "headers"]},
    "patch": {"type": "object", "propertyNames": {"minLength": 1}},
    "remove": list_of({"type": "string", "minLength": 1}),
    "stale": optional(_YEAR),
    "late": _YEAR,
    **dict.fromkeys(("lost", "revoke", "drop", "reset", "empty", "html", "huge"), _FLAG),
    **dict.fromkeys(("withhold", "twice"), _FLAG),
}
"""Each field of a fault, as `fault_checks` takes it."""


def _fault() -> Schema:
    return {each.name: _FAULT[each.name] for each in fields(Fault) if each.init}


def _setting(setting: settings.Setting) -> Schema:
    default = setting.default
    usual = list(default) if isinstance(default, tuple) else default
    return {**of_kind(setting.kind), "description": setting.says, "default": usual}


def taken() -> dict[str, Schema]:
    """Describe what calls take that is no short list of fields."""
    payment = {name: _PAYMENT[name] for name in making.FIELDS}
    changes = {name: of for name, of in payment.items() if name not in making.FIXED}
    return {
        "Payment": closed(payment, "merchant_uid", "amount"),
        "PaymentChange": closed(changes),
        "Settings": closed({name: _setting(each) for name, each in settings.TABLE.items()}),
        "Fault": closed(_fault(), "call"),
    }


def answered() -> dict[str, Schema]:
    """Describe what calls answer."""
    kept = list_of({"type": "object"}, description="What each will say, by field")
    return {
        "Error": _open({"error": _TEXT, "status": _TEXT, "allowed": list_of(_TEXT)}, "error"),
        "Health": _all_of({"ok": _FLAG, "now": _WHOLE, "payments": _WHOLE}),
        "Clock": _all_of({"now": _WHOLE, "stopped": _FLAG, "due": _WHOLE}),
        "SetFault": closed({"number": _WHOLE, **_fault()}, "number", "call"),
        "Account": _all_of({"key": _TEXT, "user_code": _TEXT}),
        "Channel": _all_of({"channel_key": _TEXT, "pg_provider": _TEXT, "test": _FLAG}),
        "Prepared": _all_of(
            {"account": _TEXT, "merchant_uid": _TEXT, "amount": _amount()}
            | {"currency": optional(_TEXT)}
        ),
        "MadePayment": _made_payment(),
        "MadePayments": {
            "anyOf": [ref("MadePayment"), list_of(_TEXT, description="Of a list: ids")]
        },
        "PaymentPage": _all_of(
            {"total": _WHOLE, "page": _WHOLE, "list": list_of(ref("MadePayment"))}
        ),
        "Delivery": _delivery(),
        "Deliveries": _all_of(
            {"list": list_of(ref("Delivery")), "kept_back": kept, "withheld": kept}
        ),
    }


def _all_of(properties: Schema) -> Schema:
    return closed(properties, *properties)


def _made_payment() -> Schema:
    """Describe what the gateway writes; what shops read oftenest, its own schema says the rest."""
    text = optional(_TEXT)
    times = ("started_at", "paid_at", "failed_at", "cancelled_at", "vbank_date")
    known: Schema = {
        **dict.fromkeys(("imp_uid", "merchant_uid", "pay_method", "pg_provider", "channel"), _TEXT),
        "status": _STATUS,
        **dict.fromkeys(("amount", "cancel_amount"), _amount()),
        "currency": _TEXT,
        **dict.fromkeys(("sandbox", "escrow"), _FLAG),
        **dict.fromkeys(times, _SHOWN_TIME),
        **dict.fromkeys(("name", *BUYER, "custom_data", "customer_uid", "fail_reason"), text),
        **dict.fromkeys(("pg_tid", "receipt_url", "cancel_reason", "vbank_num"), text),
        "cancel_history": list_of({"type": "object"}),
    }
    says = "As GET /payments/{imp_uid} of the gateway writes it; it has more fields than these."
    return {**_open(known, *known), "description": says}


def _delivery() -> Schema:
    text = optional(_TEXT)
    return _all_of(
        {
            **dict.fromkeys(("url", "content_type", "body", "answer"), _TEXT),
            "status": optional({**_WHOLE, "description": "Of the shop's answer"}),
            "error": {**text, "description": "Why there was no answer"},
            **dict.fromkeys(("milliseconds", "attempt", "number", "at"), _WHOLE),
            **dict.fromkeys(("imp_uid", "merchant_uid"), text),
            "headers": list_of(list_of(_TEXT, minItems=2, maxItems=2)),
            "ok": {**_FLAG, "description": "Whether the shop answered 200"},
        }
    )
