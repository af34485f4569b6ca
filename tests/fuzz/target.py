"""What a target of the fuzzer is: how an input is drawn, and what must hold of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from .drawing import Draw

__all__ = ["Case", "Target", "in_short", "sentence"]

Case: TypeAlias = Any
"""One input: what JSON can hold, so that a corpus is text. Bytes are Latin-1 text."""


@dataclass(frozen=True)
class Target:
    """One door that strangers' text comes through.

    Attributes:
        invariant: What holds of every input, in one sentence.
        draw: Makes an input of random choices alone: the same choices, the same input.
        check: Tries one and says what came of it, in a few words that are counted. Whatever leaves
            it, an AssertionError included, is a failure.
    """

    name: str
    invariant: str
    draw: Callable[[Draw], Case]
    check: Callable[[Case], str]


def sentence(error: Exception, known: re.Pattern[str]) -> str:
    """Return what an error says, which is one of the sentences that are known: so nothing of the
    input stands in it but where the pattern says so, and no message is without end."""
    text = str(error)
    assert known.fullmatch(text), f"{type(error).__name__} says {text!r:.200}"
    return text


def in_short(error: Exception, most: int) -> str:
    """Return an error's name; what it says has so many characters at most."""
    text = str(error)
    assert len(text) <= most, f"{type(error).__name__} says {text!r:.200}"
    return type(error).__name__
