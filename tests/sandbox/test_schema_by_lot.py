"""Calls drawn by lot from the published schema, right and wrong, and answers compared with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import DataObject, data, sampled_from

from imp_verify.sandbox import SandboxServer
from tests.sandbox import schema
from tests.sandbox.conftest import NOON, Rest

_WHY = "no schemathesis (pip install --group test)"
schemathesis = pytest.importorskip("schemathesis", reason=_WHY)
of_openapi = pytest.importorskip("schemathesis.specs.openapi.checks", reason=_WHY)

EXAMPLES = 15
STATES = ("ready", "paid", "failed", "cancelled")
LOADED = schemathesis.openapi.from_dict(schema.SCHEMA)
OPERATIONS = {
    f"{each.method.upper()} {each.path}": each
    for each in (found.ok() for found in LOADED.get_all_operations())
}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    of_openapi.response_schema_conformance,
    of_openapi.content_type_conformance,
]
"""None of what is to be accepted or refused: here a refusal is 200 with a code."""
KNOWN = {
    "merchant_uid": [*STATES, "account", "payco", "nobody"],
    "customer_uid": ["card", "nobody"],
    "payment_status": [*STATES, "all", "wrong"],
}


@pytest.fixture(scope="module")
def rest() -> Iterator[Rest]:
    with SandboxServer() as server:
        server.sandbox.clock.stop_at(NOON)
        make = server.sandbox.gateway.make
        made = [make(merchant_uid=each, amount=39000, status=each) for each in STATES]
        made += [
            make(merchant_uid="account", amount=39000, status="ready", pay_method="vbank"),
            make(merchant_uid="payco", amount=39000, pg_provider="payco"),
            make(merchant_uid="card", amount=1, customer_uid="card", customer_uid_usage="issue"),
        ]
        KNOWN["imp_uid"] = [*(each.imp_uid for each in made), "imp_0"]
        client = Rest(server.url)
        client.log_in()
        yield client
        client.http.close()


def drawn() -> Iterator[Any]:
    """Walk the calls, with right values and with wrong ones where a value can be wrong: no text in
    a path is.
    """
    for name, operation in OPERATIONS.items():
        yield pytest.param(name, schemathesis.GenerationMode.POSITIVE, id=name)
        if operation.body.items or operation.query.items:
            yield pytest.param(name, schemathesis.GenerationMode.NEGATIVE, id=f"{name} wrong")


@pytest.mark.parametrize(("name", "mode"), list(drawn()))
def test_an_answer_to_any_call_is_one_that_the_schema_has(rest: Rest, name: str, mode: Any) -> None:
    method, _, path = name.partition(" ")
    statuses = schema.DOCUMENTED[method, path].statuses | schema.FACTS.get((method, path), set())

    @seed(int(os.environ["IMP_VERIFY_SEED"]))
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(case=OPERATIONS[name].as_strategy(generation_mode=mode), chosen=data())
    def run(case: Any, chosen: DataObject) -> None:
        for where in (case.path_parameters, case.body):
            name_something(where, chosen)
        answer = case.call(base_url=rest.url, session=rest.http, headers=rest.headers)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code in statuses, (answer.status_code, answer.text, case.body)

    run()


def name_something(where: object, chosen: DataObject) -> None:
    """Put a number that there is in place of one drawn by lot, as often as not."""
    if isinstance(where, dict):
        for name in where.keys() & KNOWN.keys():
            where[name] = chosen.draw(sampled_from([*KNOWN[name], where[name]]))
