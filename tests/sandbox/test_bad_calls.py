"""What a call refuses: each as its call refuses, with nothing stored."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from imp_verify.sandbox import Api, ApiAnswer, ApiRequest, Sandbox
from imp_verify.sandbox.exact import read_fields
from imp_verify.sandbox.wire import LONGEST_BODY
from tests.sandbox.conftest import NOON

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Caller:
    """Calls the API of one sandbox with bytes."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self.sandbox.clock.stop_at(NOON)
        token = self.sandbox.gateway.issue_token("sandbox_key", "sandbox_secret").access_token
        self._token = ("Authorization", token)
        self._api = Api(self.sandbox)

    def send(
        self, method: str, target: str, body: bytes | str = b"", kind: str = JSON
    ) -> ApiAnswer:
        path, _, query = target.partition("?")
        content = body.encode() if isinstance(body, str) else body
        headers = (self._token, ("Content-Type", kind))
        return self._api.answer(ApiRequest(method, path, query, headers, content))


@pytest.fixture
def calls() -> Caller:
    return Caller()


def told(answer: ApiAnswer) -> tuple[int, Any]:
    content = json.loads(answer.body)
    assert (content["response"] is None) is bool(content["code"])
    return answer.status, content["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 20_000,
        b'{"merchant_uid":"A","amount":1,"x":' + b"[" * 20_000,
        b'{"merchant_uid":"A","amount":1',
        b'["A"]',
        b"null",
        b"\xff\xfe",
        b'{"merchant_uid":"\\ud800","amount":1}',
    ],
)
def test_a_body_that_cannot_be_read_is_400(calls: Caller, body: bytes) -> None:
    assert told(calls.send("POST", "/payments/prepare", body)) == (400, -1)
    assert calls.send("GET", "/payments/prepare/A").status == 404


def test_a_form_that_is_no_text_is_400(calls: Caller) -> None:
    assert told(calls.send("POST", "/payments/prepare", b"\xff", FORM)) == (400, -1)


@pytest.mark.parametrize("name", ["a[]", "a[x{}]"])
def test_a_form_of_very_many_fields_is_read_at_once(calls: Caller, name: str) -> None:
    pairs = [f"{name.format(at)}={at}" for at in range(50_000)]
    began = time.process_time()
    read = read_fields("&".join(pairs).encode(), FORM)["a"]
    assert time.process_time() - began < 2  # in a second or none; copied for each it was minutes
    assert isinstance(read, list | dict)
    assert len(read) == 50_000
    assert (
        calls.send("POST", "/payments/cancel", "a[]=1&a[b]=2&a[]=3&a=4&a[c]=5", FORM).status == 200
    )


def test_a_body_of_over_a_mebibyte_is_413(calls: Caller) -> None:
    body = b'{"merchant_uid":"A","amount":1,"x":"' + b"x" * LONGEST_BODY + b'"}'
    assert told(calls.send("POST", "/payments/prepare", body)) == (413, -1)
    assert calls.send("GET", "/payments/prepare/A").status == 404


NUMBERS = [
    "NaN",
    "Infinity",
    "-1",
    "1e400",
    "1e19",
    "1e-19",
    "1234567890123456789",
    "1234567890.123456789",
    "9" * 5000,
    '"1e3"',
    '"' + "1" * 19 + '"',
    '"NaN"',
    "true",
    "[1]",
    '{"a":1}',
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: text[:24])
def test_what_is_no_amount_is_refused_by_its_call(calls: Caller, number: str) -> None:
    body = f'{{"merchant_uid":"A","amount":{number}}}'
    assert told(calls.send("POST", "/payments/prepare", body)) == (200, 1)
    assert calls.send("GET", "/payments/prepare/A").status == 404
    paid = calls.sandbox.gateway.make(merchant_uid="B", amount=1000)
    body = f'{{"imp_uid":"{paid.imp_uid}","amount":{number}}}'
    assert told(calls.send("POST", "/payments/cancel", body)) == (200, 1)
    assert calls.sandbox.gateway.attempt(paid.imp_uid) == paid


@pytest.mark.parametrize("number", ["123456789012345678", "12345678901234567.8", "1e17"])
def test_eighteen_digits_are_an_amount(calls: Caller, number: str) -> None:
    body = f'{{"merchant_uid":"A","amount":{number}}}'
    assert told(calls.send("POST", "/payments/prepare", body)) == (200, 0)


IDS = ["[]", '["A"]', "{}", '{"A":1}', "true", "NaN", "1e400", '"' + "x" * 41 + '"']


@pytest.mark.parametrize("ident", IDS, ids=lambda text: text[:24])
def test_what_is_no_number_of_an_order_is_refused_by_its_call(calls: Caller, ident: str) -> None:
    for method in ("POST", "PUT"):
        answer = calls.send(
            method, "/payments/prepare", f'{{"merchant_uid":{ident},"amount":1000}}'
        )
        assert told(answer) == (200, 1)
    calls.sandbox.gateway.make(merchant_uid="A", amount=1000)
    for name in ("imp_uid", "merchant_uid"):
        assert told(calls.send("POST", "/payments/cancel", f'{{"{name}":{ident}}}')) == (200, 1)
    assert [each.status for each in calls.sandbox.gateway.attempts()] == ["paid"]


def test_find_answers_only_what_it_is_documented_to(calls: Caller) -> None:
    made = calls.sandbox.gateway.make(merchant_uid="A", amount=1000)
    calls.sandbox.gateway.make(merchant_uid="A", amount=1000, started_at=NOON - 9)
    for query in ("", "?sorting=", "?sorting=wrong"):
        answer = calls.send("GET", "/payments/find/A" + query)
        assert json.loads(answer.body)["response"]["imp_uid"] == made.imp_uid
    for path in ("A/wrong", "B", "B?sorting=wrong", "A/failed", "x" * 5000):
        assert told(calls.send("GET", "/payments/find/" + path)) == (404, -1)


def test_a_form_may_have_names_within_names_and_lists() -> None:
    form = "a=1&extra[requester]=customer&extra[b]=2&urls[]=x&urls[]=y&n[0]=p&n[1]=q&c[d]=1&c=2"
    assert read_fields(form.encode(), FORM) == {
        "a": "1",
        "extra": {"requester": "customer", "b": "2"},
        "urls": ["x", "y"],
        "n": ["p", "q"],
        "c": "2",
    }
    assert read_fields(b"a=1&a[]=2&b[]=1&b[c]=2", FORM) == {"a": ["2"], "b": {"c": "2"}}
    assert read_fields(b"a[b=1&[]=2", FORM) == {"a[b": "1", "[]": "2"}
