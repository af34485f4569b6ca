"""The call that takes what is left of a PAYCO payment apart, by instrument and by tax."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import PATH, TEXT, ApiCall, Parameter
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import Refused

_TAX = 11
"""The tax is the eleventh part of what is taxed, where the shop does not say it."""
_CASH = ("trans", "vbank")


def _balance(call: Call) -> Answer:
    attempt = call.attempt(call.needed("imp_uid"))
    if attempt.pg_provider != "payco":
        raise Refused("PAYCO 결제만 조회할 수 있습니다.", code=-1, status=405)
    histories = list(_histories(attempt))
    now = histories[-1] if histories else _parts(attempt, Decimal(0), Decimal(0))
    told = {name: part for name, part in now.items() if name != "created"}
    return Answer({"amount": attempt.amount, **told, "histories": histories})


def _histories(attempt: Attempt) -> Iterator[dict[str, object]]:
    """Walk what was left at each time: once it was paid, and after each part given back."""
    if not attempt.paid_at:
        return
    left, free = attempt.amount, attempt.tax_free
    yield {**_parts(attempt, left, free), "created": attempt.paid_at}
    for entry in attempt.cancellations:
        left -= entry.amount
        free = min(max(free - entry.tax_free, Decimal(0)), left)
        yield {**_parts(attempt, left, free), "created": entry.cancelled_at}


def _parts(attempt: Attempt, left: Decimal, free: Decimal) -> dict[str, object]:
    all_of_it, nothing = _taxed(left, free), _taxed(Decimal(0), Decimal(0))
    by_points = attempt.pay_method == "point"
    return {
        "cash_receipt": all_of_it if attempt.pay_method in _CASH else nothing,
        "primary": nothing if by_points else all_of_it,
        "secondary": all_of_it if by_points else nothing,
        "discount": nothing,
    }


def _taxed(left: Decimal, free: Decimal) -> dict[str, object]:
    vat = (left - free) // _TAX
    return {"tax_free": free, "supply": left - free - vat, "vat": vat, "service": Decimal(0)}


CALLS = (
    ApiCall(
        "balance",
        "GET",
        ("/payments/{imp_uid}/balance",),
        _balance,
        (Parameter("imp_uid", TEXT, PATH, required=True),),
        statuses=(200, 401, 404, 405),
    ),
)
