"""docs/hooks.md: its shop, as it stands, meets everything that calls a hook."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from imp_verify import AsyncVerifier, InvalidRequest, Reason, Verdict, Verifier
from imp_verify.sandbox.errors import Refused
from imp_verify.stores._hooks import AsyncHookArguments, HookArguments
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore
from imp_verify.testing import FakeGateway

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"
HOOKS = [*HookArguments.__annotations__]
TABLES = """
CREATE TABLE orders (number TEXT PRIMARY KEY, total INTEGER, state TEXT DEFAULT 'new');
CREATE TABLE stock (quantity INTEGER);
CREATE TABLE notes (text TEXT);
CREATE TABLE holds (imp_uid TEXT PRIMARY KEY, until REAL);
INSERT INTO stock VALUES (9);
"""


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


class Shop:
    """The page's shop on a file, its gateway, and every outcome that a hook of it got."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.told: list[tuple[str, Any]] = []
        names: dict[str, Any] = {"send": self.sent.append}
        *parts, together, _ = blocks()
        for part in parts:
            exec(compile(part, str(PAGE), "exec"), names)
        given = dict(re.findall(r"(on_\w+)=(\w+)", together))
        assert [*given] == HOOKS
        for hook, function in given.items():
            names[function] = self.noting(hook, names[function])
        with sqlite3.connect("shop.db") as db:
            db.executescript(TABLES)
        db.close()
        exec(compile(together, str(PAGE), "exec"), names)
        self.store = names["store"]
        self.store.create_all()  # its beginning: what was paid before is not due
        self.gateway = FakeGateway()
        asks: Any = {
            "transport": self.gateway.transport,
            "credentials": self.gateway.credentials,
            "timeout": 60,  # what is given back needs time to be left
        }
        self.verifier = Verifier(self.store, **asks)

    def noting(self, name: str, hook: Any) -> Any:
        def noted(outcome: Any, db: Any) -> object:
            self.told.append((name, outcome))
            return hook(outcome, db)

        return noted

    def do(self, statement: str, *values: object) -> list[Any]:
        db = sqlite3.connect("shop.db")
        with db:
            rows = db.execute(statement, values).fetchall()
        db.close()
        return rows

    def order(self, number: str) -> str:
        self.do("INSERT INTO orders (number, total) VALUES (?, 39000)", number)
        return number

    def state(self, number: str) -> str:
        [(state,)] = self.do("SELECT state FROM orders WHERE number = ?", number)
        return str(state)

    def notes(self) -> list[str]:
        return [row[0] for row in self.do("SELECT text FROM notes")]

    def ask(self, payment: Any) -> Any:
        return self.verifier.verify(payment.imp_uid, payment.merchant_uid)

    def pay(self, number: str, amount: int = 39000, **how: Any) -> Any:
        payment = self.gateway.pay(number, amount, **how)
        self.ask(payment)
        return payment


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    shop = Shop()
    yield shop
    shop.verifier.close()
    shop.store.close()


