"""The pay button as HTML: what it tells the window, and what no text in it can do."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify import (
    AsyncVerifier,
    Checkout,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    InvalidRequest,
    OrderStore,
    Outcome,
    Settled,
    StoreError,
    Verdict,
    Verifier,
)
from imp_verify._web.script import address
from imp_verify.contrib.browser import (
    Markup,
    Place,
    async_button,
    button,
    config,
    find_order,
    snippet,
    to_json,
)
from imp_verify.contrib.browser._button import _warn_of_addresses
from imp_verify.order_numbers import _warn
from imp_verify.stores._bridge import as_given
from imp_verify.stores.memory import MemoryStore
from imp_verify.testing import FakeGateway
from imp_verify.testing._harness import paid_outcome
from tests.core.values import I1

CODE = "imp00000000"
SDK = "https://cdn.iamport.kr/v1/iamport.js"
ORDERS: dict[str, Any] = {
    "ORD-1001": 39000,
    "ORD-1002": ExpectedPayment("ORD-1002", "10.99", "usd"),
    "ORD-1003": ExpectedPayment("ORD-1003", 5000, open=False),
    "ORD-1004": ExpectedPayment("ORD-1004", 5000, pay_methods=["vbank"]),
    "ORD-1005": ExpectedPayment("ORD-1005", 5000, pay_methods=["card", "trans"]),
    "ORD-1006": 1.5,
    "가 & <b>": 700,
}


def shop(**arguments: Any) -> Verifier:
    settings = {
        "checkout": Checkout(CODE, "channel-key-1"),
        "public_url": "https://shop.test",
        **arguments,
    }
    store = MemoryStore(expected=lambda number, _: ORDERS.get(number))
    return Verifier(store, credentials=Credentials("key", "secret"), test_mode=True, **settings)


async def expects(number: str, transaction: object) -> Any:
    return ORDERS.get(number)


def async_shop(**arguments: Any) -> AsyncVerifier:
    return AsyncVerifier(
        MemoryStore(expected=lambda number, _: ORDERS.get(number)),
        credentials=Credentials("key", "secret"),
        test_mode=True,
        transport=Nobody(),
        checkout=Checkout(CODE),
        public_url="https://shop.test",
        **arguments,
    )


class Nobody:
    """A transport that nothing may be sent by: a button asks no gateway."""

    async def __call__(self, request: object) -> Any:
        raise AssertionError(request)

    async def close(self) -> None:
        pass


class Read(HTMLParser):
    """The elements of a page as a browser would see them, with the text of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self._open: list[int] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))
        if tag != "link":
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            tag, attributes, text = self.elements[self._open[-1]]
            self.elements[self._open[-1]] = tag, attributes, text + data

    @property
    def data(self) -> dict[str, Any]:
        (text,) = [text for _, attrs, text in self.elements if "data-imp-verify" in attrs]
        content: dict[str, Any] = json.loads(text, parse_float=Decimal)
        return content

    @property
    def params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.data["params"]
        return params


def shown(order: Any, verifier: Verifier | None = None, **options: Any) -> Read:
    return Read(button(verifier or shop(), order, **options))


# --- what is on the page -------------------------------------------------------------------------


def test_a_button_is_a_button_a_place_for_words_inert_data_and_the_module() -> None:
    page = shown("ORD-1001", id="pay", place=Place(nonce='a"b'))
    assert [(tag, attributes) for tag, attributes, _ in page.elements] == [
        (
            "button",
            {
                **{"type": "button", "class": "imp-verify-button", "id": "pay"},
                **{"aria-label": "결제하기: ORD-1001", "disabled": None},
            },
        ),
        ("p", {"class": "imp-verify-status", "id": "pay-status", "role": "status"}),
        ("noscript", {}),
        ("p", {}),
        ("script", {"type": "application/json", "data-imp-verify": "pay"}),
        ("link", {"rel": "preload", "as": "script", "href": SDK, "nonce": 'a"b'}),
        ("script", {"src": f"/payments/{address()}", "defer": None, "nonce": 'a"b'}),
    ]
    assert page.elements[0][2] == "결제하기"
    assert page.data == {
        "userCode": CODE,
        "language": "ko",
        "complete": "/payments/complete",
        "params": {
            "channelKey": "channel-key-1",
            "merchant_uid": "ORD-1001",
            "amount": 39000,
            "currency": "KRW",
            "m_redirect_url": "https://shop.test/payments/redirect",
        },
    }


