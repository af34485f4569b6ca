"""Every fault that the sandbox has, met by each of the product's transports: it ends in the verdict
or the `GatewayError` that the contract says, and within `timeout`; and no cancel is done twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    Credentials,
    GatewayError,
    GatewayProtocolError,
    GatewayRefused,
    GatewayUnavailable,
    ImpVerifyError,
    InvalidRequest,
    Outcome,
    Reason,
    Verdict,
    Verifier,
)
from imp_verify.errors import GatewayReset
from imp_verify.sandbox import Account, Attempt, Fault, SandboxServer
from imp_verify.sandbox.fault_checks import EFFECTS, OF_WEBHOOKS
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.drivers.driving import Driver

TRANSPORTS: dict[str, tuple[str, Any]] = {
    "requests": ("sync", RequestsTransport),
    "urllib3": ("sync", Urllib3Transport),
    "httpx": ("async", HttpxTransport),
    "aiohttp": ("async", AiohttpTransport),
}
PRICE, NOON = 39000, 1_785_400_000
LONG, SHORT = 10.0, 0.3
LATEST = SHORT + 0.1 + 0.4
"""A call of SHORT is over by then: a tenth of a second is promised, the rest is for a busy one."""
NUMBERS = count(1001)

ONCE = {"times": 1}
"""A look-up is repeated once, at once, after a reset, 502, 503 and 504, or a refused token."""
NEVER = (GatewayUnavailable, None)
BROKEN = (GatewayReset, None)
NONSENSE = (GatewayProtocolError, None)
PAID = (None, Verdict.PAID)
PENDING = (None, Verdict.PENDING)
OF_A_LOOK_UP: list[tuple[dict[str, Any], tuple[type[GatewayError] | None, Verdict | None]]] = [
    ({"status": 500}, NEVER),
    ({"status": 500, **ONCE}, NEVER),
    ({"status": 503}, NEVER),
    ({"status": 503, **ONCE}, PAID),
    ({"status": 429, "headers": {"Retry-After": "3"}, **ONCE}, NEVER),
    ({"status": 302, "headers": {"Location": "/payments/imp_0"}}, NONSENSE),
    ({"status": 401}, (GatewayRefused, None)),
    ({"status": 401, "revoke": True, **ONCE}, PAID),
    ({"revoke": True, **ONCE}, PAID),
    ({"status": 404}, NONSENSE),
    ({"status": 404, "html": True}, NONSENSE),
    ({"status": 503, "body": "<html>", "content_type": "text/html"}, NEVER),
    ({"status": 200, "body": '{"code":0,"message":null,"response":null}'}, NONSENSE),
    ({"empty": True}, NONSENSE),
    ({"html": True}, NONSENSE),
    ({"html": True, "status": 502}, NEVER),
    ({"huge": True}, NONSENSE),
    ({"drop": True}, BROKEN),
    ({"drop": True, **ONCE}, PAID),
    ({"reset": True}, BROKEN),
    ({"reset": True, **ONCE}, PAID),
    ({"truncate": 0}, BROKEN),
    ({"truncate": 30}, BROKEN),
    ({"truncate": 30, **ONCE}, PAID),
    ({"lost": True}, BROKEN),
    ({"lost": True, **ONCE}, PAID),
    ({"delay": 0.01}, PAID),
    ({"drip": 500_000}, PAID),
    ({"drip": 500_000, "drip_in": "headers"}, PAID),
    ({"patch": {"response.amount": None}}, NONSENSE),
    ({"patch": {"response.amount": [1]}}, NONSENSE),
    ({"patch": {"response.imp_uid": "imp_9"}}, NONSENSE),
    ({"patch": {"response.status": "weird"}}, PENDING),
    ({"patch": {"response.amount": PRICE - 1}}, (None, Verdict.FORGERY)),
    ({"patch": {"response.merchant_uid": "ANOTHER"}}, (None, Verdict.FORGERY)),
    ({"patch": {"code": -1}}, NONSENSE),
    ({"remove": ["response.amount"]}, NONSENSE),
    ({"remove": ["response"]}, NONSENSE),
    ({"stale": 30}, PENDING),
]
OF_A_TOKEN: list[tuple[dict[str, Any], type[GatewayError]]] = [
    ({"status": 500}, GatewayUnavailable),
    ({"status": 401}, GatewayRefused),
    ({"status": 429}, GatewayUnavailable),
    ({"html": True}, GatewayProtocolError),
    ({"empty": True}, GatewayProtocolError),
    ({"huge": True}, GatewayProtocolError),
    ({"drop": True}, GatewayReset),
    ({"reset": True}, GatewayReset),
    ({"truncate": 10}, GatewayReset),
    ({"remove": ["response.access_token"]}, GatewayProtocolError),
    ({"patch": {"response.expired_at": "soon"}}, GatewayProtocolError),
]
SLOW: list[dict[str, Any]] = [
    {"delay": 60},
    {"drip": 20},
    {"drip": 20, "drip_in": "headers"},
    {"delay": 60, "status": 200, "body": "{}"},
    {"delay": 60, "lost": True},
]


def said(row: object) -> str:
    return ",".join(map(str, row)) if isinstance(row, dict) else ""


class Shop:
    """A shop that asks through one transport."""

    def __init__(self, gateway: SandboxServer, transport: str) -> None:
        self.gateway = gateway
        kind, self._transport = TRANSPORTS[transport]
        self._driver = Driver(kind)
        self._made: list[Any] = []
        self.store = MemoryStore(expected=lambda number, _: PRICE)
        self.verifier = self.make(LONG)

    def make(self, timeout: float) -> Any:
        kind: Any = AsyncVerifier if self._driver.is_async else Verifier
        made = kind(
            self.store,
            credentials=Credentials(Account().key, Account().secret),
            base_url=self.gateway.url,
            test_mode=True,
            timeout=timeout,
            cancel_timeout=timeout,
            transport=self._transport(),
        )
        self._made.append(made)
        return made

    def pay(self) -> Attempt:
        sandbox, number = self.gateway.sandbox, f"ORD{next(NUMBERS)}"
        opened = sandbox.open({"merchant_uid": number, "amount": PRICE})
        sandbox.clock.advance(60)
        return sandbox.approve(opened.imp_uid)

    def verify(self, paid: Attempt, verifier: Any = None) -> Outcome:
        return self.call(verifier or self.verifier, "verify", paid.imp_uid, paid.merchant_uid)

    def call(self, verifier: Any, method: str, *arguments: object, **named: object) -> Outcome:
        outcome: Outcome = self._driver.call(verifier, method, *arguments, **named)
        return outcome

    def back(self, paid: Attempt) -> object:
        return self.gateway.sandbox.gateway.attempt(paid.imp_uid).cancel_amount

    def close(self) -> None:
        for each in self._made:
            self._driver.call(each, "close")
        self._driver.close()


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        server.sandbox.clock.stop_at(NOON)
        yield server


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest, running: SandboxServer) -> Iterator[Shop]:
    made = Shop(running, request.param)
    yield made
    running.sandbox.faults.clear()
    made.close()


def test_every_fault_of_the_api_is_among_them() -> None:
    met = {name for fault in (*(fault for fault, _ in OF_A_LOOK_UP), *SLOW) for name in fault}
    assert {*EFFECTS} - {*OF_WEBHOOKS} <= met
    assert {"body", "content_type", "drip_in"} <= met


@pytest.mark.parametrize(("fault", "end"), OF_A_LOOK_UP, ids=said)
def test_a_look_up_that_meets_a_fault_ends_as_the_contract_says(
    shop: Shop, fault: dict[str, Any], end: tuple[type[GatewayError] | None, Verdict | None]
) -> None:
    paid, (error, verdict) = shop.pay(), end
    faults = shop.gateway.sandbox.faults
    faults.add(Fault("payment", **{"times": None, "imp_uid": paid.imp_uid, **fault}))
    if error is None:
        outcome = shop.verify(paid)
        assert outcome.verdict is verdict
        amount = "response.amount" in fault.get("patch", {})
        assert outcome.reason in (None, Reason.AMOUNT if amount else Reason.ORDER)
    else:
        with pytest.raises(error):
            shop.verify(paid)
        assert shop.store.receipts([paid.imp_uid]) == {}
    faults.clear()
    if verdict is not Verdict.FORGERY:
        assert shop.verify(paid).paid, "nothing is left of the fault"


@pytest.mark.parametrize(("fault", "error"), OF_A_TOKEN, ids=said)
def test_a_token_that_meets_a_fault_ends_as_the_contract_says(
    shop: Shop, fault: dict[str, Any], error: type[GatewayError]
) -> None:
    paid = shop.pay()
    shop.gateway.sandbox.faults.add(Fault("token", **{"times": None, **fault}))
    with pytest.raises(error):
        shop.verify(paid)
    assert shop.store.receipts([paid.imp_uid]) == {}


@pytest.mark.parametrize("call", ["payment", "token"])
@pytest.mark.parametrize("fault", SLOW, ids=said)
def test_a_slow_answer_is_over_within_the_time_of_the_verification(
    shop: Shop, call: str, fault: dict[str, Any]
) -> None:
    paid = shop.pay()
    shop.gateway.sandbox.faults.add(Fault(call, **{"times": None, **fault}))
    begun = time.monotonic()
    with pytest.raises(GatewayUnavailable):
        shop.verify(paid, shop.make(SHORT))
    assert SHORT * 0.85 < time.monotonic() - begun < LATEST


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ({"lost": True}, True),
        ({"truncate": 0}, True),
        ({"truncate": 40}, True),
        ({"patch": {"response": None}}, True),
        ({"drop": True}, False),
        ({"reset": True}, False),
        ({"status": 500}, False),
        ({"status": 503}, False),
        ({"html": True}, False),
        ({"empty": True}, False),
        ({"huge": True}, False),
    ],
    ids=said,
)
def test_a_cancel_that_meets_a_fault_gives_back_once_whoever_tries_again(
    shop: Shop, fault: dict[str, Any], done: bool
) -> None:
    paid = shop.pay()
    assert shop.verify(paid).paid
    shop.gateway.sandbox.faults.add(Fault("cancel", **fault))
    for _ in range(3):
        with suppress(ImpVerifyError):
            shop.call(shop.verifier, "cancel", paid.imp_uid, reason="고객 요청")
    assert shop.back(paid) == PRICE
    (receipt,) = shop.store.receipts([paid.imp_uid]).values()
    assert receipt.state == "cancelled"
    assert receipt.cancel_amount == PRICE
    entries = [each.what for each in shop.gateway.sandbox.journal if each.imp_uid == paid.imp_uid]
    answered = [each for each in entries if each.get("call") == "cancel"]
    assert answered[0]["fault"] is not None
    one = shop.gateway.sandbox.gateway.attempt(paid.imp_uid).cancellations
    assert len(one) == 1
    assert done == (len(answered) == 1 or '"code":0' not in str(answered[1]["answer"]))


def test_a_part_whose_answer_is_lost_is_not_given_back_twice(shop: Shop) -> None:
    paid = shop.pay()
    assert shop.verify(paid).paid
    shop.gateway.sandbox.faults.add(Fault("cancel", lost=True))
    part = {"reason": "고객 요청", "amount": 1000, "refundable": PRICE}
    with pytest.raises(GatewayUnavailable) as lost:
        shop.call(shop.verifier, "cancel", paid.imp_uid, **part)
    assert lost.value.uncertain
    for _ in range(2):
        with pytest.raises((GatewayRefused, InvalidRequest)):
            shop.call(shop.verifier, "cancel", paid.imp_uid, **part)
        assert shop.back(paid) == 1000


def test_a_cancel_whose_answer_comes_too_late_has_happened_once(shop: Shop) -> None:
    paid = shop.pay()
    assert shop.verify(paid).paid
    hasty = shop.make(SHORT)
    assert shop.verify(paid, hasty).paid
    shop.gateway.sandbox.faults.add(Fault("cancel", delay=60))
    begun = time.monotonic()
    with pytest.raises(GatewayUnavailable) as late:
        shop.call(hasty, "cancel", paid.imp_uid, reason="고객 요청")
    assert late.value.uncertain
    assert time.monotonic() - begun < 2 * LATEST
    assert shop.back(paid) == PRICE
    with pytest.raises(ImpVerifyError):
        shop.call(shop.verifier, "cancel", paid.imp_uid, reason="고객 요청")
    assert len(shop.gateway.sandbox.gateway.attempt(paid.imp_uid).cancellations) == 1
