"""The calls about virtual accounts that wait for their deposit."""

from __future__ import annotations

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import AMOUNT, BODY, PATH, QUERY, TEXT, ApiCall, Parameter
from imp_verify.sandbox.clock import LATEST


def _edit(call: Call) -> Answer:
    imp_uid, due = call.attempt(call.needed("imp_uid")).imp_uid, call.amount("vbank_due")
    gateway = call.sandbox.gateway
    edited = gateway.edit_account(imp_uid, call.amount("amount"), None if due is None else int(due))
    return Answer(edited.wire())


def _kill(call: Call) -> Answer:
    imp_uid = call.attempt(call.needed("imp_uid")).imp_uid
    return Answer(call.sandbox.kill_account(imp_uid).wire())


_IMP_UID = Parameter("imp_uid", TEXT, PATH, required=True)
_STATUSES = (200, 400, 401, 404)

CALLS = (
    ApiCall(
        "vbank",
        "PUT",
        ("/vbanks/{imp_uid}",),
        _edit,
        (
            _IMP_UID,
            Parameter("amount", AMOUNT, BODY),
            Parameter("vbank_due", AMOUNT, BODY, most=LATEST),
        ),
        statuses=_STATUSES,
    ),
    ApiCall(
        "vbank",
        "DELETE",
        ("/vbanks/{imp_uid}",),
        _kill,
        (_IMP_UID, Parameter("pg_api_key", TEXT, QUERY, secret=True)),
        statuses=_STATUSES,
    ),
)
