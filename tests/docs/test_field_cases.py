"""The page of the faults met in public: each has its row, its sentence and tests that there are."""

from __future__ import annotations

import re

from tests.docs.named import TESTS, exists, named_in

PAGE = (TESTS.parent / "docs" / "field-cases.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z]\d\d) \| (.+?) \| (.*) \|$", PAGE, re.M)
HOW_MANY = {
    **{"A": 8, "D": 3, "E": 12, "F": 11, "G": 10, "J": 7, "K": 2, "N": 15, "O": 6},
    **{"R": 13, "S": 16, "T": 6, "X": 11, "Y": 5},
}
"""Cases by their letter."""


def test_no_case_is_missing_and_none_is_there_twice() -> None:
    ids = [case for case, _, _ in ROWS]
    assert len(set(ids)) == len(ids)
    letters = [case[0] for case in ids]
    assert {letter: letters.count(letter) for letter in sorted(set(letters))} == HOW_MANY


def test_each_case_has_a_sentence_and_a_test_that_carries_its_id() -> None:
    for case, sentence, tests in ROWS:
        assert sentence.endswith("."), case
        names = [name for _, name in named_in(tests)]
        assert [name for name in names if re.search(rf"(^|_){case}[_ ]", name, re.I)], case


def test_each_named_test_is_there() -> None:
    assert [f"{file}::{name}" for file, name in named_in(PAGE) if not exists(file, name)] == []


def test_each_id_in_the_tests_of_cases_has_its_row() -> None:
    ids = {case for case, _, _ in ROWS}
    found = {
        each
        for path in (TESTS / "cases").glob("test_*.py")
        for each in re.findall(r"def test_(?:[A-Z]\d\d_)*([A-Z]\d\d)_", path.read_text("utf-8"))
    }
    assert found
    assert found - ids == set()
