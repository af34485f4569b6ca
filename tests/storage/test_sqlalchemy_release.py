"""What is promised of SQLAlchemy's releases is what is refused below, and what is tested."""

import tomllib
from pathlib import Path

import pytest

from imp_verify.stores import sqlalchemy as stores
from imp_verify.stores.sqlalchemy._release import OLDEST, OLDEST_ASYNC, too_old

ROOT = Path(__file__).parents[2]


def test_the_extras_promise_what_is_not_refused() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    assert extras["sqlalchemy"] == [f"sqlalchemy>={OLDEST}"]
    assert extras["sqlalchemy-async"] == [f"sqlalchemy[asyncio]>={OLDEST_ASYNC}"]
    assert f"sqlalchemy=={OLDEST}\n" in (ROOT / "tox.ini").read_text()


@pytest.mark.parametrize("found", ["2.0.9", "2.0.9+shop", "2.0.55", "2.1.0b1", "2.1.0", "3.0"])
def test_the_oldest_and_what_is_newer_will_do(found: str) -> None:
    assert not too_old(found, "2.0.9")


def test_an_older_sqlalchemy_than_the_async_store_needs_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "_found", "2.0.54")
    with pytest.raises(
        ImportError, match=r"needs SQLAlchemy 2.0.55 or newer, not 2.0.54"
    ) as caught:
        _ = stores.AsyncSqlAlchemyStore
    assert 'pip install "imp-verify[sqlalchemy-async]"' in str(caught.value)
