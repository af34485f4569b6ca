"""`imp-verify doctor`: each line good, and each made to fail once."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import trustme
from flask import Flask
from werkzeug.serving import make_server

from imp_verify import Credentials, Verifier
from imp_verify.cli import _checks, _reach, _senders
from imp_verify.cli._checks import check_mode
from imp_verify.cli._words import Words
from imp_verify.contrib.flask import payments
from imp_verify.sandbox import Fault, SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.support import gateway as scripted

from .conftest import MODULE, SECRET, Command, Ran

OWN = f"imp-verify {version('imp-verify')}"

pytestmark = pytest.mark.usefixtures("shop")
MORE = """
from contextlib import closing
from dataclasses import replace
import sqlite3
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from imp_verify.stores import OrderStore
from imp_verify.stores.sqlalchemy import SqlAlchemyStore

def on_sqlalchemy(lock_timeout=5.0):
    engine = create_engine("sqlite:///sqlalchemy.db", poolclass=NullPool)
    return plain(SqlAlchemyStore(engine, expected=expected))

def with_tables():
    verifier = on_sqlalchemy()
    verifier.store.create_all()
    return verifier

def folding():
    verifier = with_tables()
    with closing(sqlite3.connect("sqlalchemy.db")) as db:
        db.execute("DROP TABLE imp_orders")
        db.execute("CREATE TABLE imp_orders (merchant_uid TEXT COLLATE NOCASE, paid_by TEXT)")
    return verifier

def patient():
    return plain(SqliteStore("shop.db", expected=expected, busy_timeout=20))

def gone():
    return plain(SqliteStore("no/such/folder/shop.db", expected=expected))

class ByHand(OrderStore):
    def expected(self, merchant_uid):
        return 39000
    def settle(self, outcome):
        raise NotImplementedError

class Failing(ByHand):
    def receipts(self, imp_uids):
        raise OSError("no route to the-secret-of-this-sh0p\\nand more")

def by_hand():
    return plain(ByHand())

def by_hand_async():
    return AsyncVerifier(ByHand())

def failing():
    return plain(Failing())

class Unlooked(SqliteStore):
    def facts(self):
        return replace(super().facts(), checks_connections=False)

def unlooked():
    return plain(Unlooked("shop.db", expected=expected))

def in_test_memory():
    return plain(MemoryStore(expected=expected), test_mode=True)

def choosy():
    import os
    sources, proxies = os.environ["SOURCES"].split(), os.environ["PROXIES"].split()
    return plain(webhook_sources=sources, trusted_proxies=proxies)

def hurried():
    return plain(confirm_timeout=0.001)
