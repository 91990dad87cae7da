"""Who writes request and response pairs, and under which names: middleware, Helicone, Portkey, Langfuse.

A profile is a table from canonical columns, and from the parts of a pair, to paths in the record. What
the bodies themselves say is read elsewhere, the same way for all profiles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stillwatch.adapters.bodies import Columns, embedded_json
from stillwatch.adapters.paths import first_at, value_at

Record = Mapping[str, Any]
Paths = dict[str, tuple[str, ...]]

CALL_TYPES = ("GENERATION", "EMBEDDING")
"""Langfuse's observations that are model calls; spans, agents and tools surround them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The names of one writer.

    `columns` go before what the bodies say, as the writer has seen more of the call. `parts` are the
    two bodies, the headers and the path.
    """

    ident: str
    columns: Paths
    parts: Paths


@dataclass(frozen=True, slots=True)
class Pair:
    """One call as its writer kept it."""

    columns: Columns
    request: object
    reply: object
    request_headers: Mapping[str, str]
    reply_headers: Mapping[str, str]
    path: str | None


MIDDLEWARE = Profile(
    ident="middleware",
    columns={
        # Not the request's x-request-id: who sends one id with every call would be counted once.
        "event_id": ("id", "event_id", "request_id"),
        "time": ("time", "timestamp", "@timestamp", "start_time", "started_at", "created_at", "request.time"),
        "session_id": ("session_id",),
        "tls_fingerprint": ("client.ja4", "client.ja3", "tls.ja4", "ja4"),
        "client_asn": ("client.asn",),
        "status": ("response.status", "response.status_code", "status"),
        "duration_ms": ("duration_ms", "latency_ms", "response.duration_ms", "response.response_time"),
    },
    parts={
        "request": ("request.body",),
        "reply": ("response.body",),
        "request_headers": ("request.headers",),
        "reply_headers": ("response.headers",),
        "path": ("request.path", "request.url", "path"),
    },
)
HELICONE = Profile(
    ident="helicone",
    columns={
        "event_id": ("request_id",),
        "time": ("request_created_at",),
        "account_id": ("request_user_id", "user_id", "proxy_key_id", "auth_hash"),
        "organization_id": ("organization_id",),
        "credential_id": ("proxy_key_id", "auth_hash"),
        "session_id": ("properties.Helicone-Session-Id", "request_properties.Helicone-Session-Id"),
        "request_model": ("request_model",),
        "response_model": ("response_model", "model"),
        "input_tokens": ("prompt_tokens",),
        "output_tokens": ("completion_tokens",),
        "reasoning_tokens": ("reasoning_tokens",),
        "cached_tokens": ("prompt_cache_read_tokens",),
        "status": ("response_status", "status"),
        "duration_ms": ("delay_ms", "latency"),
    },
    parts={
        "request": ("request_body",),
        "reply": ("response_body",),
        "path": ("request_path", "target_url"),
    },
)
PORTKEY = Profile(
    ident="portkey",
    columns={
        "event_id": ("id",),
        "time": ("created_at", "time_of_generation"),
        "account_id": ("metadata._user", "metadata.user_id", "metadata.user", "api_key_id", "virtual_key"),
        "organization_id": ("organisation_id", "metadata.organization_id", "workspace_slug"),
        "credential_id": ("api_key_id", "virtual_key"),
        "session_id": ("metadata.session_id",),
        "response_model": ("ai_model",),
        "input_tokens": ("req_units", "prompt_tokens"),
        "output_tokens": ("res_units", "completion_tokens"),
        "status": ("response_status_code", "response.status"),
        "duration_ms": ("response_time",),
        "stream": ("stream_mode",),
    },
    parts={
        "request": ("request.body", "request"),
        "reply": ("response.body", "response"),
        "request_headers": ("request.headers",),
        "path": ("request_url", "request.url"),
    },
)
LANGFUSE = Profile(
    ident="langfuse",
    columns={
        "event_id": ("id",),
        "time": ("start_time", "startTime"),
        "account_id": ("user_id", "userId"),
        "session_id": ("session_id", "sessionId"),
        "request_model": ("provided_model_name", "model"),
        "input_tokens": ("usage_details.input", "usageDetails.input", "usage.input"),
        "output_tokens": ("usage_details.output", "usageDetails.output", "usage.output"),
        "reasoning_tokens": (
            "usage_details.output_reasoning_tokens",
            "usage_details.reasoning_tokens",
            "usageDetails.output_reasoning_tokens",
        ),
        "cached_tokens": (
            "usage_details.input_cached_tokens",
            "usage_details.input_cache_read",
            "usageDetails.input_cached_tokens",
        ),
    },
    parts={"request": ("input",), "reply": ("output",)},
)

LANGFUSE_COLUMNS = ("id", "type", "start_time", "input", "output")
"""What tells a Parquet file of Langfuse observations."""


def profile_of(record: Record) -> Profile | None:
    """Return the profile that a record fits, by the fields that only its writer has."""
    if "request_created_at" in record:
        return HELICONE
    if record.get("type") in CALL_TYPES and ("start_time" in record or "startTime" in record):
        return LANGFUSE
    if value_at(record, "request.body") is None and not _is_object(record.get("request")):
        return None
    portkey = "ai_model" in record or "ai_org" in record or "response_status_code" in record
    return PORTKEY if portkey else MIDDLEWARE


def is_whole(record: Record, profile: Profile) -> bool:
    """Tell a pair from an access log that also has objects named request and response."""
    bodies = ("request.body", "response.body")
    return profile is not MIDDLEWARE or first_at(record, bodies) is not None


def is_wrapper(record: Record) -> bool:
    """Tell an observation of Langfuse that is no model call."""
    return (
        isinstance(record.get("type"), str)
        and ("trace_id" in record or "traceId" in record)
        and record["type"] not in CALL_TYPES
    )


def pair_of(record: Record, profile: Profile) -> Pair:
    """Return what one record holds, by its profile's names."""
    if profile is PORTKEY:
        record = {**record, "metadata": _zipped(record.get("metadata"))}
    columns = {column: first_at(record, paths) for column, paths in profile.columns.items()}
    columns["time"] = utc_time(columns["time"])
    parts = {part: first_at(record, paths) for part, paths in profile.parts.items()}
    request, reply = parts["request"], parts["reply"]
    if profile is LANGFUSE:
        columns |= _langfuse_columns(record)
        request, reply = _langfuse_bodies(record, request, reply)
    path = parts.get("path")
    return Pair(
        {column: value for column, value in columns.items() if value is not None},
        request,
        reply,
        headers_of(parts.get("request_headers")),
        headers_of(parts.get("reply_headers")),
        path if isinstance(path, str) else None,
    )


