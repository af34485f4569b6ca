"""Reading what a test wants a payment to be; a state that no payment has is refused here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from imp_verify.sandbox.attempt import (
    Attempt,
    Cancellation,
    Card,
    Promotion,
    VirtualAccount,
    wallet_of,
)
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.exact import as_amount
from imp_verify.sandbox.opening import (
    BUYER,
    DEFAULT_DUE,
    DEFAULT_PROVIDER,
    LONGEST_NUMBER,
)
from imp_verify.sandbox.pgs import pg
from imp_verify.sandbox.search import STATUSES

PAID = ("paid", "cancelled")
USAGES = ("issue", "payment", "payment.scheduled")
_PLAIN = (
    "sandbox",
    "tier",
    "channel",
    "name",
    "escrow",
    "promotion",
    "custom_data",
    "customer_uid",
    "customer_uid_usage",
)
"""Fields that are kept as they are read."""
FIXED = ("merchant_uid", "account", "tier")
"""What stays as it was made: who finds a payment, and by what number."""
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class _Part:
    amount: Decimal
    at: int | None = None
    reason: str | None = None


def read_payment(
    fields: Mapping[str, object], *, account: str, now: int, digits: Digits
) -> dict[str, Any]:
    """Read the fields of `Gateway.make` into those of an Attempt, but for its ids.

    Args:
        fields: By name; what is left out is as usual.
        account: The key of the account where none is named.
        now: Unix seconds, for a payment whose times are left out.
        digits: Where made-up numbers come from.

    Raises:
        ValueError: A name or a value is wrong, or they do not fit together; it names the field.
    """
    read = _read(fields)
    for name in ("merchant_uid", "amount"):
        if name not in fields:
            raise ValueError(f"{name} is missing")
    return _made(read, account=account, now=now, digits=digits)


def _read(fields: Mapping[str, object]) -> dict[str, Any]:
    for name in fields:
        if name not in _READERS:
            raise ValueError(f"no such field: {name}; there are {', '.join(_READERS)}")
    return {name: _READERS[name](name, value) for name, value in fields.items()}


def _made(read: dict[str, Any], *, account: str, now: int, digits: Digits) -> dict[str, Any]:
    """Put what was read together, or raise ValueError where it is no payment."""
    status = read.setdefault("status", "paid")
    provider = read.get("pg_provider", DEFAULT_PROVIDER)
    _refuse_misfits(read, status)
    times = _times(read, status, now)
    return {
        **{name: read[name] for name in _PLAIN if name in read},
        "account": read.get("account", account),
        "merchant_uid": read["merchant_uid"],
        "amount": read["amount"],
        "currency": read.get("currency", pg(provider).currency),
        "status": status,
        "pay_method": read.get("pay_method", "card"),
        "pg_provider": provider,
        "emb_pg_provider": wallet_of(read.get("pay_method", "card"), provider),
        "buyer": tuple(read.get(name) for name in BUYER),
        "notice_urls": read.get("notice_url", ()),
        **times,
        **_instrument(read, status, times["started_at"], digits),
        **_failure(read, status),
        **_cancelled(read, status, times, digits),
    }


def read_edit(
    attempt: Attempt, changes: Mapping[str, object], *, now: int, digits: Digits
) -> dict[str, Any]:
    """Read what is to be changed about an attempt into an Attempt's fields.

    What is not named stays, but for what the new status cannot have; what the new status needs and
    is not named, happened now.

    Args:
        attempt: As it is.
        changes: Fields of `Gateway.make`, by name.
        now: Unix seconds.
        digits: Where made-up numbers come from.

    Raises:
        ValueError: As `read_payment`.
    """
    for name in FIXED:
        if name in changes:
            raise ValueError(f"{name} cannot be changed")
    asked = _read(changes)
    fields = {**_as_read(attempt), **asked}
    status = fields["status"]
    if status != attempt.status:
        fields = {**_that_fits(fields, asked, status), **_happened(status, attempt, now), **asked}
    read = _made(fields, account=attempt.account, now=now, digits=digits)
    used = {name for name in ("pg_tid", "card") if name in read and getattr(attempt, name)}
    same = read["pay_method"] == attempt.pay_method
    kept: dict[str, Any] = {name: getattr(attempt, name) for name in used if same}
    if read["status"] == attempt.status and attempt.cancellations and "cancelled" not in changes:
        kept["cancellations"] = attempt.cancellations
    return {**_CLEARED, **read, **kept, "updated_at": now}


def _as_read(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as what is read of the fields that would make it.

    What a window or a test made otherwise stays, also where nobody could make it so.
    """
    plain = (*_PLAIN, "merchant_uid", "amount", "currency", "status", "pay_method", "pg_provider")
    fields = {name: getattr(attempt, name) for name in (*plain, "account", "fail_reason")}
    fields |= dict(zip(BUYER, attempt.buyer, strict=True))
    for name in ("started_at", "paid_at", "failed_at"):
        fields[name] = getattr(attempt, name) or None
    fields["cancelled"] = [
        _Part(each.amount, each.cancelled_at, each.reason) for each in attempt.cancellations
    ]
    if vbank := attempt.vbank:
        fields |= {"vbank_num": vbank.number, "vbank_code": vbank.code, "vbank_name": vbank.bank}
        fields |= {"vbank_holder": vbank.holder, "vbank_date": vbank.due}
        fields |= {"vbank_issued_at": vbank.issued_at}
    fields["notice_url"] = attempt.notice_urls
    nothing: tuple[object, ...] = (None, [], ())
    return {name: value for name, value in fields.items() if value not in nothing}


