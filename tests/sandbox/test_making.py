"""A payment in any documented state by one call, in Python and over HTTP."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
import requests

from imp_verify.sandbox import Attempt, Gateway, Sandbox, SandboxServer
from imp_verify.sandbox.digits import Digits
from tests.sandbox.conftest import NOON, Rest, Shop

DAY = 24 * 3600
ORDER = {"merchant_uid": "ORD-1001", "amount": 39000}
TIMES = ("started_at", "paid_at", "failed_at", "cancelled_at", "vbank_date", "vbank_issued_at")


def make(server: SandboxServer, **fields: object) -> Attempt:
    return server.sandbox.gateway.make(**{**ORDER, **fields})


def post(server: SandboxServer, body: object) -> tuple[int, Any]:
    answer = requests.post(f"{server.url}/sandbox/v1/payments", json=body)
    return answer.status_code, answer.json()


def seen(rest: Rest, attempt: Attempt) -> Any:
    reply = rest.get(f"/payments/{attempt.imp_uid}?include_sandbox=true")
    assert reply.status == 200
    return reply.response


def test_a_payment_is_paid_now_where_nothing_else_is_said(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    told = seen(rest, make(server))
    assert (told["merchant_uid"], told["amount"], told["currency"]) == ("ORD-1001", 39000, "KRW")
    assert (told["status"], told["pay_method"], told["sandbox"]) == ("paid", "card", False)
    assert [told[name] for name in TIMES] == [NOON, NOON, 0, 0, 0, 0]
    assert len(told["apply_num"]) == 8
    assert shop.got == []


@pytest.mark.parametrize(
    ("fields", "times"),
    [
        ({"status": "ready"}, [NOON, 0, 0]),
        ({"status": "pending"}, [NOON, 0, 0]),
        ({"status": "failed"}, [NOON, 0, NOON]),
        ({"status": "failed", "failed_at": NOON - 5}, [NOON - 5, 0, NOON - 5]),
        ({"paid_at": NOON - DAY}, [NOON - DAY, NOON - DAY, 0]),
        ({"started_at": NOON - DAY}, [NOON - DAY, NOON - DAY, 0]),
        ({"started_at": NOON - 9, "paid_at": NOON + DAY}, [NOON - 9, NOON + DAY, 0]),
        ({"failed_at": NOON - 9, "paid_at": NOON, "fail_reason": "x"}, [NOON - 9, NOON, NOON - 9]),
    ],
)
def test_times_that_are_left_out_follow_at_once(
    server: SandboxServer, rest: Rest, fields: dict[str, object], times: list[int]
) -> None:
    told = seen(rest, make(server, **fields))
    assert told["status"] == fields.get("status", "paid")
    assert [told[name] for name in TIMES[:3]] == times


def test_every_field_that_is_given_is_told(server: SandboxServer, rest: Rest) -> None:
    given = {
        "amount": Decimal("14.20"),
        "currency": "EUR",
        "pay_method": "paypal",
        "pg_provider": "paypal_v2",
        "channel": "mobile",
        "sandbox": True,
        "name": "의자",
        "buyer_name": "홍길동",
        "buyer_email": "a@example.com",
        "custom_data": "{}",
        "customer_uid": "cu1",
        "customer_uid_usage": "payment.scheduled",
    }
    told = seen(rest, make(server, **given))
    assert {name: told[name] for name in given} == given


def test_what_was_given_back_is_there_in_parts(server: SandboxServer, rest: Rest) -> None:
    parts = [9000, {"amount": 1000, "cancelled_at": NOON - 50, "reason": "반품"}, 500]
    attempt = make(
        server, status="cancelled", paid_at=NOON - 100, cancelled_at=NOON - 60, cancelled=parts
    )
    told = seen(rest, attempt)
    assert (told["status"], told["cancel_amount"]) == ("cancelled", 10500)
    history = [(e["amount"], e["cancelled_at"], e["reason"]) for e in told["cancel_history"]]
    said = "취소요청"
    assert history == [(9000, NOON - 60, said), (1000, NOON - 50, "반품"), (500, NOON - 50, said)]
    assert told["cancelled_at"] == NOON - 50
    assert len({entry["cancellation_id"] for entry in told["cancel_history"]}) == 3


def test_a_cancelled_payment_without_parts_is_given_back_whole(
    server: SandboxServer, rest: Rest
) -> None:
    told = seen(rest, make(server, status="cancelled", paid_at=NOON - 9, cancelled_at=NOON))
    assert (told["cancel_amount"], told["cancelled_at"]) == (39000, NOON)
    nothing = make(server, status="cancelled", amount=0, merchant_uid="A", cancelled_at=NOON + 5)
    assert (nothing.cancellations, nothing.cancelled_at) == ((), NOON + 5)


def test_a_paid_one_can_have_parts_given_back_too(server: SandboxServer) -> None:
    attempt = make(server, cancelled=[9000])
    assert (attempt.status, attempt.remaining) == ("paid", Decimal(30000))


def test_an_account_is_issued_where_the_method_is_one(server: SandboxServer, rest: Rest) -> None:
    fields: dict[str, object] = {"status": "ready", "pay_method": "vbank"}
    told = seen(rest, make(server, **fields))
    assert [told[name] for name in TIMES] == [NOON, 0, 0, 0, NOON + 30 * DAY, NOON]
    fields |= {"vbank_num": "110-1", "vbank_holder": None, "vbank_date": NOON - 1}
    attempt = make(server, **fields, started_at=NOON - DAY)
    told = seen(rest, attempt)
    assert (told["vbank_num"], told["vbank_holder"]) == ("110-1", None)
    assert (told["vbank_date"], told["vbank_issued_at"]) == (NOON - 1, NOON - DAY)
    assert server.sandbox.deposit(attempt.imp_uid).status == "paid"


def test_it_is_of_the_account_and_the_tier_that_are_named(server: SandboxServer) -> None:
    make(server, account="other_key", tier="ABC")
    other = Rest(server.url, "other_key", "other_secret", {"Tier": "ABC"})
    other.log_in()
    assert other.get("/payments/find/ORD-1001").status == 200
    del other.headers["Tier"]
    assert other.get("/payments/find/ORD-1001").status == 404
    other.http.close()


def test_a_made_payment_goes_on_as_any_other(server: SandboxServer, rest: Rest) -> None:
    waiting = make(server, status="ready")
    assert server.sandbox.approve(waiting.imp_uid).status == "paid"
    reply = rest.send("POST", "/payments/cancel", {"imp_uid": waiting.imp_uid, "amount": 9000})
    assert reply.response["cancel_amount"] == 9000
    for number, status in enumerate(("failed", "pending", "ready")):
        attempt = make(server, status=status, merchant_uid=f"ORD-200{number}")
        server.sandbox.approve_later(attempt.imp_uid, 5)
        server.sandbox.clock.advance(5)
        assert server.sandbox.gateway.attempt(attempt.imp_uid).status == "paid"


WRONG = [
    ({"merchant_uid": ...}, "merchant_uid"),
    ({"amount": ...}, "amount"),
    ({"merchant_uid": ""}, "merchant_uid"),
    ({"merchant_uid": "x" * 41}, "merchant_uid"),
    ({"merchant_uid": 1001}, "merchant_uid"),
    ({"amount": "39000"}, "amount"),
    ({"amount": -1}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": None}, "amount"),
    ({"currency": "won"}, "currency"),
    ({"status": "done"}, "status"),
    ({"status": ["paid"]}, "status"),
    ({"pay_method": ""}, "pay_method"),
    ({"pg_provider": "x" * 17}, "pg_provider"),
    ({"channel": "tv"}, "channel"),
    ({"sandbox": 1}, "sandbox"),
    ({"account": "nobody"}, "account"),
    ({"tier": 5}, "tier"),
    ({"colour": "red"}, "colour"),
    ({"self": 1}, "self"),
    ({"paid_at": 0}, "paid_at"),
    ({"paid_at": True}, "paid_at"),
    ({"paid_at": 10**12}, "paid_at"),
    ({"started_at": NOON, "paid_at": NOON - 1}, "paid_at"),
    ({"status": "failed", "started_at": NOON, "failed_at": NOON - 1}, "failed_at"),
    ({"status": "ready", "paid_at": NOON}, "paid_at"),
    ({"status": "failed", "paid_at": NOON}, "paid_at"),
    ({"status": "ready", "failed_at": NOON}, "failed_at"),
    ({"status": "ready", "cancelled": [1]}, "cancelled"),
    ({"fail_reason": "x"}, "fail_reason"),
    ({"vbank_num": "1"}, "vbank_num"),
    ({"cancelled": 9000}, "cancelled"),
    ({"cancelled": [0]}, "cancelled[0].amount"),
    ({"cancelled": [1, "1"]}, "cancelled[1].amount"),
    ({"cancelled": [{"sum": 1}]}, "cancelled[0]"),
    ({"cancelled": [{"amount": 1, "cancelled_at": -1}]}, "cancelled[0].cancelled_at"),
    ({"cancelled": [{"amount": 1, "reason": "x" * 257}]}, "cancelled[0].reason"),
    ({"cancelled": [39000, 1]}, "cancelled"),
    ({"cancelled": [38000, 1000]}, "cancelled is the whole amount, so status is cancelled"),
    ({"cancelled_at": NOON}, "cancelled"),
    ({"status": "cancelled", "cancelled": []}, "cancelled"),
    ({"status": "cancelled", "paid_at": NOON, "cancelled_at": NOON - 1}, "cancelled_at"),
    (
        {"paid_at": NOON, "cancelled": [1, {"amount": 1, "cancelled_at": NOON - 1}]},
        "cancelled",
    ),
    ({"customer_uid_usage": "x"}, "customer_uid_usage"),
    ({"buyer_name": ""}, "buyer_name"),
    ({"notice_url": [5]}, "notice_url"),
]


@pytest.mark.parametrize(("fields", "name"), WRONG)
def test_a_wrong_name_or_value_is_named_and_nothing_is_made(
    server: SandboxServer, fields: dict[str, object], name: str
) -> None:
    wanted = {key: value for key, value in {**ORDER, **fields}.items() if value is not ...}
    with pytest.raises(ValueError, match=re.escape(name)) as error:
        server.sandbox.gateway.make(**wanted)
    status, answer = post(server, wanted)
    assert (status, name in answer["error"]) == (400, True)
    status, answer = post(server, [ORDER, wanted])
    assert (status, f"payments[1]: {error.value}" in answer["error"]) == (400, True)
    assert server.sandbox.gateway.attempts() == []


def test_a_float_is_no_amount(server: SandboxServer) -> None:
    with pytest.raises(ValueError, match="no float"):
        make(server, amount=14.2)


@pytest.mark.parametrize("body", [5, "x", True, [5], [[]]])
def test_what_is_no_payment_is_refused(server: SandboxServer, body: object) -> None:
    assert post(server, body)[0] == 400


def test_one_is_made_over_http(server: SandboxServer, rest: Rest) -> None:
    status, told = post(server, {**ORDER, "status": "cancelled", "cancelled": [9000, 0.5]})
    assert (status, told["cancel_amount"]) == (200, 9000.5)
    assert rest.get("/payments/find/ORD-1001").response["imp_uid"] == told["imp_uid"]


def test_many_are_made_over_http_in_one_call(server: SandboxServer, rest: Rest) -> None:
    wanted = [
        {"merchant_uid": f"ORD-{n}", "amount": n, "name": "의자" * 20, "paid_at": NOON - n}
        for n in range(1500)
    ]
    status, ids = post(server, wanted)
    assert (status, len(set(ids))) == (200, 1500)
    page = rest.get("/payments/status/paid?limit=1000&page=2&sorting=paid").response
    assert (page["total"], len(page["list"]), page["next"]) == (1500, 500, 0)
    assert page["list"][-1]["merchant_uid"] == "ORD-0"
    assert rest.get(f"/payments/{ids[7]}").response["amount"] == 7


def test_from_a_seed_the_same_numbers_follow() -> None:
    def history(seed: str | None) -> list[object]:
        sandbox = Sandbox(digits=Digits(seed))
        sandbox.clock.stop_at(NOON)
        made = sandbox.gateway.make(merchant_uid="A", amount=1)
        sandbox.approve(sandbox.open({"merchant_uid": "B", "amount": 1}).imp_uid)
        sandbox.cancel(made.imp_uid)
        token = sandbox.gateway.issue_token("sandbox_key", "sandbox_secret").access_token
        return [token, *(attempt.wire() for attempt in sandbox.gateway.attempts())]

    assert history("a") == history("a") != history("b")
    assert history(None) != history(None)


def test_a_gateway_alone_makes_payments_of_now() -> None:
    gateway = Gateway()
    one = gateway.make(merchant_uid="A", amount=1)
    assert 0 <= gateway.now() - one.paid_at < 60
    assert gateway.make_all([]) == []
