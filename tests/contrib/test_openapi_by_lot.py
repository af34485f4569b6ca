"""Requests drawn by lot from the description, right and wrong, to every adapter: what it answers is
what the description says."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import DataObject, data, sampled_from
from requests.adapters import HTTPAdapter

from imp_verify import ExpectedPayment, Landing
from imp_verify._core.reading import is_imp_uid, is_merchant_uid, read_amount
from imp_verify.contrib.openapi import document
from tests.support.gateway import PRICE, VBANK, Reply, ScriptedGateway
from tests.support.shop import ASYNC, PLAIN, PREFIX, TIMEOUT, Shop, credentials

_WHY = "no schemathesis (pip install --group test)"
schemathesis = pytest.importorskip("schemathesis", reason=_WHY)
of_openapi = pytest.importorskip("schemathesis.specs.openapi.checks", reason=_WHY)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("openapi by lot")]

EXAMPLES = 12 if os.environ.get("IMP_VERIFY_ALL_STEPS") == "1" else 4
URL = "http://shop.test"
DOCUMENT = document(PREFIX)
OPERATIONS = {
    f"{each.method.upper()} {each.path.removeprefix(PREFIX)}": each
    for each in (
        found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    )
}
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CHECKS = [
    of_openapi.status_code_conformance,
    of_openapi.content_type_conformance,
    of_openapi.response_schema_conformance,
    of_openapi.response_headers_conformance,
]
PAYMENTS: dict[str, dict[str, object] | Reply] = {
    "paid": {},
    "again": {"merchant_uid": "ORD-paid"},
    "part": {"status": "cancelled", "cancel_amount": 9000},
    "issued": {"status": "ready", "paid_at": 0, **VBANK},
    "pending": {"status": "ready", "paid_at": 0},
    "failed": {"status": "failed", "fail_reason": "한도 초과 <b>"},
    "cancelled": {"status": "cancelled", "cancel_amount": PRICE},
    "forged": {"amount": 1000},
    "late": {},
    "foreign": {"merchant_uid": "ORD-404"},
    "trouble": Reply(500, b"busy"),
}
NOBODY = "nobody"
ENDPOINTS = ("/complete", "/webhook", "/confirm")
Drawn = tuple[Any, Any]


class _InProcess(HTTPAdapter):
    """Sends what requests would send to an application in this process."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        path, query = urlsplit(request.path_url)[2:4]
        body: Any = request.body or b""
        sent = body.encode() if isinstance(body, str) else body
        headers = [(name, str(value)) for name, value in request.headers.items()]
        told = self._shop.driver.start(str(request.method), path, query, headers, sent)
        answer = told.result(TIMEOUT)
        raw = urllib3.HTTPResponse(
            io.BytesIO(answer.body), answer.headers, answer.status, preload_content=False
        )
        return self.build_response(request, raw)


@pytest.fixture(params=[*PLAIN, *ASYNC])
def shop(
    request: pytest.FixtureRequest, gateway: ScriptedGateway, tmp_path: Path
) -> Iterator[Shop]:
    """Some adapter's shop, with a payment of each kind."""
    shop = Shop(
        gateway,
        request.param,
        "memory",
        tmp_path / "shop.db",
        {
            "credentials": credentials(),
            "base_url": gateway.address,
            "test_mode": True,
            "landing": Landing(success="/thanks?o={merchant_uid}"),
            "webhook_sources": ["203.0.113.0/24"],
            "trusted_proxies": ["203.0.113.0/24"],
        },
    )
    for name, changes in PAYMENTS.items():
        if name != "foreign":
            shop.orders[order(name)] = ExpectedPayment(order(name), PRICE, open=name != "late")
        if isinstance(changes, Reply):
            gateway.payments[f"imp_{name}"] = changes
        else:
            gateway.has(**{"imp_uid": f"imp_{name}", "merchant_uid": order(name), **changes})
    yield shop
    gateway.over.set()
    shop.close()


