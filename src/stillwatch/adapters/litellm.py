"""LiteLLM: what its proxy posts to a `generic_api` callback, and the rows of its spend-log table.

Both tell of one call each: the payload (`StandardLoggingPayload`) with camel-case float times and the
whole conversation, the row (`LiteLLM_SpendLogs`) with JSON inside strings and prompts only where the
proxy was told to store them. Nothing of LiteLLM is imported: releases 1.82.7 and 1.82.8 carried malware.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa

from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.bodies import (
    Columns,
    embedded_json,
    first,
    reply_columns,
    request_columns,
    typed,
    usage_columns,
)
from stillwatch.adapters.contract import Dialect, Head, LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.messages import flatten
from stillwatch.adapters.paths import value_at
from stillwatch.adapters.source import json_values
from stillwatch.event import EVENT_SCHEMA

DIALECT = Dialect(
    ident="litellm",
    title="LiteLLM proxy (StandardLoggingPayload and LiteLLM_SpendLogs rows)",
    columns=frozenset(EVENT_SCHEMA.names)
    - {"access_path", "client_asn", "tls_fingerprint", "sampled_weight", "losses"},
    losses=("truncated", "masked"),
    notes=(
        "the account is the key's user, else its team, else the key; --field account_id=PATH says otherwise",
        "spend-log rows hold prompts only with store_prompts_in_spend_logs, and cut long ones",
        "behind a load balancer every caller has its address, unless the proxy has use_x_forwarded_for",
    ),
    principal_example="metadata.user_api_key_alias",
)

OPERATIONS = (
    ("embedding", "embeddings"),
    ("text_completion", "completion"),
    ("completion", "chat"),
    ("responses", "chat"),
    ("messages", "chat"),
    ("generate_content", "chat"),
    ("pass_through", "chat"),
)
"""Parts of a call type and what they mean; other model calls keep the name of theirs."""

NOT_CALLS = ("assistant", "batch", "file", "health", "mcp", "thread", "vector_store")
"""Parts of the call types that reach no model, and are no records of model calls."""

SHARED_USERS = ("default_user_id", "litellm_proxy_master_key", "")
"""Users that LiteLLM writes for every key an administrator made: they stand for nobody."""

REDACTED = "redacted-by-litellm"
TRUNCATION = re.compile(r"\.\.\. \(litellm_truncated skipped \d+ chars\.[^)]*(?:\([^)]*\)[^)]*)*\) \.\.\.")
"""What LiteLLM puts in the middle of a long string. Its words must go: they would make strangers alike."""

CUT_TEXT = "\n"
CALL_KEYS = ("call_type", "model")


def recognise(head: Head) -> str | None:
    """Say which of LiteLLM's two records these are, or None."""
    for record in head.records:
        if isinstance(record, dict) and all(key in record for key in CALL_KEYS):
            if "request_id" in record and "spend" in record:
                return "the records are LiteLLM_SpendLogs rows (request_id, call_type, spend)"
            if "startTime" in record and "metadata" in record:
                return "the records are LiteLLM's StandardLoggingPayload (call_type, startTime, metadata)"
    return None


