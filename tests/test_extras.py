"""What is said where a library is missing; run with and without the extras."""

import sys

import pytest

from imp_verify import AsyncVerifier, ConfigurationError, Credentials
from imp_verify.stores.memory import MemoryStore

KEYS = Credentials("key", "secret")


def test_an_async_verifier_without_an_async_client_says_so_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for client in ("httpx", "httpx2"):
        monkeypatch.setitem(sys.modules, client, None)
    store = MemoryStore(expected=lambda order, _: 39000)
    with pytest.raises(ConfigurationError, match=r"imp-verify\[async\]"):
        _ = AsyncVerifier(store, credentials=KEYS, test_mode=True)


@pytest.mark.parametrize("name", ["flask", "quart", "starlette", "fastapi", "django"])
def test_an_adapter_without_its_framework_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    for part in list(sys.modules):
        if part.startswith((f"{name}.", f"imp_verify.contrib.{name}")):
            monkeypatch.setitem(sys.modules, part, None)
    monkeypatch.delitem(sys.modules, f"imp_verify.contrib.{name}", raising=False)
    with pytest.raises(ImportError, match=rf"imp-verify\[{name}\]"):
        __import__(f"imp_verify.contrib.{name}")


def test_the_middleware_without_werkzeug_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in list(sys.modules):
        if part.startswith("werkzeug."):
            monkeypatch.delitem(sys.modules, part)
    monkeypatch.setitem(sys.modules, "werkzeug", None)
    monkeypatch.delitem(sys.modules, "imp_verify.contrib.wsgi", raising=False)
    with pytest.raises(ImportError, match=r"imp-verify\[wsgi\]"):
        __import__("imp_verify.contrib.wsgi")


def test_a_store_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in list(sys.modules):
        if part.startswith(("sqlalchemy", "imp_verify.stores.sqlalchemy")):
            monkeypatch.delitem(sys.modules, part)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ImportError, match=r"imp-verify\[sqlalchemy\]"):
        __import__("imp_verify.stores.sqlalchemy")
