"""The one table of answers, row by row and byte by byte, and who counts as a sender."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import ConfigurationError, Landing, Reason, Request, Response, Verdict
from imp_verify._web.answers import (
    FORBIDDEN,
    INVALID,
    REFUSED,
    TOO_LARGE,
    TROUBLE,
    Told,
    Wording,
    answer_key,
    approved,
    landing,
    no_method,
    reason_words,
    refused,
    verdict_answer,
)
from imp_verify._web.webhook_sources import Senders
from imp_verify.models import Notice

from .values import I1, ORDER, account, order, outcome, payment

KOREAN, ENGLISH = Wording(), Wording("en")
KEYS = (*Verdict, REFUSED, TROUBLE, INVALID, TOO_LARGE, FORBIDDEN)

# verdict: code and word of complete, of webhook, and where a redirect goes
TABLE: dict[str, tuple[int, str, int, str, str]] = {
    "paid": (200, "success", 200, "success", "success"),
    "partly_cancelled": (200, "success", 200, "success", "success"),
    "virtual_account": (200, "vbankIssued", 200, "vbankIssued", "success"),
    "pending": (409, "pending", 200, "pending", "pending"),
    "failed": (400, "failed", 200, "failed", "failure"),
    "cancelled": (409, "cancelled", 200, "cancelled", "failure"),
    "duplicate": (409, "duplicatePayment", 200, "duplicatePayment", "failure"),
    "late": (409, "latePayment", 200, "latePayment", "failure"),
    "late:refused": (409, "latePayment", 200, "latePayment", "failure"),
    "forgery": (400, "forgery", 400, "forgery", "failure"),
    "unknown_payment": (400, "forgery", 400, "unknownPayment", "failure"),
    "unknown_order": (400, "forgery", 503, "unavailable", "failure"),
    "trouble": (503, "unavailable", 503, "unavailable", "pending"),
    "invalid": (400, "invalid", 400, "invalid", "failure"),
    "too_large": (413, "invalid", 413, "invalid", "failure"),
    "forbidden": (403, "forbidden", 403, "forbidden", "failure"),
}


def headers(answer: Response) -> dict[str, str]:
    names = [name for name, _ in answer.headers]
    assert len(names) == len(set(names)), "a header twice"
    return dict(answer.headers)


def read(answer: Response) -> dict[str, str]:
    content: dict[str, str] = json.loads(answer.body)
    return content


def test_the_table_has_a_row_for_every_verdict_and_no_other() -> None:
    assert set(map(str, KEYS)) == set(TABLE)


@pytest.mark.parametrize("key", KEYS)
def test_complete_and_webhook_answer_by_the_table(key: str) -> None:
    complete, word, webhook, other, _ = TABLE[key]
    for endpoint, status, said in (("complete", complete, word), ("webhook", webhook, other)):
        answer = verdict_answer(endpoint, key, KOREAN)
        assert (answer.status, read(answer)["status"]) == (status, said)
        assert list(read(answer)) == ["status", "message"]
        assert read(answer)["message"].strip()


@pytest.mark.parametrize(
    ("wording", "sentence"),
    [
        (KOREAN, "주문을 처리할 수 없어 환불 대상입니다"),
        (ENGLISH, "The order cannot be fulfilled; the payment is to be refunded"),
    ],
)
def test_a_payment_that_the_shop_gave_back_has_a_sentence_of_its_own(
    wording: Wording, sentence: str
) -> None:
    late = outcome(Verdict.LATE, payment(), Reason.REFUSED)
    assert answer_key(late) == REFUSED
    for endpoint in ("complete", "webhook"):
        assert read(verdict_answer(endpoint, REFUSED, wording))["message"] == sentence
        other = verdict_answer(endpoint, answer_key(outcome(Verdict.LATE, payment())), wording)
        assert read(other)["message"] != sentence
    page = landing(REFUSED, Told(), Landing(), wording)
    assert sentence in unescape(page.body.decode())
    assert answer_key(outcome(Verdict.FORGERY, payment(), Reason.AMOUNT)) == "forgery"


@pytest.mark.parametrize("endpoint", ["complete", "webhook", "confirm"])
@pytest.mark.parametrize("key", KEYS)
def test_every_answer_is_json_that_no_cache_keeps(key: str, endpoint: str) -> None:
    answer = verdict_answer(endpoint, key, KOREAN)
    expected = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if answer.status == 503:
        expected["Retry-After"] = "10"
    assert headers(answer) == expected


@pytest.mark.parametrize(
    ("key", "status", "body"),
    [
        (Verdict.PAID, 200, '{"status":"success","message":"일반 결제 성공"}'),
        (Verdict.PARTLY_CANCELLED, 200, '{"status":"success","message":"일반 결제 성공"}'),
        (Verdict.VIRTUAL_ACCOUNT, 200, '{"status":"vbankIssued","message":"가상계좌 발급 성공"}'),
        (Verdict.FORGERY, 400, '{"status":"forgery","message":"위조된 결제시도"}'),
    ],
)
def test_the_three_bodies_that_clients_know_are_kept_to_the_letter(
    key: str, status: int, body: str
) -> None:
    for endpoint in ("complete", "webhook"):
        answer = verdict_answer(endpoint, key, KOREAN)
        assert (answer.status, answer.body) == (status, body.encode())


def test_a_browser_cannot_tell_forgery_from_what_is_not_known() -> None:
    answers = {
        verdict_answer("complete", key, KOREAN)
        for key in (Verdict.FORGERY, Verdict.UNKNOWN_PAYMENT, Verdict.UNKNOWN_ORDER)
    }
    assert len(answers) == 1


@pytest.mark.parametrize("key", KEYS)
def test_only_money_or_an_account_is_ever_answered_with_the_words_of_success(key: str) -> None:
    good = key in ("paid", "partly_cancelled", "virtual_account")
    for endpoint in ("complete", "webhook"):
        answer = verdict_answer(endpoint, key, KOREAN)
        assert (read(answer)["status"] in ("success", "vbankIssued")) is good
    assert (verdict_answer("complete", key, KOREAN).status == 200) is good


# --- confirm -------------------------------------------------------------------------------------


def test_confirm_goes_on_with_200_alone() -> None:
    answer = approved(KOREAN)
    assert (answer.status, read(answer)["status"]) == (200, "approved")
    assert list(read(answer)) == ["status", "message"]
    assert headers(answer)["Cache-Control"] == "no-store"


def test_confirm_stops_with_409_and_a_reason() -> None:
    answer = refused("재고 부족", KOREAN)
    assert answer.status == 409
    assert list(read(answer)) == ["status", "message", "reason"]
    assert (read(answer)["status"], read(answer)["reason"]) == ("refused", "재고 부족")


@pytest.mark.parametrize(
    ("key", "status", "word"),
    [
        (TROUBLE, 503, "unavailable"),
        (INVALID, 400, "invalid"),
        (TOO_LARGE, 413, "invalid"),
    ],
)
def test_confirm_in_trouble_and_a_malformed_one_say_why(key: str, status: int, word: str) -> None:
    for wording in (KOREAN, ENGLISH):
        answer = verdict_answer("confirm", key, wording)
        assert (answer.status, read(answer)["status"]) == (status, word)
        assert read(answer)["reason"] == read(answer)["message"]


REASONS = ("unknown_payment", "unknown_order", "mismatch", "closed", "already_paid")


@pytest.mark.parametrize("key", REASONS)
def test_a_reason_has_words_in_both_languages(key: str) -> None:
    korean, english = reason_words(key, None, KOREAN), reason_words(key, None, ENGLISH)
    assert not korean.isascii()
    assert english.isascii()


def test_a_shops_own_reason_is_handed_on_and_clipped() -> None:
    assert reason_words("shop", "sold out", KOREAN) == "sold out"
    assert len(reason_words("shop", "가" * 1000, KOREAN)) == 200


def test_text_that_is_no_unicode_breaks_no_answer() -> None:
    answer = refused("\ud800 sold \u2028 out", KOREAN)
    assert read(answer)["reason"] == "? sold \u2028 out"


# --- other methods -------------------------------------------------------------------------------


def test_options_is_answered_204_with_what_is_allowed() -> None:
    answer = no_method("webhook", "OPTIONS", "POST, OPTIONS", KOREAN)
    assert (answer.status, answer.body) == (204, b"")
    assert headers(answer) == {"Allow": "POST, OPTIONS", "Cache-Control": "no-store"}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "get", "<script>"])
def test_any_other_method_is_405_with_what_is_allowed(method: str) -> None:
    answer = no_method("webhook", method, "POST, OPTIONS", KOREAN)
    assert answer.status == 405
    assert headers(answer)["Allow"] == "POST, OPTIONS"
    assert headers(answer)["Cache-Control"] == "no-store"
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert read(answer)["status"] == "invalid"


# --- languages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_every_sentence_is_there_in_korean_and_english(key: str) -> None:
    for endpoint in ("complete", "webhook"):
        korean = read(verdict_answer(endpoint, key, KOREAN))
        english = read(verdict_answer(endpoint, key, ENGLISH))
        assert korean["status"] == english["status"]
        assert not korean["message"].isascii()
        assert english["message"].isascii()


def test_a_second_payment_is_not_promised_back_by_who_cannot() -> None:
    for wording, words in ((KOREAN, "판매자에게 문의"), (ENGLISH, "contact the shop")):
        message = read(verdict_answer("complete", Verdict.DUPLICATE, wording))["message"]
        assert words in message
        assert not re.search("환불됩니다|will be refunded", message)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ([], "ko"),
        ([""], "ko"),
        (["ko-KR,ko;q=0.9,en-US;q=0.8"], "ko"),
        (["en-US,en;q=0.9,ko;q=0.8"], "en"),
        (["en"], "en"),
        (["EN-gb"], "en"),
        (["en;q=0.5, ko"], "ko"),
        (["ko;q=0.1, en;q=0.2"], "en"),
        (["ko;q=0.5,en;q=0.5"], "ko"),
        (["en;q=0.5,ko;q=0.5"], "en"),
        (["en;q=0"], "ko"),
        (["en; q=0.3 , ko;q = 0.2"], "en"),
        (["fr, de"], "ko"),
        (["*"], "ko"),
        (["fr, en;q=0.1"], "en"),
        (["ko;q=0.1", "en;q=0.9"], "en"),
        (["en;q=nan, ko;q=0.1"], "ko"),
        (["en;q=inf"], "ko"),
        (["en;q=-1"], "ko"),
        (["en;q=2"], "ko"),
        (["en;q=x, ko;q=0.1"], "ko"),
        (["english"], "ko"),
        (["korean, en"], "en"),
        (["en" + "," * 5000], "en"),
        ([";;;,,,q=1"], "ko"),
    ],
)
def test_auto_is_the_language_a_browser_prefers_of_korean_and_english(
    accepted: list[str], language: str
) -> None:
    assert Wording.of("auto", accepted) == Wording(language, varies=True)


def test_a_language_that_is_set_is_not_asked_for_and_does_not_vary() -> None:
    for language in ("ko", "en"):
        for accepted in ([], ["en"], ["ko"]):
            assert Wording.of(language, accepted) == Wording(language, varies=False)


@pytest.mark.parametrize("accepted", ["en", "ko", "fr"])
def test_what_a_browser_prefers_varies_every_answer_with_words(accepted: str) -> None:
    wording = Wording.of("auto", [accepted])
    answers = [
        verdict_answer("complete", Verdict.PAID, wording),
        verdict_answer("webhook", TROUBLE, wording),
        approved(wording),
        refused("no", wording),
        no_method("webhook", "PUT", "POST", wording),
        landing(Verdict.PAID, Told(), Landing(), wording),
    ]
    assert {headers(answer)["Vary"] for answer in answers} == {"Accept-Language"}
    assert "Vary" not in headers(verdict_answer("complete", Verdict.PAID, ENGLISH))


@given(st.lists(st.text(max_size=60)))
def test_any_header_chooses_a_language(accepted: list[str]) -> None:
    assert Wording.of("auto", accepted).language in ("ko", "en")


# --- where a browser lands -----------------------------------------------------------------------

TARGETS = Landing("/s?{status}&{merchant_uid}", "/f?{status}&{merchant_uid}&{reason}", "/p")


BOTH = Notice(I1, ORDER)


def known(key: str, claim: Notice = BOTH, **fields: Any) -> Told:
    """Return what may be told of a payment to who claimed this of it, where the shop knows the
    order."""
    fields.setdefault("expected", order())
    paid = payment(**fields.pop("paid", {}))
    return Told.of(outcome(Verdict(key), paid, **fields), claim)


@pytest.mark.parametrize("key", KEYS)
def test_a_redirect_goes_where_the_table_says(key: str) -> None:
    complete, word, _, _, lands = TABLE[key]
    told = known(key) if key in tuple(Verdict) else Told(ORDER)
    answer = landing(key, told, TARGETS, KOREAN)
    where = {
        "success": f"/s?{word}&{ORDER}",
        "failure": f"/f?{word}&{ORDER}&",
        "pending": "/p",
    }
    assert (answer.status, answer.body) == (303, b"")
    assert headers(answer) == {
        "Location": where[lands],
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    page = landing(key, told, Landing(), KOREAN)
    assert page.status == complete


def test_an_account_lands_as_success_and_says_so() -> None:
    answer = landing(Verdict.VIRTUAL_ACCOUNT, known("virtual_account"), TARGETS, KOREAN)
    assert headers(answer)["Location"] == f"/s?vbankIssued&{ORDER}"


@pytest.mark.parametrize("left_out", ["success", "failure", "pending"])
def test_a_target_left_out_is_the_built_in_page(left_out: str) -> None:
    targets: dict[str, Any] = {"success": "/s", "failure": "/f", "pending": "/p"}
    for key in KEYS:
        answer = landing(key, Told(), Landing(**{**targets, left_out: None}), KOREAN)
        assert (answer.status != 303) is (TABLE[key][4] == left_out)


def test_an_order_that_is_not_known_is_not_named() -> None:
    for told in (Told.of(None, None), known("unknown_order", expected=None)):
        assert told == Told()
        answer = landing(Verdict.UNKNOWN_ORDER, told, Landing(failure="/f?{status}"), KOREAN)
        assert headers(answer)["Location"] == "/f?forgery"


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (BOTH, Told(ORDER, "limit of card 1234")),
        (Notice(I1), Told()),
        (Notice(I1, "ORD-1002"), Told()),
        (Notice(I1, "ORD-100"), Told()),
        (Notice(None, ORDER), Told(ORDER)),
        (None, Told()),
    ],
)
def test_a_browser_is_told_only_what_it_knew_enough_to_ask_for(
    claim: Notice | None, told: Told
) -> None:
    paid = payment("failed", fail_reason="limit of card 1234")
    assert Told.of(outcome(Verdict.FAILED, paid), claim) == told


def test_somebody_elses_payment_tells_nothing_of_its_order_or_its_failure() -> None:
    paid = payment(merchant_uid="ORD-OF-ANOTHER", fail_reason="limit of card 1234")
    forged = outcome(Verdict.FORGERY, paid, Reason.ORDER, expected=None)
    told = Told.of(forged, BOTH)
    assert told == Told()
    for targets in (TARGETS, Landing(), Landing(failure="/f?{reason}")):
        answer = landing(Verdict.FORGERY, told, targets, KOREAN)
        shown = answer.body + str(answer.headers).encode()
        assert b"ANOTHER" not in shown
        assert b"1234" not in shown


@pytest.mark.parametrize("key", KEYS)
def test_a_target_that_is_left_with_an_empty_number_is_the_built_in_page(key: str) -> None:
    targets = Landing(*["/orders/{merchant_uid}?{status}"] * 3)
    answer = landing(key, Told(reason="full"), targets, KOREAN)
    assert answer == landing(key, Told(reason="full"), Landing(), KOREAN)
    assert answer.status == TABLE[key][0]


NASTY = [
    *("../..", "//evil.test", "a/b?c=d&e#f", "a b+c", "100%", "주문-1", "\r\nSet-Cookie: x=1"),
    *("<script>alert(1)</script>", "\"'", "{status}", "{merchant_uid}", "{reason}", "a;b,c", "%2f"),
    *("\u2028", "\x00", "😀", "javascript:x", "\\\\evil.test", "@evil.test", ":8080"),
]


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_what_is_filled_in_is_percent_encoded_and_fills_in_nothing_itself(text: str) -> None:
    told = Told(text, text)
    targets = Landing(failure="/f/{merchant_uid}/{status}?r={reason}#{reason}")
    location = headers(landing(Verdict.FAILED, told, targets, KOREAN))["Location"]
    head, _, rest = location.partition("/failed?r=")
    reason, _, fragment = rest.partition("#")
    assert unquote(head) == f"/f/{text}"
    assert unquote(reason) == unquote(fragment) == text
    for filled in (head.removeprefix("/f/"), reason, fragment):
        assert not set(filled) - set(SAFE)


SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"


@pytest.mark.parametrize(
    "target", ["/{merchant_uid}", "/{merchant_uid}/x", "/{reason}", "/{reason}/{merchant_uid}"]
)
@pytest.mark.parametrize("text", ["", "evil.test", "//evil.test", "/", "\\evil.test", "..", "."])
def test_nothing_filled_in_makes_an_address_of_another_host(target: str, text: str) -> None:
    for merchant_uid, reason in ((text, ""), ("", text), (text, text)):
        answer = landing(
            Verdict.FAILED, Told(merchant_uid, reason), Landing(failure=target), KOREAN
        )
        location = headers(answer).get("Location", "/")
        assert ("Location" in headers(answer)) is (bool(merchant_uid) or "uid" not in target)
        assert location.startswith("/")
        assert location[1:2] not in ("/", "\\")


def test_a_target_is_used_as_written_and_made_ascii() -> None:
    for target, location in (
        ("/주문/{status}", "/%EC%A3%BC%EB%AC%B8/success"),
        ("/a%20b?c=%EA%B0%80#d", "/a%20b?c=%EA%B0%80#d"),
        ("https://가게.test/가?{status}", "https://xn--o39akk.test/%EA%B0%80?success"),
        ("https://shop.test/a//b?x=[1]", "https://shop.test/a//b?x=[1]"),
    ):
        answer = landing(Verdict.PAID, known("paid"), Landing(success=target), KOREAN)
        assert headers(answer)["Location"] == location


def test_text_of_the_gateway_that_is_no_unicode_breaks_no_landing() -> None:
    told = Told("\udcff", "\ud800")
    assert (
        headers(landing(Verdict.FAILED, told, TARGETS, KOREAN))["Location"] == "/f?failed&%3F&%3F"
    )
    assert landing(Verdict.FAILED, told, Landing(), KOREAN).status == 400


@pytest.mark.parametrize("odd", [None, 5, ["x"], {"a": 1}, True])
def test_a_reason_that_is_no_text_is_none(odd: object) -> None:
    told = known("failed", paid={"fail_reason": odd})
    assert headers(landing(Verdict.FAILED, told, TARGETS, KOREAN))["Location"].endswith("&")


# --- the built-in page ---------------------------------------------------------------------------


OURS = ("쇼핑몰로 돌아가기" + "쇼핑몰로 돌아가 다시 결제할 수 있습니다.").count("가")

# The bodies keep fixed words, which tell a buyer little, or call one who did nothing a forger.
FOR_A_BUYER = {
    ("success", "ko"): "결제가 완료되었습니다",
    ("vbankIssued", "ko"): "가상계좌가 발급되었습니다",
    ("forgery", "ko"): "주문과 맞지 않는 결제입니다. 판매자에게 문의해 주세요",
    ("forgery", "en"): "The payment does not match the order. Please contact the shop",
}


def style_hash(page: Response) -> str:
    """Return what a browser makes of the page's style, to find it in the policy."""
    style = page.body.partition(b"<style>")[2].partition(b"</style>")[0]
    return "sha256-" + b64encode(sha256(style).digest()).decode()


