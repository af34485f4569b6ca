"""docs/observability.md: its code run as it stands, its fields and rules held against what there
is."""

from __future__ import annotations

import json
import logging
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from imp_verify import (
    Credentials,
    ExpectedPayment,
    Outcome,
    Reason,
    Request,
    Settled,
    Verdict,
    Verifier,
)
from imp_verify.observers import Decision
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.transports import GatewayResponse
from imp_verify.verifier import observe
from tests.support.gateway import I1, ORDER, PRICE, envelope, payment
from tests.support.markers import found_in

TEXT = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
BODY = json.dumps({"imp_uid": I1, "merchant_uid": ORDER}).encode()
TOKEN = {"access_token": "t", "now": 1_700_000_000, "expired_at": 1_700_001_800}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def block(part: str, language: str = "python") -> str:
    [found] = [each for each in blocks(language) if part in each]
    return str(found)


class Gateway:
    """Answers look-ups with one payment, or with a status of its own."""

    def __init__(self) -> None:
        self.status = 200
        self.token_status = 200
        self.payment = payment()

    def __call__(self, request: Any) -> GatewayResponse:
        token = request.url.endswith("/users/getToken")
        status = self.token_status if token else self.status
        content = (
            envelope(TOKEN if token else self.payment) if status == 200 else envelope(None, -1)
        )
        return GatewayResponse(status, json.dumps(content).encode())


class Hooks:
    """What the shop does: raises, where a test says so."""

    fails = False
    order: object = PRICE

    def expected(self, number: str, _: object) -> Any:
        return self.order if number == ORDER else None

    def on_paid(self, outcome: Outcome, _: object) -> None:
        if self.fails:
            raise RuntimeError("the shop's hook")


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def verifier(hooks: Hooks, gateway: Gateway) -> Verifier:
    return made(MemoryStore(expected=hooks.expected, on_paid=hooks.on_paid), gateway)


def made(store: Any, gateway: Any) -> Verifier:
    keys = Credentials("key", "secret")
    return Verifier(store, credentials=keys, test_mode=True, transport=gateway)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that the page's logging writes."""
    logger, level = logging.getLogger("imp_verify"), logging.getLogger("imp_verify").level
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    kept = list(root.handlers), list(logger.handlers)
    exec(block("class JsonLines"), {"__name__": "shop_logs"})
    yield tmp_path / "payments.log"
    for handler in logger.handlers:
        handler.close()
    root.handlers[:], logger.handlers[:] = kept
    logger.setLevel(level)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in log.read_text(encoding="utf-8").splitlines()]


def test_the_logging_of_the_page_writes_a_json_object_with_all_fields_for_each_request(
    verifier: Verifier, hooks: Hooks, log: Path
) -> None:
    assert verifier.serve("webhook", Request("POST", body=BODY)).status == 200
    hooks.fails = True
    assert verifier.serve("webhook", Request("POST", body=BODY)).status == 200  # it is known
    [paid, again] = lines(log)
    assert list(paid) == ["time", "level", "logger", "message", *(f.name for f in fields(Decision))]
    assert (paid["verdict"], paid["settled"], again["settled"]) == ("paid", "new", "repeated")
    assert found_in(log.read_text(encoding="utf-8")) == []


def test_the_page_has_all_fields_and_every_word_that_they_hold() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE))
    assert set(rows) >= {each.name for each in fields(Decision)}
    words = set(re.findall(r"`(\w+)`", rows["verdict"]))
    assert words == {*Verdict, "approved", "refused", "trouble", "invalid", "forbidden"}
    assert {str(Reason.AMOUNT), str(Reason.ORDER), str(Reason.TEST_PAYMENT)} <= set(
        re.findall(r"`(\w+)`", rows["reason"])
    )
    told = set(re.findall(r"`(\w+)`", rows["settled"]))
    assert told == {*map(str, Settled)} - {
        "stale"
    }  # which is fetched again, and never the last word


