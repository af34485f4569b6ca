"""What a verdict changes: the whole table of receipt before, verdict and state of the order, cell
by cell."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

import pytest

from imp_verify import (
    ExpectedPayment,
    Outcome,
    Payment,
    Reason,
    ReceiptState,
    Settled,
    Verdict,
    stores,
)
from imp_verify.stores._advance import Change, OrderState, advance, amount_of, refuse

from .values import I1, I2, ORDER, PRICE, account, handed_on, order, outcome, part, payment, receipt

HISTORY = [part(9000, "c1")]
DEPOSITS = [{"pg_tid": "d1", "amount": 5000, "deposited_at": 1735700000}]

KINDS: dict[str, Outcome] = {
    "paid": outcome(Verdict.PAID, payment()),
    "issued": outcome(Verdict.VIRTUAL_ACCOUNT, account()),
    "failed": outcome(Verdict.FAILED, payment("failed")),
    "refunded": outcome(Verdict.CANCELLED, payment("cancelled", 39000)),
    "given up": outcome(Verdict.CANCELLED, payment("cancelled", 0)),
    "partly": outcome(Verdict.PARTLY_CANCELLED, payment("cancelled", 9000, cancel_history=HISTORY)),
    "pending": outcome(Verdict.PENDING, payment("pending")),
    "unlimited": outcome(
        Verdict.PENDING,
        account(amount=0, deposit_history=DEPOSITS),
        Reason.UNLIMITED_ACCOUNT,
    ),
}

CLOSED = order(open=False)
WORLDS: dict[str, OrderState] = {
    "open": OrderState(expected=order()),
    "others": OrderState(expected=order(), others_wait=True),
    "closed": OrderState(expected=CLOSED),
    "gone": OrderState(),
    "taken": OrderState(expected=order(), paid_by=I2, was_paid=True),
    "was": OrderState(expected=order(), was_paid=True),
    "taken closed": OrderState(expected=CLOSED, paid_by=I2, was_paid=True),
    "was gone": OrderState(was_paid=True),
}
EVERYWHERE = ", ".join(WORLDS)
PAID_ONCE = "taken, was, taken closed, was gone"

KNOWN = {
    "none": (),
    "failed": ("failed",),
    "waiting": ("virtual_account",),
    "paying": ("paid",),
    "duplicate": ("duplicate",),
    "late": ("late",),
    "cancelled": ("paid", "cancelled"),
}


class Row(NamedTuple):
    """Receipts before, verdict, orders; then what the store says, the receipt after, the hooks."""

    states: str
    kinds: str
    worlds: str
    settled: str
    after: str
    hooks: str = ""


def again(states: str, kinds: str, settled: str, hooks: str = "") -> tuple[Row, Row]:
    """Rows that hold once nothing else came on looking again; before that it is STALE."""
    return (
        Row(states, f"{kinds}", EVERYWHERE, "stale", "same"),
        Row(states, f"{kinds} (refetched)", EVERYWHERE, settled, "same", hooks),
    )


FRESH = "none, failed, waiting"
NOT_PAYING = "none, failed, waiting, duplicate, late, cancelled"
TABLE = [
    # PAID
    Row(FRESH, "paid", "open, others", "new", "paying", "on_paid"),
    Row(FRESH, "paid", "closed, gone", "late", "late", "on_late"),
    Row(FRESH, "paid", PAID_ONCE, "duplicate", "duplicate", "on_duplicate"),
    Row("paying", "paid", EVERYWHERE, "repeated", "same"),
    Row("duplicate", "paid", EVERYWHERE, "duplicate", "same"),
    Row("late", "paid", "open, others", "new", "paying", "on_paid"),
    Row("late", "paid", f"closed, gone, {PAID_ONCE}", "late", "same"),
    *again("cancelled", "paid", "review", "on_review"),
    # VIRTUAL_ACCOUNT
    Row("none, failed", "issued", "open, others", "new", "waiting", "on_virtual_account"),
    Row("none, failed", "issued", "closed", "late", "waiting"),
    Row("none, failed", "issued", "taken, was, taken closed", "duplicate", "waiting"),
    Row("none, failed", "issued", "gone, was gone", "stale", "same"),
    Row("waiting", "issued", "open, others", "repeated", "same"),
    Row("waiting", "issued", "closed, gone", "late", "same"),
    Row("waiting", "issued", PAID_ONCE, "duplicate", "same"),
    *again("paying, cancelled", "issued", "review", "on_review"),
    *again("duplicate", "issued, failed, given up", "duplicate"),
    *again("late", "issued, failed, given up", "late"),
    # FAILED
    Row("none, waiting", "failed", "open, closed, gone", "new", "failed", "on_failed"),
    Row("none, waiting", "failed", f"others, {PAID_ONCE}", "new", "failed"),
    Row("failed", "failed", EVERYWHERE, "repeated", "same"),
    *again("paying", "failed, given up, pending", "review", "on_review"),
    Row("cancelled", "failed", EVERYWHERE, "repeated", "same"),
    # CANCELLED
    Row("none, failed", "refunded", EVERYWHERE, "new", "cancelled"),
    Row("none", "given up", EVERYWHERE, "new", "failed"),
    Row("failed", "given up", EVERYWHERE, "repeated", "same"),
    Row("waiting", "refunded", "open, closed, gone", "new", "cancelled", "on_cancelled"),
    Row("waiting", "refunded", f"others, {PAID_ONCE}", "new", "cancelled"),
    Row("waiting", "given up", "open, closed, gone", "new", "failed", "on_cancelled"),
    Row("waiting", "given up", f"others, {PAID_ONCE}", "new", "failed"),
    Row("paying", "refunded", EVERYWHERE, "new", "cancelled", "on_cancelled"),
    Row("duplicate, late", "refunded", EVERYWHERE, "new", "cancelled"),
    Row("cancelled", "refunded, given up", EVERYWHERE, "repeated", "same"),
    # PARTLY_CANCELLED
    Row(FRESH, "partly", "open, others", "new", "paying", "on_paid, on_partly_cancelled"),
    Row(FRESH, "partly", "closed, gone", "late", "late", "on_late"),
    Row(FRESH, "partly", PAID_ONCE, "duplicate", "duplicate", "on_duplicate"),
    Row("paying", "partly", EVERYWHERE, "new", "paying", "on_partly_cancelled"),
    Row("duplicate", "partly", EVERYWHERE, "duplicate", "duplicate"),
    Row("late", "partly", EVERYWHERE, "late", "late"),
    *again("cancelled", "partly", "review", "on_review"),
    # PENDING
    Row(NOT_PAYING, "pending", EVERYWHERE, "None", "same"),
    Row(f"{NOT_PAYING}, paying", "unlimited", EVERYWHERE, "review", "same", "on_review"),
]

HOOKS: dict[str, tuple[Verdict, Settled]] = {
    "on_paid": (Verdict.PAID, Settled.NEW),
    "on_virtual_account": (Verdict.VIRTUAL_ACCOUNT, Settled.NEW),
    "on_cancelled": (Verdict.CANCELLED, Settled.NEW),
    "on_partly_cancelled": (Verdict.PARTLY_CANCELLED, Settled.NEW),
    "on_failed": (Verdict.FAILED, Settled.NEW),
    "on_duplicate": (Verdict.DUPLICATE, Settled.DUPLICATE),
    "on_late": (Verdict.LATE, Settled.LATE),
    "on_review": (Verdict.PENDING, Settled.REVIEW),
}


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


CELLS: dict[tuple[str, str, str, bool], list[Row]] = {
    cell: [] for cell in product(KNOWN, KINDS, WORLDS, (False, True))
}
for row in TABLE:
    bare = row.kinds.removesuffix(" (refetched)")
    refetched = (
        [True] if bare != row.kinds else [False] if row.settled == "stale" else [False, True]
    )
    gone = row.settled == "stale" and "was gone" in row.worlds and "open" not in row.worlds
    for cell in product(
        names(row.states), names(bare), names(row.worlds), [False, True] if gone else refetched
    ):
        CELLS[cell].append(row)


def begin(state: str, world: OrderState) -> OrderState:
    """Return the order with this receipt, and with what was handed on before it got there."""
    if state == "none":
        return world
    recorded = receipt(ReceiptState(state))
    if state == "cancelled":
        recorded = replace(recorded, cancel_amount=PRICE)
    if state == "paying":
        world = replace(world, paid_by=I1, was_paid=True)
    return replace(world, receipt=recorded, known=dict.fromkeys(KNOWN[state], PRICE))


def test_the_table_names_every_cell_once() -> None:
    assert {cell: rows for cell, rows in CELLS.items() if len(rows) != 1} == {}
    assert len(CELLS) == 7 * 8 * 8 * 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", KNOWN)
def test_every_cell_of_the_table(state: str, kind: str) -> None:
    for name, again in product(WORLDS, (False, True)):
        [row] = CELLS[state, kind, name, again]
        before = begin(state, WORLDS[name])
        told = replace(KINDS[kind], refetched=again)
        change = advance(before, told)
        cell = f"{state} receipt, {kind}, {name}, refetched: {again}"
        assert str(change.settled) == row.settled, cell
        assert [hook for hook, _ in change.hooks] == names(row.hooks), cell
        if row.after == "same":
            assert change.receipt == before.receipt, cell
        else:
            assert change.receipt is not None, cell
            assert change.receipt.state == row.after, cell
        for hook, gets in change.hooks:
            assert (gets.verdict, gets.settled) == HOOKS[hook], cell
            assert (gets.payment, gets.endpoint, gets.merchant_uid) == (
                told.payment,
                "webhook",
                ORDER,
            ), cell


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", KNOWN)
def test_a_repeat_of_any_cell_hands_nothing_on_again(state: str, kind: str) -> None:
    for world, again in product(WORLDS.values(), (False, True)):
        told = replace(KINDS[kind], refetched=again)
        before = begin(state, world)
        first = advance(before, told)
        pays = first.receipt is not None and first.receipt.state is ReceiptState.PAYING
        after = replace(
            before,
            receipt=first.receipt,
            paid_by=I1 if pays else before.paid_by,
            was_paid=before.was_paid or pays,
            known={**before.known, **handed_on(first.hooks)},
        )
        second = advance(after, told)
        assert second.hooks == ()
        assert second.receipt == first.receipt


# --- adopting ------------------------------------------------------------------------------------

ADOPTED = {
    "paid": replace(KINDS["paid"], endpoint="adopt"),
    "partly": replace(KINDS["partly"], endpoint="adopt"),
}
MONEY_KINDS = "paid, partly"
UNPAID = "open, others, closed"
NOT_CANCELLED = "none, failed, waiting, duplicate, late"
ADOPT_TABLE = [
    Row(NOT_CANCELLED, MONEY_KINDS, UNPAID, "new", "paying"),
    Row(NOT_CANCELLED, MONEY_KINDS, "gone", "stale", "same"),
    Row(NOT_CANCELLED, MONEY_KINDS, PAID_ONCE, "duplicate", "same"),
    Row("paying", MONEY_KINDS, EVERYWHERE, "repeated", "same"),
    Row("cancelled", MONEY_KINDS, EVERYWHERE, "stale", "same"),
    Row("cancelled", f"{MONEY_KINDS} (refetched)", EVERYWHERE, "review", "same"),
]


def adopting_cells() -> dict[tuple[str, str, str, bool], Row]:
    cells: dict[tuple[str, str, str, bool], Row] = {}
    for row in ADOPT_TABLE:
        bare = row.kinds.removesuffix(" (refetched)")
        both = row.states != "cancelled"
        again = [False, True] if both else [bare != row.kinds]
        for cell in product(names(row.states), names(bare), names(row.worlds), again):
            assert cell not in cells
            cells[cell] = row
    return cells


def test_every_cell_of_the_table_of_adopting() -> None:
    cells = adopting_cells()
    assert len(cells) == len(KNOWN) * len(ADOPTED) * len(WORLDS) * 2
    for (state, kind, world, again), row in cells.items():
        before = begin(state, WORLDS[world])
        change = advance(before, replace(ADOPTED[kind], refetched=again))
        cell = f"{state} receipt, {kind}, {world}, refetched: {again}"
        assert str(change.settled) == row.settled, cell
        assert change.hooks == (), cell
        if row.after == "same":
            assert (change.receipt, change.untold) == (before.receipt, ()), cell
            continue
        assert change.receipt is not None, cell
        assert change.receipt.state == row.after, cell
        wanted = ["paid"] if kind == "paid" else ["paid", "partly_cancelled:c1"]
        assert [each.change for each in change.untold] == wanted, cell
        assert {each.endpoint for each in change.untold} == {"adopt"}, cell
        assert {each.settled for each in change.untold} == {Settled.NEW}, cell


@pytest.mark.parametrize("kind", ADOPTED)
def test_what_was_adopted_is_an_ordinary_paying_payment(kind: str) -> None:
    for world in names(UNPAID):
        adopted = advance(WORLDS[world], ADOPTED[kind])
        known = {each.change: amount_of(each) for each in adopted.untold}
        after = replace(
            WORLDS[world], receipt=adopted.receipt, paid_by=I1, was_paid=True, known=known
        )
        again = advance(after, KINDS[kind])
        assert (again.settled, again.hooks) == (Settled.REPEATED, ())
        refunded = advance(after, KINDS["refunded"])
        assert [name for name, _ in refunded.hooks] == ["on_cancelled"]


@pytest.mark.parametrize("state", ["none", "failed", "waiting", "duplicate", "late"])
def test_what_is_being_given_back_or_was_refused_is_not_adopted(state: str) -> None:
    claimed = replace(begin(state, WORLDS["open"]), giving_back=True)
    change = advance(claimed, ADOPTED["paid"])
    assert change == Change(Settled.LATE, claimed.receipt)
    refused = begin("late", WORLDS["open"])
    refused = replace(refused, receipt=receipt(ReceiptState.LATE, reason=Reason.REFUSED))
    assert advance(refused, ADOPTED["paid"]) == Change(Settled.LATE, refused.receipt)


@pytest.mark.parametrize(
    "now",
    [
        order(39001),
        order(currency="USD"),
        order(account="kr"),
        order(pay_methods=["card"]),
        order(pg_providers=["kcp"]),
    ],
    ids=str,
)
def test_an_order_that_asks_something_else_by_now_adopts_nothing(now: ExpectedPayment) -> None:
    change = advance(OrderState(expected=now), ADOPTED["paid"])
    assert change == Change(Settled.STALE, None)


@pytest.mark.parametrize("kind", [each for each in KINDS if each not in ADOPTED])
def test_nothing_but_money_that_is_there_is_adopted(kind: str) -> None:
    with pytest.raises(ValueError, match="is not adopted"):
        advance(WORLDS["open"], replace(KINDS[kind], endpoint="adopt"))


# --- what a receipt holds ------------------------------------------------------------------------


def settle(world: OrderState, paid: Payment, verdict: Verdict = Verdict.PAID) -> Change:
    return advance(world, outcome(verdict, paid, expected=world.expected))


def test_a_receipt_holds_the_payment_as_the_gateway_gave_it_and_the_orders_account() -> None:
    asked = order("10.50", currency="USD", account="kr")
    paid = payment(amount="10.5", currency="USD", sandbox=True)
    change = settle(OrderState(expected=asked), paid)
    assert change.receipt == receipt(
        amount=Decimal("10.50"), currency="USD", account="kr", test=True
    )


def test_the_account_recorded_first_stays() -> None:
    before = replace(receipt(ReceiptState.WAITING), account="old")
    world = OrderState(receipt=before, expected=order(account="new"))
    change = settle(world, payment())
    assert change.receipt is not None
    assert change.receipt.account == "old"


def test_what_was_recorded_without_an_account_gets_the_orders_once_it_moves_on() -> None:
    for state in (ReceiptState.WAITING, ReceiptState.FAILED):
        change = settle(OrderState(receipt(state), order(account="kr")), payment())
        assert change.receipt == receipt(ReceiptState.PAYING, account="kr")
    repeated = settle(OrderState(receipt(), order(account="kr"), I1, True), payment())
    assert repeated == Change(Settled.REPEATED, receipt())


@pytest.mark.parametrize("state", ["paying", "duplicate", "late", "waiting", "failed"])
def test_what_was_refunded_is_never_lowered_by_a_reply_that_was_long_on_its_way(state: str) -> None:
    recorded = replace(receipt(ReceiptState(state)), cancel_amount=Decimal(9000))
    world = OrderState(receipt=recorded, expected=order())
    for slow in (
        outcome(Verdict.PAID, payment()),
        outcome(Verdict.PARTLY_CANCELLED, payment("cancelled", 5000)),
    ):
        change = advance(world, slow)
        assert change.receipt is not None
        assert change.receipt.cancel_amount == 9000


def test_a_later_refund_raises_what_was_refunded() -> None:
    for state in (ReceiptState.PAYING, ReceiptState.DUPLICATE, ReceiptState.LATE):
        world = OrderState(receipt=receipt(state, cancel_amount=Decimal(9000)), expected=order())
        paid = payment("cancelled", 12000)
        change = advance(world, outcome(Verdict.PARTLY_CANCELLED, paid))
        assert change.receipt == receipt(state, cancel_amount=Decimal(12000))


def test_on_duplicate_says_who_paid_the_order() -> None:
    change = settle(WORLDS["taken"], payment())
    assert [told.paid_by for _, told in change.hooks] == [I2]
    change = settle(WORLDS["open"], payment())
    assert [told.paid_by for _, told in change.hooks] == [None]


def test_an_order_that_somebody_pays_was_paid_whatever_else_is_kept_of_it() -> None:
    assert settle(OrderState(expected=order(), paid_by=I2), payment()).settled is Settled.DUPLICATE


def test_an_order_in_which_everything_is_wrong_is_a_duplicate_before_it_is_late() -> None:
    for name in ("taken closed", "was gone"):
        assert settle(WORLDS[name], payment()).settled is Settled.DUPLICATE


# --- on_cancelled and on_failed ------------------------------------------------------------------


def test_an_account_that_was_never_handed_on_is_given_up_in_silence() -> None:
    world = OrderState(receipt=receipt(ReceiptState.WAITING), expected=order())
    for kind, state in (("given up", ReceiptState.FAILED), ("refunded", ReceiptState.CANCELLED)):
        change = advance(world, KINDS[kind])
        assert change.hooks == ()
        assert change.receipt is not None
        assert change.receipt.state is state


def test_an_account_that_failed_or_was_given_up_is_not_cancelled_a_second_time() -> None:
    for known in (("virtual_account",), ("virtual_account", "failed", "cancelled:account")):
        failed = replace(
            WORLDS["open"],
            receipt=receipt(ReceiptState.FAILED),
            known=dict.fromkeys(known, PRICE),
        )
        assert advance(failed, KINDS["refunded"]).hooks == ()
        assert advance(failed, KINDS["given up"]).hooks == ()


def test_an_account_given_up_and_a_later_refund_are_two_changes() -> None:
    waits = replace(
        WORLDS["open"], receipt=receipt(ReceiptState.WAITING), known={"virtual_account": PRICE}
    )
    given_up = advance(waits, KINDS["given up"])
    refunded = advance(waits, KINDS["refunded"])
    assert given_up.hooks[0][1].key == f"{I1}:cancelled:account"
    assert refunded.hooks[0][1].key == f"{I1}:cancelled"


def follow(*kinds: str) -> list[list[str]]:
    """Return the hooks of each of these in turn, as a store records them one after the other."""
    world, told = WORLDS["open"], []
    for kind in kinds:
        change = advance(world, KINDS[kind])
        pays = change.receipt is not None and change.receipt.state is ReceiptState.PAYING
        world = replace(
            world,
            receipt=change.receipt,
            known={**world.known, **handed_on(change.hooks)},
            paid_by=I1 if pays else None,
            was_paid=world.was_paid or pays,
        )
        told.append([name for name, _ in change.hooks])
    return told


def test_b15_the_end_of_an_account_is_told_once_whichever_of_its_two_ways_came_first() -> None:
    told = follow("issued", "given up", "issued", "refunded", "given up")
    assert told == [["on_virtual_account"], ["on_cancelled"], [], [], []]
    told = follow("issued", "given up", "issued", "given up")
    assert told == [["on_virtual_account"], ["on_cancelled"], [], []]
    told = follow("issued", "refunded", "given up", "refunded")
    assert told == [["on_virtual_account"], ["on_cancelled"], [], []]


def test_b15_a_deposit_after_the_end_of_an_account_and_its_refund_are_told() -> None:
    told = follow("issued", "given up", "paid", "refunded")
    assert told == [["on_virtual_account"], ["on_cancelled"], ["on_paid"], ["on_cancelled"]]


def test_a_deposit_after_an_account_was_given_up_still_pays() -> None:
    failed = replace(WORLDS["open"], receipt=receipt(ReceiptState.FAILED))
    assert [name for name, _ in advance(failed, KINDS["paid"]).hooks] == ["on_paid"]


def test_on_cancelled_gets_the_refunds_that_were_not_handed_on_before() -> None:
    history = [part(9000, "c1"), part(30000, "c2", 1735700009)]
    paid = payment("cancelled", 39000, cancel_history=history)
    known = {"paid": PRICE, "partly_cancelled:c1": Decimal(9000)}
    world = OrderState(receipt(), order(), I1, True, known=known)
    [(name, told)] = advance(world, outcome(Verdict.CANCELLED, paid)).hooks
    assert name == "on_cancelled"
    assert handed_on([(name, told)]) == {"cancelled": PRICE}
    assert [(each.id, each.amount) for each in told.cancellations] == [("c2", Decimal(30000))]


def test_on_failed_comes_once_the_order_is_not_taken_any_more() -> None:
    world = replace(WORLDS["others"], receipt=receipt(ReceiptState.FAILED))
    assert advance(world, KINDS["failed"]).settled is Settled.REPEATED
    change = advance(replace(world, others_wait=False), KINDS["failed"])
    assert (change.settled, [name for name, _ in change.hooks]) == (Settled.NEW, ["on_failed"])


# --- on_partly_cancelled -------------------------------------------------------------------------


def test_every_refund_is_a_hook_of_its_own_oldest_first_and_after_on_paid() -> None:
    history = [part(4000, "new", 1735700009), part(5000, "old", 1735700001)]
    paid = payment("cancelled", 9000, cancel_history=history)
    change = settle(WORLDS["open"], paid, Verdict.PARTLY_CANCELLED)
    assert [(name, told.key, len(told.cancellations)) for name, told in change.hooks] == [
        ("on_paid", f"{I1}:paid", 0),
        ("on_partly_cancelled", f"{I1}:partly_cancelled:old", 1),
        ("on_partly_cancelled", f"{I1}:partly_cancelled:new", 1),
    ]
    assert all(told.paid for _, told in change.hooks)
    assert handed_on(change.hooks) == {
        "paid": PRICE,
        "partly_cancelled:old": Decimal(5000),
        "partly_cancelled:new": Decimal(4000),
    }


def test_a_refund_handed_on_before_makes_no_news() -> None:
    known = {"paid": PRICE, "partly_cancelled:c1": Decimal(9000)}
    recorded = receipt(cancel_amount=Decimal(9000))
    change = advance(OrderState(recorded, order(), I1, True, known=known), KINDS["partly"])
    assert change == Change(Settled.REPEATED, recorded)


# --- STALE ---------------------------------------------------------------------------------------

PAYS_OR_WAITS = ("paid", "partly", "issued")
STALE_ORDERS: dict[str, tuple[ExpectedPayment | None, ExpectedPayment | None]] = {  # then, now
    "dearer": (order(), order(50000)),
    "cheaper": (order(), order(1000)),
    "in dollars": (order(), order(currency="USD")),
    "of another account": (order(), order(account="kr")),
    "of no account": (order(account="kr"), order()),
    "by other methods": (order(), order(pay_methods=["card", "vbank"])),
    "by any method": (order(pay_methods=["card", "vbank"]), order()),
    "by other PGs": (order(), order(pg_providers=["html5_inicis"])),
    "back again": (None, order()),
}


@pytest.mark.parametrize("kind", PAYS_OR_WAITS)
@pytest.mark.parametrize("state", ["none", "failed", "waiting"])
@pytest.mark.parametrize("change", STALE_ORDERS)
def test_an_order_that_asks_something_else_by_now_is_stale(
    change: str, state: str, kind: str
) -> None:
    then, now = STALE_ORDERS[change]
    before = begin(state, OrderState(expected=now))
    told = replace(KINDS[kind], expected=then)
    if (state, kind) == ("waiting", "issued"):  # it waits already
        assert advance(before, told) == Change(Settled.REPEATED, before.receipt)
    else:
        assert advance(before, told) == Change(Settled.STALE, before.receipt)
        assert advance(before, replace(told, refetched=True)).settled is Settled.STALE


@pytest.mark.parametrize("kind", PAYS_OR_WAITS)
def test_what_the_shop_hands_on_to_itself_makes_nothing_stale(kind: str) -> None:
    world = OrderState(expected=order(metadata={"cart": 2}))
    told = replace(KINDS[kind], expected=order(metadata={"cart": 1}))
    assert advance(world, told).settled is Settled.NEW


@pytest.mark.parametrize("kind", PAYS_OR_WAITS)
def test_closing_and_opening_an_order_makes_nothing_stale(kind: str) -> None:
    told = replace(KINDS[kind], expected=CLOSED)
    assert advance(WORLDS["open"], told).settled is Settled.NEW
    assert advance(WORLDS["closed"], KINDS[kind]).settled is Settled.LATE


@pytest.mark.parametrize("change", STALE_ORDERS)
@pytest.mark.parametrize("kind", ["failed", "refunded", "given up", "pending", "unlimited"])
def test_what_neither_pays_nor_waits_is_never_stale(kind: str, change: str) -> None:
    then, now = STALE_ORDERS[change]
    change_ = advance(OrderState(expected=now), replace(KINDS[kind], expected=then))
    assert change_.settled is not Settled.STALE


@pytest.mark.parametrize("change", STALE_ORDERS)
def test_money_too_many_or_too_late_is_kept_whatever_the_order_asks_by_now(change: str) -> None:
    then, now = STALE_ORDERS[change]
    told = replace(KINDS["paid"], expected=then)
    taken = OrderState(expected=now, paid_by=I2, was_paid=True)
    assert advance(taken, told).settled is Settled.DUPLICATE
    shut = None if now is None else order(now.amount, open=False, currency=now.currency)
    assert advance(OrderState(expected=shut), told).settled is Settled.LATE


def test_a_waiting_account_whose_amount_was_edited_is_compared_with_the_order_again() -> None:
    edited = account(amount=50000)
    before = begin("waiting", OrderState(expected=order(50000)))
    told = outcome(Verdict.VIRTUAL_ACCOUNT, edited, expected=order(50000))
    change = advance(before, told)
    assert change.settled is Settled.REPEATED
    assert change.receipt is not None
    assert change.receipt.amount == 50000
    assert advance(replace(before, expected=order()), told).settled is Settled.STALE


# --- late money that the shop accepts ------------------------------------------------------------


@pytest.mark.parametrize(
    "now",
    [
        order(50000),
        order(currency="USD"),
        order(pay_methods=["trans"]),
        order(pg_providers=["kcp"]),
        CLOSED,
        order(account="kr", open=False),
        None,
    ],
)
def test_late_money_pays_only_what_asks_for_exactly_this(now: ExpectedPayment | None) -> None:
    before = begin("late", OrderState(expected=now))
    told = replace(KINDS["paid"], expected=now)
    assert advance(before, told) == Change(Settled.LATE, before.receipt)


@pytest.mark.parametrize("now", [order(account="us"), order()])
def test_late_money_of_one_account_pays_no_order_of_another(now: ExpectedPayment) -> None:
    late = receipt(ReceiptState.LATE, account="kr")
    told = replace(KINDS["paid"], expected=now)
    assert advance(OrderState(late, now), told) == Change(Settled.LATE, late)


def test_late_money_from_before_there_were_several_accounts_is_of_the_one_that_was_asked() -> None:
    late, now = receipt(ReceiptState.LATE), order(account="kr")
    change = advance(OrderState(late, now), replace(KINDS["paid"], expected=now))
    assert (change.settled, [name for name, _ in change.hooks]) == (Settled.NEW, ["on_paid"])
    assert change.receipt == receipt(ReceiptState.PAYING, account="kr")
    moved = replace(KINDS["paid"], expected=order(account="us"))  # while another one was asked
    assert advance(OrderState(late, now), moved) == Change(Settled.STALE, late)


def test_late_money_pays_the_order_once_it_is_open_and_asks_for_this() -> None:
    asked = order(account="kr", pay_methods=["card", "trans"], pg_providers=["html5_inicis"])
    before = replace(
        begin("late", OrderState(expected=asked)), receipt=receipt(ReceiptState.LATE, account="kr")
    )
    change = advance(before, replace(KINDS["paid"], expected=asked))
    assert (change.settled, [told.key for _, told in change.hooks]) == (
        Settled.NEW,
        [f"{I1}:paid"],
    )
    stale = advance(before, replace(KINDS["paid"], expected=order()))
    assert stale == Change(Settled.STALE, before.receipt)  # changed between judging and the lock


# --- FORGERY -------------------------------------------------------------------------------------

NO_FORGERY = (Reason.UNLIMITED_ACCOUNT, Reason.WENT_BACK, Reason.REFUSED)
FORGED = [reason for reason in Reason if reason not in NO_FORGERY]
FORGERY_SETTLED = {
    "open": Settled.NEW,
    "others": Settled.NEW,
    "closed": Settled.LATE,
    "gone": Settled.LATE,
    "taken": Settled.DUPLICATE,
    "was": Settled.DUPLICATE,
    "taken closed": Settled.DUPLICATE,
    "was gone": Settled.DUPLICATE,
}


@pytest.mark.parametrize("reason", FORGED)
@pytest.mark.parametrize("state", KNOWN)
def test_forgery_leaves_the_receipt_and_tells_once_per_reason(state: str, reason: Reason) -> None:
    told = outcome(Verdict.FORGERY, payment(amount=1), reason)
    for name, world in WORLDS.items():
        before = begin(state, world)
        settled = FORGERY_SETTLED[name]
        if state == "paying":
            settled = Settled.DUPLICATE
        if reason is Reason.ORDER:
            settled = Settled.NEW
        change = advance(before, told)
        assert change == Change(
            settled, before.receipt, (("on_forgery", replace(told, settled=settled)),)
        )
        money = "" if reason is Reason.CARD_REGISTRATION else ":money"
        assert change.hooks[0][1].key == f"{I1}:forgery:{reason}{money}"
        assert not change.hooks[0][1].paid
        known = {**before.known, **handed_on(change.hooks)}
        repeat = advance(replace(before, known=known), told)
        expected = Settled.REPEATED if settled is Settled.NEW else settled
        assert repeat == Change(expected, before.receipt)


@pytest.mark.parametrize("reason", [Reason.AMOUNT, Reason.ORDER, Reason.TEST_PAYMENT])
def test_b15_a_forgery_is_told_once_more_when_money_has_arrived_since(reason: Reason) -> None:
    waits = outcome(Verdict.FORGERY, account(amount=1), reason)
    paid = outcome(Verdict.FORGERY, account("paid", amount=1), reason)
    gone = outcome(Verdict.FORGERY, account("cancelled", 1, amount=1), reason)
    world, told = WORLDS["open"], []
    for each in (waits, waits, paid, waits, paid, gone):
        change = advance(world, each)
        told.append([key for _, gets in change.hooks for key in [gets.key]])
        world = replace(world, known={**world.known, **handed_on(change.hooks)})
    key = f"{I1}:forgery:{reason}"
    assert told == [[key], [], [f"{key}:money"], [], [], []]
    assert world.known == {f"forgery:{reason}": 0, f"forgery:{reason}:money": 1}


def test_b15_a_forgery_told_with_money_is_not_told_again_once_the_money_is_gone() -> None:
    known = {"forgery:amount:money": PRICE}
    gone = outcome(Verdict.FORGERY, payment("cancelled", 39000), Reason.AMOUNT)
    assert advance(replace(WORLDS["open"], known=known), gone).hooks == ()


def test_b15_a_forgery_recorded_by_an_older_release_counts_as_told_with_money() -> None:
    """That recorded the payment's amount, whether or not the money was there."""
    known = {"forgery:amount": PRICE}
    for of in (account(), account("paid")):
        told = outcome(Verdict.FORGERY, of, Reason.AMOUNT)
        assert advance(replace(WORLDS["open"], known=known), told).hooks == ()


