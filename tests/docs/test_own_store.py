"""docs/own-store.md: its store and its trial, as they stand, are tried by the contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment, Settled, Verdict
from imp_verify.stores import Ledger, OrderStore
from imp_verify.testing import OrderStoreContract, TrialShop
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-store.md").read_text(encoding="utf-8")
store, trial, deciding = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
names: dict[str, Any] = {"__name__": __name__}
exec(compile(store + trial + deciding, "docs/own-store.md", "exec"), names)
ASKED = ExpectedPayment(ORDER, PRICE)


TestTheStoreOfThePage = pytest.mark.slow(names["TestMyStore"])
"""All of the contract."""


def test_the_trial_is_whole_and_the_contracts() -> None:
    assert issubclass(names["TestMyStore"], OrderStoreContract)
    needed: frozenset[str] = TrialShop.__abstractmethods__
    assert needed == {"put", "delete", "shipped"} <= vars(names["MyShop"]).keys()
    for setting in ("look_alikes", "amounts", "currencies"):
        assert f"`{setting}`" in PAGE
        assert hasattr(OrderStoreContract, setting)


def test_the_store_answers_what_its_table_says(tmp_path: Path) -> None:
    shop = names["MyShop"](tmp_path / "shop.db")
    settle = shop.store.settle
    shop.put(ASKED)
    assert settle(paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE + 1))) is Settled.STALE
    assert settle(paid_outcome(FIRST, ASKED)) is Settled.NEW
    assert settle(paid_outcome(FIRST, ASKED)) is Settled.REPEATED
    assert settle(paid_outcome(SECOND, ASKED)) is Settled.DUPLICATE
    closed = ExpectedPayment("ORD-2", PRICE, open=False)
    shop.put(closed)
    assert settle(paid_outcome("imp_3", closed)) is Settled.LATE
    assert shop.shipped(ORDER) == [FIRST]


def test_advance_decides_as_the_table_does() -> None:
    outcome = paid_outcome(FIRST, ASKED)
    settled, receipt, hooks = names["decided"](outcome, ASKED)
    assert (settled, receipt.state, hooks) == (Settled.NEW, "paying", ["on_paid"])
    settled, receipt, hooks = names["decided"](outcome, ASKED, paid_by=SECOND)
    assert (settled, receipt.state, hooks) == (Settled.DUPLICATE, "duplicate", ["on_duplicate"])
    assert names["decided"](outcome, None)[0] is Settled.LATE
    assert outcome.verdict is Verdict.PAID


def test_the_page_names_every_method_of_a_store_and_of_a_ledger() -> None:
    rows = set(re.findall(r"`(\w+)[(`]", PAGE))
    for protocol in (OrderStore, Ledger):
        assert {name for name in vars(protocol) if not name.startswith("_")} <= rows
    assert (ROOT / "examples" / "redis_store.py").is_file()
    assert "```{literalinclude} ../examples/redis_store.py\n" in PAGE
