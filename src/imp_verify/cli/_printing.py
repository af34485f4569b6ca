"""How commands end and what they may print: exit statuses, and texts that a terminal can show."""

from __future__ import annotations

import sys
from typing import TextIO

__all__ = ["FOUND", "GOOD", "TROUBLE", "WRONG_USE", "printable", "wrong_use"]

GOOD, FOUND, WRONG_USE, TROUBLE = 0, 1, 2, 3


def printable(text: str, stream: TextIO) -> str:
    """Return the text with what this terminal cannot show left out."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def wrong_use(message: str) -> int:
    """Say what was wrong, and return the exit status for it."""
    print(f"imp-verify: {printable(message, sys.stderr)}", file=sys.stderr)
    return WRONG_USE
