"""docs/virtual-accounts.md: its shop, as it stands, from an account's issue to each of its ends."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string

from imp_verify import Checkout, GatewayRefused, Reason, Settled, Verifier
from imp_verify.cli._commands import commands
from imp_verify.contrib.flask import payments
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import FakeGateway

PAGE = Path(__file__).parents[2] / "docs" / "virtual-accounts.md"
text = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
TABLE = """CREATE TABLE orders (number TEXT PRIMARY KEY, total INTEGER, state TEXT, due REAL);
INSERT INTO orders VALUES ('A-1', 39000, 'new', NULL), ('A-2', 39000, 'new', NULL)"""


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect("shop.db")
    with db:
        yield db
    db.close()


class Shop:
    def __init__(self) -> None:
        with connect() as db:
            db.executescript(TABLE)
        self.sent: list[str] = []
        self.told: list[tuple[str, Any]] = []
        self.names: dict[str, Any] = {"connect": connect, "send": self.sent.append}
        for block in BLOCKS:
            exec(compile(block, str(PAGE), "exec"), self.names)
        self.gateway = FakeGateway()
        hooks = dict.fromkeys(re.findall(r"`(on_\w+)`", text))
        written = {"on_virtual_account": "account_issued", "on_paid": "paid"}
        given: Any = {
            name: self.noting(name, self.names.get(written.get(name, ""))) for name in hooks
        }
        self.store = SqliteStore("shop.db", expected=self.names["expected"], **given)
        self.verifier = self.names["verifier"] = Verifier(
            self.store,
            transport=self.gateway.transport,
            credentials=self.gateway.credentials,
            checkout=Checkout("imp00000000"),
            public_url="https://your.shop",
        )

    def noting(self, name: str, hook: Any) -> Any:
        def noted(outcome: Any, db: Any) -> object:
            self.told.append((name, outcome))
            return hook(outcome, db) if hook else None

        return noted

    def issue(self, number: str = "A-1") -> Any:
        account = self.gateway.issue(self.gateway.open(number, 39000, pay_method="vbank"))
        self.ask(account)
        return account

    def ask(self, payment: Any) -> Any:
        return self.verifier.verify(payment.imp_uid, payment.merchant_uid)

    def state(self, number: str = "A-1") -> tuple[str, float | None]:
        with connect() as db:
            row = db.execute("SELECT state, due FROM orders WHERE number = ?", (number,))
            state, due = row.fetchone()
        return state, due


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    shop = Shop()
    yield shop
    shop.verifier.close()
    shop.store.close()


def rows() -> list[list[str]]:
    """What the page's table says: what happens, status, verdict, hook."""
    found = re.findall(r"^\| ([a-z].*) \|$", text, re.MULTILINE)
    return [row.split(" | ") for row in found if not row.startswith("what happens")]


def check(shop: Shop, happens: str, outcome: Any) -> None:
    """Hold the newest call of a hook against the row that begins so."""
    [row] = [row for row in rows() if row[0].startswith(happens)]
    name, told = shop.told[-1]
    assert f"`{outcome.payment.status}`" in row[1]
    assert f"`{outcome.verdict.name}`" in row[2]
    assert f"`{name}`" in row[3]
    assert told.imp_uid == outcome.imp_uid


def test_an_account_is_issued_and_paid_into(shop: Shop) -> None:
    account = shop.issue()
    check(shop, "account issued", shop.ask(account))
    issued = shop.told[0][1].payment
    assert shop.state() == ("waiting", issued.vbank_date.timestamp())
    assert shop.sent == [f"{issued.vbank_name} {issued.vbank_num}, 39000 KRW"]
    shop.gateway.deposit(account)
    check(shop, "the buyer pays", shop.ask(account))
    assert shop.state()[0] == "paid"
    assert [name for name, _ in shop.told] == ["on_virtual_account", "on_paid"]


