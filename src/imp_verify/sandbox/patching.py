"""Changes fields of something that is JSON, by their paths, whatever they become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from imp_verify.sandbox.exact import dumps, loads

EACH = "*"


def patch_fields(content: Any, patch: Mapping[str, object], remove: Iterable[str] = ()) -> Any:
    """Return content with some fields set and some gone; what has no such place stays as it is.

    Args:
        content: Of JSON; it is changed in place.
        patch: By path the new value. `response.amount` is the field of a field, `response.0` one
            of a list, and `response.*.amount` that of each of a list.
        remove: Paths of what is taken away.
    """
    for path, value in patch.items():
        content = _put(content, path.split("."), value)
    for path in remove:
        _at(content, path.split("."), _take)
    return content


def patch_text(body: bytes, patch: Mapping[str, object], remove: Iterable[str] = ()) -> bytes:
    """Return JSON with its fields patched; what is no JSON stays as it is."""
    try:
        content = loads(body)
    except ValueError:
        return body
    return dumps(patch_fields(content, patch, remove)).encode()


def _put(content: Any, path: list[str], value: object) -> Any:
    def put(place: Any, name: Any) -> None:
        place[name] = value

    _at(content, path, put)
    return content


def _take(place: Any, name: Any) -> None:
    if isinstance(place, list) or name in place:
        del place[name]


def _at(content: Any, path: list[str], act: Callable[[Any, Any], None]) -> None:
    name, *deeper = path
    for key in reversed(_keys(content, name)):  # of a list the last first: one may be taken out
        if not deeper:
            act(content, key)
        elif isinstance(content, list) or key in content:
            _at(content[key], deeper, act)


def _keys(content: Any, name: str) -> list[Any]:
    if isinstance(content, dict):
        return [name]
    if not isinstance(content, list):
        return []
    if name == EACH:
        return list(range(len(content)))
    number = int(name) if name.isascii() and name.isdigit() else len(content)
    return [number] if number < len(content) else []
