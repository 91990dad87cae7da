"""Run a plan: each task leaves one file, so that what is done is never done again.

A file is named by a digest of the task's parameters and of the detector's version. What is half done is done anew.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.errors import Error
from stillwatch.lab.baselines.log import Log
from stillwatch.lab.baselines.registry import BASELINES
from stillwatch.lab.benchmark.contract import Detector, Opponent, Progress
from stillwatch.lab.benchmark.delay import delays
from stillwatch.lab.benchmark.plan import KINDS, Plan, Task
from stillwatch.lab.benchmark.rivals import compete
from stillwatch.lab.benchmark.summary import summary
from stillwatch.lab.benchmark.worlds import Day, honest, written
from stillwatch.lab.score import Score, score, who_called

SCHEMA_VERSION = 1

Found = dict[str, Any]


def run_benchmark(
    plan: Plan, detector: Detector, out: Path, progress: Progress, opponent: Opponent | None = None
) -> Path:
    """Do what is left of a plan, and return the path of `results.json`.

    Raises:  Error("unknown-task") where the plan holds a kind of task that there is not, or a game without opponent.
    """
    for task in plan.tasks:
        if task.kind not in KINDS or (task.kind == "opponent" and opponent is None):
            raise Error(
                "unknown-task",
                f"got a task of the kind {task.kind}, expected one of {', '.join(KINDS)}, and an opponent for games",
            )
    done = out / "tasks"
    done.mkdir(parents=True, exist_ok=True)
    results = []
    for number, task in enumerate(plan.tasks, 1):
        kept = done / f"{task.key(detector.version)}.json"
        if not kept.exists():
            progress.note(f"{number} of {len(plan.tasks)}: {task.title()}")
            _keep(kept, _done(task, detector, out, opponent))
        results.append(json.loads(kept.read_text(encoding="utf-8")))
    table = {
        "schema_version": SCHEMA_VERSION,
        "profile": plan.profile,
        "detector": detector.version,
        "blind": list(plan.blind),
        "chosen_on": list(plan.chosen_on),
        "tasks": results,
    }
    path = out / "results.json"
    _keep(path, {**table, "summary": summary(table)})
    progress.note(f"{path.name} is written: {len(results)} tasks")
    return path


def _done(task: Task, detector: Detector, out: Path, opponent: Opponent | None) -> Found:
    """Do one task in a scratch folder that is gone afterwards."""
    scratch = out / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    begun = time.perf_counter()
    if task.kind == "opponent":
        assert opponent is not None
        found = opponent(task, detector, scratch)
    else:
        found = _measured(task, detector, scratch)
    shutil.rmtree(scratch)
    return {"task": asdict(task), **found, "seconds": round(time.perf_counter() - begun, 1)}


def _measured(task: Task, detector: Detector, scratch: Path) -> Found:
    day = written(task, scratch / "world")
    begun = time.perf_counter()
    run_dir = detector.run(day.log.events, day.log.accounts, scratch / "run", task.seed)
    took = round(time.perf_counter() - begun, 2)
    scored = score(run_dir, day.truth)
    found = {"score": asdict(scored), "detect_seconds": took, **_of_detector(scored)}
    if task.kind == "scenario" and task.delays:
        found["delays"] = [asdict(each) for each in delays(day, run_dir, detector, task.seed, scratch)]
    if task.kind == "scenario" and task.rivals:
        found["rivals"] = _rivals(day, honest(scratch / "honest"), float(found["false_rate_bound"]), task.seed)
    return found


def _of_detector(scored: Score) -> Found:
    """Return the detector's own figures over all accounts, in the terms that rivals are measured in."""
    hidden = sum(one.accounts_count for one in scored.campaigns)
    named = sum(one.accounts_recall * one.accounts_count for one in scored.campaigns)
    return {
        "callers_count": hidden + scored.honest.accounts_count,
        "recall": named / hidden if hidden else None,
        "false_rate": scored.honest.named_share,
        "false_rate_bound": scored.honest.upper_bound,
    }


def _rivals(day: Day, reference: Log, rate: float, seed: int) -> dict[str, Found]:
    table = who_called(day.truth)
    truth = dict(zip(table["account_id"].to_pylist(), table["campaign"].to_pylist(), strict=True))
    return {each.IDENT: asdict(compete(each, day.log, reference, truth, rate, seed)) for each in BASELINES}


def _keep(path: Path, found: Found) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
