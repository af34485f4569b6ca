"""The tables made by migrations, as the documents say: Alembic writes them, runs them, and finds
nothing left to do."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import alembic
import pytest
from sqlalchemy import inspect

from imp_verify import ExpectedPayment, Settled
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome
from tests.storage.old_tables import as_they_were
from tests.storage.sqlalchemy_shops import PLAIN_DRIVER, Place, plain_engine, url
from tests.support.databases import own_database

pytestmark = pytest.mark.slow
ALL = os.environ.get("IMP_VERIFY_ALL_STEPS") == "1"
ENVIRONMENT = """
from alembic import context
from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine

from imp_verify.stores import sqlalchemy as payments

mine = MetaData()
Table("orders", mine, Column("id", Integer, primary_key=True))
Index("shop_receipts_created", payments.metadata.tables["imp_receipts"].c.created_at)
engine = create_engine({url!r})
with engine.connect() as connection:
    context.configure(
        connection,
        target_metadata=[mine, payments.metadata],
        render_item=payments.render_item,
        sqlalchemy_module_prefix={prefix!r},
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""


@contextmanager
def empty(kind: str, folder: Path) -> Iterator[Place]:
    if kind == "sqlite":
        yield folder / "shop.db"
        return
    with own_database(kind) as address:
        yield address


def begin(folder: Path, where: Place, prefix: str) -> Path:
    """Make what `alembic init` makes, with an environment as a shop would write it."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    _ = (folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    template = Path(alembic.__file__).parent / "templates" / "generic" / "script.py.mako"
    sa = "import sqlalchemy as sa"
    text = template.read_text().replace(sa, f"import sqlalchemy\n{sa}")
    _ = (folder / "migrations" / "script.py.mako").write_text(text)
    kind = "sqlite" if isinstance(where, Path) else where.kind
    text = ENVIRONMENT.format(url=url(where, PLAIN_DRIVER[kind]), prefix=prefix)
    _ = (folder / "migrations" / "env.py").write_text(text)
    return versions


def run(folder: Path, *arguments: str) -> None:
    """Run the command in a process of its own, as it is typed."""
    command = [sys.executable, "-W", "error", "-m", "alembic", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("sqlite", "sqlalchemy."), *([("postgresql", "sa."), ("mysql", "sa.")] if ALL else [])],
)
def test_alembic_makes_the_tables_and_finds_them_as_they_are(
    kind: str, prefix: str, tmp_path: Path
) -> None:
    with empty(kind, tmp_path) as where:
        versions = begin(tmp_path, where, prefix)
        run(tmp_path, "revision", "--autogenerate", "-m", "payments")
        run(tmp_path, "upgrade", "head")
        run(tmp_path, "check")  # fails where something is left to do
        [migration] = versions.glob("*.py")
        assert "imp_verify" not in migration.read_text()
        engine = plain_engine(where)
        names = {each["name"] for each in inspect(engine).get_indexes("imp_receipts")}
        assert names == {"imp_receipts_order", "shop_receipts_created"}
        store = SqlAlchemyStore(engine, expected=lambda order, db: PRICE)
        outcome = paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE))
        assert [store.settle(outcome) for _ in range(2)] == [Settled.NEW, Settled.REPEATED]
        engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", *(["mysql"] if ALL else [])])
def test_alembic_adds_what_the_tables_of_0_1_lack(kind: str, tmp_path: Path) -> None:
    with empty(kind, tmp_path) as where:
        versions = begin(tmp_path, where, "sa.")
        as_they_were(where)
        run(tmp_path, "revision", "--autogenerate", "-m", "payments")
        [migration] = versions.glob("*.py")
        written = migration.read_text()
        assert "imp_dues" in written
        assert "imp_runs" in written
        assert "drop_table" not in written.partition("def downgrade")[0]
        run(tmp_path, "upgrade", "head")
        run(tmp_path, "check")
        engine = plain_engine(where)
        store = SqlAlchemyStore(engine, expected=lambda order, db: PRICE)
        outcome = paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE))
        assert store.settle(outcome) is Settled.REPEATED
        began = store.run("").began
        assert abs(began.timestamp() - time.time()) < 60
        second = paid_outcome(SECOND, ExpectedPayment(ORDER, PRICE))
        assert second.payment is not None
        payment = replace(second.payment, raw={"paid_at": int(time.time())})
        assert store.settle(replace(second, payment=payment)) is Settled.DUPLICATE
        assert [each.imp_uid for each in store.dues(None, 10)] == [SECOND]
        engine.dispose()
