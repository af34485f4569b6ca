"""`imp-verify give-back`, against a sandbox and a shop on SQLite."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from imp_verify.sandbox import Fault, SandboxServer

from .conftest import MODULE, Command

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture(autouse=True)
def begun(shop: Path, command: Command) -> None:
    """What is paid here is paid after the store began."""
    assert shop
    assert command("give-back").status == 0


def second(
    command: Command, sandbox: SandboxServer, app: str, number: str = "ORD-1", **fields: object
) -> str:
    """Pay an order twice; gives the payment that is one too many."""
    made = [
        sandbox.sandbox.gateway.make(
            merchant_uid=number, amount=39000, status="paid", **fields
        ).imp_uid
        for _ in range(2)
    ]
    for imp_uid in made:
        command("verify", imp_uid, number, app=app)
    return made[1]


def back(sandbox: SandboxServer, imp_uid: str) -> int:
    return int(sandbox.sandbox.gateway.attempt(imp_uid).cancel_amount)


@pytest.mark.parametrize("app", ["plain", "asynchronous"])
def test_what_is_due_is_listed_and_given_back_when_it_is_named(
    app: str, command: Command, sandbox: SandboxServer
) -> None:
    empty = command("give-back", app=app)
    assert (empty.status, "Nothing is due" in empty.out) == (0, True)
    imp_uid = second(command, sandbox, app)
    listed = command("give-back", app=app)
    assert listed.status == 1
    for said in (imp_uid, "ORD-1", "second payment", "39,000 KRW"):
        assert said in listed.out
    row = command("give-back", "--json", app=app).json
    assert (row["imp_uid"], row["kind"], row["amount"]) == (imp_uid, "duplicate", "39000")
    assert back(sandbox, imp_uid) == 0
    ran = command("give-back", imp_uid, app=app)
    assert (ran.status, back(sandbox, imp_uid)) == (0, 39000)
    assert command("give-back", app=app).status == 0
    again = command("give-back", imp_uid, app=app)
    assert (again.status, "due no more" in again.err) == (2, True)


def test_a_forgery_that_was_given_back_is_said_to_be(
    command: Command, sandbox: SandboxServer
) -> None:
    """It is one for ever: the gateway goes on naming another amount than the order's."""
    forged = sandbox.sandbox.gateway.make(merchant_uid="ORD-1", amount=390, status="paid").imp_uid
    command("verify", forged, "ORD-1")
    ran = command("give-back", forged)
    assert (ran.status, ran.out) == (0, f"{forged}: given back\n")
    assert back(sandbox, forged) == 390


def test_the_policy_names_nothing_by_default(command: Command, sandbox: SandboxServer) -> None:
    imp_uid = second(command, sandbox, "plain")
    ran = command("give-back", "--policy")
    assert (ran.status, ran.out, "still due: 1" in ran.err) == (1, "", True)
    assert back(sandbox, imp_uid) == 0


def test_a_refusal_is_trouble_in_the_gateways_words(
    command: Command, sandbox: SandboxServer
) -> None:
    imp_uid = second(command, sandbox, "plain")
    refusal = '{"code": 1, "message": "PG is closed for the night", "response": null}'
    sandbox.sandbox.faults.add(Fault("cancel", status=200, body=refusal))
    ran = command("give-back", imp_uid)
    assert (ran.status, "PG is closed for the night" in ran.out) == (3, True)
    assert back(sandbox, imp_uid) == 0


def test_a_virtual_account_wants_the_buyers_own(command: Command, sandbox: SandboxServer) -> None:
    gateway = sandbox.sandbox.gateway
    first = gateway.make(merchant_uid="ORD-1", amount=39000, status="paid").imp_uid
    deposit = gateway.make(
        merchant_uid="ORD-1", amount=39000, status="paid", pay_method="vbank"
    ).imp_uid
    for imp_uid in (first, deposit):
        command("verify", imp_uid, "ORD-1")
    assert "--account-number" in command("give-back", deposit).err
    for part in (("--holder", "Hong"), ("--tel", "010")):
        half = command("give-back", deposit, *part)
        assert (half.status, "--holder, --bank and --account-number" in half.err) == (2, True)
    bank = ("--holder", "Hong", "--bank", "88", "--account-number", "110123", "--tel", "010")
    both = command("give-back", deposit, first, *bank)
    assert (both.status, "one payment" in both.err) == (2, True)
    ran = command("give-back", deposit, *bank)
    assert (ran.status, back(sandbox, deposit)) == (0, 39000)
    assert "110123" not in ran.out + ran.err


def test_what_is_no_imp_uid_is_wrong_use(command: Command) -> None:
    assert command("give-back", "../1").status == 2


