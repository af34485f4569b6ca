"""What a store by hand is made of: the protocols, the pure function that decides what a payment
changes, and the bridge from a plain store to async callers. Imports no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._bridge import in_thread
from ._protocol import AsyncOrderStore, OrderStore

if TYPE_CHECKING:
    from ._advance import Change, OrderState, advance

__all__ = ["AsyncOrderStore", "Change", "OrderState", "OrderStore", "advance", "in_thread"]


def __getattr__(name: str) -> Any:
    """Return `advance` and its values: not before they are asked for, for a verifier needs none."""
    if name not in ("Change", "OrderState", "advance"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _advance

    return getattr(_advance, name)