def test_the_sdk_that_the_module_will_load_is_fetched_beside_it() -> None:
    def hints(**options: Any) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs, _ in shown("ORD-1001", **options).elements if tag == "link"]

    plain = {"rel": "preload", "as": "script"}
    assert hints() == [{**plain, "href": SDK}]
    other = "/sdk.js?a=1&b=2"
    assert hints(sdk=other, place=Place(nonce="n")) == [{**plain, "href": other, "nonce": "n"}]
    assert hints(sdk=None) == hints()
    assert shown("ORD-1003").elements[0][0] == "p"  # a closed order: nothing to load
    assert len(shown("ORD-1003").elements) == 1
    module = files("imp_verify").joinpath("_web", "imp-verify.js").read_text(encoding="utf-8")
    assert f'const SDK = "{SDK}";' in module


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"name": '참나무 "의자"'}, '결제하기: 참나무 "의자"'),
        ({"name": "의자", "label": "64,900원 결제하기"}, "64,900원 결제하기: 의자"),
        ({"name": "의자", "label": "의자 구매"}, "의자 구매"),
        ({"name": " "}, "결제하기: ORD-1001"),
        ({"label": "Pay <ORD-1001>"}, "Pay <ORD-1001>"),
    ],
)
def test_a_button_is_called_what_is_seen_on_it_and_then_by_its_order(
    options: dict[str, Any], name: str
) -> None:
    """So several on one page are told apart, also by who asks for a list of them."""
    tag, attributes, text = shown("ORD-1001", **options).elements[0]
    assert (tag, attributes["aria-label"]) == ("button", name)
    assert name.startswith(text)


def test_without_a_nonce_there_is_none_and_no_handler_stands_in_the_page() -> None:
    page = shown("ORD-1001")
    names = {name for _, attributes, _ in page.elements for name in attributes}
    assert "nonce" not in names
    assert not [name for name in names if name.startswith("on")]


def test_two_buttons_of_one_order_are_told_apart() -> None:
    verifier = shop()
    ids = {Read(button(verifier, "ORD-1001")).elements[0][1]["id"] for _ in range(50)}
    assert len(ids) == 50


def test_what_is_given_is_finished_html() -> None:
    made = button(shop(), "ORD-1001", id="pay")
    assert isinstance(made, Markup)
    assert isinstance(made, str)
    assert made.__html__() == made


def test_a_page_with_a_button_of_its_own_takes_the_data_alone() -> None:
    data = config(shop(), "ORD-1001", name="의자")
    assert json.loads(to_json(data)) == shown("ORD-1001", name="의자").data
    assert data["params"]["amount"] == Decimal(39000)


def test_the_checkout_is_told_to_the_window() -> None:
    one, more = "https://shop.test/hook", "https://shop.test/hook?2"
    checkout = Checkout(CODE, pg="kcp.A1", tier="ABC", notice_urls=[one], confirm=True)
    data = shown("ORD-1001", shop(checkout=checkout)).data
    assert (data["userCode"], data["tier"]) == (CODE, "ABC")
    params = data["params"]
    assert (params["pg"], params["notice_url"]) == ("kcp.A1", one)
    assert params["confirm_url"] == "https://shop.test/payments/confirm"
    assert "channelKey" not in params
    both = shown("ORD-1001", shop(checkout=Checkout(CODE, notice_urls=(one, more)))).params
    assert both["notice_url"] == [one, more]
    assert not {"pg", "channelKey", "confirm_url"} & both.keys()


def test_what_the_page_chooses_is_told_too_and_what_is_none_is_left_out() -> None:
    page = shown(
        "ORD-1001",
        label="<b>",
        sdk="https://cdn.test/sdk.js",
        jquery="https://cdn.test/jquery.js",
        name="의자",
        pay_method="card",
        buyer_name=None,
        tax_free=Decimal("1E+3"),
        params={"new_parameter": {"a": [1, None, True]}, "buyer_tel": None},
    )
    assert page.elements[0][2] == "<b>"
    assert page.data["sdk"] == "https://cdn.test/sdk.js"
    assert page.data["jquery"] == "https://cdn.test/jquery.js"
    params = page.params
    assert (params["name"], params["pay_method"], params["tax_free"]) == ("의자", "card", 1000)
    assert params["new_parameter"] == {"a": [1, None, True]}
    assert not {"buyer_name", "buyer_tel"} & params.keys()


