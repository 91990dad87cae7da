"""What a reply tells, read as it passes by: tokens, how it ended, the opaque blocks that it issues.

Nothing of an answer's text is kept, and nothing that passes waits for its being read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.adapters.bodies import Columns, reply_columns
from stillwatch.adapters.source import NotJsonError, decode_json
from stillwatch.adapters.streamed_replies import RESPONSES_ENDS, StreamedReply
from stillwatch.gate.contract import Reply
from stillwatch.gate.stripping import EventSplitter, NotUnderstoodError, data_of

WHOLE_BYTES_MAX = 16 << 20
"""A whole answer is some hundred KB; only embeddings of thousands of texts are larger, and their tokens go unread."""

COUNT_MAX = 2**63 - 1
"""What a count is kept in."""


class ReplyReader:
    """Reads one reply aside, streamed or whole.

    `overflowed` tells that the reply was larger than what is read; its tokens are then unknown.
    """

    def __init__(self, is_stream: bool) -> None:
        self.overflowed = False
        self._splitter = EventSplitter() if is_stream else None
        self._streamed = StreamedReply()
        self._whole = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the reply."""
        if self.overflowed:
            return
        if self._splitter is None:
            self._whole += chunk
            self.overflowed = len(self._whole) > WHOLE_BYTES_MAX
        else:
            try:
                for event in self._splitter.feed(chunk):
                    self._take(event)
            except NotUnderstoodError:
                self.overflowed = True
        if self.overflowed:
            self._whole.clear()

    def reply(self, status: int | None, duration_ms: float) -> Reply:
        """Return what is known by now."""
        return reply_of(self._columns(), status, duration_ms)

    def _columns(self) -> Columns:
        if self._splitter is not None:
            self._take(self._splitter.rest())
            return reply_columns(self._streamed.body())
        try:
            return reply_columns(decode_json(bytes(self._whole))) if self._whole else {}
        except NotJsonError:
            return {}

    def _take(self, event: bytes) -> None:
        data = data_of(event)
        if not data.startswith(b"{"):
            return
        try:
            decoded = decode_json(data)
        except NotJsonError:
            return
        kind = decoded.get("type")
        if kind == "response.output_item.done":
            decoded["item"] = _without_text(decoded.get("item"))
        elif kind in RESPONSES_ENDS and isinstance(decoded.get("response"), dict):
            decoded["response"] = _ending(decoded["response"])
        elif kind == "content_block_start" and isinstance(decoded.get("content_block"), dict):
            block = decoded["content_block"]
            decoded["content_block"] = {name: value for name, value in block.items() if name in BLOCK_FIELDS}
        self._streamed.take(decoded)


BLOCK_FIELDS = ("type", "signature", "data")
ITEM_FIELDS = ("type", "encrypted_content", "refusal")
ENDING_FIELDS = ("model", "status", "usage", "incomplete_details")


def reply_of(columns: Mapping[str, Any], status: int | None, duration_ms: float) -> Reply:
    """Return a reply from the columns of its body; a value of a wrong type counts as absent."""
    refused, blocks = columns.get("refused"), columns.get("issued_blocks")
    return Reply(
        status=status,
        response_model=_text(columns.get("response_model")),
        finish_reason=_text(columns.get("finish_reason")),
        refused=refused if isinstance(refused, bool) else None,
        input_tokens=_count(columns.get("input_tokens")),
        output_tokens=_count(columns.get("output_tokens")),
        reasoning_tokens=_count(columns.get("reasoning_tokens")),
        cached_tokens=_count(columns.get("cached_tokens")),
        duration_ms=duration_ms,
        issued_blocks=tuple(blocks) if isinstance(blocks, list) else (),
    )


def _ending(response: Mapping[str, Any]) -> dict[str, Any]:
    ending = {name: response[name] for name in ENDING_FIELDS if name in response}
    output = response.get("output")
    if isinstance(output, list) and output:
        ending["output"] = [_without_text(item) for item in output]
    return ending


def _without_text(item: object) -> dict[str, Any]:
    """Return an item of a Responses reply as far as it tells how the reply ended."""
    if not isinstance(item, dict):
        return {}
    kept = {name: item[name] for name in ITEM_FIELDS if name in item}
    parts = item.get("content")
    if isinstance(parts, list):
        kept["content"] = [{"type": part.get("type")} for part in parts if isinstance(part, dict)]
    return kept


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_MAX
    return value if is_count and isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
