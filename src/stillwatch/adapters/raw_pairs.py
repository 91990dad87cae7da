"""Raw pairs: requests and responses with their headers, as middleware, sidecars and exports keep them.

OpenAI chat, completions, Responses and embeddings, Anthropic messages; the reply whole or as its stream.
A key in a header stands for its owner by a digest; the key itself is never kept.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.bodies import Columns, embedded_json, first, reply_columns, request_columns, typed
from stillwatch.adapters.contract import Dialect, Head, LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.model_calls import (
    ACCOUNT_HEADERS,
    ADDRESS_HEADERS,
    CREDENTIAL_HEADERS,
    KEY_HEADERS,
    NOT_CALLS,
    OPERATIONS,
    ORGANIZATION_HEADERS,
    SESSION_HEADERS,
    conversation,
    conversation_id,
    first_address,
    first_header,
    key_digest,
    model_of,
    operation_of,
)
from stillwatch.adapters.parquet import is_parquet
from stillwatch.adapters.paths import value_at
from stillwatch.adapters.raw_pair_profiles import (
    LANGFUSE,
    LANGFUSE_COLUMNS,
    Pair,
    Profile,
    is_whole,
    is_wrapper,
    pair_of,
    profile_of,
)
from stillwatch.adapters.source import json_values, parquet_batches
from stillwatch.adapters.streamed_replies import assembled, stream_events
from stillwatch.event import EVENT_SCHEMA

DIALECT = Dialect(
    ident="raw-pairs",
    title="Raw request and response pairs (middleware, Helicone, Portkey, Langfuse)",
    columns=frozenset(EVENT_SCHEMA.names) - {"access_path", "sampled_weight", "losses"},
    losses=("truncated", "masked"),
    notes=(
        "the account is x-user-id, else a digest of the key, else the request's user; "
        "--field account_id=request.body.user says otherwise",
        "the address is the first in x-forwarded-for, which a caller can write unless your edge sets it; "
        "--field client_ip=client.host takes the peer's",
        "network facts (client.ja4, client.asn) are there only if your edge writes them",
        "exports of Helicone, Portkey and Langfuse have no address; Langfuse also has no key and no status",
    ),
    principal_example="request.headers.x-tenant",
)


def recognise(head: Head) -> str | None:
    """Fit where a record holds a request and a response, or is an export of a known writer."""
    if set(LANGFUSE_COLUMNS) <= set(head.columns):
        return "the columns are those of Langfuse's observations"
    for record in head.records:
        if isinstance(record, dict) and (profile := profile_of(record)) and is_whole(record, profile):
            return f"a record holds a request and a response (written by {profile.ident})"
    return None


def read(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the model calls of one file of pairs; requests that reach no model are passed over.

    Raises: Error input-vanished, input-unreadable.
    """
    batches = EventBatches(file, settings, reject)
    pairs_count = calls_count = 0
    for line, record in _records(file, settings, reject):
        if not isinstance(record, dict):
            reject(Rejection(file.uri, line, "wrong-type", "record"))
            continue
        profile = profile_of(record)
        if profile is None:
            if not is_wrapper(record):
                reject(Rejection(file.uri, line, "missing-field", "request"))
            continue
        pairs_count += 1
        row = row_of(record, profile, settings)
        if row is None:
            continue
        calls_count += 1
        if (batch := batches.add(line, row)) is not None:
            yield batch
    yield from drain(batches)
    if pairs_count and not calls_count:
        reject(Rejection(file.uri, 1, "no-model-calls", "request_model"))


