from __future__ import annotations

import json
from pathlib import Path

from bench.page import FIGURES, effort
from bench.quality import EXPECTED, Stillwatch, plan_of
from stillwatch.lab.benchmark.plan import Task
from stillwatch.lab.benchmark.worlds import written
from stillwatch.lab.scenario import SCENARIOS
from stillwatch.lab.score import score


def test_the_pinned_table_has_a_row_for_every_scenario_of_the_quick_plan() -> None:
    table, plan = json.loads(EXPECTED.read_text(encoding="utf-8")), plan_of("quick")
    asked = [task.scenario for task in plan.tasks if task.kind == "scenario"]
    assert [row["scenario"] for row in table["scenarios"]] == asked
    sizes = [task.accounts for task in plan.tasks if task.kind == "power"]
    assert [row["accounts"] for row in table["power"]] == sizes


def test_the_full_plan_measures_every_scenario_that_there_is() -> None:
    asked = {task.scenario for task in plan_of("full").tasks}
    assert asked == set(SCENARIOS)


def test_the_detector_is_measured_as_it_is_shipped(tmp_path: Path) -> None:
    day = written(Task("null", "quiet", 1, 0.01), tmp_path / "world")
    run = Stillwatch().run(day.log.events, day.log.accounts, tmp_path / "run", 0)
    assert score(run, day.truth).honest.named_count == 0
    assert Stillwatch().version == Stillwatch().version


def test_the_section_on_speed_has_the_measured_sizes() -> None:
    results = json.loads(FIGURES.read_text(encoding="utf-8"))
    text = effort(results)
    assert text.startswith("## Speed and memory\n")
    for calls in {f"{result['calls_asked']:,}" for result in results if result["seed"] == 2026}:
        assert f"### {calls} calls" in text
