"""One body for sync and async."""

from collections.abc import Iterator

import pytest

from tests.drivers.driving import Driver


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    made = Driver(request.param)
    yield made
    made.close()


@pytest.fixture
def asynchronous() -> Iterator[Driver]:
    made = Driver("async")
    yield made
    made.close()
