"""The wire: token life on an injected clock, what is sent, read, and tried again."""

import json
import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import Credentials, Payment
from imp_verify._core.calls import fetch_payment, find_payment
from imp_verify._core.flow import run
from imp_verify._core.gateway import Account
from imp_verify._core.wire import read_envelope, read_payment
from imp_verify.errors import (
    GatewayError,
    GatewayProtocolError,
    GatewayRefused,
    GatewayReset,
    GatewayUnavailable,
)
from imp_verify.transports import GatewayRequest, GatewayResponse, Headers
from tests.drivers.wire import (
    CREDENTIALS,
    I1,
    ORDER,
    REFUSED,
    SENT,
    UNKNOWN,
    URL,
    account,
    answering,
    envelope,
    fields,
    lookup,
    paid,
    token,
)

FOREVER = float("inf")


def said(status: int, message: str, code: int = -7) -> GatewayResponse:
    """The gateway's no, with words of its own."""
    body = {"code": code, "message": message, "response": None}
    return GatewayResponse(status, json.dumps(body).encode())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """Gives prepared answers in order, tokens and look-ups apart, and keeps what was asked."""

    def __init__(self, *lookups: object, tokens: list[object] | None = None) -> None:
        self.lookups = list(lookups)
        self.tokens = tokens
        self.asked: list[GatewayRequest] = []

    def __call__(self, request: GatewayRequest) -> GatewayResponse:
        self.asked.append(request)
        answers: list[Any] = self.lookups
        if request.method == "POST":
            answers = [token("token-1")] if self.tokens is None else self.tokens
        answer = answers.pop(0) if len(answers) > 1 or answers is self.tokens else answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, GatewayResponse)
        return answer

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.asked)


def fetch(made: Account, wire: Wire, deadline: float = FOREVER) -> Payment | None:
    return run(fetch_payment(made, I1, deadline), answering(wire))


def test_t03_twenty_look_ups_share_one_token() -> None:
    wire, made = Wire(paid()), account(warm=False)
    for _ in range(20):
        assert fetch(made, wire)
    assert (wire.count("POST"), wire.count("GET")) == (1, 20)
    assert wire.asked[0].url == f"{URL}/users/getToken"
    assert wire.asked[0].headers == {**SENT, "Content-Type": "application/json"}
    assert json.loads(wire.asked[0].body or b"") == {"imp_key": "key-1", "imp_secret": "secret-1"}
    assert wire.asked[1] == lookup(f"/payments/{I1}", deadline=FOREVER)


@pytest.mark.parametrize(("after", "tokens"), [(1769.9, 1), (1770.0, 2), (1800.0, 2)])
def test_a_token_is_renewed_thirty_seconds_before_its_end(after: float, tokens: int) -> None:
    clock, wire = Clock(), Wire(paid())
    made = account(clock, warm=False)
    assert fetch(made, wire)
    clock.now += after
    assert fetch(made, wire)
    assert wire.count("POST") == tokens


@pytest.mark.parametrize("server", [0, 1_735_700_000, 2**40 - 1801])
def test_t02_a_tokens_life_is_the_servers_difference_whatever_the_clock_here_says(
    server: int,
) -> None:
    clock, wire = Clock(), Wire(paid(), tokens=[token(now=server), token(now=server)])
    made = account(clock, warm=False)
    for now in (1000.0, 2769.0, 2770.0):
        clock.now = now
        assert fetch(made, wire)
    assert wire.count("POST") == 2


def test_a_slow_answer_makes_no_token_live_longer() -> None:
    clock = Clock()
    made = account(clock, warm=False)

    def slow(request: GatewayRequest) -> GatewayResponse:
        if request.method == "POST":
            clock.now += 100
            return token(life=200)
        return paid()

    assert run(fetch_payment(made, I1, FOREVER), answering(slow))
    wire = Wire(paid())
    clock.now = 1169.0
    assert fetch(made, wire)
    assert wire.count("POST") == 0
    clock.now = 1170.0
    assert fetch(made, wire)
    assert wire.count("POST") == 1


