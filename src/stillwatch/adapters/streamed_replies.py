"""Streamed replies → the whole reply that they amount to: OpenAI chat, completions, Responses, Anthropic.

Words of the reply are let go as they pass: nothing that detects reads them. What is kept is how the
reply ended, what it cost, and the opaque reasoning blocks in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.adapters.bodies import embedded_json

SSE_START = re.compile(r"\s*(?:event|data|id|retry)?:")
LINE_END = re.compile(r"\r\n|\n|\r")
"""What ends a line of an event stream. `str.splitlines` also breaks at U+2028, which JSON may hold."""

OPAQUE_KEYS = ("signature", "data", "encrypted_content")
RESPONSES_ENDS = ("response.completed", "response.incomplete", "response.failed")
STREAM_KINDS = ("message_", "content_block_", "response.")


def stream_events(body: object) -> list[object] | None:
    """Return the decoded events of a streamed reply, or None for a body that is not one.

    A stream is kept as its text, as a list of events or of their lines, or under `streamed_data`.
    """
    if isinstance(body, dict):
        kept = body.get("streamed_data")
        return stream_events(kept) if isinstance(kept, str | list) else None
    if isinstance(body, str):
        return sse_events(body) if SSE_START.match(body) else None
    if not isinstance(body, list):
        return None
    events: list[object] = []
    for member in body:
        if isinstance(member, str):
            events += sse_events(member) if SSE_START.match(member) else [embedded_json(member)]
        elif isinstance(member, dict) and "data" in member and "choices" not in member:
            events.append(embedded_json(member["data"]))
        else:
            events.append(member)
    return events


def sse_events(text: str) -> list[object]:
    """Return the decoded data of each server-sent event, without the closing `[DONE]`."""
    events: list[object] = []
    held: list[str] = []
    for line in (*LINE_END.split(text), ""):
        if line.startswith("data:"):
            held.append(line[5:].removeprefix(" "))
        elif not line and held:
            events.append(embedded_json("\n".join(held)))
            held = []
    return [event for event in events if event != "[DONE]"]


def is_chat_stream(events: Iterable[object]) -> bool:
    """Tell whether any event is one that `assembled` understands."""
    return any(
        "choices" in event or str(event.get("type")).startswith(STREAM_KINDS)
        for event in events
        if isinstance(event, dict)
    )


def assembled(events: Iterable[object]) -> dict[str, object]:
    """Return the reply body that a stream amounts to, as `bodies.reply_columns` reads it."""
    reply = StreamedReply()
    for event in events:
        if isinstance(event, dict):
            reply.take(event)
    return reply.body()


class StreamedReply:
    """A reply that grows with its events; whatever an event lacks or garbles is passed over."""

    def __init__(self) -> None:
        self._body: dict[str, object] = {}
        self._usage: dict[object, object] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._items: list[object] = []

    def take(self, event: Mapping[Any, Any]) -> None:
        kind = event.get("type")
        if kind in RESPONSES_ENDS:
            self._body |= _mapping(event.get("response"))
        elif kind == "response.output_item.done":
            self._items.append(event.get("item"))
        elif kind == "message_start":
            message = _mapping(event.get("message"))
            self._body |= message
            self._take_usage(message)
        elif kind == "content_block_start":
            self._blocks[_index(event)] = dict(_mapping(event.get("content_block")))
        elif kind == "content_block_delta":
            self._take_block_delta(event)
        elif kind == "message_delta":
            self._body |= {k: v for k, v in _mapping(event.get("delta")).items() if v is not None}
            self._take_usage(event)
        elif "choices" in event:
            self._take_choices(event)

    def body(self) -> dict[str, object]:
        body = dict(self._body)
        if self._usage:
            body["usage"] = self._usage
        if self._blocks:
            body["content"] = [block for _, block in sorted(self._blocks.items())]
        if self._choices:
            body["choices"] = [choice for _, choice in sorted(self._choices.items())]
        if self._items and not body.get("output"):
            body["output"] = self._items
        return body

    def _take_usage(self, holder: Mapping[Any, Any]) -> None:
        # Counts in a stream are running totals: a later one stands, never the sum.
        usage = _mapping(holder.get("usage"))
        self._usage |= {name: count for name, count in usage.items() if count is not None}

    def _take_block_delta(self, event: Mapping[Any, Any]) -> None:
        signature = _mapping(event.get("delta")).get("signature")
        if isinstance(signature, str):
            block = self._blocks.setdefault(_index(event), {"type": "thinking"})
            block["signature"] = f"{block.get('signature') or ''}{signature}"

    def _take_choices(self, event: Mapping[Any, Any]) -> None:
        self._take_usage(event)
        if event.get("model"):
            self._body["model"] = event["model"]
        choices = event["choices"]
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            held = self._choices.setdefault(_index(choice), {"finish_reason": None, "message": {}})
            held["finish_reason"] = choice.get("finish_reason") or choice.get("stop_reason") or held["finish_reason"]
            delta = _mapping(choice.get("delta")) or _mapping(choice.get("message"))
            if delta.get("refusal"):
                held["message"]["refusal"] = True
            for key in ("thinking_blocks", "reasoning_details"):
                parts = delta.get(key)
                if isinstance(parts, list):
                    _take_parts(held["message"].setdefault(key, []), parts)


def _take_parts(held: list[dict[str, Any]], parts: list[object]) -> None:
    """Append opaque parts; pieces with one `index` are one part, sent bit by bit."""
    for part in parts:
        if not isinstance(part, dict):
            continue
        opaque = {key: part[key] for key in OPAQUE_KEYS if isinstance(part.get(key), str)}
        same = next((one for one in held if "index" in part and one["index"] == part["index"]), None)
        if same is None:
            held.append({"type": part.get("type"), "index": part.get("index"), **opaque})
            continue
        for key, piece in opaque.items():
            same[key] = f"{same.get(key) or ''}{piece}"


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _index(holder: Mapping[Any, Any]) -> int:
    index = holder.get("index")
    return index if isinstance(index, int) else 0
