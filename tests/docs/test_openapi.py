"""The Flask shop of docs/openapi.md and its command are run as they stand; its settings for Django
are, in a project, in tests/contrib/test_django_openapi.py."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import flask_smorest
import pytest
from apispec import APISpec
from flask import Flask
from openapi_spec_validator import validate

from imp_verify import Verifier
from imp_verify.contrib.flask import payments
from imp_verify.contrib.openapi import document, paths
from imp_verify.stores.memory import MemoryStore
from tests.support.shop import credentials

TEXT = (Path(__file__).parents[2] / "docs" / "openapi.md").read_text(encoding="utf-8")
_, AS_A_ROUTE, IN_SMOREST = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def app() -> Flask:
    app = Flask("shop")
    store = MemoryStore(expected=lambda *_: None)
    verifier = Verifier(store, credentials=credentials(), test_mode=True)
    app.register_blueprint(payments(verifier), url_prefix="/payments")
    return app


def test_a_flask_shop_has_the_document_on_a_route_of_its_own(app: Flask) -> None:
    exec(AS_A_ROUTE, {"app": app})
    assert app.test_client().get("/payments/openapi.json").json == document("/payments")


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_flask_smorests_document_has_the_endpoints_beside_the_shops_own(
    app: Flask, version: str
) -> None:
    app.config.update(
        API_TITLE="The shop",
        API_VERSION="1",
        OPENAPI_VERSION=version,
        OPENAPI_URL_PREFIX="/",
    )
    exec(IN_SMOREST, {"app": app})
    orders = flask_smorest.Blueprint("orders", "orders")
    orders.add_url_rule("/orders", view_func=lambda: {}, endpoint="all")
    flask_smorest.Api(app).register_blueprint(orders)
    page = app.test_client().get("/openapi.json").json
    assert page is not None
    validate(page)
    own = page["paths"].pop("/orders")
    assert list(own) == ["get"]
    assert (page["openapi"], page["paths"]) == (version, paths("/payments"))


def test_apispec_alone_takes_the_same(app: Flask) -> None:
    (call,) = re.findall(r"`(APISpec\(.*\))`\)", TEXT)
    given = call.replace("...", "'The shop', '1', '3.1.0'")
    spec = eval(given, {"APISpec": APISpec, "paths": paths})
    _ = spec.path("/own", operations={"get": {"responses": {}}})
    assert spec.to_dict()["paths"].keys() == {"/own", *paths("/payments")}


def test_the_documented_command_writes_the_file(tmp_path: Path) -> None:
    (line,) = re.findall(r"^\$ python (.*) > openapi.json$", TEXT, re.MULTILINE)
    with (tmp_path / "openapi.json").open("wb") as file:
        command = [sys.executable, *shlex.split(line)]
        _ = subprocess.run(command, stdout=file, check=True, timeout=60)
    assert json.loads((tmp_path / "openapi.json").read_bytes()) == document("/payments")


def test_the_page_documents_the_functions_as_they_are() -> None:
    (signature,) = re.findall(r"^`paths(\(.*?\))` gives", TEXT, re.MULTILINE)
    given = eval(f"lambda {signature[1:-1]}: 0")
    for function in (paths, document):
        assert function.__defaults__ == given.__defaults__
        assert function.__kwdefaults__ == given.__kwdefaults__
        assert function.__code__.co_varnames[:3] == given.__code__.co_varnames
