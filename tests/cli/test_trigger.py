"""`imp-verify trigger`, from a sandbox to a shop that really answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from flask import Flask
from werkzeug.serving import make_server

from imp_verify import Credentials, ExpectedPayment, Outcome, Verifier, cli
from imp_verify.contrib.flask import payments
from imp_verify.sandbox import SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.support import gateway as scripted

from .conftest import KEYS, Ran


@dataclass
class Served:
    """A shop that is served, and what its hooks were told."""

    webhook: str
    told: list[str]


@pytest.fixture
def served(sandbox: SandboxServer) -> Iterator[Served]:
    told: list[str] = []

    def note(outcome: Outcome, _: object) -> None:
        told.append(f"{outcome.verdict} {outcome.merchant_uid}")

    def expected(order: str, _: object) -> ExpectedPayment | None:
        if order.startswith("USD"):
            return ExpectedPayment(order, "10.99")
        return ExpectedPayment(order, 39000) if order.startswith("ORD") else None

    hooks = ("on_paid", "on_virtual_account", "on_failed", "on_cancelled", "on_forgery")
    store = MemoryStore(expected=expected, **dict.fromkeys(hooks, note))  # type: ignore[arg-type]
    verifier = Verifier(
        store, credentials=Credentials(*KEYS.values()), base_url=sandbox.url, test_mode=True
    )
    app = Flask("served")
    app.register_blueprint(payments(verifier), url_prefix="/payments")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Served(f"http://127.0.0.1:{server.port}/payments/webhook", told)
    server.shutdown()
    thread.join()
    server.server_close()


class Trigger:
    def __init__(self, capsys: pytest.CaptureFixture[str], url: str) -> None:
        self._capsys = capsys
        self._url = url

    def __call__(self, *argv: str, language: str = "en") -> Ran:
        given = ["trigger", "--sandbox", self._url, "--language", language, *argv]
        status = cli.main(given)
        return Ran(status, *self._capsys.readouterr())


@pytest.fixture
def trigger(sandbox: SandboxServer, capsys: pytest.CaptureFixture[str]) -> Trigger:
    return Trigger(capsys, sandbox.url)


@pytest.mark.parametrize("order", ["webhook-first", "browser-first", "both"])
@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("paid", ["paid ORD-1"]),
        ("ready", ["virtual_account ORD-1"]),
        ("deposited", ["virtual_account ORD-1", "paid ORD-1"]),
        ("failed", ["failed ORD-1"]),
    ],
)
def test_the_shop_is_told_of_the_event_and_its_answer_is_shown(
    event: str,
    told: list[str],
    order: str,
    trigger: Trigger,
    served: Served,
    sandbox: SandboxServer,
) -> None:
    sandbox.sandbox.settings.change({"webhook_order": order})
    ran = trigger(event, "--order", "ORD-1", "--amount", "39000", "--to", served.webhook)
    assert ran.status == 0, ran
    if order == "webhook-first":  # else the gateway is past the account when it is asked about it
        assert served.told == told
    assert ran.out.count(f"-> POST {served.webhook}") == (2 if event == "deposited" else 1)
    assert '"merchant_uid": "ORD-1"' in ran.out.replace('":"', '": "')
    assert "<- 200" in ran.out
    assert '"status"' in ran.out
    assert ("scheduled charge" in ran.out) == (event == "failed")


def test_a_refund_is_told_after_its_payment(trigger: Trigger, served: Served) -> None:
    ran = trigger("cancelled", "--order", "ORD-1", "--amount", "39000", "--to", served.webhook)
    assert ran.status == 0
    assert served.told == ["paid ORD-1", "cancelled ORD-1"]
    assert ran.out.count("<- 200") == 2


def test_the_address_of_the_sandbox_is_the_default_and_its_old_notices_are_not_shown(
    trigger: Trigger, served: Served, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = trigger("paid", "--order", "ORD-1", "--amount", "39000")
    assert (ran.status, "--to http" in ran.err) == (2, True)
    sandbox.sandbox.settings.change({"webhook_url": served.webhook})
    for number in ("ORD-1", "ORD-2"):
        ran = trigger("paid", "--order", number, "--amount", "39000")
        assert (ran.status, ran.out.count("-> POST")) == (0, 1)
    monkeypatch.setenv("IMP_API_URL", sandbox.url)
    assert cli.main(["trigger", "paid", "--order", "ORD-3", "--amount", "39000"]) == 0
    assert served.told == ["paid ORD-1", "paid ORD-2", "paid ORD-3"]


def test_an_amount_with_a_point_keeps_its_digits(
    trigger: Trigger, served: Served, sandbox: SandboxServer
) -> None:
    ran = trigger("paid", "--order", "USD-1", "--amount", "10.99", "--to", served.webhook)
    assert ran.status == 0
    assert sandbox.sandbox.gateway.attempts()[-1].amount == Decimal("10.99")


def test_a_shop_that_refuses_is_exit_1(trigger: Trigger, served: Served) -> None:
    ran = trigger("paid", "--order", "ORD-1", "--amount", "390", "--to", served.webhook)
    assert ran.status == 1
    assert "<- 400" in ran.out
    assert served.told == ["forgery ORD-1"]


@pytest.mark.parametrize("event", ["paid", "failed"])
def test_a_shop_that_is_not_there_is_exit_1(event: str, trigger: Trigger) -> None:
    to = "http://127.0.0.1:9/webhook"
    ran = trigger(event, "--order", "ORD-1", "--amount", "39000", "--to", to)
    assert ran.status == 1
    assert "<- no answer: " in ran.out
    ran = trigger(event, "--order", "ORD-2", "--amount", "39000", "--to", to, language="ko")
    assert "<- 답이 없습니다: " in ran.out


def test_what_the_sandbox_refuses_is_a_wrong_use(trigger: Trigger, served: Served) -> None:
    given = ("paid", "--order", "ORD-1", "--amount", "39000", "--to", served.webhook)
    assert trigger(*given).status == 0
    ran = trigger(*given)
    assert ran.status == 2
    assert "the sandbox refuses: " in ran.err


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "NaN", "lots"])
def test_what_is_no_amount_is_a_wrong_use(amount: str, trigger: Trigger) -> None:
    with pytest.raises(SystemExit) as end:
        _ = trigger("paid", "--order", "ORD-1", f"--amount={amount}")
    assert end.value.code == 2


def test_where_no_sandbox_is_is_trouble(
    capsys: pytest.CaptureFixture[str], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMP_API_URL", raising=False)
    given = ["trigger", "paid", "--language", "en", "--order", "ORD-1", "--amount", "39000"]
    assert cli.main(given) == 2
    assert "--sandbox URL" in capsys.readouterr().err
    for url in (served.webhook, "http://127.0.0.1:9"):
        assert cli.main([*given, "--sandbox", url]) == 3
        assert f"no sandbox at {url}: " in capsys.readouterr().err
    assert served.told == []


@pytest.mark.parametrize("status", [200, 404])
def test_another_server_is_sent_nothing(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    class Other:
        def __init__(self, url: str) -> None:
            self.url, self.over = url, threading.Event()
            self.asked: list[str] = []

        def answer(self, asked: scripted.Asked, to: scripted.Connection) -> None:
            self.asked.append(f"{asked.method} {asked.path}")
            scripted.Reply(status, {"error": "none"}).send(to)

    other, stop = scripted.start_as(Other)
    given = ["paid", "--order", "ORD-1", "--amount", "39000", "--sandbox", other.url]
    assert cli.main(["trigger", *given, "--to", "http://127.0.0.1:9"]) == 3
    assert other.asked == ["GET /sandbox/v1/settings"]
    stop()
