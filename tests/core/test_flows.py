"""Flows stepped by hand: every question in its order, and what each answer leads to."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from imp_verify import (
    MAX_BODY,
    ExpectedPayment,
    GatewayUnavailable,
    Landing,
    Outcome,
    Payment,
    Reason,
    Receipt,
    ReceiptState,
    Request,
    Settled,
    StoreError,
    Verdict,
)
from imp_verify._core.accounts import AccountChoice, Accounts
from imp_verify._core.flow import Expect, Flow, Hold, Observe, Recall, Send, Settle
from imp_verify._core.verification import Refusal, approve, find_imp_uid, verify
from imp_verify._core.wire import read_payment
from imp_verify._web.endpoints import serve
from imp_verify._web.webhook_sources import Senders
from imp_verify.models import Notice
from imp_verify.settings import Settings
from imp_verify.transports import GatewayResponse
from tests.drivers.wire import I1, ORDER, UNKNOWN, account, envelope, fields, lookup, never, paid

ASKED = ExpectedPayment(ORDER, 39000)
LOOKUP = Send(lookup(f"/payments/{I1}"))


def known(
    *, clock: Callable[[], float] = never, test_mode: bool = False, confirm_lookup: bool = True
) -> tuple[Settings, Accounts]:
    only = AccountChoice(account(clock, test_mode=test_mode))
    settings = Settings(test_mode=test_mode, confirm_lookup=confirm_lookup)
    return settings, Accounts(clock, only)


def notice(imp_uid: str = I1, merchant_uid: str | None = ORDER) -> Notice:
    return Notice(imp_uid, merchant_uid)


def payment(**changes: object) -> Payment:
    return read_payment(fields(**changes))


def outcome(verdict: Verdict, reason: Reason | None = None, **changes: object) -> Outcome:
    base = Outcome(verdict, reason, I1, ORDER, payment(), ASKED, "webhook")
    return replace(base, **changes)  # type: ignore[arg-type]


def end(flow: Flow[object], answer: object) -> object:
    """Give a flow its last answer, and give what it comes to."""
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def started(answer: GatewayResponse, *, test_mode: bool = False) -> Flow[Outcome]:
    """A webhook whose look-up is answered, and that asks the shop now."""
    flow = verify(*known(test_mode=test_mode), notice(), "webhook")
    assert next(flow) == Send(lookup(f"/payments/{I1}" + "?include_sandbox=true" * test_mode))
    assert flow.send(answer) == Expect(ORDER)
    return flow


# verify


def test_the_gateway_is_asked_then_the_shop_then_the_store() -> None:
    flow = started(paid())
    assert flow.send(39000) == Settle(outcome(Verdict.PAID))
    done = end(flow, Settled.NEW)
    assert done == outcome(Verdict.PAID, settled=Settled.NEW)
    assert isinstance(done, Outcome)
    assert done.paid


@pytest.mark.parametrize("given", [39000, "39000", Decimal("39000.00"), ASKED])
def test_a_shop_may_say_the_amount_in_any_exact_form(given: object) -> None:
    flow = started(paid())
    assert flow.send(given) == Settle(outcome(Verdict.PAID))
    flow.close()


@pytest.mark.parametrize("given", [39000.0, True, float("nan"), 0, -1, "39,000", b"1", object()])
def test_an_order_without_an_exact_amount_is_a_store_error(given: object) -> None:
    flow = started(paid())
    with pytest.raises(StoreError, match="ORD-1001"):
        flow.send(given)


@pytest.mark.parametrize(
    ("settled", "verdict", "ships"),
    [
        (Settled.NEW, Verdict.PAID, True),
        (Settled.REPEATED, Verdict.PAID, True),
        (Settled.DUPLICATE, Verdict.DUPLICATE, False),
        (Settled.LATE, Verdict.LATE, False),
    ],
)
def test_what_the_store_says_of_money_ends_it(
    settled: Settled, verdict: Verdict, ships: bool
) -> None:
    flow = started(paid())
    flow.send(39000)
    done = concluded(flow, settled)
    assert done == outcome(verdict, settled=settled)
    assert isinstance(done, Outcome)
    assert done.paid is ships


def test_a_review_makes_it_pending_with_a_reason() -> None:
    flow = started(paid())
    flow.send(39000)
    done = end(flow, Settled.REVIEW)
    assert done == outcome(Verdict.PENDING, Reason.WENT_BACK, settled=Settled.REVIEW)


@pytest.mark.parametrize("answer", [None, True, "new", object(), 0])
def test_a_settle_that_answers_no_settled_is_a_store_error(answer: object) -> None:
    flow = started(paid())
    flow.send(39000)
    with pytest.raises(StoreError, match="Settled"):
        flow.send(answer)


def concluded(flow: Flow[Outcome], settled: Settled) -> object:
    """End a flow by what the store says; of late money its receipt is asked for the reason."""
    if settled is not Settled.LATE:
        return end(flow, settled)
    assert flow.send(settled) == Recall((I1,))
    return end(flow, {})


def part(amount: int) -> dict[str, object]:
    return {"status": "paid", "cancel_amount": amount}


@pytest.mark.parametrize("settled", [Settled.NEW, Settled.REPEATED])
def test_a_refund_in_part_settles_first_and_is_observed_then(settled: Settled) -> None:
    flow = started(paid(**part(1000)))
    told = outcome(Verdict.PARTLY_CANCELLED, payment=payment(**part(1000)))
    assert flow.send(39000) == Settle(told)
    assert flow.send(settled) == Observe(replace(told, settled=settled))
    assert end(flow, None) == replace(told, settled=settled)


@pytest.mark.parametrize("settled", [Settled.DUPLICATE, Settled.LATE, Settled.REVIEW])
def test_a_refund_in_part_of_money_that_pays_nothing_is_not_observed(settled: Settled) -> None:
    flow = started(paid(**part(1000)))
    flow.send(39000)
    done = concluded(flow, settled)
    assert isinstance(done, Outcome)
    assert done.settled is settled
    assert not done.paid


def test_what_a_store_by_hand_says_of_a_part_changes_nothing_but_stale_does() -> None:
    flow = started(paid(**part(1000)))
    _, _ = flow.send(39000), flow.send(Settled.NEW)
    done = end(flow, Settled.REPEATED)
    assert isinstance(done, Outcome)
    assert done.settled is Settled.NEW
    flow = started(paid(**part(1000)))
    _, _ = flow.send(39000), flow.send(Settled.NEW)
    assert flow.send(Settled.STALE) == LOOKUP
    flow.close()


def test_a_payment_that_the_gateway_does_not_know_touches_neither_shop_nor_store() -> None:
    flow = verify(*known(), notice(), "webhook")
    assert next(flow) == LOOKUP
    assert end(flow, UNKNOWN) == Outcome(Verdict.UNKNOWN_PAYMENT, imp_uid=I1, endpoint="webhook")


def test_r08_a_real_payment_without_an_order_is_looked_for_and_not_recorded() -> None:
    flow = started(paid())
    assert flow.send(None) == Recall((I1,))
    assert end(flow, {}) == outcome(Verdict.UNKNOWN_ORDER, expected=None)


def test_an_answer_that_names_another_order_is_no_such_order() -> None:
    flow = started(paid())
    assert flow.send(ExpectedPayment("ord-1001", 39000)) == Recall((I1,))
    flow.close()


def test_a_number_that_no_order_can_have_is_not_asked_of_the_shop() -> None:
    flow = verify(*known(), notice(merchant_uid=None), "webhook")
    assert next(flow) == LOOKUP
    assert flow.send(paid(merchant_uid=" ORD\n1 ")) == Recall((I1,))
    flow.close()


def receipt(state: ReceiptState, **changes: object) -> Receipt:
    return replace(Receipt(I1, ORDER, state, Decimal(39000)), **changes)  # type: ignore[arg-type]


MONEY = [
    ReceiptState.PAYING,
    ReceiptState.LATE,
    ReceiptState.DUPLICATE,
    ReceiptState.CANCELLED,
]


@pytest.mark.parametrize("state", MONEY)
@pytest.mark.parametrize(("given", "said"), [(None, None), (40000, ExpectedPayment(ORDER, 40000))])
def test_money_taken_before_is_judged_by_its_receipt(
    state: ReceiptState, given: object, said: ExpectedPayment | None
) -> None:
    flow = started(paid())
    assert flow.send(given) == Recall((I1,))
    step = flow.send({I1: receipt(state)})
    assert step == Settle(outcome(Verdict.PAID, expected=said))
    flow.close()


@pytest.mark.parametrize(
    "found",
    [
        {},
        {I1: receipt(ReceiptState.WAITING)},
        {I1: receipt(ReceiptState.FAILED)},
        {I1: receipt(ReceiptState.PAYING, merchant_uid="ORD-2")},
        {I1: receipt(ReceiptState.PAYING, amount=Decimal(40000))},
        {I1: receipt(ReceiptState.PAYING, currency="USD")},
        {"imp_2": receipt(ReceiptState.PAYING)},
    ],
)
def test_a_receipt_that_proves_nothing_excuses_no_wrong_amount(
    found: Mapping[str, Receipt],
) -> None:
    flow = started(paid())
    assert flow.send(40000) == Recall((I1,))
    step = flow.send(found)
    assert isinstance(step, Observe)
    assert step.outcome.verdict is Verdict.FORGERY
    done = end(flow, Settled.NEW)
    assert isinstance(done, Outcome)
    assert not done.paid


@pytest.mark.parametrize("settled", [Settled.NEW, Settled.DUPLICATE, Settled.LATE, None])
def test_a_forgery_stays_one_whatever_the_order_is(settled: Settled | None) -> None:
    flow = started(paid())
    assert flow.send(40000) == Recall((I1,))
    said = ExpectedPayment(ORDER, 40000)
    wrong = outcome(Verdict.FORGERY, Reason.AMOUNT, expected=said)
    assert flow.send({}) == Observe(wrong)
    assert end(flow, settled) == replace(wrong, settled=settled)


def test_a_claim_for_another_order_asks_neither_order() -> None:
    flow = verify(*known(), notice(merchant_uid="ORD-1002"), "webhook")
    assert next(flow) == LOOKUP
    wrong = outcome(Verdict.FORGERY, Reason.ORDER, expected=None)
    assert flow.send(paid()) == Observe(wrong)
    assert end(flow, Settled.NEW) == replace(wrong, settled=Settled.NEW)


def test_a_test_payment_is_a_forgery_but_in_test_mode() -> None:
    flow = started(paid(sandbox=True))
    wrong = outcome(Verdict.FORGERY, Reason.TEST_PAYMENT, payment=payment(sandbox=True))
    assert flow.send(39000) == Observe(wrong)
    flow.close()
    flow = started(paid(sandbox=True), test_mode=True)
    assert isinstance(flow.send(39000), Settle)
    flow.close()


UNPAID = [
    ({"status": "failed"}, Verdict.FAILED),
    ({"status": "ready"}, Verdict.PENDING),
    ({"status": "processing"}, Verdict.PENDING),
]


@pytest.mark.parametrize(("changes", "verdict"), UNPAID)
def test_what_moved_no_money_is_observed(changes: dict[str, object], verdict: Verdict) -> None:
    flow = started(paid(**changes))
    told = outcome(verdict, payment=payment(**changes))
    assert flow.send(39000) == Observe(told)
    assert end(flow, None) == told


@pytest.mark.parametrize(("changes", "verdict"), UNPAID)
def test_what_moved_no_money_for_no_order_is_not_kept(
    changes: dict[str, object], verdict: Verdict
) -> None:
    flow = started(paid(**changes))
    done = end(flow, None)
    assert done == outcome(verdict, payment=payment(**changes), expected=None)


def test_stale_fetches_again_and_says_when_the_same_answer_came() -> None:
    flow = started(paid())
    assert flow.send(39000) == Settle(outcome(Verdict.PAID))
    assert flow.send(Settled.STALE) == LOOKUP
    assert flow.send(paid()) == Expect(ORDER)
    assert flow.send(39000) == Settle(outcome(Verdict.PAID, refetched=True))
    assert end(flow, Settled.NEW) == outcome(Verdict.PAID, refetched=True, settled=Settled.NEW)


def test_another_answer_after_stale_is_a_new_one() -> None:
    flow = started(paid())
    flow.send(39000)
    flow.send(Settled.STALE)
    cancelled = {"status": "cancelled", "cancel_amount": 39000}
    flow.send(paid(**cancelled))
    step = flow.send(39000)
    assert step == Observe(outcome(Verdict.CANCELLED, payment=payment(**cancelled)))
    flow.send(Settled.STALE)
    flow.send(paid(**cancelled))
    step = flow.send(39000)
    assert isinstance(step, Observe)
    assert step.outcome.refetched
    flow.close()


def test_stale_is_looked_at_again_three_times_and_no_more() -> None:
    flow = started(paid())
    for _ in range(3):
        flow.send(39000)
        assert flow.send(Settled.STALE) == LOOKUP
        assert flow.send(paid()) == Expect(ORDER)
    flow.send(39000)
    with pytest.raises(StoreError, match="stale"):
        flow.send(Settled.STALE)


def test_an_order_changed_to_another_amount_while_stale_is_not_paid() -> None:
    flow = started(paid())
    flow.send(39000)
    flow.send(Settled.STALE)
    flow.send(paid())
    assert flow.send(50000) == Recall((I1,))
    step = flow.send({})
    assert isinstance(step, Observe)
    assert (step.outcome.verdict, step.outcome.reason) == (Verdict.FORGERY, Reason.AMOUNT)
    flow.close()


def test_all_looks_share_one_deadline() -> None:
    now = [100.0]
    flow = verify(*known(clock=lambda: now[0]), notice(), "webhook")
    assert next(flow) == Send(lookup(f"/payments/{I1}", deadline=105.0))
    flow.send(paid())
    flow.send(39000)
    now[0] = 104.0
    assert flow.send(Settled.STALE) == Send(lookup(f"/payments/{I1}", deadline=105.0))
    flow.close()


@pytest.mark.parametrize("where", range(3))
def test_trouble_anywhere_leaves_verify_as_it_came(where: int) -> None:
    flow = verify(*known(), notice(), "webhook")
    next(flow)
    for answer in (paid(), 39000)[:where]:
        flow.send(answer)
    trouble = RuntimeError("the shop's own")
    with pytest.raises(RuntimeError) as caught:
        flow.throw(trouble)
    assert caught.value is trouble


# approve


def asking(amount: int | None = 39000, *, confirm_lookup: bool = True) -> Flow[Refusal | None]:
    claim = Notice(I1, ORDER, amount=None if amount is None else Decimal(amount))
    return approve(*known(confirm_lookup=confirm_lookup), claim, 0.0)


CONFIRM = Send(lookup(f"/payments/{I1}", deadline=2.0))


def test_an_approval_looks_compares_and_holds() -> None:
    flow = asking()
    assert next(flow) == CONFIRM
    assert flow.send(paid(status="ready")) == Expect(ORDER)
    assert flow.send(39000) == Hold(ASKED, I1, 4.0)
    assert end(flow, None) is None


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [("sold out", Refusal("shop", "sold out")), ("already_paid", Refusal("already_paid"))],
)
def test_the_shop_may_refuse(reason: str, refusal: Refusal) -> None:
    flow = asking()
    _, _, _ = next(flow), flow.send(paid()), flow.send(39000)
    assert end(flow, reason) == refusal


@pytest.mark.parametrize("reason", ["", " ", True, False, 0, b"no"])
def test_a_hold_that_answers_neither_none_nor_words_is_a_store_error(reason: object) -> None:
    flow = asking()
    _, _, _ = next(flow), flow.send(paid()), flow.send(39000)
    with pytest.raises(StoreError, match="hold"):
        flow.send(reason)


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (UNKNOWN, "unknown_payment"),
        (paid(merchant_uid="ORD-2"), "mismatch"),
        (paid(sandbox=True), "mismatch"),
    ],
)
def test_what_the_look_up_refuses_is_not_asked_of_the_shop(
    answer: GatewayResponse, key: str
) -> None:
    flow = asking()
    next(flow)
    assert end(flow, answer) == Refusal(key)


@pytest.mark.parametrize(
    ("answer", "given", "key"),
    [
        (paid(), None, "unknown_order"),
        (paid(), 40000, "mismatch"),
        (paid(amount=1000), 39000, "mismatch"),
        (paid(currency="USD"), 39000, "mismatch"),
        (paid(customer_uid_usage="issue"), 39000, "mismatch"),
        (paid(), ExpectedPayment(ORDER, 39000, pay_methods=["vbank"]), "mismatch"),
        (paid(), ExpectedPayment(ORDER, 39000, open=False), "closed"),
    ],
)
def test_what_does_not_match_the_order_is_not_held(
    answer: GatewayResponse, given: object, key: str
) -> None:
    flow = asking()
    _, _ = next(flow), flow.send(answer)
    assert end(flow, given) == Refusal(key)


@pytest.mark.parametrize("amount", [38999, 390000, None])
def test_the_amount_in_the_body_must_be_the_orders_too(amount: int | None) -> None:
    flow = asking(amount)
    _, _ = next(flow), flow.send(paid())
    assert end(flow, 39000) == Refusal("mismatch")


def test_the_look_up_can_be_left_out() -> None:
    flow = asking(confirm_lookup=False)
    assert next(flow) == Expect(ORDER)
    assert flow.send(39000) == Hold(ASKED, I1, 4.0)
    flow.close()


@pytest.mark.parametrize(("now", "held"), [(2.9, True), (3.0, False)])
def test_a_hold_is_begun_within_three_quarters_of_the_time_or_not_at_all(
    now: float, held: bool
) -> None:
    clock = [0.0]
    flow = approve(*known(clock=lambda: clock[0]), Notice(I1, ORDER, amount=Decimal(39000)), 0.0)
    _, _ = next(flow), flow.send(paid())
    clock[0] = now
    if held:
        assert flow.send(39000) == Hold(ASKED, I1, 4.0)
        flow.close()
    else:
        with pytest.raises(GatewayUnavailable):
            flow.send(39000)


# find_imp_uid and redirect

FIND_PAID = Send(lookup(f"/payments/find/{ORDER}/paid"))
FIND_READY = Send(lookup(f"/payments/find/{ORDER}/ready"))


def test_a_paid_payment_is_looked_for_first_then_one_that_waits() -> None:
    flow = find_imp_uid(known()[1], ORDER, 5.0)
    assert next(flow) == Expect(ORDER)
    assert flow.send(39000) == FIND_PAID
    assert flow.send(paid(merchant_uid="ORD-2")) == FIND_READY
    assert end(flow, paid("imp_3", status="ready")) == "imp_3"
    flow = find_imp_uid(known()[1], ORDER, 5.0)
    _, _, _ = next(flow), flow.send(39000), flow.send(UNKNOWN)
    assert end(flow, UNKNOWN) is None


@pytest.mark.parametrize("number", [".", ".."])
def test_a_number_that_is_no_path_segment_is_not_looked_for(number: str) -> None:
    with pytest.raises(StopIteration) as stop:
        next(find_imp_uid(known()[1], number, 5.0))
    assert stop.value.value is None


def request(endpoint: str, query: str = "", body: bytes = b"") -> Flow[object]:
    targets = Landing("/ok/{merchant_uid}", "/no?{status}", "/wait")
    settings, accounts = Settings(landing=targets), known()[1]
    method = "GET" if query or endpoint == "redirect" else "POST"
    return serve(
        settings, accounts, Senders(None, None), endpoint, Request(method, query, body=body), 0.0
    )


def location(answer: object) -> object:
    return dict(answer.headers)["Location"]  # type: ignore[attr-defined]


def test_a_redirect_without_an_imp_uid_finds_and_verifies_it() -> None:
    flow = request("redirect", f"merchant_uid={ORDER}")
    assert next(flow) == Expect(ORDER)
    assert flow.send(39000) == FIND_PAID
    assert flow.send(paid()) == LOOKUP
    assert flow.send(paid()) == Expect(ORDER)
    assert flow.send(39000) == Settle(outcome(Verdict.PAID, endpoint="redirect"))
    assert location(end(flow, Settled.NEW)) == f"/ok/{ORDER}"


@pytest.mark.parametrize("named", ["imp_1\nERROR forged: line", "imp_1\x1b[2J", "", "i" * 33])
def test_an_imp_uid_that_was_found_and_is_none_is_trouble_and_not_in_the_log(
    named: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    flow = request("redirect", f"merchant_uid={ORDER}")
    assert next(flow) == Expect(ORDER)
    assert flow.send(39000) == FIND_PAID
    assert location(end(flow, paid(named))) == "/wait"
    (record,) = caplog.records
    assert record.getMessage().isprintable()


@pytest.mark.parametrize(
    "query",
    [
        f"merchant_uid={ORDER}&imp_success=false",
        f"merchant_uid={ORDER}&success=no",
        f"merchant_uid={ORDER}&error_code=F1",
        "imp_success=true",
        "",
        "imp_uid=a%20b",
        f"imp_uid={I1}&imp_uid=other",
    ],
)
def test_a_redirect_that_failed_or_names_nothing_asks_nobody(query: str) -> None:
    with pytest.raises(StopIteration) as stop:
        next(request("redirect", query))
    assert location(stop.value.value).startswith("/no")  # type: ignore[attr-defined]


def test_a_redirect_that_claims_failure_and_names_a_payment_is_believed_in_nothing() -> None:
    flow = request("redirect", f"imp_uid={I1}&imp_success=false&error_msg=x")
    assert next(flow) == LOOKUP
    flow.close()


def test_a_redirect_to_an_unknown_order_makes_no_call() -> None:
    flow = request("redirect", f"merchant_uid={ORDER}&success=true")
    assert next(flow) == Expect(ORDER)
    assert location(end(flow, None)) == "/no?failed"


def test_trouble_sends_a_redirect_to_the_pending_page() -> None:
    flow = request("redirect", f"imp_uid={I1}")
    assert next(flow) == LOOKUP
    with pytest.raises(StopIteration) as stop:
        flow.throw(GatewayUnavailable("late"))
    assert location(stop.value.value) == "/wait"


# serve


BODY = f'{{"imp_uid":"{I1}","merchant_uid":"{ORDER}"}}'.encode()
CONFIRM_BODY = f'{{"imp_uid":"{I1}","merchant_uid":"{ORDER}","amount":39000}}'.encode()


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
@pytest.mark.parametrize(
    "error",
    [
        GatewayUnavailable("late"),
        StoreError("bad store"),
        RuntimeError("a hook"),
        KeyError("x"),
        RecursionError(),
        MemoryError(),
    ],
)
def test_any_exception_is_503_and_logged_once(
    endpoint: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    flow = request(endpoint, body=CONFIRM_BODY if endpoint == "confirm" else BODY)
    next(flow)
    with pytest.raises(StopIteration) as stop:
        flow.throw(error)
    answer = stop.value.value
    assert answer.status == 503
    assert dict(answer.headers)["Retry-After"] == "10"
    assert b'"status":"unavailable"' in answer.body
    assert len(caplog.records) == 1


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
@pytest.mark.parametrize("body", [b"", b"{", b"imp_uid=", b'{"imp_uid":1}', b"\xff"])
def test_a_malformed_body_is_400_before_anybody_is_asked(endpoint: str, body: bytes) -> None:
    with pytest.raises(StopIteration) as stop:
        next(request(endpoint, body=body))
    assert stop.value.value.status == 400


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
@pytest.mark.parametrize("problem", ["too large", "incomplete", "too slow"])
def test_a_body_with_a_problem_is_answered_as_one_that_cannot_be_read(
    endpoint: str, problem: Any
) -> None:
    body = b" " * (MAX_BODY + 1) if problem == "too large" else b"{"
    whole = CONFIRM_BODY if endpoint == "confirm" else BODY  # and yet it is not believed
    answers = []
    for each in (Request("POST", body=body), Request("POST", body=whole, problem=problem)):
        with pytest.raises(StopIteration) as stop:
            next(serve(Settings(), known()[1], Senders(None, None), endpoint, each, 0.0))
        answers.append(stop.value.value)
    assert answers[0] == answers[1]
    assert answers[1].status == (413 if problem == "too large" else 400)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_ends_the_process_is_no_answer(error: BaseException) -> None:
    flow = request("webhook", body=BODY)
    next(flow)
    with pytest.raises(type(error)):
        flow.throw(error)


def test_a_webhook_for_an_order_not_there_yet_comes_again() -> None:
    for endpoint, status in (("webhook", 503), ("complete", 400)):
        flow = request(endpoint, body=BODY)
        _, _, _ = next(flow), flow.send(paid()), flow.send(None)
        answer = end(flow, {})
        assert answer.status == status  # type: ignore[attr-defined]


def test_a_confirm_is_approved_or_refused_with_a_reason() -> None:
    for reason, status in ((None, 200), ("품절", 409)):
        flow = request("confirm", body=CONFIRM_BODY)
        assert next(flow) == CONFIRM
        _, step = flow.send(paid()), flow.send(39000)
        assert step == Hold(ASKED, I1, 4.0)
        answer = end(flow, reason)
        assert answer.status == status  # type: ignore[attr-defined]
        assert (reason or "approved").encode() in answer.body  # type: ignore[attr-defined]


def test_an_odd_answer_of_the_gateway_is_trouble_and_no_verdict() -> None:
    flow = request("complete", body=BODY)
    next(flow)
    answer = end(flow, envelope(None))
    assert answer.status == 503  # type: ignore[attr-defined]
