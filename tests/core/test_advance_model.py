"""Two payments of one order in every order of events, whatever is lost, late or repeated: what must
never happen, and what must be true in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import permutations
from typing import TypeAlias, TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imp_verify import (
    ExpectedPayment,
    Outcome,
    Payment,
    Reason,
    Receipt,
    ReceiptState,
    Settled,
    Verdict,
)
from imp_verify._core.judge import judge, judge_claim, needs_receipt, stands_for_order
from imp_verify.stores._advance import OrderState, advance, amount_of, refuse

from .values import I1, I2, PRICE, account, order, part, payment

UIDS = (I1, I2)
PART = Decimal(10000)
MONEY = (ReceiptState.PAYING, ReceiptState.DUPLICATE, ReceiptState.LATE)
PROVEN = (Verdict.PAID, Verdict.PARTLY_CANCELLED)
NO_MONEY = (ReceiptState.WAITING, ReceiptState.FAILED)

OPEN, CLOSED, DEARER = order(), order(open=False), order(50000)
ORDERS: dict[str, ExpectedPayment | None] = {
    "open": OPEN,
    "close": CLOSED,
    "delete": None,
    "reprice": DEARER,
}
NAMED = order(account="kr")
"""What a shop asks that has several accounts by now, and had one when all else was recorded."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the gateway knows of one payment."""

    status: str = ""
    parts: tuple[Decimal, ...] = ()

    @property
    def cancelled(self) -> Decimal:
        return sum(self.parts, Decimal(0))

    @property
    def holds_money(self) -> bool:
        return self.status == "paid" or 0 < self.cancelled < PRICE

    def after(self, event: str) -> Ledger | None:
        """Return the ledger after an event, None where the event cannot be."""
        left = PRICE - self.cancelled
        match event:
            case "issue" if self.status in ("", "failed", "cancelled") and not self.parts:
                return replace(self, status="ready")
            case "pay" if not self.holds_money and not self.parts:
                return replace(self, status="paid")
            case "fail" if self.status in ("", "ready"):
                return replace(self, status="failed")
            case "give up" if self.status == "ready":
                return replace(self, status="cancelled")
            case "part" if self.holds_money and left > PART:
                return Ledger("cancelled", (*self.parts, PART))
            case "all" if self.holds_money:
                return Ledger("cancelled", (*self.parts, left))
        return None


EVENTS = ("issue", "pay", "fail", "give up", "part", "all")


@cache
def fetched(which: int, ledger: Ledger) -> Payment | None:
    """Return the gateway's answer; it knows no payment before anything happened."""
    if not ledger.status:
        return None
    history = [part(amount, f"c{n}", 1735700000 + n) for n, amount in enumerate(ledger.parts)]
    build = account if ledger.status == "ready" else payment
    return build(
        ledger.status, ledger.cancelled, imp_uid=UIDS[which], raw={"cancel_history": history}
    )


