"""The fixtures that tests of whole shops share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import pytest

from tests.support.arguments import VerifierArguments

from .gateway import ScriptedGateway, start
from .shop import LANDING, MakeShop, Shop, credentials

if TYPE_CHECKING:
    from .postgresql_shop import Postgresql

KINDS = ("flask-memory", "flask-sqlite", "starlette-memory", "starlette-sqlite")
ON_POSTGRESQL = ("flask-postgresql", "starlette-postgresql")


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
    """Framework and store, "flask-sqlite" for example."""
    return str(request.param)


@pytest.fixture(name="kind", params=[*KINDS, *ON_POSTGRESQL])
def kind_or_postgresql(request: pytest.FixtureRequest) -> str:
    """For test modules that import it: the stores on PostgreSQL too."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """This test process's database, made when it is first asked for."""
    from .postgresql_shop import postgresql_made  # not everywhere is SQLAlchemy installed

    with postgresql_made() as made:
        yield made


@pytest.fixture
def make_shop(
    request: pytest.FixtureRequest, gateway: ScriptedGateway, kind: str, tmp_path: Path
) -> Iterator[MakeShop]:
    """Make shops of this kind; in memory they are in test mode, in a database live."""
    shops: list[Shop] = []
    database: Postgresql | None = None
    if kind in ON_POSTGRESQL:
        database = made = request.getfixturevalue("postgresql")
        made.clear()

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
        if database is None:
            shops.append(Shop(gateway, framework, keeps, path, given))
        else:
            shops.append(database.shop(gateway, framework, keeps, path, given))
        return shops[-1]

    yield make
    gateway.over.set()
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop()
