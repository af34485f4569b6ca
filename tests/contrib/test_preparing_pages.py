"""`Checkout(prepare=True)`: a page with the button registers the order's amount, after its own
transaction, and never fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory, override_settings
from django.urls import include, path

from imp_verify import AsyncVerifier, Checkout, Credentials, ExpectedPayment, Verifier
from imp_verify.contrib.browser import async_button, button, config, find_order
from imp_verify.sandbox import Account, Fault, SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.support import django_site  # noqa: F401  # it makes the settings

ORDER, PRICE = "ORD1001", 39000
ACCOUNT = Account()


class Site:
    """A URLconf may be any object."""

    urlpatterns = (path("pay/", include("imp_verify.contrib.django.urls")),)


class Shop:
    def __init__(self, gateway: SandboxServer) -> None:
        self.gateway = gateway
        self.order: object = PRICE

    def verifier(self, kind: Any = Verifier, *, prepare: bool = True) -> Any:
        return kind(
            MemoryStore(expected=lambda number, _: self.order),  # type: ignore[arg-type, return-value]
            credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
            base_url=self.gateway.url,
            test_mode=True,
            checkout=Checkout("imp00000000", prepare=prepare),
            public_url="https://shop.test",
        )

    @property
    def registered(self) -> object:
        known = self.gateway.sandbox.gateway.registrations._known
        return known[ACCOUNT.key, ORDER].amount if known else None


@pytest.fixture
def shop() -> Iterator[Shop]:
    with SandboxServer() as gateway:
        yield Shop(gateway)


@pytest.mark.parametrize("make", [button, config])
def test_a_page_that_is_made_registers_its_amount(shop: Shop, make: Any) -> None:
    make(shop.verifier(prepare=False), ORDER)
    assert shop.registered is None
    verifier = shop.verifier()
    make(verifier, ORDER)
    assert shop.registered == PRICE
    shop.order = 100
    make(verifier, ORDER)
    assert shop.registered == 100
    verifier.close()


def test_a_closed_order_is_not_prepared(shop: Shop) -> None:
    shop.order = ExpectedPayment(ORDER, PRICE, open=False)
    verifier = shop.verifier()
    assert "<button" not in button(verifier, ORDER)
    assert shop.registered is None


@pytest.mark.parametrize("call", ["token", "prepare"])
def test_a_page_goes_on_whatever_the_gateway_says(
    shop: Shop, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    refusal = '{"code": -1, "message": "점검 중입니다", "response": null}'
    shop.gateway.sandbox.faults.add(Fault(call, status=400, body=refusal, times=5))
    verifier = shop.verifier()
    caplog.clear()
    assert "<button" in button(verifier, ORDER)
    (line,) = (each.message for each in caplog.records if each.levelname == "WARNING")
    assert line.startswith(f"order {ORDER!r} could not be prepared, its page goes on: Gateway")
    assert "점검 중입니다" in line
    assert ACCOUNT.secret not in line
    verifier.close()


def test_an_async_page_does_not_wait_for_it(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    async def visit(verifier: AsyncVerifier) -> tuple[object, object]:
        await async_button(verifier, ORDER)
        at_once = shop.registered
        button(verifier, await find_order(verifier, ORDER))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        _ = await asyncio.gather(*others)
        await verifier.close()
        return at_once, shop.registered

    assert asyncio.run(visit(shop.verifier(AsyncVerifier))) == (None, PRICE)
    # In a thread there is no loop to leave it to.
    verifier = shop.verifier(AsyncVerifier)
    caplog.clear()
    assert "<button" in button(verifier, ExpectedPayment(ORDER, PRICE))
    assert [each.levelname for each in caplog.records] == ["WARNING"]


@pytest.mark.xdist_group("django")
@pytest.mark.usefixtures("django_databases")
def test_in_django_nothing_is_asked_before_the_pages_transaction_is_done(shop: Shop) -> None:
    from django.db import transaction

    from imp_verify.contrib.django.button import imp_verify_button

    verifier = shop.verifier()
    with override_settings(IMP_VERIFY={"VERIFIER": verifier}, ROOT_URLCONF=Site):
        with transaction.atomic():
            imp_verify_button(RequestFactory().get("/"), ORDER)
            assert shop.registered is None
        assert shop.registered == PRICE
        shop.order = 100
        imp_verify_button(RequestFactory().get("/"), ORDER)
        assert shop.registered == 100
    verifier.close()


@pytest.mark.xdist_group("django")
@pytest.mark.usefixtures("django_databases")
@pytest.mark.parametrize("outer", ["default", "other"])
def test_in_django_every_databases_transaction_is_waited_for(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outer: str
) -> None:
    from django.db import connections, transaction

    from imp_verify.contrib.django.button import imp_verify_button

    more = {**connections.settings["default"], "NAME": str(tmp_path / "other.db")}
    monkeypatch.setitem(connections.settings, "other", more)
    inner = "default" if outer == "other" else "other"
    verifier = shop.verifier()
    with override_settings(IMP_VERIFY={"VERIFIER": verifier}, ROOT_URLCONF=Site):
        with transaction.atomic(outer):
            with transaction.atomic(inner):
                imp_verify_button(RequestFactory().get("/"), ORDER)
            assert shop.registered is None
        assert shop.registered == PRICE
    verifier.close()
    connections["other"].close()
    del connections["other"]
