"""LiteLLM's door: its generic guardrail contract, one POST before a call and, where configured, one after it.

LiteLLM sends texts, messages, tools and who asked, not the whole request: caps and strips are not its to carry out, so
that this door answers NONE or BLOCKED and leaves every text as it is.

Source:  litellm 1.110.2, `proxy/guardrails/guardrail_hooks/generic_guardrail_api`, read and run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from stillwatch.adapters import messages
from stillwatch.adapters.litellm import SHARED_USERS
from stillwatch.gate.answers import notice_of, status_of
from stillwatch.gate.contract import Call, Decision, Reply
from stillwatch.gate.exchange import JSON, Answer, Asked, UnreadableError
from stillwatch.gate.service import Gate
from stillwatch.gate.tickets import Tickets

DOOR = "guardrail"

PATH = "/beta/litellm_basic_guardrail_api"
"""What LiteLLM appends to `api_base`."""

PRESENT = "[present]"
"""What LiteLLM writes for a header that it does not pass on; `extra_headers` names those whose value it should."""

PASS = Answer(200, b'{"action":"NONE"}', (JSON,))


class Principal(Struct, frozen=True):
    """Who asked, as LiteLLM knows its keys. Alias and e-mail are not read."""

    user_api_key_hash: str | None = None
    user_api_key_user_id: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_end_user_id: str | None = None
    user_api_key_org_id: str | None = None


NOBODY = Principal()


class Check(Struct, frozen=True):
    """What LiteLLM sends; names that are not here are passed over, since every version brings more."""

    input_type: Literal["request", "response"]
    litellm_call_id: str | None = None
    structured_messages: list[Any] | None = None
    texts: list[str] | None = None
    tools: list[Any] | None = None
    model: str | None = None
    request_data: Principal | None = None
    request_headers: dict[str, str] | None = None


HeaderNames = Mapping[str, tuple[str, ...]]
"""Which header carries which column of `Call`, as far as LiteLLM passes it on."""


class Guardrail:
    """Answers LiteLLM. `now_us` tells the time in microseconds since the epoch."""

    prefix = PATH

    def __init__(self, gate: Gate, identity: HeaderNames, now_us: Callable[[], int]) -> None:
        self._gate, self._identity, self._now_us = gate, identity, now_us
        self._tickets = Tickets(gate)
        self._decoder = msgspec.json.Decoder(Check)

    async def answer(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            raise UnreadableError(405, "expected-post")
        try:
            check = self._decoder.decode(asked.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(400, "not-a-guardrail-request") from error
        if check.input_type == "response":
            # A streamed reply is shown several times, and only the first time there is a ticket.
            if check.litellm_call_id is not None:
                await self._tickets.end(check.litellm_call_id, Reply(status=200))
            return PASS
        ticket = await self._gate.decide(call_of(check, self._identity, self._now_us()), DOOR)
        decision = ticket.decision
        if decision.is_refusal:
            await self._gate.replied(ticket, Reply(status=status_of(decision)))
            return _blocked(decision)
        # LiteLLM tells no tokens of a reply: only who captures wants to know that there was one.
        if self._gate.capture is not None:
            await self._tickets.keep(check.litellm_call_id or "", ticket)
        return Answer(PASS.status, PASS.body, PASS.headers, decision.delay_ms) if decision.delay_ms else PASS

    def unanswered(self, decision: Decision) -> Answer:
        return _blocked(decision) if decision.is_refusal else PASS

    async def close(self) -> None:
        await self._tickets.close()


def call_of(check: Check, identity: HeaderNames, time_us: int) -> Call:
    """Return the call that LiteLLM asks about. Its account is spelt as the `litellm` dialect of logs spells it: the
    key's user, else its team, else the key.
    """
    who = check.request_data or NOBODY
    said = messages.flatten(check.structured_messages)
    if check.structured_messages is None and check.texts:
        said = messages.flatten(check.texts[-1])
    user, team = who.user_api_key_user_id, who.user_api_key_team_id
    account = (None if user in SHARED_USERS else user) or team or who.user_api_key_hash or ""
    sent = _headers(check.request_headers, identity)
    return Call(
        time_us=time_us,
        account_id=sent.get("account_id") or account,
        request_model=check.model or "",
        organization_id=sent.get("organization_id") or who.user_api_key_org_id or (team if team != account else None),
        credential_id=sent.get("credential_id") or who.user_api_key_hash,
        end_user_id=who.user_api_key_end_user_id or sent.get("end_user_id"),
        session_id=sent.get("session_id"),
        access_path=sent.get("access_path"),
        client_ip=sent.get("client_ip"),
        tls_fingerprint=sent.get("tls_fingerprint"),
        user_agent=sent.get("user_agent"),
        operation="chat" if check.structured_messages is not None else None,
        system_prompt=said.system_prompt,
        input_text=said.input_text,
        turn_index=said.turn_index,
        tool_names=tuple(messages.tool_names(check.tools) or ()),
        presented_blocks=said.presented_blocks,
    )


def _headers(sent: Mapping[str, str] | None, identity: HeaderNames) -> dict[str, str]:
    if not sent:
        return {}
    found: dict[str, str] = {}
    lower = {name.lower(): value for name, value in sent.items()}
    for column, names in identity.items():
        for name in names:
            value = lower.get(name)
            if value and value != PRESENT:
                # Of several hops the first is the caller's, as logs of raw pairs are read.
                found[column] = value.split(",")[0].strip() if column == "client_ip" else value
                break
    return found


def _blocked(decision: Decision) -> Answer:
    notice = notice_of(decision)
    reference = f" (reference {notice.reference})" if notice.reference else ""
    reason = f"{notice.code}: {notice.text}{reference}"
    body = msgspec.json.encode({"action": "BLOCKED", "blocked_reason": reason})
    return Answer(200, body, (JSON,), decision.delay_ms)
