"""What a hook of SqliteStore may do, what it may not, and that its work and the record are one."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from imp_verify import (
    Credentials,
    ExpectedPayment,
    Outcome,
    Payment,
    Settled,
    StoreError,
    Verdict,
    Verifier,
)
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.testing import TrialFailure
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, Trial
from tests.storage.shops import Hook, SqliteShop, tell

Database = sqlite3.Connection
Make = Callable[..., SqliteShop]


@pytest.fixture(params=["plain", "thread"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Make a shop with one order and these hooks."""
    made: list[SqliteShop] = []

    def make(**hooks: Hook) -> SqliteShop:
        shop = SqliteShop(tmp_path / "shop.db", threaded=request.param == "thread", **hooks)
        shop.put(ExpectedPayment(ORDER, PRICE))
        made.append(shop)
        return shop

    yield make
    for shop in made:
        shop.close()


def deliver(shop: SqliteShop, **changes: object) -> Outcome:
    with Trial(shop) as trial:
        trial.pays(FIRST, **changes)
        return trial.deliver(FIRST)


def kept(shop: SqliteShop) -> tuple[int, int, int, int]:
    """Count rows: hooks', receipts, orders, changes."""
    tables = ("told", "imp_receipts", "imp_orders", "imp_changes")
    counts = [shop.read(f"SELECT count(*) FROM {table}")[0][0] for table in tables]
    return counts[0], counts[1], counts[2], counts[3]


def _isolation(db: Database) -> None:
    db.isolation_level = None  # commits, says the library


