"""The buyer's side: every button of the window and every PG, by callback and by redirect, on a PC
and on a phone. Without a browser: what its script sends is sent, what it is told is read."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from imp_verify.sandbox import Attempt, Refused, Sandbox, SandboxServer
from imp_verify.sandbox.attempt import Promotion
from imp_verify.sandbox.browser import MOBILE, PC, leaves
from imp_verify.sandbox.pgs import ALWAYS, FULL, NEVER, PGS, PHONE, Pg, pg
from tests.sandbox.conftest import NOON, Rest
from tests.sandbox.test_window import SHOP, click, open_window, result

BACK = f"{SHOP}/back?order=1"
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3", "v1"])
ROWS = pytest.mark.parametrize("row", PGS.values(), ids=PGS)
PAID = ("approve", "tamper", "silent", "untrue", "no-id")


@dataclass
class Page:
    """A shop's page with a window, and the browser that it is in."""

    server: SandboxServer
    rest: Rest
    version: str = "v1"
    device: str = PC
    popup: bool = False

    def open(self, **params: object) -> Attempt:
        row, back = pg(str(params.get("pg", "html5_inicis"))), params.get("m_redirect_url")
        redirect = self.server.sandbox.settings.redirect
        wanted = {
            "params": {"merchant_uid": "ORD1001", "amount": 39000, **params},
            "userCode": "imp00000000",
            "version": self.version,
            "mobile": self.device == MOBILE,
            "popup": self.popup,
            "redirect": bool(back) and leaves(row, self.device, params, redirect),
        }
        origin = {"Origin": SHOP}
        answer = self.rest.http.post(f"{self.server.url}/window", json=wanted, headers=origin)
        self.imp_uid = answer.json()["imp_uid"]
        return self.payment

    @property
    def payment(self) -> Attempt:
        return self.server.sandbox.gateway.attempt(self.imp_uid)

    @property
    def shown(self) -> str:
        return self.rest.http.get(f"{self.server.url}/window/{self.imp_uid}").text

    def click(self, action: str, **fields: object) -> requests.Response:
        address = f"{self.server.url}/window/{self.imp_uid}/{action}"
        return self.rest.http.post(address, fields, allow_redirects=False)

    def told(self, action: str, **fields: object) -> dict[str, Any] | None:
        """Click, and return what the page is told: by its callback or in its address."""
        answer = self.click(action, **fields)
        if answer.status_code == 302:
            address = urlsplit(answer.headers["Location"])
            assert answer.headers["Location"].startswith(BACK)
            query = dict(parse_qsl(address.query))
            assert query.pop("order") == "1"
            return query
        return result(answer)


@pytest.fixture
def page(server: SandboxServer, rest: Rest) -> Page:
    return Page(server, rest)


@pytest.mark.parametrize("device", [PC, MOBILE])
@ROWS
def test_each_pg_comes_back_as_its_row_says(page: Page, row: Pg, device: str) -> None:
    page.device = device
    back = {"m_redirect_url": BACK}
    if row.redirect_unless:
        page.open(pg=row.code, **back)
        assert "Location" in page.click("close").headers or device == PC
        back[row.redirect_unless] = False  # type: ignore[assignment]
    for version in ("1.2", "1.3", "v1"):
        page.version = version
        attempt = page.open(pg=row.code, merchant_uid=f"ORD{version}".replace(".", ""), **back)
        goes = not row.callback_on_mobile if device == MOBILE else row.redirect_on_pc
        answer = page.click("approve")
        assert (answer.status_code == 302) is goes
        told = (
            dict(parse_qsl(urlsplit(answer.headers["Location"]).query)) if goes else result(answer)
        )
        assert (told["imp_uid"], told["merchant_uid"]) == (attempt.imp_uid, attempt.merchant_uid)
        alone = version == "v1" or (version == "1.3" and row.callback != FULL)
        name = "success" if version == "1.2" and not goes else "imp_success"
        flags = {each: told[each] for each in ("success", "imp_success") if each in told}
        good = not row.flag_lies
        assert flags == ({} if alone else {name: str(good).lower() if goes else good})
        assert "error_code" not in told
        assert ("pg_type" in told) is (not alone and not goes)
        payment = page.payment
        assert (payment.status, payment.channel) == ("paid", device)
        assert payment.currency == row.currency
        assert payment.pay_method == (row.method or "card")


def test_the_whole_callback_has_what_recorded_ones_have(page: Page) -> None:
    page.version = "1.2"
    page.open(name="의자")
    told = page.told("approve")
    assert told
    recorded = (
        "success imp_uid pay_method merchant_uid name paid_amount currency pg_provider pg_type "
        "pg_tid apply_num buyer_name buyer_email buyer_tel buyer_addr buyer_postcode custom_data "
        "status paid_at receipt_url card_name bank_name card_quota card_number emb_pg_provider"
    )
    assert told.keys() == set(recorded.split())
    assert (told["pg_type"], told["paid_amount"]) == ("payment", 39000)


