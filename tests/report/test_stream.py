"""A run that is a window of a stream says so, and promises for the stream."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from stillwatch.report.page import render
from stillwatch.report.terminal import summary, summary_json
from tests.report.scenes import facts, write_run

ONLINE = {"windows_count": 3, "named_count": 2, "asks_left": 14, "passed_over": 1}


def test_the_promise_and_the_budget_are_the_streams(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", run_json={**facts(), "online": ONLINE})
    out = io.StringIO()
    summary(run_dir, Console(file=out, width=400))
    for text in (out.getvalue(), render(run_dir, {})):
        assert "for the whole stream, of which this is window 3" in text
        assert "14 more coordinated ones can be asked about extraction; 1 family passed over" in text
    assert summary_json(run_dir)["online"] == ONLINE


def test_a_run_of_its_own_says_nothing_of_streams(tmp_path: Path) -> None:
    assert "stream" not in render(write_run(tmp_path / "run", run_json={**facts(), "online": None}), {})
