"""What DjangoStore tells about its database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connections

from imp_verify import ConfigurationError
from imp_verify.contrib.django.stores import DjangoStore
from tests.support.django_databases import ALIASES, another, empty_database, need_alias

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
TABLES = ("imp_orders", "imp_receipts", "imp_changes", "imp_dues", "imp_runs")


def store(using: str) -> DjangoStore:
    return DjangoStore(using=using, expected=lambda number, using: 39000, lock_timeout=3)


@pytest.fixture(params=["postgresql", "mariadb"])
def empty(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without a table."""
    alias = str(request.param)
    need_alias(alias)
    with empty_database(alias) as name, another(alias, {"NAME": name}) as using:
        yield using
    connections.close_all()


@pytest.mark.parametrize("using", ALIASES)
def test_a_database_that_is_migrated_is_good(using: str) -> None:
    need_alias(using)
    facts = store(using).facts()
    assert (facts.missing, facts.folding) == ((), ())
    assert facts.database.startswith({"default": "SQLite 3."}.get(using, using[:1].upper()))
    assert facts.lock_timeout == (30 if using == "default" else 3)


def test_one_that_is_not_lacks_the_tables(empty: str) -> None:
    assert store(empty).facts().missing == TABLES
    call_command("migrate", "imp_verify", database=empty, verbosity=0)
    assert store(empty).facts().missing == ()
    connection = connections[empty]
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE imp_changes ENGINE = MyISAM")
        with pytest.raises(ConfigurationError, match="imp_changes"):
            _ = store(empty).facts()


@pytest.mark.parametrize(
    ("changes", "looked_at"),
    [
        ({"CONN_MAX_AGE": 0}, None),
        ({"CONN_MAX_AGE": 60}, False),
        ({"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}, True),
    ],
)
def test_whether_connections_that_live_on_are_looked_at(
    changes: dict[str, object], looked_at: bool | None
) -> None:
    need_alias("postgresql")
    with another("postgresql", changes) as using:
        assert store(using).facts().checks_connections is looked_at
        connections[using].close()
