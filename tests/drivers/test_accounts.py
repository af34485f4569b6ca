"""Verifiers with several accounts, sync and async: what is refused at construction, whose token is
used, and that nothing is shared."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    InvalidRequest,
    StoreError,
    Verdict,
    Verifier,
)
from tests.drivers.driving import I1, Driver, Gate, Gateway, PlainStore, Stage, outcomes
from tests.drivers.wire import CREDENTIALS, ORDER

KR, US = Credentials("key-kr", "secret-kr"), Credentials("key-us", "secret-us", "ABC")
ACCOUNTS = {"kr": KR, "us": US}


@pytest.fixture
def gateway(driver: Driver) -> Gateway:
    """A gateway where each account has payments and a token of its own; the first one has I1."""
    driver.gateway = made = Gateway(KR, US)
    return made


def of_us(gateway: Gateway, **fields: object) -> str:
    """Let the other account have a payment of the order."""
    return gateway.make(ORDER, 39000, account=US.key, tier=US.tier, **fields).imp_uid


def asked(gateway: Gateway) -> list[tuple[object, str | None, object]]:
    """Whose token, what was looked up, and the tier that went with it."""
    calls = [each for each in gateway.calls if each.what["call"] != "token"]
    return [(each.what["account"], each.imp_uid, each.what["tier"]) for each in calls]


def token_keys(gateway: Gateway) -> list[str]:
    """Whose tokens were asked for, which no tier goes with."""
    calls = [each.what for each in gateway.calls if each.what["call"] == "token"]
    assert {each["tier"] for each in calls} <= {None}
    return [json.loads(str(each["body"]))["imp_key"] for each in calls]


def several(driver: Driver, name: str | None = "kr", **arguments: Any) -> Any:
    """A verifier with two accounts, whose orders name this one."""
    driver.stage.asks = ExpectedPayment(ORDER, 39000, account=name)
    return driver.verifier(credentials=None, accounts=ACCOUNTS, **arguments)


@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"accounts": {}}, "accounts is empty"),
        ({"accounts": ACCOUNTS, "credentials": CREDENTIALS}, "both given"),
        ({"accounts": {}, "credentials": CREDENTIALS}, "both given"),
        ({"accounts": [KR]}, "accounts must be Mapping, not list"),
        ({"accounts": KR}, "accounts must be Mapping, not Credentials"),
        ({"accounts": {"kr": "key:secret-kr"}}, r"accounts\['kr'\] must be Credentials, not str"),
        ({"accounts": {"kr": KR, "us": None}}, r"accounts\['us'\] must be Credentials, not None"),
        ({"accounts": {"": KR}}, "accounts: a name must be 1 to 64 printable characters, not ''"),
        ({"accounts": {" kr": KR}}, "not ' kr'"),
        ({"accounts": {"k\nr": KR}}, r"not 'k\\nr'"),
        ({"accounts": {"k" * 65: KR}}, "accounts: a name must be"),
        ({"accounts": {None: KR}}, "not None"),
        ({"accounts": {1: KR}}, "not 1"),
    ],
)
def test_accounts_that_cannot_be_are_refused_at_construction(
    kind: Any, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        kind(PlainStore(Stage()), **arguments)
    assert "secret" not in str(refused.value)


def test_the_environment_is_not_read_where_accounts_are_given(
    driver: Driver, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("IMP_KEY", "IMP_SECRET", "IMP_TIER"):
        monkeypatch.setenv(variable, " not usable ")
    assert driver.verify(several(driver), I1).paid
    assert asked(gateway) == [("key-kr", I1, None)]
    with pytest.raises(ConfigurationError, match="IMP_KEY"):
        driver.verifier(credentials=None)


def test_what_the_shop_changes_in_its_mapping_later_changes_nothing(
    driver: Driver, gateway: Gateway
) -> None:
    accounts = dict(ACCOUNTS)
    driver.stage.asks = ExpectedPayment(ORDER, 39000, account="kr")
    verifier = driver.verifier(credentials=None, accounts=accounts)
    accounts.clear()
    assert driver.verify(verifier, I1).paid


@pytest.mark.parametrize(("name", "key", "tier"), [("kr", "key-kr", None), ("us", "key-us", "ABC")])
def test_t09_the_order_says_whose_keys_and_whose_tier_are_used(
    driver: Driver, gateway: Gateway, name: str, key: str, tier: str | None
) -> None:
    imp_uid = of_us(gateway) if name == "us" else I1
    outcome = driver.verify(several(driver, name), imp_uid)
    assert outcome.paid
    assert outcome.asked == name
    assert token_keys(gateway) == [key]
    assert asked(gateway) == [(key, imp_uid, tier)]


def test_a_payment_of_the_other_account_is_not_known(driver: Driver, gateway: Gateway) -> None:
    outcome = driver.verify(several(driver, "kr"), of_us(gateway))
    assert outcome.verdict is Verdict.UNKNOWN_PAYMENT


def test_without_an_order_nobody_is_asked(driver: Driver, gateway: Gateway) -> None:
    verifier = several(driver)
    with pytest.raises(InvalidRequest, match="merchant_uid is missing"):
        driver.verify(verifier, I1, None)
    assert driver.stage.names == []
    assert gateway.calls == []


def test_an_order_that_names_no_account_is_the_shops_to_mend(
    driver: Driver, gateway: Gateway
) -> None:
    verifier = several(driver, None)
    for method, arguments in (("verify", (I1, ORDER)), ("confirm", (I1, ORDER, 39000))):
        with pytest.raises(StoreError, match="must name an account, one of 'kr', 'us', not None"):
            driver.call(verifier, method, *arguments)
    assert gateway.calls == []


def test_an_approval_asks_the_orders_account(driver: Driver, gateway: Gateway) -> None:
    imp_uid = of_us(gateway, status="ready")
    verifier = several(driver, "us")
    assert driver.call(verifier, "confirm", imp_uid, ORDER, Decimal(39000)) is None
    assert asked(gateway) == [("key-us", imp_uid, "ABC")]
    driver.stage.asks = ExpectedPayment(ORDER, 39000, account="kr")
    assert driver.call(verifier, "confirm", imp_uid, ORDER, 39000) == "확인할 수 없는 결제입니다"


def test_payments_are_looked_up_with_the_account_that_the_caller_names(
    driver: Driver, gateway: Gateway
) -> None:
    verifier = several(driver)
    imp_uid = of_us(gateway)
    assert driver.call(verifier, "payment", imp_uid, account="us").imp_uid == imp_uid
    assert driver.call(verifier, "payment", imp_uid, account="kr") is None
    (found,) = driver.call(verifier, "payments_of", ORDER, account="us")
    assert found.imp_uid == imp_uid
    assert [key for key, _, _ in asked(gateway)] == ["key-us", "key-kr", "key-us"]


@pytest.mark.parametrize("name", [None, "jp", "", "KR", ["kr"], {}])
@pytest.mark.parametrize(("method", "number"), [("payment", I1), ("payments_of", ORDER)])
def test_a_caller_who_names_no_account_is_told_which_there_are(
    driver: Driver, gateway: Gateway, method: str, number: str, name: Any
) -> None:
    with pytest.raises(InvalidRequest, match="account must be one of 'kr', 'us'"):
        driver.call(several(driver), method, number, account=name)
    assert gateway.calls == []


@pytest.mark.parametrize(("method", "number"), [("payment", I1), ("payments_of", ORDER)])
def test_an_account_is_not_named_where_there_is_only_one(
    driver: Driver, method: str, number: str
) -> None:
    with pytest.raises(InvalidRequest, match="only to a verifier with accounts"):
        driver.call(driver.verifier(), method, number, account="kr")
    assert driver.stage.names == []


def test_t07_cold_calls_of_two_accounts_ask_for_one_token_each_and_do_not_wait_for_one_another(
    driver: Driver, gateway: Gateway
) -> None:
    gate = Gate()
    _ = of_us(gateway)
    driver.stage.do = lambda name: gate if name == "token" else None
    verifier = several(driver, timeout=30)
    names = ["kr", "us"] * 8
    futures = [driver.begin(verifier, "payment", I1, account=name) for name in names]
    gate.reached(2)  # one of each account: neither waits for the other's
    gate.open()
    found = [payment is not None for payment in outcomes(futures)]
    assert found == [name == "kr" for name in names]
    assert sorted(token_keys(gateway)) == ["key-kr", "key-us"]


def test_no_repr_shows_a_key_or_a_secret(driver: Driver, gateway: Gateway) -> None:
    verifier = several(driver)
    outcome = driver.verify(verifier, I1)
    token = gateway.sandbox.gateway.issue_token(KR.key, KR.secret).access_token  # the one in use
    accounts = verifier._accounts
    shown: list[Callable[[], object]] = [
        lambda: verifier.settings,
        lambda: accounts,
        lambda: [vars(each) for each in accounts.named.values()],
        lambda: outcome,
    ]
    for show in shown:
        text = repr(show())
        for hidden in ("key-kr", "secret-kr", "key-us", "secret-us", token):
            assert hidden not in text
