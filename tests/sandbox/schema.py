"""The published schema of the API, as JSON Schema and by call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "v1.openapi.subset.json").read_text(encoding="utf-8")
)
_CUSTOMER = SCHEMA["definitions"]["CustomerResponse"]["allOf"][1]["properties"]
_CUSTOMER["response"] = {"allOf": [_CUSTOMER["response"]], "x-nullable": True}
"""It is null when code is not 0, as in any other answer: an unknown stored card is 200."""
FACTS = {("POST", "/users/getToken"): {400}, ("GET", "/payments/prepare/{merchant_uid}"): {404}}
"""Statuses that the real one was seen to answer, and the schema does not have."""


@dataclass(frozen=True)
class Documented:
    """One call of the schema."""

    method: str
    path: str
    content: Mapping[str, Any]

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.content["responses"]}

    @property
    def parameters(self) -> dict[str, Any]:
        return {each["name"]: each for each in self.content.get("parameters", [])}

    def answer(self, status: int) -> dict[str, Any] | None:
        """Return what an answer of this status is to be."""
        found: dict[str, Any] | None = self.content["responses"][str(status)].get("schema")
        return found


def documented() -> Iterator[Documented]:
    for path, calls in SCHEMA["paths"].items():
        for method, content in calls.items():
            yield Documented(method.upper(), path, content)


DOCUMENTED = {(each.method, each.path): each for each in documented()}


def _as_json_schema(node: Any) -> Any:
    """Say `x-nullable` as JSON Schema does; a definition stands at its old place."""
    if isinstance(node, list):
        return [_as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _as_json_schema(value) for name, value in node.items() if name != "x-nullable"}
    if node.get("x-nullable") is not True:
        return made
    if isinstance(made.get("type"), str) and "enum" not in made:
        return {**made, "type": [made["type"], "null"]}
    return {"anyOf": [made, {"type": "null"}]}


_DEFINITIONS = _as_json_schema(SCHEMA["definitions"])


@cache
def _validator(method: str, path: str, status: int) -> Draft202012Validator | None:
    answer = DOCUMENTED[method, path].answer(status)
    if answer is None:
        return None
    return Draft202012Validator({**_as_json_schema(answer), "definitions": _DEFINITIONS})


def check(method: str, path: str, status: int, content: Any) -> None:
    """Assert that an answer is one that the schema has, field by field."""
    call = DOCUMENTED[method, path]
    if status in FACTS.get((method, path), ()):
        assert content["response"] is None
        return
    assert status in call.statuses, (method, path, status, content)
    validator = _validator(method, path, status)
    error = best_match(validator.iter_errors(content)) if validator else None
    assert error is None, (method, path, status, list(error.absolute_path), error.message)
