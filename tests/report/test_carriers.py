"""Accounts that carry a campaign beside other people's work are shown, told why, and never named."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from stillwatch.report.explain import explain
from stillwatch.report.page import render
from stillwatch.report.terminal import summary, summary_json
from stillwatch.report.wording import summary_of
from tests.report.scenes import SECOND, campaigns, carried, write_run

SAID = "144 calls went through 2 accounts whose 5,856 other calls are no part of it: they are under watch as carriers"


def test_the_terminal_and_the_page_say_how_much_went_through_carriers(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", carried())
    out = io.StringIO()
    summary(run_dir, Console(file=out, width=200))
    page = render(run_dir, {})
    assert out.getvalue().count(SAID) == page.count(SAID) == 1
    assert "among the 2 carriers of a campaign" in page


def test_a_machine_gets_the_counts(tmp_path: Path) -> None:
    first, second = summary_json(write_run(tmp_path / "run", carried()))["campaigns"]  # type: ignore[misc]
    assert first["carriers_count"] == 0
    counts = ("carriers_count", "carried_events_count", "collateral_events_count")
    assert [second[name] for name in counts] == [2, 144, 5856]


def test_a_run_without_carriers_says_nothing_of_them(tmp_path: Path) -> None:
    assert "carrier" not in render(write_run(tmp_path / "run"), {})


def test_a_carrier_learns_why_it_is_watched_and_that_it_is_not_judged(tmp_path: Path) -> None:
    found = explain(write_run(tmp_path / "run", carried()), "carrier_1", None)
    assert found.verdict == "watch"
    assert found.what[0].startswith(
        f"The account is under watch as a carrier of campaign {SECOND[:14]}: 72 of its 3,000"
    )
    assert "Watching calls for no measure." in found.what
    assert "a small part of what the account does" in found.why[0]
    assert "a key that was taken" in found.why_not[0]
    assert "25 % of its calls" in found.what_would_change[0]


def test_whoever_only_comes_near_a_campaign_is_no_carrier(tmp_path: Path) -> None:
    found = explain(write_run(tmp_path / "run", carried()), "watch_1", None)
    assert "carrier" not in " ".join((*found.what, *found.why, *found.why_not))


def test_a_campaign_of_carriers_alone_is_told_without_a_division_by_its_accounts() -> None:
    alone = replace(
        campaigns()[0], accounts_count=0, carriers_count=3, carried_events_count=41_208, collateral_events_count=9
    )
    assert summary_of(alone).startswith("3 accounts made 41,208 calls within")
    assert "calls per account" not in summary_of(alone)
