"""The calls about virtual accounts: issued without a window, changed and given up."""

from __future__ import annotations

from decimal import Decimal

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import (
    BODY,
    FLAG,
    NUMBER,
    PATH,
    QUERY,
    TEXT,
    ApiCall,
    Parameter,
)
from imp_verify.sandbox._api.without_window import FIELDS, fields_of, pg_of
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.errors import WRONG_AMOUNT, WRONG_DUE, WRONG_HASH, Refused
from imp_verify.sandbox.pgs import Pg, pg

ISSUER = "settle"
"""Who issues an account where no channel is named: Hecto, who can do all that these calls do."""
_BANKS = {
    "003": "기업은행",
    "004": "국민은행",
    "011": "농협은행",
    "020": "우리은행",
    "081": "하나은행",
    "088": "신한은행",
}


def _issue(call: Call) -> Answer:
    fields, through = fields_of(call), pg_of(call, ISSUER)
    row, due = pg(through["pg_provider"]), call.number("vbank_due", 0)
    _check_key(call, row)
    if not fields["amount"] and not (row.unlimited_accounts and call.flag("fixed_unlimited_vbank")):
        raise Refused(WRONG_AMOUNT)
    if due <= call.sandbox.gateway.now():
        raise Refused(WRONG_DUE)
    code = call.needed("vbank_code")
    account: dict[str, object] = {"code": code, "bank": _BANKS.get(code.zfill(3), code)}
    if not row.vbank_holder:
        account["holder"] = None
    elif holder := call.text("vbank_holder"):
        account["holder"] = holder
    if number := call.text("vbank_num"):
        account["number"] = number
    issue = call.sandbox.issue_at_once
    return Answer(issue(call.group, {**fields, **through}, account, due).wire())


def _edit(call: Call) -> Answer:
    attempt, gateway = call.attempt(call.needed("imp_uid")), call.sandbox.gateway
    gateway.check_waits(attempt.imp_uid)
    if not attempt.pg.edits_accounts or attempt.tax_free:
        raise Refused("가상계좌 정보를 수정할 수 없는 결제입니다.")
    amount, due = call.number("amount", 0), call.number("vbank_due", 0)
    edited = call.sandbox.edit_account(attempt.imp_uid, Decimal(amount) or None, due or None)
    return Answer(edited.wire())


def _kill(call: Call) -> Answer:
    attempt, gateway = call.attempt(call.needed("imp_uid")), call.sandbox.gateway
    gateway.check_waits(attempt.imp_uid)
    _check_key(call, attempt.pg)
    return Answer(call.sandbox.kill_account(attempt.imp_uid).wire())


def _check_key(call: Call, row: Pg) -> None:
    """Raise Refused where the PG wants a key of its own, and the call has none."""
    if row.kill_needs_key and not call.text("pg_api_key"):
        raise Refused(WRONG_HASH, code=-1)


_IMP_UID = Parameter("imp_uid", TEXT, PATH, required=True)
_KEY = Parameter("pg_api_key", TEXT, QUERY, secret=True)
_STATUSES = (200, 400, 401, 404)

CALLS = (
    ApiCall(
        "vbank",
        "POST",
        ("/vbanks",),
        _issue,
        (
            *FIELDS,
            _KEY,
            Parameter("channel_key", TEXT, BODY),
            Parameter("pg", TEXT, BODY),
            Parameter("vbank_code", TEXT, BODY, required=True, longest=20),
            Parameter("vbank_due", NUMBER, BODY, required=True, most=LATEST),
            Parameter("vbank_num", TEXT, BODY, longest=32),
            Parameter("vbank_holder", TEXT, BODY, longest=16),
            Parameter("fixed_unlimited_vbank", FLAG, BODY),
        ),
    ),
    ApiCall(
        "vbank",
        "PUT",
        ("/vbanks/{imp_uid}",),
        _edit,
        (
            _IMP_UID,
            Parameter("amount", NUMBER, BODY),
            Parameter("vbank_due", NUMBER, BODY, most=LATEST),
        ),
        statuses=_STATUSES,
    ),
    ApiCall("vbank", "DELETE", ("/vbanks/{imp_uid}",), _kill, (_IMP_UID, _KEY), statuses=_STATUSES),
)
