from __future__ import annotations

import json
from dataclasses import asdict
from io import StringIO
from pathlib import Path

from rich.console import Console

from stillwatch.campaign.power import BLIND, PLANS
from stillwatch.finding import Reach
from stillwatch.report import power
from stillwatch.report.page import render
from stillwatch.report.terminal import summary, summary_json
from tests.report.scenes import facts, write_run

REACHES = (
    Reach("queue-of-four-passes", 40, 480, 48, 576, (), ""),
    Reach("least-loaded-pool", 70, 840, None, None, (), ""),
    Reach("sign-up-burst", None, None, None, None, ("created_at",), "the log fills none of created_at"),
    Reach("organic-relay", None, None, None, None, (), "its requests are those of real users"),
)


def run_with_power(folder: Path) -> Path:
    return write_run(folder, run_json={**facts(), "power": [asdict(reach) for reach in REACHES]})


def test_a_person_at_a_terminal_learns_what_would_have_been_found_and_what_not(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=200)
    summary(run_with_power(tmp_path / "run"), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "40 accounts, 480 calls (one in two); 48, 576 (19 in 20)" in text
    assert "no size tried is found surely" in text
    assert "Accounts made within one day: the log fills none of created_at" in text
    assert "the shipped one" in text


def test_a_machine_gets_the_same(tmp_path: Path) -> None:
    body = json.loads(json.dumps(summary_json(run_with_power(tmp_path / "run"))))
    assert body["power"][0]["accounts_half"] == 40
    assert body["calibration"]["shipped"] is True


def test_the_page_says_it_too_and_says_nothing_where_the_run_did_not(tmp_path: Path) -> None:
    page = render(run_with_power(tmp_path / "run"), {})
    assert "What could have been found" in page
    assert "The log fills none of created_at" in page
    assert "What could have been found" not in render(write_run(tmp_path / "older"), {})


def test_every_class_has_words() -> None:
    assert {plan.name for plan in PLANS} | {name for name, _ in BLIND} == set(power.CLASSES)