def columns(hook: str) -> list[str]:
    """The hook's row in the table of what `outcome` carries."""
    [row] = re.findall(rf"^\| `{hook}` \| (`[A-Z].*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [each.strip() for each in row.split("|")]


def check(hook: str, outcome: Any) -> None:
    """Hold an outcome against the hook's row."""
    verdict, settled, reason, money = columns(hook)
    assert f"`{outcome.verdict.name}`" in verdict
    assert f"`{outcome.settled.name}`" in settled
    if outcome.reason is None:
        assert reason == "" or "none" in reason
    else:
        assert f"`{outcome.reason.name}`" in reason or reason == "always"
    assert money == "either" or outcome.money is (money == "yes")


def test_the_page_has_every_hook_in_both_tables_and_under_a_heading() -> None:
    page = PAGE.read_text("utf-8")
    assert re.findall(r"^\| \[`(on_\w+)`\]", page, re.MULTILINE) == HOOKS
    assert re.findall(r"^### (on_\w+)$", page, re.MULTILINE) == HOOKS
    assert [hook for hook in HOOKS if len(columns(hook)) == 4] == HOOKS
    assert [*AsyncHookArguments.__annotations__] == HOOKS


def test_a_payment_is_handed_on_once_and_its_refunds_part_by_part(shop: Shop) -> None:
    paid = shop.pay(shop.order("A-1"))
    shop.ask(paid)
    assert shop.state("A-1") == "paid"
    assert shop.sent == ["A-1: thank you"]
    assert shop.told[0][1].key == f"{paid.imp_uid}:paid"
    shop.gateway.cancel(paid, 9000)
    shop.ask(paid)
    shop.ask(paid)
    assert shop.notes() == ["A-1: 9000 given back"]
    assert shop.told[1][1].payment.remaining == 30000
    shop.gateway.cancel(paid)
    shop.ask(paid)
    assert shop.state("A-1") == "cancelled"
    assert [name for name, _ in shop.told] == ["on_paid", "on_partly_cancelled", "on_cancelled"]
    assert shop.told[2][1].payment.cancel_amount == 39000
    for told in shop.told:
        check(*told)


def test_a_part_given_back_before_the_first_notice_comes_right_after_on_paid(shop: Shop) -> None:
    paid = shop.gateway.pay(shop.order("A-1"), 39000)
    shop.gateway.cancel(paid, 9000)
    shop.ask(paid)
    assert [name for name, _ in shop.told] == ["on_paid", "on_partly_cancelled"]


def test_what_cannot_be_served_is_late_and_goes_back_and_the_order_is_free(shop: Shop) -> None:
    shop.do("UPDATE stock SET quantity = 0")
    other = shop.gateway.open(shop.order("A-1"), 39000)
    paid = shop.pay("A-1")
    assert shop.gateway.payment(paid).cancel_amount == 39000
    assert shop.notes() == ["A-1: could not be served"]
    assert shop.state("A-1") == "new"
    assert shop.told[-1][1].reason is Reason.REFUSED
    check(*shop.told[-1])
    with pytest.raises(Refused):
        shop.gateway.open("A-1", 39000)
    shop.do("UPDATE stock SET quantity = 1")
    shop.ask(shop.gateway.approve(other))
    assert shop.state("A-1") == "paid"


def test_an_account_is_handed_on_and_so_is_its_end(shop: Shop) -> None:
    account = shop.gateway.issue(shop.gateway.open(shop.order("A-1"), 39000, pay_method="vbank"))
    shop.ask(account)
    issued = shop.told[0][1]
    assert shop.sent == [f"{issued.payment.vbank_name} {issued.payment.vbank_num}: 39000"]
    assert shop.state("A-1") == "waiting"
    shop.gateway.edit(account, status="cancelled")
    shop.ask(account)
    assert shop.state("A-1") == "new"
    assert [name for name, _ in shop.told] == ["on_virtual_account", "on_cancelled"]
    for told in shop.told:
        check(*told)


def test_an_attempt_that_failed_is_handed_on_where_nobody_else_pays(shop: Shop) -> None:
    failed = shop.gateway.decline(shop.gateway.open(shop.order("A-1"), 39000))
    shop.ask(failed)
    shop.ask(failed)
    assert shop.notes() == [f"A-1: {shop.told[0][1].payment.fail_reason}"]
    check(*shop.told[0])
    other = shop.gateway.open("A-1", 39000)
    shop.pay("A-1")
    shop.ask(shop.gateway.decline(other))
    assert [name for name, _ in shop.told] == ["on_failed", "on_paid"]


def test_a_second_payment_and_one_that_comes_too_late_are_handed_on(shop: Shop) -> None:
    second = shop.gateway.open(shop.order("A-1"), 39000)
    first = shop.pay("A-1")
    shop.ask(shop.gateway.approve(second))
    shop.order("A-2")
    shop.do("UPDATE orders SET state = 'gone' WHERE number = 'A-2'")
    shop.pay("A-2")
    assert shop.notes() == [
        f"give {second.imp_uid} back: A-1 is paid by {first.imp_uid}",
        "A-2: paid after it was closed",
    ]
    assert [name for name, _ in shop.told[1:]] == ["on_duplicate", "on_late"]
    for told in shop.told:
        check(*told)
    # Refunds of money that paid no order call no hook.
    shop.ask(shop.gateway.cancel(second))
    assert len(shop.told) == 3


def test_a_forgery_is_handed_on_once_and_again_when_money_has_come(shop: Shop) -> None:
    account = shop.gateway.issue(shop.gateway.open(shop.order("A-1"), 100, pay_method="vbank"))
    shop.ask(account)
    shop.ask(account)
    assert [told.money for _, told in shop.told] == [False]
    shop.gateway.deposit(account)
    shop.ask(account)
    assert [told.money for _, told in shop.told] == [False, True]
    assert shop.notes() == [f"{account.imp_uid}: amount, money to give back"]
    claim = shop.verifier.verify(account.imp_uid, shop.order("A-2"))
    assert (claim.verdict, claim.reason) == (Verdict.FORGERY, Reason.ORDER)
    assert shop.told[-1][1].expected is None
    assert len(shop.notes()) == 1
    for name, told in shop.told:
        assert name == "on_forgery"
        check(name, told)
        assert f"`{told.reason.name}`" in PAGE.read_text("utf-8")


def test_what_a_person_must_look_at_is_handed_on(shop: Shop) -> None:
    paid = shop.pay(shop.order("A-1"))
    shop.gateway.edit(paid, status="ready", paid_at=0)
    shop.ask(paid)
    assert shop.told[-1][1].reason is Reason.WENT_BACK
    check(*shop.told[-1])
    shop.gateway.edit(paid, status="paid", paid_at=paid.paid_at)
    second = shop.gateway.make("A-1", 39000, status="paid")
    shop.ask(second)
    shop.ask(shop.gateway.cancel(paid))
    with pytest.raises(InvalidRequest):
        shop.verifier.give_back(second.imp_uid)
    assert [name for name, _ in shop.told][-2:] == ["on_cancelled", "on_review"]
    assert shop.told[-1][1].payment is None
    check(*shop.told[-1])


def test_hold_refuses_what_others_hold_and_is_repeatable(shop: Shop) -> None:
    shop.do("UPDATE stock SET quantity = 1")
    one = shop.gateway.open(shop.order("A-1"), 39000).imp_uid
    other = shop.gateway.open(shop.order("A-2"), 39000).imp_uid
    confirm = shop.verifier.confirm
    assert confirm(one, "A-1", 39000) is None
    assert confirm(one, "A-1", 39000) is None
    assert confirm(other, "A-2", 39000) == "sold out"
    assert shop.do("SELECT imp_uid FROM holds") == [(one,)]
    shop.do("UPDATE holds SET until = 0")
    assert confirm(other, "A-2", 39000) is None


def test_the_hook_of_coroutines_pays_and_tells(tmp_path: Path) -> None:
    sent: list[str] = []

    async def send(words: str) -> None:
        sent.append(words)

    names: dict[str, Any] = {"send_async": send}
    exec(compile(blocks()[-1], str(PAGE), "exec"), names)

    async def expected(number: str, db: Any) -> int:
        return 39000

    async def trial() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
        store = AsyncSqlAlchemyStore(engine, expected=expected, on_paid=names["paid_async"])
        await store.create_all()
        async with engine.begin() as db:
            await db.execute(text("CREATE TABLE orders (number VARCHAR(64), state VARCHAR(16))"))
            await db.execute(text("INSERT INTO orders VALUES ('A-1', 'new')"))
        gateway = FakeGateway()
        asks: Any = {"transport": gateway.async_transport, "credentials": gateway.credentials}
        verifier = AsyncVerifier(store, **asks)
        assert (await verifier.verify(gateway.pay("A-1", 39000).imp_uid, "A-1")).paid
        async with engine.begin() as db:
            assert (await db.execute(text("SELECT state FROM orders"))).scalar() == "paid"
        await verifier.close()
        await engine.dispose()

    asyncio.run(trial())
    assert sent == ["A-1: thank you"]
