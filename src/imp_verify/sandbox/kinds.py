"""What a value that somebody sets may be: read from JSON, parsed from text, said in words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Kind(Protocol):
    """What values there are."""

    @property
    def allowed(self) -> str:
        """What is allowed, to stand after "NAME is"."""
        ...

    def read(self, value: object) -> object:
        """Return a value of Python or JSON as it is kept, or raise ValueError."""

    def parse(self, text: str) -> object:
        """Return what the text of a command line means, or raise ValueError."""


def is_finite(value: int | float | Decimal) -> bool:
    """Tell whether a number is one; math.isfinite cannot say it of an int of 400 digits."""
    return isinstance(value, int) or math.isfinite(value)


def _digits(text: str, form: re.Pattern[str] = _WHOLE) -> str:
    """Return it, or raise ValueError: int and Decimal read other digits, blanks and _ as well."""
    if not form.fullmatch(text):
        raise ValueError(text)
    return text


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    choices: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """Name them."""
        return f"one of {', '.join(self.choices)}"

    def read(self, value: object) -> str:
        """Take one of them as it stands."""
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> str:
        """Take one of them as it stands."""
        return self.read(text)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    @property
    def allowed(self) -> str:
        """Name both."""
        return "true or false"

    def read(self, value: object) -> bool:
        """Take a bool alone: 1 and "true" are others' ideas of one."""
        if not isinstance(value, bool):
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> bool:
        """Take the two words."""
        if text not in ("true", "false"):
            raise ValueError(self.allowed)
        return text == "true"


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time to wait; whole seconds where it is on the sandbox's clock."""

    most: int
    whole: bool = True

    @property
    def allowed(self) -> str:
        """Name the range."""
        return f"0 to {self.most} {'whole ' if self.whole else ''}seconds"

    def read(self, value: object) -> int | float | Decimal:
        """Take a number that is in the range."""
        good = int if self.whole else int | float | Decimal
        if isinstance(value, bool) or not isinstance(value, good):
            raise ValueError(self.allowed)
        if not is_finite(value) or not 0 <= value <= self.most:
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> int | float | Decimal:
        """Take a plain number."""
        try:
            return self.read(int(_digits(text)) if self.whole else Decimal(_digits(text, _NUMBER)))
        except ValueError:
            raise ValueError(self.allowed) from None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        """Name the range."""
        return f"a whole number of {self.least} to {self.most}"

    def read(self, value: object) -> int:
        """Take an int that is in the range."""
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> int:
        """Take plain digits."""
        try:
            return self.read(int(_digits(text)))
        except ValueError:
            raise ValueError(self.allowed) from None


@dataclass(frozen=True, slots=True)
class OneNumber:
    """One of some whole numbers."""

    choices: tuple[int, ...]

    @property
    def allowed(self) -> str:
        """Name them."""
        return f"one of {', '.join(map(str, self.choices))}"

    def read(self, value: object) -> int:
        """Take one of them as it stands."""
        if type(value) is not int or value not in self.choices:
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> int:
        """Take the digits of one."""
        try:
            return self.read(int(_digits(text)))
        except ValueError:
            raise ValueError(self.allowed) from None


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a certain form, or none; `form` says it where there is a pattern."""

    pattern: re.Pattern[str] | None = None
    form: str = "a text"

    @property
    def allowed(self) -> str:
        """Name the form."""
        return f"{self.form} or null"

    def read(self, value: object) -> str | None:
        """Take a text of the form, or None."""
        if value is None:
            return None
        if not isinstance(value, str) or (self.pattern and not self.pattern.fullmatch(value)):
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> str | None:
        """Take a text of the form; an empty one is none."""
        return self.read(text or None)


@dataclass(frozen=True, slots=True)
class Texts:
    """Any number of texts of a certain form."""

    pattern: re.Pattern[str] | None = None
    form: str = "texts"

    @property
    def allowed(self) -> str:
        """Name the form."""
        return f"a list of {self.form}"

    def read(self, value: object) -> tuple[str, ...]:
        """Take a list of such texts."""
        if not isinstance(value, list | tuple):
            raise ValueError(self.allowed)
        for each in value:
            if not isinstance(each, str) or (self.pattern and not self.pattern.fullmatch(each)):
                raise ValueError(self.allowed)
        return tuple(value)

    def parse(self, text: str) -> tuple[str, ...]:
        """Take such texts with commas between them."""
        return self.read([each for each in text.split(",") if each])
