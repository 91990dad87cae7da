"""OTLP/JSON envelopes → spans and log records with plain Python values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

NESTING_MAX = 64
"""Deeper attribute values are dropped: messages nest about ten deep, a hostile log as deep as it likes."""

ENVELOPES = ("resourceSpans", "resourceLogs")
OTHER_ENVELOPES = ("resourceMetrics", "resourceProfiles")


Wrong = Callable[[str], None]
"""Told the name of each place of an export that is not what OTLP says; reading goes on beside it."""


@dataclass(slots=True)
class Record:
    """One span or log record; a log record has an event name and a body, and no end."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: object
    end_ns: object
    attributes: dict[str, object]
    resource: dict[str, object]
    body: object = None
    is_span: bool = True
    events: tuple[Record, ...] = ()
    status_code: object = None
    status_message: str = ""
    trace_state: str = ""
    dropped: bool = False
    text_bytes: int = 0


def records(value: object, wrong: Wrong) -> Iterator[Record]:
    """Yield the spans and log records of one export; an empty export and metrics yield nothing."""
    if value == {} or (isinstance(value, dict) and any(key in value for key in OTHER_ENVELOPES)):
        return
    if not isinstance(value, dict) or not any(key in value for key in ENVELOPES):
        wrong("envelope")
        return
    for envelope, scopes, leaf in (
        ("resourceSpans", "scopeSpans", "spans"),
        ("resourceLogs", "scopeLogs", "logRecords"),
    ):
        for group in _mappings(value.get(envelope), envelope, wrong):
            resource = attributes(_mapping(group.get("resource")).get("attributes"))
            for scope in _mappings(group.get(scopes), scopes, wrong):
                for raw in _mappings(scope.get(leaf), leaf, wrong):
                    yield _span(raw, resource) if leaf == "spans" else _log(raw, resource)


def attributes(raw: object) -> dict[str, object]:
    """Return OTLP key-value pairs, or a plain mapping, as a plain mapping."""
    if isinstance(raw, dict):
        return {str(key): any_value(value) for key, value in raw.items()}
    if not isinstance(raw, list):
        return {}
    return {
        pair["key"]: any_value(pair.get("value"))
        for pair in raw
        if isinstance(pair, dict) and isinstance(pair.get("key"), str)
    }


def any_value(value: object, depth: int = 0) -> object:
    """Return an OTLP AnyValue as a plain value; what is already plain is returned as it is."""
    if not isinstance(value, dict):
        return value
    if depth > NESTING_MAX or not value:
        return None
    if len(value) > 1:
        return value
    kind, inner = next(iter(value.items()))
    if kind == "intValue":
        return whole_number(inner)
    if kind in ("stringValue", "doubleValue", "boolValue", "bytesValue"):
        return inner
    if kind == "arrayValue":
        values = inner.get("values") if isinstance(inner, dict) else None
        return [any_value(each, depth + 1) for each in values] if isinstance(values, list) else []
    if kind == "kvlistValue":
        pairs = inner.get("values") if isinstance(inner, dict) else None
        return {
            pair["key"]: any_value(pair.get("value"), depth + 1)
            for pair in (pairs if isinstance(pairs, list) else [])
            if isinstance(pair, dict) and isinstance(pair.get("key"), str)
        }
    return value


def whole_number(value: object) -> object:
    """Return an int64 that OTLP/JSON may write as a string; anything else as it is."""
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) <= 20:
        return int(value)
    return value


def _span(raw: Mapping[str, object], resource: dict[str, object]) -> Record:
    status = _mapping(raw.get("status"))
    span = Record(
        trace_id=_text(raw.get("traceId")),
        span_id=_text(raw.get("spanId")),
        parent_id=_text(raw.get("parentSpanId")),
        name=_text(raw.get("name")),
        start_ns=whole_number(raw.get("startTimeUnixNano")),
        end_ns=whole_number(raw.get("endTimeUnixNano")),
        attributes=attributes(raw.get("attributes")),
        resource=resource,
        status_code=status.get("code"),
        status_message=_text(status.get("message")),
        trace_state=_text(raw.get("traceState")),
        dropped=bool(raw.get("droppedAttributesCount")),
    )
    events = raw.get("events")
    if isinstance(events, list):
        span.events = tuple(_log(event, resource) for event in events if isinstance(event, dict))
    span.text_bytes = text_bytes(span.attributes) + sum(event.text_bytes for event in span.events)
    return span


def _log(raw: Mapping[str, object], resource: dict[str, object]) -> Record:
    kept = attributes(raw.get("attributes"))
    name = raw.get("eventName") or raw.get("name") or kept.get("event.name")
    body = any_value(raw.get("body"))
    return Record(
        trace_id=_text(raw.get("traceId")),
        span_id=_text(raw.get("spanId")),
        parent_id="",
        name=_text(name),
        # Zero means "not known" in OTLP; the time of observation is then all there is.
        start_ns=whole_number(raw.get("timeUnixNano")) or whole_number(raw.get("observedTimeUnixNano")),
        end_ns=None,
        attributes=kept,
        resource=resource,
        body=body,
        is_span=False,
        dropped=bool(raw.get("droppedAttributesCount")),
        text_bytes=text_bytes(kept) + text_bytes(body),
    )


def text_bytes(value: object, depth: int = 0) -> int:
    """Return roughly how much memory the texts of a plain value hold."""
    if isinstance(value, str):
        return len(value)
    if depth > NESTING_MAX:
        return 0
    if isinstance(value, dict):
        return sum(text_bytes(each, depth + 1) for each in value.values())
    if isinstance(value, list):
        return sum(text_bytes(each, depth + 1) for each in value)
    return 8


def _mappings(value: object, place: str, wrong: Wrong) -> Iterator[Mapping[str, object]]:
    if value is not None and not isinstance(value, list):
        wrong(place)
        return
    for each in value or ():
        if isinstance(each, dict):
            yield each
        else:
            wrong(place)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
