"""Somebody wants goods for nothing, or to do harm with other people's payments."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.gateway import I1, I2, NOT_FOUND, ORDER, PRICE, ScriptedGateway, payment
from tests.support.shop import AsgiDriver, MakeShop, Shop, body

SUCCESS = (200, "success")
FORGERY = (400, "forgery")
INVALID = (400, "invalid")

BAD_IDS = (
    *("../users/getToken", "..", ".", "%2e%2e", "imp_1?x=1", "imp_1#", "imp_1/cancel", "imp_1\n"),
    *("", "x" * 300, "x" * 33, "imp_1 ", "imp_１", "imp_1;x", "imp_1%00", "imp_1\u2028"),
)
NO_TEXT: tuple[object, ...] = ({"$ne": None}, ["imp_1"], 1, True, None, 1.5)


def test_X01_one_payment_opens_no_second_order_of_the_same_price(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders["ORD-2002"] = PRICE
    gateway.has()
    assert shop.complete(merchant_uid="ORD-2002").told == FORGERY
    assert shop.webhook(merchant_uid="ORD-2002").told == FORGERY
    assert shop.redirect(merchant_uid="ORD-2002").lands == "/cart?why="
    answer = shop.confirm(merchant_uid="ORD-2002")
    assert answer.told == (409, "refused")
    assert "ORD-2002" not in shop.asked_for
    shop.assert_not_paid()
    assert shop.complete().told == SUCCESS  # the real buyer is not harmed by it
    assert shop.complete(merchant_uid="ORD-2002").told == FORGERY
    shop.assert_paid_once()
    assert shop.hooks == ["on_forgery", "on_paid"]


def test_X01_an_order_is_one_only_if_every_byte_is_equal(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    for claimed in ("ord-1001", "ORD-1001\u200b", "ORD‐1001", "ORD-01001"):
        assert shop.complete(merchant_uid=claimed).status == 400
    shop.assert_not_paid()


def test_X03_somebody_elses_payment_is_not_cancelled_by_a_false_claim(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders["ORD-9999"] = 500
    gateway.has()
    assert shop.complete().told == SUCCESS
    assert shop.complete(merchant_uid="ORD-9999").told == FORGERY
    assert not any("cancel" in asked.path for asked in gateway.asked)
    assert {asked.method for asked in gateway.asked if not asked.is_token} == {"GET"}
    shop.assert_paid_once()


@pytest.mark.parametrize("imp_uid", BAD_IDS)
def test_X04_an_id_that_could_reach_another_address_is_asked_nowhere(
    shop: Shop, gateway: ScriptedGateway, imp_uid: str
) -> None:
    for answer in (shop.complete(imp_uid=imp_uid), shop.webhook(imp_uid=imp_uid)):
        assert answer.told == INVALID
    assert shop.confirm(imp_uid=imp_uid).told == INVALID
    assert shop.get(f"/redirect?imp_uid={quote(imp_uid)}").lands == "/cart?why="
    form = f"imp_uid={quote(imp_uid)}&merchant_uid={ORDER}".encode()
    assert shop.post("/complete", form).told == INVALID
    assert gateway.asked == []
    assert shop.asked_for == []


@pytest.mark.parametrize("number", ["..", ".", "a/../b", "x?y=1", "주문 1", "x" * 64])
def test_X04_an_order_number_is_sent_as_one_segment_of_the_path(
    shop: Shop, gateway: ScriptedGateway, number: str
) -> None:
    shop.orders[number] = PRICE
    assert shop.get(f"/redirect?merchant_uid={quote(number, safe='')}").lands == "/cart?why="
    paths = [f"/payments/find/{quote(number, safe='')}/{state}" for state in ("paid", "ready")]
    assert gateway.looked == ([] if number in (".", "..") else paths)


@pytest.mark.parametrize("value", NO_TEXT)
def test_X06_an_imp_uid_that_is_no_text_is_asked_of_nobody(
    shop: Shop, gateway: ScriptedGateway, value: object
) -> None:
    assert shop.complete(imp_uid=value).told == INVALID
    assert shop.webhook(imp_uid=value).told == INVALID
    assert gateway.asked == []
    assert shop.asked_for == []


@pytest.mark.parametrize(
    "value", [{"__in": ["ORD-1001"]}, ["ORD-1001"], 1001, True, "", " ORD-1001", "\0", "x" * 65]
)
def test_X06_an_order_number_that_is_no_text_is_asked_of_nobody(
    shop: Shop, gateway: ScriptedGateway, value: object
) -> None:
    assert shop.complete(merchant_uid=value).told == INVALID
    assert shop.webhook(merchant_uid=value).told == INVALID
    assert gateway.asked == []
    assert shop.asked_for == []


@pytest.mark.parametrize("value", [None, ...])
def test_X06_an_order_number_that_is_absent_is_the_gateways_business(
    shop: Shop, gateway: ScriptedGateway, value: object
) -> None:
    gateway.has()
    assert shop.complete(merchant_uid=value).told == SUCCESS
    shop.assert_paid_once()


def test_X07_a_test_payment_is_no_money_where_the_shop_is_live(
    make_shop: MakeShop, gateway: ScriptedGateway, kind: str
) -> None:
    if kind.endswith("memory"):
        return  # it would warn that it forgets what was paid
    shop = make_shop(test_mode=False)
    gateway.has(sandbox=True)
    assert shop.complete().told == FORGERY
    assert shop.webhook().told == FORGERY
    shop.assert_not_paid()
    assert shop.state() is None
    gateway.has(sandbox=...)
    assert shop.complete().told == SUCCESS


def test_X07_a_test_payment_counts_in_test_mode_and_is_marked(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(test_mode=True)
    gateway.has(sandbox=True)
    assert shop.complete().told == SUCCESS
    receipt = shop.receipt()
    assert receipt is not None
    assert receipt.test


@pytest.mark.parametrize("mark", ["true", 1, 0, "false", [], {}])
def test_X07_a_mark_that_is_no_truth_value_is_trouble(
    shop: Shop, gateway: ScriptedGateway, mark: object
) -> None:
    gateway.has(sandbox=mark)
    assert shop.complete().told == (503, "unavailable")
    shop.assert_nothing_recorded()


def test_X09_a_notice_may_come_from_anywhere_by_default(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    assert shop.webhook().told == SUCCESS


def test_X09_an_address_that_is_not_listed_is_refused_and_logged(
    make_shop: MakeShop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(webhook_sources=["52.78.100.19/32"])
    gateway.has()
    assert shop.webhook().told == (403, "forbidden")
    assert "203.0.113.9" in caplog.text
    lie = [("X-Forwarded-For", "52.78.100.19")]
    assert shop.post("/webhook", body(), headers=lie).told == (403, "forbidden")
    assert gateway.asked == []
    assert shop.complete().told == SUCCESS  # the list is for notices only


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["52.78.100.19"], 200),
        (["1.1.1.1, 52.78.100.19"], 200),
        (["52.78.100.19, 1.1.1.1"], 403),
        (["::ffff:52.78.100.19"], 200),
        (["unknown"], 403),
        ([], 403),
        (["52.78.100.19, 203.0.113.7"], 200),
    ],
)
def test_X09_only_what_a_trusted_proxy_added_is_believed(
    make_shop: MakeShop, gateway: ScriptedGateway, lines: list[str], status: int
) -> None:
    shop = make_shop(webhook_sources=["52.78.100.19"], trusted_proxies=["203.0.113.0/24"])
    gateway.has()
    headers = [("X-Forwarded-For", line) for line in lines]
    assert shop.post("/webhook", body(), headers=headers).status == status


@pytest.mark.parametrize(
    "line",
    [
        "52.78.100.19:51432",
        "[::ffff:52.78.100.19]:443",
        "198.51.100.7, 52.78.100.19:51432",
        "52.78.100.19:51432, 203.0.113.7:80",
    ],
)
def test_n05_a_port_that_a_proxy_writes_behind_an_address_is_taken_off(
    make_shop: MakeShop, gateway: ScriptedGateway, line: str
) -> None:
    shop = make_shop(webhook_sources=["52.78.100.19"], trusted_proxies=["203.0.113.0/24"])
    gateway.has()
    answer = shop.post("/webhook", body(), headers=[("X-Forwarded-For", line)])
    assert answer.told == SUCCESS


@pytest.mark.parametrize("line", ["52.78.100.19:x", "52.78.100.19:", "[52.78.100.19", "::1%\x1b"])
def test_n05_what_is_no_address_with_or_without_its_port_stays_refused(
    make_shop: MakeShop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    shop = make_shop(webhook_sources=["52.78.100.19"], trusted_proxies=["203.0.113.0/24"])
    answer = shop.post("/webhook", body(), headers=[("X-Forwarded-For", line)])
    assert answer.told == (403, "forbidden")
    assert "is no address" in caplog.text
    assert "\x1b" not in caplog.text
    assert gateway.asked == []


def test_X12_text_that_came_with_a_failure_is_not_shown(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    evil = "error_code=F0001&error_msg=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%0d%0aX-Evil:%201"
    target = f"/redirect?merchant_uid={ORDER}&{evil}"
    assert make_shop().get(target).lands == "/cart?why="
    page = make_shop(landing=None).get(target)
    assert page.status == 400
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "x-evil" not in page.headers
    assert b"onerror" not in page.body
    assert b"F0001" not in page.body
    assert gateway.asked == []


def test_X12_the_gateways_own_text_is_escaped(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    evil = '<script>alert(1)</script>"\r\nX-Evil: 1\ud800'
    gateway.has(status="failed", fail_reason=evil)
    page = make_shop(landing=None).redirect()
    assert page.status == 400
    assert b"<script>" not in page.body
    assert b"&lt;script&gt;" in page.body
    assert "x-evil" not in page.headers
    answer = make_shop().redirect()
    assert answer.lands.startswith("/cart?why=%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%0D%0AX-")
    assert answer.lands.isascii()
    assert "x-evil" not in answer.headers


def test_X16_a_strangers_notice_is_looked_up_once_and_believed_never(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=20.0)  # for 200 at once on a slow machine
    gateway.has(status="ready", paid_at=0)
    notices = [shop.start("POST", "/webhook", body(status="paid")) for _ in range(200)]
    assert {notice.result(60).told for notice in notices} == {(200, "pending")}
    assert len(gateway.looked) <= 200
    assert gateway.token_calls == 1
    shop.assert_nothing_recorded()


def test_X16_made_up_ids_are_answered_without_asking_the_shop(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(timeout=20.0)
    gateway.always = NOT_FOUND
    notices = [shop.start("POST", "/webhook", body(imp_uid=f"imp_{n}")) for n in range(50)]
    assert {notice.result(60).told for notice in notices} == {(400, "unknownPayment")}
    assert shop.asked_for == []
    shop.assert_nothing_recorded()


def test_X17_a_large_body_is_read_no_further_than_the_limit(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    big = b'{"imp_uid":"' + b"x" * (64 * 1024)
    assert shop.post("/webhook", big).told == (413, "invalid")
    assert shop.post("/complete", big, "application/x-www-form-urlencoded").status == 413
    assert shop.post("/confirm", big).status == 413
    exact = b'{"imp_uid":"imp_100000000001"}'.ljust(64 * 1024)
    gateway.has()
    assert shop.post("/webhook", exact).told == SUCCESS
    assert len(gateway.looked) == 1


def test_X17_many_small_messages_are_read_no_further_than_the_limit(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    if not isinstance(shop.driver, AsgiDriver):
        return
    chunk = {"type": "http.request", "body": b"x" * 1024, "more_body": True}
    messages = [dict(chunk) for _ in range(51200)]
    scope = shop.driver.scope("POST", "/pay/webhook")
    answer = shop.driver.run(shop.driver.call(scope, messages)).result(30)
    assert answer.told == (413, "invalid")
    assert 51200 - len(messages) == 65
    assert gateway.asked == []


def test_an_order_that_was_paid_and_refunded_is_not_paid_a_second_time(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    gateway.has(imp_uid=I2)
    shop.complete()
    gateway.payments[I1] = payment(status="cancelled", cancel_amount=PRICE)
    assert shop.webhook().told == (200, "cancelled")
    assert shop.complete(imp_uid=I2).told == (409, "duplicatePayment")
    assert shop.paid == 1
