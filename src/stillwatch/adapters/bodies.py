"""Request and reply bodies of the public chat APIs → canonical columns.

OpenAI chat, completions and Responses, Anthropic messages and what gateways make of them. A column
that a body does not speak of is left out; a value of a wrong type is passed on, for the batch to reject.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa

from stillwatch.adapters.messages import (
    block_digests,
    is_refusal,
    response_format,
    tool_names,
)
from stillwatch.adapters.source import decode_json
from stillwatch.event import EVENT_SCHEMA

Columns = dict[str, object]

OUTPUT_CAPS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
FORMAT_KEYS = ("response_format", "text", "output_format", "output_config")


def embedded_json(value: object) -> object:
    """Return what a JSON string holds, or the value itself where it is no JSON string."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return decode_json(value)
        except (ValueError, msgspec.DecodeError):
            return value
    return value


def request_columns(body: object) -> Columns:
    """Return what a request asked for, without its messages."""
    if not isinstance(body, dict):
        return {}
    reasoning, thinking, metadata = (body.get(key) for key in ("reasoning", "thinking", "metadata"))
    logprobs = body.get("logprobs")
    # The old completions API asks for a number of alternatives where chat asks yes or no.
    if isinstance(logprobs, int) and not isinstance(logprobs, bool):
        logprobs = logprobs > 0
    columns: Columns = {
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "choice_count": body.get("n"),
        "max_tokens": first(body, OUTPUT_CAPS),
        "logprobs": logprobs,
        "stream": body.get("stream"),
        "response_format": response_format(first(body, FORMAT_KEYS)),
        "reasoning_level": body.get("reasoning_effort")
        or _inner(reasoning, "effort")
        or _inner(body.get("output_config"), "effort")
        or _inner(thinking, "type"),
        "tool_names": tool_names(body.get("tools") or body.get("functions")),
        "end_user_id": first(body, ("safety_identifier", "user")) or _inner(metadata, "user_id"),
    }
    return {column: value for column, value in columns.items() if value is not None}


def reply_columns(body: object) -> Columns:
    """Return how a reply ended: finish reason, refusal, opaque blocks, model, tokens."""
    if not isinstance(body, dict):
        return {}
    choices = body.get("choices")
    if isinstance(choices, list):
        ends = [choice for choice in choices if isinstance(choice, dict)]
        messages = [end.get("message") for end in ends]
        reasons = [end.get("finish_reason") for end in ends]
    else:
        output = body.get("output")
        messages = output if isinstance(output, list) else [body]
        reasons = [body.get("stop_reason") or _responses_end(body)]
    columns: Columns = {
        "response_model": body.get("model") or None,
        "issued_blocks": list(block_digests(messages)) or None,
        **ending([reason for reason in reasons if reason], messages),
        **usage_columns(body.get("usage")),
    }
    return {column: value for column, value in columns.items() if value is not None}


def ending(reasons: list[object], messages: object = ()) -> Columns:
    """Return the first finish reason, and whether any choice declined."""
    said_no = isinstance(messages, list) and any(map(_declines, messages))
    if not reasons:
        return {"refused": True} if said_no else {}
    return {"finish_reason": reasons[0], "refused": said_no or any(map(is_refusal, reasons))}


def usage_columns(usage: object) -> Columns:
    """Return the tokens of a usage object of the OpenAI or the Anthropic kind."""
    if not isinstance(usage, dict):
        return {}
    made = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    given = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    columns: Columns = {
        "input_tokens": first(usage, ("prompt_tokens", "input_tokens")),
        "output_tokens": first(usage, ("completion_tokens", "output_tokens")),
        "reasoning_tokens": _inner(made, "reasoning_tokens"),
        "cached_tokens": _inner(given, "cached_tokens")
        if _inner(given, "cached_tokens") is not None
        else usage.get("cache_read_input_tokens"),
    }
    return {column: value for column, value in columns.items() if value is not None}


def first(record: Mapping[Any, object], keys: tuple[str, ...]) -> object:
    """Return the first value under `keys` that is neither null nor an empty string."""
    return next((record[key] for key in keys if record.get(key) not in (None, "")), None)


def typed(row: Columns) -> Columns:
    """Read texts that stand for numbers or booleans as such, and whole numbers as identifiers."""
    texts, literals = _text_columns(), _literal_columns()
    for column, value in row.items():
        if isinstance(value, int) and not isinstance(value, bool) and column in texts:
            row[column] = str(value)
        elif isinstance(value, str) and column in literals:
            try:
                row[column] = msgspec.json.decode(value.lower())
            except (msgspec.DecodeError, RecursionError):
                continue
    return row


@cache
def _text_columns() -> frozenset[str]:
    return frozenset(field.name for field in EVENT_SCHEMA if pa.types.is_string(field.type))


@cache
def _literal_columns() -> frozenset[str]:
    times = {field.name for field in EVENT_SCHEMA if pa.types.is_timestamp(field.type)}
    return frozenset(EVENT_SCHEMA.names) - _text_columns() - times


def _inner(holder: object, key: str) -> object:
    return holder.get(key) if isinstance(holder, dict) else None


def _responses_end(body: Mapping[object, object]) -> object:
    """Return how a Responses reply ended, in the words of chat completions."""
    reason = _inner(body.get("incomplete_details"), "reason")
    if reason or body.get("status") != "completed":
        return reason
    output = body.get("output")
    items = output if isinstance(output, list) else []
    return "tool_calls" if any(_inner(item, "type") == "function_call" for item in items) else "stop"


def _declines(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return bool(message.get("refusal")) or any(_inner(part, "type") == "refusal" for part in parts)
