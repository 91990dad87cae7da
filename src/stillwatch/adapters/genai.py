"""One model call as OpenTelemetry tells it → a canonical row; every naming convention in use.

The names of the GenAI conventions changed several times, and OpenInference, OpenLLMetry, LiteLLM and
OpenRouter write names of their own. One table holds them all, newest first; content is looked for in
the places of each convention until one holds text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stillwatch.adapters.bodies import (
    Columns,
    embedded_json,
    ending,
    reply_columns,
    request_columns,
    typed,
)
from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.genai_content import CHOICE_EVENT, conversation, decoded, indexed
from stillwatch.adapters.messages import block_digests, tool_names
from stillwatch.adapters.otlp import Record, whole_number

OPERATIONS = {
    "chat": "chat",
    "generate_content": "chat",
    "responses": "chat",
    "text_completion": "completion",
    "completion": "completion",
    "embeddings": "embeddings",
    "embedding": "embeddings",
    "llm": "chat",
}
"""Operation names, and OpenInference's span kinds, that are model calls; others are kept as they are."""

NOT_CALLS = frozenset(
    {
        "agent",
        "chain",
        "create_agent",
        "evaluator",
        "execute_tool",
        "guardrail",
        "invoke_agent",
        "invoke_workflow",
        "plan",
        "prompt",
        "reranker",
        "retrieval",
        "retriever",
        "tool",
        "unknown",
    }
)
"""Operations and span kinds that wrap or surround model calls: counting them would count calls twice."""

NAMES: dict[str, tuple[str, ...]] = {
    "organization_id": ("organization.id", "metadata.user_api_key_org_id"),
    "credential_id": (
        "litellm.api_key.hash",
        "metadata.user_api_key_hash",
        "trace.metadata.openrouter.api_key_name",
    ),
    "session_id": ("gen_ai.conversation.id", "session.id"),
    "client_ip": ("client.address", "http.client_ip", "metadata.requester_ip_address"),
    "user_agent": ("user_agent.original", "http.user_agent", "metadata.user_agent"),
    "tls_fingerprint": ("tls.client.ja4", "tls.client.ja3"),
    "request_model": ("gen_ai.request.model", "llm.request.model"),
    "response_model": ("gen_ai.response.model", "llm.response.model", "llm.model_name"),
    "temperature": ("gen_ai.request.temperature", "llm.request.temperature"),
    "top_p": ("gen_ai.request.top_p", "llm.top_p"),
    "choice_count": ("gen_ai.request.choice.count",),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "stream": ("gen_ai.request.stream", "litellm.request.streaming", "llm.is_streaming"),
    "reasoning_level": ("gen_ai.request.reasoning.level", "gen_ai.request.reasoning_effort"),
    "response_format": ("gen_ai.openai.request.response_format",),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
}
"""Canonical columns and the attributes that carry them."""

PRINCIPALS = (
    "user.id",
    "enduser.id",
    "metadata.user_api_key_user_id",
    "litellm.team.id",
    "metadata.user_api_key_team_id",
    "litellm.api_key.hash",
    "metadata.user_api_key_hash",
    "trace.metadata.openrouter.creator_user_id",
    "trace.metadata.openrouter.entity_id",
)
END_USERS = ("litellm.end_user.id", "metadata.user_api_key_end_user_id", "enduser.id", "user.id")

DETAILS_EVENTS = ("gen_ai.client.inference.operation.details", "gen_ai.client.operation.details")

STATUS_OF_ERROR = {
    "BadRequestError": 400,
    "AuthenticationError": 401,
    "PermissionDeniedError": 403,
    "NotFoundError": 404,
    "UnprocessableEntityError": 422,
    "RateLimitError": 429,
    "InternalServerError": 500,
}
"""What the official OpenAI and Anthropic clients raise for which HTTP status."""

OUTPUT_TYPES = {"json": "json_object", "text": "text"}
REDACTED = ("__REDACTED__", "redacted-by-litellm")
SAMPLING_BITS = 56


