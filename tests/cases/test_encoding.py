"""Bodies and queries as browsers, libraries and the gateway really send them."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.support.gateway import I1, ORDER, PRICE, VBANK, ScriptedGateway
from tests.support.shop import ASYNC, Answer, AsgiDriver, Shop, WsgiDriver, body

SUCCESS = (200, "success")
INVALID = (400, "invalid")
FORM = "application/x-www-form-urlencoded"
JSON_NOTICE = json.dumps(body(status="paid")).encode()
FORM_NOTICE = f"imp_uid={I1}&merchant_uid={ORDER}&status=paid".encode()


def multipart(*fields: tuple[str, str], boundary: str = "--x") -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode()


MULTIPART = "multipart/form-data; boundary=--x"
MULTIPART_NOTICE = multipart(("imp_uid", I1), ("merchant_uid", ORDER), ("status", "paid"))
WEBHOOKS = (
    (JSON_NOTICE, "application/json"),
    (FORM_NOTICE, FORM),
    (MULTIPART_NOTICE, MULTIPART),
)


def test_E01_form_text_under_a_json_label_is_read_as_form_text(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    answer = shop.post("/complete", f"imp_uid={I1}&merchant_uid={ORDER}".encode())
    assert answer.told == SUCCESS
    shop.assert_paid_once()


def test_E01_percent_and_plus_are_decoded_once(shop: Shop, gateway: ScriptedGateway) -> None:
    shop.orders["주문 1"] = PRICE
    gateway.has(merchant_uid="주문 1")
    text = f"imp_uid={I1}&merchant_uid=%EC%A3%BC%EB%AC%B8+1"
    assert shop.post("/complete", text.encode()).told == SUCCESS
    twice = f"imp_uid={I1}&merchant_uid=%25EC%25A3%25BC%25EB%25AC%25B8%2B1"
    assert shop.post("/complete", twice.encode()).told == (400, "forgery")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=UTF-8",
        "Application/JSON",
        "application/json;",
        "application/vnd.x+json",
        "text/plain",
        FORM,
        None,
        "nonsense",
        "application/json; charset=euc-kr",
    ],
)
def test_E02_the_label_of_a_json_body_decides_nothing(
    shop: Shop, gateway: ScriptedGateway, content_type: str | None
) -> None:
    gateway.has()
    assert shop.post("/webhook", JSON_NOTICE, content_type).told == SUCCESS
    assert shop.post("/webhook", b"\xef\xbb\xbf \r\n" + JSON_NOTICE, content_type).told == SUCCESS
    shop.assert_paid_once()


def test_E03_json_form_and_multipart_are_the_same_notice(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    for sent, content_type in WEBHOOKS:
        assert shop.post("/webhook", sent, content_type).told == SUCCESS
    shop.assert_paid_once()


@pytest.mark.parametrize(
    "sent",
    [
        multipart(("merchant_uid", ORDER)),
        multipart(("imp_uid", I1), ("imp_uid", "imp_2")),
        MULTIPART_NOTICE[:-20],
        b"",
        b"--nothing",
        b'----x\r\nContent-Disposition: form-data; name="imp_uid"; filename="a"\r\n\r\n'
        + I1.encode()
        + b"\r\n----x--\r\n",
    ],
)
def test_E03_a_broken_multipart_body_or_a_file_is_malformed(
    shop: Shop, gateway: ScriptedGateway, sent: bytes
) -> None:
    assert shop.post("/webhook", sent, MULTIPART).told == INVALID
    assert gateway.asked == []


@pytest.mark.parametrize(
    "sent",
    [
        *(b"[]", b"null", b"42", b'"imp_1"', b"true", b"[[]]", b'{"imp_uid":{}}'),
        *(b"[" * 20000, b'{"imp_uid":' * 5000, b"", b"{", b"\xff\xfe{\x00}\x00", b"\xb0\xa1"),
        b'{"imp_uid":"imp_1","imp_uid":"imp_2"}',
        b'{"imp_uid":"imp_1"} x',
        b'{"imp_uid":NaN}',
        b'{"imp_uid":' + b"9" * 5000 + b"}",
        b"&" * 2000,
    ],
)
def test_E05_what_is_no_object_with_an_id_is_malformed(
    shop: Shop, gateway: ScriptedGateway, sent: bytes
) -> None:
    for path in ("/webhook", "/complete", "/confirm"):
        assert shop.post(path, sent).told == INVALID
    assert gateway.asked == []
    assert shop.asked_for == []


def test_E08_an_id_given_twice_with_two_values_is_malformed(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    for one, other in ((I1, "true"), ("true", I1)):
        query = f"imp_uid={one}&merchant_uid={ORDER}&imp_uid={other}"
        assert shop.get(f"/redirect?{query}").lands == "/cart?why="
        assert shop.post("/complete", query.encode(), FORM).told == INVALID
    assert gateway.asked == []
    assert shop.asked_for == []


def test_E08_an_id_given_twice_alike_is_given_once(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    query = f"imp_uid={I1}&merchant_uid={ORDER}&imp_uid={I1}"
    assert shop.get(f"/redirect?{query}").lands == "/thanks?o=ORD-1001&s=success"
    assert shop.post("/complete", query.encode(), FORM).told == SUCCESS


@pytest.mark.parametrize(
    "flag",
    [
        {"imp_success": "false"},
        {"imp_success": "true"},
        {"imp_success": "False"},
        {"imp_success": "0"},
        {"imp_success": ...},
        {"imp_success": ..., "success": "true"},
        {"imp_success": "false", "error_code": "F1"},
    ],
)
def test_E09_the_flag_of_a_redirect_decides_nothing(
    shop: Shop, gateway: ScriptedGateway, flag: dict[str, object]
) -> None:
    gateway.has(status="failed")
    assert shop.redirect(**flag).lands == "/cart?why="
    shop.assert_not_paid()
    gateway.has()
    assert shop.redirect(**flag).lands == "/thanks?o=ORD-1001&s=success"
    shop.assert_paid_once()


@pytest.mark.parametrize("imp_uid", ["", "&imp_uid=", "&imp_uid=null", "&imp_uid=undefined"])
def test_E10_a_return_that_says_only_that_it_failed_is_not_looked_up(
    shop: Shop, gateway: ScriptedGateway, imp_uid: str
) -> None:
    gateway.has()
    target = f"merchant_uid={ORDER}&error_code=F400&error_msg=x{imp_uid}"
    for path in ("redirect", "complete"):
        assert shop.get(f"/{path}?{target}").lands == "/cart?why="
    assert gateway.asked == []
    shop.assert_nothing_recorded()
    assert shop.complete().told == SUCCESS


@pytest.mark.parametrize("imp_uid", [..., None, ""])
def test_E10_complete_without_an_id_is_malformed(
    shop: Shop, gateway: ScriptedGateway, imp_uid: object
) -> None:
    assert shop.complete(imp_uid=imp_uid).told == INVALID
    assert gateway.asked == []


def test_E10_a_return_with_the_order_alone_finds_its_payment(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    assert shop.redirect(imp_uid=...).lands == "/cart?why="
    gateway.has(**VBANK)
    assert shop.redirect(imp_uid="null").lands == "/thanks?o=ORD-1001&s=vbankIssued"
    gateway.has()
    assert shop.redirect(imp_uid=..., imp_success=...).lands == "/thanks?o=ORD-1001&s=success"
    shop.assert_paid_once()
    gateway.asked.clear()
    assert shop.redirect(imp_uid=..., merchant_uid="ORD-UNKNOWN").lands == "/cart?why="
    assert gateway.looked == []


def test_E11_unknown_fields_are_ignored_on_both_sides(shop: Shop, gateway: ScriptedGateway) -> None:
    values: list[object] = [None, {"a": [1, {"b": None}]}, "text", 1.5]
    gateway.has(**{f"new_{n}": values[n % 4] for n in range(60)})
    assert shop.webhook(cancellation_id="c1", anything_new={"a": 1}).told == SUCCESS
    shop.assert_paid_once()


@pytest.mark.parametrize("kind", [f"{framework}-memory" for framework in ASYNC])
def test_E13_an_asgi_body_in_pieces_is_put_together(shop: Shop, gateway: ScriptedGateway) -> None:
    assert isinstance(shop.driver, AsgiDriver)
    gateway.has()
    pieces: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"imp_uid":"imp_1000', "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b'00000001","merchant_uid":"ORD-1001"}'},
    ]
    driver = shop.driver
    scope = driver.scope("POST", "/pay/complete")
    answer = driver.run(driver.call(scope, [dict(piece) for piece in pieces])).result(30)
    assert answer.told == SUCCESS
    shop.assert_paid_once()
    gateway.asked.clear()
    scope = driver.scope("POST", "/pay/complete")
    left = driver.run(driver.call(scope, [dict(pieces[0])])).result(30)
    assert left == Answer(0, {}, b"")
    assert gateway.asked == []


def before_request(shop: Shop, read: Any) -> bool:
    """Have the shop's own code see the request first; False where there is no such place."""
    if not isinstance(shop.driver, WsgiDriver):
        return False
    shop.driver.app.before_request(read)
    return True