@pytest.mark.parametrize("wording", [KOREAN, ENGLISH])
@pytest.mark.parametrize("key", KEYS)
def test_the_built_in_page_says_what_complete_says(key: str, wording: Wording) -> None:
    page, said = landing(key, Told(), Landing(), wording), verdict_answer("complete", key, wording)
    assert page.status == said.status
    message = FOR_A_BUYER.get((read(said)["status"], wording.language), read(said)["message"])
    assert f"<h1>{message}</h1>" in unescape(page.body.decode())
    assert f'<html lang="{wording.language}">'.encode() in page.body
    assert headers(page) == {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src '{style_hash(page)}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        **({"Retry-After": "10"} if page.status == 503 else {}),
    }


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_the_built_in_page_shows_why_as_escaped_text(text: str) -> None:
    plain = landing(Verdict.FAILED, known("failed"), Landing(), KOREAN).body.decode()
    told = known("failed", paid={"fail_reason": text})
    page = landing(Verdict.FAILED, told, Landing(), KOREAN).body.decode()
    shown, *ours = page.partition("</h1>\n<p>")[2].partition("\n<nav>")[0].split("</p>\n<p>")
    readable = "".join(each if each.isprintable() else " " for each in text).strip()
    general = "쇼핑몰로 돌아가 다시 결제할 수 있습니다.</p>"  # alone where there is nothing to read
    assert [unescape(shown), *ours] == ([readable, general] if readable else [general])
    assert not set(shown.removesuffix("</p>")) & set("<>\"'")
    assert page.count("<") == plain.count("<") + 2 * bool(readable)
    assert "<script" not in page