@dataclass(slots=True)
class Call:
    """What one log told about one model call: its span, its event, and the messages beside them."""

    line: int
    span: Record | None = None
    details: Record | None = None
    messages: list[Record] = field(default_factory=list)
    text_bytes: int = 0

    def events(self) -> list[Record]:
        """Return the message events in the order of their times: those of the log, and the span's own."""
        told = [*self.messages, *(self.span.events if self.span else ())]
        return sorted(told, key=lambda one: one.start_ns if isinstance(one.start_ns, int) else 0)


def is_call(record: Record) -> bool:
    """Tell whether a span is a model call, not an agent, a tool or a web request."""
    found = record.attributes
    kind = found.get("gen_ai.operation.name") or found.get("openinference.span.kind")
    if isinstance(kind, str) and kind.lower() in NOT_CALLS:
        return False
    if found.get("gen_ai.request.model") or found.get("llm.model_name"):
        return True
    if not isinstance(kind, str):
        return any(name in found for name in ("gen_ai.response.model", "llm.request.type"))
    return kind.lower() in OPERATIONS


def row_of(call: Call, context: Mapping[str, object], settings: ReadSettings) -> Columns:
    """Return the canonical row of one call; `context` are attributes of the web request around it."""
    main = call.span or call.details or call.messages[0]
    found: dict[str, object] = {}
    for record in (*call.messages[:1], call.details, call.span):
        if record is not None:
            found |= record.attributes
    around = {**main.resource, **context}
    request = _request_body(found)
    reply = embedded_json(found.get("output.value") or found.get("gen_ai.completion"))
    said, cut = conversation(call.events(), found, request)
    losses = ["truncated"] if cut or any(record.dropped for record in (main,)) else []
    row: Columns = {
        "event_id": f"{main.trace_id}-{main.span_id}" if main.trace_id and main.span_id else None,
        "time": seconds(main.start_ns),
        "duration_ms": _duration(main),
        "operation": _operation(found),
        "access_path": "aggregator:openrouter" if _is_openrouter(found) else None,
        "status": _status(main, found),
        "system_prompt": said.system_prompt,
        "input_text": said.input_text,
        "turn_index": said.turn_index,
        "presented_blocks": list(said.presented_blocks) or None,
        "tool_names": _tools(found),
        **request_columns(request),
        **reply_columns(reply),
        **_ending(call, found),
    }
    for column, names in NAMES.items():
        value = _first(names, found, around)
        if value is not None:
            row[column] = value
    _fill_models(row, found, request)
    _fill_principal(row, found, around, settings)
    _fill_sampling(row, main, losses)
    if any(row.get(column) in REDACTED for column in ("input_text", "system_prompt")):
        losses.append("masked")
        row |= {column: None for column in ("input_text", "system_prompt") if row.get(column) in REDACTED}
    row["losses"] = losses or None
    return typed(row)


def seconds(nanoseconds: object) -> object:
    """Return epoch seconds; what is no number is passed on for the batch to reject."""
    if isinstance(nanoseconds, int | float) and not isinstance(nanoseconds, bool):
        return nanoseconds / 1e9
    return nanoseconds or None


def _first(names: tuple[str, ...], *places: Mapping[str, object]) -> object:
    for place in places:
        for name in names:
            if place.get(name) not in (None, ""):
                return place[name]
    return None


def _duration(record: Record) -> float | None:
    start, end = record.start_ns, record.end_ns
    if isinstance(start, int) and isinstance(end, int) and end >= start:
        return (end - start) / 1e6
    return None


def _operation(found: Mapping[str, object]) -> object:
    name = _first(("gen_ai.operation.name", "llm.request.type", "openinference.span.kind"), found)
    return OPERATIONS.get(name.lower(), name) if isinstance(name, str) else None


def _is_openrouter(found: Mapping[str, object]) -> bool:
    return any(name.startswith("trace.metadata.openrouter.") for name in found)


