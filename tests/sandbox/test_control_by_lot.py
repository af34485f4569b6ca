"""Control calls drawn by lot from their description, right and wrong: each answer is one that it
has, what is wrong is refused and named, and of what is right no value is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import DataObject, data, sampled_from

from imp_verify.sandbox import SandboxServer
from imp_verify.sandbox._http.control.openapi import document
from imp_verify.sandbox._http.control.table import OPERATIONS
from tests.sandbox.conftest import NOON

_WHY = "no schemathesis (pip install --group test)"
schemathesis = pytest.importorskip("schemathesis", reason=_WHY)
of_openapi = pytest.importorskip("schemathesis.specs.openapi.checks", reason=_WHY)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("control by lot")]

EXAMPLES = 5 if os.environ.get("IMP_VERIFY_ALL_STEPS") == "1" else 2
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
DOCUMENT = document(OPERATIONS)
DESCRIBED = {
    f"{each.method.upper()} {each.path}": each
    for each in (
        found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    )
}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    of_openapi.status_code_conformance,
    of_openapi.content_type_conformance,
    of_openapi.response_schema_conformance,
]
MAKES: dict[str, dict[str, Any]] = {
    **{status: {} for status in ("ready", "paid", "failed", "cancelled", "pending")},
    "account": {"status": "ready", "pay_method": "vbank"},
}
ADDRESSES = ("url", "webhook_url", "webhook_test_url", "notice_url", "confirm_url")
NOWHERE = "http://127.0.0.1:9/hook"
"""Nobody listens there: what is sent is refused at once."""
TOGETHER = re.compile(
    r" is (not )?for | cannot be changed| is before | names no part| is more than the amount"
    r"| is the whole amount|what happens is one of|: an answer has one end|^account is one of "
    r"|^number is that of no delivery|^number and imp_uid: |^url is missing: |^no address is given"
    r"|^advance is no further than |a number is too long|: a part's cancelled_at "
)
"""What is refused of right values: they do not fit together, or not what there is."""


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def imp_uids(server: SandboxServer) -> list[str]:
    """A payment of each kind in a sandbox that has nothing else, and one that there is not."""
    sandbox = server.sandbox
    sandbox.reset()
    sandbox.clock.stop_at(NOON)
    make = sandbox.gateway.make
    made = [
        make(**{"merchant_uid": name, "amount": 39000, "status": name, **fields})
        for name, fields in MAKES.items()
    ]
    return [*(each.imp_uid for each in made), "imp_0"]


def drawn() -> Iterator[Any]:
    """Walk the calls, with right values and with wrong ones where a value can be wrong: no text in
    a path is."""
    for name, operation in DESCRIBED.items():
        yield pytest.param(name, POSITIVE, id=name)
        if operation.body.items or operation.query.items:
            yield pytest.param(name, NEGATIVE, id=f"{name} wrong")


@pytest.mark.parametrize(("name", "mode"), list(drawn()))
def test_an_answer_to_any_control_call_is_one_that_the_description_has(
    server: SandboxServer, session: requests.Session, imp_uids: list[str], name: str, mode: Any
) -> None:
    operation = DESCRIBED[name]

    @seed(int(os.environ["IMP_VERIFY_SEED"]))
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), chosen=data())
    def run(case: Any, chosen: DataObject) -> None:
        prepare(case, mode, chosen, imp_uids)
        answer = case.call(base_url=server.url, session=session)
        case.validate_response(answer, checks=CHECKS)
        assert mode is POSITIVE or answer.status_code != 200, answer.text
        if answer.status_code == 400:
            error = answer.json()["error"]
            assert names_a_field(error, case, operation), error
            assert mode is NEGATIVE or TOGETHER.search(error), (error, case.body, case.query)

    run()


def prepare(case: Any, mode: Any, chosen: DataObject, imp_uids: list[str]) -> None:
    """Name a payment that there is, as often as not; wait for nothing, send nothing elsewhere.

    What is to be wrong stays so.
    """
    case.body = written(case.body)
    for where in (case.path_parameters, case.query, case.body):
        if not isinstance(where, dict):
            continue
        if "imp_uid" in where and (mode is POSITIVE or where is case.path_parameters):
            where["imp_uid"] = chosen.draw(sampled_from([*imp_uids, where["imp_uid"]]))
        for key, value in where.items():
            if key in ADDRESSES and isinstance(value, str) and "//" in value:
                where[key] = NOWHERE
        if str(where.get("wait", "")).isdigit():
            where["wait"] = 0


def written(value: Any) -> Any:
    """Return a value as most languages write it: 5.0, which a schema takes for whole, as 5."""
    if isinstance(value, dict):
        return {name: written(each) for name, each in value.items()}
    if isinstance(value, list):
        return [written(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def names_a_field(error: str, case: Any, operation: Any) -> bool:
    """Whether what is refused says which field it is, or that it is the whole body."""
    described = DOCUMENT["paths"][operation.path][operation.method]
    fields = {"body", "webhook_url", *(each["name"] for each in described.get("parameters", ()))}
    fields |= properties(described.get("requestBody"))
    for where in (case.query, case.body, *(case.body if isinstance(case.body, list) else ())):
        fields |= where.keys() if isinstance(where, dict) else set()
    return "no such field: " in error or any(name in error for name in fields if name)


def properties(schema: Any) -> set[str]:
    """Return the names of all properties in a schema of the description, at whatever depth."""
    if isinstance(schema, list):
        return set().union(*map(properties, schema))
    if not isinstance(schema, dict):
        return set()
    if "$ref" in schema:
        return properties(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return set(schema.get("properties", ())).union(*map(properties, schema.values()))
