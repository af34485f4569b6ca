"""How a call of the API is written down: where it is, what it takes, what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from imp_verify.sandbox._api.call import Answer, Call
from imp_verify.sandbox.errors import MISSING, Refused
from imp_verify.sandbox.exact import LONGEST, as_amount, dumps

PATH = "path"
QUERY = "query"
BODY = "body"
TEXT = "text"
AMOUNT = "amount"
NUMBER = "number"
FLAG = "flag"
TEXTS = "texts"
NAMED = "named"
STORED = "stored"
"""What a parameter is: a text (a number is one too), a decimal of 0 or more, a whole number, a word
of which `true` alone means yes, any number of texts, values by name (what is none of those is left
alone), anything (what is no text is kept as JSON)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        name: As it is sent.
        kind: One of those above.
        place: PATH, QUERY or BODY.
        required: Whether the call is refused without it.
        least: Of a number.
        most: Of a number.
        longest: Of a text, in characters.
        choices: The texts that there are; empty for any.
        message: How it is refused; None for the sandbox's own words.
        secret: Whether nobody is to see it: the journal leaves it out.
    """

    name: str
    kind: str
    place: str
    required: bool = False
    least: int | None = None
    most: int | None = None
    longest: int | None = None
    choices: tuple[str, ...] = ()
    message: str | None = None
    secret: bool = False

    def read(self, raw: object) -> object:
        """Return the value that was sent, None for an empty one.

        Raises:
            ValueError: It is none of its kind, or outside its limits; says how it is refused.
        """
        if raw is None or raw == "":
            return None
        value = _READERS[self.kind](raw)
        if value is None or not self._is_within(value):
            raise ValueError(self.message or f"{self.name} 값이 올바르지 않습니다.")
        if self.longest is not None and isinstance(value, str) and len(value) > self.longest:
            raise ValueError(self.message or f"{self.name}은(는) {self.longest}자 이하여야 합니다.")
        return value

    def _is_within(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return not self.choices or value in self.choices
        return not (
            (self.least is not None and value < self.least)
            or (self.most is not None and value > self.most)
        )


def _text(raw: object) -> object:
    if isinstance(raw, bool | list | dict) or (isinstance(raw, Decimal) and raw.is_nan()):
        return None
    return str(raw)


def _amount(raw: object) -> object:
    amount = as_amount(raw)
    return None if amount is None or amount < 0 else amount


def _number(raw: object) -> object:
    text = str(raw)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else None


def _flag(raw: object) -> object:
    return str(raw).lower() == "true"


def _texts(raw: object) -> object:
    items = raw if isinstance(raw, list) else [raw]
    return items if all(isinstance(each, str) for each in items) else None


def _named(raw: object) -> object:
    return raw if isinstance(raw, dict) else {}


def _stored(raw: object) -> object:
    return raw if isinstance(raw, str) else dumps(raw)


_READERS: Mapping[str, Callable[[object], object]] = {
    TEXT: _text,
    AMOUNT: _amount,
    NUMBER: _number,
    FLAG: _flag,
    TEXTS: _texts,
    NAMED: _named,
    STORED: _stored,
}


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call.

    Attributes:
        name: What faults call it; those that belong together share one.
        method: In capitals.
        paths: Its path, and others that it has too; a name in braces is one segment.
        handle: Carries it out.
        parameters: What it takes; what else is sent is left alone.
        statuses: What it may answer, by the schema or as seen; 501 and faults apart.
        refused: Code and status of the answer to a parameter that is wrong.
        open: Whether it needs no token.
    """

    name: str
    method: str
    paths: tuple[str, ...]
    handle: Callable[[Call], Answer]
    parameters: tuple[Parameter, ...] = ()
    statuses: tuple[int, ...] = (200, 401)
    refused: tuple[int, int] = (1, 200)
    open: bool = False

    @property
    def has_body(self) -> bool:
        """Whether it takes anything in its body."""
        return any(each.place == BODY for each in self.parameters)

    def read(
        self,
        path: Mapping[str, str],
        query: Mapping[str, list[str]],
        body: Mapping[str, object],
    ) -> dict[str, object]:
        """Return the values of its parameters, each place's as they were sent.

        Raises:
            Refused: One is missing, or none that it may be.
        """
        try:
            values = {
                each.name: each.read(_sent(each, path, query, body)) for each in self.parameters
            }
        except ValueError as error:
            raise self._refusal(str(error)) from None
        required = [each.name for each in self.parameters if each.required]
        if any(values[name] is None for name in required):
            raise self._refusal(MISSING.format(names=", ".join(required)))
        return values

    def _refusal(self, message: str) -> Refused:
        code, status = self.refused
        return Refused(message, code=code, status=status)


def _sent(
    parameter: Parameter,
    path: Mapping[str, str],
    query: Mapping[str, list[str]],
    body: Mapping[str, object],
) -> object:
    if parameter.place == PATH:
        return path.get(parameter.name)
    if parameter.place == BODY:
        return body.get(parameter.name)
    found = query.get(parameter.name)
    if not found:
        return None
    return found if parameter.kind == TEXTS else found[-1]
