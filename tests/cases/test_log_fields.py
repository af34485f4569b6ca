"""The fields of the one line that each request leaves in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imp_verify import Credentials
from imp_verify.observers import Decision
from tests.support.fixtures import gateway, make_shop, one_gateway, shop
from tests.support.gateway import (
    I1,
    I2,
    ORDER,
    PRICE,
    UNAUTHORIZED,
    VBANK,
    Reply,
    ScriptedGateway,
    envelope,
)
from tests.support.markers import KEY, SECRET
from tests.support.shop import Answer, MakeShop, Shop

__all__ = ["gateway", "make_shop", "one_gateway", "shop"]

FIELDS = tuple(Decision.__dataclass_fields__)
Ask = Callable[[Shop, ScriptedGateway], Answer]


@pytest.fixture(params=["flask-memory", "starlette-memory"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Records(logging.Handler):
    """All records of our logger, at DEBUG."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.all: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(record)

    def taken(self) -> list[dict[str, Any]]:
        """Return the fields of the lines since the last time, each with its level."""
        records, self.all = self.all, []
        for each in records:
            assert all(hasattr(each, name) for name in FIELDS), each.getMessage()
        return [
            {"level": each.levelname, **{name: getattr(each, name) for name in FIELDS}}
            for each in records
        ]


@pytest.fixture
def log() -> Iterator[Records]:
    logger, records = logging.getLogger("imp_verify"), Records()
    level = logger.level
    logger.addHandler(records)
    logger.setLevel(logging.DEBUG)
    yield records
    logger.removeHandler(records)
    logger.setLevel(level)


def test_no_field_has_the_name_of_one_that_a_log_record_has() -> None:
    record = logging.LogRecord("", 0, "", 0, "", (), None)
    assert not {*vars(record), "message", "asctime", "taskName"} & {*FIELDS}
    logging.getLogger("imp_verify.fields").debug("", extra=dict.fromkeys(FIELDS))  # nor raises


def test_a_payment_leaves_its_ids_its_verdict_and_what_it_took(
    shop: Shop, gateway: ScriptedGateway, log: Records
) -> None:
    gateway.has()
    assert shop.webhook().status == 200
    assert shop.complete(merchant_uid=...).status == 200
    first, second = log.taken()
    times = [
        (each.pop("milliseconds"), each.pop("gateway_milliseconds")) for each in (first, second)
    ]
    assert all(0 < at_the_gateway < in_all < 60_000 for in_all, at_the_gateway in times)
    paid = {"level": "DEBUG", "imp_uid": I1, "merchant_uid": ORDER, "verdict": "paid"}
    assert first == {
        **paid,
        "endpoint": "webhook",
        "claimed": ORDER,
        "reason": None,
        "settled": "new",
        "gateway_calls": 2,  # one of them for a token
    }
    assert second == {
        **paid,
        "endpoint": "complete",
        "claimed": None,
        "reason": None,
        "settled": "repeated",
        "gateway_calls": 1,
    }
    assert [type(each[name]) for each in (first, second) for name in ("verdict", "settled")] == [
        str
    ] * 4


def test_a_forgery_names_the_order_that_was_fetched_and_the_one_that_was_claimed(
    shop: Shop, gateway: ScriptedGateway, log: Records
) -> None:
    gateway.has(merchant_uid="ORD-2002")
    assert shop.complete().status == 400
    [line] = log.taken()
    assert (line["level"], line["verdict"], line["reason"]) == ("WARNING", "forgery", "order")
    assert (line["merchant_uid"], line["claimed"]) == ("ORD-2002", ORDER)


def of(**changes: object) -> Ask:
    def ask(shop: Shop, gateway: ScriptedGateway) -> Answer:
        gateway.has(**changes)
        return shop.complete()

    return ask


def replied(*replies: Reply, tokens: tuple[Reply, ...] = ()) -> Ask:
    def ask(shop: Shop, gateway: ScriptedGateway) -> Answer:
        gateway.has()
        gateway.lookups.extend(replies)
        gateway.tokens.extend(tokens)
        return shop.complete()

    return ask


def after(prepare: Callable[[Shop], object], ask: Callable[[Shop], Answer]) -> Ask:
    def both(shop: Shop, gateway: ScriptedGateway) -> Answer:
        gateway.has()
        prepare(shop)
        return ask(shop)

    return both


def nothing(_: Shop) -> None:
    pass


