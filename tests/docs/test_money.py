"""docs/money.md: its calls, as they stand, against the sandbox."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imp_verify import Credentials, Outcome, Verifier
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGES = ("docs/money.md", "docs/money.ko.md")
ACCOUNT = Account()


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_both_languages_show_the_same_code() -> None:
    assert blocks(PAGES[0]) == blocks(PAGES[1])


@pytest.mark.parametrize("page", PAGES)
def test_the_calls_do_what_the_page_says(page: str) -> None:
    before, after, _, later = blocks(page)
    with SandboxServer() as server:
        gateway = server.sandbox.gateway
        verifier = Verifier(
            MemoryStore(expected=lambda number, _: 39000),
            credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
            base_url=server.url,
            test_mode=True,
        )
        exec(before, {"verifier": verifier})
        assert verifier.prepared("ORD1001") == Decimal(39000)
        whole, part = (f"outcome = {each}" for each in after.split("outcome = ")[1:])
        for number, line, left in (("ORD1001", whole, 0), ("ORD1002", part, 30000)):
            paid = gateway.open({"merchant_uid": number, "amount": 39000})
            server.sandbox.approve(paid.imp_uid)
            assert verifier.verify(paid.imp_uid, number).paid
            names: dict[str, Any] = {"verifier": verifier}
            exec(line.replace("imp_123456789012", paid.imp_uid), names)
            outcome: Outcome = names["outcome"]
            assert outcome.payment is not None
            assert outcome.payment.remaining == left
        exec(later, {"verifier": verifier})
        verifier.close()


@pytest.mark.parametrize("page", PAGES)
def test_what_on_paid_gives_back_goes_back(page: str) -> None:
    code = blocks(page)[2]
    with SandboxServer() as server:
        names: dict[str, Any] = {"sold_out": lambda number, db: True, "mark_paid": print}
        hook, _, made = code.partition("verifier = ")
        exec(hook, names)
        store = MemoryStore(expected=lambda number, _: 39000, on_paid=names["ship"])
        keys = Credentials(ACCOUNT.key, ACCOUNT.secret)
        given = partial(Verifier, credentials=keys, base_url=server.url, test_mode=True)
        verifier = eval(made, {"Verifier": given, "store": store})
        paid = server.sandbox.gateway.make(merchant_uid="ORD1001", amount=39000, status="paid")
        assert verifier.verify(paid.imp_uid, "ORD1001").reason == "refused"
        assert server.sandbox.gateway.attempt(paid.imp_uid).cancel_amount == 39000
        verifier.close()