T = TypeVar("T")
Known: TypeAlias = tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class World:
    """Gateway, shop and the simplest store there can be."""

    ledgers: tuple[Ledger, Ledger] = (Ledger(), Ledger())
    asked: ExpectedPayment | None = OPEN
    receipts: tuple[Receipt | None, Receipt | None] = (None, None)
    paid_by: str | None = None
    was_paid: bool = False
    known: tuple[Known, Known] = ((), ())
    refunded: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    """What was handed on as refunds, of each payment."""
    begun: tuple[bool, bool] = (False, False)
    """Whether each is being given back."""

    def look(self, which: int) -> Outcome | None:
        """Fetch and judge as the flow does; None where nothing goes to the store."""
        paid = fetched(which, self.ledgers[which])
        return None if paid is None else self.judged(paid, self.receipts[which])

    def judged(self, paid: Payment, receipt: Receipt | None) -> Outcome | None:
        assert judge_claim(paid, paid.merchant_uid, test_mode=False) is None
        account = None if self.asked is None else self.asked.account
        judgement = judge(paid, self.asked, None, account)
        if needs_receipt(judgement) and stands_for_order(receipt, paid):
            judgement = judge(paid, self.asked, receipt, account)
        if judgement.verdict is Verdict.UNKNOWN_ORDER:
            return None
        if self.asked is None and judgement.verdict in (Verdict.FAILED, Verdict.PENDING):
            return None
        return Outcome(
            *judgement,
            imp_uid=paid.imp_uid,
            merchant_uid=paid.merchant_uid,
            payment=paid,
            expected=self.asked,
        )

    def state(self, which: int) -> OrderState:
        other = self.receipts[1 - which]
        return OrderState(
            self.receipts[which],
            self.asked,
            self.paid_by,
            self.was_paid,
            other is not None and other.state is ReceiptState.WAITING,
            dict(self.known[which]),
            self.begun[which],
        )

    def claim(self, which: int) -> World:
        """Begin to give a payment back, as a store does under its lock: never one that pays."""
        if self.paid_by == UIDS[which]:
            return self
        return replace(self, begun=_with(self.begun, which, True))

    def record(
        self, which: int, outcome: Outcome, *, refuses: bool = False
    ) -> tuple[Settled | None, World]:
        """Do what a store does under its lock, and check what must never happen.

        Args:
            refuses: `on_paid` raised `GiveBack`, maybe in another state than this one.
        """
        before = self.state(which)
        change = (refuse if refuses else advance)(before, outcome)
        if change.settled is Settled.STALE:
            assert (change.receipt, change.hooks) == (before.receipt, ())
            return Settled.STALE, self
        after = self._written(which, change.receipt, change.hooks)
        _check_hooks(self, after, which, outcome, [name for name, _ in change.hooks])
        _check_states(before.receipt, change.receipt)
        if refuses:
            assert "on_paid" not in [name for name, _ in change.hooks]
        if outcome.payment is not None and outcome.payment.cancel_amount == PRICE:
            after = replace(after, begun=_with(after.begun, which, False))
        _check_verdict(after, which, outcome, change.settled)
        return change.settled, after

    def _written(
        self, which: int, receipt: Receipt | None, hooks: tuple[tuple[str, Outcome], ...]
    ) -> World:
        known = dict(self.known[which])
        for _, told in hooks:
            assert told.change not in known, f"{told.change} is handed on twice"
            known[told.change] = amount_of(told)
        paid_by, was_paid = self.paid_by, self.was_paid
        if receipt is not None and receipt.state is ReceiptState.PAYING:
            assert paid_by in (None, UIDS[which]), "two payments pay one order"
            paid_by, was_paid = UIDS[which], True
        elif paid_by == UIDS[which]:
            paid_by = None
        more = sum((each.amount for _, told in hooks for each in told.cancellations), Decimal(0))
        return replace(
            self,
            receipts=_with(self.receipts, which, receipt),
            paid_by=paid_by,
            was_paid=was_paid,
            known=_with(self.known, which, tuple(sorted(known.items()))),
            refunded=_with(self.refunded, which, self.refunded[which] + more),
        )

    @cache  # noqa: B019  # every world is asked for again and again, from others
    def deliver(self, which: int, refuses: bool = False) -> World:
        """Handle one delivery from beginning to end, looking again where the store says STALE."""
        before: Outcome | None = None
        for _ in range(4):
            outcome = self.look(which)
            if outcome is None:
                return self
            outcome = replace(outcome, refetched=outcome == before)
            before = replace(outcome, refetched=False)
            refused = refuses and outcome.verdict in PROVEN
            settled, after = self.record(which, outcome, refuses=refused)
            if settled is not Settled.STALE:
                return after
        raise AssertionError("stale for ever, though nothing else happens")


def _with(pair: tuple[T, T], which: int, value: T) -> tuple[T, T]:
    return (pair[0], value) if which else (value, pair[1])


def _check_hooks(
    before: World, after: World, which: int, outcome: Outcome, hooks: list[str]
) -> None:
    assert len(hooks) == len(set(hooks)) or set(hooks) <= {"on_paid", "on_partly_cancelled"}
    if "on_paid" in hooks:
        assert not before.was_paid, "an order is paid once in its life"
        assert not before.begun[which], "a cancel of it may be under way"
        assert after.paid_by == UIDS[which]
        assert before.asked is not None
        assert before.asked.open
        assert (before.asked.amount, before.asked.currency) == (PRICE, "KRW")
    if "on_cancelled" in hooks:
        assert before.paid_by in (None, UIDS[which]), "the order is another payment's"
        known = dict(before.known[which])
        assert "cancelled:account" not in known or "paid" in known, "an account ends once"
    if "on_forgery" in hooks:
        reason, told = f"forgery:{outcome.reason}", dict(before.known[which])
        assert f"{reason}:money" not in told, "a forgery with money is told once"
        assert reason not in told or outcome.money, "nothing has arrived since"
    if "on_partly_cancelled" in hooks:
        assert after.paid_by == UIDS[which]
    if "on_virtual_account" in hooks:
        assert not before.was_paid
    payment_ = outcome.payment
    assert payment_ is not None
    assert after.refunded[which] <= max(payment_.cancel_amount, before.ledgers[which].cancelled)


