"""Gateway access logs as JSON: Envoy AI Gateway, Kong's AI log plugins, and any other through a field map.

An access log says who called which model, when, from where and for how many tokens; only Kong with
`log_payloads` also says what was asked. A line about no model call (a health check) is passed over.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.bodies import embedded_json, reply_columns, request_columns
from stillwatch.adapters.contract import Dialect, Head, LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.messages import flatten
from stillwatch.adapters.paths import value_at
from stillwatch.adapters.source import json_values
from stillwatch.event import EVENT_SCHEMA

Row = dict[str, object]

KONG_PAYLOAD_COLUMNS = (
    "system_prompt",
    "input_text",
    "turn_index",
    "tool_names",
    "response_format",
    "temperature",
    "top_p",
    "choice_count",
    "max_tokens",
    "logprobs",
    "stream",
    "reasoning_level",
    "finish_reason",
    "refused",
    "presented_blocks",
    "issued_blocks",
)
"""What only Kong with `log_payloads` fills."""

DIALECT = Dialect(
    ident="gateway",
    title="Gateway access logs (Envoy AI Gateway, Kong, any JSON access log)",
    columns=frozenset(
        {
            "event_id",
            "time",
            "account_id",
            "organization_id",
            "credential_id",
            "end_user_id",
            "session_id",
            "client_ip",
            "tls_fingerprint",
            "user_agent",
            "request_model",
            "response_model",
            "operation",
            "input_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cached_tokens",
            "status",
            "duration_ms",
            *KONG_PAYLOAD_COLUMNS,
        }
    ),
    notes=(
        "an access log has no prompts, so signals that read text are skipped",
        "Kong with log_payloads does carry prompts, parameters and finish reasons; they are read then",
        "without a consumer or API key in the log, name the principal: --field account_id=PATH",
        "any other column can be mapped the same way: --field session_id=request.headers.x-session",
    ),
    principal_example="tenant.id",
)

GUESSES: Mapping[str, tuple[str, ...]] = {
    "event_id": ("x-request-id", "request_id", "request.id", "request.headers.x-request-id", "id"),
    "time": ("start_time", "timestamp", "@timestamp", "time", "time_iso8601", "msec"),
    "account_id": (
        "account_id",
        "consumer.id",
        "consumer.username",
        "consumer.custom_id",
        "consumer",
        "x-consumer-id",
        "x-consumer-username",
        "authenticated_entity.id",
        "user.id",
    ),
    "organization_id": ("organization_id", "x-organization-id", "workspace"),
    "credential_id": ("credential_id", "authenticated_entity.id", "x-credential-identifier"),
    "end_user_id": ("enduser.id", "x-end-user-id"),
    "session_id": ("session.id", "gen_ai.conversation.id", "x-session-id"),
    "client_ip": ("client_ip", "x-forwarded-for", "downstream_remote_address", "remote_addr"),
    "tls_fingerprint": ("tls_ja4_fingerprint", "tls_ja3_fingerprint", "ja4", "ja3"),
    "user_agent": ("user-agent", "user_agent", "http_user_agent", "request.headers.user-agent"),
    "request_model": ("gen_ai.request.model", "x-ai-eg-model", "request_model", "model"),
    "response_model": ("gen_ai.response.model", "response_model"),
    "operation": ("gen_ai.operation.name",),
    "input_tokens": ("gen_ai.usage.input_tokens", "input_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "output_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_input_tokens"),
    "status": ("response_code", "response.status", "status"),
    "duration_ms": ("duration", "latencies.request", "duration_ms"),
}
"""Where each column is looked for, best first. Envoy's names are those of its documented log format."""

SECRETS = ("x-api-key", "api-key", "authorization", "request.headers.x-api-key", "request.headers.apikey")
"""Headers that hold a key. A key stands for its owner by digest only: whoever reads a report could use it."""

OPERATIONS = (
    ("/embeddings", "embeddings"),
    ("/chat/completions", "chat"),
    ("/completions", "completion"),
    ("/responses", "chat"),
    ("/messages", "chat"),
)
"""The last part of a request's path and what it does, more specific ones first."""

PATHS = ("path", "x-envoy-original-path", "request_path", "request.uri")

DEPTH_MAX = 8
"""Levels of an access log that are looked into; the deepest name that any gateway documents has five."""

ABSENT = ("", "-", None)
"""Envoy and NGINX write a hyphen where there is no value."""


def recognise(head: Head) -> str | None:
    """Fit Envoy AI Gateway by its token fields beside an access log's, and Kong by its `ai` object."""
    for record in head.records:
        if not isinstance(record, dict):
            continue
        if _kong(record):
            return "a record has Kong's ai object beside request and response"
        tokens = any(str(name).startswith("gen_ai.") for name in record)
        if tokens and not {"response_code", "response_flags", "downstream_remote_address"}.isdisjoint(record):
            return "a record has gen_ai.* beside the fields of an Envoy access log"
    return None