def test_one_reason_handed_on_does_not_silence_another() -> None:
    known = {"forgery:amount": Decimal(1)}
    told = outcome(Verdict.FORGERY, payment(sandbox=True), Reason.TEST_PAYMENT)
    assert len(advance(replace(WORLDS["open"], known=known), told).hooks) == 1


def test_a_false_claim_about_an_order_needs_no_order() -> None:
    told = outcome(Verdict.FORGERY, payment(), Reason.ORDER, expected=None)
    change = advance(OrderState(), told)
    assert (change.settled, change.receipt) == (Settled.NEW, None)
    assert advance(OrderState(known={"forgery:order": PRICE}), told) == Change(
        Settled.REPEATED, None
    )


# --- REVIEW --------------------------------------------------------------------------------------


def test_every_deposit_into_an_account_without_an_amount_is_looked_at_once() -> None:
    first = KINDS["unlimited"]
    change = advance(WORLDS["open"], first)
    assert len(change.hooks) == 1
    known = handed_on(change.hooks)
    assert advance(replace(WORLDS["open"], known=known), first) == Change(Settled.REVIEW, None)
    more = account(amount=0, deposit_history=[*DEPOSITS, {**DEPOSITS[0], "pg_tid": "d2"}])
    second = outcome(Verdict.PENDING, more, Reason.UNLIMITED_ACCOUNT)
    [(name, told)] = advance(replace(WORLDS["open"], known=known), second).hooks
    assert name == "on_review"
    assert told.key == f"{I1}:pending:unlimited_account:d2-1"


