"""All payments of an order: page after page, and every answer that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imp_verify import Credentials, GatewayError, InvalidRequest, Verifier
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports import GatewayRequest, GatewayResponse

ORDER = "ORD-1001"
TOKEN = {"access_token": "token", "now": 1735700000, "expired_at": 1735701800}


def row(imp_uid: str, **fields: object) -> dict[str, object]:
    return {
        **{"imp_uid": imp_uid, "merchant_uid": ORDER, "status": "paid", "amount": 39000},
        **{"cancel_amount": 0, "currency": "KRW", "sandbox": False, **fields},
    }


def page(*rows: object, following: object = 0) -> dict[str, object]:
    return {"total": len(rows), "previous": 0, "next": following, "list": list(rows)}


class Answers:
    """A gateway that gives a token, and then these answers in order."""

    def __init__(self, *answers: tuple[int, int, Any]) -> None:
        self.left = list(answers)
        self.asked: list[str] = []

    def __call__(self, request: GatewayRequest) -> GatewayResponse:
        status, code, content = 200, 0, TOKEN
        if request.method == "GET":
            self.asked.append(request.url.partition("?")[2])
            status, code, content = self.left.pop(0)
        body = {"code": code, "message": None, "response": content}
        return GatewayResponse(status, json.dumps(body).encode())

    def close(self) -> None: ...


def verifier(gateway: Answers) -> Verifier:
    store = MemoryStore(expected=lambda number, _: 39000)
    keys = Credentials("key", "secret")
    return Verifier(store, credentials=keys, transport=gateway, test_mode=True)


def test_pages_are_read_to_the_last_and_other_orders_left_out() -> None:
    gateway = Answers(
        (200, 0, page(row("imp_3"), row("imp_2", merchant_uid="ORD-10011"), following=2)),
        (200, 0, page(row("imp_1"), following=1)),
    )
    found = verifier(gateway).payments_of(ORDER)
    assert [payment.imp_uid for payment in found] == ["imp_3", "imp_1"]
    assert gateway.asked == ["page=1&limit=200", "page=2&limit=200"]


def test_an_order_without_payments_has_none() -> None:
    assert verifier(Answers((404, -1, None))).payments_of(ORDER) == ()


@pytest.mark.parametrize(
    "answer",
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
def test_an_answer_that_is_no_list_of_payments_is_trouble(answer: tuple[int, int, Any]) -> None:
    with pytest.raises(GatewayError):
        verifier(Answers(answer)).payments_of(ORDER)


@pytest.mark.parametrize("number", [".", ".."])
def test_a_number_that_is_a_path_segment_of_its_own_is_not_asked_for(number: str) -> None:
    gateway = Answers()
    with pytest.raises(InvalidRequest, match="path segment"):
        verifier(gateway).payments_of(number)
    assert gateway.asked == []