@pytest.mark.parametrize("wording", [KOREAN, ENGLISH])
@pytest.mark.parametrize("key", KEYS)
def test_only_a_page_that_may_change_can_be_asked_for_again(key: str, wording: Wording) -> None:
    page = landing(key, Told(), Landing(), wording).body.decode()
    waits = TABLE[key][4] == "pending"
    again = {"ko": "다시 확인하기", "en": "Check again"}[wording.language]
    assert (f'<a href="">{again}</a>' in page) is waits
    assert page.count("<a ") == 1 + waits
    do_not = {"ko": "다시 결제하지 마시고", "en": "do not pay again"}[wording.language]
    assert (do_not in page) is waits
    for found in ("<script", "http-equiv", "onclick", "<img", "<link", "url("):
        assert found not in page.lower()


ACCOUNT_AS_ISSUED: dict[str, Any] = {
    "vbank_name": "국민 <b>",
    "vbank_num": "123-456 &",
    "vbank_holder": "주식회사 '상점'",
    "vbank_date": 1735743599,
}
LINES = {
    "ko": [
        *("은행", "국민 <b>", "계좌번호", "123-456 &", "예금주", "주식회사 '상점'"),
        *("입금할 금액", "39,000원", "입금기한", "2025-01-01 23:59"),
    ],
    "en": [
        *("Bank", "국민 <b>", "Account number", "123-456 &", "Account holder", "주식회사 '상점'"),
        *("Amount", "39,000 KRW", "Pay by", "2025-01-01 23:59 (Korean time)"),
    ],
}


