"""Charges without a window: stored cards, cards told for once, scheduled ones, accounts."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from imp_verify.sandbox import Refused, SandboxServer
from tests.sandbox.conftest import NOON, Reply, Rest, Shop, opened, paid

CARD = {"card_number": "4242-4242-4242-4242", "expiry": "2026-08", "birth": "880101"}
CARD = {**CARD, "pwd_2digit": "12"}
ORDER = {"merchant_uid": "ORD-1001", "amount": 39000, "name": "의자"}
UNKNOWN = "요청하신 customer_uid({})로 등록된 정보를 찾을 수 없습니다."
DUE = NOON + 1000


def refused(reply: Reply) -> tuple[int, int, str | None]:
    assert reply.response is None
    return reply.status, reply.code, reply.message


def store(rest: Rest, name: str = "cu1", /, **more: object) -> Reply:
    return rest.send("POST", f"/subscribe/customers/{name}", {**CARD, **more})


def once(rest: Rest, **more: object) -> Reply:
    return rest.send("POST", "/subscribe/payments/onetime", {**ORDER, **CARD, **more})


def again(rest: Rest, **more: object) -> Reply:
    fields = {"customer_uid": "cu1", **ORDER, **more}
    return rest.send("POST", "/subscribe/payments/again", fields)


def issue(rest: Rest, query: str = "", /, **more: object) -> Reply:
    fields = {**ORDER, "vbank_code": "004", "vbank_due": DUE, "vbank_holder": "가게", **more}
    return rest.send("POST", f"/vbanks{query}", fields)


# Stored cards


def test_a_card_is_stored_read_replaced_and_forgotten(server: SandboxServer, rest: Rest) -> None:
    stored = store(rest, customer_name="홍길동", channel_key="channel-test").response
    assert (stored["customer_uid"], stored["customer_name"]) == ("cu1", "홍길동")
    assert (stored["pg_provider"], stored["sandbox"]) == ("tosspayments", True)
    assert stored["card_number"] == "424242******4242"
    assert (stored["inserted"], stored["updated"]) == (NOON, NOON)
    assert stored["card_issuer_name"]
    server.sandbox.clock.advance(60)
    replaced = store(rest, pg="nice.MID").response
    assert (replaced["inserted"], replaced["updated"]) == (NOON, NOON + 60)
    assert (replaced["pg_provider"], replaced["card_issuer_name"]) == ("nice", None)
    assert rest.get("/subscribe/customers/cu1").response == replaced
    assert rest.send("DELETE", "/subscribe/customers/cu1?reason=x").response == replaced
    assert rest.get("/subscribe/customers/cu1").code == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_card_is_200_and_code_1(rest: Rest, method: str) -> None:
    reply = rest.send(method, "/subscribe/customers/nobody-1")
    assert refused(reply) == (200, 1, UNKNOWN.format("nobody-1"))
    assert refused(rest.send(method, "/subscribe/customers/" + "x" * 81))[:2] == (200, 1)


def test_a_card_is_its_accounts_and_its_tiers(server: SandboxServer, rest: Rest) -> None:
    store(rest)
    other = Rest(server.url, "other_key", "other_secret")
    other.log_in()
    assert other.get("/subscribe/customers/cu1").code == 1
    assert again(other).message == "등록되지 않은 구매자입니다."
    rest.headers["Tier"] = "ABC"
    assert rest.get("/subscribe/customers/cu1").code == 1
    store(rest)
    assert again(rest).code == 0
    (attempt,) = server.sandbox.gateway.attempts()
    assert attempt.tier == "ABC"


@pytest.mark.parametrize(
    "number",
    [
        "1234-1234-1234-1234",
        "1111-1111-1111-1111",
        "0000000000000000",
        "4242",
        "4242 4242 4242 4243",
    ],
)
def test_a_number_that_no_card_has_is_refused(
    server: SandboxServer, rest: Rest, number: str
) -> None:
    words = (200, -1, "유효하지않은 카드번호를 입력하셨습니다.")
    assert refused(store(rest, card_number=number)) == words
    assert refused(once(rest, card_number=number, customer_uid="cu1", expiry="x")) == words
    assert rest.get("/subscribe/customers/cu1").code == 1
    assert server.sandbox.gateway.attempts() == []


@pytest.mark.parametrize("expiry", ["2026-07", "2026-13", "26-08", "202608"])
def test_a_card_that_ran_out_is_refused(server: SandboxServer, rest: Rest, expiry: str) -> None:
    server.sandbox.clock.stop_at(NOON + 5 * 24 * 3600)  # it is August
    rest.log_in()
    assert refused(store(rest, expiry=expiry))[:2] == (200, -1)
    assert store(rest, expiry="2026-08").code == 0


@pytest.mark.parametrize("missing", ["card_number", "expiry"])
def test_a_card_has_a_number_and_an_end(rest: Rest, missing: str) -> None:
    assert refused(store(rest, **{missing: None}))[:2] == (200, 1)


def test_nothing_of_a_card_is_written_down(server: SandboxServer, rest: Rest) -> None:
    secrets = {**CARD, "cvc": "987654"}
    store(rest, **secrets)
    once(rest, **secrets)
    rest.http.post(rest.url + "/subscribe/payments/onetime", secrets, headers=rest.headers)
    told = str([entry.wire() for entry in server.sandbox.journal])
    for secret in ("4242-4242", "880101", "987654", "2026-08"):
        assert secret not in told
    assert "424242******4242" in told


def test_a_card_that_a_window_registers_is_stored(server: SandboxServer, rest: Rest) -> None:
    paid(server, customer_uid="cu1", buyer_name="홍길동", buyer_email="a@example.com")
    stored = rest.get("/subscribe/customers/cu1").response
    assert (stored["customer_name"], stored["customer_email"]) == ("홍길동", "a@example.com")
    assert again(rest, merchant_uid="ORD-1002").response["status"] == "paid"
    server.sandbox.gateway.make(
        merchant_uid="B", amount=0, customer_uid="cu2", customer_uid_usage="issue"
    )
    assert rest.get("/subscribe/customers/cu2").code == 0


# Charges


def test_a_stored_card_is_charged_again(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    store(rest, channel_key="channel-live")
    told = again(
        rest, buyer_name="홍길동", custom_data={"a": 1}, card_quota=3, amount=60000
    ).response
    assert told["imp_uid"].startswith("imps_")
    assert told["imp_uid"][5:].isdigit()
    assert len(told["imp_uid"]) == 17
    assert (told["status"], told["paid_at"], told["channel"]) == ("paid", NOON, "api")
    assert (told["customer_uid"], told["customer_uid_usage"]) == ("cu1", "payment")
    assert (told["pg_provider"], told["pay_method"]) == ("tosspayments", "card")
    assert (told["card_number"], told["card_quota"]) == ("424242******4242", 3)
    assert (told["buyer_name"], told["custom_data"]) == ("홍길동", '{"a":1}')
    assert rest.get(f"/payments/{told['imp_uid']}").response == told
    assert [body["status"] for body in shop.bodies] == ["paid"]


def test_inicis_does_not_tell_what_kind_of_card_it_charged(rest: Rest) -> None:
    store(rest)
    assert again(rest).response["card_type"] is None


def test_an_unknown_card_is_not_charged(server: SandboxServer, rest: Rest) -> None:
    assert refused(again(rest)) == (200, 1, "등록되지 않은 구매자입니다.")
    assert server.sandbox.gateway.attempts() == []


def test_a_card_is_charged_for_once(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    notice = shop.url + "/own"
    told = once(rest, notice_url=notice, pg="nice").response
    assert (told["status"], told["channel"], told["pg_provider"]) == ("paid", "api", "nice")
    assert (told["customer_uid"], told["customer_uid_usage"]) == (None, None)
    assert [path for path, _, _ in shop.got] == ["/own"]


def test_a_card_that_is_charged_under_a_name_is_stored(rest: Rest) -> None:
    told = once(rest, customer_uid="cu1", buyer_name="홍길동").response
    assert (told["customer_uid"], told["customer_uid_usage"]) == ("cu1", "payment")
    assert rest.get("/subscribe/customers/cu1").response["customer_name"] == "홍길동"
    assert again(rest, merchant_uid="ORD-1002").code == 0


def test_what_cannot_be_a_pg_is_the_usual_one(rest: Rest) -> None:
    told = once(rest, pg="No PG is called so", notice_url=["", ""]).response
    assert told["pg_provider"] == "html5_inicis"


def test_of_eight_charges_of_one_order_at_once_one_is_carried_out(server: SandboxServer) -> None:
    sandbox, together = server.sandbox, threading.Barrier(8)
    group = sandbox.gateway.first_group()
    window = paid(server, "ORD-0", customer_uid="cu1")

    def charge(_: int) -> bool:
        together.wait()
        try:
            sandbox.charge_scheduled("cu1", "ORD-1001", Decimal(39000), group=group)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(charge, range(8))) == 1
    assert [each.status for each in sandbox.gateway.attempts() if each != window] == ["paid"]


def test_an_order_that_is_paid_is_charged_no_more(server: SandboxServer, rest: Rest) -> None:
    opened(server)
    store(rest)
    assert again(rest).code == 0
    for reply in (again(rest), once(rest), issue(rest)):
        assert refused(reply)[:2] == (200, 1)
    assert [each.status for each in server.sandbox.gateway.attempts()] == ["ready", "paid"]


def test_a_card_can_be_declined(server: SandboxServer, rest: Rest, shop: Shop) -> None:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    server.sandbox.settings.charges_declined = True
    store(rest)
    told = again(rest)
    assert (told.code, told.response["status"], told.response["failed_at"]) == (0, "failed", NOON)
    assert once(rest, customer_uid="cu2").response["status"] == "failed"
    assert rest.get("/subscribe/customers/cu2").code == 1
    assert shop.got == []


@pytest.mark.parametrize("declined", [False, True])
def test_y03_the_times_of_a_charge_are_whole_seconds_and_zero_until_reached(
    server: SandboxServer, rest: Rest, declined: bool
) -> None:
    server.sandbox.settings.charges_declined = declined
    told = once(rest).response
    names = ("started_at", "paid_at", "failed_at", "cancelled_at", "vbank_date", "vbank_issued_at")
    reached = [NOON, 0, NOON, 0, 0, 0] if declined else [NOON, NOON, 0, 0, 0, 0]
    assert [told[name] for name in names] == reached
    assert all(type(told[name]) is int for name in names)


@pytest.mark.parametrize("status", [500, 400, 200])
def test_y04_what_a_shop_answered_to_the_notice_of_a_charge_can_be_seen(
    server: SandboxServer, rest: Rest, shop: Shop, status: int
) -> None:
    shop.answers["/own"] = (status, "the answer")
    told = once(rest, notice_url=shop.url + "/own").response
    assert told["status"] == "paid"
    (delivery,) = server.sandbox.webhooks.deliveries
    assert (delivery.imp_uid, delivery.status) == (told["imp_uid"], status)
    assert (delivery.ok, delivery.answer) == (status == 200, "the answer")


@pytest.mark.parametrize("path", ["onetime", "again"])
def test_y01_without_a_token_nothing_is_charged(
    server: SandboxServer, rest: Rest, path: str
) -> None:
    store(rest)
    for header in ("", "Bearer " + "0" * 40):
        rest.headers["Authorization"] = header
        fields = {**ORDER, **CARD, "customer_uid": "cu1"}
        reply = rest.send("POST", f"/subscribe/payments/{path}", fields)
        assert refused(reply) == (401, -1, "Unauthorized")
    assert server.sandbox.gateway.attempts() == []


@pytest.mark.parametrize("declined", [False, True])
def test_a_scheduled_charge_is_told_of_either_way(
    server: SandboxServer, rest: Rest, shop: Shop, declined: bool
) -> None:
    server.sandbox.settings.webhook_url = shop.url + "/hook"
    store(rest)
    charge = server.sandbox.charge_scheduled
    attempt = charge("cu1", "ORD-1001", Decimal(39000), name="의자", declined=declined)
    told = rest.get(f"/payments/{attempt.imp_uid}").response
    assert told["status"] == ("failed" if declined else "paid")
    assert (told["customer_uid_usage"], told["channel"]) == ("payment.scheduled", "api")
    assert [body["status"] for body in shop.bodies] == [told["status"]]
    with pytest.raises(Refused):
        charge("cu2", "ORD-1002", Decimal(39000))


@pytest.mark.parametrize("declined", [False, True])
def test_a_scheduled_test_charge_is_told_where_test_payments_are(
    server: SandboxServer, rest: Rest, shop: Shop, declined: bool
) -> None:
    server.sandbox.settings.change(
        {"webhook_url": f"{shop.url}/live", "webhook_test_url": f"{shop.url}/test"}
    )
    store(rest, channel_key="channel-test")
    charge = server.sandbox.charge_scheduled
    assert charge("cu1", "ORD-1001", Decimal(39000), declined=declined).sandbox
    assert [path for path, _, _ in shop.got] == ["/test"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"tax_free": 39001},
        {"vat_amount": 39001},
        {"card_quota": 3},
        {"card_quota": "x"},
        {"merchant_uid": "x" * 41},
        {"merchant_uid": None},
        {"buyer_name": "x" * 17},
        {"name": "x" * 41},
        {"notice_url": [1]},
    ],
)
def test_a_charge_that_is_wrong_is_refused(
    server: SandboxServer, rest: Rest, wrong: dict[str, object]
) -> None:
    store(rest)
    for reply in (again(rest, **wrong), once(rest, **wrong)):
        assert refused(reply)[:2] == (200, 1)
    assert server.sandbox.gateway.attempts() == []


def test_paymentwall_alone_takes_a_currency(rest: Rest) -> None:
    assert once(rest, currency="VND", pg="paymentwall").response["currency"] == "VND"
    assert once(rest, merchant_uid="B", currency="VND").response["currency"] == "KRW"
    store(rest, pg="paymentwall")
    assert again(rest, merchant_uid="C", currency="USD").response["currency"] == "USD"


def test_a_pg_that_takes_letters_and_digits_alone_takes_no_other_number(rest: Rest) -> None:
    assert once(rest, pg="smartro_v2").code == 1
    assert once(rest, pg="smartro_v2", merchant_uid="ORD1001").code == 0


# Accounts


def test_an_account_is_issued_without_a_window(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    told = issue(rest, notice_url=[shop.url + "/own"], tax_free=0).response
    assert (told["status"], told["pay_method"], told["channel"]) == ("ready", "vbank", "api")
    assert (told["vbank_code"], told["vbank_name"]) == ("004", "국민은행")
    assert (told["vbank_holder"], told["vbank_date"]) == ("가게", DUE)
    assert (told["vbank_issued_at"], told["pg_provider"]) == (NOON, "settle")
    assert told["vbank_num"]
    assert told["imp_uid"].startswith("imps_")
    assert issue(rest, vbank_num="110-1").response["vbank_num"] == "110-1"
    server.sandbox.deposit(told["imp_uid"])
    assert [body["status"] for body in shop.bodies] == ["ready", "paid"]
    assert issue(rest).code == 1


def test_an_account_ends_by_the_clock_at_its_deadline_wherever_that_was_moved(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    server.sandbox.settings.change({"account_expired": "cancelled"})
    first, later, sooner = (issue(rest, merchant_uid=f"A-{n}").response["imp_uid"] for n in "123")
    rest.send("PUT", f"/vbanks/{later}", {"vbank_due": DUE + 60})
    rest.send("PUT", f"/vbanks/{sooner}", {"vbank_due": DUE - 60})

    def waiting() -> list[str]:
        attempts = server.sandbox.gateway.attempts()
        return [each.imp_uid for each in attempts if each.waits_for_deposit]

    for at, left in ((-61, [first, later, sooner]), (-60, [first, later]), (0, [later]), (60, [])):
        server.sandbox.clock.stop_at(DUE + at)
        assert waiting() == left


@pytest.mark.parametrize("make", [issue, once])
def test_without_a_window_there_are_the_same_limits_of_notice_url(
    server: SandboxServer, rest: Rest, make: Any
) -> None:
    server.sandbox.settings.change({"notice_urls_most": 1, "notice_url_https": True})
    urls = ["http://127.0.0.1:9/a", "https://127.0.0.1:9/b", "https://127.0.0.1:9/c"]
    imp_uid = make(rest, notice_url=urls).response["imp_uid"]
    assert server.sandbox.gateway.attempt(imp_uid).notice_urls == (urls[1],)


def test_an_accounts_holder_is_the_pgs_own_or_nobody(rest: Rest) -> None:
    assert issue(rest, vbank_holder=None).response["vbank_holder"] == "샌드박스"
    live = issue(rest, channel_key="channel-live")
    assert (live.response["vbank_holder"], live.response["pg_provider"]) == (None, "tosspayments")


@pytest.mark.parametrize(
    "wrong",
    [
        {"vbank_due": NOON},
        {"vbank_due": "2026-08-05"},
        {"vbank_due": None},
        {"vbank_code": None},
        {"amount": 0},
        {"amount": 0, "fixed_unlimited_vbank": True, "pg": "nice"},
        {"vbank_holder": "x" * 17},
    ],
)
def test_an_account_is_not_issued_for(
    server: SandboxServer, rest: Rest, wrong: dict[str, object]
) -> None:
    assert refused(issue(rest, **wrong))[:2] == (200, 1)
    assert server.sandbox.gateway.attempts() == []


def test_hectos_unlimited_account_takes_deposits_and_lists_them(
    server: SandboxServer, rest: Rest
) -> None:
    told = issue(rest, amount=0, fixed_unlimited_vbank=True).response
    assert told["deposit_history"] == []
    server.sandbox.deposit(told["imp_uid"], Decimal(500), "홍길동")
    history = rest.get(f"/payments/{told['imp_uid']}").response["deposit_history"]
    assert [(each["amount"], each["depositor_name"]) for each in history] == [(500, "홍길동")]


def test_inicis_wants_its_key(server: SandboxServer, rest: Rest) -> None:
    assert refused(issue(rest, pg="html5_inicis"))[:2] == (200, -1)
    told = issue(rest, "?pg_api_key=k", pg="html5_inicis").response
    path = f"/vbanks/{told['imp_uid']}"
    assert refused(rest.send("DELETE", path))[:2] == (200, -1)
    assert rest.send("DELETE", path + "?pg_api_key=k").response["status"] == "failed"
    assert rest.send("DELETE", path).status == 400


@pytest.mark.parametrize("fields", [{"pg": "nice"}, {"tax_free": 10}])
def test_hecto_alone_changes_an_account_and_none_that_is_free_of_tax(
    rest: Rest, fields: dict[str, Any]
) -> None:
    told = issue(rest, **fields).response
    reply = rest.send("PUT", f"/vbanks/{told['imp_uid']}", {"amount": 50000})
    assert refused(reply)[:2] == (200, 1)
    assert rest.get(f"/payments/{told['imp_uid']}").response["amount"] == 39000


def test_an_accounts_amount_is_whole(rest: Rest) -> None:
    path = f"/vbanks/{issue(rest).response['imp_uid']}"
    for amount in (json.loads("50000.5"), "1e5", -1, True):
        assert refused(rest.send("PUT", path, {"amount": amount}))[:2] == (200, 1)
    assert rest.send("PUT", path, {"amount": 50000}).response["amount"] == 50000
