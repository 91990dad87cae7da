"""LiteLLM's questions are answered in LiteLLM's words, and nothing but a notice leaves the gate."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gate.contract import Call, Decision
from stillwatch.gate.exchange import Asked, UnreadableError
from stillwatch.gate.guardrail import PATH, PRESENT, Guardrail
from tests.gate.values import SIGNATURE, Standing, settings_of

REQUEST: dict[str, Any] = {
    "input_type": "request",
    "litellm_call_id": "call-1",
    "litellm_trace_id": "trace-1",
    "structured_messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "answer", "thinking_blocks": [{"type": "thinking", "signature": "sealed"}]},
        {"role": "user", "content": [{"type": "text", "text": "hello there"}]},
    ],
    "texts": ["be brief", "one", "answer", "hello there"],
    "images": None,
    "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {}}}],
    "tool_calls": None,
    "model": "model-a",
    "request_data": {
        "user_api_key_hash": "hash-1",
        "user_api_key_user_id": "acct-1",
        "user_api_key_team_id": "team-1",
        "user_api_key_end_user_id": "end-1",
    },
    "request_headers": {"user-agent": "client/1", "x-forwarded-for": PRESENT, "X-Real-Ip": "198.51.100.7"},
    "litellm_version": "1.110.2",
    "additional_provider_specific_params": {},
}


def door(standing: Standing, tmp_path: Any, **identity: tuple[str, ...]) -> Guardrail:
    assembly = standing.assembly(settings_of(tmp_path, identity=identity))
    found = assembly.doors[0]
    assert isinstance(found, Guardrail)
    return found


def answered(guardrail: Guardrail, body: object, method: str = "POST") -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = asyncio.run(guardrail.answer(Asked(method, PATH, {}, data)))
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


def asked_as(account: str, text: str = "hello", call_id: str = "call-1") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    who = {"user_api_key_user_id": account}
    return {**REQUEST, "litellm_call_id": call_id, "structured_messages": messages, "request_data": who}


def seen(standing: Standing) -> Call:
    return standing.state.seen[-1]


def test_an_unknown_account_passes_and_its_texts_are_left_alone(tmp_path: Any) -> None:
    assert answered(door(Standing(), tmp_path), REQUEST) == {"action": "NONE"}


def test_a_call_is_read_as_logs_of_litellm_are_read(tmp_path: Any) -> None:
    standing = Standing()
    answered(door(standing, tmp_path, client_ip=("x-forwarded-for", "x-real-ip")), REQUEST)
    call = seen(standing)
    assert (call.account_id, call.organization_id, call.credential_id, call.end_user_id) == (
        "acct-1", "team-1", "hash-1", "end-1",
    )  # fmt: skip
    assert (call.request_model, call.system_prompt, call.input_text, call.turn_index) == (
        "model-a", "be brief", "hello there", 1,
    )  # fmt: skip
    assert call.tool_names == ("look_up",)
    assert len(call.presented_blocks) == 1
    assert call.user_agent == "client/1"


def test_a_header_whose_value_is_withheld_is_no_value(tmp_path: Any) -> None:
    standing = Standing()
    answered(door(standing, tmp_path, client_ip=("x-forwarded-for", "x-real-ip")), REQUEST)
    assert seen(standing).client_ip == "198.51.100.7"


@pytest.mark.parametrize("user", ["default_user_id", "litellm_proxy_master_key", None])
def test_a_user_that_litellm_gives_to_everybody_is_no_account(tmp_path: Any, user: str | None) -> None:
    standing = Standing()
    who = {"user_api_key_hash": "hash-1", "user_api_key_user_id": user}
    answered(door(standing, tmp_path), {**REQUEST, "request_data": who})
    assert seen(standing).account_id == "hash-1"


def test_a_refusal_tells_code_text_and_reference_and_nothing_else(tmp_path: Any) -> None:
    told = answered(door(Standing(), tmp_path), asked_as("acct-confirmed"))
    assert told == {
        "action": "BLOCKED",
        "blocked_reason": "account-held: This account is held. Write to appeals@provider.example. (reference ref-0001)",
    }


def test_a_campaign_is_refused_at_the_first_call_of_a_new_account(tmp_path: Any) -> None:
    guardrail = door(Standing(), tmp_path)
    assert answered(guardrail, asked_as("acct-new", f"please {SIGNATURE}"))["action"] == "BLOCKED"
    assert answered(guardrail, asked_as("acct-new", "please sing"))["action"] == "NONE"


def test_a_cap_that_litellm_cannot_carry_out_changes_nothing(tmp_path: Any) -> None:
    assert answered(door(Standing(), tmp_path), asked_as("acct-capped")) == {"action": "NONE"}


def test_a_reply_is_noted_once_however_often_a_stream_is_shown(tmp_path: Any) -> None:
    standing = Standing()
    guardrail = door(standing, tmp_path)
    answered(guardrail, REQUEST)
    response = {**REQUEST, "input_type": "response", "structured_messages": None, "texts": ["an ans"]}
    for _ in range(3):
        assert answered(guardrail, response) == {"action": "NONE"}
    assert [reply.status for _, reply in standing.capture.calls] == [200]


def test_a_call_whose_reply_never_comes_is_handed_in_when_the_gate_stops(tmp_path: Any) -> None:
    standing = Standing()
    guardrail = door(standing, tmp_path)
    answered(guardrail, REQUEST)
    asyncio.run(guardrail.close())
    assert [reply.status for _, reply in standing.capture.calls] == [None]


def test_texts_stand_in_where_there_are_no_messages(tmp_path: Any) -> None:
    standing = Standing()
    answered(door(standing, tmp_path), {**REQUEST, "structured_messages": None, "texts": ["draw a cat"]})
    assert seen(standing).input_text == "draw a cat"


@pytest.mark.parametrize("closed", [False, True])
def test_what_cannot_be_decided_gets_what_the_policy_chose(tmp_path: Any, closed: bool) -> None:
    standing = Standing()
    standing.policy.closed = closed
    guardrail = door(standing, tmp_path)
    told = json.loads(guardrail.unanswered(standing.policy.without_answer("deadline")).body)
    assert told["action"] == ("BLOCKED" if closed else "NONE")
    assert "deadline" not in str(told)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"input_type":"other"}', b'{"input_type":', b"\xff"])
def test_what_is_no_question_of_litellms_is_refused(tmp_path: Any, body: bytes) -> None:
    with pytest.raises(UnreadableError):
        answered(door(Standing(), tmp_path), body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(messages=json_values, who=json_values, tools=json_values, texts=json_values)
def test_any_question_is_answered_or_refused_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, messages: object, who: object, tools: object, texts: object
) -> None:
    body = {"input_type": "request", "structured_messages": messages, "request_data": who, "tools": tools}
    guardrail = door(Standing(), tmp_path_factory.getbasetemp())
    with contextlib.suppress(UnreadableError):
        assert answered(guardrail, {**body, "texts": texts}) == {"action": "NONE"}


def test_a_decision_of_any_rung_has_an_answer(tmp_path: Any) -> None:
    guardrail = door(Standing(), tmp_path)
    for rung in ("allow", "tag", "shadow", "cap", "strip", "route", "delay"):
        assert json.loads(guardrail.unanswered(Decision(rung=rung)).body) == {"action": "NONE"}  # type: ignore[arg-type]
