"""Any gateway can ask, in the words of the canonical event, and tell how a call ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.adapters.messages import block_digest
from stillwatch.event import EVENT_SCHEMA
from stillwatch.gate import neutral
from stillwatch.gate.exchange import Answer, Asked, UnreadableError
from stillwatch.gate.neutral import Decisions
from stillwatch.gate.tickets import TICKET_US_MAX
from tests.gate.values import SIGNATURE, Standing, settings_of
from tests.house.repository import ROOT

CALL = {"account_id": "acct-1", "request_model": "model-a"}
SCHEMA = ROOT / "docs" / "formats" / "gate.schema.json"


def door(standing: Standing, folder: Path) -> Decisions:
    found = standing.assembly(settings_of(folder)).doors[1]
    assert isinstance(found, Decisions)
    return found


def post(decisions: Decisions, path: str, body: object) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(decisions.answer(Asked("POST", path, {}, data)))


def decided(decisions: Decisions, **call: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(post(decisions, "/v1/decisions", {**CALL, **call}).body)
    return found


def test_a_refusal_says_what_to_tell_the_caller_and_why_stays_inside(tmp_path: Path) -> None:
    told = decided(door(Standing(), tmp_path), account_id="acct-confirmed")
    assert (told["refuse"], told["status"]) == (True, 403)
    assert told["notice"] == {
        "code": "account-held",
        "text": "This account is held. Write to appeals@provider.example.",
        "reference": "ref-0001",
    }
    for secret in ("closed-campaign", "confirmed", "c-1"):
        assert secret not in json.dumps(told)


def test_what_a_gateway_has_to_carry_out_is_told_in_full(tmp_path: Path) -> None:
    told = decided(door(Standing(), tmp_path), account_id="acct-capped")
    assert (told["refuse"], told["rung"], told["max_tokens_max"], told["choice_count_max"]) == (False, "strip", 256, 1)
    assert told["strip"] == ["logprobs", "reasoning"]
    assert told["headers"]["x-risk"] == "suspected"


def test_messages_stand_for_texts_turn_and_blocks(tmp_path: Path) -> None:
    standing = Standing()
    decided(
        door(standing, tmp_path),
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "…", "signature": "sealed"}]},
            {"role": "user", "content": f"please {SIGNATURE}"},
        ],
    )
    call = standing.state.seen[0]
    assert (call.system_prompt, call.input_text, call.turn_index) == ("be brief", f"please {SIGNATURE}", 1)
    assert call.presented_blocks == (block_digest("sealed"),)


def test_a_reply_counts_its_tokens_and_its_blocks_once(tmp_path: Path) -> None:
    standing = Standing()
    decisions = door(standing, tmp_path)
    ident = decided(decisions)["id"]
    output = [{"type": "thinking", "thinking": "…", "signature": "sealed"}, {"type": "text", "text": "hello"}]
    answer = post(decisions, f"/v1/decisions/{ident}/reply", {"status": 200, "output_tokens": 7, "output": output})
    assert answer.status == 204
    assert standing.state.outcomes[-1].output_tokens == 7
    assert len(standing.state.outcomes[-1].issued_block_keys) == 1
    assert standing.capture.calls[0][1].issued_blocks == (block_digest("sealed"),)
    with pytest.raises(UnreadableError) as caught:
        post(decisions, f"/v1/decisions/{ident}/reply", {"status": 200})
    assert caught.value.status == 404


def test_where_nothing_is_captured_no_text_is_kept_for_the_reply(tmp_path: Path) -> None:
    standing = Standing()
    decisions = door(standing, tmp_path)
    decisions._gate.capture = None
    ident = decided(decisions, input_text="a prompt")["id"]
    assert "a prompt" not in repr(decisions._tickets._open)
    assert post(decisions, f"/v1/decisions/{ident}/reply", {"output_tokens": 7}).status == 204
    assert standing.state.outcomes[-1].output_tokens == 7


def test_a_call_whose_reply_never_comes_is_handed_in_after_ten_minutes(tmp_path: Path) -> None:
    standing = Standing()
    decisions = door(standing, tmp_path)
    times = iter((0, TICKET_US_MAX, 2 * TICKET_US_MAX))
    decisions._now_us = lambda: next(times)
    for account in ("acct-1", "acct-2", "acct-3"):
        decided(decisions, account_id=account)
    assert [ticket.call.account_id for ticket, _ in standing.capture.calls] == ["acct-1"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"account_id":"a"}', b'{"account_id":"a","request_model":"m","accountid":"b"}',
     b'{"account_id":1,"request_model":"m"}', b'{"account_id":"a","request_model":"m","max_tokens":"x"}', b"\xff"],
)  # fmt: skip
def test_what_is_no_call_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(UnreadableError) as caught:
        post(door(Standing(), tmp_path), "/v1/decisions", body)
    assert caught.value.status == 400


@pytest.mark.parametrize("path", ["/v1/decisions/", "/v1/decisions/x", "/v1/decisions//reply", "/v1/decisionsx"])
def test_other_paths_are_no_decisions(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        post(door(Standing(), tmp_path), path, {})
    assert caught.value.status in (400, 404)


@given(
    body=st.binary(max_size=200) | st.dictionaries(st.text(), st.text()).map(lambda found: json.dumps(found).encode())
)
def test_any_bytes_are_answered_or_refused(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    decisions = door(Standing(), tmp_path_factory.getbasetemp())
    with contextlib.suppress(UnreadableError):
        assert post(decisions, "/v1/decisions", body).status == 200


def test_the_pages_questions_are_answered(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    call, reply = re.findall(r"^curl -s \S+/v1/decisions\S* -d '(\{.*?\})'$", page, re.MULTILINE | re.DOTALL)
    decisions = door(Standing(), tmp_path)
    ident = json.loads(post(decisions, "/v1/decisions", call.encode()).body)["id"]
    assert post(decisions, f"/v1/decisions/{ident}/reply", reply.encode()).status == 204


def test_names_are_those_of_the_canonical_event() -> None:
    names = {*neutral.CALL_NAMES, *neutral.REPLY_NAMES}
    assert names <= set(EVENT_SCHEMA.names)


def test_the_published_schema_is_what_the_door_speaks() -> None:
    """After a change: `python -m tests.gate.test_neutral` writes it again."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema()


def schema() -> object:
    return json.loads(msgspec.json.encode(neutral.schemas()))


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
