"""A shop with a head store's two sub-stores and an account abroad, bought from at the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from imp_verify import Credentials, ExpectedPayment, Outcome, Reason, Verdict, Verifier
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.stores.memory import MemoryStore

HEAD, ABROAD = Account("head", "s3cret-1", "imp11111111"), Account("us", "s3cret-2", "imp22222222")
ACCOUNTS = {
    "seoul": Credentials(HEAD.key, HEAD.secret, "ABC"),
    "busan": Credentials(HEAD.key, HEAD.secret, "XYZ"),
    "us": Credentials(ABROAD.key, ABROAD.secret),
}
WHERE: dict[str, dict[str, Any]] = {
    "seoul": {"user_code": HEAD.user_code, "tier": "ABC"},
    "busan": {"user_code": HEAD.user_code, "tier": "XYZ"},
    "us": {"user_code": ABROAD.user_code},
}


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(accounts=(HEAD, ABROAD)) as running:
        yield running


def buy(sandbox: SandboxServer, account: str, number: str, amount: int = 39000) -> str:
    """Pay at the sandbox with this account's pages."""
    asked = {"merchant_uid": number, "amount": amount}
    imp_uid = sandbox.sandbox.gateway.open(asked, **WHERE[account]).imp_uid
    sandbox.sandbox.approve(imp_uid)
    return imp_uid


def test_every_order_is_paid_to_its_own_account_and_refunded_there(sandbox: SandboxServer) -> None:
    told: list[tuple[str, str | None]] = []
    orders = {f"ORD-{name}": name for name in ACCOUNTS}

    def expected(number: str, _: object) -> ExpectedPayment | None:
        account = orders.get(number)
        return None if account is None else ExpectedPayment(number, 39000, account=account)

    def tell(outcome: Outcome, _: object) -> None:
        told.append((str(outcome.verdict), outcome.merchant_uid))

    store = MemoryStore(expected=expected, on_paid=tell, on_cancelled=tell, on_forgery=tell)
    verifier = Verifier(store, accounts=ACCOUNTS, base_url=sandbox.url, test_mode=True)
    paid = {name: buy(sandbox, name, f"ORD-{name}") for name in ACCOUNTS}

    for name, imp_uid in paid.items():
        for other in orders:
            outcome = verifier.verify(imp_uid, other)
            assert outcome.paid is (other == f"ORD-{name}")
            if not outcome.paid:
                assert outcome.verdict is Verdict.UNKNOWN_PAYMENT
        assert verifier.payment(imp_uid, account=name) is not None
        assert [p.imp_uid for p in verifier.payments_of(f"ORD-{name}", account=name)] == [imp_uid]
    assert told == [("paid", f"ORD-{name}") for name in ACCOUNTS]

    elsewhere = {"seoul": "busan", "busan": "us", "us": "seoul"}
    orders.update({f"ORD-{name}": elsewhere[name] for name in ACCOUNTS})  # the shop moves them all
    told.clear()
    for name, imp_uid in paid.items():
        sandbox.sandbox.cancel(imp_uid)
        assert verifier.verify(imp_uid, f"ORD-{name}").verdict is Verdict.CANCELLED
        receipt = store.receipts([imp_uid])[imp_uid]
        assert (receipt.state, receipt.account) == ("cancelled", name)
    assert told == [("cancelled", f"ORD-{name}") for name in ACCOUNTS]
    verifier.close()


def test_an_order_of_one_account_is_not_paid_with_less_in_its_own(sandbox: SandboxServer) -> None:
    store = MemoryStore(expected=lambda number, _: ExpectedPayment(number, 39000, account="busan"))
    verifier = Verifier(store, accounts=ACCOUNTS, base_url=sandbox.url, test_mode=True)
    imp_uid = buy(sandbox, "busan", "ORD-1", 390)
    outcome = verifier.verify(imp_uid, "ORD-1")
    assert (outcome.verdict, outcome.reason) == (Verdict.FORGERY, Reason.AMOUNT)
    verifier.close()
