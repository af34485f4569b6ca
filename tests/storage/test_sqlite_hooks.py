"""SqliteStore does with a hook what every store must; and what is SQLite's own: what an
error says was refused, `with db`, what is left on a connection, and what a returned function may
do with it."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from operator import methodcaller
from pathlib import Path

import pytest

from imp_verify import ConfigurationError, ExpectedPayment, Outcome, Settled, StoreError
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import TrialFailure
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome
from tests.storage.hook_contract import ASKED, DatabaseHookContract, Ending, later, settle
from tests.storage.shops import Hook, SqliteShop, plain, tell

Database = sqlite3.Connection
Make = Callable[..., SqliteShop]


@pytest.fixture(params=["plain", "thread"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Make a shop with one order and these hooks."""
    made: list[SqliteShop] = []

    def make(**hooks: Hook) -> SqliteShop:
        shop = SqliteShop(tmp_path / "shop.db", threaded=request.param == "thread", **hooks)
        shop.put(ASKED)
        made.append(shop)
        return shop

    yield make
    for shop in made:
        shop.close()


def _isolation(db: Database) -> None:
    db.isolation_level = None  # commits, says the library


STATEMENTS = ("COMMIT", "commit -- x", "END", "ROLLBACK", "END TRANSACTION", "BEGIN")
ENDINGS: dict[str, Callable[[Database], object]] = {
    "commit": lambda db: db.commit(),
    "rollback": lambda db: db.rollback(),
    "close": lambda db: db.close(),
    "script": lambda db: db.executescript("SELECT 1"),
    "cursor script": lambda db: db.cursor().executescript("SELECT 1"),
    "isolation level": _isolation,
    **{sql: methodcaller("execute", sql) for sql in STATEMENTS},
    "cursor": lambda db: db.cursor().execute("COMMIT"),
    "cursor back": lambda db: db.cursor().execute("ROLLBACK"),
}


class TestHooks(DatabaseHookContract):
    unique_violation = sqlite3.IntegrityError
    refusals = (StoreError, sqlite3.DatabaseError)

    @pytest.fixture
    def make(self, make: Make) -> Make:
        return lambda **functions: make(**{name: plain(each) for name, each in functions.items()})

    def ready(self, shop: SqliteShop) -> SqliteStore:
        return shop.sqlite

    async def tell(self, name: str, outcome: Outcome, transaction: Database) -> None:
        tell(name, outcome, transaction)

    async def run(self, transaction: Database, statement: str) -> None:
        transaction.execute(statement)

    @asynccontextmanager
    async def part(self, transaction: Database) -> AsyncIterator[None]:
        transaction.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            transaction.execute("ROLLBACK TO part")
            raise
        finally:
            transaction.execute("RELEASE part")

    def refused(self, shop: SqliteShop) -> Mapping[str, Ending]:
        return ENDINGS


@pytest.mark.parametrize("how", ["execute", "cursor"])
def test_an_error_of_sqlites_tells_what_was_refused(make: Make, how: str) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        run = db.execute if how == "execute" else db.cursor().execute
        with suppress(sqlite3.Error):
            run("SELECT 1 FROM no_such_table")
        run("COMMIT")

    shop = make(on_paid=hook)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        settle(shop)
    (note,) = caught.value.__notes__
    assert note.startswith("COMMIT is not for a hook")


