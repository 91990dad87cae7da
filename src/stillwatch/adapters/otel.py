"""OpenTelemetry GenAI: OTLP/JSON traces and logs, in the current names and in those that came before.

A call is a span, or the log event that carries its details, or both; older instrumentations put the
messages into log events of their own, and the caller's address into the web request's span around it.
What belongs together is joined within a bounded window of one file. A span whose parent is a model
call too (one try of a router at one provider) is the same call seen twice and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa

from stillwatch.adapters.batches import EventBatches, drain
from stillwatch.adapters.contract import Dialect, Head, LogFile, ReadSettings, Reject, Rejection
from stillwatch.adapters.genai import DETAILS_EVENTS, END_USERS, NAMES, PRINCIPALS, Call, is_call, row_of
from stillwatch.adapters.genai_content import CHOICE_EVENT, MESSAGE_EVENTS
from stillwatch.adapters.otlp import ENVELOPES, Record, records
from stillwatch.adapters.source import json_values
from stillwatch.event import EVENT_SCHEMA

DIALECT = Dialect(
    ident="otel",
    title="OpenTelemetry GenAI (OTLP/JSON traces and logs)",
    columns=frozenset(EVENT_SCHEMA.names) - {"client_asn", "losses"},
    losses=("sampled", "truncated", "masked"),
    notes=(
        "the conventions name no principal: set user.id on the spans, or --field account_id=ATTRIBUTE",
        "prompts are there only where the instrumentation captures message content",
        "keep the spans and the log events of one call in the same file, or their texts are not joined",
        "opaque reasoning blocks and logprobs are carried by OpenInference's input.value only",
    ),
    principal_example="tenant.id",
)

JOIN_CALLS_MAX = 8192
"""A call's span, its events and the web request around it lie within seconds of each other; at a
thousand calls a second this is eight seconds. A message whose span comes later is rejected as unjoined."""

JOIN_TEXT_BYTES_MAX = 64 * 2**20
"""Keeps the window's memory small when prompts are long."""

CONTEXT_NAMES = frozenset({*PRINCIPALS, *END_USERS, *NAMES["client_ip"], *NAMES["user_agent"], "session.id"})

Key = tuple[str, str]
Refuse = Callable[..., None]


def recognise(head: Head) -> str | None:
    """Say why these records are OTLP exports, or None."""
    for record in head.records:
        if isinstance(record, dict) and any(envelope in record for envelope in ENVELOPES):
            return f"the records are OTLP exports ({next(one for one in ENVELOPES if one in record)})"
    return None


def read(file: LogFile, settings: ReadSettings, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Yield the model calls of one file of traces, logs or both.

    Raises: Error input-vanished, input-unreadable.
    """
    batches = EventBatches(file, settings, reject)

    def refuse(at: int, reason: str, detail: str = "") -> None:
        reject(Rejection(file.uri, at, reason, detail))

    window = Window(batches, settings, refuse)
    for line, value in json_values(file, reject):
        for record in records(value, partial(refuse, line, "wrong-type")):
            yield from window.take(line, record)
    yield from window.rest()
    yield from drain(batches)


class Window:
    """Calls that wait for what belongs to them, oldest first."""

    def __init__(self, batches: EventBatches, settings: ReadSettings, refuse: Refuse) -> None:
        self._batches, self._settings, self._refuse = batches, settings, refuse
        self._names = CONTEXT_NAMES | frozenset(settings.fields.values())
        self._waiting: dict[Key, Call] = {}
        self._text_bytes = 0
        self._done: dict[Key, None] = {}
        self._contexts: dict[str, tuple[bool, dict[str, object]]] = {}

    def take(self, line: int, record: Record) -> Iterator[pa.RecordBatch]:
        """Put a record beside the call it belongs to; a full window gives up its oldest calls."""
        if record.is_span and not is_call(record):
            self._keep_context(record)
            return
        if not record.is_span and record.name not in (*MESSAGE_EVENTS, *DETAILS_EVENTS, CHOICE_EVENT):
            return
        key = (record.trace_id, record.span_id)
        if not all(key):
            self._refuse(line, "missing-field", "event_id")
            return
        call = self._waiting.setdefault(key, Call(line))
        if record.is_span:
            call.span = record
        elif record.name in DETAILS_EVENTS:
            call.details = record
        elif record not in call.messages:  # an exporter that retries sends the same message twice
            call.messages.append(record)
        call.text_bytes += record.text_bytes
        self._text_bytes += record.text_bytes
        while len(self._waiting) > JOIN_CALLS_MAX or self._text_bytes > JOIN_TEXT_BYTES_MAX:
            yield from self._let_go()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Let go of every call that still waits."""
        while self._waiting:
            yield from self._let_go()

    def _let_go(self) -> Iterator[pa.RecordBatch]:
        key = next(iter(self._waiting))
        call = self._waiting.pop(key)
        self._text_bytes -= call.text_bytes
        if call.span is None and call.details is None:
            self._refuse(call.line, "unjoined-message")
            return
        if call.span is not None and self._is_call((key[0], call.span.parent_id)):
            return
        self._done[key] = None
        if len(self._done) > JOIN_CALLS_MAX:
            del self._done[next(iter(self._done))]
        row = row_of(call, self._contexts.get(key[0], (False, {}))[1], self._settings)
        if (batch := self._batches.add(call.line, row)) is not None:
            yield batch

    def _is_call(self, key: Key) -> bool:
        waiting = self._waiting.get(key)
        return key in self._done or (waiting is not None and waiting.span is not None)

    def _keep_context(self, span: Record) -> None:
        """Keep who called, from the outermost span that tells it: inner ones name our own machines."""
        told = {name: span.attributes[name] for name in self._names if name in span.attributes}
        known = self._contexts.get(span.trace_id)
        outermost = not span.parent_id
        if not told or (known is not None and known[0] >= outermost):
            return
        self._contexts[span.trace_id] = (outermost, told)
        if len(self._contexts) > JOIN_CALLS_MAX:
            del self._contexts[next(iter(self._contexts))]
