"""One simulated day, written in all six dialects, tells one story: the same calls, the same campaigns.

What a dialect has no place for, or writes in words of its own, is listed below with the reason; any other difference
between a call and what its log says is a fault of the adapter or of the writer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.adapters.choice import adapter_named
from stillwatch.adapters.contract import ReadSettings, Rejection
from stillwatch.adapters.source import list_files
from stillwatch.engines.run import RunRequest, detect
from stillwatch.event import EVENT_SCHEMA
from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.score import score
from stillwatch.lab.simulate import write_world
from stillwatch.lab.world import simulate
from stillwatch.lab.writers import bedrock
from stillwatch.signals.registry import SIGNALS
from tests.scenes.scene import Silent

CALLS = 40_000
"""The fewest with which both hidden campaigns have some forty accounts each."""

COMPARED_CALLS = 5_000
"""Calls that are compared column by column: the first, which are of every sort of account."""

NO_PLACE = "the dialect has no place for it"
OPAQUE = "a block is known by its digest, and the adapter digests the digest that the writer gives for the block"
NO_REPLY = "a failed call has no reply, and what the reply would have told is unknown"
WHOLE_MS = "durations are whole milliseconds"


@dataclass(frozen=True)
class Way:
    """How a dialect is read, and which columns come back otherwise than they went in, each with the reason."""

    fields: Mapping[str, str] = field(default_factory=dict)
    otherwise: Mapping[str, str] = field(default_factory=dict)


WAYS = {
    "canonical": Way(),
    "otel": Way(
        fields={"event_id": "gen_ai.response.id"},
        otherwise={
            "organization_id": "the instrumentations write no owner",
            "credential_id": "the instrumentations write no key",
            "access_path": "only a proxy's spans name one",
            "client_asn": NO_PLACE,
            "response_format": "a schema and a plain object are both `json`",
            "logprobs": NO_PLACE,
            "stream": "written where it is true only",
            "refused": NO_REPLY,
            "presented_blocks": "the instrumentations leave opaque reasoning out",
            "issued_blocks": "the instrumentations leave opaque reasoning out",
        },
    ),
    "litellm": Way(
        otherwise={
            "access_path": NO_PLACE,
            "client_asn": NO_PLACE,
            "tls_fingerprint": NO_PLACE,
            "response_model": NO_REPLY,
            "refused": NO_REPLY,
            "duration_ms": "start and end are floating seconds, and their difference loses a microsecond",
            "presented_blocks": OPAQUE,
            "issued_blocks": OPAQUE,
        },
    ),
    "bedrock": Way(
        fields=bedrock.FIELDS,
        otherwise={
            "time": "times are whole seconds",
            "organization_id": "every caller is in some cloud account, its own where it has no organisation",
            "access_path": "every call came by this cloud",
            "client_asn": NO_PLACE,
            "tls_fingerprint": NO_PLACE,
            "response_model": NO_PLACE,
            "stream": "the operation's name says it for every call",
            "output_tokens": NO_REPLY,
            "reasoning_tokens": NO_PLACE,
            "finish_reason": "the reason has other words (`end_turn`)",
            "refused": NO_REPLY,
            "duration_ms": WHOLE_MS,
            "presented_blocks": OPAQUE,
            "issued_blocks": OPAQUE,
        },
    ),
    "gateway": Way(
        otherwise={
            **dict.fromkeys(
                (
                    "access_path", "client_asn", "system_prompt", "input_text", "turn_index", "tool_names",
                    "response_format", "temperature", "top_p", "choice_count", "max_tokens", "logprobs", "stream",
                    "reasoning_level", "reasoning_tokens", "cached_tokens", "finish_reason", "refused",
                    "presented_blocks", "issued_blocks",
                ),
                "an access log knows the request's envelope, not its body",
            ),
            "duration_ms": WHOLE_MS,
        },
    ),
    "raw-pairs": Way(
        otherwise={
            "access_path": NO_PLACE,
            "response_model": NO_REPLY,
            "stream": "a request that does not ask for it gets none, so it is known for every call",
            "input_tokens": NO_REPLY,
            "output_tokens": NO_REPLY,
            "reasoning_tokens": NO_REPLY,
            "cached_tokens": NO_REPLY,
            "refused": NO_REPLY,
            "presented_blocks": OPAQUE,
            "issued_blocks": OPAQUE,
        },
    ),
}  # fmt: skip

WITHOUT_PROMPTS = "gateway"
WITH_PROMPTS = sorted(WAYS.keys() - {WITHOUT_PROMPTS})

UNCOUNTED = frozenset({"dialect", "stages", "extraction_scores", "power"})


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the day once in each dialect."""
    folder = tmp_path_factory.mktemp("days")
    for dialect in WAYS:
        write_world(simulate(scenario_named("demo"), 0, CALLS), folder / dialect, dialect, Silent())
    return folder


def settings_of(dialect: str, day: Path) -> ReadSettings:
    audit = day / bedrock.AUDIT_FOLDER
    companions = tuple(list_files([str(audit)])) if audit.exists() else ()
    return ReadSettings(fields=WAYS[dialect].fields, companions=companions)


