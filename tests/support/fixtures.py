"""The fixtures that tests of whole shops share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

import pytest

from imp_verify._configuration import VerifierArguments

from .gateway import ScriptedGateway, start
from .shop import LANDING, MakeShop, Shop, credentials

KINDS = ("flask-memory", "flask-sqlite", "starlette-memory", "starlette-sqlite")


@pytest.fixture(scope="session")
def one_gateway() -> Iterator[ScriptedGateway]:
    gateway, stop = start()
    yield gateway
    stop()


@pytest.fixture
def gateway(one_gateway: ScriptedGateway) -> Iterator[ScriptedGateway]:
    one_gateway.reset()
    yield one_gateway
    one_gateway.over.set()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Framework and store, "flask-sqlite" for one."""
    return str(request.param)


@pytest.fixture
def make_shop(gateway: ScriptedGateway, kind: str, tmp_path: Path) -> Iterator[MakeShop]:
    """Make shops of this kind; in memory they are in test mode, on SQLite live."""
    shops: list[Shop] = []

    def make(**arguments: Unpack[VerifierArguments]) -> Shop:
        framework, _, keeps = kind.partition("-")
        given: VerifierArguments = {
            "credentials": credentials(),
            "base_url": gateway.address,
            "test_mode": keeps == "memory",
            "landing": LANDING,
            **arguments,
        }
        path = tmp_path / f"shop-{len(shops)}.db"
        shops.append(Shop(gateway, framework, keeps, path, given))
        return shops[-1]

    yield make
    gateway.over.set()
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop()
