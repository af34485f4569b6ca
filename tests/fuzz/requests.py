"""Targets: what a shop's endpoints read: bodies, queries, forms in parts, and what others have
parsed before."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

from imp_verify import MAX_BODY, InvalidRequest, Request
from imp_verify._web.endpoints import KEYS, RETURN_KEYS
from imp_verify._web.http import is_notice_of_v2, read_notice, read_return
from imp_verify.contrib._bodies import form_body, read_body
from imp_verify.models import Notice

from .drawing import DIGITS, ID, Draw, hostile, json_object, json_text, long, mutated, text, word
from .target import Case, Target, sentence

__all__ = ["BODY", "FORMS", "MULTIPART", "NOTICE", "QUERY", "latin"]

_KEYS = KEYS["confirm"]
_NAMES = (*_KEYS, "status", "x")
_IMP_UIDS = ("imp_100000000001", "imp_1", "a", "-", "_" * 32, "A" * 33, "..", "imp_1/cancel")
_NUMBERS = ("ORD-1001", "주문-1001", "a b", "x" * 64, "x" * 65, " a", "0", "%25", "a&b=c", "+")
_TYPES = (
    *("application/json", "application/x-www-form-urlencoded", "text/plain", "", None),
    *("Application/JSON; charset=UTF-8", "multipart/form-data", "multipart/form-data; boundary=x"),
)
_SAID = re.compile(
    r"the body is (too large|incomplete|too slow)|the query is too long|amount is no number"
    r"|merchant_uid is missing|the body cannot be read \([A-Z]\w{3,40}\)|too many fields"
    r"|the body is JSON, but no object|the content type names no boundary"
    r"|the multipart body is malformed|a part of the body is no text field"
    r"|(imp_uid|merchant_uid|amount|status|imp_success|success|error_code|error_msg) is given twice"
    r"|imp_uid is not 1 to 32 letters, digits, _ or -"
    r"|merchant_uid is not 1 to 64 printable characters"
)


def request(case: Case) -> Request:
    """Make a POST of a content type and a body."""
    headers = () if case["type"] is None else (("Content-Type", case["type"]),)
    return Request("POST", headers=headers, body=case["body"].encode("latin-1"))


def _check_notice(notice: Notice) -> None:
    """A notice holds ids of the documented form and an exact amount, and nothing else."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", notice.imp_uid or "-")
    if notice.merchant_uid is not None:
        number = notice.merchant_uid
        assert 0 < len(number) <= 64, number
        assert number.isprintable()
        assert number == number.strip()
    if notice.amount is not None:
        assert type(notice.amount) is Decimal
        assert 0 <= notice.amount < 10**18
        assert int(notice.amount.as_tuple().exponent) >= -8


def _read(case: Case) -> Notice | str:
    """Read a body; what was wrong with it, where something was."""
    asked = request(case)
    assert type(is_notice_of_v2(asked)) is bool
    try:
        notice = read_notice(asked, _KEYS, confirm=case.get("confirm", False))
    except InvalidRequest as error:
        return sentence(error, _SAID)
    _check_notice(notice)
    assert notice.imp_uid is not None
    return notice


# Any body.


def latin(given: str, *, bytes_too: bool = False) -> str:
    """Return text as the bytes of its UTF-8, each a character; lone surrogates as they come.

    Args:
        bytes_too: Whether what is a byte already stays one.
    """
    if bytes_too:
        return re.sub("[^\x00-\xff]", lambda found: latin(found[0]), given)
    return given.encode("utf-8", "surrogatepass").decode("latin-1")


def _broken(draw: Draw, body: str) -> str:
    """Change bytes; what is put in is put in as UTF-8."""
    return latin(mutated(draw, body), bytes_too=True)


def _fields(draw: Draw) -> list[tuple[str, str]]:
    names = draw.choices(_NAMES, 4) + ["imp_uid"] * (draw.random() < 0.6)
    values = {"imp_uid": _IMP_UIDS, "merchant_uid": _NUMBERS, "amount": ("39000", "1.5", "1e3")}
    return [(name, hostile(draw, values.get(name, _NUMBERS), 0.8)) for name in names]


