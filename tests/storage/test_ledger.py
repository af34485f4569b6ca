"""The money to give back and the place of `reconcile`, in every ready-made store: which payments
make a row, which end it, who may claim it, and that what was claimed never pays."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from imp_verify import (
    ExpectedPayment,
    GiveBack,
    Outcome,
    Reason,
    Settled,
    StoreError,
    Verdict,
)
from imp_verify.models import read_time
from imp_verify.stores import Due, Run, _dues
from imp_verify.stores._bridge import as_given
from imp_verify.testing import TrialShop
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from tests.storage.shops import MemoryShop, SqliteShop
from tests.storage.sqlalchemy_shops import POOLED, Variant, making, variants

ASKED = ExpectedPayment(ORDER, PRICE)
CLOSED = ExpectedPayment(ORDER, PRICE, open=False)
LONG_AGO = 1735700000
MINUTE = timedelta(minutes=1)

_KINDS: dict[str, Callable[..., Iterator[TrialShop]]] = {}


def _memory(_: object, folder: Path, **options: Any) -> Iterator[TrialShop]:
    yield MemoryShop(**options)


_KINDS["memory"] = _memory
_KINDS["memory-thread"] = partial(_memory, threaded=True)


def _sqlite(_: object, folder: Path, **options: Any) -> Iterator[TrialShop]:
    shop = SqliteShop(folder / "shop.db", **options)
    yield shop
    shop.close()


_KINDS["sqlite"] = _sqlite
_KINDS["sqlite-thread"] = partial(_sqlite, threaded=True)


def _sqlalchemy(
    place: Callable[[str], Any], _: object, variant: Variant, **options: Any
) -> Iterator[TrialShop]:
    for make in making(variant, place(variant.kind)):
        # An async pool belongs to one event loop, and each trial has its own.
        yield make(options=None if variant.asynchronous else POOLED, **options)


for _variant in variants():
    _KINDS[str(_variant)] = partial(_sqlalchemy, variant=_variant)


@pytest.fixture(params=_KINDS)
def shop(
    request: pytest.FixtureRequest, place: Callable[[str], Any], tmp_path: Path
) -> Iterator[TrialShop]:
    yield from _KINDS[request.param](place, tmp_path)


@pytest.fixture
def trial(shop: TrialShop) -> Iterator[Trial]:
    shop.put(ASKED)
    with Trial(shop) as trial:
        yield trial


def soon() -> int:
    """Give a time after the store began: in Unix seconds, which the gateway counts whole."""
    return int(time.time()) + 60


def ask(trial: Trial, name: str, *arguments: object) -> Any:
    """Call a method of the ledger."""
    return trial.ask(name, *arguments)


def due(trial: Trial, imp_uid: str = FIRST) -> Due | None:
    return cast("Due | None", ask(trial, "due", imp_uid))


def row(trial: Trial, imp_uid: str = FIRST) -> Due:
    found = due(trial, imp_uid)
    assert found is not None
    return found


def now() -> datetime:
    return datetime.now(UTC)


def claim(trial: Trial, imp_uid: str = FIRST, *, by_hand: bool = False, until: Any = None) -> Any:
    return trial.ask("claim", imp_uid, until or now() + MINUTE, by_hand=by_hand)


def open_rows(trial: Trial) -> list[str]:
    return [each.imp_uid for each in ask(trial, "dues", None, 100)]


def forge(trial: Trial, imp_uid: str = FIRST, **fields: object) -> None:
    trial.pays(imp_uid, **{"amount": 1000, "paid_at": soon(), **fields})
    assert trial.deliver(imp_uid).verdict is Verdict.FORGERY


def pay_late(trial: Trial, imp_uid: str = FIRST, **fields: object) -> None:
    trial.shop.put(CLOSED)
    trial.pays(imp_uid, **{"paid_at": soon(), **fields})
    assert trial.deliver(imp_uid).verdict is Verdict.LATE


def pay_twice(trial: Trial) -> None:
    """SECOND pays the order, and FIRST is one too many."""
    trial.pays(SECOND, paid_at=soon())
    assert trial.deliver(SECOND).verdict is Verdict.PAID
    trial.pays(FIRST, paid_at=soon())
    assert trial.deliver(FIRST).verdict is Verdict.DUPLICATE


def give_back() -> None:
    raise GiveBack("sold out")


def refund_order(trial: Trial) -> None:
    trial.refunds(SECOND, PRICE)
    assert trial.deliver(SECOND).verdict is Verdict.CANCELLED


MAKE = {"forgery": forge, "late": pay_late, "duplicate": pay_twice}
every_kind = pytest.mark.parametrize("kind", MAKE)


def test_an_order_awaits_a_deposit_as_long_as_an_account_can_be_paid_into(trial: Trial) -> None:
    due = LONG_AGO + 60
    before, then = (datetime.fromtimestamp(due - each, UTC) for each in (1, 0))
    fields = {"status": "ready", "pay_method": "vbank", "vbank_num": "1"}
    assert not trial.ask("awaits_deposit", ORDER, before)
    trial.pays(FIRST, vbank_date=due, **fields)
    _ = trial.deliver(FIRST)
    assert trial.ask("awaits_deposit", ORDER, before)
    assert not trial.ask("awaits_deposit", ORDER, then)
    assert not trial.ask("awaits_deposit", ORDER.lower(), before)
    trial.pays(SECOND, vbank_date=None, **fields)
    _ = trial.deliver(SECOND)
    assert trial.ask("awaits_deposit", ORDER, then)
    trial.pays(SECOND)
    _ = trial.deliver(SECOND)
    assert not trial.ask("awaits_deposit", ORDER, then)


# --- which payments make a row, and what ends it -------------------------------------------------


@every_kind
def test_money_that_pays_nothing_makes_a_row_once(trial: Trial, kind: str) -> None:
    MAKE[kind](trial)
    found = row(trial)
    amount = Decimal(1000 if kind == "forgery" else PRICE)
    assert found == Due(
        imp_uid=FIRST,
        merchant_uid=ORDER,
        kind=kind,
        amount=amount,
        currency="KRW",
        account=None,
        test=False,
        begun=None,
        tries=0,
        next_try=found.created,
        error=None,
        created=found.created,
        done=None,
    )
    assert abs(found.created - now()) < MINUTE
    assert found.created.utcoffset() == timedelta(0)
    _ = trial.deliver(FIRST)
    assert row(trial) == found
    assert open_rows(trial) == [FIRST]
    assert due(trial, SECOND) is None


def test_a_payment_that_pays_its_order_makes_none(trial: Trial) -> None:
    trial.pays(FIRST, paid_at=soon())
    assert trial.deliver(FIRST).paid
    assert due(trial) is None
    assert claim(trial) is None
    assert open_rows(trial) == []


@every_kind
@pytest.mark.parametrize("paid_at", [LONG_AGO, 0])
def test_money_from_before_the_store_began_makes_none(
    trial: Trial, kind: str, paid_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pays = trial.pays
    monkeypatch.setattr(
        trial, "pays", lambda *names, **fields: pays(*names, **{**fields, "paid_at": paid_at})
    )
    MAKE[kind](trial)
    assert due(trial) is None


def test_the_second_in_which_the_store_began_is_after_its_beginning(trial: Trial) -> None:
    began = ask(trial, "run", "").began
    forge(trial, paid_at=int(began.timestamp()))
    forge(trial, SECOND, paid_at=int(began.timestamp()) - 1)
    assert open_rows(trial) == [FIRST]


def test_an_attempt_without_money_makes_none(trial: Trial) -> None:
    trial.pays(FIRST, amount=1000, status="ready", pay_method="vbank", vbank_num="1")
    assert trial.deliver(FIRST).verdict is Verdict.FORGERY
    trial.shop.put(CLOSED)
    trial.pays(SECOND, status="ready", pay_method="vbank", vbank_num="1")
    assert trial.deliver(SECOND).verdict is Verdict.LATE
    assert open_rows(trial) == []


@pytest.mark.parametrize("reason", [each for each in Reason if "account" not in each])
def test_only_a_wrong_amount_currency_or_method_of_a_known_order_is_due_for_its_forgery(
    trial: Trial, reason: Reason
) -> None:
    outcome = paid_outcome(FIRST, ASKED)
    assert outcome.payment is not None
    payment = replace(outcome.payment, raw={"paid_at": soon()})
    forged = replace(outcome, verdict=Verdict.FORGERY, reason=reason, payment=payment)
    if reason is not Reason.ORDER:
        unknown = replace(forged, imp_uid=SECOND, expected=None)
        _ = trial.ask("observe", replace(unknown, payment=replace(payment, imp_uid=SECOND)))
    _ = trial.ask("observe", forged)
    wanted = reason in (Reason.AMOUNT, Reason.CURRENCY, Reason.METHOD)
    assert open_rows(trial) == ([FIRST] if wanted else [])


def test_a_forgery_that_was_told_without_money_makes_its_row_once_the_money_is_there(
    trial: Trial,
) -> None:
    account = {"amount": 1000, "pay_method": "vbank", "vbank_num": "1"}
    trial.pays(FIRST, status="ready", **account)
    _ = trial.deliver(FIRST)
    assert due(trial) is None
    trial.pays(FIRST, paid_at=soon(), **account)
    _ = trial.deliver(FIRST)
    assert row(trial).kind == "forgery"


@every_kind
def test_what_is_left_is_due_and_when_all_is_gone_nothing(trial: Trial, kind: str) -> None:
    MAKE[kind](trial)
    all_of_it = row(trial).amount
    old_answer = dict(trial.says[FIRST])
    trial.refunds(FIRST, 400)
    _ = trial.deliver(FIRST)
    assert row(trial).amount == all_of_it - 400
    trial.says[FIRST] = old_answer
    _ = trial.deliver(FIRST)
    assert row(trial).amount == all_of_it - 400
    trial.refunds(FIRST, all_of_it)
    _ = trial.deliver(FIRST)
    ended = row(trial)
    assert ended.done is not None
    assert (ended.next_try, open_rows(trial)) == (None, [])
    assert claim(trial, by_hand=True) is None
    _ = trial.deliver(FIRST)
    assert row(trial) == ended
    ask(trial, "close_due", FIRST, "too late to say")
    assert row(trial) == ended


def test_money_that_the_gateway_twice_says_is_not_there_is_not_due(trial: Trial) -> None:
    pay_late(trial)
    trial.pays(FIRST, status="failed")
    _ = trial.deliver(FIRST)  # which looks twice
    assert row(trial).done is not None
    trial.pays(FIRST, paid_at=soon())
    _ = trial.deliver(FIRST)
    assert open_rows(trial) == [FIRST]


def test_a_forgery_whose_money_an_old_answer_does_not_know_is_due_still(trial: Trial) -> None:
    forge(trial)
    found = row(trial)
    trial.pays(FIRST, status="ready", amount=1000, pay_method="vbank", vbank_num="1")
    _ = trial.deliver(FIRST)
    assert row(trial) == found


def test_a_late_order_that_is_opened_is_paid_and_nothing_is_due(trial: Trial) -> None:
    pay_late(trial)
    trial.shop.put(ASKED)
    assert trial.deliver(FIRST).paid
    assert row(trial).done is not None
    assert claim(trial, by_hand=True) is None


def test_a_total_that_was_changed_and_changed_back_is_paid_and_nothing_is_due(
    trial: Trial,
) -> None:
    trial.shop.put(ExpectedPayment(ORDER, PRICE + 1))
    forge(trial, amount=PRICE)
    trial.shop.put(ASKED)
    assert trial.deliver(FIRST).paid
    assert row(trial).done is not None


def test_a_row_says_what_is_true_of_the_payment_by_now(trial: Trial) -> None:
    trial.shop.put(ExpectedPayment(ORDER, PRICE + 1))
    forge(trial, amount=PRICE)
    trial.shop.put(ASKED)
    trial.pays(SECOND, paid_at=soon())
    assert trial.deliver(SECOND).paid
    assert trial.deliver(FIRST).verdict is Verdict.DUPLICATE
    assert (row(trial).kind, row(trial).done) == ("duplicate", None)


def test_what_the_shop_gave_back_is_due_as_that_and_never_pays(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_late(trial)
    before = row(trial)
    with monkeypatch.context() as patch:
        patch.setattr(trial.shop, "half_done", give_back)
        trial.shop.put(ASKED)  # a late order is opened, and cannot be fulfilled after all
        assert trial.deliver(FIRST).verdict is Verdict.LATE
        trial.pays(SECOND, paid_at=soon())
        assert trial.deliver(SECOND).verdict is Verdict.LATE
    assert row(trial) == replace(before, kind="refused")
    assert row(trial, SECOND).kind == "refused"
    assert trial.deliver(FIRST).verdict is Verdict.LATE
    assert list(trial.shop.shipped(ORDER)) == []
    told = [key for _, key in trial.shop.told() or ()]
    assert told == [f"{FIRST}:late", f"{FIRST}:late:refused", f"{SECOND}:late:refused"]
    assert claim(trial) is not None
    trial.refunds(FIRST, PRICE)
    _ = trial.deliver(FIRST)
    assert open_rows(trial) == [SECOND]


def test_late_money_of_the_past_that_the_shop_gives_back_is_tried_by_itself(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.pays(FIRST, paid_at=soon())
    monkeypatch.setattr(_dues, "_RECENT", timedelta(seconds=-120))  # what comes now is old
    trial.shop.put(CLOSED)
    assert trial.deliver(FIRST).verdict is Verdict.LATE
    assert (row(trial).kind, row(trial).next_try) == ("late", None)
    assert claim(trial) is None
    monkeypatch.setattr(trial.shop, "half_done", give_back)
    trial.shop.put(ASKED)
    assert trial.deliver(FIRST).verdict is Verdict.LATE
    assert row(trial).kind == "refused"
    assert claim(trial) is not None


# --- who may claim it ----------------------------------------------------------------------------


@every_kind
def test_a_claim_is_for_one_and_until_its_time_is_over(trial: Trial, kind: str) -> None:
    MAKE[kind](trial)
    before = row(trial)
    until = now().replace(microsecond=0) + MINUTE
    claimed = claim(trial, until=until)
    assert claimed == row(trial)
    begun = claimed.begun
    assert claimed == replace(before, begun=begun, tries=1, next_try=until)
    assert before.created <= begun <= now()
    assert claim(trial) is None
    assert claim(trial, by_hand=True) is None
    assert open_rows(trial) == [FIRST]


def test_a_claim_whose_time_is_over_is_open_to_others(trial: Trial) -> None:
    forge(trial)
    first = claim(trial, until=now() - MINUTE)
    second = claim(trial)
    assert second is not None
    assert (second.begun, second.tries) == (first.begun, 2)


def test_nothing_is_claimed_of_a_payment_that_is_not_known(trial: Trial) -> None:
    assert claim(trial) is None
    assert claim(trial, by_hand=True) is None
    ask(trial, "close_due", FIRST, "never heard of")
    assert due(trial) is None


def test_of_many_who_claim_at_once_one_gets_it(trial: Trial) -> None:
    pay_late(trial)
    got = trial.together(*[partial(claim, trial)] * 8)
    assert not [each for each in got if isinstance(each, Exception)]
    assert len([each for each in got if each is not None]) == 1
    assert row(trial).tries == 1


def test_whoever_comes_first_a_payment_never_both_pays_and_goes_back(trial: Trial) -> None:
    pay_late(trial)
    trial.shop.put(ASKED)
    answers = trial.together(partial(claim, trial), partial(trial.deliver, FIRST))
    claimed, delivered = answers
    assert isinstance(delivered, Outcome)
    assert (claimed is not None) is not delivered.paid
    assert len(trial.shop.shipped(ORDER)) == int(delivered.paid)


def test_what_was_claimed_never_pays_though_the_order_is_opened(trial: Trial) -> None:
    pay_late(trial)
    assert claim(trial) is not None
    trial.shop.put(ASKED)
    assert trial.deliver(FIRST).verdict is Verdict.LATE
    assert list(trial.shop.shipped(ORDER)) == []
    assert open_rows(trial) == [FIRST]
    trial.pays(SECOND, paid_at=soon())
    assert trial.deliver(SECOND).paid
    assert trial.deliver(FIRST).verdict is Verdict.LATE


def test_what_was_claimed_never_pays_though_the_total_is_corrected(trial: Trial) -> None:
    trial.shop.put(ExpectedPayment(ORDER, PRICE + 1))
    forge(trial, amount=PRICE)
    claimed = claim(trial)
    assert claimed is not None
    ask(trial, "close_due", FIRST, "the PG said no")
    failed = row(trial)
    trial.shop.put(ASKED)
    assert trial.deliver(FIRST).verdict is Verdict.LATE
    assert list(trial.shop.shipped(ORDER)) == []
    assert row(trial) == failed  # claimed as a forgery, and given back as that
    trial.refunds(FIRST, PRICE)
    _ = trial.deliver(FIRST)
    assert row(trial).done is not None


def test_a_claim_of_a_forgery_leaves_no_row_of_its_order(trial: Trial) -> None:
    forge(trial)
    assert claim(trial) is not None
    trial.pays(SECOND, paid_at=soon())
    assert trial.deliver(SECOND).paid  # the order is as free as before
    assert row(trial).begun is not None


def test_an_old_answer_pays_no_order_with_a_forgery_that_was_given_back(trial: Trial) -> None:
    """The total was corrected, and one delivery had asked the gateway before the cancel."""
    forge(trial)
    assert claim(trial) is not None
    trial.refunds(FIRST, 1000)
    _ = trial.deliver(FIRST)
    assert row(trial).done is not None
    corrected = ExpectedPayment(ORDER, 1000)
    trial.shop.put(corrected)
    assert trial.ask("settle", paid_outcome(FIRST, corrected)) is Settled.LATE
    trial.pays(SECOND, amount=1000, paid_at=soon())
    assert trial.deliver(SECOND).paid
    assert open_rows(trial) == []


def test_a_claim_in_a_hook_is_refused(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    store: Any = as_given(trial.shop.store)

    def half_done() -> None:
        answer = store.claim(FIRST, now())
        if inspect.iscoroutine(answer):
            answer.send(None)

    pay_late(trial)
    trial.shop.put(ASKED)
    monkeypatch.setattr(trial.shop, "half_done", half_done)
    with pytest.raises(StoreError, match="inside a hook"):
        _ = trial.deliver(FIRST)
    assert row(trial).begun is None


# --- how a try ends ------------------------------------------------------------------------------


def test_what_failed_is_tried_again_ever_later_and_ten_times_at_most(trial: Trial) -> None:
    forge(trial)
    pauses: list[float] = []
    for tries in range(1, 11):
        claimed = claim(trial, by_hand=True, until=now() - MINUTE)
        assert claimed is not None
        assert claimed.tries == tries
        ask(trial, "close_due", FIRST, "PG 점검 중")
        failed = row(trial)
        assert failed.error == "PG 점검 중"
        if tries == 10:
            assert failed.next_try is None
            break
        assert failed.next_try is not None
        pauses.append((failed.next_try - now()) / MINUTE)
        assert claim(trial) is None
    assert [round(each) for each in pauses] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert claim(trial) is None
    assert claim(trial, by_hand=True) is not None


def test_what_nobody_answered_is_tried_ten_times_at_most_too(trial: Trial) -> None:
    """No error is written then: whether it was carried out is not known."""
    forge(trial)
    for tries in range(1, 11):
        claimed = claim(trial, until=now() - MINUTE)
        assert claimed is not None
        assert claimed.tries == tries
    assert claim(trial) is None
    assert (row(trial).tries, row(trial).next_try) == (10, None)
    assert claim(trial, by_hand=True) is not None


@pytest.mark.parametrize("word", ["needs_account", "unknown_payment", "order_refunded"])
def test_what_is_left_to_a_person_is_claimed_by_a_person_only(trial: Trial, word: str) -> None:
    pay_late(trial)
    assert claim(trial) is not None
    ask(trial, "close_due", FIRST, word)
    assert (row(trial).error, row(trial).next_try) == (word, None)
    assert claim(trial) is None
    assert open_rows(trial) == [FIRST]
    claimed = claim(trial, by_hand=True)
    assert claimed is not None
    assert (claimed.tries, claimed.error) == (2, None)


def test_what_the_gateway_is_being_asked_for_nobody_tries(trial: Trial) -> None:
    pay_late(trial)
    assert claim(trial) is not None
    ask(trial, "close_due", FIRST, "asked")
    assert row(trial).error == "asked"
    for by_hand in (False, True):
        assert claim(trial, by_hand=by_hand) is None


def test_what_the_gateway_was_asked_for_is_never_forgotten(trial: Trial) -> None:
    """Not by who tries next: what was asked for may still be carried out."""
    pay_late(trial)
    assert claim(trial, until=now() - MINUTE) is not None
    ask(trial, "close_due", FIRST, "asked")
    assert claim(trial) is None
    claimed = claim(trial, by_hand=True)
    assert claimed is not None
    assert (claimed.tries, claimed.error) == (2, "asked")
    ask(trial, "close_due", FIRST, "the PG said no")
    assert (row(trial).error, row(trial).next_try) == ("asked", None)
    assert claim(trial) is None


def test_an_error_before_any_claim_leaves_the_payment_free_to_pay(trial: Trial) -> None:
    pay_late(trial)
    ask(trial, "close_due", FIRST, "needs_account")
    assert row(trial).begun is None
    trial.shop.put(ASKED)
    assert trial.deliver(FIRST).paid


def test_what_the_gateway_accepted_stays_claimed_until_the_money_is_seen_to_be_gone(
    trial: Trial,
) -> None:
    pay_late(trial)
    claimed = claim(trial)
    ask(trial, "close_due", FIRST, None)
    assert row(trial) == claimed
    trial.refunds(FIRST, PRICE)
    _ = trial.deliver(FIRST)
    assert row(trial).done is not None


def test_any_text_of_the_gateway_is_kept_clipped(trial: Trial) -> None:
    forge(trial)
    assert claim(trial) is not None
    ask(trial, "close_due", FIRST, "가\0\ud800" + "나" * 500)
    error = row(trial).error
    assert error is not None
    assert error.startswith("가")
    assert 100 < len(error) <= 200


# --- a duplicate whose order's own payment was given back ----------------------------------------


def test_a_duplicate_that_became_the_orders_only_payment_is_left_to_a_person(
    trial: Trial,
) -> None:
    pay_twice(trial)
    refund_order(trial)
    before = row(trial)
    assert claim(trial) is None
    left = row(trial)
    assert left == replace(before, next_try=None, error="order_refunded")
    told = [key for name, key in trial.shop.told() or () if name == "on_review"]
    assert told == [f"{FIRST}:duplicate:order_refunded"]
    assert claim(trial) is None
    assert row(trial) == left
    assert [name for name, _ in trial.shop.told() or ()].count("on_review") == 1
    assert claim(trial, by_hand=True) is not None


def test_a_person_who_may_not_know_it_is_told_first(trial: Trial) -> None:
    pay_twice(trial)
    refund_order(trial)
    assert claim(trial, by_hand=True) is None
    assert row(trial).error == "order_refunded"
    assert claim(trial, by_hand=True) is not None


@pytest.mark.parametrize("word", ["needs_account", "unknown_payment"])
def test_once_told_a_person_may_give_it_back_whatever_a_try_came_to_since(
    trial: Trial, word: str
) -> None:
    pay_twice(trial)
    refund_order(trial)
    assert claim(trial, by_hand=True) is None
    ask(trial, "close_due", FIRST, word)
    claimed = claim(trial, by_hand=True)
    assert claimed is not None
    assert claimed.begun is not None
    assert [name for name, _ in trial.shop.told() or ()].count("on_review") == 1


def test_a_duplicate_that_was_claimed_before_goes_back_all_the_same(trial: Trial) -> None:
    pay_twice(trial)
    assert claim(trial, until=now() - MINUTE) is not None
    refund_order(trial)
    assert claim(trial) is not None
    assert "on_review" not in [name for name, _ in trial.shop.told() or ()]


# --- lists ---------------------------------------------------------------------------------------


def test_open_rows_are_listed_by_the_page(trial: Trial) -> None:
    uids = ["imp_a", "imp_b", "imp_c", "imp_d"]
    for uid in reversed(uids):
        forge(trial, uid)
    trial.refunds("imp_b", 1000)
    _ = trial.deliver("imp_b")
    pages: list[list[str]] = []
    after: str | None = None
    while page := ask(trial, "dues", after, 2):
        pages.append([each.imp_uid for each in page])
        after = page[-1].imp_uid
    assert pages == [["imp_a", "imp_c"], ["imp_d"]]


def test_accounts_that_wait_are_listed_by_the_date_until_which_they_do(trial: Trial) -> None:
    dates = {"imp_1": 300, "imp_a": 100, "imp_b": 199, "imp_c": 200, "imp_d": 150, "imp_e": 0}
    for number, (uid, date) in enumerate(dates.items()):
        order = f"ORD-{number}"
        trial.shop.put(ExpectedPayment(order, PRICE))
        fields = {"pay_method": "vbank", "vbank_num": "1", "vbank_date": LONG_AGO + date}
        trial.pays(uid, order, status="ready", **fields)
        assert trial.deliver(uid).verdict is Verdict.VIRTUAL_ACCOUNT
    trial.pays("imp_d", "ORD-4", paid_at=soon())
    assert trial.deliver("imp_d").paid

    def waiting(start: int, end: int, after: str | None, limit: int) -> list[str]:
        window = (read_time(LONG_AGO + start), read_time(LONG_AGO + end))
        found = ask(trial, "waiting", *window, after, limit)
        receipts = trial.ask("receipts", [each.imp_uid for each in found])
        assert [receipts[each.imp_uid] for each in found] == list(found)
        return [each.imp_uid for each in found]

    assert waiting(100, 200, None, 10) == ["imp_a", "imp_b"]
    assert waiting(100, 201, "imp_a", 1) == ["imp_b"]
    assert waiting(100, 201, "imp_b", 10) == ["imp_c"]
    assert waiting(0, 1000, None, 2) == ["imp_1", "imp_a"]


def test_a_deadline_that_is_moved_while_it_waits_counts(trial: Trial) -> None:
    fields = {"status": "ready", "pay_method": "vbank", "vbank_num": "1"}
    for date in (LONG_AGO, LONG_AGO + 3600):
        trial.pays(FIRST, vbank_date=date, **fields)
        _ = trial.deliver(FIRST)
    start = read_time(LONG_AGO)
    assert start is not None
    assert ask(trial, "waiting", start, start + MINUTE, None, 10) == []
    [receipt] = ask(trial, "waiting", start + MINUTE, start + 61 * MINUTE, None, 10)
    assert receipt.imp_uid == FIRST


# --- the place of reconcile ----------------------------------------------------------------------


def test_every_account_has_a_row_and_all_have_the_stores_beginning(trial: Trial) -> None:
    alone = ask(trial, "run", "")
    assert alone == Run("", alone.began)
    assert (alone.began.microsecond, alone.began.utcoffset()) == (0, timedelta(0))
    assert abs(alone.began - now()) < MINUTE
    assert ask(trial, "run", "한국") == Run("한국", alone.began)


def test_a_run_is_taken_up_where_it_was_and_the_beginning_never_moves(trial: Trial) -> None:
    first = ask(trial, "run", "kr")
    start = first.began - 60 * MINUTE
    run = Run("kr", start, since=start, until=first.began, page=7)
    ask(trial, "save_run", run)
    assert ask(trial, "run", "kr") == replace(run, began=first.began)
    finished = replace(run, page=None, finished=first.began)
    ask(trial, "save_run", finished)
    assert ask(trial, "run", "kr") == replace(finished, began=first.began)
    assert ask(trial, "run", "") == Run("", first.began)
    ask(trial, "save_run", replace(run, account="us"))
    assert ask(trial, "run", "us") == replace(run, account="us", began=first.began)


def test_a_row_is_made_once_by_any_number_at_once(trial: Trial) -> None:
    runs = trial.together(*[partial(ask, trial, "run", "kr")] * 8)
    assert len(set(map(repr, runs))) == 1
    assert isinstance(runs[0], Run)
