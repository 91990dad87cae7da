"""One exchange under the gate, without a server: faults of ours, bounds on what is held."""

import asyncio
import json

import pytest

from stillwatch.gate.contract import Decision
from stillwatch.gate.guarding import Guard
from stillwatch.gate.receiving import BodyPool, Bounds
from stillwatch.gate.requests import Identity
from tests.gate.hand_written import NOTICE, HandWritten

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Tides?"}]}).encode()


class Caller:
    """Sends one body in pieces, then waits; keeps what is answered."""

    def __init__(self, *pieces):
        self.pieces = list(pieces or (BODY,))
        self.answered = []

    async def receive(self):
        if not self.pieces:
            await asyncio.Event().wait()
        piece = self.pieces.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, message):
        self.answered.append(message)

    @property
    def status(self):
        return self.answered[0]["status"] if self.answered else None


async def answering(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"six"})


def ask(parts, caller, app=answering, bounds=None, pool=None):
    guard = Guard(parts.gate, Identity(), bounds or Bounds(), "test", pool or BodyPool())
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "headers": [], "client": None}
    return asyncio.run(guard(app, scope, caller.receive, caller.send, "/v1/messages"))


def test_a_state_that_never_answers_counts_as_away_and_who_is_known_stays_known():
    parts, caller, seen = HandWritten(), Caller(), []

    async def never(call, recognition):
        await asyncio.Event().wait()

    def decide(call, recognition, observed):
        seen.append(observed.available)
        return Decision(rung="deny", notice=NOTICE)

    parts.state.observe, parts.policy.decide, parts.gate.wait_s = never, decide, 0.02
    ask(parts, caller)
    assert (caller.status, parts.meter.alarms, seen) == (403, ["state-late"], [False])
    assert parts.replies[0].status == 403


def test_a_policy_that_opens_on_a_fault_lets_the_call_through():
    parts, caller = HandWritten(), Caller()
    parts.policy.fault = KeyError("a fault")
    parts.policy.without_answer = lambda ident: Decision(error=ident)
    ask(parts, caller)
    assert (caller.status, parts.meter.alarms) == (200, ["gate-fault"])


def test_all_bodies_together_are_bounded_and_let_go():
    parts, caller, pool = HandWritten(), Caller(BODY[:10], BODY[10:]), BodyPool()
    ask(parts, caller, pool=pool, bounds=Bounds(bodies_bytes_max=20))
    assert caller.status == 503
    assert (b"retry-after", b"1") in caller.answered[0]["headers"]
    assert pool.held_bytes == 0
    ask(parts, caller := Caller(), pool=pool)
    assert (caller.status, pool.held_bytes) == (200, 0)


def test_a_body_is_let_go_when_it_is_sent_on_however_long_the_reply_takes():
    pool, held = BodyPool(), []

    async def watching(scope, receive, send):
        held.append(pool.held_bytes)
        await receive()
        held.append(pool.held_bytes)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"six"})

    ask(HandWritten(), Caller(), watching, pool=pool)
    assert held == [len(BODY), 0]


def test_a_caller_who_leaves_in_his_body_made_no_call():
    parts, caller = HandWritten(), Caller(BODY[:10], None)
    ask(parts, caller)
    assert (caller.answered, parts.policy.calls, parts.replies) == ([], [], [])


def test_a_call_whose_application_fails_is_told_once_and_the_failure_is_the_servers():
    async def failing(scope, receive, send):
        raise RuntimeError("broken on purpose")

    parts, caller = HandWritten(), Caller()
    with pytest.raises(RuntimeError, match="on purpose"):
        ask(parts, caller, failing)
    assert len(parts.replies) == 1
    assert parts.replies[0].status is None


def test_an_application_that_goes_on_after_a_reply_was_given_up_is_stopped():
    sent = []

    async def endless(scope, receive, send):
        kind = (b"content-type", b"text/event-stream")
        await send({"type": "http.response.start", "status": 200, "headers": [kind]})
        while True:
            sent.append(1)
            await send({"type": "http.response.body", "body": b"data: {\n\n", "more_body": True})

    parts, caller = HandWritten(), Caller()
    parts.policy.decision = Decision(rung="strip", strip=frozenset({"logprobs"}))
    ask(parts, caller, endless)
    assert len(sent) == 1
    assert [message["type"] for message in caller.answered] == ["http.response.start"]
    assert parts.meter.alarms == ["reply-not-understood"]
