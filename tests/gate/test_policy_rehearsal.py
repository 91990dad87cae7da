"""Who another policy would treat differently, over a log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.adapters.contract import ReadSettings
from stillwatch.adapters.source import list_files
from stillwatch.errors import Error
from stillwatch.event import EVENT_SCHEMA
from stillwatch.gate.contract import Call, Observed, Outcome, Recognition, Reply
from stillwatch.gate.policy import CompiledPolicy
from stillwatch.gate.rehearsal import Nobody, Outlook, Rehearsal, read_calls
from stillwatch.pseudonym import Key
from tests.gate.policies import HEAD, NOW_US, call, known, policy, rule

KEY = Key(1, 2)


class Counts:
    """A state of counts alone: calls of each account, and who was acted on."""

    def __init__(self) -> None:
        self.calls: dict[int, int] = {}
        self.acted: set[int] = set()
        self.tokens: dict[int, int] = {}

    async def observe(self, call: Call, recognition: Recognition) -> Observed:
        who = recognition.account_key
        self.calls[who] = self.calls.get(who, 0) + 1
        return Observed(
            account_calls_hour=self.calls[who],
            account_tokens_hour=self.tokens.get(who, 0),
            acted_accounts_hour=len(self.acted),
            acted_already=who in self.acted,
        )

    async def record(self, outcome: Outcome) -> None:
        if outcome.acted:
            self.acted.add(outcome.recognition.account_key)
        who = outcome.recognition.account_key
        self.tokens[who] = self.tokens.get(who, 0) + max(0, outcome.output_tokens)

    async def close(self) -> None: ...


class Known:
    """A snapshot of some accounts by name."""

    ident = "known"

    def __init__(self, accounts: dict[str, Recognition]) -> None:
        self.accounts = accounts
        self.asked = 0

    def recognise(self, call: Call) -> Recognition:
        self.asked += 1
        return self.accounts.get(call.account_id, Recognition(sum(call.account_id.encode())))


ACCOUNTS = {
    "bad": known("confirmed", account_key=1),
    "shady": known("suspected", account_key=2),
    "customer": known("suspected", account_key=3, verified=True),
    "beside": known("watch", account_key=4, signature="s-1"),
}


def rehearsed(
    before: CompiledPolicy, after: CompiledPolicy, calls: Iterable[Call], reply: Reply | None = None
) -> Outlook:
    rehearsal = Rehearsal((before, after), Known(ACCOUNTS), (Counts(), Counts()), KEY)

    async def follow() -> None:
        for each in calls:
            await rehearsal.add(each, reply or Reply(status=200, output_tokens=10))

    asyncio.run(follow())
    return rehearsal.outlook()


def log(*names: str) -> list[Call]:
    return [call(account_id=name, time_us=NOW_US + at) for at, name in enumerate(names)]


LENIENT = policy(rule("mark", "{tag: {x-a: b}}", "confirmed"))
STERN = policy(
    rule("mark", "{tag: {x-a: b}}", "confirmed"),
    rule("deny", "{deny: {}}", "suspected"),
    rule("slow", "{cap: {max_tokens: 9}}", "watch"),
)


def test_who_is_treated_alike_is_no_difference() -> None:
    found = rehearsed(LENIENT, LENIENT, log("bad", "shady", "honest"))
    assert (found.calls_count, found.calls_differ_count, found.differences) == (3, 0, ())


def test_differences_are_counted_by_tier_and_rung_in_calls_and_accounts() -> None:
    found = rehearsed(LENIENT, STERN, log("bad", "shady", "shady", "customer", "beside", "honest"))
    told = [
        (
            each.tier,
            each.rung_before,
            each.rung_after,
            each.calls_count,
            each.accounts_count,
            each.verified_accounts_count,
        )
        for each in found.differences
    ]
    assert told == [("suspected", "allow", "deny", 3, 2, 1), ("watch", "allow", "cap", 1, 1, 0)]
    assert (found.calls_differ_count, found.accounts_differ_count, found.verified_accounts_differ_count) == (4, 3, 1)
    assert found.unknown_accounts_count == 1


def test_the_other_way_round_is_no_sterner_for_anybody_unknown() -> None:
    assert rehearsed(STERN, LENIENT, log("beside")).unknown_accounts_count == 0


def test_accounts_are_named_by_pseudonym_alone() -> None:
    found = rehearsed(LENIENT, STERN, log("shady"))
    assert found.differences[0].accounts == ("pseudonym:0000000000000002",)
    assert "shady" not in repr(found)


def test_each_policy_remembers_what_it_did_itself() -> None:
    head = HEAD.replace("accounts_per_hour_max: 100", "accounts_per_hour_max: 1")
    narrow = policy(rule("deny", "{deny: {}}", "suspected"), head=head)
    found = rehearsed(LENIENT, narrow, log("shady", "customer", "shady"))
    assert [(each.rung_after, each.calls_count) for each in found.differences] == [("deny", 2), ("tag", 1)]


def test_tokens_of_replies_count_against_a_budget() -> None:
    budget = policy(rule("cap", "{cap: {account: {cost_per_hour: 25}}}", "suspected"))
    found = rehearsed(LENIENT, budget, log("shady", "shady", "shady", "shady"))
    assert {each.rung_after: each.calls_count for each in found.differences} == {"cap": 3, "wait": 1}


def test_rules_in_shadow_say_how_many_calls_they_would_have_met() -> None:
    shadow = policy(rule("later", "{deny: {}}", "suspected").replace("status: live", "status: shadow"))
    found = rehearsed(policy(), shadow, log("shady", "shady", "honest"))
    assert (found.calls_differ_count, found.shadowed) == (0, {"later": 2})


def test_a_snapshot_is_asked_once_for_both_policies() -> None:
    snapshot = Known(ACCOUNTS)
    rehearsal = Rehearsal((LENIENT, STERN), snapshot, (Counts(), Counts()), KEY)
    asyncio.run(rehearsal.add(call(account_id="bad"), Reply()))
    assert snapshot.asked == 1


def test_a_log_without_a_call_is_an_error() -> None:
    rehearsal = Rehearsal((LENIENT, STERN), Nobody(KEY), (Counts(), Counts()), KEY)
    with pytest.raises(Error) as caught:
        rehearsal.outlook()
    assert caught.value.ident == "no-events"


def test_nobody_is_known_before_there_is_a_snapshot() -> None:
    one = Nobody(KEY).recognise(call(organization_id="org", presented_blocks=("b", "c")))
    assert (one.tier, one.signature, len(one.block_keys)) == ("none", "", 2)
    assert len({one.account_key, one.organization_key, one.model_key, *one.block_keys, 0}) == 6
    assert Nobody(KEY).recognise(replace(call(), account_id="other")).account_key != one.account_key


def test_calls_of_a_log_come_with_what_a_gate_would_have_seen(tmp_path: Path) -> None:
    row = dict.fromkeys(EVENT_SCHEMA.names) | {
        "event_id": "e-1", "time": NOW_US, "account_id": "shady", "request_model": "m", "input_text": "hello",
        "max_tokens": 5, "tool_names": ["t"], "presented_blocks": ["b"], "output_tokens": 7, "issued_blocks": ["c"],
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row], EVENT_SCHEMA), tmp_path / "log.parquet")
    rehearsal = Rehearsal((LENIENT, STERN), Nobody(KEY), (Counts(), Counts()), KEY)
    told: list[tuple[int, int]] = []
    files = list_files([str(tmp_path)])
    ((one, reply),) = read_calls(files, "auto", ReadSettings(), rehearsal, lambda *news: told.append(news))
    assert one == call(
        account_id="shady",
        request_model="m",
        input_text="hello",
        max_tokens=5,
        tool_names=("t",),
        presented_blocks=("b",),
    )
    assert (reply.output_tokens, reply.issued_blocks) == (7, ("c",))
    assert (sum(rows for rows, _ in told), sum(size for _, size in told)) == (1, files[0].size_bytes)