def lines(page: str) -> list[str]:
    """Read the account's names and values out of a page."""
    found = re.findall(r"<dt>(.*?)</dt><dd.*?>(?:<input readonly value=\")?([^<\"]*)", page)
    return [unescape(each) for pair in found for each in pair]


@pytest.mark.parametrize("wording", [KOREAN, ENGLISH])
def test_an_issued_account_is_shown_to_who_knows_payment_and_order(wording: Wording) -> None:
    """Order numbers can be counted up, and an imp_uid is no secret: each alone shows nothing."""
    issued = account(**ACCOUNT_AS_ISSUED)
    found = outcome(Verdict.VIRTUAL_ACCOUNT, issued, expected=order())
    page = landing(found.verdict, Told.of(found, BOTH), Landing(), wording).body.decode()
    assert lines(page) == LINES[wording.language]
    for notice in (Notice(None, ORDER), Notice(I1), Notice(I1, "ORD-1002"), None):
        told = Told.of(found, notice)
        page = landing(found.verdict, told, Landing(), wording).body.decode()
        assert lines(page) == []
        assert "123-456" not in page
        assert "계좌로" not in page
    gone = Told.of(outcome(Verdict.UNKNOWN_ORDER, issued, expected=None), BOTH)
    assert lines(landing(Verdict.UNKNOWN_ORDER, gone, Landing(), wording).body.decode()) == []
    for verdict in (Verdict.PAID, Verdict.CANCELLED, Verdict.LATE, Verdict.FORGERY):
        told = Told.of(outcome(verdict, issued, expected=order()), BOTH)
        assert lines(landing(verdict, told, Landing(), wording).body.decode()) == []


