"""Shops and a gateway for this directory: in-process, and each adapter under real servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apps import Apps
from tests.support.fixtures import gateway, kind, make_shop, one_gateway, shop
from tests.support.gateway import ScriptedGateway
from tests.support.remote import SETUPS, Remote, run
from tests.support.shop import ASYNC, LANDING, PLAIN, Shop, credentials

__all__ = ["apps", "gateway", "kind", "make_shop", "one_gateway", "shop"]

# schemathesis is not installed there: see pyproject.toml.
collect_ignore = ["test_openapi_by_lot.py"] if sys.version_info < (3, 12) else []

# One process of the tests' runs all tests of a server, so that it is started once.
SERVED = [
    pytest.param(setup, marks=[pytest.mark.xdist_group(setup), pytest.mark.slow])
    for setup in SETUPS
]
Client = Shop | Remote


@pytest.fixture(scope="session", params=[*SERVED, *PLAIN, *ASYNC])
def place(
    request: pytest.FixtureRequest,
    one_gateway: ScriptedGateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Remote | str]:
    """A running shop, or the name of the adapter in whose place it is in-process."""
    if request.param not in SETUPS:
        yield request.param
        return
    one_gateway.reset()
    with run(request.param, one_gateway, tmp_path_factory.mktemp(request.param)) as remote:
        yield remote


@pytest.fixture
def client(place: Remote | str, gateway: ScriptedGateway, tmp_path: Path) -> Iterator[Client]:
    """A shop without any records, on every adapter in-process and under every server."""
    if isinstance(place, Remote):
        place.forget()
        yield place
        return
    shop = Shop(
        gateway,
        place,
        "memory",
        tmp_path / "shop.db",
        {
            "credentials": credentials(),
            "base_url": gateway.address,
            "test_mode": True,
            "landing": LANDING,
            "webhook_sources": ["203.0.113.0/24", "198.51.100.0/24"],
            "trusted_proxies": ["203.0.113.0/24"],
        },
    )
    yield shop
    gateway.over.set()
    shop.close()


@pytest.fixture
def remote(client: Client) -> Remote:
    """The same, for tests of servers alone."""
    assert isinstance(client, Remote)
    return client


@pytest.fixture
def apps(gateway: ScriptedGateway) -> Iterator[Apps]:
    """Applications of the test's own, before a gateway that has the order's payment."""
    gateway.has()
    apps = Apps(gateway)
    yield apps
    gateway.over.set()
    apps.close()
