"""The calls that read payments: one, many, by order, by status."""

from __future__ import annotations

from imp_verify.sandbox import search
from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import (
    FLAG,
    NUMBER,
    PATH,
    QUERY,
    TEXT,
    TEXTS,
    ApiCall,
    Parameter,
)
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import UNKNOWN_STATUS, Refused, unknown_payment
from imp_verify.sandbox.ledger import ALL

MOST_AT_ONCE = 100


def _payment(call: Call) -> Answer:
    attempt = call.attempt(call.needed("imp_uid"))
    if (attempt.sandbox and not call.flag("include_sandbox")) or call.sandbox.hides(attempt):
        raise unknown_payment()
    return Answer(attempt.wire(extension=call.flag("extension")))


def _payments(call: Call) -> Answer:
    imp_uids, merchant_uids = call.texts("imp_uid[]"), call.texts("merchant_uid[]")
    if not 0 < len(imp_uids) + len(merchant_uids) <= MOST_AT_ONCE:
        raise Refused("해당되는 결제건을 찾지 못하였습니다.", code=-1, status=404)
    parts = [*map(call.known, imp_uids), *map(call.of_order, merchant_uids)]
    found = {attempt.number: attempt for part in parts for attempt in part}
    if not found:
        raise Refused("해당되는 결제건을 찾지 못하였습니다.", code=-1, status=404)
    return Answer([found[number].wire() for number in sorted(found)], 200 if all(parts) else 207)


def _of_order(call: Call) -> list[Attempt]:
    known = call.of_order(call.needed("merchant_uid"))
    if not known:
        raise unknown_payment()
    sorting = call.text("sorting")
    return search.sort(
        search.with_status(known, call.text("payment_status") or ALL),
        sorting if sorting in search.SORTINGS else search.NEWEST_FIRST,
    )


def _find(call: Call) -> Answer:
    found = _of_order(call)
    if not found:
        raise unknown_payment()
    return Answer(found[0].wire())


def _find_all(call: Call) -> Answer:
    page, limit = call.number("page", 1), call.number("limit", search.USUAL_PAGE)
    found = _of_order(call)
    first = (page - 1) * limit
    return Answer(search.page_of(found[first : first + limit], page, limit, len(found)))


def _status(call: Call) -> Answer:
    end = call.number("to", call.sandbox.gateway.now())
    start = call.number("from", end - search.LONGEST_WINDOW)
    search.check_window(start, end)
    page, limit = call.number("page", 1), call.number("limit", search.USUAL_PAGE)
    total, found = call.sandbox.gateway.listed(
        call.group,
        call.needed("payment_status"),
        start,
        end,
        sorting=call.text("sorting") or search.NEWEST_FIRST,
        place=lambda total: (search.first_of(page, limit, total), limit),
    )
    return Answer(search.page_of(found, page, limit, total))


_IMP_UID = Parameter("imp_uid", TEXT, PATH, required=True)
_MERCHANT_UID = Parameter("merchant_uid", TEXT, PATH, required=True)
_STATUS = Parameter(
    "payment_status", TEXT, PATH, choices=(ALL, *search.STATUSES), message=UNKNOWN_STATUS
)
_SORTING = Parameter("sorting", TEXT, QUERY, choices=search.SORTINGS)
_PAGE = Parameter("page", NUMBER, QUERY, least=1)
_LIMIT = Parameter("limit", NUMBER, QUERY, least=1, most=search.LONGEST_PAGE)
_BAD = (-1, 400)
_NOT_FOUND = (-1, 404)
"""Of `find`: it is documented to answer 200, 401 and 404 alone. A sorting that there is not leaves
the usual one."""

CALLS = (
    ApiCall(
        "payment",
        "GET",
        ("/payments/{imp_uid}",),
        _payment,
        (
            _IMP_UID,
            Parameter("include_sandbox", FLAG, QUERY),
            Parameter("extension", FLAG, QUERY),
        ),
        statuses=(200, 401, 404),
    ),
    ApiCall(
        "payments",
        "GET",
        ("/payments",),
        _payments,
        (Parameter("imp_uid[]", TEXTS, QUERY), Parameter("merchant_uid[]", TEXTS, QUERY)),
        statuses=(200, 207, 401, 404),
    ),
    ApiCall(
        "find",
        "GET",
        (
            "/payments/find/{merchant_uid}",
            "/payments/find/{merchant_uid}/",
            "/payments/find/{merchant_uid}/{payment_status}",
        ),
        _find,
        (_MERCHANT_UID, _STATUS, Parameter("sorting", TEXT, QUERY)),
        statuses=(200, 401, 404),
        refused=_NOT_FOUND,
    ),
    ApiCall(
        "find_all",
        "GET",
        (
            "/payments/findAll/{merchant_uid}",
            "/payments/findAll/{merchant_uid}/",
            "/payments/findAll/{merchant_uid}/{payment_status}",
        ),
        _find_all,
        (_MERCHANT_UID, _STATUS, _PAGE, _LIMIT, _SORTING),
        statuses=(200, 400, 401, 404),
        refused=_BAD,
    ),
    ApiCall(
        "status",
        "GET",
        ("/payments/status/{payment_status}",),
        _status,
        (
            _STATUS,
            _PAGE,
            _LIMIT,
            Parameter("from", NUMBER, QUERY),
            Parameter("to", NUMBER, QUERY),
            _SORTING,
        ),
        statuses=(200, 400, 401),
        refused=_BAD,
    ),
)
