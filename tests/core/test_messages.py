"""Reading a body or a query: what counts as an id, what is malformed, and that nothing else ever
comes out."""

from __future__ import annotations

import json
import sys
import unicodedata
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imp_verify import MAX_BODY, InvalidRequest, Request, Response
from imp_verify._core.reading import check_imp_uid, check_merchant_uid, is_merchant_uid
from imp_verify._web.http import read_notice, read_return
from imp_verify.models import Notice

from .values import I1, ORDER

KEYS = ("imp_uid", "merchant_uid", "status", "cancellation_id")
CONFIRM = ("imp_uid", "merchant_uid", "amount")
RETURN = ("imp_uid", "merchant_uid", "imp_success", "success", "error_code", "error_msg")
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def told(body: bytes | str, content_type: str | None = JSON, *, confirm: bool = False) -> Notice:
    sent = body.encode() if isinstance(body, str) else body
    headers = () if content_type is None else (("Content-Type", content_type),)
    request = Request("POST", headers=headers, body=sent)
    return read_notice(request, CONFIRM if confirm else KEYS, confirm=confirm)


def asked(query: str) -> Notice:
    return read_return(Request("GET", query), RETURN)


def malformed(body: bytes | str, content_type: str | None = JSON, *, confirm: bool = False) -> None:
    with pytest.raises(InvalidRequest):
        told(body, content_type, confirm=confirm)


def multipart(
    *fields: tuple[str, str], boundary: str = "b", head: str = "", end: str = "--\r\n"
) -> bytes:
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n{head}\r\n{value}\r\n'
        for name, value in fields
    )
    return ("".join(parts) + f"--{boundary}{end}").encode()


MULTIPART = "multipart/form-data; boundary=b"
NOTICE = Notice(I1, ORDER)
WEBHOOK_JSON = json.dumps({"imp_uid": I1, "merchant_uid": ORDER, "status": "paid"})
WEBHOOK_FORM = f"imp_uid={I1}&merchant_uid={ORDER}&status=paid"
LABELS = [
    *(JSON, FORM, None, "", "text/plain", "application/json; charset=UTF-8", "Application/JSON"),
    *("application/json;", "application/vnd.x+json", "multipart", "x-multipart/form-data", "\xff"),
]


# --- which format --------------------------------------------------------------------------------


@pytest.mark.parametrize("label", LABELS)
def test_the_first_character_tells_json_from_form_text_and_the_label_nothing(
    label: str | None,
) -> None:
    assert told(WEBHOOK_JSON, label) == NOTICE
    assert told(" \r\n\t" + WEBHOOK_JSON + "\n", label) == NOTICE
    assert told(WEBHOOK_FORM, label) == NOTICE
    assert told(WEBHOOK_FORM + "\r\n", label) == NOTICE


@pytest.mark.parametrize("body", [WEBHOOK_JSON, " \n" + WEBHOOK_JSON, WEBHOOK_FORM])
def test_a_byte_order_mark_is_dropped(body: str) -> None:
    assert told(b"\xef\xbb\xbf" + body.encode()) == NOTICE


def test_only_the_first_label_counts_and_its_name_is_read_in_any_case() -> None:
    headers = (("CONTENT-TYPE", MULTIPART), ("content-type", JSON))
    request = Request("POST", headers=headers, body=multipart(("imp_uid", I1)))
    assert read_notice(request, KEYS) == Notice(I1)
    with pytest.raises(InvalidRequest):
        read_notice(Request("POST", headers=headers[::-1], body=request.body), KEYS)


def test_percent_and_plus_of_form_text_are_decoded_once() -> None:
    assert told(f"imp_uid={I1}&merchant_uid=%EC%A3%BC%EB%AC%B8+1").merchant_uid == "주문 1"
    assert told(f"imp_uid={I1}&merchant_uid=%25EC%2B1").merchant_uid == "%EC+1"
    assert told(f"imp_uid={I1}&merchant_uid=주문-1").merchant_uid == "주문-1"
    assert told(f"imp_uid={I1}&merchant_uid=a=b;c").merchant_uid == "a=b;c"


