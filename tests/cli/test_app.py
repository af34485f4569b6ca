"""`--app module:name`: what is found, and what is said where nothing is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imp_verify import AsyncVerifier, Verifier, cli
from imp_verify.cli._app import load
from imp_verify.cli._printing import WrongUse
from imp_verify.cli._words import EN, KO, Words, language_here

SHOP = """
import os
from flask import Flask
from imp_verify import AsyncVerifier, Credentials, Verifier
from imp_verify.stores.memory import MemoryStore

def make(kind=Verifier):
    store = MemoryStore(expected=lambda order, _: 39000)
    return kind(store, credentials=Credentials("key", "secret"), test_mode=True)

verifier = make()
app = Flask("shop")

def make_async():
    return make(AsyncVerifier)

async def coroutine():
    return verifier

class group:
    inner = verifier

def nothing():
    return None

def ends():
    raise SystemExit(0)

def fails():
    raise RuntimeError("the key is " + os.environ["IMP_KEY"] + "\\x1b[2J")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be in a folder with these modules, as a shop's developer is."""
    modules = {
        "some_shop": SHOP,
        "shop_without_a_library": "import no_such_library",
        "shop_that_fails": "raise ValueError('DATABASE is not set')",
        "shop_that_ends": "import sys; sys.exit()",
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    yield tmp_path
    for name in modules:
        _ = sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("verifier", Verifier),
        ("make", Verifier),
        ("make_async", AsyncVerifier),
        ("group.inner", Verifier),
    ],
)
def test_the_verifier_or_what_makes_it_is_found_in_the_current_folder(
    name: str, kind: type
) -> None:
    assert isinstance(load(f"some_shop:{name}", Words("en")), kind)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("some_shop", "must be module:name, shop:verifier for example, not some_shop"),
        ("some_shop.py:verifier:", "must be module:name"),
        ("nowhere:verifier", r"there is no module nowhere in /.+, nor on Python's path"),
        ("some_shop.inner:verifier", "there is no module some_shop.inner in "),
        ("shop_without_a_library:verifier", "failed: .*No module named 'no_such_library'"),
        ("shop_that_fails:verifier", "failed: ValueError: DATABASE is not set"),
        ("shop_that_ends:verifier", "importing the module shop_that_ends failed: SystemExit"),
        ("some_shop:ends", "failed: SystemExit: 0"),
        ("some_shop:verifer", "the module some_shop has no verifer"),
        ("some_shop:app", "Flask is no Verifier, no AsyncVerifier, and no function that makes one"),
        ("some_shop:os", "module is no Verifier"),
        ("some_shop:Verifier", "class Verifier is no Verifier"),
        ("some_shop:nothing", "the function made NoneType"),
        ("some_shop:coroutine", "the function made coroutine"),
        ("some_shop:fails", "failed: RuntimeError: the key is "),
    ],
)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_error_names_what_was_looked_for(
    spec: str, says: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMP_KEY", "the-key-of-the-shop")
    with pytest.raises(WrongUse) as caught:
        _ = load(spec, Words(language))
    text = str(caught.value)
    assert spec in text
    assert text.isprintable()
    if language == "en":
        assert re.search(says, text)


def test_where_a_module_fails_is_told_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["doctor", "--app", "shop_that_fails:verifier", "--language", "en"]
    assert cli.main(given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert cli.main([*given, "--verbose"]) == 2
    *places, last = capsys.readouterr().err.splitlines()
    assert places[0] == "ValueError: DATABASE is not set"
    assert "shop_that_fails.py:1 in <module>" in places[-1]
    assert last == line


def test_both_languages_have_the_same_sentences_about_the_same_things() -> None:
    def named(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)", text))

    assert KO.keys() == EN.keys()
    assert {key: named(text) for key, text in KO.items()} == {
        key: named(text) for key, text in EN.items()
    }


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ko_KR.UTF-8"}, "ko"),
    ],
)
def test_the_language_is_that_of_the_machine(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language_here() == language
