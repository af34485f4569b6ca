"""What the gateway's answers look like, and the flows of one account. No network."""

import json
from collections.abc import Callable, Mapping

from imp_verify import Credentials
from imp_verify._core.flow import Alone, Send, run
from imp_verify._core.gateway import Account
from imp_verify.transports import GatewayRequest, GatewayResponse

I1, I2, ORDER = "imp_100000000001", "imp_100000000002", "ORD-1001"
URL = "https://api.iamport.kr"
CREDENTIALS = Credentials("key-1", "secret-1")
SENT = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "imp-verify"}


def envelope(response: object, status: int = 200, code: int = 0) -> GatewayResponse:
    body = json.dumps({"code": code, "message": None, "response": response})
    return GatewayResponse(status, body.encode())


def token(text: str = "token-1", *, now: int = 1_735_700_000, life: int = 1800) -> GatewayResponse:
    return envelope({"access_token": text, "now": now, "expired_at": now + life})


def fields(imp_uid: object = I1, **changes: object) -> dict[str, object]:
    """Return a paid payment of the order as the gateway writes it."""
    return {
        "imp_uid": imp_uid,
        "merchant_uid": ORDER,
        "status": "paid",
        "amount": 39000,
        "cancel_amount": 0,
        "currency": "KRW",
        "sandbox": False,
        "pay_method": "card",
        "paid_at": 1_735_700_000,
        **changes,
    }


def paid(imp_uid: object = I1, **changes: object) -> GatewayResponse:
    return envelope(fields(imp_uid, **changes))


UNKNOWN = envelope(None, 404, -1)
REFUSED = envelope(None, 401, -1)


def never() -> float:
    """A clock that stands still."""
    return 0.0


def account(
    clock: Callable[[], float] = never,
    *,
    credentials: Credentials = CREDENTIALS,
    name: str | None = None,
    base_url: str = URL,
    test_mode: bool = False,
    warm: bool = True,
) -> Account:
    """Make an account; a warm one holds a token already (`token-NAME` where it has a name), so that
    flows begin with their look-up."""
    made = Account(credentials, name=name, base_url=base_url, test_mode=test_mode, clock=clock)
    if warm:
        answer = token(f"token-{name or 1}")
        run(made.get("/", float("inf")), answering(lambda request: answer))
    return made


def answering(answer: Callable[[GatewayRequest], GatewayResponse]) -> Callable[[object], object]:
    """Perform a flow that only talks to the gateway."""

    def perform(step: object) -> object:
        match step:
            case Send(request):
                return answer(request)
            case Alone(_, flow, _):
                return run(flow, perform)
            case _:
                raise AssertionError(f"nobody should have been asked {step}")

    return perform


def lookup(
    path: str, *, headers: Mapping[str, str] | None = None, deadline: float = 5.0
) -> GatewayRequest:
    """The request of one authorised GET, as a warm account sends it."""
    authorised = {**SENT, "Authorization": "Bearer token-1", **(headers or {})}
    return GatewayRequest("GET", f"{URL}{path}", authorised, None, deadline)
