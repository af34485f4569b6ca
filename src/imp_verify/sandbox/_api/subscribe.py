"""The calls that store a card and charge it without a window."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import (
    BODY,
    NUMBER,
    PATH,
    TEXT,
    ApiCall,
    Parameter,
)
from imp_verify.sandbox._api.without_window import FIELDS, LONGEST_CUSTOMER, fields_of, pg_of
from imp_verify.sandbox.attempt import Card
from imp_verify.sandbox.customers import masked
from imp_verify.sandbox.errors import WRONG_AMOUNT, WRONG_EXPIRY, Refused
from imp_verify.sandbox.events import Moved
from imp_verify.sandbox.opening import KOREA

PAYMENTWALL = "paymentwall"
LEAST_IN_PARTS = 50_000
"""Won, from which on a card may be charged in monthly parts."""
_EXPIRY = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_OWNER = {"name": 20, "tel": 20, "email": 200, "addr": 200, "postcode": 8}


def _customer(call: Call) -> Answer:
    return Answer(call.sandbox.gateway.customers.get(call.group, _uid(call)).wire())


def _forget(call: Call) -> Answer:
    return Answer(call.sandbox.gateway.customers.remove(call.group, _uid(call)).wire())


def _store(call: Call) -> Answer:
    owner = {name: call.text(f"customer_{name}") for name in _OWNER}
    stored = call.sandbox.gateway.store_card(
        call.group,
        _uid(call),
        card=_card(call),
        customer_id=call.text("customer_id"),
        **owner,
        **pg_of(call),
    )
    return Answer(stored.wire())


def _onetime(call: Call) -> Answer:
    through = pg_of(call)
    fields = {**_charged(call, through["pg_provider"]), **through}
    charge = call.sandbox.gateway.charge_once
    return _told(call, charge(call.group, fields, _card(call), call.text("customer_uid")))


def _again(call: Call) -> Answer:
    gateway, uid = call.sandbox.gateway, _uid(call)
    customer = gateway.customers.find(call.group, uid)
    fields = _charged(call, customer.pg_provider if customer else "")
    quota = call.number("card_quota", 0)
    return _told(call, gateway.charge_again(call.group, uid, fields, quota=quota))


def _uid(call: Call) -> str:
    return call.needed("customer_uid")


def _charged(call: Call, provider: str) -> dict[str, Any]:
    """Return the fields of a charge; a currency is taken by Paymentwall alone."""
    fields = fields_of(call)
    in_parts = call.number("card_quota", 0) > 1
    if not fields["amount"] or (in_parts and fields["amount"] < LEAST_IN_PARTS):
        raise Refused(WRONG_AMOUNT)
    currency = call.text("currency")
    return {**fields, "currency": currency} if currency and provider == PAYMENTWALL else fields


def _card(call: Call) -> Card:
    number = masked(call.needed("card_number"))
    expiry = _EXPIRY.fullmatch(call.needed("expiry"))
    today = datetime.fromtimestamp(call.sandbox.gateway.now(), KOREA)
    if not expiry or (int(expiry[1]), int(expiry[2])) < (today.year, today.month):
        raise Refused(WRONG_EXPIRY, code=-1)
    apply_num, quota = call.sandbox.gateway.apply_number(), call.values.get("card_quota") or 0
    assert isinstance(quota, int)
    return Card(apply_num, number=number, quota=quota)


def _told(call: Call, moved: Moved) -> Answer:
    """Tell the shop that it was paid, and of a charge that failed by the answer alone."""
    if moved.attempt.status == "paid":
        call.sandbox.tell(moved)
    return Answer(moved.attempt.wire())


_CUSTOMER = Parameter("customer_uid", TEXT, PATH, required=True, longest=LONGEST_CUSTOMER)
_CARD = (
    Parameter("card_number", TEXT, BODY, required=True, secret=True),
    Parameter("expiry", TEXT, BODY, required=True, secret=True),
    Parameter("birth", TEXT, BODY, secret=True),
    Parameter("pwd_2digit", TEXT, BODY, secret=True),
    Parameter("cvc", TEXT, BODY, secret=True),
)
_THROUGH = (
    Parameter("channel_key", TEXT, BODY, longest=55),
    Parameter("pg", TEXT, BODY, longest=80),
)
_CHARGE = (
    *FIELDS,
    *_THROUGH,
    Parameter("currency", TEXT, BODY, longest=3),
    Parameter("card_quota", NUMBER, BODY, most=60),
)

CALLS = (
    ApiCall("customer", "GET", ("/subscribe/customers/{customer_uid}",), _customer, (_CUSTOMER,)),
    ApiCall(
        "customer",
        "POST",
        ("/subscribe/customers/{customer_uid}",),
        _store,
        (
            _CUSTOMER,
            *_CARD,
            *_THROUGH,
            Parameter("customer_id", TEXT, BODY),
            *(
                Parameter(f"customer_{name}", TEXT, BODY, longest=longest)
                for name, longest in _OWNER.items()
            ),
        ),
    ),
    ApiCall("customer", "DELETE", ("/subscribe/customers/{customer_uid}",), _forget, (_CUSTOMER,)),
    ApiCall(
        "onetime",
        "POST",
        ("/subscribe/payments/onetime",),
        _onetime,
        (*_CHARGE, *_CARD, Parameter("customer_uid", TEXT, BODY, longest=LONGEST_CUSTOMER)),
    ),
    ApiCall(
        "again",
        "POST",
        ("/subscribe/payments/again",),
        _again,
        (
            *_CHARGE,
            Parameter("customer_uid", TEXT, BODY, required=True, longest=LONGEST_CUSTOMER),
        ),
    ),
)
