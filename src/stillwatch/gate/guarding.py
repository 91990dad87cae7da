"""One HTTP exchange under the gate, as raw ASGI: what the proxy and the middleware share.

A model call's body is read whole, decided, and handed on as the decision leaves it; everything else passes untouched.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from stillwatch.errors import Error
from stillwatch.gate.applying import UNFELT, Api, api_of, applied, routed, tagged
from stillwatch.gate.contract import Call, Decision, Recognition, Reply, Strip, Ticket
from stillwatch.gate.forwarding import Headers
from stillwatch.gate.passing import GivenUpError, Passing, send_answer
from stillwatch.gate.receiving import App, BodyPool, BodyRefusedError, Bounds, Inbox, Receive, Scope, Send
from stillwatch.gate.refusing import answer, refusal
from stillwatch.gate.requests import Identity, call_of, is_model_path, one_caller, parsed, plain_path
from stillwatch.gate.service import Gate

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""A request of these asks no model, whatever its path."""

GONE_STATUS = 499
"""What NGINX's logs call a caller who left before the answer."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Puts a gate before an ASGI application. `door` is its name in metrics.

    What comes has been freed by the door of headers that a caller must not write.
    """

    gate: Gate
    identity: Identity
    bounds: Bounds
    door: str
    pool: BodyPool

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send, target: str) -> None:
        """Pass one request on to `app`, decided where it is a model call. `target` is its path, still encoded."""
        path = plain_path(target)
        api = api_of(path)
        if api is None or not is_model_path(path) or scope["method"].upper() in READING_METHODS:
            await app(scope, receive, send)
            return
        inbox = Inbox(receive, self.pool, self.bounds)
        try:
            if await inbox.read(scope["headers"]):
                await self._exchange(app, scope, inbox, send, (path, api))
        except BodyRefusedError as refused:
            await send_answer(send, answer(refused.status, refused.notice, api, refused.retry_after_s))
        finally:
            inbox.close()

    async def _exchange(self, app: App, scope: Scope, inbox: Inbox, send: Send, spoken: tuple[str, Api]) -> None:
        begun = time.perf_counter()
        path, api = spoken
        headers = self._headers(scope)
        request = _parsed(inbox, path)
        client = scope.get("client")
        peer = client[0] if client else None
        call = call_of(path, headers, request, self.identity, time.time_ns() // 1000, peer)
        assert call is not None, "a model path makes a call"
        ticket = await self._decided(call)
        decision = ticket.decision
        # A reply may take minutes: nothing but the call itself is held so long.
        if (changed := applied(request, api, decision)) is not None:
            inbox.body = msgspec.json.encode(changed)
        del request, changed
        if decision.is_refusal:
            told = refusal(decision, api)
            # Told first: an answer that was given is one that is captured.
            await self.gate.replied(ticket, Reply(status=told.status, duration_ms=(time.perf_counter() - begun) * 1e3))
            await send_answer(send, told)
            return
        strip: frozenset[Strip] = frozenset() if decision.rung in UNFELT else decision.strip
        passing = Passing(send, api, strip, self.bounds)
        status: int | None = None
        try:
            if await self._is_gone(inbox, decision):
                status = GONE_STATUS
            else:
                await app(_scope(scope, decision, len(inbox.body or b"")), inbox, passing)
                await passing.finish()
        except GivenUpError:
            return
        finally:
            duration_ms = (time.perf_counter() - begun) * 1e3
            reply = passing.reply(duration_ms) if status is None else Reply(status=status, duration_ms=duration_ms)
            if passing.alarm:
                self.gate.meter.alarm(passing.alarm)
            await self.gate.replied(ticket, reply)

    def _headers(self, scope: Scope) -> dict[str, str]:
        query = scope.get("query_string", b"").decode("latin-1")
        target = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
        lines = ((name.decode("latin-1").lower(), value.decode("utf-8", "replace")) for name, value in scope["headers"])
        try:
            return one_caller(lines, f"{target}?{query}" if query else target, self.identity)
        except Error as error:
            raise BodyRefusedError(400, error.ident, f"{error.message}; {error.hint}") from None

    async def _decided(self, call: Call) -> Ticket:
        try:
            return await self.gate.decide(call, self.door)
        except Exception:  # noqa: BLE001
            # Our own fault: the policy's choice answers it, and it is counted; no call passes by an accident.
            self.gate.meter.alarm("gate-fault")
            return Ticket(call, Recognition(account_key=0), self.gate.policy().without_answer("gate-fault"))

    async def _is_gone(self, inbox: Inbox, decision: Decision) -> bool:
        if decision.delay_ms <= 0 or decision.rung in UNFELT:
            return False
        return await inbox.gone_within(min(decision.delay_ms, self.bounds.delay_ms_max) / 1000)


def _parsed(inbox: Inbox, path: str) -> dict[str, Any]:
    assert inbox.body is not None
    try:
        return parsed(inbox.body, path)
    except Error as error:
        raise BodyRefusedError(400, error.ident, f"{error.message}; {error.hint}") from None


def _scope(scope: Scope, decision: Decision, length: int) -> Scope:
    replaced = (b"content-length", b"transfer-encoding", b"accept-encoding")
    headers: Headers = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    # Whatever is compressed can be neither read aside nor changed on its way.
    headers += [(b"content-length", str(length).encode()), (b"accept-encoding", b"identity")]
    changed = {**scope, "headers": tagged(headers, decision.tag)}
    if scope.get("raw_path"):
        changed["raw_path"] = routed(scope["raw_path"], decision)
    if scope.get("path"):
        changed["path"] = routed(scope["path"].encode(), decision).decode()
    return changed
