"""What OpenTelemetry's exporters are handed of payments: spans, metrics, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from typing import Any, cast

import pytest
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from imp_verify import AsyncVerifier, Outcome, Verifier
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports import GatewayResponse
from imp_verify.verifier import observe
from tests.support.fixtures import gateway, make_shop, one_gateway, shop
from tests.support.gateway import (
    I1,
    ORDER,
    PRICE,
    RESET,
    UNAUTHORIZED,
    Reply,
    ScriptedGateway,
    act,
    envelope,
    payment,
    silence,
)
from tests.support.markers import BUYER_NAME, KEY, found_in
from tests.support.shop import TIMEOUT, Shop, credentials
from tests.support.telemetry import Telemetry, attributes, tree

__all__ = ["gateway", "make_shop", "one_gateway", "shop"]

TOKEN, LOOKUP = "POST /users/getToken", "GET /payments/{imp_uid}"
EXPECTED, SETTLE = "imp_verify.store expected", "imp_verify.store settle"


@pytest.fixture(params=["flask-memory", "starlette-memory"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def telemetry(shop: Shop) -> Telemetry:
    kept = Telemetry()
    kept.instrument(shop.driver.verifier)
    return kept


def verify(shop: Shop, imp_uid: str = I1, number: str = ORDER) -> Outcome:
    """Call the verifier's own method."""
    verifier, driver = shop.driver.verifier, cast("Any", shop.driver)
    if isinstance(verifier, Verifier):
        return verifier.verify(imp_uid, number)
    outcome: Outcome = driver.run(verifier.verify(imp_uid, number)).result(TIMEOUT)
    return outcome


