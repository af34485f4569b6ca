"""Frozen values as JSON and back, by the types of their fields; nothing about payments."""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from imp_verify.sandbox.exact import as_amount

T = TypeVar("T")
Read = Callable[[str, object], Any]


def write(value: object) -> Any:
    """Return a value as JSON has it; of a dataclass the fields that are not as usual."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: write(getattr(value, each.name))
            for each in fields(value)
            if getattr(value, each.name) != _default(each)
        }
    if isinstance(value, tuple | list):
        return [write(each) for each in value]
    return value


def _default(field: Field[Any]) -> object:
    return MISSING if field.default is MISSING else field.default


def read(kind: type[T], name: str, content: object) -> T:
    """Read what `write` wrote of a dataclass.

    Raises:
        ValueError: It is another thing; the text names the field, under `name`.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{name} is an object of fields")
    readers = _readers(cast(Hashable, kind))
    for key in content:
        if key not in readers:
            raise ValueError(f"{name}: no such field: {key}; there are {', '.join(readers)}")
    got = {key: readers[key](f"{name}.{key}", value) for key, value in content.items()}
    missing = [key for key in _needed(cast(Hashable, kind)) if key not in got]
    if missing:
        raise ValueError(f"{name}.{missing[0]} is missing")
    return kind(**got)


def schema(kind: type[Any]) -> dict[str, object]:
    """Return the JSON schema of what `read` takes."""
    hints = get_type_hints(kind)
    return {
        "type": "object",
        "properties": {each.name: _schema(hints[each.name]) for each in fields(kind)},
        "required": list(_needed(cast(Hashable, kind))),
        "additionalProperties": False,
    }


@cache
def _needed(kind: Hashable) -> tuple[str, ...]:
    return tuple(
        each.name
        for each in fields(cast("type[Any]", kind))
        if each.default is MISSING and each.default_factory is MISSING
    )


@cache
def _readers(kind: Hashable) -> dict[str, Read]:
    hints = get_type_hints(kind)
    return {each.name: _reader(hints[each.name]) for each in fields(cast("type[Any]", kind))}


_PLAIN: dict[Any, tuple[str, str]] = {
    str: ("a text", "string"),
    int: ("a whole number", "integer"),
    bool: ("true or false", "boolean"),
}


def _reader(hint: Any) -> Read:
    if hint in _PLAIN:
        return lambda name, value: _plain(hint, name, value)
    if hint is Decimal:
        return _amount
    if hint is object:
        return lambda _, value: value
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda name, value: read(hint, name, value)
    some = get_args(hint)
    if get_origin(hint) is tuple and some[-1] is not Ellipsis:
        parts = [_reader(part) for part in some]
        return lambda name, value: _fixed(parts, name, _list(name, value))
    if get_origin(hint) is tuple:
        each = _reader(some[0])
        return lambda name, value: tuple(
            each(f"{name}[{at}]", item) for at, item in enumerate(_list(name, value))
        )
    if get_origin(hint) in (Union, types.UnionType) and len(some) == 2 and some[1] is type(None):
        inner = _reader(some[0])
        return lambda name, value: None if value is None else inner(name, value)
    raise TypeError(f"nothing is known of how to read {hint}")


def _fixed(
    parts: list[Read], name: str, items: list[object] | tuple[object, ...]
) -> tuple[Any, ...]:
    if len(items) != len(parts):
        raise ValueError(f"{name} is a list of {len(parts)}")
    pairs = enumerate(zip(parts, items, strict=True))
    return tuple(part(f"{name}[{at}]", item) for at, (part, item) in pairs)


def _schema(hint: Any) -> dict[str, object]:
    if hint in _PLAIN:
        return {"type": _PLAIN[hint][1]}
    if hint is Decimal:
        return {"type": "number"}
    if is_dataclass(hint) and isinstance(hint, type):
        return schema(hint)
    if hint is object:
        return {}
    some = get_args(hint)
    if get_origin(hint) is tuple and some[-1] is not Ellipsis:
        return {"type": "array", "prefixItems": [_schema(part) for part in some]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _schema(some[0])}
    return {"anyOf": [_schema(some[0]), {"type": "null"}]}


def _plain(kind: type[Any], name: str, value: object) -> object:
    if type(value) is not kind:
        raise ValueError(f"{name} is {_PLAIN[kind][0]}")
    return value


def _amount(name: str, value: object) -> Decimal:
    amount = None if isinstance(value, str) else as_amount(value)
    if amount is None:
        raise ValueError(f"{name} is a number, and no float")
    return amount


def _list(name: str, value: object) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} is a list")
    return value