def test_what_the_gateway_leaves_out_of_an_account_is_left_out_of_the_page() -> None:
    issued = account(amount="10.50", currency="USD", vbank_name=" \u200b")
    told = Told.of(outcome(Verdict.VIRTUAL_ACCOUNT, issued, expected=order()), BOTH)
    page = landing(Verdict.VIRTUAL_ACCOUNT, told, Landing(), KOREAN).body.decode()
    assert lines(page) == ["계좌번호", "123-456", "입금할 금액", "10.50 USD"]


@pytest.mark.parametrize(
    "mark", ["\u202e", "\u2066", "\u200f", "\u061c", "\x07", "\x1b", "\x85", "\u2028", "\ufeff"]
)
def test_c24_no_character_that_turns_the_text_or_is_not_seen_reaches_the_page(mark: str) -> None:
    told = known("failed", paid={"fail_reason": f"{mark}한도{mark}초과{mark}"})
    page = landing(Verdict.FAILED, told, Landing(), KOREAN).body.decode()
    assert "<p>한도 초과</p>" in page
    assert mark not in page


def test_a_theme_changes_the_style_and_the_policy_with_it() -> None:
    theme = {"accent": "light-dark(#0a6b4f, #9be)", "radius": "0", "font": "Georgia, serif"}
    page = landing(Verdict.PAID, Told(), Landing(theme=theme), KOREAN)
    own = ":root{--accent:light-dark(#0a6b4f, #9be);--radius:0;--font:Georgia, serif;}"
    assert own in page.body.decode()
    assert style_hash(page) in headers(page)["Content-Security-Policy"]
    plain = landing(Verdict.PAID, Told(), Landing(), KOREAN)
    assert headers(plain)["Content-Security-Policy"] != headers(page)["Content-Security-Policy"]