ENDINGS: dict[str, Callable[[Database], object]] = {
    "commit": lambda db: db.commit(),
    "rollback": lambda db: db.rollback(),
    "close": lambda db: db.close(),
    "script": lambda db: db.executescript("SELECT 1"),
    "cursor script": lambda db: db.cursor().executescript("SELECT 1"),
    "isolation level": _isolation,
    **{
        sql: lambda db, sql=sql: db.execute(sql)  # type: ignore[misc]
        for sql in ("COMMIT", "commit -- x", "END", "ROLLBACK", "END TRANSACTION", "BEGIN")
    },
    "cursor": lambda db: db.cursor().execute("COMMIT"),
    "cursor back": lambda db: db.cursor().execute("ROLLBACK"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_hook_that_ends_the_transaction_fails_and_nothing_is_kept(
    make: Make, ending: str
) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        tell("before", outcome, db)
        _ = ENDINGS[ending](db)
        tell("after", outcome, db)

    shop = make(on_paid=hook)
    with pytest.raises((StoreError, sqlite3.Error)):
        _ = deliver(shop)
    assert kept(shop) == (0, 0, 0, 0)


@pytest.mark.parametrize("how", ["execute", "cursor"])
def test_an_error_of_sqlites_tells_what_was_refused(make: Make, how: str) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        run = db.execute if how == "execute" else db.cursor().execute
        with suppress(sqlite3.Error):
            run("SELECT 1 FROM no_such_table")
        run("COMMIT")

    shop = make(on_paid=hook)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        _ = deliver(shop)
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
    assert deliver(shop).settled is Settled.NEW
    shop.put(ExpectedPayment("ORD-2", PRICE))
    with Trial(shop) as trial:
        trial.pays(SECOND, "ORD-2")
        with pytest.raises(sqlite3.OperationalError) as caught:
            trial.deliver(SECOND)
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_hook_that_goes_on_after_it_was_refused_is_kept_whole(make: Make, ending: str) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        tell("before", outcome, db)
        with suppress(StoreError, sqlite3.Error):
            _ = ENDINGS[ending](db)
        assert db.in_transaction
        tell("after", outcome, db)

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert kept(shop) == (2, 1, 1, 1)


def test_a_second_hook_that_fails_takes_the_first_ones_work_with_it(make: Make) -> None:
    def fail(outcome: Outcome, db: Database) -> None:
        tell("half", outcome, db)
        raise RuntimeError("no stock")

    shop = make(on_partly_cancelled=fail)
    with pytest.raises(RuntimeError, match="no stock"):
        _ = deliver(shop, cancel_amount=1000)
    assert kept(shop) == (0, 0, 0, 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_hook_that_ends_the_process_keeps_nothing(tmp_path: Path, error: type) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        tell("half", outcome, db)
        raise error

    shop = SqliteShop(tmp_path / "shop.db", on_paid=hook)
    shop.put(ExpectedPayment(ORDER, PRICE))
    with pytest.raises(error):
        _ = deliver(shop)
    assert kept(shop) == (0, 0, 0, 0)
    shop.close()


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
    assert deliver(shop).settled is Settled.NEW
    assert [name for name, _ in shop.told()] == ["kept", "nested"]


def test_savepoints_belong_to_the_hook(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        db.execute("SAVEPOINT mine")
        tell("undone", outcome, db)
        db.execute("ROLLBACK TO mine")
        tell("kept", outcome, db)
        db.execute("RELEASE mine")

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert [name for name, _ in shop.told()] == ["kept"]


def test_what_a_hook_sets_on_the_connection_is_gone_after_it(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        db.row_factory = sqlite3.Row
        db.text_factory = bytes
        tell("on_paid", outcome, db)

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert deliver(shop).settled is Settled.REPEATED
    assert shop.shipped(ORDER) == [FIRST]


def test_expected_that_begins_a_transaction_is_a_store_error(make: Make) -> None:
    def expected(merchant_uid: str, db: Database) -> int:
        db.execute("BEGIN")
        return PRICE

    shop = make(expected=expected)
    with pytest.raises((StoreError, sqlite3.Error)):
        _ = deliver(shop)


# What a hook returns


def test_a_returned_function_is_called_once_after_the_commit(make: Make) -> None:
    seen: list[object] = []

    def hook(outcome: Outcome, db: Database) -> Callable[[], None]:
        tell("on_paid", outcome, db)
        return lambda: seen.append(kept(shop))

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert deliver(shop).settled is Settled.REPEATED
    assert seen == [(1, 1, 1, 1)]


def test_a_returned_function_that_fails_is_logged_and_changes_no_answer(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def fail() -> None:
        seen.append("failed")
        raise RuntimeError("no mail today")

    shop = make(
        on_paid=lambda outcome, db: fail,
        on_partly_cancelled=lambda outcome, db: lambda: seen.append("next"),
    )
    assert deliver(shop, cancel_amount=1000).settled is Settled.NEW
    assert seen == ["failed", "next"]
    (record,) = caplog.records[-1:]
    assert record.exc_info is not None
    assert "no mail today" in caplog.text
    assert FIRST in record.getMessage()


async def later() -> None:
    raise AssertionError("an async function of a plain hook is ignored")


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
        _ = deliver(shop)
    with closing(sqlite3.connect(shop.path)) as other, other:
        other.execute("CREATE TABLE others (id)")
    assert deliver(shop).settled is Settled.NEW
    assert kept(shop) == (1, 1, 1, 1)


@pytest.mark.parametrize("value", [None, 7, "text", [print], object()])
def test_any_other_value_is_ignored(
    make: Make, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make(on_paid=lambda outcome, db: value)
    assert deliver(shop).settled is Settled.NEW
    assert not [text for text in caplog.messages if FIRST in text]


@pytest.mark.parametrize("value", [later, lambda: later()], ids=["function", "result"])
def test_a_coroutine_for_after_the_commit_is_not_lost_without_a_word(
    make: Make, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make(on_paid=lambda outcome, db: value)
    assert deliver(shop).settled is Settled.NEW
    (text,) = [text for text in caplog.messages if FIRST in text]
    assert f"which nobody runs here, for {FIRST}:paid" in text


def test_nothing_is_called_where_the_transaction_was_rolled_back(make: Make) -> None:
    def fail(outcome: Outcome, db: Database) -> None:
        raise RuntimeError

    seen: list[int] = []
    shop = make(on_paid=lambda outcome, db: lambda: seen.append(1), on_partly_cancelled=fail)
    with pytest.raises(RuntimeError):
        _ = deliver(shop, cancel_amount=1000)
    assert seen == []


def test_a_hook_that_returns_an_awaitable_has_done_nothing(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> object:
        tell("on_paid", outcome, db)
        return later()

    shop = make(on_paid=hook)
    with pytest.raises(StoreError, match="on_paid"):
        _ = deliver(shop)
    assert kept(shop) == (0, 0, 0, 0)


# The verifier inside a hook


def _verifier(shop: SqliteShop) -> Verifier:
    def unreachable(request: Any) -> Any:
        raise AssertionError("no gateway call while a transaction is open")

    keys = Credentials("key", "secret")
    return Verifier(shop.sqlite, credentials=keys, transport=cast(Any, unreachable))


@pytest.mark.parametrize("method", ["verify", "payment", "confirm"])
def test_a_verifier_called_inside_a_hook_is_a_store_error(make: Make, method: str) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        tell("on_paid", outcome, db)
        arguments = {"verify": (FIRST, ORDER), "payment": (FIRST,), "confirm": (FIRST, ORDER, 1)}
        getattr(_verifier(shop), method)(*arguments[method])

    shop = make(on_paid=hook)
    with pytest.raises(StoreError, match="inside a hook"):
        _ = deliver(shop)
    assert kept(shop) == (0, 0, 0, 0)


def test_a_store_called_inside_its_own_hook_is_a_store_error(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> None:
        shop.sqlite.settle(outcome)

    shop: SqliteShop = make(on_paid=hook)
    with pytest.raises(StoreError, match="inside a hook"):
        _ = deliver(shop)
    assert kept(shop) == (0, 0, 0, 0)


def test_a_memory_store_called_inside_its_own_hook_does_not_wait_for_itself() -> None:
    payment = Payment(FIRST, ORDER, "paid", Decimal(PRICE))
    paid = Outcome(
        Verdict.PAID,
        imp_uid=FIRST,
        merchant_uid=ORDER,
        payment=payment,
        expected=ExpectedPayment(ORDER, PRICE),
    )
    store = MemoryStore(
        expected=lambda order, _: PRICE, on_paid=lambda outcome, _: store.settle(outcome)
    )
    with pytest.raises(StoreError, match="inside a hook"):
        _ = store.settle(paid)
    assert store.receipts((FIRST,)) == {}


def test_a_verifier_may_be_called_by_what_a_hook_returns(make: Make) -> None:
    errors: list[BaseException] = []

    def call() -> None:
        try:
            _ = _verifier(shop).payment(FIRST)
        except AssertionError as error:
            errors.append(error)

    shop = make(on_paid=lambda outcome, db: call)
    assert deliver(shop).settled is Settled.NEW
    assert "no gateway call" in str(errors[0])


def test_a_store_is_checked_where_it_is_made(tmp_path: Path) -> None:
    from imp_verify import ConfigurationError

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
        _ = deliver(shop)
    assert kept(shop) == (0, 0, 0, 0)


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
    assert deliver(shop).settled is Settled.NEW
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
    assert deliver(shop).settled is Settled.NEW
    assert shop.read("SELECT hook FROM told") == [("kept",)]


def test_what_a_hook_returns_may_close_its_connection(make: Make) -> None:
    def hook(outcome: Outcome, db: Database) -> Callable[[], object]:
        tell("on_paid", outcome, db)
        return db.close

    shop = make(on_paid=hook)
    assert deliver(shop).settled is Settled.NEW
    assert deliver(shop).settled is Settled.REPEATED
    assert kept(shop) == (1, 1, 1, 1)


def test_an_interrupted_returned_function_ends_the_delivery_of_a_recorded_payment(
    tmp_path: Path,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    shop = SqliteShop(tmp_path / "shop.db", on_paid=lambda outcome, db: interrupted)
    shop.put(ExpectedPayment(ORDER, PRICE))
    with pytest.raises(KeyboardInterrupt):
        _ = deliver(shop)
    assert deliver(shop).settled is Settled.REPEATED
    shop.close()


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), RuntimeError("mail")])
def test_whatever_a_returned_function_raises_the_answer_is_unchanged(
    make: Make, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    shop = make(on_paid=lambda outcome, db: fail)
    assert deliver(shop).settled is Settled.NEW
    assert "after the commit" in caplog.text


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