def fail(verifier: Verifier, hooks: Hooks, gateway: Gateway) -> None:
    """Have each of the page's alarms ring once."""

    def webhook(body: bytes = BODY, status: int = 503) -> None:
        assert verifier.serve("webhook", Request("POST", body=body)).status == status

    gateway.payment = payment(merchant_uid="ORD-9")
    webhook(json.dumps({"imp_uid": I1}).encode())
    gateway.payment = payment()
    hooks.fails = True
    webhook()
    hooks.fails = False
    gateway.status = 500
    webhook()
    gateway.status = 200
    gateway.payment = payment(amount=1)
    webhook(status=400)
    gateway.payment = payment()
    hooks.order = ExpectedPayment(ORDER, PRICE, open=False)
    webhook(status=200)
    webhook(json.dumps({"tx_id": "t", "payment_id": "p", "status": "Paid"}).encode(), 400)
    confirm = json.dumps({"imp_uid": I1, "merchant_uid": ORDER, "amount": PRICE}).encode()
    late = Request("POST", body=confirm, began=-1e9)
    assert verifier.serve("confirm", late).status == 503
    refusing = Gateway()
    refusing.token_status = 401
    other = made(MemoryStore(expected=hooks.expected), refusing)
    assert other.serve("webhook", Request("POST", body=BODY)).status == 503


def test_each_grep_finds_its_line_and_no_other(
    verifier: Verifier, hooks: Hooks, gateway: Gateway, log: Path
) -> None:
    fail(verifier, hooks, gateway)
    commands = block("grep", "sh").strip().splitlines()
    assert len(commands) == 8
    found = [
        subprocess.run(each, shell=True, cwd=log.parent, capture_output=True, text=True, check=True)
        for each in commands
    ]
    assert [len(each.stdout.splitlines()) for each in found] == [1] * 8
    assert len({each.stdout for each in found}) == 8


def rules() -> list[tuple[str, str]]:
    names = re.findall(r"- alert: (\w+)\n\s+expr: (.*)", block("alert:", "yaml"))
    assert len(names) == 12
    return [(str(name), str(expression)) for name, expression in names]


def test_each_alarm_is_explained() -> None:
    explained = re.findall(r"^\| ([A-Z]\w+) \| .+ \| .+ \|$", TEXT, re.MULTILINE)
    assert explained == [name for name, _ in rules()]


def test_each_rule_asks_for_a_metric_an_attribute_and_a_value_that_there_are(
    verifier: Verifier, hooks: Hooks, gateway: Gateway
) -> None:
    from tests.support.telemetry import Telemetry

    kept = Telemetry()
    kept.instrument(verifier)
    fail(verifier, hooks, gateway)
    series = [names for names, _ in kept.points("imp_verify.decisions")]
    known = {
        "imp_verify_decisions_total": "imp_verify.decisions",
        "http_client_request_duration_seconds_bucket": "http.client.request.duration",
        "imp_verify_token_renewals_total": "imp_verify.token.renewals",
        "imp_verify_dues_open": "imp_verify.dues.open",
    }
    asked: set[str] = set()
    for _, expression in rules():
        asked |= set(re.findall(r"\b(?:imp_verify|http)_\w+?_(?:total|bucket|open)\b", expression))
        for name, how, value in re.findall(r'imp_verify_(\w+)(=~?)"([^"]+)"', expression):
            values = {str(each.get(f"imp_verify.{name}")) for each in series}
            values |= {"complete", "credentials"}  # of the other verifier, and of a page's own call
            matches = [each for each in values if re.fullmatch(value, each)]
            assert matches if how == "=~" else value in values, (name, value)
    assert asked == set(known)
    del known["imp_verify_dues_open"]  # what only reconcile reads; see below
    assert all(kept.points(name) for name in known.values())


