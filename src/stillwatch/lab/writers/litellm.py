"""Simulated calls as LiteLLM's StandardLoggingPayload, one a line, as its `generic_api` callback posts them.

Opaque reasoning blocks are known to the simulation by their digests only; they are written as if the
digest were the block, so that equal blocks stay equal. The network around the call (autonomous system,
TLS fingerprint, access path) has no place in this dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.lab.writers.lines import write_lines

CALL_TYPES = {"chat": "acompletion", "completion": "atext_completion", "embeddings": "aembedding"}
EARLIER_TURN = "(an earlier turn)"
"""The simulation keeps no words of earlier turns; their number is all that is told."""

PARAMETERS = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("n", "choice_count"),
    ("max_tokens", "max_tokens"),
    ("logprobs", "logprobs"),
    ("stream", "stream"),
    ("reasoning_effort", "reasoning_level"),
)


def write(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write the calls as payload lines into the folder `out`."""
    write_lines((payload(event) for batch in batches for event in batch.to_pylist()), out)


def payload(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of one call."""
    failed = event["status"] is not None and event["status"] >= 400
    start_s = event["time"].timestamp()
    end_s = start_s + (event["duration_ms"] or 0.0) / 1000
    usage = _usage(event)
    return {
        "id": event["event_id"],
        "litellm_call_id": event["event_id"],
        "trace_id": event["event_id"],
        "session_id": event["session_id"] or "",
        "call_type": CALL_TYPES.get(event["operation"], event["operation"] or "acompletion"),
        "cache_hit": None,
        "stream": event["stream"],
        "status": "failure" if failed else "success",
        "status_fields": {
            "llm_api_status": "failure" if failed else "success",
            "guardrail_status": "not_run",
        },
        "custom_llm_provider": "openai",
        "startTime": start_s,
        "endTime": end_s,
        "completionStartTime": end_s,
        "response_time": end_s - start_s,
        "model": f"openai/{event['request_model']}",
        "model_group": event["request_model"],
        "metadata": _metadata(event, usage),
        **{name: usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        "end_user": event["end_user_id"],
        "requester_ip_address": event["client_ip"],
        "user_agent": event["user_agent"],
        "messages": _messages(event),
        "response": {} if failed else _response(event, usage),
        "model_parameters": _parameters(event),
        "error_str": f"litellm.APIError: {event['status']}" if failed else None,
        "error_information": {"error_code": str(event["status"]) if failed else "", "error_class": ""},
    }


def _metadata(event: Mapping[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_api_key_hash": event["credential_id"],
        "user_api_key_user_id": event["account_id"],
        "user_api_key_team_id": None,
        "user_api_key_org_id": event["organization_id"],
        "user_api_key_end_user_id": event["end_user_id"],
        "user_api_key_request_route": "/v1/chat/completions",
        "requester_ip_address": event["client_ip"],
        "user_agent": event["user_agent"],
        "usage_object": usage,
    }


def _usage(event: Mapping[str, Any]) -> dict[str, Any]:
    given, made = event["input_tokens"], event["output_tokens"]
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": None if given is None or made is None else given + made,
        "completion_tokens_details": {"reasoning_tokens": event["reasoning_tokens"]},
        "prompt_tokens_details": {"cached_tokens": event["cached_tokens"]},
    }


def _messages(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if event["system_prompt"] is not None:
        messages.append({"role": "system", "content": event["system_prompt"]})
    if event["input_text"] is not None:
        for _ in range(event["turn_index"] or 0):
            messages.append({"role": "user", "content": EARLIER_TURN})
            messages.append({"role": "assistant", "content": EARLIER_TURN})
    if event["presented_blocks"]:
        messages.append({"role": "assistant", "content": _thinking(event["presented_blocks"])})
    if event["input_text"] is not None:
        messages.append({"role": "user", "content": event["input_text"]})
    return messages


def _response(event: Mapping[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": None}
    if event["refused"]:
        message["refusal"] = "refused"
    if event["issued_blocks"]:
        message["thinking_blocks"] = _thinking(event["issued_blocks"])
    return {
        "id": event["event_id"],
        "model": event["response_model"],
        "object": "chat.completion",
        "choices": [{"finish_reason": event["finish_reason"], "index": 0, "message": message}],
        "usage": usage,
    }


def _parameters(event: Mapping[str, Any]) -> dict[str, Any]:
    asked = {name: event[column] for name, column in PARAMETERS if event[column] is not None}
    if event["response_format"] is not None:
        asked["response_format"] = {"type": event["response_format"]}
    if event["tool_names"]:
        asked["tools"] = [{"type": "function", "function": {"name": name}} for name in event["tool_names"]]
    return asked


def _thinking(digests: list[str]) -> list[dict[str, str]]:
    return [{"type": "thinking", "thinking": "", "signature": digest} for digest in digests]
