"""The endpoints in the schema that drf-spectacular makes of a Django project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.urls import include, path, set_script_prefix
from openapi_spec_validator import validate

from imp_verify import ConfigurationError, Verifier
from imp_verify.contrib.django.openapi import add_payments
from imp_verify.contrib.openapi import paths
from imp_verify.stores.memory import MemoryStore
from tests.support import django_site as site
from tests.support.shop import credentials

PAGE = Path(__file__).parents[2] / "docs" / "openapi.md"
STORE = MemoryStore(expected=lambda *_: None)


PATTERNS = [
    path("<slug:shop>/pay/", include("imp_verify.contrib.django.urls")),
    path("own", site.own),
]
elsewhere = type("elsewhere", (), {"urlpatterns": PATTERNS})


def added(**settings: Any) -> dict[str, Any]:
    """Return the paths of a schema with one of its own, once the hook has been there."""
    schema: dict[str, Any] = {"paths": {"/own": {}}}
    with override_settings(**{"IMP_VERIFY": {"STORE": STORE}, **settings}):
        result = add_payments(result=schema, generator=None, request=None, public=True)
    made = dict(result["paths"])
    assert made.pop("/own") == {}
    return made


def test_the_hook_adds_the_endpoints_where_they_are_mounted() -> None:
    assert added() == paths("/pay")


def test_a_schemas_paths_begin_where_the_application_is_mounted() -> None:
    set_script_prefix("/shop/")
    try:
        assert added() == paths("/pay")
    finally:
        set_script_prefix("/")


def test_a_shop_with_accounts_says_that_the_order_must_be_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMP_KEY", raising=False)
    whole = {"STORE": STORE, "ACCOUNTS": {"kr": {"key": "a", "secret": "b"}}}
    assert added(IMP_VERIFY=whole) == paths("/pay", accounts=True)
    verifier = Verifier(STORE, accounts={"kr": credentials()}, test_mode=True)
    assert added(IMP_VERIFY={"VERIFIER": verifier}) == paths("/pay", accounts=True)


def test_what_the_schema_cannot_say_is_refused_with_what_to_do() -> None:
    for urls in (site.nothing, elsewhere):
        with pytest.raises(ConfigurationError, match="the payments need"):
            _ = added(ROOT_URLCONF=urls)
    with pytest.raises(ConfigurationError, match="IMP_VERIFY must be a dictionary"):
        _ = added(IMP_VERIFY=None)


URLS = """
from django.urls import include
from drf_spectacular.views import SpectacularAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

class Orders(APIView):
    def get(self, request): ...

urlpatterns += [
    path("orders", Orders.as_view()),
    path("schema", SpectacularAPIView.as_view()),
    path("newer", SpectacularAPIView.as_view(custom_settings={"OAS_VERSION": "3.1.0"})),
    path("payments/", include("imp_verify.contrib.django.urls")),
]
"""
SETTINGS = """
INSTALLED_APPS += ["rest_framework", "drf_spectacular", "imp_verify.contrib.django"]
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
IMP_VERIFY = {"STORE": "imp_verify.stores.memory.MemoryStore"}
"""
ASK = """
import django
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("spectacular", "--validate", "--format", "openapi-json", "--file", "command.json")
for path in ("schema", "newer"):
    with open(f"{path}.json", "wb") as file:
        file.write(Client(SERVER_NAME="localhost").get(f"/{path}?format=json").content)
"""


@pytest.mark.slow
def test_drf_spectaculars_command_and_its_view_have_the_endpoints(tmp_path: Path) -> None:
    (documented,) = re.findall(
        r"```python\n(SPECTACULAR_SETTINGS.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    call_command("startproject", "project", str(tmp_path))
    for name, text in ("urls", URLS), ("settings", SETTINGS + documented):
        with (tmp_path / f"project/{name}.py").open("a", encoding="utf-8") as file:
            _ = file.write(text)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IMP_KEY")}
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for name, version in ("command", "3.0.3"), ("schema", "3.0.3"), ("newer", "3.1.0"):
        schema = json.loads((tmp_path / f"{name}.json").read_bytes())
        validate(schema)
        assert schema["openapi"] == version
        own = {"/orders", "/schema", "/newer"}
        assert own < schema["paths"].keys()
        assert {k: v for k, v in schema["paths"].items() if k not in own} == paths("/payments")