@VERSIONS
@pytest.mark.parametrize("by", ["callback", "redirect"])
@pytest.mark.parametrize("action", [*PAID, "decline", "close", "late", "leave", "lose"])
def test_each_button_does_and_tells_what_it_says(
    page: Page, version: str, by: str, action: str
) -> None:
    page.version, page.device = version, PC if by == "callback" else MOBILE
    attempt = page.open(**({} if by == "callback" else {"m_redirect_url": BACK}))
    told = page.told(action, seconds=60, amount=100, currency="usd")
    now = page.payment
    status = "paid" if action in PAID else "ready" if action in ("late", "leave") else "failed"
    assert now.status == status
    assert (now.amount, now.currency) == (
        (Decimal(100), "USD") if action == "tamper" else (Decimal(39000), "KRW")
    )
    if action in ("silent", "leave"):
        assert told is None
        return
    assert told is not None
    assert told["merchant_uid"] == attempt.merchant_uid
    assert told.get("imp_uid") == (None if action in ("no-id", "lose") else attempt.imp_uid)
    if action == "lose" and by == "callback":
        assert told["imp_uid"] is None
    good = action in ("approve", "tamper", "no-id")
    flag = "success" if version == "1.2" and by == "callback" else "imp_success"
    if version != "v1":
        assert told[flag] in (good, str(good).lower())
    failed = not good and (action != "untrue" or version == "v1")
    assert ("error_code" in told, "error_msg" in told) == (failed, failed)


@pytest.mark.parametrize("action", ["issue", "tamper", "silent", "untrue", "no-id"])
def test_each_way_to_pay_issues_an_account_where_one_was_asked_for(page: Page, action: str) -> None:
    page.open(pay_method="vbank")
    page.click(action, amount=100)
    assert page.payment.waits_for_deposit
    assert page.payment.amount == (100 if action == "tamper" else 39000)


def test_what_is_approved_after_closing_is_paid_when_its_time_comes(page: Page) -> None:
    attempt = page.open()
    told = page.told("late", seconds=60)
    assert told
    assert told["error_msg"] == "사용자가 결제를 취소하셨습니다"
    page.server.sandbox.clock.advance(60)
    assert page.payment.status == "paid"
    page.open(pg="paypal", merchant_uid="ORD2")
    told = page.told("late", seconds=60)
    assert told
    assert (page.payment.status, told["error_msg"]) == (
        "failed",
        "결제 승인 대기 중입니다.",
    )
    page.server.sandbox.clock.advance(60)
    assert page.payment.status == "paid"
    assert attempt.imp_uid != page.imp_uid


@pytest.mark.parametrize(
    ("action", "fields", "says"),
    [
        ("late", {"seconds": "x"}, "시간은 초 단위의 숫자입니다"),
        ("late", {"seconds": "-1"}, "시간은 초 단위의 숫자입니다"),
        ("late", {}, "시간은 초 단위의 숫자입니다"),
        ("late", {"seconds": "99999999"}, "seconds is 0 to"),
        ("tamper", {"amount": "x"}, "금액이 올바르지 않습니다"),
        ("tamper", {"amount": "-1"}, "금액이 올바르지 않습니다"),
        ("tamper", {"currency": "원"}, "통화는 영문 세 글자입니다"),
        ("balance", {}, "잔액이나 포인트로 결제할 수 없는"),
    ],
)
def test_what_the_window_cannot_do_it_says_and_does_nothing(
    page: Page, action: str, fields: dict[str, object], says: str
) -> None:
    before = page.open()
    answer = page.click(action, **fields)
    assert says in answer.text
    assert 'data-state="open"' in answer.text
    assert page.payment == before


def test_a_paid_payment_is_given_back_on_its_page(page: Page) -> None:
    page.open()
    page.click("approve")
    page.click("cancel", amount="9,000", reason="r")
    assert page.payment.cancel_amount == Decimal(9000)
    assert page.payment.cancellations[0].reason == "r"


def test_nothing_odd_happens_to_a_payment_that_is_over(page: Page) -> None:
    page.open()
    page.click("approve")
    before = page.payment
    for action in ("tamper", "balance", "untrue", "lose", "device", "late", "decline", "issue"):
        answer = page.click(action, amount=1, seconds=1)
        assert 'role="alert"' in answer.text, action
    assert page.payment == before


