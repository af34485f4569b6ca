"""Made-up numbers of the gateway and of PGs. Alone, for what makes payments must not import what
moves them."""

from __future__ import annotations

import secrets


def digits(length: int) -> str:
    """Return so many random digits."""
    return f"{secrets.randbelow(10**length):0{length}d}"


def new_tid() -> str:
    """Return a PG's number for a transaction."""
    return "SANDBOX" + digits(20)


def new_cancellation_id() -> str:
    """Return the gateway's number for a cancel: 20 characters."""
    return "CXL" + digits(17)
