"""The holes of the seed page's own sample, by their numbers in the project's reference."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment, Payment
from imp_verify._core.wire import read_payment
from tests.support.gateway import (
    I1,
    I2,
    ORDER,
    PRICE,
    RESET,
    UNAUTHORIZED,
    VBANK,
    Reply,
    ScriptedGateway,
    envelope,
    payment,
)
from tests.support.markers import BUYER, found_in
from tests.support.shop import MakeShop, Shop, body

SUCCESS = (200, "success")
FORGERY = (400, "forgery")
TROUBLE = (503, "unavailable")
DATA = Path(__file__).parents[1] / "data"


def examples(kind: str) -> list[Any]:
    text = (DATA / "payments.examples.json").read_text(encoding="utf-8")
    found: list[Any] = json.loads(text, parse_float=Decimal)[kind]
    assert found
    return found


def test_hole_01_the_order_that_is_marked_is_the_one_that_was_paid(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders["ORD-CHEAP"], shop.orders["ORD-DEAR"] = 100, 990000
    gateway.has(merchant_uid="ORD-CHEAP", amount=100)
    assert shop.complete(merchant_uid="ORD-DEAR").told == FORGERY
    assert shop.complete(merchant_uid="ORD-CHEAP").told == SUCCESS
    assert shop.complete(merchant_uid="ORD-DEAR").told == FORGERY
    assert [outcome.merchant_uid for name, outcome in shop.told if name == "on_paid"] == [
        "ORD-CHEAP"
    ]


def test_hole_01_an_old_payment_of_the_same_amount_is_not_replayed(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders["ORD-2"] = PRICE
    gateway.has()
    assert shop.complete().told == SUCCESS
    assert shop.complete(merchant_uid="ORD-2").told == FORGERY
    shop.assert_paid_once()


def test_hole_02_an_imp_uid_stays_with_its_order_for_ever(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders["ORD-2"] = PRICE
    gateway.has()
    assert shop.complete().told == SUCCESS
    gateway.has(merchant_uid="ORD-2")
    assert shop.complete(merchant_uid="ORD-2").told == TROUBLE
    shop.assert_paid_once()
    receipt = shop.receipt()
    assert receipt is not None
    assert receipt.merchant_uid == ORDER


def test_hole_03_an_unknown_order_is_an_answer_not_a_crash(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders.clear()
    gateway.has()
    assert shop.complete().told == FORGERY
    assert shop.webhook().told == TROUBLE
    shop.assert_nothing_recorded()


def test_hole_04_an_id_cannot_leave_its_place_in_the_path(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    for uid in ("find/ORD-1001/paid", "imp_1?include_sandbox=true", "imp_1%2F..", "../users"):
        assert shop.complete(imp_uid=uid).told == (400, "invalid")
    assert gateway.asked == []


@pytest.mark.parametrize("status", ["failed", "cancelled", "ready", "", "other"])
def test_hole_05_every_state_is_answered(shop: Shop, gateway: ScriptedGateway, status: str) -> None:
    gateway.has(status=status)
    answer = shop.complete()
    assert answer.status in (400, 409)
    assert answer.word in ("failed", "cancelled", "pending")


def test_hole_06_ready_is_an_account_only_with_the_method_and_a_number(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    for changes in (
        {"pay_method": "card", "vbank_num": "123"},
        {"pay_method": "vbank", "vbank_num": ""},
        {"pay_method": "vbank", "vbank_num": "  "},
        {"pay_method": "VBANK", "vbank_num": "123"},
    ):
        gateway.has(status="ready", **changes)
        assert shop.complete().told == (409, "pending")
    shop.assert_nothing_recorded()
    gateway.has(**VBANK)
    assert shop.complete().told == (200, "vbankIssued")


def test_hole_07_the_currency_is_compared(shop: Shop, gateway: ScriptedGateway) -> None:
    shop.orders[ORDER] = ExpectedPayment(ORDER, 100, "USD")
    gateway.has(amount=100, currency="KRW")
    assert shop.complete().told == FORGERY
    shop.assert_not_paid()


def test_hole_08_a_test_payment_is_no_money(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(sandbox=True)
    assert shop.complete().told == (SUCCESS if shop.test_mode else FORGERY)
    assert shop.paid == shop.test_mode


def test_hole_09_a_card_registration_is_no_money(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(customer_uid="c", customer_uid_usage="issue")
    assert shop.complete().told == FORGERY
    for usage in ("payment", "payment.scheduled", None):
        gateway.has(customer_uid="c", customer_uid_usage=usage)
        assert shop.complete().told == SUCCESS
    shop.assert_paid_once()


@pytest.mark.parametrize(
    "changes", [{"pay_method": "phone"}, {"pay_method": None}, {"pg_provider": "danal"}]
)
def test_hole_10_method_and_provider_are_those_that_the_order_allows(
    shop: Shop, gateway: ScriptedGateway, changes: dict[str, object]
) -> None:
    shop.orders[ORDER] = ExpectedPayment(
        ORDER, PRICE, pay_methods=["card"], pg_providers=["html5_inicis"]
    )
    gateway.has(**changes)
    assert shop.complete().told == FORGERY
    shop.assert_not_paid()
    gateway.has()
    assert shop.complete().told == SUCCESS


def test_hole_11_what_was_given_back_is_no_money(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(cancel_amount=PRICE)
    assert shop.complete().told == (409, "cancelled")
    shop.assert_not_paid()


def test_hole_12_exact_numbers_meet_whatever_their_form(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.payments[I1] = Reply(
        200, json.dumps(envelope(payment(currency="USD"))).replace("39000", "14.20").encode()
    )
    for price in ("14.2", "14.20", Decimal("14.200"), Decimal("1.42E+1")):
        shop.orders[ORDER] = ExpectedPayment(ORDER, price, "USD")
        assert shop.complete().told == SUCCESS
    shop.assert_paid_once()


def test_hole_13_a_later_attempt_lowers_nothing_and_fields_of_the_order_are_the_shops(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    shop.complete()
    for status in ("ready", "failed"):
        gateway.has(imp_uid=I2, status=status)
        assert shop.webhook(imp_uid=I2).word != "success"
    gateway.has(imp_uid=I2, **VBANK)
    assert shop.webhook(imp_uid=I2).told == (200, "duplicatePayment")
    assert shop.hooks == ["on_paid"]
    assert shop.orders == {ORDER: PRICE}
    shop.assert_paid_once()


def test_hole_14_repeats_from_all_sides_do_the_work_once(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    target = f"/redirect?imp_uid={I1}&merchant_uid={ORDER}"
    barrier = threading.Barrier(9, timeout=20)
    shop.gateway.before = lambda asked: None if asked.is_token else (barrier.wait(), None)[1]
    requests = [shop.start("POST", path, body()) for path in ("/complete", "/webhook") * 3]
    requests += [shop.start("GET", target) for _ in range(3)]
    assert [request.result(20).status for request in requests] == [200] * 6 + [303] * 3
    shop.assert_paid_once()
    assert shop.hooks == ["on_paid"]


def test_hole_15_a_forgery_is_recorded_and_handed_on_once(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.has(amount=1000)
    for _ in range(3):
        assert shop.complete().told == FORGERY
    assert shop.hooks == ["on_forgery"]
    outcome = shop.told[0][1]
    assert (outcome.reason, outcome.imp_uid) == ("amount", I1)
    assert outcome.payment is not None
    assert outcome.payment.amount == 1000
    assert f"{I1} for order 'ORD-1001' is forgery (amount)" in caplog.text


def test_hole_16_a_double_payment_is_seen(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    gateway.has(imp_uid=I2)
    shop.complete()
    assert shop.webhook(imp_uid=I2).told == (200, "duplicatePayment")
    assert shop.hooks == ["on_paid", "on_duplicate"]
    assert shop.told[1][1].paid_by == I1


def test_hole_17_an_account_belongs_to_its_order_and_its_deadline_is_a_time(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has(**VBANK)
    shop.complete()
    name, outcome = shop.told[0]
    assert (name, outcome.merchant_uid) == ("on_virtual_account", ORDER)
    assert outcome.payment is not None
    due = outcome.payment.vbank_date
    assert due is not None
    assert due.isoformat() == "2025-01-02T06:40:00+00:00"


@pytest.mark.parametrize("answer", [RESET, Reply(500, b"x"), UNAUTHORIZED, Reply(200, b"{")])
def test_hole_18_an_error_is_not_shown_to_the_caller(
    shop: Shop, gateway: ScriptedGateway, answer: Reply
) -> None:
    gateway.lookups.extend([answer] * 4)
    told = shop.complete()
    assert told.told == TROUBLE
    assert found_in(told.body.decode()) == []
    assert told.json.keys() == {"status", "message"}
    assert "Traceback" not in told.body.decode()


def test_hole_19_the_envelopes_code_counts(shop: Shop, gateway: ScriptedGateway) -> None:
    for code, response in ((-1, payment()), (1, payment()), (0, None), (1, None)):
        gateway.lookups.append(Reply(200, envelope(response, code)))
        assert shop.complete().told == TROUBLE
    shop.assert_nothing_recorded()


def test_hole_20_passing_trouble_is_5xx_so_that_it_is_delivered_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    gateway.lookups.extend([Reply(503)] * 2)
    assert shop.webhook().told == TROUBLE
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


def test_hole_21_one_token_is_used_again(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    for _ in range(5):
        shop.complete()
        shop.webhook()
    assert (gateway.token_calls, len(gateway.looked)) == (1, 10)


def test_hole_22_a_stranger_costs_one_look_up_and_nothing_else(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    assert shop.ask("PUT", "/complete", body()).status == 405
    assert shop.post("/complete", b"x" * 70000).status == 413
    assert shop.post("/complete", b"{").status == 400
    assert gateway.asked == []
    shop.complete()
    shop.complete()
    assert (gateway.token_calls, len(gateway.looked)) == (1, 2)


def test_hole_23_the_samples_own_body_is_read(shop: Shop, gateway: ScriptedGateway) -> None:
    for example in examples("complete_requests"):
        sent, content_type = example["body"].encode(), example["content_type"]
        answer = shop.post("/complete", sent, content_type)
        assert answer.told == FORGERY, example["id"]
        assert len(gateway.looked) == 1
        gateway.asked.clear()


def test_hole_24_a_payment_counts_though_nobody_called_success(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    assert shop.complete(success=...).told == SUCCESS
    assert shop.redirect(imp_success=...).lands.startswith("/thanks")
    gateway.has(imp_uid=I2, status="failed", fail_reason="한도초과")
    assert shop.complete(imp_uid=I2, error_code="F1", success=False).told == (400, "failed")
    assert shop.redirect(imp_uid=I2, error_code="F1").lands.startswith("/cart?why=%ED%95%9C")
    shop.assert_paid_once()


def test_hole_25_every_refusal_says_so_in_json(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has(amount=1)
    for answer in (shop.complete(), shop.complete(imp_uid="imp_none"), shop.post("/complete")):
        assert answer.status == 400
        assert answer.json["message"]


def test_hole_26_the_same_path_takes_the_redirect_and_the_webhook_has_its_own(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    query = f"imp_uid={I1}&merchant_uid={ORDER}&imp_success=true"
    assert shop.get(f"/complete?{query}").lands == "/thanks?o=ORD-1001&s=success"
    assert shop.complete().told == SUCCESS
    assert shop.webhook().told == SUCCESS


@pytest.mark.parametrize("level", [payment(), {"code": 0, **payment()}, {**payment(), "code": 0}])
def test_hole_27_amount_and_status_are_read_under_the_response_alone(
    shop: Shop, gateway: ScriptedGateway, level: dict[str, object]
) -> None:
    gateway.payments[I1] = Reply(200, level)
    assert shop.complete().told == TROUBLE
    gateway.payments[I1] = Reply(200, {**payment(amount=1), "code": 0, "response": payment()})
    assert shop.complete().told == SUCCESS


def test_every_documented_notice_is_looked_up(shop: Shop, gateway: ScriptedGateway) -> None:
    for example in examples("webhook_requests"):
        answer = shop.post("/webhook", example["body"].encode(), example["content_type"])
        assert answer.told == (400, "unknownPayment"), example["id"]


def test_every_documented_return_is_answered(shop: Shop, gateway: ScriptedGateway) -> None:
    for example in examples("redirect_queries"):
        assert shop.get(f"/redirect?{example['query']}").lands == "/cart?why=", example["id"]


def test_every_documented_payment_is_read_field_by_field() -> None:
    schema = json.loads((DATA / "v1.openapi.subset.json").read_text(encoding="utf-8"))
    fields = schema["definitions"]["PaymentAnnotation"]["properties"]
    assert [name for name in fields if name not in {*vars(Payment), *_FIELDS}] == []
    for example in examples("payments"):
        content = example["envelope"]["response"]
        read = read_payment(content)
        assert read.amount == content["amount"], example["id"]
        assert read.status == content["status"]
        for name in fields:
            getattr(read, name)


_FIELDS = Payment.__dataclass_fields__


def test_every_documented_answer_of_the_gateway_has_its_answer(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    for example in examples("gateway_replies"):
        if not example["request"].startswith("GET /payments/{imp_uid}"):
            continue
        shop = make_shop()
        reply = Reply(example["http_status"], json.dumps(example["body"], default=str).encode())
        gateway.lookups.extend([reply] * 2)
        assert shop.complete().status in (400, 503), example["id"]
        shop.assert_nothing_recorded()
        gateway.lookups.clear()


def test_buyers_data_is_in_every_payment_of_these_tests() -> None:
    assert payment().items() >= BUYER.items()
