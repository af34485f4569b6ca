"""The page of settings names every question, every setting that answers one, and its values."""

from __future__ import annotations

import re
from pathlib import Path

from imp_verify.sandbox.kinds import OneNumber, OneOf
from imp_verify.sandbox.settings import TABLE

DOCS = Path(__file__).parents[2] / "docs"
ASKED = {name: each for name, each in TABLE.items() if each.question}
PAGE = DOCS / "sandbox-settings.md"


def shown(value: object) -> str:
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else '`""`'


def test_a_row_tells_of_each_setting_under_its_question() -> None:
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)
    assert [int(number) for number in parts[1::2]] == list(range(1, 24))
    under = dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))
    for name, setting in ASKED.items():
        assert setting.question
        (row,) = re.findall(rf"^\| `{name}` \|.*$", under[setting.question], re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[3:] == [shown(setting.default), shown(setting.hardest)]
        if isinstance(setting.kind, OneOf | OneNumber):
            assert cells[2] == ", ".join(map(shown, setting.kind.choices))


def test_the_english_page_says_what_the_table_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name, each in ASKED.items() if each.says not in text] == []
    assert [name for name, each in ASKED.items() if each.why not in text] == []
