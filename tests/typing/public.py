"""What a type checker must see in the public names. Checked by mypy and pyright, never run."""

from collections.abc import Mapping
from decimal import Decimal
from typing import assert_type

from imp_verify import (
    AsyncOrderStore,
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    Health,
    OrderStore,
    Outcome,
    Payment,
    Reason,
    Receipt,
    Request,
    Settled,
    Verdict,
    Verifier,
    order_number,
)
from imp_verify.contrib.browser import Markup, async_button, button, find_order
from imp_verify.contrib.otel import instrument
from imp_verify.observers import Observer
from imp_verify.settings import Settings
from imp_verify.verifier import observe


def a_plain_verifier_answers_at_once(verifier: Verifier) -> None:
    assert_type(verifier.verify("imp_123456789012", "ORD-1001"), Outcome)
    assert_type(verifier.verify("imp_123456789012", None), Outcome)
    assert_type(verifier.confirm("imp_123456789012", "ORD-1001", Decimal(1000)), str | None)
    assert_type(verifier.adopt("imp_123456789012", "ORD-1001"), Outcome)
    verifier.adopt("imp_123456789012", None)  # type: ignore[arg-type]  # pyright: ignore
    assert_type(verifier.health(), Health)


async def an_async_verifier_is_awaited_under_the_same_names(verifier: AsyncVerifier) -> None:
    assert_type(await verifier.verify("imp_123456789012", "ORD-1001"), Outcome)
    assert_type(await verifier.confirm("imp_123456789012", "ORD-1001", Decimal(1000)), str | None)
    assert_type(await verifier.adopt("imp_123456789012", "ORD-1001"), Outcome)
    assert_type(await verifier.health(), Health)


def a_shop_may_have_several_accounts(store: OrderStore, one: Credentials) -> None:
    verifier = Verifier(store, accounts={"kr": one, "us": one})
    assert_type(verifier.payment("imp_123456789012", account="kr"), Payment | None)
    assert_type(verifier.payments_of("ORD-1001", account="kr"), tuple[Payment, ...])
    assert_type(ExpectedPayment("ORD-1001", 1000, account="kr").account, str | None)


async def an_async_one_too(store: OrderStore, one: Credentials, receipt: Receipt) -> None:
    verifier = AsyncVerifier(store, accounts={"kr": one})
    assert_type(await verifier.payment("imp_123456789012", account="kr"), Payment | None)
    assert_type(await verifier.payments_of("ORD-1001", account="kr"), tuple[Payment, ...])
    assert_type(receipt.account, str | None)


def an_instrumented_verifier_is_of_its_kind(plain: Verifier, waits: AsyncVerifier) -> None:
    assert_type(instrument(plain), Verifier)
    assert_type(instrument(waits), AsyncVerifier)

    class Mine(Observer):
        pass

    observe(plain, Mine())
    observe(waits, None)


def an_adapter_reads_settings_and_store(plain: Verifier, waits: AsyncVerifier) -> None:
    assert_type(plain.settings, Settings)
    assert_type(plain.settings.timeout, float)
    assert_type(plain.settings.accounts, Mapping[str, Credentials] | None)
    assert_type(plain.store, OrderStore)
    assert_type(waits.store, AsyncOrderStore)
    plain.settings.timeout = 1.0  # type: ignore[misc]  # pyright: ignore
    Request("POST", problem="too large")
    Request("POST", problem="too big")  # type: ignore[arg-type]  # pyright: ignore


def a_button_is_finished_html(verifier: Verifier) -> None:
    assert_type(button(verifier, order_number(), name="chair"), Markup)
    button(verifier, "ORD", pay_metod="card")  # type: ignore[call-arg]  # pyright: ignore


async def an_async_shop_awaits_its_orders(verifier: AsyncVerifier) -> None:
    order = await find_order(verifier, "ORD-1001")
    assert_type(order, ExpectedPayment)
    assert_type(button(verifier, order), Markup)
    assert_type(await async_button(verifier, "ORD-1001"), Markup)


def an_outcome_says_what_may_be_missing(outcome: Outcome) -> None:
    assert_type(outcome.verdict, Verdict)
    assert_type(outcome.reason, Reason | None)
    assert_type(outcome.imp_uid, str | None)
    assert_type(outcome.merchant_uid, str | None)
    assert_type(outcome.payment, Payment | None)
    assert_type(outcome.expected, ExpectedPayment | None)
    assert_type(outcome.settled, Settled | None)
    assert_type(outcome.paid, bool)


def every_verdict_has_an_arm(verdict: Verdict) -> str:
    match verdict:
        case Verdict.PAID | Verdict.PARTLY_CANCELLED | Verdict.VIRTUAL_ACCOUNT:
            return "good"
        case Verdict.PENDING:
            return "open"
        case Verdict.FAILED | Verdict.CANCELLED | Verdict.DUPLICATE | Verdict.LATE:
            return "known"
        case Verdict.FORGERY | Verdict.UNKNOWN_PAYMENT | Verdict.UNKNOWN_ORDER:
            return "refused"
