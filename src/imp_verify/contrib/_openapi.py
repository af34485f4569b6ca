"""What an OpenAPI page says about the endpoints, made from the table of answers itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .. import Landing, Response, Verdict
from .._web import answers
from .._web.endpoints import KEYS, METHODS, RETURN_KEYS
from .._web.script import MODULE

__all__ = ["operations"]

_SUMMARIES = {
    "complete": "Verify a payment that a browser made",
    "webhook": "The gateway tells of a payment",
    "confirm": "The gateway asks whether a payment may be approved",
}
_RETURN = "A browser comes back from the payment window"
_FIELDS: dict[str, dict[str, Any]] = {
    "imp_uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$"},
    "merchant_uid": {"type": "string", "minLength": 1, "maxLength": 64},
    "amount": {"type": ["number", "string"], "description": "A number, or plain decimal text."},
    "status": {"type": "string", "description": "Not believed."},
    "cancellation_id": {"type": "string", "description": "Not believed."},
}
_TEXT = {"type": "string"}
_EXAMPLES = {"imp_uid": "imp_123456789012", "merchant_uid": "ORD-1001", "amount": 39000}
_FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


def operations(endpoint: str, order: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each documented method, with FastAPI's arguments; `order`: must a request name it?"""
    for method in () if endpoint == MODULE else METHODS[endpoint]:
        returns = method == "GET"
        described = {
            "summary": _RETURN if returns else _SUMMARIES[endpoint],
            "status_code": 303 if returns else 200,
            "responses": _describe(endpoint, returns),
            "openapi_extra": {"parameters": _query(order)} if returns else _body(endpoint, order),
        }
        yield method, described


def _query(order: bool) -> list[dict[str, Any]]:
    found = [{"name": k, "in": "query", "schema": _FIELDS.get(k, _TEXT)} for k in RETURN_KEYS]
    return [{**each, "required": order and each["name"] == "merchant_uid"} for each in found]


def _body(endpoint: str, order: bool) -> dict[str, Any]:
    ids = KEYS[endpoint] if endpoint == "confirm" else KEYS[endpoint][: 2 if order else 1]
    fields = {key: _FIELDS[key] for key in KEYS[endpoint]}
    schema = {"type": "object", "required": [*ids], "properties": fields}
    example = {key: _EXAMPLES[key] for key in fields if key in _EXAMPLES}
    content = {form: {"schema": schema, "example": example} for form in _FORMS}
    return {"requestBody": {"required": True, "content": content}}


def _made(endpoint: str, returns: bool, language: str) -> Iterator[Response]:
    """Yield every answer that there is, as the endpoint itself makes it."""
    wording = answers.Wording(language)
    keys = (*Verdict, answers.TROUBLE, answers.INVALID)
    if returns:
        for targets in (Landing("/success", "/failure", "/pending"), Landing()):
            told = (answers.Told(), answers.Told("ORD-1"))  # an order that may be named, or not
            yield from (answers.landing(k, each, targets, wording) for k in keys for each in told)
        return
    if endpoint == "confirm":
        yield answers.approved(wording)
        yield answers.refused(answers.reason_words("mismatch", None, wording), wording)
        keys = keys[-2:]
    more = (answers.TOO_LARGE, *([answers.FORBIDDEN] if endpoint == "webhook" else []))
    yield from (answers.verdict_answer(endpoint, key, wording) for key in (*keys, *more))


def _describe(endpoint: str, returns: bool) -> dict[int | str, dict[str, Any]]:
    """Describe each status code: its words as an enum, and each whole body as an example."""
    described: dict[int | str, dict[str, Any]] = {}
    languages = (_made(endpoint, returns, language) for language in ("ko", "en"))
    for answer, translated in zip(*languages, strict=True):
        headers = dict(answer.headers)
        about = described.setdefault(answer.status, {"description": "The built-in page"})
        for name in headers.keys() & {"Location", "Retry-After"}:
            about["headers"] = {name: {"schema": _TEXT}}
        if not answer.body:
            about["description"] = "To the shop's own page"
        elif returns:
            about["content"] = {"text/html": {"schema": _TEXT}}
        else:
            _add_example(about, json.loads(answer.body), json.loads(translated.body)["message"])
    return described


def _add_example(about: dict[str, Any], body: dict[str, str], sentence: str) -> None:
    schema = {"type": "object", "required": [*body], "properties": {k: {**_TEXT} for k in body}}
    content = about.setdefault("content", {"application/json": {"schema": schema, "examples": {}}})
    kind = content["application/json"]
    kind["examples"][body["status"]] = {"summary": sentence, "value": body}
    words = kind["schema"]["properties"]["status"]["enum"] = [*kind["examples"]]
    about["description"] = ", ".join(words)