def test_an_account_without_an_amount_and_without_a_deposit_is_under_review_in_silence() -> None:
    histories: tuple[object, ...] = (None, [], "x", {})
    for history in histories:
        told = outcome(
            Verdict.PENDING,
            account(amount=0, deposit_history=history),
            Reason.UNLIMITED_ACCOUNT,
        )
        assert advance(WORLDS["open"], told) == Change(Settled.REVIEW, None)


def test_a_payment_that_went_back_is_looked_at_by_a_person_once() -> None:
    before = begin("paying", WORLDS["open"])
    told = replace(KINDS["issued"], refetched=True)
    [(name, gets)] = advance(before, told).hooks
    assert (name, gets.key) == ("on_review", f"{I1}:pending:went_back")
    known = {**before.known, gets.change: PRICE}
    assert advance(replace(before, known=known), told) == Change(Settled.REVIEW, before.receipt)


# --- what no store is given ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "verdict",
    [Verdict.UNKNOWN_ORDER, Verdict.UNKNOWN_PAYMENT, Verdict.DUPLICATE, Verdict.LATE],
)
def test_a_verdict_that_no_store_is_given_changes_nothing(verdict: Verdict) -> None:
    with pytest.raises(ValueError, match="no store is given"):
        advance(WORLDS["open"], outcome(verdict, payment()))