def read(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the model calls of one file of payloads or rows.

    Raises: Error input-vanished, input-unreadable.
    """
    batches = EventBatches(file, settings, reject)
    for line, record in json_values(file, reject):
        if not isinstance(record, dict):
            reject(Rejection(file.uri, line, "wrong-type", "record"))
            continue
        call_type = record.get("call_type")
        if isinstance(call_type, str) and any(part in call_type for part in NOT_CALLS):
            continue
        row = row_of(record, settings)
        if (batch := batches.add(line, row)) is not None:
            yield batch
    yield from drain(batches)


def row_of(record: Mapping[str, object], settings: ReadSettings) -> Columns:
    """Return the canonical row of one payload or spend-log row."""
    metadata = _mapping(record.get("metadata"))
    reply = embedded_json(record.get("response"))
    conversation, asked = _request(record)
    said = flatten(conversation, asked.get("instructions") or asked.get("system"))
    start = _time(record.get("startTime"))
    row: Columns = {
        **usage_columns(record),
        **usage_columns(metadata.get("usage_object")),
        **request_columns(asked),
        **reply_columns(reply),
        "event_id": first(record, ("id", "request_id", "litellm_call_id")),
        "time": start,
        "session_id": record.get("session_id") or None,
        "client_ip": _caller(first(record, ("requester_ip_address",)) or metadata.get("requester_ip_address")),
        "user_agent": first(record, ("user_agent",)) or metadata.get("user_agent") or None,
        "request_model": first(record, ("model_group", "model")),
        "operation": _operation(record.get("call_type")),
        "system_prompt": said.system_prompt,
        "input_text": said.input_text,
        "turn_index": said.turn_index,
        "presented_blocks": [*said.presented_blocks] or None,
        "status": _status(record, metadata),
        "duration_ms": _duration(record),
    }
    if isinstance(record.get("stream"), bool):
        row["stream"] = record["stream"]
    _fill_principal(row, record, metadata)
    _fill_losses(row)
    for column, path in settings.fields.items():
        value = value_at(record, path)
        if value is not None or column == "account_id":
            row[column] = value
    return typed(row)


def _request(record: Mapping[str, object]) -> tuple[object, Mapping[object, object]]:
    """Return the messages and the parameters: apart in a payload, one stored body in a row."""
    stored = _mapping(record.get("proxy_server_request"))
    body = _mapping(stored.get("body")) or stored
    messages = embedded_json(record.get("messages"))
    asked = {**body, **_mapping(record.get("model_parameters"))}
    return messages or body, asked


def _fill_principal(row: Columns, record: Mapping[str, object], metadata: Mapping[object, object]) -> None:
    """Write who called: the key's user is billed; a key without one belongs to its team, or stands alone."""
    user, team, key, organization, end_user = (
        first(metadata, names) or first(record, names)
        for names in (
            ("user_api_key_user_id", "user"),
            ("user_api_key_team_id", "team_id"),
            ("user_api_key_hash", "api_key", "user_api_key"),
            ("user_api_key_org_id", "organization_id"),
            ("user_api_key_end_user_id", "end_user"),
        )
    )
    if user in SHARED_USERS:
        user = None
    row["account_id"] = user or team or key
    row["credential_id"] = key
    row["organization_id"] = organization or (team if team != row["account_id"] else None)
    row["end_user_id"] = first(record, ("end_user",)) or end_user or row.get("end_user_id")


def _fill_losses(row: Columns) -> None:
    """Take LiteLLM's own words out of the texts and say what was lost with them."""
    losses = []
    for column in ("system_prompt", "input_text"):
        text = row[column]
        if not isinstance(text, str):
            continue
        if text == REDACTED:
            row[column] = None
            losses.append("masked")
            continue
        row[column], cuts = TRUNCATION.subn(CUT_TEXT, text)
        if cuts:
            losses.append("truncated")
    row["losses"] = list(dict.fromkeys(losses)) or None


def _caller(address: object) -> object:
    """Return the first address of a forwarding list, which LiteLLM keeps as the header had it."""
    return (address.partition(",")[0].strip() if isinstance(address, str) else address) or None


def _operation(call_type: object) -> str | None:
    if not isinstance(call_type, str):
        return None
    return next((meaning for part, meaning in OPERATIONS if part in call_type), call_type)


def _status(record: Mapping[str, object], metadata: Mapping[object, object]) -> object:
    """Return the HTTP status: 200, or the code of the error; None for an error without a code."""
    if first(record, ("status",)) != "failure" and metadata.get("status") != "failure":
        return 200
    information = _mapping(record.get("error_information")) or _mapping(metadata.get("error_information"))
    code = information.get("error_code")
    return int(code) if isinstance(code, str) and code.isdecimal() else code or None


def _time(value: object) -> object:
    """Return a time that says its zone: Postgres prints a space for the T, and no zone for UTC."""
    if not isinstance(value, str):
        return value
    value = value.replace(" ", "T", 1)
    return value if re.search(r"(?:Z|[+-]\d\d:?\d\d)$", value) or "T" not in value else f"{value}Z"


def _duration(record: Mapping[str, object]) -> object:
    start, end = record.get("startTime"), record.get("endTime")
    if isinstance(start, int | float) and isinstance(end, int | float):
        return (end - start) * 1000.0 if end >= start else None
    return record.get("request_duration_ms")


def _mapping(value: object) -> Mapping[object, object]:
    value = embedded_json(value)
    return value if isinstance(value, dict) else {}
