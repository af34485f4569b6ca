"""Reading payments: each call's status, envelope and fields."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

import pytest

from imp_verify.sandbox import Fault, SandboxServer
from imp_verify.sandbox.exact import dumps
from tests.sandbox.conftest import NOON, Rest, issued, opened, paid

TIMES = ("started_at", "paid_at", "failed_at", "cancelled_at", "vbank_date", "vbank_issued_at")


def test_a_payment_is_told_in_the_envelope(server: SandboxServer, rest: Rest) -> None:
    attempt = paid(server, name="의자", buyer_name="홍길동", custom_data={"a": 1})
    reply = rest.get(f"/payments/{attempt.imp_uid}")
    assert (reply.status, reply.code, reply.message) == (200, 0, None)
    assert reply.response["imp_uid"] == attempt.imp_uid
    assert reply.response["merchant_uid"] == "ORD-1001"
    assert (reply.response["amount"], reply.response["cancel_amount"]) == (39000, 0)
    assert (reply.response["currency"], reply.response["status"]) == ("KRW", "paid")
    assert reply.response["sandbox"] is False
    assert (reply.response["name"], reply.response["buyer_name"]) == ("의자", "홍길동")
    assert reply.response["custom_data"] == '{"a":1}'
    assert reply.response["cancel_history"] == []
    assert reply.response["card_name"] == "BC카드"


def test_an_unknown_payment_is_404(rest: Rest) -> None:
    reply = rest.get("/payments/imp_000000000000")
    assert (reply.status, reply.code, reply.response) == (404, -1, None)
    assert reply.message == "존재하지 않는 결제정보입니다."


@pytest.mark.parametrize(
    "number", ["19.99", "1.10", "0.07", "4503599627370497.5", "39000", "0.00000001", "39000.0"]
)
def test_amounts_travel_as_the_numbers_they_are(
    server: SandboxServer, rest: Rest, number: str
) -> None:
    attempt = paid(server, amount=Decimal(number), currency="USD")
    reply = rest.get(f"/payments/{attempt.imp_uid}")
    assert f'"amount":{number},' in reply.text
    assert reply.response["amount"] == Decimal(number)


def test_what_is_written_is_json_with_the_very_digits_of_each_number() -> None:
    for text in ("14.20", "0.5", "39000", "0.00000001"):
        wanted = {"a": [Decimal(text), "의자", None, True, 1], "b": {}}
        assert dumps(MappingProxyType(wanted)) == f'{{"a":[{text},"의자",null,true,1],"b":{{}}}}'
    with pytest.raises(TypeError):
        dumps({"a": {1}})


def test_y03_times_are_whole_seconds_and_zero_until_reached(
    server: SandboxServer, rest: Rest
) -> None:
    attempt = opened(server)
    before = rest.get(f"/payments/{attempt.imp_uid}").response
    assert [before[name] for name in TIMES] == [NOON, 0, 0, 0, 0, 0]
    server.sandbox.clock.advance(62)
    server.sandbox.approve(attempt.imp_uid)
    after = rest.get(f"/payments/{attempt.imp_uid}").response
    assert [after[name] for name in TIMES] == [NOON, NOON + 62, 0, 0, 0, 0]
    server.sandbox.clock.advance(100)
    server.sandbox.cancel(attempt.imp_uid)
    end = rest.get(f"/payments/{attempt.imp_uid}").response
    assert [end[name] for name in TIMES] == [NOON, NOON + 62, 0, NOON + 162, 0, 0]
    assert all(type(end[name]) is int for name in TIMES)


def test_y03_a_failed_payment_tells_when(server: SandboxServer, rest: Rest) -> None:
    attempt = server.sandbox.decline(opened(server).imp_uid)
    told = rest.get(f"/payments/{attempt.imp_uid}").response
    assert [told[name] for name in TIMES] == [NOON, 0, NOON, 0, 0, 0]
    assert (told["status"], told["fail_reason"]) == ("failed", "한도초과")


def test_y03_the_running_clock_gives_whole_seconds_too() -> None:
    with SandboxServer() as server:
        server.sandbox.clock.advance(60)
        assert type(opened(server).started_at) is int


def test_an_issued_account_is_told(server: SandboxServer, rest: Rest) -> None:
    attempt = issued(server, vbank_due="2026-08-05")
    told = rest.get(f"/payments/{attempt.imp_uid}").response
    assert (told["status"], told["pay_method"]) == ("ready", "vbank")
    assert told["vbank_num"]
    assert told["vbank_issued_at"] == NOON
    assert told["vbank_date"] == 1785941999  # 2026-08-05 23:59:59 in Korea


def test_a_test_payment_is_told_only_when_asked_for(server: SandboxServer, rest: Rest) -> None:
    path = f"/payments/{paid(server, channelKey='channel-test').imp_uid}"
    assert rest.get(path).status == 404
    assert rest.get(path + "?include_sandbox=false").status == 404
    reply = rest.get(path + "?include_sandbox=true")
    assert (reply.status, reply.response["sandbox"]) == (200, True)


def test_a_live_payment_is_told_either_way(server: SandboxServer, rest: Rest) -> None:
    attempt = paid(server, channelKey="channel-live")
    for query in ("", "?include_sandbox=true"):
        reply = rest.get(f"/payments/{attempt.imp_uid}{query}")
        assert reply.response["sandbox"] is False


def test_many_are_asked_for_at_once(server: SandboxServer, rest: Rest) -> None:
    one, two = paid(server), paid(server, "ORD-1002")
    reply = rest.get(f"/payments?imp_uid[]={one.imp_uid}&merchant_uid[]=ORD-1002")
    assert reply.status == 200
    assert [p["imp_uid"] for p in reply.response] == [one.imp_uid, two.imp_uid]


def test_207_says_that_some_are_missing(server: SandboxServer, rest: Rest) -> None:
    one = paid(server)
    for missing in ("imp_uid[]=imp_0", "merchant_uid[]=ORD-0"):
        reply = rest.get(f"/payments?imp_uid[]={one.imp_uid}&{missing}")
        assert (reply.status, len(reply.response)) == (207, 1)


@pytest.mark.parametrize(
    "query", ["", "?imp_uid[]=imp_0", "?" + "&".join(["imp_uid[]=imp_0"] * 101)]
)
def test_none_of_many_is_404(rest: Rest, query: str) -> None:
    assert rest.get("/payments" + query).status == 404


def test_find_gives_the_newest_attempt_and_hides_an_older_paid_one(
    server: SandboxServer, rest: Rest
) -> None:
    first, second = opened(server), opened(server)
    server.sandbox.approve(first.imp_uid)
    assert rest.get("/payments/find/ORD-1001").response["imp_uid"] == second.imp_uid
    assert rest.get("/payments/find/ORD-1001/paid").response["imp_uid"] == first.imp_uid
    oldest = rest.get("/payments/find/ORD-1001?sorting=started").response
    assert oldest["imp_uid"] == first.imp_uid
    assert rest.get("/payments/find/ORD-1001/failed").status == 404
    assert rest.get("/payments/find/ORD-2002").status == 404


@pytest.mark.parametrize("query", ["/wrong", "?sorting=wrong", "?page=0", "?page=x", "?limit=1001"])
def test_find_all_refuses_what_it_does_not_know(
    server: SandboxServer, rest: Rest, query: str
) -> None:
    opened(server)
    assert rest.get("/payments/findAll/ORD-1001" + query).status == 400


def test_find_all_gives_pages(server: SandboxServer, rest: Rest) -> None:
    made = [opened(server).imp_uid for _ in range(3)]
    first = rest.get("/payments/findAll/ORD-1001?limit=2").response
    assert (first["total"], first["previous"], first["next"]) == (3, 0, 2)
    assert [p["imp_uid"] for p in first["list"]] == made[:0:-1]
    last = rest.get("/payments/findAll/ORD-1001?limit=2&page=2").response
    assert (last["previous"], last["next"], len(last["list"])) == (1, 0, 1)
    assert rest.get("/payments/findAll/ORD-1001/ready").response["total"] == 3
    assert rest.get("/payments/findAll/ORD-1001/").response["total"] == 3
    assert rest.get("/payments/findAll/ORD-2002").status == 404


def test_a_look_up_whose_status_is_left_empty_is_one_without_a_status(
    server: SandboxServer, rest: Rest
) -> None:
    made = paid(server)
    assert rest.get("/payments/find/ORD-1001/").response["imp_uid"] == made.imp_uid
    assert rest.get("/payments/find/ORD-2002/").status == 404


def test_the_four_statuses_share_all_payments(server: SandboxServer, rest: Rest) -> None:
    opened(server, "A")
    paid(server, "B")
    server.sandbox.decline(opened(server, "C").imp_uid)
    server.sandbox.cancel(paid(server, "D").imp_uid)
    totals = {
        status: rest.get(f"/payments/status/{status}").response["total"]
        for status in ("all", "ready", "paid", "failed", "cancelled")
    }
    assert totals == {"all": 4, "ready": 1, "paid": 1, "failed": 1, "cancelled": 1}


def test_status_compares_each_statuses_own_time(server: SandboxServer, rest: Rest) -> None:
    attempt = opened(server)
    server.sandbox.clock.advance(1000)
    server.sandbox.approve(attempt.imp_uid)
    window = f"?from={NOON + 900}&to={NOON + 1100}"
    assert rest.get("/payments/status/paid" + window).response["total"] == 1
    assert rest.get(f"/payments/status/paid?from={NOON}&to={NOON + 10}").response["total"] == 0


@pytest.mark.parametrize("query", ["wrong", "all?page=2", "all?from=0", "all?from=5&to=4"])
def test_status_refuses_what_it_does_not_know(rest: Rest, query: str) -> None:
    assert rest.get("/payments/status/" + query).status == 400


def test_an_unknown_status_is_refused_in_the_gateways_words(rest: Rest) -> None:
    reply = rest.get("/payments/status/unknown")
    assert (reply.status, reply.message) == (400, "지원되지 않는 상태값입니다.")


def test_an_encoded_slash_stays_in_its_place(server: SandboxServer, rest: Rest) -> None:
    paid(server, "A")
    attempt = opened(server, "A/paid")
    assert rest.get("/payments/find/A%2Fpaid").response["imp_uid"] == attempt.imp_uid
    assert rest.get("/payments/find/A/paid").response["merchant_uid"] == "A"
    opened(server, "주문-1001")
    assert rest.get("/payments/find/%EC%A3%BC%EB%AC%B8-1001").status == 200


def test_a_balance_is_paycos_alone(server: SandboxServer, rest: Rest) -> None:
    assert rest.get(f"/payments/{paid(server).imp_uid}/balance").status == 405
    assert rest.get("/payments/imp_0/balance").status == 404


def test_what_is_no_call_is_answered_in_the_envelope_too(rest: Rest) -> None:
    assert rest.get("/nothing").status == 501
    assert rest.send("DELETE", "/payments/prepare").status == 405


def test_faults_come_as_often_as_asked_for(server: SandboxServer, rest: Rest) -> None:
    imp_uid = paid(server).imp_uid
    server.sandbox.faults.add(Fault("payment", 502, "<html>", times=2, content_type="text/html"))
    url = f"{server.url}/payments/{imp_uid}"
    answers = [rest.http.get(url, headers=rest.headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].text == "<html>"


def test_a_token_call_can_fail(server: SandboxServer, rest: Rest) -> None:
    body = '{"code":-1,"message":"x","response":null}'
    server.sandbox.faults.add(Fault("token", 500, body))
    assert [rest.token().status, rest.token().status] == [500, 200]
