"""Traces and metrics of a verifier by OpenTelemetry: nothing of a buyer, no secret, and no URL with
a query. Needs the extra `otel`, and shows nothing until a provider of the SDK is set."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

try:
    from opentelemetry.metrics import Histogram, MeterProvider, get_meter
    from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, get_tracer
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.otel needs the OpenTelemetry API: pip install "imp-verify[otel]"'
    ) from error

from .. import AsyncVerifier, Outcome, Verifier
from .._releases import release_of
from .._web.decisions import fit_for_a_line
from ..models import Due
from ..observers import Decision, Observer
from ..verifier import observe

__all__ = ["OpenTelemetry", "instrument"]

AnyVerifier = TypeVar("AnyVerifier", bound=Verifier | AsyncVerifier)

_SCHEMA = "https://opentelemetry.io/schemas/1.38.0"
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Of durations in seconds. Source: the conventions' HTTP metrics."""
_NOT_FOUND = 404
_KINDS: tuple[str, ...] = ("forgery", "duplicate", "late", "refused")
"""Of money that is due back: a kind of which nothing is left must say 0."""
_TOKEN = "/users/getToken"
_TEMPLATES = (
    ("/users/getToken", r"/users/getToken"),
    ("/payments/cancel", r"/payments/cancel"),
    ("/payments/prepare", r"/payments/prepare"),
    ("/payments/prepare/{merchant_uid}", r"/payments/prepare/[^/]+"),
    ("/payments/status/{status}", r"/payments/status/[^/]+"),
    ("/payments/find/{merchant_uid}", r"/payments/find/[^/]+"),
    ("/payments/find/{merchant_uid}/{status}", r"/payments/find/[^/]+/[^/]+"),
    ("/payments/findAll/{merchant_uid}", r"/payments/findAll/[^/]+"),
    ("/payments/{imp_uid}", r"/payments/[^/]+"),
)
"""The calls of the gateway without what differs in each, the first that fits."""
_PATTERNS = [(template, re.compile(f"https?://.*?{each}")) for template, each in _TEMPLATES]