def test_the_metrics_of_the_page_are_those_that_there_are(tmp_path: Path) -> None:
    from imp_verify.sandbox import Account, SandboxServer
    from tests.support.telemetry import Telemetry

    account, kept = Account(), Telemetry()

    def closed(number: str, _: object) -> ExpectedPayment:
        return ExpectedPayment(number, PRICE, open=False)

    with SandboxServer() as server:
        store = SqliteStore(tmp_path / "shop.db", expected=closed)
        _ = list(store.dues(None, 1))  # it begins
        keys = Credentials(account.key, account.secret)
        verifier = Verifier(store, credentials=keys, base_url=server.url, test_mode=True)
        kept.instrument(verifier)
        paid = server.sandbox.gateway.open({"merchant_uid": "ORD1", "amount": PRICE})
        server.sandbox.approve(paid.imp_uid)
        assert verifier.verify(paid.imp_uid, "ORD1").verdict is Verdict.LATE
        _ = list(verifier.reconcile())
        verifier.close()
        store.close()
    due = {
        names["imp_verify.due.kind"]: count for names, count in kept.points("imp_verify.dues.open")
    }
    assert due == {"forgery": 0, "duplicate": 0, "late": 1, "refused": 0}
    named = re.findall(r"^\| `([\w.]+)` \| (?:counter|histogram|gauge)", TEXT, re.MULTILINE)
    assert [each for each in named if not kept.points(each)] == ["imp_verify.decisions"]
    assert len(named) == 5


def test_instrument_and_an_observer_of_ones_own_are_as_the_page_has_them(
    verifier: Verifier,
) -> None:
    names: dict[str, Any] = {"verifier": verifier}
    exec(block("verifier = instrument(verifier)"), names)
    assert names["verifier"] is verifier
    exec(block("class Counting"), names)
    assert verifier.serve("webhook", Request("POST", body=BODY)).status == 200
    assert names["decisions"] == {("paid", None): 1}
    observe(verifier, None)


def test_the_setting_for_django_makes_a_verifier_that_is_watched(monkeypatch: Any) -> None:
    from django.test import override_settings

    from imp_verify._observing import Harmless
    from imp_verify.contrib.django import get_verifier
    from imp_verify.contrib.otel import OpenTelemetry
    from tests.support import django_site

    assert django_site.urlpatterns
    names: dict[str, Any] = {}
    exec(block("IMP_VERIFY ="), names)
    store = MemoryStore(expected=lambda *_: PRICE)
    setting = {**names["IMP_VERIFY"], "STORE": store, "TEST_MODE": True}
    setting |= {"CREDENTIALS": Credentials("key", "secret"), "TRANSPORT": Gateway()}
    with override_settings(IMP_VERIFY=setting):
        made = get_verifier()
        assert isinstance(made, Verifier)
        watching = made._accounts.observer
        assert isinstance(watching, Harmless)
        assert isinstance(watching._observer, OpenTelemetry)
        assert made.verify(I1, ORDER).paid


def test_the_providers_of_the_page_print_a_payment(tmp_path: Path) -> None:
    import sys

    code = block("ConsoleSpanExporter") + block("verifier = instrument(verifier)")
    made_first = (
        "from tests.docs.test_observability import *\n"
        "verifier = made(MemoryStore(expected=lambda *_: PRICE), Gateway())\n"
    )
    ask = "assert verifier.serve('webhook', Request('POST', body=BODY)).status == 200\n"
    ran = subprocess.run(
        [sys.executable, "-c", made_first + code + ask],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    for part in ('"imp_verify webhook"', '"GET /payments/{imp_uid}"', '"imp_verify.decisions"'):
        assert part in ran.stdout
    assert found_in(ran.stdout) == []


def test_the_health_view_looks_at_the_store_alone(verifier: Verifier, gateway: Gateway) -> None:
    names: dict[str, Any] = {"verifier": verifier}
    exec(block("def health"), names)
    gateway.status = 500
    found, status = names["health"]()
    assert status == 200
    assert found["ok"] is False
    assert json.loads(json.dumps(found))["checks"][0]["name"] == "store"

    class Broken(MemoryStore):
        def receipts(self, imp_uids: Any) -> Any:
            raise OSError

    names["verifier"] = made(Broken(expected=lambda *_: PRICE), gateway)
    assert names["health"]()[1] == 503


def test_the_commands_of_the_page_are_those_that_there_are() -> None:
    from imp_verify.cli._doctor import doctor

    words = shlex.split(block("doctor --app", "sh").partition(">")[0])
    assert words[:2] == ["imp-verify", "doctor"]
    options = {option for each in doctor.params for option in each.opts}
    assert {each for each in words if each.startswith("--")} <= options
