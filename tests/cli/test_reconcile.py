"""`imp-verify reconcile`, against a sandbox and a shop on SQLite that lost its webhooks."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from imp_verify import FindingKind, Settled
from imp_verify.cli import _reconcile
from imp_verify.cli._words import EN, KO
from imp_verify.sandbox import Attempt, Fault, SandboxServer
from imp_verify.sandbox.exact import dumps
from tests.support.servers import SCRIPTS

from .conftest import KEYS, MODULE, SECRET, Command, Ran

SHOP = """
import json, os, signal, urllib.request
from imp_verify import AsyncVerifier, Credentials, ExpectedPayment, OrderStore, Settled, Verifier
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport

def expected(merchant_uid, db):
    if merchant_uid.startswith("ACC"):
        return ExpectedPayment(merchant_uid, 39000, account="us")
    return None if merchant_uid.startswith("NEW") else ExpectedPayment(merchant_uid, 39000)

def mail():
    raise OSError("Hong Gil-dong, 010-1234-5678")

def on_paid(outcome, db):
    order = outcome.merchant_uid
    if order.startswith("DOWN"):
        fault = json.dumps({"call": "status", "status": 500, "times": 99}).encode()
        url = os.environ["IMP_API_URL"] + "/sandbox/v1/faults"
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(url, fault, headers)).close()
    if order.startswith("TABLE"):
        db.execute("ALTER TABLE imp_receipts RENAME TO somewhere_else")
    if order.startswith("MAIL"):
        return mail
    if order.startswith("BROKEN"):
        raise RuntimeError("Hong Gil-dong, 010-1234-5678, the-secret-of-this-sh0p")
    for _ in range(order.startswith("STOP") + order.startswith("STOPTWICE")):
        os.kill(os.getpid(), signal.SIGINT)

store = SqliteStore("shop.db", expected=expected, on_paid=on_paid)

def plain(**given):
    return Verifier(store, **given)

def asynchronous(**given):
    return AsyncVerifier(store, **given)

def press(request):
    if "/payments/imp_" in request.url:
        os.kill(os.getpid(), signal.SIGINT)

class Pressing(RequestsTransport):
    def __call__(self, request):
        press(request)
        return super().__call__(request)

class AsyncPressing(HttpxTransport):
    async def __call__(self, request):
        press(request)
        return await super().__call__(request)

def plain_pressing():
    return plain(transport=Pressing())

def asynchronous_pressing():
    return asynchronous(transport=AsyncPressing())

def several():
    mine = Credentials(os.environ["IMP_KEY"], os.environ["IMP_SECRET"])
    accounts = {"kr": mine, "us": Credentials("other_key", "other_secret")}
    return plain(accounts=accounts)

class ByHand(OrderStore):
    def expected(self, merchant_uid):
        return 39000
    def settle(self, outcome):
        return Settled.NEW

def by_hand():
    return Verifier(ByHand())
"""
KOREA = timezone(timedelta(hours=9))
NOW = datetime.now(UTC).replace(microsecond=0)
FIVE_MINUTES_AGO = int(NOW.timestamp()) - 300
YESTERDAY = (NOW - timedelta(days=1)).isoformat(timespec="milliseconds")
APPS = pytest.mark.parametrize("app", ["plain", "asynchronous"])


@pytest.fixture
def shop(shop: Path, sandbox: SandboxServer) -> Path:
    """The shop of this module, which began long ago, and lost all webhooks."""
    (shop / f"{MODULE}.py").write_text(SHOP)
    sandbox.sandbox.clock.stop_at(FIVE_MINUTES_AGO)
    return shop


@pytest.fixture
def began(command: Command, shop: Path) -> Path:
    """The same, its store made and its beginning moved."""
    assert command("reconcile").status == 0
    query(shop, f"UPDATE imp_runs SET began = '{YESTERDAY}', finished = NULL")
    return shop


pytestmark = pytest.mark.usefixtures("began")


def query(shop: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(shop / "shop.db")) as db, db:
        return db.execute(statement).fetchall()


def receipts(shop: Path) -> dict[str, str]:
    return dict(query(shop, "SELECT merchant_uid, state FROM imp_receipts"))


def made(server: SandboxServer, order: str, amount: int = 39000, /, **fields: object) -> Attempt:
    """Make a payment that nobody heard of."""
    wanted = {"merchant_uid": order, "amount": amount, "status": "paid", **fields}
    return server.sandbox.gateway.make(**wanted)


def two_pages(sandbox: SandboxServer, first: str, last: str) -> None:
    """Fill two pages with attempts that came to nothing, but for a payment at each end. The last
    page is read first."""
    now = sandbox.sandbox.gateway.now()
    orders = [last, *(f"FAILED-{number}" for number in range(1098)), first]
    sandbox.sandbox.gateway.make_all(
        {
            "merchant_uid": order,
            "amount": 39000,
            "status": "failed" if order.startswith("FAILED") else "paid",
            "started_at": now - len(orders) + at,
        }
        for at, order in enumerate(orders)
    )


def lines(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def table(ran: Ran) -> list[list[str]]:
    """Return the lines of the tables, without the spaces between their columns."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in ran.out.splitlines()
    ]


