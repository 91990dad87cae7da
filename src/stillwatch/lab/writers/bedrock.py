"""Simulated calls as Bedrock's model invocation log, with the CloudTrail events about them beside it.

Chat is Converse, text completion is InvokeModel of a Llama model, embeddings are Cohere's. What Converse
has no field for goes where AWS passes it on to the model. Times are whole seconds, as in both logs.
The simulated names of account and organisation are no AWS identities: they stand in `requestMetadata`, as
an application writes them, and `FIELDS` brings them back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from stillwatch.lab.writers.lines import write_lines

AUDIT_FOLDER = "cloudtrail"
AUDIT_FILE = "cloudtrail.jsonl"

FIELDS = {
    "account_id": "requestMetadata.account_id",
    "organization_id": "requestMetadata.organization_id",
}
"""Settings of a reader that wants the simulated names and not the ARNs made of them."""

METADATA = (
    ("account_id", "account_id"),
    ("organization_id", "organization_id"),
    ("session_id", "session_id"),
    ("user_id", "end_user_id"),
)
EXTRA_FIELDS = (("n", "choice_count"), ("logprobs", "logprobs"), ("reasoning_effort", "reasoning_level"))
INFERENCE = (("temperature", "temperature"), ("topP", "top_p"), ("maxTokens", "max_tokens"))
LLAMA = (("temperature", "temperature"), ("top_p", "top_p"), ("max_gen_len", "max_tokens"))

ERRORS = {
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
    "tool_calls": "tool_use",
}
REFUSED = "content_filtered"

REGION = "us-east-1"
EARLIER_TURN = "(an earlier turn)"
"""The simulation keeps no words of earlier turns; their number is all that is told."""


def write(batches: Iterable[pa.RecordBatch], out: Path) -> None:
    """Write log lines into the folder `out` and audit events into `cloudtrail/` beside it."""
    folder = out.with_name(AUDIT_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"_{AUDIT_FILE}"
    encoder = msgspec.json.Encoder()
    with unfinished.open("wb") as audit:

        def records() -> Iterator[dict[str, Any]]:
            for batch in batches:
                for event in batch.to_pylist():
                    audit.write(encoder.encode(audit_event(event)) + b"\n")
                    yield record(event)

        write_lines(records(), out)
    unfinished.rename(folder / AUDIT_FILE)


def record(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the log record of one call."""
    failed = _failed(event)
    written = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": _seconds(event),
        "accountId": _aws_account(event),
        "identity": {"arn": _arn(event)},
        "region": REGION,
        "requestId": event["event_id"],
        "operation": _operation(event),
        "modelId": event["request_model"],
        "requestMetadata": {name: event[column] for name, column in METADATA if event[column] is not None},
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": _request(event),
            "inputTokenCount": event["input_tokens"],
            "cacheReadInputTokenCount": event["cached_tokens"],
        },
    }
    if event["status"] is not None:
        written["status"] = str(event["status"])
    if failed:
        fallback = "ValidationException" if event["status"] < 500 else "InternalServerException"
        written["errorCode"] = ERRORS.get(event["status"], fallback)
        return written
    written["output"] = {
        "outputContentType": "application/json",
        "outputBodyJson": _reply(event),
        "outputTokenCount": event["output_tokens"],
    }
    return written


def audit_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return CloudTrail's event about one call."""
    account = _aws_account(event)
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": _arn(event),
            "accountId": account,
            "accessKeyId": event["credential_id"],
            "userName": event["account_id"],
        },
        "eventTime": _seconds(event),
        "eventSource": "bedrock.amazonaws.com",
        "eventName": _operation(event),
        "awsRegion": REGION,
        "sourceIPAddress": event["client_ip"],
        "userAgent": event["user_agent"],
        "requestParameters": {"modelId": event["request_model"]},
        "responseElements": None,
        "requestID": event["event_id"],
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
    }


def _failed(event: Mapping[str, Any]) -> bool:
    return event["status"] is not None and event["status"] >= 400


def _seconds(event: Mapping[str, Any]) -> str:
    return str(event["time"].strftime("%Y-%m-%dT%H:%M:%SZ"))


def _aws_account(event: Mapping[str, Any]) -> str:
    """Return twelve digits that stand for the organisation, or for an account of nobody else's."""
    owner = event["organization_id"] or event["account_id"]
    digest = hashlib.blake2b(owner.encode(), digest_size=8).digest()
    return f"{int.from_bytes(digest, 'big') % 10**12:012}"


def _arn(event: Mapping[str, Any]) -> str:
    return f"arn:aws:iam::{_aws_account(event)}:user/{event['account_id']}"


def _operation(event: Mapping[str, Any]) -> str:
    if event["operation"] in (None, "chat"):
        return "ConverseStream" if event["stream"] else "Converse"
    return "InvokeModelWithResponseStream" if event["stream"] else "InvokeModel"


def _request(event: Mapping[str, Any]) -> dict[str, Any]:
    if event["operation"] == "embeddings":
        return {"texts": [event["input_text"] or ""], "input_type": "search_document"}
    if event["operation"] == "completion":
        return {"prompt": event["input_text"] or "", **_given(event, LLAMA)}
    body: dict[str, Any] = {"messages": _messages(event), "inferenceConfig": _given(event, INFERENCE)}
    if event["system_prompt"] is not None:
        body["system"] = [{"text": event["system_prompt"]}]
    if event["tool_names"]:
        tools = [{"toolSpec": {"name": name, "inputSchema": {"json": {}}}} for name in event["tool_names"]]
        body["toolConfig"] = {"tools": tools}
    extra = _given(event, EXTRA_FIELDS)
    if event["response_format"] is not None:
        extra["response_format"] = {"type": event["response_format"]}
    if extra:
        body["additionalModelRequestFields"] = extra
    return body


def _given(event: Mapping[str, Any], names: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {name: event[column] for name, column in names if event[column] is not None}


def _messages(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if event["input_text"] is not None:
        for _ in range(event["turn_index"] or 0):
            messages.append({"role": "user", "content": [{"text": EARLIER_TURN}]})
            messages.append({"role": "assistant", "content": [{"text": EARLIER_TURN}]})
    if event["presented_blocks"]:
        messages.append({"role": "assistant", "content": _reasoning(event["presented_blocks"])})
    if event["input_text"] is not None:
        messages.append({"role": "user", "content": [{"text": event["input_text"]}]})
    return messages


def _reply(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reply without its words, which the simulation does not have."""
    reason = STOP_REASONS.get(event["finish_reason"], event["finish_reason"])
    if event["operation"] == "embeddings":
        return {"embeddings": [], "response_type": "embeddings_floats"}
    if event["operation"] == "completion":
        return {"generation": "", "stop_reason": reason}
    body: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": _reasoning(event["issued_blocks"] or [])}},
        "stopReason": REFUSED if event["refused"] else reason,
        "usage": {"inputTokens": event["input_tokens"], "outputTokens": event["output_tokens"]},
    }
    if event["duration_ms"] is not None:
        body["metrics"] = {"latencyMs": round(event["duration_ms"])}
    return body


def _reasoning(digests: list[str]) -> list[dict[str, Any]]:
    """Return opaque blocks; the simulation knows digests only, and equal ones stay equal."""
    return [{"reasoningContent": {"reasoningText": {"text": "", "signature": one}}} for one in digests]
