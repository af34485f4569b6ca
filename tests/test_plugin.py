"""The pytest plugin, in suites of shops; run with and without the extras."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest_plugins = ["pytester"]

SHOP = """
import pytest
from imp_verify import Verdict

def test_a_payment_is_good(imp_verifier, imp_store, fake_gateway):
    imp_store.orders["A-1"] = 39000
    outcome = imp_verifier.verify(fake_gateway.pay("A-1", 39000).imp_uid, "A-1")
    assert outcome.verdict == Verdict.PAID

def test_a_forged_one_is_not(imp_verifier, imp_store, fake_gateway):
    imp_store.orders["A-1"] = 39000
    outcome = imp_verifier.verify(fake_gateway.pay("A-1", 100).imp_uid, "A-1")
    assert outcome.verdict == Verdict.FORGERY

def test_each_test_begins_anew(imp_verifier, fake_gateway, imp_store):
    assert fake_gateway.sandbox.gateway.attempts() == []
    assert imp_store.orders == {}
    _ = fake_gateway.pay("B-1", 1)
    assert len(fake_gateway.sandbox.gateway.attempts()) == 1
"""
AS_A_SHOP = ("-p", "pytest_imp_verify", "-p", "no:cacheprovider", "--strict-markers", "-Werror")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("PYTEST_ADDOPTS", "IMP_API_URL", "IMP_KEY", "IMP_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return pytester


def run(suite: pytest.Pytester, text: str, *options: str, **outcomes: int) -> pytest.RunResult:
    """Run a suite of one module, and compare how its tests ended."""
    suite.makepyfile(text)
    # Without the plugins of ours that change every run.
    result = suite.runpytest_inprocess(*AS_A_SHOP, *options)
    result.assert_outcomes(**outcomes)
    return result


def test_a_shops_suite_needs_three_fixtures(suite: pytest.Pytester) -> None:
    _ = run(suite, SHOP, passed=3)


def test_it_works_in_several_processes(suite: pytest.Pytester) -> None:
    _ = run(suite, SHOP, *(("-n", "2") if find_spec("xdist") else ()), passed=3)


def test_it_works_in_any_order(suite: pytest.Pytester) -> None:
    _ = suite.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    _ = run(suite, SHOP, passed=3)


def test_the_async_verifier_needs_no_plugin_of_asyncio_and_works_with_one(
    suite: pytest.Pytester,
) -> None:
    text = """
import asyncio
import pytest

async def pay(gateway, verifier, store):
    store.orders["A-1"] = 39000
    outcome = await verifier.verify(gateway.pay("A-1", 39000).imp_uid, "A-1")
    assert outcome.verdict == "paid"

def test_in_a_loop_of_its_own(fake_gateway, async_imp_verifier, imp_store):
    asyncio.run(pay(fake_gateway, async_imp_verifier, imp_store))
"""
    more = """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_in_the_loop_of_a_plugin(fake_gateway, async_imp_verifier, imp_store):
    await pay(fake_gateway, async_imp_verifier, imp_store)
"""
    has_plugin = find_spec("anyio") is not None
    _ = run(suite, text + (more if has_plugin else ""), passed=1 + has_plugin)


def test_unittest_uses_the_fixtures_too(suite: pytest.Pytester) -> None:
    text = """
import unittest
import pytest

