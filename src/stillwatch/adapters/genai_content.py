"""Where each OpenTelemetry convention puts what was said, and how to read it when it was cut.

Attributes that hold JSON text, structured attributes, one log event for each message, one attribute
for each leaf, a whole request body: the places are tried in turn until one holds text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stillwatch.adapters.bodies import embedded_json
from stillwatch.adapters.messages import Flattened, flatten
from stillwatch.adapters.otlp import Record

MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE_EVENT = "gen_ai.choice"


def conversation(
    events: list[Record], found: Mapping[str, object], request: Mapping[object, object]
) -> tuple[Flattened, bool]:
    """Return what was said, from the first place that holds text, and whether a text was cut.

    `events` are the message events of the call, `found` its attributes, `request` its request body.
    """
    cut = any(name.endswith("_ref") and name.startswith("gen_ai.") for name in found)
    system, system_cut = decoded(found.get("gen_ai.system_instructions"))
    best = Flattened()
    for messages, was_cut in _places(events, found, request):
        said = flatten(messages, system)
        if said.input_text or (said.system_prompt and not best.system_prompt):
            best, cut = said, cut or was_cut
        if said.input_text:
            break
    if best == Flattened() and system is not None:
        best = flatten(None, system)
    return best, cut or system_cut


def _places(
    events: list[Record], found: Mapping[str, object], request: Mapping[object, object]
) -> Iterator[tuple[object, bool]]:
    yield decoded(found.get("gen_ai.input.messages"))
    yield [_event_message(event) for event in events if event.name in MESSAGE_EVENTS], False
    yield request, False
    yield list(indexed(found, "llm.input_messages.", "message.")), False
    yield list(indexed(found, "gen_ai.prompt.", "")), False
    for event in events:
        yield decoded(event.attributes.get("gen_ai.prompt"))
    yield decoded(found.get("gen_ai.prompt"))
    yield list(_embedding_texts(found)), False
    if not request:
        yield decoded(found.get("input.value"))


def decoded(value: object) -> tuple[object, bool]:
    """Return a message attribute decoded, and whether it was cut: exporters cut long strings anywhere."""
    if not isinstance(value, str):
        return value, False
    decoded = embedded_json(value)
    if decoded is not value or value.lstrip()[:1] not in ("{", "["):
        return decoded, False
    return closed_json(value), True


def closed_json(text: str) -> object:
    """Return what a JSON text held before it was cut off, or None where nothing can be told."""
    closers: list[str] = []
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted, escaped = escaped or character != '"', not escaped and character == "\\"
        elif character == '"':
            quoted = True
        elif character in "{[":
            closers.append("}" if character == "{" else "]")
        elif character in "}]" and closers:
            closers.pop()
    if quoted:
        text = re.sub(r"\\(u[0-9a-fA-F]{0,3})?$", "", text) + '"'
    tail = "".join(reversed(closers))
    for middle in ("", "null", ":null"):
        candidate = text.rstrip().removesuffix(",") + middle + tail
        decoded = embedded_json(candidate)
        if decoded is not candidate:
            return decoded
    return None


def _event_message(event: Record) -> dict[str, object]:
    """Return the message of one message event, whose text is in its body or in an attribute."""
    body = embedded_json(event.body)
    message = dict(body) if isinstance(body, dict) else {"content": body}
    message.setdefault("role", MESSAGE_EVENTS[event.name])
    if message.get("content") is None:
        message["content"] = event.attributes.get("content") or event.attributes.get("gen_ai.event.content")
    return message


def indexed(found: Mapping[str, object], prefix: str, inner: str) -> Iterator[dict[str, object]]:
    """Yield messages that were flattened into attributes, one attribute for each leaf."""
    messages: dict[int, dict[str, object]] = {}
    for name, value in found.items():
        if not name.startswith(prefix):
            continue
        number, _, leaf = name.removeprefix(prefix).partition(".")
        if not number.isdecimal():
            continue
        message = messages.setdefault(int(number), {})
        leaf = leaf.removeprefix(inner)
        if leaf.startswith("contents."):
            at, _, part = leaf.removeprefix("contents.").partition(".")
            parts = message.setdefault("parts", {})
            if isinstance(parts, dict):
                parts.setdefault(at, {})[part.removeprefix("message_content.")] = value
        else:
            message[leaf] = value
    for _, message in sorted(messages.items()):
        parts = message.get("parts")
        if isinstance(parts, dict):
            message["parts"] = list(parts.values())
        elif isinstance(message.get("content"), str):
            message["content"] = embedded_json(message["content"])
        yield message


def _embedding_texts(found: Mapping[str, object]) -> Iterator[str]:
    for name, value in found.items():
        is_text = name.startswith("embedding.embeddings.") and name.endswith(".embedding.text")
        if is_text and isinstance(value, str):
            yield value