def test_the_device_can_be_changed_in_the_window(page: Page) -> None:
    page.open(m_redirect_url=BACK)
    assert 'data-device="pc"' in page.shown
    assert "_top" not in page.shown
    page.click("device")
    assert page.payment.channel == MOBILE
    assert 'target="_top"' in page.shown
    answer = page.rest.http.get(f"{page.server.url}/window/{page.imp_uid}")
    assert "form-action" not in answer.headers["Content-Security-Policy"]
    page.click("device")
    assert "_top" not in page.shown
    page.click("device")
    told = page.told("decline")
    assert told
    assert told["error_code"] == "SANDBOX_DECLINED"
    page.open(pg="danal", m_redirect_url=BACK)
    page.click("device")
    assert "_top" not in page.shown
    assert page.click("close").status_code == 200


def test_a_popup_never_leads_back(page: Page) -> None:
    page.popup = True
    page.open(m_redirect_url=BACK)
    page.click("device")
    assert "_top" not in page.shown
    assert page.told("approve") == {"imp_uid": page.imp_uid, "merchant_uid": "ORD1001"}


def test_a_page_that_was_left_hears_by_its_address_on_any_device(page: Page) -> None:
    page.device = MOBILE
    page.open(m_redirect_url=BACK)
    page.click("device")
    assert page.payment.channel == PC
    assert "_top" not in page.shown
    assert page.click("approve").status_code == 302


def test_a_window_without_a_page_can_change_its_device(page: Page, server: SandboxServer) -> None:
    attempt = server.sandbox.open({"merchant_uid": "ORD1", "amount": 1})
    page.imp_uid = attempt.imp_uid
    assert page.click("device").headers["Location"] == f"/window/{attempt.imp_uid}?lang=ko"
    assert page.payment.channel == MOBILE


def test_the_window_is_as_its_pg_is(page: Page) -> None:
    page.open(pg="kakaopay")
    assert "/balance" in page.shown
    page.version = "1.2"
    page.open(pg="kakaopay")
    told = page.told("balance")
    assert told
    assert (told["pay_method"], told["card_number"]) == ("point", None)
    page.open(pg="kakaopay", merchant_uid="ORD2")
    told = page.told("close")
    assert told
    assert told["error_msg"] == "[결제포기] 사용자가 결제를 취소하셨습니다"
    page.server.sandbox.settings.closed_becomes = "ready"
    page.open(pg="kakaopay", merchant_uid="ORD3")
    told = page.told("close")
    assert told
    assert told["error_msg"] == "[결제포기] 사용자가 결제를 취소하셨습니다"
    page.open(pg="naverco", merchant_uid="ORD4")
    assert 'value="42,000"' in page.shown
    page.open(pay_method="vbank", pg="kakaopay", merchant_uid="ORD5")
    assert "/balance" not in page.shown
    assert "/late" not in page.shown


def test_an_account_tells_what_its_pg_does(page: Page) -> None:
    page.version = "1.2"
    for code, on_phone in (("kcp", False), ("html5_inicis", True)):
        for device in (PC, MOBILE):
            page.device = device
            page.open(pg=code, pay_method="vbank", merchant_uid=f"{code}{device}")
            told = page.told("issue")
            assert told
            assert ("vbank_num" in told) is (device == PC or on_phone)
    page.open(pg="tosspayments", pay_method="vbank")
    page.click("issue")
    assert page.payment.vbank
    assert page.payment.vbank.holder is None
    page.open(pg="eximbay", pay_method="vbank", currency="JPY")
    page.click("issue")
    assert page.payment.vbank
    assert page.payment.vbank.number == "unknown"


# What a PG does not open a window for, and what it does by itself: no page is needed


@pytest.fixture
def sandbox() -> Sandbox:
    made = Sandbox()
    made.clock.stop_at(NOON)
    return made


def opened(sandbox: Sandbox, code: str, **params: object) -> Attempt:
    return sandbox.open({"merchant_uid": "ORD1001", "amount": 39000, "pg": code, **params})


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("welcome", {"currency": "USD"}),
        ("inicis_jp", {"currency": "KRW"}),
        ("smartro_v2", {"merchant_uid": "ORD-1001"}),
        ("payletter_global", {"merchant_uid": "주문1001"}),
        ("mobilians", {"merchant_uid": "ORD"}),
        ("nice_v2", {"pay_method": "vbank"}),
        ("kicc", {"merchant_uid": "1" * 41}),
        ("kicc", {"amount": None}),
    ],
)
def test_a_pg_opens_no_window_for_what_it_cannot_do(
    sandbox: Sandbox, code: str, params: dict[str, object]
) -> None:
    with pytest.raises(Refused):
        opened(sandbox, code, **params)
    assert sandbox.gateway.attempts() == []


