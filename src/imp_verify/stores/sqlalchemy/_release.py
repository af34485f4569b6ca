"""Which SQLAlchemy the stores are right on. Of its own, since all else here imports SQLAlchemy."""

from __future__ import annotations

import re

__all__ = ["OLDEST", "OLDEST_ASYNC", "too_old"]

OLDEST = "2.0.9"
"""Before, a number that is too long for its column is cut short on PostgreSQL, without an error."""
OLDEST_ASYNC = "2.0.55"


def too_old(found: str, needed: str) -> bool:
    """Tell whether a release is older than another one; what follows its numbers is not read."""
    one, other = ([int(n) for n in re.findall(r"\d+", text)[:3]] for text in (found, needed))
    return one < other
