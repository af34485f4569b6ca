"""A request and an answer as values, and reading a body or a query under the limits. No framework,
no rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl

from .._core.reading import check_imp_uid, check_merchant_uid, json_reader, read_amount
from ..errors import InvalidRequest
from ..models import Notice

__all__ = [
    "MAX_BODY",
    "Problem",
    "Request",
    "Response",
    "is_notice_of_v2",
    "read_notice",
    "read_return",
]

MAX_BODY = 64 * 1024
"""Bytes of a request's body that are accepted; an adapter reads one more at most."""

Problem: TypeAlias = Literal["too large", "incomplete", "too slow"]
"""What may be wrong with a body before anybody reads it."""

_MAX_FIELDS = 1000

_BOUNDARY = re.compile(r';[ \t]*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))[ \t]*(?:;|$)', re.I)
_FIELD = re.compile(r'[ \t]*form-data[ \t]*;[ \t]*name=(?:"([^"]*)"|([^\s;"]+))[ \t;]*', re.I)
"""A form's text field; one with a `filename`, a file, does not fit."""
_ENCODING = "content-transfer-encoding"
_AS_IT_STANDS = frozenset(("7bit", "8bit", "binary"))


@dataclass(frozen=True, slots=True)
class Request:
    """A request as its framework's adapter hands it over. The repr shows nothing that may name a
    buyer or hold a password.

    Attributes:
        query: The raw query string without "?", its bytes as Latin-1.
        headers: Name and value pairs as they came, repeated names included.
        body: The raw body, read no further than one byte over `MAX_BODY`.
        client: The peer's address, None where there is none.
        problem: Why the body is not all there, where an adapter could not read it whole: over its
            framework's own limit, shorter than it said, or not here in time. Nothing is read from
            `body` then, and the answer is 413 or 400.
        began: When it came in, in seconds of `time.monotonic()`, where its body was read after
            that.
    """

    method: str
    query: str = field(default="", repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    client: str | None = None
    began: float | None = None
    problem: Problem | None = None

    def values(self, name: str) -> list[str]:
        """Return the values of all headers of this (lower-case) name, in order."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer for an adapter to write as it stands: status, header pairs and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def length(self, method: str) -> int | None:
        """Return the `Content-Length` of this answer to a request by `method`; None where no body
        belongs to it: then it has none, or `headers` has it already."""
        return None if method == "HEAD" or self.status in (204, 304) else len(self.body)


def read_notice(request: Request, keys: Iterable[str], *, confirm: bool = False) -> Notice:
    """Read what the body of a POST claims.

    Args:
        keys: The fields that the endpoint knows; others are ignored.
        confirm: Whether all of imp_uid, merchant_uid and amount are required.

    Raises:
        InvalidRequest: A malformed or incomplete body, a malformed id or amount.
    """
    if request.problem is not None:
        raise InvalidRequest(f"the body is {request.problem}")
    content_types = request.values("content-type")
    fields = _read_body(request.body, content_types[0] if content_types else "", frozenset(keys))
    merchant_uid = fields.get("merchant_uid")
    amount = None
    if confirm:
        amount = read_amount(fields.get("amount"))
        if amount is None or merchant_uid is None:
            raise InvalidRequest(
                "amount is no number" if amount is None else "merchant_uid is missing"
            )
    return Notice(
        imp_uid=check_imp_uid(fields.get("imp_uid")),
        merchant_uid=None if merchant_uid is None else check_merchant_uid(merchant_uid),
        amount=amount,
    )


def is_notice_of_v2(request: Request) -> bool:
    """Whether a request that holds no notice of V1 is one of the gateway's other API, V2: whose
    payments have other ids, and cannot be looked up here.

    Source: V2 webhooks, versions 2024-01-01 (tx_id, payment_id) and 2024-04-25 (type, data).
    """
    if request.values("webhook-signature"):
        return True
    content_types = request.values("content-type")
    try:
        fields = _read_body(request.body, content_types[0] if content_types else "", _V2_KEYS)
    except InvalidRequest:
        return False
    dated = "type" in fields and isinstance(fields.get("data"), _Pairs)
    return dated or "tx_id" in fields or "payment_id" in fields


_V2_KEYS = frozenset(("tx_id", "payment_id", "type", "data"))


def read_return(request: Request, keys: Iterable[str]) -> Notice:
    """Read what the query of a browser coming back claims. Empty, `null` and `undefined` mean
    absent.

    Raises:
        InvalidRequest: A malformed id, or one key with two values.
    """
    if len(request.query) > MAX_BODY:
        raise InvalidRequest("the query is too long")
    try:
        text = request.query.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        text = request.query  # a server that has decoded it already
    pairs = [(key, value) for key, value in _read_form(text) if value not in _ABSENT]
    fields = _once(pairs, frozenset(keys))
    flags = (fields.get("imp_success"), fields.get("success"))
    failed = "error_code" in fields or any(
        flag is not None and str(flag).lower() not in _TRUE for flag in flags
    )
    imp_uid, merchant_uid = fields.get("imp_uid"), fields.get("merchant_uid")
    return Notice(
        imp_uid=None if imp_uid is None else check_imp_uid(imp_uid),
        merchant_uid=None if merchant_uid is None else check_merchant_uid(merchant_uid),
        failed=failed,
    )


_ABSENT = ("", "null", "undefined")
_TRUE = ("true", "1")


def _read_body(body: bytes, content_type: str, keys: frozenset[str]) -> Mapping[str, object]:
    try:
        if content_type.strip().lower().startswith("multipart/"):
            pairs = _read_multipart(body, content_type)
        else:
            text = body.decode("utf-8-sig")
            if text.lstrip()[:1] in ("{", "["):
                pairs = _read_json(body)
            else:
                pairs = _read_form(text.strip())
        return _once(pairs, keys)
    except InvalidRequest:
        raise
    except Exception as error:
        # Whatever the reader raises, RecursionError included, the body is malformed.
        raise InvalidRequest(f"the body cannot be read ({type(error).__name__})") from None


class _Pairs(list[tuple[str, object]]):
    """A JSON object as pairs, so that a key given twice is seen."""


_read = json_reader(_Pairs)


def _read_json(body: bytes) -> Sequence[tuple[str, object]]:
    value = _read(body)
    if not isinstance(value, _Pairs):
        raise InvalidRequest("the body is JSON, but no object")
    return value


def _read_form(text: str) -> Sequence[tuple[str, object]]:
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise InvalidRequest("too many fields") from None


def _read_multipart(body: bytes, content_type: str) -> Sequence[tuple[str, object]]:
    """Read the text fields of a form. By hand: the `email` package takes a minute of CPU for a
    body of 64 KiB that is full of quotes."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise InvalidRequest("the content type names no boundary")
    delimiter = f"\r\n--{found[1] or found[2]}".encode("ascii")
    _, *parts = (b"\r\n" + body).split(delimiter)
    if len(parts) < 2 or not parts.pop().startswith(b"--"):
        raise InvalidRequest("the multipart body is malformed")
    return [_read_part(part) for part in parts]


def _read_part(part: bytes) -> tuple[str, object]:
    head, blank, content = part.partition(b"\r\n\r\n")
    padding, *lines = head.decode("utf-8").split("\r\n")
    headers = [(name.lower(), value) for name, _, value in (line.partition(":") for line in lines)]
    dispositions = [value for name, value in headers if name == "content-disposition"]
    encodings = {value.strip().lower() for name, value in headers if name == _ENCODING}
    found = _FIELD.fullmatch(dispositions[0]) if len(dispositions) == 1 else None
    if found is None or not blank or padding.strip(" \t") or encodings - _AS_IT_STANDS:
        raise InvalidRequest("a part of the body is no text field")
    return found[1] or found[2] or "", content.decode("utf-8")


def _once(pairs: Iterable[tuple[str, object]], keys: frozenset[str]) -> Mapping[str, object]:
    """Return the known keys' values, null ones left out; two different values for one key are
    malformed."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key not in keys:
            continue
        if key in found and (type(value) is not type(found[key]) or value != found[key]):
            raise InvalidRequest(f"{key} is given twice")
        found[key] = value
    return {key: value for key, value in found.items() if value is not None}
