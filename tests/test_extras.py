"""What is said where a library is missing; run with and without the extras."""

import sys
from types import ModuleType

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


def forgotten(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let these be imported anew, and come back after the test."""
    for part in list(sys.modules):
        if any(part == name or part.startswith(f"{name}.") for name in names):
            monkeypatch.delitem(sys.modules, part)


@pytest.mark.parametrize("found", ["1.4.54", "2.0.8", "2.0.8+shop"])
def test_an_older_sqlalchemy_than_promised_is_refused_at_import(
    found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten(monkeypatch, "sqlalchemy", "imp_verify.stores.sqlalchemy")
    older = ModuleType("sqlalchemy")
    older.__version__ = found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sqlalchemy", older)
    with pytest.raises(ImportError, match=r"needs SQLAlchemy 2\.0\.9 or newer, not ") as caught:
        __import__("imp_verify.stores.sqlalchemy")
    assert found in str(caught.value)
    assert 'pip install "imp-verify[sqlalchemy]"' in str(caught.value)


@pytest.mark.parametrize(
    ("module", "missing", "said"),
    [
        ("imp_verify.demo", "flask", r"needs Flask and imp_verify.sandbox: .*imp-verify\[demo\]"),
        ("imp_verify.contrib.otel", "opentelemetry", r"needs the OpenTel.*: .*imp-verify\[otel\]"),
        ("imp_verify.transports.urllib3", "urllib3", r"needs urllib3: .*imp-verify\[urllib3\]"),
        ("imp_verify.transports.aiohttp", "aiohttp", r"needs aiohttp: .*imp-verify\[aiohttp\]"),
        ("imp_verify.transports.requests", "requests", r'needs requests: .*"imp-verify"'),
    ],
)
def test_what_else_is_missing_is_named_with_its_extra(
    module: str, missing: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten(monkeypatch, module, missing)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=said):
        __import__(module)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
@pytest.mark.parametrize("name", ["SandboxServer", "application"])
def test_the_sandboxs_server_names_its_extra_and_all_else_of_it_needs_none(
    missing: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imp_verify import sandbox

    forgotten(monkeypatch, "imp_verify.sandbox.server", "imp_verify.sandbox._http", missing)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"needs Starlette and uvicorn: .*imp-verify\[sandbox\]"):
        getattr(sandbox, name)
    assert sandbox.Sandbox().gateway.attempts() == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sandbox.nothing