def test_a_form_label_in_json_is_read_as_json_escapes() -> None:
    body = '{"imp_uid":"imp_1","merchant_uid":"\\uc8fc\\ubb38-1"}'
    assert told(body, FORM).merchant_uid == "주문-1"


# --- what is malformed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"[]", b"null", b"42", b'"imp_1"', b"true", b"[[]]", b"{}", b'{"imp_uid":{}}'),
        *(b"{", b"}", b'{"imp_uid":"imp_1"', b'{"imp_uid":"imp_1"} x', b'{"imp_uid":"imp_1",}'),
        *(b"[" * 20_000, b'{"a":' * 10_000, b"[" * 20_000 + b"]" * 20_000, b"{'imp_uid':'imp_1'}"),
        *(b'[{"imp_uid":"imp_1"}]', b"imp_1", b"imp_uid", b"imp_uid=", b"=imp_1", b"&&&"),
        *(b"\xff\xfe{\x00}\x00", b"\xb0\xa1", b'{"imp_uid":"imp_1","x":"\xff"}', b"\x00"),
        *(b"imp_uid=imp_1&x=\xff", b'{"imp_uid":"imp_1"}\x00', b"\xa0{}", b"\xef\xbb\xbf"),
        *(b"a=1&" * 1100 + b"imp_uid=imp_1", b"\xef\xbb\xbf\xef\xbb\xbf" + WEBHOOK_JSON.encode()),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_no_object_with_an_id_is_malformed(body: bytes) -> None:
    for label in (JSON, FORM, None, MULTIPART):
        malformed(body, label)
        malformed(body, label, confirm=True)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "9" * 5000, "1e99999999999999999999"]
)
def test_a_number_that_is_none_makes_the_whole_body_malformed(number: str) -> None:
    malformed(f'{{"imp_uid":"imp_1","x":{number}}}')
    malformed(f'{{"imp_uid":"imp_1","merchant_uid":"A","amount":{number}}}', confirm=True)


@pytest.mark.parametrize("number", ["1" * 4000, "1e400", "-1e-400", "0." + "1" * 4000, "-0"])
def test_any_other_number_in_a_key_that_is_not_ours_is_ignored(number: str) -> None:
    assert told(f'{{"imp_uid":"{I1}","x":{number}}}') == Notice(I1)


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        '{"imp_uid":"imp_1","imp_uid":"imp_2"}',
        '{"imp_uid":"imp_1","imp_uid":null}',
        '{"imp_uid":null,"imp_uid":"imp_1"}',
        '{"imp_uid":"imp_1","imp_uid":["imp_1"]}',
        '{"imp_uid":"imp_1","merchant_uid":"A","merchant_uid":"a"}',
        '{"imp_uid":"imp_1","status":"paid","status":"ready"}',
        '{"imp_uid":"imp_1","status":1,"status":1.0}',
        '{"imp_uid":"imp_1","status":1,"status":true}',
        '{"imp_uid":"imp_1","status":"1","status":1}',
        '{"imp_uid":"imp_1","cancellation_id":{"a":1},"cancellation_id":{"a":2}}',
        '{"imp_uid":"imp_1","\\u0069mp_uid":"imp_2"}',
        "imp_uid=imp_1&imp_uid=imp_2",
        "imp_uid=imp_1&imp_uid=",
        "imp_uid=imp_1&imp_uid",
        "imp_uid=imp_1&%69mp_uid=imp_2",
        "imp_uid=imp_1&status=paid&status=ready",
    ],
)
def test_a_key_given_twice_with_two_values_is_malformed(body: str) -> None:
    malformed(body)


