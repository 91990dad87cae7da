"""The middleware door: the gate inside a Python gateway, as plain ASGI middleware before its own routes."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from stillwatch.gate.forwarding import without_callers_marks
from stillwatch.gate.guarding import Guard
from stillwatch.gate.receiving import App, BodyPool, Bounds, Receive, Scope, Send
from stillwatch.gate.requests import Identity, is_model_path, plain_path
from stillwatch.gate.service import Gate


class StillwatchMiddleware:
    """Decides the model calls of an ASGI application; its other routes pass untouched.

    `reserved` are headers that only your edge or the gate writes, besides X-Stillwatch-*: a caller's are dropped. A
    WebSocket on the path of a model call is refused, since its calls could not be decided; others pass.
    """

    def __init__(
        self,
        app: App,
        gate: Gate,
        identity: Identity | None = None,
        bounds: Bounds | None = None,
        reserved: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._guard = Guard(gate, identity or Identity(), bounds or Bounds(), "middleware", BodyPool())
        self._reserved = frozenset(reserved)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # The application routes by the decoded path, whatever the raw one says.
            scope = {**scope, "headers": without_callers_marks(scope["headers"], self._reserved)}
            await self._guard(self._app, scope, receive, send, quote(scope["path"]))
        elif scope["type"] == "websocket" and is_model_path(plain_path(quote(scope["path"]))):
            await send({"type": "websocket.close", "code": 1008, "reason": "websocket-refused"})
        else:
            await self._app(scope, receive, send)
