"""Every call in every state and under every setting, compared with the published schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from imp_verify.sandbox import Api, ApiRequest, Attempt, Sandbox, Settings
from imp_verify.sandbox.calls import CALLS
from imp_verify.sandbox.kinds import Flag, OneOf
from imp_verify.sandbox.settings import TABLE
from tests.sandbox import schema
from tests.sandbox.conftest import NOON

CARD = {"card_number": "4242-4242-4242-4242", "expiry": "2030-01"}
REFUND = {"refund_holder": "홍길동", "refund_bank": "88", "refund_account": "110-1"}
REFUND |= {"reason": "반품", "refund_tel": "010-0000-0000"}


class Caller:
    """Calls the API in process and compares each answer with the schema."""

    def __init__(self, settings: Settings) -> None:
        self.sandbox = Sandbox(
            settings=settings, channels={"test": ("tosspayments", True), "live": ("nice_v2", False)}
        )
        self.sandbox.clock.stop_at(NOON)
        self.api = Api(self.sandbox)
        self.token = ""
        self.made = 0

    def number(self) -> str:
        self.made += 1
        return f"ORD{self.made}"

    def call(self, method: str, template: str, fields: object = None, **path: str) -> Any:
        """Make a call of the table; `query` in path is what stands behind the question mark."""
        query = path.pop("query", "")
        headers = (("Authorization", self.token), ("Content-Type", "application/json"))
        body = b"" if fields is None else json.dumps(fields).encode()
        request = ApiRequest(method, template.format(**path), query, headers, body)
        answer = self.api.answer(request)
        content = json.loads(answer.body)
        schema.check(method, template, answer.status, content)
        return content["response"]

    def log_in(self) -> None:
        keys = {"imp_key": "sandbox_key", "imp_secret": "sandbox_secret"}
        self.token = self.call("POST", "/users/getToken", keys)["access_token"]

    def open(self, **params: object) -> Attempt:
        wanted = {"merchant_uid": self.number(), "amount": 39000, "name": "의자", **params}
        return self.sandbox.open(wanted)

    def pay(self, **params: object) -> Attempt:
        return self.sandbox.approve(self.open(**params).imp_uid)

    def account(self, **params: object) -> Attempt:
        return self.sandbox.issue_account(self.open(pay_method="vbank", **params).imp_uid)

    def make(self, **fields: object) -> Attempt:
        wanted = {"merchant_uid": self.number(), "amount": 39000, **fields}
        return self.sandbox.gateway.make(**wanted)


def a_part_given_back(calls: Caller) -> Attempt:
    attempt = calls.pay()
    calls.sandbox.cancel(attempt.imp_uid, Decimal(1000))
    return calls.sandbox.cancel(attempt.imp_uid, Decimal("0.5"), "반품")


def an_unlimited_account(calls: Caller) -> Attempt:
    attempt = calls.account(pg="settle", amount=0)
    calls.sandbox.deposit(attempt.imp_uid, Decimal(500), "홍길동")
    return calls.sandbox.deposit(attempt.imp_uid, Decimal(700), "홍길동")


def a_charge(calls: Caller) -> Attempt:
    fields = {"merchant_uid": calls.number(), "amount": 1000, **CARD, "customer_uid": "cu1"}
    told = calls.call("POST", "/subscribe/payments/onetime", fields)
    return calls.sandbox.gateway.attempt(told["imp_uid"])


def a_late_one(calls: Caller) -> Attempt:
    attempt = calls.sandbox.decline(calls.open().imp_uid)
    return calls.sandbox.gateway.approve(attempt.imp_uid, late=True).attempt


STATES: dict[str, Callable[[Caller], Attempt]] = {
    "open": lambda calls: calls.open(buyer_name="홍길동", custom_data={"a": 1}, escrow=True),
    "closed": lambda calls: calls.sandbox.close(calls.open().imp_uid),
    "declined": lambda calls: calls.sandbox.decline(calls.open().imp_uid),
    "pending": lambda calls: calls.sandbox.gateway.put_off(calls.open(pg="paypal_v2").imp_uid),
    "by card": lambda calls: calls.pay(pg="tosspayments"),
    "by transfer": lambda calls: calls.pay(pay_method="trans"),
    "by phone": lambda calls: calls.pay(pay_method="phone", pg="danal"),
    "by wallet": lambda calls: calls.pay(pay_method="kakaopay"),
    "by payco": lambda calls: calls.pay(pg="payco", tax_free=100),
    "in dollars": lambda calls: calls.pay(pg="paypal_v2", amount=Decimal("14.20")),
    "on a test channel": lambda calls: calls.pay(channelKey="test"),
    "registering a card": lambda calls: calls.pay(customer_uid="cu-window"),
    "late": a_late_one,
    "account": lambda calls: calls.account(pg="settle"),
    "deposited": lambda calls: calls.sandbox.deposit(calls.account(pg="daou").imp_uid),
    "unlimited account": an_unlimited_account,
    "part": a_part_given_back,
    "cancelled": lambda calls: calls.sandbox.cancel(calls.pay().imp_uid),
    "cancelled without a reason": lambda calls: calls.make(status="cancelled"),
    "promotion": lambda calls: calls.make(promotion={"id": "promotion-id-1", "discount": 1000}),
    "charged": a_charge,
}


BEYOND = {("numbers", "text"), ("outside_list", True)}
"""Settings that answer what the schema does not have, an amount as a text and a 403: that is what
they are for, and others' tests show it."""


