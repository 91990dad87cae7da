"""What grants made of a run's campaigns, and what a grant says, in words."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from stillwatch.report import granting
from stillwatch.report.explain import explain
from stillwatch.report.page import render
from stillwatch.report.terminal import summary, summary_json
from tests.evidence.grants import PLAIN
from tests.report.scenes import MEMBERLESS_KEY, write_run

STATEMENT = "grant g-0a names 240 of the accounts, covers 9,737 of their calls and exempts 240 accounts"
LINES = (
    ("c-77aa01c2d3e4f5a6", "exempted", 240, 0),
    ("c-77aa01c2d3e4f5a7", "reduced", 40, 60),
    ("c-77aa01c2d3e4f5a8", "stands", 0, 12),
)


def run_under_grants(folder: Path) -> Path:
    run_dir = write_run(folder)
    told = [
        {
            "campaign_id": ident,
            "status": status,
            "exempted_accounts_count": out,
            "remaining_accounts_count": left,
            "grants": [{"grant_id": "g-0a", "statement": STATEMENT, "calls_count": 9737}],
        }
        for ident, status, out, left in LINES
    ]
    (run_dir / "exemptions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    return run_dir


def test_what_became_of_each_campaign_is_said_at_the_terminal_and_on_the_page(tmp_path: Path) -> None:
    run_dir = run_under_grants(tmp_path / "run")
    out = io.StringIO()
    summary(run_dir, Console(file=out, width=200))
    for said in ("exempted, 240 accounts", "reduced by 40 accounts, 60 remain", "c-77aa01c2d3e4 stands"):
        assert said in out.getvalue()
    page = render(run_dir, {})
    assert "Under grants" in page
    assert page.count("Grant g-0a names 240 of the accounts") == len(LINES)


def test_a_machine_gets_the_same_and_a_run_without_grants_has_none(tmp_path: Path) -> None:
    found = summary_json(run_under_grants(tmp_path / "run"))["exemptions"]
    assert [(each["status"], each["exempted_accounts_count"]) for each in found] == [  # type: ignore[attr-defined]
        (status, out) for _, status, out, _ in LINES
    ]
    plain = write_run(tmp_path / "plain")
    assert summary_json(plain)["exemptions"] == []
    assert "Under grants" not in render(plain, {})


def test_an_account_that_a_grant_covers_is_told_that_one_may(tmp_path: Path) -> None:
    found = explain(run_under_grants(tmp_path / "run"), "tempted", MEMBERLESS_KEY)
    assert "or a grant covers them" in found.why[0]


def test_a_grant_that_was_only_looked_at_is_never_called_verified() -> None:
    looked = "\n".join(granting.lines(PLAIN, "00ff", is_verified=False))
    assert "NOT verified" in looked
    assert "NOT verified" not in "\n".join(granting.lines(PLAIN, "00ff", is_verified=True))


def test_many_names_are_counted_and_none_can_command_the_terminal() -> None:
    many = replace(PLAIN, accounts=tuple(f"acct-{n}" for n in range(12)), grantee="\x1b[31mred")
    said = "\n".join(granting.lines(many, "00ff", is_verified=True))
    assert "acct-4 and 7 more" in said
    assert "\x1b" not in said
