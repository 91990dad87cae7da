"""Closing the demo's day loses no campaign, no account and no call."""

from __future__ import annotations

import json
from pathlib import Path

from stillwatch.cli import main as cli

CALLS = "81000"
"""The smallest day in which the demo's groups can still hide."""


def found(run_dir: Path) -> dict[str, object]:
    lines = (run_dir / "campaigns.jsonl").read_text().splitlines()
    return {
        "campaigns": sorted(json.loads(line)["campaign_id"] for line in lines),
        "accounts": (run_dir / "accounts.parquet").read_bytes(),
        "exchanges": (run_dir / "exchanges.parquet").read_bytes(),
    }


def run(*words: str | Path) -> None:
    assert cli.run([str(word) for word in words]) == 0


def test_the_demo_is_found_the_same_on_its_logs_on_an_open_and_on_a_closed_day(tmp_path: Path) -> None:
    world, store = tmp_path / "world", tmp_path / "store"
    run("simulate", "--scenario", "demo", "--calls", CALLS, "--out", world, "--no-progress")
    accounts = world / "accounts.jsonl"
    plain = ("--no-progress", "--no-power")
    run("detect", world / "events", "--accounts", accounts, "--out", tmp_path / "logs", *plain)
    run("ingest", world / "events", "--accounts", accounts, "--store", store, "--no-progress")
    run("detect", "--store", store, "--out", tmp_path / "open", *plain)
    run("store", "close", store, "--before", "2027-01-01", "--no-progress")
    run("detect", "--store", store, "--out", tmp_path / "closed", *plain)
    expected = found(tmp_path / "logs")
    assert expected["campaigns"]
    assert found(tmp_path / "open") == expected
    assert found(tmp_path / "closed") == expected
