"""What the stores on SQLAlchemy write, exactly; what they lock; and that they leave the shop's
connections as they were."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DBAPIError

from imp_verify import ExpectedPayment, Outcome, Reason, Settled, StoreError, Verdict
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlalchemy import metadata as store_metadata
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.shops import done
from tests.storage.sqlalchemy_shops import (
    Make,
    SqlShop,
    Variant,
    cleared,
    expected,
    making,
    metadata,
    orders,
    plain_engine,
    tell,
    variants,
)

ASKED = ExpectedPayment(ORDER, PRICE)
SERVERS = variants(kind=("postgresql", "mysql"))
ON_MYSQL = variants(kind="mysql")


@pytest.fixture(params=variants(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    variant: Variant = request.param
    return variant


@pytest.fixture
def make(variant: Variant, place: Callable[[str], Any]) -> Iterator[Make]:
    yield from making(variant, place(variant.kind))


def settle(shop: SqlShop, *outcomes: Outcome) -> list[Any]:
    with Trial(shop) as trial:
        return [trial.ask("settle", outcome) for outcome in outcomes]


def test_amounts_come_back_as_the_same_decimals(make: Make) -> None:
    async def asks(merchant_uid: str, transaction: Any) -> str:
        return merchant_uid

    shop = make(expected=asks)
    amounts = ["0.00000001", "10.99", "39000", "999999999999999999.12345678"]
    with Trial(shop) as trial:
        for number, amount in enumerate(amounts):
            outcome = paid_outcome(f"imp_{number}", ExpectedPayment(amount, amount))
            assert trial.ask("settle", outcome) is Settled.NEW
        found = trial.ask("receipts", [f"imp_{number}" for number in range(len(amounts) + 1)])
    kept = [str(found[f"imp_{number}"].amount) for number in range(len(amounts))]
    assert kept == ["1E-8", *amounts[1:]]
    assert {each.cancel_amount for each in found.values()} == {Decimal(0)}


@pytest.mark.parametrize("variant", variants(driver="psycopg"), ids=str)
def test_amounts_are_exact_where_the_shop_has_its_driver_give_floats(
    make: Make, variant: Variant, place: Callable[[str], Any]
) -> None:
    from psycopg.types.numeric import FloatLoader

    engine = plain_engine(place(variant.kind))

    @event.listens_for(engine, "connect")
    def _(connection: Any, __: object) -> None:
        connection.adapters.register_loader("numeric", FloatLoader)

    asked = ExpectedPayment(ORDER, "10.1", "USD")
    make().put(asked)
    store = SqlAlchemyStore(engine, expected=lambda number, transaction: asked)
    assert store.settle(paid_outcome(FIRST, asked)) is Settled.NEW
    assert store.receipts([FIRST])[FIRST].amount == Decimal("10.1")


def test_numbers_are_told_apart_by_every_byte(make: Make) -> None:
    numbers = [
        "ORD-a",
        "ORD-A",
        "ORD-\u00e9",
        "ORD-e\u0301",
        "주문-1",
        "주문-１",
        "\U0001f600" * 64,
    ]
    shop = make()
    for number in numbers:
        shop.put(ExpectedPayment(number, PRICE))
    outcomes = [
        paid_outcome(f"imp_{n}", ExpectedPayment(each, PRICE)) for n, each in enumerate(numbers)
    ]
    assert settle(shop, *outcomes, *outcomes) == [Settled.NEW] * 7 + [Settled.REPEATED] * 7
    found = shop.read(select(*store_metadata.tables["imp_orders"].c["merchant_uid", "paid_by"]))
    assert dict(map(tuple, found)) == {each: f"imp_{n}" for n, each in enumerate(numbers)}


def test_times_are_aware_and_utc(make: Make) -> None:
    shop = make()
    shop.put(ASKED)
    outcome = paid_outcome(FIRST, ASKED)
    assert outcome.payment is not None
    payment = replace(outcome.payment, raw={"paid_at": 1700000000})
    assert settle(shop, replace(outcome, payment=payment)) == [Settled.NEW]
    receipts = store_metadata.tables["imp_receipts"]
    ((paid_at, due, created_at),) = shop.read(
        select(receipts.c.paid_at, receipts.c.vbank_due, receipts.c.created_at)
    )
    assert (paid_at.isoformat(), due) == ("2023-11-14T22:13:20+00:00", None)
    assert created_at.utcoffset().total_seconds() == 0


def test_a_repeat_writes_nothing(make: Make, variant: Variant) -> None:
    shop = make()
    shop.put(ASKED)
    outcome = paid_outcome(FIRST, ASKED)
    assert settle(shop, outcome) == [Settled.NEW]
    hidden = ", xmin" if variant.kind == "postgresql" else ""
    queries = [f"SELECT *{hidden} FROM {name}" for name in ("imp_orders", "imp_receipts")]
    before = [shop.read(query) for query in queries]
    assert settle(shop, outcome) == [Settled.REPEATED]
    assert [shop.read(query) for query in queries] == before


def test_a_forgery_leaves_no_row_for_an_order_that_has_no_payment(make: Make) -> None:
    shop = make()
    forged = replace(paid_outcome(FIRST, ASKED), verdict=Verdict.FORGERY, reason=Reason.AMOUNT)
    with Trial(shop) as trial:
        assert trial.ask("observe", forged) is Settled.LATE
        assert shop.kept() == (1, 0, 0, 1)
        shop.put(ASKED)
        assert trial.ask("settle", paid_outcome(SECOND, ASKED)) is Settled.NEW
        again = replace(forged, reason=Reason.CURRENCY)
        assert trial.ask("observe", again) is Settled.DUPLICATE
    assert shop.kept() == (3, 1, 1, 3)


def test_an_order_that_was_paid_in_spite_of_the_lock_is_not_paid_again(make: Make) -> None:
    async def asks(merchant_uid: str, transaction: Any) -> int:
        query = update(store_metadata.tables["imp_orders"]).values(was_paid=True)
        await done(transaction.execute(query))
        return PRICE

    shop = make(expected=asks)
    with pytest.raises(StoreError, match="recorded elsewhere"):
        _ = settle(shop, paid_outcome(FIRST, ASKED))
    assert shop.kept() == (0, 0, 0, 0)


def test_what_is_no_money_is_not_settled_and_what_was_settled_not_observed(make: Make) -> None:
    shop = make()
    shop.put(ASKED)
    outcome = paid_outcome(FIRST, ASKED)
    with pytest.raises(StoreError, match="left nothing"):
        _ = settle(shop, replace(outcome, verdict=Verdict.PENDING))
    with Trial(shop) as trial:
        assert trial.ask("observe", replace(outcome, settled=Settled.NEW)) is Settled.NEW
        assert trial.ask("hold", ASKED, FIRST) is None
        assert trial.ask("receipts", []) == {}
    assert shop.kept() == (0, 0, 0, 0)


def test_a_virtual_account_whose_deadline_moves_is_written_again(make: Make) -> None:
    shop = make()
    shop.put(ASKED)
    outcome = replace(paid_outcome(FIRST, ASKED), verdict=Verdict.VIRTUAL_ACCOUNT)
    assert outcome.payment is not None
    waits = replace(outcome.payment, status="ready", pay_method="vbank", vbank_num="1002")
    receipts = store_metadata.tables["imp_receipts"]
    with Trial(shop) as trial:
        for due in (1700000000, 1700000000, 1800000000):
            payment = replace(waits, raw={"vbank_date": due})
            _ = trial.ask("observe", replace(outcome, payment=payment))
            ((kept,),) = shop.read(select(receipts.c.vbank_due))
            assert kept.timestamp() == due
        _ = trial.ask("settle", paid_outcome(FIRST, ASKED))
        refund = replace(payment, status="cancelled", cancel_amount=payment.amount)
        _ = trial.ask("observe", replace(outcome, verdict=Verdict.CANCELLED, payment=refund))
    assert shop.read("SELECT paid_by FROM imp_orders") == [(None,)]


def test_a_claim_for_another_order_touches_no_row_of_an_order(make: Make) -> None:
    async def hold(asked: ExpectedPayment, imp_uid: str, transaction: Any) -> None:
        await tell("hold", paid_outcome(imp_uid, asked), transaction)

    shop = make(hold=hold)
    shop.put(ASKED)
    claim = replace(
        paid_outcome(FIRST, ASKED), verdict=Verdict.FORGERY, reason=Reason.ORDER, expected=None
    )
    with Trial(shop) as trial:
        assert trial.ask("hold", ASKED, SECOND) is None
        with shop.engine.connect() as other:
            if shop.variant.kind != "sqlite":  # which locks the whole file
                other.execute(update(store_metadata.tables["imp_orders"]).values(was_paid=False))
            assert trial.ask("observe", claim) is Settled.NEW
            assert trial.ask("observe", claim) is Settled.REPEATED
    assert shop.kept() == (2, 0, 1, 1)


@pytest.mark.parametrize("variant", ON_MYSQL, ids=str)
def test_text_of_the_gateway_is_kept_whatever_the_connections_character_set(
    variant: Variant, place: Callable[[str], Any]
) -> None:
    address = place(variant.kind)
    cleared(address)
    options = {"connect_args": {"charset": "latin1"}}
    shop = SqlShop(variant, address, options=options)
    shop.put(ASKED)
    outcome = paid_outcome(FIRST, ASKED)
    assert outcome.payment is not None
    payment = replace(outcome.payment, pay_method="vbank", raw={"vbank_name": "우리은행"})
    bank = store_metadata.tables["imp_receipts"].c.vbank_name
    with Trial(shop) as trial:
        assert trial.ask("settle", replace(outcome, payment=payment)) is Settled.NEW
    assert shop.read(select(bank)) == [("우리은행",)]
    shop.close()


def test_what_expected_writes_outside_of_a_transaction_is_not_kept(make: Make) -> None:
    async def careless(merchant_uid: str, transaction: Any) -> int:
        query = update(orders).values(open=False)
        await done(transaction.execute(query))
        return PRICE

    shop = make(expected=careless)
    shop.put(ASKED)
    with Trial(shop) as trial:
        assert trial.ask("expected", ORDER) == PRICE
    assert shop.read(select(orders.c.open)) == [(True,)]


@pytest.mark.parametrize("variant", SERVERS, ids=str)
def test_one_payment_recorded_for_two_orders_at_once_is_refused_for_one(make: Make) -> None:
    both_have_read = threading.Barrier(2)
    outcomes = [paid_outcome(FIRST, ExpectedPayment(order, PRICE)) for order in (ORDER, OTHER)]
    waited: set[str] = set()

    async def asks(merchant_uid: str, transaction: Any) -> int:
        if merchant_uid not in waited:
            waited.add(merchant_uid)
            _ = both_have_read.wait(30)
        return PRICE

    shops = [make(expected=asks) for _ in outcomes]
    found: list[object] = []

    def work(shop: SqlShop, outcome: Outcome) -> None:
        try:
            found.extend(settle(shop, outcome))
        except StoreError as error:
            found.append(str(error))

    threads = [
        threading.Thread(target=work, args=each) for each in zip(shops, outcomes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, found))[1] == "new"
    assert "is recorded for another order" in sorted(map(str, found))[0]
    assert shops[0].kept() == (1, 1, 1, 1)


@pytest.mark.parametrize("variant", SERVERS, ids=str)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_any_isolation_level_of_the_engine_will_do(make: Make, level: str) -> None:
    shop = make(options={"isolation_level": level})
    shop.put(ASKED)
    with Trial(shop) as trial:
        trial.pays(FIRST)
        trial.pays(SECOND)
        outcomes = trial.at_once(*[FIRST, SECOND] * 3)
    paying = shop.shipped(ORDER)
    assert len(paying) == 1
    assert {each.imp_uid for each in outcomes if each.paid} == set(paying)


@pytest.mark.parametrize("variant", ON_MYSQL, ids=str)
def test_a_hook_on_mysql_sees_what_others_have_committed_and_the_session_keeps_its_level(
    make: Make,
) -> None:
    seen: list[object] = []
    levels: list[object] = []

    async def hook(outcome: Outcome, transaction: Any) -> None:
        query = select(orders.c.total).where(orders.c.number == OTHER)
        seen.append((await done(transaction.execute(query))).scalar_one())
        shop.put(ExpectedPayment(OTHER, 2))
        seen.append((await done(transaction.execute(query))).scalar_one())

    async def asks(merchant_uid: str, transaction: Any) -> int:
        query = text("SELECT @@session.tx_isolation")
        levels.append((await done(transaction.execute(query))).scalar_one())
        return PRICE

    shop: SqlShop = make(on_paid=hook, expected=asks)
    shop.put(ExpectedPayment(OTHER, 1))
    assert settle(shop, paid_outcome(FIRST, ASKED)) == [Settled.NEW]
    assert seen == [1, 2]
    assert levels == ["REPEATABLE-READ"]


@pytest.mark.parametrize("variant", SERVERS, ids=str)
def test_an_engine_that_commits_after_every_statement_is_refused(make: Make) -> None:
    shop = make(options={"isolation_level": "AUTOCOMMIT"})
    shop.put(ASKED)
    with pytest.raises(StoreError, match="commits after every statement"):
        _ = settle(shop, paid_outcome(FIRST, ASKED))
    assert shop.kept() == (0, 0, 0, 0)


def _deadlock(shop: SqlShop, arrived: threading.Event) -> threading.Thread:
    """Lock OTHER's row and change much, wait for a hook that holds ORDER's, then ask for that."""

    def work() -> None:
        with shop.engine.connect() as db:
            db.execute(text("INSERT INTO told (hook) VALUES ('x')" + ", ('x')" * 500))
            db.execute(update(orders).where(orders.c.number == OTHER).values(total=5))
            ready.set()
            _ = arrived.wait(30)
            db.execute(update(orders).where(orders.c.number == ORDER).values(total=5))
            db.rollback()

    ready = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(30)
    return thread


@pytest.mark.parametrize("variant", ON_MYSQL, ids=str)
@pytest.mark.parametrize("swallows", [True, False])
def test_a_deadlock_on_mysql_takes_the_record_with_it_even_if_the_hook_goes_on(
    make: Make, swallows: bool
) -> None:
    arrived = threading.Event()
    met: list[str] = []

    async def hook(outcome: Outcome, transaction: Any) -> None:
        await tell("before", outcome, transaction)
        mine = update(orders).where(orders.c.number == ORDER)
        await done(transaction.execute(mine.values(open=False)))
        arrived.set()
        other = update(orders).where(orders.c.number == OTHER)
        try:
            await done(transaction.execute(other.values(open=False)))
        except DBAPIError as error:
            met.append(str(error.orig))
            if not swallows:
                raise
        await tell("after", outcome, transaction)

    shop: SqlShop = make(on_paid=hook, expected=expected)
    for number in (ORDER, OTHER):
        shop.put(ExpectedPayment(number, PRICE))
    thread = _deadlock(shop, arrived)
    if swallows:
        with pytest.raises(StoreError, match="rolled back under the hook"):
            _ = settle(shop, paid_outcome(FIRST, ASKED))
        assert shop.kept() == (0, 0, 0, 0)
    else:
        assert settle(shop, paid_outcome(FIRST, ASKED)) == [Settled.NEW]
        assert shop.kept() == (2, 1, 1, 1)
    thread.join(30)
    assert len(met) == 1
    assert "1213" in met[0]


def test_where_the_tables_are_missing_the_error_says_what_to_do(
    make: Make, variant: Variant
) -> None:
    shop = make(options={"connect_args": {}})
    with shop.engine.begin() as db:
        store_metadata.drop_all(db)
    with Trial(shop) as trial, pytest.raises(DBAPIError) as caught:
        trial.ask("settle", paid_outcome(FIRST, ASKED))
    assert "create_all()" in "".join(caught.value.__notes__)
    cleared(shop.place)


def test_alembic_finds_the_tables_as_they_are(
    variant: Variant, place: Callable[[str], Any]
) -> None:
    where = place(variant.kind)
    cleared(where)
    engine = plain_engine(where)
    with engine.connect() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        both: Any = [metadata, store_metadata]
        assert compare_metadata(context, both) == []
    engine.dispose()


def test_a_file_of_the_other_sqlite_store_is_taken_over_and_back(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    old = SqliteStore(path, expected=lambda order, db: PRICE)
    engine = plain_engine(path)
    new = SqlAlchemyStore(engine, expected=lambda order, db: PRICE)
    first, second = (paid_outcome(each, ASKED) for each in (FIRST, SECOND))
    assert old.settle(first) is Settled.NEW
    new.create_all()
    assert new.receipts([FIRST]) == old.receipts([FIRST])
    assert [new.settle(first), new.settle(second)] == [Settled.REPEATED, Settled.DUPLICATE]
    assert [old.settle(first), old.settle(second)] == [Settled.REPEATED, Settled.DUPLICATE]
    assert new.receipts([FIRST, SECOND]) == old.receipts([FIRST, SECOND])
    old.close()
    engine.dispose()