@pytest.mark.parametrize(
    ("setting", "chosen", "accepted", "language", "label"),
    [
        ("ko", None, ["en"], "ko", "결제하기"),
        ("en", None, ["ko"], "en", "Pay"),
        ("ko", "en", [], "en", "Pay"),
        ("auto", None, ["en-US,ko;q=0.5"], "en", "Pay"),
        ("auto", None, [], "ko", "결제하기"),
        ("auto", "ko", ["en"], "ko", "결제하기"),
    ],
)
def test_the_language_is_the_shops_or_the_pages(
    setting: str, chosen: str | None, accepted: list[str], language: str, label: str
) -> None:
    page = shown(
        "ORD-1001", shop(language=setting), language=chosen, place=Place(accepted=accepted)
    )
    assert (page.elements[0][2], page.data["language"]) == (label, language)
    assert page.params.get("language") == (None if language == "ko" else language)


def test_a_long_name_is_clipped_to_what_the_gateway_takes() -> None:
    assert shown("ORD-1001", name="가" * 41).params["name"] == "가" * 40


# --- which order ---------------------------------------------------------------------------------


@dataclass
class Row:
    merchant_uid: Any
    amount: Any = None
    currency: str | None = None
    name: str | None = None
    buyer_name: str | None = None
    state: str = "open"


def test_the_amount_of_a_number_is_what_the_store_expects() -> None:
    for order in ("ORD-1002", {"merchant_uid": "ORD-1002"}, Row("ORD-1002")):
        params = shown(order).params
        assert (params["amount"], params["currency"]) == (Decimal("10.99"), "USD")


def test_J08_a_number_is_text_an_amount_a_plain_number_and_a_name_is_escaped() -> None:
    name = 'O\'Neil "A" \\ 주문 & 끝'
    given = {"merchant_uid": 1001, "amount": Decimal("39000.00"), "name": name}
    for order in (given, Row(1001, Decimal("39000.00"), name=name)):
        page = button(shop(), order)
        assert '"amount":39000.00,' in page
        params = Read(page).params
        assert (params["merchant_uid"], params["amount"], params["name"]) == ("1001", 39000, name)
        assert params["currency"] == "KRW"
        assert "state" not in params


def test_a_page_may_say_all_of_an_order_by_itself() -> None:
    order = {"merchant_uid": "X1", "amount": "10.99", "currency": "usd", "buyer_name": "김"}
    params = shown(order, buyer_name="박").params
    assert (params["amount"], params["currency"]) == (Decimal("10.99"), "USD")
    assert params["buyer_name"] == "박"
    expected = ExpectedPayment("X1", 700)
    assert shown(expected).params["amount"] == 700


@pytest.mark.parametrize("order", ["ORD-404", {"merchant_uid": "ORD-404"}, 404])
def test_an_order_that_the_store_does_not_know_has_no_button(order: Any) -> None:
    with pytest.raises(InvalidRequest, match="there is no order"):
        button(shop(), order)


@pytest.mark.parametrize(
    "order", [None, True, 1.5, [], {}, {"merchant_uid": True}, Row(None), Row(1.5), object(), b"x"]
)
def test_what_is_no_order_is_refused(order: Any) -> None:
    with pytest.raises(InvalidRequest, match="is no order"):
        button(shop(), order)


@pytest.mark.parametrize("number", ["", " x", "x\n", "x" * 65, "\ud800"])
def test_a_malformed_number_is_refused(number: str) -> None:
    for order in (number, Row(number, 100)):
        with pytest.raises(InvalidRequest):
            button(shop(), order)


@pytest.mark.parametrize("amount", [1.5, "1,000", 0, -1, Decimal("NaN"), True])
def test_an_amount_that_is_no_price_is_refused(amount: Any) -> None:
    with pytest.raises(StoreError):
        button(shop(), {"merchant_uid": "X1", "amount": amount})
    with pytest.raises(StoreError):
        button(shop(), "ORD-1006")


