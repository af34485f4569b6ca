"""The call that gives an access token."""

from __future__ import annotations

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox._api.declare import BODY, TEXT, ApiCall, Parameter


def _token(call: Call) -> Answer:
    gateway = call.sandbox.gateway
    token = gateway.issue_token(call.needed("imp_key"), call.needed("imp_secret"))
    return Answer(token.wire(gateway.now()))


CALLS = (
    ApiCall(
        "token",
        "POST",
        ("/users/getToken",),
        _token,
        (
            Parameter("imp_key", TEXT, BODY, required=True),
            Parameter("imp_secret", TEXT, BODY, required=True, secret=True),
        ),
        statuses=(200, 400, 401),
        refused=(-1, 400),
        open=True,
    ),
)
