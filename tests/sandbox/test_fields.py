"""What a payment tells where its method and its PG have it, and what a cancel asks for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from imp_verify.sandbox import Attempt, SandboxServer
from tests.sandbox.conftest import NOON, Rest, issued, opened, paid


def told(rest: Rest, attempt: Attempt, query: str = "") -> dict[str, object]:
    reply = rest.get(f"/payments/{attempt.imp_uid}{query}")
    assert reply.status == 200
    return dict(reply.response)


def test_a_transfer_names_its_bank_once_it_is_paid(server: SandboxServer, rest: Rest) -> None:
    attempt = opened(server, pay_method="trans")
    assert (told(rest, attempt)["bank_code"], told(rest, attempt)["receipt_url"]) == (None, None)
    server.sandbox.approve(attempt.imp_uid)
    after = told(rest, attempt)
    assert (after["bank_code"], after["bank_name"]) == ("088", "신한은행")
    assert (after["cash_receipt_issued"], after["card_name"]) == (True, None)
    assert str(after["receipt_url"]).startswith("https://")


def test_each_part_given_back_has_its_receipt(server: SandboxServer, rest: Rest) -> None:
    attempt = paid(server)
    assert told(rest, attempt)["cancel_receipt_urls"] == []
    server.sandbox.cancel(attempt.imp_uid, Decimal(1000))
    server.sandbox.cancel(attempt.imp_uid)
    after = rest.get(f"/payments/{attempt.imp_uid}").response
    receipts = [entry["receipt_url"] for entry in after["cancel_history"]]
    assert after["cancel_receipt_urls"] == receipts
    assert len({*receipts, after["receipt_url"]}) == 3
    assert after["cash_receipt_issued"] is False


@pytest.mark.parametrize(
    ("provider", "issuer"), [("tosspayments", "BC카드"), ("html5_inicis", None)]
)
def test_some_pgs_tell_the_cards_issuer(
    server: SandboxServer, rest: Rest, provider: str, issuer: str | None
) -> None:
    after = told(rest, paid(server, pg=provider))
    assert (after["card_issuer_name"], after["card_publisher_name"]) == (issuer, issuer)


@pytest.mark.parametrize(
    ("provider", "method", "wallet"),
    [
        ("html5_inicis", "kakaopay", "kakaopay"),
        ("html5_inicis", "samsung", "samsungpay"),
        ("kakaopay", "kakaopay", None),
        ("tosspay_v2", "tosspay", None),
        ("html5_inicis", "card", None),
    ],
)
def test_a_wallet_in_another_pgs_window_is_named(
    server: SandboxServer, rest: Rest, provider: str, method: str, wallet: str | None
) -> None:
    attempt = opened(server, pg=provider, pay_method=method)
    assert told(rest, attempt)["emb_pg_provider"] == wallet
    made = server.sandbox.gateway.make(
        merchant_uid="B", amount=1, pg_provider=provider, pay_method=method
    )
    assert told(rest, made)["emb_pg_provider"] == wallet


def test_escrow_is_told_where_the_page_asked_for_it(server: SandboxServer, rest: Rest) -> None:
    assert told(rest, opened(server, escrow=True))["escrow"] is True
    assert told(rest, opened(server, escrow="true"))["escrow"] is False
    made = server.sandbox.gateway.make(merchant_uid="B", amount=1, escrow=True)
    assert told(rest, made)["escrow"] is True


def test_kiwoompay_tells_who_paid_in_where_that_is_asked_for(
    server: SandboxServer, rest: Rest
) -> None:
    attempt = issued(server, pg="daou", buyer_name="홍길동")
    query = "?extension=true"
    assert "extension" not in told(rest, attempt)
    assert told(rest, attempt, query)["extension"] == {"REMITTER": None}
    server.sandbox.deposit(attempt.imp_uid)
    assert told(rest, attempt, query)["extension"] == {"REMITTER": "홍길동"}
    assert "extension" not in told(rest, paid(server, "B"), query)


def test_no_text_is_told_longer_than_documented(server: SandboxServer, rest: Rest) -> None:
    told_of = told(rest, opened(server, name="x" * 50, buyer_name="x" * 50, buyer_addr="x" * 500))
    lengths = [len(str(told_of[name])) for name in ("name", "buyer_name", "buyer_addr")]
    assert lengths == [40, 16, 128]


PROMOTION = {"id": "promotion-id-1", "discount": 1000, "least": 30000}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"amount": 9000}, True),
        ({"amount": 9001}, False),
        ({"amount": 9001, "retain_promotion": True}, True),
        ({"amount": 9001, "retain_promotion": "false"}, False),
        ({}, True),
    ],
)
def test_a_promotion_goes_where_too_little_is_left_for_it(
    server: SandboxServer, rest: Rest, fields: dict[str, object], kept: bool
) -> None:
    made = server.sandbox.gateway.make(merchant_uid="A", amount=39000, promotion=PROMOTION)
    shown = {"id": "promotion-id-1", "discount": 1000}
    assert told(rest, made)["promotion"] == shown
    reply = rest.send("POST", "/payments/cancel", {"imp_uid": made.imp_uid, **fields})
    assert reply.response["promotion"] == (shown if kept else None)


@pytest.mark.parametrize(
    "wrong",
    [
        "promotion-id-1",
        {"id": "x"},
        {**PROMOTION, "name": "x"},
        {**PROMOTION, "id": ""},
        {**PROMOTION, "discount": "1"},
        {**PROMOTION, "least": -1},
    ],
)
def test_what_is_no_promotion_is_refused(server: SandboxServer, wrong: object) -> None:
    with pytest.raises(ValueError, match="promotion"):
        server.sandbox.gateway.make(merchant_uid="A", amount=39000, promotion=wrong)


# What a cancel asks for


def test_naverpay_wants_a_reason_and_knows_two_requesters(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = paid(server, pg="naverpay").imp_uid

    def code(**fields: object) -> int:
        fields = {"imp_uid": imp_uid, "amount": 100, **fields}
        return rest.send("POST", "/payments/cancel", fields).code

    assert code() == 1
    assert code(reason="반품") == 0
    assert code(reason="반품", extra={"requester": "customer"}) == 0
    assert code(reason="반품", extra={"requester": "somebody"}) == 1
    assert code(reason="반품", extra=["customer"]) == 0
    form = {"imp_uid": imp_uid, "reason": "반품", "extra[requester]": "customer"}
    url = server.url + "/payments/cancel"
    assert rest.http.post(url, data=form, headers=rest.headers).json()["code"] == 0


def test_ksnet_gives_nine_parts_back_and_then_the_rest(server: SandboxServer, rest: Rest) -> None:
    fields: dict[str, object] = {"imp_uid": paid(server, pg="ksnet").imp_uid}
    parts = [{**fields, "amount": 100} for _ in range(10)]
    codes = [rest.send("POST", "/payments/cancel", part).code for part in parts]
    assert codes == [0] * 9 + [1]
    assert rest.send("POST", "/payments/cancel", fields).code == 0


@pytest.mark.parametrize(
    ("provider", "method", "code"),
    [("tosspayments", "cultureland", 1), ("nice", "cultureland", 0), ("tosspayments", "card", 0)],
)
def test_a_voucher_goes_back_whole_with_some_pgs(
    server: SandboxServer, rest: Rest, provider: str, method: str, code: int
) -> None:
    fields = {"imp_uid": paid(server, pg=provider, pay_method=method).imp_uid}
    reply = rest.send("POST", "/payments/cancel", {**fields, "amount": 100})
    assert reply.code == code
    assert rest.send("POST", "/payments/cancel", fields).code == 0


# What is left of a PAYCO payment


def test_a_balance_is_net_of_what_went_back(server: SandboxServer, rest: Rest) -> None:
    attempt = opened(server, pg="payco", amount=13000, tax_free=2000)
    path = f"/payments/{attempt.imp_uid}/balance"
    nothing = {"tax_free": 0, "supply": 0, "vat": 0, "service": 0}
    before = rest.get(path).response
    assert (before["amount"], before["primary"], before["histories"]) == (13000, nothing, [])
    server.sandbox.approve(attempt.imp_uid)
    whole = {"tax_free": 2000, "supply": 10000, "vat": 1000, "service": 0}
    assert rest.get(path).response["primary"] == whole
    server.sandbox.clock.advance(60)
    fields = {"imp_uid": attempt.imp_uid, "amount": 6500, "tax_free": 1000}
    assert rest.send("POST", "/payments/cancel", fields).code == 0
    after = rest.get(path).response
    left = {"tax_free": 1000, "supply": 5000, "vat": 500, "service": 0}
    assert (after["amount"], after["primary"], after["secondary"]) == (13000, left, nothing)
    assert [entry["created"] for entry in after["histories"]] == [NOON, NOON + 60]
    assert [entry["primary"] for entry in after["histories"]] == [whole, left]
    assert rest.send("POST", "/payments/cancel", {"imp_uid": attempt.imp_uid}).code == 0
    assert rest.get(path).response["primary"] == nothing


def test_points_are_the_second_instrument(server: SandboxServer, rest: Rest) -> None:
    made = server.sandbox.gateway.make(
        merchant_uid="A", amount=1100, pg_provider="payco", pay_method="point"
    )
    balance = rest.get(f"/payments/{made.imp_uid}/balance").response
    assert (balance["primary"]["supply"], balance["secondary"]["supply"]) == (0, 1000)