def _check_states(before: Receipt | None, after: Receipt | None) -> None:
    if before is None:
        return
    assert after is not None
    assert after.cancel_amount >= before.cancel_amount
    if before.state in MONEY:
        assert after.state not in NO_MONEY, "money that was there is forgotten"
    if before.state is ReceiptState.CANCELLED:
        assert after == before, "all was given back"
    if before.reason is Reason.REFUSED:
        assert after.reason is Reason.REFUSED
        assert after.state in (ReceiptState.LATE, ReceiptState.CANCELLED), "refused for good"
    if before.state is ReceiptState.DUPLICATE:
        assert after.state in (ReceiptState.DUPLICATE, ReceiptState.CANCELLED)


def _check_verdict(after: World, which: int, outcome: Outcome, settled: Settled | None) -> None:
    known = dict(after.known[which])
    if outcome.verdict not in PROVEN:
        return
    assert settled is not None
    if settled is Settled.DUPLICATE or settled is Settled.LATE:
        assert _is_told(str(settled), known), "money that pays nothing is never silent"
    paid = replace(outcome, settled=settled).paid
    assert paid == (after.paid_by == UIDS[which] and settled is not Settled.REVIEW)
    assert not paid or "paid" in known


def _is_told(state: str, known: dict[str, Decimal]) -> bool:
    """Whether the shop heard of money in this state. What it refused itself, it heard of as
    that."""
    return state in known or (state == "late" and f"late:{Reason.REFUSED}" in known)


def _check_repeats(world: World) -> None:
    for which in (0, 1):
        again = world.deliver(which)
        assert again.deliver(which) == again, "a repeat changes something"


def _check_end(world: World) -> None:
    """Deliver everything once more, in any order: nothing that was lost before matters for
    money."""
    for turns in permutations((0, 1)):
        end = world
        for which in turns * 2:  # twice: the first may free what the second then hands on
            end = end.deliver(which)
        for which in (0, 1):
            assert end.deliver(which) == end
            _check_account(end, which)
        if world.asked in (OPEN, NAMED) and any(_may_pay(world, which) for which in (0, 1)):
            assert end.was_paid, "money is there, the order is open, and nothing pays it"


def _may_pay(world: World, which: int) -> bool:
    """Late money of which a part went back already stays late: the shop has begun to undo it. So
    does what it refused, and what is being given back pays nothing."""
    ledger, receipt = world.ledgers[which], world.receipts[which]
    late = receipt is not None and receipt.state is ReceiptState.LATE
    refused = receipt is not None and receipt.reason is Reason.REFUSED
    undone = (late and ledger.parts) or refused or world.begun[which]
    return ledger.holds_money and not undone


def _check_account(end: World, which: int) -> None:
    ledger, receipt, known = end.ledgers[which], end.receipts[which], dict(end.known[which])
    if ledger.holds_money and end.asked in (OPEN, CLOSED, NAMED):
        assert receipt is not None
        assert receipt.state in MONEY
    if receipt is not None and receipt.state in MONEY:
        assert (receipt.amount, receipt.cancel_amount) == (PRICE, ledger.cancelled)
        assert _is_told({"paying": "paid"}.get(receipt.state, str(receipt.state)), known)
    if end.paid_by == UIDS[which]:
        assert end.refunded[which] == ledger.cancelled, "the shop knows of every refund"
    if ledger.cancelled == PRICE and "paid" in known:
        assert end.refunded[which] == PRICE
        assert "cancelled" in known


def moves(world: World, *, gives_back: bool) -> Iterator[World]:
    """Yield every world that may come next: anything happens at the gateway or in the shop, or a
    delivery arrives; where the shop gives money back, its `on_paid` refuses it or it is claimed."""
    for which in (0, 1):
        for event in EVENTS:
            ledger = world.ledgers[which].after(event)
            if ledger is not None:
                yield replace(world, ledgers=_with(world.ledgers, which, ledger))
        yield world.deliver(which)
        if gives_back:
            yield world.claim(which)
            yield world.deliver(which, refuses=True)
    for asked in (OPEN, CLOSED, None):
        yield replace(world, asked=asked)


def explore(depth: int, *, gives_back: bool = False) -> set[World]:
    """Visit every world that can be reached, and check each."""
    seen = {World()}
    edge = [World()]
    for _ in range(depth):
        edge = [
            each
            for each in {nxt for world in edge for nxt in moves(world, gives_back=gives_back)}
            if each not in seen
        ]
        seen.update(edge)
    return seen