@pytest.mark.parametrize(
    "body",
    [
        '{"imp_uid":"imp_1","imp_uid":"imp_1"}',
        '{"imp_uid":"imp_1","status":null,"status":null}',
        '{"imp_uid":"imp_1","cancellation_id":{"a":[1]},"cancellation_id":{"a":[1]}}',
        "imp_uid=imp_1&imp_uid=imp_1",
        "imp_uid=imp_1&imp%5Fuid=imp%5F1",
    ],
)
def test_a_key_given_twice_with_one_value_is_given_once(body: str) -> None:
    assert told(body) == Notice("imp_1")


@pytest.mark.parametrize(
    "body",
    [
        '{"x":1,"imp_uid":"imp_1","x":2,"anything_new":{"a":{"imp_uid":"imp_9"}}}',
        '{"imp_uid":"imp_1","IMP_UID":"imp_2","imp_uid ":"imp_3","amount":1,"amount":2}',
        "x=1&imp_uid=imp_1&x=2&IMP_UID=imp_2&imp_uid[]=imp_3&x=%ff",
    ],
)
def test_other_keys_are_ignored_however_often_they_come(body: str) -> None:
    assert told(body) == Notice("imp_1")


def test_absent_and_null_are_absent_and_empty_is_malformed() -> None:
    assert told('{"imp_uid":"imp_1","merchant_uid":null}') == Notice("imp_1")
    assert told('{"imp_uid":"imp_1","status":null,"cancellation_id":null}') == Notice("imp_1")
    for body in ('{"merchant_uid":"A"}', '{"imp_uid":null}', '{"imp_uid":""}', "merchant_uid=A"):
        malformed(body)
    malformed('{"imp_uid":"imp_1","merchant_uid":""}')
    malformed("imp_uid=imp_1&merchant_uid=")


def test_what_a_notice_says_of_status_and_cancellation_is_never_believed() -> None:
    body = {"imp_uid": I1, "merchant_uid": ORDER, "status": {"a": 1}, "cancellation_id": 5}
    assert told(json.dumps(body)) == NOTICE


@pytest.mark.parametrize(
    "value", [{"$ne": None}, ["imp_1"], [], {}, 1, 0, 1.5, True, False, {"__in": ["ORD-1001"]}]
)
def test_an_id_that_is_no_text_is_malformed(value: object) -> None:
    malformed(json.dumps({"imp_uid": value, "merchant_uid": ORDER}))
    malformed(json.dumps({"imp_uid": I1, "merchant_uid": value}))
    malformed(json.dumps({"imp_uid": I1, "merchant_uid": value, "amount": 1}), confirm=True)


# --- ids -----------------------------------------------------------------------------------------

BAD_IMP_UIDS = [
    *("../users/getToken", "..", ".", "%2e%2e", "imp_1?x=1", "imp_1#", "imp_1/cancel", "imp_1\n"),
    *(
        "",
        "x" * 33,
        "x" * 300,
        " imp_1",
        "imp_1 ",
        "imp 1",
        "imp_1\x00",
        "imp_１",
        "ｉmp_1",
        "임프",
    ),
    *(
        "imp.1",
        "imp:1",
        "imp\\1",
        "imp,1",
        "imp;1",
        "imp_1\r\nX: y",
        "é",
        "\u200bimp_1",
        "imp_1%0a",
    ),
    *("imp_1&x", "imp_1=", "imp+1", "٣", "²", "\ud800"),
]


@pytest.mark.parametrize("value", BAD_IMP_UIDS, ids=ascii)
def test_an_imp_uid_of_any_other_shape_is_malformed(value: str) -> None:
    with pytest.raises(InvalidRequest, match="imp_uid"):
        check_imp_uid(value)
    malformed(json.dumps({"imp_uid": value}))
    if value not in ("", "\ud800"):
        malformed(f"imp_uid={quote(value, safe='')}")
        with pytest.raises(InvalidRequest):
            asked(f"imp_uid={quote(value, safe='')}")