@pytest.mark.parametrize("life", [0, -600, 29])
def test_a_token_that_ends_at_once_is_used_for_the_call_it_was_made_for(life: int) -> None:
    wire = Wire(paid(), tokens=[token(life=life), token(life=life)])
    made = account(Clock(), warm=False)
    assert fetch(made, wire)
    assert wire.count("POST") == 1
    assert fetch(made, wire)
    assert (wire.count("POST"), wire.count("GET")) == (2, 2)


def test_t01_a_token_refused_on_the_way_is_replaced_once() -> None:
    wire = Wire(REFUSED, paid(), tokens=[token("token-2")])
    payment = fetch(account(), wire)
    assert payment is not None
    assert [request.method for request in wire.asked] == ["GET", "POST", "GET"]
    assert wire.asked[2].headers["Authorization"] == "Bearer token-2"


def test_t01_a_gateway_that_refuses_every_token_is_asked_no_further() -> None:
    wire = Wire(REFUSED, tokens=[token("token-2"), token("token-3")])
    made = account()
    with pytest.raises(GatewayRefused) as refused:
        fetch(made, wire)
    assert refused.value.http_status == 401
    assert [request.method for request in wire.asked] == ["GET", "POST", "GET"]
    again = Wire(paid(), tokens=[token("token-3")])
    assert fetch(made, again)
    assert [request.method for request in again.asked] == ["POST", "GET"]


def test_a_refusal_that_comes_late_leaves_the_token_that_replaced_the_refused_one() -> None:
    made = account()
    mine = Wire(REFUSED, tokens=[token("token-2")])
    other = Wire(REFUSED, paid(), tokens=[token("token-3")])

    def answer(request: GatewayRequest) -> GatewayResponse:
        if request.headers.get("Authorization") == "Bearer token-2":
            assert fetch(made, other)  # begun and ended while this refusal is on its way
        return mine(request)

    with pytest.raises(GatewayRefused):
        run(fetch_payment(made, I1, FOREVER), answering(answer))
    after = Wire(paid())
    assert fetch(made, after)
    [request] = after.asked
    assert request.headers["Authorization"] == "Bearer token-3"


def test_t06_refused_credentials_are_left_alone_for_ten_seconds() -> None:
    clock = Clock()
    wire, made = Wire(paid(), tokens=[REFUSED, token()]), account(clock, warm=False)
    with pytest.raises(GatewayRefused, match="IMP_KEY and IMP_SECRET"):
        fetch(made, wire)
    for _ in range(100):
        with pytest.raises(GatewayRefused):
            fetch(made, wire)
    clock.now += 9.9
    with pytest.raises(GatewayRefused):
        fetch(made, wire)
    assert len(wire.asked) == 1
    clock.now += 0.2
    assert fetch(made, wire)


def test_an_account_with_a_name_is_named_in_what_is_said_of_its_credentials() -> None:
    wire, made = Wire(paid(), tokens=[REFUSED]), account(Clock(), name="kr", warm=False)
    for words in ("refuses the credentials of account 'kr': check key and secret", "a moment ago"):
        with pytest.raises(GatewayRefused, match=words) as refused:
            fetch(made, wire)
        assert "'kr'" in str(refused.value)
        assert "key-1" not in str(refused.value)
        assert "IMP_KEY" not in str(refused.value)


def test_accounts_share_neither_a_token_nor_a_refusal() -> None:
    clock = Clock()
    kr, us = (account(clock, name=name, warm=False) for name in ("kr", "us"))
    with pytest.raises(GatewayRefused):
        fetch(kr, Wire(paid(), tokens=[REFUSED]))
    wire = Wire(paid(), tokens=[token("token-us")])
    assert fetch(us, wire)
    clock.now += 11
    again = Wire(paid(), tokens=[token("token-kr")])
    assert fetch(kr, again)
    used = [each.asked[-1].headers["Authorization"] for each in (wire, again)]
    assert used == ["Bearer token-us", "Bearer token-kr"]


def test_a_forked_child_may_try_refused_credentials_and_has_no_token() -> None:
    wire, made = Wire(paid(), tokens=[REFUSED, token()]), account(Clock(), warm=False)
    with pytest.raises(GatewayRefused):
        fetch(made, wire)
    made.forget()
    assert fetch(made, wire)
    made.forget()
    wire = Wire(paid())
    assert fetch(made, wire)
    assert wire.count("POST") == 1


