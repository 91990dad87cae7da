"""The documented door for any gateway: `POST /v1/decisions` with a call, a decision in return.

Names are those of the canonical event. The reply can be handed in at `/v1/decisions/{id}/reply`, which counts tokens
against budgets and grants and learns who was issued which reasoning block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from stillwatch.adapters import messages as conversations
from stillwatch.gate.answers import notice_of, status_of, told
from stillwatch.gate.contract import Call, Decision, Reply
from stillwatch.gate.exchange import JSON, Answer, Asked, UnreadableError
from stillwatch.gate.service import Gate
from stillwatch.gate.tickets import Tickets

DOOR = "decisions"

PREFIX_PATH = "/v1/decisions"

REPLY_SUFFIX = "/reply"


class CallAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """A call to decide. `messages` may stand for the texts, the turn and the blocks, in the words of any chat API."""

    account_id: str
    request_model: str
    organization_id: str | None = None
    credential_id: str | None = None
    end_user_id: str | None = None
    session_id: str | None = None
    access_path: str | None = None
    client_ip: str | None = None
    tls_fingerprint: str | None = None
    user_agent: str | None = None
    operation: str | None = None
    system_prompt: str | None = None
    input_text: str | None = None
    turn_index: int | None = None
    tool_names: tuple[str, ...] = ()
    response_format: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    choice_count: int | None = None
    max_tokens: int | None = None
    logprobs: bool | None = None
    stream: bool | None = None
    reasoning_level: str | None = None
    presented_blocks: tuple[str, ...] = ()
    messages: str | list[Any] | None = None


class NoticeTold(Struct, frozen=True):
    """What to tell who is refused: this and nothing else."""

    code: str
    text: str
    reference: str


class DecisionTold(Struct, frozen=True):
    """A decision. Where `refuse` is true the call goes no further and its caller gets `status` and `notice`.

    Everything else is for the gateway: bounds to hold, parts to strip, a model to route to, headers to set, and how
    many milliseconds to wait.
    """

    id: str
    rung: str
    refuse: bool
    status: int | None = None
    notice: NoticeTold | None = None
    retry_after_s: int = 0
    delay_ms: int = 0
    max_tokens_max: int | None = None
    choice_count_max: int | None = None
    strip: tuple[str, ...] = ()
    route: str = ""
    headers: dict[str, str] = {}  # msgspec copies an empty default for each
    policy: str = ""
    snapshot: str = ""
    error: str = ""


class ReplyTold(Struct, frozen=True, forbid_unknown_fields=True):
    """How a call ended. `output` may stand for `issued_blocks`: the reply's messages, or the parts of one."""

    status: int | None = None
    response_model: str | None = None
    finish_reason: str | None = None
    refused: bool | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    duration_ms: float | None = None
    issued_blocks: tuple[str, ...] = ()
    output: list[Any] | None = None


class Decisions:
    """Answers gateways. `now_us` tells the time in microseconds since the epoch, `new_id` gives names of decisions."""

    prefix = PREFIX_PATH

    def __init__(self, gate: Gate, now_us: Callable[[], int], new_id: Callable[[], str]) -> None:
        self._gate, self._now_us, self._new_id = gate, now_us, new_id
        self._tickets = Tickets(gate)
        self._calls = msgspec.json.Decoder(CallAsked)
        self._replies = msgspec.json.Decoder(ReplyTold)

    async def answer(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            raise UnreadableError(405, "expected-post")
        if asked.path == PREFIX_PATH:
            return await self._decide(_decoded(self._calls, asked.body))
        ident = asked.path.removeprefix(PREFIX_PATH + "/").removesuffix(REPLY_SUFFIX)
        if not asked.path.endswith(REPLY_SUFFIX) or not ident:
            raise UnreadableError(404, "no-such-path")
        reply = reply_of(_decoded(self._replies, asked.body))
        if not await self._tickets.end(ident, reply):
            raise UnreadableError(404, "no-such-decision")
        return Answer(204)

    async def _decide(self, asked: CallAsked) -> Answer:
        ticket = await self._gate.decide(call_of(asked, self._now_us()), DOOR)
        ident = self._new_id()
        if ticket.decision.is_refusal:
            await self._gate.replied(ticket, Reply(status=status_of(ticket.decision)))
        else:
            await self._tickets.keep(ident, ticket)
        return _answer(ident, ticket.decision)

    def unanswered(self, decision: Decision) -> Answer:
        return _answer("", decision)

    async def close(self) -> None:
        await self._tickets.close()


def call_of(asked: CallAsked, time_us: int) -> Call:
    """Return the call that was asked about; its time is the gate's, so that no gateway's clock moves a budget."""
    row = {name: getattr(asked, name) for name in CALL_NAMES}
    if asked.messages is not None:
        said = conversations.flatten(asked.messages, asked.system_prompt)
        row["system_prompt"] = said.system_prompt
        row["input_text"] = asked.input_text if asked.input_text is not None else said.input_text
        row["turn_index"] = asked.turn_index if asked.turn_index is not None else said.turn_index
        row["presented_blocks"] = asked.presented_blocks or said.presented_blocks
    return Call(time_us=time_us, **row)


CALL_NAMES = tuple(name for name in CallAsked.__struct_fields__ if name != "messages")


def reply_of(reply: ReplyTold) -> Reply:
    """Return how a call ended; blocks are found wherever an API puts them in what it answered."""
    row: Mapping[str, Any] = {name: getattr(reply, name) for name in REPLY_NAMES}
    if reply.output is None or reply.issued_blocks:
        return Reply(**row)
    # Parts of one message (Anthropic's `content`, the `output` of Responses) look like messages to the reader.
    return Reply(**{**row, "issued_blocks": conversations.block_digests(reply.output)})


REPLY_NAMES = tuple(name for name in ReplyTold.__struct_fields__ if name != "output")


def schemas() -> dict[str, Any]:
    """Return the JSON schemas of what is asked, told and handed in (draft 2020-12)."""
    _, components = msgspec.json.schema_components((CallAsked, DecisionTold, ReplyTold), ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": components}


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(400, "not-a-call-or-reply") from error


def _answer(ident: str, decision: Decision) -> Answer:
    refuse = decision.is_refusal
    notice = notice_of(decision) if refuse else None
    body = DecisionTold(
        id=ident,
        rung=decision.rung,
        refuse=refuse,
        status=status_of(decision) if refuse else None,
        notice=NoticeTold(notice.code, notice.text, notice.reference) if notice else None,
        retry_after_s=decision.retry_after_s,
        delay_ms=decision.delay_ms,
        max_tokens_max=decision.max_tokens_max,
        choice_count_max=decision.choice_count_max,
        strip=tuple(sorted(decision.strip)),
        route=decision.route,
        headers={} if refuse else told(decision),
        policy=decision.policy,
        snapshot=decision.snapshot,
        error=decision.error,
    )
    return Answer(200, msgspec.json.encode(body), (JSON,))