def test_a_pg_takes_what_it_can(sandbox: Sandbox) -> None:
    due = opened(sandbox, "nice_v2", pay_method="vbank", vbank_due="20300101")
    assert due.vbank_due
    assert opened(sandbox, "ksnet", currency="USD").currency == "USD"
    assert opened(sandbox, "smartro_v2", merchant_uid="1" * 60).merchant_uid == "1" * 40
    assert opened(sandbox, "paypal_v2", pay_method="card").pay_method == "paypal"
    assert sandbox.open({"merchant_uid": "A", "pg": "danal"}).amount == 0


@pytest.mark.parametrize(
    ("code", "asked", "says"),
    [
        ("danal", 0, 10),
        ("galaxia", 0, 1000),
        ("galaxia", 500, 500),
        ("paypal_v2", 39000, 39000),
        ("paypal_v2", 0, 0),
        ("kicc", 39000, 39000),
        ("kicc", 0, 0),
    ],
)
def test_a_registered_card_says_the_amount_that_its_pg_does(
    sandbox: Sandbox, code: str, asked: int, says: int
) -> None:
    attempt = opened(sandbox, code, amount=asked, customer_uid="c")
    assert sandbox.approve(attempt.imp_uid).amount == says


def test_a_card_that_is_checked_has_its_money_back_after_half_an_hour(sandbox: Sandbox) -> None:
    attempt = opened(sandbox, "danal_tpay", amount=0, customer_uid="c")
    assert sandbox.approve(attempt.imp_uid).status == "paid"
    sandbox.clock.advance(1799)
    assert sandbox.gateway.attempt(attempt.imp_uid).status == "paid"
    sandbox.clock.advance(1)
    assert sandbox.gateway.attempt(attempt.imp_uid).cancel_amount == 10


def test_a_pg_that_looks_for_it_cancels_what_was_approved_for_another_amount(
    sandbox: Sandbox,
) -> None:
    for code, status in (("eximbay", "cancelled"), ("kicc", "paid")):
        attempt = opened(sandbox, code, merchant_uid=code, currency="USD")
        changed = sandbox.approve(attempt.imp_uid, amount=Decimal(1))
        assert (changed.status, changed.amount) == (status, Decimal(1))
        attempt = opened(sandbox, code, merchant_uid=f"{code}2", currency="USD")
        assert sandbox.approve(attempt.imp_uid).status == "paid"


def test_a_promotion_is_no_other_amount_to_a_pg_that_looks_for_it(sandbox: Sandbox) -> None:
    sandbox.settings.change({"promotion_amount": "received"})
    attempt = opened(sandbox, "eximbay")
    paid = sandbox.approve(attempt.imp_uid, promotion=Promotion("p", Decimal(3000)))
    assert (paid.status, paid.amount) == ("paid", attempt.amount - 3000)


@pytest.mark.parametrize(("value", "amount"), [("order", 39000), ("received", 36000)])
def test_what_is_paid_with_a_promotion(sandbox: Sandbox, value: str, amount: int) -> None:
    sandbox.settings.change({"promotion_amount": value})
    attempt = opened(sandbox, "html5_inicis")
    with pytest.raises(Refused):
        sandbox.approve(attempt.imp_uid, promotion=Promotion("p", Decimal(39001)))
    paid = sandbox.approve(attempt.imp_uid, promotion=Promotion("p", Decimal(3000)))
    assert paid.amount == paid.remaining == amount
    assert paid.wire()["promotion"] == {"id": "p", "discount": 3000}


def test_the_table_has_a_row_for_each_kind_of_trap() -> None:
    kinds = {row.issuing for row in PGS.values()}
    assert {NEVER, ALWAYS, PHONE} < kinds
    assert [row.code for row in PGS.values() if row.popup] == ["paypal_v2"]
    assert leaves(pg("x"), PC, {}, "always")
    assert not leaves(pg("x"), MOBILE, {}, "never")


def test_the_script_knows_of_each_pg_what_it_decides_by(server: SandboxServer, rest: Rest) -> None:
    text = rest.http.get(f"{server.url}/v1/iamport.js").text
    assert '"naverpay":{"leaves":true,"unless":"naverPopupMode"}' in text
    assert '"paypal_v2":{"callback":true,"popup":true}' in text
    assert '"kicc"' not in text
    assert '"channel-test":"tosspayments"' in text


def test_what_no_page_opened_is_shown_after_each_button(server: SandboxServer, rest: Rest) -> None:
    attempt = server.sandbox.open({"merchant_uid": "ORD1", "amount": 1})
    answer = click(server, rest, f"/window/{attempt.imp_uid}", "untrue")
    assert answer.headers["Location"] == f"/window/{attempt.imp_uid}?lang=ko"
    path = open_window(server, rest)["path"]
    assert "비정상 상황" in rest.http.get(server.url + path).text
