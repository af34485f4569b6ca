"""The control calls as an OpenAPI description, made of the table and the tables it names."""

from __future__ import annotations

from collections.abc import Iterable

from imp_verify.sandbox._http.control import schemas
from imp_verify.sandbox._http.control.declare import PREFIX, Field, Operation
from imp_verify.sandbox._http.control.schemas import Schema, closed, list_of, of_kind, optional, ref

_NAME: Schema = {"type": "string"}


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
        "components": {"schemas": {**schemas.taken(), **schemas.answered()}},
    }


def _operation(operation: Operation) -> Schema:
    queried = operation.method == "GET"
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _NAME} for name in names
    ]
    if queried:
        parameters += [{**_parameter(each), "in": "query"} for each in operation.fields]
    described: Schema = {
        "summary": operation.says,
        "operationId": _identifier(operation),
        "responses": {
            "200": {"description": "Done.", "content": _answer(operation)},
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
        described["responses"]["415"] = _error("The body is not declared as application/json.")
    return described


def _parameter(each: Field) -> Schema:
    return {
        "name": each.name,
        "required": each.required,
        "description": each.says,
        "schema": of_kind(each.kind),
    }


def _answer(operation: Operation) -> Schema:
    if not operation.answers:
        return {"application/x-ndjson": {}}
    name = operation.answers.removesuffix("[]")
    listed = closed({"list": list_of(ref(name))}, "list")
    schema = listed if operation.answers.endswith("[]") else ref(name)
    return {"application/json": {"schema": schema}}


def _body(operation: Operation) -> Schema:
    if operation.fields or operation.free is None:
        known = {each.name: _property(each) for each in operation.fields}
        required = [each.name for each in operation.fields if each.required]
        whole = closed(known, *required)
        return whole if operation.free is None else {**whole, "additionalProperties": True}
    one = ref(operation.free)
    return {"oneOf": [one, list_of(one)]} if operation.lists else one


def _property(each: Field) -> Schema:
    schema = of_kind(each.kind)
    return {**(schema if each.required else optional(schema)), "description": each.says}


def _error(says: str) -> Schema:
    return {"description": says, "content": {"application/json": {"schema": ref("Error")}}}


def _identifier(operation: Operation) -> str:
    words = [part for part in operation.path.split("/") if part and not part.startswith("{")]
    one = ["one"] if operation.path.endswith("}") else []
    return "_".join([operation.method.lower(), *words, *one]).replace("-", "_")
