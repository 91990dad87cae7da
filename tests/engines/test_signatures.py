"""What a run writes for a gate: what marks the calls of each campaign, who else carries it, and when it was banned."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.engines.run import detect
from stillwatch.event import EVENT_SCHEMA
from stillwatch.evidence import grants, signing
from stillwatch.kernels.tracer import TraceKeys, trace_batch
from stillwatch.pseudonym import UNKEYED
from tests.engines.logs import WORLD, request
from tests.engines.test_exemptions import ALLOWED, POOL
from tests.scenes.scene import Found, Silent, write_lines
from tests.scenes.world import EXTRACT

BORROWED = [f"stranger-{number:04d}" for number in range(3)]
"""Strangers who use the campaign's template once each."""


def borrowed() -> list[dict[str, Any]]:
    return [
        {**WORLD.events[at], "event_id": f"borrowed-{name}", "account_id": name, "input_text": EXTRACT + f"{name} asks"}
        for at, name in enumerate(BORROWED)
    ]


def lines(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_dir / "signatures.jsonl").read_text().splitlines()]


def shingles(text: str) -> set[int]:
    event = {"event_id": "e", "time": datetime.now(UTC), "account_id": "a", "request_model": "m", "input_text": text}
    batch = pa.RecordBatch.from_pylist([event], schema=EVENT_SCHEMA)
    return set(trace_batch(batch, TraceKeys.derive(UNKEYED), 0).to_pylist()[0]["shingles"]) - {0}


def test_the_next_call_of_a_campaign_carries_its_signature_and_a_strangers_does_not(tmp_path: Path) -> None:
    asked = request(tmp_path)
    detect(asked, Silent())
    (campaign,) = Found.read(asked.out).campaigns
    signatures = lines(asked.out)
    assert [line["group_id"] for line in signatures] == list(campaign["group_ids"])
    assert {line["campaign_id"] for line in signatures} == {campaign["campaign_id"]}

    def carried(text: str) -> bool:
        held = shingles(text)
        return any(
            len(held & set(one["shingles"])) >= one["hits_needed"]
            and len(held & set(one["own_shingles"])) >= one["own_needed"]
            for one in signatures
        )

    assert carried(EXTRACT + "something that nobody in the log has ever asked about")
    assert not carried("something that nobody in the log has ever asked about, and not in those words either")


def test_strangers_who_use_the_same_words_are_counted_as_outside(tmp_path: Path) -> None:
    asked = request(tmp_path, [*WORLD.events, *borrowed()])
    detect(asked, Silent())
    widest = max(lines(asked.out), key=lambda line: line["calls_count"])
    assert (widest["outside_accounts_count"], widest["outside_calls_count"]) == (len(BORROWED), len(BORROWED))
    assert widest["accounts_count"] == len(POOL)


def test_what_a_grant_exempts_has_no_signature_and_whoever_it_covers_is_outside(tmp_path: Path) -> None:
    private = signing.new_private_key()
    (tmp_path / "issuer.pub").write_bytes(signing.public_key(private))
    given = {"grants": (tmp_path / "grant.json",), "grant_keys": (tmp_path / "issuer.pub",)}
    (tmp_path / "grant.json").write_text(grants.issue(ALLOWED, private))
    asked = request(tmp_path, **given)
    detect(asked, Silent())
    assert lines(asked.out) == []
    (tmp_path / "grant.json").write_text(grants.issue(replace(ALLOWED, accounts=POOL[:10]), private))
    detect(replace(asked, force=True), Silent())
    widest = max(lines(asked.out), key=lambda line: line["calls_count"])
    assert (widest["accounts_count"], widest["outside_accounts_count"]) == (len(POOL) - 10, 10)


def test_the_last_ban_of_a_campaigns_accounts_is_told_and_a_users_own_closing_is_not(tmp_path: Path) -> None:
    asked = request(tmp_path)
    facts = {
        POOL[0]: ("2026-09-16T00:00:00Z", "banned"),
        POOL[1]: ("2026-09-15T00:00:00Z", "banned"),
        POOL[2]: ("2026-09-20T00:00:00Z", "user"),
        BORROWED[0]: ("2026-09-21T00:00:00Z", "banned"),
    }
    rows = [
        {**row, "closed_at": facts[row["account_id"]][0], "closed_reason": facts[row["account_id"]][1]}
        if row["account_id"] in facts
        else row
        for row in WORLD.accounts
    ]
    write_lines(tmp_path / "accounts.jsonl", rows)
    detect(asked, Silent())
    assert {line["last_banned"] for line in lines(asked.out)} == {"2026-09-16T00:00:00Z"}