def _odd_token(**changes: object) -> GatewayResponse:
    good: dict[str, object] = {"access_token": "t", "now": 1, "expired_at": 1801}
    return envelope({**good, **changes})


@pytest.mark.parametrize(
    "answer",
    [
        *(
            _odd_token(access_token=text)
            for text in ("", " ", "a b", "a\nb", "é", None, 7, "x" * 513)
        ),
        *(_odd_token(now=value) for value in (None, "1", True, -1, 1.5, 2**40)),
        *(_odd_token(expired_at=value) for value in (None, "1", False, -1, 1e3, 2**64)),
        envelope(None),
        envelope([]),
        envelope({}, code=-1),
        envelope({"access_token": "t", "now": 1, "expired_at": 1801}, status=201),
        GatewayResponse(200, b""),
        GatewayResponse(302, b"<html>"),
        GatewayResponse(500, b""),
    ],
)
def test_t03_an_unusable_token_is_never_sent_on(answer: GatewayResponse) -> None:
    wire, made = Wire(paid(), tokens=[answer, token()]), account(warm=False)
    with pytest.raises(GatewayError):
        fetch(made, wire)
    assert wire.count("GET") == 0
    assert fetch(made, wire)
    assert wire.asked[-1].headers["Authorization"] == "Bearer token-1"


def test_an_old_token_is_not_used_where_its_renewal_failed() -> None:
    clock = Clock()
    made = account(clock)
    clock.now += 1800
    wire = Wire(paid(), tokens=[GatewayUnavailable("no net"), token("token-2")])
    with pytest.raises(GatewayUnavailable, match="no net"):
        fetch(made, wire)
    assert fetch(made, wire)
    assert wire.asked[-1].headers["Authorization"] == "Bearer token-2"


def test_no_token_is_asked_for_once_the_time_is_up() -> None:
    clock, wire = Clock(), Wire(paid())
    with pytest.raises(GatewayUnavailable, match="no time"):
        fetch(account(clock, warm=False), wire, deadline=1000.0)
    assert wire.asked == []


def test_secret_and_token_are_in_no_repr() -> None:
    wire, made = Wire(paid()), account(warm=False)
    assert fetch(made, wire)
    shown = repr([*wire.asked, made, made._token, token("token-1"), CREDENTIALS])
    assert "secret-1" not in shown
    assert "token-1" not in shown


# What is sent


@pytest.mark.parametrize(
    ("number", "path"),
    [
        ("ORD 1/2?a=b#c%", "ORD%201%2F2%3Fa%3Db%23c%25"),
        ("주문-1", "%EC%A3%BC%EB%AC%B8-1"),
        ("a&b+c", "a%26b%2Bc"),
        ("~-_.", "~-_."),
    ],
)
def test_ids_are_percent_encoded_in_the_path(number: str, path: str) -> None:
    wire = Wire(paid(merchant_uid=number))
    found = run(find_payment(account(), number, "paid", 5.0), answering(wire))
    assert found is not None
    assert wire.asked == [lookup(f"/payments/find/{path}/paid")]


def test_test_payments_are_asked_for_in_test_mode_only() -> None:
    wire = Wire(paid())
    assert fetch(account(test_mode=True), wire, 5.0)
    assert fetch(account(), wire, 5.0)
    paths = (f"/payments/{I1}?include_sandbox=true", f"/payments/{I1}")
    assert wire.asked == [lookup(path) for path in paths]


def test_the_tier_goes_with_data_calls_and_not_with_get_token() -> None:
    wire, made = Wire(paid()), account(credentials=Credentials("k", "s", tier="005"), warm=False)
    assert fetch(made, wire, 5.0)
    assert "Tier" not in wire.asked[0].headers
    assert wire.asked[1] == lookup(f"/payments/{I1}", headers={"Tier": "005"})


def test_a_base_url_keeps_its_path() -> None:
    wire, made = Wire(paid()), account(base_url="https://proxy.test/iamport/v1", warm=False)
    assert fetch(made, wire)
    assert [request.url for request in wire.asked] == [
        "https://proxy.test/iamport/v1/users/getToken",
        f"https://proxy.test/iamport/v1/payments/{I1}",
    ]


