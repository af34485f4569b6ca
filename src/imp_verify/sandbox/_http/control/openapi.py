"""The control calls as an OpenAPI description, made of the table and the tables it names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any

from imp_verify.sandbox import making, settings
from imp_verify.sandbox._http.control.declare import (
    PREFIX,
    Amount,
    Field,
    Line,
    Operation,
    Whole,
)
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.kinds import Flag, Kind, OneOf, Seconds, Text, Texts

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "integer", "minimum": 1, "description": "Unix seconds"}
_MONEY: Schema = {"type": "number", "minimum": 0}
_PAYMENT: dict[str, Schema] = {
    "amount": _MONEY,
    "sandbox": {"type": "boolean"},
    "cancelled": {"type": "array", "items": {"type": ["number", "object"]}},
    "notice_url": {"type": ["string", "array"], "items": _TEXT},
    **{name: _TIME for name in making.FIELDS if name.endswith("_at") or name == "vbank_date"},
}
_TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}


def document(operations: Iterable[Operation]) -> Schema:
    """Describe control calls."""
    paths: dict[str, dict[str, Schema]] = {}
    for each in operations:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The sandbox's control",
            "version": "1",
            "description": "What a test in any language sets, does and sees. Bodies are JSON, and "
            "say so in Content-Type.",
        },
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def _schemas() -> Schema:
    payment = {name: _PAYMENT.get(name, _TEXT) for name in making.FIELDS}
    changes = {name: of for name, of in payment.items() if name not in making.FIXED}
    return {
        "Payment": {**_object(payment), "required": ["merchant_uid", "amount"]},
        "PaymentChange": _object(changes),
        "Settings": _object({name: _setting(each) for name, each in settings.TABLE.items()}),
        "Fault": _fault(),
        "Error": {**_object({"error": _TEXT}, closed=False), "required": ["error"]},
    }


def _object(properties: Schema, *, closed: bool = True) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": not closed}


def _setting(setting: settings.Setting) -> Schema:
    return {**of_kind(setting.kind), "description": setting.says, "default": setting.default}


def _fault() -> Schema:
    known = [each for each in fields(Fault) if each.init]
    needed = [e.name for e in known if e.default is MISSING and e.default_factory is MISSING]
    return {**_object({e.name: _annotated(str(e.type)) for e in known}), "required": needed}


def _annotated(annotation: str) -> Schema:
    kind, nothing, _ = annotation.partition(" | None")
    if kind not in _TYPES:
        return {}
    return {"type": [_TYPES[kind], "null"] if nothing else _TYPES[kind]}


def of_kind(kind: Kind) -> Schema:
    """Return the schema of a kind of value; of one that has none its words."""
    match kind:
        case OneOf(choices):
            return {"type": "string", "enum": list(choices)}
        case Flag():
            return {"type": "boolean"}
        case Seconds(most, whole):
            return {"type": "integer" if whole else "number", "minimum": 0, "maximum": most}
        case Whole(least, most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case Amount(zero):
            return {"type": "number", "minimum" if zero else "exclusiveMinimum": 0}
        case Line(longest, shortest):
            return {"type": "string", "minLength": shortest, "maxLength": longest}
        case Text():
            return {"type": ["string", "null"]}
        case Texts():
            return {"type": "array", "items": {"type": "string"}}
        case _:
            return {"description": kind.allowed}


def _operation(operation: Operation) -> Schema:
    queried = operation.method == "GET"
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names
    ]
    if queried:
        parameters += [{**_parameter(each), "in": "query"} for each in operation.fields]
    lines = operation.path == "/journal"
    kind = "application/x-ndjson" if lines else "application/json"
    described: Schema = {
        "summary": operation.says,
        "operationId": _identifier(operation),
        "responses": {
            "200": {"description": "Done.", "content": {kind: {}}},
            "400": _error("A name or a value is wrong; it names the field and what is allowed."),
            **({"404": _error("There is none of this name or number.")} if names else {}),
            **({} if queried else {"409": _error("As things stand it cannot be done.")}),
        },
    }
    if parameters:
        described["parameters"] = parameters
    if operation.method in ("POST", "PATCH"):
        content = {"application/json": {"schema": _body(operation)}}
        described["requestBody"] = {"content": content}
    return described


def _parameter(each: Field) -> Schema:
    return {
        "name": each.name,
        "required": each.required,
        "description": each.says,
        "schema": of_kind(each.kind),
    }


def _body(operation: Operation) -> Schema:
    if operation.fields or operation.free is None:
        known = {e.name: {**of_kind(e.kind), "description": e.says} for e in operation.fields}
        required = [each.name for each in operation.fields if each.required]
        return {
            **_object(known, closed=operation.free is None),
            **({"required": required} if required else {}),
        }
    one: Schema = {"$ref": f"#/components/schemas/{operation.free}"}
    return {"oneOf": [one, {"type": "array", "items": one}]} if operation.lists else one


def _error(says: str) -> Schema:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": says, "content": {"application/json": {"schema": schema}}}


def _identifier(operation: Operation) -> str:
    words = [part for part in operation.path.split("/") if part and not part.startswith("{")]
    one = ["one"] if operation.path.endswith("}") else []
    return "_".join([operation.method.lower(), *words, *one]).replace("-", "_")
