"""What OpenTelemetry is told of a verifier, kept in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from imp_verify import AsyncVerifier, Verifier
from imp_verify.contrib.otel import OpenTelemetry, instrument


class Telemetry:
    """Providers of a test's own; those of the process stay unset."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.traces = TracerProvider(shutdown_on_exit=False)
        self.traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self._told: dict[str, Any] = {}

    def instrument(self, verifier: Verifier | AsyncVerifier) -> None:
        instrument(verifier, tracer_provider=self.traces, meter_provider=self.meters)

    def observer(self) -> OpenTelemetry:
        return OpenTelemetry(self.traces, self.meters)

    def tracer(self) -> Any:
        return self.traces.get_tracer("the shop's own")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All that have ended, in the order in which they began."""
        return tuple(
            sorted(self._spans.get_finished_spans(), key=lambda each: each.start_time or 0)
        )

    def forget(self) -> None:
        self._spans.clear()

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """Return attributes and value (of a histogram: the count) of each series of a metric."""
        return [
            (dict(point.attributes), getattr(point, "count", None) or point.value)
            for metric in self._metrics()
            if metric.name == name
            for point in metric.data.data_points
        ]

    def _metrics(self) -> Iterable[Any]:
        """Return the newest of each metric: older releases tell of a gauge only once after it was
        set."""
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                self._told.update({metric.name: metric for metric in scope.metrics})
        return self._told.values()

    def text(self) -> str:
        """All that an exporter is handed, as text."""
        data = self._reader.get_metrics_data()
        spans = "\n".join(each.to_json(indent=None) for each in self.spans)
        return f"{spans}\n{'' if data is None else data.to_json(indent=None)}"


def tree(spans: Iterable[ReadableSpan]) -> dict[str, list[str]]:
    """Name the children of each span, in the order in which they began; "" for those of nobody."""
    ended = list(spans)
    names = {each.context.span_id: each.name for each in ended if each.context is not None}
    found: dict[str, list[str]] = {}
    for each in ended:
        above = "" if each.parent is None else names.get(each.parent.span_id, "?")
        found.setdefault(above, []).append(each.name)
    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return json.loads(json.dumps(dict(span.attributes or {})))  # type: ignore[no-any-return]
