"""One span for each decision, in the trace that the gateway began (W3C traceparent), with door, rung and tier only.

The one importer of opentelemetry. Off unless an OTLP endpoint is set. Spans go out as OTLP's JSON, written here: the
exporter of the SDK reads generated files that xds-protos, which Envoy's door needs, installs in another version.

Source:  W3C Trace Context, level 1; OpenTelemetry protocol 1.x, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stillwatch.gate.contract import Decision

TRACEPARENT: ContextVar[str] = ContextVar("traceparent", default="")
"""The header of the request that is being answered; a server sets it."""

EXPORT_SECONDS_MAX = 5
"""A collector that does not answer by then loses these spans; the next ones are waiting."""

SERVER = 2
"""The number of the kind `SERVER` in the protocol; the SDK counts from another."""

SCOPE = "stillwatch.gate"


class Tracer:
    """Tells decisions as spans. A `Meter`. `now_ns` tells the time in nanoseconds since the epoch."""

    def __init__(self, endpoint: str, version: str, now_ns: Callable[[], int]) -> None:
        resource = Resource({"service.name": "stillwatch-gate", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(JsonExporter(endpoint)))
        self._tracer = self._provider.get_tracer(SCOPE)
        self._propagator = TraceContextTextMapPropagator()
        self._now_ns = now_ns

    def decided(self, door: str, decision: Decision, seconds: float) -> None:
        end = self._now_ns()
        span = self._tracer.start_span(
            "stillwatch decide",
            context=self._propagator.extract({"traceparent": TRACEPARENT.get()}),
            kind=SpanKind.SERVER,
            attributes={"stillwatch.door": door, "stillwatch.rung": decision.rung, "stillwatch.tier": decision.tier},
            start_time=end - round(seconds * 1e9),
        )
        span.end(end)

    def alarm(self, ident: str) -> None:
        """An alarm is no span: metrics and the log tell it."""

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class JsonExporter(SpanExporter):
    """Posts spans to a collector; what it does not take is lost, and nothing waits for it."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = msgspec.json.encode(_document(spans))
        request = urllib.request.Request(  # noqa: S310  # the settings take http and https only
            self._endpoint, body, {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=EXPORT_SECONDS_MAX):  # noqa: S310
                return SpanExportResult.SUCCESS
        except OSError:
            return SpanExportResult.FAILURE


def _document(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    resource = _attributes(spans[0].resource.attributes) if spans else []
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": resource},
                "scopeSpans": [{"scope": {"name": SCOPE}, "spans": [_span(each) for each in spans]}],
            }
        ]
    }


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.get_span_context()
    assert context is not None
    told: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": SERVER,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
    }
    if span.parent is not None:
        told["parentSpanId"] = f"{span.parent.span_id:016x}"
    return told


def _attributes(attributes: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": str(value)}} for key, value in sorted(attributes.items())]
