"""Order numbers that every PG takes, and numbers that some would cut or reject."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import re
from typing import Any

import pytest

from imp_verify import ConfigurationError, InvalidRequest, order_number
from imp_verify._core.reading import is_merchant_uid
from imp_verify.order_numbers import _warn, check_order_number

EVERY_PG = (None, "kcp", "smartro_v2.MID", "payletter_global", "mobilians", "mobilians_v2.x")


@pytest.mark.parametrize("prefix", ["", "ORD", "a1", "P" * 14])
def test_O08_a_number_is_unique_and_taken_by_every_pg(prefix: str) -> None:
    numbers = {order_number(prefix) for _ in range(1000)}
    assert len(numbers) == 1000
    for number in numbers:
        assert re.fullmatch(f"{prefix}[0-9A-HJKMNP-TV-Z]{{26}}", number)
        assert is_merchant_uid(number)
        for pg in EVERY_PG:
            check_order_number(number, pg)


def test_every_letter_and_digit_occurs_at_every_place() -> None:
    numbers = [order_number() for _ in range(3000)]
    assert {len(set(place)) for place in zip(*numbers, strict=True)} == {32}


@pytest.mark.parametrize("prefix", ["A-", "주문", "A B", "P" * 15, "\n", 5, None])
def test_a_prefix_that_some_pg_would_reject_is_refused(prefix: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^prefix "):
        order_number(prefix)


@pytest.mark.parametrize(
    ("number", "pg"),
    [
        ("A" * 41, None),
        ("A" * 41, "kcp"),
        ("ORD-1001", "smartro_v2"),
        ("ORD-1001", "smartro_v2.MID-1"),
        ("주문1001", "payletter_global"),
        ("A12", "mobilians"),
        ("A12", "mobilians_v2.mid"),
    ],
)
def test_a_number_that_the_pg_would_cut_or_reject_is_refused(number: str, pg: str | None) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(repr(number))):
        check_order_number(number, pg)


@pytest.mark.parametrize(
    ("number", "pg"),
    [
        ("ORD-1001", None),
        ("ORD-1001", "kcp"),
        ("A" * 40, "smartro_v2"),
        ("A1", "smartro"),
        ("1", ""),
    ],
)
def test_any_other_number_is_taken(number: str, pg: str | None) -> None:
    check_order_number(number, pg)


@pytest.mark.parametrize(
    ("number", "pg", "warned"),
    [
        ("ORD-1001", None, True),
        ("123", "", True),
        ("주문1001", None, True),
        ("ORD1001", None, False),
        ("ORD-1001", "kcp", False),
    ],
)
def test_a_number_that_some_pg_might_reject_is_warned_of_once(
    number: str, pg: str | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    _warn.cache_clear()
    for _ in range(3):
        check_order_number(number, pg)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warned
    assert number not in caplog.text