def test_a_long_reason_is_clipped() -> None:
    told = known("failed", paid={"fail_reason": "가" * 100_000})
    assert landing(Verdict.FAILED, told, Landing(), KOREAN).body.decode().count("가") == 200 + OURS
    assert len(headers(landing(Verdict.FAILED, told, TARGETS, KOREAN))["Location"]) < 2000


# --- senders -------------------------------------------------------------------------------------

GATEWAY = "52.78.100.19"
SOURCES = ["52.78.100.19/32", "52.78.48.223", "2001:db8:5::/48"]
PROXIES = ["10.0.0.0/8", "fd00::/8"]


def sent(client: str | None, *forwarded: str, **others: str) -> Request:
    lines = [("X-Forwarded-For", line) for line in forwarded]
    return Request("POST", headers=[*others.items(), *lines], client=client)


@pytest.mark.parametrize(
    ("request_", "allowed"),
    [
        (sent(GATEWAY), True),
        (sent("52.78.48.223"), True),
        (sent("52.78.100.20"), False),
        (sent("::ffff:52.78.100.19"), True),
        (sent("::ffff:344e:6413"), True),
        (sent("::52.78.100.19"), False),
        (sent("2001:db8:5::1"), True),
        (sent("2001:DB8:5:0:0:0:0:1"), True),
        (sent("2001:db8:6::1"), False),
        # what the sender wrote itself is not believed
        (sent("6.6.6.6", GATEWAY), False),
        (sent("6.6.6.6", GATEWAY, GATEWAY), False),
        (sent("10.0.0.1", f"{GATEWAY}, 6.6.6.6"), False),
        (sent("10.0.0.1", GATEWAY, "6.6.6.6"), False),
        (sent("10.0.0.1", GATEWAY, "6.6.6.6, 10.0.0.2"), False),
        (sent(GATEWAY, "6.6.6.6"), True),
        # a chain of the shop's own proxies
        (sent("10.0.0.1", GATEWAY), True),
        (sent("10.0.0.1", f"6.6.6.6, {GATEWAY}"), True),
        (sent("10.0.0.1", "6.6.6.6", f"{GATEWAY},10.0.0.2"), True),
        (sent("10.0.0.1", "6.6.6.6", GATEWAY, "10.0.0.3 ,\t10.0.0.2"), True),
        (sent("::ffff:10.0.0.1", f"::ffff:{GATEWAY}, ::ffff:10.9.9.9"), True),
        (sent("fd00::1", "2001:db8:5::1"), True),
        # only proxies, or nothing behind one
        (sent("10.0.0.1"), False),
        (sent("10.0.0.1", ""), False),
        (sent("10.0.0.1", "10.0.0.2, 10.0.0.3"), False),
        # unreadable or absent
        (sent(None), False),
        (sent(None, GATEWAY), False),
        (sent("", GATEWAY), False),
        (sent("unix", GATEWAY), False),
        (sent("unix:", GATEWAY), False),
        (sent("testclient", GATEWAY), False),
        (sent("localhost", GATEWAY), False),
        (sent(f" {GATEWAY}"), False),
        (sent("052.078.100.019"), False),
        (sent("875455507"), False),
        (sent("0x344e6413"), False),
        (sent("52.78.25619"), False),
        (sent("10.0.0.1", "unknown"), False),
        (sent("10.0.0.1", "unix"), False),
        (sent("10.0.0.1", GATEWAY, "unix"), False),
        (sent("10.0.0.1", f'"{GATEWAY}"'), False),
        (sent("10.0.0.1", f"{GATEWAY}, unknown"), False),
        (sent("10.0.0.1", f"{GATEWAY}, "), False),
        (sent("10.0.0.1", f"{GATEWAY},,10.0.0.2"), False),
        (sent("10.0.0.1", GATEWAY, ""), False),
        (sent("10.0.0.1", "\x00"), False),
        (sent("10.0.0.1", "５2.78.100.19"), False),
        # with a port behind it
        (sent(f"{GATEWAY}:443"), True),
        (sent("10.0.0.1", f"{GATEWAY}:51432"), True),
        (sent("10.0.0.1:80", f"{GATEWAY}:0, 10.0.0.2:65535"), True),
        (sent("10.0.0.1", f"[::ffff:{GATEWAY}]:443"), True),
        (sent("10.0.0.1", f"[::ffff:{GATEWAY}]"), True),
        (sent("[fd00::1]:9", "[2001:db8:5::1]:443"), True),
        (sent("10.0.0.1", "2001:db8:5::1:443"), True),  # bare: all of it is the address
        (sent("10.0.0.1", "2001:db8:5:0:0:0:0:1:443"), False),
        (sent("10.0.0.1", f"::ffff:{GATEWAY}:443"), False),
        (sent("10.0.0.1", f"{GATEWAY}:"), False),
        (sent("10.0.0.1", f"{GATEWAY}:65536"), False),
        (sent("10.0.0.1", f"{GATEWAY}:443:443"), False),
        (sent("10.0.0.1", f"{GATEWAY}:４４３"), False),
        (sent("10.0.0.1", f"{GATEWAY} :443"), False),
        (sent("10.0.0.1", f"{GATEWAY}:+1"), False),
        (sent("10.0.0.1", f"[{GATEWAY}]:443"), False),
        (sent("10.0.0.1", "[2001:db8:5::1"), False),
        (sent("10.0.0.1", "2001:db8:5::1]:443"), False),
        (sent("10.0.0.1", "[]:443"), False),
        # a zone
        (sent("2001:db8:5::1%eth0"), False),
        (sent("10.0.0.1", "2001:db8:5::1%eth0"), False),
        (sent("10.0.0.1", "[2001:db8:5::1%25]:443"), False),
        (sent("fd00::1%0", GATEWAY), False),
        # other headers are not read
        (sent("10.0.0.1", Forwarded=f"for={GATEWAY}"), False),
        (sent("6.6.6.6", **{"X-Real-IP": GATEWAY}), False),
        (sent("10.0.0.1", X_Forwarded_For=GATEWAY), False),
    ],
)
def test_the_sender_is_the_peer_or_what_trusted_proxies_say(
    request_: Request, allowed: bool
) -> None:
    assert (Senders(SOURCES, PROXIES).refusal(request_) is None) is allowed


