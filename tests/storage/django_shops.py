"""A shop whose orders are in one of Django's databases, next to the store's own tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connections

from imp_verify import ExpectedPayment, Outcome
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.stores import in_thread
from imp_verify.testing import TrialShop
from tests.storage.shops import HOOKS, Hook
from tests.support import django_databases, django_site

assert django_site.urlpatterns  # the settings, also in a process that finds this module first
_TABLES = {
    "sqlite": (
        "CREATE TABLE orders (number TEXT PRIMARY KEY, total TEXT, open INT, currency TEXT)",
        "CREATE TABLE told (id INTEGER PRIMARY KEY, hook TEXT, change_key TEXT, number TEXT)",
    ),
    "postgresql": (
        "CREATE TABLE orders (number TEXT PRIMARY KEY, total TEXT, open INT, currency TEXT)",
        "CREATE TABLE told (id SERIAL PRIMARY KEY, hook TEXT, change_key TEXT, number TEXT)",
    ),
    "mysql": (
        """CREATE TABLE orders (number VARCHAR(64) COLLATE utf8mb4_nopad_bin PRIMARY KEY,
            total VARCHAR(40), open INT, currency VARCHAR(8))""",
        """CREATE TABLE told (id INT PRIMARY KEY AUTO_INCREMENT, hook VARCHAR(40),
            change_key VARCHAR(200), number VARCHAR(64) COLLATE utf8mb4_nopad_bin)""",
    ),
}


@contextmanager
def databases() -> Iterator[None]:
    """The databases that are at hand, migrated, with the shop's own tables."""
    with django_databases.made():
        with django_databases.installed():
            for alias in django_databases.configured():
                call_command("migrate", database=alias, verbosity=0)
                for statement in _TABLES[connections[alias].vendor]:
                    run(alias, statement)
        yield


def run(using: str, statement: Any, *values: object) -> list[Any]:
    """Run a statement. A test that asks a database whose server is not there is skipped."""
    django_databases.need_alias(using)
    with connections[using].cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


def rows(model: str, using: str) -> Any:
    """Give a query over one of the store's own tables: Order, Receipt or Change."""
    return apps.get_model("imp_verify", model).objects.using(using)


def empty(using: str) -> None:
    django_databases.need_alias(using)
    if not connections[using].in_atomic_block:
        connections[using].close()  # a test before may have had the server end it
    for model in apps.get_app_config("imp_verify").get_models():
        model.objects.using(using).all().delete()
    for table in ("orders", "told"):
        run(using, f"DELETE FROM {table}")


def expected(merchant_uid: str, using: str) -> ExpectedPayment | None:
    query = "SELECT number, total, currency, open FROM orders WHERE number = %s"
    for number, total, currency, is_open in run(using, query, merchant_uid):
        return ExpectedPayment(number, total, currency, open=is_open)
    return None


def tell(name: str, outcome: Outcome, using: str) -> None:
    """A hook: write down that it was called."""
    number = (outcome.merchant_uid or "").encode("utf-8", "replace").decode()
    statement = "INSERT INTO told (hook, change_key, number) VALUES (%s, %s, %s)"
    run(using, statement, name, outcome.key, number)


class DjangoShop(TrialShop):
    """Orders and hooks' rows in the store's own database. `hooks` takes the place of the usual."""

    def __init__(
        self, using: str, *, threaded: bool = False, options: Any = None, **hooks: Hook
    ) -> None:
        self.using = using
        usual: dict[str, Any] = {name: partial(self._hook, name) for name in HOOKS}
        settings: dict[str, Any] = {"expected": expected, **usual, **hooks, **(options or {})}
        self.django = DjangoStore(using=using, **settings)
        self.store = in_thread(self.django) if threaded else self.django
        self.reopen = partial(DjangoShop, using, threaded=threaded)

    def _hook(self, name: str, outcome: Outcome, using: str) -> None:
        tell(name, outcome, using)
        if name == "on_paid":
            self.half_done()

    def put(self, order: ExpectedPayment) -> None:
        self.delete(order.merchant_uid)
        values = (order.merchant_uid, f"{order.amount:f}", int(order.open), order.currency)
        run(self.using, "INSERT INTO orders VALUES (%s, %s, %s, %s)", *values)

    def delete(self, merchant_uid: str) -> None:
        run(self.using, "DELETE FROM orders WHERE number = %s", merchant_uid)

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        query = "SELECT change_key FROM told WHERE hook = 'on_paid' AND number = %s"
        return [key.partition(":")[0] for (key,) in run(self.using, query, merchant_uid)]

    def told(self) -> Sequence[tuple[str, str]]:
        return run(self.using, "SELECT hook, change_key FROM told ORDER BY id")

    def read(self, query: str) -> list[Any]:
        return run(self.using, query)

    def kept(self) -> tuple[int, ...]:
        """Count rows: hooks', receipts, paid orders, changes."""
        paid = rows("Order", self.using).filter(was_paid=True)
        rest = (rows("Receipt", self.using), paid, rows("Change", self.using))
        return len(self.told()), *(each.count() for each in rest)

    def close(self) -> None:
        connections.close_all()
