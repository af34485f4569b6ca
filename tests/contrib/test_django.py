"""The endpoints in a Django project, behind what stands in front of Django's views."""

# ruff: noqa: N802 - a case's id stands in the name as it is

from __future__ import annotations

import asyncio
import importlib
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
import pytest
from django.core import checks
from django.core.cache import cache
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signing import TimestampSigner
from django.db import connection, connections, transaction
from django.test import AsyncClient, Client, override_settings
from django.test.client import FakePayload
from django.urls import resolve, reverse

from imp_verify import (
    MAX_BODY,
    AsyncOrderStore,
    AsyncVerifier,
    Checkout,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    Landing,
    OrderStore,
    Outcome,
    Settled,
    Verifier,
)
from imp_verify.contrib.django import checks as payment_checks
from imp_verify.contrib.django import get_verifier
from imp_verify.stores.memory import MemoryStore
from tests.support import django_site as site
from tests.support import markers
from tests.support import shop as support
from tests.support.gateway import I1, ORDER, PRICE, ScriptedGateway
from tests.support.shop import PREFIX, Shop

CLAIM = {"imp_uid": I1, "merchant_uid": ORDER}
FORM = urlencode(CLAIM).encode()
BOUNDARY = "multipart/form-data; boundary=x"
MULTIPART = (
    "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in CLAIM.items()
    )
    + "--x--\r\n"
).encode()
BODIES = {
    "json": (site.dumps(CLAIM), "application/json"),
    "form": (FORM, "application/x-www-form-urlencoded"),
    "multipart": (MULTIPART, BOUNDARY),
}
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
Make = Callable[..., Shop]


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(
    kind: str, gateway: ScriptedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """Make the one shop of a test, behind middlewares and under settings of the test's own."""
    made: list[tuple[Shop, Any]] = []

    def make(*middlewares: str, keeps: str = "memory", **changes: Any) -> Shop:
        table: Any = support.PLAIN if kind == "wsgi" else support.ASYNC

        def app(verifier: Any) -> Any:
            changes.setdefault("MIDDLEWARE", [*MIDDLEWARE, *middlewares])
            changed = override_settings(IMP_VERIFY={"VERIFIER": verifier}, **changes)
            changed.enable()
            made.append((None, changed))  # type: ignore[arg-type]
            return WSGIHandler() if kind == "wsgi" else site.connected(ASGIHandler())

        monkeypatch.setitem(table, f"tested-{kind}", app)
        arguments: Any = {
            "credentials": support.credentials(),
            "base_url": gateway.address,
            "test_mode": keeps == "memory",
            "landing": support.LANDING,
        }
        shop = Shop(gateway, f"tested-{kind}", keeps, tmp_path / "shop.db", arguments)
        made[-1] = (shop, made[-1][1])
        return shop

    yield make
    gateway.over.set()
    for shop, changed in made:
        shop.close()
        changed.disable()


@pytest.fixture
def setting(gateway: ScriptedGateway) -> dict[str, Any]:
    """IMP_VERIFY without a store."""
    return {
        "CREDENTIALS": {"KEY": markers.KEY, "SECRET": markers.SECRET},
        "BASE_URL": gateway.address,
        "TEST_MODE": True,
        "LANDING": {"SUCCESS": "/thanks"},
    }


def memory(**hooks: Any) -> MemoryStore:
    return MemoryStore(expected=lambda number, _: PRICE if number == ORDER else None, **hooks)


def client(**settings: Any) -> Client:
    return Client(enforce_csrf_checks=True, **settings)


def test_F01_F02_no_csrf_check_and_no_slash_is_in_the_way_of_a_payment(
    make: Make, gateway: ScriptedGateway
) -> None:
    shop = make(APPEND_SLASH=True)
    gateway.has()
    for slash in ("", "/"):
        assert shop.post(f"/complete{slash}", CLAIM).told == (200, "success")
        assert shop.post(f"/webhook{slash}", CLAIM).told == (200, "success")
        answer = shop.post(f"/confirm{slash}", {**CLAIM, "amount": PRICE})
        assert answer.told == (200, "approved")
        query = f"/redirect{slash}?imp_uid={I1}&merchant_uid={ORDER}"
        assert shop.get(query).lands == f"/thanks?o={ORDER}&s=success"
    assert shop.hooks == ["on_paid"]
    own = shop.driver.start("POST", "/own", "", [("Host", "shop.test")], b"").result(30)
    assert own.status == 403  # the check is on


def test_F02_without_the_slash_setting_both_addresses_are_the_same(
    make: Make, gateway: ScriptedGateway
) -> None:
    shop = make(APPEND_SLASH=False)
    gateway.has()
    assert shop.post("/webhook", CLAIM).told == (200, "success")
    assert shop.post("/webhook/", CLAIM).told == (200, "success")


def test_F12_a_middleware_that_wants_a_log_in_everywhere_lets_them_pass(
    make: Make, gateway: ScriptedGateway
) -> None:
    login = [f"{site.HERE}.LoginEverywhere"]
    if django.VERSION >= (5, 1):
        login = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
            *login,
        ]
    shop = make(*login)
    gateway.has()
    assert shop.post("/complete", CLAIM).told == (200, "success")
    assert shop.redirect().lands == f"/thanks?o={ORDER}&s=success"
    own = shop.driver.start("GET", "/own", "", [("Host", "shop.test")], b"").result(30)
    assert own.status == 302


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("cookie", ["none", "expired", "broken"])
def test_F12_neither_a_lost_nor_an_expired_session_is_in_the_way(
    gateway: ScriptedGateway, setting: dict[str, Any], asynchronous: bool, cookie: str
) -> None:
    gateway.has()
    expired = TimestampSigner(salt="django.contrib.sessions.backends.signed_cookies")
    expired.timestamp = lambda: "1"  # the first second of 1970
    cookies = {"expired": expired.sign_object({"_auth_user_id": "1"}), "broken": "x.y.z"}
    browser = client()
    if cookie in cookies:
        browser.cookies["sessionid"] = cookies[cookie]
    middlewares = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        *MIDDLEWARE,
        f"{site.HERE}.reads_session",
        f"{site.HERE}.LoginEverywhere",
    ]
    given = {**setting, "STORE": memory(), "ASYNC": asynchronous}
    with override_settings(IMP_VERIFY=given, MIDDLEWARE=middlewares):
        assert browser.get("/own").status_code == 302
        for path in ("redirect", "complete"):
            answer = browser.get(f"{PREFIX}/{path}?imp_uid={I1}&merchant_uid={ORDER}")
            assert (answer.status_code, answer["Location"]) == (303, "/thanks")
        answer = browser.post(f"{PREFIX}/complete", CLAIM, "application/json")
        assert (answer.status_code, answer.json()["status"]) == (200, "success")


