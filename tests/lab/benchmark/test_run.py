from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.errors import Error
from stillwatch.lab.benchmark.charts import write_charts
from stillwatch.lab.benchmark.compare import compare, pinned
from stillwatch.lab.benchmark.page import page
from stillwatch.lab.benchmark.plan import HONEST_SCENARIO, NULL_WORLDS, Plan, Task, plan_named
from stillwatch.lab.benchmark.run import SCRATCH, run_benchmark
from stillwatch.lab.scenario import FULL_RATE, SCENARIOS
from tests.lab.benchmark.detectors import Counting, Heard

SMALL = 0.01

CALIBRATION_SEEDS_FROM = 10_000
"""`tools/fit_calibration.py` draws its worlds under seeds from here on."""

PLAN = Plan(
    "test",
    (
        Task("scenario", "demo", 1, SMALL),
        Task("null", "quiet", 2, SMALL),
        Task("power", "demo", 3, SMALL, accounts=30),
        Task("opponent", "volume", 4, rounds=2),
    ),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    return run_benchmark(PLAN, Counting(100), out, Heard())


def test_every_kind_of_task_leaves_its_figures(finished: Path) -> None:
    table = json.loads(finished.read_text())
    assert [each["task"]["kind"] for each in table["tasks"]] == ["scenario", "null", "power", "opponent"]
    scenario, null, power, game = table["tasks"]
    assert len(scenario["rivals"]) == 8
    assert {each["campaign"] for each in scenario["delays"]} == {"pool", "clean-pool"}
    assert null["recall"] is None
    (pool,) = power["score"]["campaigns"]
    assert pool["accounts_count"] == 30
    (row,) = game["rows"]
    assert (row["against"], row["rounds_count"]) == ("volume", 2)
    assert row["calls_obtained"] > 0
    assert scenario["spent"]["calls_paid_count"] > scenario["spent"]["calls_wanted_count"]
    assert not (finished.parent / SCRATCH).exists()


def test_a_finished_task_is_not_done_again(finished: Path) -> None:
    before, heard, idle = finished.read_bytes(), Heard(), Counting(100)
    run_benchmark(PLAN, idle, finished.parent, heard)
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
        def run(self, events: Path, accounts: Path, out: Path, seed: int, power: bool = False) -> Path:
            if seed == 3:
                raise KeyboardInterrupt
            return super().run(events, accounts, out, seed, power)

    plan = Plan("test", tuple(Task("null", "quiet", seed, SMALL) for seed in (2, 3)))
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(plan, Interrupted(100), tmp_path, Heard())
    assert not (tmp_path / "results.json").exists()
    detector = Counting(100)
    run_benchmark(plan, detector, tmp_path, Heard())
    assert detector.runs == 1


def test_a_task_that_cannot_be_done_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    tasks = (Task("null", "quiet", 2, SMALL), Task("scenery", "demo", 1))
    with pytest.raises(Error) as caught:
        run_benchmark(Plan("test", tasks), Counting(1), tmp_path, Heard())
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


def test_tasks_that_are_shared_out_over_processes_find_the_same(tmp_path: Path) -> None:
    plan = Plan("test", tuple(Task("null", "quiet", seed, SMALL) for seed in (2, 3, 4)))
    found = []
    for workers in (1, 2):
        path = run_benchmark(plan, Counting(20), tmp_path / str(workers), Heard(), workers)
        found.append([each["score"] for each in json.loads(path.read_text())["tasks"]])
    assert found[0] == found[1]


def test_the_full_plan_measures_every_scenario_many_null_worlds_and_three_games() -> None:
    whole = plan_named("full")
    asked = {task.scenario for task in whole.tasks if task.kind == "scenario"}
    assert asked == set(SCENARIOS) - {HONEST_SCENARIO} | {FULL_RATE}
    assert sum(task.kind == "null" for task in whole.tasks) == NULL_WORLDS >= 200
    assert len({task.accounts for task in whole.tasks if task.kind == "power"}) == 6
    assert {task.scenario for task in whole.tasks if task.kind == "opponent"} > {"detector"}


def test_no_two_worlds_whose_honest_accounts_are_counted_share_a_seed_nor_does_a_profile_with_the_other() -> None:
    seeds = []
    for plan in (plan_named("quick"), plan_named("full")):
        counted = [task.seed for task in plan.tasks if task.kind in {"scenario", "null"}]
        assert len(set(counted)) == len(counted)
        assert len({task.key("v") for task in plan.tasks}) == len(plan.tasks)
        seeds.append({task.seed for task in plan.tasks})
    assert not seeds[0] & seeds[1]
    assert min(seeds[1]) >= 2_301
    assert max(*seeds[0], *seeds[1]) < CALIBRATION_SEEDS_FROM


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(Error) as caught:
        plan_named("thorough")
    assert caught.value.ident == "unknown-profile"
