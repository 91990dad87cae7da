"""Simulated calls as request and response pairs, as middleware before an OpenAI-compatible API keeps them.

The identity headers are those that an authenticating proxy sets, and `client` is what an edge knows of the
connection. A streamed reply is the text of its event stream. The access path has no place in this dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from stillwatch.lab.writers.lines import write_lines

PATHS = {"completion": "/v1/completions", "embeddings": "/v1/embeddings"}
CHAT_PATH = "/v1/chat/completions"

HEADERS = (
    ("x-user-id", "account_id"),
    ("x-organization-id", "organization_id"),
    ("x-credential-id", "credential_id"),
    ("x-session-id", "session_id"),
    ("x-forwarded-for", "client_ip"),
    ("user-agent", "user_agent"),
)
PARAMETERS = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("n", "choice_count"),
    ("max_tokens", "max_tokens"),
    ("logprobs", "logprobs"),
    ("stream", "stream"),
    ("reasoning_effort", "reasoning_level"),
    ("user", "end_user_id"),
)
CLIENT = (("ja4", "tls_fingerprint"), ("asn", "client_asn"))

EARLIER_TURN = "(an earlier turn)"
"""The simulation keeps no words of earlier turns; their number is all that is told."""


def write(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write the calls as lines of pairs into the folder `out`."""
    write_lines((pair(event) for batch in batches for event in batch.to_pylist()), out)


def pair(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pair of one call."""
    return {
        "id": event["event_id"],
        "time": event["time"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "duration_ms": event["duration_ms"],
        "client": {"host": "10.0.0.7", "port": 41822, **_given(event, CLIENT)},
        "request": {
            "method": "POST",
            "path": PATHS.get(event["operation"], CHAT_PATH),
            "headers": {"content-type": "application/json", **_given(event, HEADERS)},
            "body": _request(event),
        },
        "response": _response(event),
    }


def _given(event: Mapping[str, Any], names: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {name: event[column] for name, column in names if event[column] is not None}


def _request(event: Mapping[str, Any]) -> dict[str, Any]:
    body = {"model": event["request_model"], **_given(event, PARAMETERS)}
    if event["operation"] == "embeddings":
        return body | {"input": event["input_text"] or ""}
    if event["operation"] == "completion":
        return body | {"prompt": event["input_text"] or ""}
    body["messages"] = _messages(event)
    if event["response_format"] is not None:
        body["response_format"] = {"type": event["response_format"]}
    if event["tool_names"]:
        body["tools"] = [{"type": "function", "function": {"name": name}} for name in event["tool_names"]]
    return body


def _messages(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if event["system_prompt"] is not None:
        messages.append({"role": "system", "content": event["system_prompt"]})
    if event["input_text"] is not None:
        for _ in range(event["turn_index"] or 0):
            messages.append({"role": "user", "content": EARLIER_TURN})
            messages.append({"role": "assistant", "content": EARLIER_TURN})
    if event["presented_blocks"]:
        blocks = _opaque(event["presented_blocks"])
        messages.append({"role": "assistant", "content": EARLIER_TURN, "reasoning_details": blocks})
    if event["input_text"] is not None:
        messages.append({"role": "user", "content": event["input_text"]})
    return messages


def _response(event: Mapping[str, Any]) -> dict[str, Any]:
    status = event["status"]
    if status is not None and status >= 400:
        return {"status": status, "headers": {}, "body": {"error": {"message": "", "code": status}}}
    kind = "text/event-stream" if event["stream"] else "application/json"
    body: object = _stream(event) if event["stream"] else _reply(event)
    return {"status": status, "headers": {"content-type": kind}, "body": body}


def _reply(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reply without its words, which the simulation does not have."""
    if event["operation"] == "embeddings":
        return {"object": "list", "model": event["response_model"], "data": [], "usage": _usage(event)}
    choice = {"index": 0, "finish_reason": event["finish_reason"], "message": _message(event)}
    return {
        "object": "chat.completion",
        "model": event["response_model"],
        "choices": [choice],
        "usage": _usage(event),
    }


def _stream(event: Mapping[str, Any]) -> str:
    """Return the reply as an event stream: its message, its end, what it cost."""
    head = {"object": "chat.completion.chunk", "model": event["response_model"]}
    end = {"index": 0, "delta": {}, "finish_reason": event["finish_reason"]}
    chunks = [
        head | {"choices": [{"index": 0, "delta": _message(event), "finish_reason": None}]},
        head | {"choices": [end]},
        head | {"choices": [], "usage": _usage(event)},
    ]
    lines = [f"data: {msgspec.json.encode(chunk).decode()}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"])


def _message(event: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    if event["refused"]:
        message["refusal"] = "refused"
    if event["issued_blocks"]:
        message["reasoning_details"] = _opaque(event["issued_blocks"])
    return message


def _usage(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "prompt_tokens": event["input_tokens"],
        "completion_tokens": event["output_tokens"],
        "completion_tokens_details": {"reasoning_tokens": event["reasoning_tokens"]},
        "prompt_tokens_details": {"cached_tokens": event["cached_tokens"]},
    }


def _opaque(digests: list[str]) -> list[dict[str, str]]:
    """Return opaque blocks; the simulation knows digests only, and equal ones stay equal."""
    return [{"type": "reasoning.encrypted", "data": digest} for digest in digests]
