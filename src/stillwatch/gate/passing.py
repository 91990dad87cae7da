"""The way of a reply to the caller, as raw ASGI: as it comes and read aside, or changed where something is stripped."""

from __future__ import annotations

from typing import NoReturn

from stillwatch.gate.applying import Api
from stillwatch.gate.contract import Notice, Reply, Strip
from stillwatch.gate.forwarding import Headers, without_callers_marks
from stillwatch.gate.receiving import Bounds, Message, Send
from stillwatch.gate.refusing import Answer, answer
from stillwatch.gate.replies import ReplyReader
from stillwatch.gate.stripping import EventSplitter, NotUnderstoodError, stripped_event, stripped_reply

OF_THE_BYTES = frozenset({b"content-length", b"content-md5", b"content-digest", b"digest", b"etag", b"repr-digest"})
"""Headers that hold no longer once a reply is changed."""


class GivenUpError(Exception):
    """The reply goes no further: who sends it may stop."""


class Passing:
    """Takes the messages of one reply. `alarm` names what a person must look at, where there is something.

    A reply that must be changed and cannot be read is never passed: whole, it becomes an error; streamed, it ends
    without its end.
    """

    def __init__(self, send: Send, api: Api, strip: frozenset[Strip], bounds: Bounds) -> None:
        self._send, self._api, self._strip, self._bounds = send, api, strip, bounds
        self._start: Message | None = None
        self._splitter: EventSplitter | None = None
        self._whole: bytearray | None = None
        self._reader: ReplyReader | None = None
        self._status: int | None = None
        self._is_over = False
        self.alarm = ""

    async def __call__(self, message: Message) -> None:
        if self._is_over:
            raise GivenUpError
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._take(message.get("body", b""), message.get("more_body", False))
        else:
            await self._send(message)

    async def finish(self) -> None:
        """Answer for a reply that was held and never came whole."""
        if self._whole is not None and not self._is_over:
            await self._answer_instead("upstream-cut", "The upstream's reply was cut.")

    def reply(self, duration_ms: float) -> Reply:
        """Return what the reply told by now."""
        if self._reader is None:
            return Reply(status=self._status, duration_ms=duration_ms)
        if self._reader.overflowed:
            self.alarm = self.alarm or "reply-unread"
        return self._reader.reply(self._status, duration_ms)

    async def _begin(self, message: Message) -> None:
        self._status = message["status"]
        # What the provider was told of the call is not for the caller, should it come back.
        message = {**message, "headers": without_callers_marks(message.get("headers", ()))}
        headers = {name.lower(): value.lower() for name, value in message["headers"]}
        kind = headers.get(b"content-type", b"")
        is_stream = kind.startswith(b"text/event-stream")
        if headers.get(b"content-encoding", b"identity") == b"identity" and (is_stream or b"json" in kind):
            self._reader = ReplyReader(is_stream)
        if not self._strip or message["status"] >= 300:
            await self._send(message)
        elif self._reader is None:
            await self._give_up("reply-not-understood", "The upstream's reply is in no form that the gate reads.")
        elif is_stream:
            self._splitter = EventSplitter()
            await self._send({**message, "headers": _without_length(message)})
        else:
            self._start, self._whole = message, bytearray()

    async def _take(self, chunk: bytes, more: bool) -> None:
        if self._reader is not None:
            self._reader.feed(chunk)
        if self._whole is not None:
            await self._hold(chunk, more)
        elif self._splitter is not None:
            await self._take_events(self._splitter, chunk, more)
        else:
            self._is_over = not more
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _take_events(self, splitter: EventSplitter, chunk: bytes, more: bool) -> None:
        kept: list[bytes] = []
        try:
            kept.extend(stripped_event(event, self._api, self._strip) for event in splitter.feed(chunk))
            if not more:
                kept.append(stripped_event(splitter.rest(), self._api, self._strip))
        except NotUnderstoodError:
            await self._pass(b"".join(kept), True)
            self.alarm, self._is_over = "reply-not-understood", True
            raise GivenUpError from None
        self._is_over = not more
        await self._pass(b"".join(kept), more)

    async def _pass(self, body: bytes, more: bool) -> None:
        if body or not more:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _hold(self, chunk: bytes, more: bool) -> None:
        assert self._whole is not None
        assert self._start is not None
        self._whole += chunk
        if len(self._whole) > self._bounds.reply_bytes_max:
            await self._give_up("reply-too-large", "The upstream's reply is larger than the gate holds.")
        if more:
            return
        try:
            body = stripped_reply(bytes(self._whole), self._api, self._strip)
        except NotUnderstoodError:
            await self._give_up("reply-not-understood", "The upstream's reply is in no form that the gate reads.")
        self._is_over = True
        headers = [*_without_length(self._start), (b"content-length", str(len(body)).encode())]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _give_up(self, code: str, text: str) -> NoReturn:
        await self._answer_instead(code, text)
        raise GivenUpError

    async def _answer_instead(self, code: str, text: str) -> None:
        self.alarm, self._is_over, self._status, self._reader = code, True, 502, None
        await send_answer(self._send, answer(502, Notice(code, text, ""), self._api))


async def send_answer(send: Send, told: Answer) -> None:
    """Send a whole reply of ours."""
    await send({"type": "http.response.start", "status": told.status, "headers": list(told.headers)})
    await send({"type": "http.response.body", "body": told.body, "more_body": False})


def _without_length(message: Message) -> Headers:
    return [(name, value) for name, value in message.get("headers", ()) if name.lower() not in OF_THE_BYTES]