@pytest.fixture(scope="module")
def runs(days: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Search each log as a user would who knows how accounts are named in it."""
    out = tmp_path_factory.mktemp("runs")
    return {
        dialect: detect(
            RunRequest(
                events=(str(days / dialect / "events"),),
                accounts=(str(days / dialect / "accounts.jsonl"),),
                out=out / dialect,
                read=settings_of(dialect, days / dialect),
                power=False,
            ),
            Silent(),
        ).run_dir
        for dialect in WAYS
    }


def calls_of(dialect: str, days: Path) -> pa.Table:
    """Read the first calls back, in the order of the file, which is that of the simulation."""
    rejected: list[Rejection] = []
    (file,) = list_files([str(days / dialect / "events")])
    batches: list[pa.RecordBatch] = []
    for batch in adapter_named(dialect).read(file, settings_of(dialect, days / dialect), rejected.append):
        batches.append(batch)
        if sum(each.num_rows for each in batches) >= COMPARED_CALLS:
            break
    assert rejected == []
    return pa.Table.from_batches(batches).slice(0, COMPARED_CALLS)


@pytest.mark.parametrize("dialect", sorted(WAYS))
def test_a_call_says_in_every_dialect_what_it_said_except_where_the_dialect_cannot(dialect: str, days: Path) -> None:
    """A listed difference that is none any more is a fault too: the list would promise too little."""
    told, here = calls_of("canonical", days), calls_of(dialect, days)
    assert here["event_id"].to_pylist() == told["event_id"].to_pylist()
    different = {name for name in EVENT_SCHEMA.names if here[name].to_pylist() != told[name].to_pylist()}
    assert different == set(WAYS[dialect].otherwise)


NOT_ON_THIS_DAY = {"reasoning-replay", "adoption", "failover", "temporal-synchrony"}
"""Nothing comes out, is closed or begins together; no tested family of this day presents reasoning blocks, and what
OpenTelemetry logs has no name for them."""


def facts_of(run_dir: Path) -> dict[str, Any]:
    """Return what a run says of itself, without the log's form and the clock."""
    facts: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return {name: value for name, value in facts.items() if name not in UNCOUNTED}


def campaigns_of(run_dir: Path) -> list[dict[str, Any]]:
    """Return the campaigns, without what a column that the dialect lacks adds to their evidence and their rank."""
    kept = ("campaign_id", "accounts_count", "events_count", "output_tokens", "first_seen", "last_seen", "group_ids")
    lines = map(json.loads, (run_dir / "campaigns.jsonl").read_text().splitlines())
    return [{name: line[name] for name in kept} for line in lines]


def test_the_day_has_both_campaigns_and_both_are_found(days: Path, runs: dict[str, Path]) -> None:
    found = score(runs["canonical"], days / "canonical" / "truth")
    assert [one.campaign for one in found.campaigns if one.found] == ["clean-pool", "pool"]
    assert found.honest.named_count == 0


@pytest.mark.parametrize("dialect", WITH_PROMPTS)
def test_the_same_accounts_and_calls_are_named_in_every_dialect_with_prompts(
    dialect: str, runs: dict[str, Path]
) -> None:
    here, told = runs[dialect], runs["canonical"]
    for name in ("accounts.parquet", "exchanges.parquet"):
        assert pq.read_table(here / name).equals(pq.read_table(told / name)), name


@pytest.mark.parametrize("dialect", WITH_PROMPTS)
def test_the_same_families_get_the_same_outcomes_in_every_dialect_with_prompts(
    dialect: str, runs: dict[str, Path]
) -> None:
    def outcomes(run_dir: Path) -> dict[str, tuple[str, int, int]]:
        groups = [json.loads(line) for line in (run_dir / "groups.jsonl").read_text().splitlines()]
        return {g["group_id"]: (g["outcome"], g["accounts_count"], g["events_count"]) for g in groups}

    here, told = outcomes(runs[dialect]), outcomes(runs["canonical"])
    assert {name: sizes for name, (_, *sizes) in here.items()} == {name: sizes for name, (_, *sizes) in told.items()}
    named = {name for name, (outcome, *_) in told.items() if outcome == "extraction-campaign"}
    assert {name for name, (outcome, *_) in here.items() if outcome == "extraction-campaign"} == named
    # A column that a dialect lacks can move a family across the line between two outcomes that name nobody.
    assert sum(here[name] != told[name] for name in told) <= len(told) // 50


@pytest.mark.parametrize("dialect", WITH_PROMPTS)
def test_every_signal_runs_and_says_the_same_in_every_dialect_with_prompts(dialect: str, runs: dict[str, Path]) -> None:
    here, told = facts_of(runs[dialect]), facts_of(runs["canonical"])
    for facts in (here, told):
        silent = [state for state in facts["signals"] if state["status"] == "skipped"]
        assert {state["ident"] for state in silent} <= NOT_ON_THIS_DAY
        assert all(state["reason"] for state in silent)
        facts["signals"] = [state for state in facts["signals"] if state["ident"] not in NOT_ON_THIS_DAY]
    assert here == told
    assert campaigns_of(runs[dialect]) == campaigns_of(runs["canonical"])


def test_an_access_log_shows_no_campaign_and_the_run_says_of_each_signal_why(runs: dict[str, Path]) -> None:
    """A campaign is in this log; nothing in it can be told from honest traffic without a prompt."""
    run_dir = runs[WITHOUT_PROMPTS]
    assert (run_dir / "campaigns.jsonl").read_text() == ""
    assert pq.read_table(run_dir / "exchanges.parquet").num_rows == 0
    facts = facts_of(run_dir)
    assert facts["events_count"] == facts_of(runs["canonical"])["events_count"]
    assert {state["ident"] for state in facts["signals"]} == {signal.IDENT for signal in SIGNALS}
    for state in facts["signals"]:
        assert state["status"] == "skipped"
        assert "prompts" in state["reason"] or "fills none of" in state["reason"]
