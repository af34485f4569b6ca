"""What a store by hand is made of: the protocols, the pure function that decides what a payment
changes, and the bridge from a plain store to async callers; and the ledger that the ready-made
stores keep beside. Imports no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._bridge import in_thread
from ._protocol import AsyncOrderStore, OrderStore

if TYPE_CHECKING:
    from ._advance import Change, OrderState, advance
    from ._ledger import AsyncLedger, Due, Ledger, Run

__all__ = [
    "AsyncLedger",
    "AsyncOrderStore",
    "Change",
    "Due",
    "Ledger",
    "OrderState",
    "OrderStore",
    "Run",
    "advance",
    "in_thread",
]

_LATER = {
    **dict.fromkeys(("Change", "OrderState", "advance"), "_advance"),
    **dict.fromkeys(("AsyncLedger", "Due", "Ledger", "Run"), "_ledger"),
}


def __getattr__(name: str) -> Any:
    """Return `advance`, the ledger and their values: not before they are asked for, for a verifier
    of a store by hand needs none."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
