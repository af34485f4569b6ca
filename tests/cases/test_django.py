"""Cases met in Django: row locks that lock nothing, tests in which nothing is ever committed, and
sync or async code."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.db.transaction import atomic, get_connection
from django.test import Client, TestCase, TransactionTestCase, override_settings

from imp_verify import AsyncVerifier, OrderStore, Outcome, Settled, Verifier
from imp_verify.contrib.django import get_verifier
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.contrib.django.threads import own_thread
from tests.storage import django_shops
from tests.storage.django_shops import rows, run, tell
from tests.support import django_site as site
from tests.support import markers
from tests.support import shop as support
from tests.support.django_databases import ALIASES
from tests.support.gateway import I1, ORDER, PRICE, ScriptedGateway
from tests.support.shop import PREFIX

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
CLAIM = {"imp_uid": I1, "merchant_uid": ORDER}
SUCCESS = (200, "success")
WAIT = 30.0


def setting(gateway: ScriptedGateway, using: str = "default", **more: Any) -> dict[str, Any]:
    functions = {
        "expected": lambda number, using: PRICE if number == ORDER else None,
        "on_paid": lambda outcome, using: tell("on_paid", outcome, using),
        **more.pop("functions", {}),
    }
    return {
        "STORE": DjangoStore(using=using, **functions),
        "CREDENTIALS": {"KEY": markers.KEY, "SECRET": markers.SECRET},
        "BASE_URL": gateway.address,
        **more,
    }


@contextmanager
def served(server: str, given: dict[str, Any]) -> Iterator[Any]:
    """Serve the endpoints as this kind of server would; give a function that asks them."""
    with override_settings(IMP_VERIFY=given):
        verifier = get_verifier()
        driver: Any
        if server == "wsgi":
            driver = support.WsgiDriver(verifier, WSGIHandler())  # type: ignore[arg-type]
        else:
            app = site.connected(ASGIHandler())
            driver = support.AsgiDriver(verifier, app)  # type: ignore[arg-type]

        def ask(endpoint: str, **changes: object) -> Any:
            body = site.dumps({**CLAIM, **changes})
            headers = [("Host", "shop.test")]
            return driver.start("POST", f"{PREFIX}/{endpoint}", "", headers, body)

        try:
            yield ask
        finally:
            driver.close()
            connections.close_all()


@pytest.fixture(params=ALIASES)
def using(request: pytest.FixtureRequest) -> str:
    django_shops.empty(request.param)
    connections.close_all()
    return str(request.param)


@pytest.fixture(params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def paid_once(using: str) -> None:
    assert run(using, "SELECT hook FROM told") == [("on_paid",)]
    receipts = rows("Receipt", using).values_list("imp_uid", "state")
    assert list(receipts) == [(I1, "paying")]
    connections.close_all()


def test_R16_two_deliveries_at_once_are_one_record_on_each_database(
    gateway: ScriptedGateway, using: str, server: str
) -> None:
    gateway.has()
    both = threading.Barrier(2, timeout=WAIT)
    first = iter(range(2))

    def expected(number: str, using: str) -> int:
        assert not connections[using].settings_dict["ATOMIC_REQUESTS"]
        if next(first, None) is not None:
            both.wait()
        return PRICE

    given = setting(gateway, using, functions={"expected": expected}, ASYNC=server == "asgi")
    with served(server, given) as ask:
        answers = [ask("complete"), ask("webhook", status="paid")]
        assert [each.result(WAIT).told for each in answers] == [SUCCESS, SUCCESS]
    paid_once(using)


def test_F08_under_atomic_requests_the_store_still_has_a_transaction_of_its_own(
    gateway: ScriptedGateway, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    django_shops.empty("default")
    connections.close_all()
    gateway.has()
    depths: list[int] = []

    def hook(outcome: Outcome, using: str) -> None:
        assert connections[using].settings_dict["ATOMIC_REQUESTS"]
        depths.append(len(connections[using].savepoint_ids))
        tell("on_paid", outcome, using)

    for asynchronous in (False, True):
        django_shops.empty("default")
        connections.close_all()
        functions = {"on_paid": hook}
        given = setting(gateway, functions=functions, ASYNC=asynchronous)
        if asynchronous is (server == "asgi"):
            with served(server, given) as ask:
                assert ask("webhook").result(WAIT).told == SUCCESS
            paid_once("default")
    assert depths == [1]


@pytest.fixture(autouse=True)
def to_class(request: pytest.FixtureRequest, gateway: ScriptedGateway) -> None:
    """A test case of Django's takes no fixtures by name."""
    if request.cls is not None:
        request.cls.gateway = gateway


class ShopTests:
    """The shop's own tests, in whichever test case of Django's."""

    gateway: ScriptedGateway
    databases = "__all__"  # that are at hand

    def setUp(self) -> None:
        for using in ALIASES:
            django_shops.empty(using)

    def shop(self, using: str, called: list[str], **more: Any) -> Any:
        def hook(outcome: Outcome, using: str) -> Callable[[], None]:
            tell("on_paid", outcome, using)
            return lambda: called.append(outcome.key)

        self.gateway.has()
        given = setting(self.gateway, using, functions={"on_paid": hook}, **more)
        return override_settings(IMP_VERIFY=given)

    def post(self, endpoint: str, **more: object) -> tuple[int, str]:
        path = f"{PREFIX}/{endpoint}"
        answer = Client().post(path, {**CLAIM, **more}, "application/json")
        return answer.status_code, answer.json()["status"]


