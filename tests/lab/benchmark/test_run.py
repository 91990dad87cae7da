from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import Error
from stillwatch.lab.benchmark.charts import write_charts
from stillwatch.lab.benchmark.compare import compare, pinned
from stillwatch.lab.benchmark.contract import Detector
from stillwatch.lab.benchmark.page import page
from stillwatch.lab.benchmark.plan import NULL_WORLDS, Plan, Task, full, quick
from stillwatch.lab.benchmark.run import run_benchmark
from tests.lab.benchmark.detectors import Counting, Heard

SMALL = 0.01

PLAN = Plan(
    "test",
    (
        Task("scenario", "demo", 1, SMALL),
        Task("null", "quiet", 2, SMALL),
        Task("power", "demo", 3, SMALL, accounts=30),
        Task("opponent", "demo", 4),
    ),
)


def opponent(task: Task, detector: Detector, scratch: Path) -> dict[str, Any]:
    (scratch / "notes").write_text("a game leaves nothing behind")
    row = {"strategy": "changes its prompt", "against": "detector", "calls_obtained": 900, "accounts_lost": 30}
    return {"rows": [row], "budget": 50}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    return run_benchmark(PLAN, Counting(100), out, Heard(), opponent)


def test_every_kind_of_task_leaves_its_figures(finished: Path) -> None:
    table = json.loads(finished.read_text())
    assert [each["task"]["kind"] for each in table["tasks"]] == ["scenario", "null", "power", "opponent"]
    scenario, null, power, game = table["tasks"]
    assert len(scenario["rivals"]) == 8
    assert {each["campaign"] for each in scenario["delays"]} == {"pool", "clean-pool"}
    assert null["recall"] is None
    (pool,) = power["score"]["campaigns"]
    assert pool["accounts_count"] == 30
    assert game["budget"] == 50
    assert not (finished.parent / "scratch").exists()


def test_a_finished_task_is_not_done_again(finished: Path) -> None:
    before, heard, idle = finished.read_bytes(), Heard(), Counting(100)
    run_benchmark(PLAN, idle, finished.parent, heard, opponent)
    assert idle.runs == 0
    assert finished.read_bytes() == before
    assert heard.said == ["results.json is written: 4 tasks"]


def test_another_detector_or_task_is_measured_anew(tmp_path: Path) -> None:
    task = Task("null", "quiet", 2, SMALL)
    for detector, seed, runs in (
        (Counting(100), 2, 1), (Counting(100), 2, 0), (Counting(100, "two"), 2, 1), (Counting(100, "two"), 5, 1),
    ):  # fmt: skip
        run_benchmark(Plan("test", (Task(task.kind, task.scenario, seed, SMALL),)), detector, tmp_path, Heard())
        assert detector.runs == runs


def test_an_interrupted_benchmark_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Interrupted(Counting):
        def run(self, events: Path, accounts: Path, out: Path, seed: int) -> Path:
            if seed == 3:
                raise KeyboardInterrupt
            return super().run(events, accounts, out, seed)

    plan = Plan("test", tuple(Task("null", "quiet", seed, SMALL) for seed in (2, 3)))
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(plan, Interrupted(100), tmp_path, Heard())
    assert not (tmp_path / "results.json").exists()
    detector = Counting(100)
    run_benchmark(plan, detector, tmp_path, Heard())
    assert detector.runs == 1


@pytest.mark.parametrize("task", [Task("scenery", "demo", 1), Task("opponent", "demo", 1)])
def test_a_task_that_cannot_be_done_is_refused_before_anything_is_done(task: Task, tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        run_benchmark(Plan("test", (Task("null", "quiet", 2, SMALL), task)), Counting(1), tmp_path, Heard())
    assert caught.value.ident == "unknown-task"
    assert not list(tmp_path.iterdir())


def test_a_false_report_in_an_honest_world_is_a_false_discovery(tmp_path: Path) -> None:
    plan = Plan("test", tuple(Task("null", "quiet", seed, SMALL) for seed in (2, 3)))
    worlds = json.loads(run_benchmark(plan, Counting(20), tmp_path, Heard()).read_text())["summary"]
    assert worlds["null"]["realised_rate"] == 1.0
    assert worlds["null"]["named_count"] == worlds["classes"][-1]["named_count"] > 0
    assert worlds["discoveries"]["false_count"] == 2


def test_the_page_shows_every_section_and_what_falls_short(finished: Path, tmp_path: Path) -> None:
    text = page(finished, "## Speed and memory\n\nMeasured elsewhere.")
    for title in ("Promised and measured", "What falls short", "Campaigns, by scenario", "Side by side",
                  "What leaked before detection", "Who was accused wrongly", "Power, by size of the pool",
                  "Against an opponent who adapts", "Speed and memory", "How the baselines were set"):  # fmt: skip
        assert f"\n## {title}\n" in text
    assert "Not measured by this plan" in text
    drawn = write_charts(finished, tmp_path)
    assert len(drawn) == 3
    for chart in drawn:
        assert f"images/benchmark/{chart.name}" in text
        assert chart.read_text().startswith("<svg")


def test_results_do_not_deviate_from_themselves_and_a_worse_figure_is_named(finished: Path, tmp_path: Path) -> None:
    expected = tmp_path / "expected.json"
    figures = pinned(finished)
    expected.write_text(json.dumps(figures))
    assert compare(finished, expected) == []
    figures["scenarios"][0]["accounts_recall"] += 0.04  # Within its tolerance.
    figures["scenarios"][0]["found_count"] += 1
    figures["power"].append({"scenario": "demo", "accounts": 9, "found_count": 1})
    expected.write_text(json.dumps(figures))
    said = compare(finished, expected)
    assert len(said) == 2
    assert "scenarios demo: found_count" in said[0]
    assert said[1] == "power demo 9 is missing"


def test_the_plans_have_what_was_promised() -> None:
    whole = full(["ledger-c6", "evasion-1-low-and-slow"], power=["demo"], opponents=["evasion-10-active-learning"])
    nulls = [task for task in whole.tasks if task.kind == "null"]
    assert len({task.seed for task in nulls}) == NULL_WORLDS >= 200
    sizes = [task.accounts for task in whole.tasks if task.kind == "power"]
    assert (min(sizes), max(sizes)) == (50, 15_000)
    for plan in (quick(), whole):
        counted = [task.seed for task in plan.tasks if task.kind in {"scenario", "null"}]
        assert len(set(counted)) == len(counted), "the same honest accounts would be counted twice"
        keys = [task.key("v") for task in plan.tasks]
        assert len(set(keys)) == len(keys)