REFUSED = Reply(400, envelope(None, -1, "no"))
DECISIONS: dict[str, tuple[Ask, tuple[str, str, str, str | None]]] = {
    "account": (of(**VBANK), ("DEBUG", "complete", "virtual_account", None)),
    "failed": (of(status="failed"), ("INFO", "complete", "failed", None)),
    "amount": (of(amount=1), ("WARNING", "complete", "forgery", "amount")),
    "unknown payment": (
        after(nothing, lambda shop: shop.complete(imp_uid="imp_none")),
        ("INFO", "complete", "unknown_payment", None),
    ),
    "unknown order": (
        after(lambda shop: shop.orders.clear(), Shop.webhook),
        ("ERROR", "webhook", "unknown_order", None),
    ),
    "gateway away": (
        replied(Reply(500, b""), Reply(500, b"")),
        ("WARNING", "complete", "trouble", "gateway_unavailable"),
    ),
    "gateway broken": (
        replied(Reply(200, b"{")),
        ("WARNING", "complete", "trouble", "gateway_protocol"),
    ),
    "gateway refuses": (replied(REFUSED), ("WARNING", "complete", "trouble", "gateway_refused")),
    "credentials": (
        replied(tokens=(UNAUTHORIZED,)),
        ("ERROR", "complete", "trouble", "credentials"),
    ),
    "hook": (
        after(lambda shop: shop.fail_hooks(True), Shop.webhook),
        ("ERROR", "webhook", "trouble", "store"),
    ),
    "malformed": (
        after(nothing, lambda shop: shop.post("/webhook", {})),
        ("INFO", "webhook", "invalid", "malformed"),
    ),
    "too large": (
        after(nothing, lambda shop: shop.post("/webhook", b"x" * 65537)),
        ("INFO", "webhook", "invalid", "too_large"),
    ),
    "V2": (
        after(
            nothing,
            lambda shop: shop.post(
                "/webhook", {"tx_id": "t", "payment_id": ORDER, "status": "Paid"}
            ),
        ),
        ("WARNING", "webhook", "invalid", "v2"),
    ),
    "approved": (after(nothing, Shop.confirm), ("INFO", "confirm", "approved", None)),
    "refused": (
        after(nothing, lambda shop: shop.confirm(amount=1)),
        ("INFO", "confirm", "refused", "mismatch"),
    ),
    "the shop refuses": (
        after(lambda shop: setattr(shop, "hold", lambda *_: "sold out"), Shop.confirm),
        ("INFO", "confirm", "refused", "shop"),
    ),
    "redirect": (after(nothing, Shop.redirect), ("DEBUG", "redirect", "paid", None)),
    "a GET of complete": (
        after(nothing, lambda shop: shop.get(f"/complete?imp_uid={I1}")),
        ("DEBUG", "redirect", "paid", None),
    ),
    "found by its order": (
        after(nothing, lambda shop: shop.get(f"/redirect?merchant_uid={ORDER}")),
        ("DEBUG", "redirect", "paid", None),
    ),
    "given up": (
        after(nothing, lambda shop: shop.get("/redirect?imp_success=false")),
        ("DEBUG", "redirect", "failed", None),
    ),
    "a redirect in trouble": (
        after(lambda shop: shop.fail_hooks(True), Shop.redirect),
        ("ERROR", "redirect", "trouble", "store"),
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_each_request_leaves_one_line_with_the_same_fields(
    shop: Shop, gateway: ScriptedGateway, log: Records, name: str
) -> None:
    ask, expected = DECISIONS[name]
    _ = ask(shop, gateway)
    [line] = log.taken()
    assert (line["level"], line["endpoint"], line["verdict"], line["reason"]) == expected
    assert line["milliseconds"] >= line["gateway_milliseconds"] >= 0
    assert (line["gateway_calls"] == 0) == (line["gateway_milliseconds"] == 0)


def test_a_method_or_a_file_is_no_decision_and_leaves_no_line(shop: Shop, log: Records) -> None:
    for method, path in (
        ("DELETE", "/webhook"),
        ("OPTIONS", "/complete"),
        ("GET", "/imp-verify.js"),
    ):
        _ = shop.ask(method, path)
    assert log.taken() == []


def test_a_sender_that_is_refused_leaves_its_line(make_shop: MakeShop, log: Records) -> None:
    shop = make_shop(webhook_sources=["192.0.2.0/24"])
    log.all.clear()  # a verifier in test mode says so when it is made
    assert shop.webhook().status == 403
    [line] = log.taken()
    assert (line["level"], line["verdict"], line["gateway_calls"]) == ("WARNING", "forbidden", 0)


def test_a_redirect_that_does_not_say_which_account_is_one_line(
    make_shop: MakeShop, log: Records
) -> None:
    shop = make_shop(credentials=None, accounts={"kr": Credentials(KEY, SECRET)})
    log.all.clear()
    assert shop.get(f"/redirect?imp_uid={I2}").lands == "/wait"
    [line] = log.taken()
    assert (line["level"], line["verdict"]) == ("WARNING", "pending")
    assert (line["reason"], line["imp_uid"]) == ("merchant_uid_missing", I2)


@pytest.mark.parametrize("number", ["ORD\u202e\n2", "가" * 300])
def test_a_number_of_the_gateways_that_is_none_is_escaped_in_its_field(
    shop: Shop, gateway: ScriptedGateway, log: Records, number: str
) -> None:
    gateway.has(merchant_uid=number)
    assert shop.complete().status == 400
    [line] = log.taken()
    assert line["merchant_uid"].isprintable()
    assert len(line["merchant_uid"]) <= 400
    assert line["merchant_uid"][:3] == number[:3]


def test_a_level_that_is_off_makes_no_record(
    shop: Shop, gateway: ScriptedGateway, log: Records
) -> None:
    made: list[str] = []
    usual = logging.getLogRecordFactory()

    def counting(name: str, *rest: Any, **more: Any) -> logging.LogRecord:
        made.append(name)
        return usual(name, *rest, **more)

    logging.getLogger("imp_verify").setLevel(logging.WARNING)
    logging.setLogRecordFactory(counting)
    try:
        gateway.has(amount=PRICE)
        assert shop.webhook().status == 200
        assert shop.confirm(amount=1).status == 409
        assert "imp_verify" not in made
        gateway.has(imp_uid=I2, amount=1)
        assert shop.webhook(imp_uid=I2).status == 400
    finally:
        logging.setLogRecordFactory(usual)
    assert made.count("imp_verify") == 1