# What is tried again


@pytest.mark.parametrize(
    "trouble", [*(GatewayResponse(code, b"") for code in (502, 503, 504)), GatewayReset("lost")]
)
def test_a_hiccup_is_tried_again_once_at_once(trouble: object) -> None:
    wire = Wire(trouble, paid())
    assert fetch(account(), wire, 5.0)
    assert wire.asked == [lookup(f"/payments/{I1}")] * 2
    wire = Wire(trouble)
    with pytest.raises(GatewayUnavailable):
        fetch(account(), wire)
    assert len(wire.asked) == 2


@pytest.mark.parametrize("trouble", [GatewayResponse(503, b""), GatewayReset("lost")])
def test_get_token_is_tried_again_like_a_look_up(trouble: object) -> None:
    wire = Wire(paid(), tokens=[trouble, token()])
    assert fetch(account(warm=False), wire)
    assert [request.method for request in wire.asked] == ["POST", "POST", "GET"]


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (GatewayResponse(429, b""), GatewayUnavailable),
        (GatewayResponse(500, b""), GatewayUnavailable),
        (GatewayUnavailable("no connection"), GatewayUnavailable),
        (GatewayProtocolError("no HTTP"), GatewayProtocolError),
        (envelope(None, 400, -1), GatewayRefused),
        (envelope(None, 403, -1), GatewayRefused),
    ],
)
def test_nothing_else_is_tried_again(trouble: object, kind: type[GatewayError]) -> None:
    wire = Wire(trouble)
    with pytest.raises(kind) as caught:
        fetch(account(), wire)
    assert type(caught.value) is kind
    assert len(wire.asked) == 1


def test_a_hiccup_at_the_deadline_is_not_tried_again() -> None:
    clock, wire = Clock(), Wire(GatewayResponse(503, b""))
    with pytest.raises(GatewayUnavailable):
        fetch(account(clock), wire, deadline=1000.0)
    assert len(wire.asked) == 1


# What is read: section 4, rule 2


def test_a_404_with_an_envelope_and_no_object_is_no_payment() -> None:
    assert fetch(account(), Wire(UNKNOWN)) is None
    assert fetch(account(), Wire(envelope([], 404, -1))) is None


@pytest.mark.parametrize(
    "answer",
    [
        envelope(None),  # 200 without an object
        envelope([]),
        envelope("text"),
        envelope(fields(), code=-1),
        envelope(fields(), code=1),
        envelope(None, code=-1),
        envelope(None, 404, 0),
        envelope(fields(), 404, -1),
        envelope(fields(), 404, 0),
        envelope(fields(), 201),
        envelope(fields(), 301),
        envelope(None, 410, -1),
        *(GatewayResponse(404, body) for body in (b"", b"<html>Not Found", b"null", b"{}", b"[]")),
        *(GatewayResponse(200, body) for body in (b"", b"\xff", b"[" * 99_999, b'{"code":0')),
        GatewayResponse(200, b'{"code":true,"response":{}}'),
        GatewayResponse(200, b'{"code":"0","response":{}}'),
        GatewayResponse(200, b'{"code":0.0,"response":{}}'),
        GatewayResponse(200, b'{"code":null,"response":{}}'),
        GatewayResponse(200, b'{"response":{}}'),
        paid("imp_of_another"),  # rule 3
    ],
)
def test_anything_but_a_clear_yes_or_no_is_trouble(answer: GatewayResponse) -> None:
    with pytest.raises(GatewayProtocolError):
        fetch(account(), Wire(answer))


def test_trouble_carries_the_gateways_status_code_and_message() -> None:
    body = json.dumps({"code": -7, "message": "m" * 900, "response": None}).encode()
    with pytest.raises(GatewayRefused) as caught:
        fetch(account(), Wire(GatewayResponse(400, body)))
    error = caught.value
    assert (error.http_status, error.code, error.message) == (400, -7, "m" * 500)
    assert "mmm" not in str(error)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_g03_trouble_with_a_status_of_its_own_carries_the_gateways_words_too(status: int) -> None:
    no = said(status, "m")
    for made, wire in (
        (account(), Wire(no, tokens=[token("token-2")])),
        (account(Clock(), warm=False), Wire(paid(), tokens=[no, no])),
    ):
        with pytest.raises(GatewayError) as caught:
            fetch(made, wire)
        error = caught.value
        assert (error.http_status, error.code, error.message) == (status, -7, "m")