"""


@pytest.fixture(autouse=True)
def more(shop: Path) -> None:
    """The shop has begun: its database is there."""
    path = shop / f"{MODULE}.py"
    path.write_text(path.read_text() + MORE)
    (shop / "shop.db").touch()


def line(ran: Ran, name: str) -> dict[str, Any]:
    """Give the one check of this name."""
    (found,) = [each for each in ran.json["checks"] if each["name"] == name]
    return dict(found)


def levels(ran: Ran) -> dict[str, str]:
    return {each["name"]: each["level"] for each in ran.json["checks"]}


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """Serve a shop on a port of its own; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, **options)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_shop(prefix: str, **arguments: Any) -> Flask:
    app = Flask("a_shop")
    store = MemoryStore(expected=lambda order, _: 39000)
    keys = Credentials("key", "secret")
    verifier = Verifier(store, credentials=keys, test_mode=True, **arguments)
    app.register_blueprint(payments(verifier), url_prefix=prefix)
    return app


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have a real shop answer at the public address, under /payments."""
    with serving(a_shop("/payments")) as address:
        monkeypatch.setenv("IMP_PUBLIC_URL", f"http://{address}")
        yield f"http://{address}"


@pytest.mark.parametrize("app", ["plain", "asynchronous", "with_tables"])
def test_a_shop_that_is_right_has_good_lines_only_and_is_told_what_to_enter(
    app: str, command: Command, public: str
) -> None:
    ran = command("doctor", "--json", app=app)
    assert ran.status == 0
    assert ran.json["good"] is True
    assert levels(ran) == dict.fromkeys(
        [
            *("token", "clock", "lookup", "mode", "database", "tables", "collation"),
            *("lock_timeout", "store", "public_url", "versions"),
        ],
        "good",
    )
    assert {each["advice"] for each in ran.json["checks"]} == {None}
    assert ran.json["webhook_url"] == f"{public}/payments/webhook"
    assert ran.json["confirm_url"] == f"{public}/payments/confirm"
    ran = command("doctor", app=app)
    assert ran.status == 0
    assert ran.out.count("\ngood ") == 10
    for said in ("Resending of webhooks", "The confirm process", "Webhook first", OWN):
        assert said in ran.out
    assert f"Webhook URL, for live and for test mode: {public}/payments/webhook" in ran.out
    assert all(len(each.splitlines()) == 1 for each in ran.out.split("\ngood ")[:-1])
    ran = command("doctor", app=app, language="ko")
    assert "콘솔에 입력할 것" in ran.out
    assert ran.out.count("정상") == 11


def test_each_of_several_accounts_is_looked_at(command: Command, public: str, shop: Path) -> None:
    path = shop / f"{MODULE}.py"
    path.write_text(path.read_text().replace('"other_secret"', '"wrong-secret"'))
    ran = command("doctor", "--json", app="several")
    assert ran.status == 1
    tokens = [each for each in ran.json["checks"] if each["name"] == "token"]
    assert [(each["account"], each["level"]) for each in tokens] == [("kr", "good"), ("us", "bad")]
    assert "token (us): the gateway refuses the credentials" in command("doctor", app="several").out


def test_wrong_credentials(command: Command, public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMP_SECRET", "another-secret-of-the-shop")
    ran = command("doctor", "--verbose")
    assert ran.status == 1
    assert (
        "bad  token: the gateway refuses the credentials: check IMP_KEY and IMP_SECRET" in ran.out
    )
    assert "-> Compare IMP_KEY and IMP_SECRET with the API keys in the console" in ran.out
    assert "GatewayRefused" in ran.out  # of --verbose
    assert "another-secret-of-the-shop" not in ran.out
    assert "look-up" not in ran.out


@pytest.mark.parametrize("blank", ["", " ", "\n", "{} ", "{}\n"])
@pytest.mark.parametrize("name", ["IMP_KEY", "IMP_SECRET"])
def test_O05_a_blank_at_a_key_is_found_before_anything_is_asked(
    command: Command, public: str, monkeypatch: pytest.MonkeyPatch, name: str, blank: str
) -> None:
    value = blank.format(os.environ[name])
    monkeypatch.setenv(name, value)
    ran = command("doctor")
    assert (ran.status, name in ran.err, ran.out) == (2, True, "")
    assert SECRET not in ran.err


@pytest.mark.parametrize("wrong", ["swapped", "of another account"])
def test_O05_keys_that_are_not_these_are_told_by_one_plain_line(
    command: Command, public: str, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    key, secret = os.environ["IMP_KEY"], os.environ["IMP_SECRET"]
    monkeypatch.setenv("IMP_KEY", secret if wrong == "swapped" else "another-account-of-it")
    monkeypatch.setenv("IMP_SECRET", key if wrong == "swapped" else secret)
    ran = command("doctor")
    assert ran.status == 1
    assert ran.out.count("the gateway refuses the credentials: check IMP_KEY and IMP_SECRET") == 1
    for each in (key, secret, "another-account-of-it"):
        assert each not in ran.out + ran.err


def test_a_gateway_that_is_not_there(
    command: Command, public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMP_API_URL", "http://127.0.0.1:9")
    ran = command("doctor", "--json")
    assert line(ran, "token")["level"] == "bad"
    assert "DNS, firewall, proxy, TLS" in line(ran, "token")["advice"]


def test_a_gateway_that_gives_a_token_and_answers_nothing_else(
    command: Command, sandbox: SandboxServer, public: str
) -> None:
    sandbox.sandbox.faults.add(Fault("payment", 503, times=2))
    ran = command("doctor", "--json")
    assert (levels(ran)["token"], levels(ran)["lookup"]) == ("good", "bad")
    assert "HTTP 503" in line(ran, "lookup")["text"]


@pytest.mark.parametrize("seconds", [-45, 45])
def test_a_clock_that_is_wrong(
    seconds: int, command: Command, sandbox: SandboxServer, public: str
) -> None:
    sandbox.sandbox.clock.advance(seconds)
    ran = command("doctor", "--json")
    assert ran.status == 1
    assert line(ran, "clock")["level"] == "warn"
    assert line(ran, "clock")["text"].startswith(("45 s", "44 s", "46 s"))


def test_a_look_up_that_takes_long(command: Command, public: str) -> None:
    ran = command("doctor", "--json", app="hurried")
    assert line(ran, "lookup")["level"] == "warn"
    assert "confirm has 0.0005 s for it" in line(ran, "lookup")["text"]


@pytest.mark.parametrize(
    ("base_url", "public_url", "test_mode", "level", "says"),
    [
        (None, "https://shop.example", False, "good", "live: test payments are forgeries"),
        (None, None, True, "warn", "payments of test channels count"),
        (None, "http://127.0.0.1:8000", True, "warn", "payments of test channels count"),
        (None, "https://shop.example", True, "bad", "anybody can have an order paid"),
        ("http://127.0.0.1:1", None, False, "good", "the sandbox at http://127.0.0.1:1"),
        ("http://127.0.0.1:1", "https://shop.example", False, "bad", "it asks the sandbox"),
        ("https://elsewhere.example", None, False, "warn", "not the gateway's"),
    ],
)
def test_the_mode(
    base_url: str | None,
    public_url: str | None,
    test_mode: bool,
    level: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMP_API_URL")

    class Store(MemoryStore):
        for_tests_only = False

    verifier = Verifier(
        Store(expected=lambda order, _: 39000),
        credentials=Credentials("key", "secret"),
        base_url=base_url,
        public_url=public_url,
        test_mode=test_mode,
    )
    found = check_mode(verifier.settings, Words("en"))
    assert (found.level, says in found.text) == (level, True)
    assert (found.advice is None) == (level == "good")


def test_tables_that_are_missing(command: Command, public: str) -> None:
    ran = command("doctor", "--json", app="on_sqlalchemy")
    assert line(ran, "tables")["level"] == "bad"
    every = "imp_orders, imp_receipts, imp_changes, imp_dues, imp_runs"
    assert line(ran, "tables")["text"] == f"not there: {every}"
    assert "create_all()" in line(ran, "tables")["advice"]
    assert "store" not in levels(ran)


def test_a_file_that_was_not_there_is_told_though_one_is_there_now(
    shop: Path, command: Command, public: str
) -> None:
    (shop / "shop.db").unlink()
    ran = command("doctor", "--json")
    assert line(ran, "database")["level"] == "warn"
    assert "was not there" in line(ran, "database")["text"]
    assert "put it back" in line(ran, "database")["advice"]
    assert line(command("doctor", "--json"), "database")["level"] == "good"


def test_a_collation_that_folds_numbers(command: Command, public: str) -> None:
    ran = command("doctor", "--json", app="folding")
    assert line(ran, "collation")["level"] == "bad"
    assert "imp_orders.merchant_uid" in line(ran, "collation")["text"]


def test_a_lock_that_is_waited_for_too_long(command: Command, public: str) -> None:
    ran = command("doctor", "--json", app="patient")
    assert line(ran, "lock_timeout")["level"] == "warn"
    assert "waits 20 s" in line(ran, "lock_timeout")["text"]


@pytest.mark.parametrize(
    ("app", "says"),
    [("gone", "unable to open database file"), ("failing", "OSError: no route to ...")],
)
def test_a_store_that_fails(app: str, says: str, command: Command, public: str) -> None:
    ran = command("doctor", "--json", app=app)
    assert line(ran, "store")["level"] == "bad"
    assert says in line(ran, "store")["text"]
    for cure in ("503", "the database runs", "the file and its folder", "docs/troubleshooting.md"):
        assert cure in line(ran, "store")["advice"]
    shown = command("doctor", "--verbose", app=app)
    assert ".py:" in shown.out
    assert "and more" not in shown.out


@pytest.mark.parametrize("app", ["by_hand", "by_hand_async"])
def test_a_store_by_hand_is_only_asked_whether_it_answers(
    app: str, command: Command, public: str
) -> None:
    ran = command("doctor", "--json", app=app)
    assert ran.status == 0
    assert line(ran, "store")["text"].startswith("ByHand answered in ")
    assert "tables" not in levels(ran)


def test_a_store_in_memory(command: Command, public: str) -> None:
    ran = command("doctor", "--json", app="in_test_memory")
    assert line(ran, "store")["level"] == "warn"
    assert "MemoryStore keeps payments in memory" in line(ran, "store")["text"]


def test_without_a_public_url_nothing_is_tried(command: Command) -> None:
    ran = command("doctor", "--json")
    assert ran.status == 1
    assert line(ran, "public_url")["level"] == "warn"
    assert "IMP_PUBLIC_URL" in line(ran, "public_url")["advice"]
    assert ran.json["webhook_url"] is None
    assert "https://.../payments/webhook" in command("doctor").out
    assert "https://.../pay/webhook" in command("doctor", "--prefix", "pay/").out


def test_the_prefix_is_named_where_it_is_another(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(a_shop("/pay")) as address:
        monkeypatch.setenv("IMP_PUBLIC_URL", f"http://{address}/")
        ran = command("doctor", "--json")
        assert line(ran, "public_url")["level"] == "bad"
        assert "/payments/webhook is not there (404)" in line(ran, "public_url")["text"]
        assert "--prefix /payments" in line(ran, "public_url")["advice"]
        ran = command("doctor", "--json", "--prefix", "/pay/")
        assert line(ran, "public_url")["level"] == "good"
        assert ran.json["webhook_url"] == f"http://{address}/pay/webhook"


def test_connections_that_live_on_and_are_not_looked_at(command: Command, public: str) -> None:
    ran = command("doctor", "--json", app="unlooked")
    assert line(ran, "connections")["level"] == "warn"
    assert "CONN_HEALTH_CHECKS" in line(ran, "connections")["advice"]


def test_a_package_without_a_release_is_named_all_the_same(
    command: Command, public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_checks, "_PACKAGES", ("json",))
    assert line(command("doctor", "--json"), "versions")["text"].endswith("json ?")


def test_webhook_sources_that_refuse_this_machine_are_good(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(a_shop("/payments", webhook_sources=["192.0.2.0/24"])) as address:
        monkeypatch.setenv("IMP_PUBLIC_URL", f"http://{address}")
        ran = command("doctor", "--json")
    assert line(ran, "public_url")["level"] == "good"
    assert "not in webhook_sources" in line(ran, "public_url")["text"]


class Proxy:
    """What stands before a shop: seen by it under an address of its own, it adds the sender's
    address to the header, passes on what the sender wrote, or stops whoever wrote one."""

    def __init__(self, app: Any, does: str, sender: str = "198.51.100.7") -> None:
        self.app, self.does, self.sender = app, does, sender

    def __call__(self, environ: Any, start: Any) -> Any:
        name = "HTTP_X_FORWARDED_FOR"
        if self.does == "stops" and name in environ:
            start("406 Not Acceptable", [])
            return [b""]
        if self.does != "passes on":
            environ[name] = ", ".join(filter(None, [environ.get(name), self.sender]))
        elif name not in environ:
            environ[name] = self.sender
        environ["REMOTE_ADDR"] = "10.0.0.1"
        return self.app(environ, start)


VENDOR = "52.78.0.0/16"
PROXY = "10.0.0.1"
UNSEEN = "not believed; see that the sender"
HERE = "127.0.0.1"


@pytest.mark.parametrize(
    ("before", "sources", "proxies", "level", "says"),
    [
        (None, [VENDOR], [], "good", UNSEEN),
        (None, [VENDOR, HERE], [], "good", "this machine is in webhook_sources"),
        ("adds", [VENDOR], [PROXY, "unix"], "good", UNSEEN),
        ("adds", [VENDOR], ["10.0.0.0/8"], "good", UNSEEN),
        ("adds", ["203.0.113.9", "10.0.0.0/8"], [PROXY], "good", UNSEEN),
        ("passes on", [VENDOR], [PROXY], "bad", "who writes an address of webhook_sources"),
        ("passes on", [VENDOR, "198.51.100.7"], [PROXY], "bad", "passes for the gateway"),
        ("adds", [VENDOR], ["0.0.0.0/0"], "bad", "trusted_proxies holds every address"),
        ("adds", [VENDOR], [PROXY, "::/0"], "bad", "trusted_proxies holds every address"),
        (None, [VENDOR], ["127.0.0.0/8"], "warn", "of this machine (127.0.0.1), which is itself"),
        ("adds", [VENDOR, PROXY], [], "warn", "this machine (127.0.0.1) passes for the gateway"),
        ("stops", [VENDOR], [PROXY], "warn", "it was not learned"),
        (None, ["0.0.0.0/0", "::/0"], [], None, ""),
        (None, [HERE], [], "good", "this machine is in webhook_sources"),
        (None, [VENDOR], [VENDOR], None, ""),
    ],
)
def test_a_made_header_tells_whether_strangers_choose_who_they_are(
    before: str | None,
    sources: list[str],
    proxies: list[str],
    level: str | None,
    says: str,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCES", " ".join(sources))
    monkeypatch.setenv("PROXIES", " ".join(proxies))
    app: Any = a_shop("/payments", webhook_sources=sources, trusted_proxies=proxies)
    with serving(app if before is None else Proxy(app, before)) as address:
        monkeypatch.setenv("IMP_PUBLIC_URL", f"http://{address}")
        ran = command("doctor", "--json", app="choosy")
        korean = command("doctor", app="choosy", language="ko")
    assert levels(ran)["public_url"] == "good"
    if level is None:
        assert "senders" not in levels(ran)
        return
    found = line(ran, "senders")
    assert (found["level"], says in found["text"]) == (level, True), found
    assert (found["advice"] is None) is (level == "good")
    assert "웹훅을 보낸 곳: " in korean.out


def test_a_header_after_which_nobody_answers_teaches_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES", VENDOR)
    monkeypatch.setenv("PROXIES", "")
    scripted_shop, stop = scripted.start_as(Vanishing)
    monkeypatch.setenv("IMP_PUBLIC_URL", scripted_shop.url)
    ran = command("doctor", "--json", app="choosy")
    stop()
    assert line(ran, "senders")["level"] == "warn"


class Vanishing:
    """A server that refuses one sender and is gone after that."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.replies = [scripted.Reply(403, b'{"status":"forbidden"}'), scripted.RESET]

    def answer(self, asked: scripted.Asked, to: scripted.Connection) -> None:
        self.replies.pop(0).send(to)