def test_one_that_cannot_be_given_back_keeps_no_other_from_it(
    command: Command, sandbox: SandboxServer
) -> None:
    gateway = sandbox.sandbox.gateway
    order: dict[str, object] = {"merchant_uid": "ORD-1", "status": "paid"}
    first = gateway.make(amount=39000, **order).imp_uid
    card = gateway.make(amount=39000, **order).imp_uid
    deposit = gateway.make(amount=39000, pay_method="vbank", **order).imp_uid
    forged = gateway.make(amount=100, **order).imp_uid
    for imp_uid in (first, card, deposit, forged):
        command("verify", imp_uid, "ORD-1")
    ran = command("give-back", card, "imp_000000000000", deposit, forged)
    assert ran.status == 1
    assert ran.out.splitlines() == [f"{card}: given back", f"{forged}: given back"]
    assert ran.err.splitlines() == [
        "imp_000000000000: nothing is due back of it",
        f"{deposit}: needs the buyer's bank account: --holder, --bank, --account-number",
    ]
    assert [back(sandbox, each) for each in (card, deposit, forged)] == [39000, 0, 100]
    again = command("give-back", "--json", card, deposit)
    told = [json.loads(line) for line in again.out.splitlines()]
    assert [(each["imp_uid"], each["became"]) for each in told] == [
        (card, "refused"),
        (deposit, "refused"),
    ]
    assert again.status == 2  # nothing was done
    listed = command("give-back")
    assert (deposit in listed.out, "39,000 KRW" in listed.out) == (True, True)
    assert "needs the buyer's bank account" in listed.out


def extend(shop: Path, text: str) -> None:
    """Add to the shop's module."""
    module = shop / f"{MODULE}.py"
    module.write_text(module.read_text() + text)
    _ = sys.modules.pop(MODULE, None)


FAILING = """
def cancelled(outcome, db):
    raise LookupError("the buyer's name and number")

def failing():
    return Verifier(SqliteStore("shop.db", expected=expected, on_cancelled=cancelled))
"""


def test_a_hook_that_fails_over_one_keeps_no_other_from_going_back(
    shop: Path, command: Command, sandbox: SandboxServer
) -> None:
    extend(shop, FAILING)
    seconds = [second(command, sandbox, "plain", f"ORD-{number}") for number in range(3)]
    attempts = sandbox.sandbox.gateway.attempts()
    of_one = [each.imp_uid for each in attempts if each.merchant_uid == "ORD-1"]
    [first] = set(of_one) - set(seconds)
    sandbox.sandbox.cancel(first)  # which the next look tells to the shop
    ran = command("give-back", *seconds, app="failing")
    assert ran.status == 3
    told = ran.out.splitlines()
    assert (told[0], told[2]) == (f"{seconds[0]}: given back", f"{seconds[2]}: given back")
    assert told[1].startswith(f"{seconds[1]}: LookupError (")
    assert "buyer" not in ran.out + ran.err
    assert [back(sandbox, each) for each in seconds] == [39000, 0, 39000]


BUSY = """
import sqlite3
from imp_verify.transports.requests import RequestsTransport

class Busy(RequestsTransport):
    def __call__(self, request):
        # While this cancel is under way another run asks for all others, and the leases end.
        if request.url.endswith("/cancel"):
            with sqlite3.connect("shop.db") as db:
                db.execute(
                    "UPDATE imp_dues SET begun = created, next_try = created, tries = 1,"
                    " error = 'asked' WHERE begun IS NULL"
                )
            db.close()
        return super().__call__(request)

def busy():
    return Verifier(store, give_back=["duplicate"], transport=Busy())
"""


def test_the_policy_repeats_nothing_that_another_run_asked_for_meanwhile(
    shop: Path, command: Command, sandbox: SandboxServer
) -> None:
    extend(shop, BUSY)
    one, other = sorted(
        second(command, sandbox, "plain", f"ORD-{number}", pg_provider="paypal_v2", currency="KRW")
        for number in range(2)
    )
    ran = command("give-back", "--policy", app="busy")
    assert (ran.status, ran.out.startswith(f"{one}: not seen to be gone")) == (1, True)
    assert f"{other}: its cancel was asked for: look in the console" in ran.err
    rows = map(json.loads, command("give-back", "--json").out.splitlines())
    assert {each["imp_uid"]: each["tries"] for each in rows} == {one: 1, other: 1}


def test_the_policy_or_payments_by_name(command: Command) -> None:
    ran = command("give-back", "--policy", "imp_000000000001")
    assert (ran.status, "not both" in ran.err) == (2, True)
