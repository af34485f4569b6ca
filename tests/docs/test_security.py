"""The threat model names tests that there are, for every attack."""

from __future__ import annotations

import re

from tests.docs.named import TESTS, exists, named_in

DOCS = TESTS.parent / "docs"
PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" |")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and line.count(" |") >= 4
]


def test_each_attack_says_what_stops_it_and_names_a_test() -> None:
    attacks = [row for row in ROWS if not row[0].startswith("attack")]
    assert len(attacks) > 50
    for attack, stops, tests, *_ in attacks:
        assert attack
        assert stops
        assert named_in(tests), attack


def test_each_named_test_is_there() -> None:
    assert [f"{file}::{name}" for file, name in named_in(PAGE) if not exists(file, name)] == []


def test_every_link_leads_somewhere() -> None:
    for page in (DOCS / "security.md", DOCS / "field-cases.md", TESTS.parent / "SECURITY.md"):
        links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []
