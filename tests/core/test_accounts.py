"""Several accounts, stepped by hand: which one is asked, what order and receipt say of it, and what
is refused before anybody is asked."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from imp_verify import (
    ExpectedPayment,
    InvalidRequest,
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
from tests.drivers.wire import I1, ORDER, UNKNOWN, account, fields, lookup, never, paid

NAMES = ("kr", "us")


def known(*, confirm_lookup: bool = True) -> tuple[Settings, Accounts]:
    named = {name: account(name=name) for name in NAMES}
    return Settings(confirm_lookup=confirm_lookup), Accounts(never, named=named)


def asks(name: str | None = "kr", amount: int = 39000, **more: Any) -> ExpectedPayment:
    return ExpectedPayment(ORDER, amount, account=name, **more)


def looks(name: str, path: str = f"/payments/{I1}", deadline: float = 5.0) -> Send:
    """The look-up with this account's token."""
    token = {"Authorization": f"Bearer token-{name}"}
    return Send(lookup(path, headers=token, deadline=deadline))


def kept(
    name: str | None = "kr", state: ReceiptState = ReceiptState.PAYING, **changes: Any
) -> dict[str, Receipt]:
    receipt = Receipt(I1, ORDER, state, Decimal(39000), account=name)
    return {I1: replace(receipt, **changes)}


def payment(**changes: object) -> Payment:
    return read_payment(fields(**changes))


def outcome(verdict: Verdict, reason: Reason | None = None, **changes: Any) -> Outcome:
    base = Outcome(verdict, reason, I1, ORDER, payment(), asks(), "webhook")
    return replace(base, **changes)


def end(flow: Flow[Any], answer: object) -> Any:
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def started() -> Flow[Outcome]:
    """A webhook after its first question: what is recorded of this payment."""
    flow = verify(*known(), Notice(I1, ORDER), "webhook")
    assert next(flow) == Recall((I1,))
    return flow


# --- which account is asked ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_account_of_the_order_is_asked_and_no_other(name: str) -> None:
    flow = started()
    assert flow.send({}) == Expect(ORDER)
    assert flow.send(asks(name)) == looks(name)
    told = outcome(Verdict.PAID, expected=asks(name))
    assert flow.send(paid()) == Settle(told)
    done = end(flow, Settled.NEW)
    assert done == replace(told, settled=Settled.NEW)
    assert done.asked == name


@pytest.mark.parametrize("state", ReceiptState)
def test_a_recorded_payment_is_looked_up_with_its_own_account_whatever_its_state(
    state: ReceiptState,
) -> None:
    flow = started()
    assert flow.send(kept("us", state)) == looks("us")
    assert flow.send(paid()) == Expect(ORDER)
    assert isinstance(flow.send(asks("us")), Settle)
    flow.close()


@pytest.mark.parametrize(
    "recorded",
    [
        {},
        kept(None),
        kept("us", merchant_uid="ORD-2"),
        {"imp_2": replace(kept("us")[I1], imp_uid="imp_2")},
    ],
    ids=["nothing", "no account", "another order", "another payment"],
)
def test_what_is_not_recorded_for_this_order_with_an_account_comes_from_the_orders(
    recorded: dict[str, Receipt],
) -> None:
    flow = started()
    assert flow.send(recorded) == Expect(ORDER)
    assert flow.send(asks("kr")) == looks("kr")
    flow.close()


def test_an_order_that_nobody_knows_is_not_looked_up() -> None:
    flow = started()
    assert flow.send({}) == Expect(ORDER)
    assert end(flow, None) == Outcome(Verdict.UNKNOWN_ORDER, imp_uid=I1, endpoint="webhook")


def test_another_orders_receipt_does_not_stand_for_an_unknown_order() -> None:
    flow = started()
    assert flow.send(kept("us", merchant_uid="ORD-2")) == Expect(ORDER)
    assert end(flow, None).verdict is Verdict.UNKNOWN_ORDER


@pytest.mark.parametrize("name", [None, "", "KR", "kr ", "jp"])
def test_an_order_without_an_account_that_there_is_is_a_store_error(name: str | None) -> None:
    flow = started()
    flow.send({})
    with pytest.raises(StoreError, match=r"'ORD-1001' must name an account, one of 'kr', 'us'"):
        flow.send(asks(name))


def test_an_order_given_as_a_bare_amount_names_no_account() -> None:
    flow = started()
    flow.send({})
    with pytest.raises(StoreError, match="must name an account"):
        flow.send(39000)


def test_a_receipt_whose_account_is_gone_is_a_store_error_and_asks_nobody() -> None:
    flow = started()
    with pytest.raises(StoreError, match="account 'old', which is none of 'kr', 'us'"):
        flow.send(kept("old"))


def test_a_receipt_without_an_account_and_without_its_order_is_a_store_error() -> None:
    flow = started()
    flow.send(kept(None))
    with pytest.raises(StoreError, match="recorded without an account, and its order is gone"):
        flow.send(None)


def test_a_request_that_names_no_order_asks_nobody() -> None:
    with pytest.raises(InvalidRequest, match="merchant_uid is missing"):
        next(verify(*known(), Notice(I1), "call"))


# --- what comes of it ----------------------------------------------------------------------------


def test_an_unknown_payment_is_one_that_this_account_does_not_know() -> None:
    flow = started()
    _, _ = flow.send({}), flow.send(asks("us"))
    done = end(flow, UNKNOWN)
    assert done == Outcome(Verdict.UNKNOWN_PAYMENT, imp_uid=I1, endpoint="webhook")
    assert done.asked == "us"


def test_a_payment_that_names_another_order_is_forgery_for_that_reason_alone() -> None:
    flow = started()
    _, _ = flow.send({}), flow.send(asks())
    other = payment(merchant_uid="ORD-2")
    wrong = outcome(
        Verdict.FORGERY, Reason.ORDER, merchant_uid="ORD-2", payment=other, expected=None
    )
    assert flow.send(paid(merchant_uid="ORD-2")) == Observe(wrong)
    flow.close()


MONEY: dict[str, dict[str, object]] = {
    "refunded": {"status": "cancelled", "cancel_amount": 39000},
    "paid": {"status": "paid"},
}


@pytest.mark.parametrize("said", [asks("us"), asks("us", 50000), asks(None), None])
@pytest.mark.parametrize("kind", MONEY)
def test_what_was_taken_stands_for_an_order_that_moved_to_another_account(
    kind: str, said: ExpectedPayment | None
) -> None:
    flow = started()
    assert flow.send(kept("kr")) == looks("kr")
    assert flow.send(paid(**MONEY[kind])) == Expect(ORDER)
    assert flow.send(said) == Recall((I1,))
    step = flow.send(kept("kr"))
    if kind == "paid":
        told = outcome(Verdict.PAID, payment=payment(**MONEY[kind]), expected=said)
        assert step == Settle(told)
    else:
        told = outcome(Verdict.CANCELLED, payment=payment(**MONEY[kind]), expected=said)
        assert step == Observe(told)
    flow.close()


@pytest.mark.parametrize("state", [ReceiptState.WAITING, ReceiptState.FAILED])
def test_money_for_an_order_that_moved_before_it_came_is_forgery(state: ReceiptState) -> None:
    flow = started()
    _, _ = flow.send(kept("kr", state)), flow.send(paid())
    assert flow.send(asks("us")) == Recall((I1,))
    wrong = outcome(Verdict.FORGERY, Reason.ACCOUNT, expected=asks("us"))
    assert flow.send(kept("kr", state)) == Observe(wrong)
    assert end(flow, Settled.NEW) == replace(wrong, settled=Settled.NEW)


def test_a_receipt_that_appears_meanwhile_with_another_account_helps_nobody() -> None:
    flow = started()
    _, _ = flow.send({}), flow.send(asks("us", 50000))
    assert flow.send(paid()) == Recall((I1,))
    step = flow.send(kept("kr"))
    assert isinstance(step, Observe)
    assert (step.outcome.verdict, step.outcome.reason) == (Verdict.FORGERY, Reason.ACCOUNT)
    flow.close()


def test_a_receipt_from_before_there_were_several_still_stands_for_the_order() -> None:
    flow = started()
    _, _ = flow.send(kept(None)), flow.send(asks("us", 50000))
    assert flow.send(paid()) == Recall((I1,))
    assert flow.send(kept(None)) == Settle(outcome(Verdict.PAID, expected=asks("us", 50000)))
    flow.close()


def test_every_look_after_stale_chooses_the_account_anew() -> None:
    flow = started()
    _, _ = flow.send({}), flow.send(asks("kr"))
    assert isinstance(flow.send(paid()), Settle)
    assert flow.send(Settled.STALE) == Recall((I1,))
    assert flow.send({}) == Expect(ORDER)
    assert flow.send(asks("us")) == looks("us")
    done = end(flow, UNKNOWN)
    assert (done.verdict, done.asked) == (Verdict.UNKNOWN_PAYMENT, "us")


# --- approve -------------------------------------------------------------------------------------


def asking(*, confirm_lookup: bool = True) -> Flow[Refusal | None]:
    claim = Notice(I1, ORDER, amount=Decimal(39000))
    return approve(*known(confirm_lookup=confirm_lookup), claim, 0.0)


def test_an_approval_asks_the_orders_account_and_the_order_again() -> None:
    flow = asking()
    assert next(flow) == Expect(ORDER)
    assert flow.send(asks("us")) == looks("us", deadline=2.0)
    assert flow.send(paid(status="ready")) == Expect(ORDER)
    assert flow.send(asks("us")) == Hold(asks("us"), I1, 4.0)
    assert end(flow, None) is None


@pytest.mark.parametrize("now", [asks("kr"), asks("us", 50000), asks(None)])
def test_an_order_changed_during_the_look_up_is_not_approved(now: ExpectedPayment) -> None:
    flow = asking()
    _, _, _ = next(flow), flow.send(asks("us")), flow.send(paid())
    assert end(flow, now) == Refusal("mismatch")


def test_an_approval_for_an_order_that_nobody_knows_is_refused_without_a_look_up() -> None:
    flow = asking()
    assert next(flow) == Expect(ORDER)
    assert end(flow, None) == Refusal("unknown_order")


@pytest.mark.parametrize("confirm_lookup", [True, False])
def test_an_approval_needs_an_account_that_there_is(confirm_lookup: bool) -> None:
    flow = asking(confirm_lookup=confirm_lookup)
    assert next(flow) == Expect(ORDER)
    with pytest.raises(StoreError, match="must name an account"):
        flow.send(asks("jp"))


def test_an_approval_without_a_look_up_asks_no_account() -> None:
    flow = asking(confirm_lookup=False)
    assert next(flow) == Expect(ORDER)
    assert flow.send(asks()) == Expect(ORDER)
    assert flow.send(asks()) == Hold(asks(), I1, 4.0)
    flow.close()


# --- redirect ------------------------------------------------------------------------------------


def test_a_payment_is_looked_for_with_the_account_of_its_order() -> None:
    flow = find_imp_uid(known()[1], ORDER, 5.0)
    assert next(flow) == Expect(ORDER)
    assert flow.send(asks("us")) == looks("us", f"/payments/find/{ORDER}/paid")
    assert flow.send(UNKNOWN) == looks("us", f"/payments/find/{ORDER}/ready")
    assert end(flow, paid(status="ready")) == I1


def test_a_payment_is_not_looked_for_where_the_order_names_no_account() -> None:
    flow = find_imp_uid(known()[1], ORDER, 5.0)
    next(flow)
    with pytest.raises(StoreError, match="must name an account"):
        flow.send(asks(None))


def request(endpoint: str, query: str = "", body: bytes = b"") -> Flow[Any]:
    targets = Landing("/ok/{merchant_uid}", "/no?{status}", "/wait")
    settings, accounts = Settings(landing=targets), known()[1]
    method = "GET" if query else "POST"
    return serve(
        settings, accounts, Senders(None, None), endpoint, Request(method, query, body=body), 0.0
    )


def test_a_redirect_without_an_imp_uid_finds_and_verifies_with_the_orders_account() -> None:
    flow = request("redirect", f"merchant_uid={ORDER}")
    assert next(flow) == Expect(ORDER)
    assert flow.send(asks("us")) == looks("us", f"/payments/find/{ORDER}/paid")
    assert flow.send(paid()) == Recall((I1,))
    assert flow.send({}) == Expect(ORDER)
    assert flow.send(asks("us")) == looks("us")
    assert isinstance(flow.send(paid()), Settle)
    answer = end(flow, Settled.NEW)
    assert dict(answer.headers)["Location"] == f"/ok/{ORDER}"


# --- answers -------------------------------------------------------------------------------------

NAMELESS = f'{{"imp_uid":"{I1}","amount":39000}}'.encode()
CLAIM = f'{{"imp_uid":"{I1}","merchant_uid":"{ORDER}","amount":39000}}'.encode()


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
def test_a_request_without_its_order_is_malformed_on_every_endpoint(endpoint: str) -> None:
    with pytest.raises(StopIteration) as stop:
        next(request(endpoint, body=NAMELESS))
    assert stop.value.value.status == 400
    assert b'"status":"invalid"' in stop.value.value.body


@pytest.mark.parametrize("endpoint", ["complete", "redirect"])
def test_a_browser_that_comes_back_without_its_order_waits_and_a_warning_says_why(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    for query in (f"imp_uid={I1}&imp_success=true", "imp_success=true", f"imp_uid={I1}"):
        caplog.clear()
        with pytest.raises(StopIteration) as stop:
            next(request(endpoint, query))
        assert dict(stop.value.value.headers)["Location"] == "/wait"
        [warning] = caplog.records
        assert warning.levelname == "WARNING"
        assert "without merchant_uid" in warning.getMessage()
    with pytest.raises(StopIteration) as stop:
        next(request(endpoint, "imp_success=false"))
    assert dict(stop.value.value.headers)["Location"].startswith("/no?")


@pytest.mark.parametrize(
    ("endpoint", "status", "word"),
    [("complete", 400, b"forgery"), ("webhook", 503, b"unavailable"), ("confirm", 409, b"refused")],
)
def test_an_order_that_nobody_knows_is_answered_by_the_table(
    endpoint: str, status: int, word: bytes
) -> None:
    flow = request(endpoint, body=CLAIM)
    step = next(flow)
    if endpoint != "confirm":
        assert step == Recall((I1,))
        step = flow.send({})
    assert step == Expect(ORDER)
    answer = end(flow, None)
    assert answer.status == status
    assert b'"status":"%b"' % word in answer.body


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
def test_an_order_without_its_account_is_trouble(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    flow = request(endpoint, body=CLAIM)
    if next(flow) == Recall((I1,)):
        assert flow.send({}) == Expect(ORDER)
    answer = end(flow, asks(None))
    assert answer.status == 503
    assert "'ORD-1001' must name an account, one of 'kr', 'us', not None" in caplog.text


def test_the_log_names_the_account_that_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "imp_verify")
    flow = request("webhook", body=CLAIM)
    _, _, _ = next(flow), flow.send({}), flow.send(asks("us"))
    assert end(flow, UNKNOWN).status == 400
    assert "is unknown_payment with account 'us'" in caplog.text
    assert "token-us" not in caplog.text


# --- by name -------------------------------------------------------------------------------------


def test_a_caller_names_one_of_several_and_none_where_there_is_one() -> None:
    several, one = known()[1], Accounts(never, AccountChoice(account()))
    assert several.select("us") is several.named["us"]
    assert one.only is not None
    assert one.select(None) is one.only.account
    refused: list[Callable[[], object]] = [
        lambda: several.select(None),
        lambda: several.select("jp"),
        lambda: several.select(""),
        lambda: one.select("kr"),
    ]
    for call in refused:
        with pytest.raises(InvalidRequest, match="account"):
            call()


def test_a_child_forgets_the_token_of_every_account() -> None:
    accounts = known()[1]
    accounts.forget()
    assert [each._token for each in accounts.named.values()] == [None, None]
