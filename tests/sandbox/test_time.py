"""What happens later happens when the clock is moved: in order, at its own time, and told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from imp_verify.sandbox import Attempt, Clock, Refused, Sandbox, SandboxServer
from tests.sandbox.conftest import NOON, Rest, Shop, call, issued, opened, paid

HOUR = 3600
DAY = 24 * HOUR
LEDGER = ("status", "amount", "cancel_amount")


def told(rest: Rest, imp_uid: str) -> tuple[object, ...]:
    rest.log_in()  # the token of before may have run out
    response = rest.get(f"/payments/{imp_uid}").response
    return tuple(response[name] for name in LEDGER)


@pytest.fixture
def listening(server: SandboxServer, shop: Shop) -> Shop:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    return shop


def standing() -> Clock:
    clock = Clock()
    clock.stop_at(NOON)
    return clock


@pytest.mark.parametrize("make", [standing, Clock])
def test_moving_the_clock_runs_what_is_due_in_order_each_at_its_time(
    make: Callable[[], Clock],
) -> None:
    clock = make()
    start = clock()
    seen: list[tuple[int, int]] = []

    def happen(later: int) -> None:
        seen.append((later, clock() - start))

    for later in (300, 100, 200, 100):
        clock.schedule(start + later, partial(happen, later))
    clock.advance(150)
    assert seen == [(100, 100), (100, 100)]
    clock.advance(1000)
    assert seen[2:] == [(200, 200), (300, 300)]
    assert 1150 <= clock() - start < 1150 + 60


def test_stopping_the_clock_later_runs_what_is_due_and_earlier_runs_nothing() -> None:
    clock, seen = standing(), []
    clock.schedule(NOON + 10, lambda: seen.append(clock()))
    clock.stop_at(NOON - 10)
    assert (seen, clock()) == ([], NOON - 10)
    clock.stop_at(NOON + 20)
    assert (seen, clock()) == ([NOON + 10], NOON + 20)


def test_what_is_due_may_have_more_to_come() -> None:
    clock, seen = standing(), []

    def first() -> None:
        seen.append(clock())
        clock.schedule(clock() + 5, lambda: seen.append(clock()))
        clock.schedule(clock() + 500, lambda: seen.append(clock()))

    clock.schedule(NOON + 10, first)
    clock.advance(100)
    assert seen == [NOON + 10, NOON + 15]


def test_a_clock_that_runs_comes_to_what_is_due_with_the_next_request() -> None:
    with SandboxServer() as server:
        rest = Rest(server.url)
        rest.log_in()
        attempt = opened(server)
        server.sandbox.approve_later(attempt.imp_uid, 0)
        assert server.sandbox.gateway.attempt(attempt.imp_uid).status == "ready"
        assert rest.get(f"/payments/{attempt.imp_uid}").response["status"] == "paid"
        rest.http.close()


def test_a_time_that_is_none_moves_nothing(server: SandboxServer) -> None:
    attempt = opened(server)
    server.sandbox.approve_later(attempt.imp_uid, 5)
    with pytest.raises(ValueError, match="a time is"):
        server.sandbox.clock.advance(10**12)
    with pytest.raises(ValueError, match="a time is"):
        server.sandbox.clock.schedule(-1, print)
    for wrong in (1.5, "60", timedelta(hours=1), True):
        for move in (server.sandbox.clock.advance, server.sandbox.clock.stop_at):
            with pytest.raises(ValueError, match="a time is whole Unix seconds, no "):
                move(wrong)  # type: ignore[arg-type]
    assert server.sandbox.gateway.attempt(attempt.imp_uid).status == "ready"
    assert server.sandbox.clock() == NOON


@pytest.mark.parametrize("meanwhile", ["failed", "ready", "pending"])
def test_an_approval_is_put_off_and_told_when_it_comes(
    server: SandboxServer, rest: Rest, listening: Shop, meanwhile: str
) -> None:
    imp_uid = opened(server, pg="paypal").imp_uid
    server.sandbox.approve_later(imp_uid, 3 * DAY, meanwhile=meanwhile)
    server.sandbox.clock.advance(3 * DAY - 1)
    assert told(rest, imp_uid)[0] == meanwhile
    assert listening.got == []
    server.sandbox.clock.advance(DAY)
    assert told(rest, imp_uid)[0] == "paid"
    response = rest.get(f"/payments/{imp_uid}").response
    assert (response["paid_at"], response["failed_at"]) == (NOON + 3 * DAY, 0)
    assert [body["status"] for body in listening.bodies] == ["paid"]


def test_a_payment_that_was_declined_is_paid_later(
    server: SandboxServer, rest: Rest, listening: Shop
) -> None:
    attempt = server.sandbox.decline(opened(server, pg="paymentwall").imp_uid)
    server.sandbox.approve_later(attempt.imp_uid, HOUR, meanwhile="ready")
    assert told(rest, attempt.imp_uid)[0] == "failed"
    assert rest.get(f"/payments/{attempt.imp_uid}").response["fail_reason"] == "한도초과"
    server.sandbox.clock.advance(HOUR)
    assert told(rest, attempt.imp_uid)[0] == "paid"
    assert len(listening.got) == 1


def test_a_window_that_was_closed_meanwhile_is_paid_all_the_same(server: SandboxServer) -> None:
    imp_uid = opened(server).imp_uid
    server.sandbox.approve_later(imp_uid, HOUR)
    server.sandbox.close(imp_uid)
    server.sandbox.clock.advance(HOUR)
    assert server.sandbox.gateway.attempt(imp_uid).status == "paid"


def test_what_was_approved_at_once_is_not_told_twice(
    server: SandboxServer, listening: Shop
) -> None:
    imp_uid = opened(server).imp_uid
    server.sandbox.approve_later(imp_uid, HOUR)
    server.sandbox.approve(imp_uid)
    server.sandbox.clock.advance(HOUR)
    assert len(listening.got) == 1
    assert server.sandbox.gateway.attempt(imp_uid).paid_at == NOON


def test_the_shop_is_asked_before_an_approval_is_put_off(server: SandboxServer, shop: Shop) -> None:
    shop.answers["/confirm"] = (500, "")
    imp_uid = opened(server, confirm_url=shop.url + "/confirm").imp_uid
    assert server.sandbox.approve_later(imp_uid, HOUR, meanwhile="pending").status == "failed"
    server.sandbox.clock.advance(HOUR)
    assert server.sandbox.gateway.attempt(imp_uid).status == "failed"


def test_what_cannot_be_approved_is_not_put_off(server: SandboxServer) -> None:
    for attempt in (paid(server), issued(server, "ORD-1002")):
        with pytest.raises(Refused):
            server.sandbox.approve_later(attempt.imp_uid, HOUR)
    with pytest.raises(Refused):
        server.sandbox.gateway.put_off(paid(server, "ORD-1003").imp_uid)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"seconds": -1}, "seconds"),
        ({"seconds": "5"}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": 366 * DAY}, "seconds"),
        ({"seconds": 5, "meanwhile": "paid"}, "meanwhile"),
        ({}, "seconds"),
    ],
)
def test_a_wrong_delay_is_named_and_changes_nothing(
    server: SandboxServer, fields: dict[str, object], name: str
) -> None:
    imp_uid = opened(server).imp_uid
    status, answer = call(server, "POST", f"payments/{imp_uid}/approve-late", fields)
    assert (status, name in str(answer["error"])) == (400, True)
    assert server.sandbox.gateway.attempt(imp_uid).in_window


def test_all_of_it_is_done_over_http_too(server: SandboxServer, rest: Rest) -> None:
    imp_uid = opened(server).imp_uid
    wanted = {"seconds": DAY, "meanwhile": "failed"}
    status, answer = call(server, "POST", f"payments/{imp_uid}/approve-late", wanted)
    assert (status, answer["status"]) == (200, "failed")
    moved = {"now": NOON + DAY, "stopped": True, "due": 0}
    assert call(server, "POST", "clock", {"advance": DAY}) == (200, moved)
    assert told(rest, imp_uid)[0] == "paid"


LATER = [
    {"pg": "paypal_v2"},
    {"pg": "paypal"},
    {"pg": "paymentwall"},
    {"pg": "eximbay", "pay_method": "wechat"},
]


@pytest.mark.parametrize("params", LATER)
def test_some_pgs_cancel_later(
    server: SandboxServer, rest: Rest, listening: Shop, params: dict[str, str]
) -> None:
    imp_uid = paid(server, **params).imp_uid
    fields = {"imp_uid": imp_uid, "amount": 9000, "checksum": 39000, "reason": "반품"}
    reply = rest.send("POST", "/payments/cancel", fields)
    assert (reply.status, reply.code) == (200, 0)
    assert [reply.response[name] for name in LEDGER] == ["paid", 39000, 0]
    assert reply.response["cancel_history"] == []
    server.sandbox.clock.advance(HOUR - 1)
    assert told(rest, imp_uid) == ("paid", 39000, 0)
    server.sandbox.clock.advance(DAY)
    assert told(rest, imp_uid) == ("cancelled", 39000, 9000)
    (entry,) = rest.get(f"/payments/{imp_uid}").response["cancel_history"]
    assert (entry["cancelled_at"], entry["reason"]) == (NOON + HOUR, "반품")
    last = listening.bodies[-1]
    assert (last["status"], last["cancellation_id"]) == ("cancelled", entry["cancellation_id"])
    assert len(listening.got) == 2


def test_an_account_of_the_new_smartro_is_refunded_later_and_its_cards_at_once(
    server: SandboxServer,
) -> None:
    sandbox = server.sandbox
    account = sandbox.deposit(issued(server, "ORD1001", pg="smartro_v2").imp_uid)
    assert sandbox.cancel(account.imp_uid).status == "paid"
    assert sandbox.cancel(paid(server, "ORD1002", pg="smartro_v2").imp_uid).status == "cancelled"
    sandbox.clock.advance(HOUR)
    assert sandbox.gateway.attempt(account.imp_uid).status == "cancelled"


def test_the_delay_is_a_setting(server: SandboxServer) -> None:
    sandbox = server.sandbox
    sandbox.settings.change({"cancel_seconds": 0})
    assert sandbox.cancel(paid(server, pg="paypal_v2").imp_uid).status == "cancelled"
    sandbox.settings.change({"cancel_seconds": 3 * DAY})
    late = sandbox.cancel(paid(server, "ORD-1002", pg="paypal_v2").imp_uid)
    sandbox.clock.advance(3 * DAY - 1)
    assert sandbox.gateway.attempt(late.imp_uid).status == "paid"
    for wrong in (-1, "5", 1.5, True, 366 * DAY):
        with pytest.raises(ValueError, match="cancel_seconds"):
            sandbox.settings.change({"cancel_seconds": wrong})


def test_no_checksum_guards_a_part_twice_where_the_pg_cancels_later(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = paid(server, pg="paypal_v2").imp_uid
    fields = {"imp_uid": imp_uid, "amount": 9000, "checksum": 39000}
    for _ in range(2):
        assert rest.send("POST", "/payments/cancel", fields).code == 0
    server.sandbox.clock.advance(HOUR)
    assert told(rest, imp_uid) == ("cancelled", 39000, 18000)


def test_all_of_it_is_given_back_once_though_asked_for_twice(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = paid(server, pg="paypal_v2").imp_uid
    for _ in range(2):
        assert rest.send("POST", "/payments/cancel", {"imp_uid": imp_uid}).code == 0
    server.sandbox.clock.advance(DAY)
    assert told(rest, imp_uid) == ("cancelled", 39000, 39000)


def test_a_cancel_that_is_refused_is_refused_at_once(server: SandboxServer, rest: Rest) -> None:
    imp_uid = paid(server, pg="paypal_v2").imp_uid
    for wrong in ({"amount": 39001}, {"checksum": 1}):
        reply = rest.send("POST", "/payments/cancel", {"imp_uid": imp_uid, **wrong})
        assert (reply.status, reply.code) == (200, 1)
    server.sandbox.clock.advance(DAY)
    assert told(rest, imp_uid) == ("paid", 39000, 0)


def test_an_account_whose_time_is_over_stays_ready_and_takes_money_still(
    server: SandboxServer, rest: Rest, listening: Shop
) -> None:
    imp_uid = issued(server).imp_uid
    server.sandbox.clock.advance(60 * DAY)
    rest.log_in()
    response = rest.get(f"/payments/{imp_uid}").response
    assert (response["status"], response["vbank_date"]) == ("ready", NOON + 30 * DAY)
    assert [body["status"] for body in listening.bodies] == ["ready"]
    server.sandbox.deposit(imp_uid)
    assert told(rest, imp_uid)[0] == "paid"


def test_a_waiting_account_is_edited_and_then_takes_the_new_amount_alone(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = issued(server, pg="settle").imp_uid
    server.sandbox.clock.advance(20 * 60)
    rest.send("PUT", f"/vbanks/{imp_uid}", {"amount": 41000})
    with pytest.raises(Refused):
        server.sandbox.deposit(imp_uid, Decimal(39000))
    server.sandbox.deposit(imp_uid, Decimal(41000))
    assert told(rest, imp_uid) == ("paid", 41000, 0)


def unlimited(server: SandboxServer) -> Attempt:
    return issued(server, pg="settle", amount=0)


def test_an_unlimited_account_takes_any_deposits_and_keeps_each(
    server: SandboxServer, rest: Rest, listening: Shop
) -> None:
    imp_uid = unlimited(server).imp_uid
    assert rest.get(f"/payments/{imp_uid}").response["deposit_history"] == []
    wanted = {"amount": 1000, "depositor": "홍길동"}
    status, answer = call(server, "POST", f"payments/{imp_uid}/deposit", wanted)
    assert (status, answer["status"]) == (200, "paid")
    server.sandbox.clock.advance(400 * DAY)
    server.sandbox.deposit(imp_uid, Decimal(2500))
    rest.log_in()
    response = rest.get(f"/payments/{imp_uid}").response
    assert (response["amount"], response["status"]) == (0, "paid")
    entries = [
        (entry["amount"], entry["depositor_name"], entry["deposited_at"])
        for entry in response["deposit_history"]
    ]
    assert entries == [(1000, "홍길동", NOON), (2500, None, NOON + 400 * DAY)]
    assert [body["status"] for body in listening.bodies] == ["ready", "paid", "paid"]


def test_a_deposit_to_a_cancelled_unlimited_account_leaves_it_cancelled(
    server: SandboxServer, listening: Shop
) -> None:
    imp_uid = unlimited(server).imp_uid
    server.sandbox.gateway.edit(imp_uid, status="cancelled", cancelled_at=NOON)
    moved = server.sandbox.deposit(imp_uid, Decimal(1000))
    assert (moved.status, len(moved.deposits)) == ("cancelled", 1)
    assert [body["status"] for body in listening.bodies] == ["ready", "cancelled"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 409), ({"amount": 0}, 400), ({"amount": "x"}, 400), ({"amount": 1, "depositor": 5}, 400)],
)
def test_an_unlimited_account_needs_a_deposit_that_is_one(
    server: SandboxServer, fields: dict[str, object], status: int
) -> None:
    imp_uid = unlimited(server).imp_uid
    assert call(server, "POST", f"payments/{imp_uid}/deposit", fields)[0] == status
    assert server.sandbox.gateway.attempt(imp_uid).status == "ready"


def test_a_sandbox_needs_no_server_to_have_its_time_moved() -> None:
    sandbox = Sandbox()
    sandbox.clock.stop_at(NOON)
    attempt = sandbox.gateway.open({"merchant_uid": "A", "amount": 1})
    sandbox.approve_later(attempt.imp_uid, DAY, meanwhile="pending")
    sandbox.clock.advance(DAY)
    assert sandbox.gateway.attempt(attempt.imp_uid).paid_at == NOON + DAY
    sandbox.close_down()
