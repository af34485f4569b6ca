"""docs/money.md: its calls, as they stand, against the sandbox."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imp_verify import AsyncVerifier, Credentials, Outcome, Verifier
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGE = "docs/money.md"
ACCOUNT = Account()


def blocks() -> list[str]:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_calls_do_what_the_page_says() -> None:
    before, after, *_ = blocks()
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
        verifier.close()


def test_what_on_paid_gives_back_goes_back() -> None:
    code = blocks()[2]
    with SandboxServer() as server:
        names: dict[str, Any] = {"sold_out": lambda number, db: True, "mark_paid": print}
        hook, _, made = code.partition("verifier = ")
        exec(hook, names)
        store = MemoryStore(expected=lambda number, _: 39000, on_paid=names["ship"])
        keys = Credentials(ACCOUNT.key, ACCOUNT.secret)
        # With time: behind a delivery nothing is tried with less than three seconds left of it.
        given = partial(Verifier, credentials=keys, base_url=server.url, test_mode=True, timeout=30)
        verifier = eval(made, {"Verifier": given, "store": store})
        paid = server.sandbox.gateway.make(merchant_uid="ORD1001", amount=39000, status="paid")
        assert verifier.verify(paid.imp_uid, "ORD1001").reason == "refused"
        assert server.sandbox.gateway.attempt(paid.imp_uid).cancel_amount == 39000
        verifier.close()


@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
def test_a_list_of_old_payments_is_adopted(
    kind: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain, later = blocks()[-2:]
    monkeypatch.chdir(tmp_path)
    with SandboxServer() as server:
        make = server.sandbox.gateway.make
        paid = make(merchant_uid="ORD1001", amount=39000, status="paid")
        forged = make(merchant_uid="ORD1002", amount=100, status="paid")
        rows = "".join(f"{each.imp_uid},{each.merchant_uid}\n" for each in (paid, forged))
        Path("old.csv").write_text(f"\ufeffimp_uid,merchant_uid\n{rows}", encoding="utf-8")
        store = MemoryStore(expected=lambda number, _: 39000)
        keys = Credentials(ACCOUNT.key, ACCOUNT.secret)
        verifier = kind(store, credentials=keys, base_url=server.url, test_mode=True)
        names: dict[str, Any] = {"verifier": verifier}
        if kind is Verifier:
            exec(plain, names)
            verifier.close()
        else:
            exec(f"import csv\n{later}", names)

            async def adopt() -> None:
                await names["adopt_all"]("old.csv")
                await verifier.close()

            asyncio.run(adopt())
    assert capsys.readouterr().out == f"{forged.imp_uid} ORD1002 forgery amount\n"
    assert store.paid("ORD1001")
    assert not store.paid("ORD1002")
