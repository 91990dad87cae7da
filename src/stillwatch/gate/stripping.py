"""What a decision takes out of replies, whole or streamed: log-probabilities, further choices, readable reasoning.

Opaque blocks (signatures, encrypted content) stay: who holds a conversation must hand them back, and nobody can read
them. The text of an answer is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from stillwatch.adapters.source import NotJsonError, decode_json
from stillwatch.gate.applying import Api
from stillwatch.gate.contract import Strip

EVENT_BYTES_MAX = 16 << 20
"""The last event of a Responses stream repeats the whole answer with its instructions and tools: a few MB at most."""

EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
LINE_END = re.compile(rb"\r\n|\n|\r")

READABLE = ("reasoning_content", "reasoning", "reasoning_text")
"""Where servers that speak OpenAI's chat API write reasoning that a person can read."""


class NotUnderstoodError(Exception):
    """A reply that should have been changed and could not be read."""


class EventSplitter:
    """Server-sent events of a stream, whole and as their own bytes, wherever the chunks were cut."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the events that a chunk completes, each with the blank line that ends it.

        Raises:  NotUnderstoodError for an event over EVENT_BYTES_MAX.
        """
        self._held += chunk
        while found := EVENT_END.search(self._held, self._searched):
            event = bytes(self._held[: found.end()])
            del self._held[: found.end()]
            self._searched = 0
            yield event
        # An end may have begun: at most three of its bytes can be here.
        self._searched = max(len(self._held) - 3, 0)
        if len(self._held) > EVENT_BYTES_MAX:
            self._held.clear()
            raise NotUnderstoodError("an event is larger than any of the APIs'")

    def rest(self) -> bytes:
        """Return what came after the last whole event."""
        rest = bytes(self._held)
        self._held.clear()
        return rest


def data_of(event: bytes) -> bytes:
    """Return the data of one event, its lines joined as the format says."""
    lines = [line[5:].removeprefix(b" ") for line in LINE_END.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines)


def stripped_event(event: bytes, api: Api, strip: frozenset[Strip]) -> bytes:
    """Return one event of a stream without what is stripped; nothing is left of some.

    Raises:  NotUnderstoodError where its data is not what the API sends.
    """
    data = data_of(event)
    if not data or data == b"[DONE]":
        return event
    try:
        decoded = decode_json(data)
    except NotJsonError:
        raise NotUnderstoodError("an event's data is not JSON") from None
    if not isinstance(decoded, dict):
        raise NotUnderstoodError("an event's data is not an object")
    kind = decoded.get("type")
    if "reasoning" in strip and isinstance(kind, str) and _is_readable_reasoning(kind, decoded):
        return b""
    before = msgspec.json.encode(decoded)
    for holder in (decoded, decoded.get("response"), decoded.get("message")):
        if isinstance(holder, dict):
            _strip_reply(holder, api, strip)
    for name in ("item", "part", "content_block"):
        if isinstance(decoded.get(name), dict):
            _strip_item(decoded[name], strip)
    after = msgspec.json.encode(decoded)
    if after == before:
        return event
    others = [line for line in LINE_END.split(event) if line and not line.startswith(b"data:")]
    return b"\n".join([*others, b"data: " + after]) + b"\n\n"


def stripped_reply(body: bytes, api: Api, strip: frozenset[Strip]) -> bytes:
    """Return a whole reply without what is stripped, its own bytes where there is none of it.

    Raises:  NotUnderstoodError where it is not a JSON object.
    """
    try:
        decoded = decode_json(body)
    except NotJsonError:
        raise NotUnderstoodError("the reply is not JSON") from None
    if not isinstance(decoded, dict):
        raise NotUnderstoodError("the reply is not an object")
    before = msgspec.json.encode(decoded)
    _strip_reply(decoded, api, strip)
    after = msgspec.json.encode(decoded)
    return body if after == before else after


def _is_readable_reasoning(kind: str, event: dict[str, Any]) -> bool:
    if kind.startswith(("response.reasoning_", "response.reasoning.")):
        return True
    delta = event.get("delta")
    return kind == "content_block_delta" and isinstance(delta, dict) and delta.get("type") == "thinking_delta"


def _strip_reply(body: dict[str, Any], api: Api, strip: frozenset[Strip]) -> None:
    choices = body.get("choices")
    if isinstance(choices, list):
        # One completions request may hold several prompts, each with a choice of its own.
        if "n-best" in strip and api == "chat":
            body["choices"] = choices = [each for each in choices if not _is_further(each)]
        for choice in choices:
            if isinstance(choice, dict):
                _strip_choice(choice, strip)
    if "logprobs" in strip:
        _clear(body, ("prompt_logprobs", "logprobs"))
    for name in ("output", "content"):
        items = body.get(name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                _strip_item(item, strip)
    candidates = body.get("candidates")
    if isinstance(candidates, list):
        if "n-best" in strip:
            body["candidates"] = candidates = [each for each in candidates if not _is_further(each)]
        for candidate in candidates:
            if isinstance(candidate, dict):
                _strip_candidate(candidate, strip)


def _is_further(choice: object) -> bool:
    return isinstance(choice, dict) and choice.get("index") not in (None, 0)


def _strip_choice(choice: dict[str, Any], strip: frozenset[Strip]) -> None:
    if "logprobs" in strip:
        _clear(choice, ("logprobs", "prompt_logprobs"))
    if "reasoning" not in strip:
        return
    for name in ("message", "delta"):
        message = choice.get(name)
        if not isinstance(message, dict):
            continue
        for readable in READABLE:
            message.pop(readable, None)
        for blocks in ("reasoning_details", "thinking_blocks", "content"):
            parts = message.get(blocks)
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict):
                    _strip_item(part, strip)


def _strip_item(item: dict[str, Any], strip: frozenset[Strip]) -> None:
    """Strip an item of a Responses reply, a content part, or a block of thinking."""
    kind = item.get("type")
    if "logprobs" in strip and item.get("logprobs"):
        item["logprobs"] = []
    if "reasoning" in strip and isinstance(kind, str):
        if kind == "thinking" and item.get("thinking"):
            item["thinking"] = ""
        elif kind == "reasoning":
            for name in ("summary", "content"):
                if item.get(name):
                    item[name] = []
        elif kind in ("reasoning.text", "reasoning.summary"):
            for name in ("text", "summary"):
                if item.get(name):
                    item[name] = ""
    parts = item.get("content")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            _strip_item(part, strip)


def _strip_candidate(candidate: dict[str, Any], strip: frozenset[Strip]) -> None:
    if "logprobs" in strip:
        for name in ("logprobsResult", "avgLogprobs"):
            candidate.pop(name, None)
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    if "reasoning" in strip and isinstance(content, dict) and isinstance(parts, list):
        content["parts"] = [part for part in parts if not (isinstance(part, dict) and part.get("thought") is True)]


def _clear(holder: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if holder.get(name) is not None:
            holder[name] = [] if isinstance(holder[name], list) else None
