"""Bodies of Bedrock's model families → canonical columns: what was asked, and how the reply ended.

Converse has one shape for all models. InvokeModel passes each family's own: Anthropic messages and the
older prompt, Meta Llama, Amazon Titan and Nova, Mistral, Cohere, AI21, DeepSeek, and the OpenAI shape of
several others. A body is read by the fields it has, not by the model's name, which may be an opaque ARN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.adapters.bodies import (
    Columns,
    embedded_json,
    ending,
    first,
    reply_columns,
    request_columns,
)
from stillwatch.adapters.messages import Flattened, block_digests, flatten, tool_names
from stillwatch.adapters.paths import first_at, value_at
from stillwatch.adapters.rendered_prompts import messages_of
from stillwatch.adapters.streamed_replies import assembled, is_chat_stream

Body = Mapping[Any, Any]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "top_p": ("top_p", "topP", "p"),
    "choice_count": ("n", "num_generations", "numResults"),
    "max_tokens": (
        "max_completion_tokens",
        "max_tokens",
        "maxTokens",
        "max_new_tokens",
        "max_gen_len",
        "maxTokenCount",
        "max_tokens_to_sample",
    ),
}
"""Names of one parameter in Bedrock's families, beside those that `bodies.request_columns` knows."""

PARAMETER_HOLDERS = ("inferenceConfig", "textGenerationConfig", "additionalModelRequestFields")

REASONING_PATHS = (
    "reasoningConfig.maxReasoningEffort",
    "additionalModelRequestFields.reasoningConfig.maxReasoningEffort",
    "additionalModelRequestFields.reasoning_config.type",
    "additionalModelRequestFields.reasoning_config",
)

USAGE: dict[str, tuple[str, ...]] = {
    "input_tokens": ("inputTokens", "inputTokenCount", "inputTextTokenCount", "prompt_token_count"),
    "output_tokens": (
        "outputTokens",
        "outputTokenCount",
        "totalOutputTextTokenCount",
        "generation_token_count",
    ),
    "cached_tokens": ("cacheReadInputTokens", "cacheReadInputTokenCount"),
}
METRICS = "amazon-bedrock-invocationMetrics"
GUARDRAIL = "amazon-bedrock-guardrailAction"

CHOICE_KEYS = ("choices", "outputs", "results", "generations", "completions")
REASON_KEYS = ("finish_reason", "stop_reason", "completionReason", "finishReason", "stopReason")
COHERE_REFUSAL = "ERROR_TOXIC"
COHERE_ROLES = {"CHATBOT": "assistant", "SYSTEM": "system", "USER": "user"}


def asked(body: object) -> Columns:
    """Return what a request asked for: parameters, tools, texts and opaque blocks."""
    if not isinstance(body, dict):
        return {}
    columns: Columns = {}
    for holder in (body, *(body.get(key) for key in PARAMETER_HOLDERS)):
        if isinstance(holder, dict):
            named = {column: first(holder, names) for column, names in PARAMETERS.items()}
            for column, value in (request_columns(holder) | named).items():
                if value is not None:
                    columns.setdefault(column, value)
    likelihoods = body.get("return_likelihoods")
    if isinstance(likelihoods, str):
        columns["logprobs"] = likelihoods != "NONE"
    if tools := tool_names(body.get("toolConfig")):
        columns["tool_names"] = tools
    if (kind := value_at(body, "outputConfig.textFormat.type")) is not None:
        columns["response_format"] = kind
    effort = first_at(body, REASONING_PATHS)
    if isinstance(effort, str):
        columns["reasoning_level"] = effort
    said = conversation(body)
    columns["system_prompt"] = said.system_prompt
    columns["input_text"] = said.input_text
    columns["turn_index"] = said.turn_index
    columns["presented_blocks"] = list(said.presented_blocks) or None
    return {column: value for column, value in columns.items() if value is not None}


def conversation(body: Body) -> Flattened:
    """Return the texts of a request, whichever family it is of."""
    if isinstance(body.get("message"), str):
        newest = {"role": "user", "content": body["message"]}
        return flatten([*_cohere_history(body.get("chat_history")), newest], body.get("preamble"))
    if not body.get("messages"):
        prompt = first(body, ("prompt", "inputText"))
        if isinstance(prompt, str):
            return flatten(messages_of(prompt) or prompt, body.get("system"))
        if isinstance(body.get("texts"), list):
            return flatten(body["texts"])
        embedded = first_at(body, ("singleEmbeddingParams.text.value", "textToImageParams.text"))
        if embedded is not None:
            return flatten(embedded)
    return flatten(body)


