from __future__ import annotations

from pathlib import Path

import pytest

from bench import assembled
from bench.assembled import NEEDS, missing
from bench.contenders import grade, write
from bench.scale_figures import assembled as as_table
from stillwatch.lab.baselines.log import Log

INSTALLED = [name for name in NEEDS if not missing(name)]
"""All of them after `pip install -r requirements/bench.txt`; the laboratory's own always."""

CALLS = 5_000


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "assembled"


@pytest.fixture(scope="module")
def found(work: Path) -> dict[str, object]:
    sizes = ["--smallest", str(CALLS), "--largest", str(CALLS), "--budget", "100", "--rounds", "1", "--no-power"]
    return assembled.main([*sizes, "--contenders", "co-action-lab", "--work", str(work)])


def test_an_assembly_and_stillwatch_are_timed_and_graded_on_the_same_log(found: dict[str, object]) -> None:
    (row,) = found["rows"]  # type: ignore[misc, attr-defined]
    assert row["calls"] == CALLS
    assert row["ratio"] == pytest.approx(row["wall_seconds"] / row["own_wall_seconds"])
    assert 0.0 <= row["graded"]["best_recall"] <= 1.0
    assert row["own"]["accounts_count"] > 0
    assert row["title"] in as_table(found)


@pytest.mark.parametrize("name", INSTALLED)
def test_every_assembly_orders_the_accounts(found: dict[str, object], work: Path, tmp_path: Path, name: str) -> None:
    world = work / "worlds" / f"{CALLS}-400"
    write(name, Log(world / "events", world / "accounts.jsonl"), tmp_path)
    assert grade(world, tmp_path, 0.001)["judged_count"] > 0  # type: ignore[operator]
