"""docs/migrating.md: old orders fare as it says, and the calls that it names exist."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from imp_verify import Checkout, ExpectedPayment, Outcome, Verdict, Verifier
from imp_verify.cli._commands import commands
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import FakeGateway
from tests.clients import npm_table, pypi_table

TEXT = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


class Shop:
    """A shop whose old code marked its orders, and a new store beside it."""

    def __init__(self, path: Path) -> None:
        self.gateway = FakeGateway()
        self.late: list[str | None] = []
        self.shipped: list[str | None] = []
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE orders (number TEXT, total INT, state TEXT, imp_uid TEXT)")
        self.path = path
        self.store = SqliteStore(
            path, expected=self.expected, on_paid=self.ship, on_late=self.note_late
        )
        self.verifier = Verifier(
            self.store, transport=self.gateway.transport, credentials=self.gateway.credentials
        )
        self.store.receipts([])  # the store begins

    @staticmethod
    def expected(number: str, db: sqlite3.Connection) -> ExpectedPayment | None:
        found = db.execute("SELECT number, total, state FROM orders WHERE number = ?", (number,))
        row = found.fetchone()
        return row and ExpectedPayment(row[0], row[1], open=row[2] == "new")

    def ship(self, outcome: Outcome, db: sqlite3.Connection) -> None:
        self.shipped.append(outcome.merchant_uid)

    def note_late(self, outcome: Outcome, db: sqlite3.Connection) -> None:
        self.late.append(outcome.merchant_uid)

    def sold_by_the_old_code(self, number: str) -> str:
        paid = self.gateway.pay(number, 39000)
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("INSERT INTO orders VALUES (?, 39000, 'paid', ?)", (number, paid.imp_uid))
        return paid.imp_uid

    def dues(self) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            [count] = db.execute("SELECT count(*) FROM imp_dues WHERE done IS NULL").fetchone()
        return int(count)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    shop = Shop(tmp_path / "shop.db")
    yield shop
    shop.verifier.close()
    shop.store.close()


def test_an_old_order_is_late_until_it_is_adopted_as_the_page_shows(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (shop.sold_by_the_old_code(number) for number in ("ORD-1", "ORD-2"))
    assert shop.verifier.verify(one, "ORD-1").verdict is Verdict.LATE
    assert shop.dues() == 1
    code = blocks("python")[0]
    for _ in range(2):  # it may be repeated
        exec(code, {"verifier": shop.verifier})
        assert capsys.readouterr().out == ""
        assert shop.dues() == 0
        for imp_uid, number in ((one, "ORD-1"), (other, "ORD-2")):
            assert shop.verifier.verify(imp_uid, number).paid
    assert (shop.late, shop.shipped) == (["ORD-1"], [])


def test_what_is_not_adopted_is_printed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    refunded = shop.sold_by_the_old_code("ORD-3")
    shop.gateway.cancel(refunded)
    exec(blocks("python")[0], {"verifier": shop.verifier})
    assert capsys.readouterr().out == f"ORD-3 {refunded} cancelled None\n"


def test_the_checkout_of_the_page_names_its_own_webhook() -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[1], names)
    made = names["checkout"]
    assert isinstance(made, Checkout)
    assert made.notice_urls == ("https://your.shop/payments/webhook",)


def test_the_commands_of_the_page_are_taken_as_they_stand() -> None:
    [block] = blocks("console")
    lines = block.split("$ imp-verify ")[1:]
    assert len(lines) == 3
    for line in lines:
        name, *given = line.split()
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        command.make_context(name, given)


def test_the_verifiers_methods_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"verifier\.(\w+)\(", TEXT))
    assert named >= {"verify", "payment", "payments_of", "cancel", "prepare", "adopt"}
    assert [each for each in named if not callable(getattr(Verifier, each, None))] == []


def test_the_clients_calls_that_the_page_names_are_their_own() -> None:
    tables: dict[str, Sequence[tuple[str, Any, Any]]] = {
        "iamport-rest-client": pypi_table.REST_CLIENT,
        "async-iamport": pypi_table.ASYNC_CLIENT,
        "iamporter": pypi_table.IAMPORTER,
        "npm": [*npm_table.IAMPORT, *npm_table.IAMPORTER],
    }
    calls = {name: {each[0] for each in table} for name, table in tables.items()}
    every: set[str] = set().union(*calls.values())
    section = TEXT.partition("## From a client library")[2].partition("\n- ")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| ", section, re.MULTILINE)
    assert len(rows) >= 10
    for cell, where in rows:
        for call in re.findall(r"`([\w.]+)", cell):
            assert call in every, call
            named = [name for name in calls if name in where]
            if len(named) == 1 and "npm" not in where:
                assert call in calls[named[0]], (call, where)