@pytest.mark.parametrize("client", [None, "", "localhost"])  # the last is said by waitress
def test_n04_a_peer_without_an_address_is_a_proxy_where_unix_is_trusted(client: str | None) -> None:
    senders = Senders(SOURCES, ["unix", "10.0.0.0/8"])
    assert senders.refusal(sent(client, GATEWAY)) is None
    assert senders.refusal(sent(client, "6.6.6.6", f"{GATEWAY}, 10.0.0.2")) is None
    assert senders.refusal(sent("10.0.0.1", GATEWAY)) is None
    for stranger in (
        sent(client, "6.6.6.6"),
        sent(client, f"{GATEWAY}, 6.6.6.6"),
        sent(client, GATEWAY, "unix"),
        sent(client, GATEWAY, ""),
        sent("6.6.6.6", GATEWAY),
        sent("unix", GATEWAY),
        sent("localhost.", GATEWAY),
        sent("10.0.0.1", GATEWAY, "localhost"),
    ):
        assert senders.refusal(stranger)
    assert "X-Forwarded-For is missing" in str(senders.refusal(sent(client)))
    assert '"unix"' in str(Senders(SOURCES, PROXIES).refusal(sent(client, GATEWAY)))
    with pytest.raises(ConfigurationError, match="webhook_sources"):
        Senders(["unix"], None)


def test_networks_may_be_written_as_a_server_for_both_kinds_shows_addresses() -> None:
    senders = Senders([f"::ffff:{GATEWAY}", "::ffff:192.0.2.0/120"], ["::ffff:10.0.0.0/104"])
    for allowed in (
        sent(GATEWAY),
        sent(f"::ffff:{GATEWAY}"),
        sent("192.0.2.255"),
        sent("::ffff:10.255.0.1", GATEWAY),
        sent("10.0.0.1", f"6.6.6.6, ::ffff:{GATEWAY}"),
    ):
        assert senders.refusal(allowed) is None
    for stranger in (sent("192.0.3.0"), sent("11.0.0.1", GATEWAY), sent("2001:db8::1")):
        assert senders.refusal(stranger)
    assert Senders(["::/0"], None).refusal(sent("2001:db8::1")) is None


