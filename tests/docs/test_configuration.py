"""docs/configuration.md: its tables are those of the code, and its blocks make what they say."""

from __future__ import annotations

import ast
import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest
from flask import render_template_string

from imp_verify import AsyncVerifier, Checkout, ConfigurationError, Credentials, Landing, Verifier
from imp_verify._configuration import read_settings
from imp_verify.settings import _THEME, Settings
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NUMBERS = ("timeout", "max_lookups", "confirm_timeout", "cancel_timeout", "confirm_lookup")
READ = re.compile(r'"(IMP_[A-Z_]+)"')


def section(title: str) -> str:
    """What stands under a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """A section's table: its first column's code, and the last."""
    found = re.findall(r"^\| (`.*?) \| .*?([^|]*) \|$", section(title), re.MULTILINE)
    return {name: last.strip() for names, last in found for name in re.findall(r"`(\w+)`", names)}


@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
def test_the_table_has_every_argument_and_its_default(kind: type) -> None:
    parameters = list(inspect.signature(kind).parameters)
    table = rows("Arguments of Verifier")
    assert list(table) == parameters
    for name in NUMBERS:
        given = ast.literal_eval(table[name].strip("`"))
        assert given == getattr(Settings, name) == inspect.signature(kind).parameters[name].default
    assert table["language"] == f'`"{Settings.language}"`'
    assert Settings.base_url in table["base_url"]


def test_the_table_has_every_variable_of_the_environment() -> None:
    read = set()
    for file in (ROOT / "src/imp_verify").rglob("*.py"):
        if "sandbox" not in file.parts and "demo" not in file.parts and "testing" not in file.parts:
            read |= set(READ.findall(file.read_text(encoding="utf-8")))
    table = set(rows("Environment"))
    assert table == read - {"IMP_VERIFY", "IMP_VERIFY_COMPLETE"}


def test_the_first_block_makes_a_verifier() -> None:
    store = MemoryStore(expected=lambda number, _: 39000)
    names: dict[str, Any] = {"store": store}
    with pytest.warns(RuntimeWarning, match="memory"):
        exec(BLOCKS[0], names)
    settings = names["verifier"].settings
    assert settings.public_url == "https://your.shop"
    assert settings.give_back == {"duplicate"}
    assert names["verifier"].store is store
    names["verifier"].close()


def test_django_takes_the_setting_as_it_stands() -> None:
    from django.test import override_settings

    from imp_verify.contrib.django import conf
    from tests.support import django_site

    assert django_site.HERE
    names: dict[str, Any] = {}
    exec(BLOCKS[1], names)
    store = MemoryStore(expected=lambda number, _: 39000)
    setting = {**names["IMP_VERIFY"], "STORE": store, "TEST_MODE": True}
    with override_settings(IMP_VERIFY=setting):
        verifier = conf.make_verifier()
    assert isinstance(verifier.settings.checkout, Checkout)
    assert verifier.settings.checkout.channel_key == "channel-key-..."
    assert verifier.settings.landing.success == "/orders/{merchant_uid}"
    with (
        override_settings(IMP_VERIFY={**setting, "TIMEOUTS": 1}),
        pytest.raises(ConfigurationError, match="TIMEOUT"),
    ):
        conf.make_verifier()
    table = set(rows("Django"))
    assert table - {"Verifier"} == {*conf._PATHS, "ASYNC"}


def test_the_transports_take_what_the_page_gives_them() -> None:
    for block, kind in zip(BLOCKS[2:4], (RequestsTransport, Urllib3Transport), strict=True):
        made: dict[str, Any] = {}
        exec(block.replace("/etc/ssl/certs/ca-certificates.crt", os.devnull), made)
        transport = made["transport"]
        transport.close()
        assert isinstance(transport, kind)
    listed = re.findall(r"`(imp_verify\.transports\.\w+)\.(\w+)\((\w+)=None\)`", PAGE)
    kinds = (RequestsTransport, Urllib3Transport, HttpxTransport, AiohttpTransport)
    assert listed == [
        (kind.__module__, kind.__name__, *inspect.signature(kind).parameters) for kind in kinds
    ]


@pytest.mark.parametrize("kind", [Credentials, Landing, Checkout])
def test_the_values_are_written_with_all_their_arguments(kind: Any) -> None:
    [written] = {*re.findall(rf"^`{kind.__name__}\((.*?)\)`", PAGE, re.MULTILINE)}
    names = re.findall(r"(\w+)(?==|,|$)(?:=[^,]*)?", re.sub(r"[(){}]", "", written))
    assert names == list(inspect.signature(kind).parameters)


def test_the_tables_of_landing_and_checkout_are_whole() -> None:
    assert set(rows("Checkout")) == set(inspect.signature(Checkout).parameters)
    assert set(rows("Landing")) == {"success", "failure", "pending", "theme"}
    assert set(_THEME) <= set(re.findall(r"`([\w-]+)`", section("Landing")))
    parameters = set(inspect.signature(read_settings).parameters)
    assert parameters == set(rows("Arguments of Verifier")) - {"store", "transport"}


def test_of_several_verifiers_a_page_names_one_by_its_blueprint() -> None:
    store = MemoryStore(expected=lambda number, _: 39000)
    names: dict[str, Any] = {}
    for name, code in (("verifier", "imp00000001"), ("verifier_abroad", "imp00000002")):
        keys: Any = {"credentials": Credentials("key", "secret"), "test_mode": True}
        public = "https://your.shop"
        names[name] = Verifier(store, checkout=Checkout(code), public_url=public, **keys)
    exec(BLOCKS[4], names)
    (call,) = re.findall(r"`(imp_verify_button\([^`]*)`", PAGE)
    with names["app"].test_request_context():
        button = render_template_string("{{ " + call + " }}", number="A-1")
    assert "imp00000002" in button
    assert '"m_redirect_url":"https://your.shop/us/payments/redirect"' in button
