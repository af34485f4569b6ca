"""Which refunds and deposits are new: whatever state the gateway's histories are in, nothing is
handed on twice, and never more than was cancelled."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imp_verify import Cancellation, Payment
from imp_verify.stores._refunds import deposits, new_parts

from .values import part, payment

Handed: TypeAlias = list[tuple[object, object]]
"""Id and amount of each refund."""
LATER = 1735800000


def partly(cancelled: int | str | Decimal, *history: object, **fields: object) -> Payment:
    raw = {"cancel_history": list(history), **fields}
    return payment("cancelled", cancelled, raw=raw)


def known(parts: tuple[Cancellation, ...]) -> dict[str, Decimal]:
    return {f"partly_cancelled:{each.key}": each.amount for each in parts}


class Shop:
    """What was handed on so far; each payment it sees adds to it."""

    def __init__(self) -> None:
        self.known: dict[str, Decimal] = {"paid": Decimal(39000)}

    def sees(self, paid: Payment) -> Handed:
        parts = new_parts(paid, self.known)
        new = known(parts)
        assert len(new) == len(parts), "two refunds with one key"
        assert not new.keys() & self.known.keys(), "one key twice"
        self.known |= new
        assert self.total <= paid.cancel_amount or not parts
        return [(each.id, each.amount) for each in parts]

    @property
    def total(self) -> Decimal:
        return sum(self.known.values(), -self.known["paid"])


# --- keys ----------------------------------------------------------------------------------------


def test_a_refund_with_an_id_is_known_by_it() -> None:
    [each] = new_parts(partly(9000, part(9000, "c1")), {})
    assert each == Cancellation(
        "c1", Decimal(9000), datetime.fromtimestamp(1735700000, UTC), "changed my mind", "c1"
    )
    assert new_parts(partly(9000, part(9000, "c1")), known((each,))) == ()
    assert new_parts(partly(9000, part(9000, "c1", LATER, reason="x")), known((each,))) == ()


@pytest.mark.parametrize("amount", ["0.00000001", "0.5", "1"])
def test_a_refund_of_next_to_nothing_is_a_refund(amount: str) -> None:
    assert Shop().sees(partly(amount, part(amount, "c1"))) == [("c1", Decimal(amount))]


def test_an_id_that_fits_a_column_is_the_key() -> None:
    [each] = new_parts(partly(9000, part(9000, "x" * 40)), {})
    assert each.key == "x" * 40


def test_ids_that_differ_in_case_are_two_refunds() -> None:
    assert Shop().sees(partly(2000, part(1000, "c1"), part(1000, "C1", LATER))) == [
        ("c1", 1000),
        ("C1", 1000),
    ]


def test_a_refund_without_an_id_is_known_by_time_amount_and_place_among_equals() -> None:
    equals = [part(1000), part(1000), part(1000, at=LATER), part(2000)]
    parts = new_parts(partly(5000, *equals), {})
    assert sorted(each.key for each in parts) == [
        "1735700000-1000-1",
        "1735700000-1000-2",
        "1735700000-2000-1",
        "1735800000-1000-1",
    ]
    assert {each.id for each in parts} == {None}
    for history in (equals, equals[::-1]):
        assert new_parts(partly(5000, *history), known(parts)) == ()


def test_the_second_of_two_equal_refunds_is_news_of_its_own() -> None:
    shop = Shop()
    assert shop.sees(partly(1000, part(1000))) == [(None, 1000)]
    assert shop.sees(partly(2000, part(1000), part(1000))) == [(None, 1000)]
    assert shop.sees(partly(2000, part(1000), part(1000))) == []


@pytest.mark.parametrize("written", ["1000", "1000.0", "1000.00", "1E+3"])
def test_how_an_amount_is_written_makes_no_other_refund(written: str) -> None:
    first = new_parts(partly(1000, part("1000")), {})
    assert new_parts(partly(1000, part(written)), known(first)) == ()


@pytest.mark.parametrize("odd", ["", None, 5, True, [], {}, Decimal(1)])
def test_an_id_that_is_no_text_is_none(odd: object) -> None:
    [each] = new_parts(partly(9000, part(9000, cancellation_id=odd)), {})
    assert (each.id, each.key) == (None, "1735700000-9000-1")


@pytest.mark.parametrize(
    "name", ["x" * 41, "취소-1", "a\nb", "\ud800", "total-9000", "total-", "\x00"]
)
def test_an_odd_id_becomes_a_key_that_fits_a_column(name: str) -> None:
    [each] = new_parts(partly(9000, part(9000, name)), {})
    assert each.id == name
    assert len(each.key) <= 40
    assert each.key.isascii()
    assert each.key.isprintable()
    assert not each.key.startswith("total-")
    assert new_parts(partly(9000, part(9000, name)), known((each,))) == ()


def test_long_ids_that_differ_at_their_end_are_two_refunds() -> None:
    one, two = "x" * 60 + "1", "x" * 60 + "2"
    assert Shop().sees(partly(2000, part(1000, one), part(1000, two))) == [
        (one, 1000),
        (two, 1000),
    ]


def test_an_id_listed_twice_is_one_refund_and_its_money_is_not_counted_twice() -> None:
    shop = Shop()
    assert shop.sees(partly(1000, part(1000, "c1"), part(1000, "c1"))) == [("c1", 1000)]
    assert shop.sees(partly(3000, part(1000, "c1"), part(2000, "c1"))) == [(None, 2000)]


def test_the_oldest_refund_comes_first_and_one_without_a_time_before_all() -> None:
    history = [part(3000, "late", LATER), part(2000, "early", 1), part(1000, "never", 0)]
    assert Shop().sees(partly(6000, *history)) == [("never", 1000), ("early", 2000), ("late", 3000)]


def test_the_order_among_equal_times_is_the_gateways() -> None:
    assert Shop().sees(partly(3000, part(2000, "b"), part(1000, "a"))) == [("b", 2000), ("a", 1000)]


# --- histories in a bad state --------------------------------------------------------------------

NO_HISTORY: list[object] = [
    None,
    [],
    {},
    "x",
    5,
    [None],
    ["x", 5, []],
    [{}],
    [{"amount": None}],
    [{"amount": "x"}],
    [{"amount": Decimal(-1)}],
    [{"amount": Decimal("NaN")}],
    [{"amount": True}],
    [{"amount": Decimal(0), "cancellation_id": "c1"}],
    [{"amount": 0.5, "cancellation_id": "c1"}],
]


@pytest.mark.parametrize("history", NO_HISTORY)
def test_without_a_readable_history_the_whole_is_one_refund_known_by_the_total(
    history: object,
) -> None:
    paid = payment(
        "cancelled",
        9000,
        raw={"cancel_history": history, "cancelled_at": LATER, "cancel_reason": "sold out"},
    )
    [each] = new_parts(paid, {})
    assert each == Cancellation(
        None, Decimal(9000), datetime.fromtimestamp(LATER, UTC), "sold out", "total-9000"
    )
    assert new_parts(paid, known((each,))) == ()


def test_a_history_that_is_absent_is_like_an_empty_one() -> None:
    assert [each.key for each in new_parts(payment("cancelled", 9000), {})] == ["total-9000"]


@pytest.mark.parametrize("moment", [None, "x", -1, True, [], 2**63, Decimal("1e30"), 1.5])
def test_a_refund_at_no_readable_moment_is_a_refund_all_the_same(moment: object) -> None:
    [each] = new_parts(partly(9000, part(9000, cancelled_at=moment, reason=7)), {})
    assert (each.at, each.reason, each.key) == (None, None, "0-9000-1")


def test_what_the_history_leaves_out_is_one_more_refund() -> None:
    shop = Shop()
    assert shop.sees(partly(9000, part(4000, "c1"))) == [("c1", 4000), (None, 5000)]
    assert shop.sees(partly(9000, part(4000, "c1"))) == []


def test_a_refund_named_later_is_not_handed_on_again() -> None:
    shop = Shop()
    assert shop.sees(partly(9000)) == [(None, 9000)]
    assert shop.sees(partly(9000, part(9000, "c1"))) == []
    assert shop.sees(partly(14000, part(9000, "c1"), part(5000, "c2", LATER))) == [("c2", 5000)]


@pytest.mark.parametrize("amount", [4000, 9000])
def test_a_refund_named_later_is_not_taken_for_a_new_one_that_is_as_large(amount: int) -> None:
    shop = Shop()
    assert shop.sees(partly(4000)) == [(None, 4000)]
    history = [part(4000, "c1"), part(amount, "c2", LATER)]
    assert shop.sees(partly(4000 + amount, *history)) == [("c2", amount)]


def test_two_refunds_handed_on_as_one_are_not_handed_on_again_when_named() -> None:
    shop = Shop()
    assert shop.sees(partly(9000)) == [(None, 9000)]
    history = [part(4000, "c1"), part(5000, "c2")]
    assert shop.sees(partly(9000, *history)) == []
    assert shop.sees(partly(12000, *history, part(3000, "c3", LATER))) == [("c3", 3000)]


def test_one_named_while_another_stays_unnamed_is_told_apart() -> None:
    shop = Shop()
    assert shop.sees(partly(9000)) == [(None, 9000)]
    assert shop.sees(partly(12000, part(3000, "c2", LATER))) == [("c2", 3000)]
    assert shop.sees(partly(12000, part(3000, "c2", LATER), part(9000, "c1"))) == []


def test_the_rest_is_named_a_step_at_a_time() -> None:
    shop = Shop()
    assert shop.sees(partly(5000)) == [(None, 5000)]
    assert shop.sees(partly(9000)) == [(None, 4000)]
    assert shop.sees(partly(9000, part(5000, "c1"))) == []
    assert shop.sees(partly(9000, part(5000, "c1"), part(4000, "c2"))) == []
    assert shop.total == 9000


def test_a_refund_that_got_its_id_later_is_not_handed_on_again() -> None:
    shop = Shop()
    assert shop.sees(partly(9000, part(9000))) == [(None, 9000)]
    assert shop.sees(partly(9000, part(9000, "c1"))) == []
    assert shop.sees(partly(12000, part(9000, "c1"), part(3000, "c2", LATER))) == [("c2", 3000)]


def test_a_history_of_more_than_was_cancelled_hands_on_no_more_than_that() -> None:
    shop = Shop()
    assert shop.sees(partly(5000, part(4000, "c1"), part(9000, "c2", LATER))) == [
        ("c1", 4000),
        (None, 1000),
    ]
    assert shop.total == 5000
    assert shop.sees(partly(13000, part(4000, "c1"), part(9000, "c2", LATER)))
    assert shop.total == 13000


def test_an_answer_that_was_long_on_its_way_hands_nothing_on() -> None:
    shop = Shop()
    assert shop.sees(partly(9000, part(4000, "c1"), part(5000, "c2"))) != []
    assert shop.sees(partly(4000, part(4000, "c1"))) == []
    assert shop.sees(partly(4000)) == []
    assert shop.sees(payment()) == []


def test_amounts_are_counted_exactly_whatever_the_shops_own_arithmetic_rounds_to() -> None:
    with localcontext() as context:
        context.prec = 2
        shop = Shop()
        history = [part("1234.56", "c1"), part("0.01", "c2", LATER), part("1000.01", at=LATER)]
        assert shop.sees(partly("2234.59", *history)) == [
            ("c1", Decimal("1234.56")),
            ("c2", Decimal("0.01")),
            (None, Decimal("1000.01")),
            (None, Decimal("0.01")),
        ]
        assert {key.partition(":")[2] for key in shop.known} == {
            "",
            "c1",
            "c2",
            "1735800000-1000.01-1",
            "total-2234.59",
        }


def test_a_total_whose_amount_a_store_has_cut_is_not_handed_on_again() -> None:
    """A column of whole dollars and cents, in a store by hand."""
    [whole] = new_parts(partly("10.999"), {})
    cut = {f"partly_cancelled:{whole.key}": Decimal("10.99")}
    assert new_parts(partly("10.999"), cut) == ()


def test_nothing_was_cancelled_so_nothing_is_new() -> None:
    assert new_parts(payment(), {}) == ()
    assert new_parts(partly(0, part(9000, "c1")), {}) == ()


def test_a_refund_handed_on_says_nothing_of_its_reason_when_it_is_printed() -> None:
    [each] = new_parts(partly(9000, part(9000, "c1", reason="my name is Kim")), {})
    assert each.reason == "my name is Kim"
    assert "Kim" not in repr(each)


# --- by chance -----------------------------------------------------------------------------------

REFUND = st.tuples(
    st.sampled_from(["1", "500", "1000", "1000", "1000", "5000", "0.5", "0.01"]).map(Decimal),
    st.booleans(),  # whether the gateway will give it an id
    st.sampled_from([1735700000, 1735700000, LATER]),
)
VIEWS = st.lists(
    st.tuples(
        st.integers(0, 8),  # how many refunds there are by then
        st.sets(st.integers(0, 8)),  # which of them the history leaves out
        st.sets(st.integers(0, 8)),  # which of them have not got their ids yet
        st.booleans(),  # newest first
    ),
    max_size=8,
)


def view(
    refunds: list[tuple[Decimal, bool, int]],
    count: int,
    missing: set[int],
    nameless: set[int],
    newest_first: bool,
) -> Payment:
    history = [
        part(amount, f"c{n}" if has_id and n not in nameless else None, at)
        for n, (amount, has_id, at) in enumerate(refunds[:count])
        if n not in missing
    ]
    cancelled = sum((amount for amount, _, _ in refunds[:count]), Decimal(0))
    return partly(cancelled, *(history[::-1] if newest_first else history))


@example(
    refunds=[(Decimal(1000), True, LATER), (Decimal(1000), False, LATER)],
    views=[(1, {0}, set(), False), (2, set(), {0}, True)],
)
@given(refunds=st.lists(REFUND, max_size=8), views=VIEWS)
def test_whatever_the_history_shows_and_when_the_sum_is_what_was_cancelled_and_nothing_is_twice(
    refunds: list[tuple[Decimal, bool, int]],
    views: list[tuple[int, set[int], set[int], bool]],
) -> None:
    shop, most = Shop(), Decimal(0)
    for each in [*views, (8, set[int](), set[int](), False)]:
        paid = view(refunds, *each)
        most = max(most, paid.cancel_amount)
        shop.sees(paid)
        assert shop.total == most  # never more than was cancelled, and never less
        assert shop.sees(paid) == []


ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.sampled_from([Decimal(1000), 1000, "1000", "x", None, Decimal(-1), True, 0]),
        "cancellation_id": st.sampled_from(["c1", "c2", "", None, 5, "total-9000", "x" * 50]),
        "cancelled_at": st.sampled_from([0, 1735700000, None, "x", Decimal("1.5")]),
    },
)


@given(st.lists(st.tuples(st.integers(0, 20), st.lists(st.none() | ENTRY, max_size=5)), max_size=6))
def test_a_history_that_lies_still_adds_up_to_no_more_than_was_cancelled(
    views: list[tuple[int, list[dict[str, object] | None]]],
) -> None:
    shop, most = Shop(), Decimal(0)
    for thousands, history in views:
        paid = partly(thousands * 1000, *history)
        most = max(most, paid.cancel_amount)
        shop.sees(paid)
        assert shop.total == most


# --- deposits ------------------------------------------------------------------------------------


def deposit(**fields: object) -> dict[str, object]:
    return {"pg_tid": "d1", "amount": 5000, "deposited_at": 1735700000, **fields}


def deposited(*history: object) -> tuple[str, ...]:
    return deposits(payment(raw={"deposit_history": list(history)}))


def test_every_deposit_has_a_key_of_its_own() -> None:
    assert deposited(deposit(), deposit(pg_tid="d2"), deposit()) == ("d1-1", "d2-1", "d1-2")
    assert deposited(deposit(pg_tid=5), deposit(pg_tid="", amount=1)) == (
        "1735700000-5000-1",
        "1735700000-1-1",
    )


def test_how_a_deposit_is_written_makes_no_other_deposit() -> None:
    plain = deposited(deposit(pg_tid=None))
    assert deposited(deposit(pg_tid=None, amount=Decimal("5000.00"))) == plain


@pytest.mark.parametrize("history", [None, [], {}, "x", [None, "x", 5]])
def test_a_history_that_is_none_has_no_deposits(history: object) -> None:
    assert deposits(payment(raw={"deposit_history": history})) == ()


def test_an_odd_deposit_has_a_key_that_fits_a_column() -> None:
    for name in ("x" * 300, "입금", "\ud800"):
        [key] = deposited(deposit(pg_tid=name))
        assert len(key) <= 40
        assert key.isascii()


def test_the_payment_itself_is_not_changed_by_reading_it() -> None:
    history = [part(9000, "c1"), {"amount": "x"}]
    new_parts(partly(9000, *history), {})
    assert history == [part(9000, "c1"), {"amount": "x"}]
