"""A running sandbox, and a shop's own module in the current folder, for the command as it is
typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imp_verify import cli
from imp_verify.sandbox import Account, Attempt, SandboxServer

SECRET = "the-secret-of-this-sh0p"
KEYS = {"IMP_KEY": "the-key-of-this-sh0p", "IMP_SECRET": SECRET}
MODULE = "shop_of_the_test"
SHOP = """
from imp_verify import AsyncVerifier, Credentials, ExpectedPayment, Verifier
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore

def expected(merchant_uid, db):
    if merchant_uid.startswith("BROKEN"):
        raise RuntimeError("the shop's own database is down: the-secret-of-this-sh0p")
    if merchant_uid.startswith("STOPPED"):
        raise KeyboardInterrupt
    if merchant_uid.startswith("CLOSED"):
        return ExpectedPayment(merchant_uid, 39000, open=False)
    if merchant_uid.startswith("CARD"):
        return ExpectedPayment(merchant_uid, 39000, pay_methods={"card"}, account="kr")
    return ExpectedPayment(merchant_uid, 39000) if merchant_uid.startswith("ORD") else None

store = SqliteStore("shop.db", expected=expected)

def plain(store=store, **given):
    return Verifier(store, **given)

def asynchronous(**given):
    return AsyncVerifier(store, **given)

def on_an_async_engine():
    from sqlalchemy.ext.asyncio import create_async_engine
    from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore
    async def asked(merchant_uid, db):
        return expected(merchant_uid, db)
    from sqlalchemy.pool import NullPool
    engine = create_async_engine("sqlite+aiosqlite:///async.db", poolclass=NullPool)
    return AsyncVerifier(AsyncSqlAlchemyStore(engine, expected=asked))

def in_memory():
    return plain(MemoryStore(expected=expected))

def several():
    import os
    mine = Credentials(os.environ["IMP_KEY"], os.environ["IMP_SECRET"])
    return plain(accounts={"kr": mine, "us": Credentials("other_key", "other_secret")})
"""


@dataclass
class Ran:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """Runs `imp-verify` in this process, and looks that no secret is printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str, app: str = "plain", language: str = "en") -> Ran:
        _ = self._capsys.readouterr()
        shop = ["--app", f"{MODULE}:{app}", "--language", language]
        status = cli.main([argv[0], *shop, *argv[1:]])
        out, err = self._capsys.readouterr()
        assert not [each for each in KEYS.values() if each in out + err]
        return Ran(status, out, err)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    accounts = (
        Account(KEYS["IMP_KEY"], SECRET),
        Account("other_key", "other_secret", "imp11111111"),
    )
    channels = {"test": ("tosspayments", True)}
    with SandboxServer(accounts=accounts, channels=channels) as server:
        yield server


@pytest.fixture
def shop(sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be in the shop's folder, with its environment."""
    (tmp_path / f"{MODULE}.py").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    for name, value in {**KEYS, "IMP_API_URL": sandbox.url}.items():
        monkeypatch.setenv(name, value)
    for name in ("IMP_TIER", "IMP_TEST_MODE", "IMP_PUBLIC_URL", "IMP_VERIFY_APP"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    _ = sys.modules.pop(MODULE, None)


def opened(sandbox: SandboxServer, order: str = "ORD-1001", **params: object) -> Attempt:
    """Open a payment window for 39,000 won, or for what is given."""
    code = params.pop("user_code", None)
    wanted = {"merchant_uid": order, "amount": 39000, **params}
    return sandbox.sandbox.gateway.open(wanted, user_code=None if code is None else str(code))


def paid(sandbox: SandboxServer, order: str = "ORD-1001", **params: object) -> str:
    return sandbox.sandbox.approve(opened(sandbox, order, **params).imp_uid).imp_uid
