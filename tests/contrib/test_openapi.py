"""The endpoints in OpenAPI: one description for every page, and the file."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from imp_verify import AsyncVerifier, ConfigurationError
from imp_verify.contrib.fastapi import payments
from imp_verify.contrib.openapi import document, paths
from imp_verify.stores.memory import MemoryStore
from tests.support.shop import credentials


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("accounts", [False, True])
def test_the_description_is_valid_in_both_versions(version: str, accounts: bool) -> None:
    made = document(accounts=accounts)
    assert made["openapi"] == "3.1.0"
    validate({**made, "openapi": version})


@pytest.mark.parametrize("accounts", [False, True])
def test_fastapis_page_has_this_very_description(accounts: bool) -> None:
    keys: dict[str, Any] = {"kr": credentials()} if accounts else {}
    given: dict[str, Any] = {"accounts": keys} if accounts else {"credentials": credentials()}
    store = MemoryStore(expected=lambda *_: None)
    app = FastAPI()
    router = payments(AsyncVerifier(store, test_mode=True, **given), name="second")
    app.include_router(router, prefix="/pay")
    assert app.openapi()["paths"] == paths("/pay", name="second", accounts=accounts)


@pytest.mark.parametrize(
    ("prefix", "path"), [("/", "/webhook"), ("/pay/", "/pay/webhook"), ("/a/b", "/a/b/webhook")]
)
def test_a_path_begins_with_the_prefix(prefix: str, path: str) -> None:
    assert path in paths(prefix)


@pytest.mark.parametrize("prefix", ["", "pay", "//pay", "/pay?x", "https://shop.test/pay"])
def test_a_prefix_that_is_no_path_is_refused(prefix: str) -> None:
    for make in (paths, document):
        with pytest.raises(ConfigurationError, match="prefix must be a path"):
            _ = make(prefix)


def test_what_a_shop_changes_is_changed_in_that_one_place() -> None:
    made = paths()
    forms = made["/payments/confirm"]["post"]["requestBody"]["content"]
    forms["application/json"]["schema"]["properties"]["amount"]["description"] = "Won."
    again = paths()["/payments/confirm"]["post"]["requestBody"]["content"]
    json_schema = again["application/json"]["schema"]
    assert json_schema["properties"]["amount"]["description"] != "Won."
    for form in forms.keys() - {"application/json"}:
        assert forms[form]["schema"] == json_schema


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "imp_verify.contrib.openapi", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60)


def test_the_command_prints_the_document_in_utf_8() -> None:
    done = run("--prefix", "/pay", "--name", "kr", "--accounts")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == document("/pay", name="kr", accounts=True)
    assert "위조된 결제시도".encode() in done.stdout


def test_the_command_refuses_a_prefix_that_is_no_path() -> None:
    done = run("--prefix", "pay")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"prefix must be a path" in done.stderr
