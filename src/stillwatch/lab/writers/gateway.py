"""Simulated events as the access log of an Envoy AI Gateway: who, which model, when, how many tokens.

There is no text in it. The fields are those of its documented JSON log format, with the identity
headers that an authentication filter in front of it would set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from stillwatch.lab.writers.lines import write_lines

COLUMNS = {
    "x-request-id": "event_id",
    "x-consumer-id": "account_id",
    "x-organization-id": "organization_id",
    "x-credential-identifier": "credential_id",
    "x-end-user-id": "end_user_id",
    "x-session-id": "session_id",
    "x-forwarded-for": "client_ip",
    "tls_ja4_fingerprint": "tls_fingerprint",
    "user-agent": "user_agent",
    "gen_ai.request.model": "request_model",
    "gen_ai.response.model": "response_model",
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "response_code": "status",
}
"""Log field → canonical column, for what is written as it is."""

PATHS = {
    "chat": "/v1/chat/completions",
    "completion": "/v1/completions",
    "embeddings": "/v1/embeddings",
}


def write(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write the calls as access-log lines into the folder `out`."""
    write_lines((line_of(event) for batch in batches for event in batch.to_pylist()), out)


def line_of(event: Mapping[str, object]) -> dict[str, object]:
    """Return the log line of one event; a value that is absent is a hyphen, as Envoy prints it."""
    time, duration_ms = event["time"], event["duration_ms"]
    assert isinstance(time, datetime)
    line: dict[str, object] = {
        "start_time": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "method": "POST",
        "path": PATHS.get(str(event["operation"]), "-"),
        "response_flags": "-",
        "downstream_remote_address": f"[{event['client_ip']}]:41822" if event["client_ip"] else "-",
        "duration": round(duration_ms) if isinstance(duration_ms, float) else "-",
    }
    line |= {name: "-" if event[column] is None else event[column] for name, column in COLUMNS.items()}
    return line