def test_an_outcome_without_a_payment_changes_nothing() -> None:
    nothing: dict[str, Any] = {"imp_uid": I1, "merchant_uid": ORDER}
    with pytest.raises(ValueError, match="without a payment"):
        advance(WORLDS["open"], Outcome(Verdict.PAID, **nothing))


def test_what_decides_is_public_where_stores_are() -> None:
    assert stores.advance is advance
    assert (stores.Change, stores.OrderState) == (Change, OrderState)
    with pytest.raises(AttributeError, match=r"imp_verify\.stores.* has no attribute 'Advance'"):
        stores.Advance  # noqa: B018  # asking for it is the test


# --- money that goes back ------------------------------------------------------------------------


@pytest.mark.parametrize("state", [None, *(s for s in ReceiptState if s in ("waiting", "failed"))])
@pytest.mark.parametrize("kind", ["paid", "partly"])
def test_a_payment_that_is_being_given_back_is_late_though_the_order_is_open(
    kind: str, state: ReceiptState | None
) -> None:
    before = None if state is None else receipt(state)
    change = advance(OrderState(before, order(), giving_back=True), KINDS[kind])
    assert change.settled is Settled.LATE
    assert change.receipt is not None
    assert change.receipt.state is ReceiptState.LATE
    assert [name for name, _ in change.hooks] == ["on_late"]


