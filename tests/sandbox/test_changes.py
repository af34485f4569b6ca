"""Changing things: pre-registration, the window's rules, cancelling, virtual accounts."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from imp_verify.sandbox import Gateway, Refused, SandboxServer
from tests.sandbox.conftest import NOON, Rest, Shop, issued, opened, paid, read

LEDGER = ("status", "amount", "cancel_amount")


def cancel(rest: Rest, **fields: object) -> tuple[int, int, object]:
    reply = rest.send("POST", "/payments/cancel", fields)
    told = reply.response and tuple(reply.response[name] for name in LEDGER)
    return reply.status, reply.code, told


def test_a_prepared_amount_is_the_only_one_a_window_opens_for(
    server: SandboxServer, rest: Rest
) -> None:
    wanted = {"merchant_uid": "ORD-1001", "amount": 39000}
    reply = rest.send("POST", "/payments/prepare", wanted)
    assert (reply.status, reply.code) == (200, 0)
    assert reply.response == {**wanted, "currency": None}
    with pytest.raises(Refused, match="사전등록"):
        opened(server, amount=100)
    assert server.sandbox.gateway.attempts() == []
    assert opened(server, currency="USD").currency == "USD"  # no currency given: none compared


def test_a_prepared_currency_is_compared(server: SandboxServer, rest: Rest) -> None:
    wanted = {"merchant_uid": "ORD-1001", "amount": Decimal(100), "currency": "USD"}
    rest.send("POST", "/payments/prepare", {**wanted, "amount": 100})
    with pytest.raises(Refused):
        opened(server, amount=100)
    assert opened(server, amount=100, currency="USD")


def test_preparing_twice_is_refused_by_200_and_a_code(rest: Rest) -> None:
    wanted = {"merchant_uid": "ORD-1001", "amount": 39000}
    rest.send("POST", "/payments/prepare", wanted)
    reply = rest.send("POST", "/payments/prepare", wanted)
    assert (reply.status, reply.code, reply.response) == (200, 1, None)


def test_a_prepared_amount_can_be_read_and_changed(server: SandboxServer, rest: Rest) -> None:
    assert rest.send("PUT", "/payments/prepare", {"merchant_uid": "A", "amount": 1}).status == 404
    unknown = rest.get("/payments/prepare/A")
    assert (unknown.status, unknown.code, unknown.response) == (404, -1, None)
    assert unknown.message == "사전등록된 결제정보가 존재하지 않습니다."
    rest.send("POST", "/payments/prepare", {"merchant_uid": "A", "amount": 1})
    assert rest.send("PUT", "/payments/prepare", {"merchant_uid": "A", "amount": 2}).code == 0
    assert rest.get("/payments/prepare/A").response["amount"] == 2
    assert opened(server, "A", amount=2)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"merchant_uid": "A"},
        {"amount": 1},
        {"merchant_uid": "A", "amount": "x"},
        {"merchant_uid": "A", "amount": -1},
        {"merchant_uid": ["A"], "amount": 1},
        {"merchant_uid": "x" * 41, "amount": 1},
    ],
)
def test_preparing_needs_a_number_and_an_amount(
    rest: Rest, method: str, fields: dict[str, object]
) -> None:
    reply = rest.send(method, "/payments/prepare", fields)
    assert (reply.status, reply.code, reply.response) == (200, 1, None)


def test_a_number_of_forty_characters_can_be_prepared(rest: Rest) -> None:
    wanted = {"merchant_uid": "x" * 40, "amount": 39000, "currency": "KRW"}
    assert rest.send("POST", "/payments/prepare", wanted).response == wanted
    assert rest.get("/payments/prepare/" + "x" * 40).response == wanted


@pytest.mark.parametrize(
    "params",
    [
        {"amount": "39000"},
        {"amount": True},
        {"amount": None},
        {"amount": -1},
        {"amount": Decimal("NaN")},
        {"merchant_uid": 1001},
        {"merchant_uid": ""},
        {"merchant_uid": "x" * 41},
        {"vbank_due": "tomorrow"},
        {"vbank_due": "2026-13-01"},
        {"user_code": "imp99999999"},
    ],
)
def test_a_window_does_not_open_for(server: SandboxServer, params: dict[str, object]) -> None:
    user_code = str(params.get("user_code", "imp00000000"))
    with pytest.raises(Refused):
        server.sandbox.gateway.open(
            {"merchant_uid": "ORD-1001", "amount": 39000, **params},
            user_code=user_code,
        )
    assert server.sandbox.gateway.attempts() == []


def test_a_paid_number_is_refused_but_two_open_windows_can_both_be_paid(
    server: SandboxServer,
) -> None:
    first, second = opened(server), opened(server)
    server.sandbox.approve(first.imp_uid)
    with pytest.raises(Refused):
        opened(server)
    assert server.sandbox.approve(second.imp_uid).status == "paid"


@pytest.mark.parametrize(
    ("params", "provider", "currency"),
    [
        ({}, "html5_inicis", "KRW"),
        ({"pg": "kakaopay.TC0ONETIME"}, "kakaopay", "KRW"),
        ({"pg": "paypal_v2"}, "paypal_v2", "USD"),
        ({"pg": "eximbay", "currency": "JPY"}, "eximbay", "JPY"),
        ({"channelKey": "channel-live"}, "tosspayments", "KRW"),
        ({"channelKey": "channel-unknown"}, "html5_inicis", "KRW"),
    ],
)
def test_the_channel_decides_provider_and_currency(
    server: SandboxServer, params: dict[str, str], provider: str, currency: str
) -> None:
    attempt = opened(server, **params)
    assert (attempt.pg_provider, attempt.currency) == (provider, currency)


def test_a_payment_with_a_customer_uid_registers_the_card(server: SandboxServer) -> None:
    attempt = paid(server, customer_uid="cu1")
    assert attempt.wire()["customer_uid_usage"] == "issue"


def test_an_ended_payment_takes_no_other_end(server: SandboxServer) -> None:
    sandbox, imp_uid = server.sandbox, paid(server).imp_uid
    for change in (sandbox.approve, sandbox.decline, sandbox.close, sandbox.deposit):
        with pytest.raises(Refused):
            change(imp_uid)
    with pytest.raises(Refused):
        sandbox.issue_account(imp_uid)
    assert sandbox.gateway.attempt(imp_uid).status == "paid"


def test_a_virtual_account_is_issued_and_not_approved(server: SandboxServer) -> None:
    attempt = opened(server, pay_method="vbank")
    with pytest.raises(Refused):
        server.sandbox.approve(attempt.imp_uid)
    assert server.sandbox.issue_account(attempt.imp_uid).waits_for_deposit


def test_a_failed_payment_can_be_approved_later(server: SandboxServer) -> None:
    attempt = server.sandbox.decline(opened(server).imp_uid)
    with pytest.raises(Refused):
        server.sandbox.gateway.approve(attempt.imp_uid)
    late = server.sandbox.gateway.approve(attempt.imp_uid, late=True).attempt
    assert (late.status, late.failed_at, late.fail_reason) == ("paid", 0, None)


def test_a_closed_window_can_leave_the_payment_ready(server: SandboxServer) -> None:
    server.sandbox.settings.closed_becomes = "ready"
    assert server.sandbox.close(opened(server).imp_uid).status == "ready"
    server.sandbox.settings.closed_becomes = "failed"
    assert server.sandbox.close(opened(server).imp_uid).status == "failed"


def test_cancelling_gives_all_back(server: SandboxServer, rest: Rest) -> None:
    imp_uid = paid(server).imp_uid
    assert cancel(rest, imp_uid=imp_uid, reason="반품") == (200, 0, ("cancelled", 39000, 39000))
    assert cancel(rest, imp_uid=imp_uid) == (200, 1, None)
    told = rest.get(f"/payments/{imp_uid}").response
    assert told["cancel_reason"] == "반품"
    assert told["paid_at"] == NOON


def test_cancelling_in_parts_keeps_the_amount_and_a_history(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = paid(server).imp_uid
    assert cancel(rest, imp_uid=imp_uid, amount=9000) == (200, 0, ("cancelled", 39000, 9000))
    assert cancel(rest, imp_uid=imp_uid, amount=1000) == (200, 0, ("cancelled", 39000, 10000))
    history = rest.get(f"/payments/{imp_uid}").response["cancel_history"]
    assert [entry["amount"] for entry in history] == [9000, 1000]
    assert len({entry["cancellation_id"] for entry in history}) == 2
    assert all(len(entry["cancellation_id"]) == 20 for entry in history)
    assert cancel(rest, imp_uid=imp_uid, amount=29001) == (200, 1, None)
    assert cancel(rest, imp_uid=imp_uid, amount=0) == (200, 0, ("cancelled", 39000, 39000))


def test_a_checksum_that_differs_stops_the_cancel_before_anything_happens(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = paid(server).imp_uid
    assert cancel(rest, imp_uid=imp_uid, amount=9000, checksum=39000)[1] == 0
    assert cancel(rest, imp_uid=imp_uid, amount=9000, checksum=39000) == (200, 1, None)
    assert server.sandbox.gateway.attempt(imp_uid).cancel_amount == 9000
    assert cancel(rest, imp_uid=imp_uid, amount=9000, checksum=30000)[1] == 0


def test_of_eight_cancels_at_once_with_the_same_checksum_one_is_carried_out(
    server: SandboxServer,
) -> None:
    imp_uid, together = paid(server).imp_uid, threading.Barrier(8)

    def refund(_: int) -> bool:
        together.wait()
        try:
            server.sandbox.refund(imp_uid, amount=Decimal(9000), checksum=Decimal(39000))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(refund, range(8))) == 1
    assert server.sandbox.gateway.attempt(imp_uid).cancel_amount == 9000


def test_a_wrong_imp_uid_wins_over_a_right_merchant_uid(server: SandboxServer, rest: Rest) -> None:
    paid(server)
    assert cancel(rest, imp_uid="imp_0", merchant_uid="ORD-1001") == (200, 1, None)
    assert cancel(rest, merchant_uid="ORD-1001") == (200, 0, ("cancelled", 39000, 39000))


def test_what_was_never_paid_cannot_be_cancelled(server: SandboxServer, rest: Rest) -> None:
    imp_uid = opened(server).imp_uid
    reply = rest.send("POST", "/payments/cancel", {"imp_uid": imp_uid})
    assert (reply.status, reply.code) == (200, 1)
    assert reply.message == "취소할 결제건이 존재하지 않습니다."


REFUND = {"refund_holder": "홍길동", "refund_bank": "88", "refund_account": "110-1"}


@pytest.mark.parametrize("missing", [*REFUND, ""])
def test_a_deposit_goes_back_only_to_an_account_with_bank_and_holder(
    server: SandboxServer, rest: Rest, missing: str
) -> None:
    imp_uid = server.sandbox.deposit(issued(server).imp_uid).imp_uid
    fields = {name: value for name, value in REFUND.items() if name != missing}
    wanted = (200, 1, None) if missing else (200, 0, ("cancelled", 39000, 39000))
    assert cancel(rest, imp_uid=imp_uid, **fields) == wanted


@pytest.mark.parametrize("provider", ["smartro", "smartro_v2"])
def test_smartro_wants_the_holders_phone_too(
    server: SandboxServer, rest: Rest, provider: str
) -> None:
    imp_uid = server.sandbox.deposit(issued(server, "ORD1001", pg=provider).imp_uid).imp_uid
    assert cancel(rest, imp_uid=imp_uid, **REFUND) == (200, 1, None)
    assert cancel(rest, imp_uid=imp_uid, refund_tel="010-0000-0000", **REFUND)[1] == 0


def test_what_a_cancel_is_refused_for_first_is_that_nothing_is_left(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = server.sandbox.deposit(issued(server).imp_uid).imp_uid
    server.sandbox.cancel(imp_uid)
    reply = rest.send("POST", "/payments/cancel", {"imp_uid": imp_uid})
    assert (reply.code, reply.message) == (1, "이미 전액취소된 주문입니다.")


@pytest.mark.parametrize("fields", [{}, {"imp_uid": ""}, {"imp_uid": None, "reason": "반품"}])
def test_a_cancel_names_a_payment(rest: Rest, fields: dict[str, object]) -> None:
    reply = rest.send("POST", "/payments/cancel", fields)
    assert (reply.status, reply.code, reply.response) == (200, 1, None)
    assert str(reply.message).endswith("지정해주셔야합니다.")


def test_a_cancel_without_a_reason_has_the_apis_own(server: SandboxServer, rest: Rest) -> None:
    reply = rest.send("POST", "/payments/cancel", {"imp_uid": paid(server).imp_uid})
    assert reply.response["cancel_reason"] == "취소요청api"
    assert reply.response["cancel_history"][0]["reason"] == "취소요청api"


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "x" * 257},
        {"reason": ["x"]},
        {"amount": -1},
        {"amount": "x"},
        {"amount": True},
        {"amount": 39001},
        {"checksum": 38999},
        {"checksum": 0},
        {"checksum": "x"},
        {"amount": 9000, "tax_free": 9001},
        {"amount": 9000, "vat_amount": 9001},
        {"tax_free": -1},
        {"vat_amount": "x"},
        {"imp_uid": True},
    ],
)
def test_a_cancel_that_is_wrong_is_refused_by_200_and_a_code(
    server: SandboxServer, rest: Rest, wrong: dict[str, object]
) -> None:
    imp_uid = paid(server).imp_uid
    reply = rest.send("POST", "/payments/cancel", {"imp_uid": imp_uid, **wrong})
    assert (reply.status, reply.code, reply.response) == (200, 1, None)
    assert server.sandbox.gateway.attempt(imp_uid).status == "paid"


def test_a_cancel_takes_what_is_just_right(server: SandboxServer, rest: Rest) -> None:
    taxes = {"tax_free": 9000, "vat_amount": 0, "reason": "x" * 256, "checksum": 39000}
    imp_uid = paid(server).imp_uid
    assert cancel(rest, imp_uid=imp_uid, amount=9000, **taxes)[1] == 0


MONTH = 31 * 24 * 3600


def test_a_phones_payment_is_cancelled_in_its_month_alone(
    server: SandboxServer, rest: Rest
) -> None:
    ids = [
        paid(server, f"ORD-{number}", pay_method="phone", pg=provider).imp_uid
        for number, provider in enumerate(("danal", "danal", "kcp"))
    ]
    assert cancel(rest, imp_uid=ids[0])[1] == 0
    server.sandbox.clock.advance(MONTH)
    rest.log_in()
    assert [cancel(rest, imp_uid=imp_uid)[1] for imp_uid in ids[1:]] == [1, 1]
    assert [cancel(rest, imp_uid=imp_uid, **REFUND)[1] for imp_uid in ids[1:]] == [1, 0]


def test_a_cancel_may_come_as_a_form(server: SandboxServer, rest: Rest) -> None:
    form = {"imp_uid": paid(server).imp_uid, "amount": "9000", "checksum": "39000"}
    url = server.url + "/payments/cancel"
    reply = read(rest.http.post(url, data=form, headers=rest.headers))
    assert reply.response["cancel_amount"] == 9000


def test_a_cancel_by_the_api_sends_a_webhook_only_when_asked(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    imp_uid = paid(server).imp_uid
    cancel(rest, imp_uid=imp_uid, amount=1000)
    assert len(shop.got) == 1
    cancel(rest, imp_uid=imp_uid, amount=1000, enable_webhook=True)
    _, body = shop.bodies
    assert (body["status"], len(body["cancellation_id"])) == ("cancelled", 20)


def test_a_cancel_is_not_told_of_where_the_payment_was_not(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    untold, own = paid(server), paid(server, "ORD-1002", notice_url=shop.url + "/own")
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    made = server.sandbox.gateway.make(merchant_uid="ORD-1003", amount=39000)
    for attempt in (untold, own, made):
        assert cancel(rest, imp_uid=attempt.imp_uid, enable_webhook="true")[1] == 0
    told = [(path, json.loads(body)["imp_uid"]) for path, _, body in shop.got[1:]]
    assert told == [("/own", own.imp_uid), ("/hook", made.imp_uid)]


def test_a_waiting_account_can_be_edited_and_killed(server: SandboxServer, rest: Rest) -> None:
    path = f"/vbanks/{issued(server, pg='settle').imp_uid}"
    edited = rest.send("PUT", path, {"amount": 50000}).response
    assert (edited["amount"], edited["vbank_date"]) == (50000, NOON + 30 * 24 * 3600)
    edited = rest.send("PUT", path, {"vbank_due": NOON + 5}).response
    assert (edited["amount"], edited["vbank_date"]) == (50000, NOON + 5)
    assert rest.send("DELETE", path).response["status"] == "failed"
    assert rest.send("DELETE", path).status == 400
    assert rest.send("PUT", "/vbanks/imp_0", {"amount": 1}).status == 404


def test_a_card_payment_is_no_account(server: SandboxServer, rest: Rest) -> None:
    assert rest.send("DELETE", f"/vbanks/{opened(server).imp_uid}").status == 400


def test_a_gateway_alone_needs_no_server() -> None:
    gateway = Gateway()
    attempt = gateway.open({"merchant_uid": "A", "amount": 1})
    moved = gateway.approve(attempt.imp_uid)
    assert moved.attempt.paid_at >= attempt.started_at > NOON
    assert moved.event.fields() == {
        "imp_uid": attempt.imp_uid,
        "merchant_uid": "A",
        "status": "paid",
    }


def test_any_field_can_be_set_by_a_test(server: SandboxServer, rest: Rest) -> None:
    imp_uid = opened(server).imp_uid
    server.sandbox.gateway.edit(imp_uid, status="pending")
    assert rest.get(f"/payments/{imp_uid}").response["status"] == "pending"