class Payments(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _given(self, fake_gateway, imp_verifier, imp_store):
        self.gateway, self.verifier, self.store = fake_gateway, imp_verifier, imp_store

    def test_paid(self):
        self.store.orders["A-1"] = 39000
        outcome = self.verifier.verify(self.gateway.pay("A-1", 39000).imp_uid, "A-1")
        self.assertEqual(outcome.verdict, "paid")

    def test_the_real_one(self):
        import socket
        try:
            socket.getaddrinfo("api.iamport.kr", 443)
        except Exception:
            pass
"""
    result = run(suite, text, passed=1, failed=1)
    result.stdout.fnmatch_lines(["*reached for api.iamport.kr*fake_gateway*"])


def test_the_shops_own_store_takes_the_place_of_the_one_in_memory(suite: pytest.Pytester) -> None:
    text = """
import pytest
from imp_verify.stores.sqlite import SqliteStore

@pytest.fixture
def imp_store(tmp_path):
    store = SqliteStore(tmp_path / "shop.sqlite3", expected=lambda order, db: 100)
    yield store
    store.close()

def test_it(imp_verifier, imp_store, fake_gateway):
    assert imp_verifier.verify(fake_gateway.pay("A", 100).imp_uid, "A").verdict == "paid"
    assert imp_store.paid("A")
"""
    _ = run(suite, text, passed=1)


def test_marks_set_how_the_gateway_behaves_and_what_goes_wrong(suite: pytest.Pytester) -> None:
    text = """
import pytest
from imp_verify import GatewayUnavailable

pytestmark = pytest.mark.imp_settings(closed_becomes="ready", webhook_format="form")

@pytest.mark.imp_settings(webhook_format="json")
def test_the_nearest_mark_counts(fake_gateway):
    settings = fake_gateway.sandbox.settings
    assert (settings.closed_becomes, settings.webhook_format) == ("ready", "json")

@pytest.mark.imp_fault("payment", status=429)
@pytest.mark.imp_fault("token", status=429)
def test_both_faults_happen(fake_gateway, imp_verifier):
    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            imp_verifier.verify("imp_1", "A")
    assert imp_verifier.verify("imp_1", "A").verdict == "unknown_payment"
"""
    _ = run(suite, text, passed=2)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("imp_settings(colour=1)", "*no such setting: colour; there are *webhook_url*"),
        ("imp_settings(webhook_order=1)", "*webhook_order is one of webhook-first*"),
        ("imp_settings('en')", "*imp_settings takes names and values*"),
        ("imp_fault('payment', 503)", "*imp_fault takes a call, and names: *status=503*"),
        ("imp_fault", "*imp_fault takes a call, and names: *status=503*"),
        ("imp_fault('payment', state=1)", "*no such field: state; there are call*"),
    ],
)
def test_a_wrong_mark_is_said_in_words(mark: str, said: str, suite: pytest.Pytester) -> None:
    text = f"""
import pytest

@pytest.mark.{mark}
def test_it(fake_gateway): ...
"""
    result = run(suite, text, errors=1)
    result.stdout.fnmatch_lines([said])


def test_a_failed_tests_report_has_the_journal_without_secrets(suite: pytest.Pytester) -> None:
    text = """
def test_it(fake_gateway, imp_verifier):
    _ = imp_verifier.verify(fake_gateway.pay("A-1", 7).imp_uid, "A-1")
    assert False

def test_nothing(fake_gateway):
    assert False

def test_much(fake_gateway):
    for number in range(300):
        fake_gateway.open(f"N-{number}", 1)
    assert False

def test_good(fake_gateway):
    fake_gateway.open("GOOD", 1)
"""
    result = run(suite, text, passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*- fake gateway -*",
            "1 window imp_uid=imp_* merchant_uid=A-1 step=open status=ready",
            "2 window imp_uid=imp_* merchant_uid=A-1 step=approve status=paid",
            "3 api call=token method=POST path=/users/getToken *",
            "4 api imp_uid=imp_* call=payment method=GET *",
            "*- fake gateway -*",
            "nothing happened",
            "*- fake gateway -*",
            "...",
            "101 window * merchant_uid=N-100 *",
        ]
    )
    text = result.stdout.str()
    assert "sandbox_secret" not in text.replace("secret: str = field", "")
    assert "merchant_uid=GOOD" not in text


REAL = {
    "a look-up": "socket.getaddrinfo('api.iamport.kr', 443)",
    "by name": "socket.getaddrinfo(host='API.IamPort.kr.', port=443)",
    "in bytes": "socket.getaddrinfo(b'service.iamport.kr', 443)",
    "the newer one": "socket.gethostbyname('api.portone.io')",
    "with its names": "socket.gethostbyname_ex('portone.io')",
    "a connection": "socket.create_connection(('api.iamport.kr', 443), 1)",
    "a socket": "by_socket('connect')",
    "a quiet socket": "by_socket('connect_ex')",
    "requests": "requests.get('https://api.iamport.kr/payments/x', timeout=1)",
    "a thread": "in_thread(lambda: socket.getaddrinfo('api.iamport.kr', 443))",
    "a loop": "asyncio.run(looked_up())",
    "by proxy": "by_proxy()",
}


def test_whatever_reaches_for_the_real_gateway_fails_its_test_at_once(
    suite: pytest.Pytester,
) -> None:
    text = f"""
import asyncio, os, socket, threading
import pytest
import requests

def by_socket(how):
    with socket.socket() as made:
        getattr(made, how)(("api.iamport.kr", 443))

def in_thread(act):
    def run():
        try:
            act()
        except BaseException:
            pass
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

async def looked_up():
    await asyncio.get_running_loop().getaddrinfo("api.iamport.kr", 443)

def by_proxy():
    proxies = {{"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in proxies.items():
            patch.setenv(name, value)
        requests.get("http://api.iamport.kr/payments/x", timeout=1)

@pytest.mark.parametrize("way", {list(REAL.values())!r})
def test_real(way):
    try:
        eval(way)
    except Exception as error:
        pass  # as a shop does that answers 503 then

@pytest.fixture
def hasty():
    try:
        socket.getaddrinfo("api.iamport.kr", 443)
    except BaseException:
        pass

def test_in_a_fixture(hasty): ...

def test_others_are_reached():
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    assert socket.getaddrinfo("127.0.0.1", 80) and socket.getaddrinfo(None, 80)
    client.close()
    server.close()
"""
    # In a process of its own: a `requests` that others have half imported anew reaches for nothing.
    suite.makepyfile(text)
    result = suite.runpytest_subprocess(*AS_A_SHOP)
    result.assert_outcomes(passed=1, failed=len(REAL), errors=1)
    said = "*this test reached for *, which is the real gateway: use the fixture fake_gateway *"
    result.stdout.fnmatch_lines([said] * len(REAL))


def test_all_is_as_it_was_after_the_run(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import socket

    monkeypatch.setenv("NO_PROXY", "shop.test")
    monkeypatch.delenv("no_proxy", raising=False)
    before = (socket.getaddrinfo, socket.socket.connect, vars(socket.socket).keys())
    text = """
import os
def test_it():
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"]
    assert os.environ["no_proxy"] == "shop.test,iamport.kr,portone.io,.iamport.kr,.portone.io"
"""
    _ = run(suite, text, passed=1)
    assert (socket.getaddrinfo, socket.socket.connect, vars(socket.socket).keys()) == before
    assert (os.environ["NO_PROXY"], os.environ.get("no_proxy")) == ("shop.test", None)
    monkeypatch.setenv("NO_PROXY", "*")  # none at all
    _ = run(suite, "import os\ndef test_it(): assert os.environ['NO_PROXY'] == '*'", passed=1)


def test_a_server_a_session_shows_the_gateway_of_each_test(suite: pytest.Pytester) -> None:
    text = """
import pytest
import requests

SEEN = set()

@pytest.mark.parametrize("turn", range(3))
def test_it(turn, fake_gateway_url, fake_gateway):
    uid = fake_gateway.pay("A-1", 39000).imp_uid
    keys = {"imp_key": "sandbox_key", "imp_secret": "sandbox_secret"}
    token = requests.post(f"{fake_gateway_url}/users/getToken", json=keys).json()["response"]
    headers = {"Authorization": token["access_token"]}
    answer = requests.get(f"{fake_gateway_url}/payments/{uid}", headers=headers)
    assert answer.json()["response"]["amount"] == 39000
    assert [call.what["call"] for call in fake_gateway.calls] == ["token", "payment"]
    SEEN.add(fake_gateway_url)
    assert len(SEEN) == 1
"""
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        result = run(suite, text, errors=3)
        result.stdout.fnmatch_lines(['*pip install "imp-verify[[]sandbox[]]"*'])
    else:
        _ = run(suite, text, passed=3)


def test_a_run_that_does_not_use_it_imports_nothing_of_the_package() -> None:
    code = """
import socket, sys, pytest
before = set(sys.modules)
import pytest_imp_verify
print(*sorted(set(sys.modules) - before))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["pytest_imp_verify"]
