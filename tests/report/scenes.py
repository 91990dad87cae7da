"""Hand-written run directories: what an engine leaves behind, small and realistic."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.event import EVENT_SCHEMA
from stillwatch.finding import Campaign, Evidence, Group, Link
from stillwatch.report.skeleton import Passage, Skeleton

START = datetime(2026, 11, 2, tzinfo=UTC)
FIRST = "3fa9c1d27be84f06a1c5"
SECOND = "b07712ee90d3c4415f6a"
CLEARED_KEY = 2**63 + 11
"""A pseudonym past the signed range, as half of them are."""
UNTESTED_KEY, MEMBERLESS_KEY = 5, 6
"""Accounts with calls in a family that was not tested, and in a family of a campaign that does not name them."""

SKELETONS = {
    FIRST: Skeleton(
        (
            Passage(
                "system",
                (
                    "take the part of a patient examiner who knows this subject from the ground up",
                    None,
                    "set out every step that led you there and only then the result",
                ),
                247,
            ),
            Passage("user", ("task #", None, "think step by step and write every intermediate result", None), 231),
        ),
        512,
        256,
    ),
    SECOND: Skeleton((), 96, 96, "the log carries no prompts"),
}


def digest(name: str, size: int = 8) -> str:
    return blake2b(name.encode(), digest_size=size).hexdigest()


def evidence(signal: str, family: str, statement: str, value: float, p_value: float | None) -> Evidence:
    return Evidence(signal, statement, value, p_value, family)  # type: ignore[arg-type]


EVIDENCE = (
    evidence(
        "queue-sharding",
        "dispatch",
        "41,208 calls hold 41,193 different items and only 15 items reach a second account; accounts that"
        " chose for themselves would have collided 803 times.",
        803.0,
        3.4e-71,
    ),
    evidence(
        "template-reuse",
        "content",
        "All 412 accounts fill one prompt structure that 3 other accounts of the log use.",
        412.0,
        None,
    ),
    evidence(
        "pool-dispatch",
        "dispatch",
        "Calls are spread over the accounts more evenly than chance would do: dispersion 0.21, where"
        " independent accounts have 1 or more.",
        0.21,
        8.1e-12,
    ),
    evidence(
        "extraction-intent",
        "intent",
        "97 % of the calls ask for the model's reasoning to be written out; the benign families of the"
        " calibration range from 0 to 9 %.",
        0.97,
        0.0041,
    ),
)

COUNTER = (
    evidence(
        "shared-infrastructure",
        "infrastructure",
        "No payment instrument, address or client build is shared by more accounts than chance would join.",
        0.0,
        0.62,
    ),
)


def campaigns() -> list[Campaign]:
    return [
        Campaign(
            campaign_id=FIRST,
            p_value=2.2e-71,
            q_value=1.3e-69,
            accounts_count=412,
            events_count=41208,
            output_tokens=61_812_000,
            first_seen="2026-11-02T01:12:44Z",
            last_seen="2026-11-04T22:58:03Z",
            evidence=EVIDENCE,
            counter_evidence=(),
            capabilities=("mathematical reasoning", "reasoning traces"),
            techniques=("AML.T0008.005", "AML.T0065", "AML.T0040", "AML.T0024.002"),
            links=(
                Link("payment", "9c01f2a77b3e44d0", 212, 214, 17.4),
                Link("sign-up network", "04be7712c9a0f3d8", 96, 101, 12.8),
                Link("tls fingerprint", "e3301a9f5572bb06", 399, 2210, 3.1),
            ),
            group_ids=("fam-" + digest("a"), "fam-" + digest("b")),
            carriers_count=0,
            carried_events_count=0,
            collateral_events_count=0,
        ),
        Campaign(
            campaign_id=SECOND,
            p_value=0.0,
            q_value=0.0061,
            accounts_count=96,
            events_count=7344,
            output_tokens=9_547_000,
            first_seen="2026-11-03T00:02:10Z",
            last_seen="2026-11-04T23:41:59Z",
            evidence=(EVIDENCE[0], EVIDENCE[3]),
            counter_evidence=COUNTER,
            capabilities=(),
            techniques=("AML.T0024.002",),
            links=(),
            group_ids=("fam-" + digest("c"),),
            carriers_count=0,
            carried_events_count=0,
            collateral_events_count=0,
        ),
    ]


def carried() -> list[Campaign]:
    """Return the campaigns, of which the second went in part through two accounts of a reseller."""
    first, second = campaigns()
    slices = {"carriers_count": 2, "carried_events_count": 144, "collateral_events_count": 5856}
    return [first, replace(second, **slices)]  # type: ignore[arg-type]


def group(name: str, outcome: str, accounts: int, calls: int, reason: str, campaign: str | None = None) -> Group:
    return Group(
        group_id="fam-" + digest(name),
        outcome=outcome,  # type: ignore[arg-type]
        accounts_count=accounts,
        organizations_count=max(1, accounts // 3),
        events_count=calls,
        log_e_coordination=160.2 if campaign else 0.0,
        p_extraction=0.004 if campaign else 0.6,
        q_value=1.3e-69 if campaign else 1.0,
        evidence=EVIDENCE if campaign else (),
        counter_evidence=COUNTER,
        reason=reason,
        would_change="One owner who runs all accounts for a declared purpose, or items that the accounts"
        " repeat as independent users would."
        if campaign
        else "Calls that ask for reasoning to be written out.",
        campaign_id=campaign,
    )


def groups() -> list[Group]:
    both = "Coordination and extraction both stand at the stated rate."
    return [
        group("a", "extraction-campaign", 380, 30100, both, FIRST),
        group("b", "extraction-campaign", 240, 11108, both, FIRST),
        group("c", "extraction-campaign", 96, 7344, both, SECOND),
        group(
            "rag",
            "shared-template",
            803,
            9120,
            "Accounts keep to topics of their own and collide as strangers do.",
        ),
        group("class", "common-task", 120, 3600, "98 % of the items recur in other accounts."),
        group("reseller", "common-control", 200, 15220, "One hand, but no sign of extraction: intent 1 %."),
        group("nightly", "undecided", 14, 880, "Too few calls in the test period to tell."),
        untested(),
    ]


def untested() -> Group:
    """Return a family that no signal was asked about: it has neither evidence nor counter-evidence."""
    bare = group("greeting", "shared-template", 2400, 9900, "its calls asked for no training material")
    return replace(bare, evidence=(), counter_evidence=())


def facts(campaigns_found: bool = True) -> dict[str, object]:
    return {
        "schema_version": 1,
        "window": {"start": "2026-11-02T00:00:00Z", "end": "2026-11-04T23:59:59Z"},
        "events_count": 1_204_332 if campaigns_found else 52_100,
        "accounts_count": 9210,
        "rejected_count": 17,
        "engine": "embedded",
        "seed": 0,
        "fdr": 0.05,
        "config_digest": digest("config", 16),
        "tool_version": "0.1.0",
        "key_ident": "unkeyed",
        "dialect": {
            "ident": "otel",
            "reason": "the records hold resourceSpans",
            "losses": {"truncated": 204, "sampled": 0},
        },
        "rejected_by_reason": {"missing-field": 12, "bad-time": 5},
        "duplicates_count": 40,
        "calibration": {"ident": "shipped-2026-11", "shipped": True, "families_count": 420},
        "groups_count": 7,
        "saturated": [
            {"bound": "family_accounts_max", "value": 50000, "note": "one family was sampled"},
            {"bound": "groups_shown_max", "value": 3204, "note": "the others are not listed"},
        ],
        "signals": [
            {"ident": "template-reuse", "family": "content", "status": "ran", "reason": ""},
            {"ident": "queue-sharding", "family": "dispatch", "status": "ran", "reason": ""},
            {"ident": "pool-dispatch", "family": "dispatch", "status": "ran", "reason": ""},
            {"ident": "shared-infrastructure", "family": "infrastructure", "status": "ran", "reason": ""},
            {
                "ident": "birth-cohort",
                "family": "lifecycle",
                "status": "skipped",
                "reason": "no account facts were given",
            },
            {"ident": "extraction-intent", "family": "intent", "status": "ran", "reason": ""},
        ],
        "stages": [{"name": "read", "seconds": 12.5, "rows": 1_204_332}],
    }


def write_run(
    folder: Path,
    found: list[Campaign] | None = None,
    tested: list[Group] | None = None,
    run_json: dict[str, object] | None = None,
    hostile_account: str = "",
) -> Path:
    """Write a run with two campaigns, or with those that are given."""
    found = campaigns() if found is None else found
    tested = groups() if tested is None else tested
    folder.mkdir(parents=True, exist_ok=True)
    run = facts(bool(found)) if run_json is None else run_json
    (folder / "run.json").write_text(json.dumps(run))
    for name, rows in (("campaigns.jsonl", found), ("groups.jsonl", tested)):
        (folder / name).write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    _write_accounts(folder, found, hostile_account)
    _write_activity(folder, found)
    pq.write_table(
        pa.table(
            {
                "account_key": pa.array(
                    [CLEARED_KEY, CLEARED_KEY, CLEARED_KEY, UNTESTED_KEY, MEMBERLESS_KEY], pa.uint64()
                ),
                "group_id": ["fam-" + digest(name) for name in ("class", "rag", "greeting", "greeting", "a")],
                "calls": pa.array([30, 2, 40, 9, 3], pa.int64()),
            }
        ),
        folder / "considered.parquet",
    )
    pq.write_table(
        pa.table({"event_id": ["e1"], "account_id": ["x"], "campaign_id": [FIRST]}),
        folder / "exchanges.parquet",
    )
    (folder / "rejected.jsonl").write_text("")
    return folder


def account_ids(campaign: Campaign) -> list[str]:
    return [f"acct_{digest(campaign.campaign_id + str(i), 7)}" for i in range(campaign.accounts_count)]


def _write_accounts(folder: Path, found: list[Campaign], hostile_account: str) -> None:
    rows = []
    for campaign in found:
        for i, account_id in enumerate(account_ids(campaign)):
            calls = max(1, campaign.events_count // campaign.accounts_count)
            rows.append(
                (
                    account_id,
                    campaign.campaign_id,
                    0.99 - (i % 50) * 0.005,
                    "campaign",
                    calls * (3 if i < 4 else 1),
                    calls,
                )
            )
        if hostile_account:
            rows.append((hostile_account, campaign.campaign_id, 1.0, "campaign", 10, 10))
        rows += [
            (f"carrier_{i}", campaign.campaign_id, 0.51, "watch", 3000, 72) for i in range(campaign.carriers_count)
        ]
    rows += [(f"watch_{i}", None, 0.4, "watch", 50, 2) for i in range(3 if found else 0)]
    names = ("account_id", "campaign_id", "membership", "verdict", "events_count", "campaign_events_count")
    kinds = (pa.string(), pa.string(), pa.float64(), pa.string(), pa.int64(), pa.int64())
    columns = list(zip(*rows, strict=True)) or [()] * 6
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.table(arrays, names=list(names)), folder / "accounts.parquet")


def _write_activity(folder: Path, found: list[Campaign]) -> None:
    """Write hours with a working rhythm, a late second pool and a pause, as campaigns have."""
    rng = np.random.default_rng(7)
    rows: list[tuple[str, str, str, datetime, int]] = []
    for campaign in found:
        ids = account_ids(campaign)
        for i, account_id in enumerate(ids):
            late = i > 0.6 * len(ids)
            begin, end = (44, 71) if late else (1, 50)
            for hour in range(begin, end):
                rate = 1.6 * campaign.events_count / campaign.accounts_count / (end - begin)
                rate *= 0.55 + 0.45 * np.sin((hour - 6) / 24 * 2 * np.pi) * (campaign is found[0])
                calls = int(rng.poisson(max(rate, 0.0)))
                if calls and not 30 <= hour < 33:
                    name = campaign.group_ids[-1 if late else 0]
                    rows.append((campaign.campaign_id, name, account_id, START + timedelta(hours=hour), calls))
        rows += [
            (campaign.campaign_id, campaign.group_ids[0], f"carrier_{i}", START + timedelta(hours=5), 72)
            for i in range(campaign.carriers_count)
        ]
    columns = list(zip(*rows, strict=True)) or [()] * 5
    kinds = (pa.string(), pa.string(), pa.string(), pa.timestamp("us", tz="UTC"), pa.int64())
    names = ["campaign_id", "group_id", "account_id", "hour", "calls"]
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.table(arrays, names=names), folder / "activity.parquet")


def calls(rows: list[tuple[str, str, str | None, str | None]]) -> pa.RecordBatch:
    """Write events of (event id, account, system prompt, user text); all else is absent."""
    ids, accounts, systems, users = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    given = {
        "event_id": ids,
        "time": [START] * len(rows),
        "account_id": accounts,
        "request_model": ["model"] * len(rows),
        "system_prompt": systems,
        "input_text": users,
    }
    arrays = [
        pa.array(given[name.name], name.type) if name.name in given else pa.nulls(len(rows), name.type)
        for name in EVENT_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=EVENT_SCHEMA)