class TestInATestCase(ShopTests, TestCase):  # type: ignore[misc]  # Django has no types
    """Every test is inside one transaction, which is rolled back."""

    def test_Y06_what_a_hook_returned_is_called_by_the_documented_recipe(self) -> None:
        for using in ALIASES:
            called: list[str] = []
            with self.shop(using, called):
                with self.captureOnCommitCallbacks(using=using, execute=True):
                    assert self.post("webhook") == SUCCESS
                    assert run(using, "SELECT hook FROM told") == [("on_paid",)]
                    assert called == []
                assert called == [f"{I1}:paid"]
                with self.captureOnCommitCallbacks(using=using, execute=True) as callbacks:
                    assert self.post("complete") == SUCCESS
                assert callbacks == []

    def test_Y06_inside_another_block_too(self) -> None:
        called: list[str] = []
        with self.shop("postgresql", called):
            recipe = self.captureOnCommitCallbacks(using="postgresql", execute=True)
            with recipe, atomic("postgresql"):
                assert self.post("webhook") == SUCCESS
            assert called == [f"{I1}:paid"]

    def test_confirm_sees_the_rows_of_the_test(self) -> None:
        for using in ALIASES:
            rows("Order", using).create(merchant_uid=ORDER, paid_by="imp_2", was_paid=True)
            with self.shop(using, []):
                assert self.post("confirm", amount=PRICE) == (409, "refused")
                rows("Order", using).all().delete()
                assert self.post("confirm", amount=PRICE) == (200, "approved")

    async def test_F08_an_async_verifier_sees_the_rows_of_the_test(self) -> None:
        from asgiref.sync import sync_to_async

        with self.shop("postgresql", [], ASYNC=True):
            verifier = get_verifier()
            assert isinstance(verifier, AsyncVerifier)
            assert (await verifier.verify(I1, ORDER)).paid
            assert await verifier.confirm("imp_2", ORDER, PRICE) is not None
            await verifier.close()
        count = await sync_to_async(rows("Receipt", "postgresql").count)()
        assert count == 1

    def tearDown(self) -> None:
        assert get_connection("default").in_atomic_block


class TestInATransactionTestCase(ShopTests, TransactionTestCase):  # type: ignore[misc]
    """Everything is committed, and the tables are emptied after the test."""

    def test_all_is_as_in_production(self) -> None:
        for using in ALIASES:
            called: list[str] = []
            with self.shop(using, called):
                assert self.post("confirm", amount=PRICE) == (200, "approved")
                assert self.post("webhook") == SUCCESS
                assert called == [f"{I1}:paid"]
                assert self.post("webhook") == SUCCESS
                assert called == [f"{I1}:paid"]
                assert rows("Receipt", using).count() == 1
                run(using, "DELETE FROM told")


def sessions() -> int:
    """Count the connections that this process has to PostgreSQL, but for the one that asks. It asks
    again while there are any: the server ends its side a moment after the client has ended its."""
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE application_name = %s AND pid <> pg_backend_pid()"""
    name = connections["postgresql"].settings_dict["OPTIONS"]["application_name"]
    found, end = 1, time.monotonic() + WAIT
    while found and time.monotonic() < end:
        found = int(run("postgresql", query, name)[0][0])
    connections.close_all()
    return found


@pytest.mark.parametrize("threads", [1, 8])
def test_two_hundred_confirms_leave_no_connection(gateway: ScriptedGateway, threads: int) -> None:
    django_shops.empty("postgresql")
    connections.close_all()
    gateway.has(status="ready")
    with served("wsgi", setting(gateway, "postgresql")) as ask:
        for _ in range(0, 200, threads):
            answers = [ask("confirm", amount=PRICE) for _ in range(threads)]
            assert {each.result(WAIT).told for each in answers} == {(200, "approved")}
        assert sessions() == 0


def test_a_store_by_hand_can_leave_none_either(gateway: ScriptedGateway) -> None:
    class ByHand(OrderStore):
        own_thread = staticmethod(own_thread)

        def expected(self, merchant_uid: str) -> int:
            return int(run("postgresql", "SELECT %s::int", PRICE)[0][0])

        def settle(self, outcome: Outcome) -> Settled:
            raise AssertionError("nothing is paid here")

    gateway.has(status="ready")
    with served("wsgi", {**setting(gateway), "STORE": ByHand()}) as ask:
        for _ in range(10):
            assert ask("confirm", amount=PRICE).result(WAIT).told == (200, "approved")
        assert sessions() == 0


def test_two_hundred_async_verifications_leave_no_connection(gateway: ScriptedGateway) -> None:
    """Outside Django's own server, where nobody else looks after threads."""
    django_shops.empty("postgresql")
    connections.close_all()
    gateway.has()
    given = setting(gateway, "postgresql")
    arguments: Any = {"credentials": support.credentials(), "base_url": gateway.address}
    verifier = AsyncVerifier(given["STORE"], **arguments)
    driver = support.AsgiDriver(verifier, None)
    for _ in range(0, 200, 20):
        outcomes = [driver.run(verifier.verify(I1, ORDER)) for _ in range(20)]
        assert all(each.result(WAIT).paid for each in outcomes)
    assert sessions() == 0
    driver.close()
    paid_once("postgresql")


def test_a_verifier_in_a_plain_script_keeps_its_connection(gateway: ScriptedGateway) -> None:
    django_shops.empty("postgresql")
    gateway.has()
    given = setting(gateway, "postgresql")
    arguments: Any = {"credentials": support.credentials(), "base_url": gateway.address}
    verifier = Verifier(given["STORE"], **arguments)
    opened = connections["postgresql"].connection
    assert verifier.verify(I1, ORDER).paid
    assert verifier.confirm(I1, ORDER, PRICE) is None
    assert connections["postgresql"].connection is opened is not None
    verifier.close()
    paid_once("postgresql")