def test_late_money_that_is_being_given_back_pays_no_order_that_is_opened() -> None:
    late = receipt(ReceiptState.LATE)
    change = advance(OrderState(late, order(), giving_back=True), KINDS["paid"])
    assert change == Change(Settled.LATE, late)


def test_a_payment_that_the_shop_refused_is_kept_as_late_and_told_once() -> None:
    change = refuse(OrderState(expected=order()), KINDS["paid"])
    late = receipt(ReceiptState.LATE, reason=Reason.REFUSED)
    [(name, told)] = change.hooks
    assert (change.settled, change.receipt, name) == (Settled.LATE, late, "on_late")
    assert (told.verdict, told.reason, told.settled) == (Verdict.LATE, Reason.REFUSED, Settled.LATE)
    assert told.key == f"{I1}:late:refused"
    again = OrderState(late, order(), known={told.change: PRICE})
    assert advance(again, KINDS["paid"]) == refuse(again, KINDS["paid"])
    assert advance(again, KINDS["paid"]) == Change(Settled.LATE, late)
    gone = advance(again, KINDS["refunded"]).receipt
    assert gone is not None
    assert (gone.state, gone.reason) == (ReceiptState.CANCELLED, Reason.REFUSED)


def test_what_others_recorded_before_the_refusal_stands() -> None:
    paying = OrderState(receipt(), order(), paid_by=I1, was_paid=True)
    assert refuse(paying, KINDS["paid"]) == advance(paying, KINDS["paid"])
    taken = WORLDS["taken"]
    assert refuse(taken, KINDS["paid"]) == advance(taken, KINDS["paid"])
    closed = refuse(WORLDS["closed"], KINDS["paid"]).receipt
    assert closed is not None
    assert closed.reason is Reason.REFUSED
