"""Shops and a gateway for this directory."""

from collections.abc import Iterator

import pytest

from tests.support.apps import Apps
from tests.support.fixtures import gateway, kind, make_shop, one_gateway, shop
from tests.support.gateway import ScriptedGateway

__all__ = ["apps", "gateway", "kind", "make_shop", "one_gateway", "shop"]


@pytest.fixture
def apps(gateway: ScriptedGateway) -> Iterator[Apps]:
    """Applications of the test's own, before a gateway that has the order's payment."""
    gateway.has()
    apps = Apps(gateway)
    yield apps
    gateway.over.set()
    apps.close()