@pytest.mark.parametrize("value", ["a", "0", "_", "-", "imps_1", "A" * 32, "-_-", "IMP_1"])
def test_an_imp_uid_is_1_to_32_letters_digits_underscores_and_dashes(value: str) -> None:
    assert check_imp_uid(value) == value
    assert told(json.dumps({"imp_uid": value})) == Notice(value)


@pytest.mark.parametrize("value", [None, 1, b"imp_1", ["imp_1"], True])
def test_an_id_given_by_a_caller_that_is_no_text_is_malformed(value: object) -> None:
    with pytest.raises(InvalidRequest):
        check_imp_uid(value)
    with pytest.raises(InvalidRequest):
        check_merchant_uid(value)
    assert not is_merchant_uid(value)


BAD_MERCHANT_UIDS = [
    *(
        "",
        " ",
        " A",
        "A ",
        "A\n",
        "\tA",
        "A\x00B",
        "A\rB",
        "A\x7fB",
        "x" * 65,
        "\u3000A",
        "A\u3000",
    ),
    *("A\u2028B", "A\u200bB", "A\u00a0", "\ufeffA", "A\u202eB", "\ud800", "A\x1fB", "A\u0085B"),
]


@pytest.mark.parametrize("value", BAD_MERCHANT_UIDS, ids=ascii)
def test_a_merchant_uid_with_anything_unprintable_or_white_at_an_end_is_malformed(
    value: str,
) -> None:
    with pytest.raises(InvalidRequest, match="merchant_uid"):
        check_merchant_uid(value)
    assert not is_merchant_uid(value)
    malformed(json.dumps({"imp_uid": I1, "merchant_uid": value}))


@pytest.mark.parametrize(
    "value",
    [
        *("A", "x" * 64, "주" * 64, "ORD 1001", "주문-1001", "../x", "..", "a/b?c#d", "%2e", "😀"),
        *(
            "null",
            "undefined",
            "'; DROP TABLE orders; --",
            "<script>",
            "{merchant_uid}",
            "\u00e0",
            "a\u0300",
        ),
    ],
)
def test_a_merchant_uid_is_1_to_64_printable_characters_and_stays_as_it_is(value: str) -> None:
    assert check_merchant_uid(value) == value
    assert told(json.dumps({"imp_uid": I1, "merchant_uid": value})).merchant_uid == value
    assert told(f"imp_uid={I1}&merchant_uid={quote(value, safe='')}").merchant_uid == value


def test_what_is_refused_names_no_value() -> None:
    for body in ('{"imp_uid":"secret thing"}', '{"imp_uid":"imp_1","merchant_uid":" secret"}'):
        with pytest.raises(InvalidRequest) as caught:
            told(body)
        assert "secret" not in str(caught.value)


# --- confirm -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "exact"),
    [
        ("39000", "39000"),
        ("39000.0", "39000"),
        ("0.07", "0.07"),
        ("4503599627370497.5", "4503599627370497.5"),
        ('"39000"', "39000"),
        ('"39000.00"', "39000"),
        ("3.9e4", "39000"),
        ("0", "0"),
        ("-0.0", "0"),
    ],
)
def test_the_amount_of_a_confirm_is_read_exactly(amount: str, exact: str) -> None:
    notice = told(f'{{"imp_uid":"{I1}","merchant_uid":"A","amount":{amount}}}', confirm=True)
    assert notice.amount == Decimal(exact)
    form = told(f"imp_uid={I1}&merchant_uid=A&amount={exact}", confirm=True)
    assert form.amount == Decimal(exact)


@pytest.mark.parametrize(
    "amount",
    [
        *("null", "true", '""', '"x"', '"39,000"', '"39000원"', '" 39000 "', '"1e3"', '"+1"'),
        *("[]", "{}", "-1", "1e18", "0.000000001", '"NaN"', '"１"', '"0x10"', '"1_000"', '"-0"'),
    ],
)
def test_a_confirm_without_a_plain_amount_is_malformed(amount: str) -> None:
    malformed(f'{{"imp_uid":"{I1}","merchant_uid":"A","amount":{amount}}}', confirm=True)


