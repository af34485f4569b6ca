"""A store on the shop's own `scoped_session`: what the shop's code writes through it, wherever that
code stands, commits with the record or not at all."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from sqlalchemy import Engine, String, create_engine, func, insert, select, text
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from imp_verify import Checkout, ExpectedPayment, Outcome, Settled, StoreError, Verifier
from imp_verify.contrib.browser import Place, button
from imp_verify.stores import in_thread
from imp_verify.stores.sqlalchemy import SqlAlchemyStore
from imp_verify.stores.sqlalchemy import metadata as store_metadata
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, paid_outcome
from tests.storage.sqlalchemy_shops import KINDS, url
from tests.support.shop import credentials

ASKED = ExpectedPayment(ORDER, PRICE)
serving: ContextVar[object] = ContextVar("serving")


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "shared_orders"
    number: Mapped[str] = mapped_column(String(64), primary_key=True)
    total: Mapped[int]
    state: Mapped[str] = mapped_column(String(8))


class Parcel(Base):
    __tablename__ = "shared_parcels"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(64))


class Shop:
    """As many have it: models, a session that all code shares, and a store on that."""

    def __init__(self, engine: Engine, options: dict[str, Any], by_request: bool) -> None:
        self.engine = engine
        factory = sessionmaker(engine, **options)
        scope: Any = serving.get if by_request else None
        self.session: scoped_session[Session] = scoped_session(factory, scope)
        self.store = SqlAlchemyStore(
            self.session, expected=self.expected, hold=self.hold, on_paid=self.paid
        )
        self.helper: Callable[[Order], None] = self.ship
        self.sees: list[Any] = []

    def expected(self, number: str, session: Session) -> ExpectedPayment | None:
        row = self.session.get(Order, number)
        return (
            None if row is None else ExpectedPayment(row.number, row.total, open=row.state == "new")
        )

    def hold(self, asked: ExpectedPayment, imp_uid: str, session: Session) -> None:
        self.sees.append((self.session(), session, threading.current_thread()))
        self.helper(self.session.get_one(Order, asked.merchant_uid))

    def paid(self, outcome: Outcome, session: Session) -> None:
        assert self.session() is session
        order = session.get_one(Order, outcome.merchant_uid)
        order.state = "paid"
        self.helper(order)

    def ship(self, order: Order) -> None:
        self.session.add(Parcel(number=order.number))

    def count(self) -> tuple[int, int, int]:
        """Give parcels, receipts, and orders that are paid, as anybody else reads them."""
        with Session(self.engine) as db:
            parcels = db.scalar(select(func.count()).select_from(Parcel))
            receipts = db.scalar(text("SELECT count(*) FROM imp_receipts"))
            paid = db.scalar(select(func.count()).where(Order.state == "paid"))
        return parcels or 0, receipts or 0, paid or 0


MakeShop = Callable[..., Shop]


@pytest.fixture(params=["pysqlite", "psycopg", "pymysql"])
def make(request: pytest.FixtureRequest, place: Callable[[str], Any]) -> Iterator[MakeShop]:
    engine = create_engine(url(place(KINDS[request.param]), request.param))
    for metadata in (Base.metadata, store_metadata):
        metadata.drop_all(engine)
        metadata.create_all(engine)
    with Session(engine) as db:
        db.add_all(Order(number=number, total=PRICE, state="new") for number in (ORDER, OTHER))
        db.commit()
    shops: list[Shop] = []

    def make(by_request: bool = False, **options: Any) -> Shop:
        shops.append(Shop(engine, options, by_request))
        return shops[-1]

    token = serving.set("a request")
    yield make
    for shop in shops:
        shop.session.remove()
    serving.reset(token)
    Base.metadata.drop_all(engine)
    engine.dispose()


OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "nothing expires": {"expire_on_commit": False},
    "no autoflush": {"autoflush": False},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_what_a_helper_writes_through_the_shared_session_commits_with_the_record(
    make: MakeShop, options: str
) -> None:
    shop = make(**OPTIONS[options])
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert shop.count() == (1, 1, 1)
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.REPEATED
    assert shop.count() == (1, 1, 1)


def test_a_helper_that_commits_and_raises_leaves_nothing_and_the_next_delivery_ships_once(
    make: MakeShop,
) -> None:
    shop = make()

    def commits(order: Order) -> None:
        shop.ship(order)
        shop.session.commit()
        raise LookupError(order.number)

    def commits_later(order: Order) -> None:
        shop.ship(order)
        shop.session.flush()
        raise LookupError(order.number)

    for shop.helper, error in ((commits, StoreError), (commits_later, LookupError)):
        with pytest.raises(error):
            _ = shop.store.settle(paid_outcome(FIRST, ASKED))
        assert shop.count() == (0, 0, 0)
        assert shop.session.get_one(Order, ORDER).state == "new"  # the shop goes on with it
    shop.helper = shop.ship
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert shop.count() == (1, 1, 1)


@pytest.mark.parametrize("end", ["commit", "rollback", "close", "remove"])
def test_a_helper_can_not_end_the_shared_transaction(make: MakeShop, end: str) -> None:
    shop = make()
    shop.helper = lambda order: getattr(shop.session, end)()
    with pytest.raises(StoreError, match="not for a hook"):
        _ = shop.store.settle(paid_outcome(FIRST, ASKED))
    assert shop.count() == (0, 0, 0)
    shop.session.add(Parcel(number="mine"))
    shop.session.commit()  # outside of the store it is the shop's own again
    shop.session.remove()
    assert shop.count() == (1, 0, 0)


@pytest.mark.parametrize("options", OPTIONS)
def test_what_the_shop_has_only_read_before_is_let_go_and_read_again(
    make: MakeShop, options: str
) -> None:
    shop = make(**OPTIONS[options])
    remembered = shop.session.get_one(Order, ORDER)
    assert remembered.total == PRICE
    with Session(shop.engine) as elsewhere:
        elsewhere.get_one(Order, ORDER).total = 2 * PRICE
        elsewhere.commit()
    asked = shop.store.expected(ORDER)
    assert isinstance(asked, ExpectedPayment)
    assert asked.amount == 2 * PRICE
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.STALE
    assert remembered.total == 2 * PRICE


def add(session: Any) -> None:
    session.add(Parcel(number="mine"))


def change(session: Any) -> None:
    session.get_one(Order, OTHER).total = 1


def delete(session: Any) -> None:
    session.delete(session.get_one(Order, OTHER))


def flush(session: Any) -> None:
    add(session)
    session.flush()


def update_by_query(session: Any) -> None:
    session.query(Order).filter_by(number=OTHER).update({"total": 1})


def delete_by_query(session: Any) -> None:
    session.query(Order).filter_by(number=OTHER).delete()


def insert_rows(session: Any) -> None:
    session.execute(insert(Parcel), [{"number": "mine"}, {"number": "too"}])


def insert_into_the_table(session: Any) -> None:
    session.execute(insert(Base.metadata.tables["shared_parcels"]).values(number="mine"))


def send_text(session: Any) -> None:
    session.execute(text("\n UPDATE shared_orders SET total = 1 WHERE number = 'ORD-1002'"))


@pytest.mark.parametrize(
    ("work", "name"),
    [
        *((add, "new Parcel"), (change, "changed Order"), (delete, "deleted Order")),
        *((flush, "flushed"), (update_by_query, "sent as SQL"), (delete_by_query, "sent as SQL")),
        *((insert_rows, "sent as SQL"), (insert_into_the_table, "sent as SQL")),
        (send_text, "sent as SQL"),
    ],
)
def test_work_of_the_shops_that_is_not_committed_is_named_and_kept(
    make: MakeShop, work: Callable[[Any], None], name: str
) -> None:
    shop = make()
    work(shop.session)
    for call in (
        lambda: shop.store.settle(paid_outcome(FIRST, ASKED)),
        lambda: shop.store.expected(ORDER),
        lambda: shop.store.receipts([FIRST]),
    ):
        with pytest.raises(StoreError, match=rf"not committed \({name}\).*commit or roll it back"):
            _ = call()
    shop.session.commit()
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert shop.count()[1:] == (1, 1)


def test_a_page_that_says_the_amount_is_made_before_its_order_is_committed(make: MakeShop) -> None:
    shop = make()
    verifier = Verifier(
        shop.store,
        credentials=credentials(),
        checkout=Checkout("imp00000000"),
        public_url="https://shop.test",
    )
    new = Order(number="ORD-3", total=PRICE, state="new")
    shop.session.add(new)
    place = Place(prefix="/payments")
    with pytest.raises(StoreError, match="not committed"):
        button(verifier, new.number, place=place)
    page = {"merchant_uid": new.number, "amount": new.total}
    assert "<button" in button(verifier, page, place=place)
    assert shop.session.new
    shop.session.commit()
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    paid = {"merchant_uid": ORDER, "amount": PRICE}
    assert "<button" not in button(verifier, paid, place=place)


def test_what_the_shop_has_rolled_back_or_only_asked_for_as_text_is_no_work(
    make: MakeShop,
) -> None:
    shop = make()
    update_by_query(shop.session)
    shop.session.rollback()
    _ = shop.session.execute(text("SELECT 1")).all()
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    with shop.session.begin_nested():
        update_by_query(shop.session)
    with pytest.raises(StoreError, match="sent as SQL"):
        _ = shop.store.expected(ORDER)


@pytest.mark.parametrize("by_request", [False, True])
def test_a_hold_is_asked_with_the_session_of_its_own_thread(
    make: MakeShop, by_request: bool
) -> None:
    """A session that belongs to the request is used in the request's thread: it ends it."""
    shop = make(by_request=by_request)
    own = shop.store.own_thread()
    assert (own is None) is by_request
    assert shop.store.hold(ASKED, FIRST) is None
    ((seen, given, thread),) = shop.sees
    assert (seen is given, thread) == (True, threading.current_thread())
    assert shop.count() == (1, 0, 0)


def test_an_async_verifier_uses_the_sessions_of_its_threads(make: MakeShop) -> None:
    shop = make()
    store = in_thread(shop.store)
    assert asyncio.run(store.settle(paid_outcome(SECOND, ASKED))) is Settled.NEW
    assert shop.count() == (1, 1, 1)


def test_where_there_is_no_session_the_error_says_where_there_would_be(make: MakeShop) -> None:
    def nowhere() -> object:
        raise RuntimeError("Working outside of application context.\n\nThis typically means")

    shop = make()
    session = scoped_session(shop.session.session_factory, nowhere)
    store = SqlAlchemyStore(session, expected=shop.expected)
    with pytest.raises(StoreError, match=r"outside of application context\.\).*app_context"):
        _ = store.settle(paid_outcome(FIRST, ASKED))