@pytest.mark.parametrize("amount", ["4503599627370497.5", "123456789012345678", "0.12345678901"])
def test_an_amount_that_no_browser_can_carry_is_refused(amount: str) -> None:
    with pytest.raises((InvalidRequest, StoreError), match=r"digits|amount"):
        button(shop(), {"merchant_uid": "X1", "amount": amount})


def test_a_number_that_the_gateway_would_cut_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at most 40"):
        button(shop(), {"merchant_uid": "A" * 41, "amount": 100})
    smartro = shop(checkout=Checkout(CODE, pg="smartro_v2.MID"))
    with pytest.raises(InvalidRequest, match="letters and digits only"):
        button(smartro, "ORD-1001")


@pytest.mark.parametrize("verdict", [Verdict.PAID, Verdict.CANCELLED])
@pytest.mark.parametrize(
    ("language", "words"),
    [("ko", "이미 결제된 주문입니다"), ("en", "The order was paid already")],
)
def test_an_order_that_was_paid_is_not_offered_again_whatever_the_shop_says_of_it(
    language: str, words: str, verdict: Verdict
) -> None:
    """A payment pays an order once in its life: also where that was given back since."""
    plain, waits = shop(language=language), async_shop(language=language)
    for store in (plain.store, as_given(waits.store)):
        assert isinstance(store, MemoryStore)
        pays = paid_outcome(I1, ExpectedPayment("ORD-1001", 39000))
        assert store.settle(pays) is Settled.NEW
        if verdict is Verdict.CANCELLED:
            assert pays.payment is not None
            gone = replace(pays.payment, status="cancelled", cancel_amount=Decimal(39000))
            _ = store.observe(replace(pays, verdict=verdict, payment=gone))
    said = [("p", {"class": "imp-verify-status"}, words)]
    for order in ("ORD-1001", {"merchant_uid": "ORD-1001", "amount": 39000}):
        assert shown(order, plain).elements == said
        assert Read(asyncio.run(async_button(waits, order))).elements == said
        with pytest.raises(InvalidRequest, match=f"^{words}$"):
            config(plain, order)
    found = asyncio.run(find_order(waits, "ORD-1001"))
    assert (found.open, found.amount) == (False, Decimal(39000))
    assert Read(button(waits, found)).elements == said
    with pytest.raises(InvalidRequest, match=f"^{words}$"):
        config(waits, found)
    assert shown("ORD-1004", plain).elements[0][0] == "button"


@pytest.mark.parametrize("days", [1, None, -1])
@pytest.mark.parametrize(
    ("language", "words"), [("ko", "가상계좌가 있습니다"), ("en", "is waiting")]
)
def test_where_an_account_waits_for_its_deposit_the_button_says_so_and_nothing_of_the_account(
    language: str, words: str, days: int | None
) -> None:
    plain, waits = shop(language=language), async_shop(language=language)
    due = datetime.now(UTC) + timedelta(days=days or 0)
    raw = {} if days is None else {"vbank_date": int(due.timestamp())}
    for store in (plain.store, as_given(waits.store)):
        assert isinstance(store, MemoryStore)
        issued = paid_outcome(I1, ExpectedPayment("ORD-1001", 39000))
        assert issued.payment is not None
        account = replace(
            issued.payment, status="ready", pay_method="vbank", vbank_num="9876543", raw=raw
        )
        issued = replace(issued, verdict=Verdict.VIRTUAL_ACCOUNT, payment=account)
        assert store.observe(issued) is Settled.NEW
    found = asyncio.run(find_order(waits, "ORD-1001"))
    assert (found.open, found.amount) == (True, Decimal(39000))
    for page in (
        button(plain, "ORD-1001", id="pay"),
        button(plain, {"merchant_uid": "ORD-1001", "amount": 39000}, id="pay"),
        button(waits, found, id="pay"),
        asyncio.run(async_button(waits, "ORD-1001", id="pay")),
    ):
        first, second = Read(page).elements[:2]
        assert "9876543" not in page
        if days == -1:  # too late to pay into it
            assert (first[0], "aria-describedby" in first[1]) == ("button", False)
            continue
        assert first[:2] == ("p", {"class": "imp-verify-waits", "id": "pay-waits"})
        assert words in first[2]
        assert (second[0], second[1]["aria-describedby"]) == ("button", "pay-waits")
    assert config(plain, "ORD-1001")["params"]["amount"] == Decimal(39000)
    assert shown("ORD-1004", plain).elements[0][0] == "button"


