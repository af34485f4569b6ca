"""How deep JSON from outside may be nested: counted before it is read, and strings not counted."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import MAX_BODY, InvalidRequest, Request
from imp_verify._core.reading import MAX_DEPTH, json_reader
from imp_verify._web.http import read_notice

read = json_reader()
KEYS = ("imp_uid", "merchant_uid", "amount")


def nested(depth: int, inside: str = "") -> str:
    """Arrays and objects in turn, that many deep."""
    opening = "".join('{"a":' if n % 2 else "[" for n in range(depth))
    closing = "".join("}" if n % 2 else "]" for n in reversed(range(depth)))
    return opening + (inside or '""') + closing


def test_c19_what_is_nested_as_deep_as_allowed_is_read() -> None:
    for text in (nested(MAX_DEPTH), "[" * MAX_DEPTH + "]" * MAX_DEPTH):
        assert read(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        nested(MAX_DEPTH + 1),
        "[" * MAX_BODY,
        "[" * (1 << 20),
        '{"a":' * 10_000,
        "[{}," * 200,
        " [\n" * 200,
        '["\\"",' * 200,
        '["\\\\",' * 200,
        '["]","}",' * 200,
        '["\\\\\\"]",' * 200,
        '{"]":"]","a":' * 200,
        "[" * 200 + "]" * 200,
        '["]]]]", ' * 101 + "]" * 101,
    ],
)
def test_c19_what_is_deeper_is_not(text: str) -> None:
    for body in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
        with pytest.raises(ValueError, match="nested too deep"):
            read(body)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(["[" * 500, '"[' * 500, '\\"[' * 500, '\\\\"[' * 500, "\\" * 500]),
        json.dumps({"[" * 200: "{" * 200, '"{' * 200: '"'}),
        json.dumps([[[]]] * 500),
        json.dumps([{"list": [{"cancel_history": [{}]}]}] * 200, indent=1),
        json.dumps(["주문 [", "é" * 300, '"'] * 200, ensure_ascii=False),
    ],
)
def test_c19_brackets_in_strings_and_side_by_side_are_not_deep(text: str) -> None:
    assert read(text.encode()) == json.loads(text)


PIECES = ["[", "]", "{", "}", '"', "\\", ",", ":", "1", " ", "a", "[" * 60, "]" * 60, '"a":', "é"]


def depth_by_hand(text: str) -> int:
    """The deepest place that a reader comes to, from one character to the next."""
    depth = most = 0
    inside = escaped = False
    for each in text:
        if inside:
            inside, escaped = each != '"' or escaped, each == "\\" and not escaped
        elif each == '"':
            inside = True
        elif each in "[{":
            depth += 1
            most = max(most, depth)
        elif each in "]}":
            depth -= 1
    return most


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_c19_whatever_is_too_deep_is_refused_before_it_is_read(text: str) -> None:
    try:
        value = read(text.encode())
    except (ValueError, ArithmeticError) as error:
        if str(error) == "nested too deep":
            # Of text that is no JSON more may be refused, never less.
            assert text.count("[") + text.count("{") > MAX_DEPTH
        return
    assert depth_by_hand(text) <= MAX_DEPTH
    assert value == json.loads(text)


TEXT = st.text(st.characters(codec="utf-8"))
JSON: st.SearchStrategy[Any] = st.recursive(
    TEXT | st.integers() | st.none(),
    lambda each: st.lists(each) | st.dictionaries(TEXT, each),
)


@given(JSON, st.integers(0, 2 * MAX_DEPTH), st.booleans())
def test_c19_depth_alone_decides(value: Any, around: int, readable: bool) -> None:
    text = nested(around, json.dumps([value] * 120, ensure_ascii=readable))
    if depth_by_hand(text) > MAX_DEPTH:
        with pytest.raises(ValueError, match="nested too deep"):
            read(text.encode())
    else:
        assert read(text.encode()) == json.loads(text)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[", "", '{"a":1}x', "\0"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra|NaN|Infinity"):
        read(text.encode())


def test_fractions_are_decimals() -> None:
    assert read(b"[10.10]") == [Decimal("10.10")]


def notice(body: bytes, content_type: str = "application/json") -> Any:
    request = Request("POST", headers=[("Content-Type", content_type)], body=body)
    return read_notice(request, KEYS)


def test_c19_a_request_that_is_nested_too_deep_is_malformed() -> None:
    good = '{"imp_uid":"imp_1","merchant_uid":"ORD [1]","x":%s}'
    assert notice((good % nested(MAX_DEPTH - 1)).encode()).merchant_uid == "ORD [1]"
    for body in (good % nested(MAX_DEPTH), "[" * MAX_BODY, '{"a":' * 13_000):
        with pytest.raises(InvalidRequest):
            notice(body.encode())


def test_c19_brackets_in_a_form_are_no_nesting() -> None:
    assert notice(b"imp_uid=imp_1&x=" + b"[" * 5000).imp_uid == "imp_1"
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = part.format("imp_uid", "imp_1") + part.format("x", "[" * 5000) + "--b--\r\n"
    assert notice(body.encode(), "multipart/form-data; boundary=b").imp_uid == "imp_1"