def read(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the model calls of one access log.

    Raises: Error input-vanished, input-unreadable.
    """
    batches = EventBatches(file, settings, reject)
    lines_count = calls_count = 0
    for line, record in json_values(file, reject):
        if not isinstance(record, dict):
            reject(Rejection(file.uri, line, "wrong-type", "record"))
            continue
        lines_count += 1
        row = row_of(record, settings)
        if "request_model" not in row and settings.model_default is None:
            continue
        calls_count += 1
        if (batch := batches.add(line, row)) is not None:
            yield batch
    yield from drain(batches)
    if lines_count and not calls_count:
        # No error: an hour of health checks is no fault. A log without a mapped model rejects each file.
        reject(Rejection(file.uri, 1, "no-model-calls", "request_model"))


def row_of(record: Row, settings: ReadSettings) -> Row:
    """Find the canonical columns of one line: mapped fields, then Kong's own, then the guesses."""
    flat = flattened(record)
    row = {column: _first(flat, paths) for column, paths in GUESSES.items()}
    row["operation"] = row["operation"] or _operation(_first(flat, PATHS))
    row["account_id"] = row["account_id"] or _key_digest(flat)
    row |= {column: value for column, value in _kong(record).items() if value is not None}
    row |= {column: _mapped(record, path) for column, path in settings.fields.items()}
    row["client_ip"] = _address(row["client_ip"])
    row["event_id"] = row["event_id"] or _digest(json.dumps(record, sort_keys=True).encode())
    return {column: _CONVERT[column](value) for column, value in row.items() if value is not None}


def flattened(record: Row, depth_max: int = DEPTH_MAX) -> Row:
    """Bring nested objects to one level, names joined by dots, without what is absent."""
    flat: Row = {}
    for name, value in record.items():
        if isinstance(value, dict):
            if depth_max > 1:
                flat |= {f"{name}.{inner}": kept for inner, kept in flattened(value, depth_max - 1).items()}
        elif value not in ABSENT:
            flat[name] = value
    return flat


def _mapped(record: Row, path: str) -> object:
    """Find what `--field` names; an object is no value of any column."""
    value = value_at(record, path)
    return None if value in ABSENT or isinstance(value, dict) else value


def _first(flat: Row, paths: tuple[str, ...]) -> object:
    for path in paths:
        if path in flat:
            return flat[path]
    return None


def _kong(record: Row) -> Row:
    """Read what Kong's AI plugins log, in either spelling of the token counts; empty for another log."""
    plugins = record.get("ai")
    if not isinstance(plugins, dict) or not isinstance(record.get("request"), dict):
        return {}
    named = sorted(plugins.items(), key=lambda item: (item[0] != "proxy", item[0]))
    plugin = next((value for _, value in named if isinstance(value, dict) and "meta" in value), None)
    if plugin is None:
        return {}
    flat, started_ms = flattened(plugin), record.get("started_at")
    row: Row = {
        "time": started_ms / 1000 if isinstance(started_ms, int | float) else None,
        "request_model": flat.get("meta.request_model"),
        "response_model": flat.get("meta.response_model"),
        "input_tokens": _first(flat, ("usage.prompt_tokens", "usage.prompt_token")),
        "output_tokens": _first(flat, ("usage.completion_tokens", "usage.completion_token")),
    }
    payload = plugin.get("payload")
    if isinstance(payload, dict):
        said = _payload_columns(embedded_json(payload.get("request")), embedded_json(payload.get("response")))
        row = said | {column: value for column, value in row.items() if value is not None}
    return row


def _payload_columns(asked: object, answered: object) -> Row:
    conversation = flatten(asked)
    return {
        **reply_columns(answered),
        **request_columns(asked),
        "system_prompt": conversation.system_prompt,
        "input_text": conversation.input_text,
        "turn_index": conversation.turn_index,
        "presented_blocks": list(conversation.presented_blocks) or None,
    }


def _operation(path: object) -> str | None:
    if not isinstance(path, str):
        return None
    bare = path.split("?")[0].rstrip("/")
    return next((operation for end, operation in OPERATIONS if bare.endswith(end)), None)


def _key_digest(flat: Row) -> str | None:
    key = _first(flat, SECRETS)
    return f"key:{_digest(key.encode('utf-8', 'replace'))}" if isinstance(key, str) else None


def _digest(octets: bytes) -> str:
    return hashlib.blake2b(octets, digest_size=16).hexdigest()


def _address(value: object) -> object:
    """Take the first of a list of addresses, without a port."""
    if not isinstance(value, str):
        return value
    first = value.split(",")[0].strip()
    if bracketed := re.match(r"\[([^\]]+)\]", first):
        return bracketed[1]
    return first.split(":")[0] if first.count(":") == 1 else first


def _as_identifier(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_number(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return int(value) if re.fullmatch(r"-?\d{1,18}", value) else float(value)
    except ValueError:
        return value


def _as_it_is(value: object) -> object:
    return value


def _as_bool(value: object) -> object:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _converter(arrow: pa.DataType) -> Callable[[object], object]:
    """Access logs write numbers as text as often as not, and identifiers as numbers."""
    if pa.types.is_string(arrow):
        return _as_identifier
    if pa.types.is_boolean(arrow):
        return _as_bool
    return _as_it_is if pa.types.is_list(arrow) else _as_number


_CONVERT: Mapping[str, Callable[[object], object]] = {field.name: _converter(field.type) for field in EVENT_SCHEMA}