def _hear_ctrl_c() -> None:
    """Whoever is started in the background is deaf to it, and so are all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def typed(app: str, *argv: str, command: list[str] | None = None) -> Ran:
    """Run it as it is typed: a process of its own."""
    done = subprocess.run(
        [*(command or [sys.executable, "-W", "error", "-m", "imp_verify.cli"]), "reconcile", *argv],
        env={
            **os.environ,
            "IMP_VERIFY_APP": f"{MODULE}:{app}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=_hear_ctrl_c,
    )
    assert SECRET not in done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


@APPS
def test_nothing_found_is_exit_0(app: str, command: Command, sandbox: SandboxServer) -> None:
    made(sandbox, "ORD-1", status="failed")
    ran = command("reconcile", app=app)
    assert (ran.status, ran.err) == (0, "")
    nothing, compared = ran.out.splitlines()
    assert nothing == "Nothing was found."
    window = r"Payments compared from \S+\+09:00 to \S+\+09:00: 1, calls to the gateway: 1\."
    assert re.fullmatch(window, compared)
    ran = command("reconcile", "--json", app=app)
    assert (ran.status, ran.out, ran.err) == (0, "", "")


@APPS
def test_what_was_lost_is_recorded_and_shown_with_its_money(
    app: str, command: Command, sandbox: SandboxServer, began: Path
) -> None:
    lost = made(sandbox, "ORD-1")
    made(sandbox, "ORD-2", 390)
    made(sandbox, "ORD-3", 12, currency="USD")
    made(sandbox, "NEW-1", 5000)
    made(sandbox, "ORD-4", sandbox=True)
    ran = command("reconcile", app=app)
    assert (ran.status, ran.err) == (1, "")
    rows = table(ran)
    assert [
        "paid, not recorded",
        lost.imp_uid,
        "ORD-1",
        "39,000 KRW",
        "PAID: recorded it now",
    ] in rows
    assert ["paid, not recorded", "2", "39,390 KRW", "39,390 KRW"] in rows
    assert ["paid, not recorded", "1", "12 USD", "12 USD"] in rows
    assert ["no such order", "1", "5,000 KRW", "0 KRW"] in rows
    assert ["to be given back", "1", "390 KRW", "0 KRW"] in rows
    assert ["to be given back", "1", "12 USD", "0 USD"] in rows
    assert ": 5, calls to the gateway: 5." in ran.out
    assert "Of them test payments, counted and not judged: 1." in ran.out
    assert receipts(began)["ORD-1"] == "paying"
    again = command("reconcile", "--json", app=app)
    assert sorted((each["kind"], each["merchant_uid"]) for each in lines(again)) == [
        ("due", "ORD-2"),
        ("due", "ORD-3"),
        ("unknown_order", "NEW-1"),
    ]


def test_each_kind_is_told(command: Command, sandbox: SandboxServer, began: Path) -> None:
    sandbox.sandbox.settings.change({"part_status": "cancelled"})
    now, hour = FIVE_MINUTES_AGO, 3600
    part = made(sandbox, "ORD-1")
    whole = made(sandbox, "ORD-2")
    issued = made(sandbox, "ORD-3", status="ready", pay_method="vbank")
    over = {"started_at": now - 9 * hour, "vbank_date": now - 2 * hour}
    ran_out = made(sandbox, "ORD-4", status="ready", pay_method="vbank", **over)
    changed = made(sandbox, "ORD-5")
    for each in (part, whole, issued, ran_out, changed):
        assert command("verify", each.imp_uid).status == 0
    sandbox.sandbox.cancel(part.imp_uid, 9000)  # type: ignore[arg-type]
    sandbox.sandbox.cancel(whole.imp_uid)
    sandbox.sandbox.deposit(issued.imp_uid)
    query(began, f"UPDATE imp_receipts SET amount = '38000' WHERE imp_uid = '{changed.imp_uid}'")
    made(
        sandbox, "ORD-6", paid_at=now - 24 * hour - 600
    )  # before the store began, in the hour that is read twice
    made(sandbox, "ORD-7")
    made(sandbox, "NEW-1")
    made(sandbox, "ORD-8", 390)
    ran = command("reconcile", "--json")
    assert ran.status == 1
    found = {(each["kind"], each["merchant_uid"]): each for each in lines(ran)}
    assert set(found) == {
        ("refund_missing", "ORD-1"),
        ("refund_missing", "ORD-2"),
        ("waiting_paid", "ORD-3"),
        ("waiting_over", "ORD-4"),
        ("differs", "ORD-5"),
        ("too_old", "ORD-6"),
        ("missing", "ORD-7"),
        ("unknown_order", "NEW-1"),
        ("missing", "ORD-8"),
        ("due", "ORD-8"),
    }
    assert found["refund_missing", "ORD-1"] == {
        **{"kind": "refund_missing", "account": None, "imp_uid": part.imp_uid},
        **{"merchant_uid": "ORD-1", "money": "9000", "currency": "KRW"},
        **{"status": "cancelled", "amount": "39000", "cancel_amount": "9000"},
        "paid_at": datetime.fromtimestamp(now, UTC).isoformat(),
        **{"recorded_state": "paying", "recorded_amount": "39000"},
        **{"recorded_cancel_amount": "0", "verdict": "partly_cancelled", "reason": None},
        **{"settled": "new", "error": None},
    }
    assert found["differs", "ORD-5"]["recorded_amount"] == "38000"
    assert (found["due", "ORD-8"]["money"], found["due", "ORD-8"]["status"]) == ("390", None)
    assert "ORD-6" not in receipts(began)


def test_a_payment_that_cannot_be_read_or_looked_up_is_told(
    command: Command, sandbox: SandboxServer
) -> None:
    good = made(sandbox, "ORD-1")
    rows = [{**good.wire(), "amount": PRICE, "cancel_amount": 0} for PRICE in (39000, "many")]
    page = {"total": 2, "previous": 0, "next": 0, "list": [*rows]}
    body = dumps({"code": 0, "message": None, "response": page})
    sandbox.sandbox.faults.add(Fault("status", status=200, body=body))
    unknown = dumps({"code": 1, "message": "not there", "response": None})
    sandbox.sandbox.faults.add(Fault("payment", status=404, body=unknown))
    ran = command("reconcile")
    assert ran.status == 1
    rows_of_table = table(ran)
    assert ["unreadable", "1", "-", "-"] in rows_of_table
    assert ["not there when looked up", "1", "39,000 KRW", "0 KRW"] in rows_of_table
    assert "UNKNOWN_PAYMENT: keeps nothing of it" in ran.out


def test_a_dry_run_records_nothing_and_asks_about_no_payment(
    command: Command, sandbox: SandboxServer, began: Path
) -> None:
    made(sandbox, "ORD-1")
    ran = command("reconcile", "--dry-run")
    assert ran.status == 1
    assert ["paid, not recorded", "1", "39,000 KRW", "0 KRW"] in table(ran)
    assert "calls to the gateway: 1." in ran.out
    assert receipts(began) == {}


def test_a_file_is_written_that_a_spreadsheet_reads_and_does_not_run(
    command: Command, sandbox: SandboxServer, began: Path
) -> None:
    lost = made(sandbox, "ORD-1")
    made(sandbox, "=1+1", 390)
    ran = command("reconcile", "--csv", "found.csv")
    assert ran.status == 1
    assert ["paid, not recorded", "2", "39,390 KRW", "39,390 KRW"] in table(ran)
    data = (began / "found.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    found = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert sorted((each["kind"], each["merchant_uid"], each["money"]) for each in found) == [
        ("due", "'=1+1", "390"),
        ("missing", "'=1+1", "390"),
        ("missing", "ORD-1", "39000"),
    ]
    (row,) = (each for each in found if each["imp_uid"] == lost.imp_uid)
    told = lines(command("reconcile", "--json", "--csv", "found.csv"))
    assert [list(each) for each in told] == [list(row)]
    assert (row["verdict"], row["settled"], row["error"]) == ("paid", "new", "")


def test_a_table_of_very_many_is_cut_and_its_totals_are_whole(
    command: Command, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reconcile, "_MOST_ROWS", 2)
    for number in range(5):
        made(sandbox, f"ORD-{number}")
    ran = command("reconcile")
    assert ["paid, not recorded", "5", "195,000 KRW", "195,000 KRW"] in table(ran)
    assert "Not in the table: 3 more." in ran.out
    assert ran.out.count("PAID: recorded it now") == 2


def test_a_window_is_read_in_korean_time_and_old_money_is_recorded_where_asked_for(
    command: Command, sandbox: SandboxServer, began: Path
) -> None:
    # 2024-03-01 00:30 in Korea, which is February elsewhere.
    paid_at = int(datetime(2024, 3, 1, 0, 30, tzinfo=KOREA).timestamp())
    made(sandbox, "ORD-1", paid_at=paid_at)
    given = ("--since", "2024-03-01", "--until", "2024-03-01T01:00", "--json")
    assert [each["kind"] for each in lines(command("reconcile", *given))] == ["too_old"]
    early = ("--since", "2024-03-01T00:30:01", *given[2:])
    assert command("reconcile", *early).status == 0
    later = command("reconcile", *given, "--orders-before", "2024-03-01T00:31")
    assert [each["kind"] for each in lines(later)] == ["too_old"]
    assert receipts(began) == {}
    asked = command("reconcile", *given, "--orders-before", "2024-02-29T15:30Z")
    assert [(each["kind"], each["verdict"]) for each in lines(asked)] == [("missing", "paid")]
    assert receipts(began) == {"ORD-1": "paying"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--since", "yesterday"), "--since must be an ISO 8601 date or time"),
        (("--until", "2999-01-01"), "until lies in the future"),
        (("--since", "2024-03-01", "--until", "2024-02-01"), "since must be before until"),
        (("--orders-before", "0001-01-01T00:00+23:00"), "--orders-before must be"),
        (("--account", "kr"), "account"),
        (("--csv", "no/such/folder.csv"), "--csv no/such/folder.csv: the file cannot be written"),
    ],
)
def test_a_wrong_use_is_exit_2_and_nothing_is_done(
    given: tuple[str, ...], said: str, command: Command, sandbox: SandboxServer, began: Path
) -> None:
    made(sandbox, "ORD-1")
    (began / "old.csv").write_text("of yesterday")
    ran = command("reconcile", *(() if "--csv" in given else ("--csv", "old.csv")), *given)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert receipts(began) == {}
    assert (began / "old.csv").read_text() == "of yesterday"


def test_a_store_by_hand_must_be_told_since_when(command: Command, sandbox: SandboxServer) -> None:
    made(sandbox, "ORD-1")
    ran = command("reconcile", app="by_hand")
    assert (ran.status, "since is missing" in ran.err) == (2, True)
    ran = command("reconcile", "--since", YESTERDAY, "--json", app="by_hand")
    assert [each["kind"] for each in lines(ran)] == ["missing"]


def test_accounts_are_read_one_after_the_other_or_one_of_them(
    command: Command, sandbox: SandboxServer
) -> None:
    made(sandbox, "ACC-1", account="other_key")
    made(sandbox, "NEW-1")
    given = ("--since", YESTERDAY, "--json")
    ran = command("reconcile", *given, "--dry-run", app="several")
    assert [(each["account"], each["kind"]) for each in lines(ran)] == [
        ("kr", "unknown_order"),
        ("us", "missing"),
    ]
    ran = command("reconcile", *given, "--account", "us", app="several")
    assert [(each["account"], each["merchant_uid"]) for each in lines(ran)] == [("us", "ACC-1")]
    sandbox.sandbox.faults.add(Fault("status", times=2))
    ran = command("reconcile", "--account", "us", app="several")
    assert (ran.status, "nothing was read (us) in" in ran.err) == (3, True)


@APPS
def test_a_gateway_that_goes_away_is_exit_3_and_the_next_run_goes_on(
    app: str, command: Command, sandbox: SandboxServer, began: Path
) -> None:
    two_pages(sandbox, "ORD-1", "DOWN-1")
    sandbox.sandbox.clock.stop_at(int(datetime.now(UTC).timestamp()))
    ran = command("reconcile", app=app)
    assert ran.status == 3
    assert "DOWN-1" in ran.out  # what was done is shown
    assert "the gateway answers HTTP 500" in ran.err
    for said in ("not finished; what is done stays", "page 1 ", "100 of 1,100 payments", "+09:00"):
        assert said in ran.err
    assert "it goes on after the last page" in ran.err
    assert receipts(began) == {"DOWN-1": "paying"}
    while sandbox.sandbox.faults.take("status"):
        pass
    ran = command("reconcile", app=app)
    assert ran.status == 1
    assert ": 1,100, calls to the gateway: 4." in ran.out
    assert receipts(began) == {"DOWN-1": "paying", "ORD-1": "paying"}


def test_a_database_that_goes_away_is_exit_3(
    command: Command, sandbox: SandboxServer, began: Path
) -> None:
    two_pages(sandbox, "ORD-1", "TABLE-1")
    ran = command("reconcile", "--json")
    assert ran.status == 3
    assert [each["merchant_uid"] for each in lines(ran)] == ["TABLE-1"]
    assert "not finished" in ran.err
    assert "imp_receipts" in ran.err
    assert query(began, "SELECT merchant_uid FROM somewhere_else") == [("TABLE-1",)]
    began.joinpath("shop.db").unlink()
    began.joinpath("shop.db").mkdir()
    ran = command("reconcile")
    assert (ran.status, "It did not begin." in ran.err) == (3, True)


def test_a_named_window_that_was_stopped_is_read_again(
    command: Command, sandbox: SandboxServer
) -> None:
    sandbox.sandbox.faults.add(Fault("status", times=2))
    ran = command("reconcile", "--since", "2024-11-01", "--until", "2024-11-02")
    assert ran.status == 3
    assert "2024-11-01T00:00:00+09:00 to 2024-11-02T00:00:00+09:00" in ran.err
    assert "nothing was read" in ran.err
    assert ran.out == ""
    assert "Run it again with the same options" in ran.err


def test_a_hook_that_fails_is_shown_without_what_it_says(
    command: Command, sandbox: SandboxServer, began: Path
) -> None:
    made(sandbox, "BROKEN-1")
    made(sandbox, "ORD-1")
    ran = command("reconcile")
    assert ran.status == 3
    assert "RuntimeError" in ran.out
    assert re.search(r"imp_\w+: RuntimeError \(.*\.py:\d+ in \w+\)", ran.err)
    assert "failed over 1 payments" in ran.err
    assert "Hong" not in ran.out + ran.err
    assert ["paid, not recorded", "2", "78,000 KRW", "39,000 KRW"] in table(ran)
    assert receipts(began) == {"ORD-1": "paying"}


@pytest.mark.parametrize("disabled", [True, False])
def test_a_hook_that_fails_is_trouble_whatever_the_shops_logging_shows(
    command: Command, sandbox: SandboxServer, began: Path, disabled: bool
) -> None:
    assert began
    made(sandbox, "BROKEN-1")
    log = logging.getLogger("imp_verify")
    level = log.level
    try:
        log.disabled = disabled  # as dictConfig does with a logger that is there already
        log.setLevel(logging.CRITICAL)
        ran = command("reconcile")
        assert (log.disabled, log.level) == (disabled, logging.CRITICAL)
    finally:
        log.disabled = False
        log.setLevel(level)
    assert ran.status == 3
    assert "failed over 1 payments" in ran.err


def test_a_mail_that_fails_after_the_record_is_shown_and_not_called_unrecorded(
    command: Command, sandbox: SandboxServer, began: Path
) -> None:
    made(sandbox, "MAIL-1")
    ran = command("reconcile")
    assert ran.status == 1
    assert re.search(r"imp_\w+:paid: OSError \(.*\.py:\d+ in mail\)", ran.err)
    assert "failed over" not in ran.err
    assert "Hong" not in ran.out + ran.err
    assert receipts(began) == {"MAIL-1": "paying"}


@APPS
def test_ctrl_c_stops_after_the_payment_in_hand(
    app: str, sandbox: SandboxServer, began: Path
) -> None:
    two_pages(sandbox, "ORD-1", "STOP-1")
    ran = typed(app)
    assert ran.status == 3, ran.err
    assert "STOP-1" in ran.out
    assert "PAID: recorded it now" in ran.out
    assert "not finished" in ran.err
    assert "page 2 " in ran.err
    assert "Traceback" not in ran.err
    assert receipts(began) == {"STOP-1": "paying"}
    ran = typed(app)
    assert (ran.status, ran.err) == (1, "")
    assert receipts(began) == {"STOP-1": "paying", "ORD-1": "paying"}


@APPS
def test_ctrl_c_ends_the_wait_for_a_busy_gateway(
    app: str, sandbox: SandboxServer, began: Path
) -> None:
    made(sandbox, "ORD-1")
    sandbox.sandbox.faults.add(Fault("payment", status=429, times=99))
    ran = typed(f"{app}_pressing")
    assert ran.status == 3, ran.err
    assert "not finished" in ran.err
    assert "Traceback" not in ran.err
    assert receipts(began) == {}
    assert sandbox.sandbox.faults.take("payment") is not None


def test_ctrl_c_twice_does_not_wait(sandbox: SandboxServer, began: Path) -> None:
    made(sandbox, "STOPTWICE-1")
    ran = typed("plain")
    assert (ran.status, "not finished" in ran.err) == (3, True)
    assert receipts(began) == {}


def test_a_busy_gateway_is_waited_for(command: Command, sandbox: SandboxServer) -> None:
    made(sandbox, "ORD-1")
    sandbox.sandbox.faults.add(Fault("payment", status=429))
    assert command("reconcile").status == 1


def test_flask_has_it_too(sandbox: SandboxServer, began: Path) -> None:
    made(sandbox, "ORD-1")
    text = """
