"""`stillwatch policy`, as a person meets it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.cli import main as cli
from tests.gate.policies import rule, text


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    whole = text(rule("a", "{deny: {}}")).replace("2027-06-01", "2100-01-01")
    (tmp_path / "far.yaml").write_text(whole)
    return tmp_path


def test_a_lint_names_file_line_and_problem_and_fails(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "lint", "far.yaml"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("far.yaml:4: error: it expires more than 731 days from now")
    assert said[-1] == "far.yaml: 2 errors, 0 warnings"


def test_a_lint_with_warnings_alone_passes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soon = datetime.now(UTC) + timedelta(days=30)
    whole = text(rule("a", "{deny: {}}").replace("T-1", "example")).replace("2027-06-01", f"{soon:%Y-%m-%d}")
    (place / "soon.yaml").write_text(whole)
    assert cli.run(["policy", "lint", "soon.yaml", "--json"]) == 0
    assert [each["code"] for each in json.loads(capsys.readouterr().out)] == ["approval-example"]


def test_cases_that_fail_fail_the_command(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = "version: 1\nnow: 2026-12-01T12:00:00Z\ncases: [{name: x, facts: {tier: none}, expect: {rung: deny}}]\n"
    (place / "c.yaml").write_text(cases)
    assert cli.run(["policy", "test", "strict", "c.yaml"]) == 1
    assert "- rung: 'deny'\n    + rung: 'allow'" in capsys.readouterr().out
    assert cli.run(["policy", "test", "strict"]) == 0
    assert cli.run(["policy", "test", "far.yaml"]) == 2


def test_an_explanation_says_which_rules_were_looked_at(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "s.json").write_text(
        '{"facts": {"tier": "recognised", "campaign_id": "c-1"}, "time": "2026-12-01T00:00:00Z"}'
    )
    assert cli.run(["policy", "explain", "strict", "s.json"]) == 0
    said = capsys.readouterr().out
    assert "decision      cap, by rule cap-recognised" in said
    assert "refuse-replacements (live): its condition is not met" in said
    assert cli.run(["policy", "explain", "strict", "s.json", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["decision"]["rung"], told["facts"]["evidence_families"]) == ("cap", 1)
    assert [each["verdict"] for each in told["rules"]] == ["not-met", "met"]


def test_a_shipped_policy_can_be_begun_with(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "show", "cautious", "--text"]) == 0
    (place / "mine.yaml").write_text(capsys.readouterr().out)
    assert cli.run(["policy", "show", "mine.yaml"]) == 0
    assert "refuse-confirmed" in capsys.readouterr().out


def test_a_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$ref"] == "#/$defs/PolicyFile"


def test_a_policy_that_is_not_there_ends_in_a_hint(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "show", "none.yaml"]) == 1
    assert "the file cannot be read" in capsys.readouterr().err


def test_a_replay_needs_a_key_for_a_snapshot(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "policy",
        "replay",
        "strict",
        "--events",
        "logs",
        "--against",
        "observe",
        "--snapshot",
        "s",
        "--no-progress",
    ]
    assert cli.run(words) == 1
    assert "signature can be checked" in capsys.readouterr().err


def test_a_replay_says_who_would_be_treated_differently(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("stillwatch.gate.memory")
    rows = [
        {
            "event_id": f"e-{at}",
            "time": f"2026-12-01T12:00:{at:02}Z",
            "account_id": f"acct-{at % 3}",
            "request_model": "m",
        }
        for at in range(30)
    ]
    (place / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    busy = text(rule("busy", "{cap: {max_tokens: 9}}", "none", "account_calls_hour > 5"))
    (place / "busy.yaml").write_text(busy)
    words = ["policy", "replay", "busy.yaml", "--events", "log.jsonl", "--against", "observe", "--no-progress"]
    assert cli.run([*words, "--json"]) == 0
    said = capsys.readouterr().out
    found = json.loads(said)
    assert (found["calls_count"], found["calls_differ_count"], found["unknown_accounts_count"]) == (30, 15, 3)
    assert "acct-" not in said
    assert cli.run(words) == 0
    assert "15 calls of 3 accounts would be treated differently" in capsys.readouterr().out.replace("\n", " ")
