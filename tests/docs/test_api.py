"""docs/api.md and docs/api-sandbox.md: every public name is in one of them, once, and is there."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path

import pytest

import imp_verify
from imp_verify.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("api.md", "api-sandbox.md")
# What a shop imports from; of what stands beside them it has the names through these.
PACKAGES = ("stores", "transports", "contrib", "testing", "sandbox")
# Django finds these by itself, no shop imports them; stores.md describes the models' tables.
DJANGOS = re.compile(
    r"imp_verify\.contrib\.django\.(admin|apps|button|checks|conf|fields|management|migrations"
    r"|models|templatetags|urls)\b"
)
# The sandbox's own parts, of which `imp_verify.sandbox` hands on what a test takes.
PARTS = re.compile(r"imp_verify\.sandbox\.")


def public_modules() -> list[str]:
    found = ["imp_verify"]
    for each in pkgutil.walk_packages(imp_verify.__path__, "imp_verify."):
        name = each.name
        private = any(part.startswith("_") for part in name.split("."))
        elsewhere = DJANGOS.match(name) or PARTS.match(name)
        if not private and name.split(".")[1] in PACKAGES and not elsewhere:
            found.append(name)
    return found


def documented() -> list[str]:
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    return re.findall(r"^\.\. (?:auto\w+|py:data):: (\S+)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", public_modules())
def test_every_public_name_is_in_the_reference(name: str) -> None:
    module = importlib.import_module(name)
    in_reference = {each.rpartition(".")[2]: each for each in documented()}
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        there, _, last = in_reference[public].rpartition(".")
        assert (
            f"{name}.{public}" in documented()
            or getattr(importlib.import_module(there), last) is value
        )


def test_what_the_reference_names_is_public_and_there_once() -> None:
    names = documented()
    assert [each for each, count in Counter(names).items() if count > 1] == []
    for each in names:
        module, _, name = each.rpartition(".")
        there = importlib.import_module(module)
        assert name in there.__all__, each
    assert len(names) > 110
    assert "imp_verify.settings.Settings" in names
    assert Settings.__doc__


def test_what_the_reference_says_of_values_is_so() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    from imp_verify.contrib.browser import FLAVORS
    from imp_verify.transports import MAX_ANSWER

    assert f"{imp_verify.MAX_BODY:,}" in text
    assert f"{MAX_ANSWER:,}" in text
    assert ", ".join(f"``{each}``" for each in FLAVORS) in text
