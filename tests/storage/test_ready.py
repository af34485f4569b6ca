"""What every ready-made store refuses to record, and what its hold does, in memory and on disk, by
its own statements and by SQLAlchemy's."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from imp_verify import (
    Cancellation,
    ConfigurationError,
    ExpectedPayment,
    OrderStore,
    Outcome,
    Reason,
    Settled,
    StoreError,
    Verdict,
)
from imp_verify.stores._open import holding
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome

ASKED = ExpectedPayment(ORDER, PRICE)
Make = Callable[..., OrderStore]


@pytest.fixture(params=[MemoryStore, SqliteStore, SqlAlchemyStore])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as afterwards:

        def make(**functions: Any) -> OrderStore:
            functions.setdefault("expected", lambda order, transaction: PRICE)
            if request.param is MemoryStore:
                return MemoryStore(**functions)
            if request.param is SqliteStore:
                store = SqliteStore(tmp_path / "shop.db", **functions)
                afterwards.callback(store.close)
                return store
            engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
            afterwards.callback(engine.dispose)
            tables = SqlAlchemyStore(engine, **functions)
            tables.create_all()
            return tables

        yield make


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, GeneratorExit, SystemExit])
@pytest.mark.parametrize("which", ["expected", "on_paid"])
def test_what_ends_a_loop_elsewhere_is_an_error_of_a_hook_too(
    make: Make, which: str, error: type[BaseException]
) -> None:
    """`next()` of nothing, for one: were it taken for the end of the store's own steps, the record
    would be kept without the hook's work."""

    def fail(*arguments: object) -> None:
        raise error("nothing is left")

    store = make(**{which: fail})
    with pytest.raises((error, RuntimeError), match=r"nothing is left|StopIteration"):
        _ = store.settle(paid_outcome(FIRST, ASKED))
    assert store.receipts([FIRST]) == {}


async def later() -> int:
    raise AssertionError("nobody awaits it")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Verdict.UNKNOWN_PAYMENT, imp_uid=FIRST),
        Outcome(Verdict.PAID, merchant_uid=ORDER),
        replace(paid_outcome(FIRST, ASKED), verdict=Verdict.PENDING),
    ],
)
def test_an_outcome_that_is_no_money_is_not_settled(make: Make, outcome: Outcome) -> None:
    store = make()
    with pytest.raises(StoreError):
        _ = store.settle(outcome)
    assert store.receipts([FIRST]) == {}


def test_a_store_says_of_an_order_whether_it_was_ever_paid(make: Make) -> None:
    store: Any = make()
    assert not store.paid(ORDER)
    pays = paid_outcome(FIRST, ASKED)
    assert store.settle(pays) is Settled.NEW
    assert store.paid(ORDER)
    assert pays.payment is not None
    gone = replace(pays.payment, status="cancelled", cancel_amount=ASKED.amount)
    assert store.observe(replace(pays, verdict=Verdict.CANCELLED, payment=gone)) is Settled.NEW
    assert store.paid(ORDER)
    assert not store.paid(ORDER.lower())


def test_an_expected_that_gives_a_coroutine_is_a_store_error(make: Make) -> None:
    store = make(expected=lambda order, transaction: later())
    with pytest.raises(StoreError, match="coroutine"):
        _ = store.settle(paid_outcome(FIRST, ASKED))
    assert store.receipts([FIRST]) == {}


def test_a_hook_that_gives_another_awaitable_is_a_store_error(make: Make) -> None:
    class Awaitable:
        def __await__(self) -> Any:
            raise AssertionError("nobody awaits it")

    store = make(on_paid=lambda outcome, transaction: Awaitable())
    with pytest.raises(StoreError, match="on_paid"):
        _ = store.settle(paid_outcome(FIRST, ASKED))
    assert store.receipts([FIRST]) == {}


def yields(outcome: Outcome, transaction: object) -> Any:
    raise AssertionError("nobody runs it")
    yield


async def yields_later(outcome: Outcome, transaction: object) -> Any:
    raise AssertionError("nobody runs it")
    yield


class Yields:
    def __call__(self, outcome: Outcome, transaction: object) -> Any:
        return (yield)


@pytest.mark.parametrize("hook", [yields, yields_later, partial(yields), Yields()])
def test_a_hook_with_a_yield_in_it_is_refused_at_once(make: Make, hook: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"on_paid (has a yield|must be a plain)"):
        make(on_paid=hook)


@pytest.mark.parametrize("hook", [yields, yields_later])
def test_a_hook_that_gives_a_generator_is_a_store_error(make: Make, hook: Any) -> None:
    store = make(on_paid=lambda outcome, transaction: hook(outcome, transaction))
    with pytest.raises(StoreError, match=r"on_paid returned .*generator.*work was not done"):
        _ = store.settle(paid_outcome(FIRST, ASKED))
    assert store.receipts([FIRST]) == {}


def test_a_claim_for_another_order_locks_and_asks_none(make: Make) -> None:
    asked: list[str] = []
    told: list[Outcome] = []

    def expected(merchant_uid: str, transaction: object) -> int:
        asked.append(merchant_uid)
        return PRICE

    store = make(expected=expected, on_forgery=lambda outcome, transaction: told.append(outcome))
    claim = replace(
        paid_outcome(FIRST, ASKED), verdict=Verdict.FORGERY, reason=Reason.ORDER, expected=None
    )
    assert [store.observe(claim) for _ in range(2)] == [Settled.NEW, Settled.REPEATED]
    assert asked == []
    assert len(told) == 1
    assert store.receipts([FIRST]) == {}
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW


def test_a_part_that_settle_handed_on_is_not_observed_again(make: Make) -> None:
    told: list[tuple[Cancellation, ...]] = []
    store = make(
        on_partly_cancelled=lambda outcome, transaction: told.append(outcome.cancellations)
    )
    outcome = paid_outcome(FIRST, ASKED)
    assert outcome.payment is not None
    payment = replace(outcome.payment, cancel_amount=outcome.payment.amount - 1)
    outcome = replace(outcome, verdict=Verdict.PARTLY_CANCELLED, payment=payment)
    settled = store.settle(outcome)
    assert settled is Settled.NEW
    assert store.observe(replace(outcome, settled=settled)) is settled
    assert len(told) == 1


def test_a_hold_is_asked_under_the_lock_and_in_time(make: Make) -> None:
    asked: list[str] = []

    def hold(expected: ExpectedPayment, imp_uid: str, transaction: object) -> str | None:
        asked.append(imp_uid)
        return "sold out" if imp_uid == SECOND else None

    store = make(hold=hold)
    assert store.hold(ASKED, FIRST) is None
    assert store.hold(ASKED, SECOND) == "sold out"
    with holding(time.monotonic() - 1), pytest.raises(StoreError, match="too long"):
        _ = store.hold(ASKED, FIRST)
    assert store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert store.hold(ASKED, SECOND) == "already_paid"
    assert asked == [FIRST, SECOND, FIRST]


def test_without_a_hold_every_unpaid_order_may_be_approved(make: Make) -> None:
    assert make().hold(ASKED, FIRST) is None