def headers_of(headers: object) -> dict[str, str]:
    """Return headers by lower-case name, from an object or from pairs as ASGI keeps them."""
    if isinstance(headers, dict):
        pairs = list(headers.items())
    elif isinstance(headers, list):
        pairs = [tuple(pair) for pair in headers if isinstance(pair, list) and len(pair) == 2]
    else:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(name, str) and isinstance(value, str) and value:
            found.setdefault(name.lower(), value)
    return found


def utc_time(value: object) -> object:
    """Return a time that says its zone: ClickHouse prints a space for the T, and no zone for UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"\d{9,20}(?:\.\d+)?", value):
        return float(value)
    value = value.replace(" ", "T", 1)
    return value if re.search(r"(?:[Zz]|[+-]\d\d:?\d\d)$", value) or "T" not in value else f"{value}Z"


def _is_object(value: object) -> bool:
    return isinstance(embedded_json(value), dict)


def _zipped(metadata: object) -> object:
    """Return metadata that was exported as a list of keys and a list of values as one object."""
    metadata = embedded_json(metadata)
    if not isinstance(metadata, dict):
        return None
    keys, values = metadata.get("key"), metadata.get("value")
    if isinstance(keys, list) and isinstance(values, list):
        return {key: value for key, value in zip(keys, values, strict=False) if isinstance(key, str)}
    return metadata


def _langfuse_columns(record: Record) -> Columns:
    """Return the duration from both ends, since `latency` is in either of two units, and the status."""
    start = _moment(first_at(record, ("start_time", "startTime")))
    end = _moment(first_at(record, ("end_time", "endTime")))
    columns: Columns = {"status": None if record.get("level") == "ERROR" else 200}
    if start and end and end >= start:
        columns["duration_ms"] = (end - start).total_seconds() * 1000
    if record.get("type") == "EMBEDDING":
        columns["operation"] = "embeddings"
    return columns


def _moment(value: object) -> datetime | None:
    value = utc_time(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo else None


def _langfuse_bodies(record: Record, said: object, answer: object) -> tuple[object, object]:
    """Return bodies of the OpenAI kind: Langfuse keeps messages, parameters and tools apart."""
    said, answer = embedded_json(said), embedded_json(answer)
    asked = embedded_json(first_at(record, ("model_parameters", "modelParameters")))
    request: dict[str, object] = {**asked} if isinstance(asked, dict) else {}
    if isinstance(said, dict) and "role" not in said:
        request |= said
    elif said is not None:
        request["messages"] = said
    tools = embedded_json(record.get("tool_definitions"))
    if tools and "tools" not in request:
        listed = list(tools.values()) if isinstance(tools, dict) else tools
        request["tools"] = [embedded_json(tool) for tool in listed] if isinstance(listed, list) else None
    if isinstance(answer, dict) and "role" in answer and "choices" not in answer:
        answer = {**answer, "choices": [{"message": answer}]}
    return request, answer
