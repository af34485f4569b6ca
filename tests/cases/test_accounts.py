"""Shops with several accounts: the order says which one is asked, and nobody else can."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

from typing import Any

import pytest

from imp_verify import Credentials, ExpectedPayment, Settled, StoreError, Verdict, Verifier
from tests.support.fixtures import KINDS, ON_POSTGRESQL
from tests.support.gateway import I1, I2, ORDER, PRICE, VBANK, ScriptedGateway, payment
from tests.support.markers import KEY, SECRET, TOKEN
from tests.support.shop import MakeShop, Shop

KEY_US = "key-of-the-us-account"
ACCOUNTS = {"kr": Credentials(KEY, SECRET), "us": Credentials(KEY_US, SECRET, "005")}
OTHER = "ORD-1002"
SUCCESS, TROUBLE, INVALID = (200, "success"), (503, "unavailable"), (400, "invalid")
UNKNOWN = (400, "unknownPayment")
FORGERY = (400, "forgery")
REFUND: dict[str, object] = {"status": "cancelled", "cancel_amount": PRICE}

ON_EVERY_STORE = pytest.mark.parametrize("kind", [*KINDS, *ON_POSTGRESQL])


@pytest.fixture
def shop(make_shop: MakeShop, gateway: ScriptedGateway) -> Shop:
    """A shop whose order belongs to account `us`, at a gateway where that has no payment yet."""
    gateway.others[KEY_US] = {}
    shop = make_shop(credentials=None, accounts=ACCOUNTS)
    shop.orders[ORDER] = order()
    return shop


def order(account: str | None = "us", number: str = ORDER, amount: int = PRICE) -> Any:
    return ExpectedPayment(number, amount, account=account)


def us(gateway: ScriptedGateway, **changes: object) -> None:
    """Let the account `us` know P{...} from now on."""
    made = payment(**changes)
    gateway.others[KEY_US][str(made["imp_uid"])] = made


def asked_of(gateway: ScriptedGateway) -> list[str]:
    """Whose tokens the look-ups carried."""
    tokens = [each.headers["Authorization"] for each in gateway.asked if not each.is_token]
    return ["us" if token == f"Bearer {TOKEN}-{KEY_US}" else "kr" for token in tokens]


@ON_EVERY_STORE
@pytest.mark.parametrize("first", ["complete", "webhook", "redirect"])
def test_T09_a_payment_is_looked_up_with_the_keys_of_its_orders_account(
    shop: Shop, gateway: ScriptedGateway, first: str
) -> None:
    us(gateway)
    if first == "redirect":
        assert shop.redirect().lands == f"/thanks?o={ORDER}&s=success"
    else:
        assert getattr(shop, first)().told == SUCCESS
    assert shop.webhook().told == shop.complete().told == SUCCESS
    shop.assert_paid_once()
    assert gateway.token_calls == 1
    assert asked_of(gateway) == ["us"] * 3
    assert {each.headers.get("Tier") for each in gateway.asked} == {None, "005"}
    receipt = shop.receipt()
    assert receipt is not None
    assert receipt.account == "us"


def test_T09_each_account_has_a_token_of_its_own(shop: Shop, gateway: ScriptedGateway) -> None:
    us(gateway)
    gateway.has(imp_uid=I2, merchant_uid=OTHER)
    shop.orders[OTHER] = order("kr", OTHER)
    for _ in range(3):
        assert shop.complete().told == SUCCESS
        assert shop.complete(imp_uid=I2, merchant_uid=OTHER).told == SUCCESS
    assert gateway.token_calls == 2
    assert asked_of(gateway) == ["us", "kr"] * 3


def test_T09_keys_that_are_refused_stop_their_own_account_alone(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop(credentials=None, accounts=ACCOUNTS)  # the gateway knows no account us
    shop.orders = {ORDER: order("us"), OTHER: order("kr", OTHER)}
    gateway.has(imp_uid=I2, merchant_uid=OTHER)
    for _ in range(3):
        assert shop.webhook().told == TROUBLE
    assert gateway.token_calls == 1
    assert shop.webhook(imp_uid=I2, merchant_uid=OTHER).told == SUCCESS


def test_a_request_must_name_its_order_on_every_endpoint(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    us(gateway)
    for nameless in (..., None):
        assert shop.complete(merchant_uid=nameless).told == INVALID
        assert shop.webhook(merchant_uid=nameless).told == INVALID
        assert shop.confirm(merchant_uid=nameless).told == INVALID
    assert shop.redirect(merchant_uid=...).lands == "/wait"
    assert shop.get(f"/complete?imp_uid={I1}&imp_success=true").lands == "/wait"
    assert gateway.asked == []
    assert shop.asked_for == []


def test_an_order_that_nobody_knows_is_answered_without_a_look_up(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    us(gateway, merchant_uid="ORD-9")
    gateway.has(merchant_uid="ORD-9")
    assert shop.complete(merchant_uid="ORD-9").told == FORGERY
    assert shop.webhook(merchant_uid="ORD-9").told == TROUBLE
    assert shop.confirm(merchant_uid="ORD-9").told == (409, "refused")
    assert shop.redirect(merchant_uid="ORD-9").lands.startswith("/cart")
    assert shop.redirect(imp_uid=..., merchant_uid="ORD-9").lands.startswith("/cart")
    assert gateway.asked == []
    shop.assert_nothing_recorded()


@pytest.mark.parametrize("account", [None, "jp"])
def test_an_order_without_an_account_that_there_is_is_trouble_on_every_endpoint(
    shop: Shop, gateway: ScriptedGateway, account: str | None
) -> None:
    us(gateway)
    shop.orders[ORDER] = order(account)
    assert shop.complete().told == shop.webhook().told == shop.confirm().told == TROUBLE
    assert shop.redirect().lands == shop.redirect(imp_uid=...).lands == "/wait"
    assert gateway.asked == []
    shop.orders[ORDER] = order("us")
    assert shop.webhook().told == SUCCESS


def test_a_redirect_without_an_imp_uid_is_found_in_the_orders_account(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    us(gateway)
    gateway.has(imp_uid=I2)
    assert shop.redirect(imp_uid=...).lands == f"/thanks?o={ORDER}&s=success"
    shop.assert_paid_once(I1)
    assert asked_of(gateway) == ["us", "us"]


def test_confirm_asks_the_orders_account(shop: Shop, gateway: ScriptedGateway) -> None:
    us(gateway, status="ready")
    assert shop.confirm().told == (200, "approved")
    shop.orders[ORDER] = order("kr")
    assert shop.confirm().told == (409, "refused")
    assert asked_of(gateway) == ["us", "kr"]


# What somebody could try


def test_a_payment_of_one_account_pays_no_order_of_another(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()  # with account kr, and it even names the order of account us
    assert shop.complete().told == FORGERY
    assert shop.webhook().told == UNKNOWN
    shop.assert_nothing_recorded()


def test_a_payment_that_was_used_is_not_replayed_against_an_order_of_another_account(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders[OTHER] = order("kr", OTHER)
    gateway.has(merchant_uid=OTHER)
    assert shop.complete(merchant_uid=OTHER).told == SUCCESS
    assert shop.complete().told == FORGERY
    assert shop.webhook().told == UNKNOWN
    shop.assert_paid_once()
    assert asked_of(gateway) == ["kr", "us", "us"]


@ON_EVERY_STORE
def test_the_same_number_in_two_accounts_pays_one_order_once(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    shop.orders[OTHER] = order("kr", OTHER)
    us(gateway)
    gateway.has(merchant_uid=OTHER)
    assert shop.complete().told == SUCCESS
    for _ in range(2):  # the key is the imp_uid alone: it is said aloud, and nothing ships
        assert shop.complete(merchant_uid=OTHER).told == TROUBLE
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()
    assert [told.merchant_uid for _, told in shop.told] == [ORDER]


def test_money_that_is_less_is_forgery_with_any_account(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    us(gateway, amount=100)
    gateway.has()
    assert shop.complete().told == shop.webhook().told == FORGERY
    assert shop.hooks == ["on_forgery"]
    shop.assert_not_paid()


# Shops change their orders


@ON_EVERY_STORE
@pytest.mark.parametrize("now", ["moved", "dearer", "gone"])
def test_a_refund_arrives_with_the_account_it_was_paid_to_whatever_became_of_the_order(
    shop: Shop, gateway: ScriptedGateway, now: str
) -> None:
    us(gateway)
    gateway.has()  # what the other account says of this number is nobody's business
    assert shop.complete().told == SUCCESS
    shop.orders[ORDER] = {"moved": order("kr"), "dearer": order("kr", amount=1), "gone": None}[now]
    us(gateway, status="paid", cancel_amount=9000)
    assert shop.webhook().told == SUCCESS
    us(gateway, **REFUND)
    assert shop.webhook().told == (200, "cancelled")
    assert shop.hooks == ["on_paid", "on_partly_cancelled", "on_cancelled"]
    assert set(asked_of(gateway)) == {"us"}
    receipt = shop.receipt()
    assert receipt is not None
    assert (receipt.state, receipt.account) == ("cancelled", "us")


@ON_EVERY_STORE
def test_a_deposit_for_an_order_that_moved_meanwhile_is_told_and_does_not_pay(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    us(gateway, **VBANK)
    assert shop.complete().told == (200, "vbankIssued")
    shop.orders[ORDER] = order("kr")
    us(gateway, **{**VBANK, "status": "paid"})
    for _ in range(2):
        assert shop.webhook().told == FORGERY
    assert shop.hooks == ["on_virtual_account", "on_forgery"]
    assert shop.told[1][1].reason == "account"
    shop.orders[ORDER] = order("us")
    assert shop.webhook().told == SUCCESS
    shop.assert_paid_once()


@ON_EVERY_STORE
def test_an_order_that_moves_between_look_up_and_record_is_looked_up_again(
    shop: Shop, gateway: ScriptedGateway
) -> None:
    us(gateway)
    asked: list[str] = []

    def moves(number: str) -> Any:
        asked.append(number)
        return order("us" if len(asked) == 1 else "kr")

    shop.expecting = moves
    assert shop.webhook().told == UNKNOWN
    assert asked_of(gateway) == ["us", "kr"]
    shop.assert_nothing_recorded()


def test_a_shop_that_gets_a_second_account_still_hears_of_what_was_paid_before(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop()
    gateway.has()
    assert shop.complete().told == SUCCESS
    gateway.has(**REFUND)
    verifier = Verifier(
        shop.store, accounts=ACCOUNTS, base_url=gateway.address, test_mode=shop.test_mode
    )
    shop.orders[ORDER] = None
    with pytest.raises(StoreError, match="recorded without an account, and its order is gone"):
        verifier.verify(I1, ORDER)
    shop.orders[ORDER] = order("kr")
    assert verifier.verify(I1, ORDER).verdict is Verdict.CANCELLED
    verifier.close()
    receipt = shop.receipt()
    assert receipt is not None
    assert (receipt.state, receipt.account) == ("cancelled", "kr")


def test_a_shop_that_gets_a_second_account_may_still_accept_money_that_was_late_before(
    make_shop: MakeShop, gateway: ScriptedGateway
) -> None:
    shop = make_shop()
    shop.orders[ORDER] = ExpectedPayment(ORDER, PRICE, open=False)
    gateway.has()
    _ = shop.webhook()
    assert shop.hooks == ["on_late"]
    shop.orders[ORDER] = order("kr")
    verifier = Verifier(
        shop.store, accounts=ACCOUNTS, base_url=gateway.address, test_mode=shop.test_mode
    )
    settled = [verifier.verify(I1, ORDER).settled for _ in range(2)]
    verifier.close()
    assert settled == [Settled.NEW, Settled.REPEATED]
    assert shop.hooks == ["on_late", "on_paid"]
    receipt = shop.receipt()
    assert receipt is not None
    assert (receipt.state, receipt.account) == ("paying", "kr")
