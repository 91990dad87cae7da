"""The door of NGINX's auth_request, Traefik's forwardAuth and Caddy's forward_auth: a status and headers, no body.

Each proxy has a path of its own, so that only the headers which that proxy itself sets say what was asked: a caller
behind Traefik can write NGINX's. Without a body nothing is recognised by its words: accounts and networks are.

Source:  nginx.org ngx_http_auth_request_module; doc.traefik.io forwardAuth; caddyserver.com forward_auth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from stillwatch.errors import Error
from stillwatch.gate.answers import NOTHING, PREFIX, encoded, notice_json, refusal_headers, status_of, told
from stillwatch.gate.contract import Decision, Reason, Reply
from stillwatch.gate.exchange import JSON, Answer, Asked, CallReader, UnreadableError
from stillwatch.gate.service import Gate

DOOR = "forward-auth"

PREFIX_PATH = "/forward-auth/"


@dataclass(frozen=True, slots=True)
class Convention:
    """How one proxy asks: the header with the path, and whether it passes on any status but 401 and 403."""

    uri: str
    own_statuses: bool


CONVENTIONS: Mapping[str, Convention] = {
    "nginx": Convention("x-original-uri", own_statuses=False),
    "traefik": Convention("x-forwarded-uri", own_statuses=True),
    "caddy": Convention("x-forwarded-uri", own_statuses=True),
}
"""NGINX makes an error 500 of any refusal but 401 and 403, and drops the body: both are told in headers."""


class ForwardAuth:
    """Answers proxies. `now_us` tells the time in microseconds since the epoch."""

    prefix = PREFIX_PATH

    def __init__(self, gate: Gate, call_of: CallReader, now_us: Callable[[], int]) -> None:
        self._gate, self._call_of, self._now_us = gate, call_of, now_us

    async def answer(self, asked: Asked) -> Answer:
        convention = CONVENTIONS.get(asked.path.removeprefix(PREFIX_PATH))
        if convention is None:
            raise UnreadableError(404, "no-such-convention")
        uri = asked.headers.get(convention.uri)
        if not uri:
            raise UnreadableError(400, "no-original-path")
        try:
            call = self._call_of(uri, _lines(asked), self._now_us())
        except Error as error:
            raise UnreadableError(400, error.ident) from None
        if call is None:
            return _answer(Decision(), convention)
        ticket = await self._gate.decide(call, DOOR)
        # Nobody tells this door how a call ended, nor most often which model was asked: then no event can be kept.
        if call.request_model:
            status = status_of(ticket.decision) if ticket.decision.is_refusal else None
            left = replace(ticket, decision=_with_what_is_left(ticket.decision))
            await self._gate.replied(left, Reply(status=status))
        return _answer(ticket.decision, convention)

    def unanswered(self, decision: Decision) -> Answer:
        # 403 is what all three understand; NGINX would make an error 500 of anything else.
        return _answer(decision, CONVENTIONS["nginx"])

    async def close(self) -> None:
        """There is nothing to hand in: no ticket stays open."""


def _lines(asked: Asked) -> list[tuple[str, str]]:
    """Return the headers as a log reads them, a pair for each line."""
    lines = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in asked.lines]
    return lines or list(asked.headers.items())


def _with_what_is_left(decision: Decision) -> Decision:
    """Say in the decision's reasons what this door left to the systems behind it."""
    left = told(decision)[PREFIX + "left"]
    if left == NOTHING:
        return decision
    return replace(decision, reasons=(*decision.reasons, Reason("left-to-others", left)))


def _answer(decision: Decision, convention: Convention) -> Answer:
    if not decision.is_refusal:
        return Answer(200, b"", encoded(told(decision)), decision.delay_ms)
    status = status_of(decision)
    headers = dict(refusal_headers(decision))
    if not convention.own_statuses:
        headers |= {PREFIX + "status": str(status), PREFIX + "refusal": _in_ascii(notice_json(decision))}
        status = status if status in (401, 403) else 403
    return Answer(status, notice_json(decision), (JSON, *encoded(headers)), decision.delay_ms)


def _in_ascii(body: bytes) -> str:
    """Return JSON as a header can hold it."""
    return json.dumps(json.loads(body))
