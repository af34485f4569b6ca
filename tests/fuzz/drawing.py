"""Drawing inputs: odd texts, JSON that is nearly right, bytes with something changed in them. Fast,
for a million are drawn: no strategy objects, a few calls of `Random` for each input."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

__all__ = [
    "DIGITS",
    "ID",
    "NUMBERS",
    "ODD",
    "Draw",
    "hostile",
    "json_object",
    "json_text",
    "long",
    "mutated",
    "text",
    "word",
]

ODD = (
    *("", " ", "\x00", "\n", "\r\n", "\r\n\r\n", "\t", "\x0b", "\x1b[31m", "\x7f", "\x85", "\xa0"),
    *("\ufeff", "\u200b", "\u2028", "\u2029", "\u202e", "\u2066", "\u3000", "\ufffe", "\U000e0001"),
    *("\ud800", "\udc80", "\udfff", "\U0010ffff", "\U0001f469\u200d\U0001f467", "é", "e\u0301"),
    *("가", "\u1100\u1161", "주문-1001", "İ", "ß", "ﷺ", "١٢٣", "Ⅷ", "²"),
    *("'", '"', "`", "\\", "\\u0000", "\\ud800", "&", "&amp;", "&#60;", "&lt", "&quot;", "<", ">"),
    *("<b>", "</script>", "<script>alert(1)</script>", "<!--", "-->", "]]>", "<![CDATA["),
    *('"><img src=x onerror=alert(1)>', "' onmouseover='a", "</title>", "</style>", "</textarea>"),
    *("javascript:alert(1)", "data:text/html,x", "{{7*7}}", "${x}", "{merchant_uid}", "{reason}"),
    *("{status}", "{", "}", "%", "%s", "%00", "%0d%0aSet-Cookie:a=b", "%25", "%EA%B0%80", "%ff"),
    *("../", "..", ".", "/", "//", "//evil.test", "https://evil.test", "@evil.test", "#", "?", "="),
    *(";", ",", ":", "+", "-", "_", "null", "undefined", "true", "NaN", "__proto__", "constructor"),
    *("imp_100000000001", "ORD-1001", "imp_uid", "merchant_uid", "amount", "39000", "KRW", "paid"),
)
NUMBERS = (
    *("0", "1", "39000", "39000.0", "39000.00", "10.99", "0.1", "0.07", "1e3", "1E-8", "1e400"),
    *("-0", "-0.0", "-1", "1e-400", "4503599627370497.5", "999999999999999999", "1e18", "1e17"),
    *("999999999999999999.99999999", "0.00000001", "0.000000001", "1" * 19, "9" * 400, "00", "+1"),
    *("NaN", "Infinity", "-Infinity", "0x10", "1_000", "39,000", "1.", ".5", "1e", "١٢٣", " 1 "),
    *("1e999999999", "1e-999999999", "9" * 4301, "2147483648", "-2147483649", "1735700000"),
)
T = TypeVar("T")


class Draw:
    """Choices, all made of one source of numbers from 0 up to 1: `Random` has them too, five times
    slower."""

    def __init__(self, random: Callable[[], float]) -> None:
        self.random = random

    def below(self, end: int) -> int:
        """Return a number from 0, below the end."""
        return int(self.random() * end)

    def choice(self, some: Sequence[T]) -> T:
        """Return one of them."""
        return some[int(self.random() * len(some))]

    def choices(self, some: Sequence[T], most: int) -> list[T]:
        """Return one to so many of them; one may come twice."""
        return [self.choice(some) for _ in range(1 + self.below(most))]


def _letters(alphabet: str) -> str:
    return "".join(Random(alphabet).choices(alphabet, k=4000))


PLAIN = _letters("abcxyzABCXYZ0189_-. ")
DIGITS = _letters("0123456789")
ID = _letters("abcXYZ019_-")


def word(draw: Draw, most: int = 32, letters: str = PLAIN) -> str:
    """Draw a text of few sorts of letters, perhaps empty."""
    start = draw.below(len(letters) - most)
    return letters[start : start + draw.below(most + 1)]


def text(draw: Draw, most: int = 4) -> str:
    """Draw a text: a word, odd pieces, characters of any kind, and these in turn."""
    kind = draw.below(8)
    if kind < 2:
        return word(draw)
    if kind < 6:
        return "".join(draw.choices(ODD, most))
    if kind == 6:
        return word(draw, 8) + draw.choice(ODD) + word(draw, 8)
    return "".join(chr(draw.below(0x3000)) for _ in range(draw.below(12)))


def long(draw: Draw, size: int) -> str:
    """Draw a text that is about so long: one piece again and again."""
    piece = draw.choice(ODD) or draw.choice(PLAIN)
    return piece * (size // len(piece))


def hostile(draw: Draw, likely: Sequence[str], odds: float = 0.5) -> str:
    """Draw one of the likely texts, or any."""
    return draw.choice(likely) if draw.random() < odds else text(draw)


def json_text(draw: Draw, depth: int = 0) -> str:
    """Draw one JSON value as text: texts, numbers of every form, words, and what holds others."""
    kind = draw.below(12)
    if kind < 5 or depth > 3:
        return json.dumps(text(draw), ensure_ascii=draw.random() < 0.5)
    if kind < 8:
        return draw.choice(NUMBERS)
    if kind < 10:
        return draw.choice(("null", "true", "false", '""', "{}", "[]"))
    some = [json_text(draw, depth + 1) for _ in range(draw.below(3))]
    if kind == 10:
        return f"[{','.join(some)}]"
    return json_object([(text(draw, 1), each) for each in some])


def json_object(pairs: Sequence[tuple[str, str]]) -> str:
    """Write an object of keys and of values that are JSON already."""
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs) + "}"


def mutated(draw: Draw, given: str) -> str:
    """Change a text in one to three places: something left out, put in, said twice or swapped."""
    for _ in range(1 + draw.below(3)):
        start = draw.below(len(given) + 1)
        end = min(len(given), start + draw.choice((0, 1, 1, 2, 8, 40)))
        kind = draw.below(5)
        if kind == 0:
            given = given[:start] + given[end:]
        elif kind == 1:
            given = given[:start] + draw.choice(ODD) + given[start:]
        elif kind == 2:
            given = given[:start] + given[start:end] * 2 + given[end:]
        elif kind == 3:
            given = given[:start] + chr(draw.below(256)) + given[end:]
        else:
            given = given[end:] + given[:start]
    return given
