"""DjangoStore on a MariaDB whose default engine cannot roll back, and on one without its tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connections
from django.test import override_settings

from imp_verify import ConfigurationError, ExpectedPayment, Outcome, Settled
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.models import read_expected
from imp_verify.testing._harness import FIRST, ORDER, PRICE, paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import rows, run
from tests.support.django_databases import ALIASES, another, empty_database, need_alias

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
ASKED = ExpectedPayment(ORDER, PRICE)
TABLES = ["imp_changes", "imp_dues", "imp_orders", "imp_receipts", "imp_runs"]
NO_STORE = {"IMP_VERIFY": None}


@pytest.fixture(params=["MyISAM", "Aria"])
def using(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database, for sessions that make tables by this engine."""
    need_alias("mariadb")
    first = f"SET SESSION default_storage_engine={request.param}"
    with (
        empty_database("mariadb") as name,
        another("mariadb", {"NAME": name}, init_command=first) as using,
    ):
        yield using
    connections.close_all()


def migrate(using: str, *steps: str) -> None:
    call_command("migrate", "imp_verify", *steps, database=using, verbosity=0)


def engines(using: str) -> dict[str, str]:
    query = "SELECT table_name, engine FROM information_schema.tables WHERE table_name LIKE %s"
    return dict(run(using, query + " AND table_schema = DATABASE() ORDER BY 1", "imp\\_%"))


def found(using: str) -> list[str | None]:
    with override_settings(**NO_STORE):
        checked = run_checks(databases=[using])
    return [each.id for each in checked if each.id != "imp_verify.E001"]


def pay(using: str, called: list[Outcome]) -> Settled:
    store = DjangoStore(
        using=using,
        expected=lambda number, using: ASKED,
        on_paid=lambda outcome, using: called.append(outcome),
    )
    return store.settle(paid_outcome(FIRST, ASKED))


def test_the_migrations_pin_innodb_whatever_the_default_is(using: str) -> None:
    migrate(using)
    assert engines(using) == dict.fromkeys(TABLES, "InnoDB")
    assert found(using) == []
    assert pay(using, []) is Settled.NEW
    migrate(using, "zero")
    assert engines(using) == {}
    assert found(using) == []


def test_a_shop_that_has_other_tables_by_now_is_told_and_its_next_migrate_mends_them(
    using: str,
) -> None:
    called: list[Outcome] = []
    migrate(using, "0001")
    assert set(engines(using)) == set(TABLES) - {"imp_dues", "imp_runs"}
    assert "InnoDB" not in engines(using).values()
    assert found(using) == ["imp_verify.W009"]
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="ALTER TABLE imp_orders ENGINE=InnoDB"):
            pay(using, called)
    assert called == []
    assert rows("Receipt", using).count() == 0
    migrate(using)
    assert pay(using, called) is Settled.NEW
    assert len(called) == 1


def test_tables_that_were_altered_after_the_migrations_stop_the_checks(using: str) -> None:
    migrate(using)
    run(
        using,
        f"ALTER TABLE imp_changes ENGINE={run(using, 'SELECT @@default_storage_engine')[0][0]}",
    )
    assert found(using) == ["imp_verify.E009"]
    with override_settings(**NO_STORE), pytest.raises(SystemCheckError, match="imp_changes"):
        call_command("check", databases=[using])
    with pytest.raises(ConfigurationError, match=r"imp_changes \("):
        pay(using, [])


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> str:
    need_alias(request.param)
    return str(request.param)


def test_tables_that_were_not_migrated_are_named_with_what_to_run(alias: str) -> None:
    call_command("migrate", "imp_verify", "zero", database=alias, verbosity=0)
    where = "" if alias == "default" else f" --database {alias}"
    wanted = f"the store's tables are missing: run manage.py migrate{where}"
    store = DjangoStore(using=alias, expected=lambda number, using: ASKED)
    calls = (
        lambda: store.settle(paid_outcome(FIRST, ASKED)),
        lambda: store.hold(ASKED, FIRST),
        lambda: store.receipts([FIRST]),
    )
    for call in calls:
        with pytest.raises(DatabaseError) as caught:
            call()
        assert caught.value.__notes__ == [wanted]
    migrate(alias)
    assert calls[0]() is Settled.NEW
    connections.close_all()


def test_another_table_that_is_missing_is_the_shops_affair(alias: str) -> None:
    django_shops.empty(alias)

    def expected(number: str, using: str) -> None:
        run(using, "SELECT * FROM no_such_table")

    store = DjangoStore(using=alias, expected=expected)
    with pytest.raises(DatabaseError) as caught:
        store.expected(ORDER)
    assert not hasattr(caught.value, "__notes__")
    connections.close_all()


def test_the_databases_own_collation_pays_no_order_of_another_spelling() -> None:
    """MariaDB's usual one finds ORD-1 for ord-1: the row's own number tells them apart."""
    using = "mariadb"
    django_shops.empty(using)
    run(using, "CREATE TABLE folding (number VARCHAR(64) PRIMARY KEY, total INT)")
    try:
        run(using, "INSERT INTO folding VALUES ('ORD-1', %s)", PRICE)

        def expected(number: str, using: str) -> ExpectedPayment | None:
            found = run(using, "SELECT number, total FROM folding WHERE number = %s", number)
            return ExpectedPayment(*found[0]) if found else None

        shipped: list[Outcome] = []
        store = DjangoStore(
            using=using,
            expected=expected,
            on_paid=lambda outcome, using: shipped.append(outcome),
        )
        assert read_expected("ord-1", store.expected("ord-1")) is None  # no such order
        assert read_expected("ORD-1", store.expected("ORD-1")) == ExpectedPayment("ORD-1", PRICE)
        assert store.settle(paid_outcome(FIRST, ExpectedPayment("ord-1", PRICE))) is Settled.LATE
        assert shipped == []
    finally:
        run(using, "DROP TABLE folding")
        connections.close_all()