def test_what_was_refused_to_one_is_not_told_another(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        if outcome.merchant_uid == ORDER:
            with suppress(sqlite3.Error):
                db.executemany("COMMIT", [()])
        else:
            db.execute("SELECT 1 FROM no_such_table")

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    shop.put(ExpectedPayment("ORD-2", PRICE))
    with pytest.raises(sqlite3.OperationalError) as caught:
        settle(shop, paid_outcome(SECOND, ExpectedPayment("ORD-2", PRICE)))
    assert not hasattr(caught.value, "__notes__")


def test_with_db_in_a_hook_commits_with_the_record_and_undoes_its_own_failure(
    make: Make,
) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        with db:
            tell("kept", outcome, db)
        with suppress(KeyError), db:
            tell("undone", outcome, db)
            raise KeyError
        assert db.in_transaction
        with db, db:
            tell("nested", outcome, db)

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert [name for name, _ in shop.told()] == ["kept", "nested"]


def test_what_a_hook_sets_on_the_connection_is_gone_after_it(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        db.row_factory = sqlite3.Row
        db.text_factory = bytes
        tell("on_paid", outcome, db)

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert settle(shop) is Settled.REPEATED
    assert shop.shipped(ORDER) == [FIRST]


@pytest.mark.parametrize("how", ["execute", "cursor"])
def test_what_a_hook_that_fails_has_half_read_stops_no_later_payment(make: Make, how: str) -> None:
    """An exception that somebody keeps has it; its connection would see the file as it was then,
    and could not write once others have."""
    kept_by_others: list[object] = []

    def hook(outcome: Outcome, db: Database) -> None:
        tell("on_paid", outcome, db)
        if kept_by_others:
            return
        reader = db if how == "execute" else db.cursor()
        rows = reader.execute("SELECT name FROM sqlite_master")
        assert next(rows)
        try:
            raise TrialFailure
        except TrialFailure as error:
            kept_by_others.append(error)
            raise

    shop = make(on_paid=hook)
    with pytest.raises(TrialFailure):
        settle(shop)
    with closing(sqlite3.connect(shop.path)) as other, other:
        other.execute("CREATE TABLE others (id)")
    assert settle(shop) is Settled.NEW
    assert shop.kept() == (1, 1, 1, 1)


def test_a_store_is_checked_where_it_is_made(tmp_path: Path) -> None:
    path, good = tmp_path / "shop.db", {"expected": lambda order, db: PRICE}
    for path_, arguments in (
        (path, {**good, "on_payed": print}),
        (path, {**good, "on_paid": later}),
        (path, {**good, "hold": later}),
        (path, {**good, "on_paid": 7}),
        (path, {"expected": later}),
        (path, {"expected": None}),
        (":memory:", good),
        ("", good),
        ("a\0b", good),
    ):
        with pytest.raises(ConfigurationError):
            _ = SqliteStore(path_, **arguments)
    assert not path.exists()


def test_a_statement_that_rolls_back_by_itself_is_a_store_error_and_keeps_nothing(
    make: Make,
) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        tell("on_paid", outcome, db)
        with suppress(sqlite3.IntegrityError):
            db.execute("INSERT OR ROLLBACK INTO orders VALUES (?, '1', 1, 'KRW', '{}')", (ORDER,))

    shop = make(on_paid=hook)
    with pytest.raises(StoreError, match="ended a transaction"):
        settle(shop)
    assert shop.kept() == (0, 0, 0, 0)


def test_the_stores_own_use_of_a_connection_is_that_of_any_other(tmp_path: Path) -> None:
    shop = SqliteShop(tmp_path / "shop.db")
    with shop.sqlite._connections.borrow() as db:
        with db:
            db.executescript("CREATE TABLE x (y); INSERT INTO x VALUES (1);")
        with suppress(KeyError), db:
            db.execute("BEGIN")
            db.execute("INSERT INTO x VALUES (2)")
            raise KeyError
    assert shop.read("SELECT y FROM x") == [(1,)]
    shop.close()


# After the commit


def test_what_a_hook_returns_may_still_use_its_connection(make: Make) -> None:
    seen: list[object] = []

    def hook(outcome: Outcome, db: Database) -> Callable[[], object]:
        def after() -> None:
            # Another borrower gets another connection, as long as this function runs.
            seen.append((list(shop.sqlite.receipts((FIRST,))), db.in_transaction))
            tell("after", outcome, db)

        return after

    shop: SqliteShop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert seen == [([FIRST], False)]
    assert shop.read("SELECT hook FROM told") == [("after",)]


def test_what_a_hook_returns_may_have_a_transaction_of_its_own(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> Callable[[], object]:
        def after() -> None:
            for ending, name in ((db.rollback, "undone"), (db.commit, "kept")):
                db.execute("BEGIN")
                tell(name, outcome, db)
                ending()

        return after

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert shop.read("SELECT hook FROM told") == [("kept",)]


def test_what_a_hook_returns_may_close_its_connection(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> Callable[[], object]:
        tell("on_paid", outcome, db)
        return db.close

    shop = make(on_paid=hook)
    assert settle(shop) is Settled.NEW
    assert settle(shop) is Settled.REPEATED
    assert shop.kept() == (1, 1, 1, 1)


def test_expected_that_begins_a_transaction_where_none_is_open_is_a_store_error(make: Make) -> None:
    def expected(merchant_uid: str, db: Database) -> int:
        db.execute("BEGIN")
        return PRICE

    with pytest.raises((StoreError, sqlite3.Error)):
        _ = make(expected=expected).sqlite.expected(ORDER)


def test_expected_may_write_where_no_transaction_is_open(make: Make) -> None:
    def expected(merchant_uid: str, db: Database) -> int:
        db.execute("INSERT INTO told (hook) VALUES ('asked')")
        return PRICE

    shop = make(expected=expected)
    assert shop.sqlite.expected(ORDER) == PRICE
    assert shop.read("SELECT hook FROM told") == [("asked",)]


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("shop.db", expected=lambda order, db: PRICE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.create_all()
    store.close()
    assert (tmp_path / "shop.db").exists()
