"""Running a shop, and what frameworks, browsers and monitors do to the addresses."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imp_verify import ConfigurationError, ExpectedPayment, Landing
from tests.support.gateway import (
    I1,
    I2,
    NOT_FOUND,
    ORDER,
    PRICE,
    UNAUTHORIZED,
    VBANK,
    Reply,
    ScriptedGateway,
)
from tests.support.shop import AsgiDriver, MakeShop, Shop, body

SUCCESS = (200, "success")


def hook_fails(shop: Shop) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    shop.on_hook = fail
    shop.gateway.has()


def order_fails(shop: Shop) -> None:
    def fail(merchant_uid: str) -> None:
        raise RuntimeError("no")

    shop.expecting = fail
    shop.gateway.has()


def duplicate(shop: Shop) -> None:
    shop.gateway.has(imp_uid=I2)
    assert shop.complete(imp_uid=I2).told == SUCCESS
    shop.gateway.has()


def late(shop: Shop) -> None:
    shop.orders[ORDER] = ExpectedPayment(ORDER, PRICE, open=False)
    shop.gateway.has()


def order_missing(shop: Shop) -> None:
    shop.orders.clear()
    shop.gateway.has()


OUTCOMES: dict[str, tuple[Callable[[Shop], Any], tuple[int, str]]] = {
    "done": (lambda shop: shop.gateway.has(), SUCCESS),
    "account": (lambda shop: shop.gateway.has(**VBANK), (200, "vbankIssued")),
    "duplicate": (duplicate, (200, "duplicatePayment")),
    "late": (late, (200, "latePayment")),
    "forgery": (lambda shop: shop.gateway.has(amount=1), (400, "forgery")),
    "unknown payment": (lambda shop: None, (400, "unknownPayment")),
    "not final": (lambda shop: shop.gateway.has(status="pending"), (200, "pending")),
    "failed": (lambda shop: shop.gateway.has(status="failed"), (200, "failed")),
    "cancelled": (
        lambda shop: shop.gateway.has(status="cancelled", cancel_amount=PRICE),
        (200, "cancelled"),
    ),
    "order missing": (order_missing, (503, "unavailable")),
    "store error": (order_fails, (503, "unavailable")),
    "hook error": (hook_fails, (503, "unavailable")),
    "gateway trouble": (
        lambda shop: shop.gateway.lookups.append(Reply(500)),
        (503, "unavailable"),
    ),
    "wrong keys": (
        lambda shop: shop.gateway.tokens.append(UNAUTHORIZED),
        (503, "unavailable"),
    ),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_O02_only_what_may_go_right_later_asks_for_another_delivery(
    shop: Shop, outcome: str
) -> None:
    prepare, told = OUTCOMES[outcome]
    prepare(shop)
    assert shop.webhook().told == told


def test_O02_a_malformed_notice_is_final(shop: Shop) -> None:
    assert shop.post("/webhook", b"{").told == (400, "invalid")


def test_O07_the_consoles_test_button_changes_nothing_and_raises_no_alarm(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.always = NOT_FOUND
    caplog.set_level("DEBUG")
    caplog.clear()
    made_up = {"imp_uid": "imp_1234567890", "merchant_uid": "merchant_1234567890"}
    assert shop.webhook(**made_up).told == (400, "unknownPayment")
    shop.assert_nothing_recorded()
    ours = [record for record in caplog.records if record.name == "imp_verify"]
    assert [record.levelname for record in ours] == ["INFO"]


def more_than_one(merchant_uid: str) -> object:
    raise LookupError("more than one")


@pytest.mark.parametrize("expecting", [more_than_one, lambda merchant_uid: [39000, 500]])
def test_O08_two_orders_of_one_number_are_the_shops_fault_and_none_is_chosen(
    shop: Shop,
    gateway: ScriptedGateway,
    expecting: Callable[[str], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop.expecting = expecting
    gateway.has(merchant_uid="IMP700", amount=500)
    caplog.clear()
    assert shop.complete(merchant_uid="IMP700").told == (503, "unavailable")
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "IMP700" in errors[0]
    assert I1 in errors[0]
    shop.assert_nothing_recorded()


def test_D01_where_the_buyer_goes_on_is_a_setting_not_the_host_that_came_in(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(landing=Landing(success="https://www.shop.test/done/{merchant_uid}"))
    gateway.has()
    target = f"/redirect?imp_uid={I1}&merchant_uid={ORDER}&imp_success=true"
    evil = [("Host", "evil.test"), ("X-Forwarded-Host", "evil.test"), ("Forwarded", "host=evil")]
    for headers in ([("Host", "shop.test")], evil):
        answer = shop.ask("GET", target, headers=headers)
        assert answer.lands == "https://www.shop.test/done/ORD-1001"
    shop.assert_paid_once()


@pytest.mark.parametrize("target", ["/{merchant_uid}/done", "/{reason}/{merchant_uid}/x.test"])
def test_D01_a_number_that_is_not_known_makes_no_address_of_another_host(
    make_shop: MakeShop, target: str
) -> None:
    shop = make_shop(landing=Landing(failure=target))
    answer = shop.redirect(imp_uid="imp_none")
    assert answer.status == 400  # the built-in page in place of an order's without a number
    assert "location" not in answer.headers


@pytest.mark.parametrize("host", ["https://{merchant_uid}", "https://a{merchant_uid}.test/x"])
def test_D01_nothing_that_was_fetched_becomes_part_of_a_host(host: str) -> None:
    with pytest.raises(ConfigurationError):
        Landing(success=host)


@pytest.mark.parametrize("path", ["/webhook", "/webhook/", "/complete", "/complete/"])
def test_F02_a_slash_at_the_end_makes_no_difference(
    shop: Shop, gateway: ScriptedGateway, path: str
) -> None:
    gateway.has()
    assert shop.post(path, body()).told == SUCCESS


@pytest.mark.parametrize("path", ["/redirect", "/redirect/", "/complete", "/complete/"])
def test_F02_a_browser_may_come_back_to_either(
    shop: Shop, gateway: ScriptedGateway, path: str
) -> None:
    gateway.has()
    claim = f"imp_uid={I1}&merchant_uid={ORDER}"
    assert shop.get(f"{path}?{claim}").lands == "/thanks?o=ORD-1001&s=success"


@pytest.mark.parametrize("kind", ["starlette-memory", "starlette-sqlite", "fastapi-memory"])
def test_F05_nothing_needs_a_start_up_and_a_shop_may_go_on_after_its_end(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    assert isinstance(shop.driver, AsgiDriver)
    driver = shop.driver
    gateway.has()
    assert shop.complete().told == SUCCESS

    async def lifespan() -> list[str]:
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[str] = []

        async def receive() -> dict[str, str]:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await driver.app({"type": "lifespan", "app": driver.app, "state": {}}, receive, send)
        return sent

    for _ in range(2):
        done = driver.run(lifespan()).result(20)
        assert done == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert shop.complete().told == SUCCESS
    closing: Any = driver.verifier.close()
    driver.run(closing).result(20)
    assert shop.complete().told == SUCCESS
    shop.assert_paid_once()


def raising(error: Exception) -> Callable[[str], object]:
    def expecting(merchant_uid: str) -> object:
        raise error

    return expecting


class OrderNotFound(LookupError):
    """A shop's own."""


