"""No secret, token or buyer's datum in a log line, an exception, a repr or an answer (case X14)."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    GatewayError,
    Request,
    StoreError,
    Verifier,
)
from imp_verify._core.wire import read_payment
from imp_verify.transports import GatewayRequest, GatewayResponse
from tests.support.fixtures import gateway, kind, make_shop, one_gateway, shop
from tests.support.gateway import (
    I1,
    I2,
    PRICE,
    RESET,
    UNAUTHORIZED,
    VBANK,
    Reply,
    ScriptedGateway,
    envelope,
    payment,
)
from tests.support.markers import BUYER, KEY, NEVER_SHOWN, SECRET, TOKEN, found_in
from tests.support.secrets import Watch
from tests.support.shop import Shop, credentials

__all__ = ["gateway", "kind", "make_shop", "one_gateway", "shop"]

BROKEN = Reply(200, envelope(payment(amount="x")))
ECHO = Reply(400, envelope(None, -1, f"imp_secret {SECRET} is wrong"))


@pytest.fixture
def watch() -> Any:
    """Everything that is logged while a test runs, at DEBUG."""
    root, watching = logging.getLogger(), Watch()
    level = root.level
    root.addHandler(watching)
    root.setLevel(logging.DEBUG)
    yield watching
    root.removeHandler(watching)
    root.setLevel(level)


def test_the_watch_would_see_a_leak() -> None:
    watching = Watch()
    logger = logging.Logger("test")
    logger.addHandler(watching)
    for marker in NEVER_SHOWN:
        logger.debug("harmless", extra={"held": {"key": marker}})
        logger.info("%r", marker)
        try:
            raise ValueError(marker)
        except ValueError:
            logger.exception("harmless")
        assert len(watching.leaks) == 3
        watching.leaks.clear()
    logger.info("harmless")
    watching.check()


def test_the_whole_run_is_watched(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.hasplugin("tests.support.secrets")


SCRIPTS: dict[str, tuple[list[Reply], list[Reply]]] = {
    "keys refused": ([UNAUTHORIZED], []),
    "keys refused with an echo": ([ECHO], []),
    "token broken": ([Reply(200, envelope({"access_token": f"{TOKEN} ", "now": 1}))], []),
    "token refused": ([], [UNAUTHORIZED] * 4),
    "look-up refused with an echo": ([], [ECHO]),
    "500": ([], [Reply(500, envelope(payment()))]),
    "bad json": ([], [Reply(200, str(payment()).encode())]),
    "bad payment": ([], [BROKEN]),
    "other payment": ([], [Reply(200, envelope(payment(imp_uid=I2)))]),
    "reset": ([], [RESET] * 2),
    "encoded": ([], [Reply(200, envelope(payment()), (("Content-Encoding", "gzip"),))]),
    "too large": ([], [Reply(200, str(payment()).encode().ljust(2 << 20))]),
    "redirect": ([], [Reply(302, b"", (("Location", "https://x.test/"),))]),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_X14_trouble_with_the_gateway_shows_nothing(
    shop: Shop, gateway: ScriptedGateway, watch: Watch, script: str
) -> None:
    for ask in (shop.complete, shop.webhook, shop.confirm, shop.redirect):
        tokens, lookups = SCRIPTS[script]
        gateway.tokens.extend(tokens)
        gateway.lookups.extend(lookups)
        assert ask().status in (303, 503)  # the driver looks into the answer itself
        gateway.lookups.clear()
        gateway.tokens.clear()
        verifier: Any = shop.driver.verifier
        verifier._accounts.forget()
    assert "imp_verify" in watch.names
    watch.check()


def test_X14_every_verdict_shows_nothing(
    shop: Shop, gateway: ScriptedGateway, watch: Watch
) -> None:
    states: list[dict[str, object]] = [
        VBANK,
        {"status": "failed"},
        {"status": "ready"},
        {"amount": 1},
        {"currency": "USD"},
        {"merchant_uid": "ORD-2"},
        {},
        {"imp_uid": I2},
        {"status": "cancelled", "cancel_amount": 1},
        {"status": "cancelled", "cancel_amount": PRICE},
    ]
    for changes in states:
        gateway.payments.clear()
        gateway.has(**changes)
        uid = changes.get("imp_uid", I1)
        for ask in (shop.complete, shop.webhook, shop.confirm, shop.redirect):
            ask(imp_uid=uid)
    for _, outcome in shop.told:
        assert found_in(repr(outcome)) == []
        assert found_in(outcome.key) == []
    assert len(shop.told) > 5
    watch.check()


def test_X14_a_failing_hook_shows_nothing(
    shop: Shop, gateway: ScriptedGateway, watch: Watch
) -> None:
    gateway.has()

    def fail(name: str, outcome: object) -> None:
        raise RuntimeError(f"cannot handle {outcome!r}")

    shop.on_hook = fail
    assert shop.complete().told == (503, "unavailable")
    shop.on_hook = None
    shop.expecting = lambda merchant_uid: BUYER
    assert shop.complete().told == (503, "unavailable")
    watch.check()


def chain(error: BaseException) -> str:
    """An exception as a tracker shows it: its chain, attributes and what every frame holds."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=False)
    links: list[BaseException] = [error]
    while (cause := links[-1].__cause__ or links[-1].__context__) is not None:
        links.append(cause)
    return "".join(shown.format()) + " ".join(f"{each!r} {each} {vars(each)}" for each in links)