def test_a_store_by_hand_is_asked_what_it_expects_alone() -> None:
    class ByHand(OrderStore):
        def expected(self, merchant_uid: str) -> int:
            return 39000

        def settle(self, outcome: Outcome) -> Settled:
            raise AssertionError

        def paid(self) -> None:
            """Something else of the shop's own."""

    verifier = Verifier(
        ByHand(),
        credentials=Credentials("key", "secret"),
        checkout=Checkout(CODE),
        public_url="https://shop.test",
    )
    assert shown("ORD-1001", verifier).elements[0][0] == "button"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_ledger_by_hand_is_asked_whether_the_order_was_paid(asynchronous: bool) -> None:
    class ByHand(OrderStore):
        def expected(self, merchant_uid: str) -> int:
            return 39000

        def settle(self, outcome: Outcome) -> Settled:
            raise AssertionError

        def paid(self, merchant_uid: str) -> bool:
            return merchant_uid == "ORD-1001"

        due = dues = claim = close_due = waiting = run = save_run = settle

    gateway = FakeGateway()
    arguments: dict[str, Any] = {
        "credentials": gateway.credentials,
        "transport": gateway.async_transport if asynchronous else gateway.transport,
        "checkout": Checkout(CODE),
        "public_url": "https://shop.test",
    }

    def tag(number: str) -> str:
        if asynchronous:
            page = asyncio.run(async_button(AsyncVerifier(ByHand(), **arguments), number))
        else:
            page = button(Verifier(ByHand(), **arguments), number)
        return Read(page).elements[0][0]

    assert (tag("ORD-1001"), tag("ORD-1002")) == ("p", "button")


@pytest.mark.parametrize(("language", "words"), [("ko", "마감된"), ("en", "closed")])
def test_a_closed_order_has_a_sentence_in_place_of_a_button(language: str, words: str) -> None:
    page = shown("ORD-1003", language=language)
    ((tag, _, text),) = page.elements
    assert tag == "p"
    assert words in text
    with pytest.raises(InvalidRequest) as refused:
        config(shop(), "ORD-1003", language=language)
    assert str(refused.value) == text


def test_the_window_opens_in_a_way_that_the_order_allows() -> None:
    assert shown("ORD-1004").params["pay_method"] == "vbank"
    assert "pay_method" not in shown("ORD-1005").params
    assert shown("ORD-1005", pay_method="trans").params["pay_method"] == "trans"
    for order in ("ORD-1004", "ORD-1005"):
        with pytest.raises(InvalidRequest, match="does not allow 'phone'"):
            button(shop(), order, pay_method="phone")


OURS = ("merchant_uid", "amount", "currency", "pg", "channelKey", "m_redirect_url", "notice_url")


@pytest.mark.parametrize("name", [*OURS, "confirm_url", "customer_uid"])
def test_what_the_order_or_the_settings_decide_is_not_for_a_page_to_choose(name: str) -> None:
    verifier = shop()
    with pytest.raises(InvalidRequest, match=f"takes no {name}"):
        button(verifier, "ORD-1001", params={name: "x"})
    with pytest.raises(InvalidRequest, match=f"takes no {name}"):
        button(verifier, "ORD-1001", **{name: "x"})  # type: ignore[arg-type]


def test_an_option_that_is_misspelt_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="takes no buyer_nmae, labl"):
        button(shop(), "ORD-1001", labl="x", buyer_nmae="y")  # type: ignore[call-arg]
    with pytest.raises(InvalidRequest, match="language"):
        button(shop(), "ORD-1001", language="fr")


