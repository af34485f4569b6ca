"""`imp-verify snippet`: what it prints, and what it refuses. That the code works is tried in a
browser."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from imp_verify import ConfigurationError, cli
from imp_verify.contrib.browser import FLAVORS, snippet
from imp_verify.contrib.browser._snippets import _WORDS

HANGUL = re.compile("[가-힣]")
ALL = [(flavor, language) for flavor in FLAVORS for language in ("ko", "en")]


@pytest.mark.parametrize(("flavor", "language"), ALL)
def test_a_snippet_is_whole_and_in_one_language(flavor: str, language: str) -> None:
    code = snippet(flavor, language)
    assert not re.search(r"__\w+__|//(ko|en)|<!--(ko|en)", code)
    assert bool(HANGUL.search(code)) is (language == "ko")
    for value in ('"imp00000000"', '"/payments/complete"', "ORD1001", "39000", "/imp-verify.js"):
        assert value in code
    assert '"https://shop.example/payments/redirect"' in code
    assert "$" not in code or flavor == "jquery"


@pytest.mark.parametrize("flavor", FLAVORS)
def test_both_languages_have_the_same_code(flavor: str) -> None:
    bare = []
    for n, language in enumerate(("ko", "en")):
        code = re.sub(r"^\s*(//|<!--).*\n", "", snippet(flavor, language), flags=re.MULTILINE)
        for name, words in {**_WORDS, "LANGUAGE": ("ko", "en")}.items():
            code = re.sub(rf'(?<=["> ]){words[n]}(?=[",<])', name, code)
        bare.append(code)
    assert bare[0] == bare[1]


@pytest.mark.parametrize("flavor", FLAVORS)
def test_what_is_given_stands_in_the_code(flavor: str, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["--user-code", "imp1", "--prefix", "/shop/pay", "--public-url", "https://x.test/a/"]
    for option, line in (("--channel-key", "channelKey"), ("--pg", "pg")):
        assert cli.main(["snippet", "--flavor", flavor, *given, option, 'k"</']) == 0
        code = capfd.readouterr().out
        assert re.search(rf'"?{line}"?: "k\\"\\u003c/",', code)
        assert '"imp1"' in code
        assert '"/a/shop/pay/complete"' in code
        assert '"https://x.test/a/shop/pay/redirect"' in code
        assert {"channelKey", "pg"} - {line} not in set(re.findall(r"\w+", code))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--user-code", "a b"],
        ["--public-url", "http://shop.test"],
        ["--channel-key", "a", "--pg", "b"],
    ],
)
def test_a_value_that_cannot_be_is_wrong_use(
    wrong: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["snippet", "--flavor", "html", *wrong]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("imp-verify: ")


@pytest.mark.parametrize("arguments", [[], ["--flavor", "svelte"], ["--flavor", "vue", "x"]])
def test_a_flavour_must_be_one_that_there_is(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["snippet", *arguments])
    assert ended.value.code == 2


def test_in_python_too() -> None:
    for flavor, language in (("svelte", "ko"), ("vue", "fr")):
        with pytest.raises(ConfigurationError, match=r"there are jquery, esnext.*, types in ko"):
            snippet(flavor, language)


def test_the_types_are_printed_as_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["snippet", "--flavor", "types"]) == 0
    types = files("imp_verify").joinpath("_web", "imp-verify.d.ts").read_text(encoding="utf-8")
    assert capfd.readouterr().out == types
    assert "imp-verify snippet --flavor types > imp-verify.d.ts" in snippet("esnext")


def test_a_library_is_asked_for_by_its_hash() -> None:
    tags = re.findall(r'<script src="https://code.jquery.com[^>]*>', snippet("jquery"))
    assert len(tags) == 2  # the guide's version, and in a comment a newer one
    for tag in tags:
        assert re.search(r' integrity="sha384-[\w+/]{64}" crossorigin="anonymous">$', tag)