def settings() -> Iterator[tuple[str, object]]:
    """Walk all values of the settings that have few, and what is hardest of the others."""
    yield "language", "ko"
    for name, each in TABLE.items():
        values: tuple[object, ...] = (each.hardest,)
        if isinstance(each.kind, OneOf):
            values = each.kind.choices
        elif isinstance(each.kind, Flag):
            values = (True, False)
        chosen = [(name, value) for value in values if value != each.default]
        yield from (each for each in chosen if each not in BEYOND)


@pytest.mark.parametrize(
    ("name", "value"), list(settings()), ids=lambda value: str(value) or "none"
)
def test_every_call_in_every_state_answers_by_the_schema(name: str, value: object) -> None:
    chosen = Settings()
    chosen.change({name: value})
    calls = Caller(chosen)
    calls.log_in()
    for make in STATES.values():
        about(calls, make(calls))
    listings(calls)
    calls.token = ""
    about(calls, calls.open())
    listings(calls)


def about(calls: Caller, attempt: Attempt) -> None:
    """Make every call about one payment, those that change it last."""
    one, order = {"imp_uid": attempt.imp_uid}, {"merchant_uid": attempt.merchant_uid}
    for query in ("", "include_sandbox=true", "extension=true&include_sandbox=true"):
        calls.call("GET", "/payments/{imp_uid}", **one, query=query)
    calls.call("GET", "/payments/{imp_uid}/balance", **one)
    calls.call("GET", "/payments", query=f"imp_uid[]={attempt.imp_uid}&imp_uid[]=imp_0")
    for status in ("", "ready", "paid", "failed", "cancelled"):
        path = "/{payment_status}" if status else ""
        for name in ("find", "findAll"):
            template = f"/payments/{name}/{{merchant_uid}}{path}"
            calls.call("GET", template, **order, payment_status=status, query="sorting=-paid")
    calls.call("POST", "/payments/prepare", {**order, "amount": 39000})
    calls.call("PUT", "/payments/prepare", {**order, "amount": 14.5, "currency": "USD"})
    calls.call("GET", "/payments/prepare/{merchant_uid}", **order)
    calls.call("POST", "/subscribe/payments/again", {**order, "customer_uid": "cu1", "amount": 1})
    fields: dict[str, object] = {**order, "vbank_code": "004", "vbank_due": NOON + 100}
    calls.call("POST", "/vbanks", {**fields, "amount": 1000})
    calls.call("PUT", "/vbanks/{imp_uid}", {"amount": 50000, "vbank_due": NOON + 50}, **one)
    calls.call("POST", "/payments/cancel", {**one, **REFUND, "amount": 100, "enable_webhook": True})
    calls.call("DELETE", "/vbanks/{imp_uid}", **one, query="pg_api_key=k")
    calls.call("POST", "/payments/cancel", {**one, **REFUND})
    calls.call("POST", "/payments/cancel", one)
    calls.call("GET", "/payments/{imp_uid}", **one, query="include_sandbox=true")


