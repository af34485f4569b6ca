"""The table of settings: what may be is taken, all else is named with what is allowed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from imp_verify.sandbox import Fault, Settings
from imp_verify.sandbox.calls import NAMES
from imp_verify.sandbox.faults import WINDOW
from imp_verify.sandbox.settings import TABLE, Setting, parse_pair, strict


@pytest.mark.parametrize("setting", TABLE.values(), ids=TABLE)
def test_a_setting_has_a_sentence_and_a_default_that_is_allowed(setting: Setting) -> None:
    assert setting.says.endswith(".")
    assert setting.kind.read(setting.default) == setting.default
    assert setting.kind.read(setting.hardest) == setting.hardest
    assert getattr(Settings(), setting.name) == setting.default
    assert setting.question is None or 1 <= setting.question <= 23


def test_strict_can_be_set() -> None:
    settings = Settings()
    settings.change(strict())
    assert settings.as_dict() == {name: each.hardest for name, each in TABLE.items()}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("webhook_format", "xml", "webhook_format is one of json, form"),
        ("webhook_format", 5, "one of json, form"),
        ("webhook_format", ["json"], "one of json, form"),
        (
            "webhook_url",
            5,
            "webhook_url is an address that begins with http:// or https:// or null",
        ),
        ("webhook_url", "localhost:5000/hook", "webhook_url is an address that begins with http"),
        ("webhook_test_url", "//shop/hook", "webhook_test_url is an address that begins"),
        ("webhook_url", "http://[::1", "webhook_url is an address that begins with http"),
        ("webhook_url", "http://a[b/", "webhook_url is an address that begins with http"),
        ("public_url", "127.0.0.1", "http:// or https:// and a host, without a path or null"),
        ("silent_close", 1, "silent_close is true or false"),
        ("silent_close", "true", "true or false"),
        ("frame_seconds", -1, "frame_seconds is 0 to 3600 seconds"),
        ("frame_seconds", True, "0 to 3600"),
        ("frame_seconds", Decimal("NaN"), "0 to 3600"),
        ("frame_seconds", float("inf"), "0 to 3600"),
        ("frame_seconds", "1", "0 to 3600"),
        ("cancel_seconds", 1.5, "whole seconds"),
        ("hosts", "a", "hosts is a list of texts"),
        ("hosts", [1], "a list of texts"),
        ("shops", ["shop.test/path"], "shops is a list of origins: http://"),
        ("nonsense", 1, "no such setting: nonsense; there are webhook_url, "),
    ],
)
def test_what_cannot_be_set_is_named_and_nothing_is_set(
    name: str, value: object, allowed: str
) -> None:
    settings = Settings()
    with pytest.raises(ValueError, match=r"is|no such") as error:
        settings.change({"language": "en", name: value})
    assert allowed in str(error.value)
    assert settings == Settings()


TAKEN = (
    "http://[::1]:5000/hook",
    "https://me:key@[::1]",
    "HTTP://shop.test:80?a=[1]",
    "http://샵/",
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("webhook_url=http://a/?b=c", ("webhook_url", "http://a/?b=c")),
        *((f"webhook_url={url}", ("webhook_url", url)) for url in TAKEN),
        ("webhook_url=", ("webhook_url", None)),
        ("webhook_order=both", ("webhook_order", "both")),
        ("silent_close=true", ("silent_close", True)),
        ("unreachable=false", ("unreachable", False)),
        ("frame_seconds=0.5", ("frame_seconds", Decimal("0.5"))),
        ("cancel_seconds=60", ("cancel_seconds", 60)),
        ("shops=http://a,http://b:1", ("shops", ("http://a", "http://b:1"))),
        ("hosts=", ("hosts", ())),
    ],
)
def test_a_pair_of_the_command_line_is_read(text: str, read: tuple[str, object]) -> None:
    assert parse_pair(text) == read


@pytest.mark.parametrize(
    "text",
    [
        *("webhook_order", "nonsense=1", "silent_close=yes", "frame_seconds=x"),
        *("cancel_seconds=1.5", "cancel_seconds=٥", "frame_seconds=٥", "frame_seconds=1_0"),
        *("unprepared=４０４", "unprepared= 404", "calls_a_second=+5"),
    ],
)
def test_a_pair_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        parse_pair(text)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"call": "nonsense"}, "call is one of token, payment, "),
        ({"status": 9999}, "status is 200 to 599"),
        ({"status": True}, "status is"),
        ({"body": 5}, "body is a text"),
        ({"times": "2"}, "times is"),
        ({"times": -1}, "times is"),
        ({"content_type": "a\r\nb"}, "content_type is"),
    ],
)
def test_a_fault_that_cannot_be_is_named(fields: dict[str, object], allowed: str) -> None:
    with pytest.raises(ValueError, match="is") as error:
        Fault(**{"call": "payment", **fields})  # type: ignore[arg-type]
    assert allowed in str(error.value)
    assert WINDOW not in NAMES
