"""The tests that there are, by the names that a document calls them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["TESTS", "exists", "named_in"]

TESTS = Path(__file__).parents[1]
_NAME = re.compile(r"`([\w/]+\.(?:py|mjs))::([^`]+)`")


@cache
def _source(file: str) -> str:
    path = TESTS / file
    return path.read_text(encoding="utf-8") if path.exists() else ""


def named_in(text: str) -> list[tuple[str, str]]:
    """Return the tests that a text names, as file and name."""
    return [(file, name) for file, name in _NAME.findall(text)]


def exists(file: str, name: str) -> bool:
    """Whether a file under `tests/` has this test; of one in node the title counts."""
    if file.endswith(".mjs"):
        return name in _source(file)
    return re.search(rf"^ *(?:async )?def {re.escape(name)}\(", _source(file), re.M) is not None