def listings(calls: Caller) -> None:
    """Make every call that is about no payment, or many, and those that are refused."""
    for status in ("all", "ready", "paid", "failed", "cancelled", "wrong"):
        template = "/payments/status/{payment_status}"
        for query in ("limit=9", "limit=2&page=2&sorting=paid", "page=99", "limit=0"):
            calls.call("GET", template, payment_status=status, query=query)
    for path in ("/payments/find/{merchant_uid}", "/payments/findAll/{merchant_uid}"):
        calls.call("GET", path, merchant_uid="nobody")
        calls.call("GET", path, merchant_uid="ORD1", query="sorting=wrong&page=0")
        calls.call("GET", path + "/{payment_status}", merchant_uid="ORD1", payment_status="wrong")
    calls.call("GET", "/payments", query="imp_uid[]=imp_0")
    calls.call("GET", "/payments/{imp_uid}", imp_uid="imp_0")
    calls.call("GET", "/payments/{imp_uid}/balance", imp_uid="imp_0")
    calls.call("PUT", "/payments/prepare", {"merchant_uid": "nobody", "amount": 1})
    calls.call("POST", "/payments/prepare", {"merchant_uid": ["x"], "amount": "x"})
    calls.call("GET", "/payments/prepare/{merchant_uid}", merchant_uid="nobody")
    for fields in ({}, {"imp_uid": "imp_0"}, {"merchant_uid": "ORD1", "amount": -1}):
        calls.call("POST", "/payments/cancel", fields)
    for method in ("PUT", "DELETE"):
        calls.call(method, "/vbanks/{imp_uid}", {} if method == "PUT" else None, imp_uid="imp_0")
    for name, store in (("cu1", True), ("cu2", True), ("nobody", False), ("x" * 81, False)):
        template = "/subscribe/customers/{customer_uid}"
        if store:
            fields = {**CARD, "channel_key": "live", "customer_name": "홍길동"}
            calls.call("POST", template, fields, customer_uid=name)
        for method in ("GET", "DELETE"):
            calls.call(method, template, customer_uid=name)
    calls.call("POST", "/subscribe/payments/onetime", {**CARD, "card_number": "1"})
    for keys in ({}, {"imp_key": "sandbox_key", "imp_secret": "wrong"}, {"imp_key": ["x"]}):
        calls.call("POST", "/users/getToken", keys)


# The table of calls is the schema's


def ours() -> Iterator[tuple[tuple[str, str], Any]]:
    for call in CALLS:
        for path in call.paths:
            if not path.endswith("/"):  # `findAll/{merchant_uid}/`, as one client has it
                yield (call.method, path), call


def test_the_table_has_every_documented_call_and_no_other() -> None:
    assert {key for key, _ in ours()} == set(schema.DOCUMENTED)


@pytest.mark.parametrize(
    ("key", "call"),
    list(ours()),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_row_has_the_documented_statuses_and_lengths(key: tuple[str, str], call: Any) -> None:
    wanted = schema.DOCUMENTED[key]
    assert set(call.statuses) <= wanted.statuses | schema.FACTS.get(key, set())
    for each in call.parameters:
        found = wanted.parameters.get(each.name)
        if found and "maxLength" in found:
            assert each.longest == found["maxLength"], each.name
