"""What watching costs one verification: CPU with the fields of its log line (always), with a line
written for each, and with OpenTelemetry's API and SDK. No budget: a figure to look at.

The gateway is a function in this process, so that what is compared is the verifier's own work. All
take turns in one process; the figures are medians over the turns.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from imp_verify import Credentials, Request, Verifier
from imp_verify.contrib.otel import instrument
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports import GatewayResponse
from imp_verify.verifier import observe

TOKEN = {"access_token": "t", "now": 1_700_000_000, "expired_at": 1_700_001_800}
PAYMENT = {"imp_uid": "imp_1", "merchant_uid": "ORD-1", "status": "paid", "amount": 1000}
PAYMENT |= {"cancel_amount": 0, "currency": "KRW", "paid_at": 1_700_000_000, "pay_method": "card"}
REQUEST = Request("POST", body=b'{"imp_uid":"imp_1","merchant_uid":"ORD-1"}')


def answer(request: Any) -> GatewayResponse:
    content = TOKEN if request.url.endswith("getToken") else PAYMENT
    return GatewayResponse(200, json.dumps({"code": 0, "response": content}).encode())


def sides(verifier: Verifier) -> dict[str, Callable[[], object]]:
    """How each side is set up before its turn."""
    log = logging.getLogger("imp_verify")
    spans = InMemorySpanExporter()
    traces, meters = TracerProvider(), MeterProvider([InMemoryMetricReader()])
    traces.add_span_processor(SimpleSpanProcessor(spans))

    def off(level: int) -> None:
        observe(verifier, None)
        log.setLevel(level)

    def on(**providers: Any) -> None:
        off(logging.WARNING)
        spans.clear()
        _ = instrument(verifier, **providers)

    return {
        "off": lambda: off(logging.WARNING),
        "a line for each (DEBUG)": lambda: off(logging.DEBUG),
        "OpenTelemetry's API alone": on,
        "OpenTelemetry's SDK": lambda: on(tracer_provider=traces, meter_provider=meters),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--size", type=int, default=2_000, help="verifications in a turn")
    arguments = parser.parse_args()
    log = logging.getLogger("imp_verify")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    store = MemoryStore(expected=lambda *_: 1000)
    keys = Credentials("key", "secret")
    gateway: Any = answer
    verifier = Verifier(store, credentials=keys, test_mode=True, transport=gateway)
    found: dict[str, list[float]] = {}
    for turn in range(arguments.turns + 1):  # the first is for warming up
        for name, set_up in sides(verifier).items():
            _ = set_up()
            began = time.process_time()
            for _ in range(arguments.size):
                _ = verifier.serve("webhook", REQUEST)
            if turn:
                spent = (time.process_time() - began) / arguments.size
                found.setdefault(name, []).append(spent * 1e6)
    print(f"Python {sys.version.split()[0]}, {arguments.turns} turns of {arguments.size}, medians")
    bare = statistics.median(found["off"])
    for name, figures in found.items():
        middle = statistics.median(figures)
        print(f"{name:28} {middle:8.1f} us   {middle - bare:+8.1f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