def test_a_second_deposit_and_one_after_the_end_are_handed_on(shop: Shop) -> None:
    first, second, third = shop.issue(), shop.issue(), shop.issue("A-2")
    shop.gateway.deposit(first)
    shop.ask(first)
    shop.gateway.deposit(second)
    check(shop, "a deposit for an order that is paid", shop.ask(second))
    with connect() as db:
        db.execute("UPDATE orders SET state = 'expired' WHERE number = 'A-2'")
    shop.gateway.deposit(third)
    check(shop, "a deposit after the order was closed", shop.ask(third))


@pytest.mark.parametrize("becomes", ["failed", "cancelled"])
def test_an_account_that_is_given_up_is_handed_on(shop: Shop, becomes: str) -> None:
    account = shop.issue()
    shop.gateway.edit(account, status=becomes)
    check(shop, "the account is given up", shop.ask(account))


@pytest.mark.parametrize("becomes", ["ready", "cancelled"])
def test_a_deposit_that_is_taken_back_is_handed_on(shop: Shop, becomes: str) -> None:
    account = shop.issue()
    shop.gateway.deposit(account)
    shop.ask(account)
    changes: dict[str, Any] = {"paid_at": 0} if becomes == "ready" else {}
    if becomes == "cancelled":
        shop.gateway.cancel(account)
    else:
        shop.gateway.edit(account, status=becomes, **changes)
    outcome = shop.ask(account)
    check(shop, "the bank takes the deposit back", outcome)
    assert (outcome.reason is Reason.WENT_BACK) is (becomes == "ready")


def test_orders_are_closed_a_day_after_the_date_but_not_before_the_gateway_was_asked(
    shop: Shop,
) -> None:
    told, missed = shop.issue(), shop.issue("A-2")
    shop.gateway.deposit(missed)  # and no webhook arrives
    due = shop.state()[1]
    assert due is not None
    day = timedelta(days=1).total_seconds()
    shop.names["close_overdue"](due + day)
    assert [shop.state(number)[0] for number in ("A-1", "A-2")] == ["waiting", "waiting"]
    shop.names["close_overdue"](due + day + 60)
    assert [shop.state(number)[0] for number in ("A-1", "A-2")] == ["expired", "paid"]
    assert shop.ask(told).settled is Settled.LATE


def test_a_deposit_goes_back_to_an_account_that_the_buyer_names(shop: Shop) -> None:
    account = shop.issue()
    shop.gateway.deposit(account)
    shop.ask(account)
    with pytest.raises(GatewayRefused):
        shop.verifier.cancel(account.imp_uid, reason="buyer's wish")
    form = {"holder": "Hong Gildong", "bank": "88", "account": "110123456789"}
    check(shop, "the deposit is given back", shop.names["refund"](account.imp_uid, form))


def test_an_account_without_an_amount_pays_nothing(shop: Shop) -> None:
    account = shop.gateway.make("A-1", 0, status="ready", pay_method="vbank")
    outcome = shop.ask(account)
    assert (outcome.verdict, outcome.reason) == ("pending", Reason.UNLIMITED_ACCOUNT)


def test_the_button_says_that_an_account_waits_and_takes_a_date(shop: Shop) -> None:
    (call,) = re.findall(r"`(imp_verify_button\([^`]*)`", text)
    shop.issue()
    app = Flask("shop")
    app.register_blueprint(payments(shop.verifier), url_prefix="/payments")
    with app.test_request_context():
        button = render_template_string("{{ " + call + " }}", number="A-1")
    assert 'class="imp-verify-waits"' in button
    assert '"vbank_due":"2026-12-31"' in button


def test_the_line_for_the_shell_is_one_of_the_command() -> None:
    [line] = re.findall(r"^\$ imp-verify (.*)$", text, re.MULTILINE)
    name, *options = shlex.split(line)
    made = commands.commands[name].make_context(name, options)
    assert made.params["holder"] == "Hong Gildong"