@pytest.mark.parametrize("missing", CONFIRM)
def test_a_confirm_needs_all_three(missing: str) -> None:
    whole = {"imp_uid": I1, "merchant_uid": ORDER, "amount": 39000}
    assert told(json.dumps(whole), confirm=True) == Notice(I1, ORDER, amount=Decimal(39000))
    malformed(json.dumps({**whole, missing: None}), confirm=True)
    malformed(json.dumps({key: whole[key] for key in whole if key != missing}), confirm=True)


def test_two_amounts_in_a_confirm_are_malformed_also_where_they_are_equal_numbers() -> None:
    start = f'{{"imp_uid":"{I1}","merchant_uid":"A","amount":1,"amount":'
    malformed(start + "2}", confirm=True)
    malformed(start + "1.0}", confirm=True)
    assert told(start + "1}", confirm=True).amount == 1


# --- multipart -----------------------------------------------------------------------------------

FIELDS = (("imp_uid", I1), ("merchant_uid", ORDER), ("status", "paid"))


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (multipart(*FIELDS), MULTIPART),
        (multipart(*FIELDS), 'multipart/form-data; boundary="b"'),
        (multipart(*FIELDS), "Multipart/Form-Data;charset=UTF-8;BOUNDARY=b; x=y"),
        (multipart(*FIELDS, end="--"), MULTIPART),
        (b"preamble\r\n" + multipart(*FIELDS) + b"epilogue", MULTIPART),
        (
            multipart(*FIELDS, boundary="--x-:'()+_,./=?"),
            'multipart/form-data; boundary="--x-:\'()+_,./=?"',
        ),
        (multipart(*FIELDS, head="Content-Type: text/plain; charset=UTF-8\r\n"), MULTIPART),
        (multipart(*FIELDS, head="content-transfer-encoding: 8bit\r\n"), MULTIPART),
        (multipart(*FIELDS).replace(b"--b\r\n", b"--b \t\r\n"), MULTIPART),
        (multipart(*FIELDS).replace(b'"imp_uid"', b"imp_uid"), MULTIPART),
        (multipart(*FIELDS).replace(b"form-data; name", b"FORM-DATA;name"), MULTIPART),
        (multipart(*FIELDS, ("x", "a\r\nb\r\n--c")), MULTIPART),
        (multipart(*FIELDS, ("x\\", ""), ("", "y")), MULTIPART),
    ],
)
def test_the_text_fields_of_a_multipart_form_are_read(body: bytes, label: str) -> None:
    assert told(body, label) == NOTICE


