"""The endpoints in OpenAPI, made from the table of answers itself: for any framework's page, or as
a file by `python -m imp_verify.contrib.openapi`."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from .. import ConfigurationError, Landing, Response, Verdict
from .._web import answers
from .._web.endpoints import KEYS, METHODS, RETURN_KEYS
from .._web.script import MODULE
from ._mount import bare_prefix

__all__ = ["document", "paths"]

Described = dict[str, Any]

_SUMMARIES = {
    "complete": "Verify a payment that a browser made",
    "webhook": "The gateway tells of a payment",
    "confirm": "The gateway asks whether a payment may be approved",
}
_RETURN = "A browser comes back from the payment window"
_FIELDS: dict[str, Described] = {
    "imp_uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$"},
    "merchant_uid": {"type": "string", "minLength": 1, "maxLength": 64},
    # Not a list of types: OpenAPI 3.0, which many pages still are, has none.
    "amount": {
        "anyOf": [{"type": "number"}, {"type": "string"}],
        "description": "A number, or plain decimal text.",
    },
    "status": {"type": "string", "description": "Not believed."},
    "cancellation_id": {"type": "string", "description": "Not believed."},
}
_TEXT = {"type": "string"}
_EXAMPLES = {"imp_uid": "imp_123456789012", "merchant_uid": "ORD-1001", "amount": 39000}
_FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


def document(
    prefix: str = "/payments", *, name: str = "payments", accounts: bool = False
) -> Described:
    """Return a whole OpenAPI 3.1 document of the payment endpoints, to be served or saved as JSON.
    The arguments are those of `paths`.

    Raises:
        ConfigurationError: The prefix is no path.
    """
    described = paths(prefix, name=name, accounts=accounts)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Payments", "version": "1"},
        "paths": described,
    }


def paths(
    prefix: str = "/payments", *, name: str = "payments", accounts: bool = False
) -> dict[str, Described]:
    """Return the operations of each path, for the `paths` of a document of the shop's own, in
    OpenAPI 3.0 or 3.1. It is made anew at each call, and may be changed.

    Args:
        prefix: Where the endpoints are mounted, "/" where at the root.
        name: Their tag, and the beginning of their operation ids.
        accounts: Whether the verifier has `accounts=`: then every request must name its order.

    Raises:
        ConfigurationError: The prefix is no path.
    """
    bare = "" if prefix == "/" else bare_prefix(prefix)
    made = {
        f"{bare}/{endpoint}": {
            method.lower(): _operation(name, endpoint, method, accounts) for method in methods
        }
        for endpoint, methods in METHODS.items()
        if endpoint != MODULE
    }
    copied: dict[str, Described] = json.loads(json.dumps(made))  # nothing is shared within it
    return copied


def _operation(name: str, endpoint: str, method: str, order: bool) -> Described:
    """Describe one method; `order`: must a request name it?"""
    returns = method == "GET"
    return {
        "tags": [name],
        "summary": _RETURN if returns else _SUMMARIES[endpoint],
        "operationId": f"{name}_{endpoint}_{method.lower()}",
        **({"parameters": _query(order)} if returns else {"requestBody": _body(endpoint, order)}),
        "responses": _describe(endpoint, returns),
    }


def _query(order: bool) -> list[Described]:
    found = [{"name": k, "in": "query", "schema": _FIELDS.get(k, _TEXT)} for k in RETURN_KEYS]
    return [{**each, "required": order and each["name"] == "merchant_uid"} for each in found]


def _body(endpoint: str, order: bool) -> Described:
    ids = KEYS[endpoint] if endpoint == "confirm" else KEYS[endpoint][: 2 if order else 1]
    fields = {key: _FIELDS[key] for key in KEYS[endpoint]}
    schema = {"type": "object", "required": [*ids], "properties": fields}
    example = {key: _EXAMPLES[key] for key in fields if key in _EXAMPLES}
    content = {form: {"schema": schema, "example": example} for form in _FORMS}
    return {"required": True, "content": content}


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


def _describe(endpoint: str, returns: bool) -> Described:
    """Describe each status code: its words as an enum, and each whole body as an example."""
    described: Described = {}
    languages = (_made(endpoint, returns, language) for language in ("ko", "en"))
    for answer, translated in zip(*languages, strict=True):
        headers = dict(answer.headers)
        about = described.setdefault(str(answer.status), {"description": "The built-in page"})
        for name in headers.keys() & {"Location", "Retry-After"}:
            about["headers"] = {name: {"schema": _TEXT}}
        if not answer.body:
            about["description"] = "To the shop's own page"
        elif returns:
            about["content"] = {"text/html": {"schema": _TEXT}}
        else:
            _add_example(about, json.loads(answer.body), json.loads(translated.body)["message"])
    return described


def _add_example(about: Described, body: dict[str, str], sentence: str) -> None:
    schema = {"type": "object", "required": [*body], "properties": {k: {**_TEXT} for k in body}}
    content = about.setdefault("content", {"application/json": {"schema": schema, "examples": {}}})
    kind = content["application/json"]
    kind["examples"][body["status"]] = {"summary": sentence, "value": body}
    words = kind["schema"]["properties"]["status"]["enum"] = [*kind["examples"]]
    about["description"] = ", ".join(words)


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(
        prog="python -m imp_verify.contrib.openapi",
        description="Print the payment endpoints as an OpenAPI 3.1 document, in JSON.",
    )
    _ = parser.add_argument("--prefix", default="/payments", help="where they are mounted")
    _ = parser.add_argument("--name", default="payments", help="their tag")
    _ = parser.add_argument("--accounts", action="store_true", help="the verifier has accounts=")
    given = parser.parse_args(arguments)
    try:
        made = document(given.prefix, name=given.name, accounts=given.accounts)
    except ConfigurationError as error:
        parser.error(str(error))
    text = json.dumps(made, ensure_ascii=False, indent=2)
    _ = sys.stdout.buffer.write(f"{text}\n".encode())  # whatever the terminal's own encoding is
    return 0


if __name__ == "__main__":
    sys.exit(_main())
