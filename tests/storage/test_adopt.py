"""Old payments that a shop takes over, in every ready-made store: they pay their order, nobody is
told of what is past, and everybody of what comes."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest

from imp_verify import (
    ExpectedPayment,
    Outcome,
    Reason,
    Receipt,
    ReceiptState,
    Settled,
    StoreError,
    Verdict,
)
from imp_verify.testing import TrialShop
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, Trial
from tests.storage import test_ledger as ledger
from tests.storage.test_ledger import ASKED, CLOSED, LONG_AGO, MAKE, due, open_rows, row

shop, trial = ledger.shop, ledger.trial
OPEN_OR_CLOSED = pytest.mark.parametrize("order", [ASKED, CLOSED], ids=["open", "closed"])


def adopt(trial: Trial, imp_uid: str = FIRST, order: str = ORDER) -> Outcome:
    return cast(Outcome, trial._wait(trial._verifier.adopt(imp_uid, order)))


def told(trial: Trial) -> list[str]:
    return [name for name, _ in cast(Any, trial.shop).told()]


def receipt(trial: Trial, imp_uid: str = FIRST) -> Receipt | None:
    return cast("Receipt | None", trial.ask("receipts", [imp_uid]).get(imp_uid))


def state(trial: Trial, imp_uid: str = FIRST) -> ReceiptState | None:
    found = receipt(trial, imp_uid)
    return None if found is None else found.state


def pay_long_ago(trial: Trial, imp_uid: str = FIRST, **fields: object) -> None:
    trial.pays(imp_uid, **{"paid_at": LONG_AGO, **fields})


@OPEN_OR_CLOSED
def test_an_old_payment_pays_its_order_and_nobody_is_told(
    trial: Trial, order: ExpectedPayment
) -> None:
    trial.shop.put(order)
    pay_long_ago(trial)
    began = trial.ask("run", "").began
    first = adopt(trial)
    assert (first.verdict, first.settled, first.paid) == (Verdict.PAID, Settled.NEW, True)
    assert first.endpoint == "adopt"
    assert trial.ask("paid", ORDER)
    assert receipt(trial) == Receipt(FIRST, ORDER, ReceiptState.PAYING, ASKED.amount)
    assert trial.ask("run", "").began == began
    for again in (adopt(trial), trial.deliver(FIRST, ORDER)):
        assert (again.verdict, again.settled) == (Verdict.PAID, Settled.REPEATED)
    assert told(trial) == []
    assert open_rows(trial) == []


def test_what_is_recorded_says_that_it_was_adopted(trial: Trial) -> None:
    read = getattr(trial.shop, "read", None)
    if read is None:
        return  # memory has no tables that could be read by hand
    pay_long_ago(trial)
    trial.refunds(FIRST, 9000)
    assert adopt(trial).paid
    rows = read("SELECT endpoint, verdict, amount FROM imp_changes ORDER BY verdict")
    found = [(endpoint, verdict, int(float(amount))) for endpoint, verdict, amount in rows]
    assert found == [("adopt", "paid", PRICE), ("adopt", "partly_cancelled", 9000)]


@OPEN_OR_CLOSED
def test_what_is_given_back_later_is_told_once(trial: Trial, order: ExpectedPayment) -> None:
    trial.shop.put(order)
    pay_long_ago(trial)
    assert adopt(trial).paid
    trial.refunds(FIRST, 9000)
    for _ in range(2):
        assert trial.deliver(FIRST, ORDER).verdict is Verdict.PARTLY_CANCELLED
    trial.refunds(FIRST, PRICE - 9000)
    for _ in range(2):
        assert trial.deliver(FIRST, ORDER).verdict is Verdict.CANCELLED
    assert told(trial) == ["on_partly_cancelled", "on_cancelled"]
    again = adopt(trial)
    assert (again.verdict, again.settled) == (Verdict.CANCELLED, None)
    assert trial.ask("paid", ORDER)


def test_what_was_given_back_before_is_never_told(trial: Trial) -> None:
    pay_long_ago(trial)
    trial.refunds(FIRST, 9000)
    adopted = adopt(trial)
    assert (adopted.verdict, adopted.settled) == (Verdict.PARTLY_CANCELLED, Settled.NEW)
    assert adopted.paid
    assert trial.deliver(FIRST, ORDER).settled is Settled.REPEATED
    assert told(trial) == []
    trial.refunds(FIRST, 1000)
    assert adopt(trial).settled is Settled.REPEATED  # and swallows nothing
    for _ in range(2):
        _ = trial.deliver(FIRST, ORDER)
    assert told(trial) == ["on_partly_cancelled"]
    found = receipt(trial)
    assert found is not None
    assert found.cancel_amount == 10000


def test_another_payment_of_the_order_is_one_too_many(trial: Trial) -> None:
    pay_long_ago(trial)
    pay_long_ago(trial, SECOND)
    assert adopt(trial).paid
    refused = adopt(trial, SECOND)
    assert (refused.verdict, refused.paid) == (Verdict.DUPLICATE, False)
    assert receipt(trial, SECOND) is None
    assert told(trial) == []
    assert trial.deliver(SECOND).verdict is Verdict.DUPLICATE
    assert told(trial) == ["on_duplicate"]
    assert adopt(trial, SECOND).verdict is Verdict.DUPLICATE


def test_an_order_that_was_ever_paid_adopts_no_other(trial: Trial) -> None:
    trial.pays(FIRST)
    assert trial.deliver(FIRST).paid
    trial.refunds(FIRST, PRICE)
    assert trial.deliver(FIRST).verdict is Verdict.CANCELLED
    pay_long_ago(trial, SECOND)
    assert adopt(trial, SECOND).verdict is Verdict.DUPLICATE
    assert receipt(trial, SECOND) is None


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"status": "cancelled", "cancel_amount": PRICE}, Verdict.CANCELLED),
        ({"status": "failed"}, Verdict.FAILED),
        ({"status": "ready"}, Verdict.PENDING),
        ({"status": "ready", "pay_method": "vbank", "vbank_num": "1"}, Verdict.VIRTUAL_ACCOUNT),
        ({"amount": PRICE - 1}, Verdict.FORGERY),
        ({"currency": "USD"}, Verdict.FORGERY),
        ({"customer_uid_usage": "issue"}, Verdict.FORGERY),
        ({"order": OTHER}, Verdict.FORGERY),
    ],
    ids=str,
)
def test_what_does_not_pay_this_order_is_refused_and_nothing_is_kept(
    trial: Trial, fields: dict[str, Any], verdict: Verdict
) -> None:
    pay_long_ago(trial, **fields)
    refused = adopt(trial)
    assert (refused.verdict, refused.settled, refused.paid) == (verdict, None, False)
    assert receipt(trial) is None
    assert not trial.ask("paid", ORDER)
    assert told(trial) == []
    assert due(trial) is None


def test_an_order_that_is_gone_adopts_nothing_but_what_pays_it_stays_so(trial: Trial) -> None:
    pay_long_ago(trial)
    trial.shop.delete(ORDER)
    assert adopt(trial).verdict is Verdict.UNKNOWN_ORDER
    assert receipt(trial) is None
    trial.shop.put(ASKED)
    assert adopt(trial).paid
    trial.shop.put(ExpectedPayment(ORDER, PRICE + 1))
    assert adopt(trial).settled is Settled.REPEATED


def test_what_was_recorded_stands_for_no_order_that_asks_something_else_by_now(
    trial: Trial,
) -> None:
    ledger.pay_late(trial)
    trial.shop.put(ExpectedPayment(ORDER, PRICE + 1, open=False))
    assert trial.deliver(FIRST).verdict is Verdict.LATE  # as for any refund that is to arrive
    before = told(trial)
    refused = adopt(trial)
    assert (refused.verdict, refused.reason) == (Verdict.FORGERY, Reason.AMOUNT)
    assert state(trial) is ReceiptState.LATE
    assert row(trial).done is None
    assert told(trial) == before


def test_a_payment_of_another_order_is_left_where_it_is(trial: Trial) -> None:
    pay_long_ago(trial)
    assert adopt(trial).paid
    trial.shop.put(ExpectedPayment(OTHER, PRICE))
    pay_long_ago(trial, order=OTHER)
    with pytest.raises(StoreError, match="recorded for another order"):
        adopt(trial, order=OTHER)
    assert not trial.ask("paid", OTHER)


@pytest.mark.parametrize("kind", ["late", "forgery"])
def test_what_was_due_is_so_no_more(trial: Trial, kind: str) -> None:
    MAKE[kind](trial)
    assert row(trial).done is None
    before = told(trial)
    amount = PRICE if kind == "late" else 1000
    trial.shop.put(ExpectedPayment(ORDER, amount, open=False))
    assert adopt(trial).paid
    assert row(trial).done is not None
    assert open_rows(trial) == []
    assert ledger.claim(trial, by_hand=True) is None
    assert told(trial) == before
    assert state(trial) is ReceiptState.PAYING


@pytest.mark.parametrize("kind", MAKE)
def test_what_is_being_given_back_is_not_adopted(trial: Trial, kind: str) -> None:
    MAKE[kind](trial)
    was = state(trial)
    assert ledger.claim(trial) is not None
    begun = row(trial)
    trial.shop.put(ExpectedPayment(ORDER, 1000 if kind == "forgery" else PRICE, open=False))
    refused = adopt(trial)
    assert refused.verdict is (Verdict.DUPLICATE if kind == "duplicate" else Verdict.LATE)
    assert not refused.paid
    assert row(trial) == begun
    assert state(trial) is was
    assert trial.ask("paid", ORDER) is (kind == "duplicate")


def test_what_on_paid_gave_back_is_not_adopted(shop: TrialShop, trial: Trial) -> None:
    shop.half_done = ledger.give_back  # type: ignore[method-assign]
    trial.pays(FIRST, paid_at=ledger.soon())
    assert trial.deliver(FIRST).reason is Reason.REFUSED
    refused = adopt(trial)
    assert (refused.verdict, refused.reason) == (Verdict.LATE, Reason.REFUSED)
    assert state(trial) is ReceiptState.LATE
    assert row(trial).done is None


def test_a_receipt_that_knows_the_money_to_be_gone_is_no_proof_that_it_is_there(
    trial: Trial,
) -> None:
    pay_long_ago(trial)
    old_answer = dict(trial.says[FIRST])
    trial.refunds(FIRST, PRICE)
    assert trial.deliver(FIRST).verdict is Verdict.CANCELLED
    trial.says[FIRST] = old_answer
    refused = adopt(trial)
    assert (refused.verdict, refused.reason) == (Verdict.PENDING, Reason.WENT_BACK)
    assert state(trial) is ReceiptState.CANCELLED
    assert not trial.ask("paid", ORDER)
    assert told(trial) == []


@OPEN_OR_CLOSED
def test_at_once_with_its_notice_it_is_recorded_once_by_whoever_is_first(
    trial: Trial, order: ExpectedPayment
) -> None:
    for number in range(8):
        name, imp_uid = f"ORD-{number}", f"imp_{number}"
        trial.shop.put(ExpectedPayment(name, PRICE, open=order.open))
        trial.pays(imp_uid, name, paid_at=ledger.soon())
        before = len(told(trial))
        work = [partial(adopt, trial, imp_uid, name), partial(trial.deliver, imp_uid, name)]
        adopted, delivered = trial.together(*work)
        assert isinstance(adopted, Outcome), adopted
        assert isinstance(delivered, Outcome), delivered
        assert adopted.paid
        heard = told(trial)[before:]
        if adopted.settled is Settled.REPEATED:  # the notice was first, and its order open
            assert (delivered.settled, heard) == (Settled.NEW, ["on_paid"])
            assert order.open
        elif delivered.settled is Settled.LATE:  # first, too, and its order closed
            assert heard == ["on_late"]
            assert not order.open
        else:
            assert (delivered.settled, heard) == (Settled.REPEATED, [])
        assert state(trial, imp_uid) is ReceiptState.PAYING
        assert open_rows(trial) == []


def test_of_two_old_payments_at_once_one_pays(trial: Trial) -> None:
    for each in (FIRST, SECOND):
        pay_long_ago(trial, each)
    found = trial.together(partial(adopt, trial, FIRST), partial(adopt, trial, SECOND))
    verdicts = sorted(each.verdict for each in found if isinstance(each, Outcome))
    assert verdicts == [Verdict.DUPLICATE, Verdict.PAID]
    assert told(trial) == []
