"""Korean pages: each catalogue is whole, and names what its source names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

DOCS = Path(__file__).parents[2] / "docs"
CATALOGUES = sorted((DOCS / "locale" / "ko" / "LC_MESSAGES").glob("*.po"))
# Not translated: the changelog, and what is made of docstrings.
ENGLISH = {"api", "api-sandbox", "changelog"}


def messages(catalogue: Path) -> list[Message]:
    with catalogue.open("rb") as file:
        return [each for each in read_po(file, locale="ko") if each.id]


def marked(text: str) -> set[str]:
    """Return what a translation keeps: code, and the targets of links to pages."""
    code = {each for _, each in re.findall(r"(`+)(.+?)\1", text)}
    links = re.findall(r"\]\(([\w-]+\.md(?:#[^)]*)?)\)", text)
    # The place of a value after an option has a name in each language.
    return {re.sub(r"(--[a-z-]+) [A-Za-z가-힣=:]+$", r"\1", each) for each in code}.union(links)


def test_every_page_has_its_catalogue() -> None:
    pages = {each.stem for each in DOCS.glob("*.md")} - ENGLISH
    assert {each.stem for each in CATALOGUES} == pages


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda each: each.stem)
def test_every_sentence_is_translated_and_none_is_left_of_an_older_source(catalogue: Path) -> None:
    told = messages(catalogue)
    assert [each.id for each in told if not each.string or each.fuzzy] == []
    with catalogue.open("rb") as file:
        assert not read_po(file, locale="ko").obsolete


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda each: each.stem)
def test_code_and_links_are_those_of_the_source(catalogue: Path) -> None:
    for each in messages(catalogue):
        source, korean = (marked(str(text)) for text in (each.id, each.string))
        assert source <= korean, each.id