def _request_body(found: Mapping[str, object]) -> Mapping[object, object]:
    """Return the request as OpenInference keeps it: the whole body, and the parameters apart."""
    body: dict[object, object] = {}
    for name in ("input.value", "llm.invocation_parameters", "embedding.invocation_parameters"):
        value = embedded_json(found.get(name))
        if isinstance(value, dict):
            body |= value
    return body


def _tools(found: Mapping[str, object]) -> list[str] | None:
    tools, _ = decoded(found.get("gen_ai.tool.definitions") or found.get("litellm.request.tools.declared"))
    if tools is None:
        tools = [
            embedded_json(value)
            for name, value in found.items()
            if name.startswith("llm.tools.") and name.endswith(".json_schema")
        ]
    return tool_names(tools)


def _ending(call: Call, found: Mapping[str, object]) -> Columns:
    """Return the finish reason, the refusal and the blocks that the reply issued."""
    reasons = embedded_json(found.get("gen_ai.response.finish_reasons"))
    output, _ = decoded(found.get("gen_ai.output.messages"))
    messages = output if isinstance(output, list) else []
    if not messages:
        messages = list(indexed(found, "llm.output_messages.", "message."))
    choices = [embedded_json(event.body) for event in call.events() if event.name == CHOICE_EVENT]
    told = [
        *(reasons if isinstance(reasons, list) else [reasons]),
        *(end.get("finish_reason") for end in (*messages, *choices) if isinstance(end, dict)),
        found.get("llm.finish_reason"),
        found.get("gen_ai.completion.0.finish_reason"),
    ]
    columns = ending([reason for reason in told if reason not in (None, "")], messages)
    blocks = list(block_digests(messages))
    return columns | {"issued_blocks": blocks} if blocks else columns


def _status(main: Record, found: Mapping[str, object]) -> object:
    """Return the HTTP status as told, or as an error's name or message implies; 200 without an error."""
    told = whole_number(_first(("http.response.status_code", "http.status_code"), found))
    if told is not None:
        return told
    error = found.get("error.type")
    if not error and main.status_code not in (2, "STATUS_CODE_ERROR"):
        return 200
    if isinstance(error, str) and error.isdecimal():
        return int(error)
    message = re.match(r"(?:\w+: )?Error code: (\d{3})\b", main.status_message)
    if message:
        return int(message[1])
    return STATUS_OF_ERROR.get(error.rpartition(".")[2]) if isinstance(error, str) else None


def _fill_models(row: Columns, found: Mapping[str, object], request: Mapping[object, object]) -> None:
    output = found.get("gen_ai.output.type")
    if "response_format" not in row and isinstance(output, str):
        row["response_format"] = OUTPUT_TYPES.get(output, output)
    if row.get("request_model") is None:
        row["request_model"] = request.get("model") or _first(
            ("embedding.model_name", "llm.model_name", "gen_ai.response.model"), found
        )


def _fill_principal(
    row: Columns, found: Mapping[str, object], around: Mapping[str, object], settings: ReadSettings
) -> None:
    """Write the account, the mapped columns, and as end user whoever is named and is not the account."""
    row["account_id"] = _first(PRINCIPALS, found, around)
    if _is_openrouter(found):
        row["organization_id"] = found.get("trace.metadata.openrouter.entity_id")
    for column, name in settings.fields.items():
        value = _first((name,), found, around)
        if value is not None or column == "account_id":
            row[column] = value
    if "end_user_id" not in settings.fields:
        named = [row.get("end_user_id"), *(_first((name,), found, around) for name in END_USERS)]
        row["end_user_id"] = next((one for one in named if one and one != row["account_id"]), None)


def _fill_sampling(row: Columns, main: Record, losses: list[str]) -> None:
    """Write the weight that consistent probability sampling leaves in the trace state."""
    threshold = re.search(r"(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|$)", main.trace_state)
    if threshold:
        rejected = int(threshold[1].ljust(SAMPLING_BITS // 4, "0"), 16) / 2**SAMPLING_BITS
        if rejected:
            row["sampled_weight"] = 1 / (1 - rejected)
            losses.append("sampled")
