"""Fixtures for tests that need Django's databases. Imports Django only where one is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def django_servers() -> Iterator[None]:
    """Databases of this process's own, migrated."""
    from tests.storage.django_shops import databases

    with databases():
        yield


@pytest.fixture(scope="module")
def django_databases(django_servers: None) -> Iterator[None]:
    """The aliases default (SQLite), postgresql and mariadb."""
    from tests.support.django_databases import installed

    with installed():
        yield