def test_korean_text_in_a_multipart_form_is_utf_8() -> None:
    assert told(multipart(("imp_uid", I1), ("merchant_uid", "주문-1")), MULTIPART).merchant_uid == (
        "주문-1"
    )
    body = multipart(("imp_uid", I1), ("merchant_uid", "X"))
    malformed(body.replace(b"X", "주문".encode("euc-kr")), MULTIPART)


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (multipart(*FIELDS), "multipart/form-data"),
        (multipart(*FIELDS), "multipart/form-data; boundary="),
        (multipart(*FIELDS), "multipart/form-data; boundary=c"),
        (multipart(*FIELDS), "multipart/form-data; boundary=é"),
        (multipart(*FIELDS), "multipart/form-data; boundary=" + "b" * 71),
        (multipart(*FIELDS), "multipart/form-data; xboundary=b"),
        (multipart(*FIELDS, end=""), MULTIPART),
        (multipart(*FIELDS, end="\r\n"), MULTIPART),
        (multipart(*FIELDS)[:-20], MULTIPART),
        (multipart(*FIELDS) + multipart(*FIELDS), MULTIPART),
        (multipart(), MULTIPART),
        (multipart(("imp_uid", I1), ("imp_uid", "imp_2")), MULTIPART),
        (multipart(("imp_uid", I1 + "\r\n")), MULTIPART),
        (multipart(("imp_uid", "")), MULTIPART),
        (multipart(("merchant_uid", ORDER)), MULTIPART),
        (multipart(*FIELDS).replace(b'"status"', b'"status"; filename="a"'), MULTIPART),
        (multipart(*FIELDS).replace(b'"status"', b'"status"; filename=""'), MULTIPART),
        (multipart(*FIELDS).replace(b'"status"', b"\"status\"; filename*=utf-8''a"), MULTIPART),
        (multipart(*FIELDS).replace(b'name="imp_uid"', b'filename="a"; name="imp_uid"'), MULTIPART),
        (multipart(*FIELDS).replace(b"form-data", b"attachment"), MULTIPART),
        (multipart(*FIELDS).replace(b"Content-Disposition", b"X"), MULTIPART),
        (multipart(*FIELDS, head="Content-Disposition: form-data; name=x\r\n"), MULTIPART),
        (multipart(*FIELDS, head="Content-Transfer-Encoding: base64\r\n"), MULTIPART),
        (multipart(*FIELDS).replace(b"--b\r\n", b"--bb\r\n"), MULTIPART),
        (b"--b\r\n\r\n" + I1.encode() + b"\r\n--b--\r\n", MULTIPART),
        (b'--b\r\nContent-Disposition: form-data; name="imp_uid"\r\n--b--\r\n', MULTIPART),
        (
            multipart(*FIELDS).replace(
                b"--b\r\n", b'--b\r\nContent-Disposition: form-data; name="x"\r\n--b\r\n', 1
            ),
            MULTIPART,
        ),
        (b"--b--\r\n", MULTIPART),
        (WEBHOOK_JSON.encode(), MULTIPART),
        (WEBHOOK_FORM.encode(), MULTIPART),
    ],
)
def test_a_broken_multipart_body_or_one_with_a_file_is_malformed(body: bytes, label: str) -> None:
    malformed(body, label)


@pytest.mark.parametrize(
    "filler", ['"', ";", "\\", "(", "=", "a=b;", "*0=", "\r\n", "--b", "=?x?q?"]
)
@pytest.mark.parametrize("place", ["disposition", "type", "encoding", "label", "value", "name"])
def test_a_multipart_body_full_of_anything_is_read_at_once(filler: str, place: str) -> None:
    # Parsers of mail headers take minutes for these; here they would show as a test that hangs.
    filled = filler * (60_000 // len(filler))
    head = {
        "type": f"Content-Type: x; y={filled}\r\n",
        "encoding": f"Content-Encoding: {filled}\r\n",
    }
    fields = [("imp_uid", I1), ("x", filled if place == "value" else "")]
    body = multipart(*fields, head=head.get(place, ""))
    if place in ("disposition", "name"):
        body = body.replace(b'"x"', f"x{filled}".encode() if place == "name" else filled.encode())
    label = f"{MULTIPART}; x={filled}" if place == "label" else MULTIPART
    try:
        assert told(body, label) == Notice(I1)
    except InvalidRequest:
        assert place != "encoding" or "\r\n" in filler or "--b" in filler


# --- a browser coming back -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [f"imp_uid={I1}&merchant_uid={ORDER}&imp_success=true", f"merchant_uid={ORDER}&imp_uid={I1}"],
)
def test_a_query_names_payment_and_order(query: str) -> None:
    assert asked(query) == NOTICE


@pytest.mark.parametrize("nothing", ["", "null", "undefined"])
def test_empty_null_and_undefined_in_a_query_are_absent(nothing: str) -> None:
    query = f"imp_uid={nothing}&merchant_uid={ORDER}&error_code={nothing}&imp_success={nothing}"
    assert asked(query) == Notice(None, ORDER)
    assert asked(f"merchant_uid={nothing}&imp_uid={I1}") == Notice(I1)
    assert asked(f"imp_uid={nothing}&imp_uid={I1}") == Notice(I1)


