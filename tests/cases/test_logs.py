"""What an operator finds in the log, and what somebody else's text may not do there."""

from __future__ import annotations

import json
import logging

import pytest

from imp_verify import ExpectedPayment, Landing, Request
from tests.support.fixtures import gateway, make_shop, one_gateway, shop
from tests.support.gateway import (
    I1,
    I2,
    ORDER,
    PRICE,
    Reply,
    ScriptedGateway,
    envelope,
)
from tests.support.shop import MakeShop, Shop, body

__all__ = ["gateway", "make_shop", "one_gateway", "shop"]

FORGERY = (400, "forgery")
LONG = "ORD-1001-" + "0123456789" * 4
CUT = LONG[:40]


@pytest.fixture(params=["flask-memory", "starlette-memory"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "imp_verify")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what our logger said since the last time, and forget it."""
    ours = [each for each in log.records if each.name == "imp_verify"]
    log.clear()
    return [(each.levelname, each.getMessage()) for each in ours]


# --- which order ---------------------------------------------------------------------------------


def test_e17_a_number_that_a_pg_cut_is_forgery_and_the_log_says_that_it_looks_cut(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    shop.orders[LONG] = PRICE
    gateway.has(merchant_uid=CUT)
    for ask in (shop.complete, shop.webhook):
        log.clear()
        assert ask(merchant_uid=LONG).told == FORGERY
        [(level, line)] = lines(log)
        assert level == "WARNING"
        assert f"for order {CUT!r}, claimed for {LONG!r}" in line
        assert "looks cut" in line
    shop.assert_not_paid()


def test_e17_a_cut_number_that_the_notice_names_too_is_said_to_be_one_perhaps(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    shop.orders[LONG] = PRICE
    for number, said in ((CUT, True), (CUT[:-1], False)):
        gateway.has(merchant_uid=number)
        log.clear()
        assert shop.webhook(merchant_uid=number).told == (503, "unavailable")
        [(level, line)] = lines(log)
        assert level == "ERROR"
        assert "it is paid, and the shop knows no such order" in line
        assert line.endswith("; some PGs cut a longer number to these 40 characters") is said
    shop.assert_not_paid()


def test_an_order_that_is_found_by_another_number_is_none_and_the_log_says_so(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    """As a database does whose column folds case: the shop sees the order, and wonders."""
    shop.orders["ord-2026"] = ExpectedPayment("ORD-2026", PRICE)
    gateway.has(merchant_uid="ord-2026")
    assert shop.webhook(merchant_uid="ord-2026").told == (503, "unavailable")
    (level, line), (_, verdict) = lines(log)
    assert (level, line) == (
        "WARNING",
        "expected was asked for order 'ord-2026' and gave order 'ORD-2026': that counts as no such "
        "order",
    )
    assert "it is paid, and the shop knows no such order" in verdict
    shop.assert_not_paid()


def test_e17_two_numbers_that_have_nothing_in_common_do_not_look_cut(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    gateway.has()
    assert shop.complete(merchant_uid="ORD-2002").told == FORGERY
    [(_, line)] = lines(log)
    assert "for order 'ORD-1001', claimed for 'ORD-2002', is forgery (order)" in line
    assert "cut" not in line


def test_the_number_that_was_claimed_is_named_where_the_gateway_knows_no_payment(
    shop: Shop, log: pytest.LogCaptureFixture
) -> None:
    assert shop.complete(imp_uid="imp_none").told == FORGERY
    [(level, line)] = lines(log)
    assert (level, "imp_none for order 'ORD-1001' is unknown_payment" in line) == ("INFO", True)


def test_money_for_an_order_that_the_shop_does_not_know_is_an_error(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    shop.orders.clear()
    gateway.has()
    assert shop.webhook().status == 503
    [(level, line)] = lines(log)
    assert level == "ERROR"
    assert f"{I1} for order 'ORD-1001' is unknown_order; it is paid" in line
    gateway.has(status="cancelled", cancel_amount=PRICE)
    assert shop.webhook().status == 503
    assert [level for level, _ in lines(log)] == ["INFO"]


def test_an_approved_confirm_is_one_line(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    gateway.has(status="ready")
    assert shop.confirm().status == 200
    assert lines(log) == [("INFO", f"confirm: {I1} for order 'ORD-1001' is approved")]


# --- the gateway's own words ---------------------------------------------------------------------

SAID = "[gateway: HTTP {}, code -1, 'IP가 허용되지 않습니다\\n\\u202e2']"


def says(status: int) -> Reply:
    return Reply(status, envelope(None, -1, "IP가 허용되지 않습니다\n\u202e2"))


@pytest.mark.parametrize(("status", "level"), [(400, "WARNING"), (403, "WARNING")])
def test_g03_one_line_names_the_ids_and_what_the_gateway_said(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture, status: int, level: str
) -> None:
    gateway.lookups.append(says(status))
    assert shop.complete().status == 503
    [(found, line)] = lines(log)
    assert (found, I1 in line, ORDER in line) == (level, True, True)
    assert SAID.format(status) in line


def test_g03_credentials_that_are_refused_are_an_error(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    gateway.tokens.append(says(401))
    assert shop.complete().status == 503
    [(level, line)] = lines(log)
    assert level == "ERROR"
    assert "check IMP_KEY and IMP_SECRET" in line
    assert "HTTP 401" in line


def test_a_cause_is_named_once(shop: Shop, log: pytest.LogCaptureFixture) -> None:
    shop.driver.verifier._accounts.select(None).base_url = "http://127.0.0.1:9"
    assert shop.complete().status == 503
    [(_, line)] = lines(log)
    named = line.rpartition("(")[2].rstrip(")")
    assert line.count(named) == 1


def test_what_the_gateway_says_is_clipped(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    gateway.lookups.append(Reply(400, envelope(None, -(10**60), "가" * 10_000)))
    assert shop.complete().status == 503
    [(_, line)] = lines(log)
    assert len(line) < 600
    gateway.has(merchant_uid="가\n" * 10_000)
    assert shop.complete().told == FORGERY
    [(_, line)] = lines(log)
    assert len(line) < 400
    assert "\n" not in line


# --- notices of the other API --------------------------------------------------------------------

V2_OLD = {"tx_id": "t", "payment_id": ORDER, "status": "Paid"}
V2 = {
    "type": "Transaction.Paid",
    "timestamp": "2025-01-01T00:00:00Z",
    "data": {"paymentId": ORDER, "transactionId": "t", "storeId": "s"},
}
KEYS_OF_V2 = {"type": "BillingKey.Issued", "timestamp": "...", "data": {"billingKey": "b"}}
SIGNED = [("webhook-id", "w"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,x")]


@pytest.mark.parametrize("path", ["/webhook", "/confirm"])
@pytest.mark.parametrize(
    ("sent", "headers"),
    [(V2_OLD, []), (V2, SIGNED), (V2, []), (KEYS_OF_V2, []), ({"x": 1}, SIGNED)],
)
def test_n13_a_notice_of_v2_is_refused_and_one_warning_names_the_consoles_setting(
    shop: Shop,
    gateway: ScriptedGateway,
    log: pytest.LogCaptureFixture,
    path: str,
    sent: dict[str, object],
    headers: list[tuple[str, str]],
) -> None:
    assert shop.post(path, sent, headers=headers).told == (400, "invalid")
    [(level, line)] = lines(log)
    assert level == "WARNING"
    assert "V2" in line
    assert "결제알림(Webhook) 관리" in line
    assert gateway.asked == []
    assert ORDER not in line


@pytest.mark.parametrize("sent", [{"status": "paid"}, {"type": "x"}, {"data": {}}, b"[" * 99, b"{"])
def test_n13_what_is_malformed_and_no_notice_of_v2_is_none(
    shop: Shop, log: pytest.LogCaptureFixture, sent: object
) -> None:
    assert shop.post("/webhook", sent).told == (400, "invalid")
    [(level, line)] = lines(log)
    assert (level, "malformed request" in line) == ("INFO", True)
    assert shop.post("/complete", V2).told == (400, "invalid")
    assert [level for level, _ in lines(log)] == ["INFO"]


# --- what a browser is told, and what is shown of it ---------------------------------------------


def test_c22_who_knows_an_imp_uid_alone_learns_neither_number_nor_reason(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    targets = Landing(failure="/orders/{merchant_uid}?why={reason}", success="/s?{merchant_uid}")
    shop = make_shop(landing=targets)
    gateway.has(status="failed", fail_reason="card 1234 is over its limit")
    both = f"/redirect?imp_uid={I1}&merchant_uid={ORDER}"
    lands = shop.get(both).lands
    assert lands == f"/orders/{ORDER}?why=card%201234%20is%20over%20its%20limit"
    for query in (f"imp_uid={I1}", f"imp_uid={I1}&merchant_uid=ORD-9", f"imp_uid={I2}"):
        answer = shop.get(f"/redirect?{query}")
        assert answer.status == 400
        told = f"{answer.headers}{answer.body.decode()}"
        assert ORDER not in told
        assert "1234" not in told
    gateway.has()
    assert shop.get(f"/redirect?merchant_uid={ORDER}").lands == f"/s?{ORDER}"
    assert shop.get(f"/redirect?imp_uid={I1}").status == 200


def test_c22_the_reason_of_a_payment_that_was_found_by_its_order_is_not_told(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(landing=Landing(pending="/p?o={merchant_uid}&why={reason}"))
    gateway.has(status="ready", fail_reason="card 1234")
    assert shop.get(f"/redirect?merchant_uid={ORDER}").lands == f"/p?o={ORDER}&why="
    both = f"/redirect?imp_uid={I1}&merchant_uid={ORDER}"
    assert shop.get(both).lands == f"/p?o={ORDER}&why=card%201234"


def test_c24_the_built_in_page_cannot_be_framed(make_shop: MakeShop) -> None:
    answer = make_shop(landing=Landing()).get("/redirect?imp_uid=imp_none")
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_c24_text_of_a_request_moves_nothing_in_the_log(
    shop: Shop, gateway: ScriptedGateway, log: pytest.LogCaptureFixture
) -> None:
    gateway.has(merchant_uid="ORD\u202e-\x1b[2J\n2")
    assert shop.complete().told == FORGERY
    [(_, line)] = lines(log)
    assert line.isprintable()
    assert "'ORD\\u202e-\\x1b[2J\\n2'" in line


def test_c24_a_request_shows_neither_its_headers_nor_its_query() -> None:
    request = Request(
        "POST", "imp_uid=imp_1&token=secret", [("Cookie", "secret"), ("X-Key", "secret")], b"secret"
    )
    assert "secret" not in repr(request)
    assert "imp_1" not in repr(request)


def test_the_words_of_a_body_are_not_in_the_log(shop: Shop, log: pytest.LogCaptureFixture) -> None:
    assert shop.post("/webhook", json.dumps(body(imp_uid="\u202esecret")).encode()).status == 400
    [(_, line)] = lines(log)
    assert "secret" not in line
