"""The calls that register an amount before the payment window asks for it."""

from __future__ import annotations

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import AMOUNT, BODY, PATH, TEXT, ApiCall, Parameter
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.opening import LONGEST_NUMBER
from imp_verify.sandbox.registrations import Registration


def _registration(call: Call) -> Registration:
    amount = call.amount("amount")
    assert amount is not None
    return Registration(call.needed("merchant_uid"), amount, call.text("currency"))


def _prepare(call: Call) -> Answer:
    registrations = call.sandbox.gateway.registrations
    return Answer(registrations.add(call.account, _registration(call)).wire())


def _change(call: Call) -> Answer:
    registrations = call.sandbox.gateway.registrations
    return Answer(registrations.change(call.account, _registration(call)).wire())


def _prepared(call: Call) -> Answer:
    registrations = call.sandbox.gateway.registrations
    try:
        return Answer(registrations.get(call.account, call.needed("merchant_uid")).wire())
    except Refused as error:
        if call.sandbox.settings.unprepared == 200:
            raise Refused(error.message) from error
        raise


_FIELDS = (
    Parameter("merchant_uid", TEXT, BODY, required=True, longest=LONGEST_NUMBER),
    Parameter("amount", AMOUNT, BODY, required=True),
    Parameter("currency", TEXT, BODY),
)

CALLS = (
    ApiCall("prepare", "POST", ("/payments/prepare",), _prepare, _FIELDS),
    ApiCall("prepare", "PUT", ("/payments/prepare",), _change, _FIELDS, statuses=(200, 401, 404)),
    ApiCall(
        "prepare",
        "GET",
        ("/payments/prepare/{merchant_uid}",),
        _prepared,
        (Parameter("merchant_uid", TEXT, PATH, required=True),),
        statuses=(200, 401, 404),
    ),
)
