"""Simulated calls as OTLP/JSON spans with the current GenAI names, as the official instrumentations write.

A span a line. What these instrumentations leave out is left out here too: the owner and the key, log
probabilities, opaque reasoning blocks, `stream` where it is false, and which kind of JSON was asked for.
`gen_ai.response.id` is the simulated event's id: `--field event_id=gen_ai.response.id` brings it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from stillwatch.lab.writers.lines import write_lines

SCOPE = {"name": "opentelemetry.instrumentation.genai.openai", "version": "1.3b0"}
SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "inference-gateway"}}]}

OPERATIONS = {"completion": "text_completion"}
OUTPUT_TYPES = {"json_object": "json", "json_schema": "json", "text": "text"}
ERROR_TYPES = {
    400: "openai.BadRequestError",
    401: "openai.AuthenticationError",
    403: "openai.PermissionDeniedError",
    404: "openai.NotFoundError",
    422: "openai.UnprocessableEntityError",
    429: "openai.RateLimitError",
}
OTHER_ERROR_TYPE = "openai.InternalServerError"

ATTRIBUTES = (
    ("gen_ai.request.model", "request_model"),
    ("user.id", "account_id"),
    ("enduser.id", "end_user_id"),
    ("gen_ai.conversation.id", "session_id"),
    ("client.address", "client_ip"),
    ("user_agent.original", "user_agent"),
    ("tls.client.ja4", "tls_fingerprint"),
    ("gen_ai.request.temperature", "temperature"),
    ("gen_ai.request.top_p", "top_p"),
    ("gen_ai.request.choice.count", "choice_count"),
    ("gen_ai.request.max_tokens", "max_tokens"),
    ("gen_ai.request.reasoning.level", "reasoning_level"),
    ("gen_ai.response.model", "response_model"),
    ("gen_ai.response.id", "event_id"),
    ("gen_ai.usage.input_tokens", "input_tokens"),
    ("gen_ai.usage.output_tokens", "output_tokens"),
    ("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens"),
    ("gen_ai.usage.cache_read.input_tokens", "cached_tokens"),
)
"""Attributes that are columns as they stand."""

EARLIER_TURN = "(an earlier turn)"
"""The simulation keeps no words of earlier turns; their number is all that is told."""


def write(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write the calls as OTLP/JSON lines into the folder `out`."""
    write_lines((export(event) for batch in batches for event in batch.to_pylist()), out)


def export(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the export of one call's span."""
    scope = {"scope": SCOPE, "spans": [span(event)], "schemaUrl": SCHEMA_URL}
    return {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [scope]}]}


def span(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the span of one call; its ids follow from the event's id."""
    ids = hashlib.blake2b(event["event_id"].encode(), digest_size=24).hexdigest()
    operation = OPERATIONS.get(event["operation"], event["operation"]) or "chat"
    start_ns = int(event["time"].timestamp() * 1_000_000) * 1000
    written = {
        "traceId": ids[:32],
        "spanId": ids[32:],
        "flags": 256,
        "name": f"{operation} {event['request_model']}",
        "kind": 3,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + round((event["duration_ms"] or 0) * 1e6)),
        "attributes": [{"key": key, "value": any_value(value)} for key, value in _attributes(event, operation)],
        "status": {},
    }
    if _failed(event):
        written["status"] = {"message": f"Error code: {event['status']}", "code": 2}
    weight = event["sampled_weight"]
    if weight is not None and weight > 1:
        written["traceState"] = f"ot=th:{round((1 - 1 / weight) * 2**56):014x}"
    return written


def any_value(value: object) -> dict[str, Any]:
    """Return a plain value as an OTLP AnyValue; 64-bit integers are strings."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    return {"stringValue": value}


def _failed(event: Mapping[str, Any]) -> bool:
    return event["status"] is not None and event["status"] >= 400


def _attributes(event: Mapping[str, Any], operation: str) -> Iterator[tuple[str, object]]:
    yield "gen_ai.operation.name", operation
    yield "gen_ai.provider.name", "openai"
    for name, column in ATTRIBUTES:
        if event[column] is not None:
            yield name, event[column]
    if event["stream"]:
        yield "gen_ai.request.stream", True
    if event["response_format"] is not None:
        yield "gen_ai.output.type", OUTPUT_TYPES.get(event["response_format"], event["response_format"])
    if event["finish_reason"] is not None:
        yield "gen_ai.response.finish_reasons", [event["finish_reason"]]
    if _failed(event):
        yield "error.type", ERROR_TYPES.get(event["status"], OTHER_ERROR_TYPE)
    said = list(_messages(event))
    if said:
        yield "gen_ai.input.messages", msgspec.json.encode(said).decode()
    if event["tool_names"]:
        tools = [{"name": name, "description": None, "type": "function"} for name in event["tool_names"]]
        yield "gen_ai.tool.definitions", msgspec.json.encode(tools).decode()


def _messages(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if event["system_prompt"] is not None:
        yield _message("system", event["system_prompt"])
    if event["input_text"] is not None:
        for _ in range(event["turn_index"] or 0):
            yield _message("user", EARLIER_TURN)
            yield _message("assistant", EARLIER_TURN)
        yield _message("user", event["input_text"])


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"content": text, "type": "text"}], "name": None}
