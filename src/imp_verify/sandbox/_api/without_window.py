"""What the calls that make a payment without a window have in common: what they take of it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from imp_verify.sandbox._api.call import Call
from imp_verify.sandbox._api.declare import AMOUNT, BODY, STORED, TEXT, TEXTS, Parameter
from imp_verify.sandbox.attempt import BUYER
from imp_verify.sandbox.errors import WRONG_AMOUNT, Refused
from imp_verify.sandbox.opening import DEFAULT_PROVIDER, LONGEST_NUMBER

LONGEST_CUSTOMER = 80
_CODE = re.compile(r"[a-z0-9_]{1,16}")
_LONGEST = dict(zip(BUYER, (16, 64, 16, 128, 8), strict=True))

FIELDS = (
    Parameter("merchant_uid", TEXT, BODY, required=True, longest=LONGEST_NUMBER),
    Parameter("amount", AMOUNT, BODY, required=True),
    Parameter("tax_free", AMOUNT, BODY),
    Parameter("vat_amount", AMOUNT, BODY),
    Parameter("name", TEXT, BODY, longest=40),
    *(Parameter(name, TEXT, BODY, longest=longest) for name, longest in _LONGEST.items()),
    Parameter("custom_data", STORED, BODY),
    Parameter("notice_url", TEXTS, BODY),
)


def fields_of(call: Call) -> dict[str, Any]:
    """Return the fields of the Attempt that a call asks for, but for its PG.

    Raises:
        Refused: A part of the amount is more than the amount.
    """
    amount = call.amount("amount")
    assert amount is not None
    for name in ("tax_free", "vat_amount"):
        if (call.amount(name) or 0) > amount:
            raise Refused(WRONG_AMOUNT)
    return {
        "merchant_uid": call.needed("merchant_uid"),
        "amount": amount,
        "tax_free": call.amount("tax_free") or Decimal(0),
        "name": call.text("name"),
        "buyer": tuple(call.text(name) for name in BUYER),
        "custom_data": call.text("custom_data"),
        "notice_urls": tuple(filter(None, call.texts("notice_url"))),
    }


def pg_of(call: Call, usual: str = DEFAULT_PROVIDER) -> dict[str, Any]:
    """Return the fields that say through which PG, and whether by a test channel.

    Args:
        call: Names a channel, or in the older way a PG; what cannot be one is the usual one, as
            documented of `pg`.
        usual: The PG where none is named.
    """
    channel = call.sandbox.gateway.channel(call.text("channel_key") or "")
    if channel is None:
        code = (call.text("pg") or "").partition(".")[0]
        channel = (code if _CODE.fullmatch(code) else usual, False)
    return {"pg_provider": channel[0], "sandbox": channel[1]}