def _any_json(draw: Draw) -> str:
    pairs = [
        (name, json.dumps(value, ensure_ascii=draw.random() < 0.5) if value else json_text(draw))
        for name, value in _fields(draw)
    ]
    if draw.random() < 0.2:
        pairs.append((draw.choice(_NAMES), json_text(draw)))
    return json_object(pairs) if draw.random() < 0.95 else json_text(draw)


_ENCODINGS: tuple[Callable[[str], str], ...] = (quote, quote_plus, str)


def _any_form(draw: Draw) -> str:
    encode: Callable[[str], str] = draw.choice(_ENCODINGS)
    joint = draw.choice(("&", "&", "&", ";", "&&"))
    fields = ((name, value.encode("utf-8", "replace").decode()) for name, value in _fields(draw))
    return joint.join(f"{name}={encode(value)}" for name, value in fields)


def _deep(draw: Draw) -> str:
    pieces = draw.choices(("[", "{", '{"imp_uid":', "]", "}", '"', '"[', "[{}", ",", "\\"), 3)
    return "".join(pieces) * draw.choice((1, 40, 101, 2000))


def _draw_body(draw: Draw) -> Case:
    kind = draw.below(200)
    if kind < 90:
        body = _any_json(draw)
    elif kind < 160:
        body = _any_form(draw)
    elif kind < 180:
        body = text(draw)
    elif kind < 199:
        body = _deep(draw)
    else:
        body = '{"imp_uid":"' + long(draw, MAX_BODY)
    body = latin(body)
    if draw.random() < 0.3:
        body = _broken(draw, body)
    return {"type": draw.choice(_TYPES), "body": body, "confirm": draw.random() < 0.3}


def _check_body(case: Case) -> str:
    read = _read(case)
    if isinstance(read, str):
        return read
    assert read.imp_uid in case["body"] or "\\u" in case["body"] or "%" in case["body"]
    _check_json(case, read)
    return "read"


def _check_json(case: Case, notice: Notice) -> None:
    """An object of JSON that was accepted says the same to Python's own reader, once."""
    body = case["body"].encode("latin-1").decode("utf-8-sig")
    if not body.lstrip().startswith("{") or (case["type"] or "").startswith("multipart"):
        return
    pairs = json.loads(body, object_pairs_hook=list, parse_float=Decimal)
    for name, read in (("imp_uid", notice.imp_uid), ("merchant_uid", notice.merchant_uid)):
        said = [value for key, value in pairs if key == name]
        assert all(value == said[0] for value in said)
        assert read == (said[0] if said else None)


BODY = Target(
    "body",
    "Any body under any content type is a Notice of checked ids and an exact amount, or "
    "InvalidRequest in a fixed sentence; an object says what Python's own JSON reader reads.",
    _draw_body,
    _check_body,
)


# A query.


def _draw_query(draw: Draw) -> Case:
    if draw.below(2000) == 0:
        return "imp_uid=" + quote(long(draw, MAX_BODY), errors="replace")
    flags = (
        "imp_success=true",
        "success=1",
        "imp_success=False",
        "error_code=F0001",
        "error_msg=x",
    )
    query = "&".join([_any_form(draw), *draw.choices(flags, 2)[draw.below(2) :]])
    if draw.random() < 0.5:
        query = latin(query)
    return mutated(draw, query) if draw.random() < 0.3 else query


def _check_query(case: Case) -> str:
    try:
        notice = read_return(Request("GET", query=case), RETURN_KEYS)
    except InvalidRequest as error:
        return sentence(error, _SAID)
    _check_notice(notice)
    assert notice.amount is None
    assert type(notice.failed) is bool
    return "failed" if notice.failed else "read" if notice.imp_uid else "without imp_uid"