@pytest.mark.parametrize("script", sorted(set(SCRIPTS) - {"keys refused with an echo"}))
def test_X14_an_exception_and_its_chain_show_nothing(
    shop: Shop, gateway: ScriptedGateway, script: str
) -> None:
    tokens, lookups = SCRIPTS[script]
    gateway.tokens.extend(tokens)
    gateway.lookups.extend(lookups)
    verifier = shop.driver.verifier

    def verify() -> None:
        if isinstance(verifier, AsyncVerifier):
            driver: Any = shop.driver
            driver.run(verifier.verify(I1, None)).result(30)
        else:
            verifier.verify(I1, None)

    with pytest.raises(GatewayError) as raised:
        verify()
    error = raised.value
    assert found_in(repr(error)) == found_in(str(error)) == []
    if not script.endswith("echo"):  # `message` is the gateway's own text, by contract
        assert found_in(chain(error)) == []


def test_X14_reprs_show_nothing(shop: Shop, gateway: ScriptedGateway) -> None:
    gateway.has()
    shop.complete()
    verifier: Any = shop.driver.verifier
    read = read_payment(payment())
    account = verifier._accounts.only.account
    shown: list[object] = [
        verifier,
        vars(verifier),
        vars(account),
        account,
        account._token,
        credentials(),
        Credentials(KEY, SECRET, "ABC"),
        [credentials()],
        verifier.settings,
        verifier._accounts,
        shop.store,
        read,
        shop.told[0][1],
        shop.receipt(),
        ExpectedPayment("ORD", 1, metadata=BUYER),
        GatewayRequest("POST", "https://x", {"Authorization": TOKEN}, SECRET.encode(), 1.0),
        GatewayResponse(200, f"{TOKEN} {SECRET}".encode()),
        Request("POST", body=str(BUYER).encode()),
    ]
    for each in shown:
        assert found_in(repr(each)) == []
        assert found_in(str(each)) == []
        assert found_in(format(each)) == []


@pytest.mark.parametrize("key", [f"{SECRET} ", f" {SECRET}", f"{SECRET}\n", f"{SECRET}\0x"])
def test_X14_a_bad_setting_is_named_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Credentials("key", key)
    assert "IMP_SECRET" in str(raised.value)
    assert found_in(chain(raised.value)) == []
    for address in (
        f"https://user:{SECRET}@x.test",
        f"https://x.test/?{SECRET}",
        f"http://{SECRET}",
    ):
        with pytest.raises(ConfigurationError) as raised:
            Verifier(None, credentials=credentials(), base_url=address)  # type: ignore[arg-type]
        assert found_in(chain(raised.value)) == []


def test_X14_an_order_that_is_no_price_is_named_by_its_type() -> None:
    with pytest.raises(StoreError) as raised:
        ExpectedPayment("ORD", str(BUYER["buyer_name"]))
    assert found_in(chain(raised.value)) == []
