"""Exact amounts: what counts as a number of the wire, and what a shop may expect."""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal, Inexact, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import StoreError
from imp_verify._core.reading import is_amount, read_amount, read_price

LARGEST = Decimal("999999999999999999.99999999")


class Number(int):
    """A whole number of a class of the shop's own."""


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (0, "0"),
        (39000, "39000"),
        (10**18 - 1, "999999999999999999"),
        (Number(5), "5"),
        ("39000", "39000"),
        ("39000.0", "39000"),
        ("39000.00000000", "39000"),
        ("0", "0"),
        ("007", "7"),
        ("0.00000001", "0.00000001"),
        ("999999999999999999.99999999", str(LARGEST)),
        (Decimal("19.99"), "19.99"),
        (Decimal("4503599627370497.5"), "4503599627370497.5"),
        (Decimal("3.9E+4"), "39000"),
        (Decimal("1E+17"), "100000000000000000"),
        (Decimal("-0"), "0"),
        (Decimal("-0.00"), "0"),
        (LARGEST, str(LARGEST)),
    ],
)
def test_a_number_of_the_wire_is_read_exactly(value: object, exact: str) -> None:
    amount = read_amount(value)
    assert amount == Decimal(exact)
    assert amount is not None
    assert not amount.is_signed()


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 1.0, 0.1, float("nan"), float("inf"), [], {}, b"1", (1,), 1j),
        *(-1, 10**18, 10**400, Number(-5)),
        *(
            "",
            " ",
            "39,000",
            "39000원",
            " 39000 ",
            "39000\n",
            "+1",
            "-1",
            "-0",
            "1e3",
            "1E3",
            "0x1",
        ),
        *(
            ".5",
            "5.",
            "1.2.3",
            "1_000",
            "１２",
            "٣",
            "²",
            "NaN",
            "Infinity",
            "1" * 19,
            "1.123456789",
        ),
        *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(-1)),
        *(Decimal("1E+18"), Decimal("1E-9"), Decimal("0.123456789"), Decimal("1E+999999")),
        *(Decimal("39000.000000000"), Decimal("-0.01"), Decimal(10**18)),
    ],
)
def test_anything_else_is_no_number_of_the_wire(value: object) -> None:
    assert read_amount(value) is None


@pytest.mark.parametrize("precision", [1, 2, 6])
def test_a_shops_own_arithmetic_rounds_no_amount(precision: int) -> None:
    with localcontext(Context(prec=precision, rounding=ROUND_UP)) as context:
        assert read_amount(Decimal("39400.55")) == Decimal("39400.55")
        assert read_amount("39400.55") == Decimal("39400.55")
        assert read_amount(LARGEST) == LARGEST
        assert read_price(Decimal("39400.55")) == Decimal("39400.55")
        assert read_price(Decimal("39000.0000000000")) == Decimal(39000)
        assert not context.flags[Inexact]
        context.traps[Inexact] = True
        assert read_amount(Decimal("39400.55")) == Decimal("39400.55")


@given(st.integers(0, 10**26 - 1))
def test_every_amount_in_range_comes_back_as_it_is(units: int) -> None:
    amount = Decimal((0, tuple(map(int, str(units))), -8))
    assert is_amount(amount)
    assert read_amount(amount) == amount
    assert read_amount(f"{amount:f}") == amount


@given(st.decimals() | st.text() | st.floats() | st.integers())
def test_whatever_is_read_is_finite_not_negative_and_in_range(value: object) -> None:
    amount = read_amount(value)
    assert amount is None or (amount.is_finite() and 0 <= amount <= LARGEST)
    assert amount is None or not isinstance(value, Decimal | int) or amount == value


# --- what a shop expects -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (39000, "39000"),
        ("10.99", "10.99"),
        (Decimal("0.1") + Decimal("0.2"), "0.3"),
        (Decimal("39000.0000000000000000"), "39000"),
        (Decimal("0.000000010000"), "0.00000001"),
        (Decimal("1E+2"), "100"),
    ],
)
def test_an_expected_amount_is_an_int_a_decimal_or_plain_text(value: object, exact: str) -> None:
    assert read_price(value) == Decimal(exact)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0.1 + 0.2, "float 0.30000000000000004"),
        (39000.0, "float 39000.0"),
        (float("nan"), "float nan"),
        (True, "bool True"),
        (0, "int 0"),
        (-1, "int -1"),
        (Decimal(0), "Decimal 0"),
        (Decimal("0.00"), "Decimal 0.00"),
        (Decimal(-1), "Decimal -1"),
        (Decimal("NaN"), "Decimal NaN"),
        (Decimal("sNaN"), "Decimal sNaN"),
        (Decimal("Infinity"), "Decimal Infinity"),
        (Decimal("0.000000001"), "Decimal 1E-9"),
        (Decimal("39000.0000000001"), "Decimal 39000.0000000001"),
        (Decimal("0E-20"), "Decimal 0E-20"),
        (Decimal("1E+18"), "Decimal 1E+18"),
        (Decimal("1E+999999"), "Decimal 1E+999999"),
        (10**400, "int"),
        (10**5000, "int"),
        (-(10**5000), "int"),
        ("0", "str '0'"),
        ("39,000", "str '39,000'"),
        ("1,000", "str '1,000'"),
        ("39000원", "str '39000원'"),
        ("₩39,000", "str '₩39,000'"),
        ("KRW 39 000.00", "str 'KRW 39 000.00'"),
        ("-1", "str '-1'"),
        ("1e3", "str '1e3'"),
        (" 39000\n", "str ' 39000\\n'"),
        ("", "str ''"),
        (b"39000", "bytes"),
        ([39000], "list"),
        ((39000,), "tuple"),
        (object(), "object"),
    ],
    ids=lambda value: f"{value!s:.20}" if not isinstance(value, int) else "int",
)
def test_any_other_expected_amount_is_a_store_error_that_names_its_type(
    value: object, names: str
) -> None:
    with pytest.raises(StoreError) as caught:
        read_price(value)
    assert str(caught.value).endswith(f"above zero, not {names}")


@pytest.mark.parametrize(
    "text",
    ["kim@example.com", "1@a.kr", "홍길동", "010-1234-5678", "1234 5678 9012 3456", "9" * 99],
)
def test_text_that_is_no_amount_is_not_repeated_for_it_may_be_a_buyers(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        read_price(text)
    assert str(caught.value).endswith("above zero, not str")