QUERY = Target(
    "query",
    "Any query string is a Notice of checked ids, or InvalidRequest in a fixed sentence.",
    _draw_query,
    _check_query,
)


# A form in parts.


def _part(draw: Draw, name: str, value: str) -> str:
    quoted = draw.choice((f'"{name}"', f'"{name}"', name))
    more = draw.choice(("", "", "", "; filename=a", '; filename="a.txt"', " ;", "; x=y", "\r\n\tz"))
    lines = [f"Content-Disposition: form-data; name={quoted}{more}"]
    extra = (
        *("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", ""),
        *("Content-Transfer-Encoding: base64", "content-disposition: form-data; name=imp_uid"),
    )
    if draw.random() < 0.3:
        lines.append(draw.choice(extra))
        lines = lines[:: draw.choice((1, -1))]
    return "\r\n".join(lines) + f"\r\n\r\n{value}"


def _draw_multipart(draw: Draw) -> Case:
    boundary = draw.choice(("x", "----WebKitFormBoundary7MA4", "a'b", "=_1", "x--", "b" * 70))
    quoted = draw.choice((f'"{boundary}"', boundary, boundary + ";", f"{boundary}; charset=utf-8"))
    fields = _fields(draw)[: 1 + draw.below(4)]
    body = "".join(f"--{boundary}\r\n{_part(draw, name, value)}\r\n" for name, value in fields)
    body = latin(body + f"--{boundary}--" + draw.choice(("", "\r\n", "\r\nepilogue")))
    kind = draw.choice(("multipart/form-data; boundary=", "Multipart/Form-Data;boundary="))
    content_type = kind + quoted
    chance = draw.below(1000)
    if chance < 350:
        body = _broken(draw, body)
    elif chance < 400:
        content_type = mutated(draw, content_type)
    elif chance == 999:
        body = latin(long(draw, MAX_BODY // 2)) + body
    return {"type": content_type, "body": body}


def _check_multipart(case: Case) -> str:
    read = _read(case)
    if isinstance(read, str):
        return read
    # It stands there whole, between the end of a part's head and a boundary, and is no file.
    body = "\r\n" + case["body"]
    found = re.findall(rf"\r\n\r\n{re.escape(str(read.imp_uid))}(?=\r\n--)", body)
    assert found or not case["type"].strip().lower().startswith("multipart/")
    return "read"


MULTIPART = Target(
    "multipart",
    "A form in parts, broken anywhere, is a Notice whose imp_uid stands whole in a text field of "
    "it, or InvalidRequest in a fixed sentence.",
    _draw_multipart,
    _check_multipart,
)


# What was written is read.


_WAYS = ("json", "json", "form", "multipart", "query")
_ABSENT = ("", "null", "undefined")


def _draw_written(draw: Draw) -> Case:
    number = draw.choice((word(draw, 64).strip(), hostile(draw, _NUMBERS)))
    digits = word(draw, 18, DIGITS) or "0"
    amount = digits if draw.random() < 0.5 else f"{digits}.{word(draw, 8, DIGITS) or '0'}"
    way, twice = draw.choice(_WAYS), draw.choice((None, None, "same", "other"))
    if twice == "other" and number in _ABSENT:
        number = "x"
    return {
        "fields": {
            "imp_uid": word(draw, 32, ID) or "a",
            "merchant_uid": number,
            "amount": amount,
        },
        "as": way,
        "style": draw.below(64),
        "twice": twice,
    }


def _written(case: Case) -> Case:
    """Write the fields as somebody's program would."""
    style, fields = case["style"], list(case["fields"].items())
    if case["twice"]:
        # Another value of the last field, or the same one, in front of all.
        name, value = fields[style % 3]
        fields.insert(0, (name, value + "1" if case["twice"] == "other" else value))
    if case["as"] == "multipart":
        boundary = "----" + "b" * (1 + style % 60)
        parts = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields
        )
        return {
            "type": f'multipart/form-data; boundary="{boundary}"',
            "body": latin("".join(parts) + f"--{boundary}--\r\n"),
        }
    if case["as"] == "json":
        amount = style & 4 and not case["fields"]["amount"].startswith("0")
        pairs = [
            (name, value if name == "amount" and amount else json.dumps(value, ensure_ascii=False))
            for name, value in fields
        ]
        body = json_object([("x", '{"imp_uid":"other"}'), *pairs])
        blank = "\r\n \t" if style & 1 else ""
        return {"type": "text/x", "body": latin(("\ufeff" if style & 2 else "") + blank + body)}
    by = quote_plus if style & 1 else quote
    return {"type": None, "body": urlencode(fields, quote_via=by, errors="surrogatepass")}


def _check_written(case: Case) -> str:
    fields = case["fields"]
    number = fields["merchant_uid"]
    # In a query the empty text and two words mean that nothing is there.
    query = case["as"] == "query"
    absent = number in _ABSENT
    good = number.isprintable() and number == number.strip() and 0 < len(number) <= 64
    written = _written(case)
    try:
        if query:
            notice = read_return(Request("GET", query=written["body"]), _KEYS)
        else:
            notice = read_notice(request(written), _KEYS, confirm=True)
    except InvalidRequest as error:
        told = sentence(error, _SAID)
        assert case["twice"] == "other" or not (good or (query and absent)), told
        return told
    assert case["twice"] != "other"
    assert notice.imp_uid == fields["imp_uid"]
    assert notice.merchant_uid == (None if query and absent else number)
    assert query or notice.amount == Decimal(fields["amount"])
    return f"the same, {case['as']}"


NOTICE = Target(
    "notice",
    "What was written as JSON, as a form, in parts or into a query is read as it was meant; one "
    "field with two values never is.",
    _draw_written,
    _check_written,
)


# What a server or a framework hands over.


def _draw_forms(draw: Draw) -> Case:
    fields = [[text(draw), text(draw)] for _ in range(draw.below(4))]
    if draw.random() < 0.4:
        broken = _any_json(draw).split("&")
        fields = [list(each.partition("=")[::2]) for each in broken]
    chunks = [word(draw, 40) for _ in range(draw.below(4))]
    if draw.below(500) == 0:
        chunks += ["x" * 40000] * 2
    whole = str(sum(map(len, chunks)))
    likely = (whole, whole, whole + " ", "0", "+5", "1_0", "-1", "٣", "9" * 19, "9" * 20)
    return {"fields": fields, "chunks": chunks, "length": hostile(draw, likely, 0.9)}


def _check_forms(case: Case) -> str:
    fields = [(name, value) for name, value in case["fields"]]
    json_like = bool(fields) and fields[0][0].lstrip()[:1] in ("{", "[")
    try:
        written = form_body(fields)
    except UnicodeEncodeError:  # a framework decodes with care: none hands out half a character
        assert any("\ud800" <= each <= "\udfff" for pair in fields for each in "".join(pair))
    else:
        if not json_like:
            again = parse_qsl(written.decode(), keep_blank_values=True)
            assert again == fields
    left = [each.encode() for each in case["chunks"]]
    whole = b"".join(left)
    asked: list[int] = []

    def read(size: int) -> bytes:
        asked.append(size)
        if not left:
            return b""
        chunk, left[0] = left[0][:size], left[0][size:]
        if not left[0]:
            left.pop(0)
        return chunk or read(size)

    body, problem = read_body(read, case["length"])
    assert problem in (None, "incomplete")
    assert sum(asked[:1]) <= MAX_BODY + 1
    assert body == b"" if problem else body == whole[: MAX_BODY + 1]
    return f"{problem or 'whole'}, {'JSON in a form' if json_like else 'a form'}"


FORMS = Target(
    "forms",
    "A body is read one byte over the limit at most, whatever length it claims; a form that a "
    "framework has parsed is written as the form it was.",
    _draw_forms,
    _check_forms,
)
