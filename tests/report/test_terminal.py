"""The summary says on a plain screen what the page says at length."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from stillwatch.errors import Error
from stillwatch.report.terminal import summary, summary_json
from tests.report.scenes import campaigns, facts, groups, write_run


def printed(run_dir: Path, width: int = 80, terminal: bool = False) -> str:
    out = io.StringIO()
    summary(run_dir, Console(file=out, width=width, force_terminal=terminal))
    return out.getvalue()


def test_the_summary_names_campaigns_reasons_and_gaps(tmp_path: Path) -> None:
    out = printed(write_run(tmp_path / "run"))
    for phrase in (
        "Two suspected campaigns",
        "3fa9c1d27be84f       412  41,208  2026-11-02 01:12  2026-11-04 22:58  1.3e-69",
        "[queue-sharding, p = 3.4e-71]",
        "One statement speaks against it",
        "1 × shared template",
        "birth-cohort: no account facts were given",
        "a text had been cut in 204 calls",
        "a suspicion, not a verdict",
    ):
        assert phrase in out, phrase
    assert out.rstrip().endswith(str(tmp_path / "run" / "report.html"))


def test_each_independent_kind_of_evidence_gives_one_reason(tmp_path: Path) -> None:
    reasons = printed(write_run(tmp_path / "run"), width=200).split("Why 3fa9")[1].split("Why b077")[0]
    for signal in ("queue-sharding", "template-reuse", "extraction-intent"):
        assert f"[{signal}" in reasons
    assert "[pool-dispatch" not in reasons


def test_no_line_ends_in_spaces(tmp_path: Path) -> None:
    assert not [line for line in printed(write_run(tmp_path / "run")).splitlines() if line != line.rstrip()]


def test_nothing_but_plain_text_reaches_a_pipe(tmp_path: Path) -> None:
    out = printed(write_run(tmp_path / "run"))
    assert "\x1b" not in out
    assert not set(out) & set("─━│┃")


def test_the_table_fits_eighty_columns(tmp_path: Path) -> None:
    out = printed(write_run(tmp_path / "run"))
    table = [line for line in out.splitlines() if line.startswith(("Campaign", "3fa9", "b077"))]
    assert len(table) == 3
    assert all(len(line) <= 80 for line in table)


def test_a_hostile_statement_cannot_command_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07 [bold]loud[/bold] \x9b2J"
    bad = replace(campaigns()[0], evidence=(replace(campaigns()[0].evidence[0], statement=evil),))
    run_json = facts() | {"rejected_by_reason": {evil: 1}}
    out = printed(write_run(tmp_path / "run", [bad], None, run_json), terminal=True)
    assert "\x1b]" not in out
    assert "\x07" not in out
    assert "\x9b" not in out
    assert "[bold]loud[/bold]" in out


def test_an_empty_run_says_what_that_means(tmp_path: Path) -> None:
    out = printed(write_run(tmp_path / "run", [], [group for group in groups() if not group.campaign_id]))
    assert "No campaign found" in out
    assert "does not mean that there is none" in out


def test_the_summary_as_json_holds_the_same_figures(tmp_path: Path) -> None:
    found = summary_json(write_run(tmp_path / "run"))
    assert json.loads(json.dumps(found)) == found
    assert found["campaigns_count"] == 2
    assert found["tested_count"] == 7
    assert found["untested_count"] == 3204
    assert found["not_listed"] == {"common-control": 1, "common-task": 1, "shared-template": 1, "undecided": 1}
    assert found["watched_count"] == 3
    assert found["skipped"] == [{"signal": "birth-cohort", "reason": "no account facts were given"}]
    assert found["losses"] == {"truncated": 204}


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Error) as raised:
        summary_json(tmp_path)
    assert raised.value.ident == "not-a-run"
    assert "run.json is missing" in raised.value.message