def test_a_query_may_be_empty() -> None:
    for query in ("", "&", "imp_uid", "x=1", "?"):
        assert asked(query) == Notice(None)


FLAGS = ("imp_success", "success")


@pytest.mark.parametrize(
    ("query", "failed"),
    [
        *[(f"{flag}={word}", False) for flag in FLAGS for word in ("true", "TRUE", "True", "1")],
        *[(f"{flag}={word}", True) for flag in FLAGS for word in ("false", "False", "0", "truee")],
        *[(f"{flag}={word}", True) for flag in FLAGS for word in ("yes", "t", "+true", "11")],
        ("imp_success=true&success=false", True),
        ("imp_success=false&success=true", True),
        ("error_code=F400", True),
        ("error_code=0", True),
        ("error_code=F400&imp_success=true", True),
        ("error_msg=no", False),
        ("error_code=", False),
        ("", False),
    ],
)
def test_the_words_of_a_query_say_whether_it_claims_to_have_failed(
    query: str, failed: bool
) -> None:
    assert asked(f"merchant_uid={ORDER}&{query}") == Notice(None, ORDER, failed)


@pytest.mark.parametrize(
    "query",
    [
        f"imp_uid={I1}&merchant_uid={ORDER}&imp_uid=true",
        f"imp_uid=true&merchant_uid={ORDER}&imp_uid={I1}",
        f"imp_uid={I1}&merchant_uid={ORDER}&merchant_uid=ORD-2",
        f"imp_uid={I1}&imp_success=true&imp_success=false",
        f"imp_uid={I1}&error_code=a&error_code=b",
    ],
)
def test_one_key_with_two_values_in_a_query_is_malformed(query: str) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        asked(query)


def test_one_key_twice_with_one_value_is_given_once_and_other_keys_are_ignored() -> None:
    assert asked(f"imp_uid={I1}&imp_uid={I1}&x=1&x=2&merchant_uid={ORDER}") == NOTICE


KOREAN = "주문-1001"
DECOMPOSED = unicodedata.normalize("NFD", KOREAN)


def test_korean_is_decoded_once_and_never_twice_nor_normalised() -> None:
    once = quote(KOREAN)
    assert asked(f"merchant_uid={once}").merchant_uid == KOREAN
    assert asked(f"merchant_uid={KOREAN.encode().decode('latin-1')}").merchant_uid == KOREAN
    assert asked(f"merchant_uid={KOREAN}").merchant_uid == KOREAN  # a server decoded it already
    twice = asked(f"merchant_uid={quote(once)}").merchant_uid
    assert twice == once != KOREAN
    assert asked(f"merchant_uid={quote(DECOMPOSED)}").merchant_uid == DECOMPOSED


@pytest.mark.parametrize("raw", ["%B0%A1", "\xb0\xa1", "%EC%A3", "%FF", "a%00b", "%ED%A0%80"])
def test_a_query_in_another_encoding_is_malformed(raw: str) -> None:
    with pytest.raises(InvalidRequest):
        asked(f"merchant_uid={raw}")
    assert asked(f"imp_uid={I1}&error_msg={raw}") == Notice(I1)


def test_a_body_may_have_64_kib_and_a_query_no_more() -> None:
    assert MAX_BODY == 65_536
    query = f"imp_uid={I1}&x="
    assert asked(query + "a" * (MAX_BODY - len(query))) == Notice(I1)
    with pytest.raises(InvalidRequest, match="too long"):
        asked(query + "a" * (MAX_BODY - len(query) + 1))


def test_a_query_that_is_too_long_or_has_too_many_fields_is_malformed() -> None:
    assert asked(f"imp_uid={I1}&x=" + "a" * 60_000) == Notice(I1)
    for query in (f"imp_uid={I1}&x=" + "a" * MAX_BODY, "a=1&" * 1100):
        with pytest.raises(InvalidRequest):
            asked(query)