def test_an_async_shops_orders_are_awaited() -> None:
    verifier = async_shop()

    async def visit() -> tuple[str, str, Any, Any]:
        number = await async_button(verifier, "ORD-1002", id="a")
        whole = await async_button(verifier, {"merchant_uid": "X1", "amount": 7}, id="b")
        found = await find_order(verifier, "ORD-1001")
        same = await find_order(verifier, found)
        with pytest.raises(InvalidRequest, match="there is no order"):
            await find_order(verifier, "ORD-404")
        return number, whole, found, same

    number, whole, found, same = asyncio.run(visit())
    assert Read(number).params["amount"] == Decimal("10.99")
    assert Read(whole).params["amount"] == 7
    assert found == same == ExpectedPayment("ORD-1001", 39000)
    assert Read(button(verifier, found)).params["amount"] == 39000
    with pytest.raises(ConfigurationError, match="await find_order"):
        button(verifier, "ORD-1001")


def test_without_a_checkout_or_a_public_url_the_setting_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMP_PUBLIC_URL", raising=False)
    with pytest.raises(ConfigurationError, match="checkout="):
        button(shop(checkout=None), "ORD-1001")
    with pytest.raises(ConfigurationError, match=r"public_url \(IMP_PUBLIC_URL\)"):
        button(shop(public_url=None), "ORD-1001")


SEVERAL = {"kr": Credentials("key", "secret"), "us": Credentials("other", "secret")}
CHECKOUTS = {"kr": Checkout(CODE, "channel-kr"), "us": Checkout("imp11111111", tier="ABC")}


def shop_of_two(checkout: Any = CHECKOUTS) -> Verifier:
    return Verifier(
        MemoryStore(expected=lambda number, _: ExpectedPayment(number, 700, account=number[:2])),
        accounts=SEVERAL,
        test_mode=True,
        checkout=checkout,
        public_url="https://shop.test",
    )


@pytest.mark.parametrize(
    "order", [str, lambda number: {"merchant_uid": number, "amount": 700, "account": number[:2]}]
)
def test_of_several_accounts_the_orders_own_opens_the_window(order: Any) -> None:
    verifier = shop_of_two()
    korea, states = shown(order("kr1001"), verifier), shown(order("us1001"), verifier)
    assert (korea.data["userCode"], korea.params["channelKey"]) == (CODE, "channel-kr")
    assert (states.data["userCode"], states.data["tier"]) == ("imp11111111", "ABC")
    assert "channelKey" not in states.params


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize(
    "order",
    ["jp1001", {"merchant_uid": "kr1001", "amount": 1}, ExpectedPayment("kr1001", 1, account="jp")],
)
def test_an_order_that_names_none_of_several_accounts_gets_no_button(
    order: Any, several: bool
) -> None:
    shop = shop_of_two() if several else shop_of_two(Checkout(CODE))
    with pytest.raises(StoreError, match="must name an account, one of 'kr', 'us'"):
        button(shop, order)


def test_one_checkout_for_several_accounts_serves_them_all() -> None:
    assert shown("us1001", shop_of_two(Checkout(CODE))).data["userCode"] == CODE


def test_an_account_that_is_no_text_is_the_shops_own_business() -> None:
    order = {"merchant_uid": "ORD-1001", "amount": 700, "account": object()}
    assert shown(order).params["amount"] == 700


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "checkout must name each of the accounts and no other: 'kr', 'us'"),
        ({"kr": Checkout(CODE)}, "no other: 'kr', 'us'"),
        ({**CHECKOUTS, "jp": Checkout(CODE)}, "no other: 'kr', 'us'"),
        ({"kr": Checkout(CODE), "us": CODE}, r"checkout\['us'\] must be Checkout, not str"),
        (CODE, "checkout must be Checkout, not str"),
    ],
)
def test_checkouts_and_accounts_have_the_same_names(given: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        shop_of_two(given)


def test_checkouts_by_name_need_accounts() -> None:
    with pytest.raises(ConfigurationError, match="no other: none"):
        shop(checkout=CHECKOUTS)


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "prefix", "root", "path"),
    [
        ("https://shop.test", "/pay", "", "/pay"),
        ("https://shop.test", "pay/", "/", "/pay"),
        ("https://shop.test", "/", "", ""),
        ("https://shop.test", "/pay", "/shop", "/shop/pay"),
        ("https://shop.test", "/pay", "shop/", "/shop/pay"),
        ("https://shop.test/shop", "/pay", "", "/shop/pay"),
        ("https://shop.test/shop/", "/pay", "/shop", "/shop/pay"),
        ("https://shop.test/shop", "/pay", "/inner", "/shop/pay"),
        (
            "https://shop.test:8443",
            "/결제",
            "/가게 1",
            "/%EA%B0%80%EA%B2%8C%201/%EA%B2%B0%EC%A0%9C",
        ),
        ("http://127.0.0.1:8000", "/a%20b", "", "/a%20b"),
    ],
)
def test_F04_D02_addresses_are_made_of_one_setting_and_the_mount_point(
    public_url: str, prefix: str, root: str, path: str
) -> None:
    page = shown("ORD-1001", shop(public_url=public_url), place=Place(prefix, root))
    origin = re.match(r"https?://[^/]+", public_url)
    assert origin
    assert page.data["complete"] == f"{path}/complete"
    assert page.params["m_redirect_url"] == f"{origin[0]}{path}/redirect"
    assert page.elements[-1][1]["src"] == f"{path}/{address()}"


