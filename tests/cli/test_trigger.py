"""`imp-verify trigger`, from a sandbox to a shop that really answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from flask import Flask, request
from werkzeug.serving import make_server

from imp_verify import Credentials, ExpectedPayment, Outcome, Verifier, cli
from imp_verify.contrib.flask import payments
from imp_verify.sandbox import SandboxServer
from imp_verify.sandbox.registrations import Registration
from imp_verify.stores.memory import MemoryStore
from tests.support import gateway as scripted

from .conftest import KEYS, Ran


@dataclass
class Served:
    """A shop that is served, and what its hooks were told."""

    webhook: str
    told: list[str]
    got: list[tuple[str, str]]


@pytest.fixture
def served(sandbox: SandboxServer) -> Iterator[Served]:
    told: list[str] = []
    got: list[tuple[str, str]] = []

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

    @app.before_request
    def keep() -> None:
        got.append((request.mimetype, request.get_data(as_text=True)))

    app.register_blueprint(payments(verifier), url_prefix="/payments")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Served(f"http://127.0.0.1:{server.port}/payments/webhook", told, got)
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


def test_a_refund_is_told_after_its_payment(
    trigger: Trigger, served: Served, sandbox: SandboxServer
) -> None:
    sandbox.sandbox.settings.change({"cancel_webhook_to": "payment"})
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
    for url in (served.webhook, "http://127.0.0.1:9", "http://[::1"):
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


# What else happens to a shop

ORDER = ("--order", "ORD-1", "--amount", "39000")


@pytest.mark.parametrize(
    ("event", "status", "told"),
    [
        ("part", 0, ["paid ORD-1"]),
        ("late", 0, ["paid ORD-1"]),
        ("double", 0, ["paid ORD-1"]),
        ("forged", 1, ["forgery ORD-1"]),
        ("unknown", 1, []),
        ("test-call", 1, []),
    ],
)
def test_what_a_shop_must_stand_is_told_and_shown(
    event: str, status: int, told: list[str], trigger: Trigger, served: Served
) -> None:
    ran = trigger(event, *ORDER, "--to", served.webhook)
    assert (ran.status, served.told) == (status, told), ran
    assert ran.out.count("-> POST") == (2 if event in ("part", "double") else 1)
    assert ("imp_1234567890" in ran.out) == (event == "test-call")
    assert ("imp_000000000000" in ran.out) == (event == "unknown")


def test_a_part_of_the_smallest_amount_is_all_of_it_and_never_more_digits(
    trigger: Trigger, served: Served, sandbox: SandboxServer
) -> None:
    for amount, part in (("1", "1"), ("3", "1"), ("10.99", "5.49")):
        given = ("part", "--order", f"USD-{amount}", "--amount", amount, "--to", served.webhook)
        assert trigger(*given).status in (0, 1)
        assert sandbox.sandbox.gateway.attempts()[-1].cancel_amount == Decimal(part)


def test_the_amount_that_was_registered_is_what_the_order_asks(
    trigger: Trigger,
    served: Served,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMP_KEY", KEYS["IMP_KEY"])
    monkeypatch.setenv("IMP_SECRET", KEYS["IMP_SECRET"])
    given = ("paid", "--order", "ORD-1", "--to", served.webhook)
    ran = trigger(*given)
    assert (ran.status, "nothing is registered for order ORD-1" in ran.err) == (2, True)
    registered = Registration("ORD-1", Decimal(39000))
    _ = sandbox.sandbox.gateway.registrations.add(KEYS["IMP_KEY"], registered)
    assert trigger(*given).status == 0
    assert served.told == ["paid ORD-1"]
    monkeypatch.setenv("IMP_SECRET", "another")
    assert trigger("paid", "--order", "ORD-2", "--to", served.webhook).status == 2


def test_form_text_and_several_times_are_what_is_asked_for(
    trigger: Trigger, served: Served, sandbox: SandboxServer
) -> None:
    to = f"{served.webhook}?from=trigger&a=b"
    ran = trigger("paid", *ORDER, "--to", to, "--form", "--times", "3")
    assert (ran.status, ran.out.count(f"-> POST {to}")) == (0, 3)
    assert served.told == ["paid ORD-1"]
    assert {kind for kind, _ in served.got} == {"application/x-www-form-urlencoded"}
    assert len({body for _, body in served.got}) == 1
    assert sandbox.sandbox.settings.webhook_format == "json"
    ran = trigger("test-call", "--to", to, "--form", "--times", "2")
    assert ran.out.count("imp_uid=imp_1234567890&merchant_uid=order_id_8237352&status=paid") == 2


def test_a_payment_that_is_there_is_told_of_as_it_is(
    trigger: Trigger, served: Served, sandbox: SandboxServer
) -> None:
    gateway = sandbox.sandbox.gateway
    made = gateway.make(merchant_uid="ORD-7", amount=39000)
    ran = trigger("paid", "--imp-uid", made.imp_uid, "--to", served.webhook)
    assert (ran.status, served.told) == (0, ["paid ORD-7"])
    assert len(gateway.attempts()) == 1
    swapped = ("paid", "--imp-uid", made.imp_uid, "--order", "ORD-8", "--to", served.webhook)
    assert trigger(*swapped).status == 1  # another order's payment pays none
    ran = trigger("unknown", "--imp-uid", "imp_9", "--order", "ORD-1", "--to", served.webhook)
    assert (ran.status, '"imp_9"' in ran.out) == (1, True)
    ran = trigger("paid", "--imp-uid", "imp_9", "--to", served.webhook)
    assert (ran.status, "no such payment: imp_9" in ran.err) == (2, True)
    ran = trigger("paid", "--to", served.webhook)
    assert (ran.status, "--order" in ran.err) == (2, True)


def test_a_buyer_comes_back_and_a_shop_is_asked_before_an_approval(
    trigger: Trigger, served: Served, sandbox: SandboxServer
) -> None:
    redirect = served.webhook.replace("webhook", "redirect")
    ran = trigger("redirect", *ORDER, "--to", f"{redirect}?page=1#end")
    assert (ran.status, served.told) == (0, ["paid ORD-1"])
    assert f"-> GET {redirect}?page=1&imp_uid=imp_" in ran.out
    assert "&merchant_uid=ORD-1&imp_success=true" in ran.out
    plain = trigger("redirect", "--order", "ORD-2", "--amount", "39000", "--to", redirect)
    assert f"-> GET {redirect}?imp_uid=imp_" in plain.out
    confirm = served.webhook.replace("webhook", "confirm")
    given = ("confirm", "--order", "ORD-3", "--amount")
    ran = trigger(*given, "39000", "--to", confirm)
    assert (ran.status, '"amount": 39000' in ran.out) == (0, True)
    assert trigger(*given, "390", "--to", confirm).status == 1
    assert sandbox.sandbox.gateway.attempts()[-1].status == "ready"
    sandbox.sandbox.settings.change({"webhook_url": served.webhook})
    assert trigger("confirm", *ORDER).status == 2  # a webhook's address is none of these