# --- by chance -----------------------------------------------------------------------------------

PIECES = st.lists(
    st.sampled_from(
        [
            *(
                b"{",
                b"}",
                b"[",
                b"]",
                b'"',
                b":",
                b",",
                b"=",
                b"&",
                b"%",
                b"\\",
                b"\\u",
                b" ",
                b"\n",
            ),
            *(
                b"imp_uid",
                b"merchant_uid",
                b"amount",
                b'"imp_uid":"imp_1"',
                b"imp_uid=imp_1",
                b"null",
            ),
            *(b"1", b"1e9", b"-", b".", b"NaN", b"true", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80"),
            *(b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b"--b\r\n", b"\x00", b"\xb0\xa1", b"%FF"),
            b'Content-Disposition: form-data; name="imp_uid"',
            b"Content-Type: multipart/mixed; boundary=c",
        ]
    ),
    max_size=30,
).map(b"".join)
LABEL = st.sampled_from(
    [JSON, FORM, MULTIPART, "multipart/x; boundary=", "multipart/\n"]
) | st.text(max_size=30)


@example(body=b"\xef\xbb\xbf{", label=MULTIPART, confirm=True)
@given(body=st.binary(max_size=200) | PIECES, label=LABEL, confirm=st.booleans())
def test_any_body_is_a_notice_with_good_ids_or_malformed(
    body: bytes, label: str, confirm: bool
) -> None:
    try:
        notice = told(body, label, confirm=confirm)
    except InvalidRequest:
        return
    assert check_imp_uid(notice.imp_uid) == notice.imp_uid
    assert notice.merchant_uid is None or is_merchant_uid(notice.merchant_uid)
    assert (notice.amount is not None) == confirm
    assert notice.amount is None or notice.amount >= 0


@given(
    st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))
    | PIECES.map(lambda raw: raw.decode("latin-1"))
    | st.text(max_size=50)
)
def test_any_query_is_a_notice_with_good_ids_or_malformed(query: str) -> None:
    try:
        notice = asked(query)
    except InvalidRequest:
        return
    assert notice.imp_uid is None or check_imp_uid(notice.imp_uid) == notice.imp_uid
    assert notice.merchant_uid is None or is_merchant_uid(notice.merchant_uid)
    assert notice.amount is None


@given(st.text(min_size=1, max_size=64).filter(is_merchant_uid))
def test_a_good_merchant_uid_comes_out_of_every_format_as_it_went_in(name: str) -> None:
    escaped = quote(name, safe="")
    assert told(json.dumps({"imp_uid": I1, "merchant_uid": name})).merchant_uid == name
    assert told(f"imp_uid={I1}&merchant_uid={escaped}").merchant_uid == name
    assert told(multipart(("imp_uid", I1), ("merchant_uid", name)), MULTIPART).merchant_uid == name
    if name not in ("null", "undefined"):
        assert asked(f"merchant_uid={escaped}").merchant_uid == name


# --- the values themselves -----------------------------------------------------------------------


def test_a_header_is_found_in_any_case_and_every_line_of_it() -> None:
    request = Request("POST", headers=[("X-A", "1"), ("b", "2"), ("x-a", "3")])
    assert request.values("x-a") == ["1", "3"]
    assert request.values("c") == []


def test_a_request_is_printed_without_its_body() -> None:
    assert "secret" not in repr(Request("POST", body=b"secret"))


def test_a_response_is_a_plain_value() -> None:
    assert Response(200, (), b"") == Response(200, (), b"")


def test_reading_a_form_imports_no_mail_parser() -> None:
    assert told(multipart(*FIELDS), MULTIPART) == NOTICE
    assert "email.parser" not in vars(sys.modules["imp_verify._web.http"])
