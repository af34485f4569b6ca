"""The page of the window names each of its buttons, and each PG of the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imp_verify.sandbox.pages.window_texts import EN, KO
from imp_verify.sandbox.pgs import PGS

DOCS = Path(__file__).parents[2] / "docs"
BUTTONS = (
    *("approve", "issue", "balance", "decline", "close", "tamper", "late"),
    *("silent", "untrue", "no-id", "lose", "leave", "as_mobile"),
)


@pytest.mark.parametrize(
    ("page", "words"), [("sandbox-window.md", EN), ("sandbox-window.ko.md", KO)]
)
def test_each_button_and_each_pg_has_its_line(page: str, words: dict[str, str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [name for name in BUTTONS if words[name] not in text] == []
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(PGS)
