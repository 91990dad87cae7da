"""The upstream as a raw ASGI application: a request goes on to one fixed place, its reply comes back as it comes.

No redirect is followed, nothing is decompressed, no environment and no cookie is looked at. A caller who leaves takes
his call with him; an upstream that fails before its reply is answered for with 502 or 504, one that fails in it ends
the reply without its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from stillwatch.gate.applying import api_of
from stillwatch.gate.contract import Notice
from stillwatch.gate.forwarding import UpstreamSettings, base_of, is_safe_target, returned_headers, sent_headers
from stillwatch.gate.passing import send_answer
from stillwatch.gate.receiving import Receive, Scope, Send
from stillwatch.gate.refusing import answer
from stillwatch.gate.requests import plain_path

HEADER_BYTES_MAX = 64 << 10
"""Of one header of a reply: rate-limit and trace headers are short, content policies reach some KB."""


class CallerGoneError(Exception):
    """Who asked left before his body was whole."""


class Upstream:
    """Sends requests to the place that the settings name.

    Raises:  Error `upstream-not-usable` for settings that name no such place.
    """

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self._origin, self._base_path = base_of(settings.base_url)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready to send, in the loop that will send."""
        settings = self.settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.connections_max, keepalive_timeout=settings.idle_s),
            timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_s, sock_read=settings.read_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            max_field_size=HEADER_BYTES_MAX,
        )

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._session is None:
            await self.open()
        exchange = _Exchange(scope, receive, send)
        url, headers = self._target(scope)
        try:
            async with asyncio.timeout(None) as leaving:
                watching = asyncio.ensure_future(exchange.watch(leaving))
                try:
                    await self._run(exchange, url, headers)
                finally:
                    watching.cancel()
        except TimeoutError:
            if not leaving.expired():
                raise

    def _target(self, scope: Scope) -> tuple[URL, CIMultiDict[str]]:
        path, query = scope["raw_path"], scope.get("query_string", b"")
        assert is_safe_target(path, query), "the door refuses such targets"
        text = f"{self._origin}{self._base_path}{path.decode('ascii')}"
        client = scope.get("client")
        headers = sent_headers(scope["headers"], client[0] if client else None, scope.get("scheme", "http"))
        url = URL(f"{text}?{query.decode('ascii')}" if query else text, encoded=True)
        return url, CIMultiDict((name.decode("ascii"), value.decode("utf-8")) for name, value in headers)

    async def _run(self, exchange: _Exchange, url: URL, headers: CIMultiDict[str]) -> None:
        assert self._session is not None
        try:
            method = exchange.scope["method"]
            # The body has no name here, so that it is not held until the reply is over.
            async with self._session.request(
                method, url, data=await exchange.data(headers), headers=headers, allow_redirects=False
            ) as reply:
                await exchange.pass_on(reply)
        except CallerGoneError:
            return
        except TimeoutError:
            await exchange.fail(504, "upstream-slow", "The upstream did not answer in time.")
        except (aiohttp.ClientError, OSError):
            if not exchange.is_caller_gone:
                await exchange.fail(502, "upstream-failed", "The upstream could not be reached or broke off.")


class _Exchange:
    """One request and its reply."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._sent_whole = asyncio.Event()
        self._is_begun = False
        self.is_over = False
        self.is_caller_gone = False

    async def data(self, headers: CIMultiDict[str]) -> bytes | AsyncIterator[bytes] | None:
        """Return the body to send: None where there is none, whole where it came at once, else as it comes."""
        if "content-length" not in headers and not self._is_chunked():
            self._sent_whole.set()
            return None
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise CallerGoneError
        first = bytes(message.get("body", b""))
        if message.get("more_body", False):
            return self._chunks(first)
        self._sent_whole.set()
        return first

    async def watch(self, leaving: asyncio.Timeout) -> None:
        """Have time run out at once when the caller leaves; until his body is whole it is the sender who notices."""
        await self._sent_whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            continue
        if not self.is_over:
            leaving.reschedule(asyncio.get_running_loop().time())

    async def pass_on(self, reply: aiohttp.ClientResponse) -> None:
        """Send a reply as it comes."""
        self._is_begun = True
        headers = returned_headers(reply.raw_headers)
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        async for chunk in reply.content.iter_any():
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        self.is_over = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, status: int, code: str, text: str) -> None:
        """Answer for the upstream where its reply has not begun; one that has ends without its end."""
        if self._is_begun:
            return
        self._is_begun = self.is_over = True
        api = api_of(plain_path(self.scope["raw_path"].decode("ascii")))
        await send_answer(self._send, answer(status, Notice(code, text, ""), api))

    def _is_chunked(self) -> bool:
        return any(name.lower() == b"transfer-encoding" for name, _ in self.scope["headers"])

    async def _chunks(self, first: bytes) -> AsyncIterator[bytes]:
        yield first
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_caller_gone = True
                raise CallerGoneError
            if body := message.get("body", b""):
                yield bytes(body)
            if not message.get("more_body", False):
                self._sent_whole.set()
                return
