"""The browser module, by every adapter: the same bytes, kept by a browser as long as may be."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import pytest

from imp_verify import ENDPOINTS
from imp_verify._web.script import MODULE, address
from tests.support.gateway import ScriptedGateway
from tests.support.shop import ASYNC, PLAIN, Answer, MakeShop

FOR_EVER = "public, max-age=31536000, immutable"
BODY = files("imp_verify").joinpath("_web", "imp-verify.min.js").read_bytes()
VERSION = address().partition("?v=")[2]
TAG = f'"{VERSION}"'


@pytest.fixture(params=[f"{framework}-memory" for framework in (*PLAIN, *ASYNC)])
def kind(request: pytest.FixtureRequest) -> str:
    """Every framework, in memory."""
    return str(request.param)


def told(answer: Answer, *names: str) -> list[str | None]:
    return [answer.headers.get(name) for name in names]


def test_the_module_is_one_of_the_routes() -> None:
    assert MODULE in ENDPOINTS
    assert len(VERSION) == 20


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_file_is_served_as_it_stands(make_shop: MakeShop, slash: str) -> None:
    shop = make_shop()
    answer = shop.get(f"/{MODULE}{slash}")
    assert (answer.status, answer.body) == (200, BODY)
    assert told(answer, "content-type", "x-content-type-options", "etag", "cache-control") == [
        *("text/javascript; charset=utf-8", "nosniff", TAG, "no-cache")
    ]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (f"v={VERSION}", FOR_EVER),
        (f"a=1&v={VERSION}", FOR_EVER),
        ("v=", "no-cache"),
        (f"v={VERSION}x", "no-cache"),
        (f"w=v={VERSION}", "no-cache"),
        ("%FF", "no-cache"),
    ],
)
def test_only_the_address_of_this_very_version_is_kept_for_ever(
    make_shop: MakeShop, query: str, kept: str
) -> None:
    answer = make_shop().get(f"/{MODULE}?{query}")
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, BODY, kept)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([TAG], 304),
        ([f"W/{TAG}"], 304),
        (["*"], 304),
        ([f'"other" ,{TAG}'], 304),
        (['"other"', TAG], 304),
        (['"other"'], 200),
        ([VERSION], 200),
        ([f'"{VERSION.upper()}x"'], 200),
        ([""], 200),
        ([",,W/"], 200),
    ],
)
def test_a_browser_that_has_it_is_not_sent_it_again(
    make_shop: MakeShop, lines: Sequence[str], status: int
) -> None:
    headers = [("If-None-Match", ", ".join(lines))]
    shop = make_shop()
    answer = shop.ask("GET", f"/{MODULE}?v={VERSION}", headers=headers)
    assert (answer.status, answer.body) == (status, BODY if status == 200 else b"")
    assert told(answer, "etag", "cache-control") == [TAG, FOR_EVER]
    if status == 304:
        assert "content-type" not in answer.headers
        if not shop.framework.startswith("django"):  # its CommonMiddleware adds one to any answer
            assert "content-length" not in answer.headers


def test_head_is_answered_like_get_without_the_file(make_shop: MakeShop) -> None:
    shop = make_shop()
    get, head = (shop.ask(method, f"/{MODULE}") for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    names = ("etag", "cache-control", "content-type", "x-content-type-options")
    assert told(head, *names) == told(get, *names)
    assert told(head, "content-length") == [str(len(BODY))]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_any_other_method_is_refused(
    make_shop: MakeShop, gateway: ScriptedGateway, method: str
) -> None:
    answer = make_shop().ask(method, f"/{MODULE}", {"imp_uid": "imp_1"})
    assert (answer.status, answer.word) == (405, "invalid")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert gateway.asked == []


def test_options_says_what_there_is(make_shop: MakeShop) -> None:
    answer = make_shop().ask("OPTIONS", f"/{MODULE}")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