def _cohere_history(turns: object) -> list[dict[str, object]]:
    history: list[dict[str, object]] = []
    for turn in turns if isinstance(turns, list) else ():
        if isinstance(turn, dict):
            role = COHERE_ROLES.get(str(turn.get("role")).upper(), "")
            history.append({"role": role, "content": turn.get("message")})
    return history


def operation_of(operation: object, model: object, body: object) -> str | None:
    """Return what kind of call it was, by the API's operation, the model's name and the body's fields."""
    name = model if isinstance(model, str) else ""
    if "embed" in name or (isinstance(body, dict) and "texts" in body):
        return "embeddings"
    if "rerank" in name:
        return "rerank"
    if isinstance(operation, str) and operation.startswith("Converse"):
        return "chat"
    if not isinstance(body, dict):
        return None
    if body.get("messages") or isinstance(body.get("message"), str):
        return "chat"
    return "completion" if first(body, ("prompt", "inputText")) is not None else None


def replied(body: object) -> Columns:
    """Return how a reply ended, whole or as its chunks: reason, refusal, opaque blocks, tokens, duration."""
    if isinstance(body, list):
        body = folded(body)
    if not isinstance(body, dict):
        return {}
    messages = _messages(body)
    reasons = _reasons(body)
    columns = reply_columns(body) | ending(reasons, messages)
    if blocks := list(block_digests(messages)):
        columns["issued_blocks"] = blocks
    if body.get(GUARDRAIL) == "INTERVENED" or COHERE_REFUSAL in reasons:
        columns["refused"] = True
    for holder in (body, body.get(METRICS), body.get("usage")):
        if isinstance(holder, dict):
            counts = {column: first(holder, names) for column, names in USAGE.items()}
            columns |= {column: count for column, count in counts.items() if count is not None}
    columns["duration_ms"] = first_at(body, ("metrics.latencyMs", f"{METRICS}.invocationLatency"))
    return {column: value for column, value in columns.items() if value is not None}


def _messages(body: Body) -> list[object]:
    message = value_at(body, "output.message")
    if message is not None:
        return [message]
    choices = body.get("choices")
    if isinstance(choices, list):
        return [choice.get("message") for choice in choices if isinstance(choice, dict)]
    return [body]


def _reasons(body: Body) -> list[object]:
    holders: list[object] = [body]
    for key in CHOICE_KEYS:
        choices = body.get(key)
        holders += choices if isinstance(choices, list) else []
    reasons = [first(holder, REASON_KEYS) for holder in holders if isinstance(holder, dict)]
    # AI21's older models wrap the reason: {"reason": "endoftext"}.
    plain = [reason.get("reason") if isinstance(reason, dict) else reason for reason in reasons]
    return [reason for reason in plain if reason]


def folded(chunks: Iterable[object]) -> dict[str, object]:
    """Return the reply that the chunks of a stream amount to.

    Anthropic's and OpenAI's chunks are events; Converse's name one step each; those of the other families
    are small replies, the last of which says how it ended.
    """
    events = [event for event in map(embedded_json, chunks) if isinstance(event, dict)]
    body = assembled(events) if is_chat_stream(events) else _merged(events)
    for event in events:
        body |= {key: event[key] for key in (METRICS, GUARDRAIL) if event.get(key) is not None}
    return body


def _merged(events: Iterable[Body]) -> dict[str, object]:
    body: dict[str, object] = {}
    blocks: dict[int, dict[str, str]] = {}
    for event in events:
        for key, value in event.items():
            if key in ("messageStop", "metadata") and isinstance(value, dict):
                body |= value
            elif key == "contentBlockDelta" and isinstance(value, dict):
                _take_reasoning(blocks, value)
            elif value not in (None, "", []):
                body[key] = value
    if blocks:
        parts = [
            {"reasoningContent": {"reasoningText": block, "redactedContent": block.get("redactedContent")}}
            for _, block in sorted(blocks.items())
        ]
        body["output"] = {"message": {"role": "assistant", "content": parts}}
    return body


def _take_reasoning(blocks: dict[int, dict[str, str]], delta: Body) -> None:
    """Add a piece of an opaque block: signatures and redacted content come bit by bit."""
    index = delta.get("contentBlockIndex")
    reasoning = value_at(delta, "delta.reasoningContent")
    for key in ("signature", "redactedContent"):
        piece = reasoning.get(key) if isinstance(reasoning, dict) else None
        if isinstance(piece, str):
            block = blocks.setdefault(index if isinstance(index, int) else 0, {})
            block[key] = block.get(key, "") + piece
