"""docs/reconcile.md: its calls, its lines for cron and its units, as they stand."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from imp_verify import Finding, Verifier
from imp_verify.cli._commands import commands
from imp_verify.models import FindingKind
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import FakeGateway

PAGE = (Path(__file__).parents[2] / "docs" / "reconcile.md").read_text(encoding="utf-8")
CALLS, SWEEP = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NOW = datetime.now(UTC).replace(microsecond=0)
TABLE = """CREATE TABLE orders (number TEXT PRIMARY KEY, state TEXT, created REAL);
INSERT INTO orders VALUES ('ORD1001', 'new', 0), ('ORD1002', 'new', 0)"""


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect("shop.db")
    with db:
        yield db
    db.close()


class Shop:
    """Whose webhooks are all lost."""

    def __init__(self) -> None:
        with connect() as db:
            db.executescript(TABLE)
        hour_ago = int((NOW - timedelta(hours=1)).timestamp())
        self.gateway = FakeGateway(seed={"clock": {"stop_at": hour_ago}})
        self.store = SqliteStore("shop.db", expected=self.expected, on_paid=self.paid)
        asks: Any = {
            "transport": self.gateway.transport,
            "credentials": self.gateway.credentials,
        }
        self.verifier = Verifier(self.store, **asks)
        self.paid_orders: list[str] = []

    def expected(self, number: str, db: sqlite3.Connection) -> int | None:
        found = db.execute("SELECT 1 FROM orders WHERE number = ?", (number,)).fetchone()
        return found and 39000

    def paid(self, outcome: Any, db: sqlite3.Connection) -> None:
        db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))
        self.paid_orders.append(outcome.merchant_uid)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    shop = Shop()
    yield shop
    shop.verifier.close()
    shop.store.close()


def test_both_calls_find_and_repair_a_notice_that_was_lost(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.store.run("")  # the store's beginning, two hours ago
    with connect() as db:
        db.execute("UPDATE imp_runs SET began = ?", ((NOW - timedelta(hours=2)).isoformat(),))
    reconciling, sweeping = CALLS.split("for outcome")
    first = shop.gateway.pay("ORD1001", 39000)
    foreign = shop.gateway.pay("ORD9999", 39000)
    exec(reconciling, {"verifier": shop.verifier})
    told = capsys.readouterr().out
    assert f"missing {first.imp_uid} ORD1001" in told
    assert f"unknown_order {foreign.imp_uid} ORD9999" in told
    shop.gateway.pay("ORD1002", 39000)
    exec(f"for outcome{sweeping}", {"verifier": shop.verifier})
    assert capsys.readouterr().out == "ORD1001 paid\nORD1002 paid\n"
    assert shop.paid_orders == ["ORD1001", "ORD1002"]


def test_the_sweep_asks_about_orders_between_ten_minutes_and_two_hours_old(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = NOW.timestamp()
    with connect() as db:
        db.execute("UPDATE orders SET created = ?", (now - 30 * 60,))
        for number, age in (("YOUNG", 60), ("OLD", 3 * 3600)):
            db.execute("INSERT INTO orders VALUES (?, 'new', ?)", (number, now - age))
    paid = shop.gateway.pay("ORD1001", 39000)
    failed = shop.gateway.decline(shop.gateway.open("ORD1002", 39000))
    module = ModuleType("shop")
    module.__dict__.update(connect=connect, verifier=shop.verifier)
    monkeypatch.setitem(sys.modules, "shop", module)
    names: dict[str, Any] = {}
    exec(compile(SWEEP, "sweep.py", "exec"), names)
    assert capsys.readouterr().out == f"ORD1001 {paid.imp_uid} paid new\n"
    assert sorted(names["still_open"](now)) == ["ORD1002"]
    assert shop.store.receipts([failed.imp_uid])[failed.imp_uid].state == "failed"


def lines(language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL))


def parsed(line: str) -> click.Context:
    """Have the real command read a line's arguments."""
    words = shlex.split(line)
    return commands.commands[words[0]].make_context(words[0], words[1:])


def test_the_lost_notice_of_the_page_is_made_and_the_line_that_finds_it_is_read() -> None:
    made, waits, finds = lines("console").splitlines()
    gateway = FakeGateway()
    gateway.sandbox.gateway.make(**json.loads(shlex.split(made)[-1]))
    assert gateway.deliveries == []
    assert int(waits.removeprefix("$ sleep ")) > 60
    assert parsed(finds.removeprefix("$ imp-verify ")).params["until"] is None


def test_the_lines_for_cron_are_read_by_cron_and_by_the_command() -> None:
    setting, *jobs = lines("sh").splitlines()
    assert re.fullmatch(r"IMP_VERIFY_APP=\w+:\w+", setting)
    assert len(jobs) == 2
    for job in jobs:
        assert re.match(r"([\d*/]+ ){5}cd /srv/shop && ", job)
        assert "%" not in job  # which ends a line of cron's
    [arguments] = re.findall(r"/imp-verify (.*?) 2>&1", jobs[0])
    assert parsed(arguments).info_name == "reconcile"


class Unit(ConfigParser):
    """A unit of systemd, whose keys are as they are written."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def test_the_units_are_what_systemd_reads() -> None:
    service, timer = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    read = Unit(interpolation=None)
    read.read_string(service)
    assert parsed(read["Service"]["ExecStart"].split("imp-verify ")[1]).params["as_json"] is True
    assert read["Service"]["SuccessExitStatus"] == "1"
    read.read_string(timer)
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d Asia/Seoul", read["Timer"]["OnCalendar"])
    assert service.splitlines()[0].endswith("reconcile.service")
    assert timer.splitlines()[0].endswith("reconcile.timer")


def test_the_page_has_every_finding_and_every_field_it_names() -> None:
    kinds = re.findall(
        r"^\| (`[a-z_`, ]+`) \|", PAGE.partition("## What it finds")[2], re.MULTILINE
    )
    assert sorted(re.findall(r"`(\w+)`", " ".join(kinds))) == sorted(FindingKind)
    named = set(re.findall(r"`finding\.(\w+)`", PAGE))
    assert named <= set(Finding.__dataclass_fields__)
