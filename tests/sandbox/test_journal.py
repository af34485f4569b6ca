"""The journal: what it holds, how much, and how it is followed."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from imp_verify.sandbox import Journal, Refused, Sandbox, SandboxServer
from imp_verify.sandbox.journal import (
    API,
    CLOCK,
    CONFIRM,
    CONTROL,
    DELIVERY,
    KEPT,
    KINDS,
    LONGEST,
    WINDOW,
    cut,
)
from tests.sandbox.conftest import NOON, Rest, Shop


def test_a_payments_life_is_written_down_in_its_order(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    sandbox = server.sandbox
    sandbox.settings.webhook_url = shop.url + "/hook"
    wanted = {"merchant_uid": "A", "amount": 1000, "confirm_url": shop.url + "/confirm"}
    start = len(list(sandbox.journal))
    imp_uid = sandbox.open(wanted).imp_uid
    sandbox.approve(imp_uid)
    sandbox.clock.advance(60)
    sandbox.cancel(imp_uid, Decimal(100))
    rest.get(f"/payments/{imp_uid}")
    entries = sandbox.journal.after(start)
    assert [(each.kind, each.what.get("step")) for each in entries] == [
        (WINDOW, "open"),
        (CONFIRM, None),
        (WINDOW, "approve"),
        (DELIVERY, None),
        (CLOCK, None),
        (CONTROL, "cancel"),
        (DELIVERY, None),
        (API, None),
    ]
    assert {each.imp_uid for each in entries if each.kind != CLOCK} == {imp_uid}
    assert [each.at for each in entries] == [NOON] * 4 + [NOON + 60] * 4
    sent = entries[3].wire()
    assert (sent["status"], sent["ok"], sent["attempt"]) == (200, True, 1)
    assert sent["milliseconds"] >= 0  # type: ignore[operator]
    assert entries[4].what == {"before": NOON, "now": NOON + 60}


def test_every_end_of_a_window_is_a_step() -> None:
    sandbox = Sandbox()
    for end in (sandbox.decline, sandbox.close):
        end(sandbox.open({"merchant_uid": "A", "amount": 1}).imp_uid)
    account = sandbox.open({"merchant_uid": "B", "amount": 1, "pay_method": "vbank"}).imp_uid
    sandbox.issue_account(account)
    sandbox.deposit(account)
    for wanted in ({"merchant_uid": "B", "amount": 1}, {"merchant_uid": 7, "amount": 1}):
        with pytest.raises(Refused):
            sandbox.open(wanted)
    steps = [(each.merchant_uid, each.what["step"]) for each in sandbox.journal]
    assert steps == [
        *(("A", "open"), ("A", "decline"), ("A", "open"), ("A", "close")),
        *(("B", "open"), ("B", "issue"), ("B", "deposit"), ("B", "refused"), (None, "refused")),
    ]


def test_a_cancel_that_a_pg_carries_out_later_is_written_down_twice() -> None:
    sandbox = Sandbox()
    imp_uid = sandbox.gateway.make(merchant_uid="A", amount=1, pg_provider="paypal_v2").imp_uid
    sandbox.cancel(imp_uid)
    sandbox.clock.advance(3600)
    entries = [each.what for each in sandbox.journal if each.kind == CONTROL]
    told = [(what["step"], what["status"]) for what in entries]
    assert told == [("cancel", "paid"), ("due", "cancelled")]


def test_what_comes_due_is_written_down_at_its_own_time() -> None:
    sandbox = Sandbox()
    sandbox.clock.stop_at(NOON)
    imp_uid = sandbox.open({"merchant_uid": "A", "amount": 1}).imp_uid
    sandbox.approve_later(imp_uid, 60)
    sandbox.clock.advance(100)
    told = [(each.kind, each.at, each.what.get("step")) for each in sandbox.journal][-3:]
    assert told == [
        (CONTROL, NOON, "approve-later"),
        (CONTROL, NOON + 60, "due"),
        (CLOCK, NOON + 100, None),
    ]


def test_the_newest_are_kept_and_numbered_without_a_gap() -> None:
    journal = Journal(lambda: NOON)
    for number in range(KEPT + 5):
        journal.add(CONTROL, step=number)
    assert [each.number for each in journal] == list(range(6, KEPT + 6))
    assert [each.what["step"] for each in journal.after(KEPT + 3)] == [KEPT + 3, KEPT + 4]
    assert journal.after(KEPT + 5) == []
    journal.clear()
    assert journal.after(0) == []
    assert journal.add(CONTROL).number == KEPT + 6


def test_who_waits_is_woken_by_an_entry_and_by_the_end() -> None:
    journal = Journal(lambda: NOON)
    got: list[list[int]] = []

    def follow() -> None:
        for last in (0, 1):
            got.append([each.number for each in journal.after(last, wait=60)])

    thread = threading.Thread(target=follow)
    thread.start()
    journal.add(WINDOW)
    while len(got) < 1:
        thread.join(0.01)
    journal.close()
    thread.join()
    assert got == [[1], []]
    assert KINDS.index(WINDOW) == 1


def test_a_body_is_cut() -> None:
    assert cut("x" * LONGEST) == "x" * LONGEST
    assert cut("x" * (LONGEST + 1)) == "x" * LONGEST + "…"