@pytest.mark.parametrize("debug", [False, True])
def test_F16_trouble_is_json_and_an_unknown_path_is_djangos_own(
    make: Make, gateway: ScriptedGateway, debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make(DEBUG=debug)
    gateway.has()

    def fail(*_: object) -> None:
        raise RuntimeError("the shop's hook")

    shop.on_hook = fail
    assert shop.post("/webhook", CLAIM).told == (503, "unavailable")
    shop.on_hook, shop.expecting = None, lambda _: fail()
    assert shop.post("/webhook", CLAIM).told == (503, "unavailable")
    errors = [r for r in caplog.records if r.name == "imp_verify" and r.levelno == logging.ERROR]
    assert [r.exc_info is not None for r in errors] == [True, True]
    unknown = shop.post("/elsewhere", CLAIM)
    assert unknown.status == 404
    assert unknown.headers["content-type"].startswith("text/html")
    assert shop.get("/complete/more").status == 404


@pytest.mark.parametrize("endpoint", ["complete", "redirect", "webhook", "confirm"])
def test_F18_every_method_is_answered_by_the_core(
    make: Make, gateway: ScriptedGateway, endpoint: str
) -> None:
    shop = make()
    gateway.has()
    for method in ("HEAD", "PUT", "DELETE", "PATCH", "TRACE", "PURGE"):
        answer = shop.ask(method, f"/{endpoint}", CLAIM)
        assert answer.status == 405
        assert "OPTIONS" in answer.headers["allow"]
        assert method != "HEAD" or answer.body == b""
    answer = shop.ask("OPTIONS", f"/{endpoint}/")
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    if endpoint in ("webhook", "confirm"):
        assert shop.get(f"/{endpoint}").status == 405
    if endpoint == "redirect":
        assert shop.post("/redirect", *BODIES["form"]).status == 405
    shop.assert_nothing_recorded()
    assert gateway.looked == []


def test_F18_a_completion_by_get_with_json_for_a_query_has_failed(
    make: Make, gateway: ScriptedGateway
) -> None:
    shop = make()
    answer = shop.get("/complete?{%22imp_uid%22:%22imp_100000000001%22}")
    assert answer.lands.startswith("/cart")
    assert gateway.looked == []


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("reader", ["reads_post", "reads_body", "reads_body_twice"])
def test_E15_what_another_middleware_has_read_is_still_read(
    make: Make, gateway: ScriptedGateway, reader: str, body: str
) -> None:
    shop = make(f"{site.HERE}.{reader}")
    gateway.has()
    assert shop.post("/webhook", *BODIES[body]).told == (200, "success")
    assert shop.hooks == ["on_paid"]


@pytest.mark.parametrize("body", BODIES)
def test_E15_of_a_stream_that_was_eaten_nothing_is_believed(
    make: Make, gateway: ScriptedGateway, body: str
) -> None:
    shop = make(f"{site.HERE}.reads_stream")
    gateway.has()
    assert shop.post("/webhook", *BODIES[body]).told == (400, "invalid")
    assert gateway.looked == []


@pytest.mark.parametrize("reader", [None, "reads_post", "reads_body", "reads_body_afterwards"])
@pytest.mark.parametrize("body", BODIES)
def test_E15_chunks_are_read_whoever_looked_before(
    gateway: ScriptedGateway, setting: dict[str, Any], reader: str | None, body: str
) -> None:
    gateway.has()
    sent, content_type = BODIES[body]
    environ = {
        "wsgi.input": io.BytesIO(sent),
        "wsgi.input_terminated": True,
        "CONTENT_TYPE": content_type,
    }
    middlewares = [*MIDDLEWARE, *([f"{site.HERE}.{reader}"] if reader else [])]
    with override_settings(IMP_VERIFY={**setting, "STORE": memory()}, MIDDLEWARE=middlewares):
        answer = client().generic("POST", f"{PREFIX}/webhook", **environ)
    assert (answer.status_code, answer.json()["status"]) == (200, "success")


@pytest.mark.parametrize("length", [MAX_BODY, MAX_BODY + 1, 4 * 1024 * 1024])
def test_a_body_is_read_up_to_our_limit_whatever_djangos_is(
    make: Make, gateway: ScriptedGateway, length: int
) -> None:
    shop = make(DATA_UPLOAD_MAX_MEMORY_SIZE=10, FILE_UPLOAD_MAX_MEMORY_SIZE=1024)
    gateway.has()
    answer = shop.post("/webhook", site.dumps(CLAIM).ljust(length))
    assert answer.told == ((200, "success") if length <= MAX_BODY else (413, "invalid"))


def test_a_cache_of_the_whole_site_keeps_no_answer(make: Make, gateway: ScriptedGateway) -> None:
    updating, fetching = (
        f"django.middleware.cache.{name}CacheMiddleware" for name in ("Update", "FetchFrom")
    )
    shop = make(MIDDLEWARE=[updating, *MIDDLEWARE, fetching])
    shop.driver.verifier._settings = _page(shop)
    gateway.has()
    cache.clear()
    first = shop.get(f"/redirect?imp_uid={I1}")
    assert first.status == 200
    assert first.headers["cache-control"] == "no-store"
    gateway.has(status="cancelled", cancel_amount=PRICE)
    assert shop.get(f"/redirect?imp_uid={I1}").status == 409


def _page(shop: Shop) -> Any:
    from dataclasses import replace

    return replace(shop.driver.verifier.settings, landing=Landing())


def test_the_query_comes_as_its_bytes(make: Make, gateway: ScriptedGateway) -> None:
    shop = make()
    shop.orders["주문-1001"] = PRICE
    gateway.has(merchant_uid="주문-1001")
    raw = "주문-1001".encode().decode("latin-1")
    answer = shop.get(f"/redirect?imp_uid={I1}&merchant_uid={raw}")
    assert answer.lands.startswith("/thanks")


def test_a_body_that_breaks_off_names_nobody(gateway: ScriptedGateway, setting: Any) -> None:
    environ = {"wsgi.input": FakePayload(FORM), "CONTENT_LENGTH": str(len(FORM) + 1)}
    with override_settings(IMP_VERIFY={**setting, "STORE": memory()}):
        answer = client().generic("POST", f"{PREFIX}/webhook", **environ)
    assert answer.status_code == 400
    assert gateway.looked == []


def test_a_server_that_says_that_a_body_broke_off_is_believed(setting: Any) -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

        readline = read

    environ = {"wsgi.input": Broken(), "CONTENT_LENGTH": "9"}
    with override_settings(IMP_VERIFY={**setting, "STORE": memory()}):
        answer = client().generic("POST", f"{PREFIX}/webhook", **environ)
    assert answer.status_code == 400


def test_a_middleware_that_logs_the_body_afterwards_breaks_nothing(
    make: Make, gateway: ScriptedGateway
) -> None:
    shop = make(f"{site.HERE}.reads_body_afterwards")
    gateway.has()
    assert shop.post("/webhook", CLAIM).told == (200, "success")


class InDjango(OrderStore):
    """A shop's own store on Django's database, with what it saw."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def expected(self, merchant_uid: str) -> int | None:
        self._look()
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", [PRICE])
            (price,) = cursor.fetchone()
        return int(price) if merchant_uid == ORDER else None

    def settle(self, outcome: Outcome) -> Settled:
        self._look()
        with transaction.atomic():
            assert len(connection.savepoint_ids) == 0  # the block is the outermost
        return Settled.NEW

    def _look(self) -> None:
        assert not connection.in_atomic_block
        self.threads.append(threading.current_thread())


class Coroutines(AsyncOrderStore):
    async def expected(self, merchant_uid: str) -> int | None:
        return PRICE if merchant_uid == ORDER else None

    async def settle(self, outcome: Outcome) -> Settled:
        return Settled.NEW


@pytest.fixture
def atomic(monkeypatch: pytest.MonkeyPatch) -> None:
    for alias in connections:
        monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", True)


def ask(server: str) -> int:
    """Send a webhook the way that this server would, and give the status code."""
    if server == "wsgi":
        answer = client().post(f"{PREFIX}/webhook", CLAIM, "application/json")
        return int(answer.status_code)

    async def asked() -> int:
        asynchronous = AsyncClient(enforce_csrf_checks=True)
        answer = await asynchronous.post(f"{PREFIX}/webhook", CLAIM, "application/json")
        verifier = get_verifier()
        if isinstance(verifier, AsyncVerifier):
            await verifier.close()
        return int(answer.status_code)

    return asyncio.run(asked())


@pytest.mark.usefixtures("atomic")
@pytest.mark.parametrize("server", ["wsgi", "asgi"])
@pytest.mark.parametrize("asynchronous", [None, True, False])
@pytest.mark.parametrize("store", [InDjango, Coroutines, memory])
def test_F08_stores_and_servers_of_either_colour_go_together(
    gateway: ScriptedGateway,
    setting: dict[str, Any],
    server: str,
    asynchronous: bool | None,
    store: Callable[[], Any],
) -> None:
    gateway.has()
    given = {**setting, "STORE": store(), "ASYNC": asynchronous}
    with override_settings(IMP_VERIFY=given):
        if store is Coroutines and asynchronous is False:
            with pytest.raises(ConfigurationError, match="IMP_VERIFY: Verifier needs a plain"):
                get_verifier()
            return
        wanted = AsyncVerifier if asynchronous or store is Coroutines else Verifier
        assert type(get_verifier()) is wanted
        assert ask(server) == 200


def test_F08_a_plain_store_under_asgi_has_the_requests_own_connection(
    gateway: ScriptedGateway, setting: dict[str, Any]
) -> None:
    gateway.has()
    store = InDjango()
    with override_settings(IMP_VERIFY={**setting, "STORE": store, "ASYNC": True}):
        verifier = get_verifier()
        assert isinstance(verifier, AsyncVerifier)
        driver = support.AsgiDriver(verifier, site.connected(ASGIHandler()))
        headers = [("Host", "shop.test")]
        for _ in range(2):
            asked = driver.start("POST", f"{PREFIX}/webhook", "", headers, site.dumps(CLAIM))
            assert asked.result(30).told == (200, "success")
        driver.close()
    assert threading.main_thread() not in store.threads
    assert driver._thread not in store.threads
    assert len(set(store.threads)) == 2  # one for each request


def test_F08_a_coroutine_as_a_hook_of_a_plain_store_is_refused() -> None:
    async def hook(*_: object) -> None: ...

    with pytest.raises(ConfigurationError, match="on_paid"):
        memory(on_paid=hook)


STORE = memory()
CREDENTIALS = support.credentials()
LANDING = Landing("/thanks")
NO_STORE = object()
BROKEN = "no.such.module"


def test_dotted_paths_objects_and_dictionaries_are_the_same(
    gateway: ScriptedGateway, setting: dict[str, Any]
) -> None:
    here = __name__
    sys.modules.setdefault(here, sys.modules[memory.__module__])
    for change in (
        {"STORE": STORE},
        {"STORE": f"{here}.STORE", "CREDENTIALS": f"{here}.CREDENTIALS"},
        {"STORE": f"{here}.Coroutines", "CREDENTIALS": CREDENTIALS, "LANDING": f"{here}.LANDING"},
        {"STORE": Coroutines, "LANDING": LANDING, "LANGUAGE": "en", "TIMEOUT": 3},
    ):
        with override_settings(IMP_VERIFY={**setting, **change}):
            made = get_verifier()
            assert made is get_verifier()
        with override_settings(IMP_VERIFY={"VERIFIER": made}):
            assert get_verifier() is made


KR = {"KEY": markers.KEY, "SECRET": markers.SECRET}
ACCOUNTS = {"kr": KR, "us": support.credentials()}
SEVERAL = {"kr": Credentials(markers.KEY, markers.SECRET), "us": support.credentials()}


def test_accounts_are_dictionaries_credentials_or_a_dotted_path_to_them(
    setting: dict[str, Any],
) -> None:
    sys.modules.setdefault(__name__, sys.modules[memory.__module__])
    del setting["CREDENTIALS"]
    for given in (ACCOUNTS, SEVERAL, f"{__name__}.SEVERAL"):
        with override_settings(IMP_VERIFY={**setting, "STORE": STORE, "ACCOUNTS": given}):
            verifier: Any = get_verifier()
            assert list(verifier.settings.accounts or ()) == ["kr", "us"]


CODES = {"kr": "imp00000000", "us": "imp11111111"}


def test_each_account_may_have_a_checkout_of_its_own(setting: dict[str, Any]) -> None:
    del setting["CREDENTIALS"]
    wanted = {name: Checkout(code) for name, code in CODES.items()}
    given = {name: {"USER_CODE": code} for name, code in CODES.items()}
    for checkout in (given, wanted, {**given, "us": wanted["us"]}):
        several = {"ACCOUNTS": ACCOUNTS, "CHECKOUT": checkout}
        with override_settings(IMP_VERIFY={**setting, "STORE": STORE, **several}):
            assert get_verifier().settings.checkout == wanted


def test_the_account_of_an_order_is_asked(
    gateway: ScriptedGateway, setting: dict[str, Any]
) -> None:
    del setting["CREDENTIALS"]
    gateway.has()
    store = MemoryStore(expected=lambda number, _: ExpectedPayment(number, PRICE, account="kr"))
    with override_settings(IMP_VERIFY={**setting, "STORE": store, "ACCOUNTS": ACCOUNTS}):
        assert client().post(f"{PREFIX}/complete", {"imp_uid": I1}).status_code == 400
        assert gateway.asked == []
        assert client().post(f"{PREFIX}/complete", CLAIM).json()["status"] == "success"
    assert store.receipts([I1])[I1].account == "kr"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "the setting IMP_VERIFY must be a dictionary"),
        ({"STORE": STORE, "ACCOUNTS": ACCOUNTS}, "credentials and accounts are both given"),
        ({"STORE": STORE, "ACCOUNTS": {"kr": {"KEY": "k"}}}, "IMP_VERIFY[\"ACCOUNTS\"]['kr']: "),
        ({"STORE": STORE, "ACCOUNTS": {"kr": {**KR, "TIER": ""}}}, "['kr']: Credentials.tier "),
        (
            {"STORE": STORE, "CHECKOUT": {"kr": {"USER_CODE": ""}}},
            "IMP_VERIFY[\"CHECKOUT\"]['kr']: Checkout.user_code",
        ),
        ({}, '"STORE" or "VERIFIER"'),
        ("shop.verifier", "must be a dictionary"),
        ({"VERIFIER": object()}, 'IMP_VERIFY["VERIFIER"]: the verifier must be Verifier'),
        ({"VERIFIER": 1, "TIMEOUT": 3}, "nothing may stand beside it"),
        ({"VERIFIER": BROKEN}, 'IMP_VERIFY["VERIFIER"]: nothing can be imported from it: No'),
        ({"STORE": BROKEN}, 'IMP_VERIFY["STORE"]: nothing can be imported from it: No'),
        ({"STORE": object()}, "IMP_VERIFY: the store (object) lacks expected"),
        ({"STORE": MemoryStore}, 'IMP_VERIFY["STORE"]: '),
        ({"STORE": STORE, "TIMOUT": 3}, "must not have 'TIMOUT': did you mean TIMEOUT? There are "),
        ({"STORE": STORE, "TESTMODE": True}, "'TESTMODE': did you mean TEST_MODE? There are ACCOU"),
        ({"STORE": STORE, "store": STORE}, "'store': did you mean STORE? There are "),
        ({"STORE": STORE, 7: 3}, "IMP_VERIFY must not have 7. There are ACCOUNTS, ASYNC, BASE_URL"),
        ({"STORE": STORE, "TIMEOUT": 0}, "IMP_VERIFY: timeout must be"),
        ({"STORE": STORE, "ASYNC": "no"}, "IMP_VERIFY: ASYNC must be True or False"),
        ({"STORE": STORE, "LANDING": {"OK": "/"}}, 'IMP_VERIFY["LANDING"]: '),
        ({"STORE": STORE, "LANDING": {"SUCCESS": "thanks"}}, "Landing.success must begin"),
        ({"STORE": STORE, "CREDENTIALS": {"KEY": "k"}}, 'IMP_VERIFY["CREDENTIALS"]: '),
        ({"STORE": STORE, "CREDENTIALS": {"KEY": "", "SECRET": "s"}}, "IMP_KEY) is missing"),
    ],
)
def test_a_setting_that_is_wrong_is_named(given: object, text: str, setting: Any) -> None:
    if isinstance(given, dict) and "STORE" in given:
        given = {**setting, **given}
    with override_settings(IMP_VERIFY=given):
        with pytest.raises(ConfigurationError) as caught:
            get_verifier()
        assert text in str(caught.value)
        assert [found.id for found in checks.run_checks()] in (
            ["imp_verify.E001"],
            ["imp_verify.W002"],
        )


@pytest.mark.parametrize("name", ["CREDENTIALS", "ACCOUNTS"])
def test_what_may_be_a_secret_is_not_repeated(setting: dict[str, Any], name: str) -> None:
    with (
        override_settings(IMP_VERIFY={**setting, "STORE": STORE, name: markers.SECRET}),
        pytest.raises(ConfigurationError) as caught,
    ):
        get_verifier()
    assert markers.SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_urls_are_there_before_the_setting_is_read() -> None:
    with override_settings(IMP_VERIFY=None):
        assert reverse("imp_verify:webhook") == f"{PREFIX}/webhook"
        with pytest.raises(ConfigurationError):
            resolve(f"{PREFIX}/webhook/")


def ids(deploy: bool = False, **settings: Any) -> list[str | None]:
    """Return the numbers of what the checks find; of Django's own only without `deploy`."""
    with override_settings(**settings):
        found = [str(each.id) for each in checks.run_checks(include_deployment_checks=deploy)]
    return [each for each in found if each.startswith("imp_verify.") or not deploy]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"CREDENTIALS": {"KEY": "", "SECRET": ""}},
        {"CREDENTIALS": {"KEY": None, "SECRET": None}},
        {"ACCOUNTS": {"kr": {"KEY": "", "SECRET": ""}}},
    ],
)
def test_missing_credentials_stop_a_server_and_a_deployment_and_nothing_else(
    setting: dict[str, Any], given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IMP_KEY", "IMP_SECRET"):
        monkeypatch.delenv(name, raising=False)
    del setting["CREDENTIALS"]
    changes: dict[str, Any] = {"IMP_VERIFY": {**setting, "STORE": STORE, **given}}
    assert ids(**changes) == ["imp_verify.W002"]
    assert ids(deploy=True, **changes) == ["imp_verify.W002", "imp_verify.E002"]
    monkeypatch.setattr("sys.argv", ["manage.py", "runserver"])
    assert ids(**changes) == ["imp_verify.E002"]


def test_a_whole_verifier_whose_module_finds_no_credentials_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "from imp_verify import *\nfrom imp_verify.stores.memory import MemoryStore\n"
    text += "verifier = Verifier(MemoryStore(expected=lambda *_: 1))\n"
    (tmp_path / "shop_without_credentials.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("IMP_KEY", raising=False)
    given = {"VERIFIER": "shop_without_credentials.verifier"}
    assert ids(IMP_VERIFY=given) == ["imp_verify.W002"]


def test_of_a_setting_that_is_wrong_a_deployment_says_no_more(setting: dict[str, Any]) -> None:
    assert ids(deploy=True, IMP_VERIFY={**setting, "STOER": STORE}) == ["imp_verify.E001"]


def test_a_check_keeps_nothing_and_a_tests_environment_is_seen(
    setting: dict[str, Any], gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by the check, the verifier would ask the real host."""
    gateway.has()
    names = ("IMP_API_URL", "IMP_KEY", "IMP_SECRET", "IMP_TEST_MODE")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    with override_settings(IMP_VERIFY={"STORE": memory()}, DEBUG=True):
        assert checks.run_checks()[0].id == "imp_verify.W002"
        with pytest.raises(ConfigurationError, match="IMP_KEY"):
            get_verifier()
        values = ("http://127.0.0.1:1", markers.KEY, markers.SECRET, "1")
        for name, value in zip(names, values, strict=True):
            monkeypatch.setenv(name, value)
        assert checks.run_checks() == []
        assert client().post(f"{PREFIX}/webhook", CLAIM).status_code == 503
        monkeypatch.setenv("IMP_API_URL", gateway.address)
        assert client().post(f"{PREFIX}/webhook", CLAIM).json()["status"] == "success"
        assert get_verifier() is get_verifier()


def test_the_urls_say_that_the_application_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "imp_verify.contrib.django.urls")
    with (
        override_settings(INSTALLED_APPS=["django.contrib.contenttypes"]),
        pytest.raises(ConfigurationError, match="INSTALLED_APPS lacks"),
    ):
        importlib.import_module("imp_verify.contrib.django.urls")


@pytest.mark.parametrize("alias", ["unwatched", "elsewhere"])
@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"CONN_MAX_AGE": 600}, True),
        ({"CONN_MAX_AGE": None}, True),
        ({"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}, False),
        ({"OPTIONS": {"pool": True}}, True),
        ({}, False),
        ({"CONN_MAX_AGE": 600, "ENGINE": "django.db.backends.sqlite3"}, False),
    ],
)
def test_connections_that_live_on_unwatched_are_found_for_deployment(
    setting: dict[str, Any],
    given: dict[str, Any],
    found: bool,
    alias: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from imp_verify.contrib.django.stores import DjangoStore

    given = {"ENGINE": "django.db.backends.postgresql", **given}
    made = connections.configure_settings({"default": {}, "unwatched": given})
    monkeypatch.setitem(connections.settings, "unwatched", made["unwatched"])
    store = DjangoStore(using=alias, expected=lambda number, using: 1)
    changes: dict[str, Any] = {"IMP_VERIFY": {**setting, "STORE": store}}
    wanted = ["imp_verify.E007"] if alias == "elsewhere" else ["imp_verify.W008"] * found
    assert ids(deploy=True, **changes) == wanted
    assert "imp_verify.W008" not in ids(**changes)


def test_the_checks_find_nothing_where_nothing_is_wrong(setting: dict[str, Any]) -> None:
    assert ids(IMP_VERIFY={**setting, "STORE": InDjango()}) == []
    assert ids(DEBUG=True, IMP_VERIFY={**setting, "STORE": STORE, "ASYNC": True}) == []
    assert ids(ROOT_URLCONF=None, IMP_VERIFY={**setting, "STORE": InDjango()}) == []


def test_a_store_in_memory_is_for_debugging(setting: dict[str, Any]) -> None:
    for asynchronous in (True, False):
        given = {**setting, "STORE": STORE, "ASYNC": asynchronous}
        assert ids(IMP_VERIFY=given) == ["imp_verify.W003"]


def test_a_database_that_is_not_there_is_found(setting: dict[str, Any]) -> None:
    from imp_verify.contrib.django.stores import DjangoStore

    store = DjangoStore(using="elsewhere", expected=lambda number, using: 1)
    assert ids(IMP_VERIFY={**setting, "STORE": store}) == ["imp_verify.E007"]
    assert ids(IMP_VERIFY={**setting, "STORE": store, "ASYNC": True}) == ["imp_verify.E007"]


def test_a_proxy_that_nobody_named_would_send_every_webhook(setting: dict[str, Any]) -> None:
    given = {**setting, "STORE": InDjango(), "WEBHOOK_SOURCES": ["192.0.2.0/24"]}
    proxy: Any = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
    assert ids(IMP_VERIFY=given) == []
    assert ids(IMP_VERIFY=given, **proxy) == ["imp_verify.W004"]
    assert ids(IMP_VERIFY=given, USE_X_FORWARDED_HOST=True) == ["imp_verify.W004"]
    assert ids(IMP_VERIFY={**given, "TRUSTED_PROXIES": ["10.0.0.0/8"]}, **proxy) == []


@pytest.mark.parametrize(
    ("found", "first"),
    [
        ((4, 2, 29), "4.2.30"),
        ((5, 1, 15), "5.2.13"),
        ((5, 2, 12), "5.2.13"),
        ((6, 0, 3), "6.0.4"),
        ((4, 2, 30), None),
        ((5, 2, 13), None),
        ((6, 0, 4), None),
        ((6, 1, 0), None),
        ((7, 0, 0), None),
    ],
)
def test_a_django_with_published_faults_is_warned_of(
    found: tuple[int, int, int],
    first: str | None,
    setting: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(payment_checks, "VERSION", (*found, "final", 0))
    with override_settings(IMP_VERIFY={**setting, "STORE": InDjango()}):
        warned = payment_checks.check_payments()
    assert [each.id for each in warned] == (["imp_verify.W010"] if first else [])
    assert not first or f"Upgrade to {first} or newer" in str(warned[0].hint)


def test_a_prefix_without_its_slash_is_found(setting: dict[str, Any]) -> None:
    given = {**setting, "STORE": InDjango()}
    assert ids(IMP_VERIFY=given, ROOT_URLCONF=site.no_slash) == ["imp_verify.E005"]
    assert ids(IMP_VERIFY=given, ROOT_URLCONF=site.nothing) == []


def test_a_redirect_to_https_of_every_webhook_behind_a_proxy_is_found(
    setting: dict[str, Any],
) -> None:
    given: Any = {"IMP_VERIFY": {**setting, "STORE": InDjango()}, "SECURE_SSL_REDIRECT": True}
    proxy = ("HTTP_X_FORWARDED_PROTO", "https")
    assert ids(**given) == []
    assert ids(deploy=True, **given) == ["imp_verify.W006"]
    assert ids(deploy=True, **given, SECURE_REDIRECT_EXEMPT=["^paid/"]) == ["imp_verify.W006"]
    for harmless in (
        {"SECURE_SSL_REDIRECT": False},
        {"SECURE_PROXY_SSL_HEADER": proxy},
        {"SECURE_REDIRECT_EXEMPT": [r"^own$", r"^pay/"]},
        {"ROOT_URLCONF": site.nothing},
    ):
        assert ids(deploy=True, **{**given, **harmless}) == []


@pytest.mark.parametrize("exempt", [[], ["^pay/"]])
def test_djangos_own_redirect_spares_what_that_check_spares(
    make: Make, gateway: ScriptedGateway, exempt: list[str]
) -> None:
    shop = make(
        MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
        SECURE_SSL_REDIRECT=True,
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
        SECURE_REDIRECT_EXEMPT=exempt,
    )
    gateway.has()
    for scheme, status in (("https", 200), ("http", 200 if exempt else 301)):
        headers = (("Host", "shop.test"), ("X-Forwarded-Proto", scheme))
        assert shop.ask("POST", "/webhook", CLAIM, headers=headers).status == status