def warnings_of(caplog: pytest.LogCaptureFixture, *verifiers: Verifier) -> list[str]:
    """Return what the log says of these shops' addresses, each page shown twice."""
    _warn_of_addresses.cache_clear()
    caplog.clear()
    for each in verifiers * 2:
        shown("ORD-1001", each)
    return [each for each in caplog.messages if "address" in each]


def test_d03_what_the_pg_gets_has_no_fragment_and_the_query_of_the_shops_address() -> None:
    base = "https://shop.test/" + "a" * 62
    whole = shop(public_url=f"{base}?a=1#/done", checkout=Checkout(CODE, confirm=True))
    params = config(whole, "ORD-1001")["params"]
    assert params["m_redirect_url"] == f"{base}/payments/redirect?a=1"
    assert params["confirm_url"] == f"{base}/payments/confirm?a=1"
    assert "ORD-1001" not in params["m_redirect_url"]


def test_d03_an_address_that_a_pg_may_cut_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fits, long = "https://shop.test/" + "a" * 219, "https://shop.test/" + "a" * 220
    assert warnings_of(caplog, shop(public_url=fits)) == []
    [warning] = warnings_of(caplog, shop(public_url=long))
    assert warning.startswith("the address that the buyer comes back to has 256 characters")


OWN = "https://shop.test/payments/webhook"