def test_g03_a_refusal_that_is_remembered_carries_the_gateways_words() -> None:
    wire = Wire(paid(), tokens=[said(401, "no such key")])
    made = account(Clock(), warm=False)
    for _ in range(2):
        with pytest.raises(GatewayRefused) as caught:
            fetch(made, wire)
        error = caught.value
        assert (error.http_status, error.code, error.message) == (401, -7, "no such key")
    assert len(wire.asked) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code":null}', b'{"code":2147483648}'])
@pytest.mark.parametrize("status", [401, 429, 500])
def test_trouble_without_an_envelope_carries_the_status_alone(status: int, body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        fetch(account(), Wire(GatewayResponse(status, body), tokens=[token("t-2")]))
    error = caught.value
    assert (error.http_status, error.code, error.message) == (status, None, None)


def test_g03_what_is_wrong_inside_a_good_envelope_carries_its_status_and_code() -> None:
    for answer in (paid("imp_of_another"), paid(amount="x"), paid(status=None)):
        with pytest.raises(GatewayProtocolError) as caught:
            fetch(account(), Wire(answer))
        assert (caught.value.http_status, caught.value.code) == (200, 0)


def test_n06_secrets_that_the_gateway_repeats_are_taken_out_of_its_message() -> None:
    given = Credentials("key-of-the-shop", "secret-of-the-shop")
    words = "key-of-the-shop, secret-of-the-shop, a-token-of-16: " + "x" * 470
    no = said(400, words + "secret-of-the-shop")
    wire = Wire(no, tokens=[token("a-token-of-16")])
    with pytest.raises(GatewayRefused) as caught:
        fetch(account(credentials=given, warm=False), wire)
    assert caught.value.message == ("..., ..., ...: " + "x" * 470 + "...")[:500]


def test_a_short_key_does_not_blot_out_the_gateways_words() -> None:
    answer = said(400, "the key is no key")
    with pytest.raises(GatewayRefused) as caught:
        fetch(account(credentials=Credentials("key", "secret"), warm=False), Wire(answer))
    assert caught.value.message == "the key is no key"


def test_n06_readers_of_an_answer_leave_no_frame_in_an_error() -> None:
    """A payment's frame holds its buyer."""
    with pytest.raises(GatewayProtocolError) as caught:
        fetch(account(), Wire(paid(amount="x")))
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "read"
    assert caught.value.__context__ is None


def test_headers_show_their_names_and_not_their_values() -> None:
    headers = Headers(Authorization="Bearer token-1")
    assert repr(headers) == f"{headers}" == "<headers Authorization>"
    assert headers == {"Authorization": "Bearer token-1"}


@pytest.mark.parametrize("answer", [UNKNOWN, paid(merchant_uid="ORD-2")])
def test_a_payment_of_another_order_is_not_found(answer: GatewayResponse) -> None:
    assert run(find_payment(account(), ORDER, "paid", 5.0), answering(Wire(answer))) is None


def raw(name: str, written: str) -> GatewayResponse:
    """A payment with one field written exactly so."""
    body = json.dumps(fields(**{name: "@"})).replace('"@"', written)
    return GatewayResponse(200, f'\ufeff{{"code":0,"message":null,"response":{body}}}'.encode())


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("39000", "39000"),
        ('"39000"', "39000"),
        ('"10.99"', "10.99"),
        ("10.99", "10.99"),
        ("0.1", "0.1"),
        ("1e3", "1000"),
        ("39000.00", "39000"),
        ("999999999999999999.12345678", "999999999999999999.12345678"),
        ("0.00000001", "0.00000001"),
        ("9007199254740993", "9007199254740993"),
    ],
)
def test_amounts_are_read_straight_to_decimal(written: str, amount: str) -> None:
    payment = fetch(account(), Wire(raw("amount", written)))
    assert payment is not None
    assert payment.amount == Decimal(amount)
    assert type(payment.amount) is Decimal


