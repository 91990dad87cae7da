from __future__ import annotations

import json
from pathlib import Path

from bench.quality import EXPECTED
from stillwatch.cli.benching import Stillwatch
from stillwatch.lab.benchmark.plan import Task, plan_named
from stillwatch.lab.benchmark.worlds import written
from stillwatch.lab.score import score


def test_the_pinned_table_has_a_row_for_every_scenario_of_the_quick_plan() -> None:
    table, plan = json.loads(EXPECTED.read_text(encoding="utf-8")), plan_named("quick")
    asked = [task.scenario for task in plan.tasks if task.kind == "scenario"]
    assert [row["scenario"] for row in table["scenarios"]] == asked
    sizes = [task.accounts for task in plan.tasks if task.kind == "power"]
    assert [row["accounts"] for row in table["power"]] == sizes


def test_the_detector_is_measured_as_it_is_shipped(tmp_path: Path) -> None:
    day = written(Task("null", "quiet", 1, 0.01), tmp_path / "world")
    run = Stillwatch.installed().run(day.log.events, day.log.accounts, tmp_path / "run", 0)
    assert score(run, day.truth).honest.named_count == 0
    assert Stillwatch.installed().version == Stillwatch.installed().version