@pytest.mark.parametrize(
    ("urls", "warned"),
    [
        ((), False),
        (OWN, False),
        ([f"{OWN}/?key=1", "https://b.test/hook"], False),
        ("https://shop.test/hook", True),
        (["https://b.test/payments/webhook", "https://shop.test/webhook"], True),
    ],
)
def test_o03_notice_urls_without_the_shops_own_webhook_are_warned_of_once(
    urls: Any, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    said = warnings_of(caplog, shop(checkout=Checkout(CODE, notice_urls=urls)))
    assert len(said) == warned
    assert all(OWN in each for each in said)


@pytest.mark.parametrize("order", ["A" * 41, {"merchant_uid": "A" * 41, "amount": 1}])
def test_e17_no_payment_is_begun_for_a_number_that_a_pg_cuts(order: Any) -> None:
    verifier = Verifier(
        MemoryStore(expected=lambda number, _: 39000),
        credentials=Credentials("key", "secret"),
        test_mode=True,
        checkout=Checkout(CODE),
        public_url="https://shop.test",
    )
    with pytest.raises(InvalidRequest, match="takes at most 40 characters: some PGs cut"):
        button(verifier, order)
    with pytest.raises(InvalidRequest, match=r"order_number\(\) makes shorter ones"):
        config(verifier, order)


def test_e17_a_number_with_signs_is_warned_of_and_refused_where_the_pg_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _warn.cache_clear()
    odd = {"merchant_uid": "a/b#c", "amount": 1}
    button(shop(), odd)
    assert len([each for each in caplog.messages if "some PGs reject" in each]) == 1
    with pytest.raises(InvalidRequest, match="smartro_v2 takes ASCII letters and digits only"):
        button(shop(checkout=Checkout(CODE, pg="smartro_v2")), odd)


@pytest.mark.parametrize(
    ("redirect", "root", "prefix"),
    [
        ("/pay/redirect", "", "/pay/"),
        ("/shop/pay/redirect", "/shop", "/pay/"),
        ("/shop/pay/redirect/", "/shop/", "/pay/"),
        ("/%EA%B0%80/pay/redirect", "/가", "/pay/"),
        ("/가/pay/redirect", "/가", "/pay/"),
        ("/shopping/redirect", "", "/shopping/"),
        ("/redirect", "/", "/"),
    ],
)
def test_a_place_is_told_from_what_a_framework_makes(redirect: str, root: str, prefix: str) -> None:
    assert Place.of(redirect, root, None, ()) == Place(prefix, root)
    assert Place.of(redirect, root, 5, ["ko"]) == Place(prefix, root, "5", ["ko"])


# --- texts that would break out ------------------------------------------------------------------

NASTY = (
    *(
        "</script><script>alert(1)</script>",
        "<!--",
        "<!--<script>",
        "]]>",
        "&amp;&lt;",
        "\u2028\u2029",
    ),
    *("\"'\\", "`${x}`", "\x00\x1f\x7f", "가나다", "😀", "\ud800", "--!>", "\r\n", "</SCRIPT\t>"),
)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_X11_no_text_closes_its_script(text: str) -> None:
    page = button(
        shop(),
        {"merchant_uid": "X1", "amount": 1, "name": text, "buyer_name": text},
        custom_data={text: [text]},
        label=text,
    )
    read = Read(page)
    assert [tag for tag, _, _ in read.elements] == [
        *("button", "p", "noscript", "p", "script", "link", "script")
    ]
    (raw,) = [text for _, attributes, text in read.elements if "data-imp-verify" in attributes]
    assert not set(raw) & set("<>&\u2028\u2029\ud800")
    assert read.params["name"] == read.params["buyer_name"] == text
    assert read.params["custom_data"] == {text: [text]}
    for readable in ("가", "😀"):
        assert (readable in raw) is (readable in text)


@pytest.mark.parametrize("half", ["\ud800", "a\udfffb"], ids=ascii)
def test_half_a_character_anywhere_is_a_question_mark_and_ends_no_page(half: str) -> None:
    order = {"merchant_uid": "X1", "amount": 1, "name": half}
    place = Place(half, half, nonce=half)
    page = button(shop(), order, label=half, id=half, sdk=half, place=place)
    read = Read(page.encode().decode())
    first, last = read.elements[0], read.elements[-1]
    seen = half.encode("utf-8", "replace").decode()
    assert (first[1]["id"], first[2], last[1]["nonce"]) == (seen, seen, seen)
    assert last[1]["src"] == f"/{quote(seen)}/{quote(seen)}/{address()}"
    assert read.params["name"] == half  # as JSON can say it
    assert Place.of(f"/{quote(seen)}/pay/redirect", half, None, ()).prefix == "/pay/"
    assert f'"/{quote(seen)}/complete"' in snippet("html", prefix=half)


WHOLE = st.integers(-(2**53), 2**53)


@given(st.recursive(st.none() | st.booleans() | st.text() | WHOLE, st.lists))
def test_any_json_comes_back_as_it_was(value: object) -> None:
    text = to_json({"a": value})
    assert json.loads(text) == {"a": value}
    assert not set(text) & set("<>&\u2028\u2029")
    text.encode()


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**15, places=2))
def test_a_decimal_is_written_exactly_and_without_an_exponent(value: Decimal) -> None:
    try:
        text = to_json(value, "amount")
    except InvalidRequest:
        assert Decimal(repr(float(value))) != value
        return
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)
    assert Decimal(text) == value == Decimal(repr(json.loads(text)))


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 10**400])
def test_a_whole_number_that_a_browser_would_change_is_refused(value: int) -> None:
    with pytest.raises(InvalidRequest, match=r"^user has more digits"):
        to_json({"custom_data": {"user": value}})
    with pytest.raises(InvalidRequest, match=r"^tax_free has more digits"):
        button(shop(), "ORD-1001", tax_free=value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), object(), b"x", {1: 2}, {"a": {None: 1}}, {1}, Decimal("NaN")],
)
def test_what_json_cannot_hold_is_refused_without_being_shown(value: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^(custom_data|a|the data)"):
        to_json({"custom_data": value})
