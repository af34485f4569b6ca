"""The page of the window names each of its buttons, and each PG of the table."""

from __future__ import annotations

import re
from pathlib import Path

from imp_verify.sandbox.pages.window_texts import EN
from imp_verify.sandbox.pgs import PGS

DOCS = Path(__file__).parents[2] / "docs"
BUTTONS = (
    *("approve", "issue", "balance", "decline", "close", "tamper", "late"),
    *("silent", "untrue", "no-id", "lose", "leave", "as_mobile"),
)


def test_each_button_and_each_pg_has_its_line() -> None:
    text = (DOCS / "sandbox-window.md").read_text(encoding="utf-8")
    assert [name for name in BUTTONS if EN[name] not in text] == []
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(PGS)