def instrument(
    verifier: AnyVerifier,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> AnyVerifier:
    """Have a verifier traced and measured from now on, and return it. Once more changes nothing.

    Args:
        tracer_provider, meter_provider: Those of the process (`set_tracer_provider`,
            `set_meter_provider`) where left out, also where they are set later.
    """
    observe(verifier, OpenTelemetry(tracer_provider, meter_provider))
    return verifier


class OpenTelemetry(Observer):
    """The observer that `instrument` gives a verifier. In Django:
    `IMP_VERIFY["OBSERVER"] = "imp_verify.contrib.otel.OpenTelemetry"`."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        scope = ("imp_verify", release_of("imp-verify") or "")
        self._tracer = get_tracer(*scope, tracer_provider, _SCHEMA)
        meter = get_meter(*scope, meter_provider, _SCHEMA)
        self._decisions = meter.create_counter(
            "imp_verify.decisions", "{request}", "Requests to the endpoints, by what was decided"
        )
        self._verifications = meter.create_histogram(
            "imp_verify.verification.duration",
            "s",
            "Duration of verifications and approvals, however they were asked for",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self._calls = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self._tokens = meter.create_counter(
            "imp_verify.token.renewals", "{token}", "Access tokens that the gateway was asked for"
        )
        self._dues = meter.create_gauge(
            "imp_verify.dues.open",
            "{payment}",
            "Payments whose money is due back, when reconcile last read them",
        )
        self._due = dict.fromkeys(_KINDS, 0)

    @contextmanager
    def verification(
        self, endpoint: str, imp_uid: str | None, claimed: str | None
    ) -> Iterator[Callable[[str, str | None, Outcome | None], object]]:
        """See `Observer.verification`."""
        named = {"imp_verify.endpoint": endpoint}
        ids = _present({"imp_verify.imp_uid": imp_uid})

        def told(verdict: str, reason: str | None, outcome: Outcome | None) -> None:
            named.update(_verdict(verdict, reason))
            span.set_attributes(named)
            if outcome is not None:
                fetched = {"imp_verify.merchant_uid": fit_for_a_line(outcome.merchant_uid)}
                settled = {"imp_verify.settled": outcome.settled and str(outcome.settled)}
                span.set_attributes(_present({**fetched, **settled}))

        with (
            _timed(self._verifications, named),
            self._span(f"imp_verify {endpoint}", SpanKind.INTERNAL, {**named, **ids}) as span,
        ):
            yield told

    @contextmanager
    def gateway_call(
        self, method: str, url: str, resends: int
    ) -> Iterator[Callable[[int], object]]:
        """See `Observer.gateway_call`."""
        parts, template = urlsplit(url), _template(url)
        named: dict[str, Any] = {
            "http.request.method": method,
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        }
        more: dict[str, Any] = {"url.full": url, "url.template": template}
        if resends:
            more["http.request.resend_count"] = resends
        what = f"{method} {template}" if template else method

        def told(status: int) -> None:
            named["http.response.status_code"] = status
            span.set_attribute("http.response.status_code", status)
            # 404 answers a question here: there is no such payment.
            if status >= 400 and status != _NOT_FOUND:
                named["error.type"] = str(status)
                span.set_attribute("error.type", str(status))
                span.set_status(StatusCode.ERROR)

        try:
            with (
                _timed(self._calls, named),
                self._span(what, SpanKind.CLIENT, {**named, **_present(more)}) as span,
            ):
                yield told
        finally:
            if template == _TOKEN:
                keys = ("http.response.status_code", "error.type")
                self._tokens.add(1, {key: named[key] for key in keys if key in named})

    @contextmanager
    def store_call(
        self, operation: str, arguments: Sequence[object]
    ) -> Iterator[Callable[[object], object]]:
        """See `Observer.store_call`."""

        def told(answer: object) -> None:
            if operation == "dues":
                self._read_dues(arguments, cast("Sequence[Due]", answer))

        named = {"imp_verify.store.operation": operation}
        with self._span(f"imp_verify.store {operation}", SpanKind.INTERNAL, named):
            yield told

    def decided(self, decision: Decision) -> None:
        """See `Observer.decided`."""
        endpoint = {"imp_verify.endpoint": decision.endpoint}
        self._decisions.add(1, {**endpoint, **_verdict(decision.verdict, decision.reason)})

    def _read_dues(self, arguments: Sequence[object], page: Sequence[Due]) -> None:
        """Count what `reconcile` reads, page by page: nothing else may ask a shop's database."""
        after, limit = cast("tuple[str | None, int]", tuple(arguments))
        if after is None:
            self._due = dict.fromkeys(_KINDS, 0)
        for due in page:
            self._due[due.kind] = self._due.get(due.kind, 0) + 1
        if len(page) < limit:
            for kind, count in self._due.items():
                self._dues.set(count, {"imp_verify.due.kind": kind})

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: dict[str, Any]) -> Iterator[Span]:
        """Make a span the current one. Of an exception it keeps the class alone: its text and its
        traceback may be a buyer's data, where it is the shop's own."""
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", _error_type(error))
                span.set_status(StatusCode.ERROR)
                raise


@contextmanager
def _timed(histogram: Histogram, attributes: dict[str, Any]) -> Iterator[None]:
    """Record how long it takes, with what the attributes are by then."""
    began = time.perf_counter()
    try:
        yield
    except BaseException as error:
        attributes["error.type"] = _error_type(error)
        raise
    finally:
        histogram.record(time.perf_counter() - began, attributes)


def _error_type(error: BaseException) -> str:
    """Name what ended it: the error's class, or that its task or its time was over."""
    if isinstance(error, Exception):
        return type(error).__qualname__
    return "cancelled"


def _verdict(verdict: str, reason: str | None) -> dict[str, str]:
    named = {"imp_verify.verdict": str(verdict)}
    return named if reason is None else {**named, "imp_verify.reason": str(reason)}


def _present(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _template(url: str) -> str | None:
    """Return the call without what differs in each; None for one that is not ours."""
    found = (template for template, pattern in _PATTERNS if pattern.fullmatch(url))
    return next(found, None)