def test_no_order_of_events_and_losses_breaks_a_rule_or_loses_money() -> None:
    worlds = explore(8)
    assert len(worlds) > 5000
    for world in worlds:
        _check_repeats(world)
        _check_end(world)
    states = {
        tuple(receipt.state if receipt else None for receipt in world.receipts) for world in worlds
    }
    assert len(states) > 25  # it does reach the cells that it claims to try


def test_a_claim_or_a_refusal_in_between_breaks_no_rule_and_loses_no_money() -> None:
    worlds = explore(6, gives_back=True)
    assert len(worlds) > 5000
    for world in worlds:
        _check_repeats(world)
        _check_end(world)
    kinds = {
        (receipt.state, receipt.reason, begun)
        for world in worlds
        for receipt, begun in zip(world.receipts, world.begun, strict=True)
        if receipt is not None
    }
    assert len(kinds) > 10


def test_an_order_that_names_an_account_by_now_loses_no_money_recorded_without_one() -> None:
    for world in explore(7):
        named = replace(world, asked=NAMED)
        _check_repeats(named)
        _check_end(named)
        for which in (0, 1):
            _check_moved(world.receipts[which], named.deliver(which).receipts[which])


def _check_moved(before: Receipt | None, after: Receipt | None) -> None:
    if after is not None and (before is None or after.state is not before.state):
        assert after.account == "kr"


# --- longer, and with answers that are slow on their way -----------------------------------------

STEP_WORDS = ("deliver", "look", "settle", "claim", "refuse", "settle refused")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(EVENTS), st.sampled_from((0, 1))),
        st.tuples(st.sampled_from(STEP_WORDS), st.sampled_from((0, 1, 2, 3))),
        st.tuples(st.sampled_from(tuple(ORDERS)), st.just(0)),
    ),
    max_size=60,
)


@dataclass(slots=True)
class Slow:
    """A delivery that looked, and is held up before the store gets it."""

    which: int
    outcome: Outcome
    before: Outcome | None = None
    looks: int = 1

    def settle(self, world: World, *, refuses: bool = False) -> tuple[World, Slow | None]:
        """Hand it to the store; a STALE one looks again and is held up once more."""
        refuses = refuses and self.outcome.verdict in PROVEN
        settled, after = world.record(self.which, self.outcome, refuses=refuses)
        if settled is not Settled.STALE or self.looks == 4:
            return after, None
        outcome = after.look(self.which)
        if outcome is None:
            return after, None
        plain = replace(self.outcome, refetched=False)
        again = replace(outcome, refetched=outcome == plain)
        return after, Slow(self.which, again, plain, self.looks + 1)


def _play(steps: list[tuple[str, int]]) -> World:
    world = World()
    slow: list[Slow] = []
    for step, which in steps:
        if step in ORDERS:
            world = replace(world, asked=ORDERS[step])
        elif step in EVENTS:
            ledger = world.ledgers[which].after(step)
            if ledger is not None:
                world = replace(world, ledgers=_with(world.ledgers, which, ledger))
        elif step == "deliver":
            world = world.deliver(which % 2)
        elif step == "refuse":
            world = world.deliver(which % 2, refuses=True)
        elif step == "claim":
            world = world.claim(which % 2)
        elif step == "look":
            outcome = world.look(which % 2)
            if outcome is not None:
                slow.append(Slow(which % 2, outcome))
        elif slow:
            held = slow.pop(which % len(slow))
            world, again = held.settle(world, refuses=step == "settle refused")
            if again is not None:
                slow.append(again)
    return world


ROUND_TRIP: list[tuple[str, int]] = [
    ("issue", 0),
    ("look", 0),
    ("pay", 0),
    ("look", 0),
    ("part", 0),
    ("deliver", 0),
    ("settle", 0),
    ("settle", 0),
    ("all", 0),
    ("deliver", 0),
]


@settings(max_examples=400)
@example(steps=ROUND_TRIP, asked=OPEN)
@given(steps=STEPS, asked=st.sampled_from((OPEN, CLOSED, NAMED)))
def test_slow_answers_break_no_rule_and_in_the_end_the_books_are_the_gateways(
    steps: list[tuple[str, int]], asked: ExpectedPayment
) -> None:
    world = replace(_play(steps), asked=asked)
    _check_repeats(world)
    _check_end(world)