def order(name: str) -> str:
    """Return the number that a request names with a payment."""
    changes = PAYMENTS.get(name)
    return str(changes.get("merchant_uid", f"ORD-{name}")) if isinstance(changes, dict) else "ORD-x"


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    """Requests, each with how it was drawn: the same ones for every adapter."""
    found: list[Drawn] = []
    for name, operation in OPERATIONS.items():
        for mode in (POSITIVE, NEGATIVE):
            _draw(operation, mode, found)
            assert found[-1][0].operation is operation, name
    return found


def _draw(operation: Any, mode: Any, found: list[Drawn]) -> None:
    @seed(int(os.environ["IMP_VERIFY_SEED"]))
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), chosen=data())
    def run(case: Any, chosen: DataObject) -> None:
        name = chosen.draw(sampled_from([None, None, NOBODY, *PAYMENTS]))
        for where in (case.query, case.body):
            if name is not None and isinstance(where, dict) and "imp_uid" in where:
                where["imp_uid"] = f"imp_{name}"
                if "merchant_uid" in where:
                    where["merchant_uid"] = order(name)
        found.append((case, mode))

    run()


def ask(shop: Shop, case: Any, **more: Any) -> Any:
    """Send a request to the shop, compare the answer with the description, and return it."""
    with requests.Session() as session:
        session.mount(URL, _InProcess(shop))
        answer = case.call(base_url=URL, session=session, allow_redirects=False, **more)
    case.validate_response(answer, checks=CHECKS)
    return answer


def readable(body: Any) -> bool:
    """Whether each value is one: a schema cannot say all of it."""
    amount = body.get("amount", 1)
    number = Decimal(repr(amount)) if isinstance(amount, float) else amount
    ids = is_imp_uid(body["imp_uid"]) and is_merchant_uid(body.get("merchant_uid", "A"))
    return ids and read_amount(number) is not None


def test_an_answer_to_any_request_is_one_that_the_description_has(
    shop: Shop, drawn: list[Drawn]
) -> None:
    for case, mode in drawn:
        answer = ask(shop, case)
        if mode is POSITIVE and case.media_type == "application/json" and readable(case.body):
            assert answer.json()["status"] != "invalid", case.body


def test_every_answer_that_the_description_has_is_given(shop: Shop) -> None:
    for endpoint in ENDPOINTS:
        operation = OPERATIONS[f"POST {endpoint}"]

        def post(fields: object, operation: Any = operation, **more: Any) -> tuple[int, str]:
            case = operation.Case(body=fields, media_type="application/json")
            answer = ask(shop, case, **more)
            return answer.status_code, answer.json()["status"]

        given = {
            post({"imp_uid": f"imp_{name}", "merchant_uid": order(name), "amount": PRICE})
            for name in (*PAYMENTS, NOBODY)
        }
        given.add(post({}))
        given.add(post({"imp_uid": "a" * 70_000}))
        if endpoint == "/webhook":
            given.add(post({}, headers={"X-Forwarded-For": "192.0.2.1"}))
        assert given == documented(endpoint)


def documented(endpoint: str) -> set[tuple[int, str]]:
    responses = DOCUMENT["paths"][PREFIX + endpoint]["post"]["responses"]
    return {
        (int(code), word)
        for code, response in responses.items()
        for word in response["content"]["application/json"]["schema"]["properties"]["status"][
            "enum"
        ]
    }


def test_every_status_that_the_description_has_for_a_return_is_given(shop: Shop) -> None:
    for endpoint in ("/redirect", "/complete"):
        operation = OPERATIONS[f"GET {endpoint}"]
        queries = [{"imp_uid": f"imp_{name}"} for name in PAYMENTS]
        queries.append({"imp_uid": "imp_paid", "merchant_uid": order("paid")})
        given = {ask(shop, operation.Case(query=query)).status_code for query in queries}
        assert {str(code) for code in given} == set(operation.definition.raw["responses"])
