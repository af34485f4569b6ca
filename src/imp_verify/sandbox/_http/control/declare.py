"""How a control call is written down: where it is, what it takes, what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from imp_verify.sandbox.exact import as_amount
from imp_verify.sandbox.kinds import Kind, Whole
from imp_verify.sandbox.sandbox import Sandbox

__all__ = ["Amount", "Asked", "Field", "Line", "Operation", "Whole", "check_names"]

PREFIX = "/sandbox/v1"


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money, exact; `zero` tells whether it may be nothing."""

    zero: bool = False

    @property
    def allowed(self) -> str:
        """Name the range."""
        return "a number of 0 or more" if self.zero else "a number above 0"

    def read(self, value: object) -> Decimal:
        """Take a number, no text."""
        amount = None if isinstance(value, str) else as_amount(value)
        if amount is None or amount < 0 or not (amount or self.zero):
            raise ValueError(self.allowed)
        return amount

    def parse(self, text: str) -> Decimal:
        """Take a plain decimal."""
        return self.read(as_amount(text))


@dataclass(frozen=True, slots=True)
class Line:
    """A text that is not empty."""

    longest: int
    shortest: int = 1

    @property
    def allowed(self) -> str:
        """Name the lengths."""
        return f"a text of {self.shortest} to {self.longest} characters"

    def read(self, value: object) -> str:
        """Take a text of such a length."""
        if not isinstance(value, str) or not self.shortest <= len(value) <= self.longest:
            raise ValueError(self.allowed)
        return value

    def parse(self, text: str) -> str:
        """Take it as it stands."""
        return self.read(text)


@dataclass(frozen=True, slots=True)
class Field:
    """What a call takes: in the query of a GET, in the body of all others.

    Attributes:
        name: As it is sent.
        kind: What it may be; null is as if it were left out.
        says: What it is for.
        required: Whether the call cannot do without it.
    """

    name: str
    kind: Kind
    says: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call was given.

    Attributes:
        path: The values of the names in braces.
        values: Its fields, read; those that were left out are not in it.
        body: All that was sent, where the call has no list of fields.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One control call.

    Attributes:
        method: In capitals.
        path: After PREFIX; a name in braces is one segment.
        says: What it does, in a sentence or two.
        handle: Does it, and returns what is answered.
        fields: What it takes.
        free: Names what its body is, where the handler reads that itself: a schema of the
            description, or, where it has fields too, what else it takes.
        lists: Whether the body may be a list of those.
        answers: The schema of its answer, in the description; with [] behind it, of a list's item.
            Nothing where it answers the journal's lines.
    """

    method: str
    path: str
    says: str
    handle: Callable[[Sandbox, Asked], object]
    fields: tuple[Field, ...] = ()
    free: str | None = None
    lists: bool = False
    answers: str = "MadePayment"

    def read(self, sent: object, *, texts: bool = False) -> dict[str, Any]:
        """Return the values of its fields.

        Args:
            sent: Values by name.
            texts: Whether they are texts, of a query.

        Raises:
            ValueError: One is unknown, missing, or none that it may be; it names the field and
                what is allowed.
        """
        if not isinstance(sent, dict):
            raise ValueError("the body is no object of fields")
        known = {each.name: each for each in self.fields}
        check_names(sent, known)
        for each in self.fields:
            if each.required and sent.get(each.name) is None:
                raise ValueError(f"{each.name} is missing: it is {each.kind.allowed}")
        return {
            name: _named(known[name], value, texts)
            for name, value in sent.items()
            if value is not None
        }


def check_names(sent: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError for a field that there is none of; it lists those there are."""
    names = tuple(known)
    for name in sent:
        if name not in names:
            there_are = f"there are {', '.join(names)}" if names else "it takes none"
            raise ValueError(f"no such field: {name}; {there_are}")


def _named(known: Field, value: Any, texts: bool) -> object:
    try:
        return known.kind.parse(value) if texts else known.kind.read(value)
    except ValueError:
        raise ValueError(f"{known.name} is {known.kind.allowed}") from None