def _that_fits(
    fields: Mapping[str, Any], changes: Mapping[str, object], status: str
) -> dict[str, Any]:
    """Leave out what only the status before could have."""
    gone = {"fail_reason", "failed_at"} if status != "failed" else set()
    if status not in PAID:
        gone |= {"paid_at", "cancelled", "cancelled_at"}
    return {name: value for name, value in fields.items() if name in changes or name not in gone}


def _happened(status: str, attempt: Attempt, now: int) -> dict[str, object]:
    if status == "failed":
        return {"failed_at": now}
    if status not in PAID:
        return {}
    paid: dict[str, object] = {"paid_at": attempt.paid_at or now}
    if status == "cancelled" and not attempt.cancellations:
        paid["cancelled_at"] = now
    return paid


_CLEARED: dict[str, Any] = {
    **{"paid_at": 0, "failed_at": 0, "cancelled_at": 0, "cancellations": ()},
    **{"fail_reason": None, "error_code": None, "card": None, "vbank": None, "pg_tid": None},
}


def _refuse_misfits(read: Mapping[str, Any], status: str) -> None:
    method = read.get("pay_method", "card")
    for name in read:
        if name.startswith("vbank_") and method != "vbank":
            raise ValueError(f"{name} is for pay_method vbank, not {method}")
        if name in ("paid_at", "cancelled", "cancelled_at") and status not in PAID:
            raise ValueError(f"{name} is for a status of {' or '.join(PAID)}, not {status}")
    if status in ("ready", "pending") and "failed_at" in read:
        raise ValueError(f"failed_at is for a payment that failed, not {status}")
    if "fail_reason" in read and status != "failed" and "failed_at" not in read:
        raise ValueError(f"fail_reason is for a payment that failed, not {status}")


def _times(read: Mapping[str, Any], status: str, now: int) -> dict[str, int]:
    """Give each time that was left out: what has no time of its own follows at once."""
    given = [read[name] for name in ("paid_at", "failed_at", "cancelled_at") if name in read]
    given += [part.at for part in read.get("cancelled", ()) if part.at]
    started: int = read.get("started_at", min([*given, now]))
    times = {"started_at": started}
    if status in PAID:
        times["paid_at"] = read.get("paid_at", started)
    if status == "failed" or "failed_at" in read:
        times["failed_at"] = read.get("failed_at", started)
    for name, time in times.items():
        if time < started:
            raise ValueError(f"{name} is before started_at")
    if read.get("cancelled_at", LATEST) < times.get("paid_at", 0):
        raise ValueError("cancelled_at is before paid_at")
    return {**times, "updated_at": read.get("updated_at", max(times.values()))}


def _instrument(
    read: Mapping[str, Any], status: str, started: int, digits: Digits
) -> dict[str, object]:
    paid: dict[str, object] = {"pg_tid": digits.tid()} if status in PAID else {}
    method = read.get("pay_method", "card")
    if method == "card" and paid:
        return {**paid, "card": Card(digits(8))}
    if method != "vbank":
        return paid
    issued = read.get("vbank_issued_at", started)
    names = {"vbank_code": "code", "vbank_name": "bank", "vbank_holder": "holder"}
    account = VirtualAccount(
        read.get("vbank_num", f"{digits(3)}-{digits(3)}-{digits(6)}"),
        read.get("vbank_date", min(issued + DEFAULT_DUE, LATEST)),
        issued,
        **{field: read[name] for name, field in names.items() if name in read},
    )
    return {"pg_tid": digits.tid(), "vbank": account}


def _failure(read: Mapping[str, Any], status: str) -> dict[str, object]:
    if status != "failed":
        return {"fail_reason": read.get("fail_reason")}
    reason = read.get("fail_reason", "한도초과")
    return {"fail_reason": reason, "error_code": "SANDBOX_DECLINED"}


