"""Conversations of every public chat API → system text, newest user text, turn, opaque blocks.

One reader for all shapes, because gateways mix them: OpenAI chat and Responses, Anthropic content
blocks, Bedrock Converse, Gemini `contents`, OpenTelemetry GenAI `parts`. Whatever is not text (an
image, a file, a tool's answer) is passed over; whatever is malformed is passed over too, since a
record with a strange message is still a call that was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SYSTEM_ROLES = ("system", "developer")
USER_ROLES = ("user", "human")
TEXT_TYPES = ("text", "input_text", "output_text", "summary_text")
CONTENT_KEYS = ("content", "parts")
REQUEST_KEYS = ("messages", "input", "contents", "prompt")
SYSTEM_KEYS = ("system", "instructions", "system_instruction", "systemInstruction")
OPAQUE_KEYS = frozenset(
    {"signature", "encrypted_content", "thoughtSignature", "thought_signature", "data", "reasoningContent"}
)
"""A block without any of these is not opaque: most parts of most messages are passed over here."""

REFUSAL_REASONS = frozenset(
    {
        "content_filter",
        "content_filtered",
        "guardrail_intervened",
        "prohibited_content",
        "refusal",
        "safety",
    }
)
"""Finish reasons by which OpenAI, Azure, Anthropic, Bedrock and Gemini say that they declined."""


@dataclass(frozen=True, slots=True)
class Flattened:
    """What detection wants of a conversation; `turn_index` counts the user turns before the newest."""

    system_prompt: str | None = None
    input_text: str | None = None
    turn_index: int | None = None
    presented_blocks: tuple[str, ...] = ()


def flatten(messages: object, system: object = None) -> Flattened:
    """Read a conversation: a list of messages, a bare prompt, or a request body that holds either.

    `system` is a system text that the API carries beside the messages; it goes first.
    """
    if isinstance(messages, dict) and "role" not in messages and "type" not in messages:
        body = messages
        messages = next((body[key] for key in REQUEST_KEYS if body.get(key)), None)
        system = system or next((body[key] for key in SYSTEM_KEYS if body.get(key)), None)
    systems = [text for text in (text_of(system),) if text]
    if isinstance(messages, str):
        return Flattened(_joined(systems), messages or None, 0)
    if isinstance(messages, dict):
        messages = [messages]
    if not isinstance(messages, list) or not messages:
        return Flattened(_joined(systems))
    if all(isinstance(message, str) for message in messages):
        return Flattened(_joined(systems), _joined(list(messages)), 0)
    users: list[str] = []
    for message in messages:
        if not isinstance(message, dict):
            continue
        role = message.get("role")
        if role in SYSTEM_ROLES:
            systems.extend(text for text in (_message_text(message),) if text)
        elif role in USER_ROLES or (role is None and message.get("type") in TEXT_TYPES):
            # A user message of tool results alone (Anthropic, Converse) is no turn of the user's.
            users.extend(text for text in (_message_text(message),) if text)
    return Flattened(
        _joined(systems),
        users[-1] if users else None,
        max(len(users) - 1, 0),
        block_digests(messages),
    )


def text_of(content: object) -> str | None:
    """Return the text of a content value (string, block, list of blocks), or None where it has none."""
    if isinstance(content, dict):
        content = content.get("parts", [content])
    if isinstance(content, str):
        return content or None
    if not isinstance(content, list):
        return None
    return _joined([text for text in map(_part_text, content) if text])


def block_digests(messages: object) -> tuple[str, ...]:
    """Return the digests of the opaque reasoning blocks in messages of any role, in their order.

    An opaque block is reasoning that a provider signs or encrypts and the caller hands back unread.
    The digest is BLAKE2b-128 in hex: equal blocks meet, and nothing leads back to their content.
    """
    if isinstance(messages, dict):
        messages = [messages]
    if not isinstance(messages, list):
        return ()
    found: list[str] = []
    for message in messages:
        if not isinstance(message, dict):
            continue
        found.extend(_opaque_of(message))
        for key in (*CONTENT_KEYS, "thinking_blocks", "reasoning_details"):
            parts = message.get(key)
            if isinstance(parts, list):
                for part in parts:
                    if isinstance(part, dict):
                        found.extend(_opaque_of(part))
    return tuple(block_digest(block) for block in dict.fromkeys(found))


def block_digest(block: str) -> str:
    """Return the digest under which one opaque block is known."""
    return hashlib.blake2b(block.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def tool_names(tools: object) -> list[str] | None:
    """Return the names of the tools a request offered, or None where it offered none.

    A built-in tool without a name (`{"type": "web_search"}`) goes by its type.
    """
    if isinstance(tools, dict):
        tools = tools.get("tools")
    if not isinstance(tools, list):
        return None
    names: list[str] = []
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        declared = tool.get("functionDeclarations") or tool.get("function_declarations")
        for each in declared if isinstance(declared, list) else [tool]:
            name = _tool_name(each)
            if name:
                names.append(name)
    return names or None


def response_format(value: object) -> str | None:
    """Return `text`, `json_object` or `json_schema` as a request asked for it."""
    if isinstance(value, dict):
        inner = value.get("format")
        value = inner.get("type") if isinstance(inner, dict) else value.get("type")
    return value if isinstance(value, str) and value else None


def is_refusal(finish_reason: object) -> bool:
    """Tell whether a finish reason says that the model or a filter declined."""
    return isinstance(finish_reason, str) and finish_reason.lower() in REFUSAL_REASONS


def _message_text(message: Mapping[object, object]) -> str | None:
    for key in CONTENT_KEYS:
        if message.get(key) is not None:
            return text_of(message[key])
    text = message.get("text")
    return text if isinstance(text, str) and text else None


def _part_text(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("type", "text") not in TEXT_TYPES:
        return None
    text = part.get("text")
    if text is None:
        text = part.get("content")
    return text if isinstance(text, str) else None


def _opaque_of(part: Mapping[object, object]) -> Iterator[str]:
    """Yield the opaque strings of one block, by the field in which each API keeps them."""
    if OPAQUE_KEYS.isdisjoint(part):
        return
    kind = part.get("type")
    for key in ("signature", "encrypted_content", "thoughtSignature", "thought_signature"):
        value = part.get(key)
        if isinstance(value, str) and value:
            yield value
    if kind in ("redacted_thinking", "reasoning.encrypted"):
        value = part.get("data")
        if isinstance(value, str) and value:
            yield value
    converse = part.get("reasoningContent")
    if isinstance(converse, dict):
        inner = converse.get("reasoningText")
        for holder, key in ((inner, "signature"), (converse, "redactedContent")):
            value = holder.get(key) if isinstance(holder, dict) else None
            if isinstance(value, str) and value:
                yield value


def _tool_name(tool: object) -> str | None:
    if not isinstance(tool, dict):
        return None
    holders = (tool, tool.get("function"), tool.get("toolSpec"))
    values = [holder.get("name") for holder in holders if isinstance(holder, dict)]
    return next((value for value in (*values, tool.get("type")) if isinstance(value, str) and value), None)


def _joined(texts: list[str]) -> str | None:
    return "\n".join(texts) if texts else None
