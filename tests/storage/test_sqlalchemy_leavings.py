"""What shops' functions leave behind on SQLAlchemy when they end: results for each other,
savepoints that are open, tables half made."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select

from imp_verify import ExpectedPayment, Outcome, Settled
from imp_verify.testing._harness import FIRST, ORDER, PRICE, Trial, paid_outcome
from tests.storage.shops import done
from tests.storage.sqlalchemy_shops import (
    Make,
    Variant,
    expected,
    making,
    orders,
    tell,
    variants,
)

ASKED = ExpectedPayment(ORDER, PRICE)
POOL = {"pool_size": 1, "max_overflow": 0}
SERVED = ("psycopg_async", "asyncpg", "asyncmy")
"""Not aiosqlite: what it was reading when it was cancelled can keep the file locked."""
NOTHING, ALL = (0, 0, 0, 0), (1, 1, 1, 1)


@pytest.fixture(params=variants(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    variant: Variant = request.param
    return variant


@pytest.fixture
def make(variant: Variant, place: Callable[[str], Any]) -> Iterator[Make]:
    yield from making(variant, place(variant.kind))


def test_what_one_function_asked_for_another_may_read(make: Make) -> None:
    results: list[Any] = []

    async def asks(merchant_uid: str, transaction: Any) -> ExpectedPayment | None:
        results.append(await done(transaction.execute(select(orders.c.number))))
        return await expected(merchant_uid, transaction)

    async def hook(outcome: Outcome, transaction: Any) -> None:
        for _ in results[-1]:
            await tell("on_paid", outcome, transaction)

    shop = make(expected=asks, on_paid=hook)
    for number in (ORDER, "ORD-2", "ORD-3"):
        shop.put(ExpectedPayment(number, PRICE))
    with Trial(shop) as trial:
        assert trial.ask("settle", paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert shop.kept() == (3, 1, 1, 1)


def test_a_savepoint_that_a_hook_leaves_open_is_kept(make: Make) -> None:
    async def hook(outcome: Outcome, transaction: Any) -> None:
        _ = await done(transaction.begin_nested())
        await tell("on_paid", outcome, transaction)

    shop = make(on_paid=hook)
    shop.put(ASKED)
    with Trial(shop) as trial:
        outcome = paid_outcome(FIRST, ASKED)
        answers = [trial.ask("settle", outcome) for _ in range(2)]
    assert answers == [Settled.NEW, Settled.REPEATED]
    assert shop.kept() == ALL


@pytest.mark.parametrize("variant", variants(driver=SERVED), ids=str)
def test_making_the_tables_can_be_cancelled_at_any_await(make: Make) -> None:
    shop = make(options=POOL)

    async def main() -> None:
        for steps in range(40):
            # Drivers leave a connection open that is cancelled while it is made; this one is made.
            _ = await shop.sql.expected(ORDER)
            task = asyncio.ensure_future(shop.sql.create_all())
            for _ in range(steps):
                await asyncio.sleep(0)
            _ = task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await shop.sql.create_all()
        await shop.bind.dispose()

    asyncio.run(main())
    assert shop.kept() == NOTHING