@pytest.mark.parametrize("error", [KeyError("x"), OrderNotFound(), RuntimeError("no")])
def test_F10_only_none_means_that_there_is_no_order(
    shop: Shop, gateway: ScriptedGateway, error: Exception
) -> None:
    gateway.has()
    shop.expecting = raising(error)
    assert shop.complete().told == (503, "unavailable")
    assert shop.webhook().told == (503, "unavailable")
    assert shop.confirm().told == (503, "unavailable")
    assert shop.redirect().lands == "/wait"
    shop.assert_nothing_recorded()


@pytest.mark.parametrize("known", [True, False])
def test_F10_an_order_that_nobody_knows(shop: Shop, gateway: ScriptedGateway, known: bool) -> None:
    shop.orders.clear()
    if known:
        gateway.has()
    assert shop.complete().told == (400, "forgery")
    assert shop.redirect().lands == "/cart?why="
    webhook = (503, "unavailable") if known else (400, "unknownPayment")
    assert shop.webhook().told == webhook
    assert shop.confirm().told == (409, "refused")
    shop.assert_nothing_recorded()


def test_F12_no_session_is_needed_and_none_is_made(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    old = [("Cookie", "session=eyJleHBpcmVkIjp0cnVlfQ.x.y")]
    assert shop.redirect().lands.startswith("/thanks")
    claim = f"/redirect?imp_uid={I1}&merchant_uid={ORDER}"
    assert shop.ask("GET", claim, headers=old).lands.startswith("/thanks")
    assert shop.post("/complete", body(), headers=old).told == SUCCESS
    shop.assert_paid_once()


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("trouble", [hook_fails, order_fails])
def test_F16_trouble_is_small_json_and_its_cause_is_in_the_log_alone(
    shop: Shop, trouble: Callable[[Shop], None], debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app: Any = shop.driver.app
    app.debug = debug
    if shop.framework == "flask":
        app.config["PROPAGATE_EXCEPTIONS"] = True
        app.testing = debug
    trouble(shop)
    answer = shop.webhook()
    assert answer.told == (503, "unavailable")
    assert len(answer.body) < 500
    assert b"Error" not in answer.body
    assert "RuntimeError: no" in caplog.text


def test_F16_an_unknown_path_under_the_prefix_is_the_frameworks(shop: Shop) -> None:
    answer = shop.get("/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] != "application/json"


METHODS = {
    "/complete": "GET, POST, OPTIONS",
    "/redirect": "GET, OPTIONS",
    "/webhook": "POST, OPTIONS",
    "/confirm": "POST, OPTIONS",
}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_F18_another_method_is_405_and_does_nothing(
    shop: Shop, gateway: ScriptedGateway, path: str, method: str, slash: str
) -> None:
    gateway.has()
    if method in METHODS[path]:
        return
    answer = shop.ask(method, f"{path}{slash}?imp_uid={I1}&merchant_uid={ORDER}", body())
    assert answer.status == 405
    assert answer.headers["allow"] == METHODS[path]
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert answer.word == "invalid"
    assert gateway.asked == []
    shop.assert_nothing_recorded()


@pytest.mark.parametrize("path", METHODS)
def test_F18_options_says_what_there_is(shop: Shop, gateway: ScriptedGateway, path: str) -> None:
    answer = shop.ask("OPTIONS", path)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["allow"] == METHODS[path]
    assert gateway.asked == []


def test_F18_json_as_a_query_names_no_payment(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    for query in ("%7B%22imp_uid%22:%22imp_100000000001%22%7D", '{"imp_uid":"imp_1"}', ""):
        assert shop.get(f"/complete?{query}").lands == "/cart?why="
    assert gateway.asked == []


def test_F18_coming_back_by_post_is_405(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    form = f"imp_uid={I1}&merchant_uid={ORDER}&imp_success=true".encode()
    answer = shop.post("/redirect", form, "application/x-www-form-urlencoded")
    assert answer.status == 405
    shop.assert_nothing_recorded()