def _records(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[tuple[int, object]]:
    if not is_parquet(file):
        yield from json_values(file, reject)
        return
    names = [path.partition(".")[0] for paths in LANGFUSE.columns.values() for path in paths]
    names += [path.partition(".")[0] for path in settings.fields.values()]
    names += [*LANGFUSE_COLUMNS, "end_time", "level", "model_parameters", "tool_definitions", "trace_id"]
    numbers = itertools.count(1)
    for batch in parquet_batches(file, list(dict.fromkeys(names)), settings.batch_rows, reject):
        yield from zip(numbers, batch.to_pylist(maps_as_pydicts="lossy"), strict=False)


def row_of(record: Mapping[str, Any], profile: Profile, settings: ReadSettings) -> Columns | None:
    """Return the canonical row of one pair, or None for a request that reached no model."""
    pair = pair_of(record, profile)
    path = (pair.path or "").partition("?")[0].rstrip("/")
    request = embedded_json(pair.request)
    asked = request_columns(request)
    model = pair.columns.get("request_model") or model_of(request, path)
    known = any(path.endswith(end) for end, _ in OPERATIONS)
    if path.endswith(NOT_CALLS) or (path and not known and model is None):
        return None
    said = conversation(request)
    reply, streamed = reply_body(pair.reply)
    answered = reply_columns(reply)
    row: Columns = {
        **answered,
        **asked,
        # What an observer put together says nothing about how it came.
        "stream": asked.get("stream", None if profile is LANGFUSE else streamed),
        "request_model": model or answered.get("response_model"),
        "operation": operation_of(path, request),
        "system_prompt": said.system_prompt,
        "input_text": said.input_text,
        "turn_index": said.turn_index,
        "presented_blocks": list(said.presented_blocks) or None,
    }
    losses = ["truncated"] if _is_cut(request) or _is_cut(reply) else []
    _fill_from_headers(row, pair, record, losses)
    row |= pair.columns
    row["event_id"] = row.get("event_id") or _reply_id(reply) or _digest_of(record)
    for column, source in settings.fields.items():
        value = value_at(record, source)
        if value is None:
            value = pair.request_headers.get(_header_name(source))
        if value is not None or column == "account_id":
            row[column] = value
    if row.get("end_user_id") == row["account_id"]:
        row["end_user_id"] = None
    row["losses"] = losses or None
    return typed(row)


def reply_body(reply: object) -> tuple[object, bool | None]:
    """Return a whole reply and whether it came as a stream; None where there is no reply to tell by."""
    reply = embedded_json(reply)
    events = stream_events(reply)
    if events is None:
        return reply, False if isinstance(reply, dict) else None
    body = assembled(events)
    return body or (reply if isinstance(reply, dict) else {}), True


def _fill_from_headers(row: Columns, pair: Pair, record: Mapping[str, Any], losses: list[str]) -> None:
    """Write who called and from where, as far as the headers and the connection say it."""
    sent, answered = pair.request_headers, pair.reply_headers
    key = first_header(sent, KEY_HEADERS)
    digest = key_digest(key) if key else None
    if key and not digest:
        losses.append("masked")
    row["account_id"] = first(sent, ACCOUNT_HEADERS) or digest or row.get("end_user_id")
    row["credential_id"] = first(sent, CREDENTIAL_HEADERS) or digest
    row["organization_id"] = first(sent, ORGANIZATION_HEADERS) or first(answered, ORGANIZATION_HEADERS)
    row["session_id"] = first(sent, SESSION_HEADERS) or conversation_id(pair.request)
    row["user_agent"] = first(sent, ("user-agent",))
    row["client_ip"] = first_address(first(sent, ADDRESS_HEADERS) or _peer(record))
    row["event_id"] = first(answered, ("x-request-id", "request-id"))


def _peer(record: Mapping[str, Any]) -> object:
    """Return the connection's other end: `203.0.113.9:5123`, `["203.0.113.9", 5123]` or an object."""
    client = record.get("client", record.get("client_ip"))
    if isinstance(client, list) and client:
        return client[0]
    if isinstance(client, dict):
        return first(client, ("host", "ip", "address"))
    return client


def _header_name(path: str) -> str:
    """Return the header that a path means; names of headers are the same in any case."""
    return path.lower().removeprefix("request.headers.")


def _is_cut(body: object) -> bool:
    """Tell a body that begins as JSON and does not end as such: its writer keeps a part of long ones."""
    return isinstance(body, str) and body.lstrip()[:1] in ("{", "[")


def _reply_id(reply: object) -> object:
    return first(reply, ("id",)) if isinstance(reply, dict) else None


def _digest_of(record: Mapping[str, Any]) -> str | None:
    try:
        text = json.dumps(record, sort_keys=True, default=str)
    except RecursionError:
        return None
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
