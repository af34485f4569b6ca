"""All payments of an order: page after page, and every answer that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imp_verify import GatewayError, InvalidRequest, Verifier
from imp_verify.stores.memory import MemoryStore
from imp_verify.testing import FakeGateway

ORDER = "ORD-1001"


def row(imp_uid: str, **fields: object) -> dict[str, object]:
    return {
        **{"imp_uid": imp_uid, "merchant_uid": ORDER, "status": "paid", "amount": 39000},
        **{"cancel_amount": 0, "currency": "KRW", "sandbox": False, **fields},
    }


def page(*rows: object, following: object = 0) -> dict[str, object]:
    return {"total": len(rows), "previous": 0, "next": following, "list": list(rows)}


def answer(gateway: FakeGateway, status: int, code: int, content: object) -> None:
    """Let the next list of an order's payments be this."""
    body = json.dumps({"code": code, "message": None, "response": content})
    _ = gateway.fail("find_all", status=status, body=body)


def asked(gateway: FakeGateway) -> list[object]:
    return [each.what["query"] for each in gateway.calls if each.what["call"] == "find_all"]


def verifier(gateway: FakeGateway) -> Verifier:
    store = MemoryStore(expected=lambda number, _: 39000)
    keys, transport = gateway.credentials, gateway.transport
    return Verifier(store, credentials=keys, transport=transport, test_mode=True)


def test_pages_are_read_to_the_last_and_other_orders_left_out() -> None:
    gateway = FakeGateway()
    rows = row("imp_3"), row("imp_2", merchant_uid="ORD-10011")
    answer(gateway, 200, 0, page(*rows, following=2))
    answer(gateway, 200, 0, page(row("imp_1"), following=1))
    found = verifier(gateway).payments_of(ORDER)
    assert [payment.imp_uid for payment in found] == ["imp_3", "imp_1"]
    assert asked(gateway) == ["page=1&limit=200", "page=2&limit=200"]


def test_every_payment_of_an_order_is_read_however_many_there_are() -> None:
    gateway = FakeGateway()
    wanted = {"merchant_uid": ORDER, "amount": 39000, "status": "failed"}
    made = gateway.sandbox.gateway.make_all([wanted] * 201)
    found = verifier(gateway).payments_of(ORDER)
    assert {payment.imp_uid for payment in found} == {each.imp_uid for each in made}
    assert asked(gateway) == ["page=1&limit=200", "page=2&limit=200"]


def test_an_order_without_payments_has_none() -> None:
    assert verifier(FakeGateway()).payments_of(ORDER) == ()


@pytest.mark.parametrize(
    "told",
    [
        (500, 0, page()),
        (200, 1, page()),
        (404, 0, None),
        (200, 0, None),
        (200, 0, [row("imp_1")]),
        (200, 0, {"next": 0}),
        (200, 0, {"next": 0, "list": {}}),
        (200, 0, page("imp_1")),
        (200, 0, page(row("imp_1", amount="much"))),
    ],
)
def test_an_answer_that_is_no_list_of_payments_is_trouble(told: tuple[int, int, Any]) -> None:
    gateway = FakeGateway()
    answer(gateway, *told)
    with pytest.raises(GatewayError):
        verifier(gateway).payments_of(ORDER)
    assert len(asked(gateway)) == 1


@pytest.mark.parametrize("number", [".", ".."])
def test_a_number_that_is_a_path_segment_of_its_own_is_not_asked_for(number: str) -> None:
    gateway = FakeGateway()
    with pytest.raises(InvalidRequest, match="path segment"):
        verifier(gateway).payments_of(number)
    assert gateway.calls == []