from flask import Flask
from imp_verify.contrib.flask import payments
import shop_of_the_test
app = Flask("wrapped")
app.register_blueprint(payments(shop_of_the_test.plain()), url_prefix="/pay")
"""
    (began / "wrapped.py").write_text(text)
    flask = [str(SCRIPTS / "flask"), "--app", "wrapped:app", "imp-verify"]
    ran = typed("nothing", "--json", command=flask)
    assert ran.status == 1, ran.err
    assert [(each["kind"], each["settled"]) for each in lines(ran)] == [("missing", "new")]
    assert typed("nothing", command=flask).status == 0


def test_a_terminal_has_a_bar_on_standard_error(sandbox: SandboxServer) -> None:
    made(sandbox, "ORD-1")
    ours, theirs = pty.openpty()
    environment: Mapping[str, str] = {
        **os.environ,
        "IMP_VERIFY_APP": f"{MODULE}:plain",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
    }
    run = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "imp_verify.cli", "reconcile", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    with open(ours, "rb", buffering=0) as terminal:
        try:
            while part := terminal.read(4096):
                shown += part
        except OSError:  # what Linux says once the other side is closed
            pass
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 1, shown
    assert json.loads(out)["kind"] == "missing"
    assert b"1/1 payments, 2 calls" in shown


def test_it_speaks_korean(command: Command, sandbox: SandboxServer) -> None:
    made(sandbox, "ORD-1")
    ran = command("reconcile", language="ko")
    for said in (
        "기록에 없는 결제",
        "PAID: 새로 기록했습니다",
        "바로잡은 금액",
        "결제 1건을 비교",
    ):
        assert said in ran.out
    assert "한국 시간" in command("reconcile", "--since", "x", language="ko").err


def test_every_kind_and_outcome_has_a_name_in_words() -> None:
    names = {f"kind_{each}" for each in FindingKind}
    names |= {f"settled_{each}" for each in Settled if each is not Settled.STALE}
    assert not names - EN.keys()
    assert EN.keys() == KO.keys()


def test_no_buyer_is_printed(command: Command, sandbox: SandboxServer) -> None:
    buyer = {"buyer_name": "Hong Gil-dong", "buyer_email": "h@example.com", "name": "a secret gift"}
    made(sandbox, "ORD-1", **buyer)
    made(sandbox, "NEW-1", **buyer)
    for given in ((), ("--json", "--csv", "found.csv")):
        ran = command("reconcile", "--verbose", *given)
        text = ran.out + (Path("found.csv").read_text() if given else "")
        assert not [each for each in buyer.values() if each in text]
    assert set(KEYS.values()).isdisjoint(Path("found.csv").read_text().split(","))
