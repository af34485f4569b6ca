"""What the fixtures of the pytest plugin are made of: a store, and a journal in words. They stand
apart from the plugin, which must cost nothing where it is not used."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Unpack

from ..models import ExpectedPayment
from ..sandbox import Entry
from ..sandbox.exact import dumps
from ..stores._hooks import HookArguments
from ..stores.memory import MemoryStore

__all__ = ["OrdersInMemory", "journal_lines"]

_LONGEST = 500
"""Characters of a line."""


class OrdersInMemory(MemoryStore):
    """A `MemoryStore` of orders that a test writes down: `store.orders["A-1"] = 39000`.

    Attributes:
        orders: By number, what each asks for: an amount or an `ExpectedPayment`.
    """

    for_tests_only = False
    """It is, and no warning is needed: nothing but tests can come by one."""

    def __init__(self, **hooks: Unpack[HookArguments[None]]) -> None:
        self.orders: dict[str, ExpectedPayment | Decimal | int] = {}
        super().__init__(expected=lambda number, _: self.orders.get(number), **hooks)


def journal_lines(entries: Iterable[Entry]) -> list[str]:
    """Write each entry as a line: its number, its kind, and what it says, cut."""
    return [_line(entry) for entry in entries]


def _line(entry: Entry) -> str:
    told = {"imp_uid": entry.imp_uid, "merchant_uid": entry.merchant_uid, **entry.what}
    said = [
        f"{name}={value if isinstance(value, str) else dumps(value)}"
        for name, value in told.items()
        if value not in (None, "", [])
    ]
    line = " ".join([str(entry.number), entry.kind, *said])
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