@pytest.mark.parametrize(("sent", "content_type"), WEBHOOKS)
def test_E15_a_shop_that_has_parsed_the_form_before_us_does_no_harm(
    shop: Shop, gateway: ScriptedGateway, sent: bytes, content_type: str
) -> None:
    from flask import request

    gateway.has()
    if before_request(shop, lambda: (request.form, None)[1]):
        assert shop.post("/webhook", sent, content_type).told == SUCCESS
        shop.assert_paid_once()


def test_E15_json_under_a_forms_type_is_json_where_the_shop_has_parsed_it_before_us(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    from flask import request

    gateway.has()
    form = "application/x-www-form-urlencoded"
    if before_request(shop, lambda: (request.form, None)[1]):
        assert shop.post("/complete", JSON_NOTICE, form).told == SUCCESS
        assert shop.post("/complete", b'  {"imp_uid": "a=b&c=d&e"}', form).told == INVALID
        assert shop.post("/complete", b'["a"]', form).told == INVALID
        shop.assert_paid_once()


@pytest.mark.parametrize(("sent", "content_type"), WEBHOOKS)
def test_E15_a_shop_that_has_read_the_body_before_us_does_no_harm(
    shop: Shop, gateway: ScriptedGateway, sent: bytes, content_type: str
) -> None:
    from flask import request

    gateway.has()
    if before_request(shop, lambda: (request.get_data(), None)[1]):
        assert shop.post("/webhook", sent, content_type).told == SUCCESS


@pytest.mark.parametrize(("sent", "content_type"), WEBHOOKS)
def test_E15_a_shop_that_has_used_up_the_stream_gets_a_clear_answer(
    shop: Shop, gateway: ScriptedGateway, sent: bytes, content_type: str
) -> None:
    from flask import request

    if before_request(shop, lambda: (request.stream.read(), None)[1]):
        assert shop.post("/webhook", sent, content_type).told == INVALID
        assert gateway.asked == []


def test_X17_a_limit_of_the_shops_own_is_answered_like_ours(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    if isinstance(shop.driver, WsgiDriver):
        shop.driver.app.config["MAX_CONTENT_LENGTH"] = 1000
        assert shop.post("/webhook", JSON_NOTICE.ljust(1001)).told == (413, "invalid")
        assert gateway.asked == []
        assert shop.post("/webhook", JSON_NOTICE.ljust(1000)).told == SUCCESS


COMPOSED = "주문-1001"
DECOMPOSED = "\u110c\u116e\u1106\u116e\u11ab-1001"


@pytest.mark.parametrize(
    ("sent", "good"),
    [
        (quote(COMPOSED), True),
        (quote_plus(COMPOSED), True),
        (COMPOSED.encode().decode("latin-1"), True),
        (quote(quote(COMPOSED)), False),
        (quote(DECOMPOSED), False),
        (quote(COMPOSED.encode("euc-kr")), False),
    ],
)
def test_E16_korean_is_decoded_once_and_never_normalised(
    shop: Shop, gateway: ScriptedGateway, sent: str, good: bool
) -> None:
    shop.orders[COMPOSED] = PRICE
    gateway.has(merchant_uid=COMPOSED)
    lands = shop.get(f"/redirect?imp_uid={I1}&merchant_uid={sent}&imp_success=true").lands
    assert lands == (f"/thanks?o={quote(COMPOSED)}&s=success" if good else "/cart?why=")
    assert shop.paid == good
    if sent.isascii():
        told = shop.post("/complete", f"imp_uid={I1}&merchant_uid={sent}".encode(), FORM)
        assert told.status == (200 if good else 400)
