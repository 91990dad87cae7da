"""The proxy door: a reverse proxy, raw ASGI, before one upstream.

Model calls are decided and carried out as `guarding` says; whatever else comes passes as it is, both ways. What could
reach past the upstream's path, or is no plain HTTP, is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from stillwatch.gate.applying import api_of
from stillwatch.gate.contract import Notice
from stillwatch.gate.forwarding import believed, is_passable, is_safe_target
from stillwatch.gate.guarding import Guard
from stillwatch.gate.passing import send_answer
from stillwatch.gate.receiving import BodyPool, Bounds, Receive, Scope, Send
from stillwatch.gate.refusing import answer
from stillwatch.gate.requests import Identity, is_model_path, plain_path
from stillwatch.gate.service import Gate
from stillwatch.gate.upstream import Upstream

TEXTS = {
    "target-refused": "The target of the request is none that can be passed on.",
    "header-refused": "A header of the request is no text that can be passed on.",
    "unknown-path": "The gate passes model calls only.",
    "websocket-refused": "The gate passes no WebSocket: it could not decide its calls. Use HTTP.",
}


class Proxy:
    """A gate before an upstream, to be served by any ASGI server.

    `unknown` says whether what is no model call passes untouched or is refused with 404: batch files, for one, hold
    calls that no gate sees. Lifespan opens and closes the upstream; a server without it opens at the first call, and
    whoever runs it closes.
    """

    def __init__(
        self,
        gate: Gate,
        upstream: Upstream,
        identity: Identity | None = None,
        bounds: Bounds | None = None,
        unknown: Literal["pass", "refuse"] = "pass",
    ) -> None:
        self._guard = Guard(gate, identity or Identity(), bounds or Bounds(), "proxy", BodyPool())
        self._upstream = upstream
        self._unknown = unknown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send, self._upstream.open, self._upstream.close)
        elif scope["type"] == "websocket":
            await refuse_websocket(scope, send)
        else:
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path, headers = scope["raw_path"], list(scope["headers"])
        path = plain_path(raw_path.decode("latin-1"))
        fault, status = "", 200
        if not is_safe_target(raw_path, scope.get("query_string", b"")):
            fault, status = "target-refused", 400
        elif not is_passable(headers):
            fault, status = "header-refused", 400
        elif any(name.lower() == b"upgrade" and b"websocket" in value.lower() for name, value in headers):
            fault, status = "websocket-refused", 501
        elif self._unknown == "refuse" and not is_model_path(path):
            fault, status = "unknown-path", 404
        if fault:
            await send_answer(send, answer(status, Notice(fault, TEXTS[fault], ""), api_of(path)))
            return
        scope = {**scope, "headers": believed(headers, self._upstream.settings)}
        await self._guard(self._upstream, scope, receive, send, raw_path.decode("ascii"))


async def refuse_websocket(scope: Scope, send: Send) -> None:
    """Refuse a WebSocket, with words where the server can send them."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": "websocket-refused"})
        return
    told = answer(501, Notice("websocket-refused", TEXTS["websocket-refused"], ""), None)
    await send({"type": "websocket.http.response.start", "status": told.status, "headers": list(told.headers)})
    await send({"type": "websocket.http.response.body", "body": told.body, "more_body": False})


async def answer_lifespan(
    receive: Receive, send: Send, opened: Callable[[], Awaitable[None]], closed: Callable[[], Awaitable[None]]
) -> None:
    """Open at the server's start and close at its end."""
    while True:
        kind = (await receive())["type"]
        if kind == "lifespan.startup":
            await opened()
        elif kind == "lifespan.shutdown":
            await closed()
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