@pytest.mark.parametrize(
    "kind", ["flask-memory", "flask-sqlite", "starlette-sqlite", "django-memory", "fastapi-memory"]
)
def test_a_payment_is_one_span_with_its_calls_and_transactions_inside(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    assert shop.webhook().status == 200
    assert tree(telemetry.spans) == {
        "": ["imp_verify webhook"],
        "imp_verify webhook": [TOKEN, LOOKUP, EXPECTED, SETTLE],
    }
    kinds = {each.name: each.kind for each in telemetry.spans}
    assert {name for name, each in kinds.items() if each is SpanKind.CLIENT} == {TOKEN, LOOKUP}
    assert {each.status.status_code for each in telemetry.spans} == {StatusCode.UNSET}
    telemetry.forget()
    assert shop.complete().status == 200
    assert tree(telemetry.spans)["imp_verify complete"] == [LOOKUP, EXPECTED, SETTLE]


def test_spans_say_what_the_conventions_ask_for_and_what_was_decided(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    assert shop.webhook().status == 200
    spans = {each.name: attributes(each) for each in telemetry.spans}
    assert spans["imp_verify webhook"] == {
        "imp_verify.endpoint": "webhook",
        "imp_verify.imp_uid": I1,
        "imp_verify.merchant_uid": ORDER,
        "imp_verify.verdict": "paid",
        "imp_verify.settled": "new",
    }
    port = int(gateway.address.rpartition(":")[2])
    assert spans[LOOKUP] == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": f"{gateway.address}/payments/{I1}",
        "url.template": "/payments/{imp_uid}",
    }
    assert spans[SETTLE] == {"imp_verify.store.operation": "settle"}
    scopes = {
        each.instrumentation_scope and each.instrumentation_scope.name for each in telemetry.spans
    }
    assert scopes == {"imp_verify"}


def test_metrics_count_decisions_calls_and_tokens(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    assert shop.webhook().status == shop.webhook().status == 200
    assert shop.confirm(amount=1).status == 409
    gateway.has(amount=1)
    assert shop.complete().status == 400
    assert shop.post("/webhook", {}).status == 400

    def of(name: str) -> dict[tuple[str, ...], int]:
        return {tuple(map(str, names.values())): count for names, count in telemetry.points(name)}

    assert of("imp_verify.decisions") == {
        ("webhook", "paid"): 2,
        ("confirm", "refused", "mismatch"): 1,
        ("complete", "forgery", "amount"): 1,
        ("webhook", "invalid", "malformed"): 1,
    }
    assert of("imp_verify.token.renewals") == {("200",): 1}
    assert sum(of("http.client.request.duration").values()) == 5
    assert sum(of("imp_verify.verification.duration").values()) == 4
    [names] = {tuple(names) for names, _ in telemetry.points("http.client.request.duration")}
    assert set(names) == {
        "http.request.method",
        "server.address",
        "server.port",
        "http.response.status_code",
    }


def test_no_metric_names_a_payment_or_an_order(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    for ask in (shop.webhook, shop.complete, shop.confirm, shop.redirect):
        _ = ask()
    metrics = telemetry.text().rpartition("\n")[2]
    assert "imp_verify.decisions" in metrics
    assert [each for each in (I1, ORDER) if each in metrics] == []


SAID = "whatever the gateway says"
SCRIPTS: dict[str, tuple[list[Reply], list[Reply]]] = {
    "a refused key": ([UNAUTHORIZED], []),
    "a refused token": ([], [UNAUTHORIZED]),
    "a reset": ([], [RESET]),
    "trouble": ([], [Reply(503, b""), Reply(503, b"")]),
    "silence": ([], [act(silence)]),
    "the gateway's words": ([], [Reply(400, envelope(None, -1, SAID))]),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_exporter_is_handed_a_buyer_a_secret_or_a_query(
    make_shop: Any, gateway: ScriptedGateway, script: str
) -> None:
    shop, telemetry = make_shop(timeout=0.5), Telemetry()
    telemetry.instrument(shop.driver.verifier)
    tokens, lookups = SCRIPTS[script]
    gateway.has()
    gateway.tokens.extend(tokens)
    gateway.lookups.extend(lookups)
    _ = shop.webhook(), shop.confirm(), shop.get(f"/redirect?merchant_uid={ORDER}&error_msg=x")
    text = telemetry.text()
    assert "imp_verify webhook" in text
    assert found_in(text) == []
    assert KEY not in text
    assert SAID not in text
    assert "include_sandbox" not in text
    for span in telemetry.spans:
        assert [each for each in attributes(span).values() if "?" in str(each)] == []


def test_what_a_hook_raises_is_named_by_its_class_alone(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError(f"{BUYER_NAME} is on the list")

    gateway.has()
    shop.on_hook = failing
    with pytest.raises(RuntimeError):
        verify(shop)
    for name in (SETTLE, "imp_verify call"):
        [span] = [each for each in telemetry.spans if each.name == name]
        assert attributes(span)["error.type"] == "RuntimeError"
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
        assert span.events == ()
    assert found_in(telemetry.text()) == []
    [(names, _)] = telemetry.points("imp_verify.verification.duration")
    assert names == {"imp_verify.endpoint": "call", "error.type": "RuntimeError"}


def test_a_call_that_is_sent_again_says_so_and_an_unknown_payment_is_no_error(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    gateway.lookups.extend([Reply(502, b""), UNAUTHORIZED])
    assert shop.complete().status == 200
    calls = [each for each in telemetry.spans if each.kind is SpanKind.CLIENT]
    assert [
        (
            attributes(each).get("http.response.status_code"),
            attributes(each).get("http.request.resend_count"),
            attributes(each).get("error.type"),
        )
        for each in calls
        if each.name == LOOKUP
    ] == [(502, None, "502"), (401, 1, "401"), (200, 1, None)]
    telemetry.forget()
    assert shop.complete(imp_uid="imp_none").status == 400
    [call] = [each for each in telemetry.spans if each.kind is SpanKind.CLIENT]
    assert attributes(call)["http.response.status_code"] == 404
    assert call.status.status_code is StatusCode.UNSET
    assert [
        attributes(each)["imp_verify.verdict"] for each in telemetry.spans if not each.parent
    ] == ["unknown_payment"]


def test_a_call_without_an_answer_names_its_error(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.lookups.extend([RESET] * 2)
    assert shop.complete().status == 503
    spans = {each.name: attributes(each) for each in telemetry.spans}
    assert spans[LOOKUP]["error.type"] == "GatewayReset"
    assert spans[LOOKUP]["http.request.resend_count"] == 1
    assert spans["imp_verify complete"]["error.type"] == "GatewayReset"
    [(names, _)] = telemetry.points("imp_verify.decisions")
    assert names["imp_verify.reason"] == "gateway_unavailable"


def test_many_payments_at_once_keep_their_spans_apart(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    started = [
        shop.start("POST", "/webhook", {"imp_uid": I1, "merchant_uid": ORDER}) for _ in range(24)
    ]
    assert {each.result(TIMEOUT).status for each in started} == {200}
    of: dict[int, Counter[str]] = {}
    for span in telemetry.spans:
        assert span.context is not None
        of.setdefault(span.context.trace_id, Counter())[span.name] += 1
    assert len(of) == 24
    for names in of.values():
        _ = names.pop(TOKEN, None)
        assert names == {"imp_verify webhook": 1, LOOKUP: 1, EXPECTED: 1, SETTLE: 1}
    parents = {span.context.span_id: span for span in telemetry.spans if span.context}
    for span in telemetry.spans:
        if span.parent is not None:
            assert parents[span.parent.span_id].name == "imp_verify webhook"


def test_the_spans_stand_below_the_shops_own_and_leave_it_the_current_one(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    verifier = shop.driver.verifier
    tracer = telemetry.tracer()
    if isinstance(verifier, AsyncVerifier):

        async def view() -> bool:
            with tracer.start_as_current_span("view") as span:
                await verifier.verify(I1, ORDER)
                assert await verifier.confirm(I1, ORDER, 1) is not None
                return get_current_span() is span

        assert cast("Any", shop.driver).run(view()).result(TIMEOUT)
    else:
        with tracer.start_as_current_span("view") as span:
            verifier.verify(I1, ORDER)
            assert verifier.confirm(I1, ORDER, 1) is not None
            assert get_current_span() is span
    found = tree(telemetry.spans)
    assert found[""] == ["view"]
    assert found["view"] == ["imp_verify call", "imp_verify confirm"]


def test_a_confirm_over_http_is_a_span_of_its_own_with_the_hold_inside(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has(status="ready")
    assert shop.confirm().status == 200
    found = tree(telemetry.spans)
    assert found[""] == ["imp_verify confirm"]
    assert found["imp_verify confirm"] == [TOKEN, LOOKUP, EXPECTED, "imp_verify.store hold"]
    [confirm] = [each for each in telemetry.spans if each.parent is None]
    assert attributes(confirm)["imp_verify.verdict"] == "approved"


@pytest.mark.parametrize("kind", ["flask-sqlite", "starlette-sqlite"])
def test_a_confirm_that_is_out_of_time_is_decided_once_and_ends_its_spans(
    make_shop: Any, gateway: ScriptedGateway
) -> None:
    shop, telemetry, held = make_shop(confirm_timeout=3.0), Telemetry(), threading.Event()
    telemetry.instrument(shop.driver.verifier)

    def hold(*_: object) -> None:
        assert held.wait(TIMEOUT)

    gateway.has(status="ready")
    shop.hold = hold
    assert shop.confirm().status == 503
    held.set()
    for thread in threading.enumerate():
        if thread.name == "imp_verify-within":
            thread.join(TIMEOUT)
    [(names, count)] = telemetry.points("imp_verify.decisions")
    assert (names["imp_verify.reason"], count) == ("too_late", 1)
    spans = {each.name: attributes(each) for each in telemetry.spans}
    cancelled = isinstance(shop.driver.verifier, AsyncVerifier)
    for name in ("imp_verify.store hold", "imp_verify confirm"):
        assert (spans[name].get("error.type") == "cancelled") is cancelled


class Row:
    def __init__(self, kind: str) -> None:
        self.kind = kind


def test_what_is_due_back_is_counted_page_by_page() -> None:
    kept = Telemetry()
    observer = kept.observer()

    def read(after: str | None, *kinds: str) -> dict[str, int]:
        with observer.store_call("dues", (after, 2)) as told:
            _ = told([Row(kind) for kind in kinds])
        points = kept.points("imp_verify.dues.open")
        return {names["imp_verify.due.kind"]: count for names, count in points}

    assert read(None, "late", "late") == {}  # there is more
    assert read("imp_2", "forgery") == {"forgery": 1, "duplicate": 0, "late": 2, "refused": 0}
    assert set(read(None).values()) == {0}


def test_instrumented_twice_is_instrumented_once_and_it_can_be_undone(
    shop: Shop, gateway: ScriptedGateway, telemetry: Telemetry
) -> None:
    gateway.has()
    telemetry.instrument(shop.driver.verifier)
    assert shop.webhook().status == 200
    assert len(telemetry.spans) == 5
    telemetry.forget()
    observe(shop.driver.verifier, None)
    assert shop.webhook().status == 200
    assert not telemetry.spans


def executed(verifier: Verifier) -> list[str]:
    """Name the functions of ours that one verification calls."""
    seen: list[str] = []

    def called(frame: Any, event: str, _: object) -> None:
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if event == "call" and "/imp_verify/" in file:
            seen.append(f"{file.rpartition('/')[2]}: {name}")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        assert verifier.verify(I1, ORDER).paid
    finally:
        sys.setprofile(before)
    return seen


def test_a_verifier_that_is_not_instrumented_executes_nothing_of_it() -> None:
    token = {"access_token": "t", "now": 1_700_000_000, "expired_at": 1_700_001_800}

    def answer(request: Any) -> GatewayResponse:
        content = envelope(token if request.url.endswith("getToken") else payment())
        return GatewayResponse(200, json.dumps(content).encode())

    verifier = Verifier(
        MemoryStore(expected=lambda *_: PRICE),
        credentials=credentials(),
        test_mode=True,
        transport=cast(Any, answer),
    )
    assert verifier.verify(I1, ORDER).paid
    off = executed(verifier)
    Telemetry().instrument(verifier)
    on = executed(verifier)
    observe(verifier, None)
    assert executed(verifier) == off
    watching = {"otel.py", "_observing.py", "observers.py"}
    assert not {each.partition(":")[0] for each in off} & watching
    added = {each.partition(":")[0] for each in Counter(on) - Counter(off)}
    assert {"otel.py", "_observing.py"} <= added


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    code = """
import sys
import imp_verify.contrib.flask, imp_verify.contrib.asgi
from imp_verify import Credentials, Verifier
from imp_verify.stores.memory import MemoryStore
store = MemoryStore(expected=lambda *_: 1)
Verifier(store, credentials=Credentials("key", "secret"), test_mode=True)
print([each for each in sys.modules if each.startswith("opentelemetry")])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
