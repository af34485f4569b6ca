"""What the sandbox sends: webhooks, their order and results, and the question before approval."""

from __future__ import annotations

import socket
from urllib.parse import parse_qsl

import pytest

from imp_verify.sandbox import Sandbox, SandboxServer, Settings
from imp_verify.sandbox.deliveries import Outgoing, Reply
from tests.sandbox.conftest import Shop, issued, opened, paid


@pytest.fixture
def told(server: SandboxServer, shop: Shop) -> Shop:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    return shop


def test_a_payment_is_told_as_json(server: SandboxServer, told: Shop) -> None:
    attempt = paid(server)
    assert told.got[0][:2] == ("/hook", "application/json")
    assert told.bodies == [
        {"imp_uid": attempt.imp_uid, "merchant_uid": "ORD-1001", "status": "paid"}
    ]


def test_a_payment_is_told_as_a_form_when_so_set(server: SandboxServer, told: Shop) -> None:
    server.sandbox.settings.webhook_format = "form"
    attempt = paid(server)
    _, kind, body = told.got[0]
    assert kind == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(body))["imp_uid"] == attempt.imp_uid


def test_accounts_deposits_and_console_cancels_are_told(server: SandboxServer, told: Shop) -> None:
    attempt = issued(server)
    server.sandbox.deposit(attempt.imp_uid)
    server.sandbox.cancel(attempt.imp_uid, reason="반품")
    assert [body["status"] for body in told.bodies] == ["ready", "paid", "cancelled"]
    ids = [body.get("cancellation_id") for body in told.bodies]
    made = server.sandbox.gateway.attempt(attempt.imp_uid).cancellations[0].cancellation_id
    assert ids == [None, None, made]


def test_failures_and_closed_windows_are_not_told(server: SandboxServer, told: Shop) -> None:
    server.sandbox.decline(opened(server).imp_uid)
    server.sandbox.close(opened(server).imp_uid)
    assert told.got == []


def test_a_notice_url_replaces_the_set_one(server: SandboxServer, told: Shop) -> None:
    paid(server, notice_url=told.url + "/mine")
    paid(server, "ORD-2", notice_url=[told.url + "/one", told.url + "/two"])
    assert [path for path, _, _ in told.got] == ["/mine", "/one", "/two"]


def test_without_any_address_nothing_is_sent(server: SandboxServer) -> None:
    paid(server)
    assert server.sandbox.webhooks.deliveries == []


@pytest.mark.parametrize("status", [200, 400, 500, 302])
def test_y04_the_shops_answer_can_be_seen(server: SandboxServer, told: Shop, status: int) -> None:
    told.answers["/hook"] = (status, "the answer")
    paid(server)
    (delivery,) = server.sandbox.webhooks.deliveries
    assert (delivery.status, delivery.answer) == (status, "the answer")
    assert (delivery.ok, delivery.error) == (status == 200, None)
    assert delivery.wire()["ok"] is delivery.ok
    assert len(told.got) == 1  # no redirect is followed


def test_y04_a_shop_that_cannot_be_reached_can_be_seen(server: SandboxServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server.sandbox.settings.webhook_url = f"http://127.0.0.1:{port}/hook"
    assert paid(server).status == "paid"
    (delivery,) = server.sandbox.webhooks.deliveries
    assert (delivery.ok, delivery.status) == (False, None)
    assert delivery.error is not None
    assert "ConnectionRefusedError" in delivery.error


def test_what_is_sent_can_be_carried_by_the_test_itself() -> None:
    carried: list[Outgoing] = []

    def send(sent: Outgoing) -> Reply:
        carried.append(sent)
        return Reply(200 if sent.url == "shop:confirm" else 500, "no", milliseconds=7)

    sandbox = Sandbox(send=send, settings=Settings(webhook_url="shop:hook"))
    wanted = {"merchant_uid": "A", "amount": 1, "confirm_url": "shop:confirm"}
    assert sandbox.approve(sandbox.open(wanted).imp_uid).status == "paid"
    assert [(sent.url, sent.content_type) for sent in carried] == [
        ("shop:confirm", "application/json"),
        ("shop:hook", "application/json"),
    ]
    (delivery,) = sandbox.webhooks.deliveries
    assert (delivery.status, delivery.ok, delivery.milliseconds) == (500, False, 7)


def test_browser_first_keeps_webhooks_back_until_asked(server: SandboxServer, told: Shop) -> None:
    server.sandbox.settings.webhook_order = "browser-first"
    attempt = paid(server)
    assert told.got == []
    assert [event.imp_uid for event in server.sandbox.webhooks.pending] == [attempt.imp_uid]
    (delivery,) = server.sandbox.webhooks.deliver()
    assert delivery.ok
    assert server.sandbox.webhooks.pending == []


def test_both_at_once_is_over_when_deliver_comes_back(server: SandboxServer, told: Shop) -> None:
    server.sandbox.settings.webhook_order = "both"
    paid(server)
    assert [delivery.ok for delivery in server.sandbox.webhooks.deliver()] == [True]
    assert len(told.got) == 1


def test_the_shop_is_asked_before_an_approval(server: SandboxServer, shop: Shop) -> None:
    attempt = paid(server, confirm_url=shop.url + "/confirm")
    assert attempt.status == "paid"
    path, kind, _ = shop.got[0]
    assert (path, kind) == ("/confirm", "application/json")
    assert shop.bodies == [
        {"imp_uid": attempt.imp_uid, "merchant_uid": "ORD-1001", "amount": 39000}
    ]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (409, '{"reason":"재고 부족"}', "재고 부족"),
        (201, '{"reason":"재고 부족"}', "재고 부족"),
        (503, '{"reason":7}', "알 수 없음"),
        (500, "<html>", "알 수 없음"),
        (400, "[]", "알 수 없음"),
    ],
)
def test_anything_but_200_fails_the_payment(
    server: SandboxServer, told: Shop, status: int, body: str, reason: str
) -> None:
    told.answers["/confirm"] = (status, body)
    attempt = paid(server, confirm_url=told.url + "/confirm")
    assert attempt.status == "failed"
    assert attempt.fail_reason == f"고객사 요청에 의해 결제를 중단합니다. (상세사유 : {reason})"
    assert [path for path, _, _ in told.got] == ["/confirm"]


def test_the_shop_is_asked_before_an_account_is_issued(server: SandboxServer, shop: Shop) -> None:
    shop.answers["/confirm"] = (409, '{"reason":"재고 부족"}')
    assert issued(server, confirm_url=shop.url + "/confirm").status == "failed"