@pytest.mark.parametrize("name", ["amount", "cancel_amount"])
@pytest.mark.parametrize(
    "written",
    [
        *("null", "true", "false", '""', '" 1"', '"1,000"', '"+1"', '"1e3"', '"39000원"', "{}"),
        *("-1", "-0.01", "NaN", "Infinity", "-Infinity", "[1]", '"NaN"', '"٣"', '"0x10"', '"1."'),
        *("1000000000000000000", "1e18", "1e999999999", "1e-9", "0.000000001"),
        *("1e99999999999999999999", "9" * 5000, '"1\\n"', '".5"', '"1_000"'),
    ],
)
def test_what_is_no_exact_amount_is_trouble(name: str, written: str) -> None:
    with pytest.raises(GatewayProtocolError):
        fetch(account(), Wire(raw(name, written)))


def test_minus_zero_is_zero() -> None:
    payment = fetch(account(), Wire(raw("cancel_amount", "-0.0")))
    assert payment is not None
    assert f"{payment.cancel_amount:f}" == "0.0"


@pytest.mark.parametrize("name", ["imp_uid", "merchant_uid", "status", "amount", "cancel_amount"])
def test_a_payment_without_a_field_that_rules_need_is_trouble(name: str) -> None:
    content = fields()
    del content[name]
    with pytest.raises(GatewayProtocolError, match=name):
        read_payment(content)


@pytest.mark.parametrize("value", [None, 7, True, [], {}, Decimal(1)])
@pytest.mark.parametrize("name", ["imp_uid", "merchant_uid", "status"])
def test_ids_and_status_are_text(name: str, value: object) -> None:
    with pytest.raises(GatewayProtocolError, match=name):
        read_payment(fields(**{name: value}))


@pytest.mark.parametrize("value", [7, True, [], {}, Decimal(1)])
@pytest.mark.parametrize(
    "name", ["currency", "pay_method", "pg_provider", "vbank_num", "customer_uid_usage"]
)
def test_what_rules_read_is_text_or_absent(name: str, value: object) -> None:
    with pytest.raises(GatewayProtocolError, match=name):
        read_payment(fields(**{name: value}))
    assert read_payment(fields(**{name: None})) is not None


@pytest.mark.parametrize("value", [0, 1, "true", "", [], Decimal(0)])
def test_sandbox_is_true_false_or_absent(value: object) -> None:
    with pytest.raises(GatewayProtocolError, match="sandbox"):
        read_payment(fields(sandbox=value))


@pytest.mark.parametrize(
    ("given", "read"), [(None, "KRW"), ("", "KRW"), ("usd", "USD"), ("KRW", "KRW"), ("원", "원")]
)
def test_a_currency_is_upper_case_and_won_where_absent(given: object, read: str) -> None:
    assert read_payment(fields(currency=given)).currency == read


def test_a_payment_with_more_cancelled_than_paid_is_trouble() -> None:
    assert read_payment(fields(cancel_amount=39000)).remaining == 0
    with pytest.raises(GatewayProtocolError, match="cancel_amount"):
        read_payment(fields(cancel_amount="39000.00000001"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
        lambda each: (
            st.lists(each, max_size=3)
            | st.dictionaries(st.sampled_from([*fields(), "code", "response", "x"]), each)
        ),
    )
)
def test_whatever_json_comes_is_a_payment_or_our_error(value: object) -> None:
    readers: list[Callable[[], object]] = [
        lambda: read_envelope(GatewayResponse(200, json.dumps(value).encode())).check(),
        lambda: fetch(account(), Wire(envelope(value))),
        lambda: fetch(account(), Wire(envelope({**fields(), "cancel_amount": value}))),
    ]
    for reader in readers:
        try:
            reader()
        except GatewayError:
            continue


@given(st.binary())
def test_whatever_bytes_come_are_an_envelope_or_our_error(body: bytes) -> None:
    try:
        read_envelope(GatewayResponse(200, body)).check()
    except GatewayError:
        return
