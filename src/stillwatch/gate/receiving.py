"""What a caller sends, as raw ASGI: bodies read whole within bounds, and his leaving noticed while somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from stillwatch.gate.contract import Notice
from stillwatch.gate.forwarding import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one call the gate holds, and for how long.

    `body_bytes_max` is above the largest request that the public APIs take (Anthropic's 32 MB); `bodies_bytes_max`
    bounds all bodies that are held at once; `reply_bytes_max` a reply that is held because it is changed.

    Units:   seconds; delay_ms_max are milliseconds.
    """

    body_bytes_max: int = 33 << 20
    bodies_bytes_max: int = 512 << 20
    reply_bytes_max: int = 64 << 20
    body_s_max: float = 60.0
    delay_ms_max: int = 10_000


class BodyRefusedError(Exception):
    """A body that is not read to its end, with the status and the words for who sent it."""

    def __init__(self, status: int, code: str, text: str, retry_after_s: int = 0) -> None:
        super().__init__(code)
        self.status, self.notice, self.retry_after_s = status, Notice(code, text, ""), retry_after_s


@dataclass(slots=True)
class BodyPool:
    """Bytes of all bodies that are held now."""

    held_bytes: int = 0


class Inbox:
    """The receiving end of one call: its body whole, and its end noticed while a delay runs.

    `body` is held, and counted in the pool, until it is received from here.
    """

    def __init__(self, receive: Receive, pool: BodyPool, bounds: Bounds) -> None:
        self._receive, self._pool, self._bounds = receive, pool, bounds
        self._bytes = 0
        self.body: bytes | None = None
        self._asked: asyncio.Future[Message] | None = None

    async def __call__(self) -> Message:
        if self.body is not None:
            body = self.body
            self._let_go()
            return {"type": "http.request", "body": body, "more_body": False}
        if self._asked is not None:
            return await self._asked
        return await self._receive()

    async def read(self, headers: Headers) -> bool:
        """Read the whole body, and tell whether it came whole: else the caller left.

        Raises:  BodyRefusedError where it is compressed, too large, or too slow.
        """
        codings = [value for name, value in headers if name.lower() == b"content-encoding"]
        if any(coding.strip().lower() not in (b"", b"identity") for coding in codings):
            raise BodyRefusedError(415, "request-body-coded", "Send the body of a model call uncompressed.")
        told = next((value for name, value in headers if name.lower() == b"content-length"), b"")
        if told.isdigit() and int(told[:20]) > self._bounds.body_bytes_max:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._bounds.body_s_max):
                self.body = await self._read()
        except TimeoutError:
            raise BodyRefusedError(408, "request-body-slow", "The body of the call did not come in time.") from None
        return self.body is not None

    async def _read(self) -> bytes | None:
        chunks: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            chunks.append(chunk)
            self._bytes += len(chunk)
            self._pool.held_bytes += len(chunk)
            if self._bytes > self._bounds.body_bytes_max:
                raise self._too_large()
            if self._pool.held_bytes > self._bounds.bodies_bytes_max:
                raise BodyRefusedError(503, "gate-full", "Too many large calls at once: try again.", 1)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> BodyRefusedError:
        most = self._bounds.body_bytes_max >> 20
        return BodyRefusedError(413, "request-body-large", f"The body of the call is larger than {most} MiB.")

    async def gone_within(self, seconds: float) -> bool:
        """Wait, and tell whether the caller left meanwhile."""
        self._asked = asyncio.ensure_future(self._receive())
        done, _ = await asyncio.wait({self._asked}, timeout=seconds)
        return any(asked.result()["type"] == "http.disconnect" for asked in done)

    def close(self) -> None:
        """Hold and ask no more."""
        self._let_go()
        if self._asked is not None:
            self._asked.cancel()

    def _let_go(self) -> None:
        self.body = None
        self._pool.held_bytes -= self._bytes
        self._bytes = 0