def test_where_this_machine_is_seen_may_be_unknown() -> None:
    assert _senders._addresses_here("https://shop.invalid/payments/webhook") == []
    assert _senders._addresses_here("http://127.0.0.1/payments/webhook") == ["127.0.0.1"]


class Elsewhere:
    """A server that is not the shop's endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.reply = scripted.Reply(200)

    def answer(self, asked: scripted.Asked, to: scripted.Connection) -> None:
        assert (asked.method, asked.path, asked.body) == ("POST", "/payments/webhook", b"")
        self.reply.send(to)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    made, stop = scripted.start_as(Elsewhere)
    monkeypatch.setenv("IMP_PUBLIC_URL", made.url)
    yield made
    stop()


FORM = b"<form><input name=pw type='password'></form>"


@pytest.mark.parametrize(
    ("status", "location", "body", "says"),
    [
        (302, "/accounts/login?next=/payments/webhook", b"", "wants a log-in (HTTP 302)"),
        (401, "", b"", "wants a log-in (HTTP 401)"),
        (200, "", FORM, "wants a log-in (HTTP 200)"),
        (301, "https://www.shop.example/\x07", b"", "redirects to https://www.shop.example/"),
        (308, "", b"", "redirects to  (HTTP 308)"),
        (404, "", b"<h1>Not Found</h1>", "is not there (404)"),
        (403, "", b"CSRF verification failed", "is forbidden (403)"),
        (502, "", b"Bad Gateway", "the server fails (HTTP 502)"),
        (503, "", b'{"status":"unavailable"}', "the server fails (HTTP 503)"),
        (200, "", b"<h1>Welcome</h1>", "something else answers"),
        (400, "", b'["invalid"]', "something else answers"),
        (405, "", b"", "something else answers"),
    ],
)
def test_what_else_answers_at_the_public_address_is_told_apart(
    status: int, location: str, body: bytes, says: str, command: Command, elsewhere: Elsewhere
) -> None:
    headers = (("Location", location),) if location else ()
    elsewhere.reply = scripted.Reply(status, body, headers)
    found = line(command("doctor", "--json"), "public_url")
    assert (found["level"], says in found["text"]) == ("bad", True), found
    assert found["advice"]
    assert found["text"].isprintable()


@pytest.mark.parametrize(
    ("status", "location", "advised"),
    [(302, "/members?next=/payments/webhook", "log-in"), (404, "", "public_url")],
)
def test_the_advice_names_the_causes_that_an_answer_cannot_tell_apart(
    status: int, location: str, advised: str, command: Command, elsewhere: Elsewhere
) -> None:
    headers = (("Location", location),) if location else ()
    elsewhere.reply = scripted.Reply(status, b"", headers)
    assert advised in line(command("doctor", "--json"), "public_url")["advice"]


def test_a_server_that_hangs_up_or_says_nothing(
    command: Command, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.reply = scripted.RESET
    found = line(command("doctor", "--json"), "public_url")
    assert (found["level"], "Connection" in found["text"]) == ("bad", True)
    monkeypatch.setattr(_reach, "_TIMEOUT", 0.2)
    elsewhere.reply = scripted.act(scripted.silence)
    assert "no answer within 0.2 s" in line(command("doctor", "--json"), "public_url")["text"]


@pytest.mark.parametrize(
    ("public_url", "says", "advice"),
    [
        ("http://127.0.0.1:9", "the connection was refused", "runs and listens"),
        ("https://shop.invalid", "there is no such host", "spelling of public_url"),
    ],
)
def test_an_address_that_is_not_reached(
    public_url: str,
    says: str,
    advice: str,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMP_PUBLIC_URL", public_url)
    found = line(command("doctor", "--json"), "public_url")
    assert (found["level"], says in found["text"]) == ("bad", True)
    assert advice in found["advice"]


def test_a_certificate_that_is_not_to_be_trusted(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving(a_shop("/payments"), ssl_context=context) as address:
        monkeypatch.setenv("IMP_PUBLIC_URL", f"https://{address}")
        found = line(command("doctor", "--json"), "public_url")
    assert "the certificate is not to be trusted: " in found["text"]
    assert "intermediate" in found["advice"]


def test_no_secret_is_printed_whoever_says_it(
    command: Command, sandbox: SandboxServer, public: str
) -> None:
    told = f'{{"code": 1, "message": "your secret {SECRET} is wrong", "response": null}}'
    sandbox.sandbox.faults.add(Fault("token", 401, told))
    ran = command("doctor", "--verbose")
    assert "your secret ... is wrong" in ran.out
