"""`imp-verify verify`, against a sandbox and a shop on SQLite."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, redirect_stdout
from decimal import Decimal
from pathlib import Path

import pytest

from imp_verify import ExpectedPayment, Payment, Settled, cli
from imp_verify.cli._verify import _facts, _wishes
from imp_verify.cli._words import EN
from imp_verify.sandbox import Fault, SandboxServer

from .conftest import MODULE, SECRET, Command, opened, paid

RULES = [
    *("order", "test_payment", "card_registration", "account"),
    *("currency", "amount", "pay_method", "pg_provider"),
]
pytestmark = pytest.mark.usefixtures("shop")


def receipts(shop: Path) -> int:
    with closing(sqlite3.connect(shop / "shop.db")) as db:
        return int(db.execute("SELECT count(*) FROM imp_receipts").fetchone()[0])


@pytest.mark.parametrize("app", ["plain", "asynchronous"])
def test_a_payment_is_recorded_once_and_its_comparisons_are_shown(
    app: str, command: Command, sandbox: SandboxServer, shop: Path
) -> None:
    imp_uid = paid(sandbox)
    ran = command("verify", imp_uid, "ORD-1001", app=app)
    assert ran.status == 0
    for said in (imp_uid, "ORD-1001", "39,000", "KRW", "PAID", "recorded it now", "OK"):
        assert said in ran.out
    assert receipts(shop) == 1
    again = command("verify", imp_uid, "--json", app=app).json
    assert (again["verdict"], again["settled"], again["good"]) == ("paid", "repeated", True)
    assert [each["rule"] for each in again["comparisons"]] == RULES
    assert again["comparisons"][5] == {
        **{"rule": "amount", "found": "39000", "asked": "39000", "fits": True},
    }
    assert again["payment"]["paid_at"].endswith("+00:00")
    assert again["order"]["open"] is True
    assert receipts(shop) == 1


def test_an_async_store_is_asked_on_one_loop(command: Command, sandbox: SandboxServer) -> None:
    ran = command("verify", paid(sandbox), app="on_an_async_engine")
    assert ran.status == 3  # its tables were not made
    assert "create_all()" in ran.err


def test_a_dry_run_records_nothing_and_says_so(
    command: Command, sandbox: SandboxServer, shop: Path
) -> None:
    ran = command("verify", paid(sandbox), "ORD-1001", "--dry-run")
    assert ran.status == 0
    assert "did nothing (--dry-run)" in ran.out
    assert receipts(shop) == 0
    told = command("verify", paid(sandbox, "ORD-2", amount=390), "--dry-run", "--json")
    assert told.status == 1
    assert (told.json["verdict"], told.json["settled"]) == ("forgery", None)
    assert receipts(shop) == 0


@pytest.mark.parametrize(
    ("order", "params", "reason", "rule"),
    [
        ("ORD-1", {"amount": 390}, "amount", "amount"),
        ("ORD-1", {"currency": "USD"}, "currency", "currency"),
        ("ORD-1", {"channelKey": "test"}, None, None),
        ("ORD-1", {"customer_uid": "card-1"}, "card_registration", "card_registration"),
        ("CARD-1", {"pay_method": "trans"}, "method", "pay_method"),
    ],
)
def test_the_rule_that_refused_is_marked(
    order: str,
    params: dict[str, object],
    reason: str | None,
    rule: str | None,
    command: Command,
    sandbox: SandboxServer,
) -> None:
    ran = command("verify", paid(sandbox, order, **params), order, "--json")
    assert ran.status == 1
    assert ran.json["reason"] == reason
    refused = [each["rule"] for each in ran.json["comparisons"] if each["fits"] is False]
    assert refused[:1] == ([] if rule is None else [rule])


def test_another_orders_payment_is_told(command: Command, sandbox: SandboxServer) -> None:
    ran = command("verify", paid(sandbox), "ORD-2")
    assert ran.status == 1
    assert "another order's" in ran.out
    assert "FORGERY" in ran.out
    assert "ORDER" in ran.out


def test_in_test_mode_a_test_payment_is_one(
    command: Command, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    imp_uid = paid(sandbox, channelKey="test")
    ran = command("verify", imp_uid)
    assert ran.status == 1
    assert "knows no such payment" in ran.out
    assert "no test payment either" in ran.out
    monkeypatch.setenv("IMP_TEST_MODE", "1")
    assert command("verify", imp_uid).status == 0
    unknown = command("verify", "imp_000000000000")
    assert "no test payment either" not in unknown.out


def test_an_issued_account_is_good_and_a_failure_is_not(
    command: Command, sandbox: SandboxServer
) -> None:
    issued = sandbox.sandbox.issue_account(opened(sandbox, pay_method="vbank").imp_uid)
    ran = command("verify", issued.imp_uid)
    assert ran.status == 0
    assert "to be paid in by" in ran.out
    failed = sandbox.sandbox.decline(opened(sandbox, "ORD-2").imp_uid)
    ran = command("verify", failed.imp_uid)
    assert ran.status == 1
    assert "한도초과" in ran.out


def test_money_of_an_order_that_is_paid_or_closed_is_called_so(
    command: Command, sandbox: SandboxServer
) -> None:
    # Both windows are open before the first is paid: the gateway refuses a later one.
    one, two = (opened(sandbox).imp_uid for _ in range(2))
    for each in (one, two):
        _ = sandbox.sandbox.approve(each)
    assert command("verify", one).status == 0
    ran = command("verify", two)
    assert (ran.status, "another payment had paid the order" in ran.out) == (1, True)
    ran = command("verify", paid(sandbox, "CLOSED-1"))
    assert (ran.status, "the order was closed before" in ran.out) == (1, True)


def test_an_order_that_was_changed_after_it_was_paid_is_compared_with_its_receipt(
    command: Command, sandbox: SandboxServer, shop: Path
) -> None:
    imp_uid = paid(sandbox)
    assert command("verify", imp_uid).status == 0
    sys.modules.pop(MODULE)
    path = shop / f"{MODULE}.py"
    # Of another length each time, or what Python compiled a moment ago is taken for it.
    path.write_text(path.read_text().replace("39000", "50_000"))
    ran = command("verify", imp_uid)
    assert ran.status == 0
    assert "50,000" in ran.out
    assert "Compared with the receipt" in " ".join(ran.out.replace("│", "").split())
    sys.modules.pop(MODULE)
    path.write_text(path.read_text().replace('startswith("ORD")', 'startswith("NEW-")'))
    told = command("verify", imp_uid, "--json").json
    assert (told["order"], told["compared_with"]) == (None, "receipt")
    assert "no such order" in command("verify", imp_uid).out


def test_an_order_that_the_shop_does_not_know_is_told(
    command: Command, sandbox: SandboxServer
) -> None:
    ran = command("verify", paid(sandbox, "NEW-1"))
    assert ran.status == 1
    assert "The shop knows no such order" in ran.out
    assert "UNKNOWN_ORDER" in ran.out


def test_with_several_accounts_the_order_must_be_named(
    command: Command, sandbox: SandboxServer
) -> None:
    imp_uid = paid(sandbox, "CARD-1")
    ran = command("verify", imp_uid, app="several")
    assert ran.status == 2
    assert "several accounts (kr, us)" in ran.err
    told = command("verify", imp_uid, "CARD-1", "--json", app="several")
    assert told.status == 0
    assert told.json["comparisons"][3] == {
        **{"rule": "account", "found": "kr", "asked": "kr", "fits": True},
    }
    ran = command("verify", imp_uid, "NEW-1", app="several")
    assert ran.status == 1
    assert "The shop knows no such order" in ran.out


@pytest.mark.parametrize("imp_uid", ["imp 1", "../find/1", "x" * 33])
def test_a_malformed_id_is_a_wrong_use(imp_uid: str, command: Command) -> None:
    ran = command("verify", imp_uid)
    assert ran.status == 2
    assert "imp_uid" in ran.err


def test_trouble_of_the_gateway_is_exit_3(command: Command, sandbox: SandboxServer) -> None:
    sandbox.sandbox.faults.add(Fault("payment", 500, f"out of order {SECRET}", times=2))
    ran = command("verify", paid(sandbox))
    assert (ran.status, ran.out) == (3, "")
    assert "the gateway answers HTTP 500" in ran.err


@pytest.mark.parametrize("verbose", [False, True])
def test_what_the_shop_raises_is_exit_3_and_told_without_a_secret(
    verbose: bool, command: Command, sandbox: SandboxServer
) -> None:
    ran = command("verify", paid(sandbox, "BROKEN-1"), *(["--verbose"] if verbose else []))
    assert ran.status == 3
    assert "RuntimeError: the shop's own database is down: ..." in ran.err
    assert (f"{MODULE}.py:" in ran.err) == verbose
    assert "startswith" not in ran.err  # no line of the shop's code, which may hold a secret


def test_ctrl_c_ends_it_unfinished(command: Command, sandbox: SandboxServer) -> None:
    assert command("verify", paid(sandbox, "STOPPED-1")).status == 3


def test_methods_that_an_order_allows_are_shown(command: Command, sandbox: SandboxServer) -> None:
    ran = command("verify", paid(sandbox, "CARD-1", pay_method="trans"), "CARD-1")
    assert ran.status == 1
    assert "methods" in ran.out
    (row,) = [line for line in ran.out.splitlines() if "method" in line and "X" in line]
    assert row.strip("│ ").split() == ["method", "trans", "card", "X"]


def test_every_fact_wish_and_outcome_has_a_name_in_words() -> None:
    shown = ExpectedPayment("ORD-1", 1, account="kr", pay_methods={"card"}, pg_providers={"kcp"})
    names = {*_facts(Payment("imp_1", "ORD-1", "paid", Decimal(1))), *_wishes(shown)}
    names |= {f"settled_{each}" for each in Settled if each is not Settled.STALE}
    assert names - EN.keys() == {"merchant_uid"}  # which is shown as the order


def test_it_prints_where_standard_output_is_no_stream_of_the_system(
    command: Command, sandbox: SandboxServer
) -> None:
    text = io.StringIO()
    with redirect_stdout(text):
        assert command("verify", paid(sandbox)).status == 0
    assert "recorded it now" in text.getvalue()


def test_words_of_a_pg_cannot_move_the_cursor(command: Command, sandbox: SandboxServer) -> None:
    attempt = opened(sandbox)
    _ = sandbox.sandbox.gateway.fail(attempt.imp_uid, code="X", reason="no\x1b[2J[bold]more")
    ran = command("verify", attempt.imp_uid)
    assert "\x1b" not in ran.out
    assert "[bold]more" in ran.out


def test_it_speaks_korean(command: Command, sandbox: SandboxServer) -> None:
    ran = command("verify", paid(sandbox), language="ko")
    for said in ("주문번호", "카드 등록", "판정", "새로 기록했습니다"):
        assert said in ran.out
    assert "--app" in command("verify", "imp_1", app="nothing", language="ko").err


def test_without_an_app_it_says_how_to_name_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", "imp_1", "--language", "en"]) == 2
    assert "IMP_VERIFY_APP" in capsys.readouterr().err
    assert cli.main(["verify", "imp_1", "--app", "nowhere:x", "--language", "en"]) == 2
    assert "no module nowhere" in capsys.readouterr().err


def test_a_configuration_error_of_the_shop_is_a_wrong_use(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMP_SECRET")
    ran = command("verify", "imp_1")
    assert ran.status == 2
    assert "IMP_SECRET" in ran.err


def test_as_it_is_typed_on_a_terminal_without_korean(sandbox: SandboxServer) -> None:
    failed = sandbox.sandbox.decline(opened(sandbox).imp_uid)
    variables = {
        **os.environ,
        "IMP_VERIFY_APP": f"{MODULE}:verifier",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONIOENCODING": "ascii",
        "LANG": "ko_KR.UTF-8",
    }
    Path(f"{MODULE}.py").write_text(Path(f"{MODULE}.py").read_text() + "\nverifier = plain()\n")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "imp_verify.cli", "verify", failed.imp_uid],
        env=variables,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    assert "FAILED" in run.stdout
    assert "????" in run.stdout