def test_what_is_said_of_a_header_is_escaped_and_clipped() -> None:
    senders = Senders(SOURCES, PROXIES)
    for evil in ("fe80::1%\x1b[2J\nforged: line", "\u202e" * 3, "1" * 100_000):
        for request in (sent(evil), sent("10.0.0.1", evil)):
            said = str(senders.refusal(request))
            assert said.isprintable()
            assert len(said) < 150
            assert "no address" in said


def test_no_more_of_the_header_is_walked_than_a_shop_has_proxies() -> None:
    senders = Senders(SOURCES, PROXIES)
    assert senders.refusal(sent("10.0.0.1", GATEWAY, ",".join(["10.0.0.2"] * 32))) is None
    for proxies in (33, 34, 100_000):
        refused = senders.refusal(sent("10.0.0.1", GATEWAY, ",".join(["10.0.0.2"] * proxies)))
        assert "no address" in str(refused)
    assert senders.refusal(sent("10.0.0.1", "6.6.6.6," * 100_000 + GATEWAY)) is None


def test_without_a_list_everybody_may_send() -> None:
    for proxies in (None, PROXIES):
        senders = Senders(None, proxies)
        for request in (sent(None), sent("6.6.6.6"), sent("10.0.0.1", "garbage")):
            assert senders.refusal(request) is None


def test_an_empty_list_allows_nobody() -> None:
    assert Senders([], PROXIES).refusal(sent(GATEWAY))


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    senders = Senders(SOURCES, None)
    assert senders.refusal(sent(GATEWAY, "6.6.6.6")) is None
    assert senders.refusal(sent("10.0.0.1", GATEWAY))


def test_a_proxy_that_is_itself_the_sender_is_named_where_nothing_stands_behind_it() -> None:
    senders = Senders(SOURCES, PROXIES)
    behind, bare = sent("10.0.0.1", "10.0.0.2"), sent("10.0.0.1")
    assert senders.refusal(behind) == "10.0.0.2 is not in webhook_sources"
    assert senders.refusal(bare) == "10.0.0.1 is not in webhook_sources"


def test_a_peer_that_sends_the_header_may_be_a_proxy_that_was_not_named() -> None:
    hint = "; it sent X-Forwarded-For: if it is your proxy, add it to trusted_proxies"
    unnamed = Senders(SOURCES, None).refusal(sent("10.0.0.1", GATEWAY))
    assert unnamed == f"10.0.0.1 is not in webhook_sources{hint}"
    mapped = Senders(SOURCES, None).refusal(sent("[::ffff:10.0.0.1]:443", GATEWAY))
    assert mapped == unnamed
    for quiet in (
        Senders(SOURCES, None).refusal(sent("10.0.0.1")),
        Senders(SOURCES, PROXIES).refusal(sent("10.0.0.1", "6.6.6.6")),
        Senders(SOURCES, PROXIES).refusal(sent("10.0.0.1", "10.0.0.1")),
    ):
        assert quiet is not None
        assert "trusted_proxies" not in quiet


def test_a_shops_own_net_may_send_but_nothing_unreadable_stands_in_for_it() -> None:
    senders = Senders(PROXIES, PROXIES)
    assert senders.refusal(sent("10.0.0.1")) is None
    assert senders.refusal(sent("10.0.0.1", "10.0.0.2")) is None
    for line in ("6.6.6.6, ", ",,", "unknown", "6.6.6.6, ,10.0.0.2"):
        assert senders.refusal(sent("10.0.0.1", line))


def test_the_header_of_proxies_is_found_in_any_case() -> None:
    request = Request("POST", headers=[("x-FORWARDED-for", GATEWAY)], client="10.0.0.1")
    assert Senders(SOURCES, PROXIES).refusal(request) is None


BAD_NETWORKS: list[Callable[[], object]] = [
    lambda: Senders(["nonsense"], None),
    lambda: Senders(["52.78.100.19/24"], None),
    lambda: Senders([""], None),
    lambda: Senders([None], None),  # type: ignore[list-item]
    lambda: Senders("52.78.100.19", None),
    lambda: Senders(SOURCES, "10.0.0.0/8"),
    lambda: Senders(SOURCES, ["10.0.0.0/33"]),
    lambda: Senders(SOURCES, "unix"),
    lambda: Senders(SOURCES, 10),  # type: ignore[arg-type]
    lambda: Senders(SOURCES, b"10.0.0.0/8"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", BAD_NETWORKS)
def test_what_is_no_network_is_refused_at_once(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError, match=r"^(webhook_sources|trusted_proxies) "):
        make()


@given(
    client=st.none() | st.text(max_size=20) | st.sampled_from(["10.0.0.1", "fd00::1"]),
    lines=st.lists(st.text(max_size=40) | st.sampled_from(["10.0.0.1", "6.6.6.6", ","])),
)
def test_no_garbage_is_ever_an_allowed_sender(client: str | None, lines: list[str]) -> None:
    assert Senders(SOURCES, [*PROXIES, "unix"]).refusal(sent(client, *lines))
