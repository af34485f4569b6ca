"""How commands end and what they may print: exit statuses, texts that a terminal can show, and
never a secret."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "FOUND",
    "GOOD",
    "KOREA",
    "TROUBLE",
    "WRONG_USE",
    "WrongUse",
    "conceal",
    "korean",
    "make_console",
    "origin",
    "plain",
    "printable",
    "said",
    "uncut",
    "where",
    "widened",
    "wrong_use",
]

GOOD, FOUND, WRONG_USE, TROUBLE = 0, 1, 2, 3
KOREA = timezone(timedelta(hours=9))
"""Asia/Seoul, which has had no other offset since there are payments here; not every machine has
the database of time zones."""
_WIDE = 240
_LONGEST = 500
_SHORTEST_SECRET = 4
"""Characters below which a word may be a secret by chance: "key" would be blotted out of every
sentence."""
_VARIABLES = ("IMP_KEY", "IMP_SECRET")


class WrongUse(Exception):
    """A command was given what it cannot work with; the text says what. Exit status 2."""


def printable(text: str, stream: TextIO) -> str:
    """Return the text with what this terminal cannot show left out."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def said(words: object) -> str:
    """Return somebody else's words for a line of output, an error's after its class: clipped, and
    without a character that moves the cursor or starts a line."""
    text = str(words)
    if isinstance(words, BaseException):
        # An error's own lines are often long, and the first says what it is.
        first = text.strip().partition("\n")[0]
        text = f"{type(words).__name__}: {first}" if first else type(words).__name__
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[:_LONGEST])


def origin(error: BaseException | None) -> str:
    """Return where an error comes from: a line for it and each of its causes, and one for each of
    their places. Without the lines of code, in which a shop may have a password."""
    lines: list[str] = []
    while error is not None:
        lines.append(said(error))
        places = traceback.extract_tb(error.__traceback__)
        lines += [f"  {each.filename}:{each.lineno} in {each.name}" for each in places]
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)
    return "".join(f"{line}\n" for line in lines)


def where(error: BaseException) -> str:
    """Return an error's class and the place that raised it, without what it says."""
    places = traceback.extract_tb(error.__traceback__)
    at = f" ({places[-1].filename}:{places[-1].lineno} in {places[-1].name})" if places else ""
    return type(error).__name__ + at


def conceal(text: str, secrets: Iterable[str | None] = ()) -> str:
    """Take secrets out of a text, should somebody else's words repeat them, and those of the
    environment too."""
    known = [*secrets, *map(os.environ.get, _VARIABLES)]
    for secret in sorted({each for each in known if each}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "...")
    return text


def plain(values: Mapping[str, object]) -> dict[str, object]:
    """Return values as JSON has them: amounts as decimal text, times as ISO 8601 in UTC."""
    return {name: _as_plain(value) for name, value in values.items()}


def _as_plain(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat()
        case frozenset():
            return sorted(value)
        case _:
            return value


def wrong_use(message: str) -> int:
    """Say what was wrong, and return the exit status for it."""
    text = printable(conceal(message), sys.stderr)
    print(f"imp-verify: {text}", file=sys.stderr)
    return WRONG_USE


def make_console(*, stderr: bool = False) -> Console:
    """Make what writes to standard output, or to standard error: in colour on a terminal,
    elsewhere plain. What the terminal has no character for becomes a question mark."""
    from rich.console import Console

    reconfigure = getattr(sys.stderr if stderr else sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def widened(console: Console) -> Console:
    """Let a table be as wide as it is, where no terminal folds it: a file, a pipe, a mail."""
    if not console.is_terminal:
        console.width = _WIDE
    return console


def uncut(table: Any, rows: Sequence[Sequence[str | None]], *places: int) -> None:
    """Have a terminal fold other columns of a table than these: an id or an amount in two pieces is
    none that can be read or copied."""
    for place in places:
        table.columns[place].min_width = max(len(row[place] or "") for row in rows)


def korean(time: datetime) -> str:
    """Write a time for people, Korean time."""
    return time.astimezone(KOREA).isoformat(timespec="seconds")