def _cancelled(
    read: Mapping[str, Any], status: str, times: Mapping[str, int], digits: Digits
) -> dict[str, Any]:
    """Make the cancellations; all is given back where a cancelled payment names no parts."""
    whole = [_Part(read["amount"])] if status == "cancelled" and read["amount"] else []
    parts: list[_Part] = read.get("cancelled", whole)
    if not parts and (status != "cancelled" or read["amount"]):
        if status == "cancelled" or "cancelled_at" in read:
            raise ValueError("cancelled names no part that was given back")
        return {}
    given_back = sum(part.amount for part in parts)
    if given_back > read["amount"]:
        raise ValueError("cancelled is more than the amount")
    if status == "paid" and given_back == read["amount"]:
        raise ValueError("cancelled is the whole amount, so status is cancelled, not paid")
    at: int = read.get("cancelled_at", times["paid_at"])
    before, entries = times["paid_at"], []
    for part in parts:
        when = part.at or max(at, before)
        if when < before:
            raise ValueError("cancelled: a part's cancelled_at is before what was before it")
        ids = digits.cancellation_id(), digits.tid()
        entries.append(Cancellation(*ids, part.amount, when, part.reason))
        before = when
    return {
        "cancellations": tuple(entries),
        "cancelled_at": before if entries else at,
        "updated_at": read.get("updated_at", max(before, times["updated_at"])),
    }


# One value each


def _text(longest: int) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise ValueError(f"{name} is a text of 1 to {longest} characters")
        return value

    return read


def _optional(read: Callable[[str, object], Any]) -> Callable[[str, object], Any]:
    return lambda name, value: None if value is None else read(name, value)


def _one_of(*choices: str) -> Callable[[str, object], object]:
    def read(name: str, value: object) -> object:
        if value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}")
        return value

    return read


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is true or false")
    return value


def _time(name: str, value: object) -> int:
    if type(value) is not int or not 0 < value <= LATEST:
        raise ValueError(f"{name} is 1 to {LATEST} in whole Unix seconds")
    return value


def _amount(name: str, value: object) -> Decimal:
    amount = None if isinstance(value, str) else as_amount(value)
    if amount is None or amount < 0:
        raise ValueError(f"{name} is a number of 0 or more, and no float")
    return amount


def _currency(name: str, value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError(f"{name} is three capital letters")
    return value


def _addresses(name: str, value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(_text(2000)(name, item) for item in items)


def _parts(name: str, value: object) -> list[_Part]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} is a list of amounts, or of amount, cancelled_at and reason")
    return [_part(f"{name}[{at}]", item) for at, item in enumerate(value)]


def _part(name: str, value: object) -> _Part:
    fields = value if isinstance(value, Mapping) else {"amount": value}
    for key in fields:
        if key not in ("amount", "cancelled_at", "reason"):
            raise ValueError(f"{name}: no such field: {key}")
    amount = _amount(f"{name}.amount", fields.get("amount"))
    if not amount:
        raise ValueError(f"{name}.amount is more than 0")
    at, reason = fields.get("cancelled_at"), fields.get("reason")
    return _Part(
        amount,
        None if at is None else _time(f"{name}.cancelled_at", at),
        None if reason is None else _text(256)(f"{name}.reason", reason),
    )


def _promotion(name: str, value: object) -> Promotion:
    if not isinstance(value, Mapping) or not {"id", "discount"} <= set(value):
        raise ValueError(f"{name} is an object of id, discount and least")
    for key in value:
        if key not in ("id", "discount", "least"):
            raise ValueError(f"{name}: no such field: {key}")
    return Promotion(
        _text(100)(f"{name}.id", value["id"]),
        _amount(f"{name}.discount", value["discount"]),
        _amount(f"{name}.least", value.get("least", 0)),
    )


_READERS: dict[str, Callable[[str, object], Any]] = {
    "merchant_uid": _text(LONGEST_NUMBER),
    "amount": _amount,
    "currency": _currency,
    "status": _one_of(*STATUSES, "pending"),
    "pay_method": _text(20),
    "pg_provider": _text(16),
    "channel": _one_of("pc", "mobile", "api"),
    "sandbox": _flag,
    "account": _text(200),
    "tier": _optional(_text(200)),
    "cancelled": _parts,
    "started_at": _time,
    "paid_at": _time,
    "failed_at": _time,
    "cancelled_at": _time,
    "updated_at": _time,
    "fail_reason": _text(1000),
    "vbank_code": _text(20),
    "vbank_name": _text(100),
    "vbank_num": _text(32),
    "vbank_holder": _optional(_text(100)),
    "vbank_date": _time,
    "vbank_issued_at": _time,
    "name": _optional(_text(40)),
    "escrow": _flag,
    "promotion": _optional(_promotion),
    **dict.fromkeys(BUYER, _optional(_text(128))),
    "custom_data": _optional(_text(10_000)),
    "customer_uid": _optional(_text(200)),
    "customer_uid_usage": _optional(_one_of(*USAGES)),
    "notice_url": _addresses,
}
FIELDS = tuple(_READERS)
"""Their names."""
